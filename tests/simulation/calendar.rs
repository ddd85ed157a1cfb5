//! The calendar that the pass is given: the town, seen through a bad line. Each call has a place
//! before its effect and one after it; at both, others may act, the clock may move, the answer may
//! be lost, or the process may be stopped for good.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::Notify;

use maitred::calcom::port::{Calendar, CallError, Dialect, Me, Page, Select};
use maitred::domain::booking::{Booking, BookingRef, EventType, Reading, Status};
use maitred::domain::id::{BookingUid, EventTypeId, HostId};
use maitred::domain::time::{Clock, Span, Time};

use super::behaviours::Behaviours;
use super::book::NOT_DECIDED;
use super::list::page;
use super::rng::Rng;
use super::server::{Finished, Running};
use super::shelf::Shelf;
use super::tally::Tally;
use super::town::{ME, Refused, Row, Town};

/// All that a run shares between the calendar, the store and the one who watches both.
pub struct Sim {
    pub rng: Rng,
    pub town: Town,
    pub tally: Tally,
    /// Faults and third parties, out of a thousand; 0 when the run comes to rest.
    pub trouble: u64,
    pub page: usize,
    pub max_age: Span,
    pub resend_after: Span,
    /// Writes whose end the client does not know, by booking or series: when they were sent, and for which
    /// request.
    pub unended: BTreeMap<String, (Time, String)>,
    pub reads_first: bool,
    pub calls: u64,
    /// How far the server's clock is ahead.
    pub clocks_differ: Span,
    /// The first list of a pass may be stale: what is looked at right before a call is fresh.
    pub listed: bool,
    /// How much had happened when what stale lists show was kept.
    pub before: usize,
    pub writes: u64,
    /// Promises that were broken, in words.
    pub wrong: Vec<String>,
    pub behaviours: Behaviours,
    /// Confirms that the server works on, how many it ever began, and what became of them.
    pub running: Vec<Running>,
    pub started: u64,
    pub finished: Vec<Finished>,
    /// Bookings in a status that nobody knows, and when they are accepted.
    pub detours: Vec<(Time, String)>,
    /// How long the client waits for an answer.
    pub timeout: Span,
    /// Whether the server refuses for ever to confirm a booking.
    pub refused: BTreeMap<String, bool>,
    /// When those who wait for time to go by want to go on.
    sleepers: BTreeMap<u64, Time>,
    slept: u64,
    /// A list of this pass or watch did not show everything as it is.
    pub stale: Arc<AtomicBool>,
}

pub struct Shared {
    sim: Mutex<Sim>,
    now: AtomicI64,
    /// By how many milliseconds the process's clock is wrong.
    skew: AtomicI64,
    points: AtomicU64,
    stop_at: AtomicU64,
    /// The process is gone: what it still tries has no effect.
    ended: AtomicBool,
    pub always_waits: AtomicBool,
    pub stopped: Notify,
}

impl Sim {
    pub fn new(rng: Rng, town: Town, max_age: Span) -> Self {
        Self {
            rng,
            behaviours: town.behaviours,
            reads_first: town.legacy,
            town,
            tally: Tally::default(),
            trouble: 0,
            page: 250,
            max_age,
            resend_after: Span::minutes(15),
            unended: BTreeMap::new(),
            calls: 0,
            clocks_differ: Span::zero(),
            listed: false,
            before: 0,
            writes: 0,
            wrong: Vec::new(),
            running: Vec::new(),
            started: 0,
            finished: Vec::new(),
            detours: Vec::new(),
            timeout: Span::seconds(60),
            refused: BTreeMap::new(),
            sleepers: BTreeMap::new(),
            slept: 0,
            stale: Arc::default(),
        }
    }

    /// A new pass or watch: nobody of the one before still waits.
    pub fn nobody_sleeps(&mut self) {
        self.sleepers.clear();
        self.finished.clear();
        self.stale.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    pub fn new(sim: Sim, now: Time) -> Self {
        Self {
            sim: Mutex::new(sim),
            now: AtomicI64::new(now.timestamp_millis()),
            skew: AtomicI64::new(0),
            points: AtomicU64::new(0),
            stop_at: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            always_waits: AtomicBool::new(false),
            stopped: Notify::new(),
        }
    }

    /// The world as it is now: what the server works on by itself has gone on.
    pub fn sim(&self) -> MutexGuard<'_, Sim> {
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

    /// What the process takes for the time.
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

    /// The process ends at the `n`th place from now (from 1); 0: it does not.
    pub fn stop_after(&self, n: u64) {
        self.points.store(0, Ordering::Relaxed);
        self.stop_at.store(n, Ordering::Relaxed);
        self.ended.store(false, Ordering::SeqCst);
        let _ = self.stopped.notified().now_or_never();
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Whether the process ends here.
    pub fn ends_here(&self) -> bool {
        if self.has_ended() {
            return true;
        }
        let point = self.points.fetch_add(1, Ordering::Relaxed) + 1;
        let ends = point == self.stop_at.load(Ordering::Relaxed);
        if ends {
            self.ended.store(true, Ordering::SeqCst);
            self.stopped.notify_one();
        }
        ends
    }
}

pub struct Line {
    pub shared: Arc<Shared>,
    pub shelf: Shelf,
}

/// What goes wrong with a call.
enum Fault {
    None,
    Instead(CallError),
    /// The effect is there, the answer is not.
    Lost,
}

impl Line {
    /// A place between the process and the world.
    async fn place(&self) {
        if self.shared.ends_here() {
            std::future::pending::<()>().await;
        }
        let turns = {
            let mut guard = self.shared.sim();
            let sim = &mut *guard;
            let now = self.shared.now();
            self.shared
                .advance(Span::milliseconds(20 + sim.rng.below(300) as i64));
            if sim.trouble > 0 {
                self.jump(sim);
                if sim.rng.chance(sim.trouble / 2)
                    && sim.town.meddle(&mut sim.rng, &mut sim.tally, now)
                {
                    sim.tally.add("third party acted");
                }
                if sim.behaviours.race && !sim.running.is_empty() && sim.rng.chance(150) {
                    sim.race(now);
                }
                if sim.rng.chance(sim.trouble / 4) {
                    self.grow(sim, now);
                }
                if sim.rng.chance(sim.trouble / 4) {
                    self.shelf.operate(&mut sim.rng, &mut sim.tally, now);
                }
            }
            // Dropped at any await: then each call waits at least once on both of its ways.
            sim.rng.below(3) + u64::from(self.shared.always_waits.load(Ordering::Relaxed))
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// Time goes by until then. Whoever wants to go on first does so.
    async fn sleep(&self, until: Time) {
        let number = {
            let mut sim = self.shared.sim();
            sim.slept += 1;
            sim.slept
        };
        while self.shared.now() < until {
            self.shared.sim().sleepers.insert(number, until);
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            let sim = self.shared.sim();
            let now = self.shared.now();
            let first = sim.sleepers.values().filter(|wakes| **wakes > now).min();
            let first = first.copied().unwrap_or(now);
            drop(sim);
            self.shared.advance(first - now);
        }
        self.shared.sim().sleepers.remove(&number);
    }

    fn jump(&self, sim: &mut Sim) {
        if sim.rng.chance(8) {
            sim.tally.add("call: clock jumped forward");
            let far = *sim.rng.pick(&[9, 12, 70, 4_000]);
            self.shared.advance(Span::seconds(far));
        }
        if sim.rng.chance(8) {
            sim.tally.add("call: clock jumped back");
            self.shared.advance(-Span::milliseconds(1_500));
        }
    }

    fn grow(&self, sim: &mut Sim, now: Time) {
        let Some(series) = sim.town.grow(&mut sim.rng, now) else {
            return;
        };
        if self.shelf.has_open_intent(&series) {
            sim.tally.add("grown while an intent was open");
        }
    }

    async fn begin(&self, writes: bool) -> (Time, Fault) {
        let at = self.shared.now();
        self.place().await;
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        sim.calls += 1;
        if !sim.rng.chance(sim.trouble / if writes { 1 } else { 3 }) {
            return (at, Fault::None);
        }
        let what = || "simulated".to_owned();
        let fault = match sim.rng.below(if writes { 12 } else { 9 }) {
            0 => Fault::Instead(CallError::Unreachable(what())),
            1 | 2 => Fault::Instead(CallError::Unknown(what())),
            3 => {
                sim.tally.add("rate limited");
                let until = self.shared.now() + Span::seconds(20);
                Fault::Instead(CallError::Limited { until })
            }
            4 => Fault::Instead(CallError::Refused(what())),
            5 => Fault::Instead(CallError::NotYours(what())),
            6 => {
                sim.tally.add("credential refused");
                Fault::Instead(CallError::Credential(what()))
            }
            7 => Fault::Instead(CallError::Contract(what())),
            _ => Fault::Lost,
        };
        match &fault {
            Fault::Instead(_) => sim.tally.add("call: failed before"),
            Fault::Lost => sim.tally.add("call: lost after"),
            Fault::None => {}
        }
        (at, fault)
    }

    /// A read: the effect, then the way back. What arrives was seen as of when it was asked for.
    async fn read<T>(
        &self,
        effect: impl FnOnce(&mut Sim) -> T,
        shows: impl Fn(&T) -> Vec<Booking>,
    ) -> Result<T, CallError> {
        let (at, fault) = self.begin(false).await;
        if let Fault::Instead(error) = fault {
            return Err(error);
        }
        let given = effect(&mut self.shared.sim());
        self.place().await;
        if let Fault::Lost = fault {
            return Err(CallError::Unknown("simulated".to_owned()));
        }
        let mut sim = self.shared.sim();
        for booking in shows(&given) {
            sim.town.show(&booking, (at, self.shared.now()));
        }
        Ok(given)
    }

    /// A write: judged against the promises at the instant at which it is sent.
    async fn write(
        &self,
        booking: &BookingRef,
        deadline: Time,
        kind: Write,
        from: &[Status],
    ) -> Result<Option<Reading>, CallError> {
        let uid = booking.uid.as_str();
        if self.shared.has_ended() {
            std::future::pending::<()>().await;
        }
        let wild = self.shared.sim().behaviours;
        if wild.slow_calls {
            self.turn().await;
        }
        let now = self.shared.now();
        let late = self.shared.process_now() > deadline || {
            let mut sim = self.shared.sim();
            let chance = sim.trouble / 4;
            sim.rng.chance(chance)
        };
        if late {
            self.shared.sim().tally.add("call: too late");
            return Err(CallError::TooLate);
        }
        self.check_sent(uid, now, kind);
        // Until an answer comes back that ends it, also when the process ends here.
        let name = self.begins_to_run(uid, now, kind);
        if wild.joins {
            let mut guard = self.shared.sim();
            let sim = &mut *guard;
            if sim.trouble > 0 && sim.rng.chance(200) {
                sim.town.join(&mut sim.rng, uid, now);
                sim.tally.add("joined between the look and the call");
            }
        }
        let (at, fault) = self.begin(true).await;
        if let Fault::Instead(error) = fault {
            if !matches!(error, CallError::Unknown(_)) {
                self.shared.sim().unended.remove(&name);
            }
            return Err(error);
        }
        if kind == Write::Confirm {
            if self.refused_for_ever(uid) {
                self.shared.sim().unended.remove(&name);
                return Err(CallError::NotYours("simulated".to_owned()));
            }
            if self.shared.now() - now > ON_ITS_WAY {
                self.shared.sim().tally.add("call: never arrived");
                return Err(CallError::Unknown("simulated".to_owned()));
            }
            if wild.confirms_take_time() && !self.reads_before_acting() {
                let answer = self.confirm_running(uid, at, fault).await;
                if !matches!(answer, Err(CallError::Unknown(_))) {
                    self.shared.sim().unended.remove(&name);
                }
                return answer;
            }
        }
        let refused = {
            let mut guard = self.shared.sim();
            let sim = &mut *guard;
            let fits = sim
                .town
                .row(uid)
                .is_some_and(|row| from.contains(&row.status));
            if sim.reads_first && !fits {
                None
            } else {
                self.effect(sim, uid, kind)
            }
        };
        self.place().await;
        if let Fault::Lost = fault {
            return Err(CallError::Unknown("simulated".to_owned()));
        }
        self.shared.sim().unended.remove(&name);
        if let Some(text) = refused {
            return Err(CallError::Refused(text.to_owned()));
        }
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        let hidden = !sim.reads_first && sim.rng.chance(300);
        if hidden || sim.town.row(uid).is_some_and(|row| row.odd) {
            sim.tally.add("call: answered without a reading");
            return Ok(None);
        }
        let reading = reading(&sim.town, uid);
        if let Reading::Is(booking) = &reading {
            sim.town.show(booking, (at, self.shared.now()));
        }
        Ok(Some(reading))
    }

    /// Waits for the turn of a call: the client has other calls under way, and a budget.
    async fn turn(&self) {
        let waits = {
            let mut sim = self.shared.sim();
            if sim.trouble == 0 {
                return;
            }
            *sim.rng.pick(&[0, 0, 0, 1, 2, 4])
        };
        self.sleep(self.shared.now() + Span::seconds(waits)).await;
    }

    fn refused_for_ever(&self, uid: &str) -> bool {
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        if !sim.behaviours.refused || sim.trouble == 0 {
            return false;
        }
        if !sim.refused.contains_key(uid) {
            let refused = sim.rng.chance(150);
            sim.refused.insert(uid.to_owned(), refused);
        }
        let refused = sim.refused[uid];
        if refused {
            sim.tally.add("confirm refused for ever");
        }
        refused
    }

    /// A confirm that takes its time at the server, which the client waits for no longer than it may.
    async fn confirm_running(
        &self,
        uid: &str,
        at: Time,
        fault: Fault,
    ) -> Result<Option<Reading>, CallError> {
        let started = {
            let mut guard = self.shared.sim();
            let sim = &mut *guard;
            let now = self.shared.now();
            match sim.town.row(uid).map(|row| row.status.clone()) {
                None => Err("not found"),
                Some(Status::Accepted) => Err("already answered"),
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
        self.place().await;
        if let Fault::Lost = fault {
            return Err(CallError::Unknown("simulated".to_owned()));
        }
        let Some(number) = number else {
            let text = started.err().unwrap_or_default();
            return Err(CallError::Refused(text.to_owned()));
        };
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        let Some(finished) = sim.finished.iter().find(|done| done.number == number) else {
            sim.tally
                .add("call: the client gave up while the server goes on");
            return Err(CallError::Unknown("timed out".to_owned()));
        };
        if finished.died {
            return Err(CallError::Unknown("the server is gone".to_owned()));
        }
        let accepted = finished.accepted.clone();
        for uid in &accepted {
            self.held_for(sim, uid);
        }
        if sim.rng.chance(200) || sim.town.row(uid).is_some_and(|row| row.odd) {
            sim.tally.add("call: answered without a reading");
            return Ok(None);
        }
        let reading = reading(&sim.town, uid);
        if let Reading::Is(booking) = &reading {
            sim.town.show(booking, (at, self.shared.now()));
        }
        Ok(Some(reading))
    }

    /// Promise 16: no second call while the first one may be running. Gives the name under which the
    /// server answers it: that of a series, where one call answers the whole.
    fn begins_to_run(&self, uid: &str, now: Time, kind: Write) -> String {
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        let whole = !sim.town.series_per_occurrence && !sim.town.legacy;
        let series = sim.town.row(uid).and_then(|row| row.series.clone());
        // A cancellation is of one occurrence, whatever else is called of its series.
        let series = series.filter(|_| whole && kind != Write::Cancel);
        let name = series.unwrap_or_else(|| uid.to_owned());
        if let Some((sent, request)) = sim.unended.get(&name) {
            // What it was sent for may be settled meanwhile: its bookings say that it is over.
            let is_open = self.shelf.is_open(request);
            if is_open && now < *sent + sim.resend_after {
                let text =
                    format!("16: {name} called at {now}, after a call at {sent} without end");
                sim.wrong.push(text);
            }
            sim.tally.add("called again after an unknown end");
        }
        let request = self.shelf.open_intent_of(uid).unwrap_or_default();
        sim.unended.insert(name.clone(), (now, request));
        name
    }

    /// Promises 2 and 5, when a call is sent. What others accepted is cancelled only when it was
    /// seen accepted just now.
    fn check_sent(&self, uid: &str, now: Time, kind: Write) {
        let clock = self.shared.process_now();
        let mut guard = self.shared.sim();
        let sim = &mut *guard;
        sim.writes += 1;
        if kind == Write::Confirm && sim.town.row(uid).is_some_and(|row| row.start < clock) {
            let text = format!("11 (B11): {uid} is confirmed at {clock}, after its start");
            sim.wrong.push(text);
        }
        let unmanaged = kind == Write::Cancel && self.shelf.is_unmanaged(uid);
        let must = if unmanaged {
            Status::Accepted
        } else {
            Status::Pending
        };
        if !sim.reads_first {
            let seen = sim.town.shown.get(uid).cloned();
            let pending = seen.as_ref().is_some_and(|seen| {
                seen.status == must && (unmanaged || !seen.moved) && now - seen.asked <= sim.max_age
            });
            let fresh = seen
                .as_ref()
                .is_none_or(|seen| now - seen.asked <= FRESH || now - seen.arrived <= ARRIVED);
            if !pending {
                let text = format!("5: {kind:?} of {uid} at {now}, last seen {seen:?}");
                sim.wrong.push(text);
            } else if !fresh {
                let text = format!("5 (A4): {kind:?} of {uid} at {now}, last seen {seen:?}");
                sim.wrong.push(text);
            }
        }
        if let Err(why) = self.shelf.may_send(uid, kind == Write::Confirm) {
            sim.wrong.push(format!("2: {kind:?} of {uid}: {why}"));
        }
    }

    /// What the server does; promises 2 and 6, by what became of each booking.
    fn effect(&self, sim: &mut Sim, uid: &str, kind: Write) -> Option<&'static str> {
        let status = match kind {
            Write::Confirm => Status::Accepted,
            Write::Decline => Status::Rejected,
            Write::Cancel => Status::Cancelled,
        };
        let was = sim.town.row(uid).map(|row| row.status.clone());
        if matches!(was, Some(Status::Cancelled | Status::Rejected)) && kind == Write::Confirm {
            sim.tally.add("revived by a race");
        }
        let now = self.shared.now();
        let changed = match kind {
            Write::Cancel => sim
                .town
                .cancel(uid, None, now)
                .map(|()| vec![uid.to_owned()]),
            Write::Confirm | Write::Decline => sim.town.answer(uid, &status, now),
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(Refused::NotFound) => return Some("not found"),
            Err(Refused::Already) => return Some("already answered"),
            Err(Refused::Over) => return Some("over"),
        };
        for uid in &changed {
            let row = sim.town.row_mut(uid).expect("it was just changed");
            row.refused_by_us = kind != Write::Confirm;
        }
        sim.town.record();
        for uid in &changed {
            let in_series = sim.town.row(uid).is_some_and(|row| row.series.is_some());
            let ours = sim.town.ours.entry(uid.clone()).or_default();
            match kind {
                Write::Confirm => ours.confirmed += 1,
                Write::Decline | Write::Cancel => ours.refused += 1,
            }
            // What a ledger that was lost had confirmed is nothing that this one knows of.
            let joined = ours.confirmed > 0
                && !self.shelf.was_held(uid)
                && !self.shelf.was_lost(uid)
                // What was cancelled or moved, and then accepted again, is cancelled where that is configured.
                && !self.shelf.cancels_revived(uid)
                && in_series;
            if kind == Write::Cancel && joined {
                let text = format!("15 (B10): {uid} joined under our confirm, and we cancel it");
                sim.wrong.push(text);
            }
            // One that joined a series under our confirm was accepted with it, and is nobody's.
            // What is accepted again and again is cancelled as often.
            let again = kind == Write::Cancel && self.shelf.is_unmanaged(uid);
            if ours.confirmed + ours.refused > 1 && !again && !self.shelf.was_unmanaged(uid) {
                sim.wrong.push(format!("2/6: {uid} answered twice by us"));
            }
            if kind == Write::Confirm {
                self.held_for(sim, uid);
            }
        }
        if kind != Write::Confirm {
            let ours = sim.town.ours.entry(uid.to_owned()).or_default();
            ours.refusals_mailed += 1;
            if ours.refusals_mailed > 1 && !self.shelf.was_unmanaged(uid) {
                sim.wrong.push(format!("6: {uid} refused a second time"));
            }
        }
        None
    }

    /// Promise 2: what waited when the pass began is confirmed with a hold.
    fn held_for(&self, sim: &mut Sim, uid: &str) {
        if !sim.town.at_start.contains(uid) {
            return;
        }
        let Err(why) = self.shelf.is_held(uid) else {
            return;
        };
        // The one call reaches every occurrence that waits, also one that is over and that an
        // earlier refusal by cancelling could not reach, or that was closed: nobody pays for it.
        let now = self.shared.now();
        let is_over = sim.town.row(uid).is_some_and(|row| row.end <= now);
        if why == NOT_DECIDED && is_over && self.shelf.was_decided(uid) {
            sim.tally.add("over, and confirmed with its series");
            sim.town.ours.entry(uid.to_owned()).or_default().over = true;
            return;
        }
        sim.wrong.push(format!("2: {uid} confirmed: {why}"));
    }
}

/// How old the reading behind a call may be, counted from when it was asked for; or, where it was long
/// on its way, from when it arrived.
const FRESH: Span = Span::milliseconds(2_100);
/// The client gives up a call, and closes its connection, before a clock that jumps lets it arrive.
const ON_ITS_WAY: Span = Span::minutes(2);
const ARRIVED: Span = Span::milliseconds(1_100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Confirm,
    Decline,
    Cancel,
}

fn reading(town: &Town, uid: &str) -> Reading {
    match town.row(uid) {
        Some(row) => Reading::Is(Box::new(town.booking(row))),
        None => Reading::Gone,
    }
}

#[async_trait]
impl Calendar for Line {
    async fn me(&self) -> Result<Me, CallError> {
        let me = |_: &mut Sim| Me {
            id: HostId(ME),
            username: None,
            address: None,
            time_zone: None,
            admin: false,
        };
        self.read(me, |_| Vec::new()).await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.read(|sim| sim.town.event_types(), |_| Vec::new())
            .await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        let find = move |sim: &mut Sim| sim.town.event_types().into_iter().find(|e| e.id == id);
        self.read(find, |_| Vec::new()).await
    }

    async fn list(&self, select: &Select, number: u32) -> Result<Page, CallError> {
        let now = self.shared.now();
        let effect = |sim: &mut Sim| page(sim, select, number, now);
        self.read(effect, |page| page.bookings.clone()).await
    }

    async fn get(&self, booking: &BookingRef) -> Result<Reading, CallError> {
        if self.reads_before_acting() && booking.id.is_none() {
            return Err(CallError::Refused("v1 names bookings by number".to_owned()));
        }
        let effect = |sim: &mut Sim| {
            let odd = sim
                .town
                .row(booking.uid.as_str())
                .is_some_and(|row| row.odd);
            (!odd).then(|| reading(&sim.town, booking.uid.as_str()))
        };
        let shows = |reading: &Option<Reading>| match reading {
            Some(Reading::Is(booking)) => vec![(**booking).clone()],
            Some(Reading::Gone) | None => Vec::new(),
        };
        let read = self.read(effect, shows).await?;
        read.ok_or_else(|| CallError::Unknown("an odd shape".to_owned()))
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        // The second is whether one of them cannot be read: that makes the whole unusable.
        let effect = |sim: &mut Sim| {
            let of = |row: &&Row| row.series.as_deref() == Some(series.as_str());
            let rows = || sim.town.rows.iter().filter(of);
            let all: Vec<Booking> = rows().map(|row| sim.town.booking(row)).collect();
            (all, rows().any(|row| row.odd), sim.town.legacy)
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
        !self.shared.sim().town.legacy
    }

    fn reads_before_acting(&self) -> bool {
        self.shared.sim().reads_first
    }

    async fn confirm(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        let from = [Status::Pending];
        self.write(booking, deadline, Write::Confirm, &from).await
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        assert!(!reason.is_empty(), "a refusal without a reason");
        let kind = if self.reads_before_acting() {
            Write::Cancel
        } else {
            Write::Decline
        };
        let from = [Status::Pending];
        self.write(booking, deadline, kind, &from).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        assert!(!reason.is_empty(), "a refusal without a reason");
        let from = [Status::Pending, Status::Accepted];
        self.write(booking, deadline, Write::Cancel, &from).await
    }

    fn server(&self) -> String {
        "sim.example.com".to_owned()
    }

    fn dialect(&self) -> Dialect {
        if self.shared.sim().town.legacy {
            Dialect::V1
        } else {
            Dialect::V2
        }
    }

    fn clock_difference(&self) -> Option<Span> {
        // A clock that goes wrong by days is the process's own.
        let ahead = self.shared.process_now() - self.shared.now();
        Some(self.shared.sim().clocks_differ - ahead)
    }

    fn calls(&self) -> u64 {
        self.shared.sim().calls
    }

    fn ready(&self) -> usize {
        // What runs on for a moment after its end, because the store's thread was quick, asks chance for
        // nothing: the same seed must give the same run.
        if self.shared.has_ended() {
            return 1;
        }
        let mut sim = self.shared.sim();
        let most = if sim.behaviours.slow_calls { 40 } else { 10 };
        1 + sim.rng.index(most)
    }
}
