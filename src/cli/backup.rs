//! `maitred backup` and `maitred restore`.

use super::args::ledger::{BackupArgs, RestoreArgs};
use super::dispatch::{Context, print_view};
use super::render::status_and_ledger;
use crate::config::model::Config;
use crate::control::protocol::Refusal;
use crate::control::protocol::ledger::HeadView;
use crate::daemon::backup;

/// Copies the log up to `head`, which is durable.
///
/// # Errors
/// When it cannot be copied, or the copy does not check.
pub fn backup(
    context: &Context,
    config: &Config,
    args: &BackupArgs,
    head: &HeadView,
) -> Result<u8, Refusal> {
    let view = backup::back_up(&config.store.path, head, &args.to)?;
    print_view(
        context.global.format,
        || status_and_ledger::render_copy(&view),
        &view,
    )
}

/// Puts a backup where no ledger is.
///
/// # Errors
/// When there is one, or the backup does not check.
pub fn restore(context: &Context, args: &RestoreArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    let view = backup::restore(&args.from, &config.store.path, &context.clock)?;
    print_view(
        context.global.format,
        || status_and_ledger::render_copy(&view),
        &view,
    )
}
