//! What the ledger says about the state of things: what waits, what fails, what is paused, and what
//! needs an operator's attention. A daemon adds what it does itself.

use std::collections::BTreeMap;

use super::{parse, review};
use crate::control::protocol::status::{
    AttentionCounts, FailingView, PauseView, StatusView, WaitingView, WatchStatus,
};
use crate::control::protocol::unresolved::UnresolvedSummary;
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::gate::{PassLimits, Policy};
use crate::domain::intent;
use crate::domain::pause::{Pause, Pauses};
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::reconcile::report::UnresolvedReport;
use crate::store::port::{Store, StoreError};

/// The limit up to which each kind is counted; a higher number is shown as this limit.
const MAX_COUNTED: usize = 1_000;

/// Most failing decisions that are listed.
const MAX_FAILING: usize = 10;

/// Returns the status when no daemon runs.
///
/// # Errors
/// Fails when the store cannot be read.
pub fn without_daemon(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
) -> Result<CommandResult, Refusal> {
    let failed = |error: StoreError| parse::store_failed(&error);
    let pauses = store.ledger_state().map_err(failed)?.pauses;
    let status = StatusView {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: None,
        started: None,
        paused: pauses.of_all(now).is_some(),
        pauses: pause_views(&pauses, now),
        last_pass: None,
        last_error: None,
        last_error_exit: None,
        problems: Vec::new(),
        passes: 0,
        next_pass: None,
        watch: WatchStatus {
            last_watch_at: None,
            last_audit_at: None,
            last_summary: None,
            last_error: None,
            last_error_exit: None,
            next_watch: None,
            next_audit: None,
        },
        backup: None,
        waiting: Vec::new(),
        open_intents: 0,
        counts: AttentionCounts::default(),
        unresolved: UnresolvedSummary::default(),
        failing: Vec::new(),
        log_sequence: 0,
        policy: policy.hash.clone(),
        available_calls: None,
        notify: Vec::new(),
        dead_man: None,
    };
    let status = add_store_counts(store, &policy.limits, now, status).map_err(failed)?;
    Ok(CommandResult::Status(Box::new(status)))
}

/// Returns the pauses at this instant: first that of everything.
pub fn pause_views(pauses: &Pauses, now: Time) -> Vec<PauseView> {
    let view = |gate: Option<String>, pause: &Pause| PauseView {
        gate,
        since: views::format_time(pause.since),
        until: pause.until.map(views::format_time),
        reason: pause.reason.clone(),
    };
    let all = pauses.of_all(now).map(|pause| view(None, pause));
    let gates = pauses.of_gates(now);
    let gates = gates
        .iter()
        .map(|(gate, pause)| view(Some(gate.clone()), pause));
    all.into_iter().chain(gates).collect()
}

/// Adds to the status what the store knows.
///
/// # Errors
/// Fails when the store cannot be read.
pub fn add_store_counts(
    store: &dyn Store,
    limits: &PassLimits,
    now: Time,
    status: StatusView,
) -> Result<StatusView, StoreError> {
    let intents = store.open_intents(None, MAX_COUNTED)?;
    let in_review = review::requests_in_review(store, now, MAX_COUNTED)?;
    let noted = review::all_noted_requests(store, now, MAX_COUNTED)?;
    let waits =
        |request: &Request| intent::wait_reason(request, store.sent_mark(&request.id), limits, now);
    let is_failing = |request: &&Request| request.failures > 0 || waits(request).is_some();
    let mut failing: Vec<&Request> = intents.iter().filter(is_failing).collect();
    failing.sort_by_key(|request| std::cmp::Reverse(request.failures));
    let head = store.head().seq;
    let mut notify = status.notify;
    for target in &mut notify {
        target.waiting_commits = head.saturating_sub(target.delivered_to);
    }
    Ok(StatusView {
        notify,
        waiting: count_waiting(&noted),
        open_intents: intents.len(),
        counts: AttentionCounts {
            failing_intents: failing.len(),
            requests_in_review: in_review.len(),
            open_charges: store.open_charges(None, MAX_COUNTED)?.len(),
        },
        unresolved: views::unresolved_summary(&UnresolvedReport::read(store)?),
        failing: failing
            .into_iter()
            .take(MAX_FAILING)
            .map(|request| failing_view(request, waits(request)))
            .collect(),
        log_sequence: head,
        ..status
    })
}

/// Counts the requests by their decision and their most important reason.
fn count_waiting(noted: &[Request]) -> Vec<WaitingView> {
    let mut groups: BTreeMap<(&str, &str), (usize, Time)> = BTreeMap::new();
    for request in noted {
        let reason = request.reasons.first();
        let reason = reason.map_or("none", |reason| reason.code.as_str());
        let (count, oldest) = groups
            .entry((request.decision.as_str(), reason))
            .or_insert((0, request.created_at));
        *count += 1;
        *oldest = request.created_at.min(*oldest);
    }
    let mut waiting: Vec<WaitingView> = groups
        .into_iter()
        .map(|((decision, reason), (requests, oldest))| WaitingView {
            decision: decision.to_owned(),
            reason: reason.to_owned(),
            requests,
            oldest: views::format_time(oldest),
        })
        .collect();
    waiting.sort_by_key(|group| std::cmp::Reverse(group.requests));
    waiting
}

fn failing_view(request: &Request, waits: Option<String>) -> FailingView {
    FailingView {
        request: request.id.to_string(),
        decision: request.decision.as_str().to_owned(),
        failures: request.failures,
        last_failure_at: request.last_failure.map(views::format_time),
        waiting_for: waits,
    }
}
