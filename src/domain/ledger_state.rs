//! What the ledger knows of itself: since when it exists, which Cal.com account it belongs to, and
//! whether a restored backup waits for an operator. Nothing is declined, cancelled or charged on the
//! strength of a ledger that may be the wrong one.

use super::id::HostId;
use super::time::Time;

/// The Cal.com account whose bookings the ledger is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Host, port and path prefix of the server, without its scheme.
    pub server: String,
    /// The user that the API key acts as.
    pub user: HostId,
    /// `v1` or `v2`.
    pub dialect: String,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            server,
            user,
            dialect,
        } = self;
        write!(f, "account {user} at {server} ({dialect})")
    }
}

/// A fact about the ledger as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerFact {
    /// The ledger belongs to this account from now on.
    Identified { identity: Identity, reason: String },
    /// The log was restored from a backup that ended with this commit.
    Restored { commit: u64 },
    /// An operator has seen what the restored backup does not know, and accepts it.
    RestoreAccepted { reason: String },
}

/// What these facts add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// When the first commit was written; `None` while there is none.
    pub first_commit_at: Option<Time>,
    /// `None` until the first pass has asked Cal.com who the key acts as.
    pub identity: Option<Identity>,
    /// When a backup was restored that no operator has accepted yet.
    pub restored_at: Option<Time>,
}

impl LedgerState {
    /// Returns true for a booking that was made before the ledger knew of any: that it has no charge
    /// says nothing about whether it was paid.
    pub fn predates(&self, created: Time) -> bool {
        self.first_commit_at.is_none_or(|began| created < began)
    }
}
