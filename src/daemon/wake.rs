//! Everything that moves the daemon's loop. One closed enum: other tasks only send.

use crate::control::server::Asked;
use crate::reconcile::ports::{PassError, Session};
use crate::reconcile::report::Report;
use crate::reconcile::watch::Watched;

/// Wakes that may wait for the loop; senders beyond wait their turn.
pub const QUEUE: usize = 64;

#[derive(Debug)]
pub enum Wake {
    /// A second has passed: something may be due.
    Tick,
    /// Look now: something was said that a pass acts on.
    Look,
    /// An operator asks.
    Asked(Asked),
    /// The pass under way came to its end.
    PassEnded {
        session: Session,
        /// What was done, and why it did not come to its end.
        report: Box<Report>,
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
        watched: Box<Watched>,
        stopped: Option<PassError>,
    },
    /// Read the configuration anew.
    Reload,
    /// Finish the step in hand, settle, and end. Twice: end now.
    Shutdown { signal: &'static str },
}
