//! Dialect v1 (`calcom/v1.md`), as old self-hosted servers still speak it. Nothing in it checks a
//! state, so every write reads before and after; an accept through it tells nobody; the key stands
//! in every URL.

pub(super) mod client;
pub mod decode;
pub(super) mod error_mapping;
mod listing;
pub(super) mod wire;
