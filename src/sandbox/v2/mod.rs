//! The v2 dialect: `calcom/api.md`, checked against the recordings.

pub mod error;
pub mod item;
pub mod list;
pub mod api_2024_04_15;
pub mod list_query;
pub mod route;
pub mod event_types;
pub mod write;
