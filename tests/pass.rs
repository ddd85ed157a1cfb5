//! The pass over HTTP against the sandbox, with the real client: what is decided, what happens when
//! calls fail, and what happens when others act first. Each table runs in both dialects.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::collections::BTreeSet;

use common::{HOST, House, KEY, client, ended, time};
use maitred::calcom::port::Dialect;
use maitred::domain::criteria::effect::Effect;
use maitred::domain::decision::{Code, Outcome};
use maitred::domain::fact::Fact;
use maitred::domain::gate::RefuseWith;
use maitred::domain::id::{AccountId, Address, BookingUid, EventTypeKey, Reference, RequestId};
use maitred::domain::request::{ChargeState, RequestState, Verdict};
use maitred::domain::time::Span;
use maitred::reconcile::deliver::settle::write_all;
use maitred::reconcile::execute::{Executed, execute};
use maitred::reconcile::observe::observe;
use maitred::reconcile::ports::{PassError, Ports};
use maitred::sandbox::actions::{Action, Said, Shift};
use maitred::sandbox::faults::{Fault, RowFault, Rule, Stage, Times};
use maitred::sandbox::journal::{Operation, MailKind, Recipient};
use maitred::sandbox::model::EventType;
use maitred::sandbox::script::Trigger;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

const BOTH: [Dialect; 2] = [Dialect::V2, Dialect::V1];

/// The call that refuses, and the mail it sends.
fn refusal(dialect: Dialect) -> (Operation, MailKind, &'static str) {
    match dialect {
        Dialect::V2 => (Operation::Decline, MailKind::Declined, "rejected"),
        Dialect::V1 => (Operation::Cancel, MailKind::Cancelled, "cancelled"),
    }
}

fn mails(house: &House, uid: &str, kind: MailKind) -> u32 {
    let world = house.sandbox.lock();
    world.journal.mails_for(uid, Recipient::Booker, kind)
}

fn count(house: &House, kind: Operation) -> u64 {
    house.sandbox.lock().journal.count(kind)
}

#[tokio::test]
async fn those_with_credit_are_confirmed_and_the_others_declined_with_a_reason() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.grant("bo@example.com", 1).await;
        house.grant("al@example.com", 2).await;
        let kinds = house.kinds;
        let bo = house.request(kinds.lesson, "Bo@Example.com", "2026-12-01T09:00:00Z");
        let al = house.request(kinds.dinner, "al@example.com", "2026-12-01T10:00:00Z");
        let who = house.request(kinds.lesson, "who@example.com", "2026-12-01T11:00:00Z");
        let open = house.request(kinds.open, "bo@example.com", "2026-12-01T12:00:00Z");
        let priced = house.request(kinds.priced, "bo@example.com", "2026-12-01T13:00:00Z");
        let foreign = house.request(kinds.foreign, "ada@example.org", "2026-12-01T14:00:00Z");
        let report = house.pass().await;
        let (refuse, mail, refused) = refusal(dialect);
        assert_eq!(house.status(&bo), "accepted", "{dialect:?}");
        assert_eq!(house.status(&al), refused);
        assert_eq!(house.status(&who), refused);
        for left in [&open, &priced, &foreign] {
            assert_eq!(house.status(left), "pending");
        }
        assert_eq!(ended(&report, &bo), "confirmed");
        assert_eq!(ended(&report, &al), "declined");
        assert_eq!(ended(&report, &open), "none");
        assert_eq!(house.balance("bo@example.com").await, (0, 0, 1));
        assert_eq!(house.balance("al@example.com").await, (2, 0, 0));
        let record = house.record(&al).await.unwrap();
        assert_eq!(
            record.reasons[0].text,
            "This booking costs 3 credits, and your balance is 2 credits."
        );
        let stranger = house.record(&who).await.unwrap();
        assert_eq!(stranger.reasons[0].code, Code::UnknownBooker);
        // Whoever typed a member's address reads what a stranger does.
        let told = stranger.text.unwrap();
        assert!(
            !told.contains("credit") && !told.contains("balance"),
            "{told}"
        );
        assert_eq!(record.text, Some(told));
        assert_eq!(mails(&house, &al, mail), 1);
        // v1 confirms without a mail: that is its defect.
        let confirmed = u32::from(dialect == Dialect::V2);
        assert_eq!(mails(&house, &bo, MailKind::Confirmed), confirmed);

        let sent = count(&house, Operation::Confirm) + count(&house, refuse);
        let before = house.sequence().await;
        let again = house.pass().await;
        assert_eq!(count(&house, Operation::Confirm) + count(&house, refuse), sent);
        assert_eq!(house.sequence().await, before);
        assert!(again.is_clean());
    }
}

#[tokio::test]
async fn a_series_is_one_request_in_v2_and_each_its_own_in_v1() {
    let mut house = House::new(Dialect::V2).await;
    house.grant("bo@example.com", 3).await;
    house.grant("al@example.com", 2).await;
    let lesson = house.kinds.lesson;
    let bo = house.series(lesson, "bo@example.com", "2026-12-01T09:00:00Z", 3);
    let al = house.series(lesson, "al@example.com", "2026-12-01T12:00:00Z", 3);
    house.pass().await;
    for uid in &bo {
        assert_eq!(house.status(uid), "accepted");
        assert_eq!(house.charge(uid).await.unwrap().state, ChargeState::Open);
    }
    for uid in &al {
        assert_eq!(house.status(uid), "rejected");
    }
    assert_eq!(count(&house, Operation::Confirm), 1);
    assert_eq!(count(&house, Operation::Decline), 1);
    assert_eq!(house.balance("bo@example.com").await, (0, 0, 3));
    assert_eq!(house.balance("al@example.com").await, (2, 0, 0));

    let mut house = House::new(Dialect::V1).await;
    house.grant("al@example.com", 2).await;
    let al = house.series(lesson, "al@example.com", "2026-12-01T12:00:00Z", 3);
    house.pass().await;
    // A decline waits until the confirms of its own pass are settled.
    house.pass().await;
    let states: Vec<_> = al.iter().map(|uid| house.status(uid)).collect();
    assert_eq!(states, ["accepted", "accepted", "cancelled"]);
    assert_eq!(house.balance("al@example.com").await, (0, 0, 2));
}

#[tokio::test]
async fn a_server_that_confirms_one_occurrence_at_a_time_is_called_for_each() {
    let mut house = House::new(Dialect::V2).await;
    house.sandbox.lock().quirks.series_per_occurrence = true;
    house.grant("bo@example.com", 3).await;
    let bo = house.series(
        house.kinds.lesson,
        "bo@example.com",
        "2026-12-01T09:00:00Z",
        3,
    );
    for _ in 0..3 {
        house.pass().await;
    }
    for uid in &bo {
        assert_eq!(house.status(uid), "accepted");
        assert_eq!(mails(&house, uid, MailKind::Confirmed), 1);
    }
    assert_eq!(house.balance("bo@example.com").await, (0, 0, 3));
}

fn troubles() -> Vec<(&'static str, Fault)> {
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
async fn every_trouble_is_over_after_three_passes() {
    // As many at once as leave each its time: a time-out of the machine is not what is tested.
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(8));
    let mut runs = tokio::task::JoinSet::new();
    for dialect in BOTH {
        let (refuse, ..) = refusal(dialect);
        for kind in [Operation::Confirm, refuse, Operation::List, Operation::Get, Operation::Me] {
            for (name, fault) in troubles() {
                let places = std::sync::Arc::clone(&places);
                runs.spawn(async move {
                    let _place = places.acquire().await.unwrap();
                    one_trouble(dialect, kind, name, fault).await;
                });
            }
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

async fn one_trouble(dialect: Dialect, kind: Operation, name: &str, fault: Fault) {
    let what = format!("{dialect:?} {kind:?} {name}");
    let (refuse, mail, refused) = refusal(dialect);
    let mut house = House::new(dialect).await;
    house.grant("bo@example.com", 5).await;
    let lesson = house.kinds.lesson;
    let good = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let bad = house.request(lesson, "who@example.com", "2026-12-01T11:00:00Z");
    let also = house.request(lesson, "bo@example.com", "2026-12-02T09:00:00Z");
    house
        .sandbox
        .lock()
        .add_fault(Rule::next(kind, fault))
        .unwrap();
    for _ in 0..3 {
        // A pass may fail as a whole (the list cannot be read); the next one looks again.
        let _ = house.fresh_pass().await;
        // Past `resend_after`: a call without an answer is repeated only then.
        house.clock.advance(Span::minutes(16));
    }
    for uid in [&good, &also] {
        assert_eq!(house.status(uid), "accepted", "{what}");
        assert_eq!(
            house.charge(uid).await.unwrap().state,
            ChargeState::Open,
            "{what}"
        );
        let mails = mails(&house, uid, MailKind::Confirmed);
        assert_eq!(mails, u32::from(dialect == Dialect::V2), "{what}");
    }
    assert_eq!(house.status(&bad), refused, "{what}");
    assert_eq!(mails(&house, &bad, mail), 1, "{what}");
    assert_eq!(house.balance("bo@example.com").await, (3, 0, 2), "{what}");
    let sent = count(&house, Operation::Confirm) + count(&house, refuse);
    let report = house.fresh_pass().await.unwrap();
    assert!(report.is_clean(), "{what}");
    assert_eq!(
        count(&house, Operation::Confirm) + count(&house, refuse),
        sent,
        "{what}"
    );
}

/// What others do between the listing and the call; the booking is never revived.
#[tokio::test]
async fn what_others_do_first_is_never_undone() {
    type Row = (&'static str, fn(&str) -> Action, &'static str);
    let rows: [Row; 5] = [
        (
            "booker cancels",
            |uid| Action::BookerCancels(Said::nothing(uid)),
            "cancelled",
        ),
        (
            "host cancels",
            |uid| Action::HostCancels(Said::nothing(uid)),
            "cancelled",
        ),
        (
            "host rejects",
            |uid| Action::HostRejects(Said::nothing(uid)),
            "rejected",
        ),
        (
            "host accepts",
            |uid| Action::HostAccepts {
                booking: uid.to_owned(),
            },
            "accepted",
        ),
        (
            "booker moves",
            |uid| Action::BookerMoves(Shift::to(uid, time("2026-12-05T09:00:00Z"))),
            "cancelled",
        ),
    ];
    for dialect in BOTH {
        for credit in [1, 0] {
            for (name, action, expect) in &rows {
                let what = format!("{dialect:?} {name} credit {credit}");
                let mut house = House::new(dialect).await;
                house.grant("bo@example.com", 1).await;
                let email = if credit == 1 {
                    "bo@example.com"
                } else {
                    "who@example.com"
                };
                let uid = house.request(house.kinds.lesson, email, "2026-12-01T09:00:00Z");
                {
                    let mut world = house.sandbox.lock();
                    let trigger = Trigger::after(Operation::List, 1);
                    world.script.add(trigger, vec![action(&uid)]);
                }
                house.pass().await;
                assert_eq!(house.status(&uid), *expect, "{what}");
                let record = house.record(&uid).await.unwrap();
                let outcome = match record.state {
                    RequestState::Settled { outcome, .. } => outcome,
                    state => panic!("{what}: {state:?}"),
                };
                match (credit, *name) {
                    // Accepted by hand what would have been confirmed: the same thing.
                    (1, "host accepts") => {
                        assert_eq!(outcome, Outcome::Confirmed, "{what}");
                        assert_eq!(house.balance("bo@example.com").await, (0, 0, 1), "{what}");
                    }
                    // Declined by hand what would have been declined: the same thing. In v1 a
                    // refusal is a cancellation, and whose it was cannot be told.
                    (0, "host rejects") => assert_eq!(outcome, Outcome::Declined, "{what}"),
                    (0, _) if dialect == Dialect::V1 => {}
                    _ => {
                        assert_eq!(outcome, Outcome::Superseded, "{what}");
                        assert_eq!(house.balance("bo@example.com").await.1, 0, "{what}");
                    }
                }
                if credit == 1 && *name != "host accepts" && *name != "booker moves" {
                    assert_eq!(house.balance("bo@example.com").await, (1, 0, 0), "{what}");
                }
                assert_eq!(count(&house, Operation::Confirm), 0, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn of_requests_for_one_time_the_first_to_ask_gets_it() {
    for (taken, second) in [
        (Effect::Decline, "rejected"),
        (Effect::WAIT, "pending"),
        (Effect::Leave, "pending"),
    ] {
        let mut house = House::new(Dialect::V2).await;
        for gate in &mut house.policy.gates {
            gate.taken = taken;
        }
        house.grant("bo@example.com", 5).await;
        house.grant("al@example.com", 5).await;
        let (lesson, dinner) = (house.kinds.lesson, house.kinds.dinner);
        let al = house.request(lesson, "al@example.com", "2026-12-01T09:00:00Z");
        let bo = house.request(dinner, "bo@example.com", "2026-12-01T09:15:00Z");
        let after = house.request(lesson, "bo@example.com", "2026-12-01T09:30:00Z");
        let accepted = house.request(lesson, "al@example.com", "2026-12-03T09:00:00Z");
        house
            .sandbox
            .lock()
            .act(
                house.clock.now(),
                Action::HostAccepts {
                    booking: accepted.clone(),
                },
            )
            .unwrap();
        let late = house.request(lesson, "bo@example.com", "2026-12-03T09:10:00Z");
        house.pass().await;
        // A decline waits until the confirm of its own pass is settled.
        house.pass().await;
        assert_eq!(house.status(&al), "accepted");
        assert_eq!(house.status(&bo), second, "{taken:?}");
        assert_eq!(house.status(&late), second, "{taken:?}");
        assert_eq!(
            house.status(&after),
            "accepted",
            "back to back is no overlap"
        );
        let record = house.record(&bo).await.unwrap();
        assert_eq!(record.reasons[0].code, Code::Taken);
    }
}

#[tokio::test]
async fn a_full_calendar_is_read_to_its_end() {
    let mut house = House::new(Dialect::V2).await;
    house.grant("bo@example.com", 5).await;
    let lesson = house.kinds.lesson;
    let first = time("2026-11-26T09:00:00Z");
    // More than twenty pages, after which every request was once left for later.
    let slots = 21 * 250;
    let slot = |n: i64| first + Span::minutes(30 * n);
    for n in 1..=slots {
        let made = house.clock.now() - Span::minutes(1);
        let mut world = house.sandbox.lock();
        let booking = world.request(made, lesson, "al@example.com", slot(n));
        let accepts = Action::HostAccepts { booking };
        world.act(made, accepts).unwrap();
    }
    let ask = |n: i64| house.request(lesson, "bo@example.com", &slot(n).to_rfc3339());
    let (early, taken, late) = (ask(0), ask(slots), ask(slots + 1));
    let report = house.pass().await;
    assert_eq!(report.problems, []);
    assert_eq!(house.status(&early), "accepted");
    assert_eq!(house.status(&taken), "rejected");
    assert_eq!(house.status(&late), "accepted");
    let record = house.record(&taken).await.unwrap();
    assert_eq!(record.reasons[0].code, Code::Taken);
}

#[tokio::test]
async fn a_booking_at_the_end_of_all_years_holds_up_nobody() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.grant("bo@example.com", 5).await;
        let lesson = house.kinds.lesson;
        let last = house.request(lesson, "bo@example.com", "9999-12-31T23:15:00Z");
        let bo = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        house.pass().await;
        assert_eq!(house.status(&bo), "accepted", "{dialect:?}");
        assert_eq!(house.status(&last), "accepted", "{dialect:?}");
    }
}

/// Nobody pays for a time that was past when the server was well again.
#[tokio::test]
async fn what_is_over_before_it_could_be_confirmed_is_given_back() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.grant("bo@example.com", 5).await;
        let lesson = house.kinds.lesson;
        let uid = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let fault = Fault::Error {
            stage: Stage::Before,
        };
        let rule = Rule::next(Operation::Confirm, fault);
        house.sandbox.lock().add_fault(rule).unwrap();
        house.pass().await;
        assert_eq!(house.balance("bo@example.com").await, (4, 1, 0));
        let over = time("2026-12-01T09:30:01Z") - house.clock.now();
        house.clock.advance(over);
        let report = house.pass().await;
        assert_eq!(ended(&report, &uid), "superseded", "{dialect:?}");
        assert_eq!(house.status(&uid), "pending", "{dialect:?}");
        assert_eq!(house.balance("bo@example.com").await, (5, 0, 0));
        assert_eq!(mails(&house, &uid, MailKind::Confirmed), 0);
        assert!(house.pass().await.steps.is_empty(), "it is left alone");
    }
}

#[tokio::test]
async fn waits_end_with_credit_or_at_the_deadline() {
    let mut house = House::new(Dialect::V2).await;
    for gate in &mut house.policy.gates {
        gate.short_of_credit = Effect::wait(Span::hours(24));
        gate.unknown_booker = Effect::WAIT;
    }
    house.grant("al@example.com", 1).await;
    house.grant("bo@example.com", 1).await;
    let dinner = house.kinds.dinner;
    let bo = house.request(dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    let al = house.request(dinner, "al@example.com", "2026-12-02T09:00:00Z");
    let who = house.request(dinner, "who@example.com", "2026-12-03T09:00:00Z");
    house.pass().await;
    let seq = house.sequence().await;
    house.pass().await;
    assert_eq!(house.sequence().await, seq, "a wait is written once");
    for uid in [&bo, &al, &who] {
        assert_eq!(house.status(uid), "pending");
    }
    house.grant("bo@example.com", 2).await;
    house.grant("who@example.com", 3).await;
    house.pass().await;
    assert_eq!(house.status(&bo), "accepted");
    assert_eq!(house.status(&al), "pending");
    assert_eq!(house.status(&who), "accepted");
    house.clock.advance(Span::hours(25));
    house.pass().await;
    assert_eq!(house.status(&al), "rejected");
    let codes: Vec<_> = house.record(&al).await.unwrap().reasons;
    let codes: Vec<_> = codes.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::ShortOfCredit, Code::WaitedTooLong]);
}

#[tokio::test]
async fn mistakes_that_would_refuse_everybody_are_held_up() {
    let mut house = House::new(Dialect::V2).await;
    let lesson = house.kinds.lesson;
    let uids: Vec<String> = (0..5)
        .map(|n| {
            let start = format!("2026-12-0{}T09:00:00Z", n + 1);
            house.request(lesson, &format!("m{n}@example.com"), &start)
        })
        .collect();
    house.pass().await;
    for uid in &uids {
        assert_eq!(house.status(uid), "pending", "the ledger is empty");
    }
    house.grant("someone@example.com", 1).await;
    house.policy.limits.declines.at_most = 2;
    let report = house.pass().await;
    let declined = uids
        .iter()
        .filter(|uid| house.status(uid) == "rejected")
        .count();
    assert_eq!(declined, 2);
    assert!(report.problems.iter().any(|p| p.code == "decline-limit"));
    let declined = |house: &House| {
        let rejected = uids.iter().filter(|uid| house.status(uid) == "rejected");
        rejected.count()
    };
    // Passes may follow each other at once: what they declined before counts.
    let rows = [(1, 2), (13, 2), (1, 4), (14, 4), (1, 5)];
    for (minutes, expect) in rows {
        house.clock.advance(Span::minutes(minutes));
        house.pass().await;
        house.pass().await;
        assert_eq!(declined(&house), expect, "{minutes} minutes later");
    }
}

#[tokio::test]
async fn refusing_with_cancel_cancels() {
    let mut house = House::new(Dialect::V2).await;
    house.policy.refuse_with = RefuseWith::Cancel;
    house.grant("bo@example.com", 1).await;
    let uid = house.request(house.kinds.dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    let report = house.pass().await;
    assert_eq!(house.status(&uid), "cancelled");
    assert_eq!(ended(&report, &uid), "declined");
    assert_eq!(count(&house, Operation::Decline), 0);
}

#[tokio::test]
async fn a_dry_run_writes_nothing_anywhere() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.grant("bo@example.com", 1).await;
        let bo = house.request(house.kinds.lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let who = house.request(
            house.kinds.lesson,
            "who@example.com",
            "2026-12-01T11:00:00Z",
        );
        let before = house.sequence().await;
        let report = house.try_pass(true).await.unwrap();
        assert_eq!(house.sequence().await, before);
        let wrote = house
            .sandbox
            .lock()
            .journal
            .counts()
            .iter()
            .filter(|(kind, _)| !kind.reads())
            .count();
        assert_eq!(wrote, 0);
        assert_eq!(ended(&report, &bo), "planned");
        assert_eq!(ended(&report, &who), "planned");
        assert!(report.has_steps());
    }
}

#[tokio::test]
async fn a_refused_key_ends_the_pass_and_is_never_shown() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.grant("bo@example.com", 1).await;
        house.request(house.kinds.lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let wrong = "cal_wrong_key_9876543210";
        for key in [wrong, "token-without-prefix-1234567890"] {
            house.calendar = client(&house.sandbox.base_url(), dialect, key, &house.clock);
            house.session = Default::default();
            let error = house.try_pass(false).await.unwrap_err();
            assert!(matches!(error, PassError::Credential(_)), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(key), "{shown}");
            assert!(!shown.contains(key.trim_start_matches("cal_")), "{shown}");
        }
        house.calendar = client(&house.sandbox.base_url(), dialect, KEY, &house.clock);
        house.session = Default::default();
        house.pass().await;
        assert_eq!(house.balance("bo@example.com").await, (0, 0, 1));
    }
}

#[tokio::test]
async fn odd_rows_are_left_alone_and_hide_nobody() {
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
        let mut house = House::new(Dialect::V2).await;
        house.grant("bo@example.com", 5).await;
        let lesson = house.kinds.lesson;
        let odd = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let plain = house.request(lesson, "bo@example.com", "2026-12-01T11:00:00Z");
        let rule = Rule::always(Fault::Rows {
            as_if: fault.clone(),
        });
        house
            .sandbox
            .lock()
            .add_fault(rule.about(&odd).times(Times::Always))
            .unwrap();
        house.pass().await;
        assert_eq!(house.status(&odd), expect, "{fault:?}");
        assert_eq!(house.status(&plain), "accepted", "{fault:?}");
    }
}

#[tokio::test]
async fn an_idle_pass_is_one_call_and_a_full_one_is_close_to_the_least() {
    let mut house = House::new(Dialect::V2).await;
    house.pass().await;
    let report = house.pass().await;
    assert_eq!(report.calls, 1);

    house.grant("bo@example.com", 1_000).await;
    let start = time("2026-12-01T00:00:00Z");
    for n in 0..500 {
        let at = start + Span::minutes(30 * n);
        house.request(
            house.kinds.lesson,
            "bo@example.com",
            &at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        );
    }
    house.policy.limits.requests_per_pass = 500;
    let report = house.pass().await;
    let confirmed = report
        .steps
        .iter()
        .filter(|step| step.ended.as_str() == "confirmed")
        .count();
    assert_eq!(confirmed, 500);
    // 1.05 × (N + looks), the number of the design; how many looks depends on how fast the machine is.
    let looks = count(&house, Operation::List);
    assert!(
        report.calls * 100 <= 105 * (500 + looks),
        "{} calls, {looks} lists",
        report.calls
    );
}

/// What an operator does between the pass's looking and its writing: the decline rests on what is no
/// longer true, so it is left for the next pass.
#[tokio::test]
async fn an_operator_who_acts_meanwhile_is_not_overrun() {
    let account = || AccountId::parse("bo@example.com").unwrap();
    let alias = || Address::parse("who@example.com").unwrap();
    type Act = (&'static str, Fact);
    let rows: [Act; 2] = [
        (
            "bo@example.com",
            Fact::Grant {
                reference: Reference::parse("meanwhile").unwrap(),
                account: account(),
                credits: 2,
                expires: None,
                reason: "test".to_owned(),
            },
        ),
        (
            "who@example.com",
            Fact::Aliased {
                account: account(),
                alias: alias(),
            },
        ),
    ];
    for (booker, act) in rows {
        let mut house = House::new(Dialect::V2).await;
        let asked = if booker == "bo@example.com" {
            house.kinds.dinner
        } else {
            house.kinds.lesson
        };
        house.grant("bo@example.com", 1).await;
        let uid = house.request(asked, booker, "2026-12-01T09:00:00Z");
        let clock = house.clock.clock();
        let ports = Ports {
            calendar: house.calendar.as_ref(),
            store: &house.store,
            lookups: &house.lookups,
            clock: &clock,
            stop: &house.stop,
        };
        let seen = observe(&ports, &house.policy, &mut house.session)
            .await
            .unwrap();
        let at = house.clock.now();
        house
            .store
            .with(move |store| store.commit(at, vec![act], &[]))
            .await
            .unwrap();
        let mut done = Executed::default();
        let limits = &house.policy.limits;
        execute(&ports, limits, seen.snapshot.now, seen.plan, &mut done)
            .await
            .unwrap();
        assert_eq!(house.status(&uid), "pending", "{booker}");
        assert!(done.more, "{booker}");
        house.pass().await;
        assert_eq!(house.status(&uid), "accepted", "{booker}");
    }
}

/// What an operator says of a request between looking and writing is not overrun either.
#[tokio::test]
async fn an_operators_word_meanwhile_is_not_overrun() {
    let mut house = House::new(Dialect::V2).await;
    for gate in &mut house.policy.gates {
        gate.short_of_credit = Effect::WAIT;
    }
    house.grant("bo@example.com", 1).await;
    let dinner = house.kinds.dinner;
    let uid = house.request(dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    house.pass().await;
    house.grant("bo@example.com", 2).await;
    let clock = house.clock.clock();
    let ports = Ports {
        calendar: house.calendar.as_ref(),
        store: &house.store,
        lookups: &house.lookups,
        clock: &clock,
        stop: &house.stop,
    };
    let seen = observe(&ports, &house.policy, &mut house.session)
        .await
        .unwrap();
    let word = Fact::Reviewed {
        request: RequestId::parse(&uid).unwrap(),
        verdict: Verdict::Decline,
        reason: "Not this week.".to_owned(),
    };
    let at = house.clock.now();
    house
        .store
        .with(move |store| store.commit(at, vec![word], &[]))
        .await
        .unwrap();
    let mut done = Executed::default();
    let limits = &house.policy.limits;
    execute(&ports, limits, seen.snapshot.now, seen.plan, &mut done)
        .await
        .unwrap();
    assert_eq!(house.status(&uid), "pending");
    assert!(done.more);
    house.pass().await;
    assert_eq!(house.status(&uid), "rejected");
    assert_eq!(house.balance("bo@example.com").await, (3, 0, 0));
}

/// Something in the store does not fit one request (here a charge that its booking already has, under
/// another name): that one is reported, and the others are served.
#[tokio::test]
async fn one_that_does_not_fit_holds_up_nobody() {
    let mut house = House::new(Dialect::V2).await;
    house.grant("bo@example.com", 5).await;
    let lesson = house.kinds.lesson;
    let first = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    house.pass().await;
    let odd = house.request(lesson, "bo@example.com", "2026-12-02T09:00:00Z");
    let plain = house.request(lesson, "bo@example.com", "2026-12-03T09:00:00Z");
    let mut other = house.record(&first).await.unwrap();
    other.id = RequestId::parse("other").unwrap();
    other.bookings[0].uid = BookingUid::parse(&odd).unwrap();
    other.state = RequestState::Recorded;
    let hold = Fact::Hold {
        booking: other.bookings[0].clone(),
        request: other.id.clone(),
        account: other.account.clone().unwrap(),
        parts: Vec::new(),
        event_type: other.event_type,
        host: other.host,
        start: other.start,
        end: other.end,
        terms: None,
    };
    // A hold that was given back may be made again; what is charged may not.
    let end = [
        Fact::Post {
            booking: other.bookings[0].uid.clone(),
        },
        Fact::Settled {
            request: other.id.clone(),
            outcome: Outcome::Confirmed,
        },
    ];
    let mut facts = vec![
        Fact::Decided {
            request: other.into(),
        },
        hold,
    ];
    facts.extend(end);
    let at = house.clock.now();
    house
        .store
        .with(move |store| store.commit(at, facts, &[]))
        .await
        .unwrap();
    let report = house.pass().await;
    assert_eq!(house.status(&plain), "accepted");
    assert_eq!(house.status(&odd), "pending");
    assert_eq!(ended(&report, &odd), "failed");
    assert!(report.problems.iter().any(|p| p.code == "misfit"));
    assert_eq!(house.balance("bo@example.com").await, (3, 0, 2));
}

/// A title of any length must not keep a decision out of the log, nor the others from being served.
#[tokio::test]
async fn a_title_without_end_holds_up_nobody() {
    let mut house = House::new(Dialect::V2).await;
    house.grant("bo@example.com", 5).await;
    let uid = house.request(house.kinds.lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let long = "x".repeat(100_000);
    house
        .sandbox
        .lock()
        .edit(&uid, |row| row.title = long)
        .unwrap();
    house.pass().await;
    assert_eq!(house.status(&uid), "accepted");
    assert_eq!(house.record(&uid).await.unwrap().title.len(), 300);
}

/// A plan tells what each request does to the balance, one after the other, and writes nothing.
#[tokio::test]
async fn a_plan_tells_the_effect_on_balances() {
    let mut house = House::new(Dialect::V2).await;
    house.grant("bo@example.com", 5).await;
    let (lesson, dinner) = (house.kinds.lesson, house.kinds.dinner);
    let first = house.request(dinner, "bo@example.com", "2026-12-01T09:00:00Z");
    let second = house.request(lesson, "bo@example.com", "2026-12-02T09:00:00Z");
    let third = house.request(dinner, "bo@example.com", "2026-12-03T09:00:00Z");
    let report = house.try_pass(true).await.unwrap();
    let balance = |uid: &str| {
        let id = RequestId::parse(uid).unwrap();
        report.balances.get(&id).copied()
    };
    assert_eq!(balance(&first), Some((5, 2)));
    assert_eq!(balance(&second), Some((2, 1)));
    assert_eq!(balance(&third), None, "it is declined");
    assert_eq!(house.balance("bo@example.com").await, (5, 0, 0));
}

/// An operator may end meanwhile the charge that one of the intents takes over.
#[test]
fn an_end_that_does_not_fit_keeps_no_other_from_being_written() {
    let at = time("2026-12-01T09:00:00Z");
    let account = |name| AccountId::parse(name).unwrap();
    let fits = |name| {
        let account = account(name);
        vec![Fact::Opened { account }]
    };
    let booking = BookingUid::parse("unknown").unwrap();
    let misfit = vec![Fact::Post { booking }];
    let mut store = MemoryStore::default();
    let ends = vec![fits("al"), misfit, fits("bo")];
    let misfits = write_all(&mut store, at, ends).unwrap();
    assert_eq!(misfits, BTreeSet::from([1]));
    for name in ["al", "bo"] {
        let found = store.account(&account(name)).unwrap();
        assert!(found.is_some(), "{name}");
    }
}

/// The confirmation of a booking fails again and again, with all the credit that there is held for it,
/// and the booker moves it: what becomes of that credit is not known yet, so nobody is refused.
#[tokio::test]
async fn what_replaced_something_undecided_is_left_until_that_is_settled() {
    // Also with credit for both: what is held for the first pays for the one that replaced it.
    for credits in [1, 2] {
        let mut house = House::new(Dialect::V2).await;
        house.grant("bo@example.com", credits).await;
        let lesson = house.kinds.lesson;
        let first = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let stage = Stage::Before;
        for _ in 0..4 {
            let fault = Rule::next(Operation::Confirm, Fault::Error { stage });
            house.sandbox.lock().add_fault(fault).unwrap();
            house.pass().await;
        }
        let held = (credits - 1, 1, 0);
        assert_eq!(house.balance("bo@example.com").await, held, "held");
        let shift = Shift::to(&first, time("2026-12-03T09:00:00Z"));
        let now = house.clock.now();
        let moved = house
            .sandbox
            .lock()
            .act(now, Action::BookerMoves(shift))
            .unwrap();
        house.pass().await;
        assert_eq!(house.status(&moved[0]), "pending", "{credits}");
        house.clock.advance(Span::hours(2));
        house.pass().await;
        house.pass().await;
        assert_eq!(house.status(&moved[0]), "accepted", "{credits}");
        let paid = (credits - 1, 0, 1);
        assert_eq!(house.balance("bo@example.com").await, paid, "{credits}");
    }
}

/// The fault of A6: times that Cal.com itself would not sell. Right after a booking there is its buffer,
/// and the host may take part in a booking of another host.
#[tokio::test]
async fn a_time_that_cal_com_would_not_sell_is_not_confirmed() {
    const BO: &str = "bo@example.com";
    for dialect in BOTH {
        let refused = match dialect {
            Dialect::V2 => "rejected",
            Dialect::V1 => "cancelled",
        };
        let mut house = House::new(dialect).await;
        house.grant(BO, 9).await;
        let buffered = EventType {
            buffers: (0, 15),
            ..EventType::new(HOST, "buffered")
        };
        let kind = house.sandbox.lock().add_event_type(buffered);
        let key = EventTypeKey::Slug("buffered".to_owned());
        house.policy.gates[0].event_types.push(key);
        let first = house.request(kind, BO, "2026-12-01T09:00:00Z");
        house.pass().await;
        assert_eq!(house.status(&first), "accepted", "{dialect:?}");
        let within = house.request(kind, BO, "2026-12-01T09:30:00Z");
        let behind = house.request(kind, BO, "2026-12-01T09:45:00Z");
        house.pass().await;
        assert_eq!(house.status(&within), refused, "{dialect:?}");
        assert_eq!(house.status(&behind), "accepted", "{dialect:?}");
        let code = house.record(&within).await.unwrap().reasons[0].code;
        assert_eq!(code, Code::Taken, "{dialect:?}");
        if dialect == Dialect::V1 {
            // Its lists do not show bookings of others.
            continue;
        }
        let theirs = house.request(
            house.kinds.foreign,
            "ada@example.org",
            "2026-12-02T09:00:00Z",
        );
        let accept = |row: &mut maitred::sandbox::model::Booking| {
            row.status = maitred::sandbox::model::Status::Accepted;
        };
        house.sandbox.lock().edit(&theirs, accept).unwrap();
        let busy = house.request(house.kinds.lesson, BO, "2026-12-02T09:15:00Z");
        house.pass().await;
        assert_eq!(house.status(&busy), refused);
        let code = house.record(&busy).await.unwrap().reasons[0].code;
        assert_eq!(code, Code::Taken);
    }
}
