//! A local Cal.com for rehearsals, tests and the demo. The rest of maitred reaches it only over
//! HTTP.
//!
//! One world, two dialects: `/v2/…` as described in `calcom/api.md` and `/v1/…` as described in
//! `calcom/v1.md`, both checked in tests against exchanges that were recorded from real servers
//! and, row by row, against `calcom/differences.md`. The world is a pure, synchronous state
//! machine; only `server` deals with sockets and waiting. The sandbox never connects to anything
//! outside, sends no mail (it counts what a real server would have sent), and is no authority on
//! what Cal.com should do: where a real server is careless, the sandbox is careless on purpose.
//!
//! - `model`, `booking_table`, `world`: users, keys, event types, bookings; `create_booking`: how
//!   bookings are made; `slots`: which times can be booked
//! - `transitions`: what confirm, decline, cancel, move and absence marks do; `actions`: what other
//!   people do
//! - `relative_time`: instants in answers and in files; `id_generator`: uids and other identifiers
//! - `call_log`: the calls, mails and calendar events, counted
//! - `rate_limiter`, `faults`, `script`: rate limits, faults, actions between calls
//! - `http_types`, `handler`: one request to one answer; `response_mutation`: rows that are wrong
//! - `v2`, `v1`: the dialects; `control`: `/_sandbox/…`
//! - `server`: the sockets
//! - `scenario`: the file format, and the book club of the demo

pub mod action;
pub mod actions;
pub mod booking_table;
pub mod call_log;
pub mod control;
pub mod create_booking;
pub mod faults;
pub mod handler;
pub mod http_types;
pub mod id_generator;
pub mod model;
pub mod new_booking;
pub mod rate_limiter;
pub mod relative_time;
pub mod response_mutation;
pub mod scenario;
pub mod script;
pub mod server;
pub mod slots;
pub mod transitions;
pub mod v1;
pub mod v2;
pub mod world;
