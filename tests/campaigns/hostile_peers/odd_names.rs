//! Names that would lead elsewhere in a path, in every field that ever becomes part of a path, in
//! passes and in watches.

use maitred::domain::dialect::Dialect;
use maitred::domain::time::Span;
use maitred::domain::watch::ChargeOutcome;
use serde_json::{Value, json};

use super::model_server::{self, confirmable_row, has_plain_path};
use super::peer_fixture::{LONG_TIMEOUT, PeerFixture, pass_messages};
use super::useless_answers::{assert_mentions, v1_and_v2, within_patience};
use super::watches::{self, WatchCall};
use crate::fixture::http_server::{Peer, Reply, json_response};
use crate::fixture::pass_fixture::step_outcome;
use crate::wire;

/// A text that is longer than this cannot be a name.
const MAX_NAME_LEN: usize = 321;

fn odd_names() -> Vec<String> {
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
    names.push("x".repeat(MAX_NAME_LEN));
    names
}

/// Returns the fields that name this booking or another one.
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

/// Returns one row for each of the names, in this field.
fn rows_with_odd_names(dialect: Dialect, field: &str) -> Vec<Value> {
    let names = odd_names().into_iter().enumerate();
    let row = names.map(|(n, name)| {
        let (start, end) = ("2026-12-02T09:00:00.000Z", "2026-12-02T10:00:00.000Z");
        let mut row = model_server::row(dialect, &format!("odd{n}"), 10 + n as i64, start, end);
        row[field] = json!(name);
        row
    });
    row.collect()
}

fn assert_plain_paths(peer: &Peer, what: &str) {
    for call in peer.calls() {
        assert!(has_plain_path(&call), "{what}: {}", call.target);
        assert!(!call.path().contains("odd"), "{what}: {}", call.target);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_unfit_for_a_path_is_never_requested() {
    for dialect in v1_and_v2() {
        for field in fields(dialect) {
            let mut rows = rows_with_odd_names(dialect, field);
            rows.push(confirmable_row(dialect));
            let peer = model_server::serve(dialect, rows, |_, _| None);
            let fixture = PeerFixture::new(&peer.address, dialect).await;
            let result = within_patience(fixture.pass()).await;
            for (n, name) in odd_names().iter().enumerate() {
                let what = format!("{dialect:?} {field} {name:?}");
                assert_mentions(
                    &pass_messages(&result),
                    &format!("[{n}].{field} is "),
                    &what,
                );
            }
            assert_eq!(
                step_outcome(&result.unwrap(), "good"),
                "confirmed",
                "{field}"
            );
            assert_eq!(peer.write_calls().len(), 1, "{dialect:?} {field}");
            assert_plain_paths(&peer, field);
        }
    }
}

/// Paths contain numbers, too: of bookings in v1, of event types in both dialects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_number_is_never_requested() {
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
                let mut row = model_server::row(dialect, "other", 10, start, end);
                row[field] = match field {
                    "eventType" => json!({"id": number, "slug": "lesson"}),
                    _ => number.clone(),
                };
                let peer =
                    model_server::serve(dialect, vec![row, confirmable_row(dialect)], |_, _| None);
                let fixture = PeerFixture::new(&peer.address, dialect).await;
                let result = within_patience(fixture.pass()).await;
                pass_messages(&result)
                    .iter()
                    .for_each(|text| wire::assert_readable(text));
                assert_eq!(
                    step_outcome(&result.unwrap(), "good"),
                    "confirmed",
                    "{what}"
                );
                for call in peer.calls() {
                    assert!(has_plain_path(&call), "{what}: {}", call.target);
                    let last = call.path().rsplit('/').next().unwrap_or_default();
                    let number = last.trim_start_matches('-');
                    let digits = number.chars().all(|c| c.is_ascii_digit());
                    let v1 = dialect == Dialect::V1 && call.path().contains("/bookings/");
                    assert!(
                        !v1 || (digits && last.len() <= 10),
                        "{what}: {}",
                        call.target
                    );
                }
            }
        }
    }
}

/// A watch continues after such rows, and finds the real change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_leaves_names_unfit_for_a_path_alone_in_lists() {
    for dialect in v1_and_v2() {
        for field in fields(dialect) {
            for audit in [false, true] {
                let what = format!("{dialect:?} {field}, audit {audit}");
                let mut fixture = charged_fixture(dialect).await;
                let mut rows = rows_with_odd_names(dialect, field);
                let mut row = confirmable_row(dialect);
                row["status"] = json!("cancelled");
                rows.push(row);
                let peer = watches::serve(dialect, rows, |_, _| None);
                fixture.connect_to(&peer.address, LONG_TIMEOUT);
                let watching = within_patience(fixture.watch(audit)).await;
                for n in 0..odd_names().len() {
                    assert_mentions(&watching.messages, &format!("[{n}].{field} is "), &what);
                }
                let done = watching.result.unwrap().changes;
                let found: Vec<ChargeOutcome> = done.iter().map(|change| change.outcome).collect();
                assert_eq!(found, [ChargeOutcome::Refunded], "{what}");
                assert_eq!(peer.write_calls().len(), 0, "{what}");
                assert_plain_paths(&peer, &what);
            }
        }
    }
}

/// The booking itself, read individually, has such a name: nothing is known about the booking, so
/// its charge stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ignores_a_booking_with_a_name_unfit_for_a_path() {
    for dialect in v1_and_v2() {
        let mut fixture = charged_fixture(dialect).await;
        let (commits, balance) = (fixture.commit_count().await, fixture.balance().await);
        fixture.clock.advance(Span::days(30));
        for field in fields(dialect) {
            for name in odd_names() {
                let what = format!("{dialect:?} {field} {name:?}");
                let mut row = confirmable_row(dialect);
                row["status"] = json!("cancelled");
                row[*field] = json!(name);
                let body = match dialect {
                    Dialect::V2 => json!({"status": "success", "data": row}),
                    Dialect::V1 => json!({"booking": row}),
                };
                let peer = watches::serve(dialect, Vec::new(), move |ask, _| {
                    let body = json_response("200 OK", &body.to_string());
                    (ask == WatchCall::Booking("good")).then_some(Reply::Bytes(body))
                });
                fixture.connect_to(&peer.address, LONG_TIMEOUT);
                let watching = within_patience(fixture.watch(false)).await;
                assert_mentions(
                    &watching.messages,
                    &format!("{field} is not a usable uid"),
                    &what,
                );
                assert_eq!(watching.result.unwrap().changes, [], "{what}");
                assert_eq!(fixture.commit_count().await, commits, "{what}");
                assert_eq!(fixture.balance().await, balance, "{what}");
                assert_plain_paths(&peer, &what);
            }
        }
    }
}

/// Returns a fixture in which the confirmable booking was confirmed and is charged.
async fn charged_fixture(dialect: Dialect) -> PeerFixture {
    let peer = model_server::serve(dialect, vec![confirmable_row(dialect)], |_, _| None);
    let mut fixture = PeerFixture::new(&peer.address, dialect).await;
    for gate in &mut fixture.policy.gates {
        gate.terms.refunds.unknown_cancels = maitred::domain::refund_policy::Blame::Host;
    }
    fixture.pass().await.unwrap();
    assert_eq!(fixture.balance().await, (99, 0, 1));
    fixture
}
