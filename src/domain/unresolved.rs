//! The unresolved list: what the ledger cannot settle by itself and an operator has to know about,
//! such as an accepted booking without a charge. An item stays on the list until an operator
//! resolves it, or until its booking is over, gone or settled.

use std::fmt;

use super::booking::BookingRef;
use super::id::AccountId;
use super::time::{Time, truncate_to_millis};

/// Why a booking is on the list, in one word that never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnresolvedCode {
    /// The booking was accepted, although it was cancelled or moved to another time.
    Revived,
    /// The booking was accepted in addition to another one that replaced the same paid booking.
    TwoSuccessors,
    /// The booking was accepted, and no charge is open or final for it.
    Unmanaged,
    /// A paid booking was moved, and the new time was accepted without a pass.
    AcceptedMove,
    /// The host was marked absent, and an operator has to decide about the credits.
    HostAbsent,
    /// The booking is in a state that this version does not know.
    UnknownStatus,
    /// Cal.com refused to let maitred answer the booking, and the booking waits for a person.
    Refused,
    /// The booking began while it waited for an answer. Nothing is confirmed after its start.
    Unanswered,
}

/// All codes, in the order of the declaration.
pub const UNRESOLVED_CODES: [UnresolvedCode; 8] = [
    UnresolvedCode::Revived,
    UnresolvedCode::TwoSuccessors,
    UnresolvedCode::Unmanaged,
    UnresolvedCode::AcceptedMove,
    UnresolvedCode::HostAbsent,
    UnresolvedCode::UnknownStatus,
    UnresolvedCode::Refused,
    UnresolvedCode::Unanswered,
];

impl UnresolvedCode {
    /// Returns the word for this code in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revived => "revived",
            Self::TwoSuccessors => "two-successors",
            Self::Unmanaged => "unmanaged",
            Self::AcceptedMove => "accepted-move",
            Self::HostAbsent => "host-absent",
            Self::UnknownStatus => "unknown-status",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }

    /// Returns the code with this word. `None`: there is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        let mut codes = UNRESOLVED_CODES.into_iter();
        codes.find(|code| code.as_str() == text)
    }
}

impl fmt::Display for UnresolvedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One booking on the list for one reason. A booking has at most one item of each code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedBooking {
    /// The booking that a person has to look at.
    pub booking: BookingRef,
    /// Why the booking is on the list.
    pub code: UnresolvedCode,
    /// The account that pays or should pay. `None` when no account is known.
    pub account: Option<AccountId>,
    /// When the item leaves the list by itself. `None`: it stays until it is resolved.
    pub until: Option<Time>,
    /// What was found, for people.
    pub detail: String,
    /// When the item was put on the list.
    pub since: Time,
    /// Whether the item is still on the list.
    pub state: UnresolvedState,
}

/// Whether an item is on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnresolvedState {
    /// The item is on the list.
    Open,
    /// The item was taken off the list.
    Resolved {
        /// Why the item was taken off, for people.
        reason: String,
        /// The actor that took the item off.
        by: Resolver,
        /// When the item was taken off.
        at: Time,
    },
}

/// The actor that took an item off the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// An operator. The same finding is not put on the list again.
    Operator,
    /// The watch, because the finding no longer holds. If it holds again, it is listed again.
    Watch,
}

impl Resolver {
    /// Returns the word for this actor in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Watch => "watch",
        }
    }
}

impl UnresolvedBooking {
    /// Returns true if the item is on the list.
    pub fn is_open(&self) -> bool {
        self.state == UnresolvedState::Open
    }

    /// Returns true if an operator has resolved the item, so that the same finding is not listed
    /// again.
    pub fn is_resolved_by_operator(&self) -> bool {
        match &self.state {
            UnresolvedState::Open => false,
            UnresolvedState::Resolved { by, .. } => *by == Resolver::Operator,
        }
    }

    /// Returns the item's place in the list: items that leave the list earlier come first.
    pub fn rank(&self) -> UnresolvedRank {
        UnresolvedRank {
            until: self
                .until
                .unwrap_or_else(|| truncate_to_millis(Time::MAX_UTC)),
            name: format!("{} {}", self.booking.uid, self.code),
        }
    }
}

/// Returns true if an operator has resolved an item with this code.
pub fn has_operator_resolution(items: &[UnresolvedBooking], code: UnresolvedCode) -> bool {
    let mut items = items.iter();
    items.any(|item| item.code == code && item.is_resolved_by_operator())
}

/// Returns true if an item with this code is on the list.
pub fn is_listed(items: &[UnresolvedBooking], code: UnresolvedCode) -> bool {
    items.iter().any(|item| item.code == code && item.is_open())
}

/// A place in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnresolvedRank {
    /// When the item leaves the list by itself. Items that stay come last.
    pub until: Time,
    /// The booking's uid and the code, separated by a blank; neither contains one.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unresolved_code_parses_from_its_own_text() {
        for code in UNRESOLVED_CODES {
            assert_eq!(UnresolvedCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(UnresolvedCode::parse("no-such-code"), None);
    }
}
