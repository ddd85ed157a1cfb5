//! Runs a case: compares what the plan decides with what is expected.

use crate::calcom::booking_file::{ParsedBooking, parse_booking_file};
use crate::config::policy_test::model::{CaseExpectation, CaseTime, PolicyCase};
use crate::control::policy::{CaseOutcomeView, CaseView};
use crate::daemon::policy::case_fixture;
use crate::daemon::policy::snapshot_fixture::{SnapshotFixture, evaluate_one};
use crate::daemon::views;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::evaluation::rules::{built_in_names, is_built_in_name};
use crate::domain::gate::Policy;
use crate::domain::messages;
use crate::domain::request::Request;
use crate::domain::time::Time;

/// Reads the booking that a file holds.
///
/// # Errors
/// Returns why the file holds no booking, as text that follows the file's name.
pub fn read_booking_file(bytes: &[u8]) -> Result<ParsedBooking, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    parse_booking_file(text).map_err(|why| why.to_string())
}

/// Runs a case with a policy that
/// [`without_pass_limits`](super::snapshot_fixture::without_pass_limits) returned. `file` is the
/// content of the case's booking file, and `source` is the file that contains the case.
///
/// # Errors
/// Returns why the case cannot be run.
pub fn run_case(
    case: &PolicyCase,
    file: Option<ParsedBooking>,
    policy: &Policy,
    source: &str,
) -> Result<CaseView, String> {
    check_names(case, policy)?;
    let fixture: SnapshotFixture = case_fixture::build_fixture(case, file, policy)?;
    let now = fixture.now;
    let request = evaluate_one(fixture, policy).ok_or("the booking gives no single decision")?;
    let actual = case_outcome(&request);
    let differences = differences(&case.expect, &request, &actual, now);
    Ok(CaseView {
        file: source.to_owned(),
        line: case.position.as_ref().map_or(0, |place| place.line),
        name: case.name.clone(),
        passed: differences.is_empty(),
        differences,
        actual,
        findings: request.findings.iter().map(views::finding).collect(),
    })
}

/// Refuses names that the configuration does not know, because they would make a case check less
/// than it seems to.
fn check_names(case: &PolicyCase, policy: &Policy) -> Result<(), String> {
    let global_policy = &policy.global;
    for name in case.lookups.keys() {
        if global_policy
            .lookups
            .iter()
            .all(|lookup| lookup.name != *name)
        {
            return Err(format!(
                "the configuration has no [[lookup]] named {name:?}"
            ));
        }
    }
    let member = case.member.iter();
    let upcoming = member.flat_map(|member| &member.upcoming);
    for name in upcoming.filter_map(|upcoming| upcoming.gate.as_ref()) {
        if policy.gates.iter().all(|gate| gate.name != *name) {
            return Err(format!("the configuration has no gate named {name:?}"));
        }
    }
    if let Some(rule) = &case.expect.rule {
        let mut rules = global_policy.rules.iter().chain(
            policy
                .gates
                .iter()
                .flat_map(|gate| gate.criteria.rules.iter()),
        );
        if !is_built_in_name(rule) && rules.all(|known| known.name != *rule) {
            return Err(format!(
                "no rule is called {rule:?}; maitred's own are {}",
                built_in_names().collect::<Vec<&str>>().join(", ")
            ));
        }
    }
    Ok(())
}

fn case_outcome(request: &Request) -> CaseOutcomeView {
    let objecting = request.findings.iter().find(|finding| !finding.passed);
    CaseOutcomeView {
        decision: request.decision.as_str().to_owned(),
        reasons: code_names(request.reasons.iter().map(|reason| reason.code)),
        text: match &request.booker_text {
            Some(told) => told.clone(),
            None => messages::join_reasons(&request.reasons),
        },
        credits: request.credits,
        rule: objecting.map(|finding| finding.rule.to_string()),
        until: match request.decision {
            Decision::Wait { until } => until.map(views::format_time),
            Decision::Confirm | Decision::Decline | Decision::Review | Decision::Leave => None,
        },
    }
}

fn code_names(codes: impl Iterator<Item = ReasonCode>) -> Vec<String> {
    codes.map(|code| code.as_str().to_owned()).collect()
}

/// Returns what is expected and not found, as sentences.
fn differences(
    expect: &CaseExpectation,
    request: &Request,
    actual: &CaseOutcomeView,
    now: Time,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut compare = |what: &str, expected: String, is: String| {
        if expected != is {
            all.push(format!("expected {what}{expected}, found {is}"));
        }
    };
    let reasons = |codes: &[String]| match codes {
        [] => "no reason".to_owned(),
        codes => codes.join(", "),
    };
    if expect.decision != actual.decision {
        // When the decision differs, its reasons explain the difference best.
        let actual_text = format!("{} ({})", actual.decision, reasons(&actual.reasons));
        compare("", expect.decision.to_owned(), actual_text);
    }
    if let Some(codes) = &expect.reasons {
        let expected = self::code_names(codes.iter().copied());
        compare("reasons ", reasons(&expected), reasons(&actual.reasons));
    }
    if let Some(credits) = expect.credits {
        compare("credits ", credits.to_string(), actual.credits.to_string());
    }
    if let Some(rule) = &expect.rule {
        let actual_rule = actual
            .rule
            .clone()
            .unwrap_or_else(|| "no objection".to_owned());
        compare("rule ", rule.clone(), actual_rule);
    }
    if let Some(text) = &expect.text {
        compare("text ", format!("{text:?}"), format!("{:?}", actual.text));
    }
    if let (
        Some(until),
        Decision::Wait {
            until: actual_until,
        },
    ) = (expect.until, request.decision)
    {
        let at = |moment: CaseTime| views::format_time(moment.resolve(now));
        let actual_text = actual_until.map_or_else(|| "the start".to_owned(), views::format_time);
        compare("until ", at(until), actual_text);
    }
    all
}
