//! What a pass is given: the two ports, the clock, and the word to stop. And why it can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::calcom::port::{Calendar, CallError, CurrentUser};
use crate::domain::booking::EventType;
use crate::domain::id::{BookingUid, EventTypeId, RequestId};
use crate::domain::ledger_state::Identity;
use crate::domain::time::{Clock, Time, format_instant};
use crate::lookup::client::LookupClient;
use crate::reconcile::pin::PinCache;
use crate::reconcile::predecessor::Replacement;
use crate::store::port::{CommitError, StoreError};
use crate::store::store_thread::StoreHandle;

/// The outside world of a pass.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    pub calendar: &'a dyn Calendar,
    pub store: &'a StoreHandle,
    /// Where rules' questions to other systems are asked.
    pub lookups: &'a LookupClient,
    pub clock: &'a Clock,
    pub stop: &'a StopSignal,
}

/// Set once, from anywhere: the step in hand is finished and settled, nothing new is begun.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<(AtomicBool, Notify)>);

impl StopSignal {
    pub fn set(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits for the word: a server may keep each of many calls just below its time limit.
    pub async fn stopped(&self) {
        // Made before it is looked, so that a word said in between is heard.
        let notified = self.0.1.notified();
        if !self.is_set() {
            notified.await;
        }
    }
}

/// What is remembered from pass to pass; all of it can be asked again.
#[derive(Debug, Default)]
pub struct Session {
    pub(super) me: Option<CurrentUser>,
    pub(super) event_types: BTreeMap<EventTypeId, Option<EventType>>,
    /// When the event types were asked for.
    pub(super) event_types_read_at: Option<Time>,
    /// What a booking replaced, and how; that never changes.
    pub(super) replacements: BTreeMap<BookingUid, Replacement>,
    /// Predecessors that listings were read for.
    pub(super) searched_predecessors: BTreeSet<BookingUid>,
    /// PINs that were looked at.
    pub(super) pins: PinCache,
    /// The request that waits and was asked about last, when there were too many to ask about all.
    pub(super) last_lookup_request: Option<(Time, RequestId)>,
    /// When the bookings of open intents were last read.
    pub(super) intents_read_at: BTreeMap<RequestId, Time>,
    /// Requests that the last plan left alone without a note, so that they are not taken for new.
    pub(super) skipped_requests: BTreeSet<RequestId>,
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The credential is refused: nothing can work before the operator acts.
    #[error(
        "Cal.com refuses the API key: {0}; create a new one under Settings > Developer > API keys \
         and put it where `maitred check` says"
    )]
    Credential(String),
    #[error("Cal.com's rate limit is used up until {}", format_instant(*until))]
    Limited { until: Time },
    #[error(
        "Cal.com answers in another shape than expected: {0}; see calcom.base-url and calcom.dialect"
    )]
    Contract(String),
    /// The ledger belongs to another account, and the key opens this one.
    #[error(
        "the ledger belongs to {}, and the key and calcom.base-url lead to {}: nothing is read or \
         sent for it. Correct store.path, calcom.base-url or the key; or, when this is the same \
         calendar at a new place, run `maitred ledger move --server {} --account {} --dialect {} \
         --reason TEXT`",
        .0.0, .0.1, .0.1.server, .0.1.user, .0.1.dialect
    )]
    ForeignLedger(Box<(Identity, Identity)>),
    #[error("{0}")]
    Calendar(CallError),
    #[error("the store cannot be read: {0}")]
    Store(StoreError),
    #[error("the store cannot be written")]
    Commit(#[source] CommitError),
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
