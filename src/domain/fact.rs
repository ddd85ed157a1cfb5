//! Facts: the only thing that is ever recorded. A commit is a group of facts that are written
//! together or not at all. The log is the list of commits, and everything else is derived from it
//! (`ledger`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::LotPart;
use super::booking::BookingRef;
use super::decision::{Credits, DecisionOutcome};
use super::entry_reason::EntryReason;
use super::id::{AccountId, Address, BookingUid, EventTypeId, HostId, Reference, RequestId};
use super::ledger_state::LedgerFact;
use super::refund_policy::RefundTerms;
use super::request::{CallNote, OperatorDecision, Request};
use super::time::Time;
use super::unresolved::{Resolver, UnresolvedCode};

/// The largest number of facts in one commit. The caller splits a larger batch; an import that must
/// be written as a whole is refused above this limit.
pub const MAX_FACTS: usize = 200_000;

/// One immutable recorded change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An account exists from now on.
    AccountOpened {
        account: AccountId,
    },
    /// The member has another address.
    AliasAdded {
        account: AccountId,
        alias: Address,
    },
    AliasRemoved {
        account: AccountId,
        alias: Address,
    },
    /// The data that rules may read. It replaces the earlier data.
    AccountDescribed {
        account: AccountId,
        tier: Option<String>,
        tags: BTreeSet<String>,
        attributes: BTreeMap<String, String>,
    },
    /// The account is frozen with a reason, or no longer frozen (`None`).
    FreezeChanged {
        account: AccountId,
        reason: Option<String>,
    },
    /// The hash of the member's PIN. `None`: the member has no PIN.
    PinChanged {
        account: AccountId,
        hash: Option<String>,
    },

    /// Entry: credits are given. The account is opened if it does not exist.
    Grant {
        reference: Reference,
        account: AccountId,
        credits: Credits,
        expires: Option<Time>,
        reason: String,
    },
    /// Entry: an operator takes back credits that are left.
    Revoke {
        reference: Reference,
        account: AccountId,
        parts: Vec<LotPart>,
        reason: String,
    },
    /// Entry: what was left of a lot expires.
    Expire {
        account: AccountId,
        part: LotPart,
    },
    /// Entry: a recorded decision to confirm reserves credits for one booking.
    Hold {
        booking: BookingRef,
        request: RequestId,
        account: AccountId,
        parts: Vec<LotPart>,
        event_type: Option<EventTypeId>,
        host: Option<HostId>,
        start: Time,
        end: Time,
        /// The terms on which the credits come back. `None` in logs of older versions.
        terms: Option<Arc<RefundTerms>>,
    },
    /// Entry: the hold is spent.
    Post {
        booking: BookingUid,
    },
    /// Entry: the hold is given back.
    Void {
        booking: BookingUid,
        reason: EntryReason,
        /// The lots that the parts go to. When empty, each part goes back to the lot that paid.
        refund_parts: Vec<RefundPart>,
    },
    /// Entry: a charge is given back, in full or in part.
    Refund {
        booking: BookingUid,
        parts: Vec<RefundPart>,
        close: bool,
        reason: EntryReason,
    },
    /// Entry: the booking's successor takes over the charge.
    Move {
        from: BookingUid,
        to: BookingRef,
        start: Time,
        end: Time,
        /// Credits that a later cancellation by the booker does not give back, because a
        /// cancellation at the moment of the move would have cost them.
        non_refundable: Credits,
    },
    /// The charge is final, because nothing can change any more.
    ChargeClosed {
        booking: BookingUid,
        reason: EntryReason,
    },

    /// A decision. With state `Recorded` it is an intent; with `Noted` the request may be decided
    /// again. The fact does not change the request's review.
    RequestDecided {
        request: Arc<Request>,
    },
    /// An operator's review of a request that is only noted. The next pass decides by the review,
    /// and a later review replaces it.
    RequestReviewed {
        request: RequestId,
        decision: OperatorDecision,
        reason: String,
    },
    /// A call was made for an intent.
    CallRecorded {
        request: RequestId,
        call: CallNote,
    },
    /// The intent is finished, or something else happened to the booking first.
    IntentSettled {
        request: RequestId,
        outcome: DecisionOutcome,
    },

    /// A booking is put on the unresolved list. The fact replaces the item with the same code.
    UnresolvedListed {
        booking: BookingRef,
        code: UnresolvedCode,
        account: Option<AccountId>,
        /// When the item leaves the list by itself.
        until: Option<Time>,
        detail: String,
    },
    /// A booking is taken off the unresolved list. An operator may also resolve a booking that is
    /// not on the list, so that it is never put there.
    UnresolvedResolved {
        booking: BookingUid,
        code: UnresolvedCode,
        reason: String,
        by: Resolver,
    },
    /// A fact about the ledger as a whole.
    Ledger(LedgerFact),
}

impl Fact {
    /// Returns true if the account has more credits to spend after this fact.
    pub fn returns_credits(&self) -> bool {
        matches!(self, Self::Void { .. } | Self::Refund { .. })
    }
}

/// Credits that go back to the lot that paid or, if that lot has expired, to a new lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPart {
    /// The lot that paid.
    pub grant: Reference,
    pub credits: Credits,
    /// The name and the expiry of a new lot that replaces the one that paid.
    pub replacement_lot: Option<(Reference, Time)>,
}

/// Facts that are written together or not at all, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The commit's number: from 1, without gaps.
    pub seq: u64,
    pub at: Time,
    pub facts: Vec<Fact>,
}

impl Fact {
    /// Returns the facts that take expired lots from an account.
    pub fn expire_parts(account: &AccountId, parts: Vec<LotPart>) -> Vec<Self> {
        let fact = |part| Self::Expire {
            account: account.clone(),
            part,
        };
        parts.into_iter().map(fact).collect()
    }
}
