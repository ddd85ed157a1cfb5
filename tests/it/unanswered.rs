//! Calls without an answer, over HTTP against the sandbox. The sandbox's confirm first checks, then
//! mails, and writes its status last, whether or not the client still waits. Mails are counted in
//! the sandbox's call log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::fixture::clock::{ManualClock, parse_time};
use crate::fixture::pass_fixture::{PassFixture, TIMEOUT, step_outcome};
use crate::fixture::steps::{BO, add_fault, call_count, mail_count};
use maitred::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use maitred::domain::booking::{Booking, BookingRef, EventType, Fetched};
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::dialect::Dialect;
use maitred::domain::gate::RefuseWith;
use maitred::domain::id::{BookingUid, EventTypeId};
use maitred::domain::request::{CallEnd, ChargeState, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::domain::unresolved::UnresolvedCode;
use maitred::reconcile::context::Session;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::{MailKind, Operation};
use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, RowFault, Stage};
use maitred::sandbox::script::Trigger;
use maitred::store::open::{CreateIfMissing, open};
use maitred::store::store_thread::StoreHandle;

fn slow_fault(stage: Stage, ms: u64) -> Fault {
    Fault::Slow { stage, ms }
}

/// Waits until the server has carried out all calls, whether or not a client waits for them.
async fn wait_for_server(fixture: &PassFixture) {
    while fixture.sandbox.lock().running_calls() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fault A1: a mail server that takes longer than the client waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_confirm_is_not_repeated_and_mails_once() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request(lesson, BO, "2026-12-01T09:00:00Z");
    add_fault(
        &fixture,
        FaultRule::on_next(Operation::Confirm, slow_fault(Stage::Between, 4_000)),
    );
    let report = fixture.pass().await;
    assert_eq!(step_outcome(&report, &uid), "unresolved");
    let why = report.steps[0].why.clone().unwrap();
    assert!(why.contains("may still be running"), "{why}");
    // Each pass runs as a new process; only the log knows of the call.
    for _ in 0..3 {
        let report = fixture.pass_of_new_process().await.unwrap();
        assert_eq!(step_outcome(&report, &uid), "unresolved");
        assert_eq!(fixture.balance(BO).await, (4, 1, 0), "the hold stays");
        fixture.clock.advance(Span::seconds(200));
    }
    wait_for_server(&fixture).await;
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "confirmed");
    assert_eq!(call_count(&fixture, Operation::Confirm), 1);
    assert_eq!(mail_count(&fixture, &uid, MailKind::Confirmed), 1);
    assert_eq!(fixture.charge(&uid).await.unwrap().state, ChargeState::Open);
}

/// This machine's clock measures the wait. A jump of this clock does not end the wait: the clock
/// then differs from the server's, and nothing is sent until the clocks agree again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_does_not_end_the_wait() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request(lesson, BO, "2026-12-01T09:00:00Z");
    let slow = slow_fault(Stage::Between, 3_000);
    add_fault(&fixture, FaultRule::on_next(Operation::Confirm, slow));
    let report = fixture.pass().await;
    assert_eq!(step_outcome(&report, &uid), "unresolved");
    // The server's clock stays where it was.
    let servers = fixture.clock.clone();
    fixture.clock = ManualClock::starting_at(servers.now() + Span::minutes(20));
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "unresolved");
    wait_for_server(&fixture).await;
    fixture.clock = servers;
    fixture.clock.advance(Span::minutes(1));
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "confirmed");
    assert_eq!(call_count(&fixture, Operation::Confirm), 1);
    assert_eq!(mail_count(&fixture, &uid, MailKind::Confirmed), 1);
}

/// For any kind of call and in both dialects: a call that the server never carried out is repeated,
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
        let mut fixture = PassFixture::new(dialect).await;
        if kind == Operation::Cancel {
            fixture.policy.refuse_with = RefuseWith::Cancel;
        }
        fixture.grant(BO, credits.max(1)).await;
        let kinds = fixture.event_types;
        let kind_of = if credits > 0 {
            kinds.lesson
        } else {
            kinds.dinner
        };
        let uid = fixture.request(kind_of, BO, "2026-12-01T09:00:00Z");
        let lost = Fault::HangUp {
            stage: Stage::Before,
        };
        add_fault(&fixture, FaultRule::on_next(kind, lost));
        let sent = fixture.clock.now();
        for _ in 0..4 {
            let report = fixture.pass_of_new_process().await.unwrap();
            assert_eq!(step_outcome(&report, &uid), "unresolved", "{what}");
            assert_eq!(call_count(&fixture, kind), 1, "{what}");
            fixture.clock.advance(Span::minutes(3));
        }
        fixture
            .clock
            .advance(sent + Span::minutes(16) - fixture.clock.now());
        let report = fixture.pass_of_new_process().await.unwrap();
        assert!(report.is_clean(), "{what}: {:?}", report.steps);
        assert_eq!(call_count(&fixture, kind), 2, "{what}");
        assert_eq!(fixture.status(&uid), status, "{what}");
    }
}

/// No connection was made, or the server answered: no call is running, so the call is repeated
/// immediately.
#[tokio::test]
async fn calls_that_certainly_ended_are_retried_at_once() {
    let error = Fault::Error {
        stage: Stage::Before,
    };
    for fault_of in [error, Fault::DatabaseDown] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 5).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, "2026-12-01T09:00:00Z");
        add_fault(
            &fixture,
            FaultRule::on_next(Operation::Confirm, fault_of.clone()),
        );
        let report = fixture.pass_of_new_process().await.unwrap();
        assert_eq!(step_outcome(&report, &uid), "unresolved", "{fault_of:?}");
        let report = fixture.pass_of_new_process().await.unwrap();
        assert_eq!(step_outcome(&report, &uid), "confirmed", "{fault_of:?}");
        let calls = fixture.stored_request(&uid).await.unwrap().calls;
        let ends: Vec<CallEnd> = calls.iter().map(|call| call.end).collect();
        assert_eq!(ends, [CallEnd::Failed, CallEnd::Answered], "{fault_of:?}");
    }
}

/// Cal.com writes a confirmation last, so a booking that the booker cancels meanwhile ends
/// accepted: the hold is not released before the end is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_cancelled_during_a_confirm_keeps_its_hold_until_the_outcome_is_known() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, "2026-12-01T09:00:00Z");
    add_fault(
        &fixture,
        FaultRule::on_next(Operation::Confirm, slow_fault(Stage::Between, 3_500)),
    );
    fixture.pass().await;
    let now = fixture.clock.now();
    let cancel = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid));
    fixture.sandbox.lock().act(now, cancel).unwrap();
    let report = fixture.pass().await;
    assert_eq!(fixture.status(&uid), "cancelled");
    assert_eq!(step_outcome(&report, &uid), "unresolved");
    assert_eq!(fixture.balance(BO).await, (4, 1, 0));
    wait_for_server(&fixture).await;
    fixture.clock.advance(Span::minutes(1));
    fixture.pass().await;
    assert_eq!(fixture.status(&uid), "accepted");
    assert_eq!(
        fixture.balance(BO).await,
        (4, 0, 1),
        "accepted, and charged"
    );
}

/// A process ends while calls are under way: the bookings of those calls are only read, and all
/// other calls, which were certainly not sent, go out immediately.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_only_calls_that_may_have_been_sent_wait() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::starting_at(parse_time("2026-11-24T08:00:00Z"));
    let reopen = |path: &Path| {
        let opened = open(path, CreateIfMissing::Yes, clock.now(), &mut |_| {}).unwrap();
        StoreHandle::start(Box::new(opened.store)).unwrap()
    };
    let mut fixture = PassFixture::new(Dialect::V2).await;
    let (store, mut thread) = reopen(folder.path());
    fixture.store = store;
    fixture.grant(BO, 30).await;
    let lesson = fixture.event_types.lesson;
    let uids: Vec<String> = (0..20)
        .map(|n| {
            let day = 1 + n;
            fixture.request(lesson, BO, &format!("2026-12-{day:02}T09:00:00Z"))
        })
        .collect();
    let rule = FaultRule::on_next(Operation::Confirm, slow_fault(Stage::Between, 4_000));
    add_fault(&fixture, rule.times(FaultTimes::Count(8)));
    let pass = fixture.try_pass(false);
    assert!(
        tokio::time::timeout(Duration::from_millis(900), pass)
            .await
            .is_err()
    );
    assert_eq!(fixture.sandbox.lock().running_calls(), 8);

    // The next process starts here.
    let (memory, _) =
        StoreHandle::start(Box::new(maitred::store::memory::MemoryStore::new())).unwrap();
    fixture.store = memory;
    thread.join().unwrap();
    (fixture.store, thread) = reopen(folder.path());
    let report = fixture.pass_of_new_process().await.unwrap();
    let of = |word: &str| {
        uids.iter()
            .filter(|uid| step_outcome(&report, uid) == word)
            .count()
    };
    assert_eq!((of("confirmed"), of("unresolved")), (12, 8));
    wait_for_server(&fixture).await;
    let report = fixture.pass_of_new_process().await.unwrap();
    assert!(report.is_clean());
    assert_eq!(call_count(&fixture, Operation::Confirm), 20);
    for uid in &uids {
        assert_eq!(mail_count(&fixture, uid, MailKind::Confirmed), 1, "{uid}");
    }
    assert_eq!(fixture.balance(BO).await, (10, 0, 20));
    drop(fixture);
    thread.join().unwrap();
}

/// A loss of power invalidates the sent marks: then everything that is not settled counts as sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_loss_of_power_started_calls_are_read_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let mut fixture = PassFixture::new(Dialect::V2).await;
    let reopen = |now| {
        let opened = open(folder.path(), CreateIfMissing::Yes, now, &mut |_| {}).unwrap();
        StoreHandle::start(Box::new(opened.store)).unwrap()
    };
    let (store, thread) = reopen(fixture.clock.now());
    fixture.store = store;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, "2026-12-01T09:00:00Z");
    add_fault(
        &fixture,
        FaultRule::on_next(Operation::List, slow_fault(Stage::Before, 0)).skip_calls(9),
    );
    // The intent is written, and the process ends before it reads the booking again.
    add_fault(
        &fixture,
        FaultRule::on_next(Operation::Get, slow_fault(Stage::Before, 1_200)),
    );
    let pass = fixture.try_pass(false);
    assert!(
        tokio::time::timeout(Duration::from_millis(700), pass)
            .await
            .is_err()
    );
    let (memory, _) =
        StoreHandle::start(Box::new(maitred::store::memory::MemoryStore::new())).unwrap();
    fixture.store = memory;
    thread.join().unwrap();
    std::fs::write(folder.path().join("sent"), "boot another\n").unwrap();
    let (store, thread) = reopen(fixture.clock.now());
    fixture.store = store;
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "unresolved");
    assert_eq!(call_count(&fixture, Operation::Confirm), 0);
    fixture.clock.advance(Span::minutes(16));
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "confirmed");
    drop(fixture);
    thread.join().unwrap();
}

/// A calendar that lets the key's user read everything and confirm nothing.
struct RefusingCalendar {
    inner: Arc<dyn Calendar>,
    sent: Arc<AtomicU32>,
}

#[async_trait]
impl Calendar for RefusingCalendar {
    async fn current_user(&self) -> Result<CurrentUser, CallError> {
        self.inner.current_user().await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.inner.event_types().await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        self.inner.event_type(id).await
    }

    async fn list(&self, select: &BookingFilter, page: u32) -> Result<BookingPage, CallError> {
        self.inner.list(select, page).await
    }

    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
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

    async fn confirm(&self, _: &BookingRef, _: Time) -> Result<Option<Fetched>, CallError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let text = "401 Unauthorized: User not a host of this event";
        Err(CallError::NotPermitted(text.to_owned()))
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.inner.decline(booking, reason, deadline).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.inner.cancel(booking, reason, deadline).await
    }

    fn calls(&self) -> u64 {
        self.inner.calls()
    }

    fn available_calls(&self) -> usize {
        self.inner.available_calls()
    }
}

/// A refusal that concerns this booking alone ends within the hour, is reported, and releases the
/// hold.
#[tokio::test]
async fn a_repeatedly_refused_confirm_ends_and_is_reported() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, "2026-12-01T09:00:00Z");
    let inner = Arc::clone(&fixture.calendar);
    let sent = Arc::new(AtomicU32::new(0));
    fixture.calendar = Arc::new(RefusingCalendar {
        inner,
        sent: Arc::clone(&sent),
    });
    let mut problem = None;
    let started = fixture.clock.now();
    for _ in 0..40 {
        let report = fixture.pass().await;
        if report
            .steps
            .iter()
            .any(|step| step.outcome.as_str() == "refused")
        {
            problem = report
                .problems
                .into_iter()
                .find(|one| one.code == "surprise");
            break;
        }
        fixture.clock.advance(Span::minutes(1));
    }
    assert!(fixture.clock.now() - started < Span::hours(1));
    let text = problem.expect("it is told").text;
    assert!(text.contains(&uid), "{text}");
    assert_eq!(fixture.balance(BO).await, (5, 0, 0));
    let state = fixture.stored_request(&uid).await.unwrap().state;
    let refused = DecisionOutcome::Refused;
    assert!(matches!(state, RequestState::Settled { outcome, .. } if outcome == refused));
    // The booking stays pending and is never tried again, and the report says so.
    assert_eq!(sent.load(Ordering::Relaxed), 8);
    fixture.clock.advance(Span::hours(1));
    let report = fixture.pass().await;
    assert_eq!(step_outcome(&report, &uid), "none");
    assert_eq!(sent.load(Ordering::Relaxed), 8);
    assert_eq!(fixture.status(&uid), "pending");
    // Cal.com's answer is in the plan's reason and on the unresolved list.
    let answer = "User not a host of this event";
    let planned = fixture.try_pass(true).await.unwrap();
    let reason = planned.steps[0].request.reasons[0].text.clone();
    assert!(reason.contains(answer), "{reason}");
    let items = fixture
        .store
        .with(|store| store.unresolved_items(None, 9))
        .await;
    let items = items.unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].code, UnresolvedCode::Refused);
    assert!(items[0].detail.contains(answer), "{}", items[0].detail);
    // A person confirms the booking at Cal.com: it is on the list with its new reason.
    let now = fixture.clock.now();
    let accept = |row: &mut maitred::sandbox::booking::SandboxBooking| {
        row.status = maitred::sandbox::booking::SandboxStatus::Accepted;
        row.updated = Some(now);
    };
    fixture.sandbox.lock().edit(&uid, accept).unwrap();
    fixture.watch(true).await;
    let items = fixture
        .store
        .with(|store| store.unresolved_items(None, 9))
        .await;
    let codes: Vec<_> = items.unwrap().iter().map(|item| item.code).collect();
    assert_eq!(codes, [UnresolvedCode::Unmanaged]);
}

/// Fault B8: an unknown status, after an answer that was lost.
#[tokio::test]
async fn an_unknown_status_keeps_its_hold_and_is_reported() {
    for as_if in [RowFault::AwaitingHost, RowFault::UnknownStatus] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 5).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, "2026-12-01T09:00:00Z");
        let lost = Fault::HangUp {
            stage: Stage::After,
        };
        add_fault(&fixture, FaultRule::on_next(Operation::Confirm, lost));
        fixture.pass().await;
        let odd = Fault::Rows {
            as_if: as_if.clone(),
        };
        add_fault(
            &fixture,
            FaultRule::on_next(Operation::Get, odd)
                .for_booking(&uid)
                .times(FaultTimes::Count(2)),
        );
        for _ in 0..2 {
            fixture.clock.advance(Span::minutes(20));
            let report = fixture.pass().await;
            assert_eq!(step_outcome(&report, &uid), "unresolved", "{as_if:?}");
            let problem = report
                .problems
                .iter()
                .any(|one| one.code == "unknown-status");
            assert!(problem, "{as_if:?}: {:?}", report.problems);
            assert_eq!(fixture.balance(BO).await, (4, 1, 0), "{as_if:?}");
        }
        fixture.clock.advance(Span::minutes(20));
        let report = fixture.pass().await;
        assert_eq!(step_outcome(&report, &uid), "confirmed", "{as_if:?}");
        assert_eq!(fixture.balance(BO).await, (4, 0, 1), "{as_if:?}");
    }
}

/// Fault A4: a server that takes more than a second for each call. A booking that the booker
/// cancels while others are confirmed is not changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_rests_on_a_reading_of_more_than_two_seconds() {
    for refuses in [false, true] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, if refuses { 1 } else { 30 }).await;
        let kinds = fixture.event_types;
        let kind = if refuses { kinds.dinner } else { kinds.lesson };
        let call = if refuses {
            Operation::Decline
        } else {
            Operation::Confirm
        };
        let base = fixture.sandbox.base_url();
        fixture.connect_to(&base, TIMEOUT);
        let uids: Vec<String> = (0..24)
            .map(|n| fixture.request(kind, BO, &format!("2026-12-{:02}T09:00:00Z", 1 + n)))
            .collect();
        // There are three rounds of eight calls: the last round starts after more than two seconds.
        let rule = FaultRule::on_next(call, slow_fault(Stage::Between, 1_200));
        add_fault(&fixture, rule.times(FaultTimes::Always));
        let last = uids[23].clone();
        let cancel = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&last));
        {
            let mut world = fixture.sandbox.lock();
            world.script.add(Trigger::between(call, 1), vec![cancel]);
        }
        let lists = call_count(&fixture, Operation::List);
        let report = fixture.pass().await;
        assert_eq!(fixture.status(&last), "cancelled", "{refuses}");
        assert_eq!(step_outcome(&report, &last), "superseded", "{refuses}");
        assert_eq!(call_count(&fixture, call), 23, "{refuses}");
        // The list of pending bookings, the list of accepted bookings, and another reading every
        // two seconds.
        let looks = call_count(&fixture, Operation::List) - lists;
        assert!((2..=6).contains(&looks), "{looks}");
        fixture.session = Session::default();
    }
}
