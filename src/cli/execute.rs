//! Executes a command where the answer is: at the daemon, or in the store.

use super::context::Context;
use super::progress::ProgressDisplay;
use crate::config::model::Config;
use crate::control::client::{self, ClientError};
use crate::control::command_profile::AnsweredBy;
use crate::control::command_sender::{self, MAX_ACTOR_NAME};
use crate::control::exit;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::commands::parse;
use crate::daemon::offline::{self, RunMode};
use crate::daemon::outbox::run_once::NOTIFY_WITHIN;

/// Returns the answer of the daemon, or that of the store.
///
/// # Errors
/// Returns a refusal if neither can be asked, or if the command is refused.
pub fn execute(
    context: &Context,
    config: &Config,
    command: Command,
) -> Result<CommandResult, Refusal> {
    let actor = parse_actor(context)?;
    let display = ProgressDisplay::start(&context.global, "waiting for the daemon");
    if let Some(socket) = &config.control.socket {
        match client::send_command(socket, command.clone(), actor.as_deref()) {
            Ok(result) => return Ok(result),
            Err(ClientError::NotRunning(_)) => {}
            Err(error) => return Err(error.into_refusal()),
        }
    }
    if command.profile().answered_by == AnsweredBy::Store {
        display.set_work("working on the ledger");
        let report = &mut |progress| display.report(progress);
        return offline::run_command(config, &context.clock, &command, actor, report);
    }
    display.set_work("asking Cal.com");
    match command {
        Command::Plan {} => super::run::run_passes(context, config, RunMode::Plan, NOTIFY_WITHIN),
        Command::Pass {
            booking: Some(booking),
            ..
        } => {
            let booking = parse::booking_uid(&booking)?;
            super::run::run_passes(context, config, RunMode::Booking(&booking), NOTIFY_WITHIN)
        }
        command => Err(refuse_not_running(config, &command)),
    }
}

/// Returns the name of `--actor`.
///
/// # Errors
/// Returns a refusal if the text is no such name.
pub fn parse_actor(context: &Context) -> Result<Option<String>, Refusal> {
    let Some(text) = &context.global.actor else {
        return Ok(None);
    };
    match command_sender::parse_actor_name(text) {
        Some(name) => Ok(Some(name)),
        None => Err(Refusal::usage(format!(
            "--actor {text:?} is not a name of 1 to {MAX_ACTOR_NAME} characters"
        ))),
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
