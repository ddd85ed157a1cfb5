//! What a listing shows: the rows that were asked for as the line of the moment has them, which may
//! be old, out of order, or without one of them.

use std::sync::atomic::Ordering;

use maitred::calcom::port::{Page, Select};
use maitred::domain::booking::Status;
use maitred::domain::time::Time;

use super::calendar::Sim;
use super::town::{Row, Town};

/// Pages of a listing by the time of writing that v1 gives.
const LEGACY_PAGES: u32 = 4;

/// Rows of a page of v1, whatever the others are.
const LEGACY_PAGE: usize = 128;

/// One page of what a listing selects, as the line of the moment shows it.
pub fn page(sim: &mut Sim, select: &Select, number: u32, now: Time) -> Page {
    let pending = *select == Select::Pending;
    let may_be_stale = !pending || !sim.listed;
    let stale = may_be_stale && sim.rng.chance(sim.trouble * 2);
    let rows: &[Row] = if stale {
        sim.tally.add(if pending {
            "list: stale"
        } else {
            "list of the watch: stale"
        });
        sim.stale.store(true, Ordering::Relaxed);
        &sim.town.before
    } else {
        &sim.town.rows
    };
    let wanted = |row: &&Row| selects(&sim.town, select, row, now);
    let mut rows: Vec<Row> = rows.iter().filter(wanted).cloned().collect();
    match select {
        Select::UpdatedSince(_) => {
            rows.sort_by(|a, b| (b.updated, &b.uid).cmp(&(a.updated, &a.uid)));
        }
        Select::Pending
        | Select::Upcoming { .. }
        | Select::Past { .. }
        | Select::CreatedSince(_) => {
            rows.sort_by(|a, b| (a.created, &a.uid).cmp(&(b.created, &b.uid)));
        }
    }
    if pending {
        sim.listed = true;
    }
    if rows.len() > 1 && sim.rng.chance(sim.trouble * 2) {
        sim.tally.add("list: shuffled");
        for n in (1..rows.len()).rev() {
            rows.swap(n, sim.rng.index(n + 1));
        }
    }
    if !rows.is_empty() && sim.rng.chance(sim.trouble) {
        let n = sim.rng.index(rows.len());
        // v1 shows by what a booking was replaced only with the one that replaced it: a page that
        // loses that makes a move a cancellation, and nothing can tell.
        if !(sim.town.legacy && rows[n].from.is_some()) {
            sim.tally.add("list: row missing");
            sim.stale.store(true, Ordering::Relaxed);
            rows.remove(n);
        }
    }
    let size = if sim.town.legacy {
        LEGACY_PAGE
    } else {
        sim.page
    };
    let last = match select {
        Select::UpdatedSince(_) if sim.town.legacy => LEGACY_PAGES,
        _ => u32::MAX,
    };
    let from = (number as usize * size).min(rows.len());
    let to = (from + size).min(rows.len());
    let shown = || rows[from..to].iter();
    Page {
        bookings: shown()
            .filter(|row| !row.odd)
            .map(|row| sim.town.booking(row))
            .collect(),
        unreadable: shown()
            .filter(|row| row.odd)
            .map(|row| format!("data: {} has an odd shape", row.uid))
            .collect(),
        next: (to < rows.len() && number + 1 < last).then_some(number + 1),
        server_time: sim.behaviours.clock.then_some(now),
    }
}

/// As `calcom/api.md` 2.2 says.
fn selects(town: &Town, select: &Select, row: &Row, now: Time) -> bool {
    let touches = |from: &Time, to: &Time| row.end >= *from && row.start <= *to;
    let stands = !matches!(row.status, Status::Cancelled | Status::Rejected);
    match select {
        Select::Pending => {
            matches!(row.status, Status::Pending | Status::Other(_)) && row.end >= now
        }
        Select::Upcoming { from, to } => {
            let shown = stands && (row.series.is_none() || row.status == Status::Accepted);
            (shown || town.legacy) && touches(from, to) && row.end >= now
        }
        Select::Past { from, to } => (stands || town.legacy) && touches(from, to) && row.end <= now,
        Select::UpdatedSince(since) => {
            town.legacy || row.updated.is_some_and(|updated| updated >= *since)
        }
        Select::CreatedSince(since) => row.created >= *since,
    }
}
