//! `maitred status --check`: one line and an exit code for monitoring.

use super::args::operation::StatusArgs;
use super::context::{Context, print_view};
use super::execute::execute;
use crate::config::model::Config;
use crate::control::exit;
use crate::control::protocol::status::HealthView;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::health;
use crate::daemon::offline;
use crate::domain::time::{Span, Time};

/// Judges the state, prints one line, and returns the exit code. A state that cannot be read is
/// judged, too, so that a monitor always gets its line.
///
/// # Errors
/// Returns a refusal if standard output cannot be written.
pub fn run(context: &Context, args: &StatusArgs) -> Result<u8, Refusal> {
    let health = match context.config() {
        Ok(loaded) => judge(context, &loaded.config, args),
        Err(refusal) => health::judge_refusal(&unusable_config(context, refusal)),
    };
    let plain = || format!("{}\n", context.page().render_text(&health.text));
    print_view(context.global.format, plain, &health)?;
    Ok(health.exit)
}

fn judge(context: &Context, config: &Config, args: &StatusArgs) -> HealthView {
    let status = match execute(context, config, Command::Status {}) {
        Ok(CommandResult::Status(status)) => *status,
        Ok(_) => return health::judge_refusal(&other_answer()),
        Err(refusal) => match offline::timer_status(config, &context.clock) {
            Ok(Some(status)) if refusal.exit == exit::UNREACHABLE => status,
            Ok(_) => return health::judge_refusal(&refusal),
            Err(unreadable) => return health::judge_refusal(&unreadable),
        },
    };
    let now = (context.clock)();
    let max_age = args
        .max_age
        .map(|age| Span::from_std(age).unwrap_or(Span::MAX));
    // A daemon names the end of its last pass; a timer's run may have done nothing, because
    // everything is paused.
    let last_run: Option<Time> = match status.pid {
        Some(_) => status
            .last_pass
            .as_ref()
            .and_then(|pass| pass.finished.parse().ok()),
        None => offline::last_run_at(config),
    };
    let max_age = match (max_age, status.pid, last_run) {
        (Some(age), _, _) => Some(age),
        (None, None, Some(last)) => Some(health::default_max_age(&config.schedule.poll, last)),
        (None, Some(_), _) | (None, None, None) => None,
    };
    let oldest = max_age.and_then(|age| now.checked_sub_signed(age));
    health::judge(&status, last_run, oldest)
}

/// Returns the refusal of a configuration in one line: the findings can be many, and can name people.
fn unusable_config(context: &Context, refusal: Refusal) -> Refusal {
    let path = context.global.config.display();
    Refusal {
        text: format!("the configuration {path} cannot be used; see `maitred check`"),
        ..refusal
    }
}

fn other_answer() -> Refusal {
    Refusal {
        exit: exit::FAILED,
        code: "internal".to_owned(),
        text: "the answer is not a status".to_owned(),
    }
}
