//! What each command does with the store: one implementation, reached over the socket or directly.
//! Runs on the store's thread; needs no calendar.

pub mod accounts;
pub mod operator_log;
pub mod charges;
pub mod credits;
pub mod decisions;
pub mod evaluate;
pub mod export;
pub mod import;
pub mod ledger;
#[cfg(test)]
mod test_fixtures;
pub mod members;
mod similar_names;
pub mod parse;
pub mod review;
pub mod dispatch;
pub mod unresolved;
