//! The written form of items of the unresolved list.

use serde::{Deserialize, Serialize};

use super::request::BookingRecord;
use super::text::{RecordError, Text};
use super::timestamp::Timestamp;
use crate::domain::unresolved::{Resolver, UnresolvedBooking, UnresolvedState};

/// The written form of an item of the unresolved list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnresolvedRecord<'a> {
    #[serde(borrow)]
    booking: BookingRecord<'a>,
    code: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    detail: Text<'a>,
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolved: Option<ResolvedRecord<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolvedRecord<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
    by: ResolverRecord,
    at: Timestamp,
}

/// Who resolved an item.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolverRecord {
    /// An operator, by a command.
    Operator,
    /// The watch.
    Watch,
}

impl<'a> From<&'a UnresolvedBooking> for UnresolvedRecord<'a> {
    fn from(item: &'a UnresolvedBooking) -> Self {
        Self {
            booking: (&item.booking).into(),
            code: item.code.as_str().into(),
            account: item.account.as_ref().map(|id| id.as_str().into()),
            until: item.until.map(Timestamp),
            detail: (&item.detail).into(),
            since: Timestamp(item.since),
            resolved: match &item.state {
                UnresolvedState::Open => None,
                UnresolvedState::Resolved { reason, by, at } => Some(ResolvedRecord {
                    reason: reason.into(),
                    by: (*by).into(),
                    at: Timestamp(*at),
                }),
            },
        }
    }
}

impl TryFrom<UnresolvedRecord<'_>> for UnresolvedBooking {
    type Error = RecordError;

    fn try_from(record: UnresolvedRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            booking: record.booking.try_into()?,
            code: record.code.to_unresolved_code()?,
            account: record
                .account
                .map(|text| text.to_account_id())
                .transpose()?,
            until: record.until.map(|stamp| stamp.0),
            detail: record.detail.into_string()?,
            since: record.since.0,
            state: match record.resolved {
                None => UnresolvedState::Open,
                Some(resolved) => UnresolvedState::Resolved {
                    reason: resolved.reason.into_string()?,
                    by: resolved.by.into(),
                    at: resolved.at.0,
                },
            },
        })
    }
}

impl From<Resolver> for ResolverRecord {
    fn from(by: Resolver) -> Self {
        match by {
            Resolver::Operator => Self::Operator,
            Resolver::Watch => Self::Watch,
        }
    }
}

impl From<ResolverRecord> for Resolver {
    fn from(record: ResolverRecord) -> Self {
        match record {
            ResolverRecord::Operator => Self::Operator,
            ResolverRecord::Watch => Self::Watch,
        }
    }
}
