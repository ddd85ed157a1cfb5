//! The port over log and fold, and what stands behind it.
