//! Measures planning at full load: 10,000 requests by 10,000 members, in the worst order for the
//! plan. The target is below 1 s with 20 rules of the operator's own. For 250 requests it is below
//! 50 ms.

use maitred::domain::criteria::price::Cost;
use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use maitred::domain::account::Account;
use maitred::domain::booking::{
    Booker, Booking, BookingStatus, Buffers, Confirmation, EventType, EventTypeRef, Host,
    TimestampedBooking,
};
use maitred::domain::criteria::custom_rule::Rule;
use maitred::domain::criteria::gate_criteria::Criteria;
use maitred::domain::criteria::global_policy::GlobalPolicy;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::expected::RecordVersions;
use maitred::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, Policy, RefuseWith};
use maitred::domain::id::{
    AccountId, Address, BookingUid, EventTypeId, EventTypeKey, HostId, Reference,
};
use maitred::domain::lot::Lot;
use maitred::domain::plan::plan;
use maitred::domain::rule::expression::Expression;
use maitred::domain::snapshot::Snapshot;
use maitred::domain::time::{Span, Time};

/// The requests of the largest plan.
const REQUESTS: i64 = 10_000;

/// Every seventh member has no credits left, so that there is something to decline.
const WITHOUT_CREDIT_EVERY: i64 = 7;

const HOST_ID: HostId = HostId(1);
const EVENT_TYPE: EventTypeId = EventTypeId(7);

/// The allocator of the binary: a plan makes and drops many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

#[divan::bench]
fn ten_thousand_requests(bencher: divan::Bencher<'_, '_>) {
    let (snapshot, policy) = (snapshot(), policy());
    let planned = plan(&snapshot, &policy);
    assert_eq!(planned.steps.len() as i64, REQUESTS);
    bencher.bench(|| plan(divan::black_box(&snapshot), &policy));
}

/// Plans requests with 20 rules of the operator's own: what gates ask for, and more than they do.
#[divan::bench(args = [250, REQUESTS])]
fn requests_with_twenty_expressions(bencher: divan::Bencher<'_, '_>, requests: i64) {
    let (snapshot, mut policy) = (snapshot_of(requests), policy());
    policy.global.rules = RULES.iter().enumerate().map(rule).collect();
    let planned = plan(&snapshot, &policy);
    assert_eq!(planned.steps.len() as i64, requests);
    assert!(planned.steps.iter().all(|step| {
        let findings = &step.request.findings;
        let passed = findings.iter().filter(|finding| finding.passed);
        passed.count() >= RULES.len()
    }));
    bencher.bench(|| plan(divan::black_box(&snapshot), &policy));
}

/// Twenty rules that every request of this benchmark meets, so that each rule is evaluated.
const RULES: [&str; 20] = [
    r#"member.tier in ["gold", "exec"]"#,
    r#"booking.notice > duration("1h")"#,
    r#"member.tier in ["gold", "exec"] && booking.notice > duration("2h")"#,
    r#"booking.length <= duration("60m")"#,
    r#"!("suspended" in member.tags)"#,
    r#""reader" in member.tags || member.tier == "exec""#,
    r#"member.upcoming < 5"#,
    r#"member.week < 3 && member.month < 8"#,
    r#"booker.domain == "example.com" || booker.domain.endsWith(".example.com")"#,
    r#"booking.guests.size() <= 2"#,
    r#"request.cost <= 3"#,
    r#"request.occurrences <= 12"#,
    r#"booking.weekday != "xyz""#,
    r#"booking.event_type.startsWith("book")"#,
    r#"member.attributes["city"] == "Berlin""#,
    r#"!member.frozen"#,
    r#"booking.start < timestamp("2099-01-01T00:00:00Z")"#,
    r#"request.age < duration("240h")"#,
    r#"member.known ? booking.length > duration("5m") : false"#,
    r#"booking.title.contains("club") && !booker.address.startsWith("noreply@")"#,
];

fn rule((number, text): (usize, &&str)) -> Rule {
    let lookups = BTreeSet::new();
    Rule {
        name: format!("rule-{number}"),
        require: Expression::compile(text, &lookups).expect(text),
        reason: None,
        on_violation: OnViolation::Decline,
    }
}

/// Plans the same requests with another 10,000 accepted bookings to check against.
#[divan::bench]
fn ten_thousand_requests_beside_as_many_bookings(bencher: divan::Bencher<'_, '_>) {
    let (mut snapshot, policy) = (snapshot(), policy());
    snapshot.accepted = (0..REQUESTS)
        .map(|n| Booking {
            uid: uid(&format!("accepted-{n}")),
            status: BookingStatus::Accepted,
            start: start(n) + Span::minutes(15),
            end: start(n) + Span::minutes(30),
            ..booking(n)
        })
        .collect();
    bencher.bench(|| plan(divan::black_box(&snapshot), &policy));
}

fn now() -> Time {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

/// Returns the start of a slot of half an hour, one for each request; the booking takes the first
/// half.
fn start(n: i64) -> Time {
    now() + Span::days(1) + Span::minutes(30 * n)
}

fn uid(text: &str) -> BookingUid {
    BookingUid::parse(text).expect("a uid")
}

fn address(n: i64) -> Address {
    Address::parse(&format!("member-{n}@example.com")).expect("an address")
}

fn booking(n: i64) -> Booking {
    Booking {
        id: Some(n),
        title: "Book club".to_owned(),
        host: Some(Host {
            id: Some(HOST_ID),
            address: None,
            name: None,
            time_zone: None,
        }),
        event_type: Some(EventTypeRef {
            id: EVENT_TYPE,
            slug: Some("book-club".to_owned()),
        }),
        booker: Some(Booker {
            address: address(n),
            name: None,
            time_zone: None,
            language: None,
        }),
        ..Booking::new(
            uid(&format!("booking-{n}")),
            (start(n), start(n) + Span::minutes(15)),
            now() - Span::seconds(n),
        )
    }
}

fn account(n: i64) -> Account {
    let mut account = Account::new(AccountId::from(&address(n)), now());
    let lots = if n % WITHOUT_CREDIT_EVERY == 0 { 0 } else { 3 };
    account.tier = Some(if n % 3 == 0 { "exec" } else { "gold" }.to_owned());
    account.tags = ["reader".to_owned(), format!("cohort-{}", n % 50)].into();
    account.attributes = [("city".to_owned(), "Berlin".to_owned())].into();
    account.totals.granted = lots * 10;
    account.lots = (0..lots)
        .map(|lot| Lot {
            terms: Default::default(),
            grant: Reference::parse(&format!("grant-{n}-{lot}")).expect("a reference"),
            granted: 10,
            remaining: 10,
            expires: None,
            granted_at: now(),
        })
        .collect();
    account
}

fn snapshot() -> Snapshot {
    snapshot_of(REQUESTS)
}

fn snapshot_of(requests: i64) -> Snapshot {
    let accounts = (0..requests).map(account);
    Snapshot {
        now: now(),
        key_user: HOST_ID,
        pending: (0..requests)
            .map(|n| TimestampedBooking {
                booking: booking(n),
                read_at: now(),
            })
            .collect(),
        series: BTreeMap::new(),
        accepted: Vec::new(),
        co_hosted: Vec::new(),
        pin_origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: BTreeMap::from([(
            EVENT_TYPE,
            Some(EventType {
                id: EVENT_TYPE,
                slug: "book-club".to_owned(),
                title: "Book club".to_owned(),
                length_minutes: 15,
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
            }),
        )]),
        accounts: accounts
            .map(|account| (account.id.clone(), account))
            .collect(),
        accounts_by_address: (0..requests)
            .map(|n| (address(n), AccountId::from(&address(n))))
            .collect(),
        records: BTreeMap::new(),
        intents: Vec::new(),
        unresolved_bookings: BTreeMap::new(),
        carried_charges: BTreeMap::new(),
        versions: RecordVersions::default(),
        moves: Default::default(),
        unclear_predecessors: Default::default(),
        counted_bookings: BTreeMap::new(),
        prior_requests: BTreeMap::new(),
        pin_results: BTreeMap::new(),
        lookups: BTreeMap::new(),
        source_failures: BTreeMap::new(),
        recent_declines: 0,
        ledger_is_empty: false,
        restore_pending: false,
        clock_skewed: false,
        paused_gates: BTreeMap::new(),
    }
}

fn policy() -> Policy {
    let everything = REQUESTS as usize;
    Policy {
        gates: vec![Gate {
            name: "club".to_owned(),
            event_types: vec![EventTypeKey::Slug("book-club".to_owned())],
            cost: Cost::Fixed(1),
            unknown_booker: OnViolation::Decline,
            short_of_credit: OnViolation::Decline,
            time_taken: OnViolation::Decline,
            on_unanswered: OnUnanswered::Leave,
            criteria: Criteria::default(),
            terms: maitred::domain::refund_policy::Terms::default(),
        }],
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: PassLimits {
            requests_per_pass: everything,
            declines: DeclineLimit::UNLIMITED,
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        global: GlobalPolicy::default(),
        hash: "policy".to_owned(),
    }
}
