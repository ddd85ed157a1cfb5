//! A local Cal.com for rehearsals, tests and the demo. Speaks only HTTP to the rest of the house.
//!
//! One world, two dialects: `/v2/…` as `calcom/api.md` says and `/v1/…` as `calcom/v1.md` says,
//! both checked in tests against exchanges that were recorded from real servers and, row by row,
//! against `calcom/differences.md`. The world is a
//! pure, synchronous state machine; only `server` knows sockets and waiting. It never talks to
//! anything outside, sends no mail (it counts what a real one would have sent), and is no authority
//! on what Cal.com should do: where a real server is careless, so is this one, on purpose.
//!
//! - `model`, `rows`, `world`: users, keys, event types, bookings; `ask`: how bookings are made;
//!   `slots`: which times can be booked
//! - `change`: what confirm, decline, cancel, move and absence marks do; `actions`: what others do
//! - `moment`: instants on the wire and in files
//! - `journal`: the calls, mails and calendar events, counted
//! - `limit`, `faults`, `script`: rate limits, things going wrong, things happening between calls
//! - `call`, `answer`: one request to one answer; `distort`: rows that look wrong
//! - `v2`, `v1`: the dialects; `control`: `/_sandbox/…`
//! - `server`: the sockets
//! - `scenario`: the file format, and the house of the demo

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
