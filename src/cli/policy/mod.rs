//! `maitred policy`: a policy tried before it is let loose. `examples` runs example bookings
//! through it, `replay` what was recorded.

pub mod args;
pub mod examples;
pub mod replay;
pub mod run;
