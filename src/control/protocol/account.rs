//! Members: their credits, the grants they were given, and what operators record about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EntryView;

/// Changes to what rules may read; what is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSetCommand {
    pub account: String,
    pub tier: Option<String>,
    /// Remove the tier.
    pub no_tier: bool,
    pub tags: Vec<String>,
    pub untags: Vec<String>,
    pub attributes: BTreeMap<String, String>,
    pub no_attributes: Vec<String>,
}

/// What is left of each grant, account by account; `credits import` reads it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsExportView {
    pub schema: u32,
    pub rows: Vec<ExportRow>,
    /// How many accounts these rows belong to.
    pub accounts: usize,
    /// How many accounts have nothing left, and so no row.
    pub empty: usize,
    /// The account to continue after, when there are more.
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

/// A grant or a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecordView {
    pub schema: u32,
    pub account: String,
    /// `grant`, `revoke` or `restored`.
    pub kind: String,
    pub credits: u64,
    pub expires: Option<String>,
    pub reason: String,
    pub reference: String,
    pub at: String,
    /// Whether it had been made before under the same reference, so that nothing was done this
    /// time.
    pub already_recorded: bool,
    /// Whether the grant opened the account.
    #[serde(default)]
    pub account_opened: bool,
    pub available: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportView {
    pub schema: u32,
    pub rows: usize,
    /// Rows that granted credits this time.
    pub granted: usize,
    /// Rows that had been imported before.
    pub already_imported: usize,
    pub credits: u64,
    pub accounts_opened: usize,
    /// Accounts whose tier or tags the file changed.
    #[serde(default)]
    pub accounts_updated: usize,
    /// Opened accounts whose names are nearly those of other accounts; only the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar_names: Vec<SimilarNameView>,
    pub dry_run: bool,
}

/// An account name that may be a typing mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimilarNameView {
    pub account: String,
    /// The account that existed before.
    pub existing_account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantsView {
    pub schema: u32,
    pub account: String,
    pub grants: Vec<GrantRecordView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub schema: u32,
    pub account: String,
    pub available: u64,
    pub held: u64,
    pub posted: u64,
    pub refunded: u64,
    pub expired: u64,
    pub revoked: u64,
    pub granted: u64,
    pub aliases: Vec<String>,
    #[serde(default)]
    pub tier: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Why an operator froze the account.
    #[serde(default)]
    pub frozen_reason: Option<String>,
    /// Whether the member has a PIN.
    #[serde(default)]
    pub has_pin: bool,
    pub lots: Vec<LotView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotView {
    pub grant: String,
    pub left: u64,
    pub granted: u64,
    pub expires: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsView {
    pub schema: u32,
    pub accounts: Vec<AccountView>,
    /// The account to continue after, when there are more.
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementView {
    pub schema: u32,
    pub account: String,
    pub entries: Vec<EntryView>,
    pub balance: AccountView,
}
