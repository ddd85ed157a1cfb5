//! Calls the URL of the dead-man switch after a pass that listed bookings, at most once per poll. A
//! failure is logged once, shown by `status`, and stops nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::protocol::status::DeadManView;
use crate::daemon::views::format_time;
use crate::domain::time::{Clock, Span, Time};
use crate::notify::dead_man::DeadManUrl;

/// The dead-man switch.
pub struct DeadMan {
    url: DeadManUrl,
    call_interval: Span,
    clock: Clock,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// When the last call began.
    called_at: Option<Time>,
    is_calling: bool,
    succeeded_at: Option<Time>,
    last_error: Option<String>,
}

impl DeadMan {
    /// Returns the switch with this URL.
    pub fn new(url: DeadManUrl, call_interval: Span, clock: Clock) -> Self {
        Self {
            url,
            call_interval,
            clock,
            progress: Mutex::default(),
        }
    }

    /// Calls the URL in a task of its own, unless a call is running or the last one was just now.
    pub fn spawn_call(self: &Arc<Self>) {
        if self.begin_call() {
            let this = Arc::clone(self);
            tokio::spawn(async move { this.finish_call().await });
        }
    }

    /// Calls the URL, and waits for the end of the call.
    pub async fn call(&self) {
        if self.begin_call() {
            self.finish_call().await;
        }
    }

    fn begin_call(&self) -> bool {
        let now = (self.clock)();
        let mut progress = self.lock();
        let recent = |last: Time| (Span::zero()..self.call_interval).contains(&(now - last));
        if progress.is_calling || progress.called_at.is_some_and(recent) {
            return false;
        }
        progress.called_at = Some(now);
        progress.is_calling = true;
        true
    }

    async fn finish_call(&self) {
        let result = self.url.call().await;
        let now = (self.clock)();
        let mut progress = self.lock();
        progress.is_calling = false;
        match result {
            Ok(()) => {
                if progress.last_error.take().is_some() {
                    tracing::info!("the dead-man switch is called again");
                }
                progress.succeeded_at = Some(now);
            }
            Err(error) => {
                if progress.last_error.is_none() {
                    tracing::warn!(error, "the dead-man switch could not be called");
                }
                progress.last_error = Some(error);
            }
        }
    }

    /// Returns what `status` shows.
    pub fn view(&self) -> DeadManView {
        let progress = self.lock();
        DeadManView {
            last_call_at: progress.succeeded_at.map(format_time),
            last_error: progress.last_error.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
