//! The calendar that the pass receives: the model of Cal.com behind an unreliable connection. Each
//! call has a point before its effect and a point after it; at both points others may act, the
//! clock may move, the answer may be lost, or the process may end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::Notify;

use maitred::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use maitred::domain::booking::{Booking, BookingRef, BookingStatus, EventType, Fetched};
use maitred::domain::dialect::Dialect;
use maitred::domain::id::{BookingUid, EventTypeId, HostId};
use maitred::domain::time::{Clock, Span, Time};

use super::behaviours::Behaviours;
use super::booking_lists::list_page;
use super::coverage::Coverage;
use super::faulty_store::FaultyStore;
use super::model_calcom::{HOST_ID, ModelBooking, ModelCalcom, WriteRefusal};
use super::reference_ledger::NOT_DECIDED;
use super::server::{FinishedConfirm, RunningConfirm};
use crate::rng::Rng;

/// Everything that the calendar, the store and the checks of a run share.
pub struct SimState {
    pub rng: Rng,
    pub calcom: ModelCalcom,
    pub coverage: Coverage,
    /// Rate of faults and of changes by others, in a thousand; 0 when the run comes to rest.
    pub fault_rate: u64,
    pub page_size: usize,
    pub max_age: Span,
    pub resend_after: Span,
    /// Writes whose end the client does not know, by booking or series: when they were sent, and
    /// for which request.
    pub open_writes: BTreeMap<String, (Time, String)>,
    pub reads_first: bool,
    pub calls: u64,
    /// How far the server's clock is ahead.
    pub clocks_differ: Span,
    /// The first list of a pass may be stale; readings right before a call are fresh.
    pub has_listed: bool,
    /// The number of changes at which the rows of stale lists were saved.
    pub stale_from: usize,
    pub writes: u64,
    /// Broken promises, as text.
    pub violations: Vec<String>,
    pub behaviours: Behaviours,
    /// Confirms that are running at the server, the number of confirms ever started, and the
    /// results of finished ones.
    pub running: Vec<RunningConfirm>,
    pub started: u64,
    pub finished: Vec<FinishedConfirm>,
    /// Bookings with a status that the client does not know, and when they are accepted.
    pub unknown_statuses: Vec<(Time, String)>,
    /// How long the client waits for an answer.
    pub timeout: Span,
    /// Whether the server permanently refuses to confirm a booking.
    pub always_refused: BTreeMap<String, bool>,
    /// When the calls that wait for time to pass will continue.
    wake_times: BTreeMap<u64, Time>,
    next_sleeper: u64,
    /// A list of this pass or watch did not show the current state.
    pub stale: Arc<AtomicBool>,
}

pub struct SharedWorld {
    sim: Mutex<SimState>,
    now: AtomicI64,
    /// The error of the process's clock in milliseconds.
    skew: AtomicI64,
    points_passed: AtomicU64,
    stop_at: AtomicU64,
    /// The process has ended: its further actions have no effect.
    has_ended: AtomicBool,
    pub always_yields: AtomicBool,
    pub stop_notice: Notify,
}

impl SimState {
    pub fn new(rng: Rng, calcom: ModelCalcom, max_age: Span) -> Self {
        Self {
            rng,
            behaviours: calcom.behaviours,
            reads_first: calcom.legacy,
            calcom,
            coverage: Coverage::default(),
            fault_rate: 0,
            page_size: 250,
            max_age,
            resend_after: Span::minutes(15),
            open_writes: BTreeMap::new(),
            calls: 0,
            clocks_differ: Span::zero(),
            has_listed: false,
            stale_from: 0,
            writes: 0,
            violations: Vec::new(),
            running: Vec::new(),
            started: 0,
            finished: Vec::new(),
            unknown_statuses: Vec::new(),
            timeout: Span::seconds(60),
            always_refused: BTreeMap::new(),
            wake_times: BTreeMap::new(),
            next_sleeper: 0,
            stale: Arc::default(),
        }
    }

    /// Prepares a new pass or watch: no call of the previous one still waits.
    pub fn clear_sleepers(&mut self) {
        self.wake_times.clear();
        self.finished.clear();
        self.stale.store(false, Ordering::Relaxed);
    }
}

impl SharedWorld {
    pub fn new(sim: SimState, now: Time) -> Self {
        Self {
            sim: Mutex::new(sim),
            now: AtomicI64::new(now.timestamp_millis()),
            skew: AtomicI64::new(0),
            points_passed: AtomicU64::new(0),
            stop_at: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            always_yields: AtomicBool::new(false),
            stop_notice: Notify::new(),
        }
    }

    /// Locks the world at the current time: the server's own work has progressed to this time.
    pub fn lock_sim(&self) -> MutexGuard<'_, SimState> {
        let mut sim = self.sim.lock().unwrap();
        sim.tick(self.now());
        sim
    }

    pub fn now(&self) -> Time {
        Time::from_timestamp_millis(self.now.load(Ordering::Relaxed)).unwrap()
    }

    pub fn advance(&self, span: Span) {
        let ms = span.num_milliseconds();
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// Returns the time that the process believes.
    pub fn process_now(&self) -> Time {
        self.now() + Span::milliseconds(self.skew.load(Ordering::Relaxed))
    }

    pub fn set_skew(&self, skew: Span) {
        let ms = skew.num_milliseconds();
        self.skew.store(ms, Ordering::Relaxed);
    }

    pub fn clock(self: &Arc<Self>) -> Clock {
        let this = Arc::clone(self);
        Arc::new(move || this.process_now())
    }

    /// Ends the process at the `n`th point from now (counted from 1); 0 means never.
    pub fn stop_after(&self, n: u64) {
        self.points_passed.store(0, Ordering::Relaxed);
        self.stop_at.store(n, Ordering::Relaxed);
        self.has_ended.store(false, Ordering::SeqCst);
        let _ = self.stop_notice.notified().now_or_never();
    }

    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Returns true if the process ends here.
    pub fn process_ends_here(&self) -> bool {
        if self.has_ended() {
            return true;
        }
        let point = self.points_passed.fetch_add(1, Ordering::Relaxed) + 1;
        let ends = point == self.stop_at.load(Ordering::Relaxed);
        if ends {
            self.has_ended.store(true, Ordering::SeqCst);
            self.stop_notice.notify_one();
        }
        ends
    }
}

pub struct ModelConnection {
    pub shared: Arc<SharedWorld>,
    pub store: FaultyStore,
}

/// What goes wrong with a call.
enum CallFault {
    None,
    Error(CallError),
    /// The effect takes place, but the answer is lost.
    Lost,
}

impl ModelConnection {
    /// A point between the process and the world.
    async fn pass_point(&self) {
        if self.shared.process_ends_here() {
            std::future::pending::<()>().await;
        }
        let turns = {
            let mut guard = self.shared.lock_sim();
            let sim = &mut *guard;
            let now = self.shared.now();
            self.shared
                .advance(Span::milliseconds(20 + sim.rng.up_to(300) as i64));
            if sim.fault_rate > 0 {
                self.jump_clock(sim);
                if sim.rng.chance(sim.fault_rate / 2)
                    && sim
                        .calcom
                        .change_random_booking(&mut sim.rng, &mut sim.coverage, now)
                {
                    sim.coverage.count("third party acted");
                }
                if sim.behaviours.race_with_confirm
                    && !sim.running.is_empty()
                    && sim.rng.chance(150)
                {
                    sim.change_running_booking(now);
                }
                if sim.rng.chance(sim.fault_rate / 4) {
                    self.grow_series(sim, now);
                }
                if sim.rng.chance(sim.fault_rate / 4) {
                    self.store
                        .run_operator_command(&mut sim.rng, &mut sim.coverage, now);
                }
            }
            // A run that is dropped at any await must wait at least once in both directions of each
            // call.
            sim.rng.up_to(3) + u64::from(self.shared.always_yields.load(Ordering::Relaxed))
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass until then. The call that wants to continue first does so.
    async fn sleep(&self, until: Time) {
        let number = {
            let mut sim = self.shared.lock_sim();
            sim.next_sleeper += 1;
            sim.next_sleeper
        };
        while self.shared.now() < until {
            self.shared.lock_sim().wake_times.insert(number, until);
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            let sim = self.shared.lock_sim();
            let now = self.shared.now();
            let first = sim.wake_times.values().filter(|wakes| **wakes > now).min();
            let first = first.copied().unwrap_or(now);
            drop(sim);
            self.shared.advance(first - now);
        }
        self.shared.lock_sim().wake_times.remove(&number);
    }

    fn jump_clock(&self, sim: &mut SimState) {
        if sim.rng.chance(8) {
            sim.coverage.count("call: clock jumped forward");
            let far = *sim.rng.pick(&[9, 12, 70, 4_000]);
            self.shared.advance(Span::seconds(far));
        }
        if sim.rng.chance(8) {
            sim.coverage.count("call: clock jumped back");
            self.shared.advance(-Span::milliseconds(1_500));
        }
    }

    fn grow_series(&self, sim: &mut SimState, now: Time) {
        let Some(series) = sim.calcom.grow_series(&mut sim.rng, now) else {
            return;
        };
        if self.store.has_open_intent(&series) {
            sim.coverage.count("grown while an intent was open");
        }
    }

    async fn begin_call(&self, writes: bool) -> (Time, CallFault) {
        let at = self.shared.now();
        self.pass_point().await;
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        sim.calls += 1;
        if !sim.rng.chance(sim.fault_rate / if writes { 1 } else { 3 }) {
            return (at, CallFault::None);
        }
        let what = || "simulated".to_owned();
        let fault = match sim.rng.up_to(if writes { 12 } else { 9 }) {
            0 => CallFault::Error(CallError::Unreachable(what())),
            1 | 2 => CallFault::Error(CallError::Unknown(what())),
            3 => {
                sim.coverage.count("rate limited");
                let until = self.shared.now() + Span::seconds(20);
                CallFault::Error(CallError::RateLimited { until })
            }
            4 => CallFault::Error(CallError::Refused(what())),
            5 => CallFault::Error(CallError::NotPermitted(what())),
            6 => {
                sim.coverage.count("credential refused");
                CallFault::Error(CallError::Credential(what()))
            }
            7 => CallFault::Error(CallError::Contract(what())),
            _ => CallFault::Lost,
        };
        match &fault {
            CallFault::Error(_) => sim.coverage.count("call: failed before"),
            CallFault::Lost => sim.coverage.count("call: lost after"),
            CallFault::None => {}
        }
        (at, fault)
    }

    /// Performs a read: the effect, then the way back. The time of the request counts as the time
    /// of the reading.
    async fn read<T>(
        &self,
        effect: impl FnOnce(&mut SimState) -> T,
        shows: impl Fn(&T) -> Vec<Booking>,
    ) -> Result<T, CallError> {
        let (at, fault) = self.begin_call(false).await;
        if let CallFault::Error(error) = fault {
            return Err(error);
        }
        let result = effect(&mut self.shared.lock_sim());
        self.pass_point().await;
        if let CallFault::Lost = fault {
            return Err(CallError::Unknown("simulated".to_owned()));
        }
        let mut sim = self.shared.lock_sim();
        for booking in shows(&result) {
            sim.calcom.record_shown(&booking, (at, self.shared.now()));
        }
        Ok(result)
    }

    /// Performs a write, and checks the promises at the moment at which the write is sent.
    async fn write(
        &self,
        booking: &BookingRef,
        deadline: Time,
        kind: WriteKind,
        from: &[BookingStatus],
    ) -> Result<Option<Fetched>, CallError> {
        let uid = booking.uid.as_str();
        if self.shared.has_ended() {
            std::future::pending::<()>().await;
        }
        let wild = self.shared.lock_sim().behaviours;
        if wild.slow_calls {
            self.wait_for_turn().await;
        }
        let now = self.shared.now();
        let late = self.shared.process_now() > deadline || {
            let mut sim = self.shared.lock_sim();
            let chance = sim.fault_rate / 4;
            sim.rng.chance(chance)
        };
        if late {
            self.shared.lock_sim().coverage.count("call: too late");
            return Err(CallError::TooLate);
        }
        self.check_sent(uid, now, kind);
        // The write counts as open until an answer ends it, even if the process ends here.
        let name = self.check_none_running(uid, now, kind);
        if wild.joined_series {
            let mut guard = self.shared.lock_sim();
            let sim = &mut *guard;
            if sim.fault_rate > 0 && sim.rng.chance(200) {
                sim.calcom.join_series(&mut sim.rng, uid, now);
                sim.coverage.count("joined between the look and the call");
            }
        }
        let (at, fault) = self.begin_call(true).await;
        if let CallFault::Error(error) = fault {
            if !matches!(error, CallError::Unknown(_)) {
                self.shared.lock_sim().open_writes.remove(&name);
            }
            return Err(error);
        }
        if kind == WriteKind::Confirm {
            if self.is_always_refused(uid) {
                self.shared.lock_sim().open_writes.remove(&name);
                return Err(CallError::NotPermitted("simulated".to_owned()));
            }
            if self.shared.now() - now > MAX_TRANSIT_TIME {
                self.shared.lock_sim().coverage.count("call: never arrived");
                return Err(CallError::Unknown("simulated".to_owned()));
            }
            if wild.confirms_take_time() && !self.reads_before_acting() {
                let answer = self.run_slow_confirm(uid, at, fault).await;
                if !matches!(answer, Err(CallError::Unknown(_))) {
                    self.shared.lock_sim().open_writes.remove(&name);
                }
                return answer;
            }
        }
        let refused = {
            let mut guard = self.shared.lock_sim();
            let sim = &mut *guard;
            let fits = sim
                .calcom
                .row(uid)
                .is_some_and(|row| from.contains(&row.status));
            if sim.reads_first && !fits {
                None
            } else {
                self.apply_write(sim, uid, kind)
            }
        };
        self.pass_point().await;
        if let CallFault::Lost = fault {
            return Err(CallError::Unknown("simulated".to_owned()));
        }
        self.shared.lock_sim().open_writes.remove(&name);
        if let Some(text) = refused {
            return Err(CallError::Refused(text.to_owned()));
        }
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        let hidden = !sim.reads_first && sim.rng.chance(300);
        if hidden || sim.calcom.row(uid).is_some_and(|row| row.unreadable) {
            sim.coverage.count("call: answered without a reading");
            return Ok(None);
        }
        let reading = read_row(&sim.calcom, uid);
        if let Fetched::Found(booking) = &reading {
            sim.calcom.record_shown(booking, (at, self.shared.now()));
        }
        Ok(Some(reading))
    }

    /// Waits for the turn of a call: the client has other calls running, and a budget.
    async fn wait_for_turn(&self) {
        let waits = {
            let mut sim = self.shared.lock_sim();
            if sim.fault_rate == 0 {
                return;
            }
            *sim.rng.pick(&[0, 0, 0, 1, 2, 4])
        };
        self.sleep(self.shared.now() + Span::seconds(waits)).await;
    }

    fn is_always_refused(&self, uid: &str) -> bool {
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        if !sim.behaviours.always_refused || sim.fault_rate == 0 {
            return false;
        }
        if !sim.always_refused.contains_key(uid) {
            let refused = sim.rng.chance(150);
            sim.always_refused.insert(uid.to_owned(), refused);
        }
        let refused = sim.always_refused[uid];
        if refused {
            sim.coverage.count("confirm refused for ever");
        }
        refused
    }

    /// Performs a confirm that takes time at the server. The client waits no longer than its
    /// timeout.
    async fn run_slow_confirm(
        &self,
        uid: &str,
        at: Time,
        fault: CallFault,
    ) -> Result<Option<Fetched>, CallError> {
        let started = {
            let mut guard = self.shared.lock_sim();
            let sim = &mut *guard;
            let now = self.shared.now();
            match sim.calcom.row(uid).map(|row| row.status.clone()) {
                None => Err("not found"),
                Some(BookingStatus::Accepted) => Err("already answered"),
                Some(_) => {
                    let (number, ends) = sim.start_confirm(uid, now);
                    Ok((number, ends.min(now + sim.timeout)))
                }
            }
        };
        let number = match started {
            Ok((number, until)) => {
                self.sleep(until).await;
                Some(number)
            }
            Err(_) => None,
        };
        self.pass_point().await;
        if let CallFault::Lost = fault {
            return Err(CallError::Unknown("simulated".to_owned()));
        }
        let Some(number) = number else {
            let text = started.err().unwrap_or_default();
            return Err(CallError::Refused(text.to_owned()));
        };
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        let Some(finished) = sim.finished.iter().find(|done| done.number == number) else {
            sim.coverage
                .count("call: the client gave up while the server goes on");
            return Err(CallError::Unknown("timed out".to_owned()));
        };
        if finished.died {
            return Err(CallError::Unknown("the server is gone".to_owned()));
        }
        let accepted = finished.accepted.clone();
        for uid in &accepted {
            self.check_hold(sim, uid);
        }
        if sim.rng.chance(200) || sim.calcom.row(uid).is_some_and(|row| row.unreadable) {
            sim.coverage.count("call: answered without a reading");
            return Ok(None);
        }
        let reading = read_row(&sim.calcom, uid);
        if let Fetched::Found(booking) = &reading {
            sim.calcom.record_shown(booking, (at, self.shared.now()));
        }
        Ok(Some(reading))
    }

    /// Checks promise 16: no second call while the first one may be running. Returns the name under
    /// which the server answers the call: the series if one call answers the whole series, and the
    /// booking otherwise.
    fn check_none_running(&self, uid: &str, now: Time, kind: WriteKind) -> String {
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        let whole = !sim.calcom.series_per_occurrence && !sim.calcom.legacy;
        let series = sim.calcom.row(uid).and_then(|row| row.series.clone());
        // A cancellation concerns one occurrence, whatever other calls the series gets.
        let series = series.filter(|_| whole && kind != WriteKind::Cancel);
        let name = series.unwrap_or_else(|| uid.to_owned());
        if let Some((sent, request)) = sim.open_writes.get(&name) {
            // The request may be settled meanwhile, because its bookings show that the call has
            // ended.
            let is_open = self.store.is_open(request);
            if is_open && now < *sent + sim.resend_after {
                let text =
                    format!("16: {name} called at {now}, after a call at {sent} without end");
                sim.violations.push(text);
            }
            sim.coverage.count("called again after an unknown end");
        }
        let request = self.store.open_intent_of(uid).unwrap_or_default();
        sim.open_writes.insert(name.clone(), (now, request));
        name
    }

    /// Checks promises 2 and 5 when a call is sent. A booking that others accepted is cancelled
    /// only if it was just seen accepted.
    fn check_sent(&self, uid: &str, now: Time, kind: WriteKind) {
        let clock = self.shared.process_now();
        let mut guard = self.shared.lock_sim();
        let sim = &mut *guard;
        sim.writes += 1;
        if kind == WriteKind::Confirm && sim.calcom.row(uid).is_some_and(|row| row.start < clock) {
            let text = format!("11 (B11): {uid} is confirmed at {clock}, after its start");
            sim.violations.push(text);
        }
        let unmanaged = kind == WriteKind::Cancel && self.store.is_unmanaged(uid);
        let must = if unmanaged {
            BookingStatus::Accepted
        } else {
            BookingStatus::Pending
        };
        if !sim.reads_first {
            let last_shown = sim.calcom.shown.get(uid).cloned();
            let pending = last_shown.as_ref().is_some_and(|seen| {
                seen.status == must
                    && (unmanaged || !seen.moved)
                    && now - seen.asked_at <= sim.max_age
            });
            let fresh = last_shown.as_ref().is_none_or(|seen| {
                now - seen.asked_at <= MAX_READING_AGE || now - seen.arrived_at <= ARRIVAL_TOLERANCE
            });
            if !pending {
                let text = format!("5: {kind:?} of {uid} at {now}, last seen {last_shown:?}");
                sim.violations.push(text);
            } else if !fresh {
                let text = format!("5 (A4): {kind:?} of {uid} at {now}, last seen {last_shown:?}");
                sim.violations.push(text);
            }
        }
        if let Err(why) = self.store.check_may_send(uid, kind == WriteKind::Confirm) {
            sim.violations.push(format!("2: {kind:?} of {uid}: {why}"));
        }
    }

    /// Applies the write as the server does, and checks promises 2 and 6 by the effect on each
    /// booking.
    fn apply_write(&self, sim: &mut SimState, uid: &str, kind: WriteKind) -> Option<&'static str> {
        let status = match kind {
            WriteKind::Confirm => BookingStatus::Accepted,
            WriteKind::Decline => BookingStatus::Rejected,
            WriteKind::Cancel => BookingStatus::Cancelled,
        };
        let was = sim.calcom.row(uid).map(|row| row.status.clone());
        if matches!(
            was,
            Some(BookingStatus::Cancelled | BookingStatus::Rejected)
        ) && kind == WriteKind::Confirm
        {
            sim.coverage.count("revived by a race");
        }
        let now = self.shared.now();
        let changed = match kind {
            WriteKind::Cancel => sim
                .calcom
                .cancel_booking(uid, None, now)
                .map(|()| vec![uid.to_owned()]),
            WriteKind::Confirm | WriteKind::Decline => sim.calcom.answer_request(uid, &status, now),
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(WriteRefusal::NotFound) => return Some("not found"),
            Err(WriteRefusal::AlreadyDone) => return Some("already answered"),
            Err(WriteRefusal::Ended) => return Some("over"),
        };
        for uid in &changed {
            let row = sim.calcom.row_mut(uid).expect("it was just changed");
            row.refused_by_us = kind != WriteKind::Confirm;
        }
        sim.calcom.record_history();
        for uid in &changed {
            let in_series = sim.calcom.row(uid).is_some_and(|row| row.series.is_some());
            let ours = sim.calcom.own_writes.entry(uid.clone()).or_default();
            match kind {
                WriteKind::Confirm => ours.confirmed += 1,
                WriteKind::Decline | WriteKind::Cancel => ours.refused += 1,
            }
            // This ledger does not know about confirms of a ledger that was lost.
            let joined = ours.confirmed > 0
                && !ours.confirmed_by_lost_ledger
                && !self.store.was_held(uid)
                && !self.store.was_lost(uid)
                // A booking that was cancelled or moved and then accepted again is cancelled if the
                // gate says so.
                && !self.store.cancels_revived(uid)
                && in_series;
            if kind == WriteKind::Cancel && joined {
                let text = format!("15 (B10): {uid} joined under our confirm, and we cancel it");
                sim.violations.push(text);
            }
            // A booking that joined a series during maitred's confirm was accepted with the series,
            // and no decision covers it. A booking that is accepted repeatedly is cancelled as
            // often.
            let again = kind == WriteKind::Cancel && self.store.is_unmanaged(uid);
            if ours.confirmed + ours.refused > 1 && !again && !self.store.was_unmanaged(uid) {
                sim.violations
                    .push(format!("2/6: {uid} answered twice by us"));
            }
            if kind == WriteKind::Confirm {
                self.check_hold(sim, uid);
            }
        }
        if kind != WriteKind::Confirm {
            let ours = sim.calcom.own_writes.entry(uid.to_owned()).or_default();
            ours.refusals_mailed += 1;
            if ours.refusals_mailed > 1 && !self.store.was_unmanaged(uid) {
                sim.violations
                    .push(format!("6: {uid} refused a second time"));
            }
        }
        None
    }

    /// Checks promise 2: a booking that was pending when the pass began is confirmed with a hold.
    fn check_hold(&self, sim: &mut SimState, uid: &str) {
        if !sim.calcom.pending_at_start.contains(uid) {
            return;
        }
        let Err(why) = self.store.check_held(uid) else {
            return;
        };
        // The one call reaches every pending occurrence, even one that is over and that an earlier
        // refusal by cancelling could not reach, or that was closed: such an occurrence is not
        // charged.
        let now = self.shared.now();
        let is_over = sim.calcom.row(uid).is_some_and(|row| row.end <= now);
        if why == NOT_DECIDED && is_over && self.store.was_decided(uid) {
            sim.coverage.count("over, and confirmed with its series");
            sim.calcom
                .own_writes
                .entry(uid.to_owned())
                .or_default()
                .confirmed_when_over = true;
            return;
        }
        sim.violations.push(format!("2: {uid} confirmed: {why}"));
    }
}

/// The maximum age of the reading behind a call, counted from the request; [`ARRIVAL_TOLERANCE`]
/// applies to a reading that was under way for long, counted from its arrival.
const MAX_READING_AGE: Span = Span::milliseconds(2_100);
/// The client gives up a call, and closes its connection, before a clock jump lets the call arrive.
const MAX_TRANSIT_TIME: Span = Span::minutes(2);
const ARRIVAL_TOLERANCE: Span = Span::milliseconds(1_100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    Confirm,
    Decline,
    Cancel,
}

fn read_row(calcom: &ModelCalcom, uid: &str) -> Fetched {
    match calcom.row(uid) {
        Some(row) => Fetched::Found(Box::new(calcom.booking(row))),
        None => Fetched::Gone,
    }
}

#[async_trait]
impl Calendar for ModelConnection {
    async fn current_user(&self) -> Result<CurrentUser, CallError> {
        let me = |_: &mut SimState| CurrentUser {
            id: HostId(HOST_ID),
            username: None,
            address: None,
            time_zone: None,
            admin: false,
        };
        self.read(me, |_| Vec::new()).await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.read(|sim| sim.calcom.event_types(), |_| Vec::new())
            .await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        let find =
            move |sim: &mut SimState| sim.calcom.event_types().into_iter().find(|e| e.id == id);
        self.read(find, |_| Vec::new()).await
    }

    async fn list(&self, select: &BookingFilter, number: u32) -> Result<BookingPage, CallError> {
        let now = self.shared.now();
        let effect = |sim: &mut SimState| list_page(sim, select, number, now);
        self.read(effect, |page| page.bookings.clone()).await
    }

    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
        if self.reads_before_acting() && booking.id.is_none() {
            return Err(CallError::Refused("v1 names bookings by number".to_owned()));
        }
        let effect = |sim: &mut SimState| {
            let odd = sim
                .calcom
                .row(booking.uid.as_str())
                .is_some_and(|row| row.unreadable);
            (!odd).then(|| read_row(&sim.calcom, booking.uid.as_str()))
        };
        let shows = |reading: &Option<Fetched>| match reading {
            Some(Fetched::Found(booking)) => vec![(**booking).clone()],
            Some(Fetched::Gone) | None => Vec::new(),
        };
        let read = self.read(effect, shows).await?;
        read.ok_or_else(|| CallError::Unknown("an odd shape".to_owned()))
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        // The second value tells whether one of the bookings cannot be read: this makes the whole
        // answer unusable.
        let effect = |sim: &mut SimState| {
            let of = |row: &&ModelBooking| row.series.as_deref() == Some(series.as_str());
            let rows = || sim.calcom.rows.iter().filter(of);
            let all: Vec<Booking> = rows().map(|row| sim.calcom.booking(row)).collect();
            (all, rows().any(|row| row.unreadable), sim.calcom.legacy)
        };
        let shows = |(all, odd, legacy): &(Vec<Booking>, bool, bool)| {
            let all = all.iter().filter(|_| !odd && !legacy);
            all.cloned().collect()
        };
        match self.read(effect, shows).await? {
            (_, _, true) => Ok(None),
            (_, true, _) => Err(CallError::Unknown("an odd shape".to_owned())),
            (all, ..) => Ok(Some(all)),
        }
    }

    fn names_successors(&self) -> bool {
        !self.shared.lock_sim().calcom.legacy
    }

    fn reads_before_acting(&self) -> bool {
        self.shared.lock_sim().reads_first
    }

    async fn confirm(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let from = [BookingStatus::Pending];
        self.write(booking, deadline, WriteKind::Confirm, &from)
            .await
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        assert!(!reason.is_empty(), "a refusal without a reason");
        let kind = if self.reads_before_acting() {
            WriteKind::Cancel
        } else {
            WriteKind::Decline
        };
        let from = [BookingStatus::Pending];
        self.write(booking, deadline, kind, &from).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        assert!(!reason.is_empty(), "a refusal without a reason");
        let from = [BookingStatus::Pending, BookingStatus::Accepted];
        self.write(booking, deadline, WriteKind::Cancel, &from)
            .await
    }

    fn server(&self) -> String {
        "sim.example.com".to_owned()
    }

    fn dialect(&self) -> Dialect {
        if self.shared.lock_sim().calcom.legacy {
            Dialect::V1
        } else {
            Dialect::V2
        }
    }

    fn clock_difference(&self) -> Option<Span> {
        // A clock that is wrong by days is the process's own clock.
        let ahead = self.shared.process_now() - self.shared.now();
        Some(self.shared.lock_sim().clocks_differ - ahead)
    }

    fn calls(&self) -> u64 {
        self.shared.lock_sim().calls
    }

    fn available_calls(&self) -> usize {
        // A run that continues for a moment after its end, because the store's thread was quick,
        // draws no random number: the same seed must give the same run.
        if self.shared.has_ended() {
            return 1;
        }
        let mut sim = self.shared.lock_sim();
        let most = if sim.behaviours.slow_calls { 40 } else { 10 };
        1 + sim.rng.index(most)
    }
}
