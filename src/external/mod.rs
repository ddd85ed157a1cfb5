//! What lookups and notifications share when they speak to the operator's own systems: running a
//! command, reading a credential from its file, and cleaning the texts that come back.

pub mod command;
pub mod credential;
pub mod message;
