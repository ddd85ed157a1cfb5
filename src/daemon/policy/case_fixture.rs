//! Builds the snapshot that a case describes. What the case does not give has the defaults of
//! `config::policy_test::model`.

use crate::calcom::booking_file::ParsedBooking;
use crate::config::policy_test::model::{CaseMember, CaseSubject, DescribedBooking, PolicyCase};
use crate::config::policy_test::parse::DEFAULT_NOW;
use crate::daemon::policy::snapshot_fixture::{self, SnapshotFixture, request_id, uid};
use crate::domain::account::{Account, LotPart};
use crate::domain::booking::{self, Attendee, Booking, BookingStatus, EventTypeRef};
use crate::domain::decision::{Credits, Decision, REASON_CODES};
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, EventTypeId, EventTypeKey, HostId, Reference};
use crate::domain::lot::{Lot, LotTerms};
use crate::domain::request::{Charge, ChargeState, OperatorReview, Request, RequestState};
use crate::domain::snapshot::{CountedBooking, Lookups, PriorRequest};
use crate::domain::time::{Span, Time};

/// The key's user, and the host of bookings that name no host.
const HOST: HostId = HostId(1);

/// The event type of a case that names its event type by slug: a number that no gate can name.
const EVENT_TYPE: EventTypeId = EventTypeId(0);

/// The only lot of a member.
const GRANT: &str = "example";

/// Builds the fixture of a case; `file` is the content of the case's booking file.
///
/// # Errors
/// Returns why the case cannot be built.
pub fn build_fixture(
    case: &PolicyCase,
    file: Option<ParsedBooking>,
    policy: &Policy,
) -> Result<SnapshotFixture, String> {
    let default = DEFAULT_NOW.parse().expect("the default is an instant");
    let from_file = file.as_ref().and_then(|file| file.sent_at);
    let now: Time = case.now.or(from_file).unwrap_or(default);
    let mut fixture = match (&case.subject, file) {
        (CaseSubject::Described(described), _) => fixture_from_description(described, now, policy)?,
        (CaseSubject::File(..), Some(file)) => fixture_from_file(file, now),
        (CaseSubject::File(..), None) => return Err("the file was not read".to_owned()),
    };
    for booking in &mut fixture.bookings {
        if let Some(booker) = &mut booking.booker {
            booker.address = policy.global.address_of(&booker.address);
        }
    }
    let booker = fixture.bookings[0].booker.clone();
    fixture.pin = case.pin;
    fixture.host_is_busy = case.host_is_busy;
    fixture.ledger_is_empty = case.empty_ledger;
    fixture.lookups = Lookups {
        answers: case.lookups.clone(),
        failures: Default::default(),
    };
    fixture.prior_requests = prior_requests(&fixture.bookings[0], case.earlier_requests);
    if let (Some(member), Some(booker)) = (&case.member, booker) {
        let id = member.account.clone();
        let id = id.unwrap_or_else(|| AccountId::from(&booker.address));
        fixture.counted_bookings = counted_bookings(member, &fixture, policy);
        fixture.carried_charge = fixture.carried_charge.take().map(|charge| Charge {
            account: id.clone(),
            ..charge
        });
        fixture.account = Some(member_account(id, member, now));
    } else {
        fixture.carried_charge = None;
    }
    fixture.prior_record = prior_record(case, &fixture);
    Ok(fixture)
}

fn fixture_from_description(
    described: &DescribedBooking,
    now: Time,
    policy: &Policy,
) -> Result<SnapshotFixture, String> {
    let first = policy
        .gates
        .first()
        .and_then(|gate| gate.event_types.first());
    let key = described.event_type.as_ref().or(first);
    let key = key.ok_or("the case names no event type, and the configuration has no [[gate]]")?;
    let start = described.start.resolve(now);
    let created = described.created.resolve(now);
    let host = described.host.unwrap_or(HOST);
    let mut booking = Booking::new(uid("example"), (start, start + described.length), created);
    booking.title = described.title.clone();
    booking.description = described.description.clone();
    booking.location = described.location.clone();
    booking.status = described.status.clone();
    booking.host = Some(snapshot_fixture::host(host));
    booking.event_type = Some(match key {
        EventTypeKey::Slug(slug) => EventTypeRef {
            id: EVENT_TYPE,
            slug: Some(slug.clone()),
        },
        EventTypeKey::Id(id) => EventTypeRef {
            id: *id,
            slug: None,
        },
    });
    booking.booker = described.booker.as_ref().map(|booker| booking::Booker {
        address: booker.address.clone(),
        name: booker.name.clone(),
        time_zone: booker.time_zone.clone(),
        language: booker.language.clone(),
    });
    booking.attendees = booking.booker.iter().map(to_attendee).collect();
    booking.guests = described.guests.clone();
    booking.answers = described.answers.clone();
    booking.metadata = described.metadata.clone();
    let replaced = described.rescheduled.as_ref();
    booking.rescheduled_from = replaced.map(|_| uid("replaced"));
    let carried = replaced
        .filter(|replaced| replaced.paid > 0)
        .map(|replaced| carried_charge(&booking, replaced.paid, replaced.start.resolve(now)));
    let event_type = snapshot_fixture::event_type(&booking, described.price, described.seats);
    Ok(SnapshotFixture {
        now,
        me: HOST,
        bookings: repeat_booking(booking, described),
        event_type,
        account: None,
        counted_bookings: Vec::new(),
        prior_requests: Vec::new(),
        pin: None,
        lookups: Lookups::default(),
        host_is_busy: false,
        carried_charge: carried,
        prior_record: None,
        ledger_is_empty: false,
    })
}

fn to_attendee(booker: &booking::Booker) -> Attendee {
    Attendee {
        address: Some(booker.address.clone()),
        name: booker.name.clone(),
        time_zone: booker.time_zone.clone(),
        language: booker.language.clone(),
        absent: false,
        seat: None,
    }
}

fn repeat_booking(booking: Booking, described: &DescribedBooking) -> Vec<Booking> {
    if described.occurrences == 1 {
        return vec![booking];
    }
    let mut all = Vec::with_capacity(described.occurrences);
    let mut later = Span::zero();
    for number in 1..=described.occurrences {
        let mut occurrence = booking.clone();
        occurrence.uid = uid(&format!("example-{number}"));
        occurrence.series = Some(request_id("example"));
        occurrence.start += later;
        occurrence.end += later;
        later += described.interval;
        all.push(occurrence);
    }
    all
}

/// Builds a fixture from a booking in a file, treated as pending, as `evaluate` does.
fn fixture_from_file(file: ParsedBooking, now: Time) -> SnapshotFixture {
    let mut booking = file.booking;
    booking.status = BookingStatus::Pending;
    booking.rescheduled_to = None;
    SnapshotFixture {
        now,
        me: booking.host_id().unwrap_or(HOST),
        event_type: snapshot_fixture::event_type(&booking, file.price.unwrap_or(0), booking.seated),
        bookings: vec![booking],
        account: None,
        counted_bookings: Vec::new(),
        prior_requests: Vec::new(),
        pin: None,
        lookups: Lookups::default(),
        host_is_busy: false,
        carried_charge: None,
        prior_record: None,
        ledger_is_empty: false,
    }
}

fn member_account(id: AccountId, member: &CaseMember, now: Time) -> Account {
    let mut account = Account::new(id, now);
    if member.credits > 0 {
        account.lots.push(Lot {
            grant: grant_reference(),
            granted: member.credits,
            remaining: member.credits,
            expires: member.expires.map(|moment| moment.resolve(now)),
            granted_at: now,
            terms: LotTerms::default(),
        });
        account.totals.granted = member.credits;
    }
    account.tier = member.tier.clone();
    account.tags = member.tags.iter().cloned().collect();
    account.attributes = member.attributes.clone();
    account.freeze_reason = member.frozen.then(|| "as the example says".to_owned());
    account
}

fn grant_reference() -> Reference {
    Reference::parse(GRANT).expect("names made here are names")
}

fn counted_bookings(
    member: &CaseMember,
    fixture: &SnapshotFixture,
    policy: &Policy,
) -> Vec<CountedBooking> {
    let own = policy
        .gate(&fixture.bookings[0])
        .map(|gate| gate.name.clone());
    let numbered = member.upcoming.iter().enumerate();
    numbered
        .map(|(number, upcoming)| {
            let start = upcoming.start.resolve(fixture.now);
            CountedBooking {
                is_confirmed: true,
                booking: uid(&format!("upcoming-{number}")),
                start,
                end: start + upcoming.length,
                gate: upcoming.gate.clone().or_else(|| own.clone()),
            }
        })
        .collect()
}

/// Returns `count` requests at the same instant as this booking, and so on its day. Of requests at
/// the same instant the one with the lower name was first, so these names begin with the lowest
/// character that a name can have.
fn prior_requests(booking: &Booking, count: u32) -> Vec<PriorRequest> {
    let prior_request = |number| PriorRequest {
        declined_over_limit: false,
        request: request_id(&format!("-{number}")),
        created_at: booking.created_at,
    };
    (0..count).map(prior_request).collect()
}

fn carried_charge(successor: &Booking, paid: Credits, start: Time) -> Charge {
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
        parts: vec![LotPart {
            grant: grant_reference(),
            credits: paid,
        }],
        refunded: 0,
        state: ChargeState::Open,
        held_at: successor.created_at,
        taken_over_by: None,
        moved_from: None,
        reason: None,
        terms: None,
        non_refundable: 0,
    }
}

/// Returns what was noted about the request before, if the case describes that.
fn prior_record(case: &PolicyCase, fixture: &SnapshotFixture) -> Option<Request> {
    if case.first_evaluated.is_none() && case.review.is_none() {
        return None;
    }
    let first_decided = case
        .first_evaluated
        .map_or(fixture.now, |at| at.resolve(fixture.now));
    let booking = &fixture.bookings[0];
    let review = case
        .review
        .as_ref()
        .map(|(verdict, reason)| OperatorReview {
            decision: *verdict,
            reason: reason.clone(),
            at: fixture.now,
        });
    Some(Request {
        id: booking.request_id(),
        bookings: fixture.bookings.iter().map(Booking::to_ref).collect(),
        series: booking.series.clone(),
        title: booking.title.clone(),
        event_type: booking.event_type.as_ref().map(|kind| kind.id),
        slug: None,
        gate: None,
        host: booking.host_id(),
        booker: booking.booker.as_ref().map(|of| of.address.clone()),
        account: fixture.account.as_ref().map(|account| account.id.clone()),
        start: booking.start,
        end: booking.end,
        created_at: booking.created_at,
        decision: Decision::Review,
        cost: 0,
        credits: 0,
        call: None,
        reasons: Vec::new(),
        findings: Vec::new(),
        booker_text: None,
        predecessor: None,
        non_refundable: 0,
        policy_hash: String::new(),
        decided_at: first_decided,
        call_not_after: None,
        first_evaluated_at: first_decided,
        state: RequestState::Noted,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review,
        reasons_since: REASON_CODES
            .iter()
            .map(|code| (code.as_str().to_owned(), first_decided))
            .collect(),
        pin_attempt: None,
    })
}
