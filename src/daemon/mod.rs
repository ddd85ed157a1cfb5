//! The process: its loop, its clock, its signals, and its answers to commands.

pub mod backoff;
pub mod backup;
pub mod calendar;
pub mod clock;
pub mod commands;
pub mod doctor;
pub mod error_chain;
pub mod failure;
pub mod metrics;
pub mod offline;
pub mod outbox;
pub mod ownership;
pub mod pin;
pub mod policy;
pub mod process;
pub mod run;
pub mod run_once;
pub mod schedule;
pub mod signals;
pub mod store_access;
pub mod telemetry;
pub mod timetable;
pub mod views;
pub mod wake;
pub mod watch_state;
pub mod web_page;
