//! Everything that drives the daemon's loop, as one closed enum: other tasks only send wakes.

use tokio::sync::oneshot;

use super::care::CareState;
use super::timetable::ScheduledJob;
use crate::control::protocol::members::MembersSyncView;
use crate::control::protocol::{Refusal, SocketResponse};
use crate::control::server::ReceivedCommand;
use crate::domain::pause::Pauses;
use crate::domain::time::{Span, Time};
use crate::reconcile::context::{PassError, Session};
use crate::reconcile::report::PassReport;
use crate::reconcile::watch::WatchReport;

/// How many wakes may be queued for the loop; further senders wait.
pub const WAKE_QUEUE_LENGTH: usize = 64;

/// What the loop of the daemon reacts to.
#[derive(Debug)]
pub enum Wake {
    /// A job of the scheduler came: something may be due.
    Due(ScheduledJob),
    /// The wall clock was set back: what waits for the old time would come far too late.
    ClockSetBack {
        /// How far the clock was set back.
        by: Span,
    },
    /// Run a pass now: something was recorded that a pass acts on.
    RunPass,
    /// A client sent a command.
    Command(ReceivedCommand),
    /// The current pass ended.
    PassEnded {
        /// What the next pass may use again.
        session: Session,
        /// What the pass did.
        report: Box<PassReport>,
        /// Why the pass stopped before its end; `None` when it reached its end.
        stopped: Option<PassError>,
    },
    /// The current pass or watch panicked. That is a defect, and its state is lost; the log has
    /// what was begun.
    PassPanicked,
    /// The current watch ended.
    WatchEnded {
        /// Whether the watch only reported what it would do.
        preview: bool,
        /// What the next pass may use again.
        session: Session,
        /// What the watch did.
        watch_report: Box<WatchReport>,
        /// Why the watch stopped before its end; `None` when it reached its end.
        stopped: Option<PassError>,
    },
    /// A backup or the removal of old personal data may be due.
    CareDue,
    /// The backup that the daemon made by itself ended.
    BackupEnded {
        /// What is known of backups now.
        state: Box<CareState>,
    },
    /// The rewrite of the log ended.
    RewriteEnded {
        /// What the next pass may use again.
        session: Session,
        /// Whether old personal data was searched for completely, and not a person erased.
        searched: bool,
    },
    /// The scheduled sync ended.
    SyncEnded {
        /// When the sync began.
        started: Time,
        /// What the sync changed, or why it failed.
        result: Result<MembersSyncView, Refusal>,
    },
    /// Read the configuration again.
    Reload,
    /// An operator's command changed the pauses in the ledger.
    PausesChanged {
        /// The pauses from now on.
        pauses: Pauses,
        /// The channel for the answer to the command.
        answer: oneshot::Sender<SocketResponse>,
    },
    /// Finish the current step, settle it, and end. A second signal ends the daemon immediately.
    Shutdown {
        /// The name of the signal.
        signal: &'static str,
    },
}
