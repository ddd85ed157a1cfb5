//! The program: parses the command line, starts the log, and runs the command.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::account::AccountArgs;
use super::args::credits::CreditsArgs;
use super::args::{Args, ConfigCommand, Format, LogFormatArg, StoreCommand, Verb};
use super::command_line::{self, ParseStop};
use super::context::{Context, print};

use super::{
    backup, check, command_target, completions, config_show, init, man, notify, output, policy,
    report, run,
};
#[cfg(feature = "sandbox")]
use super::{demo, sandbox};
use crate::control::exit;
use crate::control::instants::localize_instants;
use crate::control::protocol::Refusal;
use crate::daemon::clock;
use crate::daemon::commands::operator_log;
use crate::daemon::telemetry;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    if completions::answer_shell() {
        return ExitCode::SUCCESS;
    }
    let args = match command_line::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(ParseStop::Print(text)) => {
            return to_exit_code(output::print(text.as_bytes()).map(|()| exit::DONE));
        }
        Err(ParseStop::Refuse(refusal, format)) => {
            return ExitCode::from(output::print_refusal(&refusal, format));
        }
    };
    let format = args.global.format;
    match carry_out(args) {
        Ok(code) => ExitCode::from(code),
        Err(refusal) => ExitCode::from(output::print_refusal(&refusal, format)),
    }
}

fn carry_out(args: Args) -> Result<u8, Refusal> {
    let log_format = match args.global.log_format {
        LogFormatArg::Plain => telemetry::LogFormat::Plain,
        LogFormatArg::Json => telemetry::LogFormat::Json,
    };
    let level = choose_log_level(&args);
    telemetry::start(log_format, &level).map_err(|error| Refusal::usage(error.to_string()))?;
    let context = Context {
        global: args.global,
        clock: Arc::new(clock::now),
    };
    refuse_format_elsewhere(context.global.format, &args.verb)?;
    dispatch(&context, args.verb).map_err(|refusal| match context.global.format {
        Format::Plain | Format::Html | Format::Csv => Refusal {
            text: localize_instants(&refusal.text, context.page().zone),
            ..refusal
        },
        Format::Json => refusal,
    })
}

/// Refuses a format that only a few commands have.
fn refuse_format_elsewhere(format: Format, verb: &Verb) -> Result<(), Refusal> {
    let has_html = matches!(
        verb,
        Verb::Store(StoreCommand::Account(AccountArgs::Statement(_)))
    );
    let has_csv = has_html
        || matches!(
            verb,
            Verb::Store(StoreCommand::Credits(
                CreditsArgs::Accounting(_) | CreditsArgs::Export(_)
            ))
        );
    match format {
        Format::Html if !has_html => Err(Refusal::usage(
            "only `maitred account statement` prints html; `maitred report --html FILE` writes a \
             report",
        )),
        Format::Csv if !has_csv => Err(Refusal::usage(
            "only `maitred account statement`, `maitred credits accounting` and `maitred credits \
             export` print csv",
        )),
        Format::Html | Format::Csv | Format::Plain | Format::Json => Ok(()),
    }
}

fn dispatch(context: &Context, verb: Verb) -> Result<u8, Refusal> {
    match verb {
        Verb::Run(args) => run::run(context, &args),
        Verb::Store(store_command) => command_target::run_store_command(context, &store_command),
        Verb::Check(args) => check::check(context, args.live),
        Verb::Config(ConfigCommand::Show) => config_show::show(context),
        Verb::Notify(command) => notify::run(context, &command),
        Verb::Policy(args) => policy::run::run(context, &args),
        Verb::Report(args) => report::report(context, &args),
        #[cfg(feature = "sandbox")]
        Verb::Demo => demo::demo(context),
        #[cfg(feature = "sandbox")]
        Verb::Sandbox(args) => sandbox::run_sandbox(context, &args),
        Verb::Restore(args) => backup::restore(context, &args),
        Verb::Init(args) => init::init(context, &args),
        Verb::Completions { shell } => print(&completions::completions(shell)),
        Verb::Man { directory } => man::man(&directory).map(|()| exit::DONE),
    }
}

/// Chooses the log level. Commands that finish immediately report through their answer; only the
/// daemon logs what it does. A command that changes the ledger without a daemon writes the line
/// that the daemon would have written, with the user, where standard error is kept: by cron, a unit
/// or a script.
fn choose_log_level(args: &Args) -> String {
    match (&args.global.log_level, &args.verb) {
        (Some(level), _) => level.clone(),
        (None, Verb::Run(run)) if !run.once && !run.dry_run => "info".to_owned(),
        #[cfg(feature = "sandbox")]
        (None, Verb::Demo) => "error".to_owned(),
        #[cfg(feature = "sandbox")]
        (None, Verb::Sandbox(_)) => "warn".to_owned(),
        (None, Verb::Store(_) | Verb::Restore(_) | Verb::Init(_))
            if !std::io::stderr().is_terminal() =>
        {
            format!("warn,{}=info", operator_log::TARGET)
        }
        (
            None,
            Verb::Run(_)
            | Verb::Store(_)
            | Verb::Check(_)
            | Verb::Config(_)
            | Verb::Notify(_)
            | Verb::Policy(_)
            | Verb::Report(_)
            | Verb::Restore(_)
            | Verb::Init(_)
            | Verb::Completions { .. }
            | Verb::Man { .. },
        ) => "warn".to_owned(),
    }
}

fn to_exit_code(result: std::io::Result<u8>) -> ExitCode {
    ExitCode::from(result.unwrap_or(exit::FAILED))
}
