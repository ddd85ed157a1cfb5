//! The port over log and fold, and what stands behind it.

pub mod handle;
pub mod port;
