//! In whose name a booking was cancelled or moved, and what of that is believed, recorded and reported.

use super::make::*;
use crate::domain::booking::{Attendee, Booking, Host, Status};
use crate::domain::fact::Fact;
use crate::domain::id::HostKey;
use crate::domain::request::ChargeState;
use crate::domain::terms::{Blame, RefundTerms, Who, who_moved};
use crate::domain::time::Span;
use crate::domain::watch::{Case, ChainEnd, Verdict, What, watch};

const HOST: &str = "ada@example.org";
const ADMIN: &str = "admin@example.org";
const GUEST: &str = "guest@example.com";
const JOINED: &str = "joined@example.com";
const STRANGER: &str = "cy@example.net";

/// Bo's booking with a guest, and one who was added later.
fn shared() -> Booking {
    but(booking("a"), |b| {
        b.host = Some(Host {
            id: Some(ME),
            address: Some(address(HOST)),
            name: None,
            time_zone: None,
        });
        b.guests = vec![address(GUEST)];
        b.attendees = vec![Attendee {
            address: Some(address(JOINED)),
            name: None,
            time_zone: None,
            language: None,
            absent: false,
            seat: None,
        }];
    })
}

#[test]
fn a_name_is_on_one_of_the_sides() {
    let hosts = [HostKey::Address(address(ADMIN)), HostKey::Id(ME)];
    let rows = [
        (Some(HOST), Who::Host),
        (Some(ADMIN), Who::Host),
        (Some("bo@example.com"), Who::Booker),
        (Some(GUEST), Who::Booker),
        (Some(JOINED), Who::Booker),
        (Some(STRANGER), Who::Other(address(STRANGER))),
        (None, Who::Unnamed),
    ];
    for (by, expect) in rows {
        let by = by.map(address);
        assert_eq!(Who::of(&shared(), by.as_ref(), &hosts), expect, "{by:?}");
        let moved = but(shared(), |b| b.rescheduled_by = by.clone());
        assert_eq!(who_moved(&moved, &hosts), expect, "{by:?}");
    }
    // Who is not listed is a third party.
    let admin = address(ADMIN);
    assert_eq!(Who::of(&shared(), Some(&admin), &[]), Who::Other(admin));
}

/// An hour before the start: what is recorded, what is reported, and whether it came back.
fn cancelled(by: Option<&str>, terms: &RefundTerms) -> (String, String, What) {
    let booking = but(with_status(shared(), Status::Cancelled), |b| {
        b.cancelled_by = by.map(address);
        b.updated = Some(b.start - Span::hours(1));
    });
    let gate = gate();
    let verdict = watch(&Case {
        charge: &charge("a", ChargeState::Open),
        chain: std::slice::from_ref(&booking),
        end: ChainEnd::Whole,
        terms,
        hosts: &[HostKey::Address(address(ADMIN))],
        last_gate: Some(&gate),
        last_cost: Some(1),
        account: &account("bo@example.com", 5),
        forgiven: 0,
        successor: None,
        request: None,
        taken_over: false,
        now: booking.start,
        policy: "policy",
    });
    let Verdict::Write {
        facts, what, text, ..
    } = verdict
    else {
        panic!("{verdict:?}");
    };
    let [Fact::Refund { reason, .. } | Fact::Closed { reason, .. }] = &facts[..] else {
        panic!("{facts:?}");
    };
    (reason.text(), text, what)
}

#[test]
fn names_are_claims_and_a_third_party_is_recorded_by_name() {
    let defaults = RefundTerms::default();
    let trusting = RefundTerms {
        trust_named_cancels: true,
        ..RefundTerms::default()
    };
    let lenient = RefundTerms {
        unknown_cancels: Blame::Host,
        ..RefundTerms::default()
    };
    let claimed = "cancelled in the host's name, which counts as the booker's, 60 min";
    let rows = [
        (Some(HOST), &defaults, claimed, What::Kept),
        (Some(ADMIN), &defaults, claimed, What::Kept),
        (Some(HOST), &lenient, claimed, What::Kept),
        (
            Some(HOST),
            &trusting,
            "cancelled by the host, 60 min",
            What::Refunded,
        ),
        (
            Some(ADMIN),
            &trusting,
            "cancelled by the host, 60 min",
            What::Refunded,
        ),
        (
            Some(GUEST),
            &trusting,
            "cancelled by the booker, 60 min",
            What::Kept,
        ),
        (
            Some(GUEST),
            &lenient,
            "cancelled by the booker, 60 min",
            What::Kept,
        ),
        (
            None,
            &defaults,
            "cancelled without a name, 60 min",
            What::Kept,
        ),
        (
            None,
            &lenient,
            "cancelled without a name, 60 min",
            What::Refunded,
        ),
        (
            Some(STRANGER),
            &defaults,
            "cancelled by cy@example.net, 60 min",
            What::Kept,
        ),
        (
            Some(STRANGER),
            &lenient,
            "cancelled by cy@example.net, 60 min",
            What::Refunded,
        ),
    ];
    for (by, terms, expect, what) in rows {
        let (recorded, reported, got) = cancelled(by, terms);
        assert!(recorded.starts_with(expect), "{by:?}: {recorded}");
        assert_eq!(got, what, "{by:?}: {recorded}");
        // What is reported goes to the log as well.
        assert!(!reported.contains('@'), "{by:?}: {reported}");
        if by != Some(STRANGER) {
            assert_eq!(reported, recorded, "{by:?}");
        }
    }
}
