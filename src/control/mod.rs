//! The control socket: the protocol and the exit codes (pure), the server and the client. `config`
//! and `policy` are the JSON of commands that never use the socket.

pub mod client;
pub mod command_profile;
pub mod config;
pub mod exit;
pub mod listener;
pub mod policy;
pub mod protocol;
pub mod server;
