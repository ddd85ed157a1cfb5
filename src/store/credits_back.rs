//! What every store looks at before it writes a commit, and not when it reads one: that no charge ends
//! which an intent takes over, and where credits go that come back to expired lots.

use super::overlay::Base;
use super::port::{CommitError, StoreError};
use crate::domain::fact::Fact;
use crate::domain::id::{BookingUid, Reference};
use crate::domain::ledger::{self, ApplyError, Given};
use crate::domain::refund::{self, Lookup};
use crate::domain::request::Charge;
use crate::domain::time::Time;

/// The facts as they are to be written at `at`.
///
/// # Errors
/// When a record cannot be read; nothing was written.
pub(super) fn filled_in<B: Base>(
    base: &B,
    at: Time,
    mut facts: Vec<Fact>,
) -> Result<Vec<Fact>, CommitError> {
    ledger::guard(&facts, &Records(base)).map_err(|error| match error {
        ApplyError::Violation(violation) => CommitError::Violation(violation),
        ApplyError::Read(error) => CommitError::Failed(error),
    })?;
    refund::restore_expired(&mut facts, at, None, &Records(base)).map_err(CommitError::Failed)?;
    Ok(facts)
}

struct Records<'a, B>(&'a B);

impl<B: Base> Lookup for Records<'_, B> {
    type Error = StoreError;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(self.0.charge(booking)?.map(|kept| kept.record))
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        self.0.given(reference)
    }
}
