//! Posts a notification to an HTTP endpoint, signed with HMAC-SHA256 over the time and the body. No
//! redirect is followed. An error names the host and never the path, which may be a secret.

use std::time::Duration;

use reqwest::{Url, header};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use super::web_address::{WebAddressError, parse_url, read_url_file};
use crate::domain::notification::target::PostUrl;
use crate::domain::secret_path::SecretPath;
use crate::domain::time::Time;
use crate::external::credential::read_credential;
use crate::external::message::sanitize_message;
use crate::http::{self, HttpClient, describe_error};

/// The header with the id of the notification.
const ID_HEADER: &str = "maitred-id";

/// The header with the time of the delivery, in seconds since 1970.
const TIMESTAMP_HEADER: &str = "maitred-timestamp";

/// The header with the signature.
const SIGNATURE_HEADER: &str = "maitred-signature";

/// An endpoint that is ready to be called.
pub(super) struct PostEndpoint {
    http: HttpClient,
    url: Url,
    key: Option<SecretString>,
}

impl PostEndpoint {
    pub(super) fn open(
        url: &PostUrl,
        key_file: Option<&SecretPath>,
    ) -> Result<Self, WebAddressError> {
        let url = match url {
            PostUrl::Plain(text) => parse_url(text)?,
            PostUrl::InFile(path) => read_url_file(path, "url-file")?,
        };
        let key = key_file.map(|path| read_credential(path, "key-file"));
        Ok(Self {
            http: http::build_client(&url, None, Vec::new())?,
            url,
            key: key.transpose()?,
        })
    }

    /// Posts the body. Any answer but 2xx is a failure.
    pub(super) async fn post(
        &self,
        id: &str,
        body: String,
        now: Time,
        timeout: Duration,
    ) -> Result<(), String> {
        let timestamp = now.timestamp().to_string();
        let mut request = self
            .http
            .client
            .post(self.url.clone())
            .timeout(timeout)
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, &timestamp);
        if let Some(key) = &self.key {
            request = request.header(SIGNATURE_HEADER, signature(key, &timestamp, &body));
        }
        let response = request.body(body).send().await;
        let response = response.map_err(|error| {
            let route = &self.http.route;
            sanitize_message(&format!("{route}: {}", describe_error(error)))
        })?;
        let status = response.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("it answered {}", status.as_u16())),
        }
    }
}

/// Returns `v1=` and the HMAC-SHA256 of the time, a dot and the body, in hexadecimal.
fn signature(key: &SecretString, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [timestamp, ".", body] {
        context.update(part.as_bytes());
    }
    let tag = context.sign();
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value is that of
    /// `printf '1764579600.{"a":1}' | openssl dgst -sha256 -hmac top-secret`.
    #[test]
    fn the_signature_covers_time_and_body() {
        let key = SecretString::from("top-secret");
        let first = signature(&key, "1764579600", "{\"a\":1}");
        assert_eq!(
            first,
            "v1=dd54295bf99e07421ac2bebe8be6fa657f15b2070947b97f3031a9aed4895777"
        );
        assert_ne!(first, signature(&key, "1764579601", "{\"a\":1}"));
        assert_ne!(first, signature(&key, "1764579600", "{\"a\":2}"));
    }
}
