//! The operator's criteria besides credit: prices, caps, notice, hours, access lists, PINs and
//! rules.
//!
//! `on_violation` is what happens to a request that does not meet a criterion. `global_policy`
//! holds what applies to all gates, and each gate has its own `Criteria` (`gate_criteria`). `price`
//! says what a booking costs, `cap` how many bookings a member may have, `time_window` at which
//! times, `access_list` which bookers are allowed, and `custom_rule` is a rule that the operator
//! wrote.

pub mod access_list;
pub mod cap;
pub mod custom_rule;
pub mod gate_criteria;
pub mod global_policy;
pub mod on_violation;
pub mod price;
pub mod time_window;
