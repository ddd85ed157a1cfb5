//! Dialect v1 (`calcom/v1.md`), which old self-hosted servers still speak. The server checks no
//! state, so every write reads the booking before and after; accepting a booking through v1
//! notifies no one; every URL holds the key.

pub(super) mod client;
pub mod decode;
pub(super) mod error_mapping;
mod listing;
pub(super) mod wire;
