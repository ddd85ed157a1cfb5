//! What tests of answers share: an instant, a store in memory, and a request that was noted.

use crate::control::protocol::Grant;
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Code, Decision, Reason};
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Address, BookingUid, HostId, RequestId};
use crate::domain::request::{Request, RequestState};
use crate::domain::time::{Span, Time};
use crate::store::memory::MemoryStore;
use crate::store::port::Store;

pub(super) fn now() -> Time {
    "2026-12-01T09:00:00Z".parse().expect("a time")
}

/// A store where Bo has so many credits.
pub(super) fn store(credits: u64) -> MemoryStore {
    let mut store = MemoryStore::new();
    give(&mut store, "bo@example.com", credits, "g1");
    store
}

pub(super) fn give(store: &mut MemoryStore, account: &str, credits: u64, reference: &str) {
    let grant = Grant {
        account: account.to_owned(),
        credits,
        expires: None,
        reason: None,
        reference: Some(reference.to_owned()),
        new: true,
    };
    super::credits::grant(store, now(), &grant).expect("it is granted");
}

/// Bo's request for a booking tomorrow, left for review.
pub(super) fn noted(name: &str) -> Request {
    let uid = BookingUid::parse(name).expect("a uid");
    Request {
        id: RequestId::from(&uid),
        bookings: vec![BookingRef { uid, id: None }],
        series: None,
        title: "Book club".to_owned(),
        event_type: None,
        slug: None,
        gate: Some("club".to_owned()),
        host: Some(HostId(7)),
        booker: Address::parse("bo@example.com").ok(),
        account: AccountId::parse("bo@example.com").ok(),
        start: now() + Span::hours(24),
        end: now() + Span::hours(25),
        created: now() - Span::hours(1),
        decision: Decision::Review,
        cost: 2,
        credits: 2,
        call: None,
        reasons: vec![Reason {
            code: Code::Frozen,
            text: "the account is frozen".to_owned(),
        }],
        findings: Vec::new(),
        text: None,
        carries: None,
        keeps: 0,
        policy: "p1".to_owned(),
        decided: now(),
        call_not_after: None,
        first: now(),
        state: RequestState::Noted,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: None,
        reasons_since: Vec::new(),
        pin: None,
    }
}

pub(super) fn write(store: &mut MemoryStore, facts: Vec<Fact>) {
    store.commit(now(), facts, &[]).expect("they fit");
}

pub(super) fn decide(store: &mut MemoryStore, request: Request) {
    let request = request.into();
    write(store, vec![Fact::Decided { request }]);
}
