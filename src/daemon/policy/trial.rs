//! A case tried: what the plan says of it, held against what is expected.

use crate::calcom::file::{FromFile, read};
use crate::config::case::model::{Case, Expect, Moment};
use crate::config::rule::OWN;
use crate::control::policy::{CaseView, FoundView};
use crate::daemon::policy::example;
use crate::daemon::policy::world::{World, judged};
use crate::daemon::views;
use crate::domain::decision::{Code, Decision};
use crate::domain::gate::Policy;
use crate::domain::request::Request;
use crate::domain::text;
use crate::domain::time::Time;

/// The booking that a file holds.
///
/// # Errors
/// Why it is none; reads after the file's name.
pub fn booking_of(bytes: &[u8]) -> Result<FromFile, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    read(text).map_err(|why| why.to_string())
}

/// Tries a case with the policy, which `world::unbounded` made. `file` is what its file holds, and
/// `source` the file that the case stands in.
///
/// # Errors
/// What keeps it from being tried.
pub fn trial(
    case: &Case,
    file: Option<FromFile>,
    policy: &Policy,
    source: &str,
) -> Result<CaseView, String> {
    known(case, policy)?;
    let world: World = example::world(case, file, policy)?;
    let now = world.now;
    let request = judged(world, policy).ok_or("the booking gives no single decision")?;
    let found = found(&request);
    let differences = differences(&case.expect, &request, &found, now);
    Ok(CaseView {
        file: source.to_owned(),
        line: case.place.as_ref().map_or(0, |place| place.line),
        name: case.name.clone(),
        passed: differences.is_empty(),
        differences,
        found,
        findings: request.findings.iter().map(views::finding).collect(),
    })
}

/// Names that a configuration does not know would make a case say less than it seems to.
fn known(case: &Case, policy: &Policy) -> Result<(), String> {
    let house = &policy.house;
    for name in case.lookups.keys() {
        if house.lookups.iter().all(|lookup| lookup.name != *name) {
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
        let own = house.rules.iter().chain(
            policy
                .gates
                .iter()
                .flat_map(|gate| gate.criteria.rules.iter()),
        );
        let mut names = OWN.into_iter().chain(own.map(|rule| &*rule.name));
        if names.all(|name| name != rule) {
            return Err(format!(
                "no rule is called {rule:?}; maitred's own are {}",
                OWN.join(", ")
            ));
        }
    }
    Ok(())
}

fn found(request: &Request) -> FoundView {
    let objecting = request.findings.iter().find(|finding| !finding.passed);
    FoundView {
        decision: request.decision.as_str().to_owned(),
        reasons: codes(request.reasons.iter().map(|reason| reason.code)),
        text: match &request.text {
            Some(told) => told.clone(),
            None => text::joined(&request.reasons),
        },
        credits: request.credits,
        rule: objecting.map(|finding| finding.rule.to_string()),
        until: match request.decision {
            Decision::Wait { until } => until.map(views::time),
            Decision::Confirm | Decision::Decline | Decision::Review | Decision::Leave => None,
        },
    }
}

fn codes(codes: impl Iterator<Item = Code>) -> Vec<String> {
    codes.map(|code| code.as_str().to_owned()).collect()
}

/// What is expected and not found, in words.
fn differences(expect: &Expect, request: &Request, found: &FoundView, now: Time) -> Vec<String> {
    let mut all = Vec::new();
    let mut hold = |what: &str, expected: String, is: String| {
        if expected != is {
            all.push(format!("expected {what}{expected}, found {is}"));
        }
    };
    let reasons = |codes: &[String]| match codes {
        [] => "no reason".to_owned(),
        codes => codes.join(", "),
    };
    if expect.decision != found.decision {
        // The reasons say most when something else came out.
        let is = format!("{} ({})", found.decision, reasons(&found.reasons));
        hold("", expect.decision.to_owned(), is);
    }
    if let Some(codes) = &expect.reasons {
        let expected = self::codes(codes.iter().copied());
        hold("reasons ", reasons(&expected), reasons(&found.reasons));
    }
    if let Some(credits) = expect.credits {
        hold("credits ", credits.to_string(), found.credits.to_string());
    }
    if let Some(rule) = &expect.rule {
        let is = found
            .rule
            .clone()
            .unwrap_or_else(|| "no objection".to_owned());
        hold("rule ", rule.clone(), is);
    }
    if let Some(text) = &expect.text {
        hold("text ", format!("{text:?}"), format!("{:?}", found.text));
    }
    if let (Some(until), Decision::Wait { until: is }) = (expect.until, request.decision) {
        let at = |moment: Moment| views::time(moment.at(now));
        let is = is.map_or_else(|| "the start".to_owned(), views::time);
        hold("until ", at(until), is);
    }
    all
}
