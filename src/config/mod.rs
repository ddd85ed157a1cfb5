//! The configuration as plain typed values, already checked. The text is read once, at the start or
//! at a reload, and everything that is wrong with it is reported together, so that no code that
//! uses a value has to check it again. Nothing here opens a connection, and no message ever shows a
//! secret.
//!
//! `load` reads the file and `parse` the text. `model` is the result, and `diagnostic` describes
//! what is wrong with the text. `secret` finds the API key, which is never in the configuration.
//! `recurrence` computes when a schedule is due next. `lookup` describes how other systems are
//! asked. `policy_test` reads the example bookings with which a configuration is tested. The files
//! without `pub` read one section or one kind of value each; `criteria` reads what a gate requires
//! in addition to credit.

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
mod event_type;
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
