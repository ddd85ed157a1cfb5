//! Commands when no daemon runs: they give the same answers, and open the store only while they
//! run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::allowance_state;
use super::care::{self, CareState};
use super::commands::{operator_log, status};
use super::error_chain::error_chain;
use super::failure::Failure;
use super::import_folder::service::import_once;
use super::last_run::LastRun;
use super::metrics::exporter::Exporter;
use super::metrics::registry::Metrics;
use super::outbox::opened::OpenedNotifications;
use super::outbox::run_once::{EndedRun, deliver};
use super::outbox::service::OutboxPlace;
use super::process::open_store_or_announce;
use super::run_once::pass_until_idle;
use super::signals;
use super::store_access;
use super::sync::{self, SyncState};
use super::views;
use super::wake::{WAKE_QUEUE_LENGTH, Wake};
use super::watch_state::WatchState;
use crate::calcom::port::Calendar;
use crate::config::model::{Config, StoreConfig};
use crate::control::command_profile::LedgerAccess;
use crate::control::command_sender::CommandSender;
use crate::control::exit;
use crate::control::protocol::members::MembersSyncCommand;
use crate::control::protocol::status::{StatusView, WatchStatus};
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::domain::id::BookingUid;
use crate::domain::pause::Pause;
use crate::domain::plan::Problem;
use crate::domain::progress::Progress;
use crate::domain::time::{Clock, Time};
use crate::lookup::client::LookupClient;
pub use crate::reconcile::booking_pass::{NOT_GATED, NOT_WAITING};
use crate::reconcile::context::{PassError, Ports, Session, StopSignal};
use crate::reconcile::pass::run_booking_pass;
use crate::reconcile::report::PassReport;
use crate::reconcile::watch::{WatchReport, run_watch_with_report};
use crate::source::client::SourceClient;
use crate::store::memory::MemoryStore;
use crate::store::port::Maintenance;
use crate::store::store_thread::StoreHandle;
use crate::store::transaction::Stamp;

/// What one run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode<'a> {
    /// Writes nothing anywhere; also shows the watch that is due.
    DryRun,
    /// Writes nothing anywhere; also shows a watch, whether one is due or not.
    DryWatch,
    /// The same, also while everything is paused: what a pass would do.
    Plan,
    /// Runs passes, and a watch when one is due.
    Run,
    /// Runs passes and a watch.
    Watch,
    /// Runs a pass over one booking.
    Booking(&'a BookingUid),
}

impl RunMode<'_> {
    fn is_dry(self) -> bool {
        matches!(self, Self::DryRun | Self::DryWatch | Self::Plan)
    }
}

/// Returns the status when no daemon runs and a timer starts the passes, with how the last run
/// ended; `None` if no run from a timer is known.
///
/// # Errors
/// Fails when the ledger cannot be read.
pub fn timer_status(config: &Config, clock: &Clock) -> Result<Option<StatusView>, Refusal> {
    let Some(last_run) = LastRun::load(config.state_dir()) else {
        return Ok(None);
    };
    let store = open_store_for(
        config,
        clock,
        &Command::Status {},
        &mut store_access::log_progress,
    )?;
    let CommandResult::Status(status) =
        status::without_daemon(store.as_ref(), &config.policy, clock())?
    else {
        return Ok(None);
    };
    let status = *status;
    let watch_state = WatchState::load(config.state_dir());
    let care = CareState::load(config.state_dir());
    let is_failed = !matches!(last_run.exit, exit::DONE | exit::UNRESOLVED);
    let mut problems = status.problems;
    problems.extend(care.problem(&config.backup));
    let view = StatusView {
        problems,
        backup: care.backup_view(&config.backup, clock()),
        last_pass: last_run.pass,
        last_error: is_failed.then_some(last_run.error),
        last_error_exit: is_failed.then_some(last_run.exit),
        watch: WatchStatus {
            last_watch_at: watch_state.last_watch.map(views::format_time),
            last_audit_at: watch_state.last_audit.map(views::format_time),
            ..status.watch
        },
        ..status
    };
    Ok(Some(view))
}

/// Returns when the last run from a timer ended; `None` if none is known.
pub fn last_run_at(config: &Config) -> Option<Time> {
    LastRun::load(config.state_dir())?.finished.parse().ok()
}

/// Carries out a command that needs only the store, and reports how far opening it has come.
///
/// # Errors
/// Fails when the store cannot be opened, or when the command is refused.
pub fn run_command(
    config: &Config,
    clock: &Clock,
    command: &Command,
    actor: Option<String>,
    progress: &mut dyn FnMut(Progress),
) -> Result<CommandResult, Refusal> {
    if let Command::MembersSync(sync_command) = command {
        let sender = CommandSender {
            name: actor,
            ..operator_log::own_user()
        };
        return sync_members(config, clock, (command, sync_command), &sender, progress);
    }
    StoreSession::open(config, clock, command, actor, progress)?.run(command)
}

/// A store that stays open for several commands of one process.
pub struct StoreSession {
    store: Box<dyn Maintenance>,
    config: Config,
    clock: Clock,
    /// Who gives the commands, if that is not the user of the process.
    actor: Option<String>,
}

impl StoreSession {
    /// Opens the store as the command needs it, and reports how far that has come.
    ///
    /// # Errors
    /// Fails when the store cannot be opened.
    pub fn open(
        config: &Config,
        clock: &Clock,
        command: &Command,
        actor: Option<String>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, Failure> {
        Ok(Self {
            store: open_store_for(config, clock, command, progress)?,
            config: config.clone(),
            clock: Arc::clone(clock),
            actor,
        })
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// Fails when the command is refused.
    pub fn run(&mut self, command: &Command) -> Result<CommandResult, Refusal> {
        let (store, policy) = (self.store.as_mut(), &self.config.policy);
        let sender = CommandSender {
            name: self.actor.clone(),
            ..operator_log::own_user()
        };
        operator_log::run_and_log(store, policy, (self.clock)(), command, sender)
    }
}

impl Drop for StoreSession {
    fn drop(&mut self) {
        if let Err(error) = self.store.close() {
            tracing::warn!("the next start rebuilds the store: {}", error_chain(&error));
        }
    }
}

/// Lists the members of sources, and takes them over.
fn sync_members(
    config: &Config,
    clock: &Clock,
    (command, sync_command): (&Command, &MembersSyncCommand),
    sender: &CommandSender,
    progress: &mut dyn FnMut(Progress),
) -> Result<CommandResult, Refusal> {
    let sources = SourceClient::open(&config.sources).map_err(Failure::from)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("failed to start the runtime: {error}")))?;
    let listed = runtime.block_on(sync::list_requested(&sources, sync_command))?;
    let stamp = Stamp {
        at: clock(),
        by: Some(operator_log::to_actor(sender)),
    };
    let mut store = open_store_for(config, clock, command, progress)?;
    let before = store.head().seq;
    let work = (listed.as_slice(), &config.policy);
    let view = sync::take_over(store.as_mut(), &stamp, work, sync_command);
    let commit = store.head().seq;
    if commit > before {
        operator_log::log_change("members sync", sender, commit);
    }
    if let Err(error) = store.close() {
        tracing::warn!("the next start rebuilds the store: {}", error_chain(&error));
    }
    view.map(CommandResult::MembersSync)
}

/// Opens the store for a command. Commands that only judge work without a ledger. Only `init`
/// creates a ledger: a mistyped path, or a disk that is not mounted, must not look like a ledger in
/// which no member has credit.
fn open_store_for(
    config: &Config,
    clock: &Clock,
    command: &Command,
    progress: &mut dyn FnMut(Progress),
) -> Result<Box<dyn Maintenance>, Failure> {
    let access = command.profile().ledger_access;
    if access == LedgerAccess::Write {
        return store_access::connect(&config.store, clock(), progress);
    }
    match store_access::read(&config.store, progress)? {
        Some(store) => Ok(store),
        None if access == LedgerAccess::ReadIfPresent => {
            let path = store_access::local_path(&config.store);
            tracing::warn!(
                "there is no ledger in {} yet: judged as if it were empty",
                path.display()
            );
            Ok(Box::new(MemoryStore::new()))
        }
        None => Err(store_access::missing_ledger(&config.store)),
    }
}

/// Runs passes until nothing is left to do, and sends the notifications that are due, for at most
/// `notify_within`. A dry run writes and sends nothing anywhere. TERM and INT end the run after the
/// current step. The metrics are written to their file at the end.
///
/// # Errors
/// Fails when something cannot be opened, or when a pass fails.
pub async fn run_once(
    config: &Config,
    clock: &Clock,
    calendar: &dyn Calendar,
    mode: RunMode<'_>,
    metrics: &Arc<Metrics>,
    notify_within: Duration,
) -> Result<CommandResult, Failure> {
    let stop = StopSignal::default();
    let (wakes, mut queue) = mpsc::channel(WAKE_QUEUE_LENGTH);
    let signals = signals::listen(wakes)
        .map_err(|error| Failure::Failed(format!("failed to listen for signals: {error}")))?;
    let stop_signal = stop.clone();
    let listener = tokio::spawn(async move {
        while let Some(wake) = queue.recv().await {
            if matches!(wake, Wake::Shutdown { .. }) {
                stop_signal.set();
            }
        }
    });
    let limits = (notify_within, &stop);
    let result = run_passes(config, clock, calendar, mode, limits, metrics).await;
    signals.close();
    listener.abort();
    let outcome = result?;
    match (outcome.report, outcome.failure) {
        (Some(report), stopped) => {
            let mut view = views::pass(&report);
            view.watch = outcome.watch_report.as_ref().map(views::watch);
            view.stopped = stopped.as_ref().map(Failure::to_stopped_view);
            Ok(CommandResult::Pass(view))
        }
        (None, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::Failed("the run did not end".to_owned())),
    }
}

/// What a run did, and why it stopped before its end.
#[derive(Default)]
struct RunOutcome {
    /// `None` when no pass has anything to report.
    report: Option<PassReport>,
    watch_report: Option<WatchReport>,
    /// Whether a pass failed, and not the watch after it.
    pass_failed: bool,
    failure: Option<Failure>,
}

async fn run_passes(
    config: &Config,
    clock: &Clock,
    calendar: &dyn Calendar,
    mode: RunMode<'_>,
    (notify_within, stop): (Duration, &StopSignal),
    metrics: &Arc<Metrics>,
) -> Result<RunOutcome, Failure> {
    let dry_run = mode.is_dry();
    let lookups = LookupClient::open(&config.lookups)?;
    let sources = SourceClient::open(&config.sources)?;
    let mut notifications = OpenedNotifications::open(config)?;
    let store: Box<dyn Maintenance> = if dry_run {
        open_store_for(
            config,
            clock,
            &Command::Plan {},
            &mut store_access::log_progress,
        )?
    } else {
        let opened = open_store_or_announce(config, clock, notifications).await?;
        notifications = opened.1;
        opened.0
    };
    let (store, thread) = StoreHandle::start(store)
        .map_err(|error| Failure::Failed(format!("failed to start the store's thread: {error}")))?;
    let ports = Ports {
        calendar,
        store: &store,
        lookups: &lookups,
        sources: &sources,
        clock,
        stop,
    };
    let mut outcome = RunOutcome::default();
    let work = async {
        if !dry_run && !matches!(mode, RunMode::Booking(_)) {
            import_once(config, &store, clock, stop).await;
        }
        let exporter = start_exporter(&ports, mode, metrics).await;
        run_passes_and_watch(config, &ports, mode, metrics, &mut outcome).await;
        if !dry_run && outcome.failure.is_none() {
            run_due_sync(config, &ports, &mut outcome).await;
        }
        if let Some(exporter) = exporter {
            exporter.export_once().await;
        }
    };
    let stuck = tokio::select! {
        () = work => None,
        stuck = store.wait_until_unresponsive() => Some(stuck),
    };
    if let Some(stuck) = stuck {
        // The store's thread is left where it waits.
        outcome.failure = Some(Failure::Store(stuck.to_string()));
        return Ok(outcome);
    }
    if !dry_run {
        if !stop.is_set() && outcome.failure.is_none() {
            care::run_due(config, &store, clock).await;
        }
        let place = OutboxPlace::new(config)?;
        let run = EndedRun {
            report: outcome.report.as_ref(),
            pass_failed: outcome.pass_failed,
            failure: outcome.failure.as_ref(),
        };
        let limits = (notify_within, stop);
        deliver(place, notifications, &store, clock, run, limits).await;
    }
    drop(store);
    if !close_store(thread) {
        outcome.failure = Some(Failure::Store("the store's thread panicked".to_owned()));
    }
    Ok(outcome)
}

/// Closes the store after its thread has ended. Returns false if the thread panicked.
fn close_store(thread: std::thread::JoinHandle<Box<dyn Maintenance>>) -> bool {
    match thread.join().map(|mut store| store.close()) {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!("the next start rebuilds the store: {}", error_chain(&error));
            true
        }
        Err(_) => false,
    }
}

/// Returns what writes the metrics file, if there is one. A dry run writes none.
async fn start_exporter(
    ports: &Ports<'_>,
    mode: RunMode<'_>,
    metrics: &Arc<Metrics>,
) -> Option<Exporter> {
    if mode.is_dry() || metrics.file().is_none() {
        return None;
    }
    let (store, clock) = (ports.store.clone(), Arc::clone(ports.clock));
    Some(Exporter::start(Arc::clone(metrics), store, clock).await)
}

/// Runs passes, and then the watch that is due or requested.
async fn run_passes_and_watch(
    config: &Config,
    ports: &Ports<'_>,
    mode: RunMode<'_>,
    metrics: &Metrics,
    outcome: &mut RunOutcome,
) {
    match read_pause(ports).await {
        Ok(Some(pause)) if mode != RunMode::Plan => {
            outcome.report = Some(paused_report((ports.clock)(), mode.is_dry(), &pause));
            return;
        }
        Ok(_) => {}
        Err(failure) => {
            outcome.failure = Some(failure);
            return;
        }
    }
    let folder = config.state_dir();
    let mut known = allowance_state::load(folder);
    let mut scan = known.clone();
    let dry_run = mode.is_dry();
    let (report, error) = match mode {
        RunMode::Booking(booking) => {
            let mut session = Session::default();
            session.allowances = scan.clone();
            let ended = run_booking_pass(ports, &config.policy, &mut session, booking).await;
            scan = session.allowances;
            ended
        }
        _ => pass_until_idle(ports, &config.policy, dry_run, metrics, &mut scan).await,
    };
    if !dry_run {
        allowance_state::save(folder, &scan, &mut known);
    }
    if let Some(error) = error {
        outcome.failure = Some(Failure::from(&error));
        outcome.pass_failed = true;
        // When not even the first read succeeded, there is nothing to report.
        outcome.report = (!report.steps.is_empty()).then_some(report);
        return;
    }
    outcome.report = Some(report);
    let mut watching = WatchState::load(folder);
    let now = (ports.clock)();
    let scope = match mode {
        RunMode::DryRun | RunMode::Run => watching.due_watch(&config.schedule, now),
        RunMode::Booking(_) => None,
        RunMode::DryWatch | RunMode::Plan | RunMode::Watch => {
            Some(watching.requested_watch(&config.schedule, now))
        }
    };
    let Some(scope) = scope.filter(|_| !ports.stop.is_set()) else {
        return;
    };
    let session = &mut Session::default();
    let (watch_report, error) =
        run_watch_with_report(ports, &config.policy, session, scope, dry_run).await;
    metrics.record_watch(&watch_report, error.as_ref(), ports.stop.is_set());
    if watch_report.complete {
        watching.record_watch(&watch_report);
        watching.save(folder);
    }
    note_watch(outcome, watch_report, error);
}

/// Notes what a watch did, and why it failed.
fn note_watch(outcome: &mut RunOutcome, mut watch_report: WatchReport, error: Option<PassError>) {
    match error {
        None => outcome.watch_report = Some(watch_report),
        // The next run watches again.
        Some(error @ PassError::Limited { .. }) => {
            tracing::warn!("the watch stopped before its end: {error}");
            watch_report.problems.push(Problem {
                code: "rate-limited",
                text: format!("the watch stopped before its end: {error}"),
            });
            outcome.watch_report = Some(watch_report);
        }
        Some(error) => {
            outcome.failure = Some(Failure::from(&error));
            // The report covers what the watch did before it failed.
            outcome.watch_report = Some(watch_report).filter(WatchReport::has_news);
        }
    }
}

/// Takes over what sources say about all members, if that is due. Whatever fails is reported and
/// does not fail the run: requests are decided by what the ledger has.
async fn run_due_sync(config: &Config, ports: &Ports<'_>, outcome: &mut RunOutcome) {
    let folder = config.state_dir();
    let mut state = SyncState::load(folder);
    let now = (ports.clock)();
    let is_paused = matches!(read_pause(ports).await, Ok(Some(_)) | Err(_));
    let is_due =
        sync::has_scheduled(&config.sources) && state.next_sync(&config.schedule.sync, now) <= now;
    if !is_due || is_paused || ports.stop.is_set() {
        return;
    }
    let listed = tokio::select! {
        listed = sync::list_scheduled(ports.sources) => listed,
        () = ports.stop.stopped() => return,
    };
    let (stamp, policy) = (sync::scheduled_stamp(now), config.policy.clone());
    let work = move |store: &mut dyn crate::store::port::Store| {
        let command = MembersSyncCommand::default();
        sync::take_over(store, &stamp, (&listed, &policy), &command)
    };
    let problems = match ports.store.with(work).await {
        Ok(view) => {
            sync::log_changes(&view);
            if view.sources.iter().all(|source| source.error.is_none()) {
                state.last_sync = Some(now);
                state.save(folder);
            }
            sync::problems(&view)
        }
        Err(refusal) => vec![Problem {
            code: "sync-failed",
            text: format!("the sync of members failed: {refusal}"),
        }],
    };
    if let Some(report) = &mut outcome.report {
        report.problems.extend(problems);
    }
}

/// Returns the pause of everything, if an operator made one that lasts.
async fn read_pause(ports: &Ports<'_>) -> Result<Option<Pause>, Failure> {
    let state = ports.store.read(|store| store.ledger_state()).await;
    let state = state.map_err(|error| Failure::Store(error_chain(&error)))?;
    Ok(state.pauses.of_all((ports.clock)()).cloned())
}

/// Returns the report of a run that does nothing, because everything is paused.
fn paused_report(now: Time, dry_run: bool, pause: &Pause) -> PassReport {
    PassReport {
        started: now,
        finished: now,
        listed: false,
        pending_count: 0,
        calls: 0,
        dry_run,
        steps: Vec::new(),
        allowances: Default::default(),
        balances: Default::default(),
        problems: vec![Problem {
            code: "paused",
            text: format!("nothing is read or done: {}", pause.describe()),
        }],
        deferral: Default::default(),
        unresolved: Default::default(),
        more: false,
    }
}

/// Creates the ledger, unless there is one. Returns true when it was created.
///
/// # Errors
/// Fails when the ledger cannot be created or opened.
pub fn init(store: &StoreConfig, clock: &Clock) -> Result<bool, Failure> {
    let (mut store, created) = store_access::create(store, clock())?;
    if created {
        operator_log::log_change("init", &operator_log::own_user(), store.head().seq);
    }
    store
        .close()
        .map_err(|error| Failure::Store(error_chain(&error)))?;
    Ok(created)
}
