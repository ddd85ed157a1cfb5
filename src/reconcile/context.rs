//! The inputs of a pass (the ports, the clock and the stop signal), and the reasons why a pass can
//! fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::calcom::port::{Calendar, CallError, CurrentUser};
use crate::domain::booking::EventType;
use crate::domain::dialect::API_KEY_PAGE;
use crate::domain::id::{BookingUid, EventTypeId, RequestId};
use crate::domain::ledger_state::Identity;
use crate::domain::time::{Clock, Time, format_instant};
use crate::lookup::client::LookupClient;
use crate::reconcile::allowance_scan::AllowanceScan;
use crate::reconcile::pin::cache::PinCache;
use crate::reconcile::replacement::Replacement;
use crate::source::client::SourceClient;
use crate::store::port::{CommitError, StoreError};
use crate::store::store_thread::StoreHandle;

/// The outside world of a pass.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The bookings at Cal.com.
    pub calendar: &'a dyn Calendar,
    /// The store, which has a thread of its own.
    pub store: &'a StoreHandle,
    /// The client for the lookups that rules need from other systems.
    pub lookups: &'a LookupClient,
    /// The client for the sources that decide who is a member.
    pub sources: &'a SourceClient,
    /// The local clock.
    pub clock: &'a Clock,
    /// Set when the pass must end early.
    pub stop: &'a StopSignal,
}

/// A signal to stop, which is set once, from anywhere: the current step is finished and settled,
/// and no new step starts.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<(AtomicBool, Notify)>);

impl StopSignal {
    /// Sets the signal, and wakes every task that waits for it.
    pub fn set(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Returns true once the signal is set.
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until the signal is set. Waiting for the calls instead could take long, because a
    /// server may delay each of many calls to just below its time limit.
    pub async fn stopped(&self) {
        // Created before the flag is read, so that a signal that is set in between is not missed.
        let notified = self.0.1.notified();
        if !self.is_set() {
            notified.await;
        }
    }
}

/// Data that is kept from pass to pass; a restart only costs calls to read the data again.
#[derive(Debug, Default)]
pub struct Session {
    pub(super) me: Option<CurrentUser>,
    pub(super) event_types: BTreeMap<EventTypeId, Option<EventType>>,
    /// When the event types were last read.
    pub(super) event_types_read_at: Option<Time>,
    /// What each booking replaced, and how; that never changes.
    pub(super) replacements: BTreeMap<BookingUid, Replacement>,
    /// Predecessors that were already searched for in the listings.
    pub(super) searched_predecessors: BTreeSet<BookingUid>,
    /// The results of PINs that were verified.
    pub(super) pins: PinCache,
    /// The waiting request whose lookups were sent last. If there are too many requests to ask
    /// about all of them, the next pass continues after this one.
    pub(super) last_lookup_request: Option<(Time, RequestId)>,
    /// The waiting request whose booker the sources were asked about last.
    pub(super) last_source_request: Option<(Time, RequestId)>,
    /// When the bookings of open intents were last read.
    pub(super) intents_read_at: BTreeMap<RequestId, Time>,
    /// Requests that the last plan left alone without a note. They are kept so that they do not
    /// count as new.
    pub(super) skipped_requests: BTreeSet<RequestId>,
    /// What is known about the allowances of the accounts.
    pub allowances: AllowanceScan,
}

impl Session {
    /// Returns a new session that knows what is known about the allowances.
    pub fn with_allowances(allowances: AllowanceScan) -> Self {
        Self {
            allowances,
            ..Self::default()
        }
    }
}

/// The reason why a pass did not finish.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// Cal.com refuses the credential: nothing can work before the operator acts.
    #[error(
        "Cal.com refuses the API key: {0}; create a new one under {API_KEY_PAGE} and put it where \
         `maitred check` says"
    )]
    Credential(String),
    /// Cal.com's rate limit is used up; no call may be sent before the instant.
    #[error("Cal.com's rate limit is used up until {}", format_instant(*until))]
    Limited {
        /// When calls may be sent again.
        until: Time,
    },
    /// Cal.com answered in an unknown shape; the payload says where and how.
    #[error(
        "Cal.com answers in another shape than expected: {0}; see calcom.base-url and calcom.dialect"
    )]
    Contract(String),
    /// The ledger belongs to the first account, and the key opens the second.
    #[error(
        "the ledger belongs to {}, and the key and calcom.base-url lead to {}: nothing is read or \
         sent for it. Correct store.path, calcom.base-url or the key; or, when this is the same \
         calendar at a new place, run `maitred ledger move --server {} --account {} --dialect {} \
         --reason TEXT`",
        .0.0, .0.1, .0.1.server, .0.1.user, .0.1.dialect
    )]
    ForeignLedger(Box<(Identity, Identity)>),
    /// Another call failed that the pass cannot do without.
    #[error("{0}")]
    Calendar(CallError),
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[source] CommitError),
}

impl From<StoreError> for PassError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CommitError> for PassError {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl From<CallError> for PassError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Credential(text) => Self::Credential(text),
            CallError::RateLimited { until } => Self::Limited { until },
            CallError::Contract(text) => Self::Contract(text),
            CallError::NotPermitted(_)
            | CallError::TooLate
            | CallError::Unreachable(_)
            | CallError::Unknown(_)
            | CallError::Failed(_)
            | CallError::TooLarge { .. }
            | CallError::Refused(_) => Self::Calendar(error),
        }
    }
}
