//! `maitred backup` and `maitred restore`.

use super::args::ledger::{BackupArgs, RestoreArgs};
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
    let display = ProgressDisplay::start(&context.global, "checking the backup");
    let report = &mut |progress| display.report(progress);
    let view = backup::restore(&args.from, &config.store, &context.clock, report)?;
    drop(display);
    print_view(context.global.format, || ledger::render_copy(&view), &view)
}
