//! Commands that ask the house: the daemon when one runs, else the store itself. There is one
//! implementation of each, and two ways to reach it.

use super::args::credits::CreditsArgs;
use super::args::ledger::LedgerArgs;
use super::args::{Format, StoreCommand};
use super::dispatch::{Context, print};
use super::render::answer;
use super::time::TimeContext;
use super::{backup, export, file, pin, to_command};
use crate::config::model::Config;
use crate::config::socket::find_socket;
use crate::control::client::{self, ClientError};
use crate::control::exit;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::commands::dispatch;
use crate::daemon::offline::{self, RunMode};

/// Asks, and prints the answer.
///
/// # Errors
/// When the house cannot be asked, or says no.
pub fn run_store_command(context: &Context, store_command: &StoreCommand) -> Result<u8, Refusal> {
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
    let result = execute(context, &config, command)?;
    match (store_command, result) {
        (StoreCommand::Credits(CreditsArgs::Export(args)), CommandResult::CreditsExport(first)) => {
            export::export_credits(context, &config, args.out.as_deref(), first)
        }
        (StoreCommand::Ledger(LedgerArgs::Export(args)), CommandResult::Head(head)) => {
            export::export_ledger(context, &config, args.out.as_deref(), &head)
        }
        (StoreCommand::Backup(args), CommandResult::Head(head)) => {
            backup::backup(context, &config, args, &head)
        }
        (store_command, result) => {
            print_result(context, &result)?;
            match &result {
                CommandResult::Pass(view) if view.stopped.is_some() => super::run::finish(view),
                other => Ok(exit_code(store_command, other)),
            }
        }
    }
}

/// What needs the daemon's socket only works while the configuration is wrong: the daemon runs on with
/// the one that it took before.
fn ask_the_daemon(
    context: &Context,
    command: &Command,
    refusal: Refusal,
) -> Result<CommandResult, Refusal> {
    let needs_socket_only = matches!(
        command,
        Command::Status {} | Command::Pause {} | Command::Resume {}
    );
    let socket = needs_socket_only
        .then(|| find_socket(&context.global.config))
        .flatten();
    let Some(socket) = socket else {
        return Err(refusal);
    };
    match client::send_command(&socket, command.clone()) {
        Ok(result) => {
            tracing::warn!(
                "the configuration {} cannot be used now (see `maitred check`); the daemon goes on with \
                 the one that it took before",
                context.global.config.display()
            );
            Ok(result)
        }
        Err(ClientError::NotRunning(_)) => Err(refusal),
        Err(error) => Err(error.into_refusal()),
    }
}

/// Prints an answer in the format asked for.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_result(context: &Context, result: &CommandResult) -> Result<u8, Refusal> {
    let text = match context.global.format {
        Format::Plain => answer::render_plain(result, &context.page()),
        Format::Json => answer::render_json(result),
    };
    print(text.as_bytes())
}

/// The daemon's answer, or that of the store.
///
/// # Errors
/// When neither can be asked, or says no.
pub fn execute(
    context: &Context,
    config: &Config,
    command: Command,
) -> Result<CommandResult, Refusal> {
    if let Some(socket) = &config.control.socket {
        match client::send_command(socket, command.clone()) {
            Ok(result) => return Ok(result),
            Err(ClientError::NotRunning(_)) => {}
            Err(error) => return Err(error.into_refusal()),
        }
    }
    if dispatch::is_store_command(&command) {
        return offline::run_command(config, &context.clock, &command);
    }
    match command {
        Command::Plan {} => super::run::run_passes(context, config, RunMode::DryWatch),
        command => Err(refuse_not_running(config, &command)),
    }
}

fn refuse_not_running(config: &Config, command: &Command) -> Refusal {
    let hint = match command {
        Command::Pass { .. } => "; `maitred run --once` runs a pass without one",
        Command::Status {} => "; `maitred decisions` and `maitred ledger verify` work without one",
        _ => "; start it with `maitred run`",
    };
    let text = match &config.control.socket {
        Some(socket) => format!("no daemon listens on {}{hint}", socket.display()),
        None => format!("control.socket is turned off in the configuration{hint}"),
    };
    Refusal {
        exit: exit::UNREACHABLE,
        code: "unreachable".to_owned(),
        text,
    }
}

/// The exit code that goes with an answer.
fn exit_code(store_command: &StoreCommand, result: &CommandResult) -> u8 {
    match (store_command, result) {
        (StoreCommand::Plan(args), CommandResult::Pass(view)) if args.exit_code => {
            let watch = view.watch.as_ref();
            let has_steps = view.steps.iter().any(|step| step.outcome == "planned")
                || watch.is_some_and(|watch| !watch.changes.is_empty());
            if has_steps {
                exit::PLAN_HAS_STEPS
            } else {
                exit::DONE
            }
        }
        (StoreCommand::Pass(_), CommandResult::Pass(view)) => super::run::exit_code(view),
        (StoreCommand::Ledger(_), CommandResult::Verify(view)) if !view.differences.is_empty() => {
            exit::FAILED
        }
        _ => exit::DONE,
    }
}
