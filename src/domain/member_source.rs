//! Sources: the operator's own systems that decide who is a member. Which system is asked, how its
//! fields are read, and what it may change in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::decision::Credits;
use super::id::Address;
use super::secret_path::SecretPath;

/// The most members that one source may list. A larger list is refused and changes nothing.
pub const MAX_MEMBERS: usize = 200_000;

/// The attribute that names the source that manages an account. Operators see it in
/// `maitred account show`, rules may read it, and an operator who removes it takes the account away
/// from the source.
pub const SOURCE_ATTRIBUTE: &str = "source";

/// A system that decides who is a member, and what it may change in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSource {
    /// Letters, digits, `-` and `_`. References of grants and reasons of freezes contain the name.
    pub name: String,
    /// The system, and how it is asked.
    pub kind: MemberSourceKind,
    /// Where the fields of a member are in what the system returns.
    pub fields: RecordFields,
    /// The slugs of booking questions whose answers are sent with the booker's address.
    pub answers: Vec<String>,
    /// What the number of credits in a record means. `None`: it is not read.
    pub balance: Option<BalanceMeaning>,
    /// What happens to members who are no longer listed.
    pub leavers: Leavers,
    /// The largest share of the accounts that one sync may change, in percent.
    pub max_change: u8,
    /// Whether the members are listed by schedule.
    pub sync: bool,
    /// The time from the start to the last byte of an answer about one booker.
    pub timeout: Duration,
    /// How long an answer about one booker is valid; zero means for one request.
    pub cached_for: Duration,
    /// How many questions may run at the same time.
    pub at_once: usize,
}

/// The system that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberSourceKind {
    /// A program, given by its whole path, and its arguments; no shell is involved.
    Command {
        /// The whole path of the program.
        program: PathBuf,
        /// The arguments. The program reads the question from its standard input.
        args: Vec<String>,
    },
    /// An HTTP endpoint.
    Http(HttpSource),
    /// A CSV file, or a folder of CSV files.
    Csv {
        /// The path of the file or the folder.
        path: PathBuf,
    },
    /// A database.
    Sql {
        /// Holds the URL of the database.
        url_file: SecretPath,
        /// The query for one member. `None`: no question is asked.
        query: Option<String>,
        /// The query for all members. `None`: members are not listed.
        query_all: Option<String>,
    },
}

/// An HTTP endpoint with members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpSource {
    /// The address of the request about one booker, with placeholders. `None`: no question is asked.
    pub url: Option<String>,
    /// The JSON body of the request about one booker, which is then a POST.
    pub body: Option<String>,
    /// Where in an answer the member is, as a JSON pointer. `None`: the answer is the member.
    pub member_at: Option<String>,
    /// The address of the request for all members. `None`: members are not listed.
    pub url_all: Option<String>,
    /// The JSON body of the request for all members, which is then a POST.
    pub body_all: Option<String>,
    /// Where in an answer the list of members is, as a JSON pointer. `None`: the answer is the list.
    pub members_at: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Holds the token that is sent as `Authorization: Bearer`.
    pub credential_file: Option<SecretPath>,
}

/// Where the fields of a member are in a record: the name of a field, or a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFields {
    /// The member's e-mail address, which becomes the name of the account.
    pub address: String,
    /// The member's tier.
    pub tier: String,
    /// The member's tags.
    pub tags: String,
    /// Further addresses of the member.
    pub aliases: String,
    /// Whether the member is frozen.
    pub frozen: String,
    /// The number of credits.
    pub balance: String,
    /// The attributes that are taken over, by name.
    pub attributes: BTreeMap<String, String>,
}

impl Default for RecordFields {
    fn default() -> Self {
        Self {
            address: "address".to_owned(),
            tier: "tier".to_owned(),
            tags: "tags".to_owned(),
            aliases: "aliases".to_owned(),
            frozen: "frozen".to_owned(),
            balance: "balance".to_owned(),
            attributes: BTreeMap::new(),
        }
    }
}

/// What the number of credits in a record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceMeaning {
    /// The credits that the member has left. The other system must learn about every booking, or
    /// each sync gives back what bookings have cost.
    Left,
    /// The credits that the member was ever given. Bookings do not change the number.
    Given,
}

/// What happens to the account of a member who is no longer listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leavers {
    /// The account stays as it is.
    Ignore,
    /// The account is frozen until the member is listed again.
    Freeze,
    /// The account is closed until the member is listed again.
    Close,
}

/// What a source says about one member. What a record does not have stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberRecord {
    /// The member's address. `None`: the address that was asked for.
    pub address: Option<Address>,
    /// The member's tier; `Some(None)` means none.
    pub tier: Option<Option<String>>,
    /// All tags of the member.
    pub tags: Option<BTreeSet<String>>,
    /// Attributes by name; `None` removes the attribute.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Further addresses of the member.
    pub aliases: BTreeSet<Address>,
    /// Whether the member is frozen.
    pub frozen: Option<bool>,
    /// The number of credits.
    pub balance: Option<Credits>,
}

impl MemberSource {
    /// Returns true if single bookers can be asked about.
    pub fn answers_questions(&self) -> bool {
        match &self.kind {
            MemberSourceKind::Command { .. } | MemberSourceKind::Csv { .. } => true,
            MemberSourceKind::Http(http) => http.url.is_some(),
            MemberSourceKind::Sql { query, .. } => query.is_some(),
        }
    }

    /// Returns true if all members can be listed.
    pub fn lists_members(&self) -> bool {
        match &self.kind {
            MemberSourceKind::Command { .. } | MemberSourceKind::Csv { .. } => true,
            MemberSourceKind::Http(http) => http.url_all.is_some(),
            MemberSourceKind::Sql { query_all, .. } => query_all.is_some(),
        }
    }
}
