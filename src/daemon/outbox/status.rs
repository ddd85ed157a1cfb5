//! What `maitred status` shows of a target.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::control::protocol::status::NotifyTargetView;
use crate::daemon::views::format_time;
use crate::domain::time::Time;
use crate::notify::target::OpenedTarget;
use crate::notify::target_state::TargetState;

/// The state of a target, as its worker last published it.
pub struct TargetStatus(Mutex<NotifyTargetView>);

impl TargetStatus {
    /// Returns the status of a target whose worker has not begun.
    pub fn new(target: &OpenedTarget) -> Self {
        Self(Mutex::new(NotifyTargetView {
            name: target.settings.name.clone(),
            transport: target.settings.transport.as_str().to_owned(),
            delivered_to: 0,
            waiting_commits: 0,
            delivered: 0,
            last_delivered_at: None,
            failing_since: None,
            last_error: None,
            next_attempt: None,
            dropped: 0,
            last_dropped: None,
        }))
    }

    /// Publishes the state.
    pub fn publish(&self, state: &TargetState) {
        let mut view = self.lock();
        view.delivered_to = state.cursor;
        view.delivered = state.delivered;
        view.last_delivered_at = state.last_delivered_at.and_then(format_millis);
        view.failing_since = state.failing_since.and_then(format_millis);
        view.last_error.clone_from(&state.last_error);
        view.next_attempt = state.retry_at.and_then(format_millis);
        view.dropped = state.dropped;
        view.last_dropped = state.last_dropped.as_ref().map(|dropped| {
            let at = format_millis(dropped.at).unwrap_or_default();
            format!("{} {} at {at}", dropped.kind, dropped.id)
        });
    }

    /// Returns the state. How many commits wait is added by the caller, who knows the head.
    pub fn view(&self) -> NotifyTargetView {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, NotifyTargetView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn format_millis(millis: i64) -> Option<String> {
    Time::from_timestamp_millis(millis).map(format_time)
}
