//! The rule about credit: whether the account can pay for the request.

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::{Credits, ReasonCode};
use crate::domain::messages::format_credits;

pub(super) fn check_credit(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.account.is_none() {
        return RuleOutcome::NotApplicable;
    }
    let to_hold = input.costs().to_hold;
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
