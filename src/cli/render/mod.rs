//! How answers read: calm, aligned, and so that one could read them aloud. Titles, names and
//! reasons come from strangers; nothing of theirs reaches a terminal as anything but text.

pub mod account;
pub mod answer;
pub mod credits;
pub mod decisions;
pub mod explain;
pub mod instants;
pub mod layout;
pub mod pass;
pub mod policy;
pub mod refusal;
pub mod review;
pub mod sanitize;
pub mod status_and_ledger;
pub mod unresolved;
