//! What the daemon tells the service manager (systemd, `Type=notify`): that it works, reads its
//! configuration again or stops, its state in one line, and that it is alive. Without
//! `NOTIFY_SOCKET` nothing is sent. A message that cannot be sent changes nothing for the daemon.

use std::time::Duration;

use sd_notify::NotifyState;

/// The variable that names the socket of the service manager.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// Returns true if a service manager waits for messages.
pub fn is_present() -> bool {
    std::env::var_os(SOCKET_VARIABLE).is_some()
}

/// Says that the daemon works: the store is open, and the socket is bound.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// Says that the daemon reads its configuration again. [`ready`] says that this has ended.
pub fn reloading() {
    // Newer versions of systemd require the time.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the monotonic clock cannot be read"),
    }
}

/// Says that the daemon stops.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Shows the state of the daemon in one line, which every user of the machine may read.
pub fn status(line: &str) {
    send(&[NotifyState::Status(line)]);
}

/// Says that the daemon is alive.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// Returns within which time the service manager expects [`alive`]; `None` if it does not.
pub fn watchdog_timeout() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero())
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not notified");
    }
}
