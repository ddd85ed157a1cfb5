//! All that speaks to Cal.com: the port that the pass uses, and the two dialects behind it.
//!
//! [`port`] is what the rest of the house sees; [`connect`] opens one of the dialects behind it.
//! Both send through one `http` sender, which owns what must never differ between them: limits,
//! deadlines, the request budget (`pace`, `gate`) and the keeping of the key (`redact`). What
//! a dialect adds is how a call is spelt (`client`) and what its answer means (`answers`, `wire`,
//! `refusal`), the latter without a socket, so that recorded exchanges can be put to it.

pub mod connect;
pub mod file;
pub mod port;

mod errors;
mod exchange;
mod fields;
mod gate;
mod http;
mod identify;
mod json;
mod pace;
mod reason;
mod redact;
mod rows;
mod v1;
mod v2;

#[cfg(test)]
mod recordings;
