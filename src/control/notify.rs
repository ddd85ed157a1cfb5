//! The JSON that `notify test` prints.

use serde::{Deserialize, Serialize};

/// The result of sending a test notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyTestView {
    /// The version of the protocol.
    pub schema: u32,
    /// Whether every target accepted the notification.
    pub ok: bool,
    /// The targets, in the order of the configuration.
    pub results: Vec<NotifyTestResultView>,
}

/// How a target took a test notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyTestResultView {
    /// The name of the target.
    pub name: String,
    /// How the target is reached: `command`, `post` or `mail`.
    pub transport: String,
    /// The id of the notification.
    pub id: String,
    /// Whether the target accepted the notification.
    pub delivered: bool,
    /// Why the target did not accept the notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
