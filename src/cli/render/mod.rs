//! Renders answers: calm, aligned, and so that they can be read aloud. Titles, names and reasons
//! come from strangers; they reach a terminal as nothing but text.

pub mod account;
pub mod accounting;
pub mod answer;
pub mod credits;
mod csv_text;
pub mod decisions;
pub mod explain;
pub mod layout;
pub mod ledger;
pub mod members;
pub mod pass;
pub mod policy;
pub mod refusal;
pub mod reload;
pub mod review;
pub mod sanitize;
pub mod statistics;
pub mod status;
pub mod unresolved;
