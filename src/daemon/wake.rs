//! Everything that moves the daemon's loop. One closed enum: other tasks only send.

use crate::control::server::ReceivedCommand;
use crate::reconcile::context::{PassError, Session};
use crate::reconcile::report::PassReport;
use crate::reconcile::watch::WatchReport;

/// Wakes that may wait for the loop; senders beyond wait their turn.
pub const WAKE_QUEUE_LENGTH: usize = 64;

#[derive(Debug)]
pub enum Wake {
    /// A second has passed: something may be due.
    Tick,
    /// Look now: something was said that a pass acts on.
    RunPass,
    /// An operator asks.
    Command(ReceivedCommand),
    /// The pass under way came to its end.
    PassEnded {
        session: Session,
        /// What was done, and why it did not come to its end.
        report: Box<PassReport>,
        stopped: Option<PassError>,
    },
    /// The pass or watch under way panicked: a defect, and what it knew is lost. The log has what was begun.
    PassPanicked,
    /// The watch under way came to its end.
    WatchEnded {
        /// It only said what a watch would do.
        preview: bool,
        session: Session,
        /// What was done, and why it did not come to its end.
        watch_report: Box<WatchReport>,
        stopped: Option<PassError>,
    },
    /// Read the configuration anew.
    Reload,
    /// Finish the step in hand, settle, and end. Twice: end now.
    Shutdown { signal: &'static str },
}
