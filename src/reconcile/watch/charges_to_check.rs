//! The open charges that a watch checks, and the bookings that it lists for them.

use std::collections::BTreeSet;

use super::observed_bookings::ObservedBookings;
use super::{HORIZON, WatchReport, WatchScope, settle};
use crate::calcom::port::BookingFilter;
use crate::domain::gate::Policy;
use crate::domain::id::BookingUid;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::{Span, Time};
use crate::reconcile::booking_reads::MIN_BOOKINGS_TO_LIST;
use crate::reconcile::context::{PassError, Ports};

/// Open charges read from the store at once.
const CHARGES_AT_ONCE: usize = 1_000;

/// How far back an audit lists if it is not known when the last audit was.
const FIRST_AUDIT: Span = Span::days(2);

pub(super) async fn read_open_charges(ports: &Ports<'_>) -> Result<Vec<Charge>, PassError> {
    let mut charges: Vec<Charge> = Vec::new();
    loop {
        let after = charges.last().map(|charge| charge.booking.uid.clone());
        let page = ports
            .store
            .read(move |store| store.open_charges(after.as_ref(), CHARGES_AT_ONCE))
            .await
            .map_err(PassError::Store)?;
        let full = page.len() == CHARGES_AT_ONCE;
        charges.extend(page);
        if !full {
            // Held charges belong to intents, which the pass finishes.
            charges.retain(|charge| charge.state == ChargeState::Open);
            return Ok(charges);
        }
    }
}

/// Selects the open charges that a short watch checks: those whose bookings have changed, and those
/// whose time is over.
pub(super) async fn select_charges(
    ports: &Ports<'_>,
    policy: &Policy,
    open_charges: Vec<Charge>,
    changed_uids: &BTreeSet<BookingUid>,
    now: Time,
) -> Result<Vec<Charge>, PassError> {
    let (mut charges, unchanged): (Vec<Charge>, Vec<Charge>) = open_charges
        .into_iter()
        .partition(|charge| changed_uids.contains(&charge.booking.uid));
    let past_charges: Vec<Charge> = unchanged.into_iter().filter(|c| c.end <= now).collect();
    let policy = policy.clone();
    let due = ports
        .store
        .read(move |store| settle::filter_due(store, &policy, past_charges, now))
        .await
        .map_err(PassError::Store)?;
    charges.extend(due);
    Ok(charges)
}

/// Lists the past bookings in the time that the wanted charges span, if that is cheaper than
/// individual reads.
pub(super) async fn list_past_bookings(
    ports: &Ports<'_>,
    charges: &[Charge],
    now: Time,
    observed_bookings: &mut ObservedBookings,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let missing = || {
        charges
            .iter()
            .filter(|c| c.end <= now && !observed_bookings.contains(&c.booking.uid))
    };
    if missing().count() < MIN_BOOKINGS_TO_LIST {
        return Ok(());
    }
    let from = missing().map(|charge| charge.start).min().unwrap_or(now);
    let to = missing().map(|charge| charge.end).max().unwrap_or(now);
    let select = BookingFilter::Past { from, to };
    observed_bookings
        .list(ports, &select, &mut report.problems)
        .await?;
    Ok(())
}

/// Lists all bookings that stand or stood recently: for the open charges, and to find what others
/// accepted.
pub(super) async fn list_for_audit(
    ports: &Ports<'_>,
    scope: WatchScope,
    open_charges: &[Charge],
    now: Time,
    observed_bookings: &mut ObservedBookings,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let to = now + HORIZON;
    let upcoming = BookingFilter::Upcoming { from: now, to };
    observed_bookings
        .list(ports, &upcoming, &mut report.problems)
        .await?;
    let past_charges = open_charges.iter().filter(|charge| charge.end <= now);
    let oldest = past_charges.map(|charge| charge.start).min().unwrap_or(now);
    let last_audit = scope.since.unwrap_or(now).min(now - FIRST_AUDIT);
    let past = BookingFilter::Past {
        from: oldest.min(last_audit),
        to: now,
    };
    observed_bookings
        .list(ports, &past, &mut report.problems)
        .await?;
    Ok(())
}
