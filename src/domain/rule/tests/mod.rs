//! Rules held to what is promised: tables of good and bad ones, limits, and the reference.

mod diagnostics;
mod evaluation;
mod fixtures;
mod limits;
mod random;
mod templates;
