//! Caps with names, over several gates: on each member, and on each host.

use super::evaluation_fixture::*;
use super::fixtures::*;
use crate::domain::booking::Booking;
use crate::domain::criteria::cap::{CapPeriod, CapSubject, SharedCap};
use crate::domain::criteria::gate_criteria::ZoneSource;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::evaluation::cap_rules::{host_full_text, over_cap_text};
use crate::domain::host_bookings::HostBookings;
use crate::domain::id::{HostId, HostKey};
use crate::domain::messages;
use crate::domain::plan::plan;
use crate::domain::snapshot::CountedBooking;
use crate::domain::time::Span;

const OTHER_HOST: HostId = HostId(77);

fn host_cap(at_most: u32, period: CapPeriod, gates: &[&str]) -> SharedCap {
    SharedCap {
        name: "calm".to_owned(),
        at_most,
        period,
        gates: gates.iter().map(|gate| (*gate).to_owned()).collect(),
        each: CapSubject::Host { hosts: Vec::new() },
    }
}

fn member_cap(at_most: u32, gates: &[&str], tiers: &[&str]) -> SharedCap {
    SharedCap {
        each: CapSubject::Member {
            tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        },
        ..host_cap(at_most, CapPeriod::Week, gates)
    }
}

/// Adds a booking of the host that starts this many hours after the requested one.
fn add(bookings: &mut HostBookings, host: HostId, name: &str, hours: i64, gate: Option<&str>) {
    let start = booking("a").start + Span::hours(hours);
    bookings.add((host, start), &uid(name), gate, true);
}

/// The request is at 8 o'clock in UTC, at the host with number 12, and of the gate `club`.
#[test]
fn a_cap_on_hosts_counts_the_bookings_of_all_members() {
    use CapPeriod::{Day, Month, Week};
    let for_hosts = |cap: SharedCap, hosts: Vec<HostKey>| SharedCap {
        each: CapSubject::Host { hosts },
        ..cap
    };
    let by_address = || HostKey::Address(address("ada@example.org"));
    // cap, hours between the booking of the host and the request, its gate, whether it is full
    let rows = [
        (host_cap(1, Day, &[]), 2, Some("club"), true),
        (host_cap(2, Day, &[]), 2, Some("club"), false),
        (host_cap(0, Day, &[]), 48, Some("club"), true),
        (host_cap(1, Day, &[]), 24, Some("club"), false),
        (host_cap(1, Day, &[]), -24, Some("club"), false),
        (host_cap(1, Week, &[]), 24, Some("club"), true),
        (host_cap(1, Week, &[]), 7 * 24, Some("club"), false),
        (host_cap(1, Month, &[]), 5 * 24, Some("club"), true),
        // A gate limits its own requests, and counts its own bookings.
        (host_cap(1, Day, &["club"]), 2, Some("club"), true),
        (host_cap(1, Day, &["club"]), 2, Some("dinner"), false),
        (host_cap(1, Day, &["club"]), 2, None, false),
        (
            host_cap(1, Day, &["club", "dinner"]),
            2,
            Some("dinner"),
            true,
        ),
        (host_cap(1, Day, &["dinner"]), 2, Some("club"), false),
        (host_cap(1, Day, &[]), 2, None, true),
        // Some hosts are limited, by their numbers or addresses.
        (
            for_hosts(host_cap(1, Day, &[]), vec![HostKey::Id(OWN_HOST)]),
            2,
            None,
            true,
        ),
        (
            for_hosts(host_cap(1, Day, &[]), vec![HostKey::Id(OTHER_HOST)]),
            2,
            None,
            false,
        ),
        (
            for_hosts(host_cap(1, Day, &[]), vec![by_address()]),
            2,
            None,
            true,
        ),
    ];
    for (number, (cap, hours, gate, is_full)) in rows.into_iter().enumerate() {
        let period = cap.period;
        let evaluation = evaluate_case(|case| {
            case.global.shared_caps = vec![cap];
            let host = case.bookings[0].host.as_mut().unwrap();
            host.address = Some(address("ada@example.org"));
            add(&mut case.host_bookings, OWN_HOST, "x", hours, gate);
            add(&mut case.host_bookings, OTHER_HOST, "y", 1, gate);
        });
        let expect = if is_full {
            (Decision::Decline, host_full_text(period))
        } else {
            (Decision::Confirm, "enough credit".to_owned())
        };
        let actual = messages::join_reasons(&evaluation.reasons);
        assert_eq!((evaluation.decision, actual), expect, "row {number}");
        if is_full {
            let mut findings = evaluation.findings.iter();
            let finding = findings.find(|one| one.rule == "host-caps").unwrap();
            assert_eq!(finding.detail, format!("calm: {}", expect.1));
            // Every booker may read it.
            assert_eq!(evaluation.booker_text, Some(expect.1), "row {number}");
        }
    }
}

#[test]
fn the_day_of_a_host_is_that_of_the_schedule() {
    // At 8 o'clock in UTC it is 21 o'clock in Auckland, so 4 hours later is the next day there.
    let evaluate_in = |zone: chrono_tz::Tz| {
        evaluate_case(|case| {
            case.global.shared_caps = vec![host_cap(1, CapPeriod::Day, &[])];
            case.global.zone = zone;
            case.gate.criteria.zone_source = ZoneSource::Booker;
            let booker = case.bookings[0].booker.as_mut().unwrap();
            booker.time_zone = Some("Pacific/Auckland".to_owned());
            add(&mut case.host_bookings, OWN_HOST, "x", 4, None);
        })
        .decision
    };
    assert_eq!(evaluate_in(chrono_tz::UTC), DECLINE);
    assert_eq!(evaluate_in(chrono_tz::Pacific::Auckland), Decision::Confirm);
}

#[test]
fn occurrences_count_one_by_one_and_a_booking_does_not_count_itself() {
    let with_cap = |at_most| {
        move |case: &mut EvaluationCase| {
            case.account = Some(account("bo@example.com", 20));
            case.global.shared_caps = vec![host_cap(at_most, CapPeriod::Week, &[])];
            case.bookings = (0..2)
                .map(|day| {
                    modify(booking(&format!("s{day}")), |b| {
                        b.start += Span::days(day);
                        b.end += Span::days(day);
                    })
                })
                .collect();
            // The calendar may show the request itself: a moved booking is accepted at once.
            add(&mut case.host_bookings, OWN_HOST, "s1", 24, Some("club"));
        }
    };
    check(with_cap(2), Decision::Confirm, &[ReasonCode::EnoughCredit]);
    check(with_cap(1), DECLINE, &[ReasonCode::HostFull]);
    let for_review = |case: &mut EvaluationCase| {
        with_cap(1)(case);
        case.gate.criteria.on_over_cap = OnViolation::Review;
    };
    check(for_review, Decision::Review, &[ReasonCode::HostFull]);
}

#[test]
fn a_cap_on_members_counts_over_its_gates() {
    // cap, the gate of the other booking, tier, whether the member is over the cap
    let rows = [
        (member_cap(1, &[], &[]), Some("dinner"), None, true),
        (member_cap(2, &[], &[]), Some("dinner"), None, false),
        (member_cap(1, &[], &[]), None, None, true),
        (
            member_cap(1, &["club", "dinner"], &[]),
            Some("dinner"),
            None,
            true,
        ),
        (
            member_cap(1, &["club", "dinner"], &[]),
            Some("party"),
            None,
            false,
        ),
        (member_cap(1, &["dinner"], &[]), Some("dinner"), None, false),
        (member_cap(1, &[], &["gold"]), Some("club"), None, false),
        (
            member_cap(1, &[], &["gold"]),
            Some("club"),
            Some("gold"),
            true,
        ),
    ];
    for (number, (cap, gate, tier, is_over)) in rows.into_iter().enumerate() {
        let evaluation = evaluate_case(|case| {
            case.global.shared_caps = vec![cap];
            case.account.as_mut().unwrap().tier = tier.map(str::to_owned);
            let start = case.bookings[0].start + Span::hours(3);
            case.counted_bookings = vec![CountedBooking {
                booking: uid("x"),
                start,
                end: start + Span::hours(1),
                gate: gate.map(str::to_owned),
                is_confirmed: true,
            }];
        });
        let expect = match is_over {
            true => over_cap_text(1, CapPeriod::Week),
            false => "enough credit".to_owned(),
        };
        let actual = messages::join_reasons(&evaluation.reasons);
        assert_eq!(actual, expect, "row {number}");
    }
}

/// Within one plan, what is being confirmed counts, and no decline rests on it.
#[test]
fn requests_of_one_plan_share_the_day_of_a_host() {
    let slots = |name: &str, who: &str, slot| -> Booking { booking_by(name, who, slot, -60) };
    let pending = vec![
        slots("a", "al@example.com", 0),
        slots("b", "bo@example.com", 2),
        slots("c", "bo@example.com", 4),
    ];
    let accounts = vec![account("al@example.com", 5), account("bo@example.com", 5)];
    let policy = modify(policy(), |policy| {
        policy.global.shared_caps = vec![host_cap(2, CapPeriod::Day, &[])];
    });
    let first = plan(&snapshot(pending.clone(), accounts.clone()), &policy);
    let decisions: Vec<(&str, ReasonCode)> = { first.steps.iter() }
        .map(|step| (step.request.decision.as_str(), step.request.reasons[0].code))
        .collect();
    assert_eq!(
        decisions,
        [
            ("confirm", ReasonCode::EnoughCredit),
            ("confirm", ReasonCode::EnoughCredit),
            ("leave", ReasonCode::DependsOnUnsettled),
        ]
    );
    // When both are accepted, the third is declined.
    let settled = modify(snapshot(vec![pending[2].clone()], accounts), |snapshot| {
        let accepted = pending[..2].iter().cloned();
        let accept =
            |booking| with_status(booking, crate::domain::booking::BookingStatus::Accepted);
        snapshot.accepted = accepted.map(accept).collect();
    });
    let second = plan(&settled, &policy);
    let request = &second.steps[0].request;
    assert_eq!(request.decision, Decision::Decline);
    assert_eq!(request.reasons[0].code, ReasonCode::HostFull);
}
