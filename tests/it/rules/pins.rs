//! PINs: the results of right and wrong PINs, and that no PIN is found anywhere afterwards.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::fact::{AccountFact, Fact};
use maitred::domain::id::{AccountId, Address};
use maitred::domain::refund_policy::OnUnmanaged;
use maitred::domain::snapshot::PinResult;
use maitred::domain::time::Span;
use maitred::reconcile::observe::observe;
use maitred::reconcile::pin::hash::hash;
use maitred::reconcile::pin::wrong_pins::{
    MAX_WRONG_PER_MEMBER, MAX_WRONG_PER_ORIGIN, MAX_WRONG_TOTAL,
};
use maitred::sandbox::action::ThirdPartyAction;
use maitred::sandbox::new_booking::NewBooking;
use maitred::store::open::{CreateIfMissing, open};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::{decision_text, request_with, rule_with_lookups};
use crate::fixture::own_process;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{DIALECTS, commit_fact};

const QUESTION: &str = "member-pin";
const RIGHT_PIN: &str = "lock-and-4711";
const WRONG_PIN: &str = "lock-and-0815";

fn require_pin(fixture: &mut PassFixture) {
    fixture.policy.gates[0].criteria.pin = Some(QUESTION.to_owned());
}

async fn set_pin(fixture: &PassFixture, account: &str, pin: &str) {
    let fact = Fact::Account(AccountFact::PinChanged {
        account: AccountId::parse(account).unwrap(),
        hash: Some(hash(pin).unwrap()),
    });
    commit_fact(fixture, fact).await;
}

fn with_pin_answer(value: Value) -> impl FnOnce(&mut NewBooking) {
    move |ask| {
        ask.answers.insert(QUESTION.to_owned(), value);
    }
}

#[tokio::test]
async fn only_the_right_pin_confirms_a_member() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        require_pin(&mut fixture);
        for who in ["bo", "cy", "nu"] {
            fixture.grant(&format!("{who}@example.com"), 100).await;
        }
        set_pin(&fixture, "bo@example.com", RIGHT_PIN).await;
        set_pin(&fixture, "nu@example.com", "20261").await;
        let lesson = fixture.event_types.lesson;
        let confirm = "confirm enough";
        let wrong = "decline wrong-pin";
        // who, answer, result
        let rows = [
            ("bo@example.com", Some(json!(RIGHT_PIN)), confirm),
            ("bo@example.com", Some(json!(" lock-and-4711\n")), confirm),
            ("bo@example.com", Some(json!([RIGHT_PIN])), confirm),
            ("bo@example.com", Some(json!({"value": RIGHT_PIN})), confirm),
            ("bo@example.com", Some(json!(WRONG_PIN)), wrong),
            ("bo@example.com", Some(json!("LOCK-AND-4711")), wrong),
            ("bo@example.com", Some(json!("")), wrong),
            ("bo@example.com", Some(json!(null)), wrong),
            ("bo@example.com", Some(json!(true)), wrong),
            ("bo@example.com", None, wrong),
            ("nu@example.com", Some(json!(20261)), confirm),
            ("nu@example.com", Some(json!("20261")), confirm),
            ("cy@example.com", Some(json!(RIGHT_PIN)), "review wrong-pin"),
            ("cy@example.com", None, "review wrong-pin"),
            (
                "who@example.com",
                Some(json!(RIGHT_PIN)),
                "decline unknown-booker",
            ),
        ];
        let mut made = Vec::new();
        for (n, (who, given, expect)) in rows.into_iter().enumerate() {
            let start = format!("2026-12-01T{n:02}:00:00Z");
            let special = given.clone();
            let uid = request_with(&fixture, lesson, who, &start, |ask| {
                if let Some(value) = special {
                    with_pin_answer(value)(ask);
                }
            });
            made.push((uid, who, given, expect));
        }
        fixture.pass().await;
        for (uid, who, pin, expect) in made {
            let got = decision_text(&fixture, &uid).await;
            assert_eq!(got, expect, "{dialect:?} {who} {pin:?}");
        }
    }
}

#[tokio::test]
async fn after_some_wrong_pins_no_pin_is_checked_for_a_day() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        require_pin(&mut fixture);
        fixture.grant("bo@example.com", 100).await;
        fixture.grant("cy@example.com", 100).await;
        set_pin(&fixture, "bo@example.com", RIGHT_PIN).await;
        set_pin(&fixture, "cy@example.com", RIGHT_PIN).await;
        let alias = Fact::Account(AccountFact::AliasAdded {
            account: AccountId::parse("bo@example.com").unwrap(),
            alias: Address::parse("bo@work.example").unwrap(),
        });
        commit_fact(&fixture, alias).await;
        let lesson = fixture.event_types.lesson;
        let start = |day: u32, hour: usize| format!("2026-12-{day:02}T{hour:02}:00:00Z");
        // Some tries in one pass and some in another, under both addresses; requests without a PIN
        // are no tries.
        let mut tries = Vec::new();
        for n in 0..MAX_WRONG_PER_ORIGIN {
            let who = ["bo@example.com", "bo@work.example"][n % 2];
            tries.push(request_with(
                &fixture,
                lesson,
                who,
                &start(1, n),
                with_pin_answer(json!(WRONG_PIN)),
            ));
            tries.push(request_with(&fixture, lesson, who, &start(2, n), |_| {}));
            if n == 2 {
                let before = request_with(
                    &fixture,
                    lesson,
                    who,
                    &start(3, n),
                    with_pin_answer(json!(RIGHT_PIN)),
                );
                fixture.pass().await;
                assert_eq!(
                    decision_text(&fixture, &before).await,
                    "confirm enough",
                    "{dialect:?}"
                );
            }
        }
        let right = request_with(
            &fixture,
            lesson,
            "bo@example.com",
            &start(4, 9),
            with_pin_answer(json!(RIGHT_PIN)),
        );
        let other = request_with(
            &fixture,
            lesson,
            "cy@example.com",
            &start(4, 12),
            with_pin_answer(json!(RIGHT_PIN)),
        );
        fixture.pass().await;
        for uid in &tries {
            assert_eq!(
                decision_text(&fixture, uid).await,
                "decline wrong-pin",
                "{dialect:?}"
            );
        }
        assert_eq!(
            decision_text(&fixture, &right).await,
            "review wrong-pin",
            "{dialect:?}"
        );
        assert_eq!(
            decision_text(&fixture, &other).await,
            "confirm enough",
            "{dialect:?}"
        );

        // Requests that were refused during the lock do not extend the lock.
        fixture.clock.advance(Span::hours(23));
        let still = request_with(
            &fixture,
            lesson,
            "bo@example.com",
            &start(5, 9),
            with_pin_answer(json!(RIGHT_PIN)),
        );
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &still).await,
            "review wrong-pin",
            "{dialect:?}"
        );
        fixture.clock.advance(Span::hours(1));
        let after = request_with(
            &fixture,
            lesson,
            "bo@example.com",
            &start(6, 9),
            with_pin_answer(json!(RIGHT_PIN)),
        );
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &after).await,
            "confirm enough",
            "{dialect:?}"
        );
    }
}

/// A stranger who guesses a member's PIN is limited by the origin of the guesses: the member, who
/// books from another origin, is served. When the guesses come from everywhere, an origin that gave
/// the right PIN before is still served.
#[tokio::test]
async fn guesses_by_other_bookers_do_not_lock_the_member_out() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    require_pin(&mut fixture);
    fixture.policy.limits.declines.at_most = 1_000;
    fixture.grant("bo@example.com", 100).await;
    set_pin(&fixture, "bo@example.com", RIGHT_PIN).await;
    let lesson = fixture.event_types.lesson;
    let start = |day: usize, hour: usize| format!("2026-12-{day:02}T{hour:02}:00:00Z");
    let first = request_with(&fixture, lesson, "bo@example.com", &start(1, 0), |ask| {
        ask.name = "Bo".to_owned();
        with_pin_answer(json!(RIGHT_PIN))(ask);
    });
    fixture.pass().await;
    let from = |name: &str, pin: &str, at: String| {
        let name = name.to_owned();
        let pin = json!(pin);
        request_with(&fixture, lesson, "bo@example.com", &at, move |ask| {
            ask.name = name;
            with_pin_answer(pin)(ask);
        })
    };
    for n in 0..=MAX_WRONG_PER_ORIGIN {
        from("Stranger", WRONG_PIN, start(2, n));
    }
    let more = from("Stranger", RIGHT_PIN, start(2, 20));
    let own = from("Bo", RIGHT_PIN, start(3, 0));
    for n in 0..MAX_WRONG_PER_MEMBER {
        from(
            &format!("Stranger {n}"),
            WRONG_PIN,
            start(4 + n / 20, n % 20),
        );
    }
    let member_request = from("Bo", RIGHT_PIN, start(6, 0));
    let unknown = from("Bo Elsewhere", RIGHT_PIN, start(6, 2));
    let rows = [
        (&first, "confirm enough"),
        (&more, "review wrong-pin"),
        (&own, "confirm enough"),
        (&member_request, "confirm enough"),
        (&unknown, "review wrong-pin"),
    ];
    let report = fixture.pass().await;
    for (uid, expect) in rows {
        assert_eq!(decision_text(&fixture, uid).await, expect);
    }
    let problems = report.problems.iter();
    let texts = problems
        .filter(|problem| problem.code == "pin-guessing")
        .count();
    assert_eq!(texts, 2, "once for each limit");
}

/// Guesses that are spread over many accounts stay below the limit of each member, and reach the
/// limit over all members. An origin that gave the right PIN before is still served.
#[tokio::test]
async fn guesses_that_are_spread_over_many_members_are_limited() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    require_pin(&mut fixture);
    fixture.policy.limits.declines.at_most = 1_000;
    let lesson = fixture.event_types.lesson;
    let pin = hash(RIGHT_PIN).unwrap();
    let each = MAX_WRONG_PER_ORIGIN - 1;
    let members: Vec<String> = (0..MAX_WRONG_TOTAL / each)
        .map(|n| format!("m{n}@example.com"))
        .chain(["bo@example.com", "cy@example.com"].map(str::to_owned))
        .collect();
    for who in &members {
        fixture.grant(who, 100).await;
        let fact = Fact::Account(AccountFact::PinChanged {
            account: AccountId::parse(who).unwrap(),
            hash: Some(pin.clone()),
        });
        commit_fact(&fixture, fact).await;
    }
    let start = |n: usize| format!("2026-12-{:02}T{:02}:00:00Z", 1 + n / 24, n % 24);
    let first = request_with(
        &fixture,
        lesson,
        "bo@example.com",
        &start(0),
        with_pin_answer(json!(RIGHT_PIN)),
    );
    fixture.pass().await;
    let mut booked = 0;
    let mut guess = |who: &str| {
        booked += 1;
        request_with(
            &fixture,
            lesson,
            who,
            &start(booked),
            with_pin_answer(json!(WRONG_PIN)),
        )
    };
    let guesses: Vec<String> = members[..MAX_WRONG_TOTAL / each]
        .iter()
        .flat_map(|who| (0..each).map(|_| guess(who)).collect::<Vec<_>>())
        .collect();
    assert_eq!(guesses.len(), MAX_WRONG_TOTAL);
    let member_request = request_with(
        &fixture,
        lesson,
        "bo@example.com",
        &start(200),
        with_pin_answer(json!(RIGHT_PIN)),
    );
    let unknown = request_with(
        &fixture,
        lesson,
        "cy@example.com",
        &start(201),
        with_pin_answer(json!(RIGHT_PIN)),
    );
    let mut problems = Vec::new();
    loop {
        let report = fixture.pass().await;
        problems.extend(report.problems);
        if !report.more {
            break;
        }
    }
    for uid in &guesses {
        assert_eq!(decision_text(&fixture, uid).await, "decline wrong-pin");
    }
    assert_eq!(decision_text(&fixture, &first).await, "confirm enough");
    assert_eq!(
        decision_text(&fixture, &member_request).await,
        "confirm enough"
    );
    assert_eq!(decision_text(&fixture, &unknown).await, "review wrong-pin");
    let guessing = problems
        .iter()
        .filter(|problem| problem.code == "pin-guessing");
    let texts: Vec<_> = guessing.map(|problem| problem.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("for all members"), "{texts:?}");
}

/// A pending request is evaluated in each pass; it keeps its place among the wrong PINs.
#[tokio::test]
async fn waiting_requests_with_a_wrong_pin_are_evaluated_the_same_in_each_pass() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    require_pin(&mut fixture);
    fixture.policy.gates[0].criteria.on_wrong_pin = OnViolation::Review;
    fixture.grant("bo@example.com", 100).await;
    set_pin(&fixture, "bo@example.com", RIGHT_PIN).await;
    let lesson = fixture.event_types.lesson;
    let start = |hour: usize| format!("2026-12-01T{hour:02}:00:00Z");
    for n in 0..MAX_WRONG_PER_ORIGIN + 2 {
        request_with(
            &fixture,
            lesson,
            "bo@example.com",
            &start(n),
            with_pin_answer(json!(WRONG_PIN)),
        );
    }
    for _ in 0..3 {
        let clock = fixture.clock.clock();
        let ports = fixture.runner.ports(&clock);
        let observed = observe(&ports, &fixture.runner.policy, &mut fixture.session);
        let snapshot = observed.await.unwrap().snapshot;
        let count = |pin| {
            snapshot
                .pin_results
                .values()
                .filter(|known| **known == pin)
                .count()
        };
        assert_eq!(
            (count(PinResult::Wrong), count(PinResult::Locked)),
            (MAX_WRONG_PER_ORIGIN, 2)
        );
        fixture.pass().await;
    }
    // After a change of the PIN all requests are checked again: a PIN that was wrong may be right
    // now. The wrong PINs in the log still count for a day, so that the last two requests stay
    // locked.
    set_pin(&fixture, "bo@example.com", WRONG_PIN).await;
    fixture.pass().await;
    let world = fixture.sandbox.lock();
    let states: Vec<_> = world
        .bookings()
        .iter()
        .map(|row| row.status.as_v2())
        .collect();
    assert_eq!(
        states[..MAX_WRONG_PER_ORIGIN],
        ["accepted"; MAX_WRONG_PER_ORIGIN]
    );
}

/// Checking a PIN takes time: one pass checks a limited number, and the next pass continues.
#[tokio::test]
async fn pins_beyond_the_limit_of_a_pass_are_left_for_the_next() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    require_pin(&mut fixture);
    let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
    let hashed = hash(RIGHT_PIN).unwrap();
    fixture.grant("cy@example.com", 100).await;
    let before = fixture.request(dinner, "cy@example.com", "2026-12-02T18:00:00Z");
    let mut uids = Vec::new();
    for n in 0..66 {
        let who = format!("m{n}@example.com");
        fixture.grant(&who, 1).await;
        let fact = Fact::Account(AccountFact::PinChanged {
            account: AccountId::parse(&who).unwrap(),
            hash: Some(hashed.clone()),
        });
        commit_fact(&fixture, fact).await;
        let start = format!("2026-12-{:02}T{:02}:00:00Z", 3 + n / 20, n % 20);
        uids.push(request_with(
            &fixture,
            lesson,
            &who,
            &start,
            with_pin_answer(json!(RIGHT_PIN)),
        ));
    }
    // A later request is not served before the requests that wait for their turn.
    let after = fixture.request(dinner, "cy@example.com", "2026-12-10T18:00:00Z");
    let report = fixture.pass().await;
    assert!(report.more);
    let done = uids
        .iter()
        .filter(|uid| fixture.status(uid) == "accepted")
        .count();
    assert_eq!(done, 64);
    assert_eq!(
        (fixture.status(&before), fixture.status(&after)),
        ("accepted", "pending")
    );
    let report = fixture.pass().await;
    assert!(!report.more);
    for uid in uids.iter().chain([&after]) {
        assert_eq!(fixture.status(uid), "accepted");
    }
}

/// Collects the logs of this test binary.
#[derive(Clone, Copy)]
struct LogBuffer;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl io::Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogBuffer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// Captures everything that is logged from here on, on every thread.
fn capture_logs() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let all = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        all.with_writer(LogBuffer).init();
    });
}

fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|part| part == secret.as_bytes())
}

fn files_containing(folder: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_containing(&path, secret));
        } else if contains(&std::fs::read(&path).unwrap(), secret) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Puts the PIN into the titles, descriptions and other texts that Cal.com makes of answers.
fn repeat_pin(ask: &mut NewBooking, pin: &str) {
    ask.answers.insert(QUESTION.to_owned(), json!(pin));
    ask.answers.insert(
        "notes".to_owned(),
        json!(format!("my pin is {pin}, thanks")),
    );
    ask.answers
        .insert("more".to_owned(), json!([{"a": pin}, 5, null]));
    ask.metadata.insert(QUESTION.to_owned(), json!(pin));
    ask.metadata
        .insert("from".to_owned(), json!(format!("?pin={pin}")));
}

#[tokio::test]
async fn a_pin_is_in_no_log_no_file_and_no_report() {
    if !own_process::is_own_process() {
        own_process::run(own_process::command(
            "rules::pins::a_pin_is_in_no_log_no_file_and_no_report",
        ));
        return;
    }
    capture_logs();
    for dialect in DIALECTS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let at = super::parse_time("2026-11-24T08:00:00Z");
        let opened = open(&path, CreateIfMissing::Yes, at, &mut |_| {}).unwrap();
        let mut fixture = PassFixture::with_store(dialect, Box::new(opened.store)).await;
        require_pin(&mut fixture);
        let lookups = &["crm"];
        fixture.policy.global.rules = [
            // Reads every field that could contain a PIN, and is recorded with the values that it
            // read.
            rule_with_lookups(
                "all",
                "size(booking.title) > 0 && !(\"member-pin\" in booking.answers)",
                OnViolation::Review,
                lookups,
            ),
            rule_with_lookups(
                "said",
                "booking.description != \"nothing\"",
                OnViolation::Review,
                lookups,
            ),
        ]
        .into();
        fixture.policy.gates[0].terms.on_unmanaged = OnUnmanaged::Charge;
        fixture.grant("bo@example.com", 100).await;
        fixture.grant("cy@example.com", 100).await;
        set_pin(&fixture, "bo@example.com", RIGHT_PIN).await;
        // A booking from before the ledger began would only be reported.
        fixture.clock.advance(Span::minutes(5));
        let lesson = fixture.event_types.lesson;
        let mut uids = BTreeMap::new();
        for (name, who, pin, start) in [
            ("right", "bo@example.com", RIGHT_PIN, "2026-12-01T09:00:00Z"),
            ("wrong", "bo@example.com", WRONG_PIN, "2026-12-01T10:00:00Z"),
            ("none", "cy@example.com", WRONG_PIN, "2026-12-01T11:00:00Z"),
            (
                "by hand",
                "bo@example.com",
                RIGHT_PIN,
                "2026-12-01T12:00:00Z",
            ),
        ] {
            let uid = request_with(&fixture, lesson, who, start, |ask| repeat_pin(ask, pin));
            let titled = fixture.sandbox.lock().edit(&uid, |row| {
                row.title = format!("Lesson ({pin})");
                row.description = Some(format!("pin {pin}"));
            });
            titled.unwrap();
            uids.insert(name, uid);
        }
        let accepts = ThirdPartyAction::HostAccepts {
            booking: uids["by hand"].clone(),
        };
        let now = fixture.clock.now();
        fixture.sandbox.lock().act(now, accepts).unwrap();
        let dry = fixture.try_pass(true).await.unwrap();
        let report = fixture.pass().await;
        fixture.pass().await;
        let watched = fixture.watch(true).await;
        assert_eq!(
            decision_text(&fixture, &uids["right"]).await,
            "confirm enough",
            "{dialect:?}"
        );
        assert_eq!(
            decision_text(&fixture, &uids["wrong"]).await,
            "decline wrong-pin",
            "{dialect:?}"
        );
        assert_eq!(
            decision_text(&fixture, &uids["none"]).await,
            "review wrong-pin",
            "{dialect:?}"
        );
        let text = format!("{dry:?} {report:?} {watched:?} {:?}", fixture.session);
        let title = fixture.stored_request(&uids["right"]).await.unwrap().title;
        assert_eq!(title, "Lesson ([pin])", "{dialect:?}");
        let by_hand = fixture
            .stored_request(&uids["by hand"])
            .await
            .unwrap()
            .title;
        assert_eq!(by_hand, "Lesson ([pin])", "{dialect:?}");
        let clock = fixture.clock.clock();
        let ports = fixture.runner.ports(&clock);
        let observed = observe(&ports, &fixture.runner.policy, &mut fixture.session)
            .await
            .unwrap();
        let observed = format!("{observed:?}");
        for secret in [RIGHT_PIN, WRONG_PIN] {
            assert!(!text.contains(secret), "{dialect:?}: in reports");
            assert!(!observed.contains(secret), "{dialect:?}: in the snapshot");
            assert_eq!(
                files_containing(folder.path(), secret),
                [""; 0],
                "{dialect:?}"
            );
            let log = LOG.lock().unwrap();
            assert!(!contains(&log, secret), "{dialect:?}: in the log");
        }
        assert!(
            contains(&LOG.lock().unwrap(), "call to Cal.com"),
            "the log was heard"
        );
    }
}
