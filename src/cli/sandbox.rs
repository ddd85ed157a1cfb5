//! `maitred sandbox`: serves a local Cal.com until it is interrupted.

use std::sync::Arc;

use super::args::sandbox::SandboxArgs as Args;
use super::context::runtime;
use super::context::{Context, print};
use super::file;
use crate::control::exit;
use crate::control::protocol::Refusal;
use crate::daemon::error_chain::error_chain;
use crate::daemon::signals;
use crate::daemon::wake::{WAKE_QUEUE_LENGTH, Wake};
use crate::sandbox::scenario::book_club::{KEY, book_club};
use crate::sandbox::scenario::file as scenario;
use crate::sandbox::server::Sandbox;
use crate::sandbox::world::World;

/// Serves until TERM or INT.
///
/// # Errors
/// Returns a refusal if the scenario is wrong, or if the address cannot be used.
pub fn run_sandbox(context: &Context, args: &Args) -> Result<u8, Refusal> {
    if !args.listen.ip().is_loopback() {
        return Err(refusal(
            exit::USAGE,
            format!(
                "{} is not an address of this machine alone: the sandbox has no secrets worth \
                 keeping and lets anybody change it; listen on 127.0.0.1 or [::1]",
                args.listen
            ),
        ));
    }
    let (world, key) = load_world(context, args)?;
    runtime()?.block_on(async {
        let (wakes, mut queue) = tokio::sync::mpsc::channel(WAKE_QUEUE_LENGTH);
        let signals = signals::listen(wakes).map_err(|error| {
            refusal(
                exit::FAILED,
                format!("failed to listen for signals: {error}"),
            )
        })?;
        let server = Sandbox::start(world, Arc::clone(&context.clock), args.listen).await;
        let server = server.map_err(|error| {
            let text = format!("failed to listen on {}: {error}", args.listen);
            refusal(exit::FAILED, text)
        })?;
        print(startup_message(&server.base_url(), key).as_bytes())?;
        while let Some(wake) = queue.recv().await {
            if matches!(wake, Wake::Shutdown { .. }) {
                break;
            }
        }
        signals.close();
        server.stop().await;
        Ok(exit::DONE)
    })
}

fn load_world(context: &Context, args: &Args) -> Result<(World, Option<&'static str>), Refusal> {
    let now = (context.clock)();
    let Some(path) = &args.scenario else {
        let club = book_club(now);
        return Ok((club.world, Some(KEY)));
    };
    let bytes = file::read(path, scenario::FILE_MAX)?;
    let scenario_refusal = |why: String| refusal(exit::USAGE, format!("{}: {why}", path.display()));
    let text =
        String::from_utf8(bytes).map_err(|_| scenario_refusal("is not UTF-8 text".to_owned()))?;
    let world =
        scenario::parse(&text, now).map_err(|error| scenario_refusal(error_chain(&error)))?;
    Ok((world, None))
}

fn startup_message(base: &str, key: Option<&str>) -> String {
    let mut text = format!("A local Cal.com listens on {base} (v2 and v1).\n");
    if let Some(key) = key {
        text.push_str(&format!(
            "Its host is Ada of the executive book club; the API key is {key}.\n"
        ));
    }
    text.push_str(&format!(
        "State and counters: {base}/_sandbox/state\nEnds with Ctrl-C.\n"
    ));
    text
}

fn refusal(exit: u8, text: String) -> Refusal {
    Refusal {
        exit,
        code: if exit == exit::USAGE {
            "usage"
        } else {
            "failed"
        }
        .to_owned(),
        text,
    }
}
