//! The v1 dialect: `calcom/v1.md`, checked against the recordings.

pub mod call;
pub mod item;
pub mod list;
pub mod route;
pub mod write;
