//! Test data, short to write: a name makes a thing, `but` changes what matters in the row.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::domain::account::{Account, Lot, Part, sum};
use crate::domain::booking::{
    Booker, Booking, BookingRef, Buffers, Confirmation, EventType, EventTypeRef, Host, Observed,
    Payment, Status,
};
use crate::domain::criteria::effect::Effect;
use crate::domain::criteria::house::House;
use crate::domain::criteria::terms::Criteria;
use crate::domain::decision::{Credits, Decision};
use crate::domain::entry_reason::{EntryCode, EntryReason, NotConfirmed};
use crate::domain::fact::Fact;
use crate::domain::gate::{DeclineLimit, Gate, Limits, Policy, RefuseWith, Unanswered};
use crate::domain::id::{
    AccountId, Address, BookingUid, EventTypeId, EventTypeKey, HostId, Reference, RequestId,
};
use crate::domain::intent::Sight;
use crate::domain::plan::{Action, Plan, Step, plan};
use crate::domain::request::{CallKind, Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::{OpenIntent, Snapshot};
use crate::domain::time::{Span, Time};

pub const ME: HostId = HostId(1);
pub const CLUB: EventTypeId = EventTypeId(7);

/// The instant of every test, in whole milliseconds.
pub fn now() -> Time {
    DateTime::from_timestamp_millis(1_800_000_000_123).expect("in range")
}

/// So many minutes after `now`.
pub fn at(minutes: i64) -> Time {
    now() + Span::minutes(minutes)
}

/// Changes a made thing.
pub fn but<T>(mut thing: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut thing);
    thing
}

pub fn uid(text: &str) -> BookingUid {
    BookingUid::parse(text).expect("a uid")
}

pub fn rid(text: &str) -> RequestId {
    RequestId::parse(text).expect("a request's id")
}

pub fn acc(text: &str) -> AccountId {
    AccountId::parse(text).expect("an account's id")
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

pub fn grant(text: &str) -> Reference {
    Reference::parse(text).expect("a reference")
}

pub fn named(text: &str) -> BookingRef {
    BookingRef {
        uid: uid(text),
        id: None,
    }
}

pub fn part(from: &str, credits: Credits) -> Part {
    Part {
        grant: grant(from),
        credits,
    }
}

pub fn host(id: HostId) -> Option<Host> {
    Some(Host {
        id: Some(id),
        address: None,
        name: None,
        time_zone: None,
    })
}

pub fn booker(text: &str) -> Option<Booker> {
    Some(Booker {
        address: address(text),
        name: None,
        time_zone: None,
        language: None,
    })
}

/// A pending booking of the club by Bo for tomorrow, half an hour long, asked for an hour ago.
pub fn booking(name: &str) -> Booking {
    Booking {
        uid: uid(name),
        id: None,
        series: None,
        title: "Book club".to_owned(),
        description: None,
        status: Status::Pending,
        host: host(ME),
        event_type: Some(EventTypeRef {
            id: CLUB,
            slug: Some("club".to_owned()),
        }),
        start: at(24 * 60),
        end: at(24 * 60 + 30),
        created: at(-60),
        updated: None,
        booker: booker("bo@example.com"),
        attendees: Vec::new(),
        guests: Vec::new(),
        seated: false,
        rescheduled_from: None,
        rescheduled_to: None,
        rescheduled_by: None,
        cancelled_by: None,
        cancellation_reason: None,
        absent_host: false,
        location: None,
        answers: BTreeMap::new(),
        metadata: BTreeMap::new(),
        payment: Payment::NotShown,
    }
}

/// As `booking`, by somebody else, so many half hours later, asked for so many minutes after `now`.
pub fn asked(name: &str, who: &str, slot: i64, created: i64) -> Booking {
    but(booking(name), |b| {
        b.booker = booker(who);
        b.start += Span::minutes(30 * slot);
        b.end += Span::minutes(30 * slot);
        b.created = at(created);
    })
}

/// An occurrence of the series, in the slot.
pub fn occurrence(series: &str, name: &str, slot: i64) -> Booking {
    but(asked(name, "bo@example.com", slot, -60), |b| {
        b.series = Some(rid(series));
    })
}

pub fn with_status(booking: Booking, status: Status) -> Booking {
    but(booking, |b| b.status = status)
}

pub fn event_type() -> EventType {
    EventType {
        id: CLUB,
        slug: "club".to_owned(),
        title: "Book club".to_owned(),
        length_minutes: 30,
        buffers: Buffers::NONE,
        price: 0,
        seated: false,
        recurring: false,
        confirmation: Confirmation::Always { blocks_slot: false },
        verifies_address: None,
        questions: None,
        no_cancelling: false,
        no_moving: false,
        limits: Vec::new(),
    }
}

/// A lot of as many credits as it was granted.
pub fn lot(name: &str, credits: Credits, expires: Option<Time>) -> Lot {
    Lot {
        grant: grant(name),
        granted: credits,
        left: credits,
        expires,
        granted_at: at(-10_000),
    }
}

/// An account with these lots, in this order.
pub fn account_of(id: &str, lots: Vec<Lot>) -> Account {
    but(Account::new(acc(id), at(-10_000)), |a| {
        a.version = 1;
        a.totals.granted = lots.iter().map(|lot| lot.left).sum();
        a.lots = lots;
    })
}

/// An account with so many credits that never expire; none: without a lot.
pub fn account(id: &str, credits: Credits) -> Account {
    let lots = (credits > 0).then(|| lot(&format!("g-{id}"), credits, None));
    account_of(id, lots.into_iter().collect())
}

pub fn gate() -> Gate {
    Gate {
        name: "club".to_owned(),
        event_types: vec![EventTypeKey::Slug("club".to_owned())],
        cost: 1,
        unknown_booker: Effect::Decline,
        short_of_credit: Effect::Decline,
        taken: Effect::Decline,
        unanswered: Unanswered::Leave,
        criteria: Criteria::default(),
        terms: crate::domain::terms::Terms::default(),
    }
}

pub fn policy() -> Policy {
    Policy {
        gates: vec![gate()],
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: Limits {
            requests_per_pass: 250,
            declines: DeclineLimit {
                at_most: 25,
                per: Span::minutes(15),
            },
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        house: House::default(),
        hash: "p1".to_owned(),
    }
}

/// The policy with its one gate changed.
pub fn policy_with(change: impl FnOnce(&mut Gate)) -> Policy {
    but(policy(), |p| change(&mut p.gates[0]))
}

/// These bookings wait, and these accounts exist.
pub fn snapshot(pending: Vec<Booking>, accounts: Vec<Account>) -> Snapshot {
    let observe = |booking| Observed { booking, at: now() };
    let named = |account: &Account| {
        let address = Address::parse(account.id.as_str()).ok()?;
        Some((address, account.id.clone()))
    };
    Snapshot {
        now: now(),
        me: ME,
        series: BTreeMap::new(),
        accepted: Vec::new(),
        attended: Vec::new(),
        origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: BTreeMap::from([(CLUB, Some(event_type()))]),
        names: accounts.iter().filter_map(named).collect(),
        accounts: accounts
            .into_iter()
            .map(|account| (account.id.clone(), account))
            .collect(),
        records: BTreeMap::new(),
        intents: Vec::new(),
        carried: BTreeMap::new(),
        moves: BTreeMap::new(),
        unclear: BTreeSet::new(),
        standing: BTreeMap::new(),
        asked: BTreeMap::new(),
        pins: BTreeMap::new(),
        lookups: BTreeMap::new(),
        listed: BTreeMap::new(),
        declined: 0,
        ledger_is_empty: false,
        restore_open: false,
        clock_off: false,
        pending: pending.into_iter().map(observe).collect(),
    }
}

/// A recorded intent of Bo's to confirm these bookings at 1 credit each.
pub fn intent(id: &str, bookings: &[&str]) -> Request {
    Request {
        id: rid(id),
        bookings: bookings.iter().map(|name| named(name)).collect(),
        series: None,
        title: "Book club".to_owned(),
        event_type: Some(CLUB),
        slug: Some("club".to_owned()),
        gate: Some("club".to_owned()),
        host: Some(ME),
        booker: Some(address("bo@example.com")),
        account: Some(acc("bo@example.com")),
        start: at(24 * 60),
        end: at(24 * 60 + 30),
        created: at(-60),
        decision: Decision::Confirm,
        cost: 1,
        credits: bookings.len() as Credits,
        call: Some(CallKind::Confirm),
        reasons: Vec::new(),
        findings: Vec::new(),
        text: None,
        carries: None,
        keeps: 0,
        policy: "p1".to_owned(),
        decided: at(-5),
        call_not_after: None,
        first: at(-5),
        state: RequestState::Recorded,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: None,
        reasons_since: Vec::new(),
        pin: None,
    }
}

/// The same as an intent to decline.
pub fn to_decline(request: Request) -> Request {
    but(request, |r| {
        r.decision = Decision::Decline;
        r.call = Some(CallKind::Decline);
        r.text = Some("No.".to_owned());
    })
}

/// Bo's charge for a booking tomorrow, of one credit from his one lot.
pub fn charge(name: &str, state: ChargeState) -> Charge {
    Charge {
        booking: named(name),
        request: rid(name),
        account: acc("bo@example.com"),
        event_type: Some(CLUB),
        host: Some(ME),
        start: at(24 * 60),
        end: at(24 * 60 + 30),
        parts: vec![part("g-bo@example.com", 1)],
        refunded: 0,
        state,
        held_at: at(-5),
        taken_by: None,
        moved_from: None,
        reason: None,
        terms: None,
        keeps: 0,
    }
}

/// The intent as observing finds it: its bookings held for and seen so.
pub fn open(request: Request, sights: &[(&str, Sight)]) -> OpenIntent {
    let held = |booking: &BookingRef| charge(booking.uid.as_str(), ChargeState::Held);
    OpenIntent {
        charges: match request.decision {
            Decision::Confirm => request.bookings.iter().map(held).collect(),
            Decision::Decline | Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                Vec::new()
            }
        },
        sights: seen(sights),
        grown: Vec::new(),
        carried: None,
        at: now(),
        running_until: None,
        request,
    }
}

pub fn seen(sights: &[(&str, Sight)]) -> BTreeMap<BookingUid, Sight> {
    sights
        .iter()
        .map(|(name, sight)| (uid(name), *sight))
        .collect()
}

pub fn granted(reference: &str, account: &str, credits: Credits, expires: Option<Time>) -> Fact {
    Fact::Grant {
        reference: grant(reference),
        account: acc(account),
        credits,
        expires,
        reason: "gift".to_owned(),
    }
}

pub fn hold(name: &str, request: &str, account: &str, parts: Vec<Part>) -> Fact {
    Fact::Hold {
        booking: named(name),
        request: rid(request),
        account: acc(account),
        parts,
        event_type: Some(CLUB),
        host: Some(ME),
        start: at(24 * 60),
        end: at(24 * 60 + 30),
        terms: None,
    }
}

pub fn decided(request: Request) -> Fact {
    Fact::Decided {
        request: request.into(),
    }
}

/// A plan in words, one line a step: `a confirm enough send confirm a, hold a 1`.
pub fn told(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(told_step).collect()
}

fn told_step(step: &Step) -> String {
    let request = &step.request;
    let codes: Vec<&str> = request.reasons.iter().map(|r| r.code.as_str()).collect();
    let decision = request.decision.as_str();
    let action = match &step.action {
        Action::Note { write: true } => "written".to_owned(),
        Action::Note { write: false } => "seen".to_owned(),
        Action::Send { facts, call, .. } => {
            let sent = format!("{} {}", call.kind.as_str(), call.booking.uid);
            let holds = facts.iter().filter_map(told_hold);
            let all: Vec<String> = std::iter::once(sent).chain(holds).collect();
            all.join(", ")
        }
        Action::Settle { outcome, .. } => outcome.as_str().to_owned(),
        Action::Postpone { why } => format!("postponed: {why}"),
    };
    let words = [request.id.as_str(), decision, &codes.join("+"), &action];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn told_hold(fact: &Fact) -> Option<String> {
    let Fact::Hold { booking, parts, .. } = fact else {
        return None;
    };
    Some(format!("hold {} {}", booking.uid, sum(parts)))
}

/// Plans, and tells it in words.
pub fn planned(snapshot: &Snapshot, policy: &Policy) -> Vec<String> {
    told(&plan(snapshot, policy))
}

/// The reason of an entry that reads so.
#[track_caller]
pub fn reason(text: &str) -> EntryReason {
    use NotConfirmed as Found;
    let found = [
        Found::Pending,
        Found::Rejected,
        Found::Cancelled,
        Found::Gone,
        Found::OtherStatus,
        Found::Begun,
        Found::Over,
        Found::Unread,
    ];
    let found = found.into_iter().map(EntryCode::NotConfirmed);
    let others = [
        EntryCode::CostsLess,
        EntryCode::SeriesGrew,
        EntryCode::CallRefused,
        EntryCode::StatusResolved,
    ];
    let mut reasons = found.chain(others).map(EntryReason::from);
    let found = reasons.find(|reason| reason.text() == text);
    found.unwrap_or_else(|| panic!("no reason reads {text:?}"))
}
