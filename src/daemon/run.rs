//! The daemon's loop: one owner of everything, moved by `Wake` alone. Passes run beside it, one at a
//! time; commands are answered while a pass waits for Cal.com.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::answer::parse::refused;
use super::answer::route;
use super::backoff::Backoff;
use super::calendar::{self, KeyPrint};
use super::failure::{Failure, chain};
use super::lookups;
use super::views;
use super::wake::Wake;
use super::watching::Watching;
use crate::calcom::port::Calendar;
use crate::config::load::{LoadError, load};
use crate::config::model::Config;
use crate::control::protocol::{Answer, Command, Refusal, Response, SCHEMA, StatusView};
use crate::domain::gate::Policy;
use crate::domain::time::{Clock, Span, Time};
use crate::lookup::desk::Desk;
use crate::reconcile::pass::pass;
use crate::reconcile::ports::{PassError, Ports, Session, Stop};
use crate::reconcile::report::Report;
use crate::reconcile::watch::{Look, Watched, watch};
use crate::store::handle::StoreHandle;

/// Passes that operators may have waiting.
const MAX_JOBS: usize = 16;

/// Open intents counted for `status`; more are shown as this many.
const MAX_COUNTED: usize = 1_000;

/// How long a watch that failed rests. Passes have their own, longer patience with the server.
const WATCH_RESTS: Span = Span::minutes(1);

/// What the daemon is made of.
pub struct Daemon {
    pub config: Config,
    /// Where the configuration came from, to read it anew.
    pub config_path: PathBuf,
    pub calendar: Arc<dyn Calendar>,
    pub print: KeyPrint,
    pub lookups: Arc<Desk>,
    pub store: StoreHandle,
    pub clock: Clock,
    pub wakes: mpsc::Sender<Wake>,
    pub stop: Stop,
}

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The step in hand is settled.
    Settled,
    /// A second signal did not wait for that.
    AtOnce,
}

/// A pass that somebody waits for.
struct Job {
    dry_run: bool,
    answer: oneshot::Sender<Response>,
}

/// The loop's own.
struct Loop {
    daemon: Daemon,
    policy: Arc<Policy>,
    /// Away while a pass has it.
    session: Option<Session>,
    /// Who waits for the pass under way, when somebody does.
    waiting: Option<oneshot::Sender<Response>>,
    jobs: VecDeque<Job>,
    started: Time,
    paused: bool,
    last_begun: Option<Time>,
    due: Time,
    backoff: Backoff,
    watching: Watching,
    /// After a watch that failed, no other is tried before this.
    watch_rests: Option<Time>,
    passes: u64,
    last_pass: Option<crate::control::protocol::PassHead>,
    last_error: Option<String>,
    shutting_down: bool,
    /// Whether it was a pass, not a watch, that was begun last.
    passed_last: bool,
    /// The session that is away belongs to a calendar that was replaced.
    stale_session: bool,
}

/// Runs until a signal ends it.
///
/// # Errors
/// When nothing can work any more: the store cannot be written, or the key was refused from the
/// start.
pub async fn run(daemon: Daemon, mut wakes: mpsc::Receiver<Wake>) -> Result<End, Failure> {
    let now = (daemon.clock)();
    let watching = Watching::load(&daemon.config.store.path);
    let mut state = Loop {
        policy: Arc::new(daemon.config.policy.clone()),
        daemon,
        session: Some(Session::default()),
        waiting: None,
        jobs: VecDeque::new(),
        started: now,
        paused: false,
        last_begun: None,
        due: now,
        backoff: Backoff::default(),
        watching,
        watch_rests: None,
        passes: 0,
        last_pass: None,
        last_error: None,
        shutting_down: false,
        passed_last: false,
        stale_session: false,
    };
    while let Some(wake) = wakes.recv().await {
        match wake {
            Wake::Tick => state.tick(),
            Wake::Asked { command, answer } => state.asked(command, answer),
            Wake::PassEnded {
                session,
                dry_run,
                result,
            } => state.pass_ended(session, dry_run, result)?,
            Wake::PassPanicked => {
                return Err(Failure::Failed(
                    "a pass or watch panicked, which is a defect; the next start goes on from the log"
                        .to_owned(),
                ));
            }
            Wake::WatchEnded { session, result } => state.watch_ended(session, result)?,
            Wake::Reload => state.reload(),
            Wake::Shutdown { signal } => {
                if state.shutting_down {
                    tracing::warn!(signal, "ending at once; the next start goes on");
                    return Ok(End::AtOnce);
                }
                tracing::info!(signal, "ending after the step in hand");
                state.shutting_down = true;
                state.daemon.stop.set();
            }
        }
        if state.shutting_down && state.session.is_some() {
            break;
        }
    }
    Ok(End::Settled)
}

impl Loop {
    fn tick(&mut self) {
        let now = (self.daemon.clock)();
        if self.session.is_none() || self.shutting_down {
            return;
        }
        if let Some(job) = self.jobs.pop_front() {
            self.begin(job.dry_run, Some(job.answer));
            return;
        }
        if self.paused {
            return;
        }
        let pass_is_due = now >= self.due;
        let look = if self.watch_rests.is_none_or(|until| now >= until) {
            self.watching.due(&self.daemon.config.schedule, now)
        } else {
            None
        };
        // When both are due they take turns: passes that are due at every tick starve no watch.
        match look {
            Some(look) if !pass_is_due || self.passed_last => self.begin_watch(look),
            Some(_) | None if pass_is_due => self.begin(false, None),
            Some(_) | None => {}
        }
    }

    fn begin_watch(&mut self, look: Look) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        self.passed_last = false;
        let calendar = Arc::clone(&self.daemon.calendar);
        let store = self.daemon.store.clone();
        let lookups = Arc::clone(&self.daemon.lookups);
        let clock = Arc::clone(&self.daemon.clock);
        let stop = self.daemon.stop.clone();
        let policy = Arc::clone(&self.policy);
        let wakes = self.daemon.wakes.clone();
        beside(wakes, async move {
            let ports = Ports {
                calendar: calendar.as_ref(),
                store: &store,
                lookups: &lookups,
                clock: &clock,
                stop: &stop,
            };
            let result = watch(&ports, &policy, &mut session, look).await;
            Wake::WatchEnded { session, result }
        });
    }

    fn watch_ended(
        &mut self,
        session: Session,
        result: Result<Watched, PassError>,
    ) -> Result<(), Failure> {
        self.take_back(session);
        let now = (self.daemon.clock)();
        match result {
            // One that was stopped has not seen everything.
            Ok(_) if self.shutting_down => {}
            Ok(watched) => {
                self.watch_rests = None;
                self.watching.done(&watched);
                self.watching.save(&self.daemon.config.store.path);
                for problem in &watched.problems {
                    tracing::warn!(code = problem.code, "{}", problem.text);
                }
                tracing::debug!(
                    audit = watched.audit,
                    checked = watched.checked,
                    calls = watched.calls,
                    changes = watched.changes.len(),
                    "watch ended"
                );
            }
            Err(error) => {
                let failure = Failure::from(&error);
                if matches!(failure, Failure::Store(_)) {
                    return Err(failure);
                }
                tracing::warn!("{failure}; the watch is tried again in a minute");
                self.watch_rests = Some(now + WATCH_RESTS);
            }
        }
        self.next_job();
        Ok(())
    }

    fn take_back(&mut self, session: Session) {
        self.session = Some(if std::mem::take(&mut self.stale_session) {
            Session::default()
        } else {
            session
        });
    }

    /// Who waits for a pass of their own goes first, without waiting for the tick.
    fn next_job(&mut self) {
        if !self.shutting_down
            && let Some(job) = self.jobs.pop_front()
        {
            self.begin(job.dry_run, Some(job.answer));
        }
    }

    fn begin(&mut self, dry_run: bool, waiting: Option<oneshot::Sender<Response>>) {
        let Some(session) = self.session.take() else {
            return;
        };
        self.waiting = waiting;
        if !dry_run {
            self.passed_last = true;
            self.last_begun = Some((self.daemon.clock)());
        }
        let calendar = Arc::clone(&self.daemon.calendar);
        let store = self.daemon.store.clone();
        let lookups = Arc::clone(&self.daemon.lookups);
        let clock = Arc::clone(&self.daemon.clock);
        let stop = self.daemon.stop.clone();
        let policy = Arc::clone(&self.policy);
        let wakes = self.daemon.wakes.clone();
        beside(wakes, async move {
            let mut session = session;
            let ports = Ports {
                calendar: calendar.as_ref(),
                store: &store,
                lookups: &lookups,
                clock: &clock,
                stop: &stop,
            };
            let result = pass(&ports, &policy, &mut session, dry_run).await;
            Wake::PassEnded {
                session,
                dry_run,
                result,
            }
        });
    }

    fn pass_ended(
        &mut self,
        session: Session,
        dry_run: bool,
        result: Result<Report, PassError>,
    ) -> Result<(), Failure> {
        self.take_back(session);
        if let Some(answer) = self.waiting.take() {
            let response = match &result {
                Ok(report) => Response::Ok(Box::new(Answer::Pass(views::pass(report)))),
                Err(error) => Response::Err(Failure::from(error).refusal()),
            };
            // Whoever asked may have gone.
            let _ = answer.send(response);
        }
        let now = (self.daemon.clock)();
        match result {
            Ok(_) if dry_run => {}
            Ok(report) => self.pass_came_through(&report, now),
            Err(error) => self.pass_failed(error, now)?,
        }
        self.next_job();
        Ok(())
    }

    fn pass_came_through(&mut self, report: &Report, now: Time) {
        self.passes += 1;
        self.backoff = Backoff::default();
        self.last_error = None;
        self.last_pass = Some(views::pass_head(report));
        for problem in &report.problems {
            tracing::warn!(code = problem.code, "{}", problem.text);
        }
        tracing::debug!(
            observed = report.observed,
            calls = report.calls,
            steps = report.steps.len(),
            "pass ended"
        );
        self.due = if report.more {
            now
        } else {
            self.daemon
                .config
                .schedule
                .poll
                .next_after(self.last_begun, now)
        };
    }

    fn pass_failed(&mut self, error: PassError, now: Time) -> Result<(), Failure> {
        let first = self.passes == 0 && self.last_error.is_none();
        let failure = Failure::from(&error);
        self.last_error = Some(failure.to_string());
        match &failure {
            Failure::Credential(_) if first => return Err(failure),
            Failure::Credential(_) => tracing::error!("{failure}; passes go on, ever more slowly"),
            Failure::Store(_) => return Err(failure),
            Failure::Unreachable(_)
            | Failure::Configuration(_)
            | Failure::Held(_)
            | Failure::Failed(_) => {
                tracing::warn!("{failure}; the next pass looks again");
            }
        }
        let regular = self
            .daemon
            .config
            .schedule
            .poll
            .next_after(self.last_begun, now);
        self.due = regular.max(now + self.backoff.failed());
        Ok(())
    }

    fn asked(&mut self, command: Command, answer: oneshot::Sender<Response>) {
        if self.shutting_down {
            let refusal = refused(
                "unreachable",
                "the daemon is ending; ask again when it is up",
            );
            let _ = answer.send(Response::Err(refusal));
            return;
        }
        match command {
            Command::Plan {} => self.ask_for_pass(true, answer),
            Command::Pass {} => self.ask_for_pass(false, answer),
            Command::Pause {} => {
                self.paused = true;
                tracing::info!("paused by an operator");
                self.status(answer);
            }
            Command::Resume {} => {
                self.paused = false;
                self.due = (self.daemon.clock)();
                tracing::info!("resumed by an operator");
                self.status(answer);
            }
            Command::Status {} => self.status(answer),
            command => self.ask_the_store(command, answer),
        }
    }

    fn ask_for_pass(&mut self, dry_run: bool, answer: oneshot::Sender<Response>) {
        if self.jobs.len() >= MAX_JOBS {
            let text = format!("{MAX_JOBS} passes are waiting already; ask again later");
            let _ = answer.send(Response::Err(refused("busy", text)));
            return;
        }
        self.jobs.push_back(Job { dry_run, answer });
        if self.session.is_some()
            && let Some(job) = self.jobs.pop_front()
        {
            self.begin(job.dry_run, Some(job.answer));
        }
    }

    fn ask_the_store(&self, command: Command, answer: oneshot::Sender<Response>) {
        let store = self.daemon.store.clone();
        let policy = Arc::clone(&self.policy);
        let now = (self.daemon.clock)();
        tokio::spawn(async move {
            let answered: Result<Answer, Refusal> = store
                .with(move |store| route::answer(store, &policy, now, &command))
                .await;
            let _ = answer.send(match answered {
                Ok(answered) => Response::Ok(Box::new(answered)),
                Err(refusal) => Response::Err(refusal),
            });
        });
    }

    fn status(&self, answer: oneshot::Sender<Response>) {
        let store = self.daemon.store.clone();
        let status = StatusView {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: views::time(self.started),
            paused: self.paused,
            last_pass: self.last_pass.clone(),
            last_error: self.last_error.clone(),
            passes: self.passes,
            next_pass: (!self.paused).then(|| views::time(self.due)),
            open_intents: 0,
            log_sequence: 0,
            policy: self.policy.hash.clone(),
        };
        tokio::spawn(async move {
            let known = store
                .with(|store| Ok((store.open_intents(MAX_COUNTED)?.len(), store.head().seq)))
                .await;
            let response = match known {
                Ok((open_intents, log_sequence)) => {
                    Response::Ok(Box::new(Answer::Status(StatusView {
                        open_intents,
                        log_sequence,
                        ..status
                    })))
                }
                Err(error) => Response::Err(super::answer::parse::store_failed(&error)),
            };
            let _ = answer.send(response);
        });
    }

    /// Validated first; the old one stays on any error.
    fn reload(&mut self) {
        let path = self.daemon.config_path.display().to_string();
        let loaded = match load(&self.daemon.config_path) {
            Ok(loaded) => loaded,
            Err(LoadError::Wrong(findings)) => {
                for finding in &findings.0 {
                    let line = finding.place.as_ref().map(|place| place.line);
                    tracing::error!(key = finding.key, line, "the configuration is wrong");
                }
                tracing::error!("the configuration stays as it was; see `maitred check`");
                return;
            }
            Err(error) => {
                tracing::error!("the configuration stays as it was: failed to {error}");
                return;
            }
        };
        let calendar = match calendar::open(&loaded.config, &self.daemon.clock) {
            Ok(calendar) => calendar,
            Err(error) => {
                tracing::error!("the configuration stays as it was: {error}");
                return;
            }
        };
        let lookups = match lookups::open(&loaded.config) {
            Ok(lookups) => lookups,
            Err(error) => {
                tracing::error!("the configuration stays as it was: {}", chain(&error));
                return;
            }
        };
        for finding in &loaded.findings {
            // The whole text may name people; `maitred check` shows it.
            let line = finding.place.as_ref().map(|place| place.line);
            tracing::warn!(key = finding.key, line, "the configuration has a warning");
        }
        if loaded.config.store != self.daemon.config.store
            || loaded.config.control != self.daemon.config.control
        {
            tracing::warn!("store.path and control.socket change with a restart only");
        }
        // The same server and key keep their session and their count of the rate limit.
        let same = loaded.config.calcom == self.daemon.config.calcom
            && calendar.print == self.daemon.print;
        if !same {
            self.stale_session = self.session.is_none();
            self.session = self.session.take().map(|_| Session::default());
            self.backoff = Backoff::default();
            self.daemon.calendar = calendar.calendar;
            self.daemon.print = calendar.print;
        }
        self.daemon.lookups = Arc::new(lookups);
        self.policy = Arc::new(loaded.config.policy.clone());
        self.daemon.config = loaded.config;
        self.due = (self.daemon.clock)();
        tracing::info!(path, policy = self.policy.hash, "configuration reloaded");
    }
}

/// Runs a pass or a watch beside the loop, and tells the loop how it ended, also when it panicked.
fn beside(wakes: mpsc::Sender<Wake>, work: impl Future<Output = Wake> + Send + 'static) {
    let work = tokio::spawn(work);
    tokio::spawn(async move {
        let ended = work.await.unwrap_or(Wake::PassPanicked);
        // The loop outlives its passes; when it is gone there is nobody to tell.
        let _ = wakes.send(ended).await;
    });
}
