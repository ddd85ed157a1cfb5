//! What a store does before it writes a commit, and not when it reads one: it compares the records
//! with what the caller expects, refuses to end a charge that an intent takes over, decides where
//! credits go that come back to expired lots, and checks that the facts can be read back.

use super::codec::fact;
use super::port::{CommitError, StoreError};
use super::queries;
use super::record_source::RecordSource;
use super::store_error::to_store_error;
use crate::domain::expected::Expected;
use crate::domain::fact::{Fact, MAX_FACTS};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{BookingUid, Reference};
use crate::domain::ledger::{self, ApplyError};
use crate::domain::refund_lots::{self, RefundSources};
use crate::domain::request::Charge;
use crate::domain::time::Time;

/// Checks that the records are still as the caller saw them. `head` is the number of the last
/// commit.
///
/// # Errors
/// Returns a conflict that names the first record that has changed, or the error of a read.
pub(super) fn check_expected<B: RecordSource>(
    source: &B,
    head: u64,
    expected: &[Expected],
) -> Result<(), CommitError> {
    for expectation in expected {
        if !holds(source, head, expectation).map_err(CommitError::Failed)? {
            return Err(CommitError::Conflict(expectation.clone()));
        }
    }
    Ok(())
}

fn holds<B: RecordSource>(
    source: &B,
    head: u64,
    expectation: &Expected,
) -> Result<bool, StoreError> {
    Ok(match expectation {
        Expected::Account { id, version } => {
            let account = source.account(id)?;
            account.map(|versioned| versioned.record.version) == *version
        }
        Expected::Request { id, version } => {
            let request = source.request(id)?;
            request.and_then(|versioned| versioned.version()) == *version
        }
        Expected::Charge { booking, version } => {
            let charge = source.charge(booking)?;
            charge.and_then(|versioned| versioned.version()) == *version
        }
        Expected::Alias { address, account } => queries::resolve(source, address)? == *account,
        Expected::Head { seq } => *seq == head,
    })
}

/// Returns the facts in their written form, and as they will be read back.
///
/// # Errors
/// When there are too many facts, or one cannot be read back: such a fact would be in the log
/// forever.
pub(super) fn check_facts(facts: &[Fact]) -> Result<(Vec<u8>, Vec<Fact>), CommitError> {
    if facts.len() > MAX_FACTS {
        let text = format!(
            "make a commit of {} facts: one commit has at most {MAX_FACTS}; split it",
            facts.len()
        );
        return Err(CommitError::Failed(StoreError { text, source: None }));
    }
    let text = fact::write(facts);
    let read_back = text.and_then(|text| fact::read(&text).map(|facts| (text, facts)));
    read_back.map_err(|error| CommitError::Failed(to_store_error(&error)))
}

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
    ledger::refuse_ending_taken_over_charges(&facts, &RefundSourceAdapter(source))
        .map_err(to_commit_error)?;
    refund_lots::restore_expired(&mut facts, at, None, &RefundSourceAdapter(source))
        .map_err(CommitError::Failed)?;
    Ok(facts)
}

/// Returns the error of a commit whose facts could not be applied.
pub(super) fn to_commit_error(error: ApplyError<StoreError>) -> CommitError {
    match error {
        ApplyError::Violation(violation) => CommitError::Violation(violation),
        ApplyError::Read(error) => CommitError::Failed(error),
    }
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
