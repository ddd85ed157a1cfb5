//! The calendar that the configuration names, with its key.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::calcom::call_observer::CallObserver;
use crate::calcom::connect::{ConnectError, Settings, connect};
use crate::calcom::port::Calendar;
use crate::config::model::Config;
use crate::config::secret::{ApiKey, SecretError, find_api_key};
use crate::domain::time::Clock;

/// A hash of the key, to detect whether the key changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFingerprint([u8; 32]);

/// A calendar with the fingerprint of its key.
pub struct OpenedCalendar {
    /// The calendar, ready for calls.
    pub calendar: Arc<dyn Calendar>,
    /// The fingerprint of the API key that the calendar uses.
    pub key_fingerprint: KeyFingerprint,
}

/// Why the calendar cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// There is no usable API key.
    #[error("failed to {0}")]
    Key(#[from] SecretError),
    /// A setting of the calendar cannot be used.
    #[error("calcom: {0}")]
    Connect(#[from] ConnectError),
}

/// Finds the key and opens the dialect. Nothing is sent. The observer learns about each call.
///
/// # Errors
/// Fails when there is no usable key, or when a setting cannot be used.
pub fn open(
    config: &Config,
    clock: &Clock,
    observer: Option<CallObserver>,
) -> Result<OpenedCalendar, CalendarError> {
    let key = load_key(config)?.secret;
    Ok(open_with(config, key, clock, observer)?)
}

/// Does the same as [`open`], with the given key.
///
/// # Errors
/// Fails when a setting cannot be used.
pub fn open_with(
    config: &Config,
    key: SecretString,
    clock: &Clock,
    observer: Option<CallObserver>,
) -> Result<OpenedCalendar, ConnectError> {
    let key_fingerprint = KeyFingerprint(Sha256::digest(key.expose_secret().as_bytes()).into());
    let calendar = connect(Settings {
        base_url: config.calcom.base_url.clone(),
        dialect: config.calcom.dialect,
        key,
        timeout: config.calcom.timeout,
        confirm_timeout: config.calcom.confirm_timeout,
        connect_timeout: config.calcom.connect_timeout,
        ca_file: config.calcom.ca_file.clone(),
        budget: f64::from(config.calcom.budget) / 100.0,
        clock: Arc::clone(clock),
        observer,
    })?;
    Ok(OpenedCalendar {
        calendar,
        key_fingerprint,
    })
}

/// Returns the key that the process was given.
///
/// # Errors
/// Fails when there is no usable key.
pub fn load_key(config: &Config) -> Result<ApiKey, SecretError> {
    find_api_key(&config.calcom, &|name| std::env::var(name).ok())
}
