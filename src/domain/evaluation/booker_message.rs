//! The text of a decline for the booker. The address of a request is typed and not proven, and
//! Cal.com shows the reason on the booking's public page. Unless the booker has proven to be the
//! member, the default texts must not depend on whether there is an account, nor on anything in it.

use super::EvaluationInput;
use super::built_in_rule::ReasonTrait;
use super::rule_outcome::Objection;
use super::rules::{discloses_account, has_trait};
use crate::domain::criteria::gate_criteria::AccountDetails;
use crate::domain::messages;
use crate::domain::rule::context::RuleContext;
use crate::domain::snapshot::PinResult;

/// Returns the context of a text for the booker. Operators write one text for all readers, and the
/// next renewal says who is a member.
pub(super) fn for_booker<'a>(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'a>,
) -> RuleContext<'a> {
    RuleContext {
        next_renewal: context.next_renewal.filter(|_| may_disclose_account(input)),
        ..*context
    }
}

/// Replaces the default texts by the operator's own texts, for the reasons that `[reasons]` lists.
pub(super) fn apply_operator_texts(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    objections: &mut [Objection],
) {
    if input.global.reason_texts.is_empty() {
        return;
    }
    let context = &for_booker(input, context);
    let language = input.booker().and_then(|booker| booker.language.as_deref());
    for objection in objections {
        let Some(words) = input.global.reason_text(objection.code) else {
            continue;
        };
        let occurrence = objection
            .booking_index
            .map_or(context.occurrence, |at| input.bookings[at].start);
        let context = RuleContext {
            occurrence,
            ..*context
        };
        let rendered = words
            .for_language(language)
            .and_then(|own| own.render(&context).ok());
        if let Some(operator_text) = rendered {
            objection.text = operator_text;
            objection.has_custom_text = true;
        }
    }
}

/// Returns true if the booker may read about the account of the address: the PIN was right, Cal.com
/// has verified the address, or the operator allows it to everybody.
pub(super) fn may_disclose_account(input: &EvaluationInput<'_>) -> bool {
    let gate = &input.gate.criteria;
    match gate.account_details {
        AccountDetails::Always => true,
        AccountDetails::ProvenMember if gate.pin.is_some() => {
            input.account.is_some() && input.pin_result == Some(PinResult::Correct)
        }
        AccountDetails::ProvenMember => {
            let kind = input.event_type.flatten();
            kind.is_some_and(|kind| kind.verifies_address == Some(true))
        }
    }
}

/// Returns the text that anybody may read: first the operator's own texts, then the default texts
/// that are the same for every booker. If none remains, returns one text for all other reasons.
/// `wait_is_over` returns whether the wait of an objection is over.
pub(super) fn public_decline_text(
    input: &EvaluationInput<'_>,
    objections: &[&Objection],
    wait_is_over: impl Fn(&Objection) -> bool,
) -> String {
    let is_public =
        |objection: &&&Objection| objection.has_custom_text || !discloses_account(objection.code);
    let count = match objections.first() {
        Some(first) if is_public(&first) && has_trait(first.code, ReasonTrait::ShownAlone) => 1,
        Some(_) | None => usize::MAX,
    };
    let mut public_objections: Vec<&Objection> = { objections.iter().take(count) }
        .filter(is_public)
        .copied()
        .collect();
    if public_objections.is_empty() {
        let by_telephone = input.booker().is_some_and(|who| who.address.is_telephone());
        return messages::not_accepted(by_telephone, input.gate.criteria.pin.is_some());
    }
    let is_over = public_objections
        .iter()
        .any(|objection| wait_is_over(objection));
    public_objections.sort_by_key(|objection| !objection.has_custom_text);
    let mut texts: Vec<&str> = public_objections
        .iter()
        .map(|objection| objection.text.as_str())
        .collect();
    let over = messages::waited_too_long();
    if is_over {
        texts.push(&over);
    }
    messages::truncate_booker_text(&messages::join_sentences(&texts))
}
