//! In whose name a booking was cancelled or moved, and what of this claim is believed, recorded and
//! reported.

use super::fixtures::*;
use crate::domain::booking::{Attendee, Booking, BookingStatus, Host};
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::id::HostKey;
use crate::domain::refund_policy::{Blame, ClaimedActor, RefundTerms, identify_mover};
use crate::domain::request::ChargeState;
use crate::domain::time::Span;
use crate::domain::watch::{ChainEnd, ChargeCase, ChargeDecision, ChargeOutcome, watch_charge};

const HOST: &str = "ada@example.org";
const ADMIN: &str = "admin@example.org";
const GUEST: &str = "guest@example.com";
const JOINED: &str = "joined@example.com";
const STRANGER: &str = "cy@example.net";

/// Returns Bo's booking with a guest, and with an attendee who was added later.
fn shared_booking() -> Booking {
    modify(booking("a"), |b| {
        b.host = Some(Host {
            id: Some(OWN_HOST),
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
    let hosts = [HostKey::Address(address(ADMIN)), HostKey::Id(OWN_HOST)];
    let rows = [
        (Some(HOST), ClaimedActor::Host),
        (Some(ADMIN), ClaimedActor::Host),
        (Some("bo@example.com"), ClaimedActor::Booker),
        (Some(GUEST), ClaimedActor::Booker),
        (Some(JOINED), ClaimedActor::Booker),
        (Some(STRANGER), ClaimedActor::Other(address(STRANGER))),
        (None, ClaimedActor::Unnamed),
    ];
    for (by, expect) in rows {
        let by = by.map(address);
        assert_eq!(
            ClaimedActor::identify(&shared_booking(), by.as_ref(), &hosts),
            expect,
            "{by:?}"
        );
        let moved = modify(shared_booking(), |b| b.rescheduled_by = by.clone());
        assert_eq!(identify_mover(&moved, &hosts), expect, "{by:?}");
    }
    // A person who is not listed is a third party.
    let admin = address(ADMIN);
    assert_eq!(
        ClaimedActor::identify(&shared_booking(), Some(&admin), &[]),
        ClaimedActor::Other(admin)
    );
}

/// Watches a booking that was cancelled an hour before the start. Returns what is recorded, what is
/// reported, and whether the credits came back.
fn watch_cancelled(by: Option<&str>, terms: &RefundTerms) -> (String, String, ChargeOutcome) {
    let booking = modify(
        with_status(shared_booking(), BookingStatus::Cancelled),
        |b| {
            b.cancelled_by = by.map(address);
            b.updated_at = Some(b.start - Span::hours(1));
        },
    );
    let gate = gate();
    let verdict = watch_charge(&ChargeCase {
        charge: &charge("a", ChargeState::Open),
        chain: std::slice::from_ref(&booking),
        chain_end: ChainEnd::Whole,
        terms,
        hosts: &[HostKey::Address(address(ADMIN))],
        last_gate: Some(&gate),
        last_cost: Some(1),
        account: &account("bo@example.com", 5),
        forgiven_absences: 0,
        successor_charge: None,
        last_request: None,
        is_taken_over: false,
        now: booking.start,
        policy_hash: "policy",
    });
    let ChargeDecision::Write {
        facts,
        outcome: what,
        text,
        ..
    } = verdict
    else {
        panic!("{verdict:?}");
    };
    let [Fact::Charge(ChargeFact::Refund { reason, .. } | ChargeFact::Closed { reason, .. })] =
        &facts[..]
    else {
        panic!("{facts:?}");
    };
    (reason.full_text(), text, what)
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
        (Some(HOST), &defaults, claimed, ChargeOutcome::Final),
        (Some(ADMIN), &defaults, claimed, ChargeOutcome::Final),
        (Some(HOST), &lenient, claimed, ChargeOutcome::Final),
        (
            Some(HOST),
            &trusting,
            "cancelled by the host, 60 min",
            ChargeOutcome::Refunded,
        ),
        (
            Some(ADMIN),
            &trusting,
            "cancelled by the host, 60 min",
            ChargeOutcome::Refunded,
        ),
        (
            Some(GUEST),
            &trusting,
            "cancelled by the booker, 60 min",
            ChargeOutcome::Final,
        ),
        (
            Some(GUEST),
            &lenient,
            "cancelled by the booker, 60 min",
            ChargeOutcome::Final,
        ),
        (
            None,
            &defaults,
            "cancelled without a name, 60 min",
            ChargeOutcome::Final,
        ),
        (
            None,
            &lenient,
            "cancelled without a name, 60 min",
            ChargeOutcome::Refunded,
        ),
        (
            Some(STRANGER),
            &defaults,
            "cancelled by cy@example.net, 60 min",
            ChargeOutcome::Final,
        ),
        (
            Some(STRANGER),
            &lenient,
            "cancelled by cy@example.net, 60 min",
            ChargeOutcome::Refunded,
        ),
    ];
    for (by, terms, expect, what) in rows {
        let (recorded, reported, actual) = watch_cancelled(by, terms);
        assert!(recorded.starts_with(expect), "{by:?}: {recorded}");
        assert_eq!(actual, what, "{by:?}: {recorded}");
        // What is reported goes to the log as well.
        assert!(!reported.contains('@'), "{by:?}: {reported}");
        if by != Some(STRANGER) {
            assert_eq!(reported, recorded, "{by:?}");
        }
    }
}
