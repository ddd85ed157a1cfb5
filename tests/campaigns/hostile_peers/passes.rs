//! Whole passes in which a hostile server answers one call.

use std::sync::atomic::{AtomicBool, Ordering};

use maitred::domain::dialect::Dialect;
use maitred::reconcile::report::PassReport;
use serde_json::json;

use super::model_server::{self, PassCall, confirmable_row};
use super::peer_fixture::{PeerFixture, SHORT_TIMEOUT, pass_messages};
use super::useless_answers::{
    assert_mentions, call_timeout, list_page, max_bytes_taken, max_calls_after, skipped_rows,
    unguarded_rows, useless_answers, v1_and_v2, within_patience,
};
use crate::fixture::http_server::{Peer, Reply, full_response, json_response as json_answer};
use crate::fixture::pass_fixture::step_outcome;
use crate::fixture::test_world::KEY;

/// Writes at Cal.com and commits after a pass that decides nothing: only the grant.
const IDLE_PASS_COUNTS: (usize, u64) = (0, 1);

/// The server is hostile from the first reading of the pass on: nothing is written and nothing is
/// sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_while_observing_ends_the_pass_with_nothing_done() {
    for (what, reply, expect) in useless_answers() {
        for dialect in v1_and_v2() {
            for at in [PassCall::Me, PassCall::Pending] {
                let limit = call_timeout(&reply);
                let odd = reply.clone();
                // The parts of a list are lists, too.
                let in_parts = at == PassCall::Pending && max_calls_after(what) > 0;
                let peer = model_server::serve(
                    dialect,
                    vec![confirmable_row(dialect)],
                    move |step, asked| {
                        let part = in_parts && asked.path().ends_with("/bookings");
                        (step == at || part).then(|| odd.clone())
                    },
                );
                let fixture = PeerFixture::with_timeout(&peer.address, dialect, limit).await;
                let result = within_patience(fixture.pass()).await;
                let calls = if at == PassCall::Me {
                    1
                } else {
                    2 + max_calls_after(what)
                };
                let (what, most) = (
                    format!("{what}, {dialect:?}, {at:?}"),
                    max_bytes_taken(what),
                );
                assert!(result.is_err(), "{what}: {result:?}");
                // v1 reads a page again in parts when the server refuses the page, which none of
                // these answers do.
                assert!(
                    peer.calls().len() <= calls,
                    "{what}: nothing is tried twice"
                );
                assert_eq!(peer.write_calls().len(), 0, "{what}");
                assert_eq!(fixture.commit_count().await, 1, "{what}");
                assert_eq!(fixture.balance().await, (100, 0, 0), "{what}");
                assert_mentions(&pass_messages(&result), expect, &what);
                // The kernel buffers some more megabytes of a connection.
                assert!(
                    peer.bytes_taken() < most,
                    "{what}: {} bytes",
                    peer.bytes_taken()
                );
            }
        }
    }
}

/// The earlier calls were answered properly, and the useless answer concerns whether the booking
/// may be confirmed: the booking is left pending and the report says so, or the pass ends with the
/// reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_before_the_write_leaves_the_booking_pending() {
    for (what, reply, expect) in useless_answers() {
        let looks = v1_and_v2().into_iter().flat_map(|dialect| {
            [
                PassCall::EventTypes,
                PassCall::Accepted,
                PassCall::ReadBooking,
            ]
            .map(|at| (dialect, at))
        });
        // The passes run in parallel, because they mostly wait.
        let passes = looks.map(|(dialect, at)| {
            tokio::spawn(check_useless_answer(
                what,
                reply.clone(),
                expect,
                dialect,
                at,
            ))
        });
        for pass in passes.collect::<Vec<_>>() {
            pass.await.unwrap();
        }
    }
}

async fn check_useless_answer(
    what: &str,
    reply: Reply,
    expect: &str,
    dialect: Dialect,
    at: PassCall,
) {
    let limit = call_timeout(&reply);
    let peer = model_server::serve(dialect, vec![confirmable_row(dialect)], move |step, _| {
        (step == at).then(|| reply.clone())
    });
    let fixture = PeerFixture::with_timeout(&peer.address, dialect, limit).await;
    let result = within_patience(fixture.pass()).await;
    let most = 8 + max_calls_after(what);
    let what = format!("{what}, {dialect:?}, {at:?}");
    assert_eq!(peer.write_calls().len(), 0, "{what}");
    let asked: Vec<_> = peer.calls().into_iter().map(|one| one.target).collect();
    assert!(asked.len() <= most, "{what}: {asked:?}");
    let balance = fixture.balance().await;
    match (at, &result) {
        // The request is decided, and the hold stays: the next pass reads again.
        (PassCall::ReadBooking, Ok(report)) => {
            assert_eq!(step_outcome(report, "good"), "unresolved", "{what}");
            assert_eq!(balance, (99, 1, 0), "{what}");
        }
        _ => {
            assert_mentions(&pass_messages(&result), expect, &what);
            assert_eq!(balance, (100, 0, 0), "{what}");
        }
    }
}

/// A confirmation with a useless answer is sent once, stays open, and is settled by the reading of
/// the next pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_to_a_confirmation_is_cleared_up_by_the_next_pass() {
    for (what, reply, _) in useless_answers() {
        // `calcom_client` tests a time limit that runs out.
        if call_timeout(&reply) == SHORT_TIMEOUT {
            continue;
        }
        for dialect in v1_and_v2() {
            let what = format!("{what}, {dialect:?}");
            let odd = reply.clone();
            let peer =
                model_server::serve(dialect, vec![confirmable_row(dialect)], move |step, _| {
                    (step == PassCall::Write).then(|| odd.clone())
                });
            let fixture = PeerFixture::new(&peer.address, dialect).await;
            let report = within_patience(fixture.pass()).await.unwrap();
            assert_eq!(step_outcome(&report, "good"), "unresolved", "{what}");
            assert_eq!(fixture.balance().await, (99, 1, 0), "{what}");
            assert_eq!(
                peer.write_calls().len(),
                1,
                "{what}: {:?}",
                peer.write_calls()
            );
            // The confirmation took effect all the same, and the server is honest again.
            let mut row = confirmable_row(dialect);
            row["status"] = json!("accepted");
            let better = model_server::serve(dialect, vec![row], move |step, _| {
                (step == PassCall::Pending).then(|| list_page(dialect, &[]))
            });
            let fixture = fixture.with_server(&better.address);
            let report = within_patience(fixture.pass()).await.unwrap();
            assert_eq!(step_outcome(&report, "good"), "confirmed", "{what}");
            assert_eq!(fixture.balance().await, (99, 0, 1), "{what}");
            assert_eq!(better.write_calls().len(), 0, "{what}");
        }
    }
}

/// In v1 a call is between two readings, and the second reading is useless. The positive answer
/// counts, and the call is not repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_reading_after_a_confirmation_undoes_nothing() {
    for (what, reply, _) in useless_answers() {
        if call_timeout(&reply) == SHORT_TIMEOUT {
            continue;
        }
        let acted = AtomicBool::new(false);
        let dialect = Dialect::V1;
        let peer = model_server::serve(dialect, vec![confirmable_row(dialect)], move |step, _| {
            if step == PassCall::Write {
                acted.store(true, Ordering::Relaxed);
            }
            (step == PassCall::ReadBooking && acted.load(Ordering::Relaxed)).then(|| reply.clone())
        });
        let fixture = PeerFixture::new(&peer.address, dialect).await;
        let report = within_patience(fixture.pass()).await.unwrap();
        assert_eq!(
            peer.write_calls().len(),
            1,
            "{what}: {:?}",
            peer.write_calls()
        );
        let mut row = confirmable_row(dialect);
        row["status"] = json!("ACCEPTED");
        let better = model_server::serve(dialect, vec![row], |_, _| None);
        let fixture = fixture.with_server(&better.address);
        if step_outcome(&report, "good") != "confirmed" {
            assert_eq!(fixture.balance().await, (99, 1, 0), "{what}");
            let report = within_patience(fixture.pass()).await.unwrap();
            assert_eq!(step_outcome(&report, "good"), "confirmed", "{what}");
        }
        assert_eq!(fixture.balance().await, (99, 0, 1), "{what}");
        assert_eq!(better.write_calls().len(), 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_list_is_read_up_to_a_bound() {
    for (dialect, full) in [(Dialect::V2, 250), (Dialect::V1, 128)] {
        let peer = model_server::serve(dialect, Vec::new(), move |step, asked| match step {
            PassCall::Pending | PassCall::ReadBooking => {
                let first = 100 + skipped_rows(&asked.target, full);
                Some(list_page(dialect, &unguarded_rows(first, full)))
            }
            PassCall::Me | PassCall::EventTypes | PassCall::Accepted | PassCall::Write => None,
        });
        let fixture = PeerFixture::new(&peer.address, dialect).await;
        let result = fixture.pass().await;
        assert_mentions(&pass_messages(&result), "too-many-pending", "endless pages");
        assert_eq!(peer.calls().len(), 41, "me and forty pages");
        assert_eq!(
            (peer.write_calls().len(), fixture.commit_count().await),
            IDLE_PASS_COUNTS
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endlessly_repeated_page_is_noticed_at_once() {
    for (dialect, full) in [(Dialect::V2, 250), (Dialect::V1, 128)] {
        let rows = unguarded_rows(100, full);
        let peer = model_server::serve(dialect, Vec::new(), move |step, _| match step {
            PassCall::Pending | PassCall::ReadBooking => Some(list_page(dialect, &rows)),
            PassCall::Me | PassCall::EventTypes | PassCall::Accepted | PassCall::Write => None,
        });
        let fixture = PeerFixture::new(&peer.address, dialect).await;
        let result = fixture.pass().await;
        assert_mentions(&pass_messages(&result), "page-repeated", "a repeated page");
        assert!(result.unwrap().deferral.list_incomplete, "{dialect:?}");
        assert_eq!(peer.calls().len(), 3, "me, the page, the page again");
        assert_eq!(
            (peer.write_calls().len(), fixture.commit_count().await),
            IDLE_PASS_COUNTS
        );
    }
}

/// Fault A11: a server that ignores the filter of the list. The request is not decided, but it is
/// counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_behind_a_repeated_page_of_accepted_bookings_is_put_off_and_counted() {
    let rows = unguarded_rows(100, 250);
    let peer = model_server::serve(
        Dialect::V2,
        vec![confirmable_row(Dialect::V2)],
        move |step, _| (step == PassCall::Accepted).then(|| list_page(Dialect::V2, &rows)),
    );
    let fixture = PeerFixture::new(&peer.address, Dialect::V2).await;
    let result = fixture.pass().await;
    assert_mentions(&pass_messages(&result), "page-repeated", "a repeated page");
    let report = result.unwrap();
    assert_eq!(
        (report.deferral.requests, report.deferral.list_incomplete),
        (1, false)
    );
    assert_eq!(
        (peer.write_calls().len(), fixture.commit_count().await),
        IDLE_PASS_COUNTS
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_very_many_rows_is_read_up_to_a_bound() {
    for dialect in v1_and_v2() {
        let page = list_page(dialect, &unguarded_rows(100, 1_500));
        let peer = model_server::serve(dialect, Vec::new(), move |step, _| {
            matches!(step, PassCall::Pending | PassCall::ReadBooking).then(|| page.clone())
        });
        let fixture = PeerFixture::new(&peer.address, dialect).await;
        let result = within_patience(fixture.pass()).await;
        assert_mentions(
            &pass_messages(&result),
            "more rows than were asked for",
            "many rows",
        );
        assert_eq!(
            (peer.write_calls().len(), fixture.commit_count().await),
            IDLE_PASS_COUNTS
        );
    }
}

/// A redirect at any step is not followed, and its target receives nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_not_followed_at_any_step() {
    for dialect in v1_and_v2() {
        for at in [
            PassCall::Me,
            PassCall::Pending,
            PassCall::EventTypes,
            PassCall::Accepted,
            PassCall::ReadBooking,
            PassCall::Write,
        ] {
            let other = Peer::start(|_| Reply::Bytes(Vec::new()));
            let place = format!("location: {}/v2/me?apiKey={KEY}\r\n", other.address);
            let peer =
                model_server::serve(dialect, vec![confirmable_row(dialect)], move |step, _| {
                    let moved = || full_response("307 Temporary Redirect", &place, b"");
                    (step == at).then(|| Reply::Bytes(moved()))
                });
            let fixture = PeerFixture::new(&peer.address, dialect).await;
            let result = within_patience(fixture.pass()).await;
            let what = format!("{dialect:?} {at:?}");
            assert_eq!(other.calls().len(), 0, "{what}");
            assert_eq!(
                peer.write_calls().len(),
                usize::from(at == PassCall::Write),
                "{what}"
            );
            let (_, _, posted) = fixture.balance().await;
            assert_eq!(posted, 0, "{what}");
            match (at, &result) {
                (PassCall::ReadBooking | PassCall::Write, Ok(report)) => {
                    assert_eq!(step_outcome(report, "good"), "unresolved", "{what}");
                }
                _ => assert_mentions(&pass_messages(&result), "sends the call elsewhere", &what),
            }
        }
    }
}

/// A limited number of interim answers is no reason to give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_interim_answers_and_http_1_0_are_accepted() {
    let row = confirmable_row(Dialect::V2);
    let body = json!({"status": "success", "data": [row]}).to_string();
    let old = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}");
    let early = [
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(5),
        json_answer("200 OK", &body),
    ]
    .concat();
    for bytes in [old.into_bytes(), early] {
        let peer = model_server::serve(Dialect::V2, vec![row.clone()], move |step, _| {
            (step == PassCall::Pending).then(|| Reply::Bytes(bytes.clone()))
        });
        let fixture = PeerFixture::new(&peer.address, Dialect::V2).await;
        let report: PassReport = fixture.pass().await.unwrap();
        assert_eq!(step_outcome(&report, "good"), "confirmed");
        assert_eq!(fixture.balance().await, (99, 0, 1));
    }
}
