//! The JSON that `config show` prints.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The values that maitred uses, and where each comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigView {
    /// The version of the protocol.
    pub schema: u32,
    /// The path of the configuration.
    pub config: String,
    /// The hash of the policy.
    pub policy: String,
    /// Where the API key comes from. The key itself is never printed.
    pub api_key: OriginView,
    /// The options of every command.
    pub options: Vec<SettingView>,
    /// Every key of the configuration, in the order of `docs/config.md`.
    pub settings: Vec<SettingView>,
}

/// A key or an option, with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingView {
    /// The path of the key, such as `gate[0].cost`, or the option, such as `--config`.
    pub key: String,
    /// The value that is used; null if there is none.
    pub value: Value,
    /// Where the value comes from. Its fields are on the same level as `key`.
    #[serde(flatten)]
    pub origin: OriginView,
    /// Whether decisions depend on the value: then it is part of the hash of the policy.
    pub affects_decisions: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginView {
    /// `default`, `file`, `environment` or `flag`; `missing` if there is no value.
    pub origin: String,
    /// The place: the file and the line, the variable, or the option. Left out for a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}
