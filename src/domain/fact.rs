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

/// One immutable recorded change, grouped by what it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    Account(AccountFact),
    Credit(CreditFact),
    Charge(ChargeFact),
    Request(RequestFact),
    Unresolved(UnresolvedFact),
    Ledger(LedgerFact),
}

/// A fact about an account that moves no credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountFact {
    /// An account exists from now on.
    Opened {
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
    Described {
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
}

/// An entry that gives credits to an account or takes them away, without a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditFact {
    /// Credits are given. The account is opened if it does not exist.
    Grant {
        reference: Reference,
        account: AccountId,
        credits: Credits,
        expires: Option<Time>,
        reason: String,
    },
    /// An operator takes back credits that are left.
    Revoke {
        reference: Reference,
        account: AccountId,
        parts: Vec<LotPart>,
        reason: String,
    },
    /// What was left of a lot expires.
    Expire { account: AccountId, part: LotPart },
}

/// An entry about the charge of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeFact {
    /// A recorded decision to confirm reserves credits for one booking.
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
    /// The hold is spent.
    Post { booking: BookingUid },
    /// The hold is given back.
    Void {
        booking: BookingUid,
        reason: EntryReason,
        /// The lots that the parts go to. When empty, each part goes back to the lot that paid.
        refund_parts: Vec<RefundPart>,
    },
    /// The charge is given back, in full or in part.
    Refund {
        booking: BookingUid,
        parts: Vec<RefundPart>,
        close: bool,
        reason: EntryReason,
    },
    /// The booking's successor takes over the charge.
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
    Closed {
        booking: BookingUid,
        reason: EntryReason,
    },
}

/// A fact about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFact {
    /// A decision. With state `Recorded` it is an intent; with `Noted` the request may be decided
    /// again. The fact does not change the request's review.
    Decided { request: Arc<Request> },
    /// An operator's review of a request that is only noted. The next pass decides by the review,
    /// and a later review replaces it.
    Reviewed {
        request: RequestId,
        decision: OperatorDecision,
        reason: String,
    },
    /// A call was made for an intent.
    CallRecorded { request: RequestId, call: CallNote },
    /// The intent is finished, or something else happened to the booking first.
    IntentSettled {
        request: RequestId,
        outcome: DecisionOutcome,
    },
}

/// A fact about the unresolved list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnresolvedFact {
    /// A booking is put on the list. The fact replaces the item with the same code.
    Listed {
        booking: BookingRef,
        code: UnresolvedCode,
        account: Option<AccountId>,
        /// When the item leaves the list by itself.
        until: Option<Time>,
        detail: String,
    },
    /// A booking is taken off the list. An operator may also resolve a booking that is not on the
    /// list, so that it is never put there.
    Resolved {
        booking: BookingUid,
        code: UnresolvedCode,
        reason: String,
        by: Resolver,
    },
}

impl AccountFact {
    /// Returns the account that the fact is about.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Opened { account }
            | Self::AliasAdded { account, .. }
            | Self::AliasRemoved { account, .. }
            | Self::Described { account, .. }
            | Self::FreezeChanged { account, .. }
            | Self::PinChanged { account, .. } => account,
        }
    }
}

impl CreditFact {
    /// Returns the account whose credits the fact changes.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Grant { account, .. }
            | Self::Revoke { account, .. }
            | Self::Expire { account, .. } => account,
        }
    }
}

impl RequestFact {
    /// Returns the request that the fact is about.
    pub fn request(&self) -> &RequestId {
        match self {
            Self::Decided { request } => &request.id,
            Self::Reviewed { request, .. }
            | Self::CallRecorded { request, .. }
            | Self::IntentSettled { request, .. } => request,
        }
    }
}

impl Fact {
    /// Returns true if the account has more credits to spend after this fact.
    pub fn returns_credits(&self) -> bool {
        matches!(
            self,
            Self::Charge(ChargeFact::Void { .. } | ChargeFact::Refund { .. })
        )
    }

    /// Returns the facts that take expired lots from an account.
    pub fn expire_parts(account: &AccountId, parts: Vec<LotPart>) -> Vec<Self> {
        let fact = |part| {
            Self::Credit(CreditFact::Expire {
                account: account.clone(),
                part,
            })
        };
        parts.into_iter().map(fact).collect()
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
