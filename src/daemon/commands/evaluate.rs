//! Judges one booking from a file as if it were pending. Nothing is done, nothing is written, and
//! Cal.com is not asked: its answers are assumed, and the result lists every assumption.

mod snapshot_of_file;

use self::snapshot_of_file::build_snapshot;
use super::parse;
use crate::calcom::booking_file::parse_booking_file;
use crate::control::protocol::decisions::EvaluateView;
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::gate::Policy;
use crate::domain::plan::{Plan, plan};
use crate::domain::time::Time;
use crate::store::port::Store;

/// Judges the booking in a file as if it were pending at `at`; without `at`, the file or `now`
/// gives the time. Nothing is written.
///
/// # Errors
/// Fails when the file holds no booking, when `at` is no time, and when the store cannot be read.
pub fn evaluate(
    store: &mut dyn Store,
    policy: &Policy,
    now: Time,
    file: &str,
    at: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let at = at.map(|text| parse::time("--at", text)).transpose()?;
    let from_file =
        parse_booking_file(file).map_err(|why| parse::usage(format!("the file {why}")))?;
    let at = at.or(from_file.sent_at).unwrap_or(now);
    let mut assumed = from_file.assumptions.clone();
    let snapshot = build_snapshot(store, policy, at, from_file, &mut assumed)?;
    let Plan { steps, .. } = plan(&snapshot, policy);
    let [step] = steps.as_slice() else {
        return Err(parse::refusal(
            "internal",
            "the booking gave no single decision; please report this with the file",
        ));
    };
    let request = &step.request;
    let told = request.booker_text.clone();
    Ok(CommandResult::Evaluate(EvaluateView {
        schema: SCHEMA,
        at: views::format_time(at),
        decision: views::step(request, "none"),
        findings: request.findings.iter().map(views::finding).collect(),
        booker_message: told,
        assumptions: assumed,
    }))
}

#[cfg(test)]
mod tests;
