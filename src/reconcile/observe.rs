//! Observing: everything a plan may look at, read from Cal.com and the store into one snapshot.
//! Reads only. What cannot be read is left out and reported, never guessed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::chain::Before;
use super::known::{self, Known};
use super::ports::{PassError, Ports, Session};
use crate::calcom::port::{CallError, Select};
use crate::domain::booking::{Booking, Observed, Reading, Status};
use crate::domain::decision::Decision;
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, EventTypeId, HostId, RequestId};
use crate::domain::intent::{self, Sight};
use crate::domain::plan::{Action, Plan, Problem, plan};
use crate::domain::request::RequestState;
use crate::domain::snapshot::{OpenIntent, Series, Snapshot};
use crate::domain::time::{Span, Time};

/// Pages of pending bookings one pass reads: 10,000 bookings at 250 a page. What lies behind them
/// is reported, and seen when the ones before are answered.
const MAX_PENDING_PAGES: u32 = 40;

/// Pages of accepted bookings one pass reads to find overlaps.
const MAX_ACCEPTED_PAGES: u32 = 20;

/// Open intents one pass takes up.
const MAX_INTENTS: usize = 1_000;

/// Reads that are under way at once.
const READS_AT_ONCE: usize = 8;

/// How long the calendar's word on an event type is good: its price may change at any time.
const EVENT_TYPES_FRESH: Span = Span::minutes(5);

/// What observing gave.
#[derive(Debug)]
pub struct Observation {
    pub snapshot: Snapshot,
    pub plan: Plan,
    pub problems: Vec<Problem>,
    /// Pending bookings seen, whoever's they are.
    pub seen: usize,
}

/// Reads all that is needed and plans.
///
/// # Errors
/// When the key is refused, the listing cannot be had, or the store cannot be read.
pub async fn observe(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
) -> Result<Observation, PassError> {
    let me = session.me(ports).await?.id;
    let mut problems = Vec::new();
    let (pending, known) = pending(ports, policy, me, &mut problems).await?;
    let intents = intents(ports, &pending, &mut problems).await?;
    let seen = pending.len();
    let mut snapshot = Snapshot {
        now: (ports.clock)(),
        me,
        series: BTreeMap::new(),
        accepted: Vec::new(),
        event_types: BTreeMap::new(),
        accounts: BTreeMap::new(),
        names: BTreeMap::new(),
        records: known.records,
        carried: BTreeMap::new(),
        ledger_is_empty: known.ledger_is_empty,
        pending,
        intents,
    };
    snapshot.series = series(ports, policy, &snapshot, &mut problems).await?;
    hidden(ports, &mut snapshot).await?;
    let guarded: Vec<&Booking> = bookings(&snapshot)
        .filter(|booking| policy.guards(me, booking).is_ok() && undecided(&snapshot, booking))
        .collect();
    let kinds: BTreeSet<EventTypeId> = guarded
        .iter()
        .filter_map(|booking| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let people = known::people(guarded.iter().copied(), &snapshot.intents);
    let window = window(&guarded);
    snapshot.event_types = session.event_types(ports, kinds, &mut problems).await?;
    let people = ports
        .store
        .with(move |store| known::look_up(store, &people))
        .await;
    let people = people.map_err(PassError::Store)?;
    snapshot.accounts = people.accounts;
    snapshot.names = people.names;
    snapshot.carried = people.carried;
    let moved: Vec<(BookingUid, BookingUid)> = bookings(&snapshot)
        .filter(|booking| policy.guards(me, booking).is_ok() && undecided(&snapshot, booking))
        .filter(|booking| !snapshot.carried.contains_key(&booking.uid))
        .filter_map(|booking| Some((booking.uid.clone(), booking.rescheduled_from.clone()?)))
        .collect();
    for (booking, from) in moved {
        let before = session.charge_before(ports, &from, &mut problems).await?;
        if let Before::Open(charge) = before {
            snapshot.carried.insert(booking, *charge);
        }
    }
    // Accepted bookings matter only where something would be confirmed: an idle door with people who
    // wait for credit costs one call a pass.
    let draft = plan(&snapshot, policy);
    let plan = match window {
        Some((from, to)) if confirms(&draft) => {
            accepted(ports, &mut snapshot, (from, to), &mut problems).await?;
            plan(&snapshot, policy)
        }
        Some(_) | None => draft,
    };
    Ok(Observation {
        snapshot,
        plan,
        problems,
        seen,
    })
}

/// Every booking a request may be made of: the listed ones and the series' hidden occurrences.
fn bookings(snapshot: &Snapshot) -> impl Iterator<Item = &Booking> {
    let listed = snapshot.pending.iter().map(|observed| &observed.booking);
    let hidden = snapshot.series.values().flat_map(|series| match series {
        Series::Whole(all) => all.as_slice(),
        Series::Unread(_) => &[],
    });
    listed.chain(hidden.filter(|booking| booking.status == Status::Pending))
}

fn undecided(snapshot: &Snapshot, booking: &Booking) -> bool {
    match snapshot.records.get(&booking.request()) {
        None => true,
        Some(record) => {
            record.state == RequestState::Noted
                || record.bookings.iter().all(|known| known.uid != booking.uid)
        }
    }
}

fn confirms(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        matches!(step.action, Action::Send { .. }) && step.request.decision == Decision::Confirm
    })
}

fn window(bookings: &[&Booking]) -> Option<(Time, Time)> {
    let from = bookings.iter().map(|booking| booking.start).min()?;
    let to = bookings.iter().map(|booking| booking.end).max()?;
    Some((from, to))
}

/// Lists what waits, oldest request first, until enough undecided requests are in hand or the list
/// ends: bookings that are left alone must never hide newer ones behind them.
async fn pending(
    ports: &Ports<'_>,
    policy: &Policy,
    me: HostId,
    problems: &mut Vec<Problem>,
) -> Result<(Vec<Observed>, Known), PassError> {
    let mut seen: BTreeSet<BookingUid> = BTreeSet::new();
    let mut pending = Vec::new();
    let mut known = Known::default();
    let mut fresh: BTreeSet<RequestId> = BTreeSet::new();
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_PENDING_PAGES {
            problems.push(Problem {
                code: "too-many-pending",
                text: format!(
                    "more than {MAX_PENDING_PAGES} pages of bookings wait for an answer; what lies \
                     behind them is seen when these are answered"
                ),
            });
            break;
        }
        let at = (ports.clock)();
        let page = ports.calendar.list(&Select::Pending, number).await?;
        unreadable(&page.unreadable, problems);
        let new: Vec<Booking> = page
            .bookings
            .into_iter()
            .filter(|booking| seen.insert(booking.uid.clone()))
            .collect();
        if new.is_empty() && page.next.is_some() {
            problems.push(Problem {
                code: "page-repeated",
                text: format!("page {number} of the pending bookings brought nothing new"),
            });
            break;
        }
        let guarded: Vec<(RequestId, BookingUid)> = new
            .iter()
            .filter(|booking| policy.guards(me, booking).is_ok())
            .map(|booking| (booking.request(), booking.uid.clone()))
            .collect();
        let asked = guarded.clone();
        let found = ports
            .store
            .with(move |store| known::records(store, &asked))
            .await;
        known.extend(found.map_err(PassError::Store)?);
        for (request, _) in guarded {
            if !known.records.contains_key(&request) {
                fresh.insert(request);
            }
        }
        pending.extend(new.into_iter().map(|booking| Observed { booking, at }));
        next = page.next;
        if fresh.len() >= policy.limits.requests_per_pass {
            break;
        }
    }
    if pending.is_empty() {
        let empty = ports.store.with(|store| store.is_empty()).await;
        known.ledger_is_empty = empty.map_err(PassError::Store)?;
    }
    Ok((pending, known))
}

fn unreadable(rows: &[String], problems: &mut Vec<Problem>) {
    for row in rows {
        problems.push(Problem {
            code: "unreadable-booking",
            text: format!("a booking could not be read and is left alone: {row}"),
        });
    }
}

/// Open intents with what their bookings are now. Absence from a page proves nothing: what the pages
/// did not show is read by name.
async fn intents(
    ports: &Ports<'_>,
    pending: &[Observed],
    problems: &mut Vec<Problem>,
) -> Result<Vec<OpenIntent>, PassError> {
    let found = ports
        .store
        .with(|store| known::intents(store, MAX_INTENTS))
        .await;
    let now = (ports.clock)();
    let mut open = Vec::new();
    let mut reads = Vec::new();
    for intent in found.map_err(PassError::Store)? {
        // One that failed often waits its turn without costing calls.
        if intent::due(&intent.request, now) {
            reads.push(sight(ports, intent, pending).boxed());
        } else {
            open.push(intent);
        }
    }
    let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some(read) = reads.next().await {
        let (intent, problem) = read?;
        problems.extend(problem);
        open.push(intent);
    }
    for intent in &open {
        if intent.request.failures >= intent::ATTENTION {
            problems.push(Problem {
                code: "needs-attention",
                text: format!(
                    "request {} was decided ({}) and could not be finished after {} tries; see \
                     `maitred explain {}`",
                    intent.request.id,
                    intent.request.decision.as_str(),
                    intent.request.failures,
                    intent.request.id,
                ),
            });
        }
    }
    Ok(open)
}

async fn sight(
    ports: &Ports<'_>,
    mut open: OpenIntent,
    pending: &[Observed],
) -> Result<(OpenIntent, Option<Problem>), PassError> {
    open.at = (ports.clock)();
    let read = match &open.request.series {
        Some(series) => match ports.calendar.series(&series.uid()).await {
            Ok(Some(all)) => {
                known::sight_series(&mut open, all);
                return Ok((open, None));
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
        None => Ok(()),
    };
    let read = match read {
        Ok(()) => sight_each(ports, &mut open, pending).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(()) => Ok((open, None)),
        Err(error) if ends_the_pass(&error) => Err(error.into()),
        Err(error) => {
            let problem = Problem {
                code: "unread-intent",
                text: format!("request {} could not be read: {error}", open.request.id),
            };
            Ok((open, Some(problem)))
        }
    }
}

async fn sight_each(
    ports: &Ports<'_>,
    open: &mut OpenIntent,
    pending: &[Observed],
) -> Result<(), CallError> {
    for booking in &open.request.bookings {
        let listed = pending
            .iter()
            .find(|observed| observed.booking.uid == booking.uid);
        let (reading, at) = match listed {
            Some(observed) => {
                let booking = Box::new(observed.booking.clone());
                (Reading::Is(booking), observed.at)
            }
            None => {
                let at = (ports.clock)();
                (ports.calendar.get(booking).await?, at)
            }
        };
        let sight = match &reading {
            Reading::Is(booking) => Sight::for_call(booking, open.request.call, at),
            Reading::Gone => Sight::Gone,
        };
        open.at = open.at.min(at);
        open.sights.insert(booking.uid.clone(), sight);
    }
    Ok(())
}

/// Whether nothing else should be tried with this key.
pub fn ends_the_pass(error: &CallError) -> bool {
    match error {
        CallError::Credential(_) | CallError::Limited { .. } => true,
        CallError::NotYours(_)
        | CallError::TooLate
        | CallError::Unreachable(_)
        | CallError::Unknown(_)
        | CallError::Refused(_)
        | CallError::Contract(_) => false,
    }
}

/// The series of guarded pending occurrences, each read whole: what a page shows may be a part.
async fn series(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &Snapshot,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<RequestId, Series>, PassError> {
    let wanted: BTreeSet<&RequestId> = snapshot
        .pending
        .iter()
        .map(|observed| &observed.booking)
        .filter(|booking| policy.guards(snapshot.me, booking).is_ok())
        .filter(|booking| undecided(snapshot, booking))
        .filter_map(|booking| booking.series.as_ref())
        .collect();
    let mut found = BTreeMap::new();
    let mut reads = Vec::new();
    for id in wanted {
        reads.push(async move { (id, ports.calendar.series(&id.uid()).await) }.boxed());
    }
    let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some((id, read)) = reads.next().await {
        let series = match read {
            Ok(Some(all)) => Series::Whole(all),
            Ok(None) => Series::Unread("this dialect does not show series".to_owned()),
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {id} could not be read: {error}"),
                });
                Series::Unread(error.to_string())
            }
        };
        found.insert(id.clone(), series);
    }
    Ok(found)
}

/// What was decided before of occurrences that the list hides: they were named by nobody yet.
async fn hidden(ports: &Ports<'_>, snapshot: &mut Snapshot) -> Result<(), PassError> {
    let asked: Vec<(RequestId, BookingUid)> = snapshot
        .series
        .values()
        .flat_map(|series| match series {
            Series::Whole(all) => all.as_slice(),
            Series::Unread(_) => &[],
        })
        .filter(|booking| booking.status == Status::Pending)
        .map(|booking| (booking.request(), booking.uid.clone()))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let found = ports
        .store
        .with(move |store| known::records(store, &asked))
        .await;
    let found = found.map_err(PassError::Store)?;
    snapshot.records.extend(found.records);
    Ok(())
}

/// Accepted bookings in the window. When there are more pages than may be read, what lies behind
/// the last one read is not decided: an overlap there could not be seen.
async fn accepted(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
    (from, to): (Time, Time),
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let mut seen = BTreeSet::new();
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_ACCEPTED_PAGES {
            let until = snapshot.accepted.iter().map(|b| b.start).max();
            let until = until.unwrap_or(from);
            let late: BTreeSet<RequestId> = bookings(snapshot)
                .filter(|booking| booking.end > until)
                .map(Booking::request)
                .collect();
            snapshot
                .pending
                .retain(|observed| !late.contains(&observed.booking.request()));
            problems.push(Problem {
                code: "too-many-accepted",
                text: format!(
                    "more than {MAX_ACCEPTED_PAGES} pages of accepted bookings until {to}: requests \
                     that end after {until} are left for later"
                ),
            });
            break;
        }
        let page = ports
            .calendar
            .list(&Select::Upcoming { from, to }, number)
            .await?;
        let before = seen.len();
        for booking in page.bookings {
            if booking.status == Status::Accepted && seen.insert(booking.uid.clone()) {
                snapshot.accepted.push(booking);
            } else {
                seen.insert(booking.uid);
            }
        }
        next = page.next.filter(|_| seen.len() > before);
    }
    Ok(())
}

impl Session {
    /// Who the key acts as; asked once in a process.
    pub(super) async fn me(
        &mut self,
        ports: &Ports<'_>,
    ) -> Result<&crate::calcom::port::Me, PassError> {
        if self.me.is_none() {
            self.me = Some(ports.calendar.me().await?);
        }
        Ok(self.me.as_ref().expect("it was just asked"))
    }

    /// What the calendar says of the event types, asked again when the last word is old.
    pub(super) async fn event_types(
        &mut self,
        ports: &Ports<'_>,
        kinds: BTreeSet<EventTypeId>,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeMap<EventTypeId, Option<crate::domain::booking::EventType>>, PassError> {
        if kinds.is_empty() {
            return Ok(BTreeMap::new());
        }
        let now = (ports.clock)();
        let fresh = self.asked.is_some_and(|at| now - at < EVENT_TYPES_FRESH);
        if !fresh {
            self.event_types.clear();
            match ports.calendar.event_types().await {
                Ok(all) => {
                    self.asked = Some(now);
                    self.event_types
                        .extend(all.into_iter().map(|kind| (kind.id, Some(kind))));
                }
                Err(error) if ends_the_pass(&error) => return Err(error.into()),
                Err(error) => {
                    self.asked = None;
                    problems.push(unread_event_types(&error));
                    return Ok(BTreeMap::new());
                }
            }
        }
        // A team's event types are not among the user's own.
        for id in &kinds {
            if self.event_types.contains_key(id) {
                continue;
            }
            match ports.calendar.event_type(*id).await {
                Ok(kind) => {
                    self.event_types.insert(*id, kind);
                }
                Err(error) if ends_the_pass(&error) => return Err(error.into()),
                Err(error) => problems.push(unread_event_types(&error)),
            }
        }
        Ok(kinds
            .into_iter()
            .filter_map(|id| Some((id, self.event_types.get(&id)?.clone())))
            .collect())
    }
}

fn unread_event_types(error: &CallError) -> Problem {
    Problem {
        code: "unread-event-types",
        text: format!("the event types could not be read: {error}"),
    }
}
