//! The daemon's end of the socket: HTTP/1.1, one request for each connection. It sends each command
//! to the daemon's loop and does not interpret it. One bad client does not affect the others: the
//! number of clients, commands, bytes and times are all limited, and a client that exceeds a limit
//! receives the reason.
//!
//! Limits of a whole request are layers of the router (`router`). Those of a connection are here
//! and in `connection`, because a layer sees a request only after its head was read.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::command_sender::CommandSender;
use super::listener::Listener;
use super::protocol::{Command, MAX_REQUEST, MAX_RESPONSE, SocketResponse};

mod connection;
mod router;

/// Connections at the same time: those of as many commands as are carried out together, and as many
/// that send their request, wait for their turn or read their answer. The longest requests of these
/// clients still fit into memory.
const MAX_CONNECTIONS: usize = 32;

/// Commands carried out at the same time: enough for an operator, a few scripts and a monitor.
const MAX_COMMANDS: usize = 16;

/// How long one more command waits for its turn before it receives the answer that the daemon is
/// busy. Short commands end within this time, so that a script that starts many commands together
/// does not notice.
const COMMAND_WAIT: Duration = Duration::from_secs(2);

/// How long a new client keeps its connection while others need one: it has the request ready, but
/// the machine may be busy.
const IDLE_GRACE: Duration = Duration::from_millis(100);

/// How long a client may take to send its whole request. The client is on the same machine and has
/// the request ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to read its answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the remaining clients have, when the server stops, to receive their answers.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How long the server accepts no client after `accept` failed because the system has no more file
/// descriptors. Clients that end meanwhile release some, and the loop does not spin.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A command that a client sent, and the channel for its answer.
#[derive(Debug)]
pub struct ReceivedCommand {
    /// What the client wants.
    pub command: Command,
    /// Who gave the command.
    pub sender: CommandSender,
    /// Closed when the client has disconnected. The command is then carried out without a
    /// recipient, or not at all.
    pub answer: oneshot::Sender<SocketResponse>,
}

/// Serves clients until `stop`: each command goes to `commands`, however long its answer takes. The
/// socket's file is removed before the last clients are answered. The receiver of the commands
/// should have closed its end by then: clients that still wait receive the answer that the daemon
/// is stopping.
pub async fn serve(
    listener: Listener,
    commands: mpsc::Sender<ReceivedCommand>,
    stop: impl Future<Output = ()>,
) {
    serve_with_limits(ServerLimits::DEFAULT, listener, commands, stop).await;
}

/// The limits as values, so that tests need not wait for the real ones.
#[derive(Debug, Clone, Copy)]
struct ServerLimits {
    connections: usize,
    commands: usize,
    command_wait: Duration,
    idle_grace: Duration,
    request_timeout: Duration,
    request_bytes: usize,
    response_timeout: Duration,
    response_bytes: usize,
    shutdown_grace: Duration,
}

impl ServerLimits {
    const DEFAULT: Self = Self {
        connections: MAX_CONNECTIONS,
        commands: MAX_COMMANDS,
        command_wait: COMMAND_WAIT,
        idle_grace: IDLE_GRACE,
        request_timeout: REQUEST_TIMEOUT,
        request_bytes: MAX_REQUEST,
        response_timeout: RESPONSE_TIMEOUT,
        response_bytes: MAX_RESPONSE,
        shutdown_grace: SHUTDOWN_GRACE,
    };
}

async fn serve_with_limits(
    limits: ServerLimits,
    listener: Listener,
    commands: mpsc::Sender<ReceivedCommand>,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    // Only this function keeps the channel open: a connection must not keep a stopping daemon
    // waiting for commands.
    let router = router::build(limits, commands.downgrade());
    let mut clients = JoinSet::new();
    let mut idle = IdleClients::default();
    'accept: loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control socket could not be \
                     accepted");
                    tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                    continue;
                }
            },
        };
        while clients.try_join_next().is_some() {}
        // This ends soon: fewer clients than there are connections wait for an answer, and all
        // others have a time limit.
        while clients.len() >= limits.connections {
            idle.shed_oldest();
            tokio::select! {
                () = &mut stop => break 'accept,
                _ = timeout(limits.idle_grace, clients.join_next()) => {}
            }
        }
        clients.spawn(connection::serve(
            stream,
            limits,
            router.clone(),
            idle.add(),
        ));
    }
    drop(commands);
    drop(listener);
    let drain = async { while clients.join_next().await.is_some() {} };
    if timeout(limits.shutdown_grace, drain).await.is_err() {
        clients.shutdown().await;
    }
}

/// The clients that have not sent a whole request yet, oldest first. They are closed in favour of
/// new clients, so that connections that only stay open cannot lock an operator out.
#[derive(Default)]
struct IdleClients(VecDeque<oneshot::Sender<()>>);

impl IdleClients {
    /// Adds a client. The client's task closes its end once the request has arrived; the client is
    /// then no longer idle.
    fn add(&mut self) -> oneshot::Receiver<()> {
        let (shed, shed_signal) = oneshot::channel();
        self.0.retain(|client| !client.is_closed());
        self.0.push_back(shed);
        shed_signal
    }

    fn shed_oldest(&mut self) {
        while let Some(client) = self.0.pop_front() {
            if client.send(()).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
