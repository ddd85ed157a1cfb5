//! Policies tried out: nothing is asked of Cal.com, nothing is written anywhere. `world` makes a
//! snapshot of one request, `example` one of a case and `trial` holds what the plan says against
//! what was expected.

pub mod example;
pub mod trial;
pub mod world;
