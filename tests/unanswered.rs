//! Calls without an answer, over HTTP against the sandbox, whose confirm checks, mails and writes its
//! status last, whether or not the client is still there. Mails are counted in the sandbox's journal.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use common::{HandClock, House, KEY, client, ended, time};
use maitred::calcom::port::{Calendar, CallError, Dialect, Me, Page, Select};
use maitred::domain::booking::{Booking, BookingRef, EventType, Reading};
use maitred::domain::decision::Outcome;
use maitred::domain::gate::RefuseWith;
use maitred::domain::id::{BookingUid, EventTypeId};
use maitred::domain::request::{CallEnd, ChargeState, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::domain::unresolved::UnresolvedCode;
use maitred::reconcile::ports::Session;
use maitred::sandbox::actions::{Action, Said};
use maitred::sandbox::faults::{Fault, RowFault, Rule, Stage, Times};
use maitred::sandbox::journal::{Operation, MailKind, Recipient};
use maitred::sandbox::script::Trigger;
use maitred::store::handle::StoreHandle;
use maitred::store::open::{Create, open};

const BO: &str = "bo@example.com";

fn mails(house: &House, uid: &str, kind: MailKind) -> u32 {
    let world = house.sandbox.lock();
    world.journal.mails_for(uid, Recipient::Booker, kind)
}

fn count(house: &House, kind: Operation) -> u64 {
    house.sandbox.lock().journal.count(kind)
}

fn fault(house: &House, rule: Rule) {
    house.sandbox.lock().add_fault(rule).unwrap();
}

fn slow(stage: Stage, ms: u64) -> Fault {
    Fault::Slow { stage, ms }
}

/// Waits until the server has carried out what it was asked to, whether or not anybody waits for it.
async fn server_is_done(house: &House) {
    while house.sandbox.lock().underway() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The fault of A1: a mail server that takes longer than the client waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_confirm_is_only_read_and_mails_once() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let lesson = house.kinds.lesson;
    let uid = house.request(lesson, BO, "2026-12-01T09:00:00Z");
    fault(
        &house,
        Rule::next(Operation::Confirm, slow(Stage::Between, 4_000)),
    );
    let report = house.pass().await;
    assert_eq!(ended(&report, &uid), "unresolved");
    let why = report.steps[0].why.clone().unwrap();
    assert!(why.contains("may still be running"), "{why}");
    // Each as a process of its own; nothing but the log knows of the call.
    for _ in 0..3 {
        let report = house.fresh_pass().await.unwrap();
        assert_eq!(ended(&report, &uid), "unresolved");
        assert_eq!(house.balance(BO).await, (4, 1, 0), "the hold stays");
        house.clock.advance(Span::seconds(200));
    }
    server_is_done(&house).await;
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "confirmed");
    assert_eq!(count(&house, Operation::Confirm), 1);
    assert_eq!(mails(&house, &uid, MailKind::Confirmed), 1);
    assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Open);
}

/// The wait is told by this machine's clock. A jump of it does not end the wait: it differs from the
/// server's then, and nothing is sent until it agrees again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_does_not_end_the_wait() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let lesson = house.kinds.lesson;
    let uid = house.request(lesson, BO, "2026-12-01T09:00:00Z");
    let slow = slow(Stage::Between, 3_000);
    fault(&house, Rule::next(Operation::Confirm, slow));
    let report = house.pass().await;
    assert_eq!(ended(&report, &uid), "unresolved");
    // The server's clock stays where it was.
    let servers = house.clock.clone();
    house.clock = HandClock::at(servers.now() + Span::minutes(20));
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "unresolved");
    server_is_done(&house).await;
    house.clock = servers;
    house.clock.advance(Span::minutes(1));
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "confirmed");
    assert_eq!(count(&house, Operation::Confirm), 1);
    assert_eq!(mails(&house, &uid, MailKind::Confirmed), 1);
}

/// Whatever call it is, and whichever dialect: a call that the server never carried out is repeated,
/// and not before `resend_after` has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_lost_is_repeated_after_its_time_and_no_earlier() {
    let rows = [
        (Dialect::V2, Operation::Confirm, 5, "accepted"),
        (Dialect::V2, Operation::Decline, 0, "rejected"),
        (Dialect::V2, Operation::Cancel, 0, "cancelled"),
        (Dialect::V1, Operation::Confirm, 5, "accepted"),
        (Dialect::V1, Operation::Cancel, 0, "cancelled"),
    ];
    for (dialect, kind, credits, status) in rows {
        let what = format!("{dialect:?} {kind:?}");
        let mut house = House::new(dialect).await;
        if kind == Operation::Cancel {
            house.policy.refuse_with = RefuseWith::Cancel;
        }
        house.grant(BO, credits.max(1)).await;
        let kinds = house.kinds;
        let kind_of = if credits > 0 {
            kinds.lesson
        } else {
            kinds.dinner
        };
        let uid = house.request(kind_of, BO, "2026-12-01T09:00:00Z");
        let lost = Fault::HangUp {
            stage: Stage::Before,
        };
        fault(&house, Rule::next(kind, lost));
        let sent = house.clock.now();
        for _ in 0..4 {
            let report = house.fresh_pass().await.unwrap();
            assert_eq!(ended(&report, &uid), "unresolved", "{what}");
            assert_eq!(count(&house, kind), 1, "{what}");
            house.clock.advance(Span::minutes(3));
        }
        house
            .clock
            .advance(sent + Span::minutes(16) - house.clock.now());
        let report = house.fresh_pass().await.unwrap();
        assert!(report.is_clean(), "{what}: {:?}", report.steps);
        assert_eq!(count(&house, kind), 2, "{what}");
        assert_eq!(house.status(&uid), status, "{what}");
    }
}

/// No connection was made, or the server answered: nothing is running, so it is tried at once.
#[tokio::test]
async fn what_certainly_is_over_is_tried_again_at_once() {
    let error = Fault::Error {
        stage: Stage::Before,
    };
    for fault_of in [error, Fault::DatabaseDown] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 5).await;
        let uid = house.request(house.kinds.lesson, BO, "2026-12-01T09:00:00Z");
        fault(&house, Rule::next(Operation::Confirm, fault_of.clone()));
        let report = house.fresh_pass().await.unwrap();
        assert_eq!(ended(&report, &uid), "unresolved", "{fault_of:?}");
        let report = house.fresh_pass().await.unwrap();
        assert_eq!(ended(&report, &uid), "confirmed", "{fault_of:?}");
        let calls = house.record(&uid).await.unwrap().calls;
        let ends: Vec<CallEnd> = calls.iter().map(|call| call.end).collect();
        assert_eq!(ends, [CallEnd::Failed, CallEnd::Answered], "{fault_of:?}");
    }
}

/// Cal.com writes a confirmation last, so what the booker cancels meanwhile ends accepted: the hold is
/// not given back before that is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_while_a_confirm_runs_keeps_its_hold_until_the_end_is_known() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, "2026-12-01T09:00:00Z");
    fault(
        &house,
        Rule::next(Operation::Confirm, slow(Stage::Between, 3_500)),
    );
    house.pass().await;
    let now = house.clock.now();
    let cancel = Action::BookerCancels(Said::nothing(&uid));
    house.sandbox.lock().act(now, cancel).unwrap();
    let report = house.pass().await;
    assert_eq!(house.status(&uid), "cancelled");
    assert_eq!(ended(&report, &uid), "unresolved");
    assert_eq!(house.balance(BO).await, (4, 1, 0));
    server_is_done(&house).await;
    house.clock.advance(Span::minutes(1));
    house.pass().await;
    assert_eq!(house.status(&uid), "accepted");
    assert_eq!(house.balance(BO).await, (4, 0, 1), "accepted, and charged");
}

/// A process that ends while calls are under way: those are only read, and all the others, which
/// certainly were not sent, go at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_only_what_may_have_been_sent_waits() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandClock::at(time("2026-11-24T08:00:00Z"));
    let reopen = |path: &Path| {
        let opened = open(path, Create::Yes, clock.now(), &mut |_| {}).unwrap();
        StoreHandle::start(Box::new(opened.store)).unwrap()
    };
    let mut house = House::new(Dialect::V2).await;
    let (store, mut thread) = reopen(folder.path());
    house.store = store;
    house.grant(BO, 30).await;
    let lesson = house.kinds.lesson;
    let uids: Vec<String> = (0..20)
        .map(|n| {
            let day = 1 + n;
            house.request(lesson, BO, &format!("2026-12-{day:02}T09:00:00Z"))
        })
        .collect();
    let rule = Rule::next(Operation::Confirm, slow(Stage::Between, 4_000));
    fault(&house, rule.times(Times::Count(8)));
    let pass = house.try_pass(false);
    assert!(
        tokio::time::timeout(Duration::from_millis(900), pass)
            .await
            .is_err()
    );
    assert_eq!(house.sandbox.lock().underway(), 8);

    // The next process.
    let (memory, _) =
        StoreHandle::start(Box::new(maitred::store::memory::MemoryStore::new())).unwrap();
    house.store = memory;
    thread.join().unwrap();
    (house.store, thread) = reopen(folder.path());
    let report = house.fresh_pass().await.unwrap();
    let of = |word: &str| {
        uids.iter()
            .filter(|uid| ended(&report, uid) == word)
            .count()
    };
    assert_eq!((of("confirmed"), of("unresolved")), (12, 8));
    server_is_done(&house).await;
    let report = house.fresh_pass().await.unwrap();
    assert!(report.is_clean());
    assert_eq!(count(&house, Operation::Confirm), 20);
    for uid in &uids {
        assert_eq!(mails(&house, uid, MailKind::Confirmed), 1, "{uid}");
    }
    assert_eq!(house.balance(BO).await, (10, 0, 20));
    drop(house);
    thread.join().unwrap();
}

/// A loss of power takes the marks along: then everything that is not settled counts as sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_loss_of_power_everything_begun_is_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(Dialect::V2).await;
    let reopen = |now| {
        let opened = open(folder.path(), Create::Yes, now, &mut |_| {}).unwrap();
        StoreHandle::start(Box::new(opened.store)).unwrap()
    };
    let (store, thread) = reopen(house.clock.now());
    house.store = store;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, "2026-12-01T09:00:00Z");
    fault(
        &house,
        Rule::next(Operation::List, slow(Stage::Before, 0)).skipping(9),
    );
    // The intent is written, and the process ends before it looks at the booking once more.
    fault(&house, Rule::next(Operation::Get, slow(Stage::Before, 1_200)));
    let pass = house.try_pass(false);
    assert!(
        tokio::time::timeout(Duration::from_millis(700), pass)
            .await
            .is_err()
    );
    let (memory, _) =
        StoreHandle::start(Box::new(maitred::store::memory::MemoryStore::new())).unwrap();
    house.store = memory;
    thread.join().unwrap();
    std::fs::write(folder.path().join("sent"), "boot another\n").unwrap();
    let (store, thread) = reopen(house.clock.now());
    house.store = store;
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "unresolved");
    assert_eq!(count(&house, Operation::Confirm), 0);
    house.clock.advance(Span::minutes(16));
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "confirmed");
    drop(house);
    thread.join().unwrap();
}

/// Lets the key's user read everything and confirm nothing.
struct Refusing {
    inner: Arc<dyn Calendar>,
    sent: Arc<AtomicU32>,
}

#[async_trait]
impl Calendar for Refusing {
    async fn me(&self) -> Result<Me, CallError> {
        self.inner.me().await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.inner.event_types().await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        self.inner.event_type(id).await
    }

    async fn list(&self, select: &Select, page: u32) -> Result<Page, CallError> {
        self.inner.list(select, page).await
    }

    async fn get(&self, booking: &BookingRef) -> Result<Reading, CallError> {
        self.inner.get(booking).await
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        self.inner.series(series).await
    }

    fn names_successors(&self) -> bool {
        self.inner.names_successors()
    }

    fn server(&self) -> String {
        self.inner.server()
    }

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn clock_difference(&self) -> Option<Span> {
        self.inner.clock_difference()
    }

    fn reads_before_acting(&self) -> bool {
        self.inner.reads_before_acting()
    }

    async fn confirm(&self, _: &BookingRef, _: Time) -> Result<Option<Reading>, CallError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let text = "401 Unauthorized: User not a host of this event";
        Err(CallError::NotYours(text.to_owned()))
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        self.inner.decline(booking, reason, deadline).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        self.inner.cancel(booking, reason, deadline).await
    }

    fn calls(&self) -> u64 {
        self.inner.calls()
    }

    fn ready(&self) -> usize {
        self.inner.ready()
    }
}

/// A refusal that concerns this booking alone comes to an end within the hour, is told, and gives back
/// what it held.
#[tokio::test]
async fn a_confirm_that_is_refused_time_after_time_ends_and_is_told() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, "2026-12-01T09:00:00Z");
    let inner = Arc::clone(&house.calendar);
    let sent = Arc::new(AtomicU32::new(0));
    house.calendar = Arc::new(Refusing {
        inner,
        sent: Arc::clone(&sent),
    });
    let mut told = None;
    let begun = house.clock.now();
    for _ in 0..40 {
        let report = house.pass().await;
        if report
            .steps
            .iter()
            .any(|step| step.ended.as_str() == "refused")
        {
            told = report
                .problems
                .into_iter()
                .find(|one| one.code == "surprise");
            break;
        }
        house.clock.advance(Span::minutes(1));
    }
    assert!(house.clock.now() - begun < Span::hours(1));
    let told = told.expect("it is told").text;
    assert!(told.contains(&uid), "{told}");
    assert_eq!(house.balance(BO).await, (5, 0, 0));
    let state = house.record(&uid).await.unwrap().state;
    let refused = Outcome::Refused;
    assert!(matches!(state, RequestState::Settled { outcome, .. } if outcome == refused));
    // It stays pending, is never tried again, and that is said.
    assert_eq!(sent.load(Ordering::Relaxed), 8);
    house.clock.advance(Span::hours(1));
    let report = house.pass().await;
    assert_eq!(ended(&report, &uid), "none");
    assert_eq!(sent.load(Ordering::Relaxed), 8);
    assert_eq!(house.status(&uid), "pending");
    // What Cal.com answered is in the plan's reason and on the unresolved list.
    let answer = "User not a host of this event";
    let planned = house.try_pass(true).await.unwrap();
    let reason = planned.steps[0].request.reasons[0].text.clone();
    assert!(reason.contains(answer), "{reason}");
    let items = house.store.with(|store| store.unresolved(None, 9)).await;
    let items = items.unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].code, UnresolvedCode::Refused);
    assert!(items[0].detail.contains(answer), "{}", items[0].detail);
    // A person confirms it at Cal.com: it is on the list as what it is then.
    let now = house.clock.now();
    let accept = |row: &mut maitred::sandbox::model::Booking| {
        row.status = maitred::sandbox::model::Status::Accepted;
        row.updated = Some(now);
    };
    house.sandbox.lock().edit(&uid, accept).unwrap();
    house.watch(true).await;
    let items = house.store.with(|store| store.unresolved(None, 9)).await;
    let codes: Vec<_> = items.unwrap().iter().map(|item| item.code).collect();
    assert_eq!(codes, [UnresolvedCode::Unmanaged]);
}

/// The fault of B8: a status word that nobody knows, after an answer that was lost.
#[tokio::test]
async fn an_unknown_status_keeps_its_hold_and_is_told() {
    for as_if in [RowFault::AwaitingHost, RowFault::UnknownStatus] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 5).await;
        let uid = house.request(house.kinds.lesson, BO, "2026-12-01T09:00:00Z");
        let lost = Fault::HangUp {
            stage: Stage::After,
        };
        fault(&house, Rule::next(Operation::Confirm, lost));
        house.pass().await;
        let odd = Fault::Rows {
            as_if: as_if.clone(),
        };
        fault(
            &house,
            Rule::next(Operation::Get, odd)
                .about(&uid)
                .times(Times::Count(2)),
        );
        for _ in 0..2 {
            house.clock.advance(Span::minutes(20));
            let report = house.pass().await;
            assert_eq!(ended(&report, &uid), "unresolved", "{as_if:?}");
            let told = report
                .problems
                .iter()
                .any(|one| one.code == "unknown-status");
            assert!(told, "{as_if:?}: {:?}", report.problems);
            assert_eq!(house.balance(BO).await, (4, 1, 0), "{as_if:?}");
        }
        house.clock.advance(Span::minutes(20));
        let report = house.pass().await;
        assert_eq!(ended(&report, &uid), "confirmed", "{as_if:?}");
        assert_eq!(house.balance(BO).await, (4, 0, 1), "{as_if:?}");
    }
}

/// The fault of A4: a server that takes a second and more for each call. What the booker cancels while
/// others are confirmed is not touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_rests_on_a_reading_of_more_than_two_seconds() {
    for refuses in [false, true] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, if refuses { 1 } else { 30 }).await;
        let kinds = house.kinds;
        let kind = if refuses { kinds.dinner } else { kinds.lesson };
        let call = if refuses {
            Operation::Decline
        } else {
            Operation::Confirm
        };
        house.calendar = client(&house.sandbox.base_url(), Dialect::V2, KEY, &house.clock);
        let uids: Vec<String> = (0..24)
            .map(|n| house.request(kind, BO, &format!("2026-12-{:02}T09:00:00Z", 1 + n)))
            .collect();
        // Three rounds of eight calls: the last begins after more than two seconds.
        let rule = Rule::next(call, slow(Stage::Between, 1_200));
        fault(&house, rule.times(Times::Always));
        let last = uids[23].clone();
        let cancel = Action::BookerCancels(Said::nothing(&last));
        {
            let mut world = house.sandbox.lock();
            world.script.add(Trigger::between(call, 1), vec![cancel]);
        }
        let lists = count(&house, Operation::List);
        let report = house.pass().await;
        assert_eq!(house.status(&last), "cancelled", "{refuses}");
        assert_eq!(ended(&report, &last), "superseded", "{refuses}");
        assert_eq!(count(&house, call), 23, "{refuses}");
        // The pass's own list, the accepted ones, and a look each two seconds.
        let looks = count(&house, Operation::List) - lists;
        assert!((2..=6).contains(&looks), "{looks}");
        house.session = Session::default();
    }
}
