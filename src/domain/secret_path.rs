//! The path of a file that holds a secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// What is shown instead of a path that may be the secret itself.
const HIDDEN: &str = "(not shown: it is no absolute path, and may be the secret itself)";

/// The path of a file that holds a secret. Operators write the secret itself where its path belongs.
/// Therefore `Display` and `Debug` show a path only if it cannot be the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretPath {
    path: PathBuf,
    may_be_secret: bool,
}

impl SecretPath {
    /// Creates the path. `may_be_secret` says that the text that names the path may be the secret.
    pub fn new(path: PathBuf, may_be_secret: bool) -> Self {
        Self {
            path,
            may_be_secret,
        }
    }

    /// Returns the path, to open the file. Messages use `Display` instead.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if no message may show the path.
    pub fn may_be_secret(&self) -> bool {
        self.may_be_secret
    }

    /// Returns the path of a file that may exist: what names a file is no secret.
    #[must_use]
    pub fn shown_if(&self, exists: bool) -> Self {
        Self {
            path: self.path.clone(),
            may_be_secret: self.may_be_secret && !exists,
        }
    }
}

impl From<PathBuf> for SecretPath {
    fn from(path: PathBuf) -> Self {
        Self::new(path, false)
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.may_be_secret {
            true => f.write_str(HIDDEN),
            false => self.path.display().fmt(f),
        }
    }
}

impl fmt::Debug for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_may_be_the_secret_is_shown_only_if_its_file_exists() {
        let path = SecretPath::new(PathBuf::from("/etc/maitred/hunter2"), true);
        assert!(!format!("{path} {path:?}").contains("hunter2"));
        assert!(!path.shown_if(false).to_string().contains("hunter2"));
        assert_eq!(path.shown_if(true).to_string(), "/etc/maitred/hunter2");
        let plain = SecretPath::from(PathBuf::from("/etc/maitred/key"));
        assert_eq!(plain.shown_if(false).to_string(), "/etc/maitred/key");
        assert_eq!(path.path(), Path::new("/etc/maitred/hunter2"));
    }
}
