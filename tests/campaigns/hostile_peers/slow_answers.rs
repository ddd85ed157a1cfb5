//! Servers that answer everything, each call just before its time limit: the number of calls, each
//! of which has its limit, and the stop signal bound the time of a pass and a watch. There is no
//! limit for the whole, because a slow and honest server must be read to the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use maitred::domain::dialect::Dialect;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::model_server::{self, PassCall, confirmable_row};
use super::peer_fixture::{LONG_TIMEOUT, PeerFixture};
use super::useless_answers::{list_page, skipped_rows, unguarded_rows, v1_and_v2};
use super::watches::{self, WatchCall};
use crate::fixture::http_server::{Peer, ReceivedCall, Reply};

/// How long a call may take here, and how long it takes: close to the limit for a machine under
/// load.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_DELAY: Duration = Duration::from_millis(120);

/// How soon a pass or a watch must end after a stop signal while a server does not answer: far
/// below the time limit of a call, which is [`LONG_TIMEOUT`].
const MAX_STOP_TIME: Duration = Duration::from_secs(8);

fn delay_reply(reply: Reply, pause: Duration) -> Reply {
    match reply {
        Reply::Bytes(bytes) => Reply::Delayed(pause, bytes),
        other => other,
    }
}

fn full_page_rows(dialect: Dialect) -> i64 {
    match dialect {
        Dialect::V2 => 250,
        Dialect::V1 => 128,
    }
}

/// Returns a page of bookings without a gate; there is always another page.
fn page_of_unguarded_rows(dialect: Dialect, asked: &ReceivedCall) -> Reply {
    let full = full_page_rows(dialect);
    list_page(
        dialect,
        &unguarded_rows(100 + skipped_rows(&asked.target, full), full),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time limits are what is tested"
)]
async fn measure_time(work: impl Future<Output = ()>) -> Duration {
    let started = Instant::now();
    work.await;
    started.elapsed()
}

/// Endless pages, each in time: forty of them are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_just_in_time_delays_a_pass_by_its_calls_only() {
    let looks = v1_and_v2().into_iter().flat_map(|dialect| {
        [true, false].map(|watch| {
            tokio::spawn(async move {
                let peer = Peer::start(move |asked| {
                    let reply = if asked.path().ends_with("/bookings") {
                        page_of_unguarded_rows(dialect, asked)
                    } else {
                        Reply::Bytes(model_server::render_rows(dialect, &[], asked))
                    };
                    delay_reply(reply, ANSWER_DELAY)
                });
                let fixture = PeerFixture::with_timeout(&peer.address, dialect, CALL_TIMEOUT).await;
                let took = measure_time(async {
                    if watch {
                        drop(fixture.watch(false).await);
                    } else {
                        drop(fixture.pass().await);
                    }
                })
                .await;
                let calls = u32::try_from(peer.calls().len()).unwrap();
                println!("{dialect:?}, watch {watch}: {calls} calls in {took:?}");
                // v1 reads only four pages of recent changes. A watch also lists recently created
                // bookings.
                let most = match (watch, dialect) {
                    (true, Dialect::V1) => 6,
                    (true, Dialect::V2) => 42,
                    (false, _) => 41,
                };
                assert_eq!(calls, most, "{dialect:?}, watch {watch}");
                assert!(took >= ANSWER_DELAY * calls, "{took:?} for {calls} calls");
                assert!(took < CALL_TIMEOUT * calls, "{took:?} for {calls} calls");
                assert_eq!(
                    (peer.write_calls().len(), fixture.commit_count().await),
                    (0, 1)
                );
            })
        })
    });
    for look in looks.collect::<Vec<_>>() {
        look.await.unwrap();
    }
}

/// Starts the work, sets the stop signal once the call is under way, and checks that the work ends.
async fn check_stop(
    what: &str,
    fixture: &PeerFixture,
    watch: Option<bool>,
    waits: impl Fn() -> bool,
) {
    let work = async {
        match watch {
            Some(audit) => drop(fixture.watch(audit).await),
            None => drop(fixture.pass().await),
        }
    };
    let stop = async {
        while !waits() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fixture.stop.set();
    };
    let took = timeout(LONG_TIMEOUT, async {
        tokio::join!(work, timeout(LONG_TIMEOUT, stop))
    });
    let took = measure_time(async { took.await.expect(what).1.expect(what) }).await;
    assert!(took < MAX_STOP_TIME, "{what}: {took:?}");
}

/// Longer than the maximum stop time, and shorter than the time limit of a call.
const HANG_DURATION: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_waits_for_a_reading_ends_at_the_stop_signal() {
    for dialect in v1_and_v2() {
        for at in [
            PassCall::Me,
            PassCall::Pending,
            PassCall::EventTypes,
            PassCall::Accepted,
            PassCall::ReadBooking,
        ] {
            // v1 reads as a part of its call, and the call is finished.
            if (dialect, at) == (Dialect::V1, PassCall::ReadBooking) {
                continue;
            }
            let what = format!("{dialect:?}, {at:?}");
            let hung = Arc::new(AtomicBool::new(false));
            let waiting = Arc::clone(&hung);
            let peer =
                model_server::serve(dialect, vec![confirmable_row(dialect)], move |step, _| {
                    (step == at).then(|| {
                        waiting.store(true, Ordering::Relaxed);
                        Reply::Delayed(HANG_DURATION, Vec::new())
                    })
                });
            let fixture = PeerFixture::new(&peer.address, dialect).await;
            let hangs = || hung.load(Ordering::Relaxed);
            check_stop(&what, &fixture, None, hangs).await;
            // The grant, and the decision before the last reading.
            let commits = if at == PassCall::ReadBooking { 2 } else { 1 };
            assert_eq!(peer.write_calls().len(), 0, "{what}");
            assert_eq!(fixture.commit_count().await, commits, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_waits_for_an_answer_ends_at_the_stop_signal() {
    let good = |dialect| {
        let mut row: Value = confirmable_row(dialect);
        row["status"] = json!("accepted");
        vec![row]
    };
    for dialect in v1_and_v2() {
        for (at, audit) in [
            (WatchCall::ListUpdated, false),
            (WatchCall::ListUpcoming, true),
            (WatchCall::ListPast, true),
            (WatchCall::Booking("good"), true),
        ] {
            let what = format!("{dialect:?}, {at:?}");
            let rows = if at == WatchCall::Booking("good") {
                Vec::new()
            } else {
                good(dialect)
            };
            let hung = Arc::new(AtomicBool::new(false));
            let waiting = Arc::clone(&hung);
            let peer = watches::serve(dialect, rows, move |ask, _| {
                (ask == at).then(|| {
                    waiting.store(true, Ordering::Relaxed);
                    Reply::Delayed(HANG_DURATION, Vec::new())
                })
            });
            let honest = model_server::serve(
                dialect,
                vec![super::model_server::confirmable_row(dialect)],
                |_, _| None,
            );
            let mut fixture = PeerFixture::new(&honest.address, dialect).await;
            fixture.pass().await.unwrap();
            let commits = fixture.commit_count().await;
            fixture.connect_to(&peer.address, LONG_TIMEOUT);
            let hangs = || hung.load(Ordering::Relaxed);
            check_stop(&what, &fixture, Some(audit), hangs).await;
            assert_eq!(
                (peer.write_calls().len(), fixture.commit_count().await),
                (0, commits),
                "{what}"
            );
        }
    }
}
