//! The configuration: plain typed values, already checked. Text is read once, at the start or at a
//! reload, and all that is wrong with it is said at once; nothing below has to doubt a value.
//! Nothing here opens a connection, and no message ever shows a secret.
//!
//! `load` reads the file and `parse` the text; `model` is what comes of it, `finding` what is wrong
//! with it. `secret` finds the API key, which never stands in the configuration. `every` says when
//! a schedule is due next. `lookup` is how other systems are asked. The files without `pub` read one
//! section or one kind of value each; `criteria` is what a gate asks for beside credit. `case` reads
//! the example bookings that a configuration is tried with.

pub mod diagnostic;
pub mod load;
pub mod lookup;
pub mod model;
pub mod parse;
pub mod policy_test;
pub mod recurrence;
pub mod rule;
pub mod secret;
pub mod socket;

mod access_list;
mod calcom;
mod cap;
mod check;
mod compile;
mod criteria;
mod diagnostic_collector;
mod gate;
mod global_policy;
mod hash;
mod localized_text;
mod on_violation;
mod price;
mod reader;
mod refund_policy;
mod secret_detection;
mod string_spans;
mod time_window;
mod value;
