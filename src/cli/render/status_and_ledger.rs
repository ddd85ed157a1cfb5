//! Renders the state of the daemon and of the ledger.

use super::layout::{PageLayout, format_count};
use super::unresolved;
use crate::control::protocol::PassSummaryView;
use crate::control::protocol::ledger::VerifyView;
use crate::control::protocol::ledger::{CopyView, HeadView, LedgerView};
use crate::control::protocol::status::{FailingView, StatusView, WatchStatus};

/// Renders the status of the daemon.
pub fn render_status(view: &StatusView, page: &PageLayout) -> String {
    let at = |time: &str| match page.format_distance(time) {
        Some(from_now) => format!("{} ({from_now})", page.format_second(time)),
        None => page.format_second(time),
    };
    let state = if view.paused {
        "is paused: no passes until `maitred resume`"
    } else {
        "is running"
    };
    let mut rows = vec![
        ("started", at(&view.started)),
        ("passes", view.passes.to_string()),
        (
            "last pass",
            view.last_pass
                .as_ref()
                .map_or_else(|| "none yet".to_owned(), |pass| format_last_pass(pass, &at)),
        ),
    ];
    if let Some(error) = &view.last_error {
        rows.push(("problem", error.clone()));
    }
    let problems = view.problems.iter();
    rows.extend(
        problems.map(|problem| ("problem", format!("{} ({})", problem.text, problem.code))),
    );
    let next = view.next_pass.as_deref();
    rows.push(("next pass", next.map_or_else(|| "none".to_owned(), at)));
    rows.push(("last watch", format_last_watch(&view.watch, &at)));
    if let Some(error) = &view.watch.last_error {
        rows.push(("problem", error.clone()));
    }
    rows.push(("next watch", format_next_watch(&view.watch, &at)));
    rows.push((
        "unfinished",
        match view.open_intents {
            0 => "nothing".to_owned(),
            open => format_count(open, "decision"),
        },
    ));
    for failing in &view.failing {
        rows.push(("failing", format_failing(failing, page)));
    }
    let more = view
        .counts
        .failing_intents
        .saturating_sub(view.failing.len());
    if more > 0 {
        rows.push(("failing", format!("{more} more")));
    }
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
    rows.push(("charges", format!("{} open", view.counts.open_charges)));
    rows.push(("log", format_count(view.log_sequence, "commit")));
    rows.push(("policy", view.policy.clone()));
    format!(
        "maitred {} {state} (process {}).\n{}",
        view.version,
        view.pid,
        page.render_block(&rows)
    )
}

/// Formats the last watch of this daemon, or when the last watch before this daemon ran.
fn format_last_watch(watch: &WatchStatus, at: &dyn Fn(&str) -> String) -> String {
    match (&watch.last_summary, &watch.last_watch_at) {
        (Some(last), _) => format!(
            "{}; {} looked at, {} to Cal.com, {}{}",
            at(&last.finished),
            format_count(last.checked, "open charge"),
            format_count(last.calls, "call"),
            format_count(last.changes, "change"),
            if last.audit { " (an audit)" } else { "" }
        ),
        (None, Some(before)) => format!("{}, before this daemon", at(before)),
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

/// Renders the last commit of the log.
pub fn render_head(view: &HeadView) -> String {
    format!(
        "The log ends with commit {} ({}).\n",
        view.sequence, view.hash
    )
}

/// Renders what the ledger knows about itself.
pub fn render_ledger(view: &LedgerView, page: &PageLayout) -> String {
    let first_commit = view
        .first_commit_at
        .as_deref()
        .map(|at| page.format_second(at));
    let mut rows = vec![(
        "first commit",
        first_commit.unwrap_or_else(|| "none yet".to_owned()),
    )];
    let owner = (&view.server, view.account, &view.dialect);
    rows.push((
        "belongs to",
        match owner {
            (Some(server), Some(account), Some(dialect)) => {
                format!("account {account} at {server} ({dialect})")
            }
            (_, _, _) => "not recorded yet: the first pass records it".to_owned(),
        },
    ));
    if let Some(restored) = &view.restored_at {
        rows.push((
            "restored",
            format!(
                "at {}, and no operator has accepted it: nothing is declined, and a watch only \
                 reports. Look at `maitred run --once --dry-run --watch`, then run `maitred ledger \
                 accept-restore --reason TEXT`",
                page.format_second(restored)
            ),
        ));
    }
    format!("The ledger\n{}", page.render_block(&rows))
}

/// Renders the result of a backup or a restore.
pub fn render_copy(view: &CopyView) -> String {
    let what = format!(
        "{} in {}, {} bytes",
        format_count(view.sequence, "commit"),
        format_count(view.files, "file"),
        view.bytes
    );
    let head = format!("The head is commit {}, {}.\n", view.sequence, view.hash);
    if view.kind == "restore" {
        format!(
            "The ledger in {} was restored from {} and checked: {what}.\n{head}What happened after \
             that is not in it, so nothing is declined, and a watch writes and cancels nothing, before \
             you accept it. See with `maitred run --once --dry-run --watch` what would be done, set \
             right what is missing, then run `maitred ledger accept-restore --reason TEXT`.\n",
            view.to, view.from
        )
    } else {
        format!(
            "The ledger was copied to {} and the copy checked: {what}.\n{head}",
            view.to
        )
    }
}

/// Renders the result of reading the whole log.
pub fn render_verification(view: &VerifyView) -> String {
    let counts = format!(
        "{} and {} were checked; the head is {}.\n",
        format_count(view.commits, "commit"),
        format_count(view.facts, "fact"),
        view.head
    );
    if view.differences.is_empty() && !view.projection_compared {
        return format!(
            "The log is intact. The projection is compared with it only while a daemon runs; \
             without a daemon, it is rebuilt whenever it may differ.\n{counts}"
        );
    }
    if view.differences.is_empty() {
        return format!("The log and the store agree.\n{counts}");
    }
    let mut text = format!(
        "The log and the store disagree: {}.\n",
        format_count(view.differences.len(), "difference")
    );
    for difference in &view.differences {
        text.push_str(&format!("  {difference}\n"));
    }
    text + &counts
}
