//! What lookups, sources and notifications share when they speak to the operator's own systems:
//! running a command, calling an endpoint, reading a credential from its file, the limits and the
//! cache of one system (`query_limits`), and cleaning the texts that come back.

pub mod command;
pub mod credential;
pub mod failure;
pub mod json;
pub mod message;
pub mod query_command;
pub mod query_http;
pub mod query_limits;
pub mod template;
