//! A request that meets every rule, to be changed by a row and evaluated.

use super::fixtures::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, EventType};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::price::Cost;
use crate::domain::decision::{Credits, Decision, Finding, REASON_CODES, ReasonCode};
use crate::domain::evaluation::built_in_rule::BuiltInRule;
use crate::domain::evaluation::rules::RULES;
use crate::domain::evaluation::{Evaluation, EvaluationInput, evaluate};
use crate::domain::gate::Gate;
use crate::domain::host_bookings::HostBookings;
use crate::domain::host_schedule::Overlap;
use crate::domain::messages;
use crate::domain::request::{Charge, OperatorReview};
use crate::domain::snapshot::{CountedBooking, Lookups, PinResult};
use crate::domain::time::Time;

pub(super) const DECLINE: Decision = Decision::Decline;
/// A request that meets every rule, until it is changed.
pub(super) struct EvaluationCase {
    pub gate: Gate,
    pub bookings: Vec<Booking>,
    pub event_type: Option<Option<EventType>>,
    pub account: Option<Account>,
    pub global: GlobalPolicy,
    pub counted_bookings: Vec<CountedBooking>,
    pub host_bookings: HostBookings,
    pub prior_request_count: u32,
    pub declined_over_limit_before: bool,
    pub pin_result: Option<PinResult>,
    pub lookups: Lookups,
    pub source_failure: Option<String>,
    pub review: Option<OperatorReview>,
    pub is_time_taken: bool,
    pub overlap_index: usize,
    pub carried_charge: Option<Charge>,
    pub ledger_is_empty: bool,
    /// Whether the booking that takes the time is settled, and which credits may still come back.
    pub is_overlap_settled: bool,
    pub unsettled_credits: Credits,
    pub first_evaluated: Time,
}

pub(super) fn valid_case() -> EvaluationCase {
    EvaluationCase {
        gate: modify(gate(), |g| g.cost = Cost::Fixed(2)),
        bookings: vec![booking("a")],
        event_type: Some(Some(event_type())),
        account: Some(account("bo@example.com", 5)),
        global: GlobalPolicy::default(),
        counted_bookings: Vec::new(),
        host_bookings: HostBookings::default(),
        prior_request_count: 0,
        declined_over_limit_before: false,
        pin_result: None,
        lookups: Lookups::default(),
        source_failure: None,
        review: None,
        is_time_taken: false,
        overlap_index: 0,
        carried_charge: None,
        ledger_is_empty: false,
        is_overlap_settled: true,
        unsettled_credits: 0,
        first_evaluated: now(),
    }
}

pub(super) fn evaluate_case(change: impl FnOnce(&mut EvaluationCase)) -> Evaluation {
    let case = modify(valid_case(), change);
    let bookings: Vec<&Booking> = case.bookings.iter().collect();
    let since: Vec<(String, Time)> = REASON_CODES
        .iter()
        .map(|code| (code.as_str().to_owned(), case.first_evaluated))
        .collect();
    let evaluation = evaluate(&EvaluationInput {
        lendable: 0,
        gate: &case.gate,
        global: &case.global,
        zone: case.gate.criteria.zone(&case.global, bookings[0]),
        bookings: &bookings,
        event_type: case.event_type.as_ref().map(Option::as_ref),
        account: case.account.as_ref(),
        available: (case.account.as_ref()).map_or(0, |account| account.available(now())),
        counted_bookings: [&case.counted_bookings, &[]],
        host_bookings: &case.host_bookings,
        prior_request_count: case.prior_request_count,
        declined_over_limit_before: case.declined_over_limit_before,
        pin_result: case.pin_result,
        lookups: Some(&case.lookups),
        source_failure: case.source_failure.as_deref(),
        review: case.review.as_ref(),
        overlap: case.is_time_taken.then_some(Overlap {
            uid: "other",
            is_accepted: case.is_overlap_settled,
        }),
        overlap_index: case.overlap_index,
        unsettled_credits: case.unsettled_credits,
        includes_paid_move: false,
        carried_charge: case.carried_charge.as_ref(),
        ledger_is_empty: case.ledger_is_empty,
        reasons_since: &since,
        now: now(),
    });
    assert_findings_fit_the_table(&evaluation.findings);
    evaluation
}

/// Checks that the findings are in the order of the table of rules, and that each failure has a
/// reason of its rule.
#[track_caller]
fn assert_findings_fit_the_table(findings: &[Finding]) {
    let place = |finding: &Finding| {
        RULES
            .iter()
            .position(|rule| rule.name == finding.rule)
            .or_else(|| RULES.iter().position(BuiltInRule::is_place_of_own_rules))
            .expect("the table has the rule")
    };
    assert!(findings.is_sorted_by_key(place), "{findings:?}");
    for finding in findings {
        let reasons = RULES[place(finding)].reasons;
        let has_reason = |code| reasons.iter().any(|reason| reason.code == code);
        assert!(finding.code.is_none_or(has_reason), "{finding:?}");
    }
}

pub(super) fn wait_until(minutes: i64) -> Decision {
    Decision::Wait {
        until: Some(at_minute(minutes)),
    }
}

#[track_caller]
pub(super) fn check(
    change: impl FnOnce(&mut EvaluationCase),
    decision: Decision,
    codes: &[ReasonCode],
) -> Evaluation {
    let evaluation = evaluate_case(change);
    let actual: Vec<ReasonCode> = evaluation
        .reasons
        .iter()
        .map(|reason| reason.code)
        .collect();
    assert_eq!((evaluation.decision, actual.as_slice()), (decision, codes));
    evaluation
}

#[track_caller]
pub(super) fn check_text(change: impl FnOnce(&mut EvaluationCase), expect: &str) {
    let evaluation = evaluate_case(change);
    assert_eq!(evaluation.decision, DECLINE);
    assert_eq!(messages::join_reasons(&evaluation.reasons), expect);
}

pub(super) fn set_low_balance(case: &mut EvaluationCase) {
    case.account = Some(account("bo@example.com", 1));
}

pub(super) fn remove_account(case: &mut EvaluationCase) {
    case.account = None;
}
