//! The process: its loop, its clock, its signals, and the answers it gives.

pub mod commands;
pub mod backoff;
pub mod calendar;
pub mod clock;
pub mod backup;
pub mod doctor;
pub mod failure;
pub mod offline;
pub mod lookups;
pub mod run_once;
pub mod ownership;
pub mod pin;
pub mod policy;
pub mod run;
pub mod schedule;
pub mod process;
pub mod signals;
pub mod telemetry;
pub mod views;
pub mod wake;
pub mod watch_state;
