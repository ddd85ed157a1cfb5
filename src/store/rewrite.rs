//! Writes a log again without some personal data: an epoch of the log of its own, whose first header
//! names the end of the log before. The numbers, times, order and facts of all commits stay; only
//! the lines, and so their hashes, are new.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::codec::fact;
use super::durable_fs::{self, DiskError};
use super::log::line::{self, FORMAT, LedgerId, MAX_LINE, ReplacedLog, SegmentHeader};
use super::log::reader::{LogError, LogReader};
use super::log::segment::{self, HashChain};
use super::port::StoreError;
use super::projection_recovery::log_size;
use super::store_error::to_store_error;
use crate::domain::erasure::Redaction;
use crate::domain::fact::{Commit, Fact};
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::time::Time;

/// Only the owner may read the files, because the ledger names members.
const FILE_MODE: u32 = 0o600;

/// Bytes between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// How often the log is surveyed at most. Each survey but the last finds a further address, so a
/// person with more former addresses than this has made them up.
const MAX_SURVEYS: u32 = 16;

/// Why a log was not rewritten. The log itself is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The log cannot be read.
    #[error("rewrite the log")]
    Log(#[from] LogError),
    /// A file cannot be written.
    #[error("write the new log")]
    Disk(#[from] DiskError),
    /// A commit cannot be written again.
    #[error("rewrite commit {seq}: {why}")]
    Commit {
        /// The number of the commit.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
}

impl From<RewriteError> for StoreError {
    fn from(error: RewriteError) -> Self {
        to_store_error(&error)
    }
}

/// What a rewrite has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewrittenLog {
    /// The end of the log that was read.
    pub replaced: ReplacedLog,
    /// The commits that were changed.
    pub changed: u64,
    /// The commits of the log that was read.
    pub commits: u64,
}

/// Lets the redaction look at all commits, as often as it needs. Returns how many commits the
/// redaction would change.
///
/// # Errors
/// When the log cannot be read.
pub fn survey(
    log: &Path,
    redaction: &mut Redaction,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RewriteError> {
    if !redaction.needs_survey() {
        return Ok(());
    }
    for _ in 0..MAX_SURVEYS {
        for_each_commit(log, progress, &mut |commit| {
            redaction.survey(&commit);
            Ok(true)
        })?;
        if !redaction.end_survey() {
            break;
        }
    }
    Ok(())
}

/// Returns true if the redaction, after its survey, would change a commit.
///
/// # Errors
/// When the log cannot be read.
pub fn would_change(
    log: &Path,
    redaction: &Redaction,
    progress: &mut dyn FnMut(Progress),
) -> Result<bool, RewriteError> {
    let mut found = false;
    for_each_commit(log, progress, &mut |mut commit| {
        found = redaction.apply(&mut commit);
        Ok(!found)
    })?;
    Ok(found)
}

/// Writes the log in `from` again to the new directory `to`, and `closing` as the facts of a last
/// commit. Everything is durable when this returns.
///
/// # Errors
/// See [`RewriteError`].
pub fn rewrite(
    (from, to): (&Path, &Path),
    redaction: &Redaction,
    closing: (Time, &[Fact]),
    segment_limit: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<RewrittenLog, RewriteError> {
    let ledger = LogReader::read_ledger_id(from)?;
    let replaced = end_of(from)?;
    let (at, closing_facts) = closing;
    durable_fs::make_dir(to)?;
    let mut writer = LogWriter::create(to, ledger, replaced, (at, segment_limit))?;
    let mut changed = 0;
    for_each_commit(from, progress, &mut |mut commit| {
        changed += u64::from(redaction.apply(&mut commit));
        writer.append(&commit)?;
        Ok(true)
    })?;
    if !closing_facts.is_empty() {
        writer.append(&Commit {
            seq: replaced.seq + 1,
            at,
            facts: closing_facts.to_vec(),
        })?;
    }
    writer.finish()?;
    durable_fs::sync_dir(to)?;
    Ok(RewrittenLog {
        replaced,
        changed,
        commits: replaced.seq,
    })
}

/// Returns the last commit of a log.
fn end_of(log: &Path) -> Result<ReplacedLog, RewriteError> {
    let mut reader = LogReader::open(log)?;
    while reader.next_line()?.is_some() {}
    let end = reader.end();
    Ok(ReplacedLog {
        seq: end.chain.seq,
        hash: end.head,
    })
}

/// Calls `each` for every commit of a log, until it returns false.
fn for_each_commit(
    log: &Path,
    progress: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(Commit) -> Result<bool, RewriteError>,
) -> Result<(), RewriteError> {
    // The size is only shown to people.
    let total = log_size(log, u32::MAX).ok();
    let (mut done, mut reported) = (0, 0);
    let mut reader = LogReader::open(log)?;
    while let Some(line) = reader.next_line()? {
        let commit = line.commit();
        let commit = commit.map_err(|fault| reader.last_line_error(fault))?;
        if !each(commit)? {
            return Ok(());
        }
        done += reader.text().len() as u64;
        if done - reported >= PROGRESS_EVERY {
            reported = done;
            progress(Progress {
                step: WorkStep::RewriteLog,
                done,
                total,
            });
        }
    }
    Ok(())
}

/// Calls `each` for every commit of a log.
///
/// # Errors
/// When the log cannot be read.
pub fn read_commits(
    log: &Path,
    progress: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(&Commit),
) -> Result<(), RewriteError> {
    for_each_commit(log, progress, &mut |commit| {
        each(&commit);
        Ok(true)
    })
}

/// Writes segments one after the other. Each is synced once, when it is complete: nothing reads the
/// new log before that.
struct LogWriter {
    dir: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    segment: u32,
    len: u64,
    chain: HashChain,
    ledger: LedgerId,
    created: Time,
    limit: u64,
}

impl LogWriter {
    fn create(
        dir: &Path,
        ledger: LedgerId,
        replaces: ReplacedLog,
        (created, limit): (Time, u64),
    ) -> Result<Self, RewriteError> {
        let header = SegmentHeader {
            format: FORMAT,
            ledger: Some(ledger),
            segment: 1,
            first: 1,
            created,
            replaces: Some(replaces),
        };
        let (path, file, len, chain) = create_segment(dir, &header, HashChain::START)?;
        Ok(Self {
            dir: dir.to_owned(),
            path,
            file,
            segment: 1,
            len,
            chain,
            ledger,
            created,
            limit,
        })
    }

    fn append(&mut self, commit: &Commit) -> Result<(), RewriteError> {
        let seq = commit.seq;
        let refuse = |why: String| RewriteError::Commit { seq, why };
        if self.len >= self.limit {
            self.rotate()?;
        }
        let facts = fact::write(&commit.facts).map_err(|error| refuse(error.to_string()))?;
        let place = (seq, commit.at);
        let (text, hash) = line::format_commit(self.ledger, place, &facts, self.chain.hash)
            .ok_or_else(|| refuse("its instant is outside the years 0 to 9999".to_owned()))?;
        if text.len() > MAX_LINE {
            return Err(refuse(format!(
                "its line would have {} bytes, and at most {MAX_LINE} are allowed",
                text.len()
            )));
        }
        durable_fs::with_path("write", &self.path, self.file.write_all(&text))?;
        self.len += text.len() as u64;
        self.chain = HashChain { seq, hash };
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), RewriteError> {
        self.sync()?;
        let header = SegmentHeader {
            format: FORMAT,
            ledger: Some(self.ledger),
            segment: self.segment + 1,
            first: self.chain.seq + 1,
            created: self.created,
            replaces: None,
        };
        (self.path, self.file, self.len, self.chain) =
            create_segment(&self.dir, &header, self.chain)?;
        self.segment = header.segment;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        let synced = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all());
        durable_fs::with_path("write", &self.path, synced)
    }

    fn finish(mut self) -> Result<(), DiskError> {
        self.sync()
    }
}

type NewSegment = (PathBuf, BufWriter<File>, u64, HashChain);

fn create_segment(
    dir: &Path,
    header: &SegmentHeader,
    previous: HashChain,
) -> Result<NewSegment, RewriteError> {
    let path = segment::path(dir, header.segment);
    let (text, hash) =
        line::format_header(header, previous.hash).ok_or_else(|| RewriteError::Commit {
            seq: header.first,
            why: "the instant of its segment is outside the years 0 to 9999".to_owned(),
        })?;
    let create = || -> io::Result<BufWriter<File>> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&path)?;
        let mut file = BufWriter::with_capacity(256 * 1024, file);
        file.write_all(&text)?;
        Ok(file)
    };
    let file = durable_fs::with_path("write", &path, create())?;
    let chain = HashChain {
        seq: previous.seq,
        hash,
    };
    Ok((path, file, text.len() as u64, chain))
}
