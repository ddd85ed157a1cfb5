//! Renders the state of the daemon.

use super::layout::{PageLayout, format_count};
use super::unresolved;
use crate::control::protocol::pass::PassSummaryView;
use crate::control::protocol::status::{
    BackupStatusView, DeadManView, FailingView, NotifyTargetView, PageLinkView, PauseView,
    StatusView, WaitingView, WatchStatus,
};

/// Renders the status of the daemon.
pub fn render_status(view: &StatusView, page: &PageLayout) -> String {
    let at = |time: &str| match page.format_distance(time) {
        Some(from_now) => format!("{} ({from_now})", page.format_second(time)),
        None => page.format_second(time),
    };
    let mut rows = Vec::new();
    if let Some(started) = &view.started {
        rows.push(("started", at(started)));
    }
    let pauses = view.pauses.iter();
    rows.extend(pauses.map(|pause| ("paused", format_pause(pause, &at))));
    if view.pid.is_some() {
        rows.push(("passes", view.passes.to_string()));
    }
    let last_pass = view.last_pass.as_ref();
    rows.push((
        "last pass",
        last_pass.map_or_else(|| "none yet".to_owned(), |pass| format_last_pass(pass, &at)),
    ));
    if let Some(error) = &view.last_error {
        rows.push(("problem", error.clone()));
    }
    let problems = view.problems.iter();
    rows.extend(
        problems.map(|problem| ("problem", format!("{} ({})", problem.text, problem.code))),
    );
    let is_daemon = view.pid.is_some();
    let next = view.next_pass.as_deref();
    if is_daemon {
        rows.push(("next pass", next.map_or_else(|| "none".to_owned(), at)));
    }
    rows.push(("last watch", format_last_watch(&view.watch, is_daemon, &at)));
    if let Some(error) = &view.watch.last_error {
        rows.push(("problem", error.clone()));
    }
    if is_daemon {
        rows.push(("next watch", format_next_watch(&view.watch, &at)));
    }
    rows.push((
        "unfinished",
        match view.open_intents {
            0 => "nothing".to_owned(),
            open => format_count(open, "decision"),
        },
    ));
    rows.extend(failing_rows(view, page));
    rows.extend({ view.waiting.iter() }.map(|group| ("waiting", format_waiting(group, &at))));
    rows.push((
        "in review",
        match view.counts.requests_in_review {
            0 => "nothing".to_owned(),
            open => format!(
                "{}; see `maitred review list`",
                format_count(open, "request")
            ),
        },
    ));
    rows.extend(
        unresolved::render_unresolved_summary(&view.unresolved).map(|text| ("unresolved", text)),
    );
    rows.extend(notify_rows(view, &at));
    rows.extend(backup_row(view, &at));
    rows.push(("charges", format!("{} open", view.counts.open_charges)));
    if let Some(calls) = view.available_calls {
        rows.push(("calls", format!("{calls} could be sent now")));
    }
    rows.push(("log", format_count(view.log_sequence, "commit")));
    rows.push(("policy", view.policy.clone()));
    let heading = format_heading(view);
    format!("{heading}\n{}", page.render_block(&rows))
}

/// Says what runs the passes, and whether they are paused.
fn format_heading(view: &StatusView) -> String {
    let until = { view.pauses.iter() }
        .find(|pause| pause.gate.is_none())
        .and_then(|pause| pause.until.as_ref());
    let state = match (view.paused, until) {
        (false, _) => "is running",
        (true, None) => "is paused: no passes until `maitred resume`",
        (true, Some(_)) => "is paused: no passes until the pause ends",
    };
    match view.pid {
        Some(pid) => format!("maitred {} {state} (process {pid}).", view.version),
        None if view.paused => format!("maitred {} {state} (no daemon).", view.version),
        None => format!("maitred {}: no daemon runs.", view.version),
    }
}

fn format_pause(pause: &PauseView, at: &dyn Fn(&str) -> String) -> String {
    let what = match &pause.gate {
        Some(gate) => format!("gate {gate}"),
        None => "everything".to_owned(),
    };
    let until = match (&pause.until, &pause.gate) {
        (Some(until), _) => at(until),
        (None, None) => "`maitred resume`".to_owned(),
        (None, Some(gate)) => format!("`maitred resume --gate {gate}`"),
    };
    format!(
        "{what} since {}, until {until}: {}",
        at(&pause.since),
        pause.reason
    )
}

/// Returns the row of the backups that are made without a command, if any are.
fn backup_row(view: &StatusView, at: &dyn Fn(&str) -> String) -> Option<(&'static str, String)> {
    let backup = view.backup.as_ref()?;
    Some(("backup", format_backup(backup, at)))
}

fn format_backup(view: &BackupStatusView, at: &dyn Fn(&str) -> String) -> String {
    let last = match (&view.last_at, &view.last_path) {
        (Some(last), Some(path)) => format!("{} in {path}", at(last)),
        (_, _) => "none yet".to_owned(),
    };
    let failure = match (&view.failed_at, &view.error) {
        (Some(failed), Some(error)) => format!("; failed at {}: {error}", at(failed)),
        (_, _) => String::new(),
    };
    format!("{last}, next {}{failure}", at(&view.next))
}

fn format_waiting(group: &WaitingView, at: &dyn Fn(&str) -> String) -> String {
    format!(
        "{}: {} ({}), the oldest since {}",
        format_count(group.requests, "request"),
        group.decision,
        group.reason,
        at(&group.oldest)
    )
}

/// Renders a link to the web page: alone on its line, so that it can be copied.
pub fn render_page_link(view: &PageLinkView, page: &PageLayout) -> String {
    format!(
        "Open this link in a browser. It works once, and until {}:\n{}\n",
        page.format_minute(&view.expires),
        view.url
    )
}

/// Returns the rows of the notifications: one for each target, and one for the dead-man switch.
fn notify_rows(view: &StatusView, at: &dyn Fn(&str) -> String) -> Vec<(&'static str, String)> {
    let targets = view.notify.iter();
    let mut rows: Vec<(&'static str, String)> = targets
        .map(|target| ("notify", format_target(target, at)))
        .collect();
    rows.extend(
        view.dead_man
            .as_ref()
            .map(|calls| ("dead man", format_calls(calls, at))),
    );
    rows
}

fn format_target(target: &NotifyTargetView, at: &dyn Fn(&str) -> String) -> String {
    let name = &target.name;
    let mut text = match target.waiting_commits {
        0 => format!("{name}: nothing waits"),
        waiting => format!("{name}: {} waiting", format_count(waiting, "commit")),
    };
    if let Some(since) = &target.failing_since {
        let error = target.last_error.as_deref().unwrap_or("unknown");
        text.push_str(&format!("; fails since {}: {error}", at(since)));
    }
    if target.dropped > 0 {
        let last = target.last_dropped.as_deref().unwrap_or("unknown");
        let dropped = format_count(target.dropped, "notification");
        text.push_str(&format!("; {dropped} dropped, the last one {last}"));
    }
    text
}

fn format_calls(calls: &DeadManView, at: &dyn Fn(&str) -> String) -> String {
    let last = match &calls.last_call_at {
        Some(last) => format!("last called {}", at(last)),
        None => "not called yet".to_owned(),
    };
    match &calls.last_error {
        Some(error) => format!("{last}; fails: {error}"),
        None => last,
    }
}

/// Returns the rows of the decisions that fail again and again.
fn failing_rows(view: &StatusView, page: &PageLayout) -> Vec<(&'static str, String)> {
    let mut rows: Vec<_> = { view.failing.iter() }
        .map(|failing| ("failing", format_failing(failing, page)))
        .collect();
    let more = view
        .counts
        .failing_intents
        .saturating_sub(view.failing.len());
    if more > 0 {
        rows.push(("failing", format!("{more} more")));
    }
    rows
}

/// Formats the last watch of this daemon, or when the last watch before this daemon ran.
fn format_last_watch(watch: &WatchStatus, is_daemon: bool, at: &dyn Fn(&str) -> String) -> String {
    match (&watch.last_summary, &watch.last_watch_at) {
        (Some(last), _) => format!(
            "{}; {} checked, {} to Cal.com, {}{}",
            at(&last.finished),
            format_count(last.checked, "open charge"),
            format_count(last.calls, "call"),
            format_count(last.changes, "change"),
            if last.audit { " (an audit)" } else { "" }
        ),
        (None, Some(before)) if is_daemon => format!("{}, before this daemon", at(before)),
        (None, Some(last)) => at(last),
        (None, None) => "none yet".to_owned(),
    }
}

fn format_next_watch(watch: &WatchStatus, at: &dyn Fn(&str) -> String) -> String {
    match (&watch.next_watch, &watch.next_audit) {
        (Some(next), Some(audit)) => format!("{}; the next audit {}", at(next), at(audit)),
        (_, _) => "none".to_owned(),
    }
}

fn format_failing(failing: &FailingView, page: &PageLayout) -> String {
    let last = failing
        .last_failure_at
        .as_deref()
        .map(|at| page.format_second(at));
    let last = last.map_or_else(String::new, |last| format!(", the last at {last}"));
    let waits = failing.waiting_for.as_deref();
    let waits = waits.map_or_else(String::new, |waits| format!("; {waits}"));
    format!(
        "{} {}: {}{last}{waits}; see `maitred explain {}`",
        failing.decision,
        failing.request,
        format_count(failing.failures, "failed call"),
        failing.request
    )
}

fn format_last_pass(pass: &PassSummaryView, at: &dyn Fn(&str) -> String) -> String {
    format!(
        "{}; {} seen, {} to Cal.com",
        at(&pass.finished),
        format_count(pass.observed, "pending booking"),
        format_count(pass.calls, "call")
    )
}
