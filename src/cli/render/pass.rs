//! Renders what a pass did, or would do: first each request that the pass acts on, who requested
//! what, why it is decided so, and the effect; then a line for each request that is left as it is.

use std::collections::BTreeMap;

use super::layout::{PageLayout, capitalize, format_count, quote_title};
use super::unresolved;
use crate::control::protocol::charges::WatchView;
use crate::control::protocol::pass::{PassSummaryView, PassView, StepView};
use crate::control::protocol::problem::ProblemView;

/// The most requests left as they are that are shown individually.
const MAX_LEFT_SHOWN: usize = 20;

/// Renders what a pass did, or would do.
pub fn render_pass(view: &PassView, page: &PageLayout) -> String {
    let mut text = render_heading(&view.pass, page);
    text.push_str(&render_allowances(view, page));
    let (left_steps, acted_steps): (Vec<_>, Vec<_>) =
        view.steps.iter().partition(|step| is_left_pending(step));
    for step in &acted_steps {
        text.push('\n');
        text.push_str(&render_step(step, page, &[]));
    }
    if !left_steps.is_empty() {
        text.push_str(&render_left_pending(&left_steps, page));
    }
    if !view.problems.is_empty() {
        text.push_str("\nProblems:\n");
        let rows: Vec<(&str, String)> = view
            .problems
            .iter()
            .map(|problem| (problem.code.as_str(), problem.text.clone()))
            .collect();
        text.push_str(&page.render_block(&rows));
    }
    text.push('\n');
    text.push_str(&render_summary(view, &acted_steps, left_steps.len()));
    if let Some(stopped) = &view.stopped {
        text.push_str(&format!("It stopped before its end: {}.\n", stopped.text));
    }
    // The watch reads after the pass, so its list is the later one.
    let list = match &view.watch {
        Some(watch) => {
            text.push_str(&render_watch(watch, &view.problems, page));
            &watch.unresolved
        }
        None => &view.unresolved,
    };
    if let Some(list) = unresolved::render_unresolved_summary(list) {
        text.push_str(&format!("Unresolved: {list}.\n"));
    }
    text
}

/// Renders what happened to bookings after the decision. A problem that the pass reported, too, is
/// not shown again.
fn render_watch(watch: &WatchView, pass_problems: &[ProblemView], page: &PageLayout) -> String {
    let what = if watch.audit { "Audit" } else { "Watch" };
    let changes = format_count(watch.changes.len(), "change");
    let mut text = format!(
        "\n{what}: {} checked, {} to Cal.com, {}.\n",
        format_count(watch.checked, "open charge"),
        format_count(watch.calls, "call"),
        match watch.suppressed_by {
            Some(_) => format!("{changes} to make; nothing is changed"),
            None => changes,
        }
    );
    let changes = watch.changes.iter().map(|change| {
        let text = format!("{}: {}", change.booking, change.text);
        (change.outcome.as_str(), text)
    });
    let problems = watch.problems.iter();
    let problems = problems.filter(|problem| !pass_problems.contains(problem));
    let problems = problems.map(|problem| (problem.code.as_str(), problem.text.clone()));
    let rows: Vec<(&str, String)> = changes.chain(problems).collect();
    text.push_str(&page.render_block(&rows));
    text
}

/// Renders what was read. Counts such as `2 to confirm` are in the summary.
fn render_heading(pass: &PassSummaryView, page: &PageLayout) -> String {
    let observed = format_count(pass.observed, "pending booking");
    let calls = format_count(pass.calls, "call");
    if pass.dry_run {
        format!(
            "Plan as of {}. Nothing is changed.\n{observed} seen, with {calls} to Cal.com.\n",
            page.format_second(&pass.started)
        )
    } else {
        format!(
            "Pass of {}.\n{observed} seen, with {calls} to Cal.com.\n",
            page.format_second(&pass.started)
        )
    }
}

/// Renders the allowances that are granted before the requests are evaluated.
fn render_allowances(view: &PassView, page: &PageLayout) -> String {
    let rows: Vec<(&str, String)> = { view.allowances.iter() }
        .map(|granted| {
            let rolled_over = match granted.rolled_over {
                0 => String::new(),
                credits => format!(", and {} rolled over", format_count(credits, "credit")),
            };
            let text = format!(
                "{} for {}{rolled_over}, until {}",
                format_count(granted.credits, "credit"),
                format_count(granted.accounts, "account"),
                page.format_minute(&granted.expires),
            );
            (granted.allowance.as_str(), text)
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\nAllowances:\n{}", page.render_block(&rows))
}

/// Renders how the steps ended, with the most welcome outcome first.
fn render_summary(view: &PassView, acted_steps: &[&StepView], left_count: usize) -> String {
    if view.steps.is_empty() && !view.more && view.stopped.is_none() {
        if view.pass.observed == 0 && view.problems.is_empty() {
            return "Nothing is waiting.\n".to_owned();
        }
        let observed = format_count(view.pass.observed, "pending booking");
        let deferred = format_deferred(&view.pass);
        return format!("No decision was made about {observed}: see the problems.\n{deferred}");
    }
    let mut parts = Vec::new();
    let words: [(&str, &str, &str); 8] = [
        ("confirm", "planned", "to confirm"),
        ("decline", "planned", "to decline"),
        ("", "confirmed", "confirmed"),
        ("", "declined", "declined"),
        ("", "superseded", "superseded"),
        ("", "unresolved", "unresolved"),
        ("", "failed", "failed"),
        ("", "refused", "refused by Cal.com"),
    ];
    let mut counted = 0;
    for (decision, outcome, what) in words {
        let number = acted_steps
            .iter()
            .filter(|step| step.outcome == outcome)
            .filter(|step| decision.is_empty() || step.decision == decision)
            .count();
        counted += number;
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    if acted_steps.len() > counted {
        parts.push(format!("{} other", acted_steps.len() - counted));
    }
    if left_count > 0 {
        parts.push(format!("{left_count} left as they are"));
    }
    let mut text = format!("In all: {}.\n", parts.join(", "));
    if parts.is_empty() {
        text.clear();
    }
    text.push_str(&format_deferred(&view.pass));
    if view.more {
        text.push_str("More requests wait than one pass handles; the next pass continues.\n");
    }
    text
}

/// Formats what could not be decided because Cal.com's answers did not contain enough.
fn format_deferred(pass: &PassSummaryView) -> String {
    let mut text = String::new();
    if pass.deferred_requests > 0 {
        let requests = format_count(pass.deferred_requests, "request");
        text = format!(
            "{requests} postponed, because Cal.com's answers did not contain enough \
         information.\n"
        );
    }
    if pass.list_incomplete {
        text.push_str(
            "More requests may wait than were seen, because the list of pending \
         bookings ended early.\n",
        );
    }
    text
}

/// Renders one request: what is requested, who requested it, why it is decided so, and the effect.
pub(super) fn render_step(
    step: &StepView,
    page: &PageLayout,
    extra_rows: &[(&str, String)],
) -> String {
    let mut rows = vec![("booker", format_booker(step))];
    rows.push(("reasons", format_reasons(step)));
    rows.push(("effect", format_effect(step)));
    rows.extend(
        step.waiting_for
            .clone()
            .map(|waiting_for| ("waiting", waiting_for)),
    );
    rows.push(("booking", format_bookings(step)));
    rows.extend(
        extra_rows
            .iter()
            .map(|(label, value)| (*label, value.clone())),
    );
    render_with_heading(step, page, &rows)
}

/// Renders rows under a line that names the decision and the booking.
pub(super) fn render_with_heading(
    step: &StepView,
    page: &PageLayout,
    rows: &[(&str, String)],
) -> String {
    format!(
        "{} {} on {}\n{}",
        capitalize(&step.decision),
        quote_title(&step.title),
        page.format_minute(&step.start),
        page.render_block(rows)
    )
}

/// Returns true if there was nothing to do about the request.
fn is_left_pending(step: &StepView) -> bool {
    step.outcome == "none"
}

/// Renders the requests that are left as they are: each individually, or if there are many, how
/// many for which reason.
fn render_left_pending(steps: &[&StepView], page: &PageLayout) -> String {
    if steps.len() <= MAX_LEFT_SHOWN {
        return format!("\nLeft as they are:\n{}", render_left_table(steps, page));
    }
    let mut reasons: BTreeMap<(&str, String), (usize, &StepView)> = BTreeMap::new();
    for step in steps {
        let codes: Vec<&str> = step
            .reasons
            .iter()
            .map(|reason| reason.code.as_str())
            .collect();
        let key = (step.decision.as_str(), codes.join(", "));
        reasons.entry(key).or_insert((0, step)).0 += 1;
    }
    let rows = reasons
        .into_iter()
        .map(|((decision, codes), (number, example))| {
            vec![
                decision.to_owned(),
                codes,
                number.to_string(),
                example.request.clone(),
            ]
        });
    let table = page.render_table(
        &["decision", "reason", "requests", "for example"],
        &["decision"],
        &["requests"],
        rows.collect(),
    );
    format!("\nLeft as they are, by reason (`--format json` names each):\n{table}")
}

fn render_left_table(steps: &[&StepView], page: &PageLayout) -> String {
    let rows = steps
        .iter()
        .map(|step| {
            vec![
                step.decision.clone(),
                format!(
                    "{} on {}",
                    quote_title(&step.title),
                    page.format_minute(&step.start)
                ),
                format_booker(step),
                format_reasons(step),
            ]
        })
        .collect();
    page.render_table(
        &["decision", "booking", "booker", "reasons"],
        &["decision"],
        &[],
        rows,
    )
}

/// Formats the booker, and the account if it has another name.
pub(super) fn format_booker(step: &StepView) -> String {
    match (&step.booker, &step.account) {
        (Some(booker), Some(account)) if booker == account => booker.clone(),
        (Some(booker), Some(account)) => format!("{booker} (account {account})"),
        (Some(booker), None) if step.account_not_looked_up => {
            format!("{booker} (account not looked up)")
        }
        (Some(booker), None) => format!("{booker} (no account)"),
        (None, Some(account)) => format!("account {account}"),
        (None, None) => "no booker that could be identified".to_owned(),
    }
}

pub(super) fn format_reasons(step: &StepView) -> String {
    if step.reasons.is_empty() {
        return match &step.gate {
            Some(gate) if step.decision == "confirm" => {
                format!("no rule of gate {gate} objects")
            }
            Some(_) | None => "no reason was given".to_owned(),
        };
    }
    let reasons: Vec<String> = step
        .reasons
        .iter()
        .map(|reason| format!("{} ({})", reason.text, reason.code))
        .collect();
    reasons.join("; ")
}

/// Formats the effect in whole words. An outcome that this version does not know is shown as it is.
fn format_effect(step: &StepView) -> String {
    let credits = format_count(step.credits, "credit");
    let confirm = step.decision == "confirm";
    match step.outcome.as_str() {
        "planned" => match step.decision.as_str() {
            "confirm" => match step.balance {
                Some(balance) => format!(
                    "would be confirmed, for {credits}; the balance goes from {} to {}",
                    balance.before, balance.after
                ),
                None => format!("would be confirmed, for {credits}"),
            },
            "decline" => "would be declined with a reason for the booker".to_owned(),
            _ => "would be recorded".to_owned(),
        },
        "confirmed" => format!("confirmed, for {credits}"),
        "declined" => "declined with a reason for the booker".to_owned(),
        "superseded" => "superseded by a change at Cal.com; nothing is charged".to_owned(),
        "unresolved" if confirm => {
            format!("not finished, the next pass continues; {credits} held meanwhile")
        }
        "unresolved" => "not finished, the next pass continues".to_owned(),
        "failed" if confirm => {
            format!("Cal.com refused it, and the call is repeated; {credits} held meanwhile")
        }
        "failed" => "Cal.com refused it, and the call is repeated".to_owned(),
        "refused" => {
            "Cal.com refused it repeatedly; nothing is charged, and the booking stays pending"
                .to_owned()
        }
        "none" => match step.decision.as_str() {
            "review" => "left pending for an operator".to_owned(),
            "wait" => "left pending, and evaluated again".to_owned(),
            // A booking from a file, which nothing was done about.
            "confirm" => format!("would be confirmed, for {credits}"),
            "decline" => "would be declined with a reason for the booker".to_owned(),
            _ => "left alone".to_owned(),
        },
        other => other.to_owned(),
    }
}

pub(super) fn format_bookings(step: &StepView) -> String {
    match step.bookings.as_slice() {
        [] => step.request.clone(),
        [only] if *only == step.request => only.clone(),
        bookings => format!("{}, a series of {}", step.request, bookings.len()),
    }
}
