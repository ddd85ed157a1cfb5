//! What the store knows that a refund depends on: the lots that expired, and the absences that were
//! forgiven.

use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{BookingUid, Reference};
use crate::domain::refund_lots::{self, RefundSources};
use crate::domain::refund_policy::RefundTerms;
use crate::domain::request::Charge;
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::watch::ChargeDecision;
use crate::store::port::{HistorySubject, Store, StoreError};

/// The maximum number of entries of an account that are searched for forgiven absences.
const MAX_HISTORY: usize = 10_000;

/// Fills in where credits go that come back to expired lots, by the terms that apply. The store
/// does the same for charges that have terms of their own.
pub(super) fn restore_expired_in_decision(
    store: &dyn Store,
    decision: ChargeDecision,
    terms: &RefundTerms,
    now: Time,
) -> Result<ChargeDecision, StoreError> {
    match decision {
        ChargeDecision::Write {
            mut facts,
            outcome: what,
            text,
            problem,
        } => {
            restore_expired(store, &mut facts, terms, now)?;
            Ok(ChargeDecision::Write {
                facts,
                outcome: what,
                text,
                problem,
            })
        }
        open @ ChargeDecision::Open { .. } => Ok(open),
    }
}

/// Fills in where credits go that come back to expired lots.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub fn restore_expired(
    store: &dyn Store,
    facts: &mut [Fact],
    terms: &RefundTerms,
    now: Time,
) -> Result<(), StoreError> {
    let expired_refund = Some(terms.expired_refund);
    refund_lots::restore_expired(
        facts,
        truncate_to_millis(now),
        expired_refund,
        &StoreRefundSources(store),
    )
}

/// The store as the source of the records that a refund needs.
struct StoreRefundSources<'a>(&'a dyn Store);

impl RefundSources for StoreRefundSources<'_> {
    type Error = StoreError;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        self.0.charge(booking)
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.0.grant_record(reference)
    }
}

/// Counts the absences of the account that were forgiven within the time that counts. Reads them
/// only for bookings that are over.
pub(super) fn count_forgiven(
    store: &dyn Store,
    charge: &Charge,
    terms: &RefundTerms,
    now: Time,
) -> Result<u32, StoreError> {
    let Some(forgive) = terms.forgiveness else {
        return Ok(0);
    };
    if now < charge.end {
        return Ok(0);
    }
    let subject = HistorySubject::Account(charge.account.clone());
    let history = store.history(&subject, None, MAX_HISTORY)?;
    let recent = history
        .iter()
        .take_while(|written| written.at > now - forgive.per)
        .filter(|written| match &written.fact {
            Fact::Charge(ChargeFact::Refund { reason, .. }) => reason.forgives_absence(),
            _ => false,
        });
    Ok(u32::try_from(recent.count()).unwrap_or(u32::MAX))
}
