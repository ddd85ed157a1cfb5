//! Questions to the house's own systems, for rules: a command that is run or an HTTP endpoint that
//! is asked, with the booker's address.
//!
//! `desk` holds what is configured, lets few ask at once and remembers answers; `command` and
//! `http` are the two ways to ask, `question` is what is told, `answer` what may come back. No
//! answer is an answer too: it says why, and what becomes of the request is configured.

pub mod client;
mod command;
mod http;
pub mod request;
pub mod response;
