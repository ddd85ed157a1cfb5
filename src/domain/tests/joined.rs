//! Whether the confirm of a series accepted a booking that joined the series meanwhile.

use super::make::*;
use crate::domain::booking::{Booking, Status};
use crate::domain::decision::Outcome;
use crate::domain::request::{CallEnd, CallKind, CallNote, Request, RequestState};
use crate::domain::time::Span;
use crate::domain::watch::accepted::{OurConfirm, confirmed_with};

/// The confirm was sent and answered at `now`.
fn confirmed() -> Request {
    but(intent("s", &["a"]), |request| {
        request.series = Some(rid("s"));
        request.decided = now();
        request.calls = vec![CallNote {
            at: now(),
            booking: uid("a"),
            kind: CallKind::Confirm,
            end: CallEnd::Answered,
            text: String::new(),
        }];
        request.state = RequestState::Settled {
            outcome: Outcome::Confirmed,
            at: now(),
        };
    })
}

/// The clocks of the server and of this machine may differ by some seconds, and ours may be set back.
#[test]
fn what_joined_before_the_confirm_ended_was_accepted_by_it_whatever_the_clocks_say() {
    let seconds = [
        (-60, OurConfirm::Done),
        (1, OurConfirm::Done),
        (119, OurConfirm::Done),
        (121, OurConfirm::No),
    ];
    for (after, expect) in seconds {
        let joined = but(booking("b"), |joined: &mut Booking| {
            joined.series = Some(rid("s"));
            joined.status = Status::Accepted;
            joined.created = now() + Span::seconds(after);
            joined.updated = Some(now() - Span::seconds(1));
        });
        assert_eq!(confirmed_with(&joined, &confirmed()), expect, "{after} s");
    }
}

/// The confirm may have been sent although no call is recorded: the process was killed during it.
#[test]
fn a_confirm_that_may_have_been_sent_leaves_it_unclear_who_accepted_what_joined() {
    let joined = but(booking("b"), |joined: &mut Booking| {
        joined.series = Some(rid("s"));
        joined.status = Status::Accepted;
        joined.created = now() - Span::seconds(10);
    });
    let superseded = |calls: Vec<CallNote>| {
        but(confirmed(), |request| {
            request.calls = calls;
            request.state = RequestState::Settled {
                outcome: Outcome::Superseded,
                at: now(),
            };
        })
    };
    let refused = but(confirmed().calls.remove(0), |call: &mut CallNote| {
        call.end = CallEnd::Refused;
    });
    let rows = [
        (Vec::new(), OurConfirm::Open),
        (vec![refused], OurConfirm::No),
    ];
    for (calls, expect) in rows {
        let request = superseded(calls);
        assert_eq!(
            confirmed_with(&joined, &request),
            expect,
            "{:?}",
            request.calls
        );
    }
}
