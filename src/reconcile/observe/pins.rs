//! Looking at the PINs that were given. That is slow by design: beside the loop, few in one pass,
//! and each once.

use std::collections::BTreeSet;

use super::{put_off_requests, to_decide};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::{Pin, Snapshot};
use crate::domain::time::Time;
use crate::reconcile::pin::{
    self, Case, Check, Given, MAX_OF_ALL, MAX_OF_MEMBER, MAX_WRONG, PinLimit, Try, Wrong,
};
use crate::reconcile::ports::{PassError, Ports, Session};

/// PINs that one pass looks at: seconds of one core, and half of that on most.
const MAX_TRIES: usize = 64;

/// What became of the PINs; `true` when more of them wait. Requests behind the first that could not
/// be looked at are put off with it: who asked first is served first.
pub(super) async fn pins(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    (snapshot, given): (&mut Snapshot, &Given),
    problems: &mut Vec<Problem>,
) -> Result<bool, PassError> {
    let requests = to_decide(policy, snapshot);
    let asked = requests.iter();
    let asked = asked.map(|(_, group)| (group.bookings[0], &group.id, group.created));
    let cases = pin::cases(policy, snapshot, given, asked);
    if cases.is_empty() {
        return Ok(false);
    }
    let suspects = pin::suspects(snapshot, &cases);
    let wrong = ports
        .store
        .with(move |store| pin::wrong(store, &suspects))
        .await;
    let mut wrong = wrong.map_err(PassError::Store)?;
    let mut tries_left = MAX_TRIES;
    let mut late: Option<(Time, &RequestId)> = None;
    let mut results = Vec::new();
    let mut limits = BTreeSet::new();
    for case in &cases {
        let Some(result) = look(ports, session, case, &mut wrong, &mut tries_left).await else {
            late = Some((case.created, &case.request));
            break;
        };
        if let (Pin::NotSet, Check::Try(_)) = (result, &case.check) {
            problems.push(unreadable(case));
        }
        if result == Pin::Locked {
            limits.extend(wrong.limits(case));
        }
        results.push((case.booking.clone(), result));
    }
    let late: BTreeSet<RequestId> = match late {
        Some(first) => requests
            .iter()
            .filter(|(_, group)| (group.created, &group.id) >= first)
            .map(|(_, group)| group.id.clone())
            .collect(),
        None => BTreeSet::new(),
    };
    let origins = cases
        .iter()
        .map(|case| (case.booking.clone(), case.origin.clone()));
    let origins: Vec<(BookingUid, String)> = origins.collect();
    snapshot.origins.extend(origins);
    snapshot.pins.extend(results);
    problems.extend(limits.into_iter().map(guessing));
    put_off_requests(snapshot, &late);
    Ok(!late.is_empty())
}

/// What became of one; `None` when its turn does not come in this pass.
async fn look(
    ports: &Ports<'_>,
    session: &mut Session,
    case: &Case,
    wrong: &mut Wrong,
    tries_left: &mut usize,
) -> Option<Pin> {
    let Try { hash, pin } = match &case.check {
        Check::NotSet => return Some(Pin::NotSet),
        // What was not given is no guess.
        Check::Try(_) if wrong.limits(case).is_some() => return Some(Pin::Locked),
        Check::Missing => return Some(Pin::Missing),
        Check::Try(one) => one.clone(),
    };
    if let Some(right) = session.pins.get(&case.booking, &hash) {
        return Some(pin::result(case, right, wrong));
    }
    if ports.stop.is_set() {
        return None;
    }
    *tries_left = tries_left.checked_sub(1)?;
    let known = hash.clone();
    // It ends early only together with the process.
    let right = tokio::task::spawn_blocking(move || pin::verify(&known, &pin))
        .await
        .ok()?;
    session.pins.keep(&case.booking, &hash, right);
    Some(pin::result(case, right, wrong))
}

/// Told once for each limit; the requests are on the list of those that wait for review.
fn guessing(limit: PinLimit) -> Problem {
    let whose = match limit {
        PinLimit::Origin => format!("{MAX_WRONG} for one member from one origin"),
        PinLimit::Member => format!("{MAX_OF_MEMBER} for one member"),
        PinLimit::All => format!("{MAX_OF_ALL} for all members"),
    };
    Problem {
        code: "pin-guessing",
        text: format!(
            "more wrong PINs were given within a day than {whose}: further ones are not looked at, \
             and their requests wait for review (`maitred review list`)"
        ),
    }
}

fn unreadable(case: &Case) -> Problem {
    Problem {
        code: "pin-unreadable",
        text: format!(
            "the PIN of the member who asks for booking {} is kept in a form that cannot be read; \
             set it anew",
            case.booking
        ),
    }
}
