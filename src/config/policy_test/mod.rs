//! Example bookings for `maitred policy test`: what a case says, and what is expected of it. Read
//! as the configuration is: every finding at once, each with its place. What a case does not say
//! has the default that stands with the field in `model`.

mod booking;
mod expect;
mod member;
pub mod model;
pub mod parse;
mod relative_time;
