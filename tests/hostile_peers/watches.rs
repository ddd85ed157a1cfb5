//! Whole watches in which one kind of call is answered by somebody who means no good: what was
//! charged stays charged, nothing is closed, given back or cancelled by what was not read; and once
//! the server is its old self, the next watch does what there is to do.

use maitred::calcom::port::Dialect;
use maitred::domain::criteria::effect::{Effect, Wait};
use maitred::domain::terms::{Blame, Unmanaged};
use maitred::domain::time::Span;
use maitred::domain::watch::What;
use serde_json::{Value, json};

use super::cal;
use super::door::{Door, PATIENT};
use super::mutate::all;
use super::pages::{limit, most_taken, parts, says, timed, useless, v1_and_v2};
use super::peer::{Asked, Peer, Reply};

/// What a call of a watch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Me,
    EventTypes,
    /// Lists of what was written lately, was made lately, is to come, is over, waits.
    Written,
    Made,
    Upcoming,
    Past,
    Pending,
    /// One booking by name, or a series.
    One(&'static str),
    /// A booking that no scene names.
    Other,
    Write,
}

/// Names and numbers of the bookings that the scenes are made of.
const NAMES: [(&str, &str); 7] = [
    ("good", "7"),
    ("two", "8"),
    ("three", "9"),
    ("next", "20"),
    ("waits", "21"),
    ("others", "22"),
    ("series", "-"),
];

pub fn ask(asked: &Asked) -> Ask {
    let parts: Vec<&str> = asked.path().trim_start_matches('/').split('/').collect();
    let has = |text: &str| asked.target.contains(text);
    match parts.as_slice() {
        _ if asked.writes() => Ask::Write,
        [_, "me"] => Ask::Me,
        [_, "event-types", ..] => Ask::EventTypes,
        [_, "bookings"] if has("afterUpdatedAt") || has("sortBy=updatedAt") => Ask::Written,
        [_, "bookings"] if has("afterCreatedAt") || has("order=desc") => Ask::Made,
        // v1 tells by the end of the window, which for what is to come is a year ahead.
        [_, "bookings"] if has("status=upcoming") || has("dateTo=2027") => Ask::Upcoming,
        [_, "bookings"] if has("status=past") || has("dateTo") => Ask::Past,
        [_, "bookings"] => Ask::Pending,
        [_, "bookings", name] => {
            let mut known = NAMES.iter();
            let known = known.find(|(uid, id)| uid == name || id == name);
            known.map_or(Ask::Other, |(uid, _)| Ask::One(uid))
        }
        _ => Ask::Other,
    }
}

/// A server that shows these rows by name and in every list, but `unwritten` ones among what was
/// written lately. `odd` may answer in its place.
pub fn serve(
    dialect: Dialect,
    rows: Vec<Value>,
    odd: impl Fn(Ask, &Asked) -> Option<Reply> + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |asked| {
        let ask = ask(asked);
        let written = |row: &&Value| ask != Ask::Written || row["unwritten"].is_null();
        let rows: Vec<Value> = rows.iter().filter(written).cloned().collect();
        let honest = || Reply::Bytes(cal::shown(dialect, &rows, asked));
        odd(ask, asked).unwrap_or_else(honest)
    })
}

/// One thing that a watch finds out by one kind of call.
pub struct Scene {
    dialect: Dialect,
    audit: bool,
    /// The call that is answered badly.
    pub at: Ask,
    /// What is asked for before anything changes.
    pub before: Vec<Value>,
    /// What the server has when it is watched.
    after: Vec<Value>,
    /// How long after the requests were answered that is.
    later: Span,
    /// What is written down once the server is its old self.
    expect: What,
}

pub fn row(dialect: Dialect, uid: &str, day: u32) -> Value {
    let (_, id) = NAMES.iter().find(|(name, _)| *name == uid).unwrap();
    let id = id.parse().unwrap_or(99);
    let at = |hour| format!("2026-12-{day:02}T{hour:02}:00:00.000Z");
    cal::row(dialect, uid, id, &at(9), &at(10))
}

pub fn with(mut row: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        row[*name] = value.clone();
    }
    row
}

pub fn is(row: Value, status: &str) -> Value {
    with(row, &[("status", json!(status))])
}

/// Not written lately.
fn old(row: Value) -> Value {
    with(row, &[("unwritten", json!(true))])
}

/// Made within the hour before the watch.
fn made_lately(row: Value) -> Value {
    with(row, &[("createdAt", json!("2026-11-24T08:40:00.000Z"))])
}

/// Every read of a watch, with something that hangs on it.
pub fn scenes(dialect: Dialect) -> Vec<Scene> {
    let of = |uid| row(dialect, uid, 1);
    let scene = |at, after: Vec<Value>, expect| Scene {
        dialect,
        audit: false,
        at,
        before: vec![of("good")],
        after,
        later: Span::hours(1),
        expect,
    };
    let cancelled = || vec![is(of("good"), "cancelled")];
    let accepted = |uid| is(of(uid), "accepted");
    let over = Span::days(30);
    let three = || [("good", 1), ("two", 2), ("three", 3)].map(|(uid, day)| row(dialect, uid, day));
    // Whoever asks for it has no account, so that it waits.
    let mut waits = row(dialect, "waits", 2);
    for people in ["attendees", "bookingFieldsResponses", "responses"] {
        let text = waits[people].to_string().replace("bo@", "di@");
        if waits[people] != Value::Null {
            waits[people] = text.parse().unwrap();
        }
    }
    let noted = |at, status: Option<&str>| Scene {
        audit: true,
        before: vec![of("good"), waits.clone()],
        ..scene(
            at,
            [accepted("good")]
                .into_iter()
                .chain(status.map(|status| is(waits.clone(), status)))
                .collect(),
            What::Closed,
        )
    };
    let mut scenes = vec![
        scene(Ask::Me, cancelled(), What::Refunded),
        scene(Ask::Written, cancelled(), What::Refunded),
        // Accepted at once: that is no change, and so is not among what was written lately.
        scene(
            Ask::Made,
            vec![accepted("good"), old(made_lately(accepted("others")))],
            What::Charged,
        ),
        Scene {
            audit: true,
            ..scene(Ask::Upcoming, cancelled(), What::Refunded)
        },
        Scene {
            audit: true,
            later: over,
            ..scene(Ask::Past, vec![old(accepted("good"))], What::Kept)
        },
        // Three that are due are listed, fewer are read by name.
        Scene {
            before: three().to_vec(),
            later: over,
            ..scene(
                Ask::Past,
                three().map(|row| old(is(row, "accepted"))).to_vec(),
                What::Kept,
            )
        },
        Scene {
            later: over,
            ..scene(Ask::One("good"), vec![old(accepted("good"))], What::Kept)
        },
        noted(Ask::Pending, None),
        noted(Ask::One("waits"), None),
        Scene {
            audit: true,
            ..scene(
                Ask::EventTypes,
                vec![accepted("good"), is(row(dialect, "others", 3), "accepted")],
                What::Charged,
            )
        },
    ];
    match dialect {
        Dialect::V2 => {
            let to = ("rescheduledToUid", json!("next"));
            let from = ("rescheduledFromUid", json!("good"));
            let series = ("recurringBookingUid", json!("series"));
            let next = with(is(row(dialect, "next", 3), "accepted"), &[from]);
            scenes.push(scene(
                Ask::One("next"),
                vec![with(is(of("good"), "cancelled"), &[to]), old(next)],
                What::Moved,
            ));
            scenes.push(Scene {
                before: vec![with(of("good"), std::slice::from_ref(&series))],
                ..scene(
                    Ask::One("series"),
                    vec![with(is(of("good"), "cancelled"), &[series])],
                    What::Refunded,
                )
            });
        }
        // A cancelled booking names no successor: all since it was made is listed to find one.
        Dialect::V1 => {
            scenes.push(scene(Ask::Past, cancelled(), What::Refunded));
            scenes.push(scene(Ask::Upcoming, cancelled(), What::Refunded));
        }
    }
    scenes
}

/// The house in which that was answered, at the time of the watch.
pub async fn house(scene: &Scene) -> Door {
    let peer = cal::serve(scene.dialect, scene.before.clone(), |_, _| None);
    let mut door = Door::before(&peer.address, scene.dialect).await;
    for gate in &mut door.policy.gates {
        gate.terms.refunds.unknown_cancels = Blame::Host;
        gate.terms.unmanaged = Unmanaged::Charge;
        gate.unknown_booker = Effect::Wait(Wait::TO_START);
    }
    let report = door.pass().await.unwrap();
    assert_eq!(super::common::ended(&report, "good"), "confirmed");
    door.clock.advance(scene.later);
    door
}

/// What a watch may cost in calls when no list is long: itself, and each read by name.
pub const FEW_CALLS: usize = 12;

/// Of so many answers one is tried in each scene in a usual run, and each in some scene of each dialect;
/// `MAITRED_MUTATIONS=all` tries all.
const PART: usize = 4;

async fn bear(number: usize, scene: Scene) {
    let mut door = house(&scene).await;
    let (commits, balance) = (door.commits().await, door.balance().await);
    for (n, (what, reply, expect)) in useless().into_iter().enumerate() {
        if !all() && !(n + number).is_multiple_of(PART) {
            continue;
        }
        let (parts, most) = (parts(what), most_taken(what));
        let what = format!("{:?}, {:?}: {what}", scene.dialect, scene.at);
        let (at, within) = (scene.at, limit(&reply));
        let peer = serve(scene.dialect, scene.after.clone(), move |ask, _| {
            (ask == at).then(|| reply.clone())
        });
        door.turn_to(&peer.address, within);
        let watching = timed(door.watch(scene.audit)).await;
        let asked: Vec<String> = peer.asked().into_iter().map(|one| one.target).collect();
        assert!(asked.len() <= FEW_CALLS + parts, "{what}: {asked:?}");
        assert_eq!(peer.writes().len(), 0, "{what}");
        let changes = watching.result.map_or(Vec::new(), |done| done.changes);
        assert_eq!(changes, [], "{what}");
        assert_eq!(door.commits().await, commits, "{what}: written");
        assert_eq!(door.balance().await, balance, "{what}");
        says(&watching.said, expect, &what);
        assert!(peer.taken() < most, "{what}: {} bytes", peer.taken());
    }
    let what = format!("{:?}, {:?}: honest again", scene.dialect, scene.at);
    let peer = serve(scene.dialect, scene.after.clone(), |_, _| None);
    door.turn_to(&peer.address, PATIENT);
    let done = door.watch(scene.audit).await.result.unwrap();
    let found: Vec<What> = done.changes.iter().map(|change| change.what).collect();
    let count = scene.before.len().max(1);
    assert!(
        !found.is_empty() && found.len() <= count,
        "{what}: {found:?}"
    );
    assert!(
        found.iter().all(|one| *one == scene.expect),
        "{what}: {found:?}"
    );
}

/// All scenes at once: most of the time is spent in waiting for servers that never end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_to_any_read_of_a_watch_changes_nothing() {
    let scenes = v1_and_v2().into_iter().flat_map(scenes).enumerate();
    let all: Vec<_> = scenes
        .map(|(number, scene)| tokio::spawn(bear(number, scene)))
        .collect();
    assert_eq!(all.len(), 24, "every read of a watch");
    for one in all {
        one.await.unwrap();
    }
}
