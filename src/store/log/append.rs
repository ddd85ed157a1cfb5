//! Writes the log. Each commit is one line and one `fdatasync`. After the first failure nothing
//! more is ever written: it is then not known what the disk holds, and only a fresh start, which
//! reads the log, may write again.

use std::path::{Path, PathBuf};

use super::line::{self, FORMAT, Hash, LedgerId, MAX_LINE, SegmentHeader};
use super::reader::LogEnd;
use super::segment::{self, HashChain, LogPosition, SegmentError, Sink};
use crate::domain::time::Time;

/// The end of the log, to which commits are appended.
pub struct Appender {
    dir: PathBuf,
    segment: u32,
    sink: Box<dyn Sink>,
    len: u64,
    chain: HashChain,
    ledger: LedgerId,
    /// Whether the current segment has an older format, so that the next commit begins a new
    /// segment.
    outdated: bool,
    limit: u64,
    broken: bool,
}

/// A line that is durable.
#[derive(Debug, Clone, Copy)]
pub struct AppendedLine {
    /// The commit's number.
    pub seq: u64,
    /// The line's hash.
    pub hash: Hash,
    /// Where the line begins.
    pub position: LogPosition,
}

/// Why a line is not known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was written.
    #[error(
        "write to the log: an earlier write failed; start maitred again: it reads the log as it is"
    )]
    Broken,
    /// Nothing was written.
    #[error("write a commit of {0} bytes: at most {MAX_LINE} fit in one; split it")]
    TooLong(usize),
    /// Nothing was written.
    #[error("write the commit: its instant is outside the years 0 to 9999")]
    TimeOutOfRange,
    /// Nothing was written to the old segment.
    #[error("start a new segment of the log")]
    Segment(#[source] SegmentError),
    /// The line may have been written.
    #[error(
        "make the commit durable in {} ({}); start maitred again: it reads the log as it is",
        path.display(),
        if source.kind() == std::io::ErrorKind::StorageFull { "make room first" } else { "see why first" }
    )]
    Write {
        /// The segment's file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl Appender {
    /// Creates an appender that writes to `sink`, the file of the segment that `end` is in. Its
    /// lines name `ledger`.
    pub fn new(
        dir: &Path,
        end: &LogEnd,
        ledger: LedgerId,
        sink: Box<dyn Sink>,
        limit: u64,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            segment: end.position.segment,
            sink,
            len: end.position.offset,
            chain: end.chain,
            ledger,
            outdated: end.format != FORMAT,
            limit,
            broken: false,
        }
    }

    /// Returns true if an earlier write failed.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Appends the commit and returns when it is durable.
    ///
    /// # Errors
    /// Only after `Write` is it unknown whether the line was written. After `Write` and `Segment`
    /// nothing more is written.
    pub fn append(&mut self, at: Time, facts: &[u8]) -> Result<AppendedLine, AppendError> {
        if self.broken {
            return Err(AppendError::Broken);
        }
        if self.len >= self.limit || self.outdated {
            self.rotate(at)?;
        }
        let seq = self.chain.seq + 1;
        let Some((text, hash)) =
            line::format_commit(self.ledger, (seq, at), facts, self.chain.hash)
        else {
            return Err(AppendError::TimeOutOfRange);
        };
        if text.len() > MAX_LINE {
            return Err(AppendError::TooLong(text.len()));
        }
        let position = LogPosition {
            segment: self.segment,
            offset: self.len,
        };
        if let Err(source) = self.sink.write(&text).and_then(|()| self.sink.sync()) {
            self.broken = true;
            return Err(AppendError::Write {
                path: segment::path(&self.dir, self.segment),
                source,
            });
        }
        self.len += text.len() as u64;
        self.chain = HashChain { seq, hash };
        Ok(AppendedLine {
            seq,
            hash,
            position,
        })
    }

    fn rotate(&mut self, now: Time) -> Result<(), AppendError> {
        let header = SegmentHeader {
            format: FORMAT,
            ledger: Some(self.ledger),
            segment: self.segment + 1,
            first: self.chain.seq + 1,
            created: now,
            replaces: None,
        };
        let new_segment = segment::create(&self.dir, &header, self.chain).and_then(|made| {
            let sink = segment::open_for_append(&self.dir, header.segment)?;
            Ok((made, sink))
        });
        match new_segment {
            Ok(((chain, len), sink)) => {
                self.segment = header.segment;
                self.outdated = false;
                self.chain = chain;
                self.len = len;
                self.sink = Box::new(sink);
                Ok(())
            }
            Err(error) => {
                self.broken = true;
                Err(AppendError::Segment(error))
            }
        }
    }
}
