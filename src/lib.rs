//! `maitred` guards a Cal.com calendar: it confirms and declines pending bookings, based on an
//! embedded credit ledger and the operator's own criteria.

pub mod calcom;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod domain;
pub mod http;
pub mod lookup;
pub mod reconcile;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
