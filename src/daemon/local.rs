//! Commands when no daemon runs: the same answers, with the store opened for as long as they take.

use std::path::Path;

use tokio::sync::mpsc;

use super::answer::{audit, route};
use super::failure::{Failure, chain};
use super::lookups;
use super::once::once;
use super::ownership;
use super::serve::{log_notice, log_progress, open_store};
use super::signals;
use super::views;
use super::wake::{QUEUE, Wake};
use super::watching::Watching;
use crate::calcom::port::Calendar;
use crate::config::model::Config;
use crate::control::protocol::{Answer, Command, Refusal};
use crate::domain::plan::Problem;
use crate::domain::time::Clock;
use crate::reconcile::ports::{PassError, Ports, Session, Stop};
use crate::reconcile::report::Report;
use crate::reconcile::watch::{Watched, watch_to_its_end};
use crate::store::handle::StoreHandle;
use crate::store::memory::MemoryStore;
use crate::store::open::{Create, OpenError, open};
use crate::store::port::Store;
use crate::store::reading::read;

/// What one run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Writes nothing anywhere; shows also the watch that is due.
    DryRun,
    /// Writes nothing anywhere; shows also a watch, due or not.
    DryWatch,
    /// Passes, and a watch when one is due.
    Run,
    /// Passes and a watch.
    Watch,
}

impl Mode {
    fn is_dry(self) -> bool {
        matches!(self, Self::DryRun | Self::DryWatch)
    }
}

/// Answers a command of the store.
///
/// # Errors
/// When the store cannot be opened, or the command is refused.
pub fn answer(config: &Config, clock: &Clock, command: &Command) -> Result<Answer, Refusal> {
    let mut store = open_for(config, clock, command)?;
    let uid = audit::own_uid();
    let answer = audit::answer(store.as_mut(), &config.policy, clock(), command, uid);
    if let Err(error) = store.close() {
        tracing::warn!("the next start rebuilds the store: {}", chain(&error));
    }
    answer
}

/// What only judges does without a ledger. Nothing makes one but `init`: a path that is mistyped, or a
/// disk that is not mounted, must not look like a ledger in which nobody has credit.
fn open_for(config: &Config, clock: &Clock, command: &Command) -> Result<Box<dyn Store>, Failure> {
    let path = &config.store.path;
    if route::writes(command) {
        ownership::check(path)?;
        let opened = open(path, Create::No, clock(), &mut log_progress)?;
        opened.notices.iter().for_each(log_notice);
        return Ok(Box::new(opened.store));
    }
    let does_without = matches!(command, Command::Evaluate { .. } | Command::Plan {})
        || matches!(command, Command::Import { dry_run: true, .. });
    match read(path, &mut log_progress) {
        Ok(reading) => {
            if let Some(torn) = reading.torn {
                tracing::warn!("{torn}");
            }
            Ok(Box::new(reading.store))
        }
        Err(OpenError::Absent(path)) if does_without => {
            tracing::warn!(
                "there is no ledger in {} yet: judged as if it were empty",
                path.display()
            );
            Ok(Box::new(MemoryStore::new()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs passes until nothing is left to do. A dry run writes nothing anywhere. TERM and INT end it
/// after the step in hand.
///
/// # Errors
/// When something cannot be opened, or a pass fails.
pub async fn run_once(
    config: &Config,
    clock: &Clock,
    calendar: &dyn Calendar,
    mode: Mode,
) -> Result<Answer, Failure> {
    let stop = Stop::default();
    let (wakes, mut queue) = mpsc::channel(QUEUE);
    let signals = signals::listen(wakes)
        .map_err(|error| Failure::Failed(format!("failed to listen for signals: {error}")))?;
    let told = stop.clone();
    let listener = tokio::spawn(async move {
        while let Some(wake) = queue.recv().await {
            if matches!(wake, Wake::Shutdown { .. }) {
                told.set();
            }
        }
    });
    let done = passes(config, clock, calendar, mode, &stop).await;
    signals.close();
    listener.abort();
    let ran = done?;
    match (ran.report, ran.stopped) {
        (Some(report), stopped) => {
            let mut view = views::pass(&report);
            view.watch = ran.watched.as_ref().map(views::watch);
            view.stopped = stopped.as_ref().map(Failure::stopped);
            Ok(Answer::Pass(view))
        }
        (None, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::Failed("the run came to no end".to_owned())),
    }
}

/// What a run did, and why it did not come to its end.
#[derive(Default)]
struct Ran {
    /// `None` where nothing was looked at.
    report: Option<Report>,
    watched: Option<Watched>,
    stopped: Option<Failure>,
}

async fn passes(
    config: &Config,
    clock: &Clock,
    calendar: &dyn Calendar,
    mode: Mode,
    stop: &Stop,
) -> Result<Ran, Failure> {
    let dry_run = mode.is_dry();
    let lookups = lookups::open(config)?;
    let store: Box<dyn Store> = if dry_run {
        open_for(config, clock, &Command::Plan {})?
    } else {
        Box::new(open_store(&config.store.path, clock).await?)
    };
    let (store, thread) = StoreHandle::start(store)
        .map_err(|error| Failure::Failed(format!("failed to start the store's thread: {error}")))?;
    let ports = Ports {
        calendar,
        store: &store,
        lookups: &lookups,
        clock,
        stop,
    };
    let mut ran = Ran::default();
    let stuck = tokio::select! {
        () = look_once(config, &ports, mode, &mut ran) => None,
        stuck = store.stuck() => Some(stuck),
    };
    if let Some(stuck) = stuck {
        // Its thread is left where it waits.
        ran.stopped = Some(Failure::Store(stuck.to_string()));
        return Ok(ran);
    }
    drop(store);
    match thread.join().map(|mut store| store.close()) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("the next start rebuilds the store: {}", chain(&error)),
        Err(_) => ran.stopped = Some(Failure::Store("the store's thread panicked".to_owned())),
    }
    Ok(ran)
}

/// Passes, and then the watch that is due or asked for.
async fn look_once(config: &Config, ports: &Ports<'_>, mode: Mode, ran: &mut Ran) {
    let (report, error) = once(ports, &config.policy, mode.is_dry()).await;
    if let Some(error) = error {
        ran.stopped = Some(Failure::from(&error));
        // Where not even the first look came through, there is nothing to tell.
        ran.report = (!report.steps.is_empty()).then_some(report);
        return;
    }
    ran.report = Some(report);
    let folder = &config.store.path;
    let mut watching = Watching::load(folder);
    let now = (ports.clock)();
    let look = match mode {
        Mode::DryRun | Mode::Run => watching.due(&config.schedule, now),
        Mode::DryWatch | Mode::Watch => Some(watching.asked(&config.schedule, now)),
    };
    let Some(look) = look.filter(|_| !ports.stop.is_set()) else {
        return;
    };
    let session = &mut Session::default();
    let dry_run = mode.is_dry();
    let (mut watched, error) =
        watch_to_its_end(ports, &config.policy, session, look, dry_run).await;
    if watched.complete {
        watching.done(&watched);
        watching.save(folder);
    }
    match error {
        None => ran.watched = Some(watched),
        // The next run watches again.
        Some(error @ PassError::Limited { .. }) => {
            tracing::warn!("the watch did not come to its end: {error}");
            watched.problems.push(Problem {
                code: "rate-limited",
                text: format!("the watch did not come to its end: {error}"),
            });
            ran.watched = Some(watched);
        }
        Some(error) => {
            ran.stopped = Some(Failure::from(&error));
            // The report covers what the watch did before it failed.
            ran.watched = Some(watched).filter(Watched::tells);
        }
    }
}

/// Makes the ledger, unless there is one. Says whether it was made.
///
/// # Errors
/// When it cannot be made or opened.
pub fn init(path: &Path, clock: &Clock) -> Result<bool, Failure> {
    ownership::check(path)?;
    let opened = open(path, Create::Yes, clock(), &mut log_progress)?;
    let made = opened
        .notices
        .iter()
        .any(|notice| matches!(notice, crate::store::open::Notice::Created(_)));
    let mut store = opened.store;
    if made {
        audit::log("init", audit::own_uid(), store.head().seq);
    }
    store
        .close()
        .map_err(|error| Failure::Store(chain(&error)))?;
    Ok(made)
}
