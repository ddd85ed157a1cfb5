//! Everything that drives the daemon's loop, as one closed enum: other tasks only send wakes.

use super::timetable::ScheduledJob;
use crate::control::server::ReceivedCommand;
use crate::domain::time::Span;
use crate::reconcile::context::{PassError, Session};
use crate::reconcile::report::PassReport;
use crate::reconcile::watch::WatchReport;

/// How many wakes may be queued for the loop; further senders wait.
pub const WAKE_QUEUE_LENGTH: usize = 64;

#[derive(Debug)]
pub enum Wake {
    /// A job of the scheduler came: something may be due.
    Due(ScheduledJob),
    /// The wall clock was set back: what waits for the old time would come far too late.
    ClockSetBack { by: Span },
    /// Run a pass now: something was recorded that a pass acts on.
    RunPass,
    /// A client sent a command.
    Command(ReceivedCommand),
    /// The current pass ended.
    PassEnded {
        session: Session,
        /// What the pass did, and why it stopped before its end.
        report: Box<PassReport>,
        stopped: Option<PassError>,
    },
    /// The current pass or watch panicked. That is a defect, and its state is lost; the log has
    /// what was begun.
    PassPanicked,
    /// The current watch ended.
    WatchEnded {
        /// Whether the watch only reported what it would do.
        preview: bool,
        session: Session,
        /// What the watch did, and why it stopped before its end.
        watch_report: Box<WatchReport>,
        stopped: Option<PassError>,
    },
    /// Read the configuration again.
    Reload,
    /// Finish the current step, settle it, and end. A second signal ends the daemon immediately.
    Shutdown { signal: &'static str },
}
