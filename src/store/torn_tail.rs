//! Cuts a torn line off the log's end and keeps a copy, so that nothing is ever lost.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::durable_fs::{self, DiskError};
use super::log::reader::LogEnd;
use super::log::segment;
use super::open_report::OpenNotice;

/// How many names are tried for the copy of a torn line. No operator gets that many copies without
/// having investigated.
const MAX_TORN_FILES: u32 = 1_000;

/// Cuts off what follows the last whole line, after copying it durably.
///
/// # Errors
/// When the torn line cannot be copied, and nothing is cut off; or when it cannot be cut off
/// durably.
pub fn cut_torn_line(
    log: &Path,
    end: &LogEnd,
    acknowledged: bool,
) -> Result<OpenNotice, DiskError> {
    let path = segment::path(log, end.position.segment);
    let open_result = OpenOptions::new().read(true).write(true).open(&path);
    let mut file = durable_fs::with_path("open for writing", &path, open_result)?;
    let torn_bytes =
        durable_fs::with_path("read", &path, read_tail(&mut file, end.position.offset))?;
    let saved_as = free_name(log, end.chain.seq + 1);
    durable_fs::write_atomically(&saved_as, &torn_bytes)?;
    let cut_result = file
        .set_len(end.position.offset)
        .and_then(|()| file.sync_all());
    durable_fs::with_path("cut", &path, cut_result)?;
    Ok(OpenNotice::TornLineCut {
        file: path,
        line: end.line_number,
        bytes: torn_bytes.len() as u64,
        saved_as,
        acknowledged,
    })
}

fn read_tail(file: &mut File, from: u64) -> std::io::Result<Vec<u8>> {
    let mut torn_bytes = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut torn_bytes)?;
    Ok(torn_bytes)
}

/// Returns a free name for the copy of the torn commit. The last name is used again if all are
/// taken.
fn free_name(log: &Path, seq: u64) -> PathBuf {
    let first = log.join(format!("torn-{seq}"));
    let more = (2..MAX_TORN_FILES).map(|n| log.join(format!("torn-{seq}.{n}")));
    let mut names = std::iter::once(first).chain(more);
    // A name that cannot be checked may belong to a copy that was kept before.
    let free = names.find(|name| matches!(name.try_exists(), Ok(false)));
    free.unwrap_or_else(|| log.join(format!("torn-{seq}.{MAX_TORN_FILES}")))
}
