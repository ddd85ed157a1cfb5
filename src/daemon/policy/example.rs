//! The world that a case describes. What it does not say is as `config::case::model` tells.

use crate::calcom::file::FromFile;
use crate::config::case::model::{Case, Described, Member, Subject};
use crate::config::case::parse::NOW;
use crate::daemon::policy::world::{self, World, blank, request_id, uid};
use crate::domain::account::{Account, Lot, Part};
use crate::domain::booking::{self, Attendee, Booking, EventTypeRef, Status};
use crate::domain::decision::{CODES, Credits, Decision};
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, EventTypeId, EventTypeKey, HostId, Reference};
use crate::domain::request::{Charge, ChargeState, Request, RequestState, Review};
use crate::domain::snapshot::{Earlier, Lookups, Standing};
use crate::domain::time::{Span, Time};

/// The key's user, and the host of bookings that say nothing of theirs.
const HOST: HostId = HostId(1);

/// The event type of a case that names it by its slug: a number that no gate can name.
const KIND: EventTypeId = EventTypeId(0);

/// The only lot of a member.
const GRANT: &str = "example";

/// The world of a case; `file` is what its file holds.
///
/// # Errors
/// What keeps it from being one.
pub fn world(case: &Case, file: Option<FromFile>, policy: &Policy) -> Result<World, String> {
    let default = NOW.parse().expect("the default is an instant");
    let from_file = file.as_ref().and_then(|file| file.at);
    let now: Time = case.now.or(from_file).unwrap_or(default);
    let mut world = match (&case.subject, file) {
        (Subject::Described(described), _) => of_described(described, now, policy)?,
        (Subject::File(..), Some(file)) => of_file(file, now),
        (Subject::File(..), None) => return Err("the file was not read".to_owned()),
    };
    for booking in &mut world.bookings {
        if let Some(booker) = &mut booking.booker {
            booker.address = policy.house.address_of(&booker.address);
        }
    }
    let booker = world.bookings[0].booker.clone();
    world.pin = case.pin;
    world.taken = case.taken;
    world.ledger_is_empty = case.empty_ledger;
    world.lookups = Lookups {
        answers: case.lookups.clone(),
        missing: Default::default(),
    };
    world.earlier = earlier(&world.bookings[0], case.asked_before);
    if let (Some(member), Some(booker)) = (&case.member, booker) {
        let id = member.account.clone();
        let id = id.unwrap_or_else(|| AccountId::from(&booker.address));
        world.standing = standing(member, &world, policy);
        world.carried = world.carried.take().map(|charge| Charge {
            account: id.clone(),
            ..charge
        });
        world.account = Some(account(id, member, now));
    } else {
        world.carried = None;
    }
    world.record = record(case, &world);
    Ok(world)
}

fn of_described(of: &Described, now: Time, policy: &Policy) -> Result<World, String> {
    let first = policy
        .gates
        .first()
        .and_then(|gate| gate.event_types.first());
    let key = of.event_type.as_ref().or(first);
    let key = key.ok_or("no event type is said, and the configuration has no [[gate]]")?;
    let start = of.start.at(now);
    let created = of.created.at(now);
    let host = of.host.unwrap_or(HOST);
    let mut booking = blank(uid("example"), (start, start + of.length), created);
    booking.title = of.title.clone();
    booking.description = of.description.clone();
    booking.location = of.location.clone();
    booking.status = of.status.clone();
    booking.host = Some(world::host(host));
    booking.event_type = Some(match key {
        EventTypeKey::Slug(slug) => EventTypeRef {
            id: KIND,
            slug: Some(slug.clone()),
        },
        EventTypeKey::Id(id) => EventTypeRef {
            id: *id,
            slug: None,
        },
    });
    booking.booker = of.booker.as_ref().map(|booker| booking::Booker {
        address: booker.address.clone(),
        name: booker.name.clone(),
        time_zone: booker.time_zone.clone(),
        language: booker.language.clone(),
    });
    booking.attendees = booking.booker.iter().map(attendee).collect();
    booking.guests = of.guests.clone();
    booking.answers = of.answers.clone();
    booking.metadata = of.metadata.clone();
    let replaced = of.rescheduled.as_ref();
    booking.rescheduled_from = replaced.map(|_| uid("replaced"));
    let carried = replaced
        .filter(|replaced| replaced.paid > 0)
        .map(|replaced| charge(&booking, replaced.paid, replaced.start.at(now)));
    let kind = world::event_type(&booking, of.price, of.seats);
    Ok(World {
        now,
        me: HOST,
        bookings: occurrences(booking, of),
        event_type: kind,
        account: None,
        standing: Vec::new(),
        earlier: Vec::new(),
        pin: None,
        lookups: Lookups::default(),
        taken: false,
        carried,
        record: None,
        ledger_is_empty: false,
    })
}

fn attendee(booker: &booking::Booker) -> Attendee {
    Attendee {
        address: Some(booker.address.clone()),
        name: booker.name.clone(),
        time_zone: booker.time_zone.clone(),
        language: booker.language.clone(),
        absent: false,
        seat: None,
    }
}

fn occurrences(booking: Booking, of: &Described) -> Vec<Booking> {
    if of.occurrences == 1 {
        return vec![booking];
    }
    let mut all = Vec::with_capacity(of.occurrences);
    let mut later = Span::zero();
    for number in 1..=of.occurrences {
        let mut one = booking.clone();
        one.uid = uid(&format!("example-{number}"));
        one.series = Some(request_id("example"));
        one.start += later;
        one.end += later;
        later += of.every;
        all.push(one);
    }
    all
}

/// A booking as `evaluate` takes it: as if it were waiting.
fn of_file(file: FromFile, now: Time) -> World {
    let mut booking = file.booking;
    booking.status = Status::Pending;
    booking.rescheduled_to = None;
    World {
        now,
        me: booking.host_id().unwrap_or(HOST),
        event_type: world::event_type(&booking, file.price.unwrap_or(0), booking.seated),
        bookings: vec![booking],
        account: None,
        standing: Vec::new(),
        earlier: Vec::new(),
        pin: None,
        lookups: Lookups::default(),
        taken: false,
        carried: None,
        record: None,
        ledger_is_empty: false,
    }
}

fn account(id: AccountId, member: &Member, now: Time) -> Account {
    let mut account = Account::new(id, now);
    if member.credits > 0 {
        account.lots.push(Lot {
            grant: grant(),
            granted: member.credits,
            left: member.credits,
            expires: member.expires.map(|moment| moment.at(now)),
            granted_at: now,
        });
        account.totals.granted = member.credits;
    }
    account.tier = member.tier.clone();
    account.tags = member.tags.iter().cloned().collect();
    account.attributes = member.attributes.clone();
    account.frozen = member.frozen.then(|| "as the example says".to_owned());
    account
}

fn grant() -> Reference {
    Reference::parse(GRANT).expect("names made here are names")
}

fn standing(member: &Member, world: &World, policy: &Policy) -> Vec<Standing> {
    let own = policy
        .gate(&world.bookings[0])
        .map(|gate| gate.name.clone());
    let numbered = member.upcoming.iter().enumerate();
    numbered
        .map(|(number, upcoming)| {
            let start = upcoming.start.at(world.now);
            Standing {
                settled: true,
                booking: uid(&format!("upcoming-{number}")),
                start,
                end: start + upcoming.length,
                gate: upcoming.gate.clone().or_else(|| own.clone()),
            }
        })
        .collect()
}

/// So many requests at the instant of this one, and so on its day. Of requests of one instant the
/// name decides which was first: these begin with the first sign that a name can have.
fn earlier(booking: &Booking, count: u32) -> Vec<Earlier> {
    let one = |number| Earlier {
        told: false,
        request: request_id(&format!("-{number}")),
        created: booking.created,
    };
    (0..count).map(one).collect()
}

fn charge(successor: &Booking, paid: Credits, start: Time) -> Charge {
    Charge {
        booking: booking::BookingRef {
            uid: uid("replaced"),
            id: None,
        },
        request: request_id("replaced"),
        account: AccountId::parse("replaced").expect("names made here are names"),
        event_type: successor.event_type.as_ref().map(|kind| kind.id),
        host: successor.host_id(),
        start,
        end: start + successor.length(),
        parts: vec![Part {
            grant: grant(),
            credits: paid,
        }],
        refunded: 0,
        state: ChargeState::Open,
        held_at: successor.created,
        taken_by: None,
        moved_from: None,
        reason: None,
        terms: None,
        keeps: 0,
    }
}

/// What was noted of it before, where the case tells of that.
fn record(case: &Case, world: &World) -> Option<Request> {
    if case.first_judged.is_none() && case.review.is_none() {
        return None;
    }
    let first = case.first_judged.map_or(world.now, |at| at.at(world.now));
    let booking = &world.bookings[0];
    let review = case.review.as_ref().map(|(verdict, reason)| Review {
        verdict: *verdict,
        reason: reason.clone(),
        at: world.now,
    });
    Some(Request {
        id: booking.request(),
        bookings: world.bookings.iter().map(Booking::reference).collect(),
        series: booking.series.clone(),
        title: booking.title.clone(),
        event_type: booking.event_type.as_ref().map(|kind| kind.id),
        slug: None,
        gate: None,
        host: booking.host_id(),
        booker: booking.booker.as_ref().map(|of| of.address.clone()),
        account: world.account.as_ref().map(|account| account.id.clone()),
        start: booking.start,
        end: booking.end,
        created: booking.created,
        decision: Decision::Review,
        cost: 0,
        credits: 0,
        call: None,
        reasons: Vec::new(),
        findings: Vec::new(),
        text: None,
        carries: None,
        keeps: 0,
        policy: String::new(),
        decided: first,
        call_not_after: None,
        first,
        state: RequestState::Noted,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review,
        reasons_since: CODES
            .iter()
            .map(|code| (code.as_str().to_owned(), first))
            .collect(),
        pin: None,
    })
}
