//! The written form of facts: `{"kind": {…}}`, one object per fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::log::line::OLDEST_FORMAT;
use super::account::{attributes_from, attributes_to};
use super::fact_record::{AliasRecord, DescriptionRecord, FactRecord, PinHashRecord};
use super::format_1;
use super::personal::{self, PersonalText};
use super::request::BookingRecord;
use super::review::VerdictRecord;
use super::text::{RecordError, Text, check_credits, optional_string};
use super::timestamp::Timestamp;
use super::unresolved::ResolverRecord;
use crate::domain::fact::{AccountFact, Fact, RequestFact, UnresolvedFact};

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
            Fact::Account(fact) => fact.into(),
            Fact::Credit(fact) => fact.into(),
            Fact::Charge(fact) => fact.into(),
            Fact::Request(fact) => fact.into(),
            Fact::Unresolved(fact) => fact.into(),
            Fact::Ledger(fact) => Self::Ledger(fact.into()),
            Fact::By(actor) => Self::By(actor.into()),
        }
    }
}

impl<'a> From<&'a AccountFact> for FactRecord<'a> {
    fn from(fact: &'a AccountFact) -> Self {
        let account = fact.account().as_str().into();
        match fact {
            AccountFact::Opened { .. } => Self::Opened { account },
            AccountFact::AliasAdded { alias, .. } => Self::Aliased {
                account,
                personal: AliasRecord {
                    alias: alias.as_str().into(),
                },
            },
            AccountFact::AliasRemoved { alias, .. } => Self::Unaliased {
                account,
                personal: AliasRecord {
                    alias: alias.as_str().into(),
                },
            },
            AccountFact::Described {
                tier,
                tags,
                attributes,
                ..
            } => Self::Described {
                account,
                personal: DescriptionRecord::of(tier.as_ref(), tags, attributes),
            },
            AccountFact::FreezeChanged {
                reason,
                stops_expiry,
                ..
            } => Self::Frozen {
                account,
                frozen: reason.is_some(),
                stops_expiry: *stops_expiry,
                personal: reason.as_deref().and_then(personal::to_personal_text),
            },
            AccountFact::PinChanged { hash, .. } => Self::Pinned {
                account,
                set: hash.is_some(),
                personal: hash
                    .as_ref()
                    .map(|hash| PinHashRecord { hash: hash.into() }),
            },
            AccountFact::OverdraftChanged { limit, .. } => Self::Overdraft {
                account,
                limit: *limit,
            },
            AccountFact::Closed { reason, .. } => Self::AccountClosed {
                account,
                personal: personal::to_personal_text(reason),
            },
            AccountFact::Reopened { .. } => Self::AccountReopened { account },
            AccountFact::Merged {
                into,
                credits,
                charges,
                reason,
                ..
            } => Self::Merged {
                account,
                into: into.as_str().into(),
                credits: *credits,
                charges: charges.iter().map(|uid| uid.as_str().into()).collect(),
                personal: personal::to_personal_text(reason),
            },
        }
    }
}

impl<'a> From<&'a RequestFact> for FactRecord<'a> {
    fn from(fact: &'a RequestFact) -> Self {
        match fact {
            RequestFact::Decided { request } => Self::Decided(Box::new(request.as_ref().into())),
            RequestFact::Reviewed {
                request,
                decision,
                reason,
            } => Self::Reviewed {
                request: request.as_str().into(),
                verdict: (*decision).into(),
                personal: personal::to_personal_text(reason),
            },
            RequestFact::CallRecorded { request, call } => Self::Called {
                request: request.as_str().into(),
                call: call.into(),
            },
            RequestFact::IntentSettled { request, outcome } => Self::Settled {
                request: request.as_str().into(),
                outcome: (*outcome).into(),
            },
        }
    }
}

impl<'a> From<&'a UnresolvedFact> for FactRecord<'a> {
    fn from(fact: &'a UnresolvedFact) -> Self {
        match fact {
            UnresolvedFact::Listed {
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
            UnresolvedFact::Resolved {
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
        }
    }
}

impl TryFrom<FactRecord<'_>> for Fact {
    type Error = RecordError;

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of fact")]
    fn try_from(record: FactRecord<'_>) -> Result<Self, RecordError> {
        Ok(match record {
            FactRecord::Opened { account } => Self::Account(AccountFact::Opened {
                account: account.to_account_id()?,
            }),
            FactRecord::Aliased { account, personal } => Self::Account(AccountFact::AliasAdded {
                account: account.to_account_id()?,
                alias: personal.alias.to_address()?,
            }),
            FactRecord::Unaliased { account, personal } => {
                Self::Account(AccountFact::AliasRemoved {
                    account: account.to_account_id()?,
                    alias: personal.alias.to_address()?,
                })
            }
            FactRecord::Described { account, personal } => {
                Self::Account(read_description(&account, personal.unwrap_or_default())?)
            }
            FactRecord::Frozen {
                account,
                frozen,
                stops_expiry,
                personal,
            } => Self::Account(read_freeze_change(
                &account,
                (frozen, stops_expiry),
                personal,
            )?),
            FactRecord::Pinned {
                account,
                set,
                personal,
            } => Self::Account(read_pin_change(&account, set, personal)?),
            FactRecord::Overdraft { account, limit } => {
                Self::Account(AccountFact::OverdraftChanged {
                    account: account.to_account_id()?,
                    limit: limit.map(check_credits).transpose()?,
                })
            }
            FactRecord::AccountClosed { account, personal } => Self::Account(AccountFact::Closed {
                account: account.to_account_id()?,
                reason: personal::from_personal_text(personal)?,
            }),
            FactRecord::AccountReopened { account } => Self::Account(AccountFact::Reopened {
                account: account.to_account_id()?,
            }),
            FactRecord::Merged {
                account,
                into,
                credits,
                charges,
                personal,
            } => Self::Account(AccountFact::Merged {
                account: account.to_account_id()?,
                into: into.to_account_id()?,
                // All lots of an account together may have more than one of them.
                credits,
                charges: charges
                    .iter()
                    .map(Text::to_booking_uid)
                    .collect::<Result<_, _>>()?,
                reason: personal::from_personal_text(personal)?,
            }),
            FactRecord::Grant(record) => Self::Credit(record.try_into()?),
            FactRecord::Transfer(record) => Self::Credit(record.try_into()?),
            FactRecord::Revoke(record) => Self::Credit(record.try_into()?),
            FactRecord::Expire(record) => Self::Credit(record.try_into()?),
            FactRecord::Hold(record) => Self::Charge(record.try_into()?),
            FactRecord::Post(record) => Self::Charge(record.try_into()?),
            FactRecord::Void(record) => Self::Charge(record.try_into()?),
            FactRecord::Refund(record) => Self::Charge(record.try_into()?),
            FactRecord::Move(record) => Self::Charge(record.try_into()?),
            FactRecord::Closed(record) => Self::Charge(record.try_into()?),
            FactRecord::Decided(request) => Self::Request(RequestFact::Decided {
                request: Arc::new((*request).try_into()?),
            }),
            FactRecord::Reviewed {
                request,
                verdict,
                personal,
            } => Self::Request(read_review(&request, verdict, personal)?),
            FactRecord::Called { request, call } => Self::Request(RequestFact::CallRecorded {
                request: request.to_request_id()?,
                call: call.try_into()?,
            }),
            FactRecord::Settled { request, outcome } => Self::Request(RequestFact::IntentSettled {
                request: request.to_request_id()?,
                outcome: outcome.into(),
            }),
            FactRecord::Unresolved {
                booking,
                code,
                account,
                until,
                personal,
            } => Self::Unresolved(read_listing(booking, &code, account, until, personal)?),
            FactRecord::Resolved {
                booking,
                code,
                by,
                personal,
            } => Self::Unresolved(read_resolution(&booking, &code, by, personal)?),
            FactRecord::Ledger(fact) => Self::Ledger(fact.try_into()?),
            FactRecord::By(actor) => Self::By(actor.try_into()?),
        })
    }
}

fn read_description(
    account: &Text<'_>,
    personal: DescriptionRecord<'_>,
) -> Result<AccountFact, RecordError> {
    Ok(AccountFact::Described {
        account: account.to_account_id()?,
        tier: optional_string(personal.tier)?,
        tags: personal
            .tags
            .into_iter()
            .map(Text::into_string)
            .collect::<Result<_, _>>()?,
        attributes: attributes_to(personal.attributes)?,
    })
}

fn read_freeze_change(
    account: &Text<'_>,
    (frozen, stops_expiry): (bool, bool),
    personal: Option<PersonalText<'_>>,
) -> Result<AccountFact, RecordError> {
    Ok(AccountFact::FreezeChanged {
        account: account.to_account_id()?,
        reason: match (frozen, personal) {
            (true, personal) => Some(personal::from_personal_text(personal)?),
            (false, None) => None,
            (false, Some(_)) => return Err(RecordError::FieldMismatch("personal")),
        },
        stops_expiry: match (frozen, stops_expiry) {
            (false, true) => return Err(RecordError::FieldMismatch("stops_expiry")),
            (_, stops_expiry) => stops_expiry,
        },
    })
}

fn read_pin_change(
    account: &Text<'_>,
    set: bool,
    personal: Option<PinHashRecord<'_>>,
) -> Result<AccountFact, RecordError> {
    Ok(AccountFact::PinChanged {
        account: account.to_account_id()?,
        hash: match (set, personal) {
            (true, Some(personal)) => Some(personal.hash.into_string()?),
            // If the hash was removed from the line, the empty hash takes its place. No PIN matches
            // it.
            (true, None) => Some(String::new()),
            (false, None) => None,
            (false, Some(_)) => return Err(RecordError::FieldMismatch("personal")),
        },
    })
}

fn read_review(
    request: &Text<'_>,
    verdict: VerdictRecord,
    personal: Option<PersonalText<'_>>,
) -> Result<RequestFact, RecordError> {
    Ok(RequestFact::Reviewed {
        request: request.to_request_id()?,
        decision: verdict.into(),
        reason: personal::from_personal_text(personal)?,
    })
}

fn read_listing(
    booking: BookingRecord<'_>,
    code: &Text<'_>,
    account: Option<Text<'_>>,
    until: Option<Timestamp>,
    personal: Option<PersonalText<'_>>,
) -> Result<UnresolvedFact, RecordError> {
    Ok(UnresolvedFact::Listed {
        booking: booking.try_into()?,
        code: code.to_unresolved_code()?,
        account: account.map(|text| text.to_account_id()).transpose()?,
        until: until.map(|stamp| stamp.0),
        detail: personal::from_personal_text(personal)?,
    })
}

fn read_resolution(
    booking: &Text<'_>,
    code: &Text<'_>,
    by: ResolverRecord,
    personal: Option<PersonalText<'_>>,
) -> Result<UnresolvedFact, RecordError> {
    Ok(UnresolvedFact::Resolved {
        booking: booking.to_booking_uid()?,
        code: code.to_unresolved_code()?,
        reason: personal::from_personal_text(personal)?,
        by: by.into(),
    })
}
