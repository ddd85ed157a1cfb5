//! The API key: where it is looked for, and what is taken for one. It is never shown, not even in
//! part, by anything here.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::finding::{Finding, Severity};
use super::model::Calcom;

/// The variable that holds the key itself; the first place that is looked at.
pub const KEY_VARIABLE: &str = "MAITRED_API_KEY";

/// The variable in which systemd names the folder of a service's credentials.
pub const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The credential's name in that folder.
pub const CREDENTIAL: &str = "calcom-api-key";

/// The longest key: tokens of OAuth have some hundred characters, and a header must hold it.
const MAX_KEY: usize = 4096;

/// Anybody but the owner may read the file.
const OPEN_MODE: u32 = 0o044;

/// The key, with where it was found.
#[derive(Debug)]
pub struct ApiKey {
    pub secret: SecretString,
    pub origin: Origin,
    /// Warnings about how it is kept.
    pub findings: Vec<Finding>,
}

/// A place in which a key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Variable,
    Credential(PathBuf),
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => write!(f, "the variable {KEY_VARIABLE}"),
            Self::Credential(path) => write!(f, "the credential {}", path.display()),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "find the API key: {KEY_VARIABLE} is not set, {}, and there is no file {} \
         (calcom.api-key-file); make a key in Cal.com under Settings, API keys, and put it into \
         one of the three",
        no_credential(.credential), file.display()
    )]
    Missing {
        /// Where the credential would have been; `None` when systemd gave none.
        credential: Option<PathBuf>,
        file: PathBuf,
    },
    #[error("read the API key from {origin}{}", hint(source))]
    Read { origin: Origin, source: io::Error },
    #[error("use the API key from {origin}: it {flaw}")]
    Unusable { origin: Origin, flaw: Flaw },
}

/// What keeps a text from being a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("is empty")]
    Empty,
    #[error("is longer than {MAX_KEY} bytes")]
    TooLong,
    #[error("has a blank, a line break or another character that no key has")]
    Character,
}

/// Finds the key: in the variable, then among systemd's credentials, then in the configured file.
/// The first that is there counts, and must be usable.
///
/// # Errors
/// When there is none, or the first one found cannot be read or is no key.
pub fn api_key(
    calcom: &Calcom,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<ApiKey, SecretError> {
    if let Some(text) = env(KEY_VARIABLE) {
        return accept(Zeroizing::new(text), Origin::Variable, Vec::new());
    }
    let credential = env(CREDENTIALS_VARIABLE)
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(&folder).join(CREDENTIAL));
    if let Some(path) = &credential {
        let origin = Origin::Credential(path.clone());
        if let Some((text, _)) = read(path, &origin)? {
            return accept(text, origin, Vec::new());
        }
    }
    let file = &calcom.api_key_file;
    let origin = Origin::File(file.clone());
    match read(file, &origin)? {
        Some((text, mode)) => accept(text, origin, open_file(file, mode)),
        None => Err(SecretError::Missing {
            credential,
            file: file.clone(),
        }),
    }
}

fn accept(
    text: Zeroizing<String>,
    origin: Origin,
    findings: Vec<Finding>,
) -> Result<ApiKey, SecretError> {
    let key = text.trim();
    let flaw = if key.is_empty() {
        Flaw::Empty
    } else if key.len() > MAX_KEY {
        Flaw::TooLong
    } else if !key.chars().all(|c| c.is_ascii_graphic()) {
        Flaw::Character
    } else {
        return Ok(ApiKey {
            secret: SecretString::from(key),
            origin,
            findings,
        });
    };
    Err(SecretError::Unusable { origin, flaw })
}

/// The file's text and mode; `None` when there is no such file.
fn read(path: &Path, origin: &Origin) -> Result<Option<(Zeroizing<String>, u32)>, SecretError> {
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
    // Room for blanks around the key, and for one byte that shows it is too long.
    let limit = 2 * MAX_KEY as u64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_KEY));
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some((Zeroizing::new(text.to_owned()), mode))),
        Err(_) => Err(SecretError::Unusable {
            origin: origin.clone(),
            flaw: Flaw::Character,
        }),
    }
}

fn open_file(path: &Path, mode: u32) -> Vec<Finding> {
    if mode & OPEN_MODE == 0 {
        return Vec::new();
    }
    let who = match mode & 0o004 {
        0 => "its group",
        _ => "everybody on this machine",
    };
    vec![Finding {
        severity: Severity::Warning,
        file: path.display().to_string(),
        key: "calcom.api-key-file".to_owned(),
        place: None,
        problem: format!("{who} can read the API key"),
        help: format!("chmod 600 {}", path.display()),
    }]
}

fn no_credential(credential: &Option<PathBuf>) -> String {
    match credential {
        Some(path) => format!("there is no credential {}", path.display()),
        None => {
            format!("systemd gave no credential {CREDENTIAL} ({CREDENTIALS_VARIABLE} is not set)")
        }
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
    use std::fs;
    use std::fs::Permissions;

    use secrecy::ExposeSecret as _;

    use super::*;

    const KEY: &str = "cal_live_0123456789abcdef";

    /// Three places for a key, all empty at first.
    struct Places {
        folder: tempfile::TempDir,
        variable: Option<&'static str>,
    }

    impl Places {
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
                api_key_file: self.folder.path().join("file"),
                ..Calcom::default()
            };
            api_key(&calcom, &|name| match name {
                KEY_VARIABLE => self.variable.map(str::to_owned),
                CREDENTIALS_VARIABLE => Some(self.folder.path().display().to_string()),
                _ => None,
            })
        }
    }

    #[test]
    fn the_first_place_that_has_one_counts() {
        let mut places = Places::new();
        let err = places.find().unwrap_err().to_string();
        for place in [KEY_VARIABLE, CREDENTIAL, "/file (calcom.api-key-file)"] {
            assert!(err.contains(place), "{err}");
        }
        places.write("file", b"from-file\n", 0o600);
        let found = places.find().unwrap();
        assert_eq!(found.secret.expose_secret(), "from-file");
        assert_eq!(
            found.origin,
            Origin::File(places.folder.path().join("file"))
        );
        places.write(CREDENTIAL, b"  from-credential\r\n", 0o400);
        let found = places.find().unwrap();
        assert_eq!(found.secret.expose_secret(), "from-credential");
        places.variable = Some("from-variable");
        let found = places.find().unwrap();
        assert_eq!(found.secret.expose_secret(), "from-variable");
        assert_eq!(found.origin, Origin::Variable);
    }

    #[test]
    fn an_unusable_key_is_refused_and_never_shown() {
        let long = KEY.repeat(1 + MAX_KEY / KEY.len());
        let far_too_long = KEY.repeat(1 + 3 * MAX_KEY / KEY.len());
        let rows: [(&[u8], Flaw); 8] = [
            (b"", Flaw::Empty),
            (b" \n", Flaw::Empty),
            (long.as_bytes(), Flaw::TooLong),
            (far_too_long.as_bytes(), Flaw::TooLong),
            (
                b"cal_live_0123456789abcdef\ncal_live_0123456789abcdef",
                Flaw::Character,
            ),
            (b"cal_live_0123456789abcdef\0", Flaw::Character),
            (
                "cal_live_0123456789abcdef\u{e4}".as_bytes(),
                Flaw::Character,
            ),
            (b"cal_live_0123456789abcdef\xff", Flaw::Character),
        ];
        for (text, expect) in rows {
            let places = Places::new();
            places.write("file", text, 0o600);
            let err = places.find().unwrap_err();
            assert!(!format!("{err} {err:?}").contains("0123456789"), "{err}");
            match err {
                SecretError::Unusable { flaw, .. } => assert_eq!(flaw, expect),
                SecretError::Missing { .. } | SecretError::Read { .. } => panic!("{err}"),
            }
        }
    }

    #[test]
    fn an_empty_variable_is_no_way_to_say_look_elsewhere() {
        let mut places = Places::new();
        places.write("file", KEY.as_bytes(), 0o600);
        places.variable = Some("");
        let err = places.find().unwrap_err().to_string();
        assert_eq!(
            err,
            "use the API key from the variable MAITRED_API_KEY: it is empty"
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
            let places = Places::new();
            places.write("file", KEY.as_bytes(), mode);
            let found = places.find().unwrap();
            let problem = found.findings.first().map(|f| f.problem.as_str());
            assert_eq!(problem, expect, "{mode:o}");
            assert!(!format!("{found:?}").contains(KEY));
        }
    }

    #[test]
    fn a_folder_in_its_place_is_no_missing_key() {
        let places = Places::new();
        fs::create_dir(places.folder.path().join("file")).unwrap();
        assert!(matches!(places.find(), Err(SecretError::Read { .. })));
    }
}
