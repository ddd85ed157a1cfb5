//! What people are told. The same sentence goes to the booker, into the log and to the operator.

use super::decision::{Credits, Reason};

/// The longest text sent to a booker, in characters; mail clients show more, nobody reads it.
pub const MAX_TEXT: usize = 1_000;

/// `1 credit`, `2 credits`.
pub fn credits(amount: Credits) -> String {
    if amount == 1 {
        "1 credit".to_owned()
    } else {
        format!("{amount} credits")
    }
}

pub fn short_of_credit(cost: Credits, available: Credits, bookings: usize) -> String {
    let what = if bookings == 1 {
        "This booking costs".to_owned()
    } else {
        format!("These {bookings} bookings cost")
    };
    format!(
        "{what} {}, and your balance is {}.",
        credits(cost),
        credits(available)
    )
}

pub fn unknown_booker(cost: Credits) -> String {
    if cost == 0 {
        return "There is no account for the e-mail address you gave. If you have one under another \
                address, please book with that one."
            .to_owned();
    }
    format!(
        "There is no credit account for the e-mail address you gave, so your balance is 0 credits; \
         this booking costs {}. If you have an account under another address, please book with \
         that one.",
        credits(cost)
    )
}

pub fn taken() -> String {
    "This time has been given to somebody who asked earlier. Please choose another time.".to_owned()
}

pub fn waited_too_long() -> String {
    "The request has waited as long as it may.".to_owned()
}

/// The longest text of a server that is kept with a decision, in characters: a title is for reading,
/// and the log refuses lines beyond its own limits.
const MAX_KEPT: usize = 300;

/// A server's text as it is kept.
pub fn kept(text: &str) -> String {
    text.chars().take(MAX_KEPT).collect()
}

/// All reasons as one text for the booker.
pub fn joined(reasons: &[Reason]) -> String {
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    texts.join(" ").chars().take(MAX_TEXT).collect()
}

/// Why a booking that others accepted is cancelled.
pub fn unmanaged() -> String {
    "This booking was accepted without being paid for with credits, so it was cancelled. Please \
     request it again."
        .to_owned()
}
