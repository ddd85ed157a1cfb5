//! Which gate guards a booking, and whose bookings are answered.

use super::make::*;
use crate::domain::booking::Booking;
use crate::domain::decision::Code;
use crate::domain::gate::Policy;
use crate::domain::id::{EventTypeId, EventTypeKey, HostId, HostKey};

fn gates(keys: &[(&str, EventTypeKey)]) -> Policy {
    but(policy(), |p| {
        p.gates = keys
            .iter()
            .map(|(name, key)| {
                but(gate(), |g| {
                    g.name = (*name).to_owned();
                    g.event_types = vec![key.clone()];
                })
            })
            .collect();
    })
}

fn slug(text: &str) -> EventTypeKey {
    EventTypeKey::Slug(text.to_owned())
}

#[test]
fn the_first_gate_that_names_the_event_type_guards_it() {
    let id = EventTypeKey::Id;
    let rows = [
        (vec![("a", slug("club"))], Ok("a")),
        (vec![("a", id(CLUB))], Ok("a")),
        (vec![("a", slug("else")), ("b", id(CLUB))], Ok("b")),
        (vec![("a", id(CLUB)), ("b", slug("club"))], Ok("a")),
        (vec![("a", slug("Club"))], Err(Code::Ungated)),
        (vec![("a", slug("7"))], Err(Code::Ungated)),
        (vec![("a", id(EventTypeId(8)))], Err(Code::Ungated)),
        (vec![], Err(Code::Ungated)),
    ];
    for (keys, expect) in rows {
        let policy = gates(&keys);
        let booking = booking("a");
        let found = policy.guards(ME, &booking).map(|gate| gate.name.as_str());
        assert_eq!(found, expect, "{keys:?}");
    }
}

type Row = (fn(&mut Booking), Option<Code>);

#[test]
fn why_a_booking_is_none_of_our_business() {
    let rows: [Row; 6] = [
        (|_| (), None),
        (|b| b.host = host(HostId(2)), Some(Code::ForeignHost)),
        (|b| b.host = None, Some(Code::ForeignHost)),
        (|b| b.event_type = None, Some(Code::NoEventType)),
        (
            |b| b.event_type.as_mut().unwrap().slug = None,
            Some(Code::Ungated),
        ),
        (|b| b.seated = true, Some(Code::Seated)),
    ];
    for (change, expect) in rows {
        let booking = but(booking("a"), change);
        assert_eq!(policy().guards(ME, &booking).err(), expect);
    }
}

#[test]
fn configured_hosts_are_answered_too() {
    let with = |key| but(policy(), |p| p.hosts = vec![key]);
    let other = but(booking("a"), |b| {
        b.host = host(HostId(2));
        b.host.as_mut().unwrap().address = Some(address("ann@example.com"));
    });
    let deleted = but(other.clone(), |b| b.host.as_mut().unwrap().id = None);
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
        // Without a number nobody can say what else takes the host's time.
        (ann(), &deleted, false),
    ];
    for (policy, booking, expect) in rows {
        assert_eq!(policy.hosts(ME, booking), expect, "{:?}", policy.hosts);
    }
}
