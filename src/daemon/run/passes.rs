//! Passes and watches: how they are begun beside the loop, and what their end means for it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Begun, Job, Loop, Wants};
use crate::calcom::port::Calendar;
use crate::control::protocol::{Answer, Response};
use crate::daemon::backoff::Backoff;
use crate::daemon::failure::Failure;
use crate::daemon::views;
use crate::daemon::wake::Wake;
use crate::domain::gate::Policy;
use crate::domain::time::{Clock, Span, Time};
use crate::lookup::desk::Desk;
use crate::reconcile::pass::pass_to_its_end;
use crate::reconcile::ports::{PassError, Ports, Session, Stop};
use crate::reconcile::report::Report;
use crate::reconcile::watch::{Look, Watched, watch_to_its_end};
use crate::store::handle::StoreHandle;

/// How long a watch that failed rests. Passes have their own, longer patience with the server.
const WATCH_RESTS: Span = Span::minutes(1);

/// What a pass or a watch works with while the loop goes on.
struct Tools {
    calendar: Arc<dyn Calendar>,
    store: StoreHandle,
    lookups: Arc<Desk>,
    clock: Clock,
    stop: Stop,
    policy: Arc<Policy>,
}

impl Tools {
    fn ports(&self) -> Ports<'_> {
        Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups: &self.lookups,
            clock: &self.clock,
            stop: &self.stop,
        }
    }
}

impl Loop {
    fn tools(&self) -> Tools {
        Tools {
            calendar: Arc::clone(&self.daemon.calendar),
            store: self.daemon.store.clone(),
            lookups: Arc::clone(&self.daemon.lookups),
            clock: Arc::clone(&self.daemon.clock),
            stop: self.daemon.stop.clone(),
            policy: Arc::clone(&self.policy),
        }
    }

    /// Begins a watch, or (`dry_run`) says what one would do.
    pub(super) fn begin_watch(&mut self, look: Look, dry_run: bool) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        self.passed_last = false;
        let tools = self.tools();
        let wakes = self.daemon.wakes.clone();
        beside(wakes, async move {
            let (ports, policy) = (tools.ports(), &tools.policy);
            let (watched, stopped) =
                watch_to_its_end(&ports, policy, &mut session, look, dry_run).await;
            Wake::WatchEnded {
                preview: dry_run,
                session,
                watched: Box::new(watched),
                stopped,
            }
        });
    }

    pub(super) fn watch_ended(
        &mut self,
        session: Session,
        preview: bool,
        watched: &Watched,
        stopped: Option<PassError>,
    ) -> Result<(), Failure> {
        self.take_back(session);
        let now = (self.daemon.clock)();
        if let Some(begun) = self.reporting.take() {
            report(begun, watched, stopped.as_ref());
        }
        match stopped {
            // Nothing was done, and nothing is to be tried again.
            _ if preview => {}
            // One that was stopped has not seen everything.
            None if self.shutting_down => {}
            None => {
                self.watch_rests = None;
                if let Some(error) = self.watch_error.take() {
                    tracing::info!(
                        server = self.daemon.calendar.server(),
                        error,
                        "watches work again"
                    );
                }
                self.last_watch = Some(views::watch_head(watched));
                if watched.complete {
                    self.watching.done(watched);
                    self.watching.save(&self.daemon.config.store.path);
                } else {
                    // It has its next turn by the schedule, and looks from where this one did.
                    let watch = &self.daemon.config.schedule.watch;
                    self.watch_rests = Some(watch.next_after(Some(watched.started), now));
                }
                self.told_by_watch.hear(&watched.problems);
                tracing::debug!(
                    audit = watched.audit,
                    checked = watched.checked,
                    calls = watched.calls,
                    changes = watched.changes.len(),
                    "watch ended"
                );
            }
            Some(error) => {
                let failure = Failure::from(&error);
                if matches!(failure, Failure::Store(_)) {
                    return Err(failure);
                }
                let server = self.daemon.calendar.server();
                tracing::warn!(server, "{failure}; the watch is tried again in a minute");
                self.watch_error = Some(failure.to_string());
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
            self.begin(Some(job));
        }
    }

    /// Begins a pass: the one that is due, or the one that somebody waits for.
    pub(super) fn begin(&mut self, waiting: Option<Job>) {
        let Some(session) = self.session.take() else {
            return;
        };
        let dry_run = waiting.as_ref().is_some_and(|job| job.wants == Wants::Plan);
        self.waiting = waiting;
        if !dry_run {
            self.passed_last = true;
            self.last_begun = Some((self.daemon.clock)());
        }
        let tools = self.tools();
        let wakes = self.daemon.wakes.clone();
        beside(wakes, async move {
            let mut session = session;
            let (ports, policy) = (tools.ports(), &tools.policy);
            let (report, stopped) = pass_to_its_end(&ports, policy, &mut session, dry_run).await;
            Wake::PassEnded {
                session,
                report: Box::new(report),
                stopped,
            }
        });
    }

    pub(super) fn pass_ended(
        &mut self,
        session: Session,
        report: &Report,
        stopped: Option<PassError>,
    ) -> Result<(), Failure> {
        self.take_back(session);
        let watch = match self.waiting.take() {
            Some(job) => self.tell(job, report, stopped.as_ref()),
            None => None,
        };
        let now = (self.daemon.clock)();
        match stopped {
            None if report.dry_run => {}
            None => self.pass_came_through(report, now),
            Some(error) => self.pass_failed(error, now)?,
        }
        if let Some(begun) = watch {
            let look = self.watching.asked(&self.daemon.config.schedule, now);
            let preview = begun.preview;
            self.reporting = Some(begun);
            self.begin_watch(look, preview);
        } else {
            self.next_job();
        }
        Ok(())
    }

    /// Tells whoever waited how the pass ended, unless he waits for the watch too.
    fn tell(&self, job: Job, report: &Report, stopped: Option<&PassError>) -> Option<Begun> {
        let Job { wants, answer } = job;
        let mut pass = views::pass(report);
        let preview = wants == Wants::Plan;
        let response = match stopped.map(Failure::from) {
            None if (preview || wants == Wants::PassAndWatch) && !self.shutting_down => {
                return Some(Begun {
                    preview,
                    pass,
                    answer,
                });
            }
            // Where not even the first look came through, there is nothing else to tell.
            Some(failure) if report.steps.is_empty() => Response::Err(failure.refusal()),
            stopped => {
                pass.stopped = stopped.as_ref().map(Failure::stopped);
                Response::Ok(Box::new(Answer::Pass(pass)))
            }
        };
        // Whoever asked may have gone.
        let _ = answer.send(response);
        None
    }

    fn pass_came_through(&mut self, report: &Report, now: Time) {
        self.passes += 1;
        if let Some(error) = &self.last_error {
            let failed = self.backoff.failures();
            let server = self.daemon.calendar.server();
            tracing::info!(server, failed, error, "passes work again");
        }
        self.backoff = Backoff::default();
        self.last_error = None;
        self.last_pass = Some(views::pass_head(report));
        self.told_by_pass.hear(&report.problems);
        self.ungated
            .hear(report.steps.iter().map(|step| &step.request));
        tracing::debug!(
            observed = report.observed,
            calls = report.calls,
            steps = report.steps.len(),
            "pass ended"
        );
        let again = std::mem::take(&mut self.look_again);
        self.due = if report.more || again {
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
        // Only an operator can set either right.
        let foreign = matches!(error, PassError::Foreign(_));
        let server = self.daemon.calendar.server();
        match &failure {
            Failure::Credential(_) if first => return Err(failure),
            Failure::Configuration(_) if first && foreign => return Err(failure),
            Failure::Credential(_) => {
                tracing::error!(server, "{failure}; passes go on, ever more slowly");
            }
            Failure::Store(_) => return Err(failure),
            Failure::Unreachable(_)
            | Failure::Configuration(_)
            | Failure::Held(_)
            | Failure::Permission(_)
            | Failure::Failed(_) => {
                tracing::warn!(server, "{failure}; the next pass looks again");
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
}

/// Tells whoever waited for a pass and a watch how both ended.
fn report(begun: Begun, watched: &Watched, stopped: Option<&PassError>) {
    let Begun {
        mut pass, answer, ..
    } = begun;
    if stopped.is_none() || watched.tells() {
        pass.watch = Some(views::watch(watched));
    }
    pass.stopped = stopped.map(|error| {
        let mut stopped = Failure::from(error).stopped();
        stopped.text = format!("the pass is done, and the watch failed: {}", stopped.text);
        stopped
    });
    // Whoever asked may have gone.
    let _ = answer.send(Response::Ok(Box::new(Answer::Pass(pass))));
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
