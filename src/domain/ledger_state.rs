//! What the ledger knows about itself: since when it exists, which Cal.com account it belongs to,
//! and whether a restored backup waits for an operator. Nothing is declined, cancelled or charged
//! on the basis of a ledger that may be the wrong one.

use super::id::HostId;
use super::pause::Pauses;
use super::time::{CLOCK_TOLERANCE, Time};

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
    /// Returns true for a booking that may have been made before the ledger existed. A missing
    /// charge does not prove that such a booking is unpaid.
    ///
    /// `created` is a time of the server's clock, and the ledger began by the local clock. The
    /// server's clock may be ahead by [`CLOCK_TOLERANCE`], so a booking counts as older until that
    /// much later: a booking that is taken for older is only reported, and an operator decides
    /// about it, but a booking that is wrongly taken for younger would be cancelled or charged.
    pub fn predates(&self, created: Time) -> bool {
        self.first_commit_at
            .is_none_or(|began| created < began + CLOCK_TOLERANCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    /// A booking that was made before the ledger began has a later time when the server's clock is
    /// ahead of the local one.
    #[test]
    fn a_booking_counts_as_older_than_the_ledger_within_the_tolerance_of_the_clocks() {
        let began = Time::UNIX_EPOCH + Span::days(20_000);
        let state = LedgerState {
            first_commit_at: Some(began),
            ..LedgerState::default()
        };
        let rows = [
            (-1, true),
            (0, true),
            (119, true),
            (120, false),
            (121, false),
        ];
        for (after, expect) in rows {
            let created = began + Span::seconds(after);
            assert_eq!(state.predates(created), expect, "{after} s");
        }
        assert!(LedgerState::default().predates(began), "no ledger at all");
    }
}
