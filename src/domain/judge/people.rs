//! Who asks: whether it can be told, whether he may, and whether it is really he.

use super::{EvaluationInput, Said, objects};
use crate::domain::criteria::lists;
use crate::domain::criteria::terms::AnswerTooMany;
use crate::domain::decision::{Code, Decision};
use crate::domain::snapshot::Pin;
use crate::domain::text;

pub(super) fn booker(asked: &EvaluationInput<'_>) -> Said {
    if asked.event_type.flatten().is_some_and(|kind| kind.seated) {
        return objects(
            Decision::Leave,
            Code::Seated,
            "the event type has seats: every attendee is a booker of his own",
        );
    }
    let first = &asked.bookings[0].booker;
    match first {
        None => objects(
            Decision::Review,
            Code::NoBooker,
            "nobody can be named for certain as the booker",
        ),
        Some(booker)
            if asked.bookings.iter().any(|other| {
                other.booker.as_ref().map(|other| &other.address) != Some(&booker.address)
            }) =>
        {
            objects(
                Decision::Review,
                Code::NoBooker,
                "the occurrences of the series name different bookers",
            )
        }
        Some(_) => Said::fine("the booker is named"),
    }
}

/// The house's list and the gate's; neither says to the booker why he is on it.
pub(super) fn not_blocked(asked: &EvaluationInput<'_>) -> Said {
    let Some(booker) = asked.booker() else {
        return Said::Silent;
    };
    let lists = [&asked.house.block, &asked.gate.criteria.block];
    if lists.iter().all(|list| list.is_empty()) {
        return Said::Silent;
    }
    let folding = &asked.house.folding;
    let listed = |list: &&Vec<lists::Listed>| {
        lists::find(list, folding, &booker.address, asked.now).is_some()
    };
    if lists.iter().any(listed) {
        let effect = asked.decision(asked.gate.criteria.blocked, Code::Blocked);
        return objects(effect, Code::Blocked, text::blocked());
    }
    Said::fine("on no block list")
}

pub(super) fn allowed(asked: &EvaluationInput<'_>) -> Said {
    let Some(booker) = asked.booker() else {
        return Said::Silent;
    };
    // A gate's own list takes the place of the house's.
    let own = &asked.gate.criteria.allow;
    let list = if own.is_empty() {
        &asked.house.allow
    } else {
        own
    };
    if list.is_empty() {
        return Said::Silent;
    }
    match lists::find(list, &asked.house.folding, &booker.address, asked.now) {
        Some(_) => Said::fine("on the allow list"),
        None => {
            let effect = asked.decision(asked.gate.criteria.not_allowed, Code::NotAllowed);
            objects(effect, Code::NotAllowed, text::not_allowed())
        }
    }
}

/// Of the house's limit and the gate's, the stricter counts.
pub(super) fn few_requests(asked: &EvaluationInput<'_>) -> Said {
    let Some(at_most) = asked.requests_per_day() else {
        return Said::Silent;
    };
    let before = asked.asked_before;
    if before < at_most {
        let detail = format!("{before} earlier on that day, at most {at_most}");
        return Said::Fine(detail);
    }
    let effect = asked.decision(asked.gate.criteria.too_many_requests, Code::TooManyRequests);
    let effect = match (effect, asked.gate.criteria.answer_too_many) {
        (Decision::Decline, AnswerTooMany::Never) => Decision::Leave,
        (Decision::Decline, AnswerTooMany::Once) if asked.told_before => Decision::Leave,
        (effect, AnswerTooMany::Once | AnswerTooMany::Each | AnswerTooMany::Never) => effect,
    };
    objects(
        effect,
        Code::TooManyRequests,
        text::too_many_requests(at_most),
    )
}

pub(super) fn member(asked: &EvaluationInput<'_>, credits: u64) -> Said {
    if asked.booker().is_none() {
        return Said::Silent;
    }
    if let Some(account) = asked.account {
        return Said::Fine(format!("account {}", account.id));
    }
    if asked
        .booker()
        .is_some_and(|who| who.address.of_managed_user().is_some())
    {
        return objects(
            Decision::Leave,
            Code::UnknownBooker,
            "the address is that of a platform's managed user, with a suffix that nobody types, and no \
             account has it: set house.managed-users = \"find\" to look for the address without the \
             suffix, or add the whole address as an alias",
        );
    }
    let effect = asked.decision(asked.gate.unknown_booker, Code::UnknownBooker);
    objects(effect, Code::UnknownBooker, text::unknown_booker(credits))
}

pub(super) fn not_frozen(asked: &EvaluationInput<'_>) -> Said {
    match asked.account.and_then(|account| account.frozen.as_ref()) {
        // The operator's own words are for the operator: they are not put into the text.
        Some(_) => objects(Decision::Review, Code::Frozen, "the account is frozen"),
        None => Said::Silent,
    }
}

pub(super) fn pin(asked: &EvaluationInput<'_>) -> Said {
    if asked.gate.criteria.pin.is_none() || asked.account.is_none() {
        return Said::Silent;
    }
    let text = match asked.pin {
        Some(Pin::Right) => return Said::fine("the PIN is right"),
        Some(Pin::Wrong) => text::wrong_pin(),
        Some(Pin::Missing) => text::missing_pin(),
        // The member may be right, and somebody else be guessing: a person decides.
        Some(Pin::Locked) => {
            let why = "too many wrong PINs were given lately, so this one was not looked at";
            return objects(Decision::Review, Code::WrongPin, why);
        }
        // Nobody can get past this by himself; an operator sets one, or confirms by hand.
        Some(Pin::NotSet) | None => {
            let why = "the gate asks for a PIN, and the account has none";
            return objects(Decision::Review, Code::WrongPin, why);
        }
    };
    let effect = asked.decision(asked.gate.criteria.wrong_pin, Code::WrongPin);
    objects(effect, Code::WrongPin, text)
}
