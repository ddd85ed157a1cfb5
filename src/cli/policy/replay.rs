//! `maitred policy replay`: what another configuration would have decided about the recorded
//! requests.

use super::args::PolicyReplayArgs;
use crate::cli::args::Format;
use crate::cli::context::{Context, print};
use crate::cli::progress::ProgressDisplay;
use crate::cli::render::policy;
use crate::cli::time::{self, TimeContext, TimeMeaning};
use crate::config::model::StoreConfig;
use crate::control::protocol::Refusal;
use crate::daemon::policy::replay::{ReplayQuery, replay as judge};
use crate::domain::time::Time;

/// Judges the recorded requests, and reports what would differ.
///
/// # Errors
/// Returns a refusal if the configuration cannot be used, or if the log cannot be read.
pub fn replay(context: &Context, args: &PolicyReplayArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    let time_context = TimeContext {
        now: (context.clock)(),
        zone: config.policy.global.zone,
    };
    let since = parse_since(&args.since, time_context)?;
    let store = match &args.store {
        Some(path) => StoreConfig::Local { path: path.clone() },
        None => config.store.clone(),
    };
    let query = ReplayQuery {
        policy: &config.policy,
        since,
        limit: args.limit as usize,
    };
    let display = ProgressDisplay::start(&context.global, "reading the ledger");
    let view = judge(&store, &query, &mut |progress| display.report(progress))?;
    drop(display);
    let text = match context.global.format {
        Format::Plain | Format::Html | Format::Csv => policy::render_replay(&view, &context.page()),
        Format::Json => policy::render_json(&view),
    };
    print(text.as_bytes())
}

fn parse_since(text: &str, time_context: TimeContext) -> Result<Time, Refusal> {
    let usage_error = |why: String| Refusal::usage(format!("--since: {why}"));
    let at = time::parse(text, TimeMeaning::Since, time_context)
        .map_err(|why| usage_error(why.to_string()))?;
    at.parse()
        .map_err(|_| usage_error(format!("{at} is not a time")))
}
