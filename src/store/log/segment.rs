//! The segment files of the log: their names, how they are created, and the check that none is
//! missing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::durable_fs::{self, DiskError};
use super::line::{self, Hash, SegmentHeader};

/// A segment that has reached this many bytes gets no more commits, so that its file can be viewed,
/// copied and sent. One line may exceed the limit.
pub const SEGMENT_LIMIT: u64 = 64 * 1024 * 1024;

/// The number of digits in a segment's name.
const DIGITS: usize = 8;

/// A position in the log, where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// The segment's number, from 1.
    pub segment: u32,
    /// The offset in the segment's file, in bytes.
    pub offset: u64,
}

/// The last line, which the next line has to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashChain {
    /// The last commit's number; 0 before the first.
    pub seq: u64,
    /// The hash of the last line, a header or a commit.
    pub hash: Hash,
}

impl HashChain {
    /// The state before the first header.
    pub const START: Self = Self {
        seq: 0,
        hash: Hash::NONE,
    };
}

/// Why a log's files are not a usable log.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// A segment, whose path is the payload, is missing between others.
    #[error("find {}: segments after it exist, so it was lost; restore it from a backup",
        .0.display())]
    Missing(PathBuf),
    /// The segment, whose path is the payload, cannot be created at this instant.
    #[error("use {}: an instant outside the years 0 to 9999 cannot be written", .0.display())]
    TimeOutOfRange(PathBuf),
    /// A file operation failed.
    #[error("use the log's files")]
    Disk(#[from] DiskError),
}

/// The destination of commits: a file or, in tests, a file that fails.
pub trait Sink: Send {
    /// # Errors
    /// When not everything could be written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything written so far durable.
    /// # Errors
    /// When it is not known whether everything is durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Returns the path of the segment's file.
pub fn path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:0DIGITS$}.jsonl"))
}

/// Returns the number of segments, which are numbered from 1. Other files are ignored.
///
/// # Errors
/// When a segment in between is missing, or the directory cannot be read.
pub fn count(dir: &Path) -> Result<u32, SegmentError> {
    let names = durable_fs::list_names(dir)?.unwrap_or_default();
    let mut count = 0;
    for number in names.iter().filter_map(|name| parse_number(name)) {
        if number != count + 1 {
            return Err(SegmentError::Missing(path(dir, count + 1)));
        }
        count = number;
    }
    Ok(count)
}

fn parse_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".jsonl")?;
    if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Creates a segment with its header. The file and its directory entry are durable when this
/// returns.
///
/// # Errors
/// When the segment cannot be created. Unless only the sync of the directory failed, no file has
/// its name then.
pub fn create(
    dir: &Path,
    header: &SegmentHeader,
    previous: HashChain,
) -> Result<(HashChain, u64), SegmentError> {
    let path = path(dir, header.segment);
    let Some((text, hash)) = line::format_header(header, previous.hash) else {
        return Err(SegmentError::TimeOutOfRange(path));
    };
    durable_fs::write_atomically(&path, &text)?;
    let chain = HashChain {
        seq: previous.seq,
        hash,
    };
    Ok((chain, text.len() as u64))
}

/// Makes the log's last segment and its directory entry durable, after they were read. A process
/// that was killed between writing and syncing leaves a line that can be read but is not on the
/// disk yet. If that line were acted upon and then lost with the power, its booking would be
/// confirmed without a hold.
///
/// # Errors
/// When it is not known whether the segment is durable; nothing that was read may then be acted
/// upon.
pub fn make_durable(dir: &Path, segment: u32) -> Result<(), DiskError> {
    let path = path(dir, segment);
    let result = File::open(&path).and_then(|file| file.sync_all());
    durable_fs::with_path("sync", &path, result)?;
    durable_fs::sync_dir(dir)
}

/// Opens a segment to write at its end.
///
/// # Errors
/// When it cannot be opened.
pub fn open_for_append(dir: &Path, segment: u32) -> Result<File, DiskError> {
    let path = path(dir, segment);
    let open_result = OpenOptions::new().append(true).open(&path);
    durable_fs::with_path("open for writing", &path, open_result)
}
