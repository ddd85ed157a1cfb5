//! Opens one of the two dialects behind the port. Errors in the settings are reported here, in one
//! place, and never show the key.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Certificate, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::time::Clock;
use crate::http::{self, HttpClientError};

use super::call_observer::CallObserver;
use super::call_queue::CallQueue;
use super::http::{Auth, Sender, SenderParts};
use super::port::Calendar;
use super::rate_budget::RateBudget;
use super::redact::Redactor;
use super::{v1, v2};
use crate::domain::dialect::Dialect;

/// The longest key that is accepted. Cal.com's keys have some 40 characters, OAuth tokens some
/// hundreds; servers cut headers at 8 KiB.
const MAX_KEY: usize = 4096;

/// The most bytes that are read of a certificate file. The certificates of all public authorities
/// take 250 kB.
const MAX_CA_FILE: u64 = 4 * 1024 * 1024;

/// Everything that is needed to speak to a server.
pub struct Settings {
    /// The URL of the API, path prefix included: `https://api.cal.com`. The dialect adds its own
    /// `/v2` or `/v1`, unless the URL already ends in it.
    pub base_url: String,
    /// The version of the API to speak.
    pub dialect: Dialect,
    /// The API key that calls are sent with.
    pub key: SecretString,
    /// The time limit of a call that reads, from sending it to the last byte of its answer.
    pub timeout: Duration,
    /// The time limit of a call that confirms, declines or cancels.
    pub confirm_timeout: Duration,
    /// The time limit for opening a connection.
    pub connect_timeout: Duration,
    /// A file with certificates in PEM form that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// The share of the server's rate limit that may be used, above 0 and at most 1.
    pub budget: f64,
    /// The clock that rate limits and deadlines use.
    pub clock: Clock,
    /// Learns how each call ended; `None` if the calls are not counted.
    pub observer: Option<CallObserver>,
}

/// Why no calendar can be opened. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// `base_url` cannot be used; the payload reads after "base-url".
    #[error("base-url {0} (expected something like https://api.cal.com)")]
    BaseUrl(String),
    /// The key cannot be used; the payload reads after "the API key" and never shows the key.
    #[error("the API key {0}")]
    Key(&'static str),
    /// `budget` is not a share above 0 and at most 1.
    #[error("budget must be above 0% and at most 100%")]
    Budget,
    /// A time limit is zero.
    #[error("time limits must be above zero")]
    Timeout,
    /// The file with trusted certificates cannot be used.
    #[error("ca-file: {} {why}", file.display())]
    CaFile {
        /// The path of the file, as configured.
        file: PathBuf,
        /// Why the file cannot be used.
        why: String,
    },
    /// The HTTP client cannot be built.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] HttpClientError),
}

/// Opens the dialect. Nothing is sent yet. The proxy is taken from the environment (`HTTPS_PROXY`,
/// `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`); calls to this machine itself use no proxy.
///
/// # Errors
/// Returns an error if a setting cannot be used.
pub fn connect(settings: Settings) -> Result<Arc<dyn Calendar>, ConnectError> {
    let base = parse_base_url(&settings.base_url, settings.dialect)?;
    check_key(settings.key.expose_secret())?;
    if !(settings.budget > 0.0 && settings.budget <= 1.0) {
        return Err(ConnectError::Budget);
    }
    let limits = [
        settings.timeout,
        settings.confirm_timeout,
        settings.connect_timeout,
    ];
    if limits.iter().any(Duration::is_zero) {
        return Err(ConnectError::Timeout);
    }
    let redactor = Redactor::new(&settings.key);
    let auth = match settings.dialect {
        Dialect::V2 => Auth::Header(to_bearer_header(&settings.key)?),
        Dialect::V1 => Auth::Query(settings.key),
    };
    // v1 locks an account whose calls are refused too often.
    let budget = RateBudget::new(settings.budget, settings.dialect == Dialect::V1);
    let roots = match &settings.ca_file {
        Some(file) => read_certificates(file)?,
        None => Vec::new(),
    };
    let http = http::build_client(&base, Some(settings.connect_timeout), roots)?;
    let sender = Sender::new(SenderParts {
        http,
        base,
        auth,
        timeout: settings.timeout,
        confirm_timeout: settings.confirm_timeout,
        call_queue: CallQueue::new(budget, settings.clock.clone()),
        clock: settings.clock,
        redactor,
        observer: settings.observer,
    });
    Ok(match settings.dialect {
        Dialect::V2 => Arc::new(v2::client::V2Client::new(sender)),
        Dialect::V1 => Arc::new(v1::client::V1Client::new(sender)),
    })
}

/// Reads the certificates of a file.
fn read_certificates(file: &Path) -> Result<Vec<Certificate>, ConnectError> {
    let ca_file_error = |why: String| ConnectError::CaFile {
        file: file.to_owned(),
        why,
    };
    let mut text = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_CA_FILE).read_to_end(&mut text));
    read.map_err(|error| ca_file_error(format!("cannot be read: {error}")))?;
    let roots = Certificate::from_pem_bundle(&text).map_err(|error| {
        ca_file_error(format!("holds no certificate that can be read: {error}"))
    })?;
    if roots.is_empty() {
        return Err(ca_file_error(
            "holds no certificate; it must be a PEM file, as in -----BEGIN CERTIFICATE-----"
                .to_owned(),
        ));
    }
    Ok(roots)
}

fn parse_base_url(text: &str, dialect: Dialect) -> Result<Url, ConnectError> {
    let base_url_error = |why: &str| ConnectError::BaseUrl(why.to_owned());
    let mut url = Url::parse(text.trim()).map_err(|error| {
        // The parser's message does not repeat the text, which may hold a password.
        ConnectError::BaseUrl(format!("is not a URL: {error}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(base_url_error("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(base_url_error("must not hold a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(base_url_error("must not hold a query or a fragment"));
    }
    let version_segment = match dialect {
        Dialect::V2 => "v2",
        Dialect::V1 => "v1",
    };
    let last_segment = url
        .path_segments()
        .and_then(|parts| parts.rev().find(|part| !part.is_empty()));
    let repeats = last_segment == Some(version_segment);
    let mut path = url
        .path_segments_mut()
        .map_err(|()| base_url_error("has no host"))?;
    path.pop_if_empty();
    if repeats {
        path.pop();
    }
    drop(path);
    Ok(url)
}

fn check_key(key: &str) -> Result<(), ConnectError> {
    if key.is_empty() {
        return Err(ConnectError::Key("is empty"));
    }
    if key.len() > MAX_KEY {
        return Err(ConnectError::Key("is longer than 4096 bytes"));
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(ConnectError::Key(
            "contains a space, a line break or another character that cannot be part of a key",
        ));
    }
    Ok(())
}

fn to_bearer_header(key: &SecretString) -> Result<HeaderValue, ConnectError> {
    let value = format!("Bearer {}", key.expose_secret());
    let mut value =
        HeaderValue::from_str(&value).map_err(|_| ConnectError::Key("cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_url: &str, key: &str) -> Settings {
        Settings {
            base_url: base_url.to_owned(),
            dialect: Dialect::V2,
            key: SecretString::from(key),
            timeout: Duration::from_secs(60),
            confirm_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            ca_file: None,
            budget: 0.5,
            clock: Arc::new(|| chrono::DateTime::UNIX_EPOCH),
            observer: None,
        }
    }

    #[test]
    fn base_urls_keep_their_prefix_and_drop_the_version() {
        let rows = [
            ("https://api.cal.com", Dialect::V2, "https://api.cal.com/"),
            ("https://api.cal.com/", Dialect::V2, "https://api.cal.com/"),
            (
                "https://api.cal.com/v2",
                Dialect::V2,
                "https://api.cal.com/",
            ),
            (
                "https://api.cal.com/v2/",
                Dialect::V2,
                "https://api.cal.com/",
            ),
            (
                "https://c.example/api/v2/",
                Dialect::V2,
                "https://c.example/api",
            ),
            (
                "https://c.example/api/",
                Dialect::V2,
                "https://c.example/api",
            ),
            ("https://c.example/v2", Dialect::V1, "https://c.example/v2"),
            (
                "http://127.0.0.1:3003/v1",
                Dialect::V1,
                "http://127.0.0.1:3003/",
            ),
            ("http://[::1]:3003", Dialect::V1, "http://[::1]:3003/"),
        ];
        for (text, dialect, expect) in rows {
            let base = parse_base_url(text, dialect).map(|url| url.to_string());
            assert_eq!(base, Ok(expect.to_owned()), "{text}");
        }
    }

    #[test]
    fn base_url_errors_do_not_repeat_the_url() {
        for text in [
            "",
            "api.cal.com",
            "ftp://api.cal.com",
            "https://",
            "https://user@api.cal.com",
            "https://:secret@api.cal.com",
            "https://api.cal.com?apiKey=secret",
            "https://api.cal.com#secret",
            "mailto:secret@x",
            "https://secret:80:80",
        ] {
            let error = parse_base_url(text, Dialect::V2).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_an_error_without_the_key() {
        let ok = "https://api.cal.com";
        let long = "x".repeat(MAX_KEY + 1);
        for key in [
            "",
            "cal_se cret",
            "cal_secret\n",
            "cal_sécret",
            "cal_secret\u{0}",
            &long,
        ] {
            let error = connect(settings(ok, key)).err().unwrap();
            assert!(matches!(error, ConnectError::Key(_)), "{error}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
        for budget in [0.0, -1.0, 1.01, f64::NAN] {
            let error = connect(Settings {
                budget,
                ..settings(ok, "cal_key")
            });
            assert_eq!(error.err(), Some(ConnectError::Budget));
        }
        let timeout = Duration::ZERO;
        let error = connect(Settings {
            timeout,
            ..settings(ok, "cal_key")
        });
        assert_eq!(error.err(), Some(ConnectError::Timeout));
        assert!(connect(settings(ok, "cal_key")).is_ok());
    }
}
