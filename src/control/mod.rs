//! The control socket: the commands and the exit codes (pure), the local API that carries them over
//! HTTP, the server and the client. `config`, `notify` and `policy` are the JSON of commands that
//! never use the socket. `instants` shows the times within texts in another time zone.

pub mod api;
pub mod client;
pub mod command_profile;
pub mod command_sender;
pub mod config;
pub mod exit;
pub mod instants;
pub mod listener;
pub mod notify;
pub mod policy;
pub mod protocol;
pub mod server;
