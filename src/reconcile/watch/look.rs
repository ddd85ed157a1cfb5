//! What was seen of bookings in one watch, each read once, and the chains they make.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::HORIZON;
use crate::calcom::port::{CallError, Select};
use crate::domain::booking::{Booking, BookingRef, Reading, Status};
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request::Charge;
use crate::domain::time::Time;
use crate::domain::watch::{ChainEnd, MAX_CHAIN};
use crate::reconcile::observe::ends_the_pass;
use crate::reconcile::ports::{PassError, Ports};
use crate::reconcile::room::{ROOM, Room};

/// Pages of one listing: 10,000 bookings at 250 a page, 5,120 in v1. An audit reads by name what lies
/// behind.
const MAX_PAGES: u32 = 40;

/// Reads that are under way at once.
pub(super) const READS_AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct Seen {
    room: Room,
    bookings: BTreeMap<BookingUid, Booking>,
    gone: BTreeSet<BookingUid>,
    /// From a booking to those that name it as what they replaced: two moves at once make two of
    /// them.
    successors: BTreeMap<BookingUid, BTreeSet<BookingUid>>,
    /// From when on what was created was listed to find another successor.
    created_since: Option<Time>,
    /// Series that were read, and whether that could be done.
    series: BTreeMap<RequestId, bool>,
    /// From when on everything was listed to find what only its successor would tell.
    listed_from: Option<Time>,
    /// The latest time from which on there is more than may be listed.
    cut_from: Option<Time>,
    /// Whether something that was looked for, or a row of a listing, could not be read.
    unread: bool,
}

/// A charged booking with its successors.
#[derive(Debug)]
pub(super) struct Chain {
    pub bookings: Vec<Booking>,
    pub end: ChainEnd,
}

impl Default for Seen {
    fn default() -> Self {
        Self::within(ROOM)
    }
}

impl Seen {
    /// Keeps no more than this many bytes.
    pub fn within(room: usize) -> Self {
        Self {
            room: Room::of(room),
            bookings: BTreeMap::new(),
            gone: BTreeSet::new(),
            successors: BTreeMap::new(),
            created_since: None,
            series: BTreeMap::new(),
            listed_from: None,
            cut_from: None,
            unread: false,
        }
    }

    pub fn has(&self, uid: &BookingUid) -> bool {
        self.bookings.contains_key(uid)
    }

    pub fn get(&self, uid: &BookingUid) -> Option<&Booking> {
        self.bookings.get(uid)
    }

    pub fn bookings(&self) -> impl Iterator<Item = &Booking> {
        self.bookings.values()
    }

    /// The later reading of a booking counts. `false` when there is no room for it: then nothing
    /// that was read of it counts.
    fn add(&mut self, booking: Booking) -> bool {
        if let Some(before) = self.bookings.remove(&booking.uid) {
            self.room.give_back(&before);
        }
        if !self.room.take(&booking) {
            self.unread = true;
            return false;
        }
        if let Some(from) = &booking.rescheduled_from {
            let known = self.successors.entry(from.clone()).or_default();
            known.insert(booking.uid.clone());
        }
        self.bookings.insert(booking.uid.clone(), booking);
        true
    }

    /// Keeps a booking that was read by name, when there is room for it.
    pub fn keep(&mut self, booking: Booking) {
        self.add(booking);
    }

    /// Whether another booking that was seen says that it replaced this one.
    pub fn is_replaced(&self, uid: &BookingUid) -> bool {
        self.successors.contains_key(uid)
    }

    /// The bookings that were seen of a series.
    pub fn of_series(&self, series: &RequestId) -> impl Iterator<Item = &Booking> {
        let of = move |one: &&Booking| one.series.as_ref() == Some(series);
        self.bookings.values().filter(of)
    }

    /// What was seen: charges may stand under these names.
    pub fn roots(&self) -> BTreeSet<BookingUid> {
        self.bookings.keys().cloned().collect()
    }

    /// What was replaced by something seen, and was not seen itself.
    pub fn replaced(&self) -> Vec<BookingUid> {
        let names = self.successors.keys();
        names.filter(|uid| !self.has(uid)).cloned().collect()
    }

    /// Whether every row could be read, and every chain that was asked for to its end.
    pub fn is_whole(&self) -> bool {
        !self.unread
    }

    /// Adds every page of a listing; `false` when there are more than may be read.
    pub async fn list(
        &mut self,
        ports: &Ports<'_>,
        select: &Select,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        let mut next = Some(0);
        while let Some(number) = next {
            if number >= MAX_PAGES {
                problems.push(Problem {
                    code: "too-many-changes",
                    text: format!(
                        "more than {MAX_PAGES} pages of bookings to look after; the audit reads \
                         the rest by name"
                    ),
                });
                return Ok(false);
            }
            let page = match unless_stopped(ports, ports.calendar.list(select, number)).await {
                Err(_) if ports.stop.is_set() => {
                    self.unread = true;
                    return Ok(false);
                }
                page => page?,
            };
            self.unread |= !page.unreadable.is_empty();
            for row in &page.unreadable {
                problems.push(Problem {
                    code: "unreadable-booking",
                    text: format!("a booking could not be read and is left alone: {row}"),
                });
            }
            let fit = page.bookings.into_iter().all(|booking| self.add(booking));
            if !fit {
                problems.push(Problem {
                    code: "too-many-changes",
                    text: format!(
                        "bookings of more than {} MiB to look after; the audit reads the rest by \
                         name",
                        ROOM >> 20
                    ),
                });
                return Ok(false);
            }
            next = page.next;
        }
        Ok(true)
    }

    /// Adds the first page of a listing: what it does not show is read by name.
    pub async fn first_page(
        &mut self,
        ports: &Ports<'_>,
        select: &Select,
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

    /// Reads by name the bookings of those charges that no listing has shown.
    pub async fn read(
        &mut self,
        ports: &Ports<'_>,
        charges: &[Charge],
        problems: &mut Vec<Problem>,
    ) -> Result<(), PassError> {
        let mut reads = Vec::new();
        for charge in charges {
            if self.has(&charge.booking.uid) {
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
                Ok(Reading::Is(read)) => {
                    if !self.add(*read) {
                        problems.push(no_room(&booking.uid));
                    }
                }
                Ok(Reading::Gone) => {
                    self.gone.insert(booking.uid.clone());
                }
                Err(error) if ends_the_pass(&error) => return Err(error.into()),
                Err(_) if ports.stop.is_set() => {}
                Err(error) => problems.push(unread(&booking.uid, &error)),
            }
        }
        Ok(())
    }

    /// The booking and what replaced it, one after the other.
    pub async fn chain(
        &mut self,
        ports: &Ports<'_>,
        first: &BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<Chain, PassError> {
        let chain = self.follow(ports, first, problems).await?;
        self.unread |= chain.end == ChainEnd::Unread;
        Ok(chain)
    }

    /// Follows what each booking names. Where that ends with nothing that stands, another successor may
    /// stand: two moves at once make two, and only a list shows the one that is not named.
    async fn follow(
        &mut self,
        ports: &Ports<'_>,
        first: &BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<Chain, PassError> {
        let chain = self.follow_names(ports, first, problems).await?;
        let moved = chain.bookings.get(1).map(|booking| booking.created);
        let last = chain.bookings.last().map(liveness);
        match moved.filter(|_| chain.end == ChainEnd::Whole && last == Some(DEAD)) {
            Some(moved) if self.list_created_since(ports, moved, problems).await? => {
                self.follow_names(ports, first, problems).await
            }
            _ => Ok(chain),
        }
    }

    /// Lists what was made since then, once; whether that was new.
    async fn list_created_since(
        &mut self,
        ports: &Ports<'_>,
        from: Time,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        let known = self.created_since.is_some_and(|listed| listed <= from);
        if known || !ports.calendar.names_successors() {
            return Ok(false);
        }
        // A listing is older than what was read by name, so it only adds.
        let mut made = Self::within(ROOM);
        made.list(ports, &Select::CreatedSince(from), problems)
            .await?;
        if ports.stop.is_set() {
            return Ok(false);
        }
        self.created_since = Some(from);
        for (uid, one) in made.bookings {
            if !self.has(&uid) {
                self.add(one);
            }
        }
        Ok(true)
    }

    async fn follow_names(
        &mut self,
        ports: &Ports<'_>,
        first: &BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<Chain, PassError> {
        let mut bookings: Vec<Booking> = Vec::new();
        let mut next = Some(first.clone());
        while let Some(wanted) = next {
            let again = bookings.iter().any(|known| known.uid == wanted.uid);
            if again || bookings.len() >= MAX_CHAIN {
                problems.push(Problem {
                    code: "chain-too-long",
                    text: format!(
                        "booking {} was moved more than {MAX_CHAIN} times, or in a circle: its \
                         charge stays open",
                        first.uid
                    ),
                });
                let end = ChainEnd::Unread;
                return Ok(Chain { bookings, end });
            }
            let first = bookings.is_empty();
            match self.find(ports, &wanted, first, problems).await? {
                Ok(booking) => {
                    let successor = self.successor(ports, &booking, problems).await?;
                    bookings.push(booking);
                    match successor {
                        Successor::Is(successor) => next = Some(successor),
                        Successor::Nobody => next = None,
                        Successor::Unread => {
                            let end = ChainEnd::Unread;
                            return Ok(Chain { bookings, end });
                        }
                    }
                }
                Err(end) => return Ok(Chain { bookings, end }),
            }
        }
        let end = ChainEnd::Whole;
        Ok(Chain { bookings, end })
    }

    async fn find(
        &mut self,
        ports: &Ports<'_>,
        wanted: &BookingRef,
        first: bool,
        problems: &mut Vec<Problem>,
    ) -> Result<Result<Booking, ChainEnd>, PassError> {
        if let Some(known) = self.bookings.get(&wanted.uid) {
            return Ok(Ok(known.clone()));
        }
        if self.gone.contains(&wanted.uid) {
            return Ok(Err(ChainEnd::Gone));
        }
        if first {
            // It was read by name already, and that failed.
            return Ok(Err(ChainEnd::Unread));
        }
        match unless_stopped(ports, ports.calendar.get(wanted)).await {
            Ok(Reading::Is(booking)) => {
                if self.add((*booking).clone()) {
                    return Ok(Ok(*booking));
                }
                problems.push(no_room(&wanted.uid));
                Ok(Err(ChainEnd::Unread))
            }
            Ok(Reading::Gone) => {
                self.gone.insert(wanted.uid.clone());
                Ok(Err(ChainEnd::Gone))
            }
            Err(error) if ends_the_pass(&error) => Err(error.into()),
            Err(_) if ports.stop.is_set() => Ok(Err(ChainEnd::Unread)),
            // Said: the charge that led here stays open until it can be read.
            Err(error) => {
                problems.push(unread(&wanted.uid, &error));
                Ok(Err(ChainEnd::Unread))
            }
        }
    }

    /// What replaced it: as it says itself, or as the other one says. A cancelled occurrence of a
    /// series names nobody, so its series is read to find who names it (`calcom/api.md` 6.1).
    async fn successor(
        &mut self,
        ports: &Ports<'_>,
        booking: &Booking,
        problems: &mut Vec<Problem>,
    ) -> Result<Successor, PassError> {
        if let Some(uid) = &booking.rescheduled_to {
            let id = self.bookings.get(uid).and_then(|known| known.id);
            let uid = uid.clone();
            let named = BookingRef { uid, id };
            return self.named_successor(ports, booking, named, problems).await;
        }
        // One that is known may be the dead one of two, whose moves were made at once.
        let stands = |seen: &Self| {
            let best = seen.best_successor(&booking.uid, None);
            best.is_some_and(|one| seen.liveness(one) < DEAD)
        };
        if booking.status == Status::Cancelled
            && !stands(self)
            && let Some(series) = &booking.series
            && !self.read_series(ports, series, problems).await?
        {
            return Ok(Successor::Unread);
        }
        if booking.status == Status::Cancelled
            && !stands(self)
            && !ports.calendar.names_successors()
        {
            let whole = self.list_since(ports, booking.created, problems).await?;
            if ports.stop.is_set() {
                return Ok(Successor::Unread);
            }
            if !whole && !stands(self) {
                problems.push(Problem {
                    code: "unread-charge",
                    text: format!(
                        "whether booking {0} was moved or cancelled cannot be told: v1 does not say, \
                         and there are too many bookings since it was made; `maitred charges settle \
                         {0} keep` or `refund`",
                        booking.uid
                    ),
                });
                return Ok(Successor::Unread);
            }
        }
        let best = self.best_successor(&booking.uid, None);
        Ok(best.map_or(Successor::Nobody, |one| Successor::Is(one.reference())))
    }

    /// The successor that a booking names, unless that one is dead and another one stands: two moves at
    /// once make two, and the booking names one of them. Whichever is looked at first, the charge goes
    /// on with one that stands.
    async fn named_successor(
        &mut self,
        ports: &Ports<'_>,
        booking: &Booking,
        named: BookingRef,
        problems: &mut Vec<Problem>,
    ) -> Result<Successor, PassError> {
        match self.find(ports, &named, false, problems).await? {
            Ok(_) | Err(ChainEnd::Gone) => {}
            Err(ChainEnd::Unread | ChainEnd::Whole) => return Ok(Successor::Unread),
        }
        let best = self.best_successor(&booking.uid, Some(&named.uid));
        Ok(Successor::Is(best.map_or(named, Booking::reference)))
    }

    /// Of what replaced a booking, as far as it was seen: the first made of those that are accepted,
    /// else of those that wait, else the one that the booking names, else the last made.
    fn best_successor(&self, uid: &BookingUid, named: Option<&BookingUid>) -> Option<&Booking> {
        let all = self.successors.get(uid).into_iter().flatten().chain(named);
        let all = all.filter_map(|uid| self.bookings.get(uid));
        all.min_by_key(|one| {
            let made = one.created.timestamp_millis();
            let liveness = self.liveness(one);
            let order = match liveness {
                DEAD if named == Some(&one.uid) => i64::MIN,
                DEAD => -made,
                _ => made,
            };
            (liveness, order, one.uid.clone())
        })
    }

    /// How much a booking is alive: what was moved on is as alive as what replaced it.
    fn liveness(&self, booking: &Booking) -> u8 {
        let mut best = DEAD;
        let mut waiting = vec![booking];
        // Two moves at once are rare: what is followed is a line, and no longer than any other chain.
        for _ in 0..MAX_CHAIN {
            let Some(one) = waiting.pop() else { break };
            let own = liveness(one);
            if own < DEAD {
                best = best.min(own);
                continue;
            }
            let named = one.rescheduled_to.as_ref();
            // Where it was moved to was not seen: it may stand.
            if named.is_some_and(|uid| !self.has(uid) && !self.gone.contains(uid)) {
                best = best.min(UNSEEN);
            }
            let next = self.successors.get(&one.uid).into_iter().flatten();
            waiting.extend(next.chain(named).filter_map(|uid| self.bookings.get(uid)));
        }
        best
    }

    /// Lists all that may have replaced a booking that was made then: a successor was made later, so
    /// it ends later, but it may have been over long before the booking it replaced would have been.
    /// `false` when that is more than may be listed, which is not tried again from before then.
    async fn list_since(
        &mut self,
        ports: &Ports<'_>,
        from: Time,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        if self.listed_from.is_some_and(|listed| listed <= from) {
            return Ok(true);
        }
        if self.cut_from.is_some_and(|cut| from <= cut) {
            return Ok(false);
        }
        let now = (ports.clock)();
        let past = Select::Past { from, to: now };
        let mut whole = self.list(ports, &past, problems).await?;
        let upcoming = Select::Upcoming {
            from: now,
            to: now + HORIZON,
        };
        whole &= self.list(ports, &upcoming, problems).await?;
        let known = if whole {
            &mut self.listed_from
        } else {
            &mut self.cut_from
        };
        *known = Some(from);
        Ok(whole)
    }

    /// Reads a series once; `false` when it could not be. Without it a moved occurrence would be
    /// taken for a cancelled one.
    async fn read_series(
        &mut self,
        ports: &Ports<'_>,
        series: &RequestId,
        problems: &mut Vec<Problem>,
    ) -> Result<bool, PassError> {
        if let Some(read) = self.series.get(series) {
            return Ok(*read);
        }
        let read = match unless_stopped(ports, ports.calendar.series(&series.uid())).await {
            Ok(all) => {
                let fit = all.into_iter().flatten().all(|one| self.add(one));
                if !fit {
                    problems.push(no_room(&series.uid()));
                }
                fit
            }
            Err(_) if ports.stop.is_set() => return Ok(false),
            Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {series} could not be read: {error}"),
                });
                false
            }
        };
        self.series.insert(series.clone(), read);
        Ok(read)
    }
}

/// What is cancelled or declined comes last among successors.
const DEAD: u8 = 2;

/// What may stand.
const UNSEEN: u8 = 1;

fn liveness(booking: &Booking) -> u8 {
    match booking.status {
        Status::Accepted => 0,
        Status::Pending | Status::AwaitingHost | Status::Other(_) => 1,
        Status::Rejected | Status::Cancelled => DEAD,
    }
}

/// What the call gives, unless there is the word to stop: nothing that was only read is missed.
async fn unless_stopped<T>(
    ports: &Ports<'_>,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::select! {
        biased;
        () = ports.stop.told() => Err(CallError::TooLate),
        read = call => read,
    }
}

fn unread(uid: &BookingUid, error: &CallError) -> Problem {
    Problem {
        code: "unread-charge",
        text: format!("booking {uid} could not be read: {error}"),
    }
}

fn no_room(uid: &BookingUid) -> Problem {
    Problem {
        code: "unread-charge",
        text: format!("booking {uid} is left for later: no more bookings are kept at once"),
    }
}

/// What stands behind one booking of a chain.
enum Successor {
    Is(BookingRef),
    Nobody,
    Unread,
}
