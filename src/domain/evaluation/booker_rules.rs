//! Rules about the booker: whether the booker is known, is allowed, and has proven to be the
//! member.

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::criteria::access_list;
use crate::domain::criteria::gate_criteria::TooManyRequestsReply;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::{Credits, ReasonCode};
use crate::domain::messages::format_credits;
use crate::domain::snapshot::PinResult;

pub(super) fn check_booker(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.event_type.flatten().is_some_and(|kind| kind.seated) {
        return RuleOutcome::failed(
            ReasonCode::Seated,
            "the event type has seats: every attendee is a separate booker",
        )
        .with_effect(OnViolation::Leave);
    }
    let first = &input.bookings[0].booker;
    match first {
        None => RuleOutcome::failed(
            ReasonCode::NoBooker,
            "the booker cannot be identified with certainty",
        ),
        Some(booker)
            if input.bookings.iter().any(|other| {
                other.booker.as_ref().map(|other| &other.address) != Some(&booker.address)
            }) =>
        {
            RuleOutcome::failed(
                ReasonCode::NoBooker,
                "the occurrences of the series name different bookers",
            )
        }
        Some(_) => RuleOutcome::passed("the booker is identified"),
    }
}

/// Checks the global block list and the gate's. Neither tells the booker why they are on the list.
pub(super) fn check_not_blocked(input: &EvaluationInput<'_>) -> RuleOutcome {
    let Some(booker) = input.booker() else {
        return RuleOutcome::NotApplicable;
    };
    let lists = [&input.global.block, &input.gate.criteria.block];
    if lists.iter().all(|list| list.is_empty()) {
        return RuleOutcome::NotApplicable;
    }
    let normalization = &input.global.address_normalization;
    let is_listed = |list: &&Vec<access_list::AccessEntry>| {
        access_list::find_entry(list, normalization, &booker.address, input.now).is_some()
    };
    if lists.iter().any(is_listed) {
        return RuleOutcome::failed(ReasonCode::Blocked, blocked_text());
    }
    RuleOutcome::passed("on no block list")
}

pub(super) fn check_allowed(input: &EvaluationInput<'_>) -> RuleOutcome {
    let Some(booker) = input.booker() else {
        return RuleOutcome::NotApplicable;
    };
    // A gate's own list replaces the global one.
    let gate_list = &input.gate.criteria.allow;
    let list = if gate_list.is_empty() {
        &input.global.allow
    } else {
        gate_list
    };
    if list.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    match access_list::find_entry(
        list,
        &input.global.address_normalization,
        &booker.address,
        input.now,
    ) {
        Some(_) => RuleOutcome::passed("on the allow list"),
        None => RuleOutcome::failed(ReasonCode::NotAllowed, not_allowed_text()),
    }
}

/// Checks the number of requests per day. Of the global limit and the gate's, the stricter counts.
pub(super) fn check_requests_per_day(input: &EvaluationInput<'_>) -> RuleOutcome {
    let limits = [
        input.global.requests_per_day,
        input.gate.criteria.requests_per_day,
    ];
    let Some(at_most) = limits.into_iter().flatten().min() else {
        return RuleOutcome::NotApplicable;
    };
    let earlier_requests = input.prior_request_count;
    if earlier_requests < at_most {
        let detail = format!("{earlier_requests} earlier on that day, at most {at_most}");
        return RuleOutcome::Passed(detail);
    }
    let criteria = &input.gate.criteria;
    let effect = match (
        criteria.on_too_many_requests,
        criteria.too_many_requests_reply,
    ) {
        (OnViolation::Decline, TooManyRequestsReply::Never) => OnViolation::Leave,
        (OnViolation::Decline, TooManyRequestsReply::Once) if input.declined_over_limit_before => {
            OnViolation::Leave
        }
        (
            effect,
            TooManyRequestsReply::Once | TooManyRequestsReply::Each | TooManyRequestsReply::Never,
        ) => effect,
    };
    RuleOutcome::failed(ReasonCode::TooManyRequests, too_many_requests_text(at_most))
        .with_effect(effect)
}

pub(super) fn check_member(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.booker().is_none() {
        return RuleOutcome::NotApplicable;
    }
    if let Some(account) = input.account {
        return RuleOutcome::Passed(format!("account {}", account.id));
    }
    if let Some(why) = input.source_failure {
        return RuleOutcome::failed(ReasonCode::SourceFailed, why).with_effect(OnViolation::Leave);
    }
    if input
        .booker()
        .is_some_and(|who| who.address.without_managed_suffix().is_some())
    {
        return RuleOutcome::failed(
            ReasonCode::UnknownBooker,
            "the address is that of a platform's managed user, with a suffix that people do not type, and no \
             account has it: set global.managed-users = \"find\" to look for the address without the \
             suffix, or add the whole address as an alias",
        )
        .with_effect(OnViolation::Leave);
    }
    let text = unknown_booker_text(input.costs().ok().map(|costs| costs.total));
    RuleOutcome::failed(ReasonCode::UnknownBooker, text)
}

pub(super) fn check_not_frozen(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input
        .account
        .is_some_and(|account| account.closed.is_some())
    {
        return RuleOutcome::failed(ReasonCode::AccountFrozen, "the account is closed");
    }
    match input
        .account
        .and_then(|account| account.freeze_reason.as_ref())
    {
        // The operator's own words are for operators: the text does not repeat them.
        Some(_) => RuleOutcome::failed(ReasonCode::AccountFrozen, "the account is frozen"),
        None => RuleOutcome::NotApplicable,
    }
}

pub(super) fn check_pin(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.gate.criteria.pin.is_none() || input.account.is_none() {
        return RuleOutcome::NotApplicable;
    }
    let text = match input.pin_result {
        Some(PinResult::Correct) => return RuleOutcome::passed("the PIN is right"),
        Some(PinResult::Wrong) => wrong_pin_text(),
        Some(PinResult::Missing) => missing_pin_text(),
        // The member may be right while another person is guessing: an operator decides.
        Some(PinResult::Locked) => {
            let detail = "too many wrong PINs were given lately, so this one was not checked";
            return RuleOutcome::failed(ReasonCode::WrongPin, detail)
                .with_effect(OnViolation::Review);
        }
        // The booker cannot solve this. An operator sets a PIN, or confirms by hand.
        Some(PinResult::NotSet) | None => {
            let detail = "the gate asks for a PIN, and the account has none";
            return RuleOutcome::failed(ReasonCode::WrongPin, detail)
                .with_effect(OnViolation::Review);
        }
    };
    RuleOutcome::failed(ReasonCode::WrongPin, text)
}

/// Returns the default text for a booker who is on a block list.
pub fn blocked_text() -> String {
    "Requests from this address are not accepted.".to_owned()
}

/// Returns the default text for a booker who is not on the allow list.
pub fn not_allowed_text() -> String {
    "These bookings are by invitation only.".to_owned()
}

fn too_many_requests_text(at_most: u32) -> String {
    format!("At most {at_most} requests a day are accepted. Please request again tomorrow.")
}

fn unknown_booker_text(cost: Option<Credits>) -> String {
    let Some(cost) = cost.filter(|cost| *cost > 0) else {
        return "There is no account for the e-mail address you gave. If you have one under another \
                address, please book with that one."
            .to_owned();
    };
    format!(
        "There is no credit account for the e-mail address you gave, so your balance is 0 credits; \
         this booking costs {}. If you have an account under another address, please book with \
         that one.",
        format_credits(cost)
    )
}

fn wrong_pin_text() -> String {
    "The PIN is not right.".to_owned()
}

fn missing_pin_text() -> String {
    "This booking asks for your PIN. Please request it again and give it.".to_owned()
}
