//! Cutting a torn line off the log's end, and keeping it, so that nothing is ever lost.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::durable_fs::{self, DiskError};
use super::log::reader::LogEnd;
use super::log::segment;
use super::open::OpenNotice;

/// Names that are tried for what is cut off. Nobody has so many without having looked.
const MAX_TORN_FILES: u32 = 1_000;

/// Cuts off what stands after the last whole line. It is copied first, durably.
///
/// # Errors
/// When it cannot be; nothing was cut then.
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

/// A name for the commit that was torn; the last one is used again when all are taken.
fn free_name(log: &Path, seq: u64) -> PathBuf {
    let first = log.join(format!("torn-{seq}"));
    let more = (2..MAX_TORN_FILES).map(|n| log.join(format!("torn-{seq}.{n}")));
    let mut names = std::iter::once(first).chain(more);
    // What cannot be looked at may be one that was kept before.
    let free = names.find(|name| matches!(name.try_exists(), Ok(false)));
    free.unwrap_or_else(|| log.join(format!("torn-{seq}.{MAX_TORN_FILES}")))
}
