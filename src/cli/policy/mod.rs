//! `maitred policy`: a policy tried before it is let loose. `examples` runs example bookings
//! through it.

pub mod args;
pub mod examples;
pub mod run;
