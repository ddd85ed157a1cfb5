//! Reading the log: line after line, each checked against its own hash, the line before and its
//! number.
//! A torn last line is told from an altered one in `torn`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::disk::{self, DiskError};
use super::super::record::fact;
use super::line::{self, Entry, Fault, Hash, Header, LedgerId, MAX_LINE, Sealed};
use super::segment::{self, Chain, Place, SegmentError};
use super::torn;
use crate::domain::fact::Commit;
use crate::domain::ledger::Violation;
use crate::domain::time::Time;

/// Bytes read ahead.
const BUFFER: usize = 256 * 1024;

/// Why the log could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "accept line {line} of {}; nothing was changed: restore the file from a backup, or move it \
         and what follows aside and accept the loss",
        path.display()
    )]
    Damaged {
        path: PathBuf,
        line: u64,
        #[source]
        fault: Fault,
    },
    #[error("read the log")]
    Segment(#[from] SegmentError),
    #[error("read the log")]
    Disk(#[from] DiskError),
}

/// One commit's line.
#[derive(Debug)]
pub struct Line<'a> {
    pub seq: u64,
    pub at: Time,
    pub hash: Hash,
    pub place: Place,
    format: u32,
    facts: &'a [u8],
}

impl Line<'_> {
    /// What the line says.
    ///
    /// # Errors
    /// When this version does not understand it.
    pub fn commit(&self) -> Result<Commit, Fault> {
        let facts = fact::read_format(self.format, self.facts).map_err(Fault::Record)?;
        Ok(Commit {
            seq: self.seq,
            at: self.at,
            facts,
        })
    }
}

/// Where the log ends.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Where the next line goes.
    pub place: Place,
    pub chain: Chain,
    /// The last commit's hash; before the first, the first header's.
    pub head: Hash,
    /// The ledger that the last segment belongs to; `None` when that segment has format 1.
    pub ledger: Option<LedgerId>,
    /// Bytes of a torn line after it.
    pub torn: u64,
    /// The number of the torn line in its file, from 1.
    pub line: u64,
}

/// A walk over the log, from its beginning or from a line that is known.
pub struct Walk {
    dir: PathBuf,
    last: u32,
    path: PathBuf,
    file: BufReader<File>,
    place: Place,
    /// Lines of this file before `place`; `None` when the walk began in the middle of it.
    lines: Option<u64>,
    chain: Chain,
    head: Hash,
    /// The ledger that the present segment belongs to; `None` in a segment of format 1.
    ledger: Option<LedgerId>,
    torn: u64,
    pub(super) buffer: Vec<u8>,
}

impl Walk {
    /// Begins with the first segment, whose header is checked.
    ///
    /// # Errors
    /// When there is none, or its header is not one.
    pub fn start(dir: &Path) -> Result<Self, LogError> {
        let last = segment::count(dir)?;
        if last == 0 {
            return Err(SegmentError::Missing(segment::path(dir, 1)).into());
        }
        let place = Place {
            segment: 1,
            offset: 0,
        };
        let mut walk = Self::at(dir, last, place, Chain::START)?;
        walk.lines = Some(0);
        walk.header()?;
        walk.head = walk.chain.hash;
        Ok(walk)
    }

    /// Begins after the commit's line that is said to be at `place`; `None` when another line, or
    /// none, is there.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn resume(dir: &Path, place: Place, chain: Chain) -> Result<Option<Self>, LogError> {
        let last = segment::count(dir)?;
        if place.segment == 0 || place.segment > last {
            return Ok(None);
        }
        let mut walk = Self::at(dir, last, place, chain)?;
        walk.head = chain.hash;
        walk.ledger = Self::header_of(dir, last, place.segment)?.ledger;
        let path = walk.path.clone();
        if !disk::at("read", &path, walk.fill())? {
            return Ok(None);
        }
        let text = &walk.buffer[..walk.buffer.len() - 1];
        let found = line::unseal(text).and_then(|sealed| Ok((sealed.hash, sealed.entry()?.seq)));
        let length = walk.buffer.len() as u64;
        walk.place.offset += length;
        let there = matches!(found, Ok((hash, seq)) if hash == chain.hash && seq == chain.seq);
        Ok(there.then_some(walk))
    }

    /// The header of a segment, which is checked by itself only.
    ///
    /// # Errors
    /// When it is not one.
    pub fn header_of(dir: &Path, last: u32, segment: u32) -> Result<Header, LogError> {
        let place = Place { segment, offset: 0 };
        let mut walk = Self::at(dir, last, place, Chain::START)?;
        walk.lines = Some(0);
        let path = walk.path.clone();
        let whole = disk::at("read", &path, walk.fill())?;
        let text = walk.buffer.strip_suffix(b"\n").filter(|_| whole);
        let header = text.ok_or(Fault::Form);
        let header = header.and_then(|text| line::read_header(&line::unseal(text)?));
        header.map_err(|fault| walk.damaged(fault))
    }

    /// The id of the ledger whose log this is. One that was begun in format 1 has the id that follows from
    /// its first line, and keeps it.
    ///
    /// # Errors
    /// When the log has no readable header.
    pub fn ledger_id(dir: &Path) -> Result<LedgerId, LogError> {
        let last = segment::count(dir)?;
        let last_header = Self::header_of(dir, last, last)?;
        match last_header.ledger {
            Some(ledger) => Ok(ledger),
            None => Ok(LedgerId::of_first_line(Self::start(dir)?.head)),
        }
    }

    pub(super) fn at(dir: &Path, last: u32, place: Place, chain: Chain) -> Result<Self, LogError> {
        let path = segment::path(dir, place.segment);
        let mut file = disk::at("open", &path, File::open(&path))?;
        disk::at("read", &path, file.seek(SeekFrom::Start(place.offset)))?;
        Ok(Self {
            dir: dir.to_owned(),
            last,
            file: BufReader::with_capacity(BUFFER, file),
            path,
            place,
            lines: None,
            chain,
            head: chain.hash,
            ledger: None,
            torn: 0,
            buffer: Vec::new(),
        })
    }

    /// The next commit; `None` at the end of the log or at a torn last line.
    ///
    /// # Errors
    /// When a line does not check, or the files cannot be read.
    pub fn line(&mut self) -> Result<Option<Line<'_>>, LogError> {
        while !self.read_line()? {
            if self.torn > 0 || self.place.segment == self.last {
                return Ok(None);
            }
            self.next_segment()?;
        }
        match self.check() {
            Ok(checked) => {
                let place = self.place;
                self.accept(checked);
                let facts = &self.buffer[checked.facts.0..checked.facts.1];
                let Checked {
                    format,
                    seq,
                    at,
                    hash,
                    ..
                } = checked;
                Ok(Some(Line {
                    seq,
                    at,
                    hash,
                    place,
                    format,
                    facts,
                }))
            }
            Err(_) if self.is_torn()? => {
                self.torn = self.buffer.len() as u64;
                Ok(None)
            }
            Err(fault) => Err(self.damaged(fault)),
        }
    }

    /// The line last returned, as it stands in the file, newline included.
    pub fn text(&self) -> &[u8] {
        &self.buffer
    }

    /// Where the walk has come to; after `None` from `next`, where the log ends.
    pub fn end(&self) -> End {
        End {
            place: self.place,
            chain: self.chain,
            head: self.head,
            ledger: self.ledger,
            torn: self.torn,
            line: self.line_number(),
        }
    }

    /// The error that names the line at this place.
    pub fn misfit(&self, place: Place, violation: Violation) -> LogError {
        let path = segment::path(&self.dir, place.segment);
        LogError::Damaged {
            line: count_lines(&path, place.offset) + 1,
            path,
            fault: Fault::Misfit(violation),
        }
    }

    /// The error that names the line last returned.
    pub fn refuse_last(&self, fault: Fault) -> LogError {
        LogError::Damaged {
            path: self.path.clone(),
            line: self.line_number().saturating_sub(1),
            fault,
        }
    }

    /// Reads a line into the buffer; false when there is no whole one.
    pub(super) fn read_line(&mut self) -> Result<bool, LogError> {
        let path = self.path.clone();
        if disk::at("read", &path, self.fill())? {
            return Ok(true);
        }
        if self.buffer.len() > MAX_LINE {
            return Err(self.damaged(Fault::TooLong));
        }
        if self.buffer.is_empty() {
            return Ok(false);
        }
        if self.place.segment < self.last {
            return Err(self.damaged(Fault::CutOff));
        }
        self.torn = self.buffer.len() as u64;
        Ok(false)
    }

    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let limit = MAX_LINE as u64 + 1;
        (&mut self.file)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?;
        Ok(self.buffer.last() == Some(&b'\n'))
    }

    fn next_segment(&mut self) -> Result<(), LogError> {
        let place = Place {
            segment: self.place.segment + 1,
            offset: 0,
        };
        let (head, ledger) = (self.head, self.ledger);
        *self = Self::at(&self.dir, self.last, place, self.chain)?;
        (self.head, self.ledger) = (head, ledger);
        self.lines = Some(0);
        self.header()
    }

    fn header(&mut self) -> Result<(), LogError> {
        let path = self.path.clone();
        let whole = disk::at("read", &path, self.fill())?;
        let expected = (self.place.segment, self.chain.seq + 1);
        let text = self.buffer.strip_suffix(b"\n").filter(|_| whole);
        let checked = text.ok_or(Fault::Form).and_then(|text| {
            let sealed = line::unseal(text)?;
            let header = line::read_header(&sealed)?;
            let Header { segment, first, .. } = header;
            self.follows(&sealed)?;
            if (segment, first) != expected {
                return Err(Fault::Unchained);
            }
            // After a segment of format 2 none of format 1 may follow, or one of another ledger.
            if let Some(expected) = self.ledger {
                match header.ledger {
                    Some(found) if found == expected => {}
                    Some(found) => return Err(Fault::OtherLedger { expected, found }),
                    None => return Err(Fault::Form),
                }
            }
            Ok((sealed.hash, header.ledger))
        });
        match checked {
            Ok((hash, ledger)) => {
                self.chain.hash = hash;
                self.ledger = ledger;
                self.step();
                Ok(())
            }
            Err(fault) => Err(self.damaged(fault)),
        }
    }

    fn check(&self) -> Result<Checked, Fault> {
        let text = &self.buffer[..self.buffer.len() - 1];
        let sealed = line::unseal(text)?;
        let entry = sealed.entry()?;
        self.belongs(&entry)?;
        self.follows(&sealed)?;
        let expected = self.chain.seq + 1;
        if entry.seq != expected {
            let found = entry.seq;
            return Err(Fault::Number { expected, found });
        }
        let end = sealed.body().len();
        Ok(Checked {
            format: entry.format,
            seq: entry.seq,
            at: entry.at,
            hash: sealed.hash,
            facts: (end - entry.facts.len(), end),
        })
    }

    /// A line has the format of its segment, and names its ledger.
    fn belongs(&self, entry: &Entry<'_>) -> Result<(), Fault> {
        match (self.ledger, entry.ledger) {
            (Some(expected), Some(found)) if expected != found => {
                Err(Fault::OtherLedger { expected, found })
            }
            (Some(_), Some(_)) | (None, None) => Ok(()),
            (Some(_), None) | (None, Some(_)) => Err(Fault::Form),
        }
    }

    fn follows(&self, sealed: &Sealed<'_>) -> Result<(), Fault> {
        if sealed.prev == self.chain.hash {
            Ok(())
        } else {
            Err(Fault::Unchained)
        }
    }

    fn accept(&mut self, checked: Checked) {
        self.chain = Chain {
            seq: checked.seq,
            hash: checked.hash,
        };
        self.head = checked.hash;
        self.step();
    }

    pub(super) fn step(&mut self) {
        self.place.offset += self.buffer.len() as u64;
        self.lines = self.lines.map(|lines| lines + 1);
    }

    /// Whether the whole line in the buffer, which does not check, is what a crash can leave.
    fn is_torn(&mut self) -> Result<bool, LogError> {
        let rest = self.file.fill_buf().map(<[u8]>::is_empty);
        let is_last = disk::at("read", &self.path, rest)? && self.place.segment == self.last;
        Ok(is_last && torn::has_lost_sectors(&self.buffer, self.place.offset))
    }

    pub(super) fn damaged(&self, fault: Fault) -> LogError {
        LogError::Damaged {
            path: self.path.clone(),
            line: self.line_number(),
            fault,
        }
    }

    /// The number of the line at `place`. Counted from the file when the walk began in its middle.
    fn line_number(&self) -> u64 {
        self.lines.map_or_else(
            || count_lines(&self.path, self.place.offset) + 1,
            |lines| lines + 1,
        )
    }
}

/// A line that was checked: its facts as a range of the buffer.
#[derive(Clone, Copy)]
struct Checked {
    format: u32,
    seq: u64,
    at: Time,
    hash: Hash,
    facts: (usize, usize),
}

/// Newlines before this offset; 0 when the file cannot be read, for this is only for a message.
fn count_lines(path: &Path, offset: u64) -> u64 {
    let Ok(file) = File::open(path) else {
        return 0;
    };
    let mut reader = BufReader::with_capacity(BUFFER, file.take(offset));
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
