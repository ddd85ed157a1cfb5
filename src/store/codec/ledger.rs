//! The written form of facts about the ledger as a whole, and of its state.

use serde::{Deserialize, Serialize};

use super::text::{RecordError, Text};
use super::timestamp::Timestamp;
use crate::domain::id::HostId;
use crate::domain::ledger_state::{Identity, LedgerFact, LedgerState};

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
        })
    }
}
