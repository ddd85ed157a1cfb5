//! The configuration: plain typed values, already checked. Text is read once, at the start or at a
//! reload, and all that is wrong with it is said at once; nothing below has to doubt a value.
//! Nothing here opens a connection, and no message ever shows a secret.
//!
//! `load` reads the file and `parse` the text; `model` is what comes of it, `finding` what is wrong
//! with it. `secret` finds the API key, which never stands in the configuration. `every` says when
//! a schedule is due next.

pub mod every;
pub mod finding;
pub mod load;
pub mod model;
pub mod parse;
pub mod secret;

mod calcom;
mod check;
mod gate;
mod hash;
mod hush;
mod reader;
mod report;
mod suggest;
mod terms;
mod value;
