//! The program: takes the command line apart, starts the log, and hands over to the command.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use chrono_tz::Tz;

use super::args::{Args, Format, GlobalArgs, LogFormatArg, Verb};
use super::command_line::{self, ParseStop};
use super::render::instants::localize_instants;
use super::render::layout::PageLayout;
use super::{
    backup, check, command_target, completions, demo, init, man, output, policy, run, sandbox,
    terminal,
};
use crate::config::load::load;
use crate::config::parse::Loaded;
use crate::control::exit;
use crate::control::protocol::Refusal;
use crate::daemon::clock;
use crate::daemon::commands::operator_log;
use crate::daemon::failure::Failure;
use crate::daemon::telemetry;
use crate::domain::time::Clock;

/// What a command is given.
pub struct Context {
    pub global: GlobalArgs,
    pub clock: Clock,
}

impl Context {
    /// Reads the configuration of `--config`; warnings go to the log.
    ///
    /// # Errors
    /// When it cannot be read or is wrong.
    pub fn config(&self) -> Result<Loaded, Refusal> {
        let loaded = load(&self.global.config).map_err(Failure::from)?;
        for finding in &loaded.warnings {
            let line = finding.position.as_ref().map(|place| place.line);
            tracing::debug!(key = finding.key, line, "the configuration has a warning");
        }
        Ok(loaded)
    }

    /// What answers are printed on. Times are shown in the configured zone; with a configuration that
    /// cannot be read, in UTC, because commands such as `status` work without one.
    pub fn page(&self) -> PageLayout {
        let zone = self
            .config()
            .map_or(Tz::UTC, |loaded| loaded.config.policy.global.zone);
        PageLayout::new(terminal::width(), (self.clock)(), zone)
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
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
    dispatch(&context, args.verb).map_err(|refusal| match context.global.format {
        Format::Plain => Refusal {
            text: localize_instants(&refusal.text, context.page().zone),
            ..refusal
        },
        Format::Json => refusal,
    })
}

fn dispatch(context: &Context, verb: Verb) -> Result<u8, Refusal> {
    match verb {
        Verb::Run(args) => run::run(context, &args),
        Verb::Store(store_command) => command_target::run_store_command(context, &store_command),
        Verb::Check(args) => check::check(context, args.live),
        Verb::Policy(args) => policy::run::run(context, &args),
        Verb::Demo => demo::demo(context),
        Verb::Sandbox(args) => sandbox::run_sandbox(context, &args),
        Verb::Restore(args) => backup::restore(context, &args),
        Verb::Init => init::init(context),
        Verb::Completions { shell } => print(&completions::completions(shell)),
        Verb::Man { directory } => man::man(&directory).map(|()| exit::DONE),
    }
}

/// Commands that answer at once speak through their answer; only the daemon tells its day. A command that
/// changes the ledger without a daemon leaves the line that the daemon would have written, with the user,
/// where standard error is kept: by cron, a unit or a script.
fn choose_log_level(args: &Args) -> String {
    match (&args.global.log_level, &args.verb) {
        (Some(level), _) => level.clone(),
        (None, Verb::Run(run)) if !run.once && !run.dry_run => "info".to_owned(),
        (None, Verb::Demo) => "error".to_owned(),
        (None, Verb::Store(_) | Verb::Restore(_) | Verb::Init)
            if !std::io::stderr().is_terminal() =>
        {
            format!("warn,{}=info", operator_log::TARGET)
        }
        (
            None,
            Verb::Run(_)
            | Verb::Store(_)
            | Verb::Check(_)
            | Verb::Policy(_)
            | Verb::Sandbox(_)
            | Verb::Restore(_)
            | Verb::Init
            | Verb::Completions { .. }
            | Verb::Man { .. },
        ) => "warn".to_owned(),
    }
}

/// Prints what a command has to say, and ends well.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(text: &[u8]) -> Result<u8, Refusal> {
    output::print(text)
        .map(|()| exit::DONE)
        .map_err(|error| Refusal {
            exit: exit::FAILED,
            code: "output".to_owned(),
            text: format!("failed to write to standard output: {error}"),
        })
}

/// One value as JSON on one line, or a text for people.
///
/// # Errors
/// As [`print()`].
pub fn print_view(
    format: Format,
    plain: impl FnOnce() -> String,
    json: &impl serde::Serialize,
) -> Result<u8, Refusal> {
    match format {
        Format::Plain => print(plain().as_bytes()),
        Format::Json => {
            let text = serde_json::to_string(json).expect("views have only keys that are texts");
            print(format!("{text}\n").as_bytes())
        }
    }
}

fn to_exit_code(result: std::io::Result<u8>) -> ExitCode {
    ExitCode::from(result.unwrap_or(exit::FAILED))
}
