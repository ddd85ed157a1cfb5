//! What operators say of a member, and exports of what members have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Changes of what rules may look at; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    pub account: String,
    pub tier: Option<String>,
    /// Take the tier away.
    pub no_tier: bool,
    pub tags: Vec<String>,
    pub untags: Vec<String>,
    pub attributes: BTreeMap<String, String>,
    pub no_attributes: Vec<String>,
}

/// What is left of each grant, account by account; `credits import` reads it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportView {
    pub schema: u32,
    pub rows: Vec<ExportRow>,
    /// Accounts in these rows.
    pub accounts: usize,
    /// Accounts with nothing left, which no row can tell of.
    pub empty: usize,
    /// Where to go on, when there are more accounts.
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRow {
    pub account: String,
    pub credits: u64,
    pub expires: Option<String>,
    pub reason: String,
    pub reference: String,
    pub tier: Option<String>,
    pub tags: Vec<String>,
}
