//! `maitred check`: reports all findings about the configuration together; `--live` also asks
//! Cal.com.

use super::args::Format;
use super::context::runtime;
use super::context::{Context, print};
use super::render::reload::render_results;
use super::render::sanitize;
use crate::config::load::{LoadError, load};
use crate::config::model::Config;
use crate::config::parse::Loaded;
use crate::config::schema::printable_text;
use crate::control::exit;
use crate::control::protocol::check::{CheckResultView, CheckView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::daemon::config_check::{diagnostic_result, open_calendar};
use crate::daemon::doctor::check_result::{error, ok};
use crate::daemon::doctor::{calendar as server, machine};
use crate::daemon::failure::Failure;
use crate::daemon::outbox::opened::OpenedNotifications;

/// Checks the configuration, prints the findings, and returns the exit code of the first error.
///
/// # Errors
/// Returns a refusal if the configuration cannot be read at all, or if standard output cannot be
/// written.
pub fn check(context: &Context, live: bool) -> Result<u8, Refusal> {
    let mut findings = Vec::new();
    match load(&context.global.config) {
        Ok(loaded) => {
            findings.extend(loaded.warnings.iter().map(diagnostic_result));
            findings.push(ok("configuration", summary(context, &loaded)));
            findings.extend(machine::check_metrics_file(&loaded.config));
            if live {
                findings.extend(machine::examine(&loaded.config));
            }
            findings.extend(check_notifications(&loaded.config));
            check_key_and_calendar(context, &loaded, live, &mut findings)?;
        }
        Err(LoadError::Invalid(diagnostics)) => {
            findings.extend(diagnostics.0.iter().map(diagnostic_result))
        }
        Err(error) => return Err(Failure::from(error).into()),
    }
    let errors: Vec<&CheckResultView> = findings.iter().filter(|f| f.level == "error").collect();
    let code = errors.first().map_or(exit::DONE, |first| first.exit);
    let view = CheckView {
        schema: SCHEMA,
        ok: errors.is_empty(),
        results: findings,
    };
    let text = match context.global.format {
        Format::Plain | Format::Html | Format::Csv => {
            render_results(&view.results, &context.page())
        }
        Format::Json => render_json(&view),
    };
    print(text.as_bytes())?;
    Ok(code)
}

fn check_key_and_calendar(
    context: &Context,
    loaded: &Loaded,
    live: bool,
    findings: &mut Vec<CheckResultView>,
) -> Result<(), Refusal> {
    let Some(opened) = open_calendar(loaded, &context.clock, None, findings) else {
        return Ok(());
    };
    if live {
        let examined = runtime()?.block_on(server::examine(
            opened.calendar.as_ref(),
            &loaded.config,
            &context.clock,
        ));
        findings.extend(examined);
    }
    Ok(())
}

/// Checks that the targets of notifications and the dead-man switch can be opened. Nothing is sent.
fn check_notifications(config: &Config) -> Vec<CheckResultView> {
    let is_configured = !config.notify.is_empty() || config.dead_man.url_file.is_some();
    match OpenedNotifications::open(config) {
        Ok(_) if !is_configured => Vec::new(),
        Ok(opened) => {
            let targets = opened.targets.iter();
            let mut names: Vec<&str> = targets.map(|one| one.settings.name.as_str()).collect();
            names.extend(opened.dead_man.is_some().then_some("dead-man"));
            let text = format!("can be sent to: {}", names.join(", "));
            vec![ok("notifications", text)]
        }
        Err(why) => {
            let help =
                "see [[notify]] and [dead-man] in the configuration, and docs/notifications.md";
            vec![error("notifications", why.to_string(), help)]
        }
    }
}

fn summary(context: &Context, loaded: &Loaded) -> String {
    let gates = &loaded.config.policy.gates;
    let gates: Vec<&str> = { gates.iter() }
        .map(|gate| printable_text(&gate.name))
        .collect();
    let gates = if gates.is_empty() {
        "no gate".to_owned()
    } else {
        format!("gates {}", gates.join(", "))
    };
    format!(
        "{} can be used: {gates}; poll {}; policy {}",
        context.global.config.display(),
        loaded.config.schedule.poll,
        loaded.config.policy.hash
    )
}

fn render_json(view: &CheckView) -> String {
    let text = serde_json::to_string(view).expect("views have only keys that are texts");
    sanitize::escape_json(&text) + "\n"
}
