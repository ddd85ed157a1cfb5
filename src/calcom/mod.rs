//! The Cal.com client: the port that the pass uses, and the two dialects behind it.
//!
//! The rest of the crate uses [`port`]; [`connect`] opens one of the dialects behind it. Both
//! dialects send through one sender in `http`, which owns everything that must never differ between
//! them: limits, deadlines, the request budget (`rate_budget`, `call_queue`) and the protection
//! of the key (`redact`). It tells a [`call_observer`] how each call ended. A dialect adds how a
//! call is written (`client`) and what its answer means (`decode`, `wire`, `error_mapping`).
//! Decoding needs no socket, so tests can feed recorded, changed and invented answers to it. The
//! modules that this takes (`api_call`, `redact`, the dialects' `decode`) are public.

pub mod api_call;
pub mod booking_file;
pub mod call_observer;
pub mod connect;
pub mod page_splitting;
pub mod port;
pub mod redact;
pub mod v1;
pub mod v2;

mod booker_identity;
mod bounded_json;
mod call_queue;
mod common_fields;
mod decline_message;
mod decode_rows;
mod error_body;
mod errors;
mod http;
mod lenient_row;
mod rate_budget;
mod stated_limits;

#[cfg(test)]
mod recordings;
