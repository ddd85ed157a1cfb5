//! Cutting a torn line off the log's end, and keeping it, so that nothing is ever lost.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::disk::{self, DiskError};
use super::log::segment;
use super::log::walk::End;
use super::open::Notice;

/// Names that are tried for what is cut off. Nobody has so many without having looked.
const MAX_KEPT: u32 = 1_000;

/// Cuts off what stands after the last whole line. It is copied first, durably.
///
/// # Errors
/// When it cannot be; nothing was cut then.
pub fn cut(log: &Path, end: &End, acknowledged: bool) -> Result<Notice, DiskError> {
    let path = segment::path(log, end.place.segment);
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    let mut file = disk::at("open for writing", &path, opened)?;
    let torn = disk::at("read", &path, read(&mut file, end.place.offset))?;
    let kept = free_name(log, end.chain.seq + 1);
    disk::put(&kept, &torn)?;
    let cut = file
        .set_len(end.place.offset)
        .and_then(|()| file.sync_all());
    disk::at("cut", &path, cut)?;
    Ok(Notice::Torn {
        file: path,
        line: end.line,
        bytes: torn.len() as u64,
        kept,
        acknowledged,
    })
}

fn read(file: &mut File, from: u64) -> std::io::Result<Vec<u8>> {
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut torn)?;
    Ok(torn)
}

/// A name for the commit that was torn; the last one is used again when all are taken.
fn free_name(log: &Path, seq: u64) -> PathBuf {
    let first = log.join(format!("torn-{seq}"));
    let more = (2..MAX_KEPT).map(|n| log.join(format!("torn-{seq}.{n}")));
    let mut names = std::iter::once(first).chain(more);
    // What cannot be looked at may be one that was kept before.
    let free = names.find(|name| matches!(name.try_exists(), Ok(false)));
    free.unwrap_or_else(|| log.join(format!("torn-{seq}.{MAX_KEPT}")))
}
