//! `maitred run`: the daemon, or one run from a timer.

use std::sync::Arc;
use std::time::Duration;

use super::args::passes::RunArgs;
use super::context::Context;
use super::context::print_result;
use super::context::runtime;
use crate::config::model::Config;
use crate::control::exit;
use crate::control::protocol::pass::{PassSummaryView, PassView};
use crate::control::protocol::{CommandResult, Refusal};
use crate::daemon::calendar;
use crate::daemon::failure::Failure;
use crate::daemon::last_run::LastRun;
use crate::daemon::metrics::registry::Metrics;
use crate::daemon::offline::{RunMode, run_once};
use crate::daemon::ownership;
use crate::daemon::process::run_daemon;

/// The code of the problem that clocks differ, as passes and watches report it.
const CLOCK_OFF: &str = "clock-off";

/// Runs the daemon, or passes until nothing is left to do.
///
/// # Errors
/// Returns a refusal if something cannot be opened, or if the daemon or the passes cannot work.
pub fn run(context: &Context, args: &RunArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    if args.once || args.dry_run {
        let mode = match (args.dry_run, args.watch) {
            (true, true) => RunMode::DryWatch,
            (true, false) => RunMode::DryRun,
            (false, true) => RunMode::Watch,
            (false, false) => RunMode::Run,
        };
        let ended = run_and_print(context, &config, mode, args.notify_within);
        if !args.dry_run {
            remember(context, &config, &ended);
        }
        return ended.map(|(code, _)| code);
    }
    let path = context.global.config.clone();
    runtime()?.block_on(run_daemon(config, path, Arc::clone(&context.clock)))?;
    Ok(exit::DONE)
}

/// Runs passes and prints their report. Returns the exit code, and the last pass if the run reached
/// its end.
fn run_and_print(
    context: &Context,
    config: &Config,
    mode: RunMode<'_>,
    notify_within: Duration,
) -> Result<(u8, Option<PassSummaryView>), Refusal> {
    let answer = run_passes(context, config, mode, notify_within)?;
    print_result(context, &answer)?;
    match answer {
        CommandResult::Pass(view) => Ok((finish(&view)?, Some(view.pass))),
        _ => Ok((exit::FAILED, None)),
    }
}

/// Remembers how the run ended, for `status` where no daemon runs.
fn remember(
    context: &Context,
    config: &Config,
    ended: &Result<(u8, Option<PassSummaryView>), Refusal>,
) {
    // A file of another user would keep that user from writing the next one.
    if ownership::check_owner(config.state_dir()).is_err() {
        return;
    }
    let now = (context.clock)();
    let run = match ended {
        Ok((code, pass)) => LastRun::ended(now, *code, "", pass.clone()),
        Err(refusal) => LastRun::ended(now, refusal.exit, &refusal.text, None),
    };
    run.save(config.state_dir());
}

/// Runs passes once, without a daemon.
///
/// # Errors
/// Returns a refusal if something cannot be opened, or if a pass fails.
pub fn run_passes(
    context: &Context,
    config: &Config,
    mode: RunMode<'_>,
    notify_within: Duration,
) -> Result<CommandResult, Refusal> {
    let clock = &context.clock;
    let metrics = Metrics::new(config.metrics.file.clone(), clock());
    let observer = Some(metrics.call_observer());
    let calendar = calendar::open(config, clock, observer).map_err(Failure::from)?;
    let calendar = calendar.calendar.as_ref();
    let run = run_once(config, clock, calendar, mode, &metrics, notify_within);
    Ok(runtime()?.block_on(run)?)
}

/// Returns the exit code of a run. The report is already printed, so that only a failure is left to
/// report.
///
/// # Errors
/// Returns a refusal if the run stopped before its end.
pub fn finish(view: &PassView) -> Result<u8, Refusal> {
    match &view.stopped {
        None => Ok(exit_code(view)),
        Some(stopped) => Err(Refusal {
            exit: stopped.exit,
            code: stopped.code.clone(),
            text: stopped.text.clone(),
        }),
    }
}

/// Returns the exit code of a pass: 4 if something was started and is not finished, or if requests
/// could not be read or decided because the clocks differ or Cal.com's answers did not contain
/// enough.
pub fn exit_code(view: &PassView) -> u8 {
    let is_unfinished = |outcome: &str| matches!(outcome, "unresolved" | "failed" | "refused");
    let watch = view.watch.iter().flat_map(|watch| &watch.problems);
    let mut problems = view.problems.iter().chain(watch);
    let clocks_differ = problems.any(|problem| problem.code == CLOCK_OFF);
    let is_incomplete = view.pass.deferred_requests > 0 || view.pass.list_incomplete;
    if clocks_differ || is_incomplete || view.steps.iter().any(|step| is_unfinished(&step.outcome))
    {
        exit::UNRESOLVED
    } else {
        exit::DONE
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn step(decision: &str, outcome: &str) -> Value {
        json!({
            "request": "a", "bookings": ["a"], "title": "", "start": "2026-12-03T18:00:00Z",
            "booker": null, "account": null, "gate": null, "decision": decision, "credits": 0,
            "outcome": outcome, "reasons": [],
        })
    }

    fn exit_code_of(steps: &[Value], head: &Value, problems: &Value) -> u8 {
        let mut pass = json!({
            "started": "2026-12-01T09:00:00Z", "finished": "2026-12-01T09:00:00Z", "observed": 1,
            "calls": 1, "dry_run": false,
        });
        for (key, value) in head.as_object().unwrap() {
            pass[key] = value.clone();
        }
        let view = json!({
            "schema": 1, "pass": pass, "steps": steps, "problems": problems, "more": false,
        });
        exit_code(&serde_json::from_value(view).unwrap())
    }

    /// A request that waits for credit, for a person or for nothing is in order; a request that
    /// could not be decided is not.
    #[test]
    fn the_exit_code_says_whether_everything_was_looked_at_and_finished() {
        let ordinary = [
            step("wait", "none"),
            step("review", "none"),
            step("leave", "none"),
            step("confirm", "confirmed"),
            step("decline", "declined"),
            step("confirm", "superseded"),
        ];
        let harmless_problem = json!([{"code": "unanswered", "text": "it began"}]);
        let none = json!([]);
        let rows = [
            (
                ordinary.as_slice(),
                json!({}),
                &harmless_problem,
                exit::DONE,
            ),
            (
                &[],
                json!({"deferred_requests": 502}),
                &none,
                exit::UNRESOLVED,
            ),
            (
                &ordinary,
                json!({"deferred_requests": 1}),
                &none,
                exit::UNRESOLVED,
            ),
            (
                &[],
                json!({"list_incomplete": true}),
                &none,
                exit::UNRESOLVED,
            ),
            (
                &[step("confirm", "unresolved")],
                json!({}),
                &none,
                exit::UNRESOLVED,
            ),
            (
                &[step("confirm", "failed")],
                json!({}),
                &none,
                exit::UNRESOLVED,
            ),
            (
                &[step("confirm", "refused")],
                json!({}),
                &none,
                exit::UNRESOLVED,
            ),
            (
                &[],
                json!({}),
                &json!([{"code": "clock-off", "text": ""}]),
                exit::UNRESOLVED,
            ),
        ];
        for (steps, head, problems, expect) in rows {
            assert_eq!(
                exit_code_of(steps, &head, problems),
                expect,
                "{steps:?} {head}"
            );
        }
    }
}
