//! Cancelled: what comes back, and to which lot.

use super::{Case, Verdict, What, cancelled_at, who_cancelled};
use crate::domain::account::Part;
use crate::domain::booking::Booking;
use crate::domain::decision::Credits;
use crate::domain::fact::{Back, Fact};
use crate::domain::id::Reference;
use crate::domain::intent::last_paid_first;
use crate::domain::terms::{ExpiredRefund, Who, share, who_moved};
use crate::domain::text;
use crate::domain::time::Span;

/// The reason of an absence that cost nothing. Earlier ones are counted by it: it never changes.
pub const FORGIVEN: &str = "the booker did not come; forgiven";

/// Nothing follows: in whose name it was cancelled, and how late, decides.
pub(super) fn cancelled(case: &Case<'_>, last: &Booking) -> Verdict {
    let who = who_cancelled(case, last);
    let notice = last.start - cancelled_at(last, case.now);
    let percent = case.terms.percent(&who, notice);
    let text = |who: &str| format!("cancelled {who}, {}", in_words(notice));
    give_back(case, percent, &Told::of(case, &who, text))
}

/// A move with too little notice, where that is a cancellation: the first such of the chain.
pub(super) fn late_move(case: &Case<'_>) -> Option<Verdict> {
    let terms = case.terms;
    let (from, to) = case
        .chain
        .iter()
        .zip(case.chain.iter().skip(1))
        .find(|(from, to)| terms.is_late_move(from.start, to, case.hosts))?;
    let notice = from.start - to.created;
    let by = who_moved(to, case.hosts);
    let percent = terms.percent(&by, notice);
    let text = |by: &str| {
        let notice = in_words(notice);
        format!(
            "moved to {} {by}, {notice}, which counts as cancelling it",
            to.uid
        )
    };
    Some(give_back(case, percent, &Told::of(case, &by, text)))
}

/// What is said of a refund.
#[derive(Clone)]
struct Told {
    /// As it is recorded, for explanations and statements: with the address of a third party.
    recorded: String,
    /// As it is reported and logged, where addresses have no place.
    reported: String,
}

impl Told {
    fn of(case: &Case<'_>, who: &Who, text: impl Fn(&str) -> String) -> Self {
        Self {
            recorded: text(&who.named(case.terms)),
            reported: text(who.word(case.terms)),
        }
    }

    fn and(&self, more: &str) -> Self {
        Self {
            recorded: format!("{}; {more}", self.recorded),
            reported: format!("{}; {more}", self.reported),
        }
    }
}

/// Gives that share back and closes the charge.
pub fn refund(case: &Case<'_>, percent: u8, text: &str) -> Verdict {
    let told = Told {
        recorded: text.to_owned(),
        reported: text.to_owned(),
    };
    give_back(case, percent, &told)
}

fn give_back(case: &Case<'_>, percent: u8, told: &Told) -> Verdict {
    let booking = case.charge.booking.uid.clone();
    let paid = case.charge.credits();
    let credits = share(paid, percent);
    if credits == 0 && percent < 100 {
        let told = told.and("nothing comes back");
        return Verdict::Write {
            facts: vec![Fact::Closed {
                booking,
                reason: told.recorded,
            }],
            what: What::Kept,
            text: told.reported,
            problem: None,
        };
    }
    let part = format!("{} of {paid} come back", text::credits(credits));
    let told = if credits < paid {
        told.and(&part)
    } else {
        told.clone()
    };
    Verdict::Write {
        facts: vec![Fact::Refund {
            booking,
            parts: back(case, &case.charge.parts, credits),
            close: true,
            reason: told.recorded,
        }],
        what: if credits < paid {
            What::PartlyRefunded
        } else {
            What::Refunded
        },
        text: told.reported,
        problem: None,
    }
}

/// The parts that go back, each to the lot that paid; where that has expired, as the terms say.
pub(super) fn back(case: &Case<'_>, parts: &[Part], credits: Credits) -> Vec<Back> {
    let mut back = last_paid_first(parts, credits);
    let ExpiredRefund::RestoreFor(span) = case.terms.expired_refund else {
        return back;
    };
    for (number, part) in back.iter_mut().enumerate() {
        let expiry = case.expiries.get(&part.grant).copied().flatten();
        if expiry.is_some_and(|expiry| expiry <= case.now) {
            part.restored = Some((restored_name(case, number), case.now + span));
        }
    }
    back
}

/// A name that no other refund has: what came back of the charge so far grows with each.
fn restored_name(case: &Case<'_>, number: usize) -> Reference {
    let charge = case.charge;
    let uid = charge.booking.uid.as_str();
    // A uid may be as long as a name may be; its end tells it apart, and so does the account.
    let tail = &uid[uid.len().saturating_sub(200)..];
    let name = format!("refund {tail} {} {number}", charge.refunded);
    Reference::parse(&name).expect("a uid is plain ASCII and the rest short")
}

/// `3 h before the start`, `20 min after the start`.
fn in_words(notice: Span) -> String {
    let (amount, side) = if notice < Span::zero() {
        (-notice, "after")
    } else {
        (notice, "before")
    };
    let minutes = amount.num_minutes();
    let amount = match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    format!("{amount} {side} the start")
}
