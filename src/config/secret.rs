//! Finds the API key, and decides which texts can be a key. Nothing here ever shows the key, not
//! even a part.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::diagnostic::{Diagnostic, Severity};
use super::model::Calcom;
use crate::domain::dialect::API_KEY_PAGE;
use crate::domain::secret_path::SecretPath;

/// The variable that holds the key itself. It is read first.
pub const KEY_VARIABLE: &str = "MAITRED_API_KEY";

/// The variable in which systemd names the folder of a service's credentials.
pub const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The credential's name in that folder.
pub const CREDENTIAL: &str = "calcom-api-key";

/// The longest key. OAuth tokens have some hundred characters, and a header must hold the key.
const MAX_KEY: usize = 4096;

/// The mode bits that let users other than the owner read the file.
const READABLE_BY_OTHERS: u32 = 0o044;

/// The key, and where it was found.
#[derive(Debug)]
pub struct ApiKey {
    /// The key itself.
    pub secret: SecretString,
    /// Where the key was found.
    pub origin: KeyOrigin,
    /// Warnings about how the key is kept.
    pub warnings: Vec<Diagnostic>,
}

/// A place in which a key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// The environment variable [`KEY_VARIABLE`].
    Variable,
    /// The credential of the systemd service; the payload is the path of its file.
    Credential(PathBuf),
    /// The configured file, whose path is the payload.
    File(SecretPath),
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => write!(f, "the variable {KEY_VARIABLE}"),
            Self::Credential(path) => write!(f, "the credential {}", path.display()),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// Why there is no key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// None of the three places has a key.
    #[error(
        "find the API key: {KEY_VARIABLE} is not set, {}, and {}; create a key in Cal.com under \
         {API_KEY_PAGE}, and put it into one of the three",
        describe_missing_credential(.credential), describe_missing_file(.file)
    )]
    Missing {
        /// Where the credential would have been; `None` if systemd gave none.
        credential: Option<PathBuf>,
        /// The configured file, which does not exist.
        file: SecretPath,
    },
    /// A place has a key that cannot be read.
    #[error("read the API key from {origin}{}", hint(source))]
    Read {
        /// The place.
        origin: KeyOrigin,
        /// The error of the system.
        source: io::Error,
    },
    /// The first key that was found cannot be used.
    #[error(
        "use the API key from {origin}: it {flaw}; {}",
        describe_remedy(origin)
    )]
    Unusable {
        /// The place.
        origin: KeyOrigin,
        /// What is wrong with the key.
        flaw: KeyFlaw,
    },
}

/// Why a text cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFlaw {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text is longer than any key.
    #[error("is longer than {MAX_KEY} bytes")]
    TooLong,
    /// The text has a character that no key has.
    #[error("contains a space, a line break or another character that cannot be part of a key")]
    Character,
}

/// Finds the key: in the variable, then in systemd's credentials, then in the configured file. The
/// first key that is there counts, and must be usable.
///
/// # Errors
/// Returns an error if there is no key, or if the first one found cannot be read or is not a key.
pub fn find_api_key(
    calcom: &Calcom,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<ApiKey, SecretError> {
    if let Some(text) = env(KEY_VARIABLE) {
        return check_key(Zeroizing::new(text), KeyOrigin::Variable, Vec::new());
    }
    let credential = env(CREDENTIALS_VARIABLE)
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(&folder).join(CREDENTIAL));
    if let Some(path) = &credential {
        let origin = KeyOrigin::Credential(path.clone());
        if let Some((text, _)) = read_key_file(path, &origin)? {
            return check_key(text, origin, Vec::new());
        }
    }
    let file = &calcom.api_key_file;
    let file = file.shown_if(fs::symlink_metadata(file.path()).is_ok());
    let origin = KeyOrigin::File(file.clone());
    match read_key_file(file.path(), &origin)? {
        Some((text, mode)) => check_key(text, origin, warn_of_readable_file(file.path(), mode)),
        None => Err(SecretError::Missing { credential, file }),
    }
}

fn check_key(
    text: Zeroizing<String>,
    origin: KeyOrigin,
    warnings: Vec<Diagnostic>,
) -> Result<ApiKey, SecretError> {
    let key = text.trim();
    let flaw = if key.is_empty() {
        KeyFlaw::Empty
    } else if key.len() > MAX_KEY {
        KeyFlaw::TooLong
    } else if !key.chars().all(|c| c.is_ascii_graphic()) {
        KeyFlaw::Character
    } else {
        return Ok(ApiKey {
            secret: SecretString::from(key),
            origin,
            warnings,
        });
    };
    Err(SecretError::Unusable { origin, flaw })
}

/// Returns the file's text and mode, or `None` if there is no such file.
fn read_key_file(
    path: &Path,
    origin: &KeyOrigin,
) -> Result<Option<(Zeroizing<String>, u32)>, SecretError> {
    let failed = |source| SecretError::Read {
        origin: origin.clone(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(failed(err)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    // Room for blanks around the key, and for one byte that shows that the key is too long.
    let limit = 2 * MAX_KEY as u64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_KEY));
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some((Zeroizing::new(text.to_owned()), mode))),
        Err(_) => Err(SecretError::Unusable {
            origin: origin.clone(),
            flaw: KeyFlaw::Character,
        }),
    }
}

fn warn_of_readable_file(path: &Path, mode: u32) -> Vec<Diagnostic> {
    if mode & READABLE_BY_OTHERS == 0 {
        return Vec::new();
    }
    let readers = match mode & 0o004 {
        0 => "its group",
        _ => "everybody on this machine",
    };
    vec![Diagnostic {
        severity: Severity::Warning,
        file: path.display().to_string(),
        key: "calcom.api-key-file".to_owned(),
        position: None,
        problem: format!("{readers} can read the API key"),
        help: format!("chmod 600 {}", path.display()),
    }]
}

fn describe_missing_credential(credential: &Option<PathBuf>) -> String {
    match credential {
        Some(path) => format!("there is no credential {}", path.display()),
        None => {
            format!("systemd gave no credential {CREDENTIAL} ({CREDENTIALS_VARIABLE} is not set)")
        }
    }
}

fn describe_missing_file(file: &SecretPath) -> String {
    match file.may_be_secret() {
        true => {
            "calcom.api-key-file names no file (its value is not shown: it is no absolute path, \
                 and may be the key itself, which does not belong there)"
                .to_owned()
        }
        false => format!("there is no file {file} (calcom.api-key-file)"),
    }
}

/// Returns what to do about a place with a text that is no key.
fn describe_remedy(origin: &KeyOrigin) -> &'static str {
    match origin {
        KeyOrigin::Variable => {
            "put the key into the variable, or unset it so that the key is searched elsewhere"
        }
        KeyOrigin::Credential(_) | KeyOrigin::File(_) => "put the key alone into the file",
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => " (the user that runs maitred must be able to read it)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::parse::parse;

    const KEY: &str = "cal_live_0123456789abcdef";

    /// Three places for a key, all empty at first.
    struct KeySources {
        folder: tempfile::TempDir,
        variable: Option<&'static str>,
    }

    impl KeySources {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                variable: None,
            }
        }

        fn write(&self, name: &str, text: &[u8], mode: u32) {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }

        fn find(&self) -> Result<ApiKey, SecretError> {
            let calcom = Calcom {
                api_key_file: self.folder.path().join("file").into(),
                ..parse("", "config.toml")
                    .expect("the defaults")
                    .config
                    .calcom
            };
            find_api_key(&calcom, &|name| match name {
                KEY_VARIABLE => self.variable.map(str::to_owned),
                CREDENTIALS_VARIABLE => Some(self.folder.path().display().to_string()),
                _ => None,
            })
        }
    }

    #[test]
    fn the_first_source_with_a_key_is_used() {
        let mut sources = KeySources::new();
        let err = sources.find().unwrap_err().to_string();
        for place in [KEY_VARIABLE, CREDENTIAL, "/file (calcom.api-key-file)"] {
            assert!(err.contains(place), "{err}");
        }
        sources.write("file", b"from-file\n", 0o600);
        let found = sources.find().unwrap();
        assert_eq!(found.secret.expose_secret(), "from-file");
        assert_eq!(
            found.origin,
            KeyOrigin::File(sources.folder.path().join("file").into())
        );
        sources.write(CREDENTIAL, b"  from-credential\r\n", 0o400);
        let found = sources.find().unwrap();
        assert_eq!(found.secret.expose_secret(), "from-credential");
        sources.variable = Some("from-variable");
        let found = sources.find().unwrap();
        assert_eq!(found.secret.expose_secret(), "from-variable");
        assert_eq!(found.origin, KeyOrigin::Variable);
    }

    #[test]
    fn an_unusable_key_is_refused_and_never_shown() {
        let long = KEY.repeat(1 + MAX_KEY / KEY.len());
        let far_too_long = KEY.repeat(1 + 3 * MAX_KEY / KEY.len());
        let rows: [(&[u8], KeyFlaw); 8] = [
            (b"", KeyFlaw::Empty),
            (b" \n", KeyFlaw::Empty),
            (long.as_bytes(), KeyFlaw::TooLong),
            (far_too_long.as_bytes(), KeyFlaw::TooLong),
            (
                b"cal_live_0123456789abcdef\ncal_live_0123456789abcdef",
                KeyFlaw::Character,
            ),
            (b"cal_live_0123456789abcdef\0", KeyFlaw::Character),
            (
                "cal_live_0123456789abcdef\u{e4}".as_bytes(),
                KeyFlaw::Character,
            ),
            (b"cal_live_0123456789abcdef\xff", KeyFlaw::Character),
        ];
        for (text, expect) in rows {
            let sources = KeySources::new();
            sources.write("file", text, 0o600);
            let err = sources.find().unwrap_err();
            assert!(!format!("{err} {err:?}").contains("0123456789"), "{err}");
            match err {
                SecretError::Unusable { flaw, .. } => assert_eq!(flaw, expect),
                SecretError::Missing { .. } | SecretError::Read { .. } => panic!("{err}"),
            }
        }
    }

    #[test]
    fn an_empty_variable_is_an_error() {
        let mut sources = KeySources::new();
        sources.write("file", KEY.as_bytes(), 0o600);
        sources.variable = Some("");
        let err = sources.find().unwrap_err().to_string();
        assert_eq!(
            err,
            "use the API key from the variable MAITRED_API_KEY: it is empty; put the key into the \
             variable, or unset it so that the key is searched elsewhere"
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_mentioned() {
        let rows = [
            (0o600, None),
            (0o400, None),
            (0o640, Some("its group can read the API key")),
            (
                0o644,
                Some("everybody on this machine can read the API key"),
            ),
        ];
        for (mode, expect) in rows {
            let sources = KeySources::new();
            sources.write("file", KEY.as_bytes(), mode);
            let found = sources.find().unwrap();
            let problem = found.warnings.first().map(|f| f.problem.as_str());
            assert_eq!(problem, expect, "{mode:o}");
            assert!(!format!("{found:?}").contains(KEY));
        }
    }

    #[test]
    fn a_folder_in_place_of_the_key_file_is_a_read_error() {
        let sources = KeySources::new();
        fs::create_dir(sources.folder.path().join("file")).unwrap();
        assert!(matches!(sources.find(), Err(SecretError::Read { .. })));
    }
    #[test]
    fn a_key_in_place_of_its_path_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let find = |name: &str| {
            let calcom = Calcom {
                api_key_file: SecretPath::new(folder.path().join(name), true),
                ..parse("", "config.toml")
                    .expect("the defaults")
                    .config
                    .calcom
            };
            find_api_key(&calcom, &|_| None)
        };
        // A name that is too long is not even looked for.
        for key in ["hunter2-Zq9", &"hunter2".repeat(1_000)] {
            let error = find(key).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        fs::write(folder.path().join("key.txt"), KEY).unwrap();
        assert!(
            find("key.txt")
                .unwrap()
                .origin
                .to_string()
                .contains("key.txt")
        );
        fs::write(folder.path().join("key.txt"), "").unwrap();
        assert!(find("key.txt").unwrap_err().to_string().contains("key.txt"));
    }
}
