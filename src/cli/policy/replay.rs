//! `maitred policy replay`: what another configuration would have said of the recorded requests.

use super::args::Replay;
use crate::cli::args::Format;
use crate::cli::dispatch::{Context, print};
use crate::cli::render::policy;
use crate::cli::time::{self, Here, Meaning};
use crate::control::protocol::Refusal;
use crate::daemon::policy::replay::{Ask, replay as judge};
use crate::domain::time::Time;

/// Judges, and says what would differ.
///
/// # Errors
/// When the configuration cannot be used, or the log cannot be read.
pub fn replay(context: &Context, args: &Replay) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    let here = Here {
        now: (context.clock)(),
        zone: config.policy.house.zone,
    };
    let since = since(&args.since, here)?;
    let store = args.store.as_deref().unwrap_or(&config.store.path);
    let ask = Ask {
        policy: &config.policy,
        since,
        limit: args.limit as usize,
    };
    let view = judge(store, &ask)?;
    let text = match context.global.format {
        Format::Plain => policy::replayed(&view, &context.page()),
        Format::Json => policy::json(&view),
    };
    print(text.as_bytes())
}

fn since(text: &str, here: Here) -> Result<Time, Refusal> {
    let wrong = |why: String| Refusal::usage(format!("--since: {why}"));
    let at = time::parse(text, Meaning::Since, here).map_err(|why| wrong(why.to_string()))?;
    at.parse().map_err(|_| wrong(format!("{at} is no time")))
}
