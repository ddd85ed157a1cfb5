//! All that speaks to Cal.com: the port that the pass uses, and the two dialects behind it.
//!
//! [`port`] is what the rest of the house sees; [`connect`] opens one of the dialects behind it.
//! Both send through one `http` sender, which owns what must never differ between them: limits,
//! deadlines, the request budget (`pace`, `gate`) and the keeping of the key (`redact`). What
//! a dialect adds is how a call is spelt (`client`) and what its answer means (`answers`, `wire`,
//! `refusal`), the latter without a socket, so that recorded, changed and invented answers can be
//! put to it: what is needed for that (`exchange`, `redact`, the dialects' `answers`) is public.

pub mod api_call;
pub mod booking_file;
pub mod connect;
pub mod page_splitting;
pub mod port;
pub mod redact;
pub mod v1;
pub mod v2;

mod booker_identity;
mod bounded_json;
mod decline_message;
mod decode_rows;
mod errors;
mod http;
mod lenient_fields;
mod rate_budget;
mod rate_limiter;

#[cfg(test)]
mod recordings;
