//! Facts: the only thing that is ever recorded. A commit is a group of facts that are written
//! together or not at all. The log is the list of commits, and everything else is derived from it
//! (`ledger`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::LotPart;
use super::actor::Actor;
use super::booking::BookingRef;
use super::decision::{Credits, DecisionOutcome};
use super::entry_reason::EntryReason;
use super::id::{AccountId, Address, BookingUid, EventTypeId, HostId, Reference, RequestId};
use super::ledger_state::LedgerFact;
use super::lot::LotTerms;
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
    /// An account was opened, or its names, data, freeze or PIN changed.
    Account(AccountFact),
    /// Credits were given or taken away without a booking.
    Credit(CreditFact),
    /// Credits of a booking were held, spent, given back or passed on.
    Charge(ChargeFact),
    /// A request was decided or reviewed, or its decision was carried out.
    Request(RequestFact),
    /// The list of bookings that a person has to look at changed.
    Unresolved(UnresolvedFact),
    /// The ledger got an owner, or a backup was restored.
    Ledger(LedgerFact),
    /// Who gave the command that made the commit. It is the first fact of the commit and changes
    /// no record.
    By(Actor),
}

/// A fact about an account that moves no credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountFact {
    /// An account exists from now on.
    Opened {
        /// The new account.
        account: AccountId,
    },
    /// The member has another address.
    AliasAdded {
        /// The member's account.
        account: AccountId,
        /// The address that leads to the account from now on.
        alias: Address,
    },
    /// An address no longer leads to the account.
    AliasRemoved {
        /// The member's account.
        account: AccountId,
        /// The address that is removed.
        alias: Address,
    },
    /// The data that rules may read. It replaces the earlier data.
    Described {
        /// The member's account.
        account: AccountId,
        /// The member's tier. `None`: the member has no tier.
        tier: Option<String>,
        /// All tags of the member.
        tags: BTreeSet<String>,
        /// All further data about the member, by name.
        attributes: BTreeMap<String, String>,
    },
    /// The account is frozen with a reason, or no longer frozen (`None`).
    FreezeChanged {
        /// The member's account.
        account: AccountId,
        /// Why an operator freezes the account.
        reason: Option<String>,
        /// Whether no lot expires while the account is frozen: the end of the freeze extends each
        /// by the time that it lasted. Only the beginning of a freeze names it.
        stops_expiry: bool,
    },
    /// The hash of the member's PIN. `None`: the member has no PIN.
    PinChanged {
        /// The member's account.
        account: AccountId,
        /// The hash of the PIN; never the PIN.
        hash: Option<String>,
    },
    /// How many credits bookings may take beyond what is there. `None`: as the policy says.
    OverdraftChanged {
        /// The member's account.
        account: AccountId,
        /// The limit of this account.
        limit: Option<Credits>,
    },
    /// The account is closed. It accepts no credits and pays for nothing until it is opened again.
    Closed {
        /// The account.
        account: AccountId,
        /// Why, for people.
        reason: String,
    },
    /// A closed account is open again.
    Reopened {
        /// The account.
        account: AccountId,
    },
    /// An account passes its lots, names and charges on to another account, and is closed.
    Merged {
        /// The account that is closed.
        account: AccountId,
        /// The account that has everything from now on.
        into: AccountId,
        /// The credits that were left in the lots.
        credits: Credits,
        /// The bookings whose charges the other account takes over.
        charges: Vec<BookingUid>,
        /// Why, for people.
        reason: String,
    },
}

/// An entry that gives credits to an account or takes them away, without a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditFact {
    /// Credits are given. The account is opened if it does not exist.
    Grant {
        /// The name of the grant, by which a repeated command is recognized.
        reference: Reference,
        /// The account that gets the credits.
        account: AccountId,
        /// The credits that are given: from 1 to `MAX_CREDITS`.
        credits: Credits,
        /// The instant from which the credits count as expired. `None`: never.
        expires: Option<Time>,
        /// On what terms the credits are given.
        terms: LotTerms,
        /// Why the credits are given, for people.
        reason: String,
    },
    /// An operator takes back credits that are left.
    Revoke {
        /// The name of the revocation, by which a repeated command is recognized.
        reference: Reference,
        /// The account that loses the credits.
        account: AccountId,
        /// The lots that lose credits, and how many each.
        parts: Vec<LotPart>,
        /// Why the credits are taken back, for people.
        reason: String,
    },
    /// What was left of a lot expires.
    Expire {
        /// The account of the lot.
        account: AccountId,
        /// The lot and the credits that were left.
        part: LotPart,
    },
    /// An operator passes credits on to another account, with the expiry and the terms of their lots.
    Transfer {
        /// The name of the transfer, by which a repeated command is recognized. The lots of the other
        /// account are named after it.
        reference: Reference,
        /// The account that gives the credits.
        account: AccountId,
        /// The account that gets the credits. It is opened if it does not exist.
        to: AccountId,
        /// The lots that give credits, and how many each.
        parts: Vec<LotPart>,
        /// Why the credits are passed on, for people.
        reason: String,
    },
}

/// An entry about the charge of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeFact {
    /// A recorded decision to confirm reserves credits for one booking.
    Hold {
        /// The booking that the credits pay for.
        booking: BookingRef,
        /// The request whose decision reserves the credits.
        request: RequestId,
        /// The account that pays.
        account: AccountId,
        /// The lots that pay, and how much each. Empty when the booking costs nothing.
        parts: Vec<LotPart>,
        /// The credits that the account is lent for this booking. They pay in addition to the parts.
        lent: Credits,
        /// The number of the booking's event type. `None` when the event type was deleted.
        event_type: Option<EventTypeId>,
        /// The host's number. `None` when the server shows no host, or when the user was deleted.
        host: Option<HostId>,
        /// When the booking starts.
        start: Time,
        /// When the booking ends.
        end: Time,
        /// The terms on which the credits come back. `None` in logs of older versions.
        terms: Option<Arc<RefundTerms>>,
    },
    /// The hold is spent.
    Post {
        /// The booking that was confirmed.
        booking: BookingUid,
    },
    /// The hold is given back.
    Void {
        /// The booking that the hold was for.
        booking: BookingUid,
        /// Why the credits come back.
        reason: EntryReason,
        /// The lots that the parts go to. When empty, each part goes back to the lot that paid.
        refund_parts: Vec<RefundPart>,
    },
    /// The charge is given back, in full or in part.
    Refund {
        /// The booking that the charge was for.
        booking: BookingUid,
        /// The lots that paid and the credits that come back. Empty when none come back.
        parts: Vec<RefundPart>,
        /// Whether the charge is closed, so that no further refund follows.
        close: bool,
        /// Why the credits come back.
        reason: EntryReason,
    },
    /// The booking's successor takes over the charge.
    Move {
        /// The booking that paid so far.
        from: BookingUid,
        /// The successor, which has the charge from now on.
        to: BookingRef,
        /// When the successor starts.
        start: Time,
        /// When the successor ends.
        end: Time,
        /// Credits that a later cancellation by the booker does not give back, because a
        /// cancellation at the moment of the move would have cost them.
        non_refundable: Credits,
    },
    /// The charge is final, because nothing can change any more.
    Closed {
        /// The booking that the charge is for.
        booking: BookingUid,
        /// Why the credits stay spent.
        reason: EntryReason,
    },
}

/// A fact about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFact {
    /// A decision. With state `Recorded` it is an intent; with `Noted` the request may be decided
    /// again. The fact does not change the request's review.
    Decided {
        /// The request with the decision, as it is recorded.
        request: Arc<Request>,
    },
    /// An operator's review of a request that is only noted. The next pass decides by the review,
    /// and a later review replaces it.
    Reviewed {
        /// The request's id.
        request: RequestId,
        /// What the operator decides.
        decision: OperatorDecision,
        /// Why the operator decides so, for people.
        reason: String,
    },
    /// A call was made for an intent.
    CallRecorded {
        /// The intent's id.
        request: RequestId,
        /// The call and its result.
        call: CallNote,
    },
    /// The intent is finished, or something else happened to the booking first.
    IntentSettled {
        /// The intent's id.
        request: RequestId,
        /// How the intent ended.
        outcome: DecisionOutcome,
    },
}

/// A fact about the unresolved list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnresolvedFact {
    /// A booking is put on the list. The fact replaces the item with the same code.
    Listed {
        /// The booking that a person has to look at.
        booking: BookingRef,
        /// Why the booking is listed.
        code: UnresolvedCode,
        /// The account that pays or should pay. `None` when no account is known.
        account: Option<AccountId>,
        /// When the item leaves the list by itself.
        until: Option<Time>,
        /// What was found, for people.
        detail: String,
    },
    /// A booking is taken off the list. An operator may also resolve a booking that is not on the
    /// list, so that it is never put there.
    Resolved {
        /// The booking that is taken off.
        booking: BookingUid,
        /// The code of the item that is taken off. Items with other codes stay.
        code: UnresolvedCode,
        /// Why the item is taken off, for people.
        reason: String,
        /// The actor that takes the item off.
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
            | Self::PinChanged { account, .. }
            | Self::OverdraftChanged { account, .. }
            | Self::Closed { account, .. }
            | Self::Reopened { account }
            | Self::Merged { account, .. } => account,
        }
    }

    /// Returns the other account that the fact changes.
    pub fn other_account(&self) -> Option<&AccountId> {
        match self {
            Self::Merged { into, .. } => Some(into),
            _ => None,
        }
    }
}

impl CreditFact {
    /// Returns the account whose credits the fact changes.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Grant { account, .. }
            | Self::Revoke { account, .. }
            | Self::Expire { account, .. }
            | Self::Transfer { account, .. } => account,
        }
    }

    /// Returns the other account that the fact changes.
    pub fn other_account(&self) -> Option<&AccountId> {
        match self {
            Self::Transfer { to, .. } => Some(to),
            Self::Grant { .. } | Self::Revoke { .. } | Self::Expire { .. } => None,
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
    /// The credits that go back.
    pub credits: Credits,
    /// The name and the expiry of a new lot that replaces the one that paid.
    pub replacement_lot: Option<(Reference, Time)>,
}

/// Facts that are written together or not at all, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The commit's number: from 1, without gaps.
    pub seq: u64,
    /// When the commit was written, by the local clock.
    pub at: Time,
    /// The facts, in the order in which they are applied.
    pub facts: Vec<Fact>,
}

impl Commit {
    /// Returns who gave the command that made the commit. `None`: no command made it, or the log is
    /// older.
    pub fn actor(&self) -> Option<&Actor> {
        match self.facts.first() {
            Some(Fact::By(actor)) => Some(actor),
            _ => None,
        }
    }
}
