//! Asking an endpoint: GET, status 200, one JSON value. It must never follow a redirect, and never
//! let the credential or the address into an error.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{self, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::answer::{MAX_ANSWER, NoAnswer, read, told};
use crate::domain::booking::Answer;
use crate::domain::id::Address;
use crate::http::{self, ClientError, HttpClient, causes, is_loopback};

/// Where the address goes in a URL.
pub const PLACE: &str = "{address}";

/// All but what stands for itself everywhere in a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why an endpoint cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("the url {0}")]
    Url(&'static str),
    #[error("the credential holds characters that cannot stand in a header")]
    Credential,
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] ClientError),
}

/// One endpoint.
pub(super) struct Endpoint {
    http: HttpClient,
    /// With [`PLACE`] in it.
    url: String,
    credential: Option<HeaderValue>,
}

impl Endpoint {
    pub(super) fn open(url: &str, credential: Option<&SecretString>) -> Result<Self, HttpError> {
        let one = check(url)?;
        Ok(Self {
            http: http::client(&one, None, Vec::new())?,
            url: url.to_owned(),
            credential: credential.map(bearer).transpose()?,
        })
    }

    pub(super) async fn ask(
        &self,
        address: &Address,
        timeout: Duration,
    ) -> Result<Answer, NoAnswer> {
        match tokio::time::timeout(timeout, self.exchange(address)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(NoAnswer::away(format!(
                "it gave no answer within {timeout:?}"
            ))),
        }
    }

    async fn exchange(&self, address: &Address) -> Result<Answer, NoAnswer> {
        let url = filled(&self.url, address.as_str());
        let mut request = self.http.client.get(url);
        if let Some(credential) = &self.credential {
            request = request.header(header::AUTHORIZATION, credential.clone());
        }
        let request = request.header(header::ACCEPT, "application/json");
        let response = request.send().await;
        let response = response.map_err(|error| self.failed(error))?;
        let status = response.status();
        if status == reqwest::StatusCode::OK {
            return read(&self.body(response).await?);
        }
        let why = format!("it answered {}", status.as_u16());
        Err(if status.is_server_error() {
            NoAnswer::away(why)
        } else {
            NoAnswer::about_this(why)
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, NoAnswer> {
        let length = response.content_length();
        if length.is_some_and(|length| length > MAX_ANSWER as u64) {
            return Err(NoAnswer::too_large());
        }
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.failed(error))?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(NoAnswer::too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// What was tried, by which way, and why it failed.
    fn failed(&self, error: reqwest::Error) -> NoAnswer {
        NoAnswer::away(told(&format!("{}: {}", self.http.route, causes(error))))
    }
}

/// The URL with an example in it. It has to be one of this machine, unless it is encrypted.
fn check(url: &str) -> Result<Url, HttpError> {
    let wrong = |why| Err(HttpError::Url(why));
    if !url.contains(PLACE) {
        return wrong("must hold {address}, where the booker's address goes");
    }
    // An address must not choose whom to ask.
    let mut before = url.split(['/', '?', '#']).take(3);
    if before.any(|part| part.contains(PLACE)) {
        return wrong("must hold {address} in its path or query");
    }
    let Ok(one) = Url::parse(&filled(url, "a@example.com")) else {
        return wrong("is not a URL");
    };
    if !one.username().is_empty() || one.password().is_some() {
        return wrong("must not hold a user or a password; use credential-file");
    }
    if one.fragment().is_some() {
        return wrong("must not hold a fragment");
    }
    match one.scheme() {
        "https" => Ok(one),
        "http" if is_loopback(&one) => Ok(one),
        "http" => wrong("must begin with https:// unless it is of this machine (127.0.0.1)"),
        _ => wrong("must begin with https://"),
    }
}

fn filled(url: &str, address: &str) -> String {
    let address = utf8_percent_encode(address, ENCODED).to_string();
    url.replace(PLACE, &address)
}

fn bearer(credential: &SecretString) -> Result<HeaderValue, HttpError> {
    let value = format!("Bearer {}", credential.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| HttpError::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_keep_the_address_to_themselves_are_asked() {
        let rows = [
            ("https://crm.example.org/m/{address}", Ok(false)),
            ("https://crm.example.org/m?of={address}&x=1", Ok(false)),
            ("https://crm.example.org?of={address}", Ok(false)),
            ("http://127.0.0.1:8080/{address}", Ok(true)),
            ("http://[::1]:8080/{address}", Ok(true)),
            ("http://localhost/{address}", Ok(true)),
            ("https://localhost/{address}", Ok(true)),
            ("http://crm.example.org/{address}", Err("https://")),
            ("http://127.0.0.1.example.org/{address}", Err("https://")),
            ("http://localhost.example.org/{address}", Err("https://")),
            ("ftp://crm.example.org/{address}", Err("https://")),
            ("https://crm.example.org/m", Err("must hold {address}")),
            ("https://{address}.example.org/", Err("path or query")),
            ("https://x:{address}@example.org/", Err("path or query")),
            ("https://x:y@example.org/{address}", Err("user")),
            ("https://key@example.org/{address}", Err("user")),
            ("https://crm.example.org/{address}#x", Err("fragment")),
            ("https://crm.example.org/#{address}", Err("fragment")),
            ("crm.example.org/a/b/{address}", Err("not a URL")),
            ("{address}", Err("path or query")),
        ];
        for (url, expect) in rows {
            match (check(url), expect) {
                (Ok(one), Ok(expect)) => assert_eq!(is_loopback(&one), expect, "{url}"),
                (Err(error), Err(expect)) => {
                    assert!(error.to_string().contains(expect), "{url}: {error}");
                }
                (got, _) => panic!("{url}: {got:?}"),
            }
        }
    }

    #[test]
    fn an_address_stays_one_value_of_the_url() {
        let rows = [
            ("ann@example.com", "https://h/m?of=ann%40example.com&k=1"),
            (
                "a+b&c@example.com",
                "https://h/m?of=a%2Bb%26c%40example.com&k=1",
            ),
            (
                "../x?y#z@example.com",
                "https://h/m?of=..%2Fx%3Fy%23z%40example.com&k=1",
            ),
            ("ä@example.com", "https://h/m?of=%C3%A4%40example.com&k=1"),
        ];
        for (address, expect) in rows {
            assert_eq!(filled("https://h/m?of={address}&k=1", address), expect);
        }
    }

    #[test]
    fn a_credential_is_never_shown() {
        let url = "https://crm.example.org/{address}";
        let wrong = SecretString::from("top\nsecret");
        let error = Endpoint::open(url, Some(&wrong)).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let right = Endpoint::open(url, Some(&SecretString::from("top-secret"))).unwrap();
        assert!(!format!("{:?}", right.credential).contains("secret"));
    }
}
