//! The daemon's loop: one owner of everything, moved by `Wake` alone. Passes run beside it, one at a
//! time; commands are answered while a pass waits for Cal.com.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::backoff::Backoff;
use super::calendar::KeyPrint;
use super::failure::Failure;
use super::wake::Wake;
use super::watching::Watching;
use crate::calcom::port::Calendar;
use crate::config::model::Config;
use crate::control::protocol::status::WatchHead;
use crate::control::protocol::{PassHead, PassView, Response};
use crate::domain::gate::Policy;
use crate::domain::time::{Clock, Span, Time};
use crate::lookup::desk::Desk;
use crate::reconcile::ports::{Session, Stop};
use crate::store::handle::StoreHandle;
use told::{Told, Ungated};

/// A clock that goes back further than this was set, and does not only keep itself right.
const SET_BACK: Span = Span::seconds(10);

mod asked;
mod passes;
mod reload;
mod status;
mod told;

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
    wants: Wants,
    answer: oneshot::Sender<Response>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Plan,
    Pass,
    PassAndWatch,
}

/// A pass that came to its end, and whoever waits for the watch after it.
struct Begun {
    /// Both only say what would be done.
    preview: bool,
    pass: PassView,
    answer: oneshot::Sender<Response>,
}

/// The loop's own.
struct Loop {
    daemon: Daemon,
    policy: Arc<Policy>,
    /// Away while a pass has it.
    session: Option<Session>,
    /// Who waits for the pass under way, when somebody does.
    waiting: Option<Job>,
    /// Who waits for the watch under way, when somebody does.
    reporting: Option<Begun>,
    jobs: VecDeque<Job>,
    started: Time,
    paused: bool,
    last_begun: Option<Time>,
    /// When the last tick came, by the wall clock.
    last_tick: Time,
    due: Time,
    backoff: Backoff,
    watching: Watching,
    /// After a watch that failed, no other is tried before this.
    watch_rests: Option<Time>,
    /// Something was said while a pass was under way that may not have seen it.
    look_again: bool,
    passes: u64,
    last_pass: Option<PassHead>,
    last_error: Option<String>,
    last_watch: Option<WatchHead>,
    watch_error: Option<String>,
    /// What the last pass and the last watch told of: what is told again is not logged again.
    told_by_pass: Told,
    ungated: Ungated,
    told_by_watch: Told,
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
        reporting: None,
        jobs: VecDeque::new(),
        started: now,
        paused: false,
        last_begun: None,
        last_tick: now,
        due: now,
        backoff: Backoff::default(),
        watching,
        watch_rests: None,
        look_again: false,
        passes: 0,
        last_pass: None,
        last_error: None,
        last_watch: None,
        watch_error: None,
        told_by_pass: Told::default(),
        ungated: Ungated::default(),
        told_by_watch: Told::default(),
        shutting_down: false,
        passed_last: false,
        stale_session: false,
    };
    while let Some(wake) = wakes.recv().await {
        match wake {
            Wake::Tick => state.tick(),
            Wake::Look => {
                state.look_now();
                state.tick();
            }
            Wake::Asked(asked) => state.asked(asked),
            Wake::PassEnded {
                session,
                report,
                stopped,
            } => state.pass_ended(session, &report, stopped)?,
            Wake::PassPanicked => {
                return Err(Failure::Failed(
                    "a pass or watch panicked, which is a defect; the next start goes on from the log"
                        .to_owned(),
                ));
            }
            Wake::WatchEnded {
                preview,
                session,
                watched,
                stopped,
            } => state.watch_ended(session, preview, &watched, stopped)?,
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
    /// A pass is due now, and another one when one is under way.
    fn look_now(&mut self) {
        self.due = (self.daemon.clock)();
        self.look_again = self.session.is_none();
    }

    /// What was to come at an instant that the clock has gone back from would come far too late.
    fn follow_the_clock(&mut self, now: Time) {
        let back = self.last_tick - now;
        self.last_tick = now;
        if back > SET_BACK {
            tracing::warn!(
                seconds = back.num_seconds(),
                "the clock was set back: looking at once"
            );
            self.due = self.due.min(now);
            self.watch_rests = None;
        }
    }

    fn tick(&mut self) {
        let now = (self.daemon.clock)();
        self.follow_the_clock(now);
        if self.session.is_none() || self.shutting_down {
            return;
        }
        if let Some(job) = self.jobs.pop_front() {
            self.begin(Some(job));
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
            Some(look) if !pass_is_due || self.passed_last => self.begin_watch(look, false),
            Some(_) | None if pass_is_due => self.begin(None),
            Some(_) | None => {}
        }
    }
}
