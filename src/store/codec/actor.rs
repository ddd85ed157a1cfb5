//! The written form of the actor of a commit.

use serde::{Deserialize, Serialize};

use super::personal::{PersonalText, from_personal_text, to_personal_text};
use super::text::RecordError;
use crate::domain::actor::{Actor, ActorInterface};

/// Who gave the command that made a commit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    interface: InterfaceRecord,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    personal: Option<PersonalText<'a>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum InterfaceRecord {
    Socket,
    Page,
    Command,
    Daemon,
}

impl<'a> From<&'a Actor> for ActorRecord<'a> {
    fn from(actor: &'a Actor) -> Self {
        Self {
            uid: actor.uid,
            interface: match actor.interface {
                ActorInterface::Socket => InterfaceRecord::Socket,
                ActorInterface::Page => InterfaceRecord::Page,
                ActorInterface::Command => InterfaceRecord::Command,
                ActorInterface::Daemon => InterfaceRecord::Daemon,
            },
            personal: actor.name.as_deref().and_then(to_personal_text),
        }
    }
}

impl TryFrom<ActorRecord<'_>> for Actor {
    type Error = RecordError;

    fn try_from(record: ActorRecord<'_>) -> Result<Self, RecordError> {
        let name = from_personal_text(record.personal)?;
        Ok(Self {
            uid: record.uid,
            interface: match record.interface {
                InterfaceRecord::Socket => ActorInterface::Socket,
                InterfaceRecord::Page => ActorInterface::Page,
                InterfaceRecord::Command => ActorInterface::Command,
                InterfaceRecord::Daemon => ActorInterface::Daemon,
            },
            name: (!name.is_empty()).then_some(name),
        })
    }
}
