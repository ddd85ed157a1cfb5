//! What the store's tests share: names, facts, and a store in a directory of its own.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::path::Path;

use chrono::DateTime;
use maitred::domain::account::Part;
use maitred::domain::booking::BookingRef;
use maitred::domain::decision::{Code, Credits, Decision, Finding, Outcome, Reason};
use maitred::domain::fact::{Back, Fact};
use maitred::domain::id::{
    AccountId, Address, BookingUid, EventTypeId, HostId, Reference, RequestId,
};
use maitred::domain::ledger_state::{Identity, LedgerFact};
use maitred::domain::request::{
    CallEnd, CallKind, CallNote, Request, RequestState, Review, Verdict,
};
use maitred::domain::time::{Span, Time};
use maitred::domain::unresolved::{Resolver, UnresolvedCode};
use maitred::store::open::{self, Create, Limits, Notice, OpenError, Opened};
use maitred::store::opened::LogStore;

/// An instant, in seconds and milliseconds after a fixed one.
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

pub fn part(grant: &str, credits: Credits) -> Part {
    Part {
        grant: reference(grant),
        credits,
    }
}

pub fn grant(name: &str, to: &str, credits: Credits) -> Fact {
    Fact::Grant {
        reference: reference(name),
        account: account(to),
        credits,
        expires: None,
        reason: "spring".to_owned(),
    }
}

/// An intent to confirm one booking, or a series of some.
pub fn intent(id: &str, bookings: &[&str], decided: Time) -> Request {
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
        created: at(-5_000),
        decision: Decision::Confirm,
        cost: 1,
        credits: bookings.len() as u64,
        call: Some(CallKind::Confirm),
        reasons: vec![Reason {
            code: Code::Enough,
            text: "cost 1, available 3".to_owned(),
        }],
        findings: vec![Finding {
            rule: "short-of-credit".into(),
            code: None,
            passed: true,
            detail: "cost 1, available 3".into(),
        }],
        text: None,
        carries: None,
        keeps: 0,
        policy: "f00d".to_owned(),
        decided,
        call_not_after: None,
        first: decided,
        state: RequestState::Recorded,
        failures: 0,
        last_failure: None,
        calls: Vec::new(),
        review: None,
        reasons_since: Vec::new(),
        pin: None,
    }
}

pub fn decided(request: Request) -> Fact {
    Fact::Decided {
        request: request.into(),
    }
}

pub fn hold(uid: &str, request: &str, to: &str, parts: Vec<Part>) -> Fact {
    Fact::Hold {
        booking: booking(uid),
        request: request_id(request),
        account: account(to),
        parts,
        event_type: Some(EventTypeId(77)),
        host: Some(HostId(5)),
        start: at(86_400_000),
        end: at(90_000_000),
        // Older logs have none.
        terms: uid.len().is_multiple_of(2).then(|| {
            let terms = maitred::domain::terms::RefundTerms::default();
            std::sync::Arc::new(terms)
        }),
    }
}

pub fn called(request: &str, answered: bool, when: Time) -> Fact {
    Fact::Called {
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

pub fn settled(request: &str, outcome: Outcome) -> Fact {
    Fact::Settled {
        request: request_id(request),
        outcome,
    }
}

pub fn post(booking: &str) -> Fact {
    Fact::Post {
        booking: uid(booking),
    }
}

/// The whole way of one booking, from the decision to the spent credit.
pub fn confirmed(id: &str, to: &str, grant: &str, decided_at: Time) -> Vec<Fact> {
    let mut request = intent(id, &[id], decided_at);
    request.account = Some(account(to));
    vec![
        decided(request),
        hold(id, id, to, vec![part(grant, 1)]),
        called(id, true, decided_at),
        post(id),
        settled(id, Outcome::Confirmed),
    ]
}

/// One fact of each kind, with all fields filled; then such with all that may be left out.
pub fn samples() -> Vec<Fact> {
    let bo = || account("bo@example.com");
    let mut wait = intent("uid2", &["uid2"], at(123));
    wait.decision = Decision::Wait {
        until: Some(at(60_000)),
    };
    wait.state = RequestState::Noted;
    wait.call = None;
    let mut full = intent("series", &["a", "b"], at(1));
    full.text = Some("Sorry, \"no\" credit\n left \u{0} \u{2028} ü 🎲".to_owned());
    full.carries = Some(uid("older"));
    full.state = RequestState::Settled {
        outcome: Outcome::Superseded,
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
    full.review = Some(Review {
        verdict: Verdict::Decline,
        reason: "came \"late\"".to_owned(),
        at: at(3),
    });
    vec![
        Fact::Opened { account: bo() },
        Fact::Aliased {
            account: bo(),
            alias: address("änne@example.com"),
        },
        Fact::Unaliased {
            account: bo(),
            alias: address("änne@example.com"),
        },
        Fact::Described {
            account: bo(),
            tier: Some("gold".to_owned()),
            tags: ["board", "früh"].map(str::to_owned).into(),
            attributes: [("since".to_owned(), "2019".to_owned())].into(),
        },
        Fact::Frozen {
            account: bo(),
            why: Some("unpaid".to_owned()),
        },
        Fact::Pinned {
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
            parts: vec![part("2026 spring", 2)],
            reason: "too many".to_owned(),
        },
        Fact::Expire {
            account: bo(),
            part: part("2026 spring", 1),
        },
        hold(
            "uid1",
            "uid1",
            "bo@example.com",
            vec![part("2026 spring", 1)],
        ),
        post("uid1"),
        Fact::Void {
            booking: uid("uid1"),
            reason: "superseded".into(),
            back: Vec::new(),
        },
        Fact::Refund {
            booking: uid("uid1"),
            parts: vec![
                Back {
                    grant: reference("2026 spring"),
                    credits: 1,
                    restored: Some((reference("restored"), at(1_000))),
                },
                Back {
                    grant: reference("summer"),
                    credits: 1,
                    restored: None,
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
            keeps: 0,
        },
        Fact::Closed {
            booking: uid("uid3"),
            reason: "over".into(),
        },
        decided(full),
        Fact::Reviewed {
            request: request_id("uid2"),
            verdict: Verdict::Confirm,
            reason: "an old friend".to_owned(),
        },
        called("uid1", true, at(5)),
        settled("uid1", Outcome::Confirmed),
        Fact::Unresolved {
            booking: booking("uid1"),
            code: UnresolvedCode::Revived,
            account: Some(bo()),
            until: Some(at(90_000_000)),
            detail: "accepted, although it was cancelled".to_owned(),
        },
        Fact::Resolved {
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
        decided(wait),
        Fact::Described {
            account: bo(),
            tier: None,
            tags: [].into(),
            attributes: [].into(),
        },
        Fact::Frozen {
            account: bo(),
            why: None,
        },
        Fact::Pinned {
            account: bo(),
            hash: None,
        },
        decided(bare()),
        Fact::Unresolved {
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

/// A request with nothing that may be left out.
fn bare() -> Request {
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
        ..intent("uid4", &["uid4"], at(0))
    }
}

/// Opens, or makes, the store in the directory.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    open::open(path, Create::Yes, at(0), &mut |_| {})
}

/// Opens the store with small segments, no check of the whole log, and few records in memory.
pub fn open_small(path: &Path) -> Result<Opened, OpenError> {
    let limits = Limits {
        segment: 4_000,
        check: 0,
        records: 20,
    };
    open::open_with(path, Create::Yes, at(0), limits, &mut |_| {})
}

/// The store, which opens without anything to say.
pub fn open_quietly(path: &Path) -> LogStore {
    let opened = open(path).expect("it opens");
    assert_eq!(opened.notices, [], "nothing to say");
    opened.store
}

/// The store, and the one thing there is to say.
pub fn open_saying(path: &Path) -> (LogStore, Notice) {
    let mut opened = open(path).expect("it opens");
    assert_eq!(opened.notices.len(), 1, "{:?}", opened.notices);
    (opened.store, opened.notices.remove(0))
}

/// An error with its sources.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
