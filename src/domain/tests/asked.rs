//! A request that every rule likes, to be changed by a row and judged.

use super::make::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, EventType};
use crate::domain::criteria::house::House;
use crate::domain::decision::{CODES, Code, Credits, Decision};
use crate::domain::gate::Gate;
use crate::domain::judge::{EvaluationInput, Evaluation, judge};
use crate::domain::request::{Charge, Review};
use crate::domain::snapshot::{Lookups, Pin, Standing};
use crate::domain::taken::Overlap;
use crate::domain::text;
use crate::domain::time::Time;

pub const DECLINE: Decision = Decision::Decline;
/// A request that every rule likes, until it is changed.
pub struct Case {
    pub gate: Gate,
    pub bookings: Vec<Booking>,
    pub event_type: Option<Option<EventType>>,
    pub account: Option<Account>,
    pub house: House,
    pub standing: Vec<Standing>,
    pub asked_before: u32,
    pub told_before: bool,
    pub pin: Option<Pin>,
    pub lookups: Lookups,
    pub review: Option<Review>,
    pub taken: bool,
    pub taken_at: usize,
    pub carried: Option<Charge>,
    pub ledger_is_empty: bool,
    /// Whether what takes the time is settled, and what may still come back.
    pub settled: bool,
    pub unsettled: Credits,
    pub first: Time,
}

pub fn fine() -> Case {
    Case {
        gate: but(gate(), |g| g.cost = 2),
        bookings: vec![booking("a")],
        event_type: Some(Some(event_type())),
        account: Some(account("bo@example.com", 5)),
        house: House::default(),
        standing: Vec::new(),
        asked_before: 0,
        told_before: false,
        pin: None,
        lookups: Lookups::default(),
        review: None,
        taken: false,
        taken_at: 0,
        carried: None,
        ledger_is_empty: false,
        settled: true,
        unsettled: 0,
        first: now(),
    }
}

pub fn judged(change: impl FnOnce(&mut Case)) -> Evaluation {
    let case = but(fine(), change);
    let bookings: Vec<&Booking> = case.bookings.iter().collect();
    let since: Vec<(String, Time)> = CODES
        .iter()
        .map(|code| (code.as_str().to_owned(), case.first))
        .collect();
    judge(&EvaluationInput {
        gate: &case.gate,
        house: &case.house,
        zone: case.gate.criteria.zone(&case.house, bookings[0]),
        bookings: &bookings,
        event_type: case.event_type.as_ref().map(Option::as_ref),
        account: case.account.as_ref(),
        available: (case.account.as_ref()).map_or(0, |account| account.available(now())),
        standing: [&case.standing, &[]],
        asked_before: case.asked_before,
        told_before: case.told_before,
        pin: case.pin,
        lookups: Some(&case.lookups),
        review: case.review.as_ref(),
        taken_by: case.taken.then_some(Overlap {
            uid: "other",
            settled: case.settled,
        }),
        taken_at: case.taken_at,
        unsettled: case.unsettled,
        moved_together: false,
        carried: case.carried.as_ref(),
        ledger_is_empty: case.ledger_is_empty,
        reasons_since: &since,
        now: now(),
    })
}

pub fn wait(minutes: i64) -> Decision {
    Decision::Wait {
        until: Some(at(minutes)),
    }
}

#[track_caller]
pub fn check(change: impl FnOnce(&mut Case), decision: Decision, codes: &[Code]) -> Evaluation {
    let judged = judged(change);
    let found: Vec<Code> = judged.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!((judged.decision, found.as_slice()), (decision, codes));
    judged
}

#[track_caller]
pub fn check_text(change: impl FnOnce(&mut Case), expect: &str) {
    let judged = judged(change);
    assert_eq!(judged.decision, DECLINE);
    assert_eq!(text::joined(&judged.reasons), expect);
}

pub fn poor(case: &mut Case) {
    case.account = Some(account("bo@example.com", 1));
}

pub fn unknown(case: &mut Case) {
    case.account = None;
}
