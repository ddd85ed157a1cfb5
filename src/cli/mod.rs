//! Commands as operators type them: arguments, what they ask of the house, and how the answer
//! reads.

pub mod args;
pub mod ask;
pub mod completions;
pub mod credits;
pub mod csv;
pub mod file;
pub mod man;
pub mod output;
pub mod render;
pub mod time;
pub mod usage;
