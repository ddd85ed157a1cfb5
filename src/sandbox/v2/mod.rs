//! The v2 dialect: `calcom/api.md`, checked against the recordings.

pub mod api_2024_04_15;
pub mod body_fields;
pub mod call;
pub mod caller;
pub mod cancel;
pub mod change_response;
pub mod confirm_and_decline;
pub mod create;
pub mod error;
pub mod event_types;
pub mod headers;
pub mod item;
pub mod list;
pub mod list_query;
pub mod mark_absent;
pub mod reads;
pub mod reschedule;
pub mod route;
