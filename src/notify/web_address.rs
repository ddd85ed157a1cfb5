//! Checks the URLs that are called: encrypted, except on this machine. A URL may be a secret, so no
//! message repeats it.

use reqwest::Url;
use secrecy::ExposeSecret;

use crate::domain::secret_path::SecretPath;
use crate::external::credential::{CredentialError, read_credential};
use crate::http::{HttpClientError, is_loopback};

/// Why a URL cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum WebAddressError {
    /// The URL cannot be used; the payload reads after "the URL".
    #[error("the URL {0}")]
    Url(&'static str),
    /// The file with the URL, or with the key, cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The HTTP client cannot be built.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] HttpClientError),
}

/// Reads a URL from the file that `key` names.
pub(super) fn read_url_file(path: &SecretPath, key: &'static str) -> Result<Url, WebAddressError> {
    parse_url(read_credential(path, key)?.expose_secret())
}

pub(super) fn parse_url(text: &str) -> Result<Url, WebAddressError> {
    let wrong = |why| Err(WebAddressError::Url(why));
    let Ok(url) = Url::parse(text) else {
        return wrong("is not a URL");
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => wrong("must begin with https:// unless it is of this machine (127.0.0.1)"),
        _ => wrong("must begin with https://"),
    }
}
