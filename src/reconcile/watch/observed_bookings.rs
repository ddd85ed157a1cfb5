//! The bookings that were seen in one watch, each read once, and the chains that they form.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::HORIZON;
use crate::calcom::port::{BookingFilter, CallError};
use crate::domain::booking::{Booking, Fetched};
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request::Charge;
use crate::domain::time::Time;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::memory_budget::{MAX_BOOKING_BYTES, MemoryBudget};

/// The maximum number of pages of one listing: 10,000 bookings at 250 a page, 5,120 in v1. An audit
/// reads the bookings behind them individually.
const MAX_PAGES: u32 = 40;

/// The maximum number of concurrent reads.
pub(super) const READS_AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct ObservedBookings {
    budget: MemoryBudget,
    pub(super) bookings: BTreeMap<BookingUid, Booking>,
    pub(super) gone_uids: BTreeSet<BookingUid>,
    /// The successors of each booking, which name it as the booking that they replaced: two
    /// simultaneous moves make two successors.
    pub(super) successors: BTreeMap<BookingUid, BTreeSet<BookingUid>>,
    /// The time from which on created bookings were listed, to find another successor.
    creations_listed_from: Option<Time>,
    /// The series that were read, and whether the read succeeded.
    series_reads: BTreeMap<RequestId, bool>,
    /// The time from which on everything was listed, to find what only a successor shows.
    all_listed_from: Option<Time>,
    /// The latest time from which on there are more bookings than may be listed.
    over_limit_from: Option<Time>,
    /// Whether a booking that was searched for, or a row of a listing, could not be read.
    pub(super) has_unread: bool,
}

impl Default for ObservedBookings {
    fn default() -> Self {
        Self::with_budget(MAX_BOOKING_BYTES)
    }
}

impl ObservedBookings {
    /// Creates an empty collection that keeps no more than this many bytes.
    pub(super) fn with_budget(bytes: usize) -> Self {
        Self {
            budget: MemoryBudget::new(bytes),
            bookings: BTreeMap::new(),
            gone_uids: BTreeSet::new(),
            successors: BTreeMap::new(),
            creations_listed_from: None,
            series_reads: BTreeMap::new(),
            all_listed_from: None,
            over_limit_from: None,
            has_unread: false,
        }
    }

    /// Returns true if the booking was seen.
    pub(super) fn contains(&self, uid: &BookingUid) -> bool {
        self.bookings.contains_key(uid)
    }

    /// Returns the booking as it was last seen; `None` if it was not seen.
    pub(super) fn get(&self, uid: &BookingUid) -> Option<&Booking> {
        self.bookings.get(uid)
    }

    /// Returns every booking that was seen.
    pub(super) fn bookings(&self) -> impl Iterator<Item = &Booking> {
        self.bookings.values()
    }

    /// Adds a booking; the later reading of a booking counts. Returns false if there is no room for
    /// the booking: then none of its readings counts.
    pub(super) fn add(&mut self, booking: Booking) -> bool {
        if let Some(previous) = self.bookings.remove(&booking.uid) {
            self.budget.release(&previous);
        }
        if !self.budget.reserve(&booking) {
            self.has_unread = true;
            return false;
        }
        if let Some(from) = &booking.rescheduled_from {
            let successors = self.successors.entry(from.clone()).or_default();
            successors.insert(booking.uid.clone());
        }
        self.bookings.insert(booking.uid.clone(), booking);
        true
    }

    /// Adds a booking that was read individually, if there is room for it.
    pub(super) fn insert(&mut self, booking: Booking) {
        self.add(booking);
    }

    /// Returns true if another booking that was seen says that it replaced this one.
    pub(super) fn is_replaced(&self, uid: &BookingUid) -> bool {
        self.successors.contains_key(uid)
    }

    /// Returns the bookings of a series that were seen.
    pub(super) fn bookings_of_series(&self, series: &RequestId) -> impl Iterator<Item = &Booking> {
        let in_series = move |one: &&Booking| one.series.as_ref() == Some(series);
        self.bookings.values().filter(in_series)
    }

    /// Returns the uids of the bookings that were seen: charges may be recorded under these uids.
    pub(super) fn uids(&self) -> BTreeSet<BookingUid> {
        self.bookings.keys().cloned().collect()
    }

    /// Returns the bookings that a booking that was seen replaced, and that were not seen
    /// themselves.
    pub(super) fn unseen_predecessors(&self) -> Vec<BookingUid> {
        let predecessors = self.successors.keys();
        predecessors
            .filter(|uid| !self.contains(uid))
            .cloned()
            .collect()
    }

    /// Returns true if every row could be read, and every requested chain could be followed to its
    /// end.
    pub(super) fn is_complete(&self) -> bool {
        !self.has_unread
    }

    /// Adds every page of a listing. Returns false if there are more pages than may be read.
    pub(super) async fn list(
        &mut self,
        ports: &Ports<'_>,
        select: &BookingFilter,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        let mut next = Some(0);
        while let Some(number) = next {
            if number >= MAX_PAGES {
                problems.push(Problem {
                    code: "too-many-changes",
                    text: format!(
                        "more than {MAX_PAGES} pages of bookings to follow; the audit reads the \
                         rest by uid"
                    ),
                });
                return Ok(false);
            }
            let page = match unless_stopped(ports, ports.calendar.list(select, number)).await {
                Err(_) if ports.stop.is_set() => {
                    self.has_unread = true;
                    return Ok(false);
                }
                page => page?,
            };
            self.has_unread |= !page.unreadable.is_empty();
            for row in &page.unreadable {
                problems.push(Problem {
                    code: "unreadable-booking",
                    text: format!("a booking could not be read and is left alone: {row}"),
                });
            }
            let all_fit = page.bookings.into_iter().all(|booking| self.add(booking));
            if !all_fit {
                problems.push(Problem {
                    code: "too-many-changes",
                    text: format!(
                        "bookings of more than {} MiB to follow; the audit reads the rest by uid",
                        MAX_BOOKING_BYTES >> 20
                    ),
                });
                return Ok(false);
            }
            next = page.next;
        }
        Ok(true)
    }

    /// Adds the first page of a listing: bookings that it does not show are read individually.
    pub(super) async fn list_first_page(
        &mut self,
        ports: &Ports<'_>,
        select: &BookingFilter,
    ) -> Result<(), PassError> {
        let page = match unless_stopped(ports, ports.calendar.list(select, 0)).await {
            Err(_) if ports.stop.is_set() => return Ok(()),
            page => page?,
        };
        for booking in page.bookings {
            self.add(booking);
        }
        Ok(())
    }

    /// Reads individually the bookings of those charges that no listing has shown.
    pub(super) async fn read_charged_bookings(
        &mut self,
        ports: &Ports<'_>,
        charges: &[Charge],
        problems: &mut Vec<Problem>,
    ) -> Result<(), PassError> {
        let mut reads = Vec::new();
        for charge in charges {
            if self.contains(&charge.booking.uid) {
                continue;
            }
            let booking = &charge.booking;
            let read = async move {
                let read = unless_stopped(ports, ports.calendar.get(booking)).await;
                (booking, read)
            };
            reads.push(read.boxed());
        }
        let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        while let Some((booking, read)) = reads.next().await {
            match read {
                Ok(Fetched::Found(read)) => {
                    if !self.add(*read) {
                        problems.push(over_budget_problem(&booking.uid));
                    }
                }
                Ok(Fetched::Gone) => {
                    self.gone_uids.insert(booking.uid.clone());
                }
                Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
                Err(_) if ports.stop.is_set() => {}
                Err(error) => problems.push(unread_problem(&booking.uid, &error)),
            }
        }
        Ok(())
    }

    /// Lists the bookings that were created since then, once. Returns true if they were listed now.
    pub(super) async fn list_created_since(
        &mut self,
        ports: &Ports<'_>,
        from: Time,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        let already_listed = self
            .creations_listed_from
            .is_some_and(|listed| listed <= from);
        if already_listed || !ports.calendar.names_successors() {
            return Ok(false);
        }
        // A listing is older than what was read individually, so it only adds bookings.
        let mut new_bookings = Self::with_budget(MAX_BOOKING_BYTES);
        new_bookings
            .list(ports, &BookingFilter::CreatedSince(from), problems)
            .await?;
        if ports.stop.is_set() {
            return Ok(false);
        }
        self.creations_listed_from = Some(from);
        for (uid, booking) in new_bookings.bookings {
            if !self.contains(&uid) {
                self.add(booking);
            }
        }
        Ok(true)
    }

    /// Lists all bookings that may have replaced a booking that was created then. A successor was
    /// created later, so it ends later, but it may have been over long before the booking that it
    /// replaced would have been. Returns false if there are more bookings than may be listed;
    /// listing from that time or earlier is then not tried again.
    pub(super) async fn list_all_since(
        &mut self,
        ports: &Ports<'_>,
        from: Time,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        if self.all_listed_from.is_some_and(|listed| listed <= from) {
            return Ok(true);
        }
        if self.over_limit_from.is_some_and(|cut| from <= cut) {
            return Ok(false);
        }
        let now = (ports.clock)();
        let past = BookingFilter::Past { from, to: now };
        let mut all_listed = self.list(ports, &past, problems).await?;
        let upcoming = BookingFilter::Upcoming {
            from: now,
            to: now + HORIZON,
        };
        all_listed &= self.list(ports, &upcoming, problems).await?;
        let listing_bound = if all_listed {
            &mut self.all_listed_from
        } else {
            &mut self.over_limit_from
        };
        *listing_bound = Some(from);
        Ok(all_listed)
    }

    /// Reads a series once. Returns false if it could not be read. Without the series, a moved
    /// occurrence would be taken for a cancelled one.
    pub(super) async fn read_series(
        &mut self,
        ports: &Ports<'_>,
        series: &RequestId,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        if let Some(was_read) = self.series_reads.get(series) {
            return Ok(*was_read);
        }
        let was_read = match unless_stopped(ports, ports.calendar.series(&series.uid())).await {
            Ok(all) => {
                let all_fit = all.into_iter().flatten().all(|one| self.add(one));
                if !all_fit {
                    problems.push(over_budget_problem(&series.uid()));
                }
                all_fit
            }
            Err(_) if ports.stop.is_set() => return Ok(false),
            Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {series} could not be read: {error}"),
                });
                false
            }
        };
        self.series_reads.insert(series.clone(), was_read);
        Ok(was_read)
    }
}

/// Returns the result of the call, unless a stop is requested: a read that is dropped loses
/// nothing.
pub(super) async fn unless_stopped<T>(
    ports: &Ports<'_>,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::select! {
        biased;
        () = ports.stop.stopped() => Err(CallError::TooLate),
        read = call => read,
    }
}

pub(super) fn unread_problem(uid: &BookingUid, error: &CallError) -> Problem {
    Problem {
        code: "unread-charge",
        text: format!("booking {uid} could not be read: {error}"),
    }
}

pub(super) fn over_budget_problem(uid: &BookingUid) -> Problem {
    Problem {
        code: "unread-charge",
        text: format!("booking {uid} is postponed: no more bookings fit into one pass"),
    }
}
