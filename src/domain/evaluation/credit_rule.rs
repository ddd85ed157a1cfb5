//! The rules about the price and about credit: whether the price is known, and whether the account
//! can pay for it.

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::PriceFailure;
use crate::domain::decision::{Credits, ReasonCode};
use crate::domain::messages::format_credits;

/// Checks that the price is known. A fixed price always is, and leaves no finding.
pub(super) fn check_price(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.account.is_none() || !input.gate.has_computed_price() {
        return RuleOutcome::NotApplicable;
    }
    let costs = match input.costs() {
        Ok(costs) => costs,
        Err(failure) => return fail_price(input, failure),
    };
    let describe = |booking| input.gate.describe_price(&input.price_input(booking));
    let Some(details) = describe(input.bookings[0]) else {
        return RuleOutcome::NotApplicable;
    };
    let total = format_credits(costs.total);
    RuleOutcome::Passed(match input.bookings.len() {
        1 => format!("{total}: {details}"),
        bookings => format!("{total} for {bookings} bookings; the first one: {details}"),
    })
}

/// Returns the failure for a price that is not known. What happens to the request when another
/// system gives no answer is the lookup's key `no-answer`, as for rules.
fn fail_price(input: &EvaluationInput<'_>, failure: PriceFailure) -> RuleOutcome {
    let Some(lookup) = failure.unanswered_lookup else {
        let text = format!("the price could not be determined: {}", failure.text);
        return RuleOutcome::failed(ReasonCode::PriceUnknown, text);
    };
    let failures = input.lookups.map(|lookups| &lookups.failures);
    let why = failures.and_then(|failures| failures.get(&lookup));
    let why = why.map_or("it was not asked", String::as_str);
    let detail = format!("{}: {why}", failure.text);
    RuleOutcome::failed(ReasonCode::PriceUnknown, price_unanswered_text())
        .with_effect(input.global.on_no_answer(&lookup))
        .with_detail(detail)
}

/// Returns the default text for a booker when no system answers what the booking costs.
fn price_unanswered_text() -> String {
    "The price of your request could not be determined.".to_owned()
}

pub(super) fn check_credit(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.account.is_none() {
        return RuleOutcome::NotApplicable;
    }
    let Ok(costs) = input.costs() else {
        // The rule about the price objects.
        return RuleOutcome::NotApplicable;
    };
    let to_hold = costs.to_hold;
    let available = input.available;
    if available >= to_hold {
        let detail = format!("cost {to_hold}, available {available}");
        return RuleOutcome::Passed(detail);
    }
    let missing = to_hold - available;
    if missing <= input.lendable {
        let detail = format!("cost {to_hold}, available {available}, overdraft {missing}");
        return RuleOutcome::Passed(detail);
    }
    let text = short_of_credit_text(to_hold, available, input.bookings.len());
    let unsettled = missing <= input.unsettled_credits.saturating_add(input.lendable);
    // The credits are still in the predecessor's charge, so a decline would cost the booker a time
    // that is paid for.
    let effect = match input.gate.short_of_credit {
        OnViolation::Decline if input.includes_paid_move => OnViolation::Review,
        effect => effect,
    };
    RuleOutcome::failed(ReasonCode::ShortOfCredit, text)
        .with_effect(effect)
        .mark_unsettled(unsettled)
}

fn short_of_credit_text(cost: Credits, available: Credits, bookings: usize) -> String {
    let what = if bookings == 1 {
        "This booking costs".to_owned()
    } else {
        format!("These {bookings} bookings cost")
    };
    format!(
        "{what} {}, and your balance is {}.",
        format_credits(cost),
        format_credits(available)
    )
}
