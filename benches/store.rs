//! Measures a commit, a rebuild and an opening. `cargo bench --bench store`; set `TMPDIR` to the
//! disk that is to be measured.

use std::path::Path;

use chrono::DateTime;
use divan::Bencher;
use divan::counter::ItemsCount;
use maitred::domain::account::LotPart;
use maitred::domain::booking::BookingRef;
use maitred::domain::decision::{Decision, DecisionOutcome, Finding, Reason, ReasonCode};
use maitred::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RequestFact};
use maitred::domain::id::{
    AccountId, Address, BookingUid, EventTypeId, HostId, Reference, RequestId,
};
use maitred::domain::request::{CallEnd, CallKind, CallNote, Request, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::store::log_store::LogStore;
use maitred::store::open::{CreateIfMissing, OpenedStore, open};
use maitred::store::port::{Maintenance, Store};
use tempfile::TempDir;

/// The allocator of the binary: a plan makes and drops many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// The number of members; each has one grant that is never used up.
const MEMBERS: usize = 1_000;

/// The number of requests that one pass decides.
const REQUESTS_PER_PASS: usize = 16;

/// The number of facts that one request takes from decision to end.
const FACTS_PER_REQUEST: usize = 6;

fn at(seconds: usize) -> Time {
    let seconds = i64::try_from(seconds).expect("in range");
    DateTime::from_timestamp_millis(1_790_000_000_000).expect("in range") + Span::seconds(seconds)
}

fn open_store(path: &Path) -> OpenedStore {
    open(path, CreateIfMissing::Yes, at(0), &mut |_| {}).expect("it opens")
}

fn member(n: usize) -> String {
    format!("member{:04}@example.com", n % MEMBERS)
}

fn account(n: usize) -> AccountId {
    AccountId::parse(&member(n)).expect("a name")
}

fn reference(n: usize) -> Reference {
    Reference::parse(&format!("2026-spring-{:04}", n % MEMBERS)).expect("a name")
}

/// Returns a uid as Cal.com makes them: 22 letters and digits in no order.
fn uid(n: usize) -> BookingUid {
    let mixed = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    BookingUid::parse(&format!("{mixed:016x}{n:06}")).expect("a uid")
}

fn grants() -> Vec<Fact> {
    let grant = |n| {
        Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: reference(n),
            account: account(n),
            credits: 1_000_000,
            expires: None,
            reason: "spring".to_owned(),
        })
    };
    (0..MEMBERS).map(grant).collect()
}

fn request(n: usize) -> Request {
    let uid = uid(n);
    // One pass decides some requests, at one instant.
    let decided = at(n / REQUESTS_PER_PASS);
    Request {
        id: RequestId::from(&uid),
        bookings: vec![BookingRef {
            uid,
            id: Some(n as i64),
        }],
        series: None,
        title: "Book club between Bo and Ann".to_owned(),
        event_type: Some(EventTypeId(77)),
        slug: Some("book-club".to_owned()),
        gate: Some("book-club".to_owned()),
        host: Some(HostId(5)),
        booker: Some(Address::parse(&member(n)).expect("an address")),
        account: Some(account(n)),
        start: at(n + 86_400),
        end: at(n + 90_000),
        created_at: at(n),
        decision: Decision::Confirm,
        cost: 1,
        credits: 1,
        call: Some(CallKind::Confirm),
        reasons: vec![Reason {
            code: ReasonCode::EnoughCredit,
            text: "cost 1, available 3".into(),
        }],
        findings: vec![
            Finding {
                rule: "short-of-credit".into(),
                code: None,
                passed: true,
                detail: "cost 1, available 3".into(),
            },
            Finding {
                rule: "notice".into(),
                code: None,
                passed: true,
                detail: "asked 26 hours ahead".into(),
            },
        ],
        booker_text: None,
        predecessor: None,
        non_refundable: 0,
        policy_hash: "0b5e1f0c9a7d".into(),
        decided_at: decided,
        call_not_after: None,
        first_evaluated_at: decided,
        state: RequestState::Recorded,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: None,
        reasons_since: Vec::new(),
        pin_attempt: None,
    }
}

/// Returns the facts of a request's first commit: the decision and the hold.
fn intent_facts(n: usize) -> [Fact; 2] {
    let request = request(n);
    let hold = Fact::Charge(ChargeFact::Hold {
        lent: 0,
        booking: request.bookings[0].clone(),
        request: request.id.clone(),
        account: account(n),
        parts: vec![LotPart {
            grant: reference(n),
            credits: 1,
        }],
        event_type: request.event_type,
        host: request.host,
        start: request.start,
        end: request.end,
        terms: None,
    });
    let request = std::sync::Arc::new(request);
    [Fact::Request(RequestFact::Decided { request }), hold]
}

/// Returns all facts that are written about the request afterwards.
fn settlement_facts(n: usize) -> [Fact; 4] {
    let uid = uid(n);
    let request = RequestId::from(&uid);
    [
        Fact::Request(RequestFact::CallRecorded {
            request: request.clone(),
            call: CallNote {
                at: at(n),
                booking: uid.clone(),
                kind: CallKind::Confirm,
                end: CallEnd::Answered,
                text: "accepted".to_owned(),
            },
        }),
        Fact::Charge(ChargeFact::Post {
            booking: uid.clone(),
        }),
        Fact::Request(RequestFact::IntentSettled {
            request,
            outcome: DecisionOutcome::Confirmed,
        }),
        Fact::Charge(ChargeFact::Closed {
            booking: uid,
            reason: "over".into(),
        }),
    ]
}

/// Returns a store with this many decided requests, in commits of `batch` requests each.
fn filled_store(requests: usize, batch: usize) -> (TempDir, LogStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open_store(dir.path()).store;
    store.commit(at(0), grants(), &[]).expect("it commits");
    for first in (0..requests).step_by(batch) {
        let batch = first..requests.min(first + batch);
        let facts = batch.clone().flat_map(intent_facts).collect();
        store.commit(at(first), facts, &[]).expect("it commits");
        let facts = batch.flat_map(settlement_facts).collect();
        store.commit(at(first), facts, &[]).expect("it commits");
    }
    (dir, store)
}

/// Measures one durable commit with this many facts.
#[divan::bench(args = [1, 256], sample_count = 200, sample_size = 1)]
fn commit(bencher: Bencher<'_, '_>, facts: usize) {
    let (_dir, mut store) = filled_store(0, 1);
    let mut n = 0;
    bencher
        .counter(ItemsCount::new(facts))
        .with_inputs(|| {
            let pairs = (n..).take(facts.div_ceil(2)).flat_map(intent_facts);
            n += facts;
            match facts {
                1 => vec![Fact::Account(AccountFact::FreezeChanged {
                    stops_expiry: false,
                    account: account(n),
                    reason: Some("unpaid".to_owned()),
                })],
                _ => pairs.collect(),
            }
        })
        .bench_local_values(|facts| store.commit(at(0), facts, &[]).expect("it commits"));
}

/// Rebuilds everything from the log again: check, parse, project, write. Requests are decided in
/// batches of 16.
#[divan::bench(args = [10_000, 100_000], sample_count = 5, sample_size = 1)]
fn rebuild(bencher: Bencher<'_, '_>, requests: usize) {
    let (dir, store) = filled_store(requests, REQUESTS_PER_PASS);
    // The store is not closed, so that every opening rebuilds.
    drop(store);
    bencher
        .counter(ItemsCount::new(requests * FACTS_PER_REQUEST + MEMBERS))
        .bench_local(|| open_store(dir.path()).notices.len());
}

/// Opens a store that was closed cleanly, with as many commits as given, and closes it again.
#[divan::bench(args = [1_000, 100_000], sample_count = 10, sample_size = 1)]
fn open_clean(bencher: Bencher<'_, '_>, commits: usize) {
    let (dir, mut store) = filled_store(commits / 2, 1);
    store.close().expect("it closes");
    drop(store);
    bencher.with_inputs(|| ()).bench_local_values(|()| {
        let mut opened = open_store(dir.path());
        assert_eq!(opened.notices, []);
        opened.store.close().expect("it closes");
    });
}

/// Reads the open intents when 100 000 decisions are done.
#[divan::bench]
fn open_intents(bencher: Bencher<'_, '_>) {
    let (_dir, store) = filled_store(100_000, 256);
    bencher.bench_local(|| store.open_intents(None, 250).expect("it reads").len());
}

/// Reads one account out of many.
#[divan::bench]
fn account_by_name(bencher: Bencher<'_, '_>) {
    let (_dir, store) = filled_store(1_000, 256);
    let id = account(500);
    bencher.bench_local(|| store.account(&id).expect("it reads"));
}
