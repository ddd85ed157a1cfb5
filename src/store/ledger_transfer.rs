//! Moves a whole ledger as one text: all lines of its log as they are, with the headers of segments,
//! between a first and a last line of the export.
//!
//! ```text
//! {"export":"maitred-ledger","version":1,"ledger":"<id>","commits":7,"head":"<64>"}
//! {"erasure":{…}}
//! {"log":"maitred","format":3,…}
//! {"format":3,"seq":1,…}
//! {"end":"maitred-ledger","lines":9}
//! ```
//!
//! The lines keep their hashes, so an import that does not mark the ledger as restored gives a ledger
//! whose export is the same byte for byte. Memory is bounded by one line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::backup::{self, CopyError, LogCopy};
use super::durable_fs::{self, DiskError};
use super::erasure_list::{ErasureEntry, ErasureList};
use super::lock::Lock;
use super::log::line::{self, Hash, LineFault, MAX_LINE};
use super::log::reader::{LogError, LogReader};
use super::log::segment;
use super::log_switch;
use super::port::Head;
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::time::Time;

/// The word in the first and the last line.
const NAME: &str = "maitred-ledger";

/// The version of exports that is written, and the newest that is read.
const VERSION: u32 = 1;

/// Only the owner may read the files, because the ledger names members.
const FILE_MODE: u32 = 0o600;

/// Bytes between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    export: String,
    version: u32,
    ledger: String,
    commits: u64,
    head: String,
}

#[derive(Deserialize)]
struct VersionOfFirstLine {
    export: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastLine {
    end: String,
    lines: u64,
}

/// The beginning of the line of an erasure, whose entry follows.
const ERASURE_KEY: &str = "{\"erasure\":";

/// The beginning of the last line.
const END_KEY: &str = "{\"end\":";

/// The beginning of a segment's header.
const HEADER_KEY: &str = "{\"log\":";

/// Why an export was not imported. The store was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A line cannot be accepted.
    #[error("accept line {line} of the export")]
    Line {
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        fault: LineFault,
    },
    /// A line is not what belongs there.
    #[error("accept line {line} of the export: {why}")]
    Form {
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The export cannot be read.
    #[error("read the export, line {line}")]
    Read {
        /// The number of the line, from 1.
        line: u64,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The log cannot be made from the lines.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl From<DiskError> for TransferError {
    fn from(error: DiskError) -> Self {
        Self::Copy(error.into())
    }
}

/// Writes the whole ledger up to and including `head`, and returns how many commits it has. Each
/// line is checked first.
///
/// # Errors
/// When a line fails its checks, or cannot be written.
pub fn export(store: &Path, head: &Head, out: &mut dyn Write) -> Result<u64, CopyError> {
    let log = log_switch::current_log(store);
    let list = ErasureList::read(store)?;
    let mut writer = LineWriter { out, lines: 0 };
    writer.write_json(&FirstLine {
        export: NAME.to_owned(),
        version: VERSION,
        ledger: LogReader::read_ledger_id(&log)?.to_string(),
        commits: head.seq,
        head: head.hash.clone(),
    })?;
    for line in list.entries().iter().filter_map(ErasureEntry::to_line) {
        writer.write(format!("{ERASURE_KEY}{line}}}\n").as_bytes())?;
    }
    let mut reader = LogReader::open(&log)?;
    let (mut commits, mut segments) = (0, 0);
    let mut reached_end = true;
    while let Some(line) = reader.next_line()? {
        if line.seq > head.seq {
            reached_end = false;
            break;
        }
        let segment = line.position.segment;
        while segments < segment {
            segments += 1;
            writer.write(&read_header_line(&log, segments)?)?;
        }
        writer.write(reader.text())?;
        commits += 1;
    }
    let ended_at = reader.end();
    if reached_end {
        // A crash leaves a segment without commits.
        while segments < ended_at.position.segment {
            segments += 1;
            writer.write(&read_header_line(&log, segments)?)?;
        }
    }
    if commits != head.seq || (reached_end && ended_at.head.to_string() != head.hash) {
        return Err(CopyError::Incomplete {
            expected: head.seq,
            found: commits,
        });
    }
    let lines = writer.lines;
    writer.write_json(&LastLine {
        end: NAME.to_owned(),
        lines,
    })?;
    Ok(commits)
}

struct LineWriter<'a> {
    out: &'a mut dyn Write,
    lines: u64,
}

impl LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> Result<(), CopyError> {
        self.lines += 1;
        self.out.write_all(line).map_err(CopyError::Write)
    }

    fn write_json(&mut self, line: &impl Serialize) -> Result<(), CopyError> {
        let mut text = serde_json::to_vec(line).expect("texts and numbers can be written");
        text.push(b'\n');
        self.write(&text)
    }
}

/// Returns the first line of a segment. The reader of the log has checked it.
fn read_header_line(log: &Path, segment: u32) -> Result<Vec<u8>, CopyError> {
    let path = segment::path(log, segment);
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| {
        BufReader::new(file)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut text)
    });
    durable_fs::with_path("read", &path, read)?;
    Ok(text)
}

/// Imports an export to a place without a ledger. Unless the ledger `moved`, so that no other machine
/// uses it any more, it is marked as restored.
///
/// # Errors
/// See [`TransferError`].
pub fn import(
    from: &mut dyn BufRead,
    store: &Path,
    now: Time,
    moved: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<LogCopy, TransferError> {
    backup::ensure_no_ledger(store)?;
    durable_fs::make_dir(store)?;
    let _lock = Lock::take(store, now).map_err(CopyError::from)?;
    // Checked again, because another process may have created a ledger before this one took the
    // lock.
    backup::ensure_no_ledger(store)?;
    let partial = store.join(backup::PARTIAL_NAME);
    backup::discard(&partial);
    let result = write_log(from, &partial, progress).and_then(|mut list| {
        let known = ErasureList::read(store).map_err(CopyError::from)?;
        list.add(known.entries().iter().cloned());
        let end = backup::check_log(&partial, progress)?;
        let restored_at = (!moved).then_some(now);
        Ok(backup::place_copy(
            store,
            &end,
            &list,
            restored_at,
            progress,
        )?)
    });
    if result.is_err() {
        backup::discard(&partial);
    }
    result
}

/// Writes the lines of the export as the segments of a log, and returns its list of erasures.
fn write_log(
    from: &mut dyn BufRead,
    log: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<ErasureList, TransferError> {
    let mut lines = LineReader {
        from,
        number: 0,
        buffer: Vec::new(),
    };
    let first = lines.read_first()?;
    let mut list = ErasureList::default();
    let mut writer = SegmentWriter::new(log)?;
    let (mut done, mut reported) = (0_u64, 0_u64);
    loop {
        if !lines.read_next()? {
            return Err(lines.form(
                "the file ends here, before the last line of an export: it was cut off; export \
                 the ledger again",
            ));
        }
        let text = &lines.buffer[..lines.buffer.len() - 1];
        if text.starts_with(END_KEY.as_bytes()) {
            break;
        }
        if let Some(entry) = text.strip_prefix(ERASURE_KEY.as_bytes()) {
            let entry = entry
                .strip_suffix(b"}")
                .and_then(|entry| ErasureEntry::parse(std::str::from_utf8(entry).ok()?));
            match entry {
                Some(entry) if writer.segment == 0 => list.add([entry]),
                Some(_) | None => {
                    return Err(lines.form("this is not an erasure that this version knows"));
                }
            }
            continue;
        }
        let number = lines.number;
        writer
            .add(text, &lines.buffer)
            .map_err(|fault| fault.at(number))?;
        done += lines.buffer.len() as u64;
        if done - reported >= PROGRESS_EVERY {
            reported = done;
            progress(Progress {
                step: WorkStep::CopyLog,
                done: writer.seq,
                total: Some(first.commits),
            });
        }
    }
    lines.check_last(&first, &writer)?;
    writer.finish()?;
    Ok(list)
}

struct LineReader<'a> {
    from: &'a mut dyn BufRead,
    /// The number of the line in the buffer, from 1.
    number: u64,
    buffer: Vec<u8>,
}

impl LineReader<'_> {
    /// Reads the next line. Returns false at the end, and for a line without its newline.
    fn read_next(&mut self) -> Result<bool, TransferError> {
        self.buffer.clear();
        self.number += 1;
        let line = self.number;
        let read = (&mut *self.from)
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut self.buffer);
        read.map_err(|source| TransferError::Read { line, source })?;
        if self.buffer.len() > MAX_LINE {
            let fault = LineFault::TooLong;
            return Err(TransferError::Line { line, fault });
        }
        Ok(self.buffer.last() == Some(&b'\n'))
    }

    fn form(&self, why: impl Into<String>) -> TransferError {
        TransferError::Form {
            line: self.number,
            why: why.into(),
        }
    }

    fn read_first(&mut self) -> Result<FirstLine, TransferError> {
        self.read_next()?;
        let not_one = "this is not an export of a ledger; `maitred ledger export --full` makes one";
        let version: VersionOfFirstLine =
            serde_json::from_slice(&self.buffer).map_err(|_| self.form(not_one))?;
        if version.export != NAME {
            return Err(self.form(not_one));
        }
        if version.version > VERSION {
            return Err(self.form(format!(
                "the export has version {}, and this maitred reads up to {VERSION}: use a newer one",
                version.version
            )));
        }
        serde_json::from_slice(&self.buffer).map_err(|_| self.form(not_one))
    }

    /// Checks that the export is complete, and that nothing follows.
    fn check_last(&mut self, first: &FirstLine, log: &SegmentWriter) -> Result<(), TransferError> {
        let last: LastLine = serde_json::from_slice(&self.buffer)
            .map_err(|_| self.form("this is not the last line of an export"))?;
        if last.end != NAME || last.lines != self.number - 1 {
            return Err(self.form(format!(
                "{} lines stand before this one, and the export had {}: lines were removed or added",
                self.number - 1,
                last.lines
            )));
        }
        if (log.seq, log.head.to_string()) != (first.commits, first.head.clone()) {
            return Err(self.form(format!(
                "the export ends with commit {}, and its first line names commit {}",
                log.seq, first.commits
            )));
        }
        if self.read_next()? || !self.buffer.is_empty() {
            return Err(self.form("the export ended before this line"));
        }
        Ok(())
    }
}

/// Why a line of the log was not added.
enum AddFault {
    Line(LineFault),
    Form(&'static str),
    Disk(DiskError),
}

impl AddFault {
    fn at(self, line: u64) -> TransferError {
        match self {
            Self::Line(fault) => TransferError::Line { line, fault },
            Self::Form(why) => TransferError::Form {
                line,
                why: why.to_owned(),
            },
            Self::Disk(error) => error.into(),
        }
    }
}

/// Writes lines of a log unchanged, each after its check.
struct SegmentWriter {
    dir: PathBuf,
    file: Option<(PathBuf, BufWriter<File>)>,
    /// The number of the current segment; 0 before the first.
    segment: u32,
    seq: u64,
    /// The hash of the last line.
    last: Hash,
    /// The hash of the last commit; before the first, that of the first header.
    head: Hash,
}

impl SegmentWriter {
    fn new(dir: &Path) -> Result<Self, DiskError> {
        durable_fs::make_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            file: None,
            segment: 0,
            seq: 0,
            last: Hash::NONE,
            head: Hash::NONE,
        })
    }

    /// Adds a line; `whole` has its newline.
    fn add(&mut self, text: &[u8], whole: &[u8]) -> Result<(), AddFault> {
        let sealed = line::unseal(text).map_err(AddFault::Line)?;
        if sealed.prev != self.last {
            return Err(AddFault::Line(LineFault::ChainBroken));
        }
        if text.starts_with(HEADER_KEY.as_bytes()) {
            let header = line::read_header(&sealed).map_err(AddFault::Line)?;
            if header.segment != self.segment + 1 || header.first != self.seq + 1 {
                return Err(AddFault::Line(LineFault::ChainBroken));
            }
            self.begin_segment(header.segment).map_err(AddFault::Disk)?;
            if header.segment == 1 {
                self.head = sealed.hash;
            }
        } else {
            let entry = sealed.parse_entry().map_err(AddFault::Line)?;
            if entry.seq != self.seq + 1 {
                return Err(AddFault::Line(LineFault::WrongNumber {
                    expected: self.seq + 1,
                    found: entry.seq,
                }));
            }
            self.seq = entry.seq;
            self.head = sealed.hash;
        }
        self.last = sealed.hash;
        let Some((path, file)) = &mut self.file else {
            return Err(AddFault::Form("a commit stands before the first header"));
        };
        durable_fs::with_path("write", path, file.write_all(whole)).map_err(AddFault::Disk)
    }

    fn begin_segment(&mut self, number: u32) -> Result<(), DiskError> {
        self.sync()?;
        let path = segment::path(&self.dir, number);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&path);
        let file = durable_fs::with_path("write", &path, created)?;
        self.file = Some((path, BufWriter::with_capacity(256 * 1024, file)));
        self.segment = number;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let synced = file.flush().and_then(|()| file.get_ref().sync_all());
        durable_fs::with_path("write", path, synced)
    }

    fn finish(mut self) -> Result<(), TransferError> {
        self.sync()?;
        if self.segment == 0 {
            return Err(TransferError::Copy(CopyError::Log(LogError::Segment(
                segment::SegmentError::Missing(segment::path(&self.dir, 1)),
            ))));
        }
        Ok(durable_fs::sync_dir(&self.dir)?)
    }
}
