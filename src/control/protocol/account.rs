//! Members: their credits, the grants they were given, and what operators record about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::credits::ImportProblem;

/// A person who is to be replaced by a pseudonym everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEraseCommand {
    /// The account's name, an alias, or the address of a booker who has no account.
    pub account: String,
    /// Why; recorded in the ledger, so it must not name the person.
    pub reason: String,
    /// Further names that texts about others may mention, such as the full name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A person who was replaced by a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureView {
    /// The version of the protocol.
    pub schema: u32,
    /// The name that the account has from now on.
    pub pseudonym: String,
    /// How many commits were changed.
    pub changed_commits: u64,
    /// How many charges of the person are held or open, and continue under the pseudonym.
    pub open_charges: u64,
    /// The number of the last commit.
    pub sequence: u64,
    /// The hash of that commit, in hexadecimal.
    pub hash: String,
    /// The number of the last commit before the erasure.
    pub replaced_sequence: u64,
    /// The hash that this commit had.
    pub replaced_hash: String,
}

/// Changes to what rules may read; what is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSetCommand {
    /// The account's name, or an alias.
    pub account: String,
    /// The new tier; absent: the tier stays as it is.
    pub tier: Option<String>,
    /// Remove the tier.
    #[serde(default)]
    pub no_tier: bool,
    /// Tags to add.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Tags to remove.
    #[serde(default)]
    pub untags: Vec<String>,
    /// Attributes to set, by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The names of attributes to remove.
    #[serde(default)]
    pub no_attributes: Vec<String>,
    /// How many credits bookings may take beyond what is there; absent: the limit stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdraft: Option<u64>,
    /// Remove the account's own limit of the overdraft.
    #[serde(default)]
    pub no_overdraft: bool,
}

/// What is left of each grant, account by account; `credits import` reads it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsExportView {
    /// The version of the protocol.
    pub schema: u32,
    /// One row for each grant of which something is left.
    pub rows: Vec<ExportRow>,
    /// How many accounts these rows belong to.
    pub accounts: usize,
    /// How many accounts have nothing left, and so no row.
    pub empty: usize,
    /// The account to continue after, when there are more.
    pub next: Option<String>,
}

/// What is left of one grant, with what is known about its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRow {
    /// The account's name.
    pub account: String,
    /// How many credits are left of the grant.
    pub credits: u64,
    /// When the credits expire, RFC 3339 in UTC; absent: never.
    pub expires: Option<String>,
    /// Why the credits were granted.
    pub reason: String,
    /// The reference of the grant.
    pub reference: String,
    /// The account's tier; absent when it has none.
    pub tier: Option<String>,
    /// The account's tags.
    pub tags: Vec<String>,
}

/// A grant or a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecordView {
    /// The version of the protocol.
    pub schema: u32,
    /// The account's name.
    pub account: String,
    /// `grant`, `revoke` or `restored`.
    pub kind: String,
    /// How many credits were granted or revoked.
    pub credits: u64,
    /// When the credits expire, RFC 3339 in UTC; absent: never.
    pub expires: Option<String>,
    /// Why it was made.
    pub reason: String,
    /// The reference: the name under which it is made only once.
    pub reference: String,
    /// When it was recorded. RFC 3339 in UTC.
    pub at: String,
    /// Whether it had been made before under the same reference, so that nothing was done this
    /// time.
    pub already_recorded: bool,
    /// Whether the grant opened the account.
    #[serde(default)]
    pub account_opened: bool,
    /// How many credits the account has available now.
    pub available: u64,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportView {
    /// The version of the protocol.
    pub schema: u32,
    /// How many rows the file has.
    pub rows: usize,
    /// Rows that granted credits this time.
    pub granted: usize,
    /// Rows that had been imported before.
    pub already_imported: usize,
    /// How many credits these rows granted in total.
    pub credits: u64,
    /// How many accounts the import opened.
    pub accounts_opened: usize,
    /// Accounts whose tier, tags, attributes or aliases the file changed.
    #[serde(default)]
    pub accounts_updated: usize,
    /// How many commits the import is. A file of at most 50,000 rows is one commit. Of a file with
    /// several, an account that more than one part opens or changes is counted in each part.
    #[serde(default = "one_part")]
    pub parts: usize,
    /// What is wrong with the rows, if only that was asked for; only the first 1,000 problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ImportProblem>,
    /// How many problems there are in total.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub problem_count: u64,
    /// Rows that are imported although something about them may be wrong; only the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<ImportProblem>,
    /// The columns of the file that were not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_columns: Vec<String>,
    /// Opened accounts whose names are nearly those of other accounts; only the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar_names: Vec<SimilarNameView>,
    /// Whether nothing was written: the numbers say what an import would do.
    pub dry_run: bool,
}

fn one_part() -> usize {
    1
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An account name that may be a typing mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimilarNameView {
    /// The account that the import opened.
    pub account: String,
    /// The account that existed before.
    pub existing_account: String,
}

/// The grants of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantsView {
    /// The version of the protocol.
    pub schema: u32,
    /// The account's name.
    pub account: String,
    /// Grants and revocations, newest first.
    pub grants: Vec<GrantRecordView>,
}

/// An account: its credits, and what is recorded about the member. Every credit that was granted or
/// refunded is counted in one of `available`, `held`, `posted`, `expired` and `revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// The version of the protocol.
    pub schema: u32,
    /// The account's name.
    pub account: String,
    /// Credits that can be spent now.
    pub available: u64,
    /// Credits that are reserved for bookings whose confirmation is not known yet.
    pub held: u64,
    /// Credits that were spent on confirmed bookings. A refund does not reduce this number.
    pub posted: u64,
    /// Credits of confirmed bookings that were given back.
    pub refunded: u64,
    /// Credits that expired before they were spent.
    pub expired: u64,
    /// Credits that an operator took back.
    pub revoked: u64,
    /// Credits that the account was granted.
    pub granted: u64,
    /// Credits that came from other accounts.
    #[serde(default)]
    pub received: u64,
    /// Credits that went to other accounts.
    #[serde(default)]
    pub sent: u64,
    /// Credits that bookings took beyond what was there.
    #[serde(default)]
    pub lent: u64,
    /// Lent credits that later credits have settled.
    #[serde(default)]
    pub repaid: u64,
    /// How many credits bookings may take beyond what is there; absent: as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdraft_limit: Option<u64>,
    /// Why the account was closed; absent: it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_reason: Option<String>,
    /// The account that has everything of this one; absent: it was not merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Further e-mail addresses of the member.
    pub aliases: Vec<String>,
    /// The member's tier; absent when there is none.
    #[serde(default)]
    pub tier: Option<String>,
    /// The member's tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The member's attributes, by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Why an operator froze the account.
    #[serde(default)]
    pub frozen_reason: Option<String>,
    /// Whether the member has a PIN.
    #[serde(default)]
    pub has_pin: bool,
    /// The lots from which credits can be spent now, in the order in which they pay.
    pub lots: Vec<LotView>,
}

/// A lot: what is left of one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotView {
    /// The reference of the grant.
    pub grant: String,
    /// How many credits are left.
    pub left: u64,
    /// How many credits the grant gave.
    pub granted: u64,
    /// When the lot expires, RFC 3339 in UTC; absent: never.
    pub expires: Option<String>,
    /// `paid`, `promotional` or `allowance`.
    #[serde(default = "paid")]
    pub source: String,
    /// Lots with a smaller number pay first.
    #[serde(default)]
    pub priority: i64,
    /// The gates whose bookings the lot may pay for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// How long the lot lasts after the first booking that it pays for, as a duration; absent: the
    /// first booking changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_after_first_use: Option<String>,
}

fn paid() -> String {
    "paid".to_owned()
}

/// A page of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsView {
    /// The version of the protocol.
    pub schema: u32,
    /// The accounts, ordered by name.
    pub accounts: Vec<AccountView>,
    /// The account to continue after, when there are more.
    pub next: Option<String>,
}

/// What happened to an account's credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementView {
    /// The version of the protocol.
    pub schema: u32,
    /// The account's name.
    pub account: String,
    /// The period of the entries, if the request named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<StatementPeriodView>,
    /// The entries: newest first, or of a period oldest first.
    pub entries: Vec<EntryView>,
    /// The place to continue after, when there are older entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The holds that are open now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<OpenHoldView>,
    /// Credits that expire within 30 days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expiring: Vec<ExpiringView>,
    /// The account as it is now.
    pub balance: AccountView,
}

/// The period of a statement. A balance is what is in the lots, less what was lent and is not
/// settled. `closing` is `opening` and `came_in`, less `went_out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPeriodView {
    /// When the period begins, RFC 3339 in UTC; absent: with the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When the period ends, RFC 3339 in UTC; entries of this instant are not in it. Absent: with
    /// the last entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The balance at the beginning.
    pub opening: i64,
    /// The credits that came in.
    pub came_in: i64,
    /// The credits that went out, on hold included.
    pub went_out: i64,
    /// The balance at the end.
    pub closing: i64,
}

/// Credits that are reserved for a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHoldView {
    /// The uid of the booking.
    pub booking: String,
    /// The booking's title; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When the booking starts. RFC 3339 in UTC.
    pub start: String,
    /// How many credits are reserved.
    pub credits: u64,
    /// Since when. RFC 3339 in UTC.
    pub since: String,
}

/// Credits that expire soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiringView {
    /// How many credits.
    pub credits: u64,
    /// When they expire. RFC 3339 in UTC.
    pub expires: String,
}

/// One fact, as a line for people and as separate fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// The number of the commit that wrote the fact.
    pub sequence: u64,
    /// When the fact was written. RFC 3339 in UTC.
    pub at: String,
    /// `grant`, `hold`, `post`, `void`, `refund`, `move`, `revoke`, `expire`, `decided`, `called`,
    /// `settled`, `closed`, …
    pub kind: String,
    /// How many credits the fact moves; absent for other facts.
    pub credits: Option<u64>,
    /// The uid of the booking that the fact is about; absent when it is about no booking.
    pub booking: Option<String>,
    /// The booking's title and start, where a statement shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When the booking starts. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// In a statement: by how much the entry changed the account's balance. It is 0 for an entry that
    /// moves no credits, and for a hold that is spent, because the hold has taken them already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<i64>,
    /// In a statement: the account's balance right after this entry, less what was lent and is not
    /// settled, including lots that have
    /// expired since and are not written off yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<i64>,
    /// Who gave the command that made the entry; absent when no command made it, or the log is
    /// older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The fact as text for people.
    pub text: String,
}
