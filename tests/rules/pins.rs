//! PINs: what becomes of right and wrong ones, and that they are found nowhere afterwards.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use maitred::domain::criteria::effect::Effect;
use maitred::domain::fact::Fact;
use maitred::domain::id::{AccountId, Address};
use maitred::domain::snapshot::Pin;
use maitred::domain::terms::Unmanaged;
use maitred::domain::time::Span;
use maitred::reconcile::observe::observe;
use maitred::reconcile::pin::{MAX_OF_ALL, MAX_OF_MEMBER, MAX_WRONG, hash};
use maitred::reconcile::ports::Ports;
use maitred::sandbox::actions::Action;
use maitred::sandbox::ask::Ask;
use maitred::store::open::{Create, open};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::common::House;
use super::{BOTH, ask, commit, decided, rule};

const QUESTION: &str = "member-pin";
const RIGHT: &str = "lock-and-4711";
const WRONG: &str = "lock-and-0815";

fn with_pin(house: &mut House) {
    house.policy.gates[0].criteria.pin = Some(QUESTION.to_owned());
}

async fn set(house: &House, account: &str, pin: &str) {
    let fact = Fact::Pinned {
        account: AccountId::parse(account).unwrap(),
        hash: Some(hash(pin).unwrap()),
    };
    commit(house, fact).await;
}

fn answer(value: Value) -> impl FnOnce(&mut Ask) {
    move |ask| {
        ask.answers.insert(QUESTION.to_owned(), value);
    }
}

#[tokio::test]
async fn only_the_right_pin_lets_a_member_in() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        with_pin(&mut house);
        for who in ["bo", "cy", "nu"] {
            house.grant(&format!("{who}@example.com"), 100).await;
        }
        set(&house, "bo@example.com", RIGHT).await;
        set(&house, "nu@example.com", "20261").await;
        let lesson = house.kinds.lesson;
        let confirm = "confirm enough";
        let wrong = "decline wrong-pin";
        // who, answer, what becomes of it
        let rows = [
            ("bo@example.com", Some(json!(RIGHT)), confirm),
            ("bo@example.com", Some(json!(" lock-and-4711\n")), confirm),
            ("bo@example.com", Some(json!([RIGHT])), confirm),
            ("bo@example.com", Some(json!({"value": RIGHT})), confirm),
            ("bo@example.com", Some(json!(WRONG)), wrong),
            ("bo@example.com", Some(json!("LOCK-AND-4711")), wrong),
            ("bo@example.com", Some(json!("")), wrong),
            ("bo@example.com", Some(json!(null)), wrong),
            ("bo@example.com", Some(json!(true)), wrong),
            ("bo@example.com", None, wrong),
            ("nu@example.com", Some(json!(20261)), confirm),
            ("nu@example.com", Some(json!("20261")), confirm),
            ("cy@example.com", Some(json!(RIGHT)), "review wrong-pin"),
            ("cy@example.com", None, "review wrong-pin"),
            (
                "who@example.com",
                Some(json!(RIGHT)),
                "decline unknown-booker",
            ),
        ];
        let mut made = Vec::new();
        for (n, (who, given, expect)) in rows.into_iter().enumerate() {
            let start = format!("2026-12-01T{n:02}:00:00Z");
            let special = given.clone();
            let uid = ask(&house, lesson, who, &start, |ask| {
                if let Some(value) = special {
                    answer(value)(ask);
                }
            });
            made.push((uid, who, given, expect));
        }
        house.pass().await;
        for (uid, who, given, expect) in made {
            let got = decided(&house, &uid).await;
            assert_eq!(got, expect, "{dialect:?} {who} {given:?}");
        }
    }
}

#[tokio::test]
async fn after_some_wrong_ones_none_is_looked_at_for_a_day() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        with_pin(&mut house);
        house.grant("bo@example.com", 100).await;
        house.grant("cy@example.com", 100).await;
        set(&house, "bo@example.com", RIGHT).await;
        set(&house, "cy@example.com", RIGHT).await;
        let alias = Fact::Aliased {
            account: AccountId::parse("bo@example.com").unwrap(),
            alias: Address::parse("bo@work.example").unwrap(),
        };
        commit(&house, alias).await;
        let lesson = house.kinds.lesson;
        let start = |day: u32, hour: usize| format!("2026-12-{day:02}T{hour:02}:00:00Z");
        // Some in one pass and some in another, under both addresses; those without are no tries.
        let mut tries = Vec::new();
        for n in 0..MAX_WRONG {
            let who = ["bo@example.com", "bo@work.example"][n % 2];
            tries.push(ask(&house, lesson, who, &start(1, n), answer(json!(WRONG))));
            tries.push(ask(&house, lesson, who, &start(2, n), |_| {}));
            if n == 2 {
                let before = ask(&house, lesson, who, &start(3, n), answer(json!(RIGHT)));
                house.pass().await;
                assert_eq!(
                    decided(&house, &before).await,
                    "confirm enough",
                    "{dialect:?}"
                );
            }
        }
        let right = ask(
            &house,
            lesson,
            "bo@example.com",
            &start(4, 9),
            answer(json!(RIGHT)),
        );
        let other = ask(
            &house,
            lesson,
            "cy@example.com",
            &start(4, 12),
            answer(json!(RIGHT)),
        );
        house.pass().await;
        for uid in &tries {
            assert_eq!(
                decided(&house, uid).await,
                "decline wrong-pin",
                "{dialect:?}"
            );
        }
        assert_eq!(
            decided(&house, &right).await,
            "review wrong-pin",
            "{dialect:?}"
        );
        assert_eq!(
            decided(&house, &other).await,
            "confirm enough",
            "{dialect:?}"
        );

        // What was refused while locked does not lock any longer.
        house.clock.advance(Span::hours(23));
        let still = ask(
            &house,
            lesson,
            "bo@example.com",
            &start(5, 9),
            answer(json!(RIGHT)),
        );
        house.pass().await;
        assert_eq!(
            decided(&house, &still).await,
            "review wrong-pin",
            "{dialect:?}"
        );
        house.clock.advance(Span::hours(1));
        let after = ask(
            &house,
            lesson,
            "bo@example.com",
            &start(6, 9),
            answer(json!(RIGHT)),
        );
        house.pass().await;
        assert_eq!(
            decided(&house, &after).await,
            "confirm enough",
            "{dialect:?}"
        );
    }
}

/// A stranger who guesses a member's PIN is limited by where the guesses come from: the member, who
/// books from another origin, is served, and once the guesses come from everywhere, an origin that has
/// given the right PIN before.
#[tokio::test]
async fn the_guesses_of_strangers_do_not_lock_the_member_out() {
    let mut house = House::new(BOTH[0]).await;
    with_pin(&mut house);
    house.policy.limits.declines.at_most = 1_000;
    house.grant("bo@example.com", 100).await;
    set(&house, "bo@example.com", RIGHT).await;
    let lesson = house.kinds.lesson;
    let start = |day: usize, hour: usize| format!("2026-12-{day:02}T{hour:02}:00:00Z");
    let first = ask(&house, lesson, "bo@example.com", &start(1, 0), |ask| {
        ask.name = "Bo".to_owned();
        answer(json!(RIGHT))(ask);
    });
    house.pass().await;
    let from = |name: &str, pin: &str, at: String| {
        let name = name.to_owned();
        let pin = json!(pin);
        ask(&house, lesson, "bo@example.com", &at, move |ask| {
            ask.name = name;
            answer(pin)(ask);
        })
    };
    for n in 0..=MAX_WRONG {
        from("Stranger", WRONG, start(2, n));
    }
    let more = from("Stranger", RIGHT, start(2, 20));
    let own = from("Bo", RIGHT, start(3, 0));
    for n in 0..MAX_OF_MEMBER {
        from(&format!("Stranger {n}"), WRONG, start(4 + n / 20, n % 20));
    }
    let known = from("Bo", RIGHT, start(6, 0));
    let unknown = from("Bo Elsewhere", RIGHT, start(6, 2));
    let rows = [
        (&first, "confirm enough"),
        (&more, "review wrong-pin"),
        (&own, "confirm enough"),
        (&known, "confirm enough"),
        (&unknown, "review wrong-pin"),
    ];
    let report = house.pass().await;
    for (uid, expect) in rows {
        assert_eq!(decided(&house, uid).await, expect);
    }
    let told = report.problems.iter();
    let told = told
        .filter(|problem| problem.code == "pin-guessing")
        .count();
    assert_eq!(told, 2, "once for each limit");
}

/// Guesses that are spread over many accounts stay below the limit of each member, and reach the limit
/// over all members. An origin that gave the right PIN before is served all the same.
#[tokio::test]
async fn guesses_that_are_spread_over_many_members_are_limited() {
    let mut house = House::new(BOTH[0]).await;
    with_pin(&mut house);
    house.policy.limits.declines.at_most = 1_000;
    let lesson = house.kinds.lesson;
    let pin = hash(RIGHT).unwrap();
    let each = MAX_WRONG - 1;
    let members: Vec<String> = (0..MAX_OF_ALL / each)
        .map(|n| format!("m{n}@example.com"))
        .chain(["bo@example.com", "cy@example.com"].map(str::to_owned))
        .collect();
    for who in &members {
        house.grant(who, 100).await;
        let fact = Fact::Pinned {
            account: AccountId::parse(who).unwrap(),
            hash: Some(pin.clone()),
        };
        commit(&house, fact).await;
    }
    let start = |n: usize| format!("2026-12-{:02}T{:02}:00:00Z", 1 + n / 24, n % 24);
    let first = ask(
        &house,
        lesson,
        "bo@example.com",
        &start(0),
        answer(json!(RIGHT)),
    );
    house.pass().await;
    let mut booked = 0;
    let mut guess = |who: &str| {
        booked += 1;
        ask(&house, lesson, who, &start(booked), answer(json!(WRONG)))
    };
    let guesses: Vec<String> = members[..MAX_OF_ALL / each]
        .iter()
        .flat_map(|who| (0..each).map(|_| guess(who)).collect::<Vec<_>>())
        .collect();
    assert_eq!(guesses.len(), MAX_OF_ALL);
    let known = ask(
        &house,
        lesson,
        "bo@example.com",
        &start(200),
        answer(json!(RIGHT)),
    );
    let unknown = ask(
        &house,
        lesson,
        "cy@example.com",
        &start(201),
        answer(json!(RIGHT)),
    );
    let mut told = Vec::new();
    loop {
        let report = house.pass().await;
        told.extend(report.problems);
        if !report.more {
            break;
        }
    }
    for uid in &guesses {
        assert_eq!(decided(&house, uid).await, "decline wrong-pin");
    }
    assert_eq!(decided(&house, &first).await, "confirm enough");
    assert_eq!(decided(&house, &known).await, "confirm enough");
    assert_eq!(decided(&house, &unknown).await, "review wrong-pin");
    let told = told.iter().filter(|problem| problem.code == "pin-guessing");
    let texts: Vec<_> = told.map(|problem| problem.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("for all members"), "{texts:?}");
}

/// A request that waits is looked at in each pass; it keeps its place among the wrong ones.
#[tokio::test]
async fn requests_that_wait_with_a_wrong_pin_stay_what_they_are() {
    let mut house = House::new(BOTH[0]).await;
    with_pin(&mut house);
    house.policy.gates[0].criteria.wrong_pin = Effect::Review;
    house.grant("bo@example.com", 100).await;
    set(&house, "bo@example.com", RIGHT).await;
    let lesson = house.kinds.lesson;
    let start = |hour: usize| format!("2026-12-01T{hour:02}:00:00Z");
    for n in 0..MAX_WRONG + 2 {
        ask(
            &house,
            lesson,
            "bo@example.com",
            &start(n),
            answer(json!(WRONG)),
        );
    }
    for _ in 0..3 {
        let clock = house.clock.clock();
        let ports = Ports {
            calendar: house.calendar.as_ref(),
            store: &house.store,
            lookups: &house.lookups,
            clock: &clock,
            stop: &house.stop,
        };
        let observed = observe(&ports, &house.policy, &mut house.session);
        let snapshot = observed.await.unwrap().snapshot;
        let count = |pin| {
            snapshot
                .pins
                .values()
                .filter(|known| **known == pin)
                .count()
        };
        assert_eq!((count(Pin::Wrong), count(Pin::Locked)), (MAX_WRONG, 2));
        house.pass().await;
    }
    // With another PIN all are looked at anew: what was wrong may be right now. The wrong ones that
    // stand in the log still count for a day, so that the last two stay locked.
    set(&house, "bo@example.com", WRONG).await;
    house.pass().await;
    let world = house.sandbox.lock();
    let states: Vec<_> = world
        .bookings()
        .iter()
        .map(|row| row.status.lower())
        .collect();
    assert_eq!(states[..MAX_WRONG], ["accepted"; MAX_WRONG]);
}

/// Looking at a PIN takes time: one pass looks at so many, and the next goes on.
#[tokio::test]
async fn more_pins_than_one_pass_looks_at_are_left_for_the_next() {
    let mut house = House::new(BOTH[0]).await;
    with_pin(&mut house);
    let (lesson, dinner) = (house.kinds.lesson, house.kinds.dinner);
    let kept = hash(RIGHT).unwrap();
    house.grant("cy@example.com", 100).await;
    let before = house.request(dinner, "cy@example.com", "2026-12-02T18:00:00Z");
    let mut uids = Vec::new();
    for n in 0..66 {
        let who = format!("m{n}@example.com");
        house.grant(&who, 1).await;
        let fact = Fact::Pinned {
            account: AccountId::parse(&who).unwrap(),
            hash: Some(kept.clone()),
        };
        commit(&house, fact).await;
        let start = format!("2026-12-{:02}T{:02}:00:00Z", 3 + n / 20, n % 20);
        uids.push(ask(&house, lesson, &who, &start, answer(json!(RIGHT))));
    }
    // Who asked later is not served before those that wait for their turn.
    let after = house.request(dinner, "cy@example.com", "2026-12-10T18:00:00Z");
    let report = house.pass().await;
    assert!(report.more);
    let done = uids
        .iter()
        .filter(|uid| house.status(uid) == "accepted")
        .count();
    assert_eq!(done, 64);
    assert_eq!(
        (house.status(&before), house.status(&after)),
        ("accepted", "pending")
    );
    let report = house.pass().await;
    assert!(!report.more);
    for uid in uids.iter().chain([&after]) {
        assert_eq!(house.status(uid), "accepted");
    }
}

/// Where logs of this test binary go.
#[derive(Clone, Copy)]
struct Log;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// Everything that is logged from here on, of every thread.
fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let all = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        all.with_writer(Log).init();
    });
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|part| part == secret.as_bytes())
}

fn in_files(folder: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(in_files(&path, secret));
        } else if holds(&std::fs::read(&path).unwrap(), secret) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// The titles, descriptions and so on that Cal.com makes of answers hold the PIN too.
fn repeated(ask: &mut Ask, pin: &str) {
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
async fn a_pin_is_found_nowhere_afterwards() {
    listen();
    for dialect in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let at = super::time("2026-11-24T08:00:00Z");
        let opened = open(&path, Create::Yes, at, &mut |_| {}).unwrap();
        let mut house = House::with(dialect, Box::new(opened.store)).await;
        with_pin(&mut house);
        let lookups = &["crm"];
        house.policy.house.rules = [
            // Looks at whatever a pin could be in, and is kept with what it saw.
            rule(
                "all",
                "size(booking.title) > 0 && !(\"member-pin\" in booking.answers)",
                Effect::Review,
                lookups,
            ),
            rule(
                "said",
                "booking.description != \"nothing\"",
                Effect::Review,
                lookups,
            ),
        ]
        .into();
        house.policy.gates[0].terms.unmanaged = Unmanaged::Charge;
        house.grant("bo@example.com", 100).await;
        house.grant("cy@example.com", 100).await;
        set(&house, "bo@example.com", RIGHT).await;
        // What was made before the ledger began is only reported.
        house.clock.advance(Span::minutes(5));
        let lesson = house.kinds.lesson;
        let mut uids = BTreeMap::new();
        for (name, who, pin, start) in [
            ("right", "bo@example.com", RIGHT, "2026-12-01T09:00:00Z"),
            ("wrong", "bo@example.com", WRONG, "2026-12-01T10:00:00Z"),
            ("none", "cy@example.com", WRONG, "2026-12-01T11:00:00Z"),
            ("by hand", "bo@example.com", RIGHT, "2026-12-01T12:00:00Z"),
        ] {
            let uid = ask(&house, lesson, who, start, |ask| repeated(ask, pin));
            let titled = house.sandbox.lock().edit(&uid, |row| {
                row.title = format!("Lesson ({pin})");
                row.description = Some(format!("pin {pin}"));
            });
            titled.unwrap();
            uids.insert(name, uid);
        }
        let accepts = Action::HostAccepts {
            booking: uids["by hand"].clone(),
        };
        let now = house.clock.now();
        house.sandbox.lock().act(now, accepts).unwrap();
        let dry = house.try_pass(true).await.unwrap();
        let report = house.pass().await;
        house.pass().await;
        let watched = house.watch(true).await;
        assert_eq!(
            decided(&house, &uids["right"]).await,
            "confirm enough",
            "{dialect:?}"
        );
        assert_eq!(
            decided(&house, &uids["wrong"]).await,
            "decline wrong-pin",
            "{dialect:?}"
        );
        assert_eq!(
            decided(&house, &uids["none"]).await,
            "review wrong-pin",
            "{dialect:?}"
        );
        let said = format!("{dry:?} {report:?} {watched:?} {:?}", house.session);
        let title = house.record(&uids["right"]).await.unwrap().title;
        assert_eq!(title, "Lesson ([pin])", "{dialect:?}");
        let by_hand = house.record(&uids["by hand"]).await.unwrap().title;
        assert_eq!(by_hand, "Lesson ([pin])", "{dialect:?}");
        let clock = house.clock.clock();
        let ports = Ports {
            calendar: house.calendar.as_ref(),
            store: &house.store,
            lookups: &house.lookups,
            clock: &clock,
            stop: &house.stop,
        };
        let observed = observe(&ports, &house.policy, &mut house.session)
            .await
            .unwrap();
        let observed = format!("{observed:?}");
        for secret in [RIGHT, WRONG] {
            assert!(!said.contains(secret), "{dialect:?}: in reports");
            assert!(!observed.contains(secret), "{dialect:?}: in the snapshot");
            assert_eq!(in_files(folder.path(), secret), [""; 0], "{dialect:?}");
            let log = LOG.lock().unwrap();
            assert!(!holds(&log, secret), "{dialect:?}: in the log");
        }
        assert!(
            holds(&LOG.lock().unwrap(), "call to Cal.com"),
            "the log was heard"
        );
    }
}
