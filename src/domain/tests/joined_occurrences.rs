//! Whether the confirm of a series also accepted a booking that joined the series meanwhile.

use super::fixtures::*;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::DecisionOutcome;
use crate::domain::request::{CallEnd, CallKind, CallNote, Request, RequestState};
use crate::domain::time::Span;
use crate::domain::watch::accepted_bookings::{SeriesConfirm, series_confirm};

/// Returns a series whose confirm was sent and answered at `now`.
fn confirmed_series() -> Request {
    modify(intent("s", &["a"]), |request| {
        request.series = Some(request_id("s"));
        request.decided_at = now();
        request.calls = vec![CallNote {
            at: now(),
            booking: uid("a"),
            kind: CallKind::Confirm,
            end: CallEnd::Answered,
            text: String::new(),
        }];
        request.state = RequestState::Settled {
            outcome: DecisionOutcome::Confirmed,
            at: now(),
        };
    })
}

/// The clocks of the server and of this machine may differ by some seconds, and this machine's
/// clock may be set back.
#[test]
fn what_joined_before_the_confirm_ended_was_accepted_by_it_whatever_the_clocks_say() {
    let seconds = [
        (-60, SeriesConfirm::Yes),
        (1, SeriesConfirm::Yes),
        (119, SeriesConfirm::Yes),
        (121, SeriesConfirm::No),
    ];
    for (after, expect) in seconds {
        let joined = modify(booking("b"), |joined: &mut Booking| {
            joined.series = Some(request_id("s"));
            joined.status = BookingStatus::Accepted;
            joined.created_at = now() + Span::seconds(after);
            joined.updated_at = Some(now() - Span::seconds(1));
        });
        assert_eq!(
            series_confirm(&joined, &confirmed_series()),
            expect,
            "{after} s"
        );
    }
}

/// The confirm may have been sent although no call is recorded: the process was killed during it.
#[test]
fn a_confirm_that_may_have_been_sent_leaves_it_unclear_who_accepted_what_joined() {
    let joined = modify(booking("b"), |joined: &mut Booking| {
        joined.series = Some(request_id("s"));
        joined.status = BookingStatus::Accepted;
        joined.created_at = now() - Span::seconds(10);
    });
    let ended = |calls: Vec<CallNote>, outcome| {
        modify(confirmed_series(), |request| {
            request.calls = calls;
            request.state = RequestState::Settled { outcome, at: now() };
        })
    };
    let refused = modify(confirmed_series().calls.remove(0), |call: &mut CallNote| {
        call.end = CallEnd::Refused;
    });
    let (superseded, given_up) = (DecisionOutcome::Superseded, DecisionOutcome::Refused);
    let rows = [
        (Vec::new(), superseded, SeriesConfirm::OutcomeUnknown),
        // Another call may have followed the refused one.
        (
            vec![refused.clone()],
            superseded,
            SeriesConfirm::OutcomeUnknown,
        ),
        // The bookings were still pending after the last call.
        (vec![refused], given_up, SeriesConfirm::No),
    ];
    for (calls, outcome, expect) in rows {
        let request = ended(calls, outcome);
        assert_eq!(
            series_confirm(&joined, &request),
            expect,
            "{outcome:?} {:?}",
            request.calls
        );
    }
}
