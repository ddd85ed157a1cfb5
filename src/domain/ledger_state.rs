//! What the ledger knows about itself: since when it exists, which Cal.com account it belongs to,
//! and whether a restored backup waits for an operator. Nothing is declined, cancelled or charged
//! on the basis of a ledger that may be the wrong one.

use super::id::HostId;
use super::pause::Pauses;
use super::time::Time;

/// The Cal.com account whose bookings the ledger records.
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
    Identified {
        /// The account at Cal.com.
        identity: Identity,
        /// How the identity was determined, for people.
        reason: String,
    },
    /// The log was restored from a backup that ended with this commit.
    Restored {
        /// The number of the backup's last commit.
        commit: u64,
    },
    /// An operator accepts a restored backup, knowing what it does not contain.
    RestoreAccepted {
        /// Why the operator accepts the backup, for people.
        reason: String,
    },
    /// An operator pauses a gate, or everything. The fact replaces an earlier pause of the same.
    Paused {
        /// The gate. `None`: everything.
        gate: Option<String>,
        /// When the pause ends by itself. `None`: when an operator ends it.
        until: Option<Time>,
        /// Why the operator pauses, for people.
        reason: String,
    },
    /// An operator ends the pause of a gate, or of everything.
    Resumed {
        /// The gate. `None`: everything.
        gate: Option<String>,
    },
}

/// The state that these facts add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// When the first commit was written; `None` while there is none.
    pub first_commit_at: Option<Time>,
    /// `None` until the first pass has asked Cal.com which user the key acts as.
    pub identity: Option<Identity>,
    /// When a backup was restored that no operator has accepted yet.
    pub restored_at: Option<Time>,
    /// The pauses that operators made, and that may have ended by themselves.
    pub pauses: Pauses,
}

impl LedgerState {
    /// Returns true for a booking that was made before the ledger existed. A missing charge does
    /// not prove that such a booking is unpaid.
    pub fn predates(&self, created: Time) -> bool {
        self.first_commit_at.is_none_or(|began| created < began)
    }
}
