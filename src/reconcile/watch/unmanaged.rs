//! Bookings without a charge among what was seen: those that others accepted, and requests that
//! ended while they waited.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::look::Seen;
use super::settle::request_of;
use super::{Change, Watched};
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, Payment, Reading, Status};
use crate::domain::criteria::house::House;
use crate::domain::decision::{Code, Decision, Outcome, Reason};
use crate::domain::fact::Fact;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{EventTypeId, HostId};
use crate::domain::plan::Problem;
use crate::domain::request::{CallKind, CallNote, Request, RequestState};
use crate::domain::terms::Unmanaged;
use crate::domain::text;
use crate::domain::time::Time;
use crate::domain::watch::What;
use crate::domain::watch::unmanaged::{ended, noted, settled, takes};
use crate::reconcile::chain::Before;
use crate::reconcile::observe::ends_the_pass;
use crate::reconcile::pin;
use crate::reconcile::ports::{PassError, Ports, Session};
use crate::store::port::{CommitError, Expected, Store, StoreError};

/// Unmanaged bookings named one by one in a report; of the others the number is told.
const MAX_NAMED: usize = 20;

/// What is to be done about one booking.
enum Todo {
    Nothing,
    Report(String),
    Charged {
        text: String,
        problem: Option<String>,
    },
    Closed(String),
    Cancel,
}

pub(super) async fn unmanaged(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    me: HostId,
    seen: &Seen,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let ours: Vec<(Cow<'_, Booking>, &Gate)> = seen
        .bookings()
        .filter_map(|booking| Some((booking, policy.guards(me, booking).ok()?)))
        .map(|(booking, gate)| (without_pin(policy, gate, booking), gate))
        .collect();
    let accepted = ours
        .iter()
        .filter(|(booking, _)| booking.status == Status::Accepted);
    let kinds: BTreeSet<EventTypeId> = accepted
        .filter_map(|(booking, _)| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let kinds = if kinds.is_empty() {
        Default::default()
    } else {
        session
            .event_types(ports, kinds, &mut watched.problems)
            .await?
    };
    let house = Arc::new(policy.house.clone());
    let mut cancels = policy.limits.declines_per_pass;
    let mut reports = Vec::new();
    for (booking, gate) in ours {
        if watched.stops(ports) {
            break;
        }
        let booking = booking.as_ref();
        let kind = booking.event_type.as_ref().map(|kind| kind.id);
        let kind = kind.and_then(|id| kinds.get(&id)?.as_ref());
        // Credits and payment do not mix, and every attendee of seats is a booker of his own.
        let free = kind.is_some_and(|kind| kind.price == 0 && !kind.seated);
        if booking.status == Status::Accepted && (!free || booking.payment == Payment::Unpaid) {
            continue;
        }
        if booking.status == Status::Accepted
            && gate.terms.unmanaged != Unmanaged::Report
            && let Some(from) = &booking.rescheduled_from
        {
            let before = tokio::select! {
                biased;
                () = ports.stop.told() => break,
                before = session.charge_before(ports, from, &mut watched.problems) => before?,
            };
            match before {
                Before::Nothing => {}
                // Had one of all the charges led here, it would have moved just now.
                Before::Hidden if watched.audit && seen.is_whole() => {}
                Before::Hidden if watched.audit => {
                    reports.push(format!(
                        "booking {} was accepted by others, and whether it was paid for under another \
                         name cannot be told: not every charge could be followed",
                        booking.uid
                    ));
                    continue;
                }
                // It was paid for under another name, or may have been: the charge moves first.
                Before::Open(..) | Before::Undecided | Before::Hidden | Before::Unread => continue,
            }
        }
        let (now, one, of) = ((ports.clock)(), booking.clone(), gate.clone());
        let (hash, house) = (policy.hash.clone(), Arc::clone(&house));
        let todo = ports
            .store
            .with(move |store| look(store, &one, (&of, &house), &hash, now))
            .await?;
        match todo {
            Todo::Nothing => {}
            Todo::Report(text) => reports.push(text),
            Todo::Charged { text, problem } => {
                watched.problems.extend(problem.map(report));
                change(watched, booking, What::Charged, text);
            }
            Todo::Closed(text) => change(watched, booking, What::Closed, text),
            Todo::Cancel if cancels == 0 => reports.push(format!(
                "booking {} is to be cancelled by a later watch (limits.declines-per-pass)",
                booking.uid
            )),
            Todo::Cancel => {
                cancels -= 1;
                cancel(ports, policy, booking, gate, watched).await?;
            }
        }
    }
    let more = reports.len().saturating_sub(MAX_NAMED);
    watched
        .problems
        .extend(reports.into_iter().take(MAX_NAMED).map(report));
    if more > 0 {
        watched
            .problems
            .push(report(format!("and {more} more such bookings")));
    }
    Ok(())
}

/// The booking as it may be written down: a PIN given with it is nobody's business.
fn without_pin<'a>(policy: &Policy, gate: &Gate, booking: &'a Booking) -> Cow<'a, Booking> {
    if gate.criteria.pin.is_none() {
        return Cow::Borrowed(booking);
    }
    let mut booking = booking.clone();
    pin::take(policy, &mut booking);
    Cow::Owned(booking)
}

fn report(text: String) -> Problem {
    Problem {
        code: "unmanaged",
        text,
    }
}

fn change(watched: &mut Watched, booking: &Booking, what: What, text: String) {
    watched.record(Change {
        booking: booking.uid.clone(),
        account: None,
        what,
        text,
    });
}

fn look(
    store: &mut dyn Store,
    booking: &Booking,
    (gate, house): (&Gate, &House),
    policy: &str,
    now: Time,
) -> Result<Todo, PassError> {
    let charge = store.charge(&booking.uid).map_err(PassError::Store)?;
    if charge.is_some() {
        return Ok(Todo::Nothing);
    }
    let record = request_of(store, &booking.uid).map_err(PassError::Store)?;
    let state = record.as_ref().map(|record| record.state);
    match (&booking.status, state) {
        (_, Some(RequestState::Recorded)) => Ok(Todo::Nothing),
        (Status::Accepted, Some(RequestState::Settled { outcome, .. })) => {
            Ok(settled_before(booking, outcome))
        }
        (Status::Accepted, Some(RequestState::Noted) | None) => accepted(
            store,
            booking,
            (gate, house),
            record.as_ref(),
            (now, policy),
        ),
        (Status::Pending, Some(RequestState::Noted)) if booking.end <= now => {
            close(store, record, "it ended undecided", now)
        }
        (Status::Cancelled, Some(RequestState::Noted)) => {
            close(store, record, "it was cancelled before it was decided", now)
        }
        (Status::Rejected, Some(RequestState::Noted)) => {
            close(store, record, "it was declined at Cal.com", now)
        }
        (
            Status::Pending
            | Status::Cancelled
            | Status::Rejected
            | Status::AwaitingHost
            | Status::Other(_),
            _,
        ) => Ok(Todo::Nothing),
    }
}

/// One that maitred confirmed without holding anything has its charge elsewhere, or cost nothing.
fn settled_before(booking: &Booking, outcome: Outcome) -> Todo {
    match outcome {
        Outcome::Confirmed => Todo::Nothing,
        Outcome::Declined | Outcome::Superseded => Todo::Report(format!(
            "booking {} is accepted and nobody is charged: it was decided before ({}) and accepted \
             by others after that",
            booking.uid,
            outcome.as_str()
        )),
    }
}

fn close(
    store: &mut dyn Store,
    record: Option<Request>,
    why: &str,
    now: Time,
) -> Result<Todo, PassError> {
    // A series is one request: it is closed by its last occurrence.
    let Some(record) = record.filter(|record| record.bookings.len() == 1) else {
        return Ok(Todo::Nothing);
    };
    let reason = Reason {
        code: Code::Over,
        text: why.to_owned(),
    };
    let facts = ended(&record, reason);
    store.commit(now, facts, &[]).map_err(PassError::Commit)?;
    Ok(Todo::Closed(why.to_owned()))
}

fn accepted(
    store: &mut dyn Store,
    booking: &Booking,
    (gate, house): (&Gate, &House),
    record: Option<&Request>,
    stamp: (Time, &str),
) -> Result<Todo, PassError> {
    let terms = &gate.terms;
    if terms
        .unmanaged_since
        .is_some_and(|since| booking.created < since)
    {
        return Ok(Todo::Nothing);
    }
    let what = if booking.rescheduled_to.is_some() {
        // Accepted again after it was moved: which of the two is meant, only people know.
        Unmanaged::Report
    } else {
        terms.unmanaged
    };
    let by_others = format!(
        "booking {} was accepted by others and nobody is charged",
        booking.uid
    );
    // Whether it was paid for is not known: the ledger did not exist.
    let ledger = store.ledger_state().map_err(PassError::Store)?;
    if what != Unmanaged::Report && ledger.predates(booking.created) {
        return Ok(Todo::Report(format!(
            "{by_others}: it was made before the ledger began, so it is only reported"
        )));
    }
    match what {
        Unmanaged::Report => Ok(Todo::Report(by_others)),
        Unmanaged::Cancel if booking.end > stamp.0 => Ok(Todo::Cancel),
        Unmanaged::Cancel => Ok(Todo::Report(by_others)),
        Unmanaged::Charge => match charge(store, booking, (gate, house), record, stamp)? {
            Some(todo) => Ok(todo),
            None => Ok(Todo::Report(format!("{by_others}: there is no account"))),
        },
    }
}

/// Takes what there is, never more.
fn charge(
    store: &mut dyn Store,
    booking: &Booking,
    (gate, house): (&Gate, &House),
    record: Option<&Request>,
    (now, policy): (Time, &str),
) -> Result<Option<Todo>, PassError> {
    let Some(account) = account(store, house, booking).map_err(PassError::Store)? else {
        return Ok(None);
    };
    let cost = gate.price(house, booking, account.tier.as_deref(), 1);
    let credits = cost.min(account.available(now));
    let (parts, mut facts) = takes(&account, credits, now).expect("no more than is available");
    let why = "accepted by others, charged as it would have been";
    facts.extend(settled(
        booking,
        gate,
        cost,
        (&account, parts),
        (Code::Unmanaged, why),
        record,
        (now, policy),
    ));
    let expected = [Expected {
        account: account.id.clone(),
        version: Some(account.version),
    }];
    store
        .commit(now, facts, &expected)
        .map_err(PassError::Commit)?;
    let missing = cost - credits;
    Ok(Some(Todo::Charged {
        text: format!("accepted by others: {} charged", text::credits(credits)),
        problem: (missing > 0).then(|| {
            format!(
                "booking {} was accepted by others; {} are missing for it",
                booking.uid,
                text::credits(missing)
            )
        }),
    }))
}

fn account(
    store: &dyn Store,
    house: &House,
    booking: &Booking,
) -> Result<Option<crate::domain::account::Account>, StoreError> {
    let Some(booker) = &booking.booker else {
        return Ok(None);
    };
    match store.resolve(&house.address_of(&booker.address))? {
        Some(id) => store.account(&id),
        None => Ok(None),
    }
}

/// Written down, seen accepted, cancelled, settled; what stays unknown the next pass finishes.
async fn cancel(
    ports: &Ports<'_>,
    policy: &Policy,
    booking: &Booking,
    gate: &Gate,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let now = (ports.clock)();
    let mut request = noted(booking, gate, gate.cost, None, (now, &policy.hash));
    request.decision = Decision::Decline;
    request.call = Some(CallKind::Cancel);
    request.state = RequestState::Recorded;
    request.reasons = vec![Reason {
        code: Code::Unmanaged,
        text: text::unmanaged(),
    }];
    request.text = Some(text::unmanaged());
    let id = request.id.clone();
    let intent = vec![Fact::Decided {
        request: request.into(),
    }];
    write(ports, intent).await?;
    let reference = booking.reference();
    let at = (ports.clock)();
    let deadline = at + policy.limits.max_observation_age;
    let done = match ports.calendar.get(&reference).await {
        Ok(Reading::Is(now)) if now.status == Status::Accepted => {
            let told = text::unmanaged();
            ports.calendar.cancel(&reference, &told, deadline).await
        }
        Ok(reading) => Ok(Some(reading)),
        Err(error) => Err(error),
    };
    let cancelled = matches!(&done, Ok(Some(Reading::Is(now))) if now.status == Status::Cancelled);
    let mut facts = vec![Fact::Called {
        request: id.clone(),
        call: CallNote {
            at,
            booking: booking.uid.clone(),
            kind: CallKind::Cancel,
            answered: cancelled,
            text: match &done {
                Ok(_) if cancelled => "cancelled".to_owned(),
                Ok(_) => "it is not known yet what it is now".to_owned(),
                Err(error) => error.to_string(),
            },
        },
    }];
    if cancelled {
        facts.push(Fact::Settled {
            request: id,
            outcome: Outcome::Declined,
        });
        change(
            watched,
            booking,
            What::Cancelled,
            "accepted by others".to_owned(),
        );
    }
    write(ports, facts).await?;
    match done {
        Err(error) if ends_the_pass(&error) => Err(error.into()),
        Err(CallError::Unreachable(text)) => Err(CallError::Unreachable(text).into()),
        Err(_) | Ok(_) => Ok(()),
    }
}

async fn write(ports: &Ports<'_>, facts: Vec<Fact>) -> Result<(), PassError> {
    let at = (ports.clock)();
    let written: Result<_, CommitError> = ports
        .store
        .with(move |store| store.commit(at, facts, &[]))
        .await;
    written.map(|_| ()).map_err(PassError::Commit)
}
