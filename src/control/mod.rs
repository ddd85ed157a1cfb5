//! What is said over the Unix socket: the protocol and the exit codes (pure), the server and the
//! client.

pub mod client;
pub mod exit;
pub mod listener;
pub mod protocol;
pub mod server;
