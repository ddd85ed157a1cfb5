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
//! - `account`, `event_type`, `booking`, `booking_table`, `world`: users, keys, event types,
//!   bookings; `create_booking`: how bookings are made; `slots`: which times can be booked
//! - `transitions`, `transition_checks`, `transition_writes`: what confirm, decline, cancel and move
//!   do, their checks, and what they write; `attendance`: absence marks and seats; `actions`: what
//!   other people do
//! - `relative_time`: instants in answers and in files; `id_generator`: uids and other identifiers
//! - `call_log`, `mail_counts`: the calls, mails and calendar events, counted
//! - `rate_limiter`, `faults`, `script`: rate limits, faults, actions between calls
//! - `http_types`, `api_route`, `handler`, `handler_outcome`: one request to one answer;
//!   `fault_responses`, `response_mutation`: what faults make of an answer and of its rows; `etag`
//! - `v2`, `v1`: the dialects; `control`: `/_sandbox/…`
//! - `server`, `server_answer`: the sockets
//! - `scenario`: the file format, and the book club of the demo

pub mod account;
pub mod action;
pub mod actions;
pub mod api_route;
pub mod attendance;
pub mod booking;
pub mod booking_table;
pub mod call_log;
pub mod control;
pub mod create_booking;
pub mod etag;
pub mod event_type;
pub mod fault_responses;
pub mod faults;
pub mod handler;
pub mod handler_outcome;
pub mod http_types;
pub mod id_generator;
pub mod mail_counts;
pub mod new_booking;
pub mod rate_limiter;
pub mod relative_time;
pub mod response_mutation;
pub mod scenario;
pub mod script;
pub mod server;
pub mod server_answer;
pub mod slots;
pub mod transition_checks;
pub mod transition_writes;
pub mod transitions;
pub mod v1;
pub mod v2;
pub mod world;
