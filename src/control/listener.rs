//! Creates the socket's file in such a way that no other user can ever connect to it, and removes
//! the file at the end.
//!
//! A socket that is bound in place exists for a moment with the mode that the umask leaves, and the
//! umask belongs to the whole process. So the socket is bound inside a fresh directory that only
//! this user may enter, gets its mode there, and is then renamed to the path where clients expect
//! it.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The socket's mode: only its owner (and root) may connect.
pub const MODE: u32 = 0o600;

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process answers on the socket, whose path is the payload.
    #[error(
        "listen on {}: another daemon answers there; stop it, or give this one another socket",
        .0.display()
    )]
    InUse(PathBuf),
    /// The path, which is the payload, exists and is not a socket.
    #[error("listen on {}: a file that is not a socket is there; move it away", .0.display())]
    NotASocket(PathBuf),
    /// The path of the socket cannot be inspected.
    #[error("look at {}, where the socket goes", .path.display())]
    Inspect {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The socket cannot be created.
    #[error("make the socket {}; its directory must exist and be writable", .path.display())]
    Create {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// A bound socket. Dropping the listener removes the socket's file.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    _file: SocketFile,
}

impl Listener {
    /// Binds the socket. A file that a dead daemon left behind is replaced, after checking that no
    /// process answers on it. Two daemons that start at the same instant are kept apart by the
    /// store's lock, which is taken before this.
    ///
    /// # Errors
    /// Fails when another process answers on the path, when something other than a socket is there,
    /// and when the system refuses.
    ///
    /// # Panics
    /// Panics outside a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        check_free(path)?;
        let create_error = |source| ListenError::Create {
            path: path.to_owned(),
            source,
        };
        let staging = StagingDirectory::create_next_to(path).map_err(create_error)?;
        let staged_path = staging.0.join("s");
        let socket = UnixListener::bind(&staged_path).map_err(create_error)?;
        fs::set_permissions(&staged_path, Permissions::from_mode(MODE)).map_err(create_error)?;
        let metadata = fs::symlink_metadata(&staged_path).map_err(create_error)?;
        fs::rename(&staged_path, path).map_err(create_error)?;
        Ok(Self {
            socket,
            _file: SocketFile {
                path: path.to_owned(),
                device: metadata.dev(),
                inode: metadata.ino(),
            },
        })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

/// Checks that the path is free, or holds a socket on which no process answers.
fn check_free(path: &Path) -> Result<(), ListenError> {
    let inspect_error = |source| ListenError::Inspect {
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(ListenError::NotASocket(path.to_owned())),
        // Connecting also detects a path that is too long for a socket.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(inspect_error(error)),
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(()),
            _ => Err(inspect_error(error)),
        },
    }
}

/// The directory in which the socket is bound before it is renamed.
struct StagingDirectory(PathBuf);

impl StagingDirectory {
    /// Creates a directory with a short name, because a socket's path has only about a hundred
    /// bytes. A directory with this process's number was left by a dead process of the same number,
    /// because this process has not created any yet.
    fn create_next_to(path: &Path) -> io::Result<Self> {
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        let directory = parent.join(format!(".{}", std::process::id()));
        let create = || DirBuilder::new().mode(0o700).create(&directory);
        match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                remove_staging_directory(&directory);
                create()?;
            }
            made => made?,
        }
        Ok(Self(directory))
    }
}

impl Drop for StagingDirectory {
    fn drop(&mut self) {
        remove_staging_directory(&self.0);
    }
}

/// Removes only what this module creates: a directory that holds anything else stays.
fn remove_staging_directory(directory: &Path) {
    let _ = fs::remove_file(directory.join("s"));
    let _ = fs::remove_dir(directory);
}

/// The socket's file, identified by device and inode and not only by its path: a successor may have
/// put its own file there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own_file = fs::symlink_metadata(&self.path)
            .is_ok_and(|now| now.dev() == self.device && now.ino() == self.inode);
        // A file that stays behind does no harm: the next daemon finds that no process answers on
        // it.
        if is_own_file && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_nothing_else_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = Listener::bind(&path).unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o7777, MODE);
        assert_eq!(file_names(folder.path()), ["control.sock"]);
        drop(listener);
        assert!(file_names(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = Listener::bind(&path).unwrap();
        assert!(matches!(
            Listener::bind(&path),
            Err(ListenError::InUse(at)) if at == path
        ));
        drop(first);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_staging_directory_left_by_a_dead_process_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let stale_directory = folder.path().join(format!(".{}", std::process::id()));
        fs::create_dir(&stale_directory).unwrap();
        drop(std::os::unix::net::UnixListener::bind(stale_directory.join("s")).unwrap());
        let listener = Listener::bind(&folder.path().join("control.sock")).unwrap();
        assert_eq!(file_names(folder.path()), ["control.sock"]);
        drop(listener);
    }

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        fs::write(&path, "notes").unwrap();
        assert!(matches!(
            Listener::bind(&path),
            Err(ListenError::NotASocket(_))
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
    }

    #[tokio::test]
    async fn a_successors_file_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let first = Listener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = Listener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn paths_that_cannot_hold_a_socket_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/control.sock");
        let long = folder.path().join("x".repeat(120));
        assert!(matches!(
            Listener::bind(&missing),
            Err(ListenError::Create { .. })
        ));
        assert!(matches!(
            Listener::bind(&long),
            Err(ListenError::Inspect { .. })
        ));
        assert!(file_names(folder.path()).is_empty());
    }
}
