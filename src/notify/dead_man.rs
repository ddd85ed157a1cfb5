//! Calls the URL of a service that raises an alarm when the calls stop. The URL is a secret.

use std::time::Duration;

use reqwest::Url;

use super::web_address::{WebAddressError, read_url_file};
use crate::domain::notification::target::DeadManSwitch;
use crate::external::message::sanitize_message;
use crate::http::{self, HttpClient, describe_error};

/// The URL, and the client for it.
pub struct DeadManUrl {
    http: HttpClient,
    url: Url,
    timeout: Duration,
}

impl DeadManUrl {
    /// Reads the URL from its file. Nothing is called yet. Returns `None` if none is configured.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or holds no URL that can be called.
    pub fn open(settings: &DeadManSwitch) -> Result<Option<Self>, WebAddressError> {
        let Some(path) = &settings.url_file else {
            return Ok(None);
        };
        let url = read_url_file(path, "url-file")?;
        Ok(Some(Self {
            http: http::build_client(&url, None, Vec::new())?,
            url,
            timeout: settings.timeout,
        }))
    }

    /// Calls the URL once.
    ///
    /// # Errors
    /// Returns why the call failed, without the URL.
    pub async fn call(&self) -> Result<(), String> {
        let request = self.http.client.get(self.url.clone()).timeout(self.timeout);
        let response = request.send().await.map_err(|error| {
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
