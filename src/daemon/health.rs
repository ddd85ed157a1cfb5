//! Judges a status for monitoring, and describes it in one line.

use crate::config::recurrence::Recurrence;
use crate::control::exit;
use crate::control::protocol::status::{HealthView, StatusView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::domain::messages::format_span;
use crate::domain::time::{Span, Time};

/// How much later than by the schedule the last run of a timer may have ended. The timer decides
/// when runs start, so the schedule is only a measure.
const TIMER_GRACE: Span = Span::minutes(15);

/// The most groups of waiting requests that one line names.
const MAX_GROUPS: usize = 4;

/// Judges the status. `last_run` is when the last pass ended, and `oldest` the earliest instant at
/// which it may have; without them the age of the last pass is not judged.
pub fn judge(status: &StatusView, last_run: Option<Time>, oldest: Option<Time>) -> HealthView {
    let (exit, problem) = find_problem(status, last_run, oldest);
    let state = describe_state(status);
    let text = match problem {
        None => format!("healthy: {state}"),
        Some(problem) => format!("{problem}. {state}"),
    };
    view(exit, &text)
}

/// Judges a status that could not be read.
pub fn judge_refusal(refusal: &Refusal) -> HealthView {
    view(refusal.exit, &refusal.text)
}

/// Returns how long ago the last run of a timer may have ended: two runs of the schedule, and some
/// time more.
pub fn default_max_age(poll: &Recurrence, last_run: Time) -> Span {
    let next = poll.next_after(Some(last_run), last_run);
    let second = poll.next_after(Some(next), next);
    (second - last_run) + TIMER_GRACE
}

fn view(exit: u8, text: &str) -> HealthView {
    let lines: Vec<&str> = text.split_whitespace().collect();
    HealthView {
        schema: SCHEMA,
        healthy: exit == exit::DONE,
        exit,
        text: lines.join(" "),
    }
}

/// Returns the exit code, and the most urgent problem.
fn find_problem(
    status: &StatusView,
    last_run: Option<Time>,
    oldest: Option<Time>,
) -> (u8, Option<String>) {
    if !status.paused {
        let errors = [
            (
                &status.last_error,
                status.last_error_exit,
                "the last pass failed",
            ),
            (
                &status.watch.last_error,
                status.watch.last_error_exit,
                "the last watch failed",
            ),
        ];
        for (error, code, what) in errors {
            if let Some(error) = error {
                return (
                    code.unwrap_or(exit::FAILED),
                    Some(format!("{what}: {error}")),
                );
            }
        }
        if let Some(oldest) = oldest {
            match last_run {
                None => return (exit::UNREACHABLE, Some("no pass has run yet".to_owned())),
                Some(last) if last < oldest => {
                    let late = format_span(oldest - last);
                    let text = format!("the last pass is too long ago (by {late})");
                    return (exit::UNREACHABLE, Some(text));
                }
                Some(_) => {}
            }
        }
    }
    let needs = needs(status);
    if needs.is_empty() {
        (exit::DONE, None)
    } else {
        (
            exit::UNRESOLVED,
            Some(format!("attention: {}", needs.join(", "))),
        )
    }
}

/// Describes the state in one line: the last pass, what waits, and what needs a person. The line
/// holds no names and no texts of people, because every user of the machine can read it.
pub fn describe_state(status: &StatusView) -> String {
    let mut parts = Vec::new();
    parts.extend(status.pauses.iter().map(|pause| {
        let what = match &pause.gate {
            Some(gate) => format!("Gate {gate} is paused"),
            None => "Paused".to_owned(),
        };
        match &pause.until {
            Some(until) => format!("{what} until {until}."),
            None => format!("{what} until `maitred resume`."),
        }
    }));
    parts.push(match (&status.last_error, &status.last_pass) {
        (Some(_), Some(pass)) => format!("Passes fail since the one of {}.", pass.finished),
        (Some(_), None) => "No pass has succeeded yet.".to_owned(),
        (None, Some(pass)) => format!("Last pass {}.", pass.finished),
        (None, None) => "No pass yet.".to_owned(),
    });
    parts.push(match status.waiting.as_slice() {
        [] => "Nothing waits.".to_owned(),
        waiting => {
            let count: usize = waiting.iter().map(|group| group.requests).sum();
            let groups = waiting.iter().take(MAX_GROUPS);
            let groups = groups.map(|group| {
                let (requests, decision, reason) = (group.requests, &group.decision, &group.reason);
                format!("{requests} {decision}/{reason}")
            });
            let more = if waiting.len() > MAX_GROUPS {
                ", …"
            } else {
                ""
            };
            let groups: Vec<String> = groups.collect();
            format!("Waiting: {count} ({}{more}).", groups.join(", "))
        }
    });
    parts.push(match needs(status) {
        needs if needs.is_empty() => "Nothing needs a person.".to_owned(),
        needs => format!("Needs a person: {}.", needs.join(", ")),
    });
    parts.join(" ")
}

/// Returns what is unfinished or needs a person.
fn needs(status: &StatusView) -> Vec<String> {
    let counts = [
        (status.counts.requests_in_review, "in review"),
        (status.unresolved.count, "unresolved"),
        (status.counts.failing_intents, "failing or unanswered"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let mut needs: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if let Some(pass) = &status.last_pass {
        if pass.deferred_requests > 0 {
            needs.push(format!("{} postponed", pass.deferred_requests));
        }
        if pass.list_incomplete {
            needs.push("a list that broke off".to_owned());
        }
    }
    needs.extend(status.problems.iter().map(|problem| problem.code.clone()));
    needs
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(changes: Value) -> StatusView {
        let mut view = json!({
            "schema": 1, "version": "0.1.0", "pid": 1, "started": "2026-12-01T08:00:00.000Z",
            "paused": false, "passes": 3, "next_pass": null, "last_error": null,
            "last_pass": {"started": "2026-12-01T09:00:00.000Z",
                "finished": "2026-12-01T09:00:01.000Z", "observed": 2, "calls": 2, "dry_run": false},
            "watch": {"last_watch_at": null, "last_audit_at": null, "last_summary": null,
                "last_error": null, "next_watch": null, "next_audit": null},
            "open_intents": 0, "failing_intents": 0, "requests_in_review": 0, "open_charges": 4,
            "failing": [], "log_sequence": 7, "policy": "f00d",
        });
        for (key, value) in changes.as_object().expect("an object") {
            view[key] = value.clone();
        }
        serde_json::from_value(view).expect("a status")
    }

    fn at(text: &str) -> Option<Time> {
        Some(text.parse().expect("an instant"))
    }

    #[test]
    fn the_exit_code_says_what_is_most_urgent() {
        let error =
            |code| json!({"last_error": "Cal.com\ndoes not answer", "last_error_exit": code});
        let listed = json!({"unresolved": {"count": 2, "items": []}});
        let rows = [
            (json!({}), 0, "healthy: Last pass 2026-12-01T09:00:01.000Z."),
            (
                error(69),
                69,
                "the last pass failed: Cal.com does not answer. Passes fail",
            ),
            (error(77), 77, "the last pass failed"),
            (error(78), 78, "the last pass failed"),
            (
                json!({"requests_in_review": 1}),
                4,
                "attention: 1 in review.",
            ),
            (json!({"failing_intents": 1}), 4, "attention: 1 failing"),
            (listed, 4, "attention: 2 unresolved"),
            (
                json!({"problems": [{"code": "clock-off", "text": ""}]}),
                4,
                "attention: clock-off",
            ),
            (
                json!({"last_error": "no", "last_error_exit": 69, "requests_in_review": 1}),
                69,
                "the last pass failed",
            ),
            (
                json!({"paused": true, "last_error": "no", "last_error_exit": 69,
                    "pauses": [{"since": "2026-12-01T09:00:00.000Z", "reason": "bo is ill"}]}),
                0,
                "healthy: Paused until `maitred resume`.",
            ),
        ];
        for (changes, exit, begins) in rows {
            let health = judge(&status(changes.clone()), None, None);
            assert_eq!(health.exit, exit, "{changes}");
            assert!(health.text.starts_with(begins), "{}", health.text);
            assert_eq!(health.healthy, exit == 0);
            assert!(!health.text.contains('\n') && !health.text.contains("bo is ill"));
        }
    }

    #[test]
    fn the_age_of_the_last_pass_is_judged_where_a_timer_starts_them() {
        let (early, late) = (at("2026-12-01T09:00:00Z"), at("2026-12-01T10:00:00Z"));
        let rows = [
            (late, early, 0, "healthy"),
            (early, late, 69, "the last pass is too long ago (by 1 hour)"),
            (None, late, 69, "no pass has run yet"),
            (early, None, 0, "healthy"),
        ];
        for (last, oldest, exit, begins) in rows {
            let health = judge(&status(json!({})), last, oldest);
            assert_eq!(health.exit, exit, "{last:?} {oldest:?}");
            assert!(health.text.starts_with(begins), "{}", health.text);
        }
        let paused = judge(&status(json!({"paused": true})), early, late);
        assert_eq!(paused.exit, 0, "{}", paused.text);
    }

    #[test]
    fn the_default_age_follows_the_schedule() {
        let last: Time = "2026-12-01T09:00:00Z".parse().expect("an instant");
        let hourly = Recurrence::Span(Span::hours(1));
        let age = default_max_age(&hourly, last);
        assert_eq!(age, Span::hours(2) + TIMER_GRACE);
    }

    #[test]
    fn the_line_names_what_waits_and_why() {
        let group = |decision: &str, reason: &str, requests| {
            json!({"decision": decision, "reason": reason, "requests": requests,
                "oldest": "2026-12-01T08:00:00.000Z"})
        };
        let waiting = json!([
            group("wait", "short-of-credit", 3),
            group("review", "no-booker", 1),
        ]);
        let view = status(json!({"waiting": waiting, "requests_in_review": 1}));
        assert_eq!(
            describe_state(&view),
            "Last pass 2026-12-01T09:00:01.000Z. Waiting: 4 (3 wait/short-of-credit, 1 \
             review/no-booker). Needs a person: 1 in review."
        );
    }
}
