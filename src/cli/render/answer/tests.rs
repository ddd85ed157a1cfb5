//! Tests the whole texts that people read. The same answers, filled with what strangers may write,
//! must reach a terminal as nothing but text.

mod accounts;
mod daemon_and_ledger;
mod decisions;
mod passes;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;

fn fixed_now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-12-01T09:00:00Z")
        .unwrap()
        .to_utc()
}

fn render(answer: Value) -> String {
    render_plain(
        &serde_json::from_value(answer).unwrap(),
        &PageLayout::new(100, fixed_now(), chrono_tz::Tz::UTC),
    )
}

fn step(request: &str, decision: &str, outcome: &str) -> Value {
    json!({
        "request": request,
        "bookings": [request],
        "title": "Book club: Dune",
        "start": "2026-12-03T18:00:00.000Z",
        "booker": "bo@example.com",
        "account": "bo@example.com",
        "gate": "book-club",
        "decision": decision,
        "credits": 1,
        "outcome": outcome,
        "reasons": [],
    })
}

fn with_changes(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

fn short_of_credit_reasons() -> Value {
    json!([{
        "code": "short-of-credit",
        "text": "This booking costs 2 credits, and your balance is 1.",
    }])
}

fn pass(dry_run: bool, steps: &Value) -> Value {
    json!({"pass": {
        "schema": 1,
        "pass": {
            "started": "2026-12-01T09:00:00.123Z",
            "finished": "2026-12-01T09:00:01.456Z",
            "observed": steps.as_array().unwrap().len(),
            "calls": 1,
            "dry_run": dry_run,
        },
        "steps": steps,
        "problems": [],
        "more": false,
    }})
}

fn account() -> Value {
    json!({
        "schema": 1,
        "account": "bo@example.com",
        "available": 5,
        "held": 1,
        "posted": 2,
        "refunded": 1,
        "expired": 3,
        "revoked": 0,
        "granted": 10,
        "aliases": ["bo@work.example"],
        "lots": [
            {"grant": "dues-2026-bo", "left": 1, "granted": 4, "expires": "2026-12-31T00:00:00Z"},
            {"grant": "patron", "left": 4, "granted": 6, "expires": null},
        ],
    })
}

fn entries() -> Value {
    json!([
        {
            "sequence": 12,
            "at": "2026-11-30T10:00:05Z",
            "kind": "hold",
            "credits": 1,
            "booking": "kV2s9qTtV6zB1dPz7aYw3e",
            "text": "set aside for “Book club: Dune”",
        },
        {
            "sequence": 3,
            "at": "2026-11-01T08:00:00Z",
            "kind": "decided",
            "credits": null,
            "booking": null,
            "text": "confirm",
        },
    ])
}

fn status(changes: Value) -> Value {
    let view = json!({
        "schema": 1,
        "version": "0.1.0",
        "pid": 4711,
        "started": "2026-11-28T09:00:00Z",
        "paused": false,
        "last_pass": {
            "started": "2026-12-01T08:59:50Z",
            "finished": "2026-12-01T08:59:51Z",
            "observed": 1,
            "calls": 2,
            "dry_run": false,
        },
        "last_error": null,
        "passes": 17280,
        "next_pass": "2026-12-01T09:00:05Z",
        "watch": {
            "last_watch_at": "2026-12-01T08:57:00Z",
            "last_audit_at": "2026-12-01T03:00:00Z",
            "last_summary": {
                "started": "2026-12-01T08:57:00Z",
                "finished": "2026-12-01T08:57:01Z",
                "audit": false,
                "checked": 3,
                "calls": 2,
                "changes": 1,
            },
            "last_error": null,
            "next_watch": "2026-12-01T09:02:00Z",
            "next_audit": "2026-12-02T03:00:00Z",
        },
        "open_intents": 1,
        "failing_intents": 2,
        "requests_in_review": 1,
        "open_charges": 12,
        "failing": [{
            "request": "kV2s9q",
            "decision": "confirm",
            "failures": 3,
            "last_failure_at": "2026-12-01T08:59:51Z",
        }],
        "log_sequence": 912,
        "policy": "5f2c9a",
    });
    json!({"status": with_changes(view, changes)})
}

fn grant_view(kind: &str, changes: Value) -> Value {
    with_changes(
        json!({
            "schema": 1,
            "account": "bo@example.com",
            "kind": kind,
            "credits": 4,
            "expires": "2027-01-01T00:00:00Z",
            "reason": "autumn dues",
            "reference": "dues-2026-bo",
            "at": "2026-11-01T08:00:00Z",
            "already_recorded": false,
            "available": 5,
        }),
        changes,
    )
}

fn decision(step: Value) -> Value {
    with_changes(
        step,
        json!({"decided_at": "2026-12-01T08:59:50Z", "policy": "5f2c9a"}),
    )
}

fn findings() -> Value {
    json!([
        {"rule": "host", "passed": true, "detail": "the host is the key's own user"},
        {"rule": "short-of-credit", "passed": false, "detail": "cost 2, available 1"},
    ])
}

fn unresolved() -> Value {
    json!({
        "booking": "kV2s9qTtV6zB1dPz7aYw3e",
        "code": "unmanaged",
        "account": "bo@example.com",
        "since": "2026-12-01T08:00:00Z",
        "until": "2026-12-10T19:00:00Z",
        "detail": "accepted on 2026-12-01, and no charge is there",
    })
}

fn undecided_explanation() -> Value {
    json!({
        "schema": 1,
        "decision": null,
        "unresolved": [with_changes(unresolved(), json!({"resolved": {
            "reason": "a guest", "resolved_by": "operator", "at": "2026-12-01T08:30:00Z",
        }}))],
        "findings": [],
        "booker_message": null,
        "calls": [],
        "charges": [],
        "entries": [],
    })
}

fn waiting_request(changes: Value) -> Value {
    let step = with_changes(
        step("kV2s9qTtV6zB1dPz7aYw3e", "review", "none"),
        json!({"credits": 0, "reasons": [{"code": "frozen", "text": "The account is frozen."}]}),
    );
    let more = json!({"cost": 2, "available": 3, "since": "2026-12-01T08:00:00Z", "review": null});
    with_changes(with_changes(step, more), changes)
}

fn operator_word(verdict: &str) -> Value {
    json!({"review": {
        "decision": verdict,
        "reason": "agreed by phone",
        "at": "2026-12-01T09:00:00Z",
    }})
}

fn review_answer(changes: Value) -> Value {
    let view = json!({
        "schema": 1,
        "request": waiting_request(operator_word("confirm")),
        "already_recorded": false,
        "acted_on_by": "next-run",
    });
    json!({"review-result": with_changes(view, changes)})
}

#[test]
fn machines_read_the_view_itself_on_one_line() {
    let view = json!({
        "schema": 1,
        "account": "bo\u{202e}@example.com\n\u{9b}31m",
        "grants": [],
    });
    let answer = serde_json::from_value(json!({"grants": view})).unwrap();
    insta::assert_snapshot!(render_json(&answer), @r#"{"schema":1,"account":"bo\u202e@example.com\n\u009b31m","grants":[]}"#);
}

/// Returns one answer of each kind with a value in every place.
fn answers() -> Vec<Value> {
    let step = with_changes(
        step("a", "decline", "none"),
        json!({"reasons": short_of_credit_reasons(), "bookings": ["a", "b"]}),
    );
    let declined_step = with_changes(step.clone(), json!({"outcome": "declined"}));
    let mut pass = pass(false, &json!([step, declined_step]));
    pass["pass"]["problems"] = json!([{"code": "code", "text": "text"}]);
    vec![
        pass,
        status(json!({"last_error": "error"})),
        json!({"grant-record": grant_view("grant", json!({}))}),
        json!({"grants": {"schema": 1, "account": "a", "grants": [grant_view("grant", json!({}))]}}),
        json!({"account": account()}),
        json!({"accounts": {"schema": 1, "accounts": [account()], "next": "a"}}),
        json!({"statement": {
            "schema": 1, "account": "a", "entries": entries(), "balance": account(),
        }}),
        json!({"decisions": {"schema": 1, "decisions": [decision(step.clone())], "more": true}}),
        json!({"explain": {
            "schema": 1,
            "decision": decision(step.clone()),
            "findings": findings(),
            "booker_message": "told",
            "calls": [{"at": "at", "booking": "a", "call": "c", "answered": true, "text": "t"}],
            "charges": [],
            "entries": entries(),
        }}),
        json!({"reviews": {"schema": 1, "requests": [waiting_request(json!({}))], "more": true}}),
        json!({"unresolved": {"schema": 1, "items": [unresolved()], "more": true}}),
        json!({"explain": undecided_explanation()}),
        json!({"head": {"schema": 1, "sequence": 7, "hash": "h"}}),
        json!({"credits-export": {
            "schema": 1, "rows": [], "accounts": 0, "empty": 1, "next": "a",
        }}),
        review_answer(json!({})),
        review_answer(json!({"already_recorded": true})),
        json!({"evaluate": {
            "schema": 1,
            "at": "at",
            "decision": step,
            "findings": findings(),
            "booker_message": "told",
            "assumptions": ["assumed"],
        }}),
        json!({"verify": {
            "schema": 1, "commits": 1, "facts": 1, "accounts": 1, "head": "h",
            "differences": ["difference"],
        }}),
    ]
}

fn replace_texts(value: &mut Value, text: &str) {
    match value {
        Value::String(old) => *old = text.to_owned(),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| replace_texts(value, text)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| replace_texts(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_from_outside_moves_the_terminal_or_makes_a_line_of_its_own(
        text in "[\\x00-\\x7f\u{80}-\u{9f}\u{202a}-\u{202e}\u{2028}é読👩]{0,40}",
        width in 0_usize..200,
    ) {
        for mut answer in answers() {
            replace_texts(&mut answer, &text);
            let answer: CommandResult = serde_json::from_value(answer).unwrap();
            let plain_text = render_plain(&answer, &PageLayout::new(width, fixed_now(), chrono_tz::Tz::UTC));
            let invisible = plain_text.chars().find(|c| *c != '\n' && crate::domain::messages::is_invisible(*c));
            proptest::prop_assert_eq!(invisible, None);
            let one_line = render_json(&answer);
            let invisible = one_line.trim_end().chars().find(|c| crate::domain::messages::is_invisible(*c));
            proptest::prop_assert_eq!(invisible, None);
            proptest::prop_assert!(plain_text.ends_with('\n') && one_line.ends_with('\n'));
        }
    }
}
