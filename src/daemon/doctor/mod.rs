//! `check --live`: all that an operator can get wrong, each finding with what to do. `calendar` asks
//! Cal.com, reading only; `machine` looks at this machine: store, socket, disk, and what lookups
//! need. `finding` is how each is put.

pub mod calendar;
pub mod finding;
pub mod machine;
