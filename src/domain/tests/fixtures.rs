//! Test data in few words: a name makes an item, and `modify` changes what matters in the row.

use crate::domain::criteria::price::Cost;
use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::domain::account::{Account, LotPart, sum_credits};
use crate::domain::booking::{
    Booker, Booking, BookingRef, BookingStatus, Buffers, Confirmation, EventType, EventTypeRef,
    Host, TimestampedBooking,
};
use crate::domain::criteria::gate_criteria::Criteria;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::{Credits, Decision};
use crate::domain::entry_reason::{EntryCode, EntryReason, NotConfirmed};
use crate::domain::expected::RecordVersions;
use crate::domain::fact::{ChargeFact, CreditFact, Fact, RequestFact};
use crate::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, Policy, RefuseWith};
use crate::domain::id::{
    AccountId, Address, BookingUid, EventTypeId, EventTypeKey, HostId, Reference, RequestId,
};
use crate::domain::intent::BookingState;
use crate::domain::lot::Lot;
use crate::domain::plan::{Action, Plan, Step, plan};
use crate::domain::request::{CallKind, Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::{OpenIntent, Snapshot};
use crate::domain::time::{Span, Time};

pub(super) const OWN_HOST: HostId = HostId(1);
pub(super) const CLUB_EVENT_TYPE: EventTypeId = EventTypeId(7);

/// The instant of every test, in whole milliseconds.
pub(super) fn now() -> Time {
    DateTime::from_timestamp_millis(1_800_000_000_123).expect("in range")
}

/// Returns the instant that is this many minutes after `now`.
pub(super) fn at_minute(minutes: i64) -> Time {
    now() + Span::minutes(minutes)
}

/// Changes a value and returns it.
pub(super) fn modify<T>(mut thing: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut thing);
    thing
}

pub(super) fn uid(text: &str) -> BookingUid {
    BookingUid::parse(text).expect("a uid")
}

pub(super) fn request_id(text: &str) -> RequestId {
    RequestId::parse(text).expect("a request's id")
}

pub(super) fn account_id(text: &str) -> AccountId {
    AccountId::parse(text).expect("an account's id")
}

pub(super) fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

pub(super) fn grant_reference(text: &str) -> Reference {
    Reference::parse(text).expect("a reference")
}

pub(super) fn booking_ref(text: &str) -> BookingRef {
    BookingRef {
        uid: uid(text),
        id: None,
    }
}

pub(super) fn part(from: &str, credits: Credits) -> LotPart {
    LotPart {
        grant: grant_reference(from),
        credits,
    }
}

pub(super) fn host(id: HostId) -> Option<Host> {
    Some(Host {
        id: Some(id),
        address: None,
        name: None,
        time_zone: None,
    })
}

pub(super) fn booker(text: &str) -> Option<Booker> {
    Some(Booker {
        address: address(text),
        name: None,
        time_zone: None,
        language: None,
    })
}

/// Returns a pending booking of the club by Bo for tomorrow, half an hour long, requested an hour
/// ago.
pub(super) fn booking(name: &str) -> Booking {
    Booking {
        title: "Book club".to_owned(),
        host: host(OWN_HOST),
        event_type: Some(EventTypeRef {
            id: CLUB_EVENT_TYPE,
            slug: Some("club".to_owned()),
        }),
        booker: booker("bo@example.com"),
        ..Booking::new(
            uid(name),
            (at_minute(24 * 60), at_minute(24 * 60 + 30)),
            at_minute(-60),
        )
    }
}

/// Returns a booking as `booking` does, but by this booker, `slot` half hours later, and requested
/// `created` minutes after `now`.
pub(super) fn booking_by(name: &str, booker_address: &str, slot: i64, created: i64) -> Booking {
    modify(booking(name), |b| {
        b.booker = booker(booker_address);
        b.start += Span::minutes(30 * slot);
        b.end += Span::minutes(30 * slot);
        b.created_at = at_minute(created);
    })
}

/// Returns an occurrence of the series, in this slot.
pub(super) fn occurrence(series: &str, name: &str, slot: i64) -> Booking {
    modify(booking_by(name, "bo@example.com", slot, -60), |b| {
        b.series = Some(request_id(series));
    })
}

pub(super) fn with_status(booking: Booking, status: BookingStatus) -> Booking {
    modify(booking, |b| b.status = status)
}

pub(super) fn event_type() -> EventType {
    EventType {
        id: CLUB_EVENT_TYPE,
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
        disables_cancelling: false,
        disables_rescheduling: false,
        limits: Vec::new(),
    }
}

/// Returns a lot that still has all credits of its grant.
pub(super) fn lot(name: &str, credits: Credits, expires: Option<Time>) -> Lot {
    Lot {
        terms: Default::default(),
        grant: grant_reference(name),
        granted: credits,
        remaining: credits,
        expires,
        granted_at: at_minute(-10_000),
    }
}

/// Returns an account with these lots, in this order.
pub(super) fn account_with_lots(id: &str, lots: Vec<Lot>) -> Account {
    modify(Account::new(account_id(id), at_minute(-10_000)), |a| {
        a.version = 1;
        a.totals.granted = lots.iter().map(|lot| lot.remaining).sum();
        a.lots = lots;
    })
}

/// Returns an account with credits that never expire. With 0 credits, the account has no lot.
pub(super) fn account(id: &str, credits: Credits) -> Account {
    let lots = (credits > 0).then(|| lot(&format!("g-{id}"), credits, None));
    account_with_lots(id, lots.into_iter().collect())
}

pub(super) fn gate() -> Gate {
    Gate {
        name: "club".to_owned(),
        event_types: vec![EventTypeKey::Slug("club".to_owned())],
        cost: Cost::Fixed(1),
        unknown_booker: OnViolation::Decline,
        short_of_credit: OnViolation::Decline,
        time_taken: OnViolation::Decline,
        on_unanswered: OnUnanswered::Leave,
        criteria: Criteria::default(),
        terms: crate::domain::refund_policy::Terms::default(),
    }
}

pub(super) fn policy() -> Policy {
    Policy {
        gates: vec![gate()],
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: PassLimits {
            requests_per_pass: 250,
            declines: DeclineLimit {
                at_most: 25,
                per: Span::minutes(15),
            },
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        global: GlobalPolicy::default(),
        hash: "p1".to_owned(),
    }
}

/// Returns the policy with a change to its one gate.
pub(super) fn policy_with(change: impl FnOnce(&mut Gate)) -> Policy {
    modify(policy(), |p| change(&mut p.gates[0]))
}

/// Returns a snapshot in which these bookings are pending and these accounts exist.
pub(super) fn snapshot(pending: Vec<Booking>, accounts: Vec<Account>) -> Snapshot {
    let observe = |booking| TimestampedBooking {
        booking,
        read_at: now(),
    };
    let name_of = |account: &Account| {
        let address = Address::parse(account.id.as_str()).ok()?;
        Some((address, account.id.clone()))
    };
    Snapshot {
        now: now(),
        key_user: OWN_HOST,
        series: BTreeMap::new(),
        accepted: Vec::new(),
        co_hosted: Vec::new(),
        pin_origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: BTreeMap::from([(CLUB_EVENT_TYPE, Some(event_type()))]),
        accounts_by_address: accounts.iter().filter_map(name_of).collect(),
        accounts: accounts
            .into_iter()
            .map(|account| (account.id.clone(), account))
            .collect(),
        records: BTreeMap::new(),
        intents: Vec::new(),
        carried_charges: BTreeMap::new(),
        versions: RecordVersions::default(),
        moves: BTreeMap::new(),
        unclear_predecessors: BTreeSet::new(),
        counted_bookings: BTreeMap::new(),
        prior_requests: BTreeMap::new(),
        pin_results: BTreeMap::new(),
        lookups: BTreeMap::new(),
        source_failures: BTreeMap::new(),
        unresolved_bookings: BTreeMap::new(),
        recent_declines: 0,
        ledger_is_empty: false,
        restore_pending: false,
        clock_skewed: false,
        paused_gates: BTreeMap::new(),
        pending: pending.into_iter().map(observe).collect(),
    }
}

/// Returns a recorded intent of Bo's to confirm these bookings at 1 credit each.
pub(super) fn intent(id: &str, bookings: &[&str]) -> Request {
    Request {
        id: request_id(id),
        bookings: bookings.iter().map(|name| booking_ref(name)).collect(),
        series: None,
        title: "Book club".to_owned(),
        event_type: Some(CLUB_EVENT_TYPE),
        slug: Some("club".to_owned()),
        gate: Some("club".to_owned()),
        host: Some(OWN_HOST),
        booker: Some(address("bo@example.com")),
        account: Some(account_id("bo@example.com")),
        start: at_minute(24 * 60),
        end: at_minute(24 * 60 + 30),
        created_at: at_minute(-60),
        decision: Decision::Confirm,
        cost: 1,
        credits: bookings.len() as Credits,
        call: Some(CallKind::Confirm),
        reasons: Vec::new(),
        findings: Vec::new(),
        booker_text: None,
        predecessor: None,
        non_refundable: 0,
        policy_hash: "p1".to_owned(),
        decided_at: at_minute(-5),
        call_not_after: None,
        first_evaluated_at: at_minute(-5),
        state: RequestState::Recorded,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: None,
        reasons_since: Vec::new(),
        pin_attempt: None,
    }
}

/// Changes an intent into one to decline.
pub(super) fn to_decline(request: Request) -> Request {
    modify(request, |r| {
        r.decision = Decision::Decline;
        r.call = Some(CallKind::Decline);
        r.booker_text = Some("No.".to_owned());
    })
}

/// Returns Bo's charge for a booking tomorrow, of one credit from Bo's only lot.
pub(super) fn charge(name: &str, state: ChargeState) -> Charge {
    Charge {
        booking: booking_ref(name),
        request: request_id(name),
        account: account_id("bo@example.com"),
        event_type: Some(CLUB_EVENT_TYPE),
        host: Some(OWN_HOST),
        start: at_minute(24 * 60),
        end: at_minute(24 * 60 + 30),
        parts: vec![part("g-bo@example.com", 1)],
        refunded: 0,
        state,
        held_at: at_minute(-5),
        taken_over_by: None,
        moved_from: None,
        reason: None,
        terms: None,
        non_refundable: 0,
    }
}

/// Returns the intent as a pass observes it: with holds for its bookings, which have these states.
pub(super) fn open_intent(request: Request, states: &[(&str, BookingState)]) -> OpenIntent {
    let held_charge = |booking: &BookingRef| charge(booking.uid.as_str(), ChargeState::Held);
    OpenIntent {
        charges: match request.decision {
            Decision::Confirm => request.bookings.iter().map(held_charge).collect(),
            Decision::Decline | Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                Vec::new()
            }
        },
        booking_states: booking_states(states),
        new_occurrences: Vec::new(),
        carried_charge: None,
        read_at: now(),
        running_until: None,
        version: None,
        request,
    }
}

pub(super) fn booking_states(
    states: &[(&str, BookingState)],
) -> BTreeMap<BookingUid, BookingState> {
    states
        .iter()
        .map(|(name, state)| (uid(name), *state))
        .collect()
}

pub(super) fn grant_fact(
    reference: &str,
    account: &str,
    credits: Credits,
    expires: Option<Time>,
) -> Fact {
    Fact::Credit(CreditFact::Grant {
        terms: Default::default(),
        reference: grant_reference(reference),
        account: account_id(account),
        credits,
        expires,
        reason: "gift".to_owned(),
    })
}

pub(super) fn hold_fact(name: &str, request: &str, account: &str, parts: Vec<LotPart>) -> Fact {
    Fact::Charge(ChargeFact::Hold {
        lent: 0,
        booking: booking_ref(name),
        request: request_id(request),
        account: account_id(account),
        parts,
        event_type: Some(CLUB_EVENT_TYPE),
        host: Some(OWN_HOST),
        start: at_minute(24 * 60),
        end: at_minute(24 * 60 + 30),
        terms: None,
    })
}

pub(super) fn decided_fact(request: Request) -> Fact {
    Fact::Request(RequestFact::Decided {
        request: request.into(),
    })
}

/// Describes a plan in words, one line per step: `a confirm enough send confirm a, hold a 1`.
pub(super) fn describe_plan(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(describe_step).collect()
}

fn describe_step(step: &Step) -> String {
    let request = &step.request;
    let codes: Vec<&str> = request.reasons.iter().map(|r| r.code.as_str()).collect();
    let decision = request.decision.as_str();
    let action = match &step.action {
        Action::Note { write: true } => "written".to_owned(),
        Action::Note { write: false } => "seen".to_owned(),
        Action::Send { facts, call, .. } => {
            let call_text = format!("{} {}", call.kind.as_str(), call.booking.uid);
            let holds = facts.iter().filter_map(describe_hold);
            let parts: Vec<String> = std::iter::once(call_text).chain(holds).collect();
            parts.join(", ")
        }
        Action::Settle { outcome, .. } => outcome.as_str().to_owned(),
        Action::Postpone { reason: why } => format!("postponed: {why}"),
    };
    let words = [request.id.as_str(), decision, &codes.join("+"), &action];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn describe_hold(fact: &Fact) -> Option<String> {
    let Fact::Charge(ChargeFact::Hold {
        booking,
        parts,
        lent,
        ..
    }) = fact
    else {
        return None;
    };
    let borrowed = match lent {
        0 => String::new(),
        lent => format!(" and {lent} lent"),
    };
    let held = sum_credits(parts);
    Some(format!("hold {} {held}{borrowed}", booking.uid))
}

/// Plans, and describes the plan in words.
pub(super) fn describe_planned(snapshot: &Snapshot, policy: &Policy) -> Vec<String> {
    describe_plan(&plan(snapshot, policy))
}

/// Returns the reason of an entry that has this text.
#[track_caller]
pub(super) fn reason_with_text(text: &str) -> EntryReason {
    use NotConfirmed as Found;
    let states = [
        Found::Pending,
        Found::Rejected,
        Found::Cancelled,
        Found::Gone,
        Found::OtherStatus,
        Found::PendingAfterStart,
        Found::PendingAfterEnd,
        Found::Unread,
    ];
    let codes = states.into_iter().map(EntryCode::NotConfirmed);
    let others = [
        EntryCode::CostsLess,
        EntryCode::SeriesGrew,
        EntryCode::CallRefused,
        EntryCode::StatusResolved,
    ];
    let mut reasons = codes.chain(others).map(EntryReason::from);
    let reason = reasons.find(|reason| reason.full_text() == text);
    reason.unwrap_or_else(|| panic!("no reason reads {text:?}"))
}
