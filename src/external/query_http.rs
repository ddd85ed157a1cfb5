//! Asks an HTTP endpoint. The question must never follow a redirect, and never let the credential or
//! the address into an error.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::failure::QueryFailure;
use super::message::sanitize_message;
use super::template::{TemplateValues, fill_json, fill_url};
use crate::domain::lookup::ADDRESS_PLACEHOLDER;
use crate::http::{self, HttpClient, HttpClientError, describe_error, is_loopback};

/// The longest validator of a cached answer that is sent back, in bytes.
const MAX_ETAG: usize = 512;

/// Why an endpoint cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL cannot be used; the payload reads after "the url".
    #[error("the url {0}")]
    Url(&'static str),
    /// A header cannot be sent; the payload is its name, as configured.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// The credential cannot be sent in a header.
    #[error("the credential holds characters that cannot stand in a header")]
    Credential,
    /// The HTTP client cannot be built.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] HttpClientError),
}

/// What is sent to an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct EndpointRequest<'a> {
    /// The URL with its placeholders.
    pub url: &'a str,
    /// Whether the URL must hold the booker's address.
    pub needs_address: bool,
    /// The JSON body of a POST, with its placeholders. `None`: the request is a GET.
    pub body: Option<&'a str>,
    /// Further headers.
    pub headers: &'a [(String, String)],
    /// The token for `Authorization: Bearer`.
    pub credential: Option<&'a SecretString>,
}

/// One endpoint.
pub struct HttpEndpoint {
    http: HttpClient,
    template: String,
    body: Option<String>,
    headers: HeaderMap,
}

/// An answer of any status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The validator of the answer, if the server gave one.
    pub etag: Option<HeaderValue>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpEndpoint {
    /// Checks what is sent, and makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// Returns an error if the URL, a header or the credential cannot be used.
    pub fn open(request: &EndpointRequest<'_>) -> Result<Self, EndpointError> {
        let parsed = check_url(request.url, request.needs_address)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if request.body.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        for (name, value) in request.headers {
            let parsed = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::try_from(value.as_str()),
            );
            let (Ok(name), Ok(value)) = parsed else {
                return Err(EndpointError::Header(name.clone()));
            };
            headers.insert(name, value);
        }
        if let Some(credential) = request.credential {
            headers.insert(header::AUTHORIZATION, to_bearer_header(credential)?);
        }
        Ok(Self {
            http: http::build_client(&parsed, None, Vec::new())?,
            template: request.url.to_owned(),
            body: request.body.map(str::to_owned),
            headers,
        })
    }

    /// Sends the request, and returns the answer with at most `max_bytes`.
    ///
    /// # Errors
    /// Returns an error if there is no whole answer within the time.
    pub async fn ask(
        &self,
        values: &TemplateValues,
        etag: Option<&HeaderValue>,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<HttpAnswer, QueryFailure> {
        match tokio::time::timeout(timeout, self.send(values, etag, max_bytes)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(QueryFailure::unavailable(format!(
                "it did not answer within {timeout:?}"
            ))),
        }
    }

    async fn send(
        &self,
        values: &TemplateValues,
        etag: Option<&HeaderValue>,
        max_bytes: usize,
    ) -> Result<HttpAnswer, QueryFailure> {
        let url = fill_url(&self.template, values);
        let request = match &self.body {
            None => self.http.client.request(Method::GET, url),
            Some(body) => {
                let request = self.http.client.request(Method::POST, url);
                request.body(fill_json(body, values))
            }
        };
        let mut request = request.headers(self.headers.clone());
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag.clone());
        }
        let response = request.send().await;
        let response = response.map_err(|error| self.transport_failure(error))?;
        let etag = response.headers().get(header::ETAG).cloned();
        Ok(HttpAnswer {
            status: response.status(),
            etag: etag.filter(|etag| etag.len() <= MAX_ETAG),
            body: self.read_body(response, max_bytes).await?,
        })
    }

    async fn read_body(
        &self,
        mut response: Response,
        max_bytes: usize,
    ) -> Result<Vec<u8>, QueryFailure> {
        // Only the status of such an answer counts.
        if response.status() != StatusCode::OK {
            return Ok(Vec::new());
        }
        let length = response.content_length();
        if length.is_some_and(|length| length > max_bytes as u64) {
            return Err(QueryFailure::too_large(max_bytes));
        }
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.transport_failure(error))?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > max_bytes {
                return Err(QueryFailure::too_large(max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Describes what was tried, by which route, and why it failed.
    fn transport_failure(&self, error: reqwest::Error) -> QueryFailure {
        QueryFailure::unavailable(sanitize_message(&format!(
            "{}: {}",
            self.http.route,
            describe_error(error)
        )))
    }
}

impl HttpAnswer {
    /// Returns the body of an answer with status 200.
    ///
    /// # Errors
    /// Returns an error with the status if it is another one.
    pub fn into_body(self) -> Result<Vec<u8>, QueryFailure> {
        if self.status == StatusCode::OK {
            return Ok(self.body);
        }
        let why = format!("it answered {}", self.status.as_u16());
        Err(if self.status.is_server_error() {
            QueryFailure::unavailable(why)
        } else {
            QueryFailure::for_this_request(why)
        })
    }
}

/// Checks the template, and returns the URL with an example address in it. The URL must be one of
/// this machine, unless it is encrypted.
fn check_url(url: &str, needs_address: bool) -> Result<Url, EndpointError> {
    let url_error = |why| Err(EndpointError::Url(why));
    if needs_address && !url.contains(ADDRESS_PLACEHOLDER) {
        return url_error("must hold {address}, where the booker's address goes");
    }
    // An address must not choose the host.
    let mut authority = url.split(['/', '?', '#']).take(3);
    if authority.any(|part| part.contains('{')) {
        return url_error("must hold {address} in its path or query");
    }
    let example = [("address".to_owned(), "a@example.com".to_owned())];
    let Ok(parsed) = Url::parse(&fill_url(url, &example.into())) else {
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

fn to_bearer_header(credential: &SecretString) -> Result<HeaderValue, EndpointError> {
    let value = format!("Bearer {}", credential.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| EndpointError::Credential)?;
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
            match (check_url(url, true), expect) {
                (Ok(parsed), Ok(expect)) => assert_eq!(is_loopback(&parsed), expect, "{url}"),
                (Err(error), Err(expect)) => {
                    assert!(error.to_string().contains(expect), "{url}: {error}");
                }
                (got, _) => panic!("{url}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_credential_is_never_shown() {
        let open = |credential: &str| {
            HttpEndpoint::open(&EndpointRequest {
                url: "https://crm.example.org/{address}",
                needs_address: true,
                body: None,
                headers: &[],
                credential: Some(&SecretString::from(credential)),
            })
        };
        let error = open("top\nsecret").err().unwrap();
        assert!(!format!("{error} {error:?}").contains("secret"));
        let endpoint = open("top-secret").unwrap();
        assert!(!format!("{:?}", endpoint.headers).contains("secret"));
    }
}
