//! The process: its loop, its clock, its signals, and the answers it gives.

pub mod clock;
