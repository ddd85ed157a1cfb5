//! The configuration: plain typed values, already checked. Text is read once, at the start or at a
//! reload, and all that is wrong with it is said at once; nothing below has to doubt a value.
//! Nothing here opens a connection, and no message ever shows a secret.
//!
//! `load` reads the file and `parse` the text; `model` is what comes of it, `finding` what is wrong
//! with it. `secret` finds the API key, which never stands in the configuration. `every` says when
//! a schedule is due next. `lookup` is how other systems are asked. The files without `pub` read one
//! section or one kind of value each; `criteria` is what a gate asks for beside credit. `case` reads
//! the example bookings that a configuration is tried with.

pub mod policy_test;
pub mod recurrence;
pub mod diagnostic;
pub mod load;
pub mod lookup;
pub mod model;
pub mod parse;
pub mod rule;
pub mod secret;
pub mod socket;

mod calcom;
mod cap;
mod check;
mod compile;
mod criteria;
mod on_violation;
mod gate;
mod hash;
mod global_policy;
mod secret_detection;
mod access_list;
mod time_window;
mod price;
mod reader;
mod diagnostic_collector;
mod refund_policy;
mod value;
mod localized_text;
mod string_spans;
