//! The v2 dialect: `calcom/api.md`, checked against the recordings.

pub mod api_2024_04_15;
pub mod call;
pub mod error;
pub mod event_types;
pub mod item;
pub mod list;
pub mod list_query;
pub mod route;
pub mod write;
