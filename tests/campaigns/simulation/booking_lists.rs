//! What a list shows: the selected rows as the connection shows them at that moment, which may be
//! old, out of order, or incomplete.

use std::sync::atomic::Ordering;

use maitred::calcom::port::{BookingFilter, BookingPage};
use maitred::domain::booking::BookingStatus;
use maitred::domain::time::Time;

use super::model_calcom::{ModelBooking, ModelCalcom};
use super::model_connection::SimState;

/// Pages of a v1 list by modification time.
const LEGACY_PAGES: u32 = 4;

/// Rows of a v1 page, whatever the page size of other lists.
const LEGACY_PAGE: usize = 128;

/// Returns one page of the selected rows, as the connection shows them at that moment.
pub fn list_page(
    sim: &mut SimState,
    select: &BookingFilter,
    number: u32,
    now: Time,
) -> BookingPage {
    let pending = *select == BookingFilter::Pending;
    let may_be_stale = !pending || !sim.has_listed;
    let stale = may_be_stale && sim.rng.chance(sim.fault_rate * 2);
    let rows: &[ModelBooking] = if stale {
        sim.coverage.count(if pending {
            "list: stale"
        } else {
            "list of the watch: stale"
        });
        sim.stale.store(true, Ordering::Relaxed);
        &sim.calcom.earlier_rows
    } else {
        &sim.calcom.rows
    };
    let wanted = |row: &&ModelBooking| is_selected(&sim.calcom, select, row, now);
    let mut rows: Vec<ModelBooking> = rows.iter().filter(wanted).cloned().collect();
    match select {
        BookingFilter::UpdatedSince(_) => {
            rows.sort_by(|a, b| (b.updated, &b.uid).cmp(&(a.updated, &a.uid)));
        }
        BookingFilter::Pending
        | BookingFilter::Upcoming { .. }
        | BookingFilter::Past { .. }
        | BookingFilter::CreatedSince(_) => {
            rows.sort_by(|a, b| (a.created, &a.uid).cmp(&(b.created, &b.uid)));
        }
    }
    if pending {
        sim.has_listed = true;
    }
    if rows.len() > 1 && sim.rng.chance(sim.fault_rate * 2) {
        sim.coverage.count("list: shuffled");
        for n in (1..rows.len()).rev() {
            rows.swap(n, sim.rng.index(n + 1));
        }
    }
    if !rows.is_empty() && sim.rng.chance(sim.fault_rate) {
        let n = sim.rng.index(rows.len());
        // v1 shows the link between a booking and its successor only in the successor's row:
        // without that row a move looks like a cancellation, and no client can tell the difference.
        if !(sim.calcom.legacy && rows[n].predecessor.is_some()) {
            sim.coverage.count("list: row missing");
            sim.stale.store(true, Ordering::Relaxed);
            rows.remove(n);
        }
    }
    let size = if sim.calcom.legacy {
        LEGACY_PAGE
    } else {
        sim.page_size
    };
    let last = match select {
        BookingFilter::UpdatedSince(_) if sim.calcom.legacy => LEGACY_PAGES,
        _ => u32::MAX,
    };
    let from = (number as usize * size).min(rows.len());
    let to = (from + size).min(rows.len());
    let page_rows = || rows[from..to].iter();
    BookingPage {
        bookings: page_rows()
            .filter(|row| !row.unreadable)
            .map(|row| sim.calcom.booking(row))
            .collect(),
        unreadable: page_rows()
            .filter(|row| row.unreadable)
            .map(|row| format!("data: {} has an odd shape", row.uid))
            .collect(),
        next: (to < rows.len() && number + 1 < last).then_some(number + 1),
        server_time: sim.behaviours.clock_skew.then_some(now),
    }
}

/// Selects rows as described in `calcom/api.md` 2.2.
fn is_selected(
    calcom: &ModelCalcom,
    select: &BookingFilter,
    row: &ModelBooking,
    now: Time,
) -> bool {
    let touches = |from: &Time, to: &Time| row.end >= *from && row.start <= *to;
    let stands = !matches!(
        row.status,
        BookingStatus::Cancelled | BookingStatus::Rejected
    );
    match select {
        BookingFilter::Pending => {
            matches!(row.status, BookingStatus::Pending | BookingStatus::Other(_)) && row.end >= now
        }
        BookingFilter::Upcoming { from, to } => {
            let is_shown =
                stands && (row.series.is_none() || row.status == BookingStatus::Accepted);
            (is_shown || calcom.legacy) && touches(from, to) && row.end >= now
        }
        BookingFilter::Past { from, to } => {
            (stands || calcom.legacy) && touches(from, to) && row.end <= now
        }
        BookingFilter::UpdatedSince(since) => {
            calcom.legacy || row.updated.is_some_and(|updated| updated >= *since)
        }
        BookingFilter::CreatedSince(since) => row.created >= *since,
    }
}
