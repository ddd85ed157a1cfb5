//! The record of a request after a decision about it, and the record of a charge after credits were
//! reserved for a booking. Both are folds of facts, and neither is ever edited by hand.

use std::borrow::Cow;
use std::sync::Arc;

use super::account::{LotPart, sum_credits};
use super::booking::BookingRef;
use super::decision::{Credits, Decision, DecisionOutcome, Finding, Reason, ReasonCode};
use super::entry_reason::EntryReason;
use super::id::{AccountId, Address, BookingUid, EventTypeId, HostId, RequestId};
use super::refund_policy::RefundTerms;
use super::time::Time;

/// The largest number of calls that are kept with one request. Older calls are still in the log.
pub const MAX_CALLS: usize = 20;

/// The largest number of occurrences of one request. Cal.com's own limit for a series is lower.
pub const MAX_OCCURRENCES: usize = 1_000;

/// A request: what is decided as one, when it was decided, and how far the decision has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The uid of the series. Without a series, or when the series was answered before, the uid of
    /// the oldest booking.
    pub id: RequestId,
    /// The occurrences that the decision is about, in order of start. A single booking is one
    /// occurrence.
    pub bookings: Vec<BookingRef>,
    /// The series that the bookings belong to, if there is one.
    pub series: Option<RequestId>,
    /// The title of the first booking.
    pub title: String,
    /// The number of the event type. `None` when the event type was deleted.
    pub event_type: Option<EventTypeId>,
    /// The slug of the event type. `None` when the server does not show it.
    pub slug: Option<String>,
    /// The name of the gate that decided. `None` when no gate guards the event type.
    pub gate: Option<String>,
    /// The host's number. `None` when the server shows no host, or when the user was deleted.
    pub host: Option<HostId>,
    /// The booker's address. `None` when the booker's identity is ambiguous.
    pub booker: Option<Address>,
    /// The booker's account. `None` when there is none, or when it was not looked up.
    pub account: Option<AccountId>,
    /// The first start.
    pub start: Time,
    /// The last end.
    pub end: Time,
    /// When the oldest booking was requested, by the server's clock.
    pub created_at: Time,
    /// What was decided.
    pub decision: Decision,
    /// What one booking costs.
    pub cost: Credits,
    /// What confirming costs in total, including what is carried from predecessors.
    pub credits: Credits,
    /// The call of an intent.
    pub call: Option<CallKind>,
    /// Why it was decided so, for operators. The first reason is the one that decided.
    pub reasons: Vec<Reason>,
    /// The results of all rules that applied, in the order of their evaluation.
    pub findings: Vec<Finding>,
    /// The text that the booker receives with a decline.
    pub booker_text: Option<String>,
    /// The booking whose charge this request takes over, if any.
    pub predecessor: Option<BookingUid>,
    /// Credits of that charge that do not come back, because its booking was moved too late.
    pub non_refundable: Credits,
    /// The hash of the policy that decided.
    pub policy_hash: String,
    /// When it was decided.
    pub decided_at: Time,
    /// The instant after which the process that wrote this intent sends no call for it. `None` on a
    /// single machine, where no other process can take over the intent.
    pub call_not_after: Option<Time>,
    /// When the request was first evaluated.
    pub first_evaluated_at: Time,
    /// How far the decision has come.
    pub state: RequestState,
    /// The number of failed calls so far.
    pub failures: u32,
    /// When the last failed call ended. `None`: no call has failed.
    pub last_failure: Option<Time>,
    /// The latest calls, oldest first; at most `MAX_CALLS`.
    pub calls: Vec<CallNote>,
    /// An operator's review of the request while it was only noted. Only `RequestFact::Reviewed`
    /// sets this: whatever review a decision carries, the existing one stays.
    pub review: Option<OperatorReview>,
    /// When each reason was first given for the request. A wait counts from that instant. The key
    /// of a reason is its code, and for the operator's own rules the code and the name. Empty in
    /// logs from before this was stored.
    pub reasons_since: Vec<(String, Time)>,
    /// The PIN that was given with the request and compared.
    pub pin_attempt: Option<PinAttempt>,
}

impl Request {
    /// Returns true if it is known whether the booker has an account. The account is not looked up
    /// when another reason leaves the request alone.
    pub fn account_was_looked_up(&self) -> bool {
        let skips_account_lookup = |code| {
            matches!(
                code,
                ReasonCode::Ungated
                    | ReasonCode::ForeignHost
                    | ReasonCode::NoEventType
                    | ReasonCode::Seated
                    | ReasonCode::DecidedBefore
            )
        };
        self.account.is_some()
            || !self
                .reasons
                .iter()
                .any(|reason| skips_account_lookup(reason.code))
    }

    /// Returns true if a decision only closes a request that was left pending: it repeats the decision
    /// of the note as an intent, and adds why the request will never be answered.
    pub fn closes_note(&self) -> bool {
        let leaves_pending = match self.decision {
            Decision::Wait { .. } | Decision::Review | Decision::Leave => true,
            Decision::Confirm | Decision::Decline => false,
        };
        leaves_pending && self.state == RequestState::Recorded
    }

    /// Returns true if the request counts for the limit of declines. An operator's own decline does
    /// not.
    pub fn counts_as_decline(&self) -> bool {
        self.decision == Decision::Decline
            && self.state != RequestState::Noted
            && self
                .reasons
                .iter()
                .all(|reason| reason.code != ReasonCode::Operator)
    }
}

/// A PIN that was compared with the member's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinAttempt {
    /// Whether the PIN was the member's.
    pub is_correct: bool,
    /// Who gave the PIN, as far as a booking shows: a fingerprint of the name, language, and time
    /// zone.
    pub origin: String,
}

impl Request {
    /// Returns true if the request cancels an accepted booking; only the watch does that. A refusal
    /// of a pending booking may be sent as a cancellation, too, and is for the pass.
    pub fn cancels_accepted(&self) -> bool {
        let codes = [
            ReasonCode::Unmanaged,
            ReasonCode::Revived,
            ReasonCode::AcceptedMove,
        ];
        let code = |reason: &Reason| codes.contains(&reason.code);
        self.decision == Decision::Decline
            && self.call == Some(CallKind::Cancel)
            && self.reasons.first().is_some_and(code)
    }
}

/// An operator's decision about a request that waits for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorReview {
    /// What the operator decided.
    pub decision: OperatorDecision,
    /// Why the operator decided so, for people.
    pub reason: String,
    /// When the operator decided.
    pub at: Time,
}

/// What an operator decides about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorDecision {
    /// The request is to be confirmed, whatever the overridable rules say.
    Confirm,
    /// The request is to be declined.
    Decline,
}

impl OperatorDecision {
    /// Returns the word for this decision in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Decline => "decline",
        }
    }
}

/// How far a decision has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Wait, review or leave: there is nothing to do, and the request may be decided again.
    Noted,
    /// An intent: it has to be finished and is never decided again.
    Recorded,
    /// Finished, or something else happened to the booking first.
    Settled {
        /// How the decision ended.
        outcome: DecisionOutcome,
        /// When that was recorded.
        at: Time,
    },
}

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// The call that accepts a pending booking.
    Confirm,
    /// The call that rejects a pending booking.
    Decline,
    /// The call that cancels a booking, pending or accepted.
    Cancel,
}

impl CallKind {
    /// Returns the word for this kind of call in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }
}

/// One call and its result, redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallNote {
    /// When the call ended.
    pub at: Time,
    /// The booking that the call was sent for.
    pub booking: BookingUid,
    /// The kind of the call.
    pub kind: CallKind,
    /// How the call ended.
    pub end: CallEnd,
    /// The result in words, shortened, without secrets.
    pub text: String,
}

/// How a call ended, as far as this determines when the next call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The server carried out the call. The response, or a reading immediately after it, shows the
    /// booking's state.
    Answered,
    /// The server refused the call (4xx).
    Refused,
    /// The server answered that the call failed, or with a response that is not Cal.com's.
    Failed,
    /// No connection was made, so the server never received the call.
    NotSent,
    /// No response ended the call, so the server may still be working on it.
    Unanswered {
        /// When the call was sent.
        sent: Time,
    },
}

impl CallNote {
    /// Returns true if the booking's state was known after the call.
    pub fn is_answered(&self) -> bool {
        self.end == CallEnd::Answered
    }
}

/// Credits reserved for one booking, from the hold until nothing can change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The booking that the credits pay for.
    pub booking: BookingRef,
    /// The request whose decision reserved the credits.
    pub request: RequestId,
    /// The account that pays.
    pub account: AccountId,
    /// The number of the booking's event type. `None` when the event type was deleted.
    pub event_type: Option<EventTypeId>,
    /// The host's number. `None` when the server shows no host, or when the user was deleted.
    pub host: Option<HostId>,
    /// When the booking starts.
    pub start: Time,
    /// When the booking ends.
    pub end: Time,
    /// What is still charged, by lot.
    pub parts: Vec<LotPart>,
    /// Credits given back so far.
    pub refunded: Credits,
    /// How far the charge has come.
    pub state: ChargeState,
    /// When the hold was made.
    pub held_at: Time,
    /// The open intent that takes over the charge for a successor. Until that intent is settled,
    /// nothing else ends the charge.
    pub taken_over_by: Option<RequestId>,
    /// The predecessor, if the charge was moved from one.
    pub moved_from: Option<BookingUid>,
    /// Why the credits came back or stay spent.
    pub reason: Option<EntryReason>,
    /// The terms of the decision that paid. A move keeps them. A charge from the log of an older
    /// version has none, and then the current terms of its gate count.
    pub terms: Option<Arc<RefundTerms>>,
    /// Credits that a later cancellation by the booker does not give back: what late moves would
    /// have cost as cancellations.
    pub non_refundable: Credits,
}

/// The state of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeState {
    /// The credits are reserved. It is not known that the booking was confirmed.
    Held,
    /// The credits were given back before they were spent.
    Void,
    /// The credits are spent, and the booking can still change.
    Open,
    /// The credits are spent, and nothing can change any more.
    Final,
    /// The credits were given back in full or in part, and the charge is closed.
    Refunded,
    /// The successor has taken over the charge.
    Moved {
        /// The successor, whose own charge has the credits now.
        to: BookingUid,
    },
}

impl Charge {
    /// Returns the credits that are still charged, over all lots.
    pub fn credits(&self) -> Credits {
        sum_credits(&self.parts)
    }

    /// Returns the terms that count for this charge: its own, or else the current ones of its gate.
    pub fn refund_terms<'a>(&'a self, gate_terms: Option<&'a RefundTerms>) -> Cow<'a, RefundTerms> {
        match (&self.terms, gate_terms) {
            (Some(terms), _) => Cow::Borrowed(terms.as_ref()),
            (None, Some(of_gate)) => Cow::Borrowed(of_gate),
            (None, None) => Cow::Owned(RefundTerms::default()),
        }
    }
}
