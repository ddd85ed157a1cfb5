//! What a store does before it writes a commit, and not when it reads one: it refuses to end a
//! charge that an intent takes over, and decides where credits go that come back to expired lots.

use super::port::{CommitError, StoreError};
use super::write_set::RecordSource;
use crate::domain::fact::Fact;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{BookingUid, Reference};
use crate::domain::ledger::{self, ApplyError};
use crate::domain::refund::{self, RefundSources};
use crate::domain::request::Charge;
use crate::domain::time::Time;

/// Returns the facts as they are to be written at `at`.
///
/// # Errors
/// When the facts end a charge that an open intent takes over, or a record cannot be read. Nothing
/// was written.
pub(super) fn prepare_facts<B: RecordSource>(
    source: &B,
    at: Time,
    mut facts: Vec<Fact>,
) -> Result<Vec<Fact>, CommitError> {
    ledger::refuse_ending_taken_over_charges(&facts, &RefundSourceAdapter(source)).map_err(
        |error| match error {
            ApplyError::Violation(violation) => CommitError::Violation(violation),
            ApplyError::Read(error) => CommitError::Failed(error),
        },
    )?;
    refund::restore_expired(&mut facts, at, None, &RefundSourceAdapter(source))
        .map_err(CommitError::Failed)?;
    Ok(facts)
}

struct RefundSourceAdapter<'a, B>(&'a B);

impl<B: RecordSource> RefundSources for RefundSourceAdapter<'_, B> {
    type Error = StoreError;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(self.0.charge(booking)?.map(|versioned| versioned.record))
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.0.grant_record(reference)
    }
}
