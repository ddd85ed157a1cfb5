//! What to do about an open charge, from what its booking and the successors of it *are*. Pure: the
//! same case gives the same facts, and when they are applied nothing is left to do.

pub mod accepted;
mod cancelled;
mod moved;
pub mod unmanaged;

pub use cancelled::refund;

use super::account::Account;
use super::booking::{Booking, Status};
use super::decision::{Credits, Outcome};
use super::entry_reason::{EntryCode, EntryReason};
use super::fact::Fact;
use super::gate::Gate;
use super::id::HostKey;
use super::request::{Charge, Request, RequestState};
use super::terms::{AfterMoves, HostAbsent, MoveAway, NoShow, RefundTerms, Who, share, who_moved};
use super::time::{Time, instant};
use super::unresolved::UnresolvedCode;

/// Successors that are followed from one booking. Each is a call; nobody moves a booking as often.
pub const MAX_CHAIN: usize = 32;

/// One open charge and all that can be known about it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub charge: &'a Charge,
    /// The charged booking and then its successors, each replacing the one before it.
    pub chain: &'a [Booking],
    pub end: ChainEnd,
    /// The terms of the charge.
    pub terms: &'a RefundTerms,
    /// `calcom.hosts`: whose names are the host's side.
    pub hosts: &'a [HostKey],
    /// The gate of the last of the chain; none when no gate guards it any more.
    pub last_gate: Option<&'a Gate>,
    /// What the last of the chain costs there; none when no gate guards it.
    pub last_cost: Option<Credits>,
    /// The account that paid.
    pub account: &'a Account,
    /// Absences of the account that were forgiven within the time that counts.
    pub forgiven: u32,
    /// The last booking's own charge and what was decided of it, when it is not the charged one.
    pub successor: Option<&'a Charge>,
    pub request: Option<&'a Request>,
    /// Whether an intent that is open takes it over, whatever is seen of the chain.
    pub taken_over: bool,
    pub now: Time,
    /// The hash of the policy.
    pub policy: &'a str,
}

/// What stands behind the last booking of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainEnd {
    /// Nothing: it is the last.
    Whole,
    /// The next one (or the charged one itself) is not there any more.
    Gone,
    /// The next one could not be read, or there are more than are followed.
    Unread,
}

/// What to do about the charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing now.
    Open {
        why: String,
        /// Something an operator should know about.
        problem: Option<Problem>,
        /// What an operator has to decide: it is put on the unresolved list, and told once.
        lists: Option<UnresolvedCode>,
    },
    Write {
        facts: Vec<Fact>,
        what: What,
        text: String,
        problem: Option<Problem>,
    },
}

/// What became of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Moved,
    Refunded,
    /// A part came back, the rest is spent for good.
    PartlyRefunded,
    Kept,
    /// A booking that others accepted was charged.
    Charged,
    /// A booking that others accepted was cancelled.
    Cancelled,
    /// A request that ended undecided was closed.
    Closed,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Refunded => "refunded",
            Self::PartlyRefunded => "partly-refunded",
            Self::Kept => "kept",
            Self::Charged => "charged",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
        }
    }
}

/// A code for machines and a text.
pub type Problem = super::plan::Problem;

/// Looks at one charge.
pub fn watch(case: &Case<'_>) -> Verdict {
    if case.taken_over {
        return open("what replaced its booking is being decided, and takes it over".to_owned());
    }
    let Some(last) = case.chain.last() else {
        return lost(case);
    };
    let begun = case
        .request
        .filter(|request| request.state == RequestState::Recorded);
    if let Some(verdict) = cancelled::late_move(case) {
        return verdict;
    }
    match case.end {
        ChainEnd::Whole => {}
        ChainEnd::Gone | ChainEnd::Unread => return lost(case),
    }
    if let Some(request) = begun {
        if case.chain.len() > 1 {
            return open(format!("moved to {}, which is being decided", last.uid));
        }
        // Whether a cancellation that is found is our own is known once our call has an end.
        if request.cancels_accepted() {
            return open("it is being cancelled by maitred".to_owned());
        }
    }
    match &last.status {
        // With `refuse-with = "cancel"`, and in v1, a cancellation is how it was declined.
        Status::Cancelled if !declined(case) => cancelled::cancelled(case, last),
        Status::Cancelled | Status::Rejected => {
            cancelled::undo(case, EntryCode::Declined(last.uid.clone()))
        }
        Status::Accepted if case.chain.len() > 1 => moved::moved(case, last),
        Status::Accepted => accepted(case, last),
        Status::Pending if last.end <= case.now => {
            cancelled::undo(case, EntryCode::EndedUndecided(last.uid.clone()))
        }
        Status::Pending if case.chain.len() > 1 => {
            open(format!("moved to {}, which waits for an answer", last.uid))
        }
        Status::Pending if last.end > case.now => {
            open("it is in a state that says nothing yet".to_owned())
        }
        Status::AwaitingHost | Status::Other(_) if last.end > case.now => unknown(last),
        Status::Pending | Status::AwaitingHost | Status::Other(_) => accepted(case, last),
    }
}

/// The moves along the chain, oldest first.
fn moves(case: &Case<'_>) -> Vec<MoveAway> {
    let pairs = case.chain.iter().zip(case.chain.iter().skip(1));
    let moves = pairs.enumerate().map(|(number, (from, to))| MoveAway {
        // The pass knows the charge, and not the booking that was charged.
        start: if number == 0 {
            case.charge.start
        } else {
            from.start
        },
        at: to.created,
        by: who_moved(to, case.hosts),
    });
    moves.collect()
}

/// Credits of the charge that its late moves keep.
fn keeps(case: &Case<'_>) -> Credits {
    let paid = case.charge.credits();
    let by_moves = match case.terms.after_moves(paid, &moves(case)) {
        AfterMoves::Carried { keeps } => keeps,
        AfterMoves::Cancelled { percent, .. } => paid - share(paid, percent),
    };
    by_moves.max(case.charge.keeps)
}

/// Whether the last of the chain was refused by us.
fn declined(case: &Case<'_>) -> bool {
    case.request.is_some_and(|request| match request.state {
        RequestState::Settled { outcome, .. } => outcome == Outcome::Declined,
        RequestState::Noted | RequestState::Recorded => false,
    })
}

/// When a charge of a booking that ends then becomes final.
pub fn final_at(end: Time, terms: &RefundTerms) -> Time {
    end + terms.grace
}

fn open(why: String) -> Verdict {
    Verdict::Open {
        why,
        problem: None,
        lists: None,
    }
}

/// A status that is not known may become any other one: the charge stays open, and people are told.
fn unknown(last: &Booking) -> Verdict {
    Verdict::Open {
        why: "has a status that maitred does not know; its charge stays open".to_owned(),
        problem: Some(Problem {
            code: UnresolvedCode::UnknownStatus.as_str(),
            text: format!(
                "booking {} has a status that maitred does not know; its charge stays open until the \
                 status is known or the booking is over: see `maitred unresolved`",
                last.uid
            ),
        }),
        lists: Some(UnresolvedCode::UnknownStatus),
    }
}

fn kept(case: &Case<'_>, code: EntryCode) -> Verdict {
    let reason = EntryReason::from(code);
    Verdict::Write {
        text: reason.reported(),
        facts: vec![Fact::Closed {
            booking: case.charge.booking.uid.clone(),
            reason,
        }],
        what: What::Kept,
        problem: None,
    }
}

/// The booking cannot be found, or its chain not be followed to the end.
fn lost(case: &Case<'_>) -> Verdict {
    let uid = &case.charge.booking.uid;
    match case.end {
        ChainEnd::Whole | ChainEnd::Unread => open("it could not be read to the end".to_owned()),
        ChainEnd::Gone if case.now < final_at(case.charge.end, case.terms) => Verdict::Open {
            why: "it is not there any more".to_owned(),
            problem: Some(Problem {
                code: "booking-gone",
                text: format!(
                    "booking {uid} or the one it was moved to is not at Cal.com any more; its \
                     charge stays until the booking would be over: see `maitred explain {uid}`"
                ),
            }),
            lists: None,
        },
        ChainEnd::Gone => kept(case, EntryCode::Gone),
    }
}

/// It stands. Absence is looked at once the time for marks is over, so that one taken back in that
/// time never counted.
fn accepted(case: &Case<'_>, booking: &Booking) -> Verdict {
    let terms = case.terms;
    let end = final_at(booking.end, terms);
    if case.now < booking.end {
        return open("the booking is to come".to_owned());
    }
    if case.now < end {
        return open(format!("over; final at {}", instant(end)));
    }
    if booking.absent_host {
        match terms.host_absent {
            HostAbsent::Refund => return refund(case, 100, EntryCode::HostAbsent),
            HostAbsent::Review if case.charge.credits() > 0 => return host_absent(case),
            HostAbsent::Review | HostAbsent::Ignore => {}
        }
    }
    if !is_absent(booking) {
        return kept(case, EntryCode::Over);
    }
    let forgives = terms
        .forgive
        .is_some_and(|forgive| case.forgiven < forgive.times);
    match terms.no_show {
        // Nothing to forgive, so that what is to be forgiven is left for another time.
        NoShow::Keep | NoShow::Review if case.charge.credits() == 0 => {
            kept(case, EntryCode::AbsenceUnpaid)
        }
        NoShow::Keep | NoShow::Review if forgives => cancelled::forgive(case),
        NoShow::Keep => kept(case, EntryCode::BookerAbsent),
        NoShow::Refund => refund(case, 100, EntryCode::BookerAbsent),
        NoShow::Review => {
            let uid = &case.charge.booking.uid;
            Verdict::Open {
                why: "the booker did not come; waits for an operator".to_owned(),
                problem: Some(Problem {
                    code: "no-show",
                    text: format!(
                        "the booker of {uid} did not come: `maitred charges settle {uid} keep` or \
                         `refund`"
                    ),
                }),
                lists: None,
            }
        }
    }
}

/// The mark may be anybody's, so an operator decides.
fn host_absent(case: &Case<'_>) -> Verdict {
    let uid = &case.charge.booking.uid;
    Verdict::Open {
        why: "the host is marked absent; waits for an operator".to_owned(),
        problem: Some(Problem {
            code: "host-absent",
            text: format!(
                "the host of {uid} is marked absent, which every key of the server can do: \
                 `maitred charges settle {uid} refund` or `keep`"
            ),
        }),
        lists: Some(UnresolvedCode::HostAbsent),
    }
}

/// Whether the booker was marked absent; guests and co-hosts do not count.
fn is_absent(booking: &Booking) -> bool {
    let Some(booker) = &booking.booker else {
        return false;
    };
    booking
        .attendees
        .iter()
        .any(|one| one.absent && one.address.as_ref() == Some(&booker.address))
}

/// When it was cancelled, as far as can be told: `updatedAt` is an upper bound, and so is the
/// instant it was seen at.
fn cancelled_at(booking: &Booking, now: Time) -> Time {
    booking.updated.map_or(now, |updated| updated.min(now))
}

fn who_cancelled(case: &Case<'_>, booking: &Booking) -> Who {
    Who::of(booking, booking.cancelled_by.as_ref(), case.hosts)
}
