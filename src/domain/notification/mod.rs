//! Notifications to operators and members: what they say (`event`), the kinds that a target selects
//! (`kind`), where it goes (`target`), and how notifications follow from facts (`from_facts`, and
//! `recorded` for the operator's own systems) and from the passing of time (`from_time`). Sending them is not part of the domain.

pub mod event;
pub mod from_facts;
pub mod from_time;
pub mod kind;
pub mod recorded;
pub mod target;
