//! Which gate guards a booking, and whose bookings are answered.

use super::fixtures::*;
use crate::domain::booking::Booking;
use crate::domain::gate::{OutOfScope, Policy};
use crate::domain::id::{EventTypeId, EventTypeKey, HostId, HostKey};

fn policy_with_gates(keys: &[(&str, EventTypeKey)]) -> Policy {
    modify(policy(), |p| {
        p.gates = keys
            .iter()
            .map(|(name, key)| {
                modify(gate(), |g| {
                    g.name = (*name).to_owned();
                    g.event_types = vec![key.clone()];
                })
            })
            .collect();
    })
}

fn slug_key(text: &str) -> EventTypeKey {
    EventTypeKey::Slug(text.to_owned())
}

#[test]
fn the_first_gate_that_names_the_event_type_guards_it() {
    let id = EventTypeKey::Id;
    let rows = [
        (vec![("a", slug_key("club"))], Ok("a")),
        (vec![("a", id(CLUB_EVENT_TYPE))], Ok("a")),
        (
            vec![("a", slug_key("else")), ("b", id(CLUB_EVENT_TYPE))],
            Ok("b"),
        ),
        (
            vec![("a", id(CLUB_EVENT_TYPE)), ("b", slug_key("club"))],
            Ok("a"),
        ),
        (vec![("a", slug_key("Club"))], Err(OutOfScope::Ungated)),
        (vec![("a", slug_key("7"))], Err(OutOfScope::Ungated)),
        (vec![("a", id(EventTypeId(8)))], Err(OutOfScope::Ungated)),
        (vec![], Err(OutOfScope::Ungated)),
    ];
    for (keys, expect) in rows {
        let policy = policy_with_gates(&keys);
        let booking = booking("a");
        let actual = policy
            .require_gate(OWN_HOST, &booking)
            .map(|gate| gate.name.as_str());
        assert_eq!(actual, expect, "{keys:?}");
    }
}

type GateRow = (fn(&mut Booking), Option<OutOfScope>);

#[test]
fn why_a_booking_is_out_of_scope() {
    let rows: [GateRow; 6] = [
        (|_| (), None),
        (|b| b.host = host(HostId(2)), Some(OutOfScope::ForeignHost)),
        (|b| b.host = None, Some(OutOfScope::ForeignHost)),
        (|b| b.event_type = None, Some(OutOfScope::NoEventType)),
        (
            |b| b.event_type.as_mut().unwrap().slug = None,
            Some(OutOfScope::Ungated),
        ),
        (|b| b.seated = true, Some(OutOfScope::Seated)),
    ];
    for (change, expect) in rows {
        let booking = modify(booking("a"), change);
        assert_eq!(policy().require_gate(OWN_HOST, &booking).err(), expect);
    }
}

#[test]
fn configured_hosts_are_answered_too() {
    let with = |key| modify(policy(), |p| p.hosts = vec![key]);
    let other = modify(booking("a"), |b| {
        b.host = host(HostId(2));
        b.host.as_mut().unwrap().address = Some(address("ann@example.com"));
    });
    let deleted = modify(other.clone(), |b| b.host.as_mut().unwrap().id = None);
    let id = |n| with(HostKey::Id(HostId(n)));
    let ann = || with(HostKey::Address(address("ann@example.com")));
    let rows = [
        (id(2), &other, true),
        (id(3), &other, false),
        (ann(), &other, true),
        (
            with(HostKey::Address(address("bo@example.com"))),
            &other,
            false,
        ),
        // Without the host's number it is unknown what else takes the host's time.
        (ann(), &deleted, false),
    ];
    for (policy, booking, expect) in rows {
        assert_eq!(
            policy.manages_host_of(OWN_HOST, booking),
            expect,
            "{:?}",
            policy.hosts
        );
    }
}
