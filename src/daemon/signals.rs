//! Signals as wakes: TERM and INT end the daemon after the current step, HUP makes it read the
//! configuration again.

use std::io;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::{Handle, Signals};
use tokio::sync::mpsc;

use super::wake::Wake;

/// Every signal that the daemon handles: its number, its name, and what the daemon does.
pub const HANDLED: [(i32, &str, &str); 3] = [
    (
        SIGTERM,
        "SIGTERM",
        "The daemon finishes the step that it has begun, records its result, and ends. It waits for a \
         call to Cal.com that is under way.",
    ),
    (SIGINT, "SIGINT", "As SIGTERM."),
    (
        SIGHUP,
        "SIGHUP",
        "The daemon reads the configuration again, and uses it if it has no error. `maitred reload` \
         does the same, and prints the result.",
    ),
];

/// Listens for signals until the handle is closed.
///
/// # Errors
/// Fails when the handlers cannot be installed.
pub fn listen(wakes: mpsc::Sender<Wake>) -> io::Result<Handle> {
    let signals = Signals::new(HANDLED.map(|(number, _, _)| number))?;
    let handle = signals.handle();
    tokio::spawn(async move {
        let mut signals = signals;
        while let Some(signal) = signals.next().await {
            let wake = match signal {
                SIGHUP => Wake::Reload,
                SIGINT => Wake::Shutdown { signal: "SIGINT" },
                _ => Wake::Shutdown { signal: "SIGTERM" },
            };
            if wakes.send(wake).await.is_err() {
                return;
            }
        }
    });
    Ok(handle)
}
