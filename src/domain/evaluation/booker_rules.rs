//! Rules about the booker: whether the booker is known, is allowed, and has proven to be the
//! member.

use super::{EvaluationInput, RuleOutcome, object_to_request};
use crate::domain::criteria::access_list;
use crate::domain::criteria::gate_criteria::TooManyRequestsReply;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::messages;
use crate::domain::snapshot::PinResult;

pub(super) fn check_booker(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.event_type.flatten().is_some_and(|kind| kind.seated) {
        return object_to_request(
            Decision::Leave,
            ReasonCode::Seated,
            "the event type has seats: every attendee is a booker of his own",
        );
    }
    let first = &input.bookings[0].booker;
    match first {
        None => object_to_request(
            Decision::Review,
            ReasonCode::NoBooker,
            "nobody can be named for certain as the booker",
        ),
        Some(booker)
            if input.bookings.iter().any(|other| {
                other.booker.as_ref().map(|other| &other.address) != Some(&booker.address)
            }) =>
        {
            object_to_request(
                Decision::Review,
                ReasonCode::NoBooker,
                "the occurrences of the series name different bookers",
            )
        }
        Some(_) => RuleOutcome::passed("the booker is named"),
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
        let decision = input.decide_violation(input.gate.criteria.on_blocked, ReasonCode::Blocked);
        return object_to_request(decision, ReasonCode::Blocked, messages::booker_blocked());
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
        None => {
            let decision =
                input.decide_violation(input.gate.criteria.on_not_allowed, ReasonCode::NotAllowed);
            object_to_request(decision, ReasonCode::NotAllowed, messages::not_allowed())
        }
    }
}

/// Checks the number of requests per day. Of the global limit and the gate's, the stricter counts.
pub(super) fn check_requests_per_day(input: &EvaluationInput<'_>) -> RuleOutcome {
    let Some(at_most) = input.requests_per_day() else {
        return RuleOutcome::NotApplicable;
    };
    let earlier_requests = input.prior_request_count;
    if earlier_requests < at_most {
        let detail = format!("{earlier_requests} earlier on that day, at most {at_most}");
        return RuleOutcome::Passed(detail);
    }
    let decision = input.decide_violation(
        input.gate.criteria.on_too_many_requests,
        ReasonCode::TooManyRequests,
    );
    let decision = match (decision, input.gate.criteria.too_many_requests_reply) {
        (Decision::Decline, TooManyRequestsReply::Never) => Decision::Leave,
        (Decision::Decline, TooManyRequestsReply::Once) if input.declined_over_limit_before => {
            Decision::Leave
        }
        (
            decision,
            TooManyRequestsReply::Once | TooManyRequestsReply::Each | TooManyRequestsReply::Never,
        ) => decision,
    };
    object_to_request(
        decision,
        ReasonCode::TooManyRequests,
        messages::too_many_requests(at_most),
    )
}

pub(super) fn check_member(input: &EvaluationInput<'_>, credits: u64) -> RuleOutcome {
    if input.booker().is_none() {
        return RuleOutcome::NotApplicable;
    }
    if let Some(account) = input.account {
        return RuleOutcome::Passed(format!("account {}", account.id));
    }
    if input
        .booker()
        .is_some_and(|who| who.address.without_managed_suffix().is_some())
    {
        return object_to_request(
            Decision::Leave,
            ReasonCode::UnknownBooker,
            "the address is that of a platform's managed user, with a suffix that people do not type, and no \
             account has it: set global.managed-users = \"find\" to look for the address without the \
             suffix, or add the whole address as an alias",
        );
    }
    let decision = input.decide_violation(input.gate.unknown_booker, ReasonCode::UnknownBooker);
    object_to_request(
        decision,
        ReasonCode::UnknownBooker,
        messages::unknown_booker(credits),
    )
}

pub(super) fn check_not_frozen(input: &EvaluationInput<'_>) -> RuleOutcome {
    match input
        .account
        .and_then(|account| account.freeze_reason.as_ref())
    {
        // The operator's own words are for operators: the text does not repeat them.
        Some(_) => object_to_request(
            Decision::Review,
            ReasonCode::AccountFrozen,
            "the account is frozen",
        ),
        None => RuleOutcome::NotApplicable,
    }
}

pub(super) fn check_pin(input: &EvaluationInput<'_>) -> RuleOutcome {
    if input.gate.criteria.pin.is_none() || input.account.is_none() {
        return RuleOutcome::NotApplicable;
    }
    let text = match input.pin_result {
        Some(PinResult::Correct) => return RuleOutcome::passed("the PIN is right"),
        Some(PinResult::Wrong) => messages::wrong_pin(),
        Some(PinResult::Missing) => messages::missing_pin(),
        // The member may be right while another person is guessing: an operator decides.
        Some(PinResult::Locked) => {
            let detail = "too many wrong PINs were given lately, so this one was not looked at";
            return object_to_request(Decision::Review, ReasonCode::WrongPin, detail);
        }
        // The booker cannot solve this. An operator sets a PIN, or confirms by hand.
        Some(PinResult::NotSet) | None => {
            let detail = "the gate asks for a PIN, and the account has none";
            return object_to_request(Decision::Review, ReasonCode::WrongPin, detail);
        }
    };
    let decision = input.decide_violation(input.gate.criteria.on_wrong_pin, ReasonCode::WrongPin);
    object_to_request(decision, ReasonCode::WrongPin, text)
}
