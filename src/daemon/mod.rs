//! The process: its loop, its clock, its signals, and the answers it gives.

pub mod answer;
pub mod backoff;
pub mod calendar;
pub mod clock;
pub mod copies;
pub mod doctor;
pub mod failure;
pub mod local;
pub mod lookups;
pub mod once;
pub mod ownership;
pub mod pin;
pub mod policy;
pub mod run;
pub mod schedule;
pub mod serve;
pub mod signals;
pub mod telemetry;
pub mod views;
pub mod wake;
pub mod watching;
