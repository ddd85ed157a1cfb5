//! `maitred init`: creates what is missing to begin. What exists stays as it is.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

use serde::Serialize;

use super::context::{Context, print_view};
use crate::config::model::SHIPPED_CONFIG;
use crate::control::exit;
use crate::control::protocol::{Refusal, SCHEMA};
use crate::daemon::offline;
use crate::daemon::store_access::local_path;

#[derive(Serialize)]
struct InitView {
    schema: u32,
    config: String,
    config_made: bool,
    ledger: String,
    ledger_made: bool,
}

/// Writes the configuration and creates the ledger, where they are missing.
///
/// # Errors
/// Returns a refusal if one of them cannot be created, or if an existing configuration is wrong.
pub fn init(context: &Context) -> Result<u8, Refusal> {
    let path = &context.global.config;
    let config_made = write_config(context)?;
    let config = context.config()?.config;
    let ledger_made = offline::init(&config.store, &context.clock)?;
    let view = InitView {
        schema: SCHEMA,
        config: path.display().to_string(),
        config_made,
        ledger: local_path(&config.store).display().to_string(),
        ledger_made,
    };
    print_view(context.global.format, || render_plain(&view), &view)
}

fn write_config(context: &Context) -> Result<bool, Refusal> {
    let path = &context.global.config;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .and_then(|mut file| file.write_all(SHIPPED_CONFIG.as_bytes()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Refusal {
            exit: exit::CONFIGURATION,
            code: "configuration".to_owned(),
            text: format!(
                "failed to write the configuration {}: {error} (name another place with --config)",
                path.display()
            ),
        }),
    }
}

fn render_plain(view: &InitView) -> String {
    let mut text = String::new();
    if view.config_made {
        text.push_str(&format!(
            "Wrote the configuration {}: name your event types in it (`[[gate]]`), then run \
             `maitred check`.\n",
            view.config
        ));
    } else {
        text.push_str(&format!("The configuration is {}.\n", view.config));
    }
    if view.ledger_made {
        text.push_str(&format!("Made a new ledger in {}.\n", view.ledger));
    } else {
        text.push_str(&format!("The ledger is in {}.\n", view.ledger));
    }
    text
}
