//! Tests of everything that is quick: the built binary, passes and watches against the sandbox, the
//! client, the configuration, and the store. One program holds all of them, because each program of
//! tests links the whole library.

#![expect(clippy::unwrap_used, reason = "tests panic")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod administration;
mod allowance_grants;
mod allowances;
mod binary;
mod booking_pass;
mod calcom_client;
mod cancel_races;
mod commands;
mod completions;
mod config_messages;
mod config_show;
mod corpora;
mod deadlines;
mod doctor;
mod erasure;
mod imports;
mod joined_occurrences;
mod large_pages;
mod log_lines;
mod members_sync;
mod metrics;
mod notifications;
mod page;
mod pass;
mod pauses;
mod policy;
mod policy_replay;
mod privacy;
mod progress;
mod reach;
mod reading;
mod refunds;
mod right_ledger;
mod rules;
mod sandbox_differences;
mod sandbox_recordings;
mod service;
mod sources;
#[cfg(feature = "sql")]
mod sql_sources;
mod statements;
mod status_check;
mod store_copy;
mod store_damage;
mod store_formats;
mod store_indexes;
mod store_log;
mod store_model;
mod store_open;
mod store_record;
mod store_statistics;
mod strangers;
mod unanswered;
mod unresolved;
mod watch;
mod watch_orders;
