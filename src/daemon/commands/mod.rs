//! What each command does with the store: one implementation, reached over the socket or directly.
//! The commands run on the store's thread and need no calendar.

pub mod accounting;
pub mod accounts;
pub mod aliases;
pub mod balances;
pub mod charges;
pub mod closing;
pub mod credits;
pub mod decisions;
pub mod dispatch;
pub mod erase;
pub mod evaluate;
pub mod export;
pub mod import;
pub mod ledger;
pub mod members;
pub mod members_sync;
pub mod operator_log;
pub mod parse;
pub mod pause;
pub mod review;
mod review_obstacles;
mod similar_names;
pub mod statement;
pub mod statistics;
pub mod status;
#[cfg(test)]
mod test_fixtures;
pub mod unresolved;
