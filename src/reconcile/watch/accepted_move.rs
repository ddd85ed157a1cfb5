//! A paid booking that was moved and accepted again without a pass, judged by the rules of its gate as
//! if it were pending (`accepted-move = "judge"`). The pass's own observation and plan do it, on a
//! calendar in which this booking alone waits: there is no second way to judge.

use async_trait::async_trait;

use super::cancel::Why;
use super::look::Chain;
use super::settle::request_of;
use crate::calcom::port::{Calendar, CallError, Dialect, Me, Page, Select};
use crate::domain::booking::{Booking, BookingRef, EventType, Reading, Status};
use crate::domain::decision::{Code, Decision};
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, Request, RequestState};
use crate::domain::terms::{AcceptedMove, AfterMoves, MoveAway, Who, who_moved};
use crate::domain::text;
use crate::domain::time::{Span, Time};
use crate::domain::watch::ChainEnd;
use crate::reconcile::observe::observe;
use crate::reconcile::ports::{PassError, Ports, Session};

/// What the rules say of it.
#[derive(Debug)]
pub(super) enum Judged {
    Keep,
    /// It stays, and an operator is to look at it.
    Review(String),
    Cancel(Why),
    /// It could not be judged now.
    Later,
}

/// Whether the booking is one that the rules of its gate are asked about.
pub(super) fn is_judged(policy: &Policy, booking: &Booking) -> bool {
    let gate = policy.gate(booking);
    gate.is_some_and(|gate| gate.terms.accepted_move == AcceptedMove::Judge)
        && is_by_booker(policy, booking)
}

/// The last booking of the chain and its gate, where the rules of that gate have to be asked before the
/// charge goes on with it: it was accepted, and nothing was decided about it.
pub(super) async fn to_be_judged<'a>(
    ports: &Ports<'_>,
    policy: &'a Policy,
    charge: &Charge,
    chain: &'a Chain,
) -> Result<Option<(&'a Booking, &'a Gate)>, PassError> {
    let Some(last) = chain.bookings.last().filter(|_| chain.bookings.len() > 1) else {
        return Ok(None);
    };
    let now = (ports.clock)();
    let stands = chain.end == ChainEnd::Whole && last.status == Status::Accepted && last.end > now;
    let Some(gate) = policy.gate(last).filter(|_| stands) else {
        return Ok(None);
    };
    // A move that counts as a cancellation closes the charge first: what it moved to is unpaid then.
    let terms = charge.refund_terms(Some(&gate.terms.refunds));
    let moves: Vec<MoveAway> = { chain.bookings.windows(2) }
        .map(|pair| MoveAway {
            start: pair[0].start,
            at: pair[1].created,
            by: who_moved(&pair[1], &policy.hosts),
        })
        .collect();
    let after = terms.after_moves(charge.credits(), &moves);
    let is_late = matches!(after, AfterMoves::Cancelled { .. });
    if is_late || !is_judged(policy, last) {
        return Ok(None);
    }
    let uid = last.uid.clone();
    let decided = ports.store.with(move |store| request_of(store, &uid)).await;
    let decided = decided.map_err(PassError::Store)?;
    let is_decided = decided.is_some_and(|request| request.state != RequestState::Noted);
    Ok((!is_decided).then_some((last, gate)))
}

/// Whether it was moved, and not by the host, whom the rules of a gate do not bind. A name counts only
/// where names are trusted.
pub(super) fn is_by_booker(policy: &Policy, booking: &Booking) -> bool {
    let gate = policy.gate(booking);
    let trusts = gate.is_some_and(|gate| gate.terms.refunds.trust_named_cancels);
    let by_host = who_moved(booking, &policy.hosts) == Who::Host;
    booking.rescheduled_from.is_some() && !(by_host && trusts)
}

/// Asks the rules.
pub(super) async fn judge(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    booking: &Booking,
    problems: &mut Vec<Problem>,
) -> Result<Judged, PassError> {
    let alone = Alone {
        calendar: ports.calendar,
        booking: Booking {
            status: Status::Pending,
            // Its series was answered: what counts is this occurrence.
            series: None,
            ..booking.clone()
        },
    };
    let ports = Ports {
        calendar: &alone,
        ..*ports
    };
    // What the pass left alone is none of this.
    let left = std::mem::take(&mut session.left);
    let observed = observe(&ports, policy, session).await;
    session.left = left;
    let observed = observed?;
    problems.extend(observed.problems);
    let mut steps = observed.plan.steps.iter();
    let of_it = |request: &Request| request.bookings.iter().any(|one| one.uid == booking.uid);
    let Some(step) = steps.find(|step| of_it(&step.request)) else {
        return Ok(Judged::Later);
    };
    let request = step.request.as_ref();
    Ok(match request.decision {
        Decision::Confirm => Judged::Keep,
        Decision::Decline => Judged::Cancel(Why {
            code: Code::AcceptedMove,
            // What a booker reads says nothing about an account.
            text: request
                .text
                .clone()
                .unwrap_or_else(|| text::joined(&request.reasons)),
            reasons: request.reasons.clone(),
        }),
        Decision::Wait { .. } | Decision::Review | Decision::Leave => {
            Judged::Review(text::joined(&request.reasons))
        }
    })
}

/// A calendar in which one booking waits and nothing else.
struct Alone<'a> {
    calendar: &'a dyn Calendar,
    booking: Booking,
}

#[async_trait]
impl Calendar for Alone<'_> {
    async fn me(&self) -> Result<Me, CallError> {
        self.calendar.me().await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.calendar.event_types().await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        self.calendar.event_type(id).await
    }

    async fn list(&self, select: &Select, page: u32) -> Result<Page, CallError> {
        match select {
            Select::Pending => Ok(Page {
                bookings: vec![self.booking.clone()],
                unreadable: Vec::new(),
                next: None,
                server_time: None,
            }),
            Select::Upcoming { .. }
            | Select::Past { .. }
            | Select::UpdatedSince(_)
            | Select::CreatedSince(_) => self.calendar.list(select, page).await,
        }
    }

    async fn get(&self, booking: &BookingRef) -> Result<Reading, CallError> {
        self.calendar.get(booking).await
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        self.calendar.series(series).await
    }

    fn reads_before_acting(&self) -> bool {
        self.calendar.reads_before_acting()
    }

    fn names_successors(&self) -> bool {
        self.calendar.names_successors()
    }

    async fn confirm(&self, _: &BookingRef, _: Time) -> Result<Option<Reading>, CallError> {
        Err(nothing_is_sent())
    }

    async fn decline(
        &self,
        _: &BookingRef,
        _: &str,
        _: Time,
    ) -> Result<Option<Reading>, CallError> {
        Err(nothing_is_sent())
    }

    async fn cancel(&self, _: &BookingRef, _: &str, _: Time) -> Result<Option<Reading>, CallError> {
        Err(nothing_is_sent())
    }

    fn server(&self) -> String {
        self.calendar.server()
    }

    fn dialect(&self) -> Dialect {
        self.calendar.dialect()
    }

    fn clock_difference(&self) -> Option<Span> {
        self.calendar.clock_difference()
    }

    fn calls(&self) -> u64 {
        self.calendar.calls()
    }

    fn ready(&self) -> usize {
        self.calendar.ready()
    }
}

fn nothing_is_sent() -> CallError {
    CallError::Refused("observing sends nothing".to_owned())
}
