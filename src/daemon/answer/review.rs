//! Requests that wait for an operator's word, and his word. It is only written down here: the next
//! pass decides by it, through the same intents and holds as everything else.

use super::{decisions, parse};
use crate::control::protocol::review::{
    Review, ReviewedView, ReviewsView, Verdict as Asked, WaitingView,
};
use crate::control::protocol::{Answer, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::decision::{Decision, Outcome};
use crate::domain::fact::Fact;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::{Request, RequestState, Verdict};
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError};

/// Requests in one answer.
const MAX_REQUESTS: u32 = 10_000;

/// Notes read at once on the way to those that are asked for.
const PAGE: usize = 256;

/// What is kept with a confirmation for which no reason was given.
const CONFIRMED: &str = "an operator said to confirm it";

/// What the booker is told with a decline for which no reason was given.
const DECLINED: &str = "Your request was declined by the host.";

/// Who acts on a word when no daemon runs.
const NEXT_RUN: &str = "next-run";

/// Notes that wait for an operator, or all of them.
pub fn list(store: &dyn Store, now: Time, all: bool, limit: u32) -> Result<Answer, Refusal> {
    let limit = usize::try_from(limit.clamp(1, MAX_REQUESTS)).unwrap_or(usize::MAX);
    let failed = |e: StoreError| parse::store_failed(&e);
    let mut found = notes(store, now, all, limit + 1).map_err(failed)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let requests = found.iter().map(|request| waiting(store, now, request));
    let requests: Result<Vec<WaitingView>, StoreError> = requests.collect();
    Ok(Answer::Reviews(ReviewsView {
        schema: SCHEMA,
        requests: requests.map_err(failed)?,
        more,
    }))
}

/// Requests that wait for an operator's word, at most so many.
///
/// # Errors
/// When they cannot be read.
pub fn waiting_for_word(
    store: &dyn Store,
    now: Time,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    notes(store, now, false, limit)
}

/// Notes in order of their end. Those that have begun are nobody's any more.
fn notes(
    store: &dyn Store,
    now: Time,
    all: bool,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    let waits = |request: &Request| {
        request.start > now && (all || matches!(request.decision, Decision::Review))
    };
    let mut found: Vec<Request> = Vec::new();
    let mut after = (now, last_name());
    while found.len() < limit {
        let page = store.open_notes(Some(&after), PAGE)?;
        let Some(last) = page.last() else { break };
        after = (last.end, last.id.clone());
        found.extend(page.into_iter().filter(waits));
    }
    found.truncate(limit);
    Ok(found)
}

/// Behind every other name that ends at the same instant.
fn last_name() -> RequestId {
    RequestId::parse("~").expect("it is a name")
}

fn waiting(store: &dyn Store, now: Time, request: &Request) -> Result<WaitingView, StoreError> {
    let account = match &request.account {
        Some(id) => store.account(id)?,
        None => None,
    };
    Ok(views::waiting(request, account.as_ref(), now))
}

/// Writes the word down, unless it was said before.
pub fn say(store: &mut dyn Store, now: Time, asked: &Review) -> Result<Answer, Refusal> {
    let uid = BookingUid::parse(asked.booking.trim())
        .map_err(|why| parse::usage(format!("the booking {:?} {why}", asked.booking)))?;
    let verdict = match asked.verdict {
        Asked::Confirm => Verdict::Confirm,
        Asked::Decline => Verdict::Decline,
    };
    let reason = reason(asked.reason.as_deref(), verdict)?;
    let request = decisions::find(store, &uid)?;
    if was_said(&request, verdict, asked.reason.is_some().then_some(&reason)) {
        return answer(store, now, &request, true);
    }
    undecided(&request, now)?;
    let fact = Fact::Reviewed {
        request: request.id.clone(),
        verdict,
        reason,
    };
    store
        .commit(now, vec![fact], &[])
        .map_err(|e| parse::commit_failed(&e))?;
    tracing::info!(request = %request.id, verdict = verdict.as_str(), "an operator spoke");
    let written = decisions::find(store, &uid)?;
    answer(store, now, &written, false)
}

fn reason(text: Option<&str>, verdict: Verdict) -> Result<String, Refusal> {
    let default = match verdict {
        Verdict::Confirm => CONFIRMED,
        Verdict::Decline => DECLINED,
    };
    let reason = parse::reason(text, default)?;
    if reason.is_empty() {
        return Err(parse::usage(
            "the reason is empty; leave --reason out, or say why",
        ));
    }
    Ok(reason)
}

/// Whether the request stands, or was decided, by this very word.
fn was_said(request: &Request, verdict: Verdict, reason: Option<&String>) -> bool {
    let same = request.review.as_ref().is_some_and(|said| {
        said.verdict == verdict && reason.is_none_or(|reason| said.reason == *reason)
    });
    let follows = match request.state {
        RequestState::Noted => true,
        RequestState::Recorded => matches!(
            (verdict, request.decision),
            (Verdict::Confirm, Decision::Confirm) | (Verdict::Decline, Decision::Decline)
        ),
        RequestState::Settled { outcome, .. } => matches!(
            (verdict, outcome),
            (Verdict::Confirm, Outcome::Confirmed) | (Verdict::Decline, Outcome::Declined)
        ),
    };
    same && follows
}

/// A word comes too late for what was decided, or has begun.
fn undecided(request: &Request, now: Time) -> Result<(), Refusal> {
    let id = &request.id;
    match request.state {
        RequestState::Noted if request.start > now => Ok(()),
        RequestState::Noted => Err(parse::refused(
            "begun",
            format!(
                "request {id} began at {}, so nothing is decided of it any more",
                views::time(request.start)
            ),
        )),
        RequestState::Recorded => Err(parse::refused(
            "decided",
            format!(
                "request {id} is decided already ({}) and being carried out; `maitred explain {id}` \
                 tells how far it is",
                request.decision.as_str()
            ),
        )),
        RequestState::Settled { outcome, at } => Err(parse::refused(
            "decided",
            format!(
                "request {id} was decided already: {} at {}; what comes after that is done at \
                 Cal.com",
                outcome.as_str(),
                views::time(at)
            ),
        )),
    }
}

fn answer(
    store: &dyn Store,
    now: Time,
    request: &Request,
    existed: bool,
) -> Result<Answer, Refusal> {
    Ok(Answer::Reviewed(ReviewedView {
        schema: SCHEMA,
        request: waiting(store, now, request).map_err(|e| parse::store_failed(&e))?,
        existed,
        acts: NEXT_RUN.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::make::{decide, noted, now, store, write};
    use super::*;
    use crate::domain::request::CallKind;
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    fn ask(verdict: Asked, reason: Option<&str>) -> Review {
        Review {
            booking: "a".to_owned(),
            verdict,
            reason: reason.map(str::to_owned),
        }
    }

    /// The request `a`, decided so, and an operator's word before that, if any.
    fn with(request: Request, said: Option<Verdict>, outcome: Option<Outcome>) -> MemoryStore {
        let mut store = store(3);
        if let Some(verdict) = said {
            decide(&mut store, noted("a"));
            let fact = Fact::Reviewed {
                request: request.id.clone(),
                verdict,
                reason: "said before".to_owned(),
            };
            write(&mut store, vec![fact]);
        }
        let id = request.id.clone();
        if said.is_none() || request.state != RequestState::Noted {
            decide(&mut store, request);
        }
        if let Some(outcome) = outcome {
            let settled = Fact::Settled {
                request: id,
                outcome,
            };
            write(&mut store, vec![settled]);
        }
        store
    }

    fn begun() -> Request {
        Request {
            start: now(),
            ..noted("a")
        }
    }

    fn declined() -> Request {
        Request {
            decision: Decision::Decline,
            call: Some(CallKind::Decline),
            state: RequestState::Recorded,
            ..noted("a")
        }
    }

    #[test]
    fn a_word_is_written_counts_once_or_comes_too_late() {
        use Asked::{Confirm, Decline};
        type Row = (
            MemoryStore,
            Review,
            Result<(bool, &'static str), &'static str>,
        );
        let noted = || noted("a");
        let said = |verdict| with(noted(), Some(verdict), None);
        let rows: Vec<Row> = vec![
            (
                with(noted(), None, None),
                ask(Confirm, None),
                Ok((false, CONFIRMED)),
            ),
            (
                with(noted(), None, None),
                ask(Decline, None),
                Ok((false, DECLINED)),
            ),
            (
                with(noted(), None, None),
                ask(Decline, Some(" no ")),
                Ok((false, "no")),
            ),
            (
                said(Verdict::Confirm),
                ask(Confirm, None),
                Ok((true, "said before")),
            ),
            (
                said(Verdict::Confirm),
                ask(Confirm, Some("said before")),
                Ok((true, "said before")),
            ),
            (
                said(Verdict::Confirm),
                ask(Confirm, Some("other")),
                Ok((false, "other")),
            ),
            (
                said(Verdict::Confirm),
                ask(Decline, None),
                Ok((false, DECLINED)),
            ),
            (with(begun(), None, None), ask(Confirm, None), Err("begun")),
            (
                with(declined(), None, None),
                ask(Decline, None),
                Err("decided"),
            ),
            (
                with(declined(), Some(Verdict::Decline), None),
                ask(Decline, None),
                Ok((true, "said before")),
            ),
            (
                with(declined(), Some(Verdict::Decline), None),
                ask(Confirm, None),
                Err("decided"),
            ),
            (
                with(declined(), Some(Verdict::Decline), Some(Outcome::Declined)),
                ask(Decline, None),
                Ok((true, "said before")),
            ),
            (
                with(
                    declined(),
                    Some(Verdict::Decline),
                    Some(Outcome::Superseded),
                ),
                ask(Decline, None),
                Err("decided"),
            ),
            (store(1), ask(Confirm, None), Err("not-found")),
            (
                with(noted(), None, None),
                ask(Decline, Some(" ")),
                Err("usage"),
            ),
            (
                with(noted(), None, None),
                ask(Decline, Some("a\nb")),
                Err("usage"),
            ),
        ];
        for (number, (mut store, asked, expect)) in rows.into_iter().enumerate() {
            let before = store.head().seq;
            let got = say(&mut store, now(), &asked);
            let written = store.head().seq - before;
            match (got, expect) {
                (Ok(Answer::Reviewed(view)), Ok((existed, reason))) => {
                    assert_eq!(view.existed, existed, "row {number}");
                    assert_eq!(written, u64::from(!existed), "row {number}");
                    let said = view.request.said.expect("it stands");
                    assert_eq!(said.reason, reason, "row {number}");
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
    fn a_series_is_spoken_of_by_any_of_its_bookings() {
        let mut store = store(9);
        let second = noted("a2").bookings;
        let mut series = noted("a1");
        series.bookings.extend(second);
        series.id = RequestId::parse("series").expect("a name");
        series.series = Some(series.id.clone());
        decide(&mut store, series);
        for (name, existed) in [("a2", false), ("series", true), ("a1", true)] {
            let asked = Review {
                booking: name.to_owned(),
                ..ask(Asked::Confirm, None)
            };
            let Ok(Answer::Reviewed(view)) = say(&mut store, now(), &asked) else {
                panic!("{name} is known");
            };
            assert_eq!(view.request.step.request, "series");
            assert_eq!(view.existed, existed, "{name}");
        }
    }

    #[test]
    fn what_waits_is_listed_by_its_end_and_what_has_begun_is_not() {
        let mut store = store(3);
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
                ..noted(name)
            };
            decide(&mut store, request);
        }
        let rows: [(bool, u32, &[&str], bool); 4] = [
            (false, 9, &["soon", "late"], false),
            (false, 1, &["soon"], true),
            (true, 9, &["soon", "wait", "left", "late"], false),
            (true, 4, &["soon", "wait", "left", "late"], false),
        ];
        for (all, limit, expect, more) in rows {
            let Ok(Answer::Reviews(view)) = list(&store, now(), all, limit) else {
                panic!("a list");
            };
            let names = view.requests.iter().map(|one| one.step.request.as_str());
            assert_eq!(names.collect::<Vec<_>>(), expect, "{all} {limit}");
            assert_eq!(view.more, more, "{all} {limit}");
            assert!(view.requests.iter().all(|one| one.available == Some(3)));
        }
    }
}
