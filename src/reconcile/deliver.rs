//! Delivering a batch: each booking is seen pending right before its call, the calls run side by
//! side, and what the bookings are afterwards settles the intents. No call rests on a reading that is
//! older than two seconds: while the server is slow, all that wait are looked at again.

pub mod call;
mod in_flight;
pub mod settle;

use std::collections::{BTreeMap, VecDeque};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::clock::clock_is_off;
use super::observe::ends_the_pass;
use super::ports::{PassError, Ports};
use super::report::Ended;
use super::sight::{self, ReadTimes};
use crate::calcom::port::CallError;
use crate::domain::booking::{self, BookingRef};
use crate::domain::gate::Limits;
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::intent::Sight;
use crate::domain::plan::{Call, Problem};
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Span, Time};
use call::{mark, send};
use in_flight::{InFlight, State};

/// Calls under way at once: a confirmation takes Cal.com seconds, and these are all of one host.
const CALLS_AT_ONCE: usize = 8;

/// How old a reading may be when the call that rests on it is sent.
const FRESH: Span = Span::seconds(2);

/// How long a reading counts after it arrived, where getting it took longer than it may be old: a list
/// that takes the server three seconds would otherwise be read again and again without a call.
const ARRIVED: Span = Span::milliseconds(500);

/// Times a call is made ready again when its turn did not come in time. Each time waits for the rate
/// limit's window, so that this is minutes.
pub const MAX_TURNS: u32 = 5;

/// How often what is known is written down while calls are under way.
const SETTLE_EVERY: Span = Span::seconds(5);

/// An intent that stands in the log, with the call it wants.
#[derive(Debug)]
pub struct Delivery {
    pub request: Request,
    pub charges: Vec<Charge>,
    pub carried: Option<Charge>,
    pub call: Call,
}

/// How a batch ended.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Each request, how it ended, and why it is not finished.
    pub steps: Vec<(Request, Ended, Option<String>)>,
    pub problems: Vec<Problem>,
    /// The key was refused or the store cannot write: nothing more may be tried.
    pub stopped: Option<PassError>,
}

/// Something that was awaited, with the number of its delivery.
enum Event {
    /// One look at all that wait. What it did not show is read by uid before its call.
    Looked(Result<BTreeMap<BookingUid, (Sight, ReadTimes)>, PassError>),
    /// A booking that was read by uid before its call, and when that was asked for.
    Seen(usize, Time, Result<Sight, CallError>),
    /// A call that was sent by then, unless the error says that it was not.
    Called(
        usize,
        Call,
        Time,
        Result<Option<booking::Reading>, CallError>,
    ),
    /// All bookings of the request, read after a call.
    Read(usize, Result<BTreeMap<BookingUid, Sight>, CallError>),
    /// A stop was told before anything was sent.
    Stopped,
}

/// The last reading of a booking.
#[derive(Clone, Copy)]
enum Reading {
    /// It was seen pending, and its call may rest on that until then.
    Until(Time),
    /// The last look did not show it.
    NotShown,
}

/// Sends a batch's calls and settles what is known. Never returns early with something unsettled
/// that could be settled.
pub async fn deliver(
    ports: &Ports<'_>,
    limits: &Limits,
    batch: Vec<Delivery>,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
) -> Delivered {
    let mut driver = Driver {
        ports: *ports,
        limits,
        queue: (0..batch.len()).collect(),
        slots: batch.into_iter().map(|one| Some(one.into())).collect(),
        looking: false,
        under_way: 0,
        done: Delivered::default(),
    };
    if let Err(error) = driver.run(versions).await {
        driver.done.stopped = Some(error);
    }
    // What is left waits in the log: the next pass reads and goes on.
    let mut done = driver.done;
    for slot in driver.slots.into_iter().flatten() {
        let why = "its turn did not come in this pass".to_owned();
        done.steps
            .push((slot.delivery.request, Ended::Unresolved, Some(why)));
    }
    done
}

struct Driver<'a> {
    ports: Ports<'a>,
    limits: &'a Limits,
    /// The deliveries that are not settled.
    slots: Vec<Option<InFlight>>,
    /// Those that wait for their call, in order.
    queue: VecDeque<usize>,
    looking: bool,
    /// Calls, and readings before calls.
    under_way: usize,
    done: Delivered,
}

type Tasks<'a> = FuturesUnordered<BoxFuture<'a, Event>>;

impl<'a> Driver<'a> {
    async fn run(
        &mut self,
        versions: &mut BTreeMap<AccountId, Option<u64>>,
    ) -> Result<(), PassError> {
        let mut tasks = Tasks::new();
        let mut settled = (self.ports.clock)();
        loop {
            self.start(&mut tasks).await;
            let Some(event) = tasks.next().await else {
                break;
            };
            self.take(event, &mut tasks).await;
            let now = (self.ports.clock)();
            if now - settled >= SETTLE_EVERY {
                settle_down().await;
                settle::settle(
                    &self.ports,
                    self.limits,
                    &mut self.slots,
                    &mut self.done,
                    versions,
                )
                .await?;
                settled = now;
            }
        }
        settle::settle(
            &self.ports,
            self.limits,
            &mut self.slots,
            &mut self.done,
            versions,
        )
        .await
    }

    /// Begins what may be begun now. After a refused key or a stop, that is nothing.
    async fn start(&mut self, tasks: &mut Tasks<'a>) {
        let mut calls = Vec::new();
        while self.under_way + calls.len() < CALLS_AT_ONCE
            && self.done.stopped.is_none()
            && !self.ports.stop.is_set()
            // What a look has shown of the clocks counts for the calls after it.
            && !clock_is_off(&self.ports)
        {
            let Some(&n) = self.queue.front() else {
                break;
            };
            let now = (self.ports.clock)();
            let in_flight = self.slots[n].as_mut().expect("what waits is not settled");
            let start = in_flight.no_later_than();
            if start.is_some_and(|start| start <= now) {
                in_flight.seen(Sight::Begun);
                self.queue.pop_front();
                self.go_on(n, tasks);
                continue;
            }
            let in_time = |until: Time| start.map_or(until, |start| until.min(start));
            let by_the_client = self.ports.calendar.reads_before_acting();
            match in_flight.reading {
                _ if by_the_client => {
                    calls.push((n, in_time(now + self.limits.max_observation_age)));
                }
                Some(Reading::Until(until)) if now <= until => calls.push((n, in_time(until))),
                Some(Reading::NotShown) => self.read_first(n, tasks),
                Some(Reading::Until(_)) | None => {
                    if self.looking {
                        break;
                    }
                    let wanted = self.to_be_looked_at(now);
                    if wanted.len() >= sight::LIST_FROM {
                        self.looking = true;
                        tasks.push(look(self.ports, wanted).boxed());
                        break;
                    }
                    self.read_first(n, tasks);
                }
            }
            self.queue.pop_front();
        }
        self.call(calls, tasks).await;
    }

    /// Reads a booking by uid before its call.
    fn read_first(&mut self, n: usize, tasks: &mut Tasks<'a>) {
        let in_flight = self.slots[n].as_ref().expect("what waits is not settled");
        let booking = in_flight.delivery.call.booking.clone();
        let ports = self.ports;
        self.under_way += 1;
        let task = async move {
            let at = (ports.clock)();
            tokio::select! {
                biased;
                // Nothing was sent yet.
                () = ports.stop.told() => Event::Stopped,
                read = ports.calendar.get(&booking) => {
                    Event::Seen(n, at, read.map(|reading| Sight::of(&reading)))
                }
            }
        };
        tasks.push(task.boxed());
    }

    /// Sends these calls, once the store knows that they are about to be sent.
    async fn call(&mut self, calls: Vec<(usize, Time)>, tasks: &mut Tasks<'a>) {
        if calls.is_empty() {
            return;
        }
        let ids = calls.iter().map(|(n, _)| self.id(*n)).collect();
        settle_down().await;
        let marked = mark(&self.ports, ids, Some((self.ports.clock)())).await;
        if let Err(error) = marked {
            self.done.stopped = Some(PassError::Store(error));
            return;
        }
        for (n, deadline) in calls {
            let in_flight = self.slots[n]
                .as_ref()
                .expect("it was not settled meanwhile");
            let call = in_flight.delivery.call.clone();
            let ports = self.ports;
            self.under_way += 1;
            let task = async move {
                let answer = send(&ports, &call, deadline).await;
                let sent = deadline.min((ports.clock)());
                Event::Called(n, call, sent, answer)
            };
            tasks.push(task.boxed());
        }
    }

    fn id(&self, n: usize) -> RequestId {
        let in_flight = self.slots[n]
            .as_ref()
            .expect("what is under way is not settled");
        in_flight.delivery.request.id.clone()
    }

    /// The bookings whose next call has no reading that it may rest on.
    fn to_be_looked_at(&self, now: Time) -> Vec<BookingRef> {
        let waiting = self.queue.iter().filter_map(|n| self.slots[*n].as_ref());
        waiting
            .filter(|in_flight| match in_flight.reading {
                Some(Reading::Until(until)) => until < now,
                Some(Reading::NotShown) => false,
                None => true,
            })
            .map(|in_flight| in_flight.delivery.call.booking.clone())
            .collect()
    }

    async fn take(&mut self, event: Event, tasks: &mut Tasks<'a>) {
        match event {
            Event::Stopped => self.under_way -= 1,
            Event::Looked(found) => {
                self.looking = false;
                match found {
                    Ok(found) => self.looked(&found, tasks),
                    Err(error) => self.done.stopped = Some(error),
                }
            }
            Event::Seen(n, asked, seen) => {
                self.under_way -= 1;
                let arrived = (self.ports.clock)();
                let until = rests_until(ReadTimes { asked, arrived }, self.limits);
                let in_flight = self.slots[n].as_mut().expect("it is under way");
                match seen {
                    Ok(Sight::Pending) => {
                        in_flight.reading = Some(Reading::Until(until));
                        self.queue.push_front(n);
                        return;
                    }
                    Ok(sight) => in_flight.seen(sight),
                    Err(error) => {
                        in_flight.unread(&error);
                        if ends_the_pass(&error) {
                            self.done.stopped.get_or_insert(error.into());
                        }
                    }
                }
                self.go_on(n, tasks);
            }
            Event::Called(n, call, sent, answer) => {
                self.under_way -= 1;
                match &answer {
                    // It was not sent after all.
                    Err(CallError::TooLate | CallError::Limited { .. }) => {
                        settle_down().await;
                        if let Err(error) = mark(&self.ports, vec![self.id(n)], None).await {
                            self.done.stopped = Some(PassError::Store(error));
                        }
                    }
                    Err(error @ CallError::Credential(_)) => {
                        self.done.stopped.get_or_insert(error.clone().into());
                    }
                    Ok(_) | Err(_) => {}
                }
                let now = (self.ports.clock)();
                let in_flight = self.slots[n].as_mut().expect("it is under way");
                in_flight.called(&call, sent, answer, now);
                self.go_on(n, tasks);
            }
            Event::Read(n, read) => {
                let now = (self.ports.clock)();
                let in_flight = self.slots[n].as_mut().expect("it is under way");
                match read {
                    Ok(sights) => in_flight.read(Some(sights), now),
                    Err(error) => {
                        in_flight.read(None, now);
                        if ends_the_pass(&error) {
                            self.done.stopped.get_or_insert(error.into());
                        }
                    }
                }
                self.go_on(n, tasks);
            }
        }
    }

    /// Gives each that waits what the look showed of it.
    fn looked(&mut self, found: &BTreeMap<BookingUid, (Sight, ReadTimes)>, tasks: &mut Tasks<'a>) {
        let now = (self.ports.clock)();
        let mut other = Vec::new();
        for n in std::mem::take(&mut self.queue) {
            let in_flight = self.slots[n].as_mut().expect("what waits is not settled");
            let uid = &in_flight.delivery.call.booking.uid;
            match found.get(uid) {
                Some((Sight::Pending, seen)) => {
                    let until = rests_until(*seen, self.limits);
                    // A list that took too long is no help: each is read by uid instead.
                    in_flight.reading = Some(if until < now {
                        Reading::NotShown
                    } else {
                        Reading::Until(until)
                    });
                    self.queue.push_back(n);
                }
                Some((sight, _)) => {
                    in_flight.sights.insert(uid.clone(), *sight);
                    other.push(n);
                }
                None => {
                    in_flight.reading = Some(Reading::NotShown);
                    self.queue.push_back(n);
                }
            }
        }
        for n in other {
            self.go_on(n, tasks);
        }
    }

    /// What comes next for a delivery after something was learnt about it.
    fn go_on(&mut self, n: usize, tasks: &mut Tasks<'a>) {
        let in_flight = self.slots[n].as_mut().expect("it is under way");
        if in_flight.wants_reading() {
            in_flight.busy = true;
            let ports = self.ports;
            let request = in_flight.delivery.request.clone();
            let sights = in_flight.sights.clone();
            let read = async move { Event::Read(n, sight::all(&ports, &request, sights).await) };
            tasks.push(read.boxed());
            return;
        }
        in_flight.busy = false;
        in_flight.decide();
        match in_flight.state {
            State::Waiting if in_flight.turns < MAX_TURNS => {
                in_flight.turns += 1;
                self.queue.push_back(n);
            }
            State::Waiting => in_flight.state = State::Unresolved,
            State::Known | State::Unresolved | State::Failed => {}
        }
    }
}

/// Until when a call may rest on a reading.
pub fn rests_until(seen: ReadTimes, limits: &Limits) -> Time {
    (seen.asked + FRESH)
        .max(seen.arrived + ARRIVED)
        .min(seen.asked + limits.max_observation_age)
}

/// Lets what is ready be noticed before the store is awaited, so that the order in which calls go on
/// does not depend on how quick the store's thread is: a simulation of one seed runs the same twice.
async fn settle_down() {
    tokio::task::yield_now().await;
}

/// Looks at what waits, unless a stop is told: nothing was sent yet.
async fn look(ports: Ports<'_>, wanted: Vec<BookingRef>) -> Event {
    tokio::select! {
        biased;
        () = ports.stop.told() => Event::Looked(Ok(BTreeMap::new())),
        found = sight::look(&ports, &wanted) => Event::Looked(found),
    }
}
