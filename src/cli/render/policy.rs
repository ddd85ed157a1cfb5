//! Renders the result of `policy test`, with a line for each case that differs from what is
//! expected, and a sum; and likewise that of `policy replay` for requests.

use super::layout::{PageLayout, format_count};
use super::sanitize;
use crate::control::policy::{
    CaseView, DifferenceView, PolicyTestView, ReplayDecisionView, ReplayView,
};

/// Renders the whole answer. With `verbose`, every case is shown, with what each rule found.
pub fn render_test_results(view: &PolicyTestView, verbose: bool, page: &PageLayout) -> String {
    let mut text = String::new();
    for case in &view.results {
        if case.passed && !verbose {
            continue;
        }
        text.push_str(&render_case(case, page));
        if verbose {
            for finding in &case.findings {
                let sign = if finding.passed { ' ' } else { '!' };
                let (rule, detail) = (
                    sanitize::sanitize_text(&finding.rule),
                    page.render_text(&finding.detail),
                );
                text.push_str(&format!("       {sign} {rule}: {detail}\n"));
            }
        }
    }
    text.push_str(&render_summary(view));
    text
}

/// Renders a view on one line.
pub fn render_json(view: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(view).expect("views have only keys that are texts");
    sanitize::escape_json(&text) + "\n"
}

fn render_case(case: &CaseView, page: &PageLayout) -> String {
    let place = format!("{}:{}", sanitize::sanitize_text(&case.file), case.line);
    let name = sanitize::sanitize_text(&case.name);
    if case.passed {
        let found = &case.actual;
        let reasons = found.reasons.join(", ");
        return format!("ok   {place} {name}: {} ({reasons})\n", found.decision);
    }
    let differences = case.differences.iter().map(|text| page.render_text(text));
    let differences = differences.collect::<Vec<_>>().join("; ");
    format!("FAIL {place} {name}: {differences}\n")
}

/// Renders the requests that would be decided differently, and a sum.
pub fn render_replay(view: &ReplayView, page: &PageLayout) -> String {
    let mut text = String::new();
    for difference in &view.differences {
        text.push_str(&render_difference(difference, page));
    }
    if view.more > 0 {
        let more = view.more;
        text.push_str(&format!("and {more} more (see --limit)\n"));
    }
    for missing in &view.missing {
        let requests = format_count(missing.requests, "request");
        let what = sanitize::sanitize_text(&missing.input);
        text.push_str(&format!("unknown: {what} was not recorded ({requests})\n"));
    }
    let requests = format_count(view.requests, "request");
    text.push_str(&format!(
        "{requests} since {}: {} as before, {} otherwise, {} unknown (policy {})\n",
        page.format_minute(&view.since),
        view.same,
        view.different,
        view.unknown,
        view.policy
    ));
    text
}

fn render_difference(difference: &DifferenceView, page: &PageLayout) -> String {
    let booker = difference.booker.as_deref().unwrap_or("an unknown booker");
    let mut text = format!(
        "{} {} for {}: {} -> {}\n",
        page.format_minute(&difference.decided_at),
        sanitize::sanitize_text(booker),
        page.format_minute(&difference.start),
        format_outcome(&difference.recorded_decision),
        format_outcome(&difference.replayed_decision)
    );
    if let Some(finding) = &difference.replayed_decision.rule {
        let (rule, detail) = (
            sanitize::sanitize_text(&finding.rule),
            page.render_text(&finding.detail),
        );
        text.push_str(&format!("    {rule}: {detail}\n"));
    }
    text
}

fn format_outcome(outcome: &ReplayDecisionView) -> String {
    let reasons = outcome.reasons.join(", ");
    match outcome.decision.as_str() {
        "confirm" => format!("confirm for {}", format_count(outcome.credits, "credit")),
        decision => format!("{decision} ({reasons})"),
    }
}

fn render_summary(view: &PolicyTestView) -> String {
    let cases = format_count(view.cases as u64, "case");
    let failed = match view.failed {
        0 => "all as expected".to_owned(),
        failed => format!("{failed} not as expected"),
    };
    format!("{cases}, {failed} (policy {})\n", view.policy)
}
