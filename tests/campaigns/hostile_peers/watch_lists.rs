//! Watches with endless lists and endless chains of moves, and with a booking that should be
//! cancelled but cannot be read.

use maitred::domain::dialect::Dialect;
use maitred::domain::refund_policy::OnUnmanaged;
use maitred::domain::time::Span;
use maitred::domain::watch::ChargeOutcome;
use serde_json::{Value, json};

use super::model_server::{self, confirmable_row};
use super::mutated_answers::is_full_run;
use super::peer_fixture::{LONG_TIMEOUT, SHORT_TIMEOUT};
use super::useless_answers::{
    assert_mentions, call_timeout, list_page, skipped_rows, unguarded_rows, useless_answers,
    v1_and_v2, within_patience,
};
use super::watches::{
    MAX_CALLS_OF_SHORT_WATCH, WatchCall, WatchScene, classify, fixture_before_watch, row, scenes,
    serve, with_fields, with_status,
};
use crate::fixture::http_server::{Peer, ReceivedCall, Reply, json_response as json_answer};
use crate::wire;

/// Returns true if the call reads a list.
fn is_list(ask: WatchCall) -> bool {
    matches!(
        ask,
        WatchCall::ListUpdated
            | WatchCall::ListCreated
            | WatchCall::ListUpcoming
            | WatchCall::ListPast
            | WatchCall::ListPending
    )
}

fn full_page_rows(dialect: Dialect) -> i64 {
    match dialect {
        Dialect::V2 => 250,
        Dialect::V1 => 128,
    }
}

/// Runs a watch on a fixture with a charge and a pending request, against a server whose lists
/// `page` makes. The watch, full or short, changes nothing until the lists are honest again.
async fn watch_against_lists(
    dialect: Dialect,
    audit: bool,
    what: &str,
    page: impl Fn(&ReceivedCall) -> Reply + Send + Sync + 'static,
) -> (Vec<ReceivedCall>, Vec<String>) {
    let noted = |scene: &WatchScene| scene.call == WatchCall::ListPending;
    let scene = scenes(dialect).into_iter().find(noted).unwrap();
    let mut fixture = fixture_before_watch(&scene).await;
    let (commits, balance) = (fixture.commit_count().await, fixture.balance().await);
    // Read individually, all bookings are unchanged.
    let mut rows = scene.rows_before.clone();
    rows[0]["status"] = json!("accepted");
    let peer = serve(dialect, rows.clone(), move |ask, asked| {
        is_list(ask).then(|| page(asked))
    });
    fixture.connect_to(&peer.address, LONG_TIMEOUT);
    let watching = within_patience(fixture.watch(audit)).await;
    let changes = watching.result.map_or(Vec::new(), |done| done.changes);
    assert_eq!(changes, [], "{what}");
    assert_eq!(peer.write_calls().len(), 0, "{what}");
    assert_eq!(fixture.commit_count().await, commits, "{what}: written");
    assert_eq!(fixture.balance().await, balance, "{what}");
    watching
        .messages
        .iter()
        .for_each(|text| wire::assert_readable(text));
    rows[0]["status"] = json!("cancelled");
    let honest = serve(dialect, rows, |_, _| None);
    fixture.connect_to(&honest.address, LONG_TIMEOUT);
    let done = fixture.watch(audit).await.result.unwrap();
    let found: Vec<ChargeOutcome> = done.changes.iter().map(|change| change.outcome).collect();
    assert_eq!(found, [ChargeOutcome::Refunded], "{what}");
    (peer.calls(), watching.messages)
}

/// Returns the number of pages of one kind of list that were requested.
fn count_pages(asked: &[ReceivedCall], kind: WatchCall) -> usize {
    asked.iter().filter(|one| classify(one) == kind).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_lists_are_read_up_to_a_bound() {
    for dialect in v1_and_v2() {
        for (repeats, audit) in [(false, false), (true, true), (false, true), (true, false)] {
            // One loop reads all lists.
            if repeats != audit && !is_full_run() {
                continue;
            }
            let what = format!("{dialect:?}, repeats {repeats}, audit {audit}");
            let (calls, messages) = watch_against_lists(dialect, audit, &what, move |asked| {
                let full = full_page_rows(dialect);
                let skipped = if repeats {
                    0
                } else {
                    skipped_rows(&asked.target, full)
                };
                list_page(dialect, &unguarded_rows(100 + skipped, full))
            })
            .await;
            let kinds: &[WatchCall] = match audit {
                false => &[WatchCall::ListUpdated, WatchCall::ListCreated],
                true => &[
                    WatchCall::ListUpdated,
                    WatchCall::ListCreated,
                    WatchCall::ListUpcoming,
                    WatchCall::ListPast,
                    WatchCall::ListPending,
                ],
            };
            for kind in kinds {
                // v1 does not show when a booking was written, so that list ends by itself.
                let most = if dialect == Dialect::V1 && *kind == WatchCall::ListUpdated {
                    4
                } else {
                    40
                };
                let count = count_pages(&calls, *kind);
                assert!(
                    count >= 1 && count <= most,
                    "{what}, {kind:?}: {count} pages"
                );
            }
            assert!(
                calls.len() <= 40 * kinds.len() + MAX_CALLS_OF_SHORT_WATCH,
                "{what}"
            );
            if audit || dialect == Dialect::V2 {
                assert_mentions(&messages, "too-many-changes", &what);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_very_many_rows_are_read_up_to_a_bound() {
    for dialect in v1_and_v2() {
        for audit in [false, true] {
            let what = format!("{dialect:?}, audit {audit}");
            let (calls, messages) = watch_against_lists(dialect, audit, &what, move |asked| {
                let first = 100 + skipped_rows(&asked.target, full_page_rows(dialect));
                match first {
                    100 => list_page(dialect, &unguarded_rows(first, 3_000)),
                    _ => list_page(dialect, &[]),
                }
            })
            .await;
            assert_mentions(&messages, "more rows than were asked for", &what);
            assert!(
                calls.len() <= 8 + MAX_CALLS_OF_SHORT_WATCH,
                "{what}: {}",
                calls.len()
            );
        }
    }
}

/// Every booking was moved to another one, or came from another one, without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_chains_of_moves_are_followed_up_to_a_bound() {
    let moved = |uid: &str, n: i64, field: &str, other: String| {
        let (start, end) = ("2026-12-01T09:00:00.000Z", "2026-12-01T10:00:00.000Z");
        let row = model_server::row(Dialect::V2, uid, n, start, end);
        let fields = [
            ("status", json!("cancelled")),
            ("createdAt", json!("2026-11-20T08:00:00.000Z")),
            (field, json!(other)),
        ];
        with_fields(row, &fields)
    };
    for field in ["rescheduledToUid", "rescheduledFromUid"] {
        let page = move |_: &ReceivedCall| {
            let row = |n: i64| moved(&format!("u{n}x0"), 100 + n, field, format!("u{n}x1"));
            let mut rows: Vec<Value> = (0..249).map(row).collect();
            if field == "rescheduledToUid" {
                rows.push(moved("good", 7, field, "u0x0".to_owned()));
            }
            list_page(Dialect::V2, &rows)
        };
        let scene = &scenes(Dialect::V2)[1];
        let mut fixture = fixture_before_watch(scene).await;
        let (commits, balance) = (fixture.commit_count().await, fixture.balance().await);
        let peer = Peer::start(move |asked| match classify(asked) {
            WatchCall::ListUpdated if skipped_rows(&asked.target, 250) == 0 => page(asked),
            WatchCall::Other => {
                let name = asked.path().rsplit('/').next().unwrap();
                let (first, n) = name.split_once('x').unwrap();
                let next = format!("{first}x{}", n.parse::<u64>().unwrap() + 1);
                let row = moved(name, 100, field, next);
                let body = json!({"status": "success", "data": row}).to_string();
                Reply::Bytes(json_answer("200 OK", &body))
            }
            _ => Reply::Bytes(model_server::render_rows(Dialect::V2, &[], asked)),
        });
        fixture.connect_to(&peer.address, LONG_TIMEOUT);
        let watching = within_patience(fixture.watch(false)).await;
        println!(
            "{field}: {} calls; {:?}",
            peer.calls().len(),
            watching.messages.last()
        );
        assert!(peer.calls().len() < 700, "{field}: {}", peer.calls().len());
        assert_eq!(peer.write_calls().len(), 0, "{field}");
        assert_eq!(fixture.commit_count().await, commits, "{field}");
        assert_eq!(fixture.balance().await, balance, "{field}");
        let expect = match field {
            "rescheduledFromUid" => "too-many-changes",
            _ => "chain-too-long",
        };
        assert_mentions(&watching.messages, expect, field);
    }
}

/// Others accepted the booking, and it should be cancelled. The reading right before the call is
/// useless, so nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_booking_is_not_cancelled() {
    for (what, reply, _) in useless_answers() {
        if call_timeout(&reply) == SHORT_TIMEOUT && !is_full_run() {
            continue;
        }
        for dialect in v1_and_v2() {
            let what = format!("{dialect:?}: {what}");
            let scene = &scenes(dialect)[0];
            let mut fixture = fixture_before_watch(scene).await;
            for gate in &mut fixture.policy.gates {
                gate.terms.on_unmanaged = OnUnmanaged::Cancel;
            }
            let balance = fixture.balance().await;
            let rows = vec![
                with_status(confirmable_row(dialect), "accepted"),
                with_status(row(dialect, "others", 3), "accepted"),
            ];
            let (within, odd) = (call_timeout(&reply), reply.clone());
            let peer = serve(dialect, rows.clone(), move |ask, _| {
                (ask == WatchCall::Booking("others")).then(|| odd.clone())
            });
            fixture.connect_to(&peer.address, within);
            let watching = within_patience(fixture.watch(true)).await;
            watching
                .messages
                .iter()
                .for_each(|text| wire::assert_readable(text));
            let changes = watching.result.map_or(Vec::new(), |done| done.changes);
            assert_eq!(
                (changes, peer.write_calls().len()),
                (Vec::new(), 0),
                "{what}"
            );
            assert_eq!(fixture.balance().await, balance, "{what}");
            if what.ends_with("an answer of another kind") {
                // The intent stays open, and the watch carries it out once the booking can be read.
                let honest = serve(dialect, rows, |_, _| None);
                fixture.connect_to(&honest.address, LONG_TIMEOUT);
                fixture.clock.advance(Span::hours(1));
                fixture.pass().await.unwrap();
                fixture.watch(true).await;
                assert_eq!(honest.write_calls().len(), 1, "{what}");
            }
        }
    }
}
