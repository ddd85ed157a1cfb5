//! The v2 dialect: `calcom/api.md`, checked against the recordings.

pub mod error;
pub mod item;
pub mod list;
pub mod older;
pub mod params;
pub mod route;
pub mod types;
pub mod write;
