//! Dialect v2, as of `cal-api-version: 2024-08-13` (`calcom/api.md`): the current one, on the
//! hosted service and on self-hosted servers alike.

pub(super) mod client;
pub mod decode;
pub mod decode_list;
pub(super) mod error_mapping;
pub(super) mod wire;
