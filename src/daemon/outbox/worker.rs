//! The worker of one target: delivers what is due, one notification after the other, and remembers
//! each before the next. A notification whose delivery failed is sent again after a pause that grows,
//! and dropped when that has been tried for too long.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::watch;

use super::conditions::Conditions;
use super::status::TargetStatus;
use crate::domain::notification::event::Notification;
use crate::domain::time::{Clock, Span, Time};
use crate::notify::target::OpenedTarget;
use crate::notify::target_state::{DroppedNotification, TargetState, load, save, state_path};
use crate::notify::view::{NotificationView, ViewOptions, notification_view};
use crate::store::port::StoreError;
use crate::store::store_thread::StoreHandle;

mod sources;

/// How often a worker looks when nothing wakes it.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The pause after the first failure; it doubles with each further failure.
const FIRST_PAUSE: Span = Span::seconds(1);

/// The longest pause. The end of an outage is noticed this late at most.
const LONGEST_PAUSE: Span = Span::minutes(10);

/// What the workers share.
#[derive(Clone)]
pub(super) struct WorkerContext {
    pub(super) state_dir: PathBuf,
    /// The id of the ledger.
    pub(super) ledger: Arc<str>,
    /// The time zone of times in texts.
    pub(super) zone: Tz,
    pub(super) clock: Clock,
    pub(super) conditions: Arc<Conditions>,
}

/// Why a worker stopped before everything was delivered.
enum Stop {
    /// The target did not accept a notification; it is sent again.
    Undelivered,
    /// The ledger could not be read.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The worker of one target.
pub(super) struct TargetWorker {
    target: Arc<OpenedTarget>,
    context: WorkerContext,
    status: Arc<TargetStatus>,
    path: PathBuf,
    state: TargetState,
    /// Whether the state may be written: not before it is known where the log ends.
    may_save: bool,
    /// Whether the last write failed, so that it is logged once.
    save_failed: bool,
}

impl TargetWorker {
    /// Opens the worker of a target. A target without a file begins at the end of the log.
    pub(super) async fn open(
        target: Arc<OpenedTarget>,
        context: WorkerContext,
        status: Arc<TargetStatus>,
        store: &StoreHandle,
    ) -> Self {
        let head = store.read(|store| store.head().seq).await;
        let path = state_path(&context.state_dir, &target.settings.name);
        let now = (context.clock)();
        let found = load_state(&path, &context.ledger, head);
        let is_new = found.is_none();
        let state = found.unwrap_or_else(|| TargetState::starting_at(&context.ledger, head, now));
        let mut worker = Self {
            target,
            context,
            status,
            path,
            state,
            may_save: true,
            save_failed: false,
        };
        if is_new {
            worker.save(true);
        }
        worker.status.publish(&worker.state);
        worker
    }

    /// Opens the worker of a target while the ledger cannot be read. It can only tell of states of
    /// the process.
    pub(super) fn open_without_store(target: Arc<OpenedTarget>, context: WorkerContext) -> Self {
        let path = state_path(&context.state_dir, &target.settings.name);
        let found = load::<TargetState>(&path).unwrap_or_default();
        let context = match &found {
            Some(state) if context.ledger.is_empty() => WorkerContext {
                ledger: state.ledger.as_str().into(),
                ..context
            },
            Some(_) | None => context,
        };
        Self {
            status: Arc::new(TargetStatus::new(&target)),
            target,
            context,
            path,
            may_save: found.is_some(),
            state: found.unwrap_or_default(),
            save_failed: false,
        }
    }

    /// Delivers what is due, again and again, until `stop` is set.
    pub(super) async fn run(
        target: Arc<OpenedTarget>,
        context: WorkerContext,
        status: Arc<TargetStatus>,
        store: StoreHandle,
        (mut wake, mut stop): (watch::Receiver<()>, watch::Receiver<bool>),
    ) {
        let deliver = async move {
            let mut worker = Self::open(target, context, status, &store).await;
            loop {
                worker.deliver_due(&store).await;
                match worker.pause() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => {
                        // When the outbox is dropped, `stop` ends the worker.
                        let _ = tokio::time::timeout(LOOK_INTERVAL, wake.changed()).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            () = deliver => {}
        }
    }

    /// Delivers what is due, until nothing is left or a delivery fails. While the target is given
    /// a pause, nothing is delivered.
    pub(super) async fn deliver_due(&mut self, store: &StoreHandle) {
        if self.pause().is_some() {
            return;
        }
        if let Err(Stop::Store(error)) = self.try_deliver(store).await {
            let target = self.target.settings.name.as_str();
            tracing::warn!(target_name = target, "no notification is derived: {error}");
        }
        self.status.publish(&self.state);
    }

    /// Delivers what there is to tell about states of the process.
    pub(super) async fn deliver_conditions_only(&mut self) {
        let _ = self.deliver_conditions().await;
    }

    /// Returns how long no delivery is tried. `None`: one may be tried now.
    fn pause(&self) -> Option<Duration> {
        let retry_at = time(self.state.retry_at?)?;
        let pause = retry_at - (self.context.clock)();
        // A longer pause means that the clock was set back.
        (Span::zero() < pause && pause <= LONGEST_PAUSE).then(|| pause.to_std().ok())?
    }

    /// Delivers one notification, or drops it. After that the caller remembers that it is done.
    async fn deliver(&mut self, notification: &Notification) -> Result<(), Stop> {
        let options = ViewOptions {
            ledger: &self.context.ledger,
            include_people: self.target.settings.include_people,
            zone: self.context.zone,
        };
        let view = notification_view(notification, options);
        let sent_at = (self.context.clock)();
        match self.target.deliver(&view, sent_at).await {
            Ok(()) => {
                self.record_delivery(&view);
                Ok(())
            }
            Err(error) => self.record_failure(&view, notification.at, error),
        }
    }

    fn record_delivery(&mut self, view: &NotificationView) {
        let target = self.target.settings.name.as_str();
        if self.state.failures > 0 {
            tracing::info!(target_name = target, "notifications are accepted again");
        }
        tracing::debug!(
            target_name = target,
            kind = view.kind,
            id = view.id,
            "delivered"
        );
        let state = &mut self.state;
        state.delivered += 1;
        state.last_delivered_at = Some((self.context.clock)().timestamp_millis());
        state.failures = 0;
        state.failing_since = None;
        state.retry_at = None;
        state.last_error = None;
    }

    /// Records a failure. Returns `Ok` if the notification is dropped.
    fn record_failure(
        &mut self,
        view: &NotificationView,
        at: Time,
        error: String,
    ) -> Result<(), Stop> {
        let now = (self.context.clock)();
        let target = self.target.settings.name.as_str();
        let state = &mut self.state;
        if state.failures == 0 {
            tracing::warn!(
                target_name = target,
                kind = view.kind,
                error,
                "a notification was not accepted; it is sent again"
            );
        }
        state.failures = state.failures.saturating_add(1);
        let since = *state.failing_since.get_or_insert(now.timestamp_millis());
        state.last_error = Some(error);
        let tried_since = time(since).map_or(at, |since| since.max(at));
        let is_dropped = now - tried_since >= self.target.settings.give_up_after
            && !self.target.settings.receives_facts();
        if is_dropped {
            tracing::warn!(
                target_name = target,
                kind = view.kind,
                id = view.id,
                "a notification was dropped, because it was not accepted for too long"
            );
            state.dropped += 1;
            state.last_dropped = Some(DroppedNotification {
                id: view.id.clone(),
                kind: view.kind.clone(),
                at: now.timestamp_millis(),
            });
            state.retry_at = None;
            return Ok(());
        }
        let retry_at = now + pause_after(state.failures);
        state.retry_at = Some(retry_at.timestamp_millis());
        self.save(false);
        Err(Stop::Undelivered)
    }

    /// Writes the state. A failure is logged once; the worker continues, and after a restart what
    /// could not be remembered is sent again with the same id.
    fn save(&mut self, durable: bool) {
        self.status.publish(&self.state);
        if !self.may_save {
            return;
        }
        let saved = save(&self.path, &self.state, durable);
        if let Err(error) = &saved
            && !self.save_failed
        {
            tracing::warn!("failed to write {}: {error}", self.path.display());
        }
        self.save_failed = saved.is_err();
    }
}

/// Reads the state of a target. `None`: the target begins at the end of the log.
fn load_state(path: &Path, ledger: &str, head: u64) -> Option<TargetState> {
    let found: Option<TargetState> = load(path).unwrap_or_else(|error| {
        tracing::warn!(
            "failed to read {}: {error}; notifications begin with what happens from now on",
            path.display()
        );
        None
    });
    let state = found?;
    if state.ledger != ledger || state.cursor > head {
        tracing::warn!(
            "{} is about another ledger, or about commits that this ledger does not have; \
             notifications begin with what happens from now on",
            path.display()
        );
        return None;
    }
    Some(state)
}

fn time(millis: i64) -> Option<Time> {
    Time::from_timestamp_millis(millis)
}

/// Returns how long nothing is delivered after this many failures in a row.
fn pause_after(failures: u32) -> Span {
    // 2^10 times the first pause exceeds the longest pause.
    let doublings = failures.saturating_sub(1).min(10);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = |failures| pause_after(failures).num_seconds();
        let pauses: Vec<i64> = [1, 2, 3, 10, 11, u32::MAX].map(seconds).to_vec();
        assert_eq!(pauses, [1, 2, 4, 512, 600, 600]);
    }
}
