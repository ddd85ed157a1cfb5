//! The domain: what is true, and what should be done. Pure code: no clock, no socket, no disk, no
//! serialisation. `now` is a parameter everywhere. The outer layers convert whatever is stored or
//! sent, so that a stored format never changes because a type here does.

pub mod account;
pub mod actor;
pub mod allowance;
pub mod booking;
pub mod credit_flows;
pub mod credit_number;
pub mod criteria;
pub mod daily_totals;
pub mod decision;
pub mod entry_reason;
pub mod erasure;
pub mod evaluation;
pub mod expected;
pub mod fact;
pub mod gate;
pub mod host_bookings;
pub mod host_schedule;
pub mod id;
pub mod import_columns;
pub mod intent;
pub mod ledger;
pub mod ledger_state;
pub mod lookup;
pub mod lot;
pub mod member_change;
pub mod member_data;
pub mod member_source;
pub mod messages;
pub mod name_distance;
pub mod notification;
pub mod pause;
pub mod plan;
pub mod progress;
pub mod refund_lots;
pub mod refund_policy;
pub mod request;
pub mod request_grouping;
pub mod rule;
pub mod secret_path;
pub mod snapshot;
pub mod time;
pub mod unresolved;
pub mod watch;

pub mod dialect;
pub mod grant;
#[cfg(test)]
mod tests;
