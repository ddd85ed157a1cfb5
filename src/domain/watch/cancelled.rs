//! Cancelled: what comes back.

use super::{Case, Verdict, What, cancelled_at, keeps, moves, who_cancelled};
use crate::domain::booking::Booking;
use crate::domain::decision::Credits;
use crate::domain::entry_reason::{EntryCode, EntryReason, NamedBy, PartBack};
use crate::domain::fact::Fact;
use crate::domain::id::BookingUid;
use crate::domain::intent::last_paid_first;
use crate::domain::terms::{AfterMoves, Blame, share};

/// Nothing follows: in whose name it was cancelled, and how late, decides. What a late move before has
/// cost does not come back, unless the cancellation counts as the host's.
pub(super) fn cancelled(case: &Case<'_>, last: &Booking) -> Verdict {
    let who = who_cancelled(case, last);
    let notice = last.start - cancelled_at(last, case.now);
    let percent = case.terms.percent(&who, notice);
    let code = EntryCode::Cancelled {
        by: NamedBy::of(&who, case.terms),
        notice,
    };
    match case.terms.blame(&who) {
        Blame::Host => give_back(case, percent, 0, code),
        Blame::Booker => give_back(case, percent, keeps(case), code),
    }
}

/// The successor was refused, or nobody answered it in time: everything comes back, except for what a
/// cancellation at the moment of a late move would have cost.
pub(super) fn undo(case: &Case<'_>, code: EntryCode) -> Verdict {
    give_back(case, 100, keeps(case), code)
}

/// The successor was paid for by itself, with so many credits of the same account.
pub(super) fn paid_twice(case: &Case<'_>, covered: Credits, successor: &BookingUid) -> Verdict {
    let keeps = keeps(case).saturating_sub(covered);
    give_back(
        case,
        100,
        keeps,
        EntryCode::SuccessorPaid(successor.clone()),
    )
}

/// A move with too little notice, where that is a cancellation: the first such of the chain.
pub(super) fn late_move(case: &Case<'_>) -> Option<Verdict> {
    let moves = moves(case);
    let paid = case.charge.credits();
    let AfterMoves::Cancelled { number, percent } = case.terms.after_moves(paid, &moves) else {
        return None;
    };
    let late = &moves[number];
    let code = EntryCode::MovedLate {
        to: case.chain[number + 1].uid.clone(),
        by: NamedBy::of(&late.by, case.terms),
        notice: late.notice(),
    };
    Some(give_back(case, percent, case.charge.keeps, code))
}

/// Gives that share back and closes the charge, whatever happened before.
pub fn refund(case: &Case<'_>, percent: u8, code: EntryCode) -> Verdict {
    give_back(case, percent, 0, code)
}

/// Gives everything back for an absence that costs nothing.
pub(super) fn forgive(case: &Case<'_>) -> Verdict {
    give_back(case, 100, 0, EntryCode::AbsenceForgiven)
}

/// Gives that share back, as far as it is not among the credits that the charge `keeps`.
fn give_back(case: &Case<'_>, percent: u8, keeps: Credits, code: EntryCode) -> Verdict {
    let booking = case.charge.booking.uid.clone();
    let paid = case.charge.credits();
    let by_notice = share(paid, percent);
    let credits = by_notice.min(paid.saturating_sub(keeps));
    let nothing = credits == 0 && (percent < 100 || paid > 0);
    let reason = EntryReason {
        code,
        moved_late: credits < by_notice,
        part: (nothing || credits < paid).then_some(PartBack { credits, of: paid }),
    };
    let text = reason.reported();
    if nothing {
        return Verdict::Write {
            facts: vec![Fact::Closed { booking, reason }],
            what: What::Kept,
            text,
            problem: None,
        };
    }
    Verdict::Write {
        facts: vec![Fact::Refund {
            booking,
            parts: last_paid_first(&case.charge.parts, credits),
            close: true,
            reason,
        }],
        what: if credits < paid {
            What::PartlyRefunded
        } else {
            What::Refunded
        },
        text,
        problem: None,
    }
}
