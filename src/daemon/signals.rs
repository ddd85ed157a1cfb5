//! Signals as wakes: TERM and INT end the daemon after the current step, HUP makes it read the
//! configuration again.

use std::io;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::{Handle, Signals};
use tokio::sync::mpsc;

use super::wake::Wake;

/// Listens for signals until the handle is closed.
///
/// # Errors
/// Fails when the handlers cannot be installed.
pub fn listen(wakes: mpsc::Sender<Wake>) -> io::Result<Handle> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
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
