//! What `policy test` says: a line for each case that came out otherwise, and a sum.

use super::clean;
use super::layout::count;
use crate::control::policy::{CaseView, PolicyTestView};

/// The whole answer. With `verbose` every case, and what each rule said of it.
pub fn tested(view: &PolicyTestView, verbose: bool) -> String {
    let mut text = String::new();
    for case in &view.results {
        if case.passed && !verbose {
            continue;
        }
        text.push_str(&line(case));
        if verbose {
            for finding in &case.findings {
                let sign = if finding.passed { ' ' } else { '!' };
                let (rule, detail) = (clean::text(&finding.rule), clean::text(&finding.detail));
                text.push_str(&format!("       {sign} {rule}: {detail}\n"));
            }
        }
    }
    text.push_str(&sum(view));
    text
}

/// A view on one line.
pub fn json(view: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(view).expect("views have only keys that are texts");
    clean::json(&text) + "\n"
}

fn line(case: &CaseView) -> String {
    let place = format!("{}:{}", clean::text(&case.file), case.line);
    let name = clean::text(&case.name);
    if case.passed {
        let found = &case.found;
        let reasons = found.reasons.join(", ");
        return format!("ok   {place} {name}: {} ({reasons})\n", found.decision);
    }
    let differences = case.differences.iter().map(|text| clean::text(text));
    let differences = differences.collect::<Vec<_>>().join("; ");
    format!("FAIL {place} {name}: {differences}\n")
}

fn sum(view: &PolicyTestView) -> String {
    let cases = count(view.cases as u64, "case");
    let failed = match view.failed {
        0 => "all as expected".to_owned(),
        failed => format!("{failed} not as expected"),
    };
    format!("{cases}, {failed} (policy {})\n", view.policy)
}
