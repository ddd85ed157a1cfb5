//! `check --live`: everything that an operator can get wrong, each finding with what to do.
//! `calendar` asks Cal.com, only reading, and `event_type` judges each event type that a gate
//! names. `machine` checks this machine: store, socket, disk, and what lookups need. `check_result`
//! builds the findings.

pub mod calendar;
pub mod check_result;
mod event_type;
pub mod machine;
