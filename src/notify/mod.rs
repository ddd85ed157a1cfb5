//! Sends notifications to the operator's systems: a command, a signed HTTP request, or a mail.
//!
//! `view` is the JSON form of a notification, `text` its words for people, and `event_id` its id.
//! `target` opens a target, with its credentials, and delivers one notification; `post` and `mail`
//! are two of its transports. `target_state` is the file that remembers what a target received.
//! `dead_man` calls the URL that expects a call after each pass. Which notifications are due, and
//! when one is sent again, is decided by the daemon's outbox.

pub mod dead_man;
pub mod event_id;
mod json_lines;
mod mail;
mod post;
pub mod target;
pub mod target_state;
mod text;
pub mod view;
mod web_address;
