//! What is kept of a request once something was decided of it, and of a charge once credits were
//! set aside for a booking. Both are folds of facts; neither is ever edited by hand.

use std::borrow::Cow;
use std::sync::Arc;

use super::account::{LotPart, sum_credits};
use super::booking::BookingRef;
use super::decision::{Credits, Decision, DecisionOutcome, Finding, Reason, ReasonCode};
use super::entry_reason::EntryReason;
use super::id::{AccountId, Address, BookingUid, EventTypeId, HostId, RequestId};
use super::refund_policy::RefundTerms;
use super::time::Time;

/// Calls kept with one request; older ones are still in the log.
pub const MAX_CALLS: usize = 20;

/// Occurrences one request may have. Cal.com's own limit for a series is lower.
pub const MAX_OCCURRENCES: usize = 1_000;

/// What is decided as one, when it was decided, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub id: RequestId,
    /// The occurrences the decision is about, in order of start; one for a single booking.
    pub bookings: Vec<BookingRef>,
    /// The series they belong to, if they do.
    pub series: Option<RequestId>,
    pub title: String,
    pub event_type: Option<EventTypeId>,
    pub slug: Option<String>,
    pub gate: Option<String>,
    pub host: Option<HostId>,
    pub booker: Option<Address>,
    pub account: Option<AccountId>,
    /// The first start and the last end.
    pub start: Time,
    pub end: Time,
    pub created_at: Time,
    pub decision: Decision,
    /// What one booking costs.
    pub cost: Credits,
    /// What confirming costs in all; what is carried from predecessors included.
    pub credits: Credits,
    /// What is to be sent, for an intent.
    pub call: Option<CallKind>,
    pub reasons: Vec<Reason>,
    pub findings: Vec<Finding>,
    /// What the booker is told with a decline.
    pub booker_text: Option<String>,
    /// The booking whose charge this one takes over, if any.
    pub predecessor: Option<BookingUid>,
    /// Credits of that charge which do not come back, because it was moved too late.
    pub non_refundable: Credits,
    /// The hash of the policy that decided.
    pub policy_hash: String,
    pub decided_at: Time,
    /// The instant after which the process that wrote this intent sends no call for it. None on one
    /// machine, where no other process can take the intent over.
    pub call_not_after: Option<Time>,
    /// When it was first judged.
    pub first_evaluated_at: Time,
    pub state: RequestState,
    /// Failed calls so far, and the instant of the last.
    pub failures: u32,
    pub last_failure: Option<Time>,
    pub calls: Vec<CallNote>,
    /// What an operator said of it while it was only noted. Set by `Fact::Reviewed` alone: a
    /// decision, whatever it carries here, leaves the one that stands.
    pub review: Option<OperatorReview>,
    /// When each reason that was ever given for it was given first: a wait counts from there. A
    /// reason goes by its code, that of an operator's own rule by code and name. Empty in logs from
    /// before this was kept.
    pub reasons_since: Vec<(String, Time)>,
    /// The PIN that was given with it and was looked at.
    pub pin_attempt: Option<PinAttempt>,
}

impl Request {
    /// Whether it is known if the booker has an account: that is not looked for where something else
    /// leaves the request alone.
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

    /// Whether it counts for the limit of declines: an operator's own decline does not.
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
    pub is_correct: bool,
    /// Who gave it, as far as a booking tells: a fingerprint of the name, language, and time zone.
    pub origin: String,
}

impl Request {
    /// Whether it is to cancel a booking that is accepted: only the watch does that. A refusal of a
    /// booking that waits may be sent as a cancellation too, and is for the pass.
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

/// An operator's word about a request that waits for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorReview {
    pub decision: OperatorDecision,
    pub reason: String,
    pub at: Time,
}

/// What an operator wants of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorDecision {
    Confirm,
    Decline,
}

impl OperatorDecision {
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
    /// Wait, review or leave: nothing is to be done, and it may be judged again.
    Noted,
    /// An intent: to be finished, never to be judged again.
    Recorded,
    /// Finished, or overtaken.
    Settled { outcome: DecisionOutcome, at: Time },
}

/// What is sent to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    Confirm,
    Decline,
    Cancel,
}

impl CallKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }
}

/// One call and what came of it, redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallNote {
    pub at: Time,
    pub booking: BookingUid,
    pub kind: CallKind,
    pub end: CallEnd,
    pub text: String,
}

/// How a call ended, as far as that decides when the next one may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The server did it: the answer, or a reading right after it, shows what the booking is now.
    Answered,
    /// The server refused it (4xx).
    Refused,
    /// The server answered that it failed, or answered in a shape that is not Cal.com's.
    Failed,
    /// No connection was made, so the server never saw it.
    NotSent,
    /// There was no answer that ends the call: the server may still be working on it.
    Unanswered { sent: Time },
}

impl CallNote {
    /// Whether the booking was known after the call.
    pub fn is_answered(&self) -> bool {
        self.end == CallEnd::Answered
    }
}

/// Credits set aside for one booking, from the hold until nothing can change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub booking: BookingRef,
    pub request: RequestId,
    pub account: AccountId,
    pub event_type: Option<EventTypeId>,
    pub host: Option<HostId>,
    pub start: Time,
    pub end: Time,
    /// What is still charged, by lot.
    pub parts: Vec<LotPart>,
    /// Credits given back so far.
    pub refunded: Credits,
    pub state: ChargeState,
    /// When the hold was made.
    pub held_at: Time,
    /// The open intent that takes it over for a successor. Until that is settled, nothing else ends it.
    pub taken_over_by: Option<RequestId>,
    /// The booking this one replaced, when the charge was moved here.
    pub moved_from: Option<BookingUid>,
    /// Why the credits came back or stay.
    pub reason: Option<EntryReason>,
    /// The terms of the decision that paid. A move takes them along. A charge from the log of an older
    /// version has none: then the present terms of its gate count.
    pub terms: Option<Arc<RefundTerms>>,
    /// Credits that a later cancellation by the booker does not give back: what late moves would have
    /// cost as cancellations.
    pub non_refundable: Credits,
}

/// The life of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeState {
    /// Set aside; the confirmation is not known to have happened.
    Held,
    /// Given back before it was spent.
    Void,
    /// Spent, and the booking can still change.
    Open,
    /// Spent for good.
    Final,
    /// Given back in full or in part, and closed.
    Refunded,
    /// Taken over by the successor.
    Moved { to: BookingUid },
}

impl Charge {
    pub fn credits(&self) -> Credits {
        sum_credits(&self.parts)
    }

    /// Returns the terms that count for this charge: its own, or else those that its gate has now.
    pub fn refund_terms<'a>(&'a self, gate_terms: Option<&'a RefundTerms>) -> Cow<'a, RefundTerms> {
        match (&self.terms, gate_terms) {
            (Some(terms), _) => Cow::Borrowed(terms.as_ref()),
            (None, Some(of_gate)) => Cow::Borrowed(of_gate),
            (None, None) => Cow::Owned(RefundTerms::default()),
        }
    }
}
