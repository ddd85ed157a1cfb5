//! The PINs that came with bookings. A PIN is taken out of its booking before any other code reads
//! the booking.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::hash::MIN_PIN;
use crate::domain::booking::{Answer, Booking};
use crate::domain::gate::Policy;
use crate::domain::id::BookingUid;

/// The text that replaces a PIN.
const PIN_PLACEHOLDER: &str = "[pin]";

/// The PINs that were given, by booking.
#[derive(Debug, Default)]
pub struct SubmittedPins(pub(super) BTreeMap<BookingUid, SecretString>);

impl SubmittedPins {
    /// Takes the PIN out of the booking, wherever it is repeated, if the gate asks for a PIN. Also
    /// replaces the booker's address with the address under which the account is found.
    pub fn take_from(&mut self, policy: &Policy, booking: &mut Booking) {
        if let Some(booker) = &mut booking.booker {
            booker.address = policy.global.address_of(&booker.address);
        }
        if let Some(pin) = take_pin(policy, booking) {
            self.0.insert(booking.uid.clone(), pin);
        }
    }
}

/// Takes the PIN out of a booking whose gate asks for a PIN, and returns it.
pub fn take_pin(policy: &Policy, booking: &mut Booking) -> Option<SecretString> {
    let question = policy.gate(booking)?.criteria.pin.as_deref()?;
    let answer = booking.answers.remove(question);
    let metadata_copy = booking.metadata.remove(question);
    let mut texts = Vec::new();
    for answer in answer.iter().chain(&metadata_copy) {
        collect_texts(answer, &mut texts);
    }
    // A title may be built from answers, and the notes are an answer too.
    for secret in texts {
        if secret.expose_secret().chars().count() >= MIN_PIN {
            wipe(booking, secret.expose_secret());
        }
    }
    let pin = single_value(answer.as_ref()?)?;
    (!pin.expose_secret().is_empty()).then_some(pin)
}

/// Returns the only value of an answer: a text, a number, or either of them wrapped.
fn single_value(answer: &Answer) -> Option<SecretString> {
    match answer {
        Answer::Text(_) | Answer::Number(_) => Some(trimmed_text(answer)),
        Answer::List(items) => match items.as_slice() {
            [item] => single_value(item),
            _ => None,
        },
        Answer::Map(fields) => single_value(fields.get("value")?),
        Answer::Null | Answer::Bool(_) => None,
    }
}

/// Returns the text as it was typed, without blanks around it. A question that takes numbers loses
/// leading zeros.
fn trimmed_text(answer: &Answer) -> SecretString {
    SecretString::from(match answer {
        Answer::Text(text) => text.trim().to_owned(),
        Answer::Number(number) => number.to_string(),
        Answer::Null | Answer::Bool(_) | Answer::List(_) | Answer::Map(_) => String::new(),
    })
}

fn collect_texts(answer: &Answer, texts: &mut Vec<SecretString>) {
    match answer {
        Answer::Text(_) | Answer::Number(_) => texts.push(trimmed_text(answer)),
        Answer::List(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Answer::Map(fields) => fields.values().for_each(|item| collect_texts(item, texts)),
        Answer::Null | Answer::Bool(_) => {}
    }
}

fn wipe(booking: &mut Booking, secret: &str) {
    let texts = [
        Some(&mut booking.title),
        booking.description.as_mut(),
        booking.location.as_mut(),
        booking.cancellation_reason.as_mut(),
    ];
    for text in texts.into_iter().flatten() {
        wipe_text(text, secret);
    }
    for answer in booking
        .answers
        .values_mut()
        .chain(booking.metadata.values_mut())
    {
        wipe_answer(answer, secret);
    }
}

fn wipe_text(text: &mut String, secret: &str) {
    if text.contains(secret) {
        *text = text.replace(secret, PIN_PLACEHOLDER);
    }
}

fn wipe_answer(answer: &mut Answer, secret: &str) {
    match answer {
        Answer::Text(text) => wipe_text(text, secret),
        Answer::Number(number) if number.to_string() == secret => *answer = Answer::Null,
        Answer::List(items) => items.iter_mut().for_each(|item| wipe_answer(item, secret)),
        Answer::Map(fields) => fields
            .values_mut()
            .for_each(|item| wipe_answer(item, secret)),
        Answer::Null | Answer::Bool(_) | Answer::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_text_or_number() {
        let text = |text: &str| Answer::Text(text.to_owned());
        let wrapped = Answer::Map(BTreeMap::from([("value".to_owned(), text("1234"))]));
        let other = Answer::Map(BTreeMap::from([("pin".to_owned(), text("1234"))]));
        let rows = [
            (text(" 1234\n"), Some("1234")),
            (Answer::Number(1234.0), Some("1234")),
            (Answer::List(vec![text("1234")]), Some("1234")),
            (wrapped, Some("1234")),
            (other, None),
            (Answer::List(vec![text("1234"), text("5678")]), None),
            (Answer::Bool(true), None),
            (Answer::Null, None),
        ];
        for (answer, expect) in rows {
            let got = single_value(&answer);
            assert_eq!(
                got.as_ref().map(|pin| pin.expose_secret()),
                expect,
                "{answer:?}"
            );
        }
    }
}
