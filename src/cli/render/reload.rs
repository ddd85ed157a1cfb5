//! Renders findings about a configuration, and what a reload changed.

use serde_json::Value;

use super::layout::{PageLayout, format_count};
use crate::control::protocol::check::CheckResultView;
use crate::control::protocol::status::ReloadView;

/// Renders what a reload changed, or what is wrong with the configuration.
pub fn render_reload(view: &ReloadView, page: &PageLayout) -> String {
    if !view.accepted {
        return format!(
            "{}The daemon continues with the configuration that it has: policy {}.\n",
            render_results(&view.results, page),
            view.policy
        );
    }
    let warnings = view
        .results
        .iter()
        .filter(|result| result.level == "warning");
    let warnings: Vec<CheckResultView> = warnings.cloned().collect();
    let warnings = match warnings.as_slice() {
        [] => String::new(),
        warnings => render_results(warnings, page),
    };
    if view.changes.is_empty() {
        return format!(
            "{warnings}The daemon has read {}: no key changed its value; policy {}.\n",
            view.config, view.policy
        );
    }
    let rows = view.changes.iter().map(|change| {
        vec![
            change.key.clone(),
            render_value(&change.old),
            render_value(&change.new),
        ]
    });
    format!(
        "{warnings}The daemon uses {} from now on: {}; policy {}.\n{}",
        view.config,
        format_count(view.changes.len(), "changed key"),
        view.policy,
        page.render_table(&["key", "before", "now"], &["key"], &[], rows.collect())
    )
}

/// Renders each result with what to do, and the number of errors and warnings.
pub fn render_results(results: &[CheckResultView], page: &PageLayout) -> String {
    let mut text = String::new();
    for finding in results {
        text.push_str(&format!(
            "{:<8} {}: {}\n",
            finding.level,
            page.render_text(&finding.subject),
            page.render_text(&finding.text)
        ));
        if !finding.help.is_empty() {
            text.push_str(&format!("         {}\n", page.render_text(&finding.help)));
        }
    }
    let count = |level: &str| results.iter().filter(|f| f.level == level).count();
    let (errors, warnings) = (count("error"), count("warning"));
    text.push_str(&format!(
        "{errors} {}, {warnings} {}\n",
        if errors == 1 { "error" } else { "errors" },
        if warnings == 1 { "warning" } else { "warnings" },
    ));
    text
}

fn render_value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    }
}
