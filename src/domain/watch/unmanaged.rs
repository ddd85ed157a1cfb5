//! Accepted bookings of gated event types that nobody paid for: accepted by hand, or at once.

use std::sync::Arc;

use crate::domain::account::{Account, Part, SpendPreview};
use crate::domain::booking::Booking;
use crate::domain::decision::{Code, Credits, Decision, Outcome, Reason};
use crate::domain::fact::Fact;
use crate::domain::gate::Gate;
use crate::domain::id::RequestId;
use crate::domain::request::{Request, RequestState};
use crate::domain::text;
use crate::domain::time::{Time, kept};

/// Takes credits from the account's lots: the parts, and entries for what had expired. `None` when
/// there are too few.
pub fn takes(account: &Account, credits: Credits, now: Time) -> Option<(Vec<Part>, Vec<Fact>)> {
    let mut preview = SpendPreview::of(account);
    let parts = preview.allocate(credits, now)?;
    let expired = Fact::expired(&account.id, preview.expire_lots(now));
    Some((parts, expired))
}

/// The decision as it would have been made, held, spent and settled in one.
pub fn settled(
    booking: &Booking,
    gate: &Gate,
    cost: Credits,
    payment: (&Account, Vec<Part>),
    why: (Code, &str),
    record: Option<&Request>,
    stamp: (Time, &str),
) -> Vec<Fact> {
    let id = RequestId::from(&booking.uid);
    settled_as(id, booking, gate, cost, payment, why, record, stamp)
}

/// The same under a name of its own: that of the booking may stand for an earlier decision.
#[allow(
    clippy::too_many_arguments,
    reason = "one place for what a decision is made of"
)]
pub fn settled_as(
    id: RequestId,
    booking: &Booking,
    gate: &Gate,
    cost: Credits,
    (account, parts): (&Account, Vec<Part>),
    (code, why): (Code, &str),
    record: Option<&Request>,
    (now, policy): (Time, &str),
) -> Vec<Fact> {
    let mut request = noted(booking, gate, cost, record, (now, policy));
    request.id = id.clone();
    request.account = Some(account.id.clone());
    request.decision = Decision::Confirm;
    request.credits = parts.iter().map(|part| part.credits).sum();
    request.reasons = vec![Reason {
        code,
        text: why.to_owned(),
    }];
    request.state = RequestState::Recorded;
    vec![
        Fact::Decided {
            request: request.into(),
        },
        Fact::Hold {
            booking: booking.reference(),
            request: id.clone(),
            account: account.id.clone(),
            parts,
            event_type: booking.event_type.as_ref().map(|kind| kind.id),
            host: booking.host_id(),
            start: booking.start,
            end: booking.end,
            terms: Some(Arc::new(gate.terms.refunds.clone())),
        },
        Fact::Post {
            booking: booking.uid.clone(),
        },
        Fact::Settled {
            request: id,
            outcome: Outcome::Confirmed,
        },
    ]
}

/// The booking as a request of its own (an occurrence is no series here), with nothing decided.
pub fn noted(
    booking: &Booking,
    gate: &Gate,
    cost: Credits,
    record: Option<&Request>,
    (now, policy): (Time, &str),
) -> Request {
    let now = kept(now);
    Request {
        id: RequestId::from(&booking.uid),
        bookings: vec![booking.reference()],
        series: None,
        title: text::kept(&booking.title),
        event_type: booking.event_type.as_ref().map(|kind| kind.id),
        slug: booking
            .event_type
            .as_ref()
            .and_then(|kind| kind.slug.as_deref().map(text::kept)),
        gate: Some(gate.name.clone()),
        host: booking.host_id(),
        booker: booking.booker.as_ref().map(|booker| booker.address.clone()),
        account: None,
        start: booking.start,
        end: booking.end,
        created: booking.created,
        decision: Decision::Leave,
        cost,
        credits: 0,
        call: None,
        reasons: Vec::new(),
        findings: Vec::new(),
        text: None,
        carries: None,
        keeps: 0,
        policy: policy.to_owned(),
        decided: now,
        call_not_after: None,
        first: record.map_or(now, |record| record.first),
        state: RequestState::Noted,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: record.and_then(|record| record.review.clone()),
        reasons_since: record.map_or_else(Vec::new, |record| record.reasons_since.clone()),
        pin: record.and_then(|record| record.pin.clone()),
    }
}

/// Closes a request that was left waiting and has ended: nothing was held for it.
pub fn ended(record: &Request, reason: Reason) -> Vec<Fact> {
    let mut request = record.clone();
    request.reasons.push(reason);
    request.state = RequestState::Recorded;
    let id = request.id.clone();
    vec![
        Fact::Decided {
            request: request.into(),
        },
        Fact::Settled {
            request: id,
            outcome: Outcome::Superseded,
        },
    ]
}
