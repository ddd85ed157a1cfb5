//! Dialect v1 (`calcom/v1.md`), as old self-hosted servers still speak it. Nothing in it checks a
//! state, so every write reads before and after; an accept through it tells nobody; the key stands
//! in every URL.

pub mod decode;
pub(super) mod client;
mod listing;
pub(super) mod error_mapping;
pub(super) mod wire;
