//! `maitred` stands at the door of a Cal.com calendar: it confirms and declines the bookings that
//! wait, against an embedded credit ledger and the house's own criteria.

pub mod calcom;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod domain;
pub mod http;
pub mod lookup;
pub mod reconcile;
pub mod sandbox;
pub mod store;
