//! The pass over HTTP against the sandbox, with the real client: what is decided, what happens when
//! calls fail, and what happens when others act first. Each table runs in both dialects.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::clock::parse_time;
use crate::fixture::in_process::settings;
use crate::fixture::pass_fixture::{PassFixture, TIMEOUT, step_outcome};
use crate::fixture::steps::{DIALECTS, call_count, mail_count};
use crate::fixture::test_world::HOST;
use maitred::calcom::connect::{Settings, connect};
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::decision::{DecisionOutcome, ReasonCode};
use maitred::domain::dialect::Dialect;
use maitred::domain::expected::Expected;
use maitred::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RequestFact};
use maitred::domain::gate::RefuseWith;
use maitred::domain::id::{AccountId, Address, BookingUid, EventTypeKey, Reference, RequestId};
use maitred::domain::request::{CallEnd, ChargeState, OperatorDecision, RequestState};
use maitred::domain::time::Span;
use maitred::reconcile::context::PassError;
use maitred::reconcile::execute::{ExecutionReport, execute};
use maitred::reconcile::observe::observe;
use maitred::reconcile::send::settle::write_ends::{EndOfIntent, write_ends};
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::{MailKind, Operation};
use maitred::sandbox::event_type::SandboxEventType;
use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, RowFault, Stage};
use maitred::sandbox::script::Trigger;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

/// Returns the call that refuses a request, the mail that the call sends, and the final status.
fn refusing_call(dialect: Dialect) -> (Operation, MailKind, &'static str) {
    match dialect {
        Dialect::V2 => (Operation::Decline, MailKind::Declined, "rejected"),
        Dialect::V1 => (Operation::Cancel, MailKind::Cancelled, "cancelled"),
    }
}

#[tokio::test]
async fn bookers_with_credit_are_confirmed_and_others_declined_with_a_reason() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant("bo@example.com", 1).await;
        fixture.grant("al@example.com", 2).await;
        let kinds = fixture.event_types;
        let bo = fixture.request(kinds.lesson, "Bo@Example.com", "2026-12-01T09:00:00Z");
        let al = fixture.request(kinds.dinner, "al@example.com", "2026-12-01T10:00:00Z");
        let who = fixture.request(kinds.lesson, "who@example.com", "2026-12-01T11:00:00Z");
        let open = fixture.request(kinds.open, "bo@example.com", "2026-12-01T12:00:00Z");
        let priced = fixture.request(kinds.priced, "bo@example.com", "2026-12-01T13:00:00Z");
        let foreign = fixture.request(kinds.foreign, "ada@example.org", "2026-12-01T14:00:00Z");
        let report = fixture.pass().await;
        let (refuse, mail, refused) = refusing_call(dialect);
        assert_eq!(fixture.status(&bo), "accepted", "{dialect:?}");
        assert_eq!(fixture.status(&al), refused);
        assert_eq!(fixture.status(&who), refused);
        for left in [&open, &priced, &foreign] {
            assert_eq!(fixture.status(left), "pending");
        }
        assert_eq!(step_outcome(&report, &bo), "confirmed");
        assert_eq!(step_outcome(&report, &al), "declined");
        assert_eq!(step_outcome(&report, &open), "none");
        assert_eq!(fixture.balance("bo@example.com").await, (0, 0, 1));
        assert_eq!(fixture.balance("al@example.com").await, (2, 0, 0));
        let record = fixture.stored_request(&al).await.unwrap();
        assert_eq!(
            record.reasons[0].text,
            "This booking costs 3 credits, and your balance is 2 credits."
        );
        let stranger = fixture.stored_request(&who).await.unwrap();
        assert_eq!(stranger.reasons[0].code, ReasonCode::UnknownBooker);
        // A person who typed a member's address reads the same text as a stranger.
        let text = stranger.booker_text.unwrap();
        assert!(
            !text.contains("credit") && !text.contains("balance"),
            "{text}"
        );
        assert_eq!(record.booker_text, Some(text));
        assert_eq!(mail_count(&fixture, &al, mail), 1);
        // v1 confirms without a mail; this is a defect of v1.
        let confirmed = u32::from(dialect == Dialect::V2);
        assert_eq!(mail_count(&fixture, &bo, MailKind::Confirmed), confirmed);

        let sent = call_count(&fixture, Operation::Confirm) + call_count(&fixture, refuse);
        let before = fixture.sequence().await;
        let again = fixture.pass().await;
        assert_eq!(
            call_count(&fixture, Operation::Confirm) + call_count(&fixture, refuse),
            sent
        );
        assert_eq!(fixture.sequence().await, before);
        assert!(again.is_clean());
    }
}

#[tokio::test]
async fn a_series_is_one_request_in_v2_and_each_its_own_in_v1() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("bo@example.com", 3).await;
    fixture.grant("al@example.com", 2).await;
    let lesson = fixture.event_types.lesson;
    let bo = fixture.series(lesson, "bo@example.com", "2026-12-01T09:00:00Z", 3);
    let al = fixture.series(lesson, "al@example.com", "2026-12-01T12:00:00Z", 3);
    fixture.pass().await;
    for uid in &bo {
        assert_eq!(fixture.status(uid), "accepted");
        assert_eq!(fixture.charge(uid).await.unwrap().state, ChargeState::Open);
    }
    for uid in &al {
        assert_eq!(fixture.status(uid), "rejected");
    }
    assert_eq!(call_count(&fixture, Operation::Confirm), 1);
    assert_eq!(call_count(&fixture, Operation::Decline), 1);
    assert_eq!(fixture.balance("bo@example.com").await, (0, 0, 3));
    assert_eq!(fixture.balance("al@example.com").await, (2, 0, 0));

    let mut fixture = PassFixture::new(Dialect::V1).await;
    fixture.grant("al@example.com", 2).await;
    let al = fixture.series(lesson, "al@example.com", "2026-12-01T12:00:00Z", 3);
    fixture.pass().await;
    // A decline waits until the confirms of its own pass are settled.
    fixture.pass().await;
    let states: Vec<_> = al.iter().map(|uid| fixture.status(uid)).collect();
    assert_eq!(states, ["accepted", "accepted", "cancelled"]);
    assert_eq!(fixture.balance("al@example.com").await, (0, 0, 2));
}

#[tokio::test]
async fn a_server_that_confirms_one_occurrence_at_a_time_is_called_for_each() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.sandbox.lock().quirks.series_per_occurrence = true;
    fixture.grant("bo@example.com", 3).await;
    let bo = fixture.series(
        fixture.event_types.lesson,
        "bo@example.com",
        "2026-12-01T09:00:00Z",
        3,
    );
    for _ in 0..3 {
        fixture.pass().await;
    }
    for uid in &bo {
        assert_eq!(fixture.status(uid), "accepted");
        assert_eq!(mail_count(&fixture, uid, MailKind::Confirmed), 1);
    }
    assert_eq!(fixture.balance("bo@example.com").await, (0, 0, 3));
}

fn fault_cases() -> Vec<(&'static str, Fault)> {
    vec![
        (
            "500 before",
            Fault::Error {
                stage: Stage::Before,
            },
        ),
        (
            "500 after",
            Fault::Error {
                stage: Stage::After,
            },
        ),
        ("database down", Fault::DatabaseDown),
        (
            "hang up before",
            Fault::HangUp {
                stage: Stage::Before,
            },
        ),
        (
            "hang up after",
            Fault::HangUp {
                stage: Stage::After,
            },
        ),
        ("truncated", Fault::Truncated),
        (
            "502 before",
            Fault::BadGateway {
                stage: Stage::Before,
            },
        ),
        (
            "502 after",
            Fault::BadGateway {
                stage: Stage::After,
            },
        ),
        (
            "time-out before",
            Fault::Slow {
                stage: Stage::Before,
                ms: 4_000,
            },
        ),
        (
            "time-out after",
            Fault::Slow {
                stage: Stage::After,
                ms: 4_000,
            },
        ),
        ("429", Fault::Limited { reset: 1 }),
        (
            "redirect",
            Fault::Redirect {
                to: "http://127.0.0.1:9/".to_owned(),
            },
        ),
        ("echo of the key", Fault::EchoKey),
    ]
}

/// Whatever goes wrong with a call, at most three passes later each booking is decided once, mailed
/// once and charged once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_settled_after_three_passes() {
    // Limits how many runs take place at the same time, so that each has enough time: a time-out
    // because of a busy machine is not what is tested.
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(8));
    let mut runs = tokio::task::JoinSet::new();
    for dialect in DIALECTS {
        let (refuse, ..) = refusing_call(dialect);
        for kind in [
            Operation::Confirm,
            refuse,
            Operation::List,
            Operation::Get,
            Operation::Me,
        ] {
            for (name, fault) in fault_cases() {
                let places = std::sync::Arc::clone(&places);
                runs.spawn(async move {
                    let _place = places.acquire().await.unwrap();
                    check_fault(dialect, kind, name, fault).await;
                });
            }
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

async fn check_fault(dialect: Dialect, kind: Operation, name: &str, fault: Fault) {
    let what = format!("{dialect:?} {kind:?} {name}");
    let (refuse, mail, refused) = refusing_call(dialect);
    let mut fixture = PassFixture::new(dialect).await;
    fixture.grant("bo@example.com", 5).await;
    let lesson = fixture.event_types.lesson;
    let good = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let bad = fixture.request(lesson, "who@example.com", "2026-12-01T11:00:00Z");
    let also = fixture.request(lesson, "bo@example.com", "2026-12-02T09:00:00Z");
    fixture
        .sandbox
        .lock()
        .add_fault(FaultRule::on_next(kind, fault))
        .unwrap();
    for _ in 0..3 {
        // A pass may fail as a whole (the list cannot be read); the next pass reads again.
        let _ = fixture.pass_of_new_process().await;
        // Past `resend_after`: a call without an answer is repeated only then.
        fixture.clock.advance(Span::minutes(16));
    }
    for uid in [&good, &also] {
        assert_eq!(fixture.status(uid), "accepted", "{what}");
        assert_eq!(
            fixture.charge(uid).await.unwrap().state,
            ChargeState::Open,
            "{what}"
        );
        let mails = mail_count(&fixture, uid, MailKind::Confirmed);
        assert_eq!(mails, u32::from(dialect == Dialect::V2), "{what}");
    }
    assert_eq!(fixture.status(&bad), refused, "{what}");
    assert_eq!(mail_count(&fixture, &bad, mail), 1, "{what}");
    assert_eq!(fixture.balance("bo@example.com").await, (3, 0, 2), "{what}");
    let sent = call_count(&fixture, Operation::Confirm) + call_count(&fixture, refuse);
    let report = fixture.pass_of_new_process().await.unwrap();
    assert!(report.is_clean(), "{what}");
    assert_eq!(
        call_count(&fixture, Operation::Confirm) + call_count(&fixture, refuse),
        sent,
        "{what}"
    );
}

/// Changes by others between the listing and the call; the booking is never revived.
#[tokio::test]
async fn changes_made_by_others_before_the_call_are_never_undone() {
    type Row = (&'static str, fn(&str) -> ThirdPartyAction, &'static str);
    let rows: [Row; 5] = [
        (
            "booker cancels",
            |uid| ThirdPartyAction::BookerCancels(BookingRemark::without_reason(uid)),
            "cancelled",
        ),
        (
            "host cancels",
            |uid| ThirdPartyAction::HostCancels(BookingRemark::without_reason(uid)),
            "cancelled",
        ),
        (
            "host rejects",
            |uid| ThirdPartyAction::HostRejects(BookingRemark::without_reason(uid)),
            "rejected",
        ),
        (
            "host accepts",
            |uid| ThirdPartyAction::HostAccepts {
                booking: uid.to_owned(),
            },
            "accepted",
        ),
        (
            "booker moves",
            |uid| {
                ThirdPartyAction::BookerMoves(BookingMove::new(
                    uid,
                    parse_time("2026-12-05T09:00:00Z"),
                ))
            },
            "cancelled",
        ),
    ];
    for dialect in DIALECTS {
        for credit in [1, 0] {
            for (name, action, expect) in &rows {
                let what = format!("{dialect:?} {name} credit {credit}");
                let mut fixture = PassFixture::new(dialect).await;
                fixture.grant("bo@example.com", 1).await;
                let email = if credit == 1 {
                    "bo@example.com"
                } else {
                    "who@example.com"
                };
                let uid =
                    fixture.request(fixture.event_types.lesson, email, "2026-12-01T09:00:00Z");
                {
                    let mut world = fixture.sandbox.lock();
                    let trigger = Trigger::after(Operation::List, 1);
                    world.script.add(trigger, vec![action(&uid)]);
                }
                fixture.pass().await;
                assert_eq!(fixture.status(&uid), *expect, "{what}");
                let record = fixture.stored_request(&uid).await.unwrap();
                let outcome = match record.state {
                    RequestState::Settled { outcome, .. } => outcome,
                    state => panic!("{what}: {state:?}"),
                };
                match (credit, *name) {
                    // The host accepted what maitred would have confirmed: the result is the same.
                    (1, "host accepts") => {
                        assert_eq!(outcome, DecisionOutcome::Confirmed, "{what}");
                        assert_eq!(fixture.balance("bo@example.com").await, (0, 0, 1), "{what}");
                    }
                    // The host declined what maitred would have declined: the result is the same.
                    // In v1 a refusal is a cancellation, and the booking does not show who
                    // cancelled.
                    (0, "host rejects") => assert_eq!(outcome, DecisionOutcome::Declined, "{what}"),
                    (0, _) if dialect == Dialect::V1 => {}
                    _ => {
                        assert_eq!(outcome, DecisionOutcome::Superseded, "{what}");
                        assert_eq!(fixture.balance("bo@example.com").await.1, 0, "{what}");
                    }
                }
                if credit == 1 && *name != "host accepts" && *name != "booker moves" {
                    assert_eq!(fixture.balance("bo@example.com").await, (1, 0, 0), "{what}");
                }
                assert_eq!(call_count(&fixture, Operation::Confirm), 0, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_earliest_request_for_a_time_is_confirmed() {
    for (taken, second) in [
        (OnViolation::Decline, "rejected"),
        (OnViolation::WAIT, "pending"),
        (OnViolation::Leave, "pending"),
    ] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        for gate in &mut fixture.policy.gates {
            gate.time_taken = taken;
        }
        fixture.grant("bo@example.com", 5).await;
        fixture.grant("al@example.com", 5).await;
        let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
        let al = fixture.request(lesson, "al@example.com", "2026-12-01T09:00:00Z");
        let bo = fixture.request(dinner, "bo@example.com", "2026-12-01T09:15:00Z");
        let after = fixture.request(lesson, "bo@example.com", "2026-12-01T09:30:00Z");
        let accepted = fixture.request(lesson, "al@example.com", "2026-12-03T09:00:00Z");
        fixture
            .sandbox
            .lock()
            .act(
                fixture.clock.now(),
                ThirdPartyAction::HostAccepts {
                    booking: accepted.clone(),
                },
            )
            .unwrap();
        let late = fixture.request(lesson, "bo@example.com", "2026-12-03T09:10:00Z");
        fixture.pass().await;
        // A decline waits until the confirm of its own pass is settled.
        fixture.pass().await;
        assert_eq!(fixture.status(&al), "accepted");
        assert_eq!(fixture.status(&bo), second, "{taken:?}");
        assert_eq!(fixture.status(&late), second, "{taken:?}");
        assert_eq!(
            fixture.status(&after),
            "accepted",
            "back to back is no overlap"
        );
        let record = fixture.stored_request(&bo).await.unwrap();
        assert_eq!(record.reasons[0].code, ReasonCode::TimeTaken);
    }
}

#[tokio::test]
async fn a_full_calendar_is_read_to_its_end() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("bo@example.com", 5).await;
    let lesson = fixture.event_types.lesson;
    let first = parse_time("2026-11-26T09:00:00Z");
    // More than twenty pages. An earlier version then left every request for later.
    let slots = 21 * 250;
    let slot = |n: i64| first + Span::minutes(30 * n);
    for n in 1..=slots {
        let made = fixture.clock.now() - Span::minutes(1);
        let mut world = fixture.sandbox.lock();
        let booking = world.request(made, lesson, "al@example.com", slot(n));
        let accepts = ThirdPartyAction::HostAccepts { booking };
        world.act(made, accepts).unwrap();
    }
    let ask = |n: i64| fixture.request(lesson, "bo@example.com", &slot(n).to_rfc3339());
    let (early, taken, late) = (ask(0), ask(slots), ask(slots + 1));
    let report = fixture.pass().await;
    assert_eq!(report.problems, []);
    assert_eq!(fixture.status(&early), "accepted");
    assert_eq!(fixture.status(&taken), "rejected");
    assert_eq!(fixture.status(&late), "accepted");
    let record = fixture.stored_request(&taken).await.unwrap();
    assert_eq!(record.reasons[0].code, ReasonCode::TimeTaken);
}

#[tokio::test]
async fn a_booking_at_the_maximum_date_blocks_no_other_request() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant("bo@example.com", 5).await;
        let lesson = fixture.event_types.lesson;
        let last = fixture.request(lesson, "bo@example.com", "9999-12-31T23:15:00Z");
        let bo = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        fixture.pass().await;
        assert_eq!(fixture.status(&bo), "accepted", "{dialect:?}");
        assert_eq!(fixture.status(&last), "accepted", "{dialect:?}");
    }
}

/// No booker pays for a time that had passed when the server worked again.
#[tokio::test]
async fn bookings_over_before_their_confirm_are_refunded() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant("bo@example.com", 5).await;
        let lesson = fixture.event_types.lesson;
        let uid = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let fault = Fault::Error {
            stage: Stage::Before,
        };
        let rule = FaultRule::on_next(Operation::Confirm, fault);
        fixture.sandbox.lock().add_fault(rule).unwrap();
        fixture.pass().await;
        assert_eq!(fixture.balance("bo@example.com").await, (4, 1, 0));
        let over = parse_time("2026-12-01T09:30:01Z") - fixture.clock.now();
        fixture.clock.advance(over);
        let report = fixture.pass().await;
        assert_eq!(step_outcome(&report, &uid), "superseded", "{dialect:?}");
        assert_eq!(fixture.status(&uid), "pending", "{dialect:?}");
        assert_eq!(fixture.balance("bo@example.com").await, (5, 0, 0));
        assert_eq!(mail_count(&fixture, &uid, MailKind::Confirmed), 0);
        assert!(fixture.pass().await.steps.is_empty(), "it is left alone");
    }
}

#[tokio::test]
async fn waits_end_with_credit_or_at_the_deadline() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    for gate in &mut fixture.policy.gates {
        gate.short_of_credit = OnViolation::wait_for(Span::hours(24));
        gate.unknown_booker = OnViolation::WAIT;
    }
    fixture.grant("al@example.com", 1).await;
    fixture.grant("bo@example.com", 1).await;
    let dinner = fixture.event_types.dinner;
    let bo = fixture.request(dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    let al = fixture.request(dinner, "al@example.com", "2026-12-02T09:00:00Z");
    let who = fixture.request(dinner, "who@example.com", "2026-12-03T09:00:00Z");
    fixture.pass().await;
    let seq = fixture.sequence().await;
    fixture.pass().await;
    assert_eq!(fixture.sequence().await, seq, "a wait is written once");
    for uid in [&bo, &al, &who] {
        assert_eq!(fixture.status(uid), "pending");
    }
    fixture.grant("bo@example.com", 2).await;
    fixture.grant("who@example.com", 3).await;
    fixture.pass().await;
    assert_eq!(fixture.status(&bo), "accepted");
    assert_eq!(fixture.status(&al), "pending");
    assert_eq!(fixture.status(&who), "accepted");
    fixture.clock.advance(Span::hours(25));
    fixture.pass().await;
    assert_eq!(fixture.status(&al), "rejected");
    let codes: Vec<_> = fixture.stored_request(&al).await.unwrap().reasons;
    let codes: Vec<_> = codes.iter().map(|reason| reason.code).collect();
    assert_eq!(
        codes,
        [ReasonCode::ShortOfCredit, ReasonCode::WaitedTooLong]
    );
}

#[tokio::test]
async fn configuration_mistakes_that_would_decline_everybody_pause_the_declines() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    let lesson = fixture.event_types.lesson;
    let uids: Vec<String> = (0..5)
        .map(|n| {
            let start = format!("2026-12-0{}T09:00:00Z", n + 1);
            fixture.request(lesson, &format!("m{n}@example.com"), &start)
        })
        .collect();
    fixture.pass().await;
    for uid in &uids {
        assert_eq!(fixture.status(uid), "pending", "the ledger is empty");
    }
    fixture.grant("someone@example.com", 1).await;
    fixture.policy.limits.declines.at_most = 2;
    let report = fixture.pass().await;
    let declined = uids
        .iter()
        .filter(|uid| fixture.status(uid) == "rejected")
        .count();
    assert_eq!(declined, 2);
    assert!(report.problems.iter().any(|p| p.code == "decline-limit"));
    let declined = |fixture: &PassFixture| {
        let rejected = uids.iter().filter(|uid| fixture.status(uid) == "rejected");
        rejected.count()
    };
    // Passes may follow each other immediately: declines of an earlier pass count.
    let rows = [(1, 2), (13, 2), (1, 4), (14, 4), (1, 5)];
    for (minutes, expect) in rows {
        fixture.clock.advance(Span::minutes(minutes));
        fixture.pass().await;
        fixture.pass().await;
        assert_eq!(declined(&fixture), expect, "{minutes} minutes later");
    }
}

#[tokio::test]
async fn refuse_with_cancel_cancels_the_booking() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.policy.refuse_with = RefuseWith::Cancel;
    fixture.grant("bo@example.com", 1).await;
    let uid = fixture.request(
        fixture.event_types.dinner,
        "bo@example.com",
        "2026-12-01T09:00:00Z",
    );
    let report = fixture.pass().await;
    assert_eq!(fixture.status(&uid), "cancelled");
    assert_eq!(step_outcome(&report, &uid), "declined");
    assert_eq!(call_count(&fixture, Operation::Decline), 0);
}

#[tokio::test]
async fn a_dry_run_writes_nothing_anywhere() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant("bo@example.com", 1).await;
        let bo = fixture.request(
            fixture.event_types.lesson,
            "bo@example.com",
            "2026-12-01T09:00:00Z",
        );
        let who = fixture.request(
            fixture.event_types.lesson,
            "who@example.com",
            "2026-12-01T11:00:00Z",
        );
        let before = fixture.sequence().await;
        let report = fixture.try_pass(true).await.unwrap();
        assert_eq!(fixture.sequence().await, before);
        let wrote = fixture
            .sandbox
            .lock()
            .call_log
            .call_counts()
            .iter()
            .filter(|(kind, _)| !kind.is_read())
            .count();
        assert_eq!(wrote, 0);
        assert_eq!(step_outcome(&report, &bo), "planned");
        assert_eq!(step_outcome(&report, &who), "planned");
        assert!(report.has_steps());
    }
}

#[tokio::test]
async fn a_refused_key_ends_the_pass_and_is_never_shown() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant("bo@example.com", 1).await;
        fixture.request(
            fixture.event_types.lesson,
            "bo@example.com",
            "2026-12-01T09:00:00Z",
        );
        let wrong = "cal_wrong_key_9876543210";
        for key in [wrong, "token-without-prefix-1234567890"] {
            let base = fixture.sandbox.base_url();
            let own = settings(&base, dialect, TIMEOUT, &fixture.clock);
            fixture.calendar = connect(Settings {
                key: key.to_owned().into(),
                ..own
            })
            .unwrap();
            fixture.session = Default::default();
            let error = fixture.try_pass(false).await.unwrap_err();
            assert!(matches!(error, PassError::Credential(_)), "{error}");
            let text = format!("{error} {error:?}");
            assert!(!text.contains(key), "{text}");
            assert!(!text.contains(key.trim_start_matches("cal_")), "{text}");
        }
        let base = fixture.sandbox.base_url();
        fixture.connect_to(&base, TIMEOUT);
        fixture.session = Default::default();
        fixture.pass().await;
        assert_eq!(fixture.balance("bo@example.com").await, (0, 0, 1));
    }
}

#[tokio::test]
async fn malformed_rows_are_left_alone_and_hide_no_request() {
    let odd = [
        (RowFault::AwaitingHost, "pending"),
        (RowFault::UnknownStatus, "pending"),
        (RowFault::HostUnknown, "pending"),
        (RowFault::NoEventType, "pending"),
        (RowFault::BookerUnknown, "pending"),
        (RowFault::WrongTypes, "pending"),
        (RowFault::NoUpdated, "accepted"),
        (RowFault::ExtraField, "accepted"),
    ];
    for (fault, expect) in odd {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant("bo@example.com", 5).await;
        let lesson = fixture.event_types.lesson;
        let odd = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let plain = fixture.request(lesson, "bo@example.com", "2026-12-01T11:00:00Z");
        let rule = FaultRule::always(Fault::Rows {
            as_if: fault.clone(),
        });
        fixture
            .sandbox
            .lock()
            .add_fault(rule.for_booking(&odd).times(FaultTimes::Always))
            .unwrap();
        fixture.pass().await;
        assert_eq!(fixture.status(&odd), expect, "{fault:?}");
        assert_eq!(fixture.status(&plain), "accepted", "{fault:?}");
    }
}

/// The host accepts a booking while its confirm is on its way, so that the confirm is refused.
#[tokio::test]
async fn a_refused_confirm_is_followed_by_a_reading_in_the_same_pass() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("bo@example.com", 2).await;
    let lesson = fixture.event_types.lesson;
    let first = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let second = fixture.request(lesson, "bo@example.com", "2026-12-01T11:00:00Z");
    {
        let mut world = fixture.sandbox.lock();
        let stage = Stage::Before;
        let late = FaultRule::on_next(Operation::Confirm, Fault::Slow { stage, ms: 300 });
        world.add_fault(late.for_booking(&second)).unwrap();
        let accepts = ThirdPartyAction::HostAccepts {
            booking: second.clone(),
        };
        let trigger = Trigger::after(Operation::Confirm, 1);
        world.script.add(trigger, vec![accepts]);
    }
    let report = fixture.pass().await;
    for uid in [&first, &second] {
        assert_eq!(step_outcome(&report, uid), "confirmed", "{uid}");
    }
    let record = fixture.stored_request(&second).await.unwrap();
    assert_eq!(record.calls.len(), 1, "{:?}", record.calls);
    assert_eq!(record.calls[0].end, CallEnd::Refused);
    assert_eq!(fixture.balance("bo@example.com").await, (0, 0, 2));
}

#[tokio::test]
async fn an_idle_pass_is_one_call_and_a_full_one_is_close_to_the_least() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.pass().await;
    let report = fixture.pass().await;
    assert_eq!(report.calls, 1);

    fixture.grant("bo@example.com", 1_000).await;
    let start = parse_time("2026-12-01T00:00:00Z");
    for n in 0..500 {
        let at = start + Span::minutes(30 * n);
        fixture.request(
            fixture.event_types.lesson,
            "bo@example.com",
            &at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        );
    }
    fixture.policy.limits.requests_per_pass = 500;
    let report = fixture.pass().await;
    let confirmed = report
        .steps
        .iter()
        .filter(|step| step.outcome.as_str() == "confirmed")
        .count();
    assert_eq!(confirmed, 500);
    // 1.05 × (N + lists), the number of the design. How many lists are read depends on the speed of
    // the machine.
    let looks = call_count(&fixture, Operation::List);
    assert!(
        report.calls * 100 <= 105 * (500 + looks),
        "{} calls, {looks} lists",
        report.calls
    );
}

/// An operator changes the account between the pass's reading and its writing. The basis of the
/// decline is no longer true, so the request is left for the next pass.
#[tokio::test]
async fn operator_commands_between_planning_and_writing_are_respected() {
    let account = || AccountId::parse("bo@example.com").unwrap();
    let alias = || Address::parse("who@example.com").unwrap();
    type Act = (&'static str, Fact);
    let rows: [Act; 2] = [
        (
            "bo@example.com",
            Fact::Credit(CreditFact::Grant {
                terms: Default::default(),
                reference: Reference::parse("meanwhile").unwrap(),
                account: account(),
                credits: 2,
                expires: None,
                reason: "test".to_owned(),
            }),
        ),
        (
            "who@example.com",
            Fact::Account(AccountFact::AliasAdded {
                account: account(),
                alias: alias(),
            }),
        ),
    ];
    for (booker, act) in rows {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        let operation = if booker == "bo@example.com" {
            fixture.event_types.dinner
        } else {
            fixture.event_types.lesson
        };
        fixture.grant("bo@example.com", 1).await;
        let uid = fixture.request(operation, booker, "2026-12-01T09:00:00Z");
        let clock = fixture.clock.clock();
        let ports = fixture.runner.ports(&clock);
        let observed = observe(&ports, &fixture.runner.policy, &mut fixture.session)
            .await
            .unwrap();
        let at = fixture.clock.now();
        fixture
            .store
            .with(move |store| store.commit(at, vec![act], &[]))
            .await
            .unwrap();
        let mut done = ExecutionReport::default();
        let limits = &fixture.policy.limits;
        execute(
            &ports,
            limits,
            observed.snapshot.now,
            observed.plan,
            &mut done,
        )
        .await
        .unwrap();
        assert_eq!(fixture.status(&uid), "pending", "{booker}");
        assert!(done.more, "{booker}");
        fixture.pass().await;
        assert_eq!(fixture.status(&uid), "accepted", "{booker}");
    }
}

/// An operator's review of a request between reading and writing is respected, too.
#[tokio::test]
async fn operator_reviews_between_planning_and_writing_are_respected() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    for gate in &mut fixture.policy.gates {
        gate.short_of_credit = OnViolation::WAIT;
    }
    fixture.grant("bo@example.com", 1).await;
    let dinner = fixture.event_types.dinner;
    let uid = fixture.request(dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    fixture.pass().await;
    fixture.grant("bo@example.com", 2).await;
    let clock = fixture.clock.clock();
    let ports = fixture.runner.ports(&clock);
    let observed = observe(&ports, &fixture.runner.policy, &mut fixture.session)
        .await
        .unwrap();
    let word = Fact::Request(RequestFact::Reviewed {
        request: RequestId::parse(&uid).unwrap(),
        decision: OperatorDecision::Decline,
        reason: "Not this week.".to_owned(),
    });
    let at = fixture.clock.now();
    fixture
        .store
        .with(move |store| store.commit(at, vec![word], &[]))
        .await
        .unwrap();
    let mut done = ExecutionReport::default();
    let limits = &fixture.policy.limits;
    execute(
        &ports,
        limits,
        observed.snapshot.now,
        observed.plan,
        &mut done,
    )
    .await
    .unwrap();
    assert_eq!(fixture.status(&uid), "pending");
    assert!(done.more);
    fixture.pass().await;
    assert_eq!(fixture.status(&uid), "rejected");
    assert_eq!(fixture.balance("bo@example.com").await, (3, 0, 0));
}

/// Something in the store contradicts one request (here its booking already has a charge, under
/// another request): that request is reported, and the others are served.
#[tokio::test]
async fn a_request_with_a_conflict_blocks_no_other_request() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("bo@example.com", 5).await;
    let lesson = fixture.event_types.lesson;
    let first = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    fixture.pass().await;
    let odd = fixture.request(lesson, "bo@example.com", "2026-12-02T09:00:00Z");
    let plain = fixture.request(lesson, "bo@example.com", "2026-12-03T09:00:00Z");
    let mut other = fixture.stored_request(&first).await.unwrap();
    other.id = RequestId::parse("other").unwrap();
    other.bookings[0].uid = BookingUid::parse(&odd).unwrap();
    other.state = RequestState::Recorded;
    let hold = Fact::Charge(ChargeFact::Hold {
        lent: 0,
        booking: other.bookings[0].clone(),
        request: other.id.clone(),
        account: other.account.clone().unwrap(),
        parts: Vec::new(),
        event_type: other.event_type,
        host: other.host,
        start: other.start,
        end: other.end,
        terms: None,
    });
    // A hold that was released may be made again; a booking with a charge may not get another one.
    let end = [
        Fact::Charge(ChargeFact::Post {
            booking: other.bookings[0].uid.clone(),
        }),
        Fact::Request(RequestFact::IntentSettled {
            request: other.id.clone(),
            outcome: DecisionOutcome::Confirmed,
        }),
    ];
    let mut facts = vec![
        Fact::Request(RequestFact::Decided {
            request: other.into(),
        }),
        hold,
    ];
    facts.extend(end);
    let at = fixture.clock.now();
    fixture
        .store
        .with(move |store| store.commit(at, facts, &[]))
        .await
        .unwrap();
    let report = fixture.pass().await;
    assert_eq!(fixture.status(&plain), "accepted");
    assert_eq!(fixture.status(&odd), "pending");
    assert_eq!(step_outcome(&report, &odd), "failed");
    assert!(report.problems.iter().any(|p| p.code == "misfit"));
    assert_eq!(fixture.balance("bo@example.com").await, (3, 0, 2));
}

/// A title of any length must not keep a decision out of the log, and must not keep other requests
/// from being served.
#[tokio::test]
async fn a_very_long_title_blocks_no_other_request() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("bo@example.com", 5).await;
    let uid = fixture.request(
        fixture.event_types.lesson,
        "bo@example.com",
        "2026-12-01T09:00:00Z",
    );
    let long = "x".repeat(100_000);
    fixture
        .sandbox
        .lock()
        .edit(&uid, |row| row.title = long)
        .unwrap();
    fixture.pass().await;
    assert_eq!(fixture.status(&uid), "accepted");
    assert_eq!(fixture.stored_request(&uid).await.unwrap().title.len(), 300);
}

/// A plan shows what each request does to the balance, one after the other, and writes nothing.
#[tokio::test]
async fn a_plan_tells_the_effect_on_balances() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("bo@example.com", 5).await;
    let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
    let first = fixture.request(dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    let second = fixture.request(lesson, "bo@example.com", "2026-12-02T09:00:00Z");
    let third = fixture.request(dinner, "bo@example.com", "2026-12-03T09:00:00Z");
    let report = fixture.try_pass(true).await.unwrap();
    let balance = |uid: &str| {
        let id = RequestId::parse(uid).unwrap();
        report.balances.get(&id).copied()
    };
    assert_eq!(balance(&first), Some((5, 2)));
    assert_eq!(balance(&second), Some((2, 1)));
    assert_eq!(balance(&third), None, "it is declined");
    assert_eq!(fixture.balance("bo@example.com").await, (5, 0, 0));
}

/// Meanwhile an operator may end the charge that one of the intents takes over.
#[test]
fn a_settlement_with_a_conflict_keeps_no_other_from_being_written() {
    let at = parse_time("2026-12-01T09:00:00Z");
    let account = |name| AccountId::parse(name).unwrap();
    let end = |name, facts, version| EndOfIntent {
        facts,
        expected: Expected::Request {
            id: RequestId::parse(name).unwrap(),
            version,
        },
    };
    let fits = |name, version| {
        let account = account(name);
        end(
            name,
            vec![Fact::Account(AccountFact::Opened { account })],
            version,
        )
    };
    let booking = BookingUid::parse("unknown").unwrap();
    let misfit = end(
        "unknown",
        vec![Fact::Charge(ChargeFact::Post { booking })],
        None,
    );
    let mut store = MemoryStore::default();
    // No such request is in the store, so another version means that it was changed meanwhile.
    let changed = fits("cy", Some(1));
    let ends = vec![fits("al", None), misfit, changed, fits("bo", None)];
    let written = write_ends(&mut store, at, ends, BTreeMap::new()).unwrap();
    assert_eq!(written.rejected_ends, BTreeSet::from([1, 2]));
    for (name, is_written) in [("al", true), ("bo", true), ("cy", false)] {
        let found = store.account(&account(name)).unwrap();
        assert_eq!(found.is_some(), is_written, "{name}");
    }
}

/// The confirmation of a booking fails again and again, with all available credit held for the
/// booking, and the booker moves the booking. What becomes of that credit is not known yet, so the
/// successor is not refused.
#[tokio::test]
async fn a_successor_of_an_unsettled_booking_is_left_until_that_is_settled() {
    // Also with credit for both bookings: what is held for the first pays for its successor.
    for credits in [1, 2] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant("bo@example.com", credits).await;
        let lesson = fixture.event_types.lesson;
        let first = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let stage = Stage::Before;
        for _ in 0..4 {
            let fault = FaultRule::on_next(Operation::Confirm, Fault::Error { stage });
            fixture.sandbox.lock().add_fault(fault).unwrap();
            fixture.pass().await;
        }
        let held = (credits - 1, 1, 0);
        assert_eq!(fixture.balance("bo@example.com").await, held, "held");
        let shift = BookingMove::new(&first, parse_time("2026-12-03T09:00:00Z"));
        let now = fixture.clock.now();
        let moved = fixture
            .sandbox
            .lock()
            .act(now, ThirdPartyAction::BookerMoves(shift))
            .unwrap();
        fixture.pass().await;
        assert_eq!(fixture.status(&moved[0]), "pending", "{credits}");
        fixture.clock.advance(Span::hours(2));
        fixture.pass().await;
        fixture.pass().await;
        assert_eq!(fixture.status(&moved[0]), "accepted", "{credits}");
        let paid = (credits - 1, 0, 1);
        assert_eq!(fixture.balance("bo@example.com").await, paid, "{credits}");
    }
}

/// Fault A6: times that Cal.com itself would not offer. Right after a booking comes its buffer, and
/// the host may take part in a booking of another host.
#[tokio::test]
async fn a_time_that_cal_com_would_not_offer_is_not_confirmed() {
    const BO: &str = "bo@example.com";
    for dialect in DIALECTS {
        let refused = match dialect {
            Dialect::V2 => "rejected",
            Dialect::V1 => "cancelled",
        };
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant(BO, 9).await;
        let buffered = SandboxEventType {
            buffers: (0, 15),
            ..SandboxEventType::new(HOST, "buffered")
        };
        let kind = fixture.sandbox.lock().add_event_type(buffered);
        let key = EventTypeKey::Slug("buffered".to_owned());
        fixture.policy.gates[0].event_types.push(key);
        let first = fixture.request(kind, BO, "2026-12-01T09:00:00Z");
        fixture.pass().await;
        assert_eq!(fixture.status(&first), "accepted", "{dialect:?}");
        let within = fixture.request(kind, BO, "2026-12-01T09:30:00Z");
        let behind = fixture.request(kind, BO, "2026-12-01T09:45:00Z");
        fixture.pass().await;
        assert_eq!(fixture.status(&within), refused, "{dialect:?}");
        assert_eq!(fixture.status(&behind), "accepted", "{dialect:?}");
        let code = fixture.stored_request(&within).await.unwrap().reasons[0].code;
        assert_eq!(code, ReasonCode::TimeTaken, "{dialect:?}");
        if dialect == Dialect::V1 {
            // v1 lists do not show bookings of other hosts.
            continue;
        }
        let theirs = fixture.request(
            fixture.event_types.foreign,
            "ada@example.org",
            "2026-12-02T09:00:00Z",
        );
        let accept = |row: &mut maitred::sandbox::booking::SandboxBooking| {
            row.status = maitred::sandbox::booking::SandboxStatus::Accepted;
        };
        fixture.sandbox.lock().edit(&theirs, accept).unwrap();
        let busy = fixture.request(fixture.event_types.lesson, BO, "2026-12-02T09:15:00Z");
        fixture.pass().await;
        assert_eq!(fixture.status(&busy), refused);
        let code = fixture.stored_request(&busy).await.unwrap().reasons[0].code;
        assert_eq!(code, ReasonCode::TimeTaken);
    }
}
