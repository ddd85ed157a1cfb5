//! Reads a credential from its file: the token of an endpoint, the key of a signature, a password, a
//! secret URL.

use std::fs::{self, File};
use std::io::{self, Read as _};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::domain::secret_path::SecretPath;

/// The longest credential, in bytes: tokens have some hundred characters, and a header must hold
/// the credential.
const MAX_CREDENTIAL: usize = 4096;

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read.
    #[error(
        "failed to read {file} ({key}; the user that runs maitred must be able to read it): {source}"
    )]
    Read {
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The path of the file.
        file: SecretPath,
        /// The system's error.
        source: io::Error,
    },
    /// The file does not hold one word that can be sent.
    #[error("the content of {file} ({key}) {flaw}")]
    Unusable {
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The path of the file.
        file: SecretPath,
        /// What the file holds; never the credential itself.
        flaw: &'static str,
    },
}

/// Reads the credential, which is one word. `key` is the key of the configuration that names the
/// file.
///
/// # Errors
/// Returns an error if the file cannot be read or does not hold one word.
pub fn read_credential(
    path: &SecretPath,
    key: &'static str,
) -> Result<SecretString, CredentialError> {
    let shown = path.shown_if(fs::symlink_metadata(path.path()).is_ok());
    let failed = |source| CredentialError::Read {
        key,
        file: shown.clone(),
        source,
    };
    let unusable = |flaw| CredentialError::Unusable {
        key,
        file: shown.clone(),
        flaw,
    };
    // The buffer has room for blanks around the credential, and for the byte that shows that the
    // credential is too long.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_CREDENTIAL));
    let file = File::open(path.path()).map_err(failed)?;
    let read = file.take(2 * MAX_CREDENTIAL as u64).read_to_end(&mut bytes);
    read.map_err(failed)?;
    let text = std::str::from_utf8(&bytes).unwrap_or("\u{fffd}").trim();
    if text.is_empty() {
        Err(unusable("is empty"))
    } else if text.len() > MAX_CREDENTIAL {
        Err(unusable("is longer than 4096 bytes"))
    } else if !text.chars().all(|c| c.is_ascii_graphic()) {
        Err(unusable(
            "contains a space, a line break or another character that cannot be part of a \
             credential",
        ))
    } else {
        Ok(SecretString::from(text))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(path: PathBuf) -> SecretPath {
        path.into()
    }

    #[test]
    fn a_credential_is_one_word_in_its_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential");
        let long = "s".repeat(MAX_CREDENTIAL + 1);
        // what the file holds, and what is wrong with its content
        let rows: [(&[u8], Option<&str>); 7] = [
            (b"top-secret", None),
            (b"  top-secret\n", None),
            (b"", Some("is empty")),
            (b" \n", Some("is empty")),
            (b"top secret", Some("contains a space")),
            (b"top-secret\xff", Some("contains a space")),
            (long.as_bytes(), Some("is longer")),
        ];
        for (held, expect) in rows {
            fs::write(&path, held).unwrap();
            match (read_credential(&file(path.clone()), "key-file"), expect) {
                (Ok(_), None) => {}
                (Err(error), Some(expect)) => {
                    let text = format!("{error} {error:?}");
                    assert!(text.contains(expect), "{text}");
                    assert!(!text.contains("secret"), "{text}");
                }
                (got, _) => panic!("{held:?}: {got:?}"),
            }
        }
        let missing = read_credential(&file(folder.path().join("none")), "key-file");
        let missing = missing.unwrap_err().to_string();
        assert!(missing.contains("No such file"), "{missing}");
        assert!(missing.contains("(key-file;"), "{missing}");
    }
    #[test]
    fn a_credential_in_place_of_its_path_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["hunter2-Zq9", &"hunter2".repeat(1_000)] {
            let path = SecretPath::new(folder.path().join(text), true);
            let error = read_credential(&path, "key-file").unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let path = SecretPath::new(folder.path().join("token.txt"), true);
        fs::write(path.path(), "").unwrap();
        let error = read_credential(&path, "key-file").unwrap_err().to_string();
        assert!(error.contains("token.txt"), "{error}");
    }
}
