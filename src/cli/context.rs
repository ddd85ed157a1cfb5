//! What every command receives, and how commands print.

use chrono_tz::Tz;
use tokio::runtime::Runtime;

use super::args::{Format, GlobalArgs};
use super::output;
use super::render::answer;
use super::render::layout::PageLayout;
use super::terminal;
use crate::config::load::load;
use crate::config::parse::Loaded;
use crate::control::exit;
use crate::control::protocol::{CommandResult, Refusal};
use crate::daemon::failure::Failure;
use crate::domain::time::Clock;
use crate::page::context::{LinkTarget, ViewContext};
use crate::page::statement;

/// Threads for I/O; the store has one of its own, and there is little to compute.
const THREADS: usize = 2;

/// What a command receives.
pub struct Context {
    /// The options of every command.
    pub global: GlobalArgs,
    /// The clock that gives the present time.
    pub clock: Clock,
}

impl Context {
    /// Reads the configuration of `--config`. Warnings go to the log.
    ///
    /// # Errors
    /// Returns a refusal if the configuration cannot be read or is wrong.
    pub fn config(&self) -> Result<Loaded, Refusal> {
        let loaded = load(&self.global.config).map_err(Failure::from)?;
        for finding in &loaded.warnings {
            let line = finding.position.as_ref().map(|place| place.line);
            tracing::debug!(key = finding.key, line, "the configuration has a warning");
        }
        Ok(loaded)
    }

    /// Returns the page for answers. Times are shown in the configured zone, or in UTC if the
    /// configuration cannot be read, because commands such as `status` work without one.
    pub fn page(&self) -> PageLayout {
        let zone = self
            .config()
            .map_or(Tz::UTC, |loaded| loaded.config.policy.global.zone);
        PageLayout::new(terminal::width(), (self.clock)(), zone)
    }
}

/// Prints the output of a command, and returns the exit code for success.
///
/// # Errors
/// Returns a refusal if standard output cannot be written.
pub fn print(text: &[u8]) -> Result<u8, Refusal> {
    output::print(text)
        .map(|()| exit::DONE)
        .map_err(|error| Refusal {
            exit: exit::FAILED,
            code: "output".to_owned(),
            text: format!("failed to write to standard output: {error}"),
        })
}

/// Prints a value as JSON on one line, or as a text for people.
///
/// # Errors
/// Returns a refusal in the same cases as [`print()`].
pub fn print_view(
    format: Format,
    plain: impl FnOnce() -> String,
    json: &impl serde::Serialize,
) -> Result<u8, Refusal> {
    match format {
        Format::Plain | Format::Html | Format::Csv => print(plain().as_bytes()),
        Format::Json => {
            let text = serde_json::to_string(json).expect("views have only keys that are texts");
            print(format!("{text}\n").as_bytes())
        }
    }
}

/// Prints an answer in the requested format.
///
/// # Errors
/// Returns a refusal if standard output cannot be written.
pub fn print_result(context: &Context, result: &CommandResult) -> Result<u8, Refusal> {
    let text = match context.global.format {
        Format::Plain => answer::render_plain(result, &context.page()),
        Format::Json => answer::render_json(result),
        Format::Html => render_html(context, result),
        Format::Csv => answer::render_csv(result)
            .unwrap_or_else(|| answer::render_plain(result, &context.page())),
    };
    print(text.as_bytes())
}

/// Renders the one answer that is a page for a browser, and others for people.
fn render_html(context: &Context, result: &CommandResult) -> String {
    let page = context.page();
    match result {
        CommandResult::Statement(view) => {
            let context = ViewContext {
                now: page.now,
                zone: page.zone,
                links: LinkTarget::File,
            };
            statement::render_statement(&context, view)
        }
        other => answer::render_plain(other, &page),
    }
}

/// Returns the runtime that commands await on.
///
/// # Errors
/// Returns a refusal if the system gives no threads.
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
