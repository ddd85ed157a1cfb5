//! The calendar that the configuration names, with its key.

use std::sync::Arc;

use crate::calcom::connect::{ConnectError, Settings, connect};
use crate::calcom::port::{Calendar, Dialect};
use crate::config::model::{self, Config};
use crate::config::secret::{ApiKey, SecretError, api_key};
use crate::domain::time::Clock;

/// Why there is no calendar to speak to.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    #[error("failed to {0}")]
    Key(#[from] SecretError),
    #[error("calcom: {0}")]
    Connect(#[from] ConnectError),
}

/// Finds the key and opens the dialect. Nothing is sent.
///
/// # Errors
/// When there is no usable key, or a setting cannot be used.
pub fn open(config: &Config, clock: &Clock) -> Result<Arc<dyn Calendar>, CalendarError> {
    let key = key(config)?;
    Ok(connect(Settings {
        base_url: config.calcom.base_url.clone(),
        dialect: match config.calcom.dialect {
            model::Dialect::V2 => Dialect::V2,
            model::Dialect::V1 => Dialect::V1,
        },
        key: key.secret,
        timeout: config.calcom.timeout,
        connect_timeout: config.calcom.connect_timeout,
        budget: f64::from(config.calcom.budget) / 100.0,
        clock: Arc::clone(clock),
    })?)
}

/// The key, as the process was given it.
///
/// # Errors
/// When there is none that can be used.
pub fn key(config: &Config) -> Result<ApiKey, SecretError> {
    api_key(&config.calcom, &|name| std::env::var(name).ok())
}
