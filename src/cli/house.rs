//! Commands that ask the house: the daemon when one runs, else the store itself. There is one
//! implementation of each, and two ways to reach it.

use super::args::credits::Credits;
use super::args::ledger::Ledger;
use super::args::{Ask, Format};
use super::dispatch::{Context, print};
use super::render::answer;
use super::time::Here;
use super::{ask, backup, export, file, pin};
use crate::config::model::Config;
use crate::config::socket::socket_of;
use crate::control::client::{self, ClientError};
use crate::control::exit;
use crate::control::protocol::{Answer, Command, Refusal};
use crate::daemon::answer::route;
use crate::daemon::local::{self, Mode};

/// Asks, and prints the answer.
///
/// # Errors
/// When the house cannot be asked, or says no.
pub fn ask(context: &Context, asked: &Ask) -> Result<u8, Refusal> {
    let here = || {
        Ok(Here {
            now: (context.clock)(),
            zone: context.config()?.config.policy.house.zone,
        })
    };
    let command = ask::command_of(asked, &here, &file::read, &pin::read)?;
    let config = match context.config() {
        Ok(loaded) => loaded.config,
        Err(refusal) => {
            let answered = ask_the_daemon(context, &command, refusal)?;
            show(context, &answered)?;
            return Ok(code(asked, &answered));
        }
    };
    let answered = reach(context, &config, command)?;
    match (asked, answered) {
        (Ask::Credits(Credits::Export(args)), Answer::CreditsExport(first)) => {
            export::credits(context, &config, args.out.as_deref(), first)
        }
        (Ask::Ledger(Ledger::Export(args)), Answer::Head(head)) => {
            export::ledger(context, &config, args.out.as_deref(), &head)
        }
        (Ask::Backup(args), Answer::Head(head)) => backup::backup(context, &config, args, &head),
        (asked, answered) => {
            show(context, &answered)?;
            match &answered {
                Answer::Pass(view) if view.stopped.is_some() => super::run::ended(view),
                answered => Ok(code(asked, answered)),
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
) -> Result<Answer, Refusal> {
    let needs_no_more = matches!(
        command,
        Command::Status {} | Command::Pause {} | Command::Resume {}
    );
    let socket = needs_no_more
        .then(|| socket_of(&context.global.config))
        .flatten();
    let Some(socket) = socket else {
        return Err(refusal);
    };
    match client::call(&socket, command.clone()) {
        Ok(answered) => {
            tracing::warn!(
                "the configuration {} cannot be used now (see `maitred check`); the daemon goes on with \
                 the one that it took before",
                context.global.config.display()
            );
            Ok(answered)
        }
        Err(ClientError::NotRunning(_)) => Err(refusal),
        Err(error) => Err(error.into_refusal()),
    }
}

/// Prints an answer in the format asked for.
///
/// # Errors
/// When standard output cannot be written.
pub fn show(context: &Context, answered: &Answer) -> Result<u8, Refusal> {
    let text = match context.global.format {
        Format::Plain => answer::plain(answered, &context.page()),
        Format::Json => answer::json(answered),
    };
    print(text.as_bytes())
}

/// The daemon's answer, or that of the store.
///
/// # Errors
/// When neither can be asked, or says no.
pub fn reach(context: &Context, config: &Config, command: Command) -> Result<Answer, Refusal> {
    if let Some(socket) = &config.control.socket {
        match client::call(socket, command.clone()) {
            Ok(answered) => return Ok(answered),
            Err(ClientError::NotRunning(_)) => {}
            Err(error) => return Err(error.into_refusal()),
        }
    }
    if route::is_for_the_store(&command) {
        return local::answer(config, &context.clock, &command);
    }
    match command {
        Command::Plan {} => super::run::once(context, config, Mode::DryWatch),
        command => Err(not_running(config, &command)),
    }
}

fn not_running(config: &Config, command: &Command) -> Refusal {
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
fn code(asked: &Ask, answered: &Answer) -> u8 {
    match (asked, answered) {
        (Ask::Plan(args), Answer::Pass(view)) if args.exit_code => {
            let watch = view.watch.as_ref();
            let planned = view.steps.iter().any(|step| step.outcome == "planned")
                || watch.is_some_and(|watch| !watch.changes.is_empty());
            if planned { exit::STEPS } else { exit::DONE }
        }
        (Ask::Pass(_), Answer::Pass(view)) => super::run::code(view),
        (Ask::Ledger(_), Answer::Verify(view)) if !view.differences.is_empty() => exit::FAILED,
        _ => exit::DONE,
    }
}
