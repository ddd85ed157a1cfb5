//! `maitred init`: creates what is missing to begin. What exists stays as it is.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use super::args::ledger::InitArgs;
use super::context::{Context, print_view};
use crate::config::model::{SHIPPED_CONFIG, SHIPPED_STORE_LINE};
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
/// Returns a refusal if one of them cannot be created, or if an existing configuration is wrong or
/// has another place for the ledger than `--store`.
pub fn init(context: &Context, args: &InitArgs) -> Result<u8, Refusal> {
    let path = &context.global.config;
    let config_made = write_config(path, args.store.as_deref())?;
    let config = context.config()?.config;
    if let Some(store) = &args.store {
        check_store(path, store, local_path(&config.store))?;
    }
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

/// Writes the shipped configuration, with this place of the ledger. Returns false if there is a
/// configuration.
fn write_config(path: &Path, store: Option<&Path>) -> Result<bool, Refusal> {
    let text = match store {
        Some(store) => {
            let store = toml::Value::from(to_text(store)?);
            SHIPPED_CONFIG.replacen(SHIPPED_STORE_LINE, &format!("path = {store}\n"), 1)
        }
        None => SHIPPED_CONFIG.to_owned(),
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(refusal(format!(
            "failed to write the configuration {}: {error} (name another place with --config)",
            path.display()
        ))),
    }
}

fn to_text(store: &Path) -> Result<&str, Refusal> {
    let text = store.to_str();
    text.ok_or_else(|| refusal(format!("--store {} is not UTF-8 text", store.display())))
}

/// Refuses a configuration that was there before and has another place for the ledger.
fn check_store(config: &Path, wanted: &Path, used: &Path) -> Result<(), Refusal> {
    let base = config.parent().unwrap_or(Path::new(""));
    if base.join(wanted) == used {
        return Ok(());
    }
    Err(refusal(format!(
        "the configuration {} is there already and has the ledger in {}: leave out --store, or change \
         store.path in the configuration",
        config.display(),
        used.display()
    )))
}

fn refusal(text: String) -> Refusal {
    Refusal {
        exit: exit::CONFIGURATION,
        code: "configuration".to_owned(),
        text,
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
