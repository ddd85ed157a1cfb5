//! Watches before lists and chains of moves that do not end, and before a booking that is to be
//! cancelled and cannot be read.

use maitred::calcom::port::Dialect;
use maitred::domain::terms::Unmanaged;
use maitred::domain::time::Span;
use maitred::domain::watch::What;
use serde_json::{Value, json};

use super::cal::{self, good};
use super::door::{HASTY, PATIENT};
use super::mutate::all;
use super::pages::{limit, list, says, skipped, strangers, timed, useless, v1_and_v2};
use super::peer::{Asked, Peer, Reply, json as json_answer};
use super::watches::{Ask, FEW_CALLS, Scene, ask, house, is, row, scenes, serve, with};
use super::wire;

/// The rows that stand in a list, when it is one of those that are answered badly.
fn listed(ask: Ask) -> bool {
    matches!(
        ask,
        Ask::Written | Ask::Made | Ask::Upcoming | Ask::Past | Ask::Pending
    )
}

fn full(dialect: Dialect) -> i64 {
    match dialect {
        Dialect::V2 => 250,
        Dialect::V1 => 128,
    }
}

/// A house with a charge and a request that waits, before a server whose lists are made by `page`:
/// it watches, thoroughly or shortly, and nothing comes of it until the lists are honest again.
async fn before_lists(
    dialect: Dialect,
    audit: bool,
    what: &str,
    page: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Vec<Asked>, Vec<String>) {
    let noted = |scene: &Scene| scene.at == Ask::Pending;
    let scene = scenes(dialect).into_iter().find(noted).unwrap();
    let mut door = house(&scene).await;
    let (commits, balance) = (door.commits().await, door.balance().await);
    // By name all is as it was.
    let mut rows = scene.before.clone();
    rows[0]["status"] = json!("accepted");
    let peer = serve(dialect, rows.clone(), move |ask, asked| {
        listed(ask).then(|| page(asked))
    });
    door.turn_to(&peer.address, PATIENT);
    let watching = timed(door.watch(audit)).await;
    let changes = watching.result.map_or(Vec::new(), |done| done.changes);
    assert_eq!(changes, [], "{what}");
    assert_eq!(peer.writes().len(), 0, "{what}");
    assert_eq!(door.commits().await, commits, "{what}: written");
    assert_eq!(door.balance().await, balance, "{what}");
    watching.said.iter().for_each(|text| wire::readable(text));
    rows[0]["status"] = json!("cancelled");
    let honest = serve(dialect, rows, |_, _| None);
    door.turn_to(&honest.address, PATIENT);
    let done = door.watch(audit).await.result.unwrap();
    let found: Vec<What> = done.changes.iter().map(|change| change.what).collect();
    assert_eq!(found, [What::Refunded], "{what}");
    (peer.asked(), watching.said)
}

/// Pages of one kind of list that were asked for.
fn pages(asked: &[Asked], kind: Ask) -> usize {
    asked.iter().filter(|one| ask(one) == kind).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_without_end_are_read_so_far_and_no_further() {
    for dialect in v1_and_v2() {
        for (repeats, audit) in [(false, false), (true, true), (false, true), (true, false)] {
            // The lists are read by one loop.
            if repeats != audit && !all() {
                continue;
            }
            let what = format!("{dialect:?}, repeats {repeats}, audit {audit}");
            let (asked, said) = before_lists(dialect, audit, &what, move |asked| {
                let full = full(dialect);
                let skipped = if repeats {
                    0
                } else {
                    skipped(&asked.target, full)
                };
                list(dialect, &strangers(100 + skipped, full))
            })
            .await;
            let kinds: &[Ask] = match audit {
                false => &[Ask::Written, Ask::Made],
                true => &[
                    Ask::Written,
                    Ask::Made,
                    Ask::Upcoming,
                    Ask::Past,
                    Ask::Pending,
                ],
            };
            for kind in kinds {
                // v1 does not show when a booking was written, so that list ends by itself.
                let most = if dialect == Dialect::V1 && *kind == Ask::Written {
                    4
                } else {
                    40
                };
                let count = pages(&asked, *kind);
                assert!(
                    count >= 1 && count <= most,
                    "{what}, {kind:?}: {count} pages"
                );
            }
            assert!(asked.len() <= 40 * kinds.len() + FEW_CALLS, "{what}");
            if audit || dialect == Dialect::V2 {
                says(&said, "too-many-changes", &what);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_very_many_rows_are_read_so_far_and_no_further() {
    for dialect in v1_and_v2() {
        for audit in [false, true] {
            let what = format!("{dialect:?}, audit {audit}");
            let (asked, said) = before_lists(dialect, audit, &what, move |asked| {
                let first = 100 + skipped(&asked.target, full(dialect));
                match first {
                    100 => list(dialect, &strangers(first, 3_000)),
                    _ => list(dialect, &[]),
                }
            })
            .await;
            says(&said, "more rows than were asked for", &what);
            assert!(asked.len() <= 8 + FEW_CALLS, "{what}: {}", asked.len());
        }
    }
}

/// Every booking was moved to another one, or came from another one, without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_without_end_are_followed_so_far_and_no_further() {
    let moved = |uid: &str, n: i64, field: &str, other: String| {
        let (start, end) = ("2026-12-01T09:00:00.000Z", "2026-12-01T10:00:00.000Z");
        let row = cal::row(Dialect::V2, uid, n, start, end);
        let fields = [
            ("status", json!("cancelled")),
            ("createdAt", json!("2026-11-20T08:00:00.000Z")),
            (field, json!(other)),
        ];
        with(row, &fields)
    };
    for field in ["rescheduledToUid", "rescheduledFromUid"] {
        let page = move |_: &Asked| {
            let row = |n: i64| moved(&format!("u{n}x0"), 100 + n, field, format!("u{n}x1"));
            let mut rows: Vec<Value> = (0..249).map(row).collect();
            if field == "rescheduledToUid" {
                rows.push(moved("good", 7, field, "u0x0".to_owned()));
            }
            list(Dialect::V2, &rows)
        };
        let scene = &scenes(Dialect::V2)[1];
        let mut door = house(scene).await;
        let (commits, balance) = (door.commits().await, door.balance().await);
        let peer = Peer::start(move |asked| match ask(asked) {
            Ask::Written if skipped(&asked.target, 250) == 0 => page(asked),
            Ask::Other => {
                let name = asked.path().rsplit('/').next().unwrap();
                let (first, n) = name.split_once('x').unwrap();
                let next = format!("{first}x{}", n.parse::<u64>().unwrap() + 1);
                let row = moved(name, 100, field, next);
                let body = json!({"status": "success", "data": row}).to_string();
                Reply::Bytes(json_answer("200 OK", &body))
            }
            _ => Reply::Bytes(cal::shown(Dialect::V2, &[], asked)),
        });
        door.turn_to(&peer.address, PATIENT);
        let watching = timed(door.watch(false)).await;
        println!(
            "{field}: {} calls; {:?}",
            peer.asked().len(),
            watching.said.last()
        );
        assert!(peer.asked().len() < 700, "{field}: {}", peer.asked().len());
        assert_eq!(peer.writes().len(), 0, "{field}");
        assert_eq!(door.commits().await, commits, "{field}");
        assert_eq!(door.balance().await, balance, "{field}");
        let expect = match field {
            "rescheduledFromUid" => "too-many-changes",
            _ => "chain-too-long",
        };
        says(&watching.said, expect, field);
    }
}

/// Others accepted it, and it is to be cancelled: what was read right before says nothing, so that
/// nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_not_cancelled() {
    for (what, reply, _) in useless() {
        if limit(&reply) == HASTY && !all() {
            continue;
        }
        for dialect in v1_and_v2() {
            let what = format!("{dialect:?}: {what}");
            let scene = &scenes(dialect)[0];
            let mut door = house(scene).await;
            for gate in &mut door.policy.gates {
                gate.terms.unmanaged = Unmanaged::Cancel;
            }
            let balance = door.balance().await;
            let rows = vec![
                is(good(dialect), "accepted"),
                is(row(dialect, "others", 3), "accepted"),
            ];
            let (within, odd) = (limit(&reply), reply.clone());
            let peer = serve(dialect, rows.clone(), move |ask, _| {
                (ask == Ask::One("others")).then(|| odd.clone())
            });
            door.turn_to(&peer.address, within);
            let watching = timed(door.watch(true)).await;
            watching.said.iter().for_each(|text| wire::readable(text));
            let changes = watching.result.map_or(Vec::new(), |done| done.changes);
            assert_eq!((changes, peer.writes().len()), (Vec::new(), 0), "{what}");
            assert_eq!(door.balance().await, balance, "{what}");
            if what.ends_with("an answer of another kind") {
                // It stays open, and the watch carries it out once the booking can be read.
                let honest = serve(dialect, rows, |_, _| None);
                door.turn_to(&honest.address, PATIENT);
                door.clock.advance(Span::hours(1));
                door.pass().await.unwrap();
                door.watch(true).await;
                assert_eq!(honest.writes().len(), 1, "{what}");
            }
        }
    }
}
