//! Shared by the tests of the commands: an instant, a store in memory, and a noted request.

use crate::control::protocol::credits::GrantCommand;
use crate::domain::booking::BookingRef;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::decision::{Decision, Reason, ReasonCode};
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::gate::{DeclineLimit, PassLimits, Policy, RefuseWith};
use crate::domain::id::{AccountId, Address, BookingUid, HostId, RequestId};
use crate::domain::request::{Request, RequestState};
use crate::domain::time::{Span, Time};
use crate::store::memory::MemoryStore;
use crate::store::port::Store;

pub(super) fn now() -> Time {
    "2026-12-01T09:00:00Z".parse().expect("a time")
}

/// Returns a policy without gates.
pub(super) fn policy() -> Policy {
    Policy {
        gates: Vec::new(),
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: PassLimits {
            requests_per_pass: 250,
            declines: DeclineLimit::UNLIMITED,
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        global: GlobalPolicy::default(),
        hash: "p1".to_owned(),
    }
}

/// Returns a store in which Bo has this many credits.
pub(super) fn store_with_credits(credits: u64) -> MemoryStore {
    let mut store = MemoryStore::new();
    grant_credits(&mut store, "bo@example.com", credits, "g1");
    store
}

pub(super) fn grant_credits(store: &mut MemoryStore, account: &str, credits: u64, reference: &str) {
    let grant = GrantCommand {
        account: account.to_owned(),
        credits,
        expires: None,
        reason: None,
        reference: Some(reference.to_owned()),
        new: true,
        ..GrantCommand::default()
    };
    super::credits::grant(store, now(), &grant).expect("it is granted");
}

/// Returns Bo's request for a booking tomorrow, left for review.
pub(super) fn noted_request(name: &str) -> Request {
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
        created_at: now() - Span::hours(1),
        decision: Decision::Review,
        cost: 2,
        credits: 2,
        call: None,
        reasons: vec![Reason {
            code: ReasonCode::AccountFrozen,
            text: "the account is frozen".to_owned(),
        }],
        findings: Vec::new(),
        booker_text: None,
        predecessor: None,
        non_refundable: 0,
        policy_hash: "p1".to_owned(),
        decided_at: now(),
        call_not_after: None,
        first_evaluated_at: now(),
        state: RequestState::Noted,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: None,
        reasons_since: Vec::new(),
        pin_attempt: None,
    }
}

pub(super) fn commit_facts(store: &mut MemoryStore, facts: Vec<Fact>) {
    store.commit(now(), facts, &[]).expect("they fit");
}

pub(super) fn record_decision(store: &mut MemoryStore, request: Request) {
    let request = request.into();
    commit_facts(store, vec![Fact::Request(RequestFact::Decided { request })]);
}
