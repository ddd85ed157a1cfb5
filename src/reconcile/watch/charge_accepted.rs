//! Charges a booking that was accepted without a charge: the credits that are available, never more.

use std::collections::BTreeMap;

use super::WatchReport;
use super::request_ids::find_unused_id;
use crate::domain::account::{Account, SpendPreview};
use crate::domain::booking::Booking;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::decision::{Credits, ReasonCode};
use crate::domain::fact::Fact;
use crate::domain::gate::{Gate, Policy, PriceInput};
use crate::domain::id::AccountId;
use crate::domain::messages;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::domain::watch::ChargeOutcome;
use crate::domain::watch::accepted_bookings::UnpaidCause;
use crate::domain::watch::unmanaged_bookings::{settled_charge_facts_for, take_credits};
use crate::reconcile::context::{PassError, Ports};
use crate::store::port::{Store, StoreError};

/// The result of charging a booking that others accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChargeResult {
    /// The available credits were charged, and so many are missing.
    Charged {
        /// The credits that the account could not pay.
        missing: Credits,
    },
    /// There is no account, so nothing was charged.
    NoAccount,
    /// What the booking costs could not be determined, so nothing was charged.
    PriceUnknown(String),
}

/// Charges the credits that are available.
pub(super) async fn charge_available(
    ports: &Ports<'_>,
    policy: &Policy,
    (booking, gate): (&Booking, &Gate),
    record: Option<&Request>,
    cause: UnpaidCause,
    report: &mut WatchReport,
) -> Result<ChargeResult, PassError> {
    let (now, booking_copy, gate) = ((ports.clock)(), booking.clone(), gate.clone());
    let (global_policy, hash) = (policy.global.clone(), policy.hash.clone());
    let record = record.cloned();
    let charge_result = ports.store.transaction(now, move |store| {
        charge_account(
            store,
            &booking_copy,
            (&gate, &global_policy),
            record.as_ref(),
            cause,
            (now, &hash),
        )
    });
    let (account, credits, missing) = match charge_result.await? {
        AccountCharge::Charged {
            account,
            credits,
            missing,
        } => (account, credits, missing),
        AccountCharge::NoAccount => return Ok(ChargeResult::NoAccount),
        AccountCharge::PriceUnknown(why) => return Ok(ChargeResult::PriceUnknown(why)),
    };
    let text = format!(
        "accepted {}: {} charged",
        describe_cause(cause),
        messages::format_credits(credits)
    );
    report.record_booking(booking, ChargeOutcome::Charged, text);
    tracing::debug!(account = %account, missing, "charged what others accepted");
    Ok(ChargeResult::Charged { missing })
}

/// What charging an account comes to.
enum AccountCharge {
    Charged {
        account: AccountId,
        credits: Credits,
        missing: Credits,
    },
    NoAccount,
    PriceUnknown(String),
}

/// Returns the facts that charge the available credits, never more. A watch asks no other systems,
/// so a price that depends on one is not known here.
fn charge_account(
    store: &dyn Store,
    booking: &Booking,
    (gate, global_policy): (&Gate, &GlobalPolicy),
    record: Option<&Request>,
    cause: UnpaidCause,
    (now, policy): (Time, &str),
) -> Result<(Vec<Fact>, AccountCharge), PassError> {
    let account = find_account(store, global_policy, booking).map_err(PassError::Store)?;
    let id = find_unused_id(store, &booking.uid).map_err(PassError::Store)?;
    let (Some(account), Some(id)) = (account, id) else {
        return Ok((Vec::new(), AccountCharge::NoAccount));
    };
    let price = gate.price(&PriceInput {
        global: global_policy,
        booking,
        account: Some(&account),
        occurrences: 1,
        lookups: &BTreeMap::new(),
        event_type: None,
    });
    let cost = match price {
        Ok(cost) => cost,
        Err(failure) => return Ok((Vec::new(), AccountCharge::PriceUnknown(failure.text))),
    };
    let purpose = global_policy
        .spending
        .purpose(now, Some(&gate.name), booking.start);
    let credits = cost.min(SpendPreview::new(&account).available(&purpose));
    let (parts, mut facts) =
        take_credits(&account, credits, &purpose).expect("no more than is available");
    let (code, why) = match cause {
        UnpaidCause::PredecessorClosed | UnpaidCause::SecondSuccessor => (
            ReasonCode::AcceptedMove,
            "accepted at once after a move, charged as it would have been",
        ),
        UnpaidCause::AcceptedByOthers
        | UnpaidCause::AcceptedAgain
        | UnpaidCause::JoinedSeries
        | UnpaidCause::Unclear => (
            ReasonCode::Unmanaged,
            "accepted by others, charged as it would have been",
        ),
    };
    facts.extend(settled_charge_facts_for(
        id,
        booking,
        gate,
        cost,
        (&account, parts),
        (code, why),
        record,
        (now, policy),
    ));
    let charged = AccountCharge::Charged {
        account: account.id,
        credits,
        missing: cost - credits,
    };
    Ok((facts, charged))
}

fn find_account(
    store: &dyn Store,
    global_policy: &GlobalPolicy,
    booking: &Booking,
) -> Result<Option<Account>, StoreError> {
    let Some(booker) = &booking.booker else {
        return Ok(None);
    };
    match store.resolve(&global_policy.address_of(&booker.address))? {
        Some(id) => store.account(&id),
        None => Ok(None),
    }
}

fn describe_cause(cause: UnpaidCause) -> &'static str {
    match cause {
        UnpaidCause::AcceptedByOthers | UnpaidCause::AcceptedAgain | UnpaidCause::Unclear => {
            "by others"
        }
        UnpaidCause::JoinedSeries => "with its series",
        UnpaidCause::PredecessorClosed | UnpaidCause::SecondSuccessor => "after a move",
    }
}
