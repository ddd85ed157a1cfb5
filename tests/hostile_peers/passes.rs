//! Whole passes in which one call is answered by somebody who means no good.

use std::sync::atomic::{AtomicBool, Ordering};

use maitred::calcom::port::Dialect;
use maitred::reconcile::report::Report;
use serde_json::json;

use super::cal::{self, Step, good};
use super::common::{KEY, ended};
use super::door::{Door, HASTY, told};
use super::pages::{
    limit, list, most_taken, parts, says, skipped, strangers, timed, useless, v1_and_v2,
};
use super::peer::{Peer, Reply, json as json_answer, whole};

/// Writes at Cal.com and commits after a pass that decides nothing: the grant alone.
const IDLE: (usize, u64) = (0, 1);

/// The server is everything that it was not when the pass begins to look: nothing is written down
/// and nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_while_looking_ends_the_pass_with_nothing_done() {
    for (what, reply, expect) in useless() {
        for dialect in v1_and_v2() {
            for at in [Step::Me, Step::Pending] {
                let limit = limit(&reply);
                let odd = reply.clone();
                // The parts of a list are lists again.
                let in_parts = at == Step::Pending && parts(what) > 0;
                let peer = cal::serve(dialect, vec![good(dialect)], move |step, asked| {
                    let part = in_parts && asked.path().ends_with("/bookings");
                    (step == at || part).then(|| odd.clone())
                });
                let door = Door::within(&peer.address, dialect, limit).await;
                let result = timed(door.pass()).await;
                let calls = if at == Step::Me { 1 } else { 2 + parts(what) };
                let (what, most) = (format!("{what}, {dialect:?}, {at:?}"), most_taken(what));
                assert!(result.is_err(), "{what}: {result:?}");
                // v1 reads a page again in parts when the server refuses it, which none of these do.
                assert!(
                    peer.asked().len() <= calls,
                    "{what}: nothing is tried twice"
                );
                assert_eq!(peer.writes().len(), 0, "{what}");
                assert_eq!(door.commits().await, 1, "{what}");
                assert_eq!(door.balance().await, (100, 0, 0), "{what}");
                says(&told(&result), expect, &what);
                // What the kernel holds of a connection is some megabytes more.
                assert!(peer.taken() < most, "{what}: {} bytes", peer.taken());
            }
        }
    }
}

/// The same when the calls before it were answered well, and the doubt is about whether the booking
/// may be confirmed: it is left pending and the report says so, or the pass ends with the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_before_acting_leaves_the_booking_pending() {
    for (what, reply, expect) in useless() {
        let looks = v1_and_v2().into_iter().flat_map(|dialect| {
            [Step::EventTypes, Step::Accepted, Step::Look].map(|at| (dialect, at))
        });
        // Side by side: most of the time is spent in waiting.
        let passes = looks.map(|(dialect, at)| {
            tokio::spawn(before_acting(what, reply.clone(), expect, dialect, at))
        });
        for pass in passes.collect::<Vec<_>>() {
            pass.await.unwrap();
        }
    }
}

async fn before_acting(what: &str, reply: Reply, expect: &str, dialect: Dialect, at: Step) {
    let limit = limit(&reply);
    let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
        (step == at).then(|| reply.clone())
    });
    let door = Door::within(&peer.address, dialect, limit).await;
    let result = timed(door.pass()).await;
    let most = 8 + parts(what);
    let what = format!("{what}, {dialect:?}, {at:?}");
    assert_eq!(peer.writes().len(), 0, "{what}");
    let asked: Vec<_> = peer.asked().into_iter().map(|one| one.target).collect();
    assert!(asked.len() <= most, "{what}: {asked:?}");
    let balance = door.balance().await;
    match (at, &result) {
        // Decided, and the hold stands: the next pass looks again.
        (Step::Look, Ok(report)) => {
            assert_eq!(ended(report, "good"), "unresolved", "{what}");
            assert_eq!(balance, (99, 1, 0), "{what}");
        }
        _ => {
            says(&told(&result), expect, &what);
            assert_eq!(balance, (100, 0, 0), "{what}");
        }
    }
}

/// A confirmation whose answer is useless is sent once, kept open, and settled by what the next pass
/// reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_to_a_confirmation_is_cleared_up_by_the_next_pass() {
    for (what, reply, _) in useless() {
        // A time limit that runs out is looked at in `calcom_client`.
        if limit(&reply) == HASTY {
            continue;
        }
        for dialect in v1_and_v2() {
            let what = format!("{what}, {dialect:?}");
            let odd = reply.clone();
            let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
                (step == Step::Act).then(|| odd.clone())
            });
            let door = Door::before(&peer.address, dialect).await;
            let report = timed(door.pass()).await.unwrap();
            assert_eq!(ended(&report, "good"), "unresolved", "{what}");
            assert_eq!(door.balance().await, (99, 1, 0), "{what}");
            assert_eq!(peer.writes().len(), 1, "{what}: {:?}", peer.writes());
            // It was carried out all the same, and the server is its old self.
            let mut row = good(dialect);
            row["status"] = json!("accepted");
            let better = cal::serve(dialect, vec![row], move |step, _| {
                (step == Step::Pending).then(|| list(dialect, &[]))
            });
            let door = door.facing(&better.address);
            let report = timed(door.pass()).await.unwrap();
            assert_eq!(ended(&report, "good"), "confirmed", "{what}");
            assert_eq!(door.balance().await, (99, 0, 1), "{what}");
            assert_eq!(better.writes().len(), 0, "{what}");
        }
    }
}

/// In v1 a call is between two readings; the one after it is useless. The yes was heard, and is not
/// asked for again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_reading_after_a_confirmation_undoes_nothing() {
    for (what, reply, _) in useless() {
        if limit(&reply) == HASTY {
            continue;
        }
        let acted = AtomicBool::new(false);
        let dialect = Dialect::V1;
        let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
            if step == Step::Act {
                acted.store(true, Ordering::Relaxed);
            }
            (step == Step::Look && acted.load(Ordering::Relaxed)).then(|| reply.clone())
        });
        let door = Door::before(&peer.address, dialect).await;
        let report = timed(door.pass()).await.unwrap();
        assert_eq!(peer.writes().len(), 1, "{what}: {:?}", peer.writes());
        let mut row = good(dialect);
        row["status"] = json!("ACCEPTED");
        let better = cal::serve(dialect, vec![row], |_, _| None);
        let door = door.facing(&better.address);
        if ended(&report, "good") != "confirmed" {
            assert_eq!(door.balance().await, (99, 1, 0), "{what}");
            let report = timed(door.pass()).await.unwrap();
            assert_eq!(ended(&report, "good"), "confirmed", "{what}");
        }
        assert_eq!(door.balance().await, (99, 0, 1), "{what}");
        assert_eq!(better.writes().len(), 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_without_end_is_read_so_far_and_no_further() {
    for (dialect, full) in [(Dialect::V2, 250), (Dialect::V1, 128)] {
        let peer = cal::serve(dialect, Vec::new(), move |step, asked| match step {
            Step::Pending | Step::Look => {
                let first = 100 + skipped(&asked.target, full);
                Some(list(dialect, &strangers(first, full)))
            }
            Step::Me | Step::EventTypes | Step::Accepted | Step::Act => None,
        });
        let door = Door::before(&peer.address, dialect).await;
        let result = door.pass().await;
        says(&told(&result), "too-many-pending", "endless pages");
        assert_eq!(peer.asked().len(), 41, "me and forty pages");
        assert_eq!((peer.writes().len(), door.commits().await), IDLE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_repeats_for_ever_is_noticed_at_once() {
    for (dialect, full) in [(Dialect::V2, 250), (Dialect::V1, 128)] {
        let rows = strangers(100, full);
        let peer = cal::serve(dialect, Vec::new(), move |step, _| match step {
            Step::Pending | Step::Look => Some(list(dialect, &rows)),
            Step::Me | Step::EventTypes | Step::Accepted | Step::Act => None,
        });
        let door = Door::before(&peer.address, dialect).await;
        let result = door.pass().await;
        says(&told(&result), "page-repeated", "a repeated page");
        assert!(result.unwrap().put_off.unseen, "{dialect:?}");
        assert_eq!(peer.asked().len(), 3, "me, the page, the page again");
        assert_eq!((peer.writes().len(), door.commits().await), IDLE);
    }
}

/// The fault of A11: a server that ignores the filter of the list. The request is not decided, and
/// counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_behind_a_repeated_page_of_accepted_bookings_is_put_off_and_counted() {
    let rows = strangers(100, 250);
    let peer = cal::serve(Dialect::V2, vec![good(Dialect::V2)], move |step, _| {
        (step == Step::Accepted).then(|| list(Dialect::V2, &rows))
    });
    let door = Door::before(&peer.address, Dialect::V2).await;
    let result = door.pass().await;
    says(&told(&result), "page-repeated", "a repeated page");
    let report = result.unwrap();
    assert_eq!((report.put_off.requests, report.put_off.unseen), (1, false));
    assert_eq!((peer.writes().len(), door.commits().await), IDLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_very_many_rows_is_read_so_far_and_no_further() {
    for dialect in v1_and_v2() {
        let page = list(dialect, &strangers(100, 1_500));
        let peer = cal::serve(dialect, Vec::new(), move |step, _| {
            matches!(step, Step::Pending | Step::Look).then(|| page.clone())
        });
        let door = Door::before(&peer.address, dialect).await;
        let result = timed(door.pass()).await;
        says(&told(&result), "more rows than were asked for", "many rows");
        assert_eq!((peer.writes().len(), door.commits().await), IDLE);
    }
}

/// A redirect at any step is not followed, and its goal is told nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_leads_nowhere_at_any_step() {
    for dialect in v1_and_v2() {
        for at in [
            Step::Me,
            Step::Pending,
            Step::EventTypes,
            Step::Accepted,
            Step::Look,
            Step::Act,
        ] {
            let other = Peer::start(|_| Reply::Bytes(Vec::new()));
            let place = format!("location: {}/v2/me?apiKey={KEY}\r\n", other.address);
            let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
                let moved = || whole("307 Temporary Redirect", &place, b"");
                (step == at).then(|| Reply::Bytes(moved()))
            });
            let door = Door::before(&peer.address, dialect).await;
            let result = timed(door.pass()).await;
            let what = format!("{dialect:?} {at:?}");
            assert_eq!(other.asked().len(), 0, "{what}");
            assert_eq!(peer.writes().len(), usize::from(at == Step::Act), "{what}");
            let (_, _, posted) = door.balance().await;
            assert_eq!(posted, 0, "{what}");
            match (at, &result) {
                (Step::Look | Step::Act, Ok(report)) => {
                    assert_eq!(ended(report, "good"), "unresolved", "{what}");
                }
                _ => says(&told(&result), "sends the call elsewhere", &what),
            }
        }
    }
}

/// Storms of interim answers that come to an end are no reason to give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_interim_answers_and_the_manners_of_http_1_0_are_borne() {
    let row = good(Dialect::V2);
    let body = json!({"status": "success", "data": [row]}).to_string();
    let old = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}");
    let early = [
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(5),
        json_answer("200 OK", &body),
    ]
    .concat();
    for bytes in [old.into_bytes(), early] {
        let peer = cal::serve(Dialect::V2, vec![row.clone()], move |step, _| {
            (step == Step::Pending).then(|| Reply::Bytes(bytes.clone()))
        });
        let door = Door::before(&peer.address, Dialect::V2).await;
        let report: Report = door.pass().await.unwrap();
        assert_eq!(ended(&report, "good"), "confirmed");
        assert_eq!(door.balance().await, (99, 0, 1));
    }
}
