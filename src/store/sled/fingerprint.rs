//! Computes a fingerprint of the projection's files while they are closed, to detect whether
//! anything has touched them since.
//!
//! sled may open a damaged store as an older or an empty one without an error. So when the
//! projection is closed, the fingerprint records its files' names, lengths and modification times
//! and, as long as they are small, their contents. A copy or a restore changes the times; the
//! projection is then rebuilt, which is right.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::durable_fs::{self, DiskError};
use super::super::log::line::Hash;

/// Contents are read up to this many bytes in all, which takes some milliseconds. In a larger
/// projection a change shows in the modification time, and sled's own checksums detect damage when
/// it is read.
const MAX_CONTENTS: u64 = 8 * 1024 * 1024;

/// Returns the fingerprint of all files below the folder.
///
/// # Errors
/// When the files cannot be read.
pub fn fingerprint(path: &Path) -> Result<Hash, DiskError> {
    let mut digest = Sha256::new();
    let mut budget = MAX_CONTENTS;
    add_files(path, &mut digest, &mut budget)?;
    Ok(Hash::from_digest(digest))
}

fn add_files(path: &Path, digest: &mut Sha256, budget: &mut u64) -> Result<(), DiskError> {
    for name in durable_fs::list_names(path)?.unwrap_or_default() {
        let entry = path.join(&name);
        let meta = durable_fs::with_path("look at", &entry, entry.symlink_metadata())?;
        digest.update(format!("{}:{name}\n", name.len()));
        if meta.is_dir() {
            add_files(&entry, digest, budget)?;
            continue;
        }
        digest.update(format!(
            "{} {}.{}\n",
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec()
        ));
        let mut contents = Vec::new();
        let read =
            File::open(&entry).and_then(|file| file.take(*budget).read_to_end(&mut contents));
        *budget -= durable_fs::with_path("read", &entry, read)? as u64;
        digest.update(&contents);
    }
    Ok(())
}
