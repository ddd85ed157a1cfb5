//! Facts: the one thing that is ever written down. A commit is facts that stand or fall together;
//! the log is the list of commits; everything else is what they add up to (`ledger`).

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

/// Facts one commit may hold. A larger batch is split by whoever makes it; an import that must
/// stand or fall as one is refused above this.
pub const MAX_FACTS: usize = 200_000;

/// One immutable thing that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An account exists from now on.
    AccountOpened {
        account: AccountId,
    },
    /// Another address of the member.
    AliasAdded {
        account: AccountId,
        alias: Address,
    },
    AliasRemoved {
        account: AccountId,
        alias: Address,
    },
    /// What rules may look at; replaces what was there.
    AccountDescribed {
        account: AccountId,
        tier: Option<String>,
        tags: BTreeSet<String>,
        attributes: BTreeMap<String, String>,
    },
    /// Frozen with a reason, or thawed (`None`).
    FreezeChanged {
        account: AccountId,
        reason: Option<String>,
    },
    /// The hash of the member's PIN, or none.
    PinChanged {
        account: AccountId,
        hash: Option<String>,
    },

    /// Entry: credits given. Opens the account when there is none.
    Grant {
        reference: Reference,
        account: AccountId,
        credits: Credits,
        expires: Option<Time>,
        reason: String,
    },
    /// Entry: credits taken back by an operator from what is left.
    Revoke {
        reference: Reference,
        account: AccountId,
        parts: Vec<LotPart>,
        reason: String,
    },
    /// Entry: what was left of a lot when its time came.
    Expire {
        account: AccountId,
        part: LotPart,
    },
    /// Entry: credits set aside for one booking by a recorded decision to confirm.
    Hold {
        booking: BookingRef,
        request: RequestId,
        account: AccountId,
        parts: Vec<LotPart>,
        event_type: Option<EventTypeId>,
        host: Option<HostId>,
        start: Time,
        end: Time,
        /// The terms on which it comes back; none in logs of older versions.
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
        /// Where its parts go; when empty, each goes to the lot that paid.
        refund_parts: Vec<RefundPart>,
    },
    /// Entry: (a part of) a charge is given back.
    Refund {
        booking: BookingUid,
        parts: Vec<RefundPart>,
        close: bool,
        reason: EntryReason,
    },
    /// Entry: the charge goes on with the booking's successor.
    Move {
        from: BookingUid,
        to: BookingRef,
        start: Time,
        end: Time,
        /// Credits that a later cancellation by the booker does not give back, because a cancellation
        /// at the moment of the move would have cost them.
        non_refundable: Credits,
    },
    /// Nothing can change any more: the charge is final.
    ChargeClosed {
        booking: BookingUid,
        reason: EntryReason,
    },

    /// A decision. With state `Recorded` it is an intent; with `Noted` it may be judged again.
    /// It brings no review of its own: the one that stands goes on.
    RequestDecided {
        request: Arc<Request>,
    },
    /// An operator's word about a request that is only noted: the next pass decides by it. A later
    /// one replaces it.
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
    /// The intent is finished, or was overtaken.
    IntentSettled {
        request: RequestId,
        outcome: DecisionOutcome,
    },

    /// A booking is on the unresolved list. Replaces the item of the same code.
    UnresolvedListed {
        booking: BookingRef,
        code: UnresolvedCode,
        account: Option<AccountId>,
        /// When it leaves the list by itself.
        until: Option<Time>,
        detail: String,
    },
    /// It is not on the list any more. An operator may also resolve what is not on the list, so that
    /// it never gets there.
    UnresolvedResolved {
        booking: BookingUid,
        code: UnresolvedCode,
        reason: String,
        by: Resolver,
    },
    /// Something about the ledger as a whole.
    Ledger(LedgerFact),
}

impl Fact {
    /// Whether the account has more to spend afterwards.
    pub fn returns_credits(&self) -> bool {
        matches!(self, Self::Void { .. } | Self::Refund { .. })
    }
}

/// Credits going back to the lot that paid, or, where that one has expired, to a lot of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPart {
    /// The lot that paid.
    pub grant: Reference,
    pub credits: Credits,
    /// A new lot under this name and with this expiry, in place of the one that paid.
    pub replacement_lot: Option<(Reference, Time)>,
}

/// Facts that stand or fall together, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// From 1, without gaps.
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
