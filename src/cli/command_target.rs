//! Commands that the daemon answers if it runs, and otherwise the store itself. There is one
//! implementation of each command, and two ways to reach it.

use super::args::StoreCommand;
use super::args::account::AccountArgs;
use super::args::credits::CreditsArgs;
use super::args::ledger::LedgerArgs;
use super::context::Context;
use super::context::print_result;
use super::execute::execute;
use super::time::TimeContext;
use super::{backup, erase, export, file, import, pin, status_check, to_command};
use crate::config::model::Config;
use crate::config::socket::find_socket;
use crate::control::client::{self, ClientError};
use crate::control::exit;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::offline::{self, NOT_GATED, NOT_WAITING};

/// Runs the command, and prints the answer.
///
/// # Errors
/// Returns a refusal if neither the daemon nor the store can be asked, or if the command is
/// refused.
pub fn run_store_command(context: &Context, store_command: &StoreCommand) -> Result<u8, Refusal> {
    if let StoreCommand::Status(args) = store_command
        && args.check
    {
        return status_check::run(context, args);
    }
    if let StoreCommand::Credits(CreditsArgs::Import(args)) = store_command {
        return import::import(context, args);
    }
    if let StoreCommand::Ledger(LedgerArgs::Import(args)) = store_command {
        return backup::import(context, args);
    }
    if let StoreCommand::Account(AccountArgs::Erase(args)) = store_command {
        erase::confirm(args)?;
    }
    let read_time_context = || {
        Ok(TimeContext {
            now: (context.clock)(),
            zone: context.config()?.config.policy.global.zone,
        })
    };
    let command = to_command::build_command(
        store_command,
        &read_time_context,
        &file::read,
        &pin::read_hash,
    )?;
    let config = match context.config() {
        Ok(loaded) => loaded.config,
        Err(refusal) => {
            let result = ask_the_daemon(context, &command, refusal)?;
            print_result(context, &result)?;
            return Ok(exit_code(store_command, &result));
        }
    };
    let result = match execute(context, &config, command) {
        Ok(result) => result,
        Err(refusal) => {
            if matches!(store_command, StoreCommand::Status(_)) {
                print_timer_status(context, &config, &refusal)?;
            }
            return Err(refusal);
        }
    };
    match (store_command, result) {
        (StoreCommand::Credits(CreditsArgs::Export(args)), CommandResult::CreditsExport(first)) => {
            export::export_credits(context, &config, args.out.as_deref(), first)
        }
        (StoreCommand::Ledger(LedgerArgs::Export(args)), CommandResult::Head(head)) => {
            export::export_ledger(context, &config, args, &head)
        }
        (StoreCommand::Backup(args), CommandResult::Head(head)) => {
            backup::backup(context, &config, args, &head)
        }
        (store_command, result) => {
            refuse_undecided_booking(store_command, &result)?;
            print_result(context, &result)?;
            match &result {
                CommandResult::Pass(view) if view.stopped.is_some() => super::run::finish(view),
                other => Ok(exit_code(store_command, other)),
            }
        }
    }
}

/// Prints what the ledger and the last run of a timer say, if no daemon runs and a timer starts the
/// passes.
fn print_timer_status(
    context: &Context,
    config: &Config,
    refusal: &Refusal,
) -> Result<(), Refusal> {
    if refusal.exit == exit::UNREACHABLE
        && let Some(status) = offline::timer_status(config, &context.clock)?
    {
        print_result(context, &CommandResult::Status(Box::new(status)))?;
    }
    Ok(())
}

/// Asks the daemon while the configuration is wrong, if the command needs nothing but the daemon's
/// socket. The daemon keeps running with its previous configuration.
fn ask_the_daemon(
    context: &Context,
    command: &Command,
    refusal: Refusal,
) -> Result<CommandResult, Refusal> {
    let socket = command
        .profile()
        .needs_socket_only
        .then(|| find_socket(&context.global.config))
        .flatten();
    let Some(socket) = socket else {
        return Err(refusal);
    };
    match client::send_command(&socket, command.clone(), None) {
        // The answer of a reload says what is wrong with the configuration.
        Ok(result @ CommandResult::Reload(_)) => Ok(result),
        Ok(result) => {
            tracing::warn!(
                "the configuration {} cannot be used now (see `maitred check`); the daemon \
                 continues with the one that it read before",
                context.global.config.display()
            );
            Ok(result)
        }
        Err(ClientError::NotRunning(_)) => Err(refusal),
        Err(error) => Err(error.into_refusal()),
    }
}

/// Refuses a pass over one booking that was not decided, because it does not wait or no gate covers
/// it.
fn refuse_undecided_booking(
    store_command: &StoreCommand,
    result: &CommandResult,
) -> Result<(), Refusal> {
    let (StoreCommand::Pass(args), CommandResult::Pass(view)) = (store_command, result) else {
        return Ok(());
    };
    let is_reason = |code: &str| matches!(code, NOT_WAITING | NOT_GATED);
    let mut problems = view.problems.iter();
    match problems.find(|problem| is_reason(&problem.code)) {
        Some(problem) if args.booking.is_some() => Err(Refusal {
            exit: exit::FAILED,
            code: "not-found".to_owned(),
            text: problem.text.clone(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Returns the exit code for an answer.
fn exit_code(store_command: &StoreCommand, result: &CommandResult) -> u8 {
    match (store_command, result) {
        (StoreCommand::Plan(args), CommandResult::Pass(view)) if args.exit_code => {
            let watch = view.watch.as_ref();
            let has_steps = view.steps.iter().any(|step| step.outcome == "planned")
                || !view.allowances.is_empty()
                || watch.is_some_and(|watch| !watch.changes.is_empty());
            if has_steps {
                exit::PLAN_HAS_STEPS
            } else {
                exit::DONE
            }
        }
        (StoreCommand::Pass(_), CommandResult::Pass(view)) => super::run::exit_code(view),
        (StoreCommand::Reload, CommandResult::Reload(view)) if !view.accepted => {
            let mut results = view.results.iter();
            let error = results.find(|result| result.level == "error");
            error.map_or(exit::CONFIGURATION, |error| error.exit)
        }
        (StoreCommand::Members(_), CommandResult::MembersSync(view)) => {
            let is_refused = |refused: &Option<String>| refused.is_some() && !view.dry_run;
            let mut sources = view.sources.iter();
            match sources.any(|one| one.error.is_some() || is_refused(&one.refused)) {
                true => exit::FAILED,
                false => exit::DONE,
            }
        }
        (StoreCommand::Ledger(_), CommandResult::Verify(view)) if !view.differences.is_empty() => {
            exit::FAILED
        }
        _ => exit::DONE,
    }
}
