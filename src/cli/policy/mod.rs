//! `maitred policy`: tries a policy before it is used. `examples` judges example bookings by the
//! policy, and `replay` the recorded requests.

pub mod args;
pub mod examples;
pub mod replay;
pub mod run;
