//! Accounts, their lots, and grants as they are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stamp::Stamp;
use super::text::{RecordError, Text, credits, optional};
use crate::domain::account::{Account, Lot, Part, Totals};
use crate::domain::decision::Credits;
use crate::domain::ledger::{Given, GivenKind};

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
    expires: Option<Stamp>,
    granted_at: Stamp,
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
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    version: u64,
    opened: Stamp,
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
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenRecord<'a> {
    #[serde(borrow)]
    reference: Text<'a>,
    account: Text<'a>,
    credits: Credits,
    kind: GivenKindRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Stamp>,
    reason: Text<'a>,
    at: Stamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum GivenKindRecord {
    Grant,
    Revoke,
    Restored,
}

impl<'a> From<&'a Part> for PartRecord<'a> {
    fn from(part: &'a Part) -> Self {
        Self {
            grant: part.grant.as_str().into(),
            credits: part.credits,
        }
    }
}

impl TryFrom<PartRecord<'_>> for Part {
    type Error = RecordError;

    fn try_from(record: PartRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            grant: record.grant.reference()?,
            credits: credits(record.credits)?,
        })
    }
}

/// Parts as they are written.
pub fn parts_from(parts: &[Part]) -> Vec<PartRecord<'_>> {
    parts.iter().map(Into::into).collect()
}

/// Parts as they are read.
pub fn parts_to(records: Vec<PartRecord<'_>>) -> Result<Vec<Part>, RecordError> {
    records.into_iter().map(Part::try_from).collect()
}

impl<'a> From<&'a Account> for AccountRecord<'a> {
    fn from(account: &'a Account) -> Self {
        let totals = &account.totals;
        Self {
            id: account.id.as_str().into(),
            version: account.version,
            opened: Stamp(account.opened),
            aliases: account.aliases.iter().map(|a| a.as_str().into()).collect(),
            lots: account.lots.iter().map(Into::into).collect(),
            totals: TotalsRecord {
                granted: totals.granted,
                refunded: totals.refunded,
                held: totals.held,
                posted: totals.posted,
                expired: totals.expired,
                revoked: totals.revoked,
            },
            frozen: account.frozen.as_ref().map(Into::into),
            tier: account.tier.as_ref().map(Into::into),
            tags: account.tags.iter().map(Into::into).collect(),
            attributes: attributes_from(&account.attributes),
            pin: account.pin.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<AccountRecord<'_>> for Account {
    type Error = RecordError;

    fn try_from(record: AccountRecord<'_>) -> Result<Self, RecordError> {
        let totals = record.totals;
        let aliases = record.aliases.iter().map(Text::address);
        Ok(Self {
            id: record.id.account()?,
            version: record.version,
            opened: record.opened.0,
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
            },
            frozen: optional(record.frozen)?,
            tier: optional(record.tier)?,
            tags: record
                .tags
                .into_iter()
                .map(Text::string)
                .collect::<Result<_, _>>()?,
            attributes: attributes_to(record.attributes)?,
            pin: optional(record.pin)?,
        })
    }
}

/// What rules may look at, as it is written.
pub fn attributes_from(attributes: &BTreeMap<String, String>) -> BTreeMap<Text<'_>, Text<'_>> {
    let pairs = attributes.iter();
    pairs.map(|(k, v)| (k.into(), v.into())).collect()
}

/// What rules may look at, as it is read.
pub fn attributes_to(
    records: BTreeMap<Text<'_>, Text<'_>>,
) -> Result<BTreeMap<String, String>, RecordError> {
    let pairs = records.into_iter();
    pairs.map(|(k, v)| Ok((k.string()?, v.string()?))).collect()
}

impl<'a> From<&'a Lot> for LotRecord<'a> {
    fn from(lot: &'a Lot) -> Self {
        Self {
            grant: lot.grant.as_str().into(),
            granted: lot.granted,
            left: lot.left,
            expires: lot.expires.map(Stamp),
            granted_at: Stamp(lot.granted_at),
        }
    }
}

impl TryFrom<LotRecord<'_>> for Lot {
    type Error = RecordError;

    fn try_from(record: LotRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            grant: record.grant.reference()?,
            granted: record.granted,
            left: record.left,
            expires: record.expires.map(|stamp| stamp.0),
            granted_at: record.granted_at.0,
        })
    }
}

impl<'a> From<&'a Given> for GivenRecord<'a> {
    fn from(given: &'a Given) -> Self {
        Self {
            reference: given.reference.as_str().into(),
            account: given.account.as_str().into(),
            credits: given.credits,
            kind: match given.kind {
                GivenKind::Grant => GivenKindRecord::Grant,
                GivenKind::Revoke => GivenKindRecord::Revoke,
                GivenKind::Restored => GivenKindRecord::Restored,
            },
            expires: given.expires.map(Stamp),
            reason: (&given.reason).into(),
            at: Stamp(given.at),
        }
    }
}

impl TryFrom<GivenRecord<'_>> for Given {
    type Error = RecordError;

    fn try_from(record: GivenRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            reference: record.reference.reference()?,
            account: record.account.account()?,
            credits: record.credits,
            kind: match record.kind {
                GivenKindRecord::Grant => GivenKind::Grant,
                GivenKindRecord::Revoke => GivenKind::Revoke,
                GivenKindRecord::Restored => GivenKind::Restored,
            },
            expires: record.expires.map(|stamp| stamp.0),
            reason: record.reason.string()?,
            at: record.at.0,
        })
    }
}
