//! Verifies the PINs that were given. That is slow by design, so it runs outside the event loop,
//! for few PINs in one pass, and once for each.

use std::collections::BTreeSet;

use super::{defer_requests, requests_to_decide};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::{PinResult, Snapshot};
use crate::domain::time::Time;
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::pin::case::{PinCase, PinCheck, PinVerification, collect_pin_cases};
use crate::reconcile::pin::hash::verify;
use crate::reconcile::pin::submitted::SubmittedPins;
use crate::reconcile::pin::wrong_pins::{
    MAX_WRONG_PER_MEMBER, MAX_WRONG_PER_ORIGIN, MAX_WRONG_TOTAL, PinLimit, WrongPins,
    build_wrong_pin_query, read_wrong_pins, record_verification,
};

/// The maximum number of PINs that one pass verifies: seconds of one core, and half of that on most
/// cores.
const MAX_TRIES: usize = 64;

/// Verifies the PINs. Returns true if more of them wait. Requests behind the first that could not
/// be verified are deferred with it, because earlier requests are served first.
pub(super) async fn check_pins(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    (snapshot, submitted_pins): (&mut Snapshot, &SubmittedPins),
    problems: &mut Vec<Problem>,
) -> Result<bool, PassError> {
    let requests = requests_to_decide(policy, snapshot);
    let candidates = requests.iter();
    let candidates =
        candidates.map(|(_, group)| (group.bookings[0], &group.id, group.oldest_created_at));
    let cases = collect_pin_cases(policy, snapshot, submitted_pins, candidates);
    if cases.is_empty() {
        return Ok(false);
    }
    let query = build_wrong_pin_query(snapshot, &cases);
    let wrong_pins = ports
        .store
        .read(move |store| read_wrong_pins(store, &query))
        .await;
    let mut wrong_pins = wrong_pins.map_err(PassError::Store)?;
    let mut tries_left = MAX_TRIES;
    let mut first_deferred: Option<(Time, &RequestId)> = None;
    let mut results = Vec::new();
    let mut exceeded_limits = BTreeSet::new();
    for case in &cases {
        let Some(result) = check_pin(ports, session, case, &mut wrong_pins, &mut tries_left).await
        else {
            first_deferred = Some((case.created, &case.request));
            break;
        };
        if let (PinResult::NotSet, PinCheck::Try(_)) = (result, &case.check) {
            problems.push(unreadable_pin_problem(case));
        }
        if result == PinResult::Locked {
            exceeded_limits.extend(wrong_pins.exceeded_limit(case));
        }
        results.push((case.booking.clone(), result));
    }
    let deferred_requests: BTreeSet<RequestId> = match first_deferred {
        Some(first) => requests
            .iter()
            .filter(|(_, group)| (group.oldest_created_at, &group.id) >= first)
            .map(|(_, group)| group.id.clone())
            .collect(),
        None => BTreeSet::new(),
    };
    let origins = cases
        .iter()
        .map(|case| (case.booking.clone(), case.origin.clone()));
    let origins: Vec<(BookingUid, String)> = origins.collect();
    snapshot.pin_origins.extend(origins);
    snapshot.pin_results.extend(results);
    problems.extend(exceeded_limits.into_iter().map(guessing_problem));
    defer_requests(snapshot, &deferred_requests);
    Ok(!deferred_requests.is_empty())
}

/// Returns the result for one PIN, or `None` if its turn does not come in this pass.
async fn check_pin(
    ports: &Ports<'_>,
    session: &mut Session,
    case: &PinCase,
    wrong_pins: &mut WrongPins,
    tries_left: &mut usize,
) -> Option<PinResult> {
    let PinVerification { hash, pin } = match &case.check {
        PinCheck::NotSet => return Some(PinResult::NotSet),
        // A PIN that was not given is not a guess.
        PinCheck::Try(_) if wrong_pins.exceeded_limit(case).is_some() => {
            return Some(PinResult::Locked);
        }
        PinCheck::Missing => return Some(PinResult::Missing),
        PinCheck::Try(verification) => verification.clone(),
    };
    if let Some(is_right) = session.pins.get(&case.booking, &hash) {
        return Some(record_verification(case, is_right, wrong_pins));
    }
    if ports.stop.is_set() {
        return None;
    }
    *tries_left = tries_left.checked_sub(1)?;
    let hash_copy = hash.clone();
    // The task ends early only together with the process.
    let is_right = tokio::task::spawn_blocking(move || verify(&hash_copy, &pin))
        .await
        .ok()?;
    session.pins.insert(&case.booking, &hash, is_right);
    Some(record_verification(case, is_right, wrong_pins))
}

/// Returns the problem that is reported once for each limit; the requests are on the list of those
/// that wait for review.
fn guessing_problem(limit: PinLimit) -> Problem {
    let limit_text = match limit {
        PinLimit::Origin => format!("{MAX_WRONG_PER_ORIGIN} for one member from one origin"),
        PinLimit::Member => format!("{MAX_WRONG_PER_MEMBER} for one member"),
        PinLimit::All => format!("{MAX_WRONG_TOTAL} for all members"),
    };
    Problem {
        code: "pin-guessing",
        text: format!(
            "more wrong PINs were given within a day than {limit_text}: further PINs are not \
             checked, and their requests wait for review (`maitred review list`)"
        ),
    }
}

fn unreadable_pin_problem(case: &PinCase) -> Problem {
    Problem {
        code: "pin-unreadable",
        text: format!(
            "the PIN of the member who asks for booking {} has a form that cannot be read; set \
             it again",
            case.booking
        ),
    }
}
