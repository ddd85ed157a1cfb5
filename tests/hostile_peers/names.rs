//! Names that would lead elsewhere if they were put into a path, in every field from which a path is
//! ever made, as a pass and as a watch meet them.

use maitred::calcom::port::Dialect;
use maitred::domain::time::Span;
use maitred::domain::watch::What;
use serde_json::{Value, json};

use super::cal::{self, good, spelt};
use super::common::ended;
use super::door::{Door, PATIENT, told};
use super::pages::{says, timed, v1_and_v2};
use super::peer::Peer;
use super::watches::{self, Ask};
use super::wire;

/// No text may be a name that is longer.
const LONG: usize = 321;

fn names() -> Vec<String> {
    let names = [
        "../me",
        "..",
        ".",
        "a/../b",
        "%2e%2e%2fme",
        "a%2fb",
        "a%00",
        "a\nb",
        "a\r\nhost: x",
        "a b",
        "a?b=c",
        "a#b",
        "a\\b",
        "a\u{0}",
        "\u{1b}[31ma",
        "\u{202e}a",
        "ä",
        "a;b",
        "http://other/",
    ];
    let mut names: Vec<String> = names.map(str::to_owned).to_vec();
    names.push("x".repeat(LONG));
    names
}

/// The fields that name this booking or another one.
fn fields(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::V2 => &[
            "uid",
            "recurringBookingUid",
            "rescheduledFromUid",
            "rescheduledToUid",
        ],
        Dialect::V1 => &["uid", "fromReschedule"],
    }
}

/// One row for each of the names, in this field.
fn odd(dialect: Dialect, field: &str) -> Vec<Value> {
    let names = names().into_iter().enumerate();
    let row = names.map(|(n, name)| {
        let (start, end) = ("2026-12-02T09:00:00.000Z", "2026-12-02T10:00:00.000Z");
        let mut row = cal::row(dialect, &format!("odd{n}"), 10 + n as i64, start, end);
        row[field] = json!(name);
        row
    });
    row.collect()
}

fn assert_spelt(peer: &Peer, what: &str) {
    for asked in peer.asked() {
        assert!(spelt(&asked), "{what}: {}", asked.target);
        assert!(!asked.path().contains("odd"), "{what}: {}", asked.target);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_does_not_belong_into_a_path_is_never_asked_for() {
    for dialect in v1_and_v2() {
        for field in fields(dialect) {
            let mut rows = odd(dialect, field);
            rows.push(good(dialect));
            let peer = cal::serve(dialect, rows, |_, _| None);
            let door = Door::before(&peer.address, dialect).await;
            let result = timed(door.pass()).await;
            for (n, name) in names().iter().enumerate() {
                let what = format!("{dialect:?} {field} {name:?}");
                says(&told(&result), &format!("[{n}].{field} is "), &what);
            }
            assert_eq!(ended(&result.unwrap(), "good"), "confirmed", "{field}");
            assert_eq!(peer.writes().len(), 1, "{dialect:?} {field}");
            assert_spelt(&peer, field);
        }
    }
}

/// Numbers stand in paths too: of bookings in v1, of event types in both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_none_is_never_asked_for() {
    let numbers = [
        json!("../me"),
        json!("7/../8"),
        json!(-1),
        json!(0),
        json!(i64::from(i32::MAX) + 1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!([7]),
        json!({"7": 7}),
        json!(true),
    ];
    for dialect in v1_and_v2() {
        for field in ["id", "eventTypeId", "eventType"] {
            for number in &numbers {
                let what = format!("{dialect:?} {field} {number}");
                let (start, end) = ("2026-12-02T09:00:00.000Z", "2026-12-02T10:00:00.000Z");
                let mut row = cal::row(dialect, "other", 10, start, end);
                row[field] = match field {
                    "eventType" => json!({"id": number, "slug": "lesson"}),
                    _ => number.clone(),
                };
                let peer = cal::serve(dialect, vec![row, good(dialect)], |_, _| None);
                let door = Door::before(&peer.address, dialect).await;
                let result = timed(door.pass()).await;
                told(&result).iter().for_each(|text| wire::readable(text));
                assert_eq!(ended(&result.unwrap(), "good"), "confirmed", "{what}");
                for asked in peer.asked() {
                    assert!(spelt(&asked), "{what}: {}", asked.target);
                    let last = asked.path().rsplit('/').next().unwrap_or_default();
                    let number = last.trim_start_matches('-');
                    let digits = number.chars().all(|c| c.is_ascii_digit());
                    let v1 = dialect == Dialect::V1 && asked.path().contains("/bookings/");
                    assert!(
                        !v1 || (digits && last.len() <= 10),
                        "{what}: {}",
                        asked.target
                    );
                }
            }
        }
    }
}

/// A watch reads on behind such rows, and finds what there is to find.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_leaves_such_names_alone_in_lists() {
    for dialect in v1_and_v2() {
        for field in fields(dialect) {
            for audit in [false, true] {
                let what = format!("{dialect:?} {field}, audit {audit}");
                let mut door = charged(dialect).await;
                let mut rows = odd(dialect, field);
                let mut row = good(dialect);
                row["status"] = json!("cancelled");
                rows.push(row);
                let peer = watches::serve(dialect, rows, |_, _| None);
                door.turn_to(&peer.address, PATIENT);
                let watching = timed(door.watch(audit)).await;
                for n in 0..names().len() {
                    says(&watching.said, &format!("[{n}].{field} is "), &what);
                }
                let done = watching.result.unwrap().changes;
                let found: Vec<What> = done.iter().map(|change| change.what).collect();
                assert_eq!(found, [What::Refunded], "{what}");
                assert_eq!(peer.writes().len(), 0, "{what}");
                assert_spelt(&peer, &what);
            }
        }
    }
}

/// Read by name, the booking itself says so: nothing is known of it, so its charge stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_believes_nothing_of_a_booking_with_such_a_name() {
    for dialect in v1_and_v2() {
        let mut door = charged(dialect).await;
        let (commits, balance) = (door.commits().await, door.balance().await);
        door.clock.advance(Span::days(30));
        for field in fields(dialect) {
            for name in names() {
                let what = format!("{dialect:?} {field} {name:?}");
                let mut row = good(dialect);
                row["status"] = json!("cancelled");
                row[*field] = json!(name);
                let body = match dialect {
                    Dialect::V2 => json!({"status": "success", "data": row}),
                    Dialect::V1 => json!({"booking": row}),
                };
                let peer = watches::serve(dialect, Vec::new(), move |ask, _| {
                    let body = super::peer::json("200 OK", &body.to_string());
                    (ask == Ask::One("good")).then_some(super::peer::Reply::Bytes(body))
                });
                door.turn_to(&peer.address, PATIENT);
                let watching = timed(door.watch(false)).await;
                says(
                    &watching.said,
                    &format!("{field} is not a usable uid"),
                    &what,
                );
                assert_eq!(watching.result.unwrap().changes, [], "{what}");
                assert_eq!(door.commits().await, commits, "{what}");
                assert_eq!(door.balance().await, balance, "{what}");
                assert_spelt(&peer, &what);
            }
        }
    }
}

/// A house in which the good booking was confirmed and is charged.
async fn charged(dialect: Dialect) -> Door {
    let peer = cal::serve(dialect, vec![good(dialect)], |_, _| None);
    let mut door = Door::before(&peer.address, dialect).await;
    for gate in &mut door.policy.gates {
        gate.terms.refunds.unknown_cancels = maitred::domain::terms::Blame::Host;
    }
    door.pass().await.unwrap();
    assert_eq!(door.balance().await, (99, 0, 1));
    door
}
