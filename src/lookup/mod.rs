//! Queries the operator's own systems on behalf of rules, with the booker's address: runs a command
//! or calls an HTTP endpoint.
//!
//! `client` holds the configured lookups, with the limits, the cache and the transports of
//! `external`; `request` is what the other system receives, `response` what may come back. A failed lookup has a result too: it gives the reason, and the configuration says
//! what becomes of the request.

pub mod client;
pub mod request;
pub mod response;
