//! Whole watches in which a hostile server answers one kind of call: charges stay, and nothing is
//! closed, refunded or cancelled because of what was not read. Once the server is honest again, the
//! next watch does what is left to do.

use maitred::domain::criteria::on_violation::{OnViolation, Wait};
use maitred::domain::dialect::Dialect;
use maitred::domain::refund_policy::{Blame, OnUnmanaged};
use maitred::domain::time::Span;
use maitred::domain::watch::ChargeOutcome;
use serde_json::{Value, json};

use super::model_server;
use super::mutated_answers::is_full_run;
use super::peer_fixture::{LONG_TIMEOUT, PeerFixture};
use super::useless_answers::{
    assert_mentions, call_timeout, max_bytes_taken, max_calls_after, useless_answers, v1_and_v2,
    within_patience,
};
use crate::fixture::http_server::{Peer, ReceivedCall, Reply};

/// The purpose of a call in a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchCall {
    Me,
    EventTypes,
    /// Lists of recent changes, of recently created, upcoming, past and pending bookings.
    ListUpdated,
    ListCreated,
    ListUpcoming,
    ListPast,
    ListPending,
    /// One booking, read individually, or a series.
    Booking(&'static str),
    /// A booking that no scene names.
    Other,
    Write,
}

/// Names and numbers of the bookings in the scenes.
const NAMES: [(&str, &str); 7] = [
    ("good", "7"),
    ("two", "8"),
    ("three", "9"),
    ("next", "20"),
    ("waits", "21"),
    ("others", "22"),
    ("series", "-"),
];

pub fn classify(asked: &ReceivedCall) -> WatchCall {
    let parts: Vec<&str> = asked.path().trim_start_matches('/').split('/').collect();
    let has = |text: &str| asked.target.contains(text);
    match parts.as_slice() {
        _ if asked.is_write() => WatchCall::Write,
        [_, "me"] => WatchCall::Me,
        [_, "event-types", ..] => WatchCall::EventTypes,
        [_, "bookings"] if has("afterUpdatedAt") || has("sortBy=updatedAt") => {
            WatchCall::ListUpdated
        }
        [_, "bookings"] if has("afterCreatedAt") || has("order=desc") => WatchCall::ListCreated,
        // In v1 the end of the window shows the kind of list: for upcoming bookings it is a year
        // ahead.
        [_, "bookings"] if has("status=upcoming") || has("dateTo=2027") => WatchCall::ListUpcoming,
        [_, "bookings"] if has("status=past") || has("dateTo") => WatchCall::ListPast,
        [_, "bookings"] => WatchCall::ListPending,
        [_, "bookings", name] => {
            let mut known = NAMES.iter();
            let known = known.find(|(uid, id)| uid == name || id == name);
            known.map_or(WatchCall::Other, |(uid, _)| WatchCall::Booking(uid))
        }
        _ => WatchCall::Other,
    }
}

/// Starts a server that shows these rows individually and in every list, except that `unwritten`
/// rows are not among recent changes. `override_reply` may answer instead.
pub fn serve(
    dialect: Dialect,
    rows: Vec<Value>,
    override_reply: impl Fn(WatchCall, &ReceivedCall) -> Option<Reply> + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |asked| {
        let ask = classify(asked);
        let written = |row: &&Value| ask != WatchCall::ListUpdated || row["unwritten"].is_null();
        let rows: Vec<Value> = rows.iter().filter(written).cloned().collect();
        let honest = || Reply::Bytes(model_server::render_rows(dialect, &rows, asked));
        override_reply(ask, asked).unwrap_or_else(honest)
    })
}

/// One fact that a watch finds out by one kind of call.
pub struct WatchScene {
    dialect: Dialect,
    audit: bool,
    /// The call with the useless answer.
    pub call: WatchCall,
    /// The rows that are requested before anything changes.
    pub rows_before: Vec<Value>,
    /// The server's rows at the time of the watch.
    rows_after: Vec<Value>,
    /// The time between the answers to the requests and the watch.
    delay: Span,
    /// The outcome that is written once the server is honest again.
    expected_outcome: ChargeOutcome,
}

pub fn row(dialect: Dialect, uid: &str, day: u32) -> Value {
    let (_, id) = NAMES.iter().find(|(name, _)| *name == uid).unwrap();
    let id = id.parse().unwrap_or(99);
    let at = |hour| format!("2026-12-{day:02}T{hour:02}:00:00.000Z");
    model_server::row(dialect, uid, id, &at(9), &at(10))
}

pub fn with_fields(mut row: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        row[*name] = value.clone();
    }
    row
}

pub fn with_status(row: Value, status: &str) -> Value {
    with_fields(row, &[("status", json!(status))])
}

/// Marks a row as not changed recently.
fn written_long_ago(row: Value) -> Value {
    with_fields(row, &[("unwritten", json!(true))])
}

/// Sets a creation time within the hour before the watch.
fn created_recently(row: Value) -> Value {
    with_fields(row, &[("createdAt", json!("2026-11-24T08:40:00.000Z"))])
}

/// Returns a scene for every read of a watch, with a fact that depends on the read.
pub fn scenes(dialect: Dialect) -> Vec<WatchScene> {
    let of = |uid| row(dialect, uid, 1);
    let scene = |at, after: Vec<Value>, expect| WatchScene {
        dialect,
        audit: false,
        call: at,
        rows_before: vec![of("good")],
        rows_after: after,
        delay: Span::hours(1),
        expected_outcome: expect,
    };
    let cancelled = || vec![with_status(of("good"), "cancelled")];
    let accepted = |uid| with_status(of(uid), "accepted");
    let over = Span::days(30);
    let three = || [("good", 1), ("two", 2), ("three", 3)].map(|(uid, day)| row(dialect, uid, day));
    // The booker of this booking has no account, so the request waits.
    let mut waits = row(dialect, "waits", 2);
    for people in ["attendees", "bookingFieldsResponses", "responses"] {
        let text = waits[people].to_string().replace("bo@", "di@");
        if waits[people] != Value::Null {
            waits[people] = text.parse().unwrap();
        }
    }
    let noted = |at, status: Option<&str>| WatchScene {
        audit: true,
        rows_before: vec![of("good"), waits.clone()],
        ..scene(
            at,
            [accepted("good")]
                .into_iter()
                .chain(status.map(|status| with_status(waits.clone(), status)))
                .collect(),
            ChargeOutcome::Closed,
        )
    };
    let mut scenes = vec![
        scene(WatchCall::Me, cancelled(), ChargeOutcome::Refunded),
        scene(WatchCall::ListUpdated, cancelled(), ChargeOutcome::Refunded),
        // Accepted immediately: this is no change, so the list of recent changes does not contain
        // the booking.
        scene(
            WatchCall::ListCreated,
            vec![
                accepted("good"),
                written_long_ago(created_recently(accepted("others"))),
            ],
            ChargeOutcome::Charged,
        ),
        WatchScene {
            audit: true,
            ..scene(
                WatchCall::ListUpcoming,
                cancelled(),
                ChargeOutcome::Refunded,
            )
        },
        WatchScene {
            audit: true,
            delay: over,
            ..scene(
                WatchCall::ListPast,
                vec![written_long_ago(accepted("good"))],
                ChargeOutcome::Final,
            )
        },
        // Three due bookings are listed; fewer are read individually.
        WatchScene {
            rows_before: three().to_vec(),
            delay: over,
            ..scene(
                WatchCall::ListPast,
                three()
                    .map(|row| written_long_ago(with_status(row, "accepted")))
                    .to_vec(),
                ChargeOutcome::Final,
            )
        },
        WatchScene {
            delay: over,
            ..scene(
                WatchCall::Booking("good"),
                vec![written_long_ago(accepted("good"))],
                ChargeOutcome::Final,
            )
        },
        noted(WatchCall::ListPending, None),
        noted(WatchCall::Booking("waits"), None),
        WatchScene {
            audit: true,
            ..scene(
                WatchCall::EventTypes,
                vec![
                    accepted("good"),
                    with_status(row(dialect, "others", 3), "accepted"),
                ],
                ChargeOutcome::Charged,
            )
        },
    ];
    match dialect {
        Dialect::V2 => {
            let to = ("rescheduledToUid", json!("next"));
            let from = ("rescheduledFromUid", json!("good"));
            let series = ("recurringBookingUid", json!("series"));
            let next = with_fields(with_status(row(dialect, "next", 3), "accepted"), &[from]);
            scenes.push(scene(
                WatchCall::Booking("next"),
                vec![
                    with_fields(with_status(of("good"), "cancelled"), &[to]),
                    written_long_ago(next),
                ],
                ChargeOutcome::Moved,
            ));
            scenes.push(WatchScene {
                rows_before: vec![with_fields(of("good"), std::slice::from_ref(&series))],
                ..scene(
                    WatchCall::Booking("series"),
                    vec![with_fields(with_status(of("good"), "cancelled"), &[series])],
                    ChargeOutcome::Refunded,
                )
            });
        }
        // In v1 a cancelled booking names no successor: the watch lists all bookings made since
        // then to find one.
        Dialect::V1 => {
            scenes.push(scene(
                WatchCall::ListPast,
                cancelled(),
                ChargeOutcome::Refunded,
            ));
            scenes.push(scene(
                WatchCall::ListUpcoming,
                cancelled(),
                ChargeOutcome::Refunded,
            ));
        }
    }
    scenes
}

/// Returns the fixture in which the requests of the scene were answered, at the time of the watch.
pub async fn fixture_before_watch(scene: &WatchScene) -> PeerFixture {
    let peer = model_server::serve(scene.dialect, scene.rows_before.clone(), |_, _| None);
    let mut fixture = PeerFixture::new(&peer.address, scene.dialect).await;
    for gate in &mut fixture.policy.gates {
        gate.terms.refunds.unknown_cancels = Blame::Host;
        gate.terms.on_unmanaged = OnUnmanaged::Charge;
        gate.unknown_booker = OnViolation::Wait(Wait::UNTIL_START);
    }
    let report = fixture.pass().await.unwrap();
    assert_eq!(
        crate::fixture::pass_fixture::step_outcome(&report, "good"),
        "confirmed"
    );
    fixture.clock.advance(scene.delay);
    fixture
}

/// The most calls of a watch with short lists: the watch itself, and each individual read.
pub const MAX_CALLS_OF_SHORT_WATCH: usize = 12;

/// A usual run tries one of this many answers in each scene, and each answer in some scene of each
/// dialect; `MAITRED_MUTATIONS=all` tries all.
const SAMPLE_EVERY: usize = 4;

async fn check_scene(number: usize, scene: WatchScene) {
    let mut fixture = fixture_before_watch(&scene).await;
    let (commits, balance) = (fixture.commit_count().await, fixture.balance().await);
    for (n, (what, reply, expect)) in useless_answers().into_iter().enumerate() {
        if !is_full_run() && !(n + number).is_multiple_of(SAMPLE_EVERY) {
            continue;
        }
        let (parts, most) = (max_calls_after(what), max_bytes_taken(what));
        let what = format!("{:?}, {:?}: {what}", scene.dialect, scene.call);
        let (at, within) = (scene.call, call_timeout(&reply));
        let peer = serve(scene.dialect, scene.rows_after.clone(), move |ask, _| {
            (ask == at).then(|| reply.clone())
        });
        fixture.connect_to(&peer.address, within);
        let watching = within_patience(fixture.watch(scene.audit)).await;
        let calls: Vec<String> = peer.calls().into_iter().map(|one| one.target).collect();
        assert!(
            calls.len() <= MAX_CALLS_OF_SHORT_WATCH + parts,
            "{what}: {calls:?}"
        );
        assert_eq!(peer.write_calls().len(), 0, "{what}");
        let changes = watching.result.map_or(Vec::new(), |done| done.changes);
        assert_eq!(changes, [], "{what}");
        assert_eq!(fixture.commit_count().await, commits, "{what}: written");
        assert_eq!(fixture.balance().await, balance, "{what}");
        assert_mentions(&watching.messages, expect, &what);
        assert!(
            peer.bytes_taken() < most,
            "{what}: {} bytes",
            peer.bytes_taken()
        );
    }
    let what = format!("{:?}, {:?}: honest again", scene.dialect, scene.call);
    let peer = serve(scene.dialect, scene.rows_after.clone(), |_, _| None);
    fixture.connect_to(&peer.address, LONG_TIMEOUT);
    let done = fixture.watch(scene.audit).await.result.unwrap();
    let found: Vec<ChargeOutcome> = done.changes.iter().map(|change| change.outcome).collect();
    let count = scene.rows_before.len().max(1);
    assert!(
        !found.is_empty() && found.len() <= count,
        "{what}: {found:?}"
    );
    assert!(
        found.iter().all(|one| *one == scene.expected_outcome),
        "{what}: {found:?}"
    );
}

/// All scenes run at the same time, because they mostly wait for servers that never end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_to_any_read_of_a_watch_changes_nothing() {
    let scenes = v1_and_v2().into_iter().flat_map(scenes).enumerate();
    let all: Vec<_> = scenes
        .map(|(number, scene)| tokio::spawn(check_scene(number, scene)))
        .collect();
    assert_eq!(all.len(), 24, "every read of a watch");
    for one in all {
        one.await.unwrap();
    }
}
