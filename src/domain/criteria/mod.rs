//! The house's own criteria, beside credit: prices, caps, notice, hours, lists, PINs and rules.
//!
//! `effect` is what becomes of a request that a criterion objects to; `house` holds what counts for
//! all gates, and each gate has `Criteria` of its own (`terms`). `price` says what a booking costs,
//! `cap` how many a member may have, `opening` when they may be, `lists` whose they may be, and `rule` is a
//! rule that the operator wrote.

pub mod access_list;
pub mod cap;
pub mod custom_rule;
pub mod gate_criteria;
pub mod global_policy;
pub mod on_violation;
pub mod price;
pub mod time_window;
