//! Queries the operator's own systems on behalf of rules, with the booker's address: runs a command
//! or calls an HTTP endpoint.
//!
//! `client` holds the configured lookups, limits concurrent queries and caches answers; `command`
//! and `http` are the two transports; `request` is what the other system receives, `response` what
//! may come back. A failed lookup has a result too: it gives the reason, and the configuration says
//! what becomes of the request.

pub mod client;
mod command;
mod http;
pub mod request;
pub mod response;
