//! `maitred credits import`: checks a file, and sends its rows to the ledger in parts. The parts go
//! to the daemon or, if none runs, to the store that this process opens for all of them.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::credits::ImportArgs;
use super::context::{Context, print_result};
use super::execute::parse_actor;
use super::progress::ProgressDisplay;
use crate::config::model::Config;
use crate::control::client::{self, ClientError};
use crate::control::exit;
use crate::control::protocol::account::ImportView;
use crate::control::protocol::credits::ImportRow;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::offline::StoreSession;
use crate::domain::import_columns::ColumnOptions;
use crate::domain::progress::Progress;
use crate::spreadsheet::import::{self, Halfway, ImportError, ImportHooks, PartAction};
use crate::spreadsheet::rows::ReadOptions;

/// Imports a file, and prints what was done.
///
/// # Errors
/// Returns a refusal if the file cannot be imported, or was not imported completely.
pub fn import(context: &Context, args: &ImportArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    let options = ReadOptions {
        zone: config.policy.global.zone,
        columns: ColumnOptions {
            mappings: args.map.clone(),
            ignored: args.ignore.clone(),
        },
    };
    let actor = parse_actor(context)?;
    let file = open(&args.file)?;
    let stop = stop_signal()?;
    let display = ProgressDisplay::start(&context.global, "checking the rows");
    let mut ledger = Ledger {
        context,
        config: &config,
        dry_run: args.dry_run,
        actor,
        target: Target::Unknown,
    };
    let mut hooks = ImportHooks {
        send: &mut |rows, action| ledger.send(rows, action, &|progress| display.report(progress)),
        progress: &mut |progress| display.report(progress),
        is_stopped: &|| stop.load(Ordering::Relaxed),
    };
    let result = import::import(&file, &options, args.dry_run, &mut hooks);
    drop(display);
    drop(ledger);
    match result {
        Ok(view) => print_result(context, &CommandResult::Import(view)),
        Err(error) => Err(to_refusal(&args.file, error)),
    }
}

/// Who has the ledger.
enum Target {
    Unknown,
    Daemon(PathBuf),
    Store(Box<StoreSession>),
}

struct Ledger<'a> {
    context: &'a Context,
    config: &'a Config,
    dry_run: bool,
    actor: Option<String>,
    target: Target,
}

impl Ledger<'_> {
    fn send(
        &mut self,
        rows: Vec<ImportRow>,
        action: PartAction,
        report: &dyn Fn(Progress),
    ) -> Result<ImportView, Refusal> {
        let command = Command::Import {
            rows,
            problems: Vec::new(),
            dry_run: false,
            check: action == PartAction::Check,
        };
        match self.run(command, report)? {
            CommandResult::Import(view) => Ok(view),
            _ => Err(Refusal {
                exit: exit::FAILED,
                code: "internal".to_owned(),
                text: "the answer is not that of an import; use the same version of maitred for \
                       the daemon and its commands"
                    .to_owned(),
            }),
        }
    }

    fn run(
        &mut self,
        command: Command,
        report: &dyn Fn(Progress),
    ) -> Result<CommandResult, Refusal> {
        match &mut self.target {
            Target::Daemon(socket) => client::send_command(socket, command, self.actor.as_deref())
                .map_err(ClientError::into_refusal),
            Target::Store(session) => session.run(&command),
            Target::Unknown => self.run_first(command, report),
        }
    }

    /// Sends the first part. Who answers it gets all parts.
    fn run_first(
        &mut self,
        command: Command,
        report: &dyn Fn(Progress),
    ) -> Result<CommandResult, Refusal> {
        if let Some(socket) = &self.config.control.socket {
            match client::send_command(socket, command.clone(), self.actor.as_deref()) {
                Ok(result) => {
                    self.target = Target::Daemon(socket.clone());
                    return Ok(result);
                }
                Err(ClientError::NotRunning(_)) => {}
                Err(error) => return Err(error.into_refusal()),
            }
        }
        // A dry run only reads, also where there is no ledger yet.
        let needs = Command::Import {
            rows: Vec::new(),
            problems: Vec::new(),
            dry_run: self.dry_run,
            check: false,
        };
        let clock = &self.context.clock;
        let session =
            StoreSession::open(self.config, clock, &needs, self.actor.clone(), &mut |p| {
                report(p)
            })?;
        let mut session = Box::new(session);
        let result = session.run(&command);
        self.target = Target::Store(session);
        result
    }
}

/// Opens the file. What can be read only once (standard input, a pipe) is copied to a temporary file
/// without a name, because the rows are read twice.
fn open(path: &Path) -> Result<File, Refusal> {
    let unreadable =
        |error: io::Error| Refusal::usage(format!("{} cannot be read: {error}", path.display()));
    let copy = |mut source: &mut dyn io::Read| {
        let mut copy = tempfile::tempfile()?;
        io::copy(&mut source, &mut copy)?;
        copy.seek(SeekFrom::Start(0))?;
        Ok(copy)
    };
    if path == Path::new("-") {
        return copy(&mut io::stdin().lock()).map_err(|error: io::Error| {
            Refusal::usage(format!("standard input cannot be copied: {error}"))
        });
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() {
        return Ok(file);
    }
    copy(&mut file).map_err(unreadable)
}

/// Returns what the first INT or TERM sets. The second one ends the process at once.
fn stop_signal() -> Result<Arc<AtomicBool>, Refusal> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let shutdown = signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(exit::FAILED),
            Arc::clone(&stop),
        );
        let first = signal_hook::flag::register(signal, Arc::clone(&stop));
        shutdown.and(first).map_err(|error| Refusal {
            exit: exit::FAILED,
            code: "internal".to_owned(),
            text: format!("failed to listen for signals: {error}"),
        })?;
    }
    Ok(stop)
}

fn to_refusal(path: &Path, error: ImportError) -> Refusal {
    let name = match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    match error {
        ImportError::Problems(problems) => Refusal::usage(problems.describe(&name)),
        // Where the ledger cannot be asked, only the problems of the file itself are known.
        ImportError::NotAsked(refusal, problems) if !problems.is_empty() => Refusal {
            text: problems.describe(&name),
            ..Refusal::usage(refusal.text)
        },
        ImportError::NotAsked(refusal, _) => refusal,
        ImportError::StoppedBefore => Refusal {
            exit: exit::FAILED,
            code: "failed".to_owned(),
            text: format!("stopped; nothing of {name} was imported"),
        },
        ImportError::Halfway(halfway) => describe_halfway(&name, *halfway),
    }
}

/// Says what was written, and that the same command completes it.
fn describe_halfway(name: &str, halfway: Halfway) -> Refusal {
    let done = halfway.written.granted + halfway.written.already_imported;
    let (cause, exit, code) = match halfway.refusal {
        Some(refusal) => (refusal.text, refusal.exit, refusal.code),
        None => ("stopped".to_owned(), exit::FAILED, "failed".to_owned()),
    };
    Refusal {
        exit,
        code,
        text: format!(
            "{cause}\n{done} of the {} rows of {name} are imported, the others are not: run the same \
             command again, which imports the rest and counts no row twice",
            halfway.rows
        ),
    }
}
