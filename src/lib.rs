//! `maitred` guards a Cal.com calendar: it confirms and declines pending bookings, based on an
//! embedded credit ledger and the operator's own criteria.

// Here and not in `Cargo.toml`, because these lints are about the library: tests are tables, which
// may be long, and no other crate uses their items.
#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod calcom;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod domain;
pub mod external;
pub mod http;
pub mod lookup;
pub mod notify;
pub mod page;
pub mod reconcile;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod source;
pub mod spreadsheet;
pub mod store;
