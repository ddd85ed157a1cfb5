//! Servers that answer everything, each call just before its time limit: what a pass and a watch take
//! is bounded by the number of their calls, each of which has its limit, and by the word to stop. There is
//! no limit for the whole: who is slow and honest has to be read to the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use maitred::calcom::port::Dialect;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::cal::{self, Step, good};
use super::door::{Door, PATIENT};
use super::pages::{list, skipped, strangers, v1_and_v2};
use super::peer::{Asked, Peer, Reply};
use super::watches::{self, Ask};

/// How long a call may take here, and how long it takes: near to it for a machine under load.
const LIMIT: Duration = Duration::from_secs(3);
const TAKES: Duration = Duration::from_millis(120);

/// How soon a pass or a watch ends that is told to stop while a server does not answer: far below the
/// time limit of a call, which is [`PATIENT`].
const SOON: Duration = Duration::from_secs(8);

fn late(reply: Reply, pause: Duration) -> Reply {
    match reply {
        Reply::Bytes(bytes) => Reply::Late(pause, bytes),
        other => other,
    }
}

fn full(dialect: Dialect) -> i64 {
    match dialect {
        Dialect::V2 => 250,
        Dialect::V1 => 128,
    }
}

/// A page of strangers, as there is always another one.
fn page(dialect: Dialect, asked: &Asked) -> Reply {
    let full = full(dialect);
    list(
        dialect,
        &strangers(100 + skipped(&asked.target, full), full),
    )
}

#[allow(
    clippy::disallowed_methods,
    reason = "the time limits are what is tested"
)]
async fn taken(work: impl Future<Output = ()>) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}

/// Pages without end, each in time: forty of them are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_just_in_time_takes_no_more_than_the_time_of_his_calls() {
    let looks = v1_and_v2().into_iter().flat_map(|dialect| {
        [true, false].map(|watch| {
            tokio::spawn(async move {
                let peer = Peer::start(move |asked| {
                    let reply = if asked.path().ends_with("/bookings") {
                        page(dialect, asked)
                    } else {
                        Reply::Bytes(cal::shown(dialect, &[], asked))
                    };
                    late(reply, TAKES)
                });
                let door = Door::within(&peer.address, dialect, LIMIT).await;
                let took = taken(async {
                    if watch {
                        drop(door.watch(false).await);
                    } else {
                        drop(door.pass().await);
                    }
                })
                .await;
                let calls = u32::try_from(peer.asked().len()).unwrap();
                println!("{dialect:?}, watch {watch}: {calls} calls in {took:?}");
                // v1 reads but four pages of what was written lately. A watch also lists what was made
                // lately.
                let most = match (watch, dialect) {
                    (true, Dialect::V1) => 6,
                    (true, Dialect::V2) => 42,
                    (false, _) => 41,
                };
                assert_eq!(calls, most, "{dialect:?}, watch {watch}");
                assert!(took >= TAKES * calls, "{took:?} for {calls} calls");
                assert!(took < LIMIT * calls, "{took:?} for {calls} calls");
                assert_eq!((peer.writes().len(), door.commits().await), (0, 1));
            })
        })
    });
    for look in looks.collect::<Vec<_>>() {
        look.await.unwrap();
    }
}

/// Starts the work, says stop once the call is under way, and sees it end.
async fn stopped(what: &str, door: &Door, watch: Option<bool>, waits: impl Fn() -> bool) {
    let work = async {
        match watch {
            Some(audit) => drop(door.watch(audit).await),
            None => drop(door.pass().await),
        }
    };
    let stop = async {
        while !waits() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        door.stop.set();
    };
    let took = timeout(PATIENT, async {
        tokio::join!(work, timeout(PATIENT, stop))
    });
    let took = taken(async { took.await.expect(what).1.expect(what) }).await;
    assert!(took < SOON, "{what}: {took:?}");
}

/// Longer than any patience here, and shorter than the time limit.
const HANGS: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_waits_for_an_answer_while_it_looks_ends_when_it_is_told_to() {
    for dialect in v1_and_v2() {
        for at in [
            Step::Me,
            Step::Pending,
            Step::EventTypes,
            Step::Accepted,
            Step::Look,
        ] {
            // v1 looks as a part of its call, which is finished.
            if (dialect, at) == (Dialect::V1, Step::Look) {
                continue;
            }
            let what = format!("{dialect:?}, {at:?}");
            let hung = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&hung);
            let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
                (step == at).then(|| {
                    told.store(true, Ordering::Relaxed);
                    Reply::Late(HANGS, Vec::new())
                })
            });
            let door = Door::before(&peer.address, dialect).await;
            let hangs = || hung.load(Ordering::Relaxed);
            stopped(&what, &door, None, hangs).await;
            // The grant, and what was decided before it was looked at once more.
            let commits = if at == Step::Look { 2 } else { 1 };
            assert_eq!(peer.writes().len(), 0, "{what}");
            assert_eq!(door.commits().await, commits, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_waits_for_an_answer_ends_when_it_is_told_to() {
    let good = |dialect| {
        let mut row: Value = good(dialect);
        row["status"] = json!("accepted");
        vec![row]
    };
    for dialect in v1_and_v2() {
        for (at, audit) in [
            (Ask::Written, false),
            (Ask::Upcoming, true),
            (Ask::Past, true),
            (Ask::One("good"), true),
        ] {
            let what = format!("{dialect:?}, {at:?}");
            let rows = if at == Ask::One("good") {
                Vec::new()
            } else {
                good(dialect)
            };
            let hung = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&hung);
            let peer = watches::serve(dialect, rows, move |ask, _| {
                (ask == at).then(|| {
                    told.store(true, Ordering::Relaxed);
                    Reply::Late(HANGS, Vec::new())
                })
            });
            let honest = cal::serve(dialect, vec![super::cal::good(dialect)], |_, _| None);
            let mut door = Door::before(&honest.address, dialect).await;
            door.pass().await.unwrap();
            let commits = door.commits().await;
            door.turn_to(&peer.address, PATIENT);
            let hangs = || hung.load(Ordering::Relaxed);
            stopped(&what, &door, Some(audit), hangs).await;
            assert_eq!(
                (peer.writes().len(), door.commits().await),
                (0, commits),
                "{what}"
            );
        }
    }
}
