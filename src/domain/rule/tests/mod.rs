//! Rules held to what is promised: tables of good and bad ones, limits, and the reference.

mod diagnostics;
mod evaluation;
mod limits;
mod fixtures;
mod random;
mod templates;
