//! Builds the lookup client from the configuration, with the credentials from the configured files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::config::lookup_config::{LookupConfig, LookupSource as Configured};
use crate::config::model::Config;
use crate::domain::time::Span;
use crate::lookup::client::{LookupClient, LookupSetupError, Spec, SpecSource};

/// The longest credential, in bytes: tokens have some hundred characters, and a header must hold
/// the credential.
const MAX_CREDENTIAL: usize = 4096;

/// Why the lookup client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error(
        "lookup {name}: failed to read {} (credential-file; the user that runs maitred must be \
         able to read it)",
        file.display()
    )]
    Read {
        name: String,
        file: PathBuf,
        source: io::Error,
    },
    #[error("lookup {name}: what {} (credential-file) holds {flaw}", file.display())]
    Unusable {
        name: String,
        file: PathBuf,
        flaw: &'static str,
    },
    #[error(transparent)]
    Client(#[from] LookupSetupError),
}

/// Reads the credentials and builds the lookup client. No request is sent.
///
/// # Errors
/// Fails when a credential cannot be read, or when a lookup cannot be used.
pub fn open(config: &Config) -> Result<LookupClient, LookupError> {
    let specs: Result<Vec<Spec>, LookupError> = config.lookups.iter().map(lookup_spec).collect();
    Ok(LookupClient::open(specs?)?)
}

fn lookup_spec(lookup: &LookupConfig) -> Result<Spec, LookupError> {
    let source = match &lookup.source {
        Configured::Command { program, args } => SpecSource::Command {
            program: program.clone(),
            args: args.clone(),
        },
        Configured::Url {
            url,
            credential_file,
        } => SpecSource::Http {
            url: url.clone(),
            credential: match credential_file {
                Some(file) => Some(read_credential(&lookup.name, file)?),
                None => None,
            },
        },
    };
    Ok(Spec {
        name: lookup.name.clone(),
        source,
        timeout: lookup.timeout,
        // A duration that the calendar cannot represent means forever.
        cached_for: Span::from_std(lookup.cached_for).unwrap_or(Span::MAX),
        at_once: lookup.at_once,
    })
}

fn read_credential(name: &str, path: &Path) -> Result<SecretString, LookupError> {
    let failed = |source| LookupError::Read {
        name: name.to_owned(),
        file: path.to_owned(),
        source,
    };
    let unusable = |flaw| LookupError::Unusable {
        name: name.to_owned(),
        file: path.to_owned(),
        flaw,
    };
    // The buffer has room for blanks around the credential, and for the byte that shows that the
    // credential is too long.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_CREDENTIAL));
    let file = File::open(path).map_err(failed)?;
    let read = file.take(2 * MAX_CREDENTIAL as u64).read_to_end(&mut bytes);
    read.map_err(failed)?;
    let text = std::str::from_utf8(&bytes).unwrap_or("\u{fffd}").trim();
    if text.is_empty() {
        Err(unusable("is empty"))
    } else if text.len() > MAX_CREDENTIAL {
        Err(unusable("is longer than 4096 bytes"))
    } else if !text.chars().all(|c| c.is_ascii_graphic()) {
        Err(unusable(
            "has a blank, a line break or another character that no credential has",
        ))
    } else {
        Ok(SecretString::from(text))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
            (b"top secret", Some("has a blank")),
            (b"top-secret\xff", Some("has a blank")),
            (long.as_bytes(), Some("is longer")),
        ];
        for (held, expect) in rows {
            fs::write(&path, held).unwrap();
            match (read_credential("crm", &path), expect) {
                (Ok(_), None) => {}
                (Err(error), Some(expect)) => {
                    let text = format!("{error} {error:?}");
                    assert!(text.contains(expect), "{text}");
                    assert!(!text.contains("secret"), "{text}");
                }
                (got, _) => panic!("{held:?}: {got:?}"),
            }
        }
        let missing = read_credential("crm", &folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("lookup crm"), "{missing}");
    }
}
