//! `maitred notify test`: sends a test notification to the configured targets.

use super::args::NotifyCommand;
use super::context::{Context, print_view, runtime};
use super::render::layout::{PageLayout, format_count};
use crate::control::exit;
use crate::control::notify::{NotifyTestResultView, NotifyTestView};
use crate::control::protocol::Refusal;
use crate::daemon::outbox::trial::test_targets;

/// Carries out a command about notifications.
///
/// # Errors
/// Returns a refusal if the configuration cannot be read, if no target has the given name, or if
/// standard output cannot be written.
pub fn run(context: &Context, command: &NotifyCommand) -> Result<u8, Refusal> {
    let NotifyCommand::Test { name } = command;
    let config = context.config()?.config;
    let tested = runtime()?.block_on(test_targets(&config, name.as_deref(), &context.clock));
    let Some(view) = tested else {
        let names: Vec<&str> = config.notify.iter().map(|one| one.name.as_str()).collect();
        let known = match names.is_empty() {
            true => "there is no [[notify]] in the configuration".to_owned(),
            false => format!("the targets are {}", names.join(", ")),
        };
        return Err(Refusal::usage(format!(
            "no target has the name {:?}: {known}",
            name.as_deref().unwrap_or_default()
        )));
    };
    print_view(
        context.global.format,
        || render_plain(&view, &context.page()),
        &view,
    )?;
    Ok(match view.ok {
        true => exit::DONE,
        false => exit::FAILED,
    })
}

fn render_plain(view: &NotifyTestView, page: &PageLayout) -> String {
    if view.results.is_empty() {
        return "There is no [[notify]] in the configuration, so nothing was sent.\n".to_owned();
    }
    let line = |result: &NotifyTestResultView| match &result.error {
        None => format!("ok    {} ({})\n", result.name, result.transport),
        Some(error) => format!(
            "error {} ({}): {}\n",
            result.name,
            result.transport,
            page.render_text(error)
        ),
    };
    let mut text: String = view.results.iter().map(line).collect();
    let accepted = view
        .results
        .iter()
        .filter(|result| result.delivered)
        .count();
    text.push_str(&format!(
        "{} of {} accepted the test.\n",
        accepted,
        format_count(view.results.len(), "target")
    ));
    text
}
