//! Reads from the store what is open now: decisions that are not carried out, requests that wait,
//! and bookings that need a person.

use crate::domain::decision::Decision;
use crate::domain::id::RequestId;
use crate::domain::intent::ATTENTION_FAILURES;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError};

/// The limit up to which each kind is counted, as in `status`: a higher number is shown as this
/// limit.
const MAX_COUNTED: usize = 1_000;

/// Noted requests read in one page, before they are filtered.
const PAGE: usize = 256;

/// What is open at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StoreGauges {
    /// Decisions that are recorded and not settled.
    pub(super) open_intents: usize,
    /// Open intents with a failed call.
    pub(super) failing_intents: usize,
    /// Open intents that failed so often that a person should look.
    pub(super) stuck_intents: usize,
    /// When the oldest open intent was decided.
    pub(super) oldest_intent: Option<Time>,
    /// Requests that wait for credit or for an instant.
    pub(super) waiting: usize,
    /// Requests that wait for an operator.
    pub(super) in_review: usize,
    /// When the oldest request that waits, for whatever, was made.
    pub(super) oldest_request: Option<Time>,
    /// When the oldest request that waits for an operator was made.
    pub(super) oldest_review: Option<Time>,
    /// Items of the unresolved list.
    pub(super) unresolved: usize,
}

impl StoreGauges {
    /// Reads what is open at `now`.
    ///
    /// # Errors
    /// Fails when the store cannot be read.
    pub(super) fn read(store: &dyn Store, now: Time) -> Result<Self, StoreError> {
        let intents = store.open_intents(None, MAX_COUNTED)?;
        let with_failures = |least: u32| {
            let failing = intents.iter().filter(|request| request.failures >= least);
            failing.count()
        };
        let mut gauges = Self {
            open_intents: intents.len(),
            failing_intents: with_failures(1),
            stuck_intents: with_failures(ATTENTION_FAILURES),
            oldest_intent: intents.first().map(|request| request.decided_at),
            unresolved: store.unresolved_items(None, MAX_COUNTED)?.len(),
            ..Self::default()
        };
        gauges.add_noted_requests(store, now)?;
        Ok(gauges)
    }

    /// Adds the requests whose bookings have not begun: later nothing can be decided any more.
    fn add_noted_requests(&mut self, store: &dyn Store, now: Time) -> Result<(), StoreError> {
        // Sorts after every other id.
        let last_id = RequestId::parse("~").expect("it is a name");
        let mut after = (now, last_id);
        while self.waiting + self.in_review < MAX_COUNTED {
            let page = store.open_notes(Some(&after), PAGE)?;
            let Some(last) = page.last() else { break };
            after = (last.end, last.id.clone());
            for request in page.iter().filter(|request| request.start > now) {
                self.add_noted_request(request);
            }
        }
        Ok(())
    }

    fn add_noted_request(&mut self, request: &Request) {
        let earliest = |oldest: Option<Time>| {
            let made = request.created_at;
            Some(oldest.map_or(made, |oldest| oldest.min(made)))
        };
        match request.decision {
            Decision::Wait { .. } => self.waiting += 1,
            Decision::Review => {
                self.in_review += 1;
                self.oldest_review = earliest(self.oldest_review);
            }
            // Not for maitred to answer, or carried out through an intent.
            Decision::Leave | Decision::Confirm | Decision::Decline => return,
        }
        self.oldest_request = earliest(self.oldest_request);
    }
}
