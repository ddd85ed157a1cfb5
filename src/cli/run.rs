//! `maitred run`: the daemon, or one run from a timer.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::args::passes::RunArgs;
use super::command_target::print_result;
use super::dispatch::Context;
use crate::config::model::Config;
use crate::control::exit;
use crate::control::protocol::{CommandResult, PassView, Refusal};
use crate::daemon::calendar;
use crate::daemon::failure::Failure;
use crate::daemon::offline::{RunMode, run_once};
use crate::daemon::process::run_daemon;

/// The problem of clocks that differ, as passes and watches report it.
const CLOCK_OFF: &str = "clock-off";

/// Threads for I/O; the store has one of its own, and there is little to compute.
const THREADS: usize = 2;

/// Runs the daemon, or passes until nothing is left to do.
///
/// # Errors
/// When something cannot be opened, or nothing can work.
pub fn run(context: &Context, args: &RunArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    if args.once || args.dry_run {
        let mode = match (args.dry_run, args.watch) {
            (true, true) => RunMode::DryWatch,
            (true, false) => RunMode::DryRun,
            (false, true) => RunMode::Watch,
            (false, false) => RunMode::Run,
        };
        let answer = run_passes(context, &config, mode)?;
        print_result(context, &answer)?;
        return match &answer {
            CommandResult::Pass(view) => finish(view),
            _ => Ok(exit::FAILED),
        };
    }
    let path = context.global.config.clone();
    runtime()?.block_on(run_daemon(config, path, Arc::clone(&context.clock)))?;
    Ok(exit::DONE)
}

/// One run of passes, without a daemon.
///
/// # Errors
/// When something cannot be opened, or a pass fails.
pub fn run_passes(
    context: &Context,
    config: &Config,
    mode: RunMode,
) -> Result<CommandResult, Refusal> {
    let calendar = calendar::open(config, &context.clock).map_err(Failure::from)?;
    let calendar = calendar.calendar.as_ref();
    Ok(runtime()?.block_on(run_once(config, &context.clock, calendar, mode))?)
}

/// How a run ended. What was done is printed by then, and only the failure is left to be told.
///
/// # Errors
/// When it did not come to its end.
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

/// The exit code of a pass: 4 while something is begun and not finished, and where requests could not be
/// looked at or decided, because the clocks differ or Cal.com's answers did not tell enough.
pub fn exit_code(view: &PassView) -> u8 {
    let is_unfinished = |outcome: &str| matches!(outcome, "unresolved" | "failed" | "refused");
    let watch = view.watch.iter().flat_map(|watch| &watch.problems);
    let mut problems = view.problems.iter().chain(watch);
    let clocks_differ = problems.any(|problem| problem.code == CLOCK_OFF);
    let is_incomplete = view.pass.put_off > 0 || view.pass.unseen;
    if clocks_differ || is_incomplete || view.steps.iter().any(|step| is_unfinished(&step.outcome))
    {
        exit::UNRESOLVED
    } else {
        exit::DONE
    }
}

/// The runtime that commands await on.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> Result<Runtime, Refusal> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| Refusal {
            exit: exit::FAILED,
            code: "internal".to_owned(),
            text: format!("failed to start the runtime: {error}"),
        })
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

    /// What waits for credit, a person or nothing is in order; what could not be decided is not.
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
            (&[], json!({"put_off": 502}), &none, exit::UNRESOLVED),
            (&ordinary, json!({"put_off": 1}), &none, exit::UNRESOLVED),
            (&[], json!({"unseen": true}), &none, exit::UNRESOLVED),
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
