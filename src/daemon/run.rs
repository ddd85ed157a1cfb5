//! The daemon's loop: a single owner of the state, driven only by `Wake`. One pass or watch at a
//! time runs concurrently with the loop; commands are answered while a pass waits for Cal.com.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::allowance_state;
use super::calendar::KeyFingerprint;
use super::care::CareState;
use super::clock;
use super::failure::Failure;
use super::import_folder::service::ImportService;
use super::metrics::registry::{LoopState, Metrics};
use super::outbox::service::Outbox;
use super::service_manager;
use super::sync::SyncState;
use super::timetable::{DueRun, DueTimes, ScheduledJob, Timetable};
use super::wake::Wake;
use super::watch_state::WatchState;
use super::watchdog::{RunProgress, Watchdog, longest_wait};
use crate::calcom::port::Calendar;
use crate::config::model::Config;
use crate::control::protocol::SocketResponse;
use crate::control::protocol::pass::{PassSummaryView, PassView, StoppedView};
use crate::control::protocol::status::WatchSummaryView;
use crate::control::server::ReceivedCommand;
use crate::domain::gate::Policy;
use crate::domain::id::BookingUid;
use crate::domain::pause::Pauses;
use crate::domain::time::{Clock, Span, Time};
use crate::lookup::client::LookupClient;
use crate::page::service::PageService;
use crate::reconcile::allowance_scan::AllowanceScan;
use crate::reconcile::context::{Session, StopSignal};
use crate::source::client::SourceClient;
use crate::store::store_thread::StoreHandle;
use reported_problems::{ReportedProblems, UngatedEventTypes};

mod passes;
mod pauses;
mod reload;
mod reported_problems;
mod requests;
mod rewrites;
mod status;
mod syncs;

/// The parts of the daemon.
pub struct Daemon {
    /// The configuration in force.
    pub config: Config,
    /// The file that the configuration was read from, for reading it again.
    pub config_path: PathBuf,
    /// The calendar that passes and watches use.
    pub calendar: Arc<dyn Calendar>,
    /// The fingerprint of the calendar's API key.
    pub key_fingerprint: KeyFingerprint,
    /// The client of the other systems whose answers rules read.
    pub lookups: Arc<LookupClient>,
    /// The client of the systems that decide who is a member.
    pub sources: Arc<SourceClient>,
    /// The handle of the store's thread.
    pub store: StoreHandle,
    /// The metrics, which passes and watches fill.
    pub metrics: Arc<Metrics>,
    /// The notifications that are due.
    pub outbox: Arc<Outbox>,
    /// What imports the files of a folder; `None` if the configuration names none.
    pub import_service: Option<Arc<ImportService>>,
    /// The pauses that the ledger has at the start.
    pub pauses: Pauses,
    /// The clock that gives the present time.
    pub clock: Clock,
    /// The sender of events to the loop.
    pub wakes: mpsc::Sender<Wake>,
    /// When the jobs of the scheduler are due. The scheduler ends when this is dropped.
    pub due_times: watch::Sender<DueTimes>,
    /// The web page; `None` if the configuration has none.
    pub page: Option<Arc<PageService>>,
    /// The signal that ends the current pass or watch after its current step.
    pub stop: StopSignal,
}

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopEnd {
    /// The current step is settled.
    Settled,
    /// A second signal ended the loop before the current step was settled.
    Immediate,
}

/// A pass that a client waits for.
struct QueuedPass {
    kind: PassKind,
    answer: oneshot::Sender<SocketResponse>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PassKind {
    Plan,
    Pass,
    PassAndWatch,
    /// A pass over one booking. It does not count as a pass of the schedule.
    Booking(BookingUid),
}

impl PassKind {
    fn is_booking(&self) -> bool {
        matches!(self, Self::Booking(_))
    }
}

/// A pass that ended, and the client that also waits for the watch after it.
struct PassAwaitingWatch {
    /// Whether pass and watch only report what they would do.
    preview: bool,
    pass: PassView,
    answer: oneshot::Sender<SocketResponse>,
}

/// The state of the loop.
struct Loop {
    daemon: Daemon,
    policy: Arc<Policy>,
    /// `None` while a pass or a watch uses the session.
    session: Option<Session>,
    /// What is in the file about the scans for allowances.
    saved_allowances: AllowanceScan,
    /// The client that waits for the current pass, if there is one.
    requested_pass: Option<QueuedPass>,
    /// The client that waits for the current watch, if there is one.
    awaiting_watch: Option<PassAwaitingWatch>,
    queued_passes: VecDeque<QueuedPass>,
    /// Erasures that wait for the end of the current pass or watch.
    queued_erasures: VecDeque<ReceivedCommand>,
    /// When the ledger was cared for last.
    care: CareState,
    /// Whether a backup is being made.
    backup_runs: bool,
    started: Time,
    pauses: Pauses,
    timetable: Timetable,
    passes: u64,
    last_pass: Option<PassSummaryView>,
    /// Why the last pass failed; `None` after a pass that reached its end.
    last_error: Option<StoppedView>,
    last_watch: Option<WatchSummaryView>,
    /// Why the last watch failed; `None` after a watch that reached its end.
    watch_error: Option<StoppedView>,
    /// The problems of the last pass and the last watch. A problem that is reported again is not
    /// logged again.
    pass_problems: ReportedProblems,
    ungated_event_types: UngatedEventTypes,
    watch_problems: ReportedProblems,
    /// When the last scheduled sync began.
    sync_state: SyncState,
    /// After a sync in which a source gave no list, no other one starts before this instant.
    sync_not_before: Option<Time>,
    is_syncing: bool,
    sync_problems: ReportedProblems,
    shutting_down: bool,
    /// Whether the session in use belongs to a calendar that was replaced.
    stale_session: bool,
    /// How the current pass or watch makes progress.
    progress: RunProgress,
}

/// Runs the loop until a signal ends it.
///
/// # Errors
/// Fails when the daemon can no longer work: the store cannot be written, or the key was refused
/// from the start.
pub async fn run(daemon: Daemon, mut wakes: mpsc::Receiver<Wake>) -> Result<LoopEnd, Failure> {
    let mut state = Loop::new(daemon);
    let timeout = service_manager::watchdog_timeout();
    let mut watchdog = Watchdog::new(timeout, state.progress.clone());
    state.publish_due_times();
    loop {
        let wake = tokio::select! {
            wake = wakes.recv() => wake,
            () = watchdog.due() => {
                state.give_sign_of_life(&mut watchdog);
                continue;
            }
        };
        let Some(wake) = wake else { break };
        if let Some(end) = state.handle(wake)? {
            return Ok(end);
        }
        if state.shutting_down && state.session.is_some() {
            break;
        }
        state.publish_due_times();
        state.publish_loop_state();
    }
    Ok(LoopEnd::Settled)
}

impl Loop {
    /// Reacts to one wake. Returns how the loop ends if it ends at once.
    fn handle(&mut self, wake: Wake) -> Result<Option<LoopEnd>, Failure> {
        match wake {
            Wake::Due(ScheduledJob::Sync) => self.start_due_sync(),
            Wake::Due(_) => self.start_due_run(),
            Wake::ClockSetBack { by } => self.follow_set_back_clock(by),
            Wake::RunPass => {
                self.make_pass_due();
                self.start_due_run();
            }
            Wake::Command(asked) => self.handle_command(asked),
            Wake::PausesChanged { pauses, answer } => self.change_pauses(pauses, answer),
            Wake::PassEnded {
                session,
                report,
                stopped,
            } => self.handle_pass_end(session, &report, stopped)?,
            Wake::PassPanicked => {
                return Err(Failure::Failed(
                    "a pass or watch panicked, which is a defect; the next start continues from \
                     the log"
                        .to_owned(),
                ));
            }
            Wake::WatchEnded {
                preview,
                session,
                watch_report: watched,
                stopped,
            } => self.handle_watch_end(session, preview, &watched, stopped)?,
            Wake::CareDue => self.care_for_ledger(),
            Wake::BackupEnded { state } => self.handle_backup_end(*state),
            Wake::RewriteEnded { session, searched } => {
                self.handle_rewrite_end(session, searched);
            }
            Wake::SyncEnded { started, result } => self.handle_sync_end(started, result),
            Wake::Reload => drop(self.reload()),
            Wake::Shutdown { signal } => {
                if self.shutting_down {
                    tracing::warn!(signal, "stopping at once; the next start continues");
                    return Ok(Some(LoopEnd::Immediate));
                }
                tracing::info!(signal, "stopping after the current step");
                service_manager::stopping();
                self.shutting_down = true;
                self.daemon.stop.set();
            }
        }
        Ok(None)
    }

    /// Returns the state of a loop that starts now, with the watch state of the last daemon.
    fn new(mut daemon: Daemon) -> Self {
        let pauses = std::mem::take(&mut daemon.pauses);
        let now = (daemon.clock)();
        let watch_state = WatchState::load(daemon.config.state_dir());
        let care = CareState::load(daemon.config.state_dir());
        let sync_state = SyncState::load(daemon.config.state_dir());
        let timetable = Timetable::new(daemon.config.schedule.clone(), watch_state, now);
        let saved_allowances = allowance_state::load(daemon.config.state_dir());
        let session = Session::with_allowances(saved_allowances.clone());
        Self {
            policy: Arc::new(daemon.config.policy.clone()),
            daemon,
            session: Some(session),
            saved_allowances,
            requested_pass: None,
            awaiting_watch: None,
            queued_passes: VecDeque::new(),
            queued_erasures: VecDeque::new(),
            care,
            backup_runs: false,
            started: now,
            pauses,
            timetable,
            passes: 0,
            last_pass: None,
            last_error: None,
            last_watch: None,
            watch_error: None,
            pass_problems: ReportedProblems::default(),
            ungated_event_types: UngatedEventTypes::default(),
            watch_problems: ReportedProblems::default(),
            sync_state,
            sync_not_before: None,
            is_syncing: false,
            sync_problems: ReportedProblems::default(),
            shutting_down: false,
            stale_session: false,
            progress: RunProgress::default(),
        }
    }

    /// Tells the service manager that the daemon is alive, if it is.
    fn give_sign_of_life(&self, watchdog: &mut Watchdog) {
        let longest_wait = longest_wait(&self.daemon.config.calcom);
        let is_busy = self.session.is_none();
        let now = clock::monotonic_now();
        if watchdog.is_alive(&self.daemon.store, is_busy, longest_wait, now) {
            service_manager::alive();
        }
    }

    /// Makes a pass due now, and another pass after it if one is running.
    fn make_pass_due(&mut self) {
        let now = (self.daemon.clock)();
        self.timetable.make_pass_due(now, self.session.is_none());
    }

    fn follow_set_back_clock(&mut self, by: Span) {
        tracing::warn!(
            seconds = by.num_seconds(),
            "the clock was set back: a pass starts at once"
        );
        self.timetable.follow_set_back_clock((self.daemon.clock)());
        self.start_due_run();
    }

    /// Tells the scheduler when to wake the loop: while everything is paused, only at the end of the
    /// pause. While a pass or a watch is running no other can start, so their jobs stay as they are
    /// until the run has ended.
    fn publish_due_times(&self) {
        let now = (self.daemon.clock)();
        let sync = self.next_sync(now);
        if self.session.is_none() {
            self.daemon.due_times.send_modify(|due| due.sync = sync);
            return;
        }
        self.daemon
            .due_times
            .send_replace(match self.pauses.of_all(now) {
                Some(pause) => DueTimes {
                    poll: pause.until,
                    ..DueTimes::default()
                },
                None => DueTimes {
                    sync,
                    ..self.timetable.due_times(now)
                },
            });
    }

    fn publish_loop_state(&self) {
        self.daemon.metrics.record_loop_state(LoopState {
            paused: self.pauses.of_all((self.daemon.clock)()).is_some(),
            problems: self.persistent_problems().len(),
        });
    }

    /// Starts what is due, unless a pass or a watch is running.
    fn start_due_run(&mut self) {
        if self.session.is_none() || self.shutting_down {
            return;
        }
        if self.start_next_erasure() {
            return;
        }
        let now = (self.daemon.clock)();
        self.end_pauses(now);
        let is_paused = self.pauses.of_all(now).is_some();
        let due_run = self.timetable.due_run(now).filter(|_| !is_paused);
        // Passes over single bookings never keep a pass or a watch of the schedule waiting.
        let is_behind = |queued: &QueuedPass| queued.kind.is_booking() && due_run.is_some();
        if !self.queued_passes.front().is_some_and(is_behind)
            && let Some(queued) = self.queued_passes.pop_front()
        {
            self.start_pass(Some(queued));
            return;
        }
        match due_run {
            Some(DueRun::Pass) => self.start_pass(None),
            Some(DueRun::Watch(scope)) => self.start_watch(scope, false),
            None => {}
        }
    }
}
