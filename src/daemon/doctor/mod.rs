//! `check --live`: all that an operator can get wrong, each finding with what to do. `calendar` asks
//! Cal.com, reading only, and `event_type` judges
//! each event type that a gate names; `machine` looks at this machine: store, socket, disk, and what lookups
//! need. `finding` is how each is put.

pub mod calendar;
pub mod check_result;
mod event_type;
pub mod machine;
