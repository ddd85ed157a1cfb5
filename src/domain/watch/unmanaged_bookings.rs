//! Accepted bookings of gated event types that are not paid for: they were accepted by hand, or
//! immediately.

use std::sync::Arc;

use crate::domain::account::{Account, LotPart, SpendPreview};
use crate::domain::booking::Booking;
use crate::domain::decision::{Credits, Decision, DecisionOutcome, Reason, ReasonCode};
use crate::domain::fact::{ChargeFact, Fact, RequestFact};
use crate::domain::gate::Gate;
use crate::domain::id::RequestId;
use crate::domain::lot::Purpose;
use crate::domain::messages;
use crate::domain::request::{Request, RequestState};
use crate::domain::time::{Time, truncate_to_millis};

/// Takes credits from the account's lots. Returns the parts, and entries for the lots that had
/// expired. Returns `None` when there are too few credits.
pub fn take_credits(
    account: &Account,
    credits: Credits,
    purpose: &Purpose<'_>,
) -> Option<(Vec<LotPart>, Vec<Fact>)> {
    let mut preview = SpendPreview::new(account);
    let parts = preview.allocate(credits, purpose)?;
    let expired = Fact::expire_parts(&account.id, preview.expire_lots(purpose.now));
    Some((parts, expired))
}

/// Returns the facts of a decision as it would have been made: the hold, the post and the end of
/// the intent in one.
pub fn settled_charge_facts(
    booking: &Booking,
    gate: &Gate,
    cost: Credits,
    payment: (&Account, Vec<LotPart>),
    reason: (ReasonCode, &str),
    record: Option<&Request>,
    stamp: (Time, &str),
) -> Vec<Fact> {
    let id = RequestId::from(&booking.uid);
    settled_charge_facts_for(id, booking, gate, cost, payment, reason, record, stamp)
}

/// Like [`settled_charge_facts`], under a given request id, because the booking's own id may belong
/// to an earlier decision.
#[expect(
    clippy::too_many_arguments,
    reason = "one place for what a decision is made of"
)]
pub fn settled_charge_facts_for(
    id: RequestId,
    booking: &Booking,
    gate: &Gate,
    cost: Credits,
    (account, parts): (&Account, Vec<LotPart>),
    (code, reason_text): (ReasonCode, &str),
    record: Option<&Request>,
    (now, policy): (Time, &str),
) -> Vec<Fact> {
    let mut request = build_note(booking, gate, cost, record, (now, policy));
    request.id = id.clone();
    request.account = Some(account.id.clone());
    request.decision = Decision::Confirm;
    request.credits = parts.iter().map(|part| part.credits).sum();
    request.reasons = vec![Reason {
        code,
        text: reason_text.to_owned(),
    }];
    request.state = RequestState::Recorded;
    vec![
        Fact::Request(RequestFact::Decided {
            request: request.into(),
        }),
        Fact::Charge(ChargeFact::Hold {
            booking: booking.to_ref(),
            request: id.clone(),
            account: account.id.clone(),
            parts,
            // Only a decision lends credits.
            lent: 0,
            event_type: booking.event_type.as_ref().map(|kind| kind.id),
            host: booking.host_id(),
            start: booking.start,
            end: booking.end,
            terms: Some(Arc::new(gate.terms.refunds.clone())),
        }),
        Fact::Charge(ChargeFact::Post {
            booking: booking.uid.clone(),
        }),
        Fact::Request(RequestFact::IntentSettled {
            request: id,
            outcome: DecisionOutcome::Confirmed,
        }),
    ]
}

/// Returns the booking as a request of its own (even if it is an occurrence of a series), with
/// nothing decided.
pub fn build_note(
    booking: &Booking,
    gate: &Gate,
    cost: Credits,
    record: Option<&Request>,
    (now, policy): (Time, &str),
) -> Request {
    let now = truncate_to_millis(now);
    Request {
        id: RequestId::from(&booking.uid),
        bookings: vec![booking.to_ref()],
        series: None,
        title: messages::truncate_server_text(&booking.title),
        event_type: booking.event_type.as_ref().map(|kind| kind.id),
        slug: booking
            .event_type
            .as_ref()
            .and_then(|kind| kind.slug.as_deref().map(messages::truncate_server_text)),
        gate: Some(gate.name.clone()),
        host: booking.host_id(),
        booker: booking.booker.as_ref().map(|booker| booker.address.clone()),
        account: None,
        start: booking.start,
        end: booking.end,
        created_at: booking.created_at,
        decision: Decision::Leave,
        cost,
        credits: 0,
        call: None,
        reasons: Vec::new(),
        findings: Vec::new(),
        booker_text: None,
        predecessor: None,
        non_refundable: 0,
        policy_hash: policy.to_owned(),
        decided_at: now,
        call_not_after: None,
        first_evaluated_at: record.map_or(now, |record| record.first_evaluated_at),
        state: RequestState::Noted,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: record.and_then(|record| record.review.clone()),
        reasons_since: record.map_or_else(Vec::new, |record| record.reasons_since.clone()),
        pin_attempt: record.and_then(|record| record.pin_attempt.clone()),
    }
}

/// Closes a request that was left waiting and has ended. Nothing was held for it.
pub fn close_note(record: &Request, reason: Reason) -> Vec<Fact> {
    let mut request = record.clone();
    request.reasons.push(reason);
    request.state = RequestState::Recorded;
    let id = request.id.clone();
    vec![
        Fact::Request(RequestFact::Decided {
            request: request.into(),
        }),
        Fact::Request(RequestFact::IntentSettled {
            request: id,
            outcome: DecisionOutcome::Superseded,
        }),
    ]
}
