//! Reads the log line by line, and checks each line against its own hash, the line before and its
//! number. `torn_line` tells a torn last line from an altered one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::codec::fact;
use super::super::durable_fs::{self, DiskError};
use super::line::{
    self, Hash, LedgerId, LineFault, LogEntry, MAX_LINE, OLDEST_FORMAT, SealedLine, SegmentHeader,
};
use super::segment::{self, HashChain, LogPosition, SegmentError};
use super::torn_line;
use crate::domain::fact::Commit;
use crate::domain::ledger::Violation;
use crate::domain::time::Time;

/// Bytes read ahead.
const BUFFER_LENGTH: usize = 256 * 1024;

/// Why reading the log stopped.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A line cannot be accepted.
    #[error(
        "accept line {line} of {}; nothing was changed: restore the file from a backup, or move \
         it and the lines after it away and accept the loss",
        path.display()
    )]
    Damaged {
        /// The segment's file.
        path: PathBuf,
        /// The number of the line in the file, from 1.
        line: u64,
        /// What is wrong with the line.
        #[source]
        fault: LineFault,
    },
    /// The files of the log are incomplete.
    #[error("read the log")]
    Segment(#[from] SegmentError),
    /// A file cannot be read.
    #[error("read the log")]
    Disk(#[from] DiskError),
}

/// One commit's line.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// The commit's number.
    pub seq: u64,
    /// When the commit was made.
    pub at: Time,
    /// The line's hash.
    pub hash: Hash,
    /// Where the line begins.
    pub position: LogPosition,
    format: u32,
    facts: &'a [u8],
}

impl LogLine<'_> {
    /// Parses the commit that the line holds.
    ///
    /// # Errors
    /// When this version does not understand the line's facts.
    pub fn commit(&self) -> Result<Commit, LineFault> {
        let facts = fact::read_format(self.format, self.facts).map_err(LineFault::InvalidRecord)?;
        Ok(Commit {
            seq: self.seq,
            at: self.at,
            facts,
        })
    }
}

/// Where the log ends.
#[derive(Debug, Clone, Copy)]
pub struct LogEnd {
    /// Where the next line goes.
    pub position: LogPosition,
    /// The last line, which the next line has to follow.
    pub chain: HashChain,
    /// The last commit's hash; before the first, the first header's.
    pub head: Hash,
    /// The ledger that the last segment belongs to; `None` when that segment has format 1.
    pub ledger: Option<LedgerId>,
    /// The format of the last segment.
    pub format: u32,
    /// The length of a torn line after the end, in bytes.
    pub torn_bytes: u64,
    /// The number of the torn line in its file, from 1.
    pub line_number: u64,
}

/// A reader of the log, from its beginning or from a known line.
pub struct LogReader {
    dir: PathBuf,
    last_segment: u32,
    path: PathBuf,
    file: BufReader<File>,
    position: LogPosition,
    /// Lines of this file before `position`; `None` if reading began in the middle of the file.
    lines_before: Option<u64>,
    chain: HashChain,
    head: Hash,
    /// The ledger that the current segment belongs to; `None` in a segment of format 1.
    ledger: Option<LedgerId>,
    /// The format of the current segment.
    format: u32,
    torn_bytes: u64,
    pub(super) buffer: Vec<u8>,
}

impl LogReader {
    /// Opens the log at the first segment, whose header is checked.
    ///
    /// # Errors
    /// When there is no segment, or the first segment's header is not valid.
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        let last = segment::count(dir)?;
        if last == 0 {
            return Err(SegmentError::Missing(segment::path(dir, 1)).into());
        }
        let position = LogPosition {
            segment: 1,
            offset: 0,
        };
        let mut reader = Self::open_at(dir, last, position, HashChain::START)?;
        reader.lines_before = Some(0);
        reader.check_header()?;
        reader.head = reader.chain.hash;
        Ok(reader)
    }

    /// Opens the log after the line of the commit that `chain` names, which is expected at
    /// `position`. Returns `None` if another line, or none, is there.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn open_after(
        dir: &Path,
        position: LogPosition,
        chain: HashChain,
    ) -> Result<Option<Self>, LogError> {
        let last = segment::count(dir)?;
        if position.segment == 0 || position.segment > last {
            return Ok(None);
        }
        let mut reader = Self::open_at(dir, last, position, chain)?;
        reader.head = chain.hash;
        let header = Self::read_header_of(dir, last, position.segment)?;
        (reader.ledger, reader.format) = (header.ledger, header.format);
        let path = reader.path.clone();
        if !durable_fs::with_path("read", &path, reader.fill_buffer())? {
            return Ok(None);
        }
        let text = &reader.buffer[..reader.buffer.len() - 1];
        let hash_and_seq =
            line::unseal(text).and_then(|sealed| Ok((sealed.hash, sealed.parse_entry()?.seq)));
        let length = reader.buffer.len() as u64;
        reader.position.offset += length;
        let is_expected_line =
            matches!(hash_and_seq, Ok((hash, seq)) if hash == chain.hash && seq == chain.seq);
        Ok(is_expected_line.then_some(reader))
    }

    /// Reads the header of a segment. The header is checked on its own only.
    ///
    /// # Errors
    /// When the first line is not a valid header.
    pub fn read_header_of(dir: &Path, last: u32, segment: u32) -> Result<SegmentHeader, LogError> {
        let position = LogPosition { segment, offset: 0 };
        let mut reader = Self::open_at(dir, last, position, HashChain::START)?;
        reader.lines_before = Some(0);
        let path = reader.path.clone();
        let is_whole = durable_fs::with_path("read", &path, reader.fill_buffer())?;
        let text = reader.buffer.strip_suffix(b"\n").filter(|_| is_whole);
        let header = text.ok_or(LineFault::Malformed);
        let header = header.and_then(|text| line::read_header(&line::unseal(text)?));
        header.map_err(|fault| reader.damage_error(fault))
    }

    /// Returns the id of the ledger that the log belongs to. A log that was started in format 1 has
    /// the id that is derived from its first line, and keeps it.
    ///
    /// # Errors
    /// When the log has no readable header.
    pub fn read_ledger_id(dir: &Path) -> Result<LedgerId, LogError> {
        let last = segment::count(dir)?;
        let last_header = Self::read_header_of(dir, last, last)?;
        match last_header.ledger {
            Some(ledger) => Ok(ledger),
            None => Ok(LedgerId::from_first_line(Self::open(dir)?.head)),
        }
    }

    pub(super) fn open_at(
        dir: &Path,
        last: u32,
        position: LogPosition,
        chain: HashChain,
    ) -> Result<Self, LogError> {
        let path = segment::path(dir, position.segment);
        let mut file = durable_fs::with_path("open", &path, File::open(&path))?;
        durable_fs::with_path("read", &path, file.seek(SeekFrom::Start(position.offset)))?;
        Ok(Self {
            dir: dir.to_owned(),
            last_segment: last,
            file: BufReader::with_capacity(BUFFER_LENGTH, file),
            path,
            position,
            lines_before: None,
            chain,
            head: chain.hash,
            ledger: None,
            format: OLDEST_FORMAT,
            torn_bytes: 0,
            buffer: Vec::new(),
        })
    }

    /// Returns the next commit's line; `None` at the end of the log or at a torn last line.
    ///
    /// # Errors
    /// When a line fails its checks, or the files cannot be read.
    pub fn next_line(&mut self) -> Result<Option<LogLine<'_>>, LogError> {
        while !self.read_line()? {
            if self.torn_bytes > 0 || self.position.segment == self.last_segment {
                return Ok(None);
            }
            self.next_segment()?;
        }
        match self.check_line() {
            Ok(checked) => {
                let position = self.position;
                self.accept(checked);
                let facts = &self.buffer[checked.facts.0..checked.facts.1];
                let CheckedLine {
                    format,
                    seq,
                    at,
                    hash,
                    ..
                } = checked;
                Ok(Some(LogLine {
                    seq,
                    at,
                    hash,
                    position,
                    format,
                    facts,
                }))
            }
            Err(_) if self.is_torn()? => {
                self.torn_bytes = self.buffer.len() as u64;
                Ok(None)
            }
            Err(fault) => Err(self.damage_error(fault)),
        }
    }

    /// Returns the line that was read last, as it is in the file, including the newline.
    pub fn text(&self) -> &[u8] {
        &self.buffer
    }

    /// Returns the reader's position; after `next_line` has returned `None`, the end of the log.
    pub fn end(&self) -> LogEnd {
        LogEnd {
            position: self.position,
            chain: self.chain,
            head: self.head,
            ledger: self.ledger,
            format: self.format,
            torn_bytes: self.torn_bytes,
            line_number: self.line_number(),
        }
    }

    /// Returns the error that names the line at this position.
    pub fn violation_error(&self, position: LogPosition, violation: Violation) -> LogError {
        let path = segment::path(&self.dir, position.segment);
        LogError::Damaged {
            line: count_lines(&path, position.offset) + 1,
            path,
            fault: LineFault::Violation(violation),
        }
    }

    /// Returns the error that names the line that was read last.
    pub fn last_line_error(&self, fault: LineFault) -> LogError {
        LogError::Damaged {
            path: self.path.clone(),
            line: self.line_number().saturating_sub(1),
            fault,
        }
    }

    /// Reads a line into the buffer. Returns false if there is no whole line.
    pub(super) fn read_line(&mut self) -> Result<bool, LogError> {
        let path = self.path.clone();
        if durable_fs::with_path("read", &path, self.fill_buffer())? {
            return Ok(true);
        }
        if self.buffer.len() > MAX_LINE {
            return Err(self.damage_error(LineFault::TooLong));
        }
        if self.buffer.is_empty() {
            return Ok(false);
        }
        if self.position.segment < self.last_segment {
            return Err(self.damage_error(LineFault::Truncated));
        }
        self.torn_bytes = self.buffer.len() as u64;
        Ok(false)
    }

    fn fill_buffer(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let limit = MAX_LINE as u64 + 1;
        (&mut self.file)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?;
        Ok(self.buffer.last() == Some(&b'\n'))
    }

    fn next_segment(&mut self) -> Result<(), LogError> {
        let position = LogPosition {
            segment: self.position.segment + 1,
            offset: 0,
        };
        let (head, ledger, format) = (self.head, self.ledger, self.format);
        *self = Self::open_at(&self.dir, self.last_segment, position, self.chain)?;
        (self.head, self.ledger, self.format) = (head, ledger, format);
        self.lines_before = Some(0);
        self.check_header()
    }

    fn check_header(&mut self) -> Result<(), LogError> {
        let path = self.path.clone();
        let is_whole = durable_fs::with_path("read", &path, self.fill_buffer())?;
        let expected = (self.position.segment, self.chain.seq + 1);
        let text = self.buffer.strip_suffix(b"\n").filter(|_| is_whole);
        let checked = text.ok_or(LineFault::Malformed).and_then(|text| {
            let sealed = line::unseal(text)?;
            let header = line::read_header(&sealed)?;
            let SegmentHeader { segment, first, .. } = header;
            self.check_chain(&sealed)?;
            if (segment, first) != expected {
                return Err(LineFault::ChainBroken);
            }
            // After a segment, no segment of an older format or of another ledger may follow.
            if header.format < self.format {
                return Err(LineFault::Malformed);
            }
            if let Some(expected) = self.ledger {
                match header.ledger {
                    Some(found) if found == expected => {}
                    Some(found) => return Err(LineFault::OtherLedger { expected, found }),
                    None => return Err(LineFault::Malformed),
                }
            }
            Ok((sealed.hash, header))
        });
        match checked {
            Ok((hash, header)) => {
                self.chain.hash = hash;
                (self.ledger, self.format) = (header.ledger, header.format);
                self.advance();
                Ok(())
            }
            Err(fault) => Err(self.damage_error(fault)),
        }
    }

    fn check_line(&self) -> Result<CheckedLine, LineFault> {
        let text = &self.buffer[..self.buffer.len() - 1];
        let sealed = line::unseal(text)?;
        let entry = sealed.parse_entry()?;
        self.check_ledger(&entry)?;
        self.check_chain(&sealed)?;
        let expected = self.chain.seq + 1;
        if entry.seq != expected {
            let found = entry.seq;
            return Err(LineFault::WrongNumber { expected, found });
        }
        let end = sealed.body().len();
        Ok(CheckedLine {
            format: entry.format,
            seq: entry.seq,
            at: entry.at,
            hash: sealed.hash,
            facts: (end - entry.facts.len(), end),
        })
    }

    /// Checks that a line has the format of its segment and names the segment's ledger.
    fn check_ledger(&self, entry: &LogEntry<'_>) -> Result<(), LineFault> {
        if entry.format != self.format {
            return Err(LineFault::Malformed);
        }
        match (self.ledger, entry.ledger) {
            (Some(expected), Some(found)) if expected != found => {
                Err(LineFault::OtherLedger { expected, found })
            }
            (Some(_), Some(_)) | (None, None) => Ok(()),
            (Some(_), None) | (None, Some(_)) => Err(LineFault::Malformed),
        }
    }

    fn check_chain(&self, sealed: &SealedLine<'_>) -> Result<(), LineFault> {
        if sealed.prev == self.chain.hash {
            Ok(())
        } else {
            Err(LineFault::ChainBroken)
        }
    }

    fn accept(&mut self, checked: CheckedLine) {
        self.chain = HashChain {
            seq: checked.seq,
            hash: checked.hash,
        };
        self.head = checked.hash;
        self.advance();
    }

    pub(super) fn advance(&mut self) {
        self.position.offset += self.buffer.len() as u64;
        self.lines_before = self.lines_before.map(|lines| lines + 1);
    }

    /// Returns true if the line in the buffer, which is whole but failed its checks, is what a
    /// crash can leave.
    fn is_torn(&mut self) -> Result<bool, LogError> {
        let rest = self.file.fill_buf().map(<[u8]>::is_empty);
        let is_last = durable_fs::with_path("read", &self.path, rest)?
            && self.position.segment == self.last_segment;
        Ok(is_last && torn_line::has_lost_sectors(&self.buffer, self.position.offset))
    }

    pub(super) fn damage_error(&self, fault: LineFault) -> LogError {
        LogError::Damaged {
            path: self.path.clone(),
            line: self.line_number(),
            fault,
        }
    }

    /// Returns the number of the line at `position`. The lines are counted from the file if reading
    /// began in its middle.
    fn line_number(&self) -> u64 {
        self.lines_before.map_or_else(
            || count_lines(&self.path, self.position.offset) + 1,
            |lines| lines + 1,
        )
    }
}

/// A checked line, with its facts as a range of the buffer.
#[derive(Clone, Copy)]
struct CheckedLine {
    format: u32,
    seq: u64,
    at: Time,
    hash: Hash,
    facts: (usize, usize),
}

/// Returns the number of newlines before this offset; 0 if the file cannot be read, because the
/// number is only for a message.
fn count_lines(path: &Path, offset: u64) -> u64 {
    let Ok(file) = File::open(path) else {
        return 0;
    };
    let mut reader = BufReader::with_capacity(BUFFER_LENGTH, file.take(offset));
    let mut lines = 0;
    while let Ok(bytes) = reader.fill_buf() {
        if bytes.is_empty() {
            break;
        }
        lines += bytes.iter().filter(|b| **b == b'\n').count() as u64;
        let length = bytes.len();
        reader.consume(length);
    }
    lines
}
