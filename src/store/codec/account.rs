//! The written form of accounts, their lots, and grants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lot::{LotTermsRecord, from_lot_terms_record, to_lot_terms_record};
use super::text::{RecordError, Text, check_credits, is_zero_credits, optional_string};
use super::timestamp::Timestamp;
use crate::domain::account::{Account, Closing, LotPart, Totals};
use crate::domain::decision::Credits;
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::lot::Lot;

/// The written form of a part of a lot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRecord<'a> {
    #[serde(borrow)]
    grant: Text<'a>,
    credits: Credits,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LotRecord<'a> {
    #[serde(borrow)]
    grant: Text<'a>,
    granted: Credits,
    left: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    granted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<Box<LotTermsRecord<'a>>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TotalsRecord {
    granted: Credits,
    refunded: Credits,
    held: Credits,
    posted: Credits,
    expired: Credits,
    revoked: Credits,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    received: Credits,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    sent: Credits,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    lent: Credits,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    repaid: Credits,
}

/// The written form of an account, as the projection holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    version: u64,
    opened: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lots: Vec<LotRecord<'a>>,
    totals: TotalsRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_stopped: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<ClosingRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overdraft: Option<Credits>,
}

/// How an account was closed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosingRecord<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merged_into: Option<Text<'a>>,
}

/// The written form of a grant or revocation, as the projection holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredGrantRecord<'a> {
    #[serde(borrow)]
    reference: Text<'a>,
    account: Text<'a>,
    credits: Credits,
    kind: StoredGrantKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<Box<LotTermsRecord<'a>>>,
    reason: Text<'a>,
    at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredGrantKind {
    Grant,
    Revoke,
    Restored,
    Transfer,
    Received,
    Overdraft,
}

impl<'a> From<&'a LotPart> for PartRecord<'a> {
    fn from(part: &'a LotPart) -> Self {
        Self {
            grant: part.grant.as_str().into(),
            credits: part.credits,
        }
    }
}

impl TryFrom<PartRecord<'_>> for LotPart {
    type Error = RecordError;

    fn try_from(record: PartRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            grant: record.grant.to_reference()?,
            credits: check_credits(record.credits)?,
        })
    }
}

/// Converts parts to their written form.
pub fn parts_from(parts: &[LotPart]) -> Vec<PartRecord<'_>> {
    parts.iter().map(Into::into).collect()
}

/// Converts parts from their written form.
pub fn parts_to(records: Vec<PartRecord<'_>>) -> Result<Vec<LotPart>, RecordError> {
    records.into_iter().map(LotPart::try_from).collect()
}

impl<'a> From<&'a Account> for AccountRecord<'a> {
    fn from(account: &'a Account) -> Self {
        let totals = &account.totals;
        Self {
            id: account.id.as_str().into(),
            version: account.version,
            opened: Timestamp(account.opened_at),
            aliases: account.aliases.iter().map(|a| a.as_str().into()).collect(),
            lots: account.lots.iter().map(Into::into).collect(),
            totals: TotalsRecord {
                granted: totals.granted,
                refunded: totals.refunded,
                held: totals.held,
                posted: totals.posted,
                expired: totals.expired,
                revoked: totals.revoked,
                received: totals.received,
                sent: totals.sent,
                lent: totals.lent,
                repaid: totals.repaid,
            },
            frozen: account.freeze_reason.as_ref().map(Into::into),
            tier: account.tier.as_ref().map(Into::into),
            tags: account.tags.iter().map(Into::into).collect(),
            attributes: attributes_from(&account.attributes),
            pin: account.pin_hash.as_ref().map(Into::into),
            expiry_stopped: account.expiry_stopped_at.map(Timestamp),
            closed: account.closed.as_ref().map(|closing| ClosingRecord {
                reason: (&closing.reason).into(),
                merged_into: closing.merged_into.as_ref().map(|id| id.as_str().into()),
            }),
            overdraft: account.overdraft_limit,
        }
    }
}

impl TryFrom<AccountRecord<'_>> for Account {
    type Error = RecordError;

    fn try_from(record: AccountRecord<'_>) -> Result<Self, RecordError> {
        let totals = record.totals;
        let aliases = record.aliases.iter().map(Text::to_address);
        Ok(Self {
            id: record.id.to_account_id()?,
            version: record.version,
            opened_at: record.opened.0,
            aliases: aliases.collect::<Result<_, _>>()?,
            lots: record
                .lots
                .into_iter()
                .map(Lot::try_from)
                .collect::<Result<_, _>>()?,
            totals: Totals {
                granted: totals.granted,
                refunded: totals.refunded,
                held: totals.held,
                posted: totals.posted,
                expired: totals.expired,
                revoked: totals.revoked,
                received: totals.received,
                sent: totals.sent,
                lent: totals.lent,
                repaid: totals.repaid,
            },
            freeze_reason: optional_string(record.frozen)?,
            tier: optional_string(record.tier)?,
            tags: record
                .tags
                .into_iter()
                .map(Text::into_string)
                .collect::<Result<_, _>>()?,
            attributes: attributes_to(record.attributes)?,
            pin_hash: optional_string(record.pin)?,
            expiry_stopped_at: record.expiry_stopped.map(|stamp| stamp.0),
            closed: record.closed.map(TryInto::try_into).transpose()?,
            overdraft_limit: record.overdraft,
        })
    }
}

impl TryFrom<ClosingRecord<'_>> for Closing {
    type Error = RecordError;

    fn try_from(record: ClosingRecord<'_>) -> Result<Self, RecordError> {
        let successor = record.merged_into.map(|id| id.to_account_id());
        Ok(Self {
            reason: record.reason.into_string()?,
            merged_into: successor.transpose()?,
        })
    }
}

/// Converts attributes, which rules may read, to their written form.
pub fn attributes_from(attributes: &BTreeMap<String, String>) -> BTreeMap<Text<'_>, Text<'_>> {
    let entries = attributes.iter();
    entries.map(|(k, v)| (k.into(), v.into())).collect()
}

/// Converts attributes, which rules may read, from their written form.
pub fn attributes_to(
    records: BTreeMap<Text<'_>, Text<'_>>,
) -> Result<BTreeMap<String, String>, RecordError> {
    let entries = records.into_iter();
    entries
        .map(|(k, v)| Ok((k.into_string()?, v.into_string()?)))
        .collect()
}

impl<'a> From<&'a Lot> for LotRecord<'a> {
    fn from(lot: &'a Lot) -> Self {
        Self {
            grant: lot.grant.as_str().into(),
            granted: lot.granted,
            left: lot.remaining,
            expires: lot.expires.map(Timestamp),
            granted_at: Timestamp(lot.granted_at),
            terms: to_lot_terms_record(&lot.terms).map(Box::new),
        }
    }
}

impl TryFrom<LotRecord<'_>> for Lot {
    type Error = RecordError;

    fn try_from(record: LotRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            grant: record.grant.to_reference()?,
            granted: record.granted,
            remaining: record.left,
            expires: record.expires.map(|stamp| stamp.0),
            granted_at: record.granted_at.0,
            terms: from_lot_terms_record(record.terms.map(|terms| *terms))?,
        })
    }
}

impl<'a> From<&'a GrantRecord> for StoredGrantRecord<'a> {
    fn from(grant: &'a GrantRecord) -> Self {
        Self {
            reference: grant.reference.as_str().into(),
            account: grant.account.as_str().into(),
            credits: grant.credits,
            kind: match grant.kind {
                GrantKind::Grant => StoredGrantKind::Grant,
                GrantKind::Revoke => StoredGrantKind::Revoke,
                GrantKind::Restored => StoredGrantKind::Restored,
                GrantKind::Transfer => StoredGrantKind::Transfer,
                GrantKind::Received => StoredGrantKind::Received,
                GrantKind::Overdraft => StoredGrantKind::Overdraft,
            },
            expires: grant.expires.map(Timestamp),
            terms: to_lot_terms_record(&grant.terms).map(Box::new),
            reason: (&grant.reason).into(),
            at: Timestamp(grant.at),
        }
    }
}

impl TryFrom<StoredGrantRecord<'_>> for GrantRecord {
    type Error = RecordError;

    fn try_from(record: StoredGrantRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            reference: record.reference.to_reference()?,
            account: record.account.to_account_id()?,
            credits: record.credits,
            kind: match record.kind {
                StoredGrantKind::Grant => GrantKind::Grant,
                StoredGrantKind::Revoke => GrantKind::Revoke,
                StoredGrantKind::Restored => GrantKind::Restored,
                StoredGrantKind::Transfer => GrantKind::Transfer,
                StoredGrantKind::Received => GrantKind::Received,
                StoredGrantKind::Overdraft => GrantKind::Overdraft,
            },
            expires: record.expires.map(|stamp| stamp.0),
            terms: from_lot_terms_record(record.terms.map(|terms| *terms))?,
            reason: record.reason.into_string()?,
            at: record.at.0,
        })
    }
}
