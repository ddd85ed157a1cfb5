//! `maitred backup`, `maitred restore` and `maitred ledger import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::args::ledger::{BackupArgs, LedgerImportArgs, RestoreArgs};
use super::context::{Context, print_view};
use super::progress::ProgressDisplay;
use super::render::ledger;
use crate::config::model::Config;
use crate::control::protocol::Refusal;
use crate::control::protocol::ledger::HeadView;
use crate::daemon::backup;

/// Copies the log up to `head`, which is durable.
///
/// # Errors
/// Returns a refusal if the log cannot be copied, or if the copy does not pass its check.
pub fn backup(
    context: &Context,
    config: &Config,
    args: &BackupArgs,
    head: &HeadView,
) -> Result<u8, Refusal> {
    let display = ProgressDisplay::start(&context.global, "copying the log");
    let report = &mut |progress| display.report(progress);
    let view = backup::back_up(&config.store, head, &args.to, report)?;
    drop(display);
    print_view(context.global.format, || ledger::render_copy(&view), &view)
}

/// Restores a backup where there is no ledger.
///
/// # Errors
/// Returns a refusal if there is a ledger, or if the backup does not pass its check.
pub fn restore(context: &Context, args: &RestoreArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    if args.check {
        return check(context, &config, args);
    }
    let display = ProgressDisplay::start(&context.global, "checking the backup");
    let report = &mut |progress| display.report(progress);
    let view = backup::restore(&args.from, &config.store, &context.clock, report)?;
    drop(display);
    print_view(context.global.format, || ledger::render_copy(&view), &view)
}

/// Rehearses a restore, and writes nothing.
fn check(context: &Context, config: &Config, args: &RestoreArgs) -> Result<u8, Refusal> {
    let display = ProgressDisplay::start(&context.global, "checking the backup");
    let report = &mut |progress| display.report(progress);
    let view = backup::check(&args.from, &config.store, &context.clock, report)?;
    drop(display);
    let page = context.page();
    let plain = || ledger::render_backup_check(&view, &page);
    print_view(context.global.format, plain, &view)
}

/// Makes the ledger from a full export.
///
/// # Errors
/// Returns a refusal if there is a ledger, or if the export does not pass its check.
pub fn import(context: &Context, args: &LedgerImportArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    let display = ProgressDisplay::start(&context.global, "importing the ledger");
    let report = &mut |progress| display.report(progress);
    let mut from = open_export(&args.file)?;
    let place = (args.file.as_path(), args.moved);
    let view = backup::import(from.as_mut(), place, &config.store, &context.clock, report)?;
    drop(display);
    print_view(context.global.format, || ledger::render_copy(&view), &view)
}

fn open_export(file: &Path) -> Result<Box<dyn BufRead>, Refusal> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    match File::open(file) {
        Ok(file) => Ok(Box::new(BufReader::with_capacity(256 * 1024, file))),
        Err(error) => Err(Refusal::usage(format!(
            "{} cannot be read: {error}",
            file.display()
        ))),
    }
}
