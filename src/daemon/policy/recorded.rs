//! A recorded request as it can be judged once more. What was not written down stays empty here;
//! `missing` knows of it. What the calendar said of price and overlap is taken from the findings
//! that were recorded with the decision.

use std::collections::BTreeMap;

use super::past::Past;
use super::world::{self, World, blank};
use crate::domain::booking::{Booker, Booking, EventTypeRef};
use crate::domain::decision::Code;
use crate::domain::fact::Fact;
use crate::domain::id::{BookingUid, HostId};
use crate::domain::request::Request;
use crate::domain::snapshot::{Lookups, Pin};
use crate::domain::time::{Span, Time};

/// The host of a booking that names none.
const NOBODY: HostId = HostId(0);

/// How far back requests of the same day can lie, in any time zone.
const DAY: Span = Span::hours(50);

/// When each booking of the request is, as its holds say; a single booking's time stands in the
/// request itself.
pub type Times = BTreeMap<BookingUid, (Time, Time)>;

/// The times that the holds of a request tell.
pub fn times(request: &Request, facts: &[Fact]) -> Times {
    if let [only] = request.bookings.as_slice() {
        return BTreeMap::from([(only.uid.clone(), (request.start, request.end))]);
    }
    let holds = facts.iter().filter_map(|fact| match fact {
        Fact::Hold {
            booking,
            request: of,
            start,
            end,
            ..
        } if *of == request.id => Some((booking.uid.clone(), (*start, *end))),
        _ => None,
    });
    holds.collect()
}

/// Whether they are told of every booking.
pub fn are_whole(times: &Times, request: &Request) -> bool {
    request
        .bookings
        .iter()
        .all(|of| times.contains_key(&of.uid))
}

/// The world in which it was decided.
pub fn world(request: &Request, times: &Times, past: &Past) -> World {
    let booker = request.booker.as_ref();
    let account = booker.and_then(|booker| past.account_of(booker)).cloned();
    let bookings = bookings(request, times);
    let price = match passed(request, "free-of-charge") {
        Some(false) => 1,
        Some(true) | None => 0,
    };
    let hidden = has(request, Code::EventTypeNotShown);
    let kind = world::event_type(&bookings[0], price, has(request, Code::Seated));
    let carried = request.carries.as_ref();
    World {
        now: request.decided,
        me: request.host.unwrap_or(NOBODY),
        event_type: kind.filter(|_| !hidden),
        standing: account
            .as_ref()
            .map(|of| past.standing(&of.id))
            .unwrap_or_default(),
        earlier: booker
            .map(|of| past.asked(of, request.created - DAY))
            .unwrap_or_default(),
        pin: pin(request, account.as_ref().is_some_and(|of| of.pin.is_some())),
        lookups: Lookups::default(),
        taken: passed(request, "time-free") == Some(false),
        carried: carried.and_then(|from| past.open_charge(from)).cloned(),
        record: None,
        ledger_is_empty: past.is_empty(),
        account,
        bookings,
    }
}

/// What the rule of this name said then, if it was asked.
pub fn passed(request: &Request, rule: &str) -> Option<bool> {
    let mut findings = request.findings.iter();
    let finding = findings.find(|finding| finding.rule == rule)?;
    Some(finding.passed)
}

fn has(request: &Request, code: Code) -> bool {
    request.reasons.iter().any(|reason| reason.code == code)
}

/// A wrong PIN, none and a locked one are answered alike; without one of his own a member can give
/// no right one.
fn pin(request: &Request, is_set: bool) -> Option<Pin> {
    match passed(request, "pin") {
        _ if !is_set => Some(Pin::NotSet),
        Some(true) => Some(Pin::Right),
        Some(false) => Some(Pin::Wrong),
        None => None,
    }
}

fn bookings(request: &Request, times: &Times) -> Vec<Booking> {
    let count = request.bookings.len();
    let series = count > 1 || request.series.as_ref() == Some(&request.id);
    let booker = request.booker.as_ref().map(|address| Booker {
        address: address.clone(),
        name: None,
        time_zone: None,
        language: None,
    });
    let named = passed(request, "booker") != Some(false);
    let numbered = request.bookings.iter().enumerate();
    let all = numbered.map(|(number, of)| {
        let start = request.start;
        // The last one ends when the request does. What else is not told `missing` knows; it takes
        // some time in any case, so that what overlaps can.
        let end = if number + 1 == count {
            request.end
        } else {
            start + Span::minutes(1)
        };
        let time = times.get(&of.uid).copied().unwrap_or((start, end));
        let mut booking = blank(of.uid.clone(), time, request.created);
        booking.id = of.id;
        booking.series = series.then(|| request.id.clone());
        booking.title = request.title.clone();
        booking.host = request.host.map(world::host);
        booking.event_type = request.event_type.map(|id| EventTypeRef {
            id,
            slug: request.slug.clone(),
        });
        booking.booker = booker.clone().filter(|_| named);
        booking.rescheduled_from = request.carries.clone();
        booking
    });
    all.collect()
}
