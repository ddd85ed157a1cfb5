//! Passes and watches: how they are started concurrently with the loop, and how the loop handles
//! their end.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Loop, PassAwaitingWatch, PassKind, QueuedPass};
use crate::calcom::port::Calendar;
use crate::control::protocol::{CommandResult, SocketResponse};
use crate::daemon::allowance_state;
use crate::daemon::failure::Failure;
use crate::daemon::views;
use crate::daemon::wake::Wake;
use crate::daemon::watchdog::RunProgress;
use crate::domain::gate::Policy;
use crate::domain::time::{Clock, Time};
use crate::lookup::client::LookupClient;
use crate::reconcile::context::{PassError, Ports, Session, StopSignal};
use crate::reconcile::pass::{run_booking_pass, run_pass_with_report};
use crate::reconcile::report::PassReport;
use crate::reconcile::watch::{WatchReport, WatchScope, run_watch_with_report};
use crate::source::client::SourceClient;
use crate::store::store_thread::StoreHandle;

/// What a pass or a watch uses while the loop continues.
struct PassResources {
    calendar: Arc<dyn Calendar>,
    store: StoreHandle,
    lookups: Arc<LookupClient>,
    sources: Arc<SourceClient>,
    clock: Clock,
    stop: StopSignal,
    policy: Arc<Policy>,
}

impl PassResources {
    fn ports(&self) -> Ports<'_> {
        Ports {
            calendar: self.calendar.as_ref(),
            store: &self.store,
            lookups: &self.lookups,
            sources: &self.sources,
            clock: &self.clock,
            stop: &self.stop,
        }
    }
}

impl Loop {
    fn pass_resources(&self) -> PassResources {
        PassResources {
            calendar: Arc::clone(&self.daemon.calendar),
            store: self.daemon.store.clone(),
            lookups: Arc::clone(&self.daemon.lookups),
            sources: Arc::clone(&self.daemon.sources),
            clock: Arc::clone(&self.daemon.clock),
            stop: self.daemon.stop.clone(),
            policy: Arc::clone(&self.policy),
        }
    }

    /// Starts a watch, or with `dry_run` a watch that only reports what it would do.
    pub(super) fn start_watch(&mut self, scope: WatchScope, dry_run: bool) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        self.timetable.record_watch_start();
        let tools = self.pass_resources();
        let wakes = self.daemon.wakes.clone();
        spawn_and_report(wakes, &self.progress, async move {
            let (ports, policy) = (tools.ports(), &tools.policy);
            let (watch_report, stopped) =
                run_watch_with_report(&ports, policy, &mut session, scope, dry_run).await;
            Wake::WatchEnded {
                preview: dry_run,
                session,
                watch_report: Box::new(watch_report),
                stopped,
            }
        });
    }

    pub(super) fn handle_watch_end(
        &mut self,
        session: Session,
        preview: bool,
        watch_report: &WatchReport,
        stopped: Option<PassError>,
    ) -> Result<(), Failure> {
        self.restore_session(session);
        let stopping = self.shutting_down;
        let metrics = &self.daemon.metrics;
        metrics.record_watch(watch_report, stopped.as_ref(), stopping);
        metrics.request_export();
        self.daemon.outbox.wake();
        let now = (self.daemon.clock)();
        if let Some(awaiting) = self.awaiting_watch.take() {
            answer_with_watch(awaiting, watch_report, stopped.as_ref());
        }
        match stopped {
            // Nothing was done, so nothing is to be tried again.
            _ if preview => {}
            // A watch that was stopped has not seen everything.
            None if self.shutting_down => {}
            None => {
                if let Some(error) = self.watch_error.take() {
                    tracing::info!(
                        server = self.daemon.calendar.server(),
                        error = error.text,
                        "watches work again"
                    );
                }
                self.last_watch = Some(views::watch_summary(watch_report));
                self.timetable.record_watch_end(watch_report, now);
                if watch_report.complete {
                    let watch_state = self.timetable.watch_state();
                    watch_state.save(self.daemon.config.state_dir());
                }
                self.watch_problems.record(&watch_report.problems);
                tracing::debug!(
                    audit = watch_report.audit,
                    checked = watch_report.checked_charges,
                    calls = watch_report.calls,
                    changes = watch_report.changes.len(),
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
                self.watch_error = Some(failure.to_stopped_view());
                self.timetable.record_watch_failure(now);
            }
        }
        self.show_status();
        self.start_next_queued();
        Ok(())
    }

    pub(super) fn restore_session(&mut self, session: Session) {
        self.session = Some(if std::mem::take(&mut self.stale_session) {
            Session::default()
        } else {
            session
        });
    }

    /// Starts the next erasure or pass that a client waits for, without waiting for the scheduler.
    pub(super) fn start_next_queued(&mut self) {
        if !self.start_next_erasure() && !self.shutting_down && !self.queued_passes.is_empty() {
            self.start_due_run();
        }
    }

    /// Starts a pass: the pass that is due, or a pass that a client waits for.
    pub(super) fn start_pass(&mut self, queued: Option<QueuedPass>) {
        let Some(session) = self.session.take() else {
            return;
        };
        let dry_run = queued
            .as_ref()
            .is_some_and(|job| job.kind == PassKind::Plan);
        let booking = queued.as_ref().and_then(|job| match &job.kind {
            PassKind::Booking(booking) => Some(booking.clone()),
            PassKind::Plan | PassKind::Pass | PassKind::PassAndWatch => None,
        });
        self.requested_pass = queued;
        if !dry_run && booking.is_none() {
            self.timetable.record_pass_start((self.daemon.clock)());
        }
        let tools = self.pass_resources();
        let wakes = self.daemon.wakes.clone();
        spawn_and_report(wakes, &self.progress, async move {
            let mut session = session;
            let (ports, policy) = (tools.ports(), &tools.policy);
            let (report, stopped) = match &booking {
                Some(booking) => run_booking_pass(&ports, policy, &mut session, booking).await,
                None => run_pass_with_report(&ports, policy, &mut session, dry_run).await,
            };
            Wake::PassEnded {
                session,
                report: Box::new(report),
                stopped,
            }
        });
    }

    pub(super) fn handle_pass_end(
        &mut self,
        session: Session,
        report: &PassReport,
        stopped: Option<PassError>,
    ) -> Result<(), Failure> {
        let folder = self.daemon.config.state_dir();
        allowance_state::save(folder, &session.allowances, &mut self.saved_allowances);
        self.restore_session(session);
        let stopping = self.shutting_down;
        let metrics = &self.daemon.metrics;
        metrics.record_pass(report, stopped.as_ref(), stopping);
        metrics.request_export();
        let job = self.requested_pass.take();
        let is_booking = job.as_ref().is_some_and(|job| job.kind.is_booking());
        let awaiting_watch = match job {
            Some(job) => self.answer_requester(job, report, stopped.as_ref()),
            None => None,
        };
        let now = (self.daemon.clock)();
        match stopped {
            None if report.dry_run => {}
            // The schedule continues as if there had been no pass.
            None if is_booking => self.daemon.outbox.wake(),
            Some(error) if is_booking && !matches!(error, PassError::Store(_)) => {}
            None => self.record_success(report, now),
            Some(error) => self.record_failure(error, now)?,
        }
        self.show_status();
        if let Some(awaiting) = awaiting_watch {
            let scope = self.timetable.requested_watch(now);
            let preview = awaiting.preview;
            self.awaiting_watch = Some(awaiting);
            self.start_watch(scope, preview);
        } else {
            self.start_next_queued();
        }
        Ok(())
    }

    /// Sends the client the result of the pass, unless the client also waits for the watch.
    fn answer_requester(
        &self,
        job: QueuedPass,
        report: &PassReport,
        stopped: Option<&PassError>,
    ) -> Option<PassAwaitingWatch> {
        let QueuedPass {
            kind: wants,
            answer,
        } = job;
        let mut pass = views::pass(report);
        let preview = wants == PassKind::Plan;
        let response = match stopped.map(Failure::from) {
            None if (preview || wants == PassKind::PassAndWatch) && !self.shutting_down => {
                return Some(PassAwaitingWatch {
                    preview,
                    pass,
                    answer,
                });
            }
            // When not even the first read succeeded, there is nothing else to report.
            Some(failure) if report.steps.is_empty() => SocketResponse::Err(failure.to_refusal()),
            stopped => {
                pass.stopped = stopped.as_ref().map(Failure::to_stopped_view);
                SocketResponse::Ok(Box::new(CommandResult::Pass(pass)))
            }
        };
        // The client may have disconnected.
        let _ = answer.send(response);
        None
    }

    fn record_success(&mut self, report: &PassReport, now: Time) {
        self.passes += 1;
        if let Some(error) = &self.last_error {
            let failed = self.timetable.failed_passes();
            let server = self.daemon.calendar.server();
            tracing::info!(server, failed, error = error.text, "passes work again");
        }
        self.last_error = None;
        self.last_pass = Some(views::pass_summary(report));
        self.pass_problems.record(&report.problems);
        self.ungated_event_types
            .record(report.steps.iter().map(|step| &step.request));
        tracing::debug!(
            observed = report.pending_count,
            calls = report.calls,
            steps = report.steps.len(),
            "pass ended"
        );
        self.daemon.outbox.record_success(report, now);
        self.timetable.record_pass_success(report.more, now);
    }

    fn record_failure(&mut self, error: PassError, now: Time) -> Result<(), Failure> {
        let first = self.passes == 0 && self.last_error.is_none();
        let failure = Failure::from(&error);
        self.last_error = Some(failure.to_stopped_view());
        self.daemon.outbox.record_failure(&failure, now);
        // Only an operator can correct a refused key or a ledger of another account.
        let is_foreign_ledger = matches!(error, PassError::ForeignLedger(_));
        let server = self.daemon.calendar.server();
        match &failure {
            Failure::Credential(_) if first => return Err(failure),
            Failure::Configuration(_) if first && is_foreign_ledger => return Err(failure),
            Failure::Credential(_) => {
                tracing::error!(server, "{failure}; passes continue at growing intervals");
            }
            Failure::Store(_) => return Err(failure),
            Failure::Unreachable(_)
            | Failure::Configuration(_)
            | Failure::StoreLocked(_)
            | Failure::Permission(_)
            | Failure::Failed(_) => {
                tracing::warn!(server, "{failure}; the next pass tries again");
            }
        }
        self.timetable.record_pass_failure(now);
        Ok(())
    }
}

/// Sends the client the results of its pass and its watch.
fn answer_with_watch(
    awaiting: PassAwaitingWatch,
    watch_report: &WatchReport,
    stopped: Option<&PassError>,
) {
    let PassAwaitingWatch {
        mut pass, answer, ..
    } = awaiting;
    if stopped.is_none() || watch_report.has_news() {
        pass.watch = Some(views::watch(watch_report));
    }
    pass.stopped = stopped.map(|error| {
        let mut stopped = Failure::from(error).to_stopped_view();
        stopped.text = format!("the pass is done, and the watch failed: {}", stopped.text);
        stopped
    });
    // The client may have disconnected.
    let _ = answer.send(SocketResponse::Ok(Box::new(CommandResult::Pass(pass))));
}

/// Runs a pass or a watch concurrently with the loop, and reports to the loop how it ended, even if
/// it panicked.
fn spawn_and_report(
    wakes: mpsc::Sender<Wake>,
    progress: &RunProgress,
    work: impl Future<Output = Wake> + Send + 'static,
) {
    let work = tokio::spawn(progress.count(work));
    tokio::spawn(async move {
        let wake = work.await.unwrap_or(Wake::PassPanicked);
        // The loop outlives its passes; when it has ended there is no receiver.
        let _ = wakes.send(wake).await;
    });
}
