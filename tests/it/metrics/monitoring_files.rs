//! The alerts and the dashboard of `docs/monitoring`, and what promtool says about them and about
//! the metrics.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use super::{ACCEPT_OPENMETRICS, full_exposition, samples};
use crate::fixture::tool::{require_tool, run_tool};

const RULES: &str = "docs/monitoring/maitred.rules.yml";
const DASHBOARD: &str = "docs/monitoring/grafana.json";
const PAGE: &str = "docs/monitoring.md";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Returns the names of all series: `maitred_pass_duration_seconds_bucket`.
async fn series_names() -> BTreeSet<String> {
    let series = samples(&full_exposition(None).await.body).into_keys();
    series
        .map(|series| series.split('{').next().unwrap().to_owned())
        .collect()
}

/// Returns the names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\bmaitred_[a-z_]+").unwrap();
    name.find_iter(text)
        .map(|one| one.as_str().to_owned())
        .collect()
}

/// Returns every text under the key `expr`, `query` or `definition`.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text)
                        if matches!(key.as_str(), "expr" | "query" | "definition") =>
                    {
                        found.push(text.clone());
                    }
                    value => expressions(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn assert_known(used: &BTreeSet<String>, known: &BTreeSet<String>, file: &str) {
    let unknown: Vec<&String> = used.difference(known).collect();
    assert!(
        unknown.is_empty(),
        "{file} names {unknown:?}; there are {known:#?}"
    );
}

#[tokio::test]
async fn every_metric_of_the_dashboard_exists() {
    let text = fs::read_to_string(path(DASHBOARD)).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let used = metrics_in(&found.join("\n"));
    assert_known(&used, &series_names().await, DASHBOARD);
    assert!(used.len() >= 20, "{used:?}");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels
        .iter()
        .map(|panel| panel["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len(), "panels have ids of their own");
    for panel in panels {
        let position = &panel["gridPos"];
        let right = position["x"].as_i64().unwrap() + position["w"].as_i64().unwrap();
        assert!(right <= 24, "{panel}");
    }
}

#[tokio::test]
async fn every_metric_of_the_alerts_exists_and_every_alert_is_explained() {
    let rules = fs::read_to_string(path(RULES)).unwrap();
    let used = metrics_in(&rules);
    assert_known(&used, &series_names().await, RULES);
    assert!(used.len() >= 10, "{used:?}");
    let page = fs::read_to_string(path(PAGE)).unwrap();
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: Vec<&str> = alerts.collect();
    assert!(alerts.len() >= 10, "{alerts:?}");
    for alert in alerts {
        assert!(
            page.contains(&format!("`{alert}`")),
            "{alert} is not in {PAGE}"
        );
    }
}

/// A metric and a word of a label that the page does not name is one that operators do not find.
#[tokio::test]
async fn the_page_names_every_metric_and_every_word_of_a_label() {
    let page = fs::read_to_string(path(PAGE)).unwrap();
    let codes = fs::read_to_string(path("docs/troubleshooting.md")).unwrap();
    let exposition = full_exposition(None).await.body;
    let types = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    for line in types {
        let name = line.split(' ').next().unwrap();
        let shown = page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}{{"));
        assert!(shown, "{name} is not in {PAGE}");
    }
    let label = Regex::new("([a-z]+)=\"([^\"]*)\"").unwrap();
    for series in samples(&exposition).keys() {
        for found in label.captures_iter(series) {
            let (name, word) = (&found[1], &found[2]);
            if matches!(name, "le" | "version") {
                continue;
            }
            let of_reason = name == "reason" && codes.contains(&format!("`{word}`"));
            let shown = of_reason || page.contains(&format!("`{word}`"));
            assert!(shown, "{name}={word:?} is not in {PAGE}");
        }
    }
}

/// Checks that promtool has nothing to say. `check metrics` is silent when all is well, also about
/// style.
#[tokio::test]
async fn promtool_accepts_the_metrics() {
    let Some(program) = require_tool("promtool") else {
        return;
    };
    let text = full_exposition(None).await.body;
    let output = run_tool(&program, &["check", "metrics"], &text);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
    // promtool notices what is wrong: OpenMetrics is not the format of the file.
    let openmetrics = full_exposition(ACCEPT_OPENMETRICS).await.body;
    let output = run_tool(&program, &["check", "metrics"], &openmetrics);
    assert!(!output.status.success());
}

#[test]
fn promtool_accepts_the_alerts_and_their_tests_pass() {
    let Some(program) = require_tool("promtool") else {
        return;
    };
    let tests = "tests/fixtures/monitoring/alerts.test.yml";
    for args in [["check", "rules", RULES], ["test", "rules", tests]] {
        let output = run_tool(&program, &args, "");
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
    // Every alert has a test in which it comes, and one in which it does not.
    let text = fs::read_to_string(path(tests)).unwrap();
    let rules = fs::read_to_string(path(RULES)).unwrap();
    for alert in rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        assert!(
            text.contains(&format!("alertname: {alert}}}")),
            "{alert} never stays away"
        );
        assert!(
            text.contains(&format!("alertname: {alert}\n")),
            "{alert} never comes"
        );
    }
}
