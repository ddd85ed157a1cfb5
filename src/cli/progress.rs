//! Shows on a terminal that a command works, and how far it has come. Nothing appears in a pipe,
//! during the first second, or where the output is for programs.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Format, GlobalArgs};
use crate::domain::progress::{Progress, WorkStep};

/// Work that ends within this time shows nothing.
const DELAY: Duration = Duration::from_secs(1);

/// How often the display moves, so that people see that the program is alive.
const TICK: Duration = Duration::from_millis(120);

/// What is shown while it is not known how much work there is.
const WITHOUT_TOTAL: &str = "{spinner} {msg} … {elapsed}";

/// What is shown while the share is known.
const WITH_TOTAL: &str = "{spinner} {msg} [{bar:30}] {percent} % {elapsed}";

/// The display of one command. It disappears when it is dropped.
pub struct ProgressDisplay {
    bar: ProgressBar,
    /// What the bar shows now, because a style is set only if that changes.
    step: Mutex<Option<WorkStep>>,
    timer: Option<Timer>,
}

/// Waits until the work has lasted long enough to be shown.
struct Timer {
    cancel: Sender<()>,
    thread: JoinHandle<()>,
}

impl ProgressDisplay {
    /// Starts a display. `work` says what is done, as in "waiting for the daemon".
    pub fn start(options: &GlobalArgs, work: &'static str) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        if is_wanted(options, is_terminal) {
            Self::start_on(work, DELAY, ProgressDrawTarget::stderr)
        } else {
            Self {
                bar: ProgressBar::hidden(),
                step: Mutex::new(None),
                timer: None,
            }
        }
    }

    fn start_on(
        work: &'static str,
        delay: Duration,
        target: impl FnOnce() -> ProgressDrawTarget + Send + 'static,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style(WITHOUT_TOTAL));
        bar.set_message(work);
        let (cancel, cancelled) = mpsc::channel::<()>();
        let shown_bar = bar.clone();
        let thread = thread::spawn(move || {
            if cancelled.recv_timeout(delay) == Err(RecvTimeoutError::Timeout) {
                shown_bar.set_draw_target(target());
                shown_bar.enable_steady_tick(TICK);
            }
        });
        Self {
            bar,
            step: Mutex::new(None),
            timer: Some(Timer { cancel, thread }),
        }
    }

    /// Says what is done now.
    pub fn set_work(&self, work: &'static str) {
        self.bar.set_message(work);
    }

    /// Shows how far the work has come.
    pub fn report(&self, progress: Progress) {
        let mut step = self.step.lock().expect("no thread panics with this lock");
        if *step != Some(progress.step) {
            *step = Some(progress.step);
            let template = match progress.total {
                Some(_) => WITH_TOTAL,
                None => WITHOUT_TOTAL,
            };
            self.bar.set_style(style(template));
            self.bar.set_message(describe(progress.step));
        }
        if let Some(total) = progress.total {
            self.bar.set_length(total);
        }
        self.bar.set_position(progress.done);
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        if let Some(Timer { cancel, thread }) = self.timer.take() {
            drop(cancel);
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

/// Returns true if a display helps somebody: standard error is a terminal that can move its cursor,
/// no program reads the output, and no log was asked for, whose lines would be between.
fn is_wanted(options: &GlobalArgs, is_terminal: bool) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    is_terminal && !is_dumb && options.format != Format::Json && options.log_level.is_none()
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are right");
    style.progress_chars("=> ").tick_chars("|/-\\ ")
}

fn describe(step: WorkStep) -> &'static str {
    match step {
        WorkStep::ReadLog => "reading the ledger",
        WorkStep::RebuildProjection => "making the projection from the log",
        WorkStep::Verify => "comparing the projection with the log",
        WorkStep::CopyLog => "copying the log",
        WorkStep::CheckLog => "checking the log",
        WorkStep::RewriteLog => "writing the log again",
        WorkStep::ReplayRequests => "judging recorded requests",
        WorkStep::CheckFile => "checking the rows",
        WorkStep::ImportFile => "importing",
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;
    use crate::cli::args::LogFormatArg;

    /// A terminal that keeps what is written.
    #[derive(Debug, Clone, Default)]
    struct RecordingTerminal(Arc<Mutex<String>>);

    impl RecordingTerminal {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }

        fn add(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl TermLike for RecordingTerminal {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn options(format: Format, log_level: Option<&str>) -> GlobalArgs {
        GlobalArgs {
            actor: None,
            config: PathBuf::new(),
            format,
            log_format: LogFormatArg::Plain,
            log_level: log_level.map(str::to_owned),
        }
    }

    fn start(terminal: &RecordingTerminal, delay: Duration) -> ProgressDisplay {
        let terminal = terminal.clone();
        let target = move || ProgressDrawTarget::term_like(Box::new(terminal));
        ProgressDisplay::start_on("waiting for the daemon", delay, target)
    }

    /// Waits until the terminal shows the text.
    fn wait_for(terminal: &RecordingTerminal, text: &str) {
        while !terminal.text().contains(text) {
            thread::yield_now();
        }
    }

    #[test]
    fn it_is_for_people_at_a_terminal() {
        assert!(is_wanted(&options(Format::Plain, None), true));
        assert!(!is_wanted(&options(Format::Plain, None), false));
        assert!(!is_wanted(&options(Format::Json, None), true));
        assert!(!is_wanted(&options(Format::Plain, Some("debug")), true));
    }

    #[test]
    fn work_that_lasts_is_shown_with_its_share() {
        let terminal = RecordingTerminal::default();
        let display = start(&terminal, Duration::ZERO);
        wait_for(&terminal, "waiting for the daemon");
        display.report(Progress {
            step: WorkStep::CopyLog,
            done: 30,
            total: Some(120),
        });
        wait_for(&terminal, "25 %");
        assert!(terminal.text().contains("copying the log"));
        display.report(Progress {
            step: WorkStep::ReplayRequests,
            done: 3,
            total: None,
        });
        wait_for(&terminal, "judging recorded requests …");
    }

    #[test]
    fn work_that_ends_soon_shows_nothing() {
        let terminal = RecordingTerminal::default();
        let display = start(&terminal, Duration::from_secs(600));
        display.report(Progress {
            step: WorkStep::ReadLog,
            done: 1,
            total: Some(2),
        });
        drop(display);
        assert_eq!(terminal.text(), "");
    }
}
