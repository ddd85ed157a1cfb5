//! The written form of facts: `{"kind": {…}}`, one object per fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::log::line::OLDEST_FORMAT;
use super::account::{attributes_from, attributes_to};
use super::entry::{self};
use super::fact_record::{AliasRecord, DescriptionRecord, FactRecord, PinHashRecord};
use super::format_1;
use super::personal::{self};
use super::text::{RecordError, Text, optional_string};
use super::timestamp::Timestamp;
use crate::domain::fact::Fact;

impl<'a> DescriptionRecord<'a> {
    fn of(
        tier: Option<&'a String>,
        tags: &'a BTreeSet<String>,
        attributes: &'a BTreeMap<String, String>,
    ) -> Option<Self> {
        let is_any_set = tier.is_some() || !tags.is_empty() || !attributes.is_empty();
        is_any_set.then(|| Self {
            tier: tier.map(Into::into),
            tags: tags.iter().map(Into::into).collect(),
            attributes: attributes_from(attributes),
        })
    }
}

/// Writes the facts of one commit as the list that its line holds.
pub fn write(facts: &[Fact]) -> Result<Vec<u8>, RecordError> {
    let records: Vec<FactRecord<'_>> = facts.iter().map(FactRecord::from).collect();
    Ok(serde_json::to_vec(&records)?)
}

/// Reads the list of facts from a line of the given log format.
pub fn read_format(format: u32, bytes: &[u8]) -> Result<Vec<Fact>, RecordError> {
    if format == OLDEST_FORMAT {
        return read(&format_1::upgrade(bytes)?);
    }
    read(bytes)
}

/// Reads the list of facts from a line of the current log format.
pub fn read(bytes: &[u8]) -> Result<Vec<Fact>, RecordError> {
    let records: Vec<FactRecord<'_>> = serde_json::from_slice(bytes)?;
    records.into_iter().map(Fact::try_from).collect()
}

impl<'a> From<&'a Fact> for FactRecord<'a> {
    fn from(fact: &'a Fact) -> Self {
        match fact {
            Fact::AccountOpened { account } => Self::Opened {
                account: account.as_str().into(),
            },
            Fact::AliasAdded { account, alias } => Self::Aliased {
                account: account.as_str().into(),
                personal: AliasRecord {
                    alias: alias.as_str().into(),
                },
            },
            Fact::AliasRemoved { account, alias } => Self::Unaliased {
                account: account.as_str().into(),
                personal: AliasRecord {
                    alias: alias.as_str().into(),
                },
            },
            Fact::AccountDescribed {
                account,
                tier,
                tags,
                attributes,
            } => Self::Described {
                account: account.as_str().into(),
                personal: DescriptionRecord::of(tier.as_ref(), tags, attributes),
            },
            Fact::FreezeChanged {
                account,
                reason: why,
            } => Self::Frozen {
                account: account.as_str().into(),
                frozen: why.is_some(),
                personal: why.as_deref().and_then(personal::to_personal_text),
            },
            Fact::PinChanged { account, hash } => Self::Pinned {
                account: account.as_str().into(),
                set: hash.is_some(),
                personal: hash
                    .as_ref()
                    .map(|hash| PinHashRecord { hash: hash.into() }),
            },
            Fact::Grant { .. }
            | Fact::Revoke { .. }
            | Fact::Expire { .. }
            | Fact::Hold { .. }
            | Fact::Post { .. }
            | Fact::Void { .. }
            | Fact::Refund { .. }
            | Fact::Move { .. }
            | Fact::ChargeClosed { .. } => entry::write(fact),
            Fact::RequestDecided { request } => Self::Decided(Box::new(request.as_ref().into())),
            Fact::RequestReviewed {
                request,
                decision: verdict,
                reason,
            } => Self::Reviewed {
                request: request.as_str().into(),
                verdict: (*verdict).into(),
                personal: personal::to_personal_text(reason),
            },
            Fact::CallRecorded { request, call } => Self::Called {
                request: request.as_str().into(),
                call: call.into(),
            },
            Fact::IntentSettled { request, outcome } => Self::Settled {
                request: request.as_str().into(),
                outcome: (*outcome).into(),
            },
            Fact::UnresolvedListed {
                booking,
                code,
                account,
                until,
                detail,
            } => Self::Unresolved {
                booking: booking.into(),
                code: code.as_str().into(),
                account: account.as_ref().map(|id| id.as_str().into()),
                until: until.map(Timestamp),
                personal: personal::to_personal_text(detail),
            },
            Fact::UnresolvedResolved {
                booking,
                code,
                reason,
                by,
            } => Self::Resolved {
                booking: booking.as_str().into(),
                code: code.as_str().into(),
                by: (*by).into(),
                personal: personal::to_personal_text(reason),
            },
            Fact::Ledger(fact) => Self::Ledger(fact.into()),
        }
    }
}

impl TryFrom<FactRecord<'_>> for Fact {
    type Error = RecordError;

    fn try_from(record: FactRecord<'_>) -> Result<Self, RecordError> {
        Ok(match record {
            FactRecord::Opened { account } => Self::AccountOpened {
                account: account.to_account_id()?,
            },
            FactRecord::Aliased { account, personal } => Self::AliasAdded {
                account: account.to_account_id()?,
                alias: personal.alias.to_address()?,
            },
            FactRecord::Unaliased { account, personal } => Self::AliasRemoved {
                account: account.to_account_id()?,
                alias: personal.alias.to_address()?,
            },
            FactRecord::Described { account, personal } => {
                let personal = personal.unwrap_or_default();
                Self::AccountDescribed {
                    account: account.to_account_id()?,
                    tier: optional_string(personal.tier)?,
                    tags: personal
                        .tags
                        .into_iter()
                        .map(Text::into_string)
                        .collect::<Result<_, _>>()?,
                    attributes: attributes_to(personal.attributes)?,
                }
            }
            FactRecord::Frozen {
                account,
                frozen,
                personal,
            } => Self::FreezeChanged {
                account: account.to_account_id()?,
                reason: match (frozen, personal) {
                    (true, personal) => Some(personal::from_personal_text(personal)?),
                    (false, None) => None,
                    (false, Some(_)) => return Err(RecordError::FieldMismatch("personal")),
                },
            },
            FactRecord::Pinned {
                account,
                set,
                personal,
            } => Self::PinChanged {
                account: account.to_account_id()?,
                hash: match (set, personal) {
                    (true, Some(personal)) => Some(personal.hash.into_string()?),
                    // If the hash was removed from the line, the empty hash takes its place. No PIN
                    // matches it.
                    (true, None) => Some(String::new()),
                    (false, None) => None,
                    (false, Some(_)) => return Err(RecordError::FieldMismatch("personal")),
                },
            },
            FactRecord::Grant { .. }
            | FactRecord::Revoke { .. }
            | FactRecord::Expire { .. }
            | FactRecord::Hold { .. }
            | FactRecord::Post { .. }
            | FactRecord::Void { .. }
            | FactRecord::Refund { .. }
            | FactRecord::Move { .. }
            | FactRecord::Closed { .. } => entry::read(record)?,
            FactRecord::Decided(request) => Self::RequestDecided {
                request: Arc::new((*request).try_into()?),
            },
            FactRecord::Reviewed {
                request,
                verdict,
                personal,
            } => Self::RequestReviewed {
                request: request.to_request_id()?,
                decision: verdict.into(),
                reason: personal::from_personal_text(personal)?,
            },
            FactRecord::Called { request, call } => Self::CallRecorded {
                request: request.to_request_id()?,
                call: call.try_into()?,
            },
            FactRecord::Settled { request, outcome } => Self::IntentSettled {
                request: request.to_request_id()?,
                outcome: outcome.into(),
            },
            FactRecord::Unresolved {
                booking,
                code,
                account,
                until,
                personal,
            } => Self::UnresolvedListed {
                booking: booking.try_into()?,
                code: code.to_unresolved_code()?,
                account: account.map(|text| text.to_account_id()).transpose()?,
                until: until.map(|stamp| stamp.0),
                detail: personal::from_personal_text(personal)?,
            },
            FactRecord::Resolved {
                booking,
                code,
                by,
                personal,
            } => Self::UnresolvedResolved {
                booking: booking.to_booking_uid()?,
                code: code.to_unresolved_code()?,
                reason: personal::from_personal_text(personal)?,
                by: by.into(),
            },
            FactRecord::Ledger(fact) => Self::Ledger(fact.try_into()?),
        })
    }
}
