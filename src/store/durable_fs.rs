//! The store's few operations on files and directories. Each is durable when it returns; an error
//! names the file and the remedy.
//! Hand-written, because crates for atomic files replace whole files only, and a log is appended to,
//! cut and moved.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::port::StoreError;

/// Only the owner may read the files, because the ledger names members.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// An operation on a file or directory that failed.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}{}", path.display(), remedy(source))]
pub struct DiskError {
    /// A verb, as after "failed to".
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        Self {
            text: error.to_string(),
            source: Some(Box::new(error.source)),
        }
    }
}

/// Adds the action and the path to the error of a failed operation.
pub fn with_path<T>(
    action: &'static str,
    path: &Path,
    result: io::Result<T>,
) -> Result<T, DiskError> {
    result.map_err(|source| DiskError {
        action,
        path: path.to_owned(),
        source,
    })
}

/// The system's number for an error of the device itself, which has no `ErrorKind` of its own.
const EIO: i32 = 5;

/// Returns what the operator can do about the error, in brackets.
pub fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    // Only these kinds have a remedy of their own; for all others the source error says enough.
    let kind = error.kind();
    if kind == K::PermissionDenied {
        " (it must belong to the user that maitred runs as, who must be able to read and write it)"
    } else if kind == K::StorageFull || kind == K::QuotaExceeded {
        " (make room on that file system and start again)"
    } else if kind == K::ReadOnlyFilesystem {
        " (mount the file system writable, or set store.path to another place)"
    } else if error.raw_os_error() == Some(EIO) {
        " (the disk fails; see the kernel's log, and start again when the disk works)"
    } else if kind == K::IsADirectory {
        " (a directory stands where a file belongs: move it away, and restore the file if it is one \
         of the log)"
    } else if kind == K::NotADirectory || kind == K::AlreadyExists {
        " (something else stands where a directory belongs: move it away, or correct store.path)"
    } else if kind == K::NotFound {
        " (it was removed, or is a link without a target: restore it from a backup)"
    } else {
        ""
    }
}

/// Creates the directory and its missing parents, and makes them durable.
pub fn make_dir(path: &Path) -> Result<(), DiskError> {
    match path.metadata() {
        Ok(meta) if meta.is_dir() => return Ok(()),
        // A directory that cannot be examined because of a device error may well exist.
        Err(error) if error.raw_os_error() == Some(EIO) => {
            return with_path("look at the directory", path, Err(error));
        }
        Ok(_) | Err(_) => {}
    }
    let parent = parent(path);
    make_dir(parent)?;
    let created = DirBuilder::new().mode(DIR_MODE).create(path);
    with_path("create the directory", path, created)?;
    sync_dir(parent)
}

/// Makes the entries of the directory durable.
pub fn sync_dir(path: &Path) -> Result<(), DiskError> {
    let result = File::open(path).and_then(|dir| dir.sync_all());
    with_path("sync the directory", path, result)
}

/// Syncs the directory and all directories above it, so that its entries and the directory itself
/// are durable: a start that was killed may have created any of them without syncing it. A
/// directory above it that may not be read is skipped, because others created it.
pub fn sync_ancestors(path: &Path) -> Result<(), DiskError> {
    sync_dir(path)?;
    for dir in path.ancestors().skip(1) {
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        match sync_dir(dir) {
            Err(error) if error.source.kind() != io::ErrorKind::PermissionDenied => {
                return Err(error);
            }
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

/// Writes a file with these contents, completely or not at all, in place of an existing file.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), DiskError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&temporary)?;
        file.write_all(contents)?;
        file.sync_all()
    };
    with_path("write", &temporary, write())?;
    with_path("write", path, fs::rename(&temporary, path))?;
    sync_dir(parent(path))
}

/// Opens a file for reading and writing, and creates it if it is missing.
pub fn open_or_make(path: &Path) -> Result<File, DiskError> {
    let open_result = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path);
    with_path("open", path, open_result)
}

/// Removes the file durably. A file that is already missing is not an error.
pub fn remove(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => with_path("remove", path, Err(error)),
    }
}

/// Returns the file's contents; `None` if there is no such file.
pub fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match fs::read(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => with_path("read", path, Err(error)),
    }
}

/// Returns the names in a directory, sorted; `None` if there is no such directory.
pub fn list_names(path: &Path) -> Result<Option<Vec<String>>, DiskError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return with_path("read the directory", path, Err(error)),
    };
    let names: io::Result<Vec<String>> = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect();
    let mut names = with_path("read the directory", path, names)?;
    names.sort();
    Ok(Some(names))
}

/// Returns true if the path is a socket. A path that cannot be examined counts as none.
pub fn is_socket(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_socket())
}

/// Syncs every file and directory below the directory, and the directory itself.
pub fn sync_tree(path: &Path) -> Result<(), DiskError> {
    for name in list_names(path)?.unwrap_or_default() {
        let entry = path.join(name);
        // An entry that cannot be examined is not skipped, because its contents may not be durable.
        if with_path("look at", &entry, entry.metadata())?.is_dir() {
            sync_tree(&entry)?;
        } else {
            let result = File::open(&entry).and_then(|file| file.sync_all());
            with_path("sync", &entry, result)?;
        }
    }
    sync_dir(path)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
