//! Example bookings for `maitred policy test`: the cases, and what each of them expects. They are
//! read as the configuration is: all diagnostics are reported together, each with its place. The
//! default of a value that a case leaves out is described at the field in `model`.

mod answer;
mod booking;
mod expect;
mod member;
pub mod model;
pub mod parse;
mod relative_time;
