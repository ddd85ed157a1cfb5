//! Credits that an operator gives or takes back, one by one or from a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A grant of credits to an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCommand {
    /// The account's name, or an alias; a name without an account opens the account.
    pub account: String,
    /// How many credits are granted; at least 1.
    pub credits: u64,
    /// RFC 3339; absent: the grant never expires.
    pub expires: Option<String>,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// Absent: a reference is generated, and the command is not safe to repeat.
    pub reference: Option<String>,
    /// Open the account even if its name is nearly that of another one.
    #[serde(default)]
    pub new: bool,
    /// `paid`, `promotional` or `allowance`; absent: paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Lots with a smaller number pay first; absent: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The gates whose bookings the credits may pay for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// How many seconds the credits last after the first booking that they paid for was confirmed;
    /// absent: the first booking changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_after_first_use: Option<u64>,
}

/// A balance that an account gets: the difference is granted or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBalanceCommand {
    /// The account's name, or an alias.
    pub account: String,
    /// The credits that can be spent from now on; 0 is possible.
    pub credits: u64,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// Absent: a reference is generated, and the command is not safe to repeat.
    pub reference: Option<String>,
}

/// Credits that go from one account to another, with the expiry and the terms of their lots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferCommand {
    /// The name of the account that gives, or an alias.
    pub from: String,
    /// The name of the account that gets the credits, or an alias; a name without an account opens the
    /// account.
    pub to: String,
    /// How many credits; at least 1.
    pub credits: u64,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// Absent: a reference is generated, and the command is not safe to repeat.
    pub reference: Option<String>,
    /// Open the account even if its name is nearly that of another one.
    #[serde(default)]
    pub new: bool,
}

/// Credits that are taken back from an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeCommand {
    /// The account's name, or an alias.
    pub account: String,
    /// How many credits are taken back; at least 1.
    pub credits: u64,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// Absent: a reference is generated, and the command is not safe to repeat.
    pub reference: Option<String>,
}

/// One row of an import, with its line number in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    /// The number of the line in the file.
    pub line: u64,
    /// The account's name, or an alias; a name without an account opens the account.
    pub account: String,
    /// How many credits are granted. A row with 0 credits only opens the account.
    pub credits: u64,
    /// RFC 3339; absent: the grant never expires.
    pub expires: Option<String>,
    /// Why; absent: a default text is recorded.
    pub reason: Option<String>,
    /// The reference of the grant. A row whose reference is recorded already grants nothing.
    pub reference: String,
    /// The account's new tier; absent: the tier stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The account's new tags; empty: the tags stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Further addresses that lead to the account from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Attributes of the account that get a new value; others stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// What is wrong with one line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportProblem {
    /// The number of the line in the file.
    pub line: u64,
    /// What is wrong, and what to do, as text for an operator.
    pub text: String,
}
