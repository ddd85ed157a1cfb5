//! Queries an endpoint: GET, status 200, one JSON value. The query must never follow a redirect,
//! and never let the credential or the address into an error.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{self, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::response::{LookupFailure, MAX_RESPONSE_BYTES, parse_response};
use crate::domain::booking::Answer;
use crate::domain::id::Address;
use crate::domain::lookup::ADDRESS_PLACEHOLDER;
use crate::external::message::sanitize_message;
use crate::http::{self, HttpClient, HttpClientError, describe_error, is_loopback};

/// The characters that are percent-encoded: all except those that need no encoding anywhere in a
/// URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why an endpoint cannot be queried at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupUrlError {
    /// The URL cannot be used; the payload reads after "the url".
    #[error("the url {0}")]
    Url(&'static str),
    /// The credential cannot be sent in a header.
    #[error("the credential holds characters that cannot stand in a header")]
    Credential,
    /// The HTTP client cannot be built.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] HttpClientError),
}

/// One endpoint.
pub(super) struct LookupUrl {
    http: HttpClient,
    /// The URL with [`ADDRESS_PLACEHOLDER`] in it.
    template: String,
    credential: Option<HeaderValue>,
}

impl LookupUrl {
    pub(super) fn open(
        url: &str,
        credential: Option<&SecretString>,
    ) -> Result<Self, LookupUrlError> {
        let parsed = check_url(url)?;
        Ok(Self {
            http: http::build_client(&parsed, None, Vec::new())?,
            template: url.to_owned(),
            credential: credential.map(to_bearer_header).transpose()?,
        })
    }

    pub(super) async fn fetch(
        &self,
        address: &Address,
        timeout: Duration,
    ) -> Result<Answer, LookupFailure> {
        match tokio::time::timeout(timeout, self.send_request(address)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(LookupFailure::unavailable(format!(
                "it did not answer within {timeout:?}"
            ))),
        }
    }

    async fn send_request(&self, address: &Address) -> Result<Answer, LookupFailure> {
        let url = expand_template(&self.template, address.as_str());
        let mut request = self.http.client.get(url);
        if let Some(credential) = &self.credential {
            request = request.header(header::AUTHORIZATION, credential.clone());
        }
        let request = request.header(header::ACCEPT, "application/json");
        let response = request.send().await;
        let response = response.map_err(|error| self.transport_failure(error))?;
        let status = response.status();
        if status == reqwest::StatusCode::OK {
            return parse_response(&self.read_body(response).await?);
        }
        let why = format!("it answered {}", status.as_u16());
        Err(if status.is_server_error() {
            LookupFailure::unavailable(why)
        } else {
            LookupFailure::for_this_request(why)
        })
    }

    async fn read_body(&self, mut response: Response) -> Result<Vec<u8>, LookupFailure> {
        let length = response.content_length();
        if length.is_some_and(|length| length > MAX_RESPONSE_BYTES as u64) {
            return Err(LookupFailure::too_large());
        }
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.transport_failure(error))?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(LookupFailure::too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Describes what was tried, by which route, and why it failed.
    fn transport_failure(&self, error: reqwest::Error) -> LookupFailure {
        LookupFailure::unavailable(sanitize_message(&format!(
            "{}: {}",
            self.http.route,
            describe_error(error)
        )))
    }
}

/// Checks the template, and returns the URL with an example address in it. The URL must be one of
/// this machine, unless it is encrypted.
fn check_url(url: &str) -> Result<Url, LookupUrlError> {
    let url_error = |why| Err(LookupUrlError::Url(why));
    if !url.contains(ADDRESS_PLACEHOLDER) {
        return url_error("must hold {address}, where the booker's address goes");
    }
    // An address must not choose the host.
    let mut authority = url.split(['/', '?', '#']).take(3);
    if authority.any(|part| part.contains(ADDRESS_PLACEHOLDER)) {
        return url_error("must hold {address} in its path or query");
    }
    let Ok(parsed) = Url::parse(&expand_template(url, "a@example.com")) else {
        return url_error("is not a URL");
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return url_error("must not hold a user or a password; use credential-file");
    }
    if parsed.fragment().is_some() {
        return url_error("must not hold a fragment");
    }
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_loopback(&parsed) => Ok(parsed),
        "http" => url_error("must begin with https:// unless it is of this machine (127.0.0.1)"),
        _ => url_error("must begin with https://"),
    }
}

fn expand_template(url: &str, address: &str) -> String {
    let address = utf8_percent_encode(address, ENCODED).to_string();
    url.replace(ADDRESS_PLACEHOLDER, &address)
}

fn to_bearer_header(credential: &SecretString) -> Result<HeaderValue, LookupUrlError> {
    let value = format!("Bearer {}", credential.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| LookupUrlError::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_templates_hold_the_address_in_path_or_query_and_are_encrypted() {
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
            match (check_url(url), expect) {
                (Ok(parsed), Ok(expect)) => assert_eq!(is_loopback(&parsed), expect, "{url}"),
                (Err(error), Err(expect)) => {
                    assert!(error.to_string().contains(expect), "{url}: {error}");
                }
                (got, _) => panic!("{url}: {got:?}"),
            }
        }
    }

    #[test]
    fn addresses_are_percent_encoded() {
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
            assert_eq!(
                expand_template("https://h/m?of={address}&k=1", address),
                expect
            );
        }
    }

    #[test]
    fn a_credential_is_never_shown() {
        let url = "https://crm.example.org/{address}";
        let invalid_credential = SecretString::from("top\nsecret");
        let error = LookupUrl::open(url, Some(&invalid_credential))
            .err()
            .unwrap();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let lookup_url = LookupUrl::open(url, Some(&SecretString::from("top-secret"))).unwrap();
        assert!(!format!("{:?}", lookup_url.credential).contains("secret"));
    }
}
