//! The content of each view, made from the answer of a command.

pub mod bookings;
pub mod charts;
pub mod decisions;
pub mod explain;
pub mod members;
pub mod overview;
pub mod request;
pub mod reviews;
pub mod unresolved;
