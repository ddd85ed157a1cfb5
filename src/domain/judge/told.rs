//! What a booker is told of a decline. The address of a request is typed and not proven, and Cal.com
//! shows the reason on the booking's public page: unless the booker has proven to be the member, the
//! default texts must not depend on whether there is an account, nor on anything in it.

use super::{EvaluationInput, Objection, tells_alone};
use crate::domain::criteria::terms::AccountDetails;
use crate::domain::decision::Code;
use crate::domain::rule::context::RuleContext;
use crate::domain::snapshot::Pin;
use crate::domain::text;

/// Puts the operator's own words in place of the default texts, where `[reasons]` has some.
pub(super) fn in_own_words(
    asked: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    objections: &mut [Objection],
) {
    if asked.house.reasons.is_empty() {
        return;
    }
    let language = asked.booker().and_then(|booker| booker.language.as_deref());
    for objection in objections {
        let Some(words) = asked.house.words(objection.code) else {
            continue;
        };
        let occurrence = objection
            .at
            .map_or(context.occurrence, |at| asked.bookings[at].start);
        let context = RuleContext {
            occurrence,
            ..*context
        };
        let own = words
            .for_language(language)
            .and_then(|own| own.render(&context).ok());
        if let Some(own) = own {
            objection.text = own;
            objection.own = true;
        }
    }
}

/// Whether the booker may read about the account of the address: the PIN was right, Cal.com has
/// verified the address, or the operator allows it to everybody.
pub(super) fn may_name_the_account(asked: &EvaluationInput<'_>) -> bool {
    let gate = &asked.gate.criteria;
    match gate.account_details {
        AccountDetails::Always => true,
        AccountDetails::Proven if gate.pin.is_some() => {
            asked.account.is_some() && asked.pin == Some(Pin::Right)
        }
        AccountDetails::Proven => {
            let kind = asked.event_type.flatten();
            kind.is_some_and(|kind| kind.verifies_address == Some(true))
        }
    }
}

/// What anybody may read: the operator's own words, then the default texts that say the same to every
/// booker. Where nothing of that is left, one text for all other reasons. `waited` tells of an
/// objection whether its wait is over.
pub(super) fn to_anybody(
    asked: &EvaluationInput<'_>,
    objections: &[&Objection],
    waited: impl Fn(&Objection) -> bool,
) -> String {
    let open = |objection: &&&Objection| objection.own || !is_about_the_account(objection.code);
    let count = match objections.first() {
        Some(first) if open(&first) && tells_alone(first.code) => 1,
        Some(_) | None => usize::MAX,
    };
    let mut told: Vec<&Objection> = { objections.iter().take(count) }
        .filter(open)
        .copied()
        .collect();
    if told.is_empty() {
        let by_telephone = asked.booker().is_some_and(|who| who.address.is_telephone());
        return text::not_accepted(by_telephone, asked.gate.criteria.pin.is_some());
    }
    let is_over = told.iter().any(|objection| waited(objection));
    told.sort_by_key(|objection| !objection.own);
    let mut texts: Vec<&str> = told
        .iter()
        .map(|objection| objection.text.as_str())
        .collect();
    let over = text::waited_too_long();
    if is_over {
        texts.push(&over);
    }
    text::cut(&texts.join(" "))
}

/// Whether the default text of a reason, or that it is given at all, tells something about the account
/// of the address. A code that is new has to be put on one of the two sides.
fn is_about_the_account(code: Code) -> bool {
    match code {
        Code::UnknownBooker
        | Code::Frozen
        | Code::WrongPin
        | Code::OverCap
        | Code::Rule
        | Code::RuleFailed
        | Code::LookupFailed
        | Code::ShortOfCredit
        | Code::Enough
        | Code::Carried
        | Code::EmptyLedger
        | Code::RestoreOpen
        | Code::ClockOff
        | Code::DeclineLimit
        | Code::Unsettled
        | Code::Begun
        | Code::Unanswered
        | Code::DecidedBefore
        | Code::PredecessorUnclear
        | Code::Unmanaged
        | Code::WaitedTooLong => true,
        Code::Ungated
        | Code::ForeignHost
        | Code::NoEventType
        | Code::EventTypeNotShown
        | Code::Priced
        | Code::Seated
        | Code::NotPending
        | Code::Over
        | Code::SeriesSettling
        | Code::SeriesUnreadable
        | Code::NoBooker
        | Code::Blocked
        | Code::NotAllowed
        | Code::TooManyRequests
        | Code::NoticeTooShort
        | Code::NoticeTooLong
        | Code::OutsideHours
        | Code::Operator
        | Code::Taken
        | Code::Revived
        | Code::AcceptedMove => false,
    }
}
