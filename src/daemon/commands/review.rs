//! Lists requests that wait for an operator's decision, and records the decision. It is only
//! recorded here: the next pass applies it, through the same intents and holds as any other
//! decision.

use super::{decisions, parse, review_obstacles};
use crate::control::protocol::review::{
    NotedRequestView, ReviewAnswer as Asked, ReviewCommand, ReviewResultView, ReviewsView,
};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::decision::{Decision, DecisionOutcome};
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::{OperatorDecision, Request, RequestState};
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError};
use crate::store::transaction::{Stamp, transact};

/// Most requests in one answer.
const MAX_REQUESTS: u32 = 10_000;

/// Noted requests read in one page, before they are filtered.
const PAGE: usize = 256;

/// The reason that is stored for a confirmation without a reason.
const DEFAULT_CONFIRM_REASON: &str = "an operator said to confirm it";

/// The reason that the booker receives for a decline without a reason.
const DEFAULT_DECLINE_REASON: &str = "Your request was declined by the host.";

/// Who acts on the decision when no daemon runs.
const NEXT_RUN: &str = "next-run";

/// Lists the noted requests that wait for an operator, or all of them, from the first, or after the
/// place that an earlier answer named.
pub fn list(
    store: &dyn Store,
    now: Time,
    all: bool,
    limit: u32,
    after: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let limit = usize::try_from(limit.clamp(1, MAX_REQUESTS)).unwrap_or(usize::MAX);
    let failed = |e: StoreError| parse::store_failed(&e);
    let after = match after {
        Some(place) => parse::timed_place(place)?,
        None => (now, last_request_id()),
    };
    let mut found = noted_requests(store, now, all, limit + 1, after).map_err(failed)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let requests = found
        .iter()
        .map(|request| noted_request_view(store, now, request));
    let requests: Result<Vec<NotedRequestView>, StoreError> = requests.collect();
    Ok(CommandResult::Reviews(ReviewsView {
        schema: SCHEMA,
        requests: requests.map_err(failed)?,
        more,
        next: found
            .last()
            .filter(|_| more)
            .map(|last| format!("{}/{}", views::format_time(last.end), last.id)),
    }))
}

/// Returns at most `limit` requests that wait for an operator's decision.
///
/// # Errors
/// Fails when the requests cannot be read.
pub fn requests_in_review(
    store: &dyn Store,
    now: Time,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    noted_requests(store, now, false, limit, (now, last_request_id()))
}

/// Returns at most `limit` noted requests, whatever they wait for.
///
/// # Errors
/// Fails when the requests cannot be read.
pub(super) fn all_noted_requests(
    store: &dyn Store,
    now: Time,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    noted_requests(store, now, true, limit, (now, last_request_id()))
}

/// Returns noted requests in the order in which their bookings end, after this place: those in
/// review, or all. Requests whose booking has begun are left out, because they can no longer be
/// decided.
fn noted_requests(
    store: &dyn Store,
    now: Time,
    all: bool,
    limit: usize,
    mut after: (Time, RequestId),
) -> Result<Vec<Request>, StoreError> {
    let is_listed = |request: &Request| {
        request.start > now && (all || matches!(request.decision, Decision::Review))
    };
    let mut requests: Vec<Request> = Vec::new();
    while requests.len() < limit {
        let page = store.open_notes(Some(&after), PAGE)?;
        let Some(last) = page.last() else { break };
        after = (last.end, last.id.clone());
        requests.extend(page.into_iter().filter(is_listed));
    }
    requests.truncate(limit);
    Ok(requests)
}

/// Returns an identifier that sorts after every other identifier that ends at the same instant.
fn last_request_id() -> RequestId {
    RequestId::parse("~").expect("it is a name")
}

fn noted_request_view(
    store: &dyn Store,
    now: Time,
    request: &Request,
) -> Result<NotedRequestView, StoreError> {
    let account = match &request.account {
        Some(id) => store.account(id)?,
        None => None,
    };
    Ok(views::noted_request(request, account.as_ref(), now))
}

/// Records the operator's decision, unless it is recorded already.
pub fn record_review(
    store: &mut dyn Store,
    policy: &Policy,
    stamp: impl Into<Stamp>,
    command: &ReviewCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let uid = BookingUid::parse(command.booking.trim())
        .map_err(|why| parse::usage(format!("the booking {:?} {why}", command.booking)))?;
    let verdict = match command.decision {
        Asked::Confirm => OperatorDecision::Confirm,
        Asked::Decline => OperatorDecision::Decline,
    };
    let reason = reason(command.reason.as_deref(), verdict)?;
    let given_reason = command.reason.is_some().then_some(&reason);
    let ((request, existed), _) = transact(store, &stamp, |store| {
        let request = decisions::find_request(store, &uid)?;
        if is_already_recorded(&request, verdict, given_reason) {
            return Ok((Vec::new(), (request, true)));
        }
        check_is_undecided(&request, now)?;
        let fact = Fact::Request(RequestFact::Reviewed {
            request: request.id.clone(),
            decision: verdict,
            reason: reason.clone(),
        });
        Ok::<_, Refusal>((vec![fact], (request, false)))
    })?;
    if existed {
        return review_result(store, policy, now, &request, true);
    }
    tracing::info!(request = %request.id, verdict = verdict.as_str(), "an operator spoke");
    let written = decisions::find_request(store, &uid)?;
    review_result(store, policy, now, &written, false)
}

fn reason(text: Option<&str>, verdict: OperatorDecision) -> Result<String, Refusal> {
    let default = match verdict {
        OperatorDecision::Confirm => DEFAULT_CONFIRM_REASON,
        OperatorDecision::Decline => DEFAULT_DECLINE_REASON,
    };
    let reason = parse::reason(text, default)?;
    if reason.is_empty() {
        return Err(parse::usage(
            "the reason is empty; omit --reason, or give a reason",
        ));
    }
    Ok(reason)
}

/// Returns true when the request already has this operator decision and is still undecided or was
/// decided accordingly.
fn is_already_recorded(
    request: &Request,
    verdict: OperatorDecision,
    reason: Option<&String>,
) -> bool {
    let same = request.review.as_ref().is_some_and(|said| {
        said.decision == verdict && reason.is_none_or(|reason| said.reason == *reason)
    });
    let follows = match request.state {
        RequestState::Noted => true,
        RequestState::Recorded => matches!(
            (verdict, request.decision),
            (OperatorDecision::Confirm, Decision::Confirm)
                | (OperatorDecision::Decline, Decision::Decline)
        ),
        RequestState::Settled { outcome, .. } => matches!(
            (verdict, outcome),
            (OperatorDecision::Confirm, DecisionOutcome::Confirmed)
                | (OperatorDecision::Decline, DecisionOutcome::Declined)
        ),
    };
    same && follows
}

/// Refuses an operator decision about a request that is already decided, or whose booking has
/// begun.
fn check_is_undecided(request: &Request, now: Time) -> Result<(), Refusal> {
    let id = &request.id;
    match request.state {
        RequestState::Noted if request.start > now => Ok(()),
        RequestState::Noted => Err(parse::refusal(
            "already-started",
            format!(
                "request {id} began at {}, so it is no longer decided",
                views::format_time(request.start)
            ),
        )),
        RequestState::Recorded => Err(parse::refusal(
            "already-decided",
            format!(
                "request {id} is decided already ({}) and is being carried out; `maitred explain \
                 {id}` shows the progress",
                request.decision.as_str()
            ),
        )),
        RequestState::Settled { outcome, at } => Err(parse::refusal(
            "already-decided",
            format!(
                "request {id} was decided already: {} at {}; make further changes at Cal.com",
                outcome.as_str(),
                views::format_time(at)
            ),
        )),
    }
}

fn review_result(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    request: &Request,
    existed: bool,
) -> Result<CommandResult, Refusal> {
    Ok(CommandResult::ReviewResult(ReviewResultView {
        schema: SCHEMA,
        request: noted_request_view(store, now, request).map_err(|e| parse::store_failed(&e))?,
        already_recorded: existed,
        obstacles: review_obstacles::find_obstacles(store, policy, now, request)?,
        acted_on_by: NEXT_RUN.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{
        commit_facts, noted_request, now, policy, record_decision, store_with_credits,
    };
    use super::*;
    use crate::domain::request::CallKind;
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    fn review_command(verdict: Asked, reason: Option<&str>) -> ReviewCommand {
        ReviewCommand {
            booking: "a".to_owned(),
            decision: verdict,
            reason: reason.map(str::to_owned),
        }
    }

    /// Builds a store with the request `a` decided as given, after an earlier operator decision if
    /// there is one.
    fn store_with(
        request: Request,
        earlier_review: Option<OperatorDecision>,
        outcome: Option<DecisionOutcome>,
    ) -> MemoryStore {
        let mut store = store_with_credits(3);
        if let Some(verdict) = earlier_review {
            record_decision(&mut store, noted_request("a"));
            let fact = Fact::Request(RequestFact::Reviewed {
                request: request.id.clone(),
                decision: verdict,
                reason: "said before".to_owned(),
            });
            commit_facts(&mut store, vec![fact]);
        }
        let id = request.id.clone();
        if earlier_review.is_none() || request.state != RequestState::Noted {
            record_decision(&mut store, request);
        }
        if let Some(outcome) = outcome {
            let settled = Fact::Request(RequestFact::IntentSettled {
                request: id,
                outcome,
            });
            commit_facts(&mut store, vec![settled]);
        }
        store
    }

    fn started_request() -> Request {
        Request {
            start: now(),
            ..noted_request("a")
        }
    }

    fn declined_request() -> Request {
        Request {
            decision: Decision::Decline,
            call: Some(CallKind::Decline),
            state: RequestState::Recorded,
            ..noted_request("a")
        }
    }

    #[test]
    fn a_review_is_recorded_once_and_refused_when_too_late() {
        use Asked::{Confirm, Decline};
        type ReviewTestCase = (
            MemoryStore,
            ReviewCommand,
            Result<(bool, &'static str), &'static str>,
        );
        let noted = || noted_request("a");
        let reviewed_store = |verdict| store_with(noted(), Some(verdict), None);
        let rows: Vec<ReviewTestCase> = vec![
            (
                store_with(noted(), None, None),
                review_command(Confirm, None),
                Ok((false, DEFAULT_CONFIRM_REASON)),
            ),
            (
                store_with(noted(), None, None),
                review_command(Decline, None),
                Ok((false, DEFAULT_DECLINE_REASON)),
            ),
            (
                store_with(noted(), None, None),
                review_command(Decline, Some(" no ")),
                Ok((false, "no")),
            ),
            (
                reviewed_store(OperatorDecision::Confirm),
                review_command(Confirm, None),
                Ok((true, "said before")),
            ),
            (
                reviewed_store(OperatorDecision::Confirm),
                review_command(Confirm, Some("said before")),
                Ok((true, "said before")),
            ),
            (
                reviewed_store(OperatorDecision::Confirm),
                review_command(Confirm, Some("other")),
                Ok((false, "other")),
            ),
            (
                reviewed_store(OperatorDecision::Confirm),
                review_command(Decline, None),
                Ok((false, DEFAULT_DECLINE_REASON)),
            ),
            (
                store_with(started_request(), None, None),
                review_command(Confirm, None),
                Err("already-started"),
            ),
            (
                store_with(declined_request(), None, None),
                review_command(Decline, None),
                Err("already-decided"),
            ),
            (
                store_with(declined_request(), Some(OperatorDecision::Decline), None),
                review_command(Decline, None),
                Ok((true, "said before")),
            ),
            (
                store_with(declined_request(), Some(OperatorDecision::Decline), None),
                review_command(Confirm, None),
                Err("already-decided"),
            ),
            (
                store_with(
                    declined_request(),
                    Some(OperatorDecision::Decline),
                    Some(DecisionOutcome::Declined),
                ),
                review_command(Decline, None),
                Ok((true, "said before")),
            ),
            (
                store_with(
                    declined_request(),
                    Some(OperatorDecision::Decline),
                    Some(DecisionOutcome::Superseded),
                ),
                review_command(Decline, None),
                Err("already-decided"),
            ),
            (
                store_with_credits(1),
                review_command(Confirm, None),
                Err("not-found"),
            ),
            (
                store_with(noted(), None, None),
                review_command(Decline, Some(" ")),
                Err("usage"),
            ),
            (
                store_with(noted(), None, None),
                review_command(Decline, Some("a\nb")),
                Err("usage"),
            ),
        ];
        for (number, (mut store, asked, expect)) in rows.into_iter().enumerate() {
            let before = store.head().seq;
            let got = record_review(&mut store, &policy(), now(), &asked);
            let written = store.head().seq - before;
            match (got, expect) {
                (Ok(CommandResult::ReviewResult(view)), Ok((existed, reason))) => {
                    assert_eq!(view.already_recorded, existed, "row {number}");
                    assert_eq!(written, u64::from(!existed), "row {number}");
                    let review = view.request.review.expect("it stands");
                    assert_eq!(review.reason, reason, "row {number}");
                }
                (Err(refusal), Err(code)) => {
                    assert_eq!(refusal.code, code, "row {number}: {refusal}");
                    assert_eq!(written, 0, "row {number}");
                }
                (got, expect) => panic!("row {number}: {got:?} is not {expect:?}"),
            }
        }
    }

    #[test]
    fn a_series_is_reviewed_by_the_uid_of_any_of_its_bookings() {
        let mut store = store_with_credits(9);
        let second = noted_request("a2").bookings;
        let mut series = noted_request("a1");
        series.bookings.extend(second);
        series.id = RequestId::parse("series").expect("a name");
        series.series = Some(series.id.clone());
        record_decision(&mut store, series);
        for (name, existed) in [("a2", false), ("series", true), ("a1", true)] {
            let command = ReviewCommand {
                booking: name.to_owned(),
                ..review_command(Asked::Confirm, None)
            };
            let result = record_review(&mut store, &policy(), now(), &command);
            let Ok(CommandResult::ReviewResult(view)) = result else {
                panic!("{name} is known");
            };
            assert_eq!(view.request.step.request, "series");
            assert_eq!(view.already_recorded, existed, "{name}");
        }
    }

    #[test]
    fn open_reviews_are_listed_by_end_and_started_requests_are_not() {
        let mut store = store_with_credits(3);
        for (name, hours, decision) in [
            ("late", 48, Decision::Review),
            ("soon", 2, Decision::Review),
            ("over", -2, Decision::Review),
            ("wait", 3, Decision::Wait { until: None }),
            ("left", 4, Decision::Leave),
        ] {
            let start = now() + Span::hours(hours);
            let request = Request {
                start,
                end: start + Span::hours(3),
                decision,
                ..noted_request(name)
            };
            record_decision(&mut store, request);
        }
        let rows: [(bool, u32, &[&str], bool); 4] = [
            (false, 9, &["soon", "late"], false),
            (false, 1, &["soon"], true),
            (true, 9, &["soon", "wait", "left", "late"], false),
            (true, 4, &["soon", "wait", "left", "late"], false),
        ];
        for (all, limit, expect, more) in rows {
            let Ok(CommandResult::Reviews(view)) = list(&store, now(), all, limit, None) else {
                panic!("a list");
            };
            let names = view.requests.iter().map(|one| one.step.request.as_str());
            assert_eq!(names.collect::<Vec<_>>(), expect, "{all} {limit}");
            assert_eq!(view.more, more, "{all} {limit}");
            assert!(view.requests.iter().all(|one| one.available == Some(3)));
            assert_eq!(view.next.is_some(), more, "{all} {limit}");
            if let Some(next) = view.next {
                let rest = list(&store, now(), all, 9, Some(&next));
                let Ok(CommandResult::Reviews(rest)) = rest else {
                    panic!("a list");
                };
                let names = rest.requests.iter().map(|one| one.step.request.as_str());
                assert_eq!(names.collect::<Vec<_>>(), ["late"]);
            }
        }
    }
}
