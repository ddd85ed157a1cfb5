//! What the store's tests share: names, facts, and a store in its own directory.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::path::Path;

use chrono::DateTime;
use maitred::domain::account::LotPart;
use maitred::domain::booking::BookingRef;
use maitred::domain::decision::{Credits, Decision, DecisionOutcome, Finding, Reason, ReasonCode};
use maitred::domain::fact::{Fact, RefundPart};
use maitred::domain::id::{
    AccountId, Address, BookingUid, EventTypeId, HostId, Reference, RequestId,
};
use maitred::domain::ledger_state::{Identity, LedgerFact};
use maitred::domain::request::{
    CallEnd, CallKind, CallNote, OperatorDecision, OperatorReview, Request, RequestState,
};
use maitred::domain::time::{Span, Time};
use maitred::domain::unresolved::{Resolver, UnresolvedCode};
use maitred::store::log_store::LogStore;
use maitred::store::open::{self, CreateIfMissing, OpenedStore, StoreLimits};
use maitred::store::open_report::{OpenError, OpenNotice};

/// Returns an instant this many milliseconds after a fixed one.
pub fn at(millis: i64) -> Time {
    DateTime::from_timestamp_millis(1_790_000_000_000).expect("in range")
        + Span::milliseconds(millis)
}

pub fn account(name: &str) -> AccountId {
    AccountId::parse(name).expect(name)
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect(text)
}

pub fn uid(text: &str) -> BookingUid {
    BookingUid::parse(text).expect(text)
}

pub fn request_id(text: &str) -> RequestId {
    RequestId::parse(text).expect(text)
}

pub fn reference(text: &str) -> Reference {
    Reference::parse(text).expect(text)
}

pub fn booking(text: &str) -> BookingRef {
    BookingRef {
        uid: uid(text),
        id: Some(77),
    }
}

pub fn lot_part(grant: &str, credits: Credits) -> LotPart {
    LotPart {
        grant: reference(grant),
        credits,
    }
}

pub fn grant_fact(name: &str, to: &str, credits: Credits) -> Fact {
    Fact::Grant {
        reference: reference(name),
        account: account(to),
        credits,
        expires: None,
        reason: "spring".to_owned(),
    }
}

/// Returns an intent to confirm one booking, or a series of several.
pub fn confirm_intent(id: &str, bookings: &[&str], decided: Time) -> Request {
    Request {
        id: request_id(id),
        bookings: bookings.iter().map(|uid| booking(uid)).collect(),
        series: (bookings.len() > 1).then(|| request_id(id)),
        title: "Book club between Bo and Ann".to_owned(),
        event_type: Some(EventTypeId(77)),
        slug: Some("book-club".to_owned()),
        gate: Some("book-club".to_owned()),
        host: Some(HostId(5)),
        booker: Some(address("bo@example.com")),
        account: Some(account("bo@example.com")),
        start: at(86_400_000),
        end: at(90_000_000),
        created_at: at(-5_000),
        decision: Decision::Confirm,
        cost: 1,
        credits: bookings.len() as u64,
        call: Some(CallKind::Confirm),
        reasons: vec![Reason {
            code: ReasonCode::EnoughCredit,
            text: "cost 1, available 3".to_owned(),
        }],
        findings: vec![Finding {
            rule: "short-of-credit".into(),
            code: None,
            passed: true,
            detail: "cost 1, available 3".into(),
        }],
        booker_text: None,
        predecessor: None,
        non_refundable: 0,
        policy_hash: "f00d".to_owned(),
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

pub fn decided_fact(request: Request) -> Fact {
    Fact::RequestDecided {
        request: request.into(),
    }
}

pub fn hold_fact(uid: &str, request: &str, to: &str, parts: Vec<LotPart>) -> Fact {
    Fact::Hold {
        booking: booking(uid),
        request: request_id(request),
        account: account(to),
        parts,
        event_type: Some(EventTypeId(77)),
        host: Some(HostId(5)),
        start: at(86_400_000),
        end: at(90_000_000),
        // Older logs contain no terms.
        terms: uid.len().is_multiple_of(2).then(|| {
            let terms = maitred::domain::refund_policy::RefundTerms::default();
            std::sync::Arc::new(terms)
        }),
    }
}

pub fn call_fact(request: &str, answered: bool, when: Time) -> Fact {
    Fact::CallRecorded {
        request: request_id(request),
        call: CallNote {
            at: when,
            booking: uid(request),
            kind: CallKind::Confirm,
            end: if answered {
                CallEnd::Answered
            } else {
                CallEnd::Refused
            },
            text: "accepted".to_owned(),
        },
    }
}

pub fn outcome_fact(request: &str, outcome: DecisionOutcome) -> Fact {
    Fact::IntentSettled {
        request: request_id(request),
        outcome,
    }
}

pub fn post_fact(booking: &str) -> Fact {
    Fact::Post {
        booking: uid(booking),
    }
}

/// Returns all facts of one booking, from the decision to the spent credit.
pub fn confirmed_facts(id: &str, to: &str, grant: &str, decided_at: Time) -> Vec<Fact> {
    let mut request = confirm_intent(id, &[id], decided_at);
    request.account = Some(account(to));
    vec![
        decided_fact(request),
        hold_fact(id, id, to, vec![lot_part(grant, 1)]),
        call_fact(id, true, decided_at),
        post_fact(id),
        outcome_fact(id, DecisionOutcome::Confirmed),
    ]
}

/// Returns one fact of each kind with all fields filled, then some with all optional fields left
/// out.
pub fn sample_facts() -> Vec<Fact> {
    let bo = || account("bo@example.com");
    let mut wait = confirm_intent("uid2", &["uid2"], at(123));
    wait.decision = Decision::Wait {
        until: Some(at(60_000)),
    };
    wait.state = RequestState::Noted;
    wait.call = None;
    let mut full = confirm_intent("series", &["a", "b"], at(1));
    full.booker_text = Some("Sorry, \"no\" credit\n left \u{0} \u{2028} ü 🎲".to_owned());
    full.predecessor = Some(uid("older"));
    full.state = RequestState::Settled {
        outcome: DecisionOutcome::Superseded,
        at: at(9),
    };
    full.failures = 2;
    full.last_failure = Some(at(8));
    full.calls = vec![CallNote {
        at: at(8),
        booking: uid("a"),
        kind: CallKind::Cancel,
        end: CallEnd::Unanswered { sent: at(7) },
        text: "timed out".to_owned(),
    }];
    full.review = Some(OperatorReview {
        decision: OperatorDecision::Decline,
        reason: "came \"late\"".to_owned(),
        at: at(3),
    });
    vec![
        Fact::AccountOpened { account: bo() },
        Fact::AliasAdded {
            account: bo(),
            alias: address("änne@example.com"),
        },
        Fact::AliasRemoved {
            account: bo(),
            alias: address("änne@example.com"),
        },
        Fact::AccountDescribed {
            account: bo(),
            tier: Some("gold".to_owned()),
            tags: ["board", "früh"].map(str::to_owned).into(),
            attributes: [("since".to_owned(), "2019".to_owned())].into(),
        },
        Fact::FreezeChanged {
            account: bo(),
            reason: Some("unpaid".to_owned()),
        },
        Fact::PinChanged {
            account: bo(),
            hash: Some("argon".to_owned()),
        },
        Fact::Grant {
            reference: reference("2026 spring"),
            account: bo(),
            credits: 10,
            expires: Some(at(0)),
            reason: "spring".to_owned(),
        },
        Fact::Revoke {
            reference: reference("back"),
            account: bo(),
            parts: vec![lot_part("2026 spring", 2)],
            reason: "too many".to_owned(),
        },
        Fact::Expire {
            account: bo(),
            part: lot_part("2026 spring", 1),
        },
        hold_fact(
            "uid1",
            "uid1",
            "bo@example.com",
            vec![lot_part("2026 spring", 1)],
        ),
        post_fact("uid1"),
        Fact::Void {
            booking: uid("uid1"),
            reason: "superseded".into(),
            refund_parts: Vec::new(),
        },
        Fact::Refund {
            booking: uid("uid1"),
            parts: vec![
                RefundPart {
                    grant: reference("2026 spring"),
                    credits: 1,
                    replacement_lot: Some((reference("restored"), at(1_000))),
                },
                RefundPart {
                    grant: reference("summer"),
                    credits: 1,
                    replacement_lot: None,
                },
            ],
            close: true,
            reason: "cancelled in time".into(),
        },
        Fact::Move {
            from: uid("uid1"),
            to: booking("uid3"),
            start: at(0),
            end: at(1),
            non_refundable: 0,
        },
        Fact::ChargeClosed {
            booking: uid("uid3"),
            reason: "over".into(),
        },
        decided_fact(full),
        Fact::RequestReviewed {
            request: request_id("uid2"),
            decision: OperatorDecision::Confirm,
            reason: "an old friend".to_owned(),
        },
        call_fact("uid1", true, at(5)),
        outcome_fact("uid1", DecisionOutcome::Confirmed),
        Fact::UnresolvedListed {
            booking: booking("uid1"),
            code: UnresolvedCode::Revived,
            account: Some(bo()),
            until: Some(at(90_000_000)),
            detail: "accepted, although it was cancelled".to_owned(),
        },
        Fact::UnresolvedResolved {
            booking: uid("uid1"),
            code: UnresolvedCode::Revived,
            reason: "it takes place".to_owned(),
            by: Resolver::Operator,
        },
        Fact::Ledger(LedgerFact::Identified {
            identity: Identity {
                server: "cal.example.com:5555/api".to_owned(),
                user: HostId(5),
                dialect: "v2".to_owned(),
            },
            reason: "recorded by the first pass".to_owned(),
        }),
        Fact::Ledger(LedgerFact::Restored { commit: 7 }),
        Fact::Ledger(LedgerFact::RestoreAccepted {
            reason: "all looked at".to_owned(),
        }),
        decided_fact(wait),
        Fact::AccountDescribed {
            account: bo(),
            tier: None,
            tags: [].into(),
            attributes: [].into(),
        },
        Fact::FreezeChanged {
            account: bo(),
            reason: None,
        },
        Fact::PinChanged {
            account: bo(),
            hash: None,
        },
        decided_fact(minimal_request()),
        Fact::UnresolvedListed {
            booking: BookingRef {
                uid: uid("uid4"),
                id: None,
            },
            code: UnresolvedCode::Unmanaged,
            account: None,
            until: None,
            detail: String::new(),
        },
    ]
}

/// Returns a request with all optional fields left out.
fn minimal_request() -> Request {
    Request {
        event_type: None,
        slug: None,
        gate: None,
        host: None,
        booker: None,
        account: None,
        decision: Decision::Leave,
        call: None,
        reasons: Vec::new(),
        findings: Vec::new(),
        bookings: vec![BookingRef {
            uid: uid("uid4"),
            id: None,
        }],
        state: RequestState::Noted,
        ..confirm_intent("uid4", &["uid4"], at(0))
    }
}

/// Opens the store in the directory, or creates it.
pub fn open(path: &Path) -> Result<OpenedStore, OpenError> {
    open::open(path, CreateIfMissing::Yes, at(0), &mut |_| {})
}

/// Opens the store with small segments, no check of the whole log, and few records in memory.
pub fn open_small(path: &Path) -> Result<OpenedStore, OpenError> {
    let limits = StoreLimits {
        segment_bytes: 4_000,
        full_check_bytes: 0,
        max_records: 20,
    };
    open::open_with(path, CreateIfMissing::Yes, at(0), limits, &mut |_| {})
}

/// Opens the store, and checks that there are no notices.
pub fn open_without_notice(path: &Path) -> LogStore {
    let opened = open(path).expect("it opens");
    assert_eq!(opened.notices, [], "nothing to say");
    opened.store
}

/// Opens the store, and returns its only notice, too.
pub fn open_with_notice(path: &Path) -> (LogStore, OpenNotice) {
    let mut opened = open(path).expect("it opens");
    assert_eq!(opened.notices.len(), 1, "{:?}", opened.notices);
    (opened.store, opened.notices.remove(0))
}

/// Returns the text of an error with its sources.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
