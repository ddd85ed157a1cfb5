//! Cancelled: what comes back.

use super::{Case, Verdict, What, cancelled_at, keeps, moves, who_cancelled};
use crate::domain::booking::Booking;
use crate::domain::decision::Credits;
use crate::domain::fact::Fact;
use crate::domain::intent::last_paid_first;
use crate::domain::terms::{AfterMoves, Blame, Who, share};
use crate::domain::text;
use crate::domain::time::Span;

/// The reason of an absence that cost nothing.
pub const FORGIVEN: &str = "the booker did not come; forgiven";

/// Nothing follows: in whose name it was cancelled, and how late, decides. What a late move before has
/// cost does not come back, unless the cancellation counts as the host's.
pub(super) fn cancelled(case: &Case<'_>, last: &Booking) -> Verdict {
    let who = who_cancelled(case, last);
    let notice = last.start - cancelled_at(last, case.now);
    let percent = case.terms.percent(&who, notice);
    let text = |who: &str| format!("cancelled {who}, {}", in_words(notice));
    let told = Told::of(case, &who, text);
    match case.terms.blame(&who) {
        Blame::Host => give_back(case, percent, 0, &told),
        Blame::Booker => give_back(case, percent, keeps(case), &told),
    }
}

/// The successor was refused, or nobody answered it in time: everything comes back, except for what a
/// cancellation at the moment of a late move would have cost.
pub(super) fn undo(case: &Case<'_>, text: &str) -> Verdict {
    give_back(case, 100, keeps(case), &Told::plain(text))
}

/// The successor was paid for by itself, with so many credits of the same account.
pub(super) fn paid_twice(case: &Case<'_>, covered: Credits, text: &str) -> Verdict {
    let keeps = keeps(case).saturating_sub(covered);
    give_back(case, 100, keeps, &Told::plain(text))
}

/// A move with too little notice, where that is a cancellation: the first such of the chain.
pub(super) fn late_move(case: &Case<'_>) -> Option<Verdict> {
    let moves = moves(case);
    let paid = case.charge.credits();
    let AfterMoves::Cancelled { number, percent } = case.terms.after_moves(paid, &moves) else {
        return None;
    };
    let (late, to) = (&moves[number], &case.chain[number + 1].uid);
    let text = |by: &str| {
        let notice = in_words(late.notice());
        format!("moved to {to} {by}, {notice}, which counts as cancelling it")
    };
    let told = Told::of(case, &late.by, text);
    Some(give_back(case, percent, case.charge.keeps, &told))
}

/// What is said of a refund.
#[derive(Clone)]
struct Told {
    /// As it is recorded, for explanations and statements: with the address of a third party.
    recorded: String,
    /// As it is reported and logged, where addresses have no place.
    reported: String,
    /// Whether it forgives an absence.
    forgives: bool,
}

impl Told {
    fn plain(text: &str) -> Self {
        Self {
            recorded: text.to_owned(),
            reported: text.to_owned(),
            forgives: false,
        }
    }

    fn of(case: &Case<'_>, who: &Who, text: impl Fn(&str) -> String) -> Self {
        Self {
            recorded: text(&who.named(case.terms)),
            reported: text(who.word(case.terms)),
            forgives: false,
        }
    }

    fn and(&self, more: &str) -> Self {
        Self {
            recorded: format!("{}; {more}", self.recorded),
            reported: format!("{}; {more}", self.reported),
            forgives: self.forgives,
        }
    }
}

/// Gives that share back and closes the charge, whatever happened before.
pub fn refund(case: &Case<'_>, percent: u8, text: &str) -> Verdict {
    give_back(case, percent, 0, &Told::plain(text))
}

/// Gives everything back for an absence that costs nothing.
pub(super) fn forgive(case: &Case<'_>) -> Verdict {
    let told = Told {
        forgives: true,
        ..Told::plain(FORGIVEN)
    };
    give_back(case, 100, 0, &told)
}

/// Gives that share back, as far as it is not among the credits that the charge `keeps`.
fn give_back(case: &Case<'_>, percent: u8, keeps: Credits, told: &Told) -> Verdict {
    let booking = case.charge.booking.uid.clone();
    let paid = case.charge.credits();
    let by_notice = share(paid, percent);
    let credits = by_notice.min(paid.saturating_sub(keeps));
    let told = if credits < by_notice {
        told.and("it had been moved too late to be cancelled for nothing")
    } else {
        told.clone()
    };
    if credits == 0 && (percent < 100 || paid > 0) {
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
    let told = if credits < paid {
        told.and(&format!("{} of {paid} come back", text::credits(credits)))
    } else {
        told
    };
    Verdict::Write {
        facts: vec![Fact::Refund {
            booking,
            parts: last_paid_first(&case.charge.parts, credits),
            close: true,
            reason: told.recorded,
            forgives: told.forgives,
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
