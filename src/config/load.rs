//! Reads the configuration file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostics;
use super::parse::{Loaded, parse};

/// The largest file that is read: thousands of gates fit, and a wrong file does no harm.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why the configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("read the configuration {}{}", path.display(), hint(source))]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is larger than any that is read.
    #[error("read the configuration {}: it is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file is not UTF-8 text.
    #[error("read the configuration {}: it is not UTF-8 text", path.display())]
    NotText {
        /// The path of the file.
        path: PathBuf,
    },
    /// The text is wrong; the payload is all diagnostics, warnings included.
    #[error("accept the configuration\n{0}")]
    Invalid(Diagnostics),
}

/// Reads and checks the file.
///
/// # Errors
/// Returns an error if the file cannot be read, or if anything in it is wrong. In the second case
/// the error holds all diagnostics.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let text = read_text(path)?;
    parse(&text, &path.display().to_string()).map_err(LoadError::Invalid)
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|_| LoadError::NotText {
        path: path.to_owned(),
    })
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => {
            " (write one with `maitred init --config FILE`, or name another with --config)"
        }
        io::ErrorKind::PermissionDenied => " (the user that runs maitred must be able to read it)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::model::{SHIPPED_CONFIG, StoreConfig};

    #[test]
    fn unusable_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let large = "#".repeat(usize::try_from(MAX_BYTES).unwrap() + 1);
        let rows: [(&str, Option<&[u8]>, &str); 4] = [
            ("none", None, "(write one with `maitred init --config FILE`"),
            (
                "large",
                Some(large.as_bytes()),
                "it is larger than 1048576 bytes",
            ),
            ("bytes", Some(b"\xff\xfe"), "it is not UTF-8 text"),
            ("wrong", Some(b"poll = 1"), "wrong:1:1 (poll)"),
        ];
        for (name, bytes, expect) in rows {
            let path = folder.path().join(name);
            if let Some(bytes) = bytes {
                fs::write(&path, bytes).unwrap();
            }
            let err = load(&path).unwrap_err().to_string();
            assert!(err.contains(expect), "{err}");
            assert!(err.contains(&path.display().to_string()), "{err}");
        }
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, SHIPPED_CONFIG.replace("/var/lib/maitred", "state")).unwrap();
        let config = load(&path).unwrap().config;
        let path = folder.path().join("state");
        assert_eq!(config.state_dir(), path);
        assert_eq!(config.store, StoreConfig::Local { path });
        let socket = folder.path().join("state/control.sock");
        assert_eq!(config.control.socket, Some(socket));
    }
}
