//! The written form of facts about the ledger as a whole, and of its state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::personal::{PersonalText, from_personal_text, to_personal_text};
use super::text::{RecordError, Text, optional_string};
use super::timestamp::Timestamp;
use crate::domain::id::HostId;
use crate::domain::ledger_state::{Identity, LedgerFact, LedgerState};
use crate::domain::pause::{Pause, Pauses};

/// The written form of a fact about the ledger as a whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LedgerFactRecord<'a> {
    /// The ledger belongs to this account at Cal.com from now on.
    Identified {
        /// The server, account and dialect.
        #[serde(borrow)]
        identity: IdentityRecord<'a>,
        /// Why the identity was set or changed.
        reason: Text<'a>,
    },
    /// The ledger was restored from a backup.
    Restored {
        /// The last commit in the backup.
        commit: u64,
    },
    /// An operator accepted the restored ledger.
    RestoreAccepted {
        /// The operator's reason.
        reason: Text<'a>,
    },
    /// An operator paused a gate, or everything.
    Paused {
        /// The gate; `None`: everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<Text<'a>>,
        /// When the pause ends by itself; `None`: when an operator ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The operator's reason; `None` if it was removed from the line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    /// An operator ended the pause of a gate, or of everything.
    Resumed {
        /// The gate; `None`: everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<Text<'a>>,
    },
}

/// The written form of the account that a ledger belongs to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRecord<'a> {
    #[serde(borrow)]
    server: Text<'a>,
    user: i64,
    dialect: Text<'a>,
}

/// The state as the projection keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerStateRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Timestamp>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored: Option<Timestamp>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    paused: Option<PauseRecord<'a>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    paused_gates: BTreeMap<Text<'a>, PauseRecord<'a>>,
}

/// A pause as the projection keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRecord<'a> {
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(borrow)]
    reason: Text<'a>,
}

impl<'a> From<&'a LedgerFact> for LedgerFactRecord<'a> {
    fn from(fact: &'a LedgerFact) -> Self {
        match fact {
            LedgerFact::Identified { identity, reason } => Self::Identified {
                identity: identity.into(),
                reason: reason.into(),
            },
            LedgerFact::Restored { commit } => Self::Restored { commit: *commit },
            LedgerFact::RestoreAccepted { reason } => Self::RestoreAccepted {
                reason: reason.into(),
            },
            LedgerFact::Paused {
                gate,
                until,
                reason,
            } => Self::Paused {
                gate: gate.as_ref().map(Into::into),
                until: until.map(Timestamp),
                personal: to_personal_text(reason),
            },
            LedgerFact::Resumed { gate } => Self::Resumed {
                gate: gate.as_ref().map(Into::into),
            },
        }
    }
}

impl TryFrom<LedgerFactRecord<'_>> for LedgerFact {
    type Error = RecordError;

    fn try_from(record: LedgerFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(match record {
            LedgerFactRecord::Identified { identity, reason } => Self::Identified {
                identity: identity.try_into()?,
                reason: reason.into_string()?,
            },
            LedgerFactRecord::Restored { commit } => Self::Restored { commit },
            LedgerFactRecord::RestoreAccepted { reason } => Self::RestoreAccepted {
                reason: reason.into_string()?,
            },
            LedgerFactRecord::Paused {
                gate,
                until,
                personal,
            } => Self::Paused {
                gate: optional_string(gate)?,
                until: until.map(|until| until.0),
                reason: from_personal_text(personal)?,
            },
            LedgerFactRecord::Resumed { gate } => Self::Resumed {
                gate: optional_string(gate)?,
            },
        })
    }
}

impl<'a> From<&'a Identity> for IdentityRecord<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self {
            server: (&identity.server).into(),
            user: identity.user.0,
            dialect: (&identity.dialect).into(),
        }
    }
}

impl TryFrom<IdentityRecord<'_>> for Identity {
    type Error = RecordError;

    fn try_from(record: IdentityRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            server: record.server.into_string()?,
            user: HostId(record.user),
            dialect: record.dialect.into_string()?,
        })
    }
}

impl<'a> From<&'a LedgerState> for LedgerStateRecord<'a> {
    fn from(state: &'a LedgerState) -> Self {
        Self {
            began: state.first_commit_at.map(Timestamp),
            identity: state.identity.as_ref().map(Into::into),
            restored: state.restored_at.map(Timestamp),
            paused: state.pauses.all.as_ref().map(Into::into),
            paused_gates: {
                let gates = state.pauses.gates.iter();
                gates
                    .map(|(gate, pause)| (gate.into(), pause.into()))
                    .collect()
            },
        }
    }
}

impl TryFrom<LedgerStateRecord<'_>> for LedgerState {
    type Error = RecordError;

    fn try_from(record: LedgerStateRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            first_commit_at: record.began.map(|began| began.0),
            identity: record.identity.map(TryInto::try_into).transpose()?,
            restored_at: record.restored.map(|restored| restored.0),
            pauses: Pauses {
                all: record.paused.map(TryInto::try_into).transpose()?,
                gates: {
                    let gates = record.paused_gates.into_iter();
                    gates
                        .map(|(gate, pause)| Ok((gate.into_string()?, pause.try_into()?)))
                        .collect::<Result<_, RecordError>>()?
                },
            },
        })
    }
}

impl<'a> From<&'a Pause> for PauseRecord<'a> {
    fn from(pause: &'a Pause) -> Self {
        Self {
            since: Timestamp(pause.since),
            until: pause.until.map(Timestamp),
            reason: (&pause.reason).into(),
        }
    }
}

impl TryFrom<PauseRecord<'_>> for Pause {
    type Error = RecordError;

    fn try_from(record: PauseRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            since: record.since.0,
            until: record.until.map(|until| until.0),
            reason: record.reason.into_string()?,
        })
    }
}
