//! Facts as they are written: `{"kind": {…}}`, one object a fact.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{PartRecord, attributes_from, attributes_to};
use super::entry::{self, BackRecord};
use super::ledger::LedgerFactRecord;
use super::request::{BookingRecord, CallRecord, OutcomeRecord, RequestRecord};
use super::review::VerdictRecord;
use super::stamp::Stamp;
use super::terms::TermsRecord;
use super::text::{RecordError, Text, is_false, is_none_of_them, optional};
use super::unresolved::ResolverRecord;
use crate::domain::decision::Credits;
use crate::domain::fact::Fact;

/// One fact.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FactRecord<'a> {
    Opened {
        #[serde(borrow)]
        account: Text<'a>,
    },
    Aliased {
        account: Text<'a>,
        alias: Text<'a>,
    },
    Unaliased {
        account: Text<'a>,
        alias: Text<'a>,
    },
    Described {
        account: Text<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tier: Option<Text<'a>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<Text<'a>>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<Text<'a>, Text<'a>>,
    },
    Frozen {
        account: Text<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Text<'a>>,
    },
    Pinned {
        account: Text<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<Text<'a>>,
    },
    Grant {
        reference: Text<'a>,
        account: Text<'a>,
        credits: Credits,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Stamp>,
        reason: Text<'a>,
    },
    Revoke {
        reference: Text<'a>,
        account: Text<'a>,
        parts: Vec<PartRecord<'a>>,
        reason: Text<'a>,
    },
    Expire {
        account: Text<'a>,
        part: PartRecord<'a>,
    },
    Hold {
        booking: BookingRecord<'a>,
        request: Text<'a>,
        account: Text<'a>,
        parts: Vec<PartRecord<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_type: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<i64>,
        start: Stamp,
        end: Stamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Box<TermsRecord>>,
    },
    Post {
        booking: Text<'a>,
    },
    Void {
        booking: Text<'a>,
        reason: Text<'a>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        back: Vec<BackRecord<'a>>,
    },
    Refund {
        booking: Text<'a>,
        parts: Vec<BackRecord<'a>>,
        close: bool,
        reason: Text<'a>,
        #[serde(default, skip_serializing_if = "is_false")]
        forgives: bool,
    },
    Move {
        from: Text<'a>,
        to: BookingRecord<'a>,
        start: Stamp,
        end: Stamp,
        reason: Text<'a>,
        #[serde(default, skip_serializing_if = "is_none_of_them")]
        keeps: Credits,
    },
    Closed {
        booking: Text<'a>,
        reason: Text<'a>,
    },
    Decided(Box<RequestRecord<'a>>),
    Reviewed {
        request: Text<'a>,
        verdict: VerdictRecord,
        reason: Text<'a>,
    },
    Called {
        request: Text<'a>,
        call: CallRecord<'a>,
    },
    Settled {
        request: Text<'a>,
        outcome: OutcomeRecord,
    },
    Unresolved {
        booking: BookingRecord<'a>,
        code: Text<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Text<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Stamp>,
        detail: Text<'a>,
    },
    Resolved {
        booking: Text<'a>,
        code: Text<'a>,
        reason: Text<'a>,
        by: ResolverRecord,
    },
    Ledger(LedgerFactRecord<'a>),
}

/// The facts of one commit, as the list that stands in its line.
pub fn write(facts: &[Fact]) -> Result<Vec<u8>, RecordError> {
    let records: Vec<FactRecord<'_>> = facts.iter().map(FactRecord::from).collect();
    Ok(serde_json::to_vec(&records)?)
}

/// Reads the list that stands in a line.
pub fn read(bytes: &[u8]) -> Result<Vec<Fact>, RecordError> {
    let records: Vec<FactRecord<'_>> = serde_json::from_slice(bytes)?;
    records.into_iter().map(Fact::try_from).collect()
}

impl<'a> From<&'a Fact> for FactRecord<'a> {
    fn from(fact: &'a Fact) -> Self {
        match fact {
            Fact::Opened { account } => Self::Opened {
                account: account.as_str().into(),
            },
            Fact::Aliased { account, alias } => Self::Aliased {
                account: account.as_str().into(),
                alias: alias.as_str().into(),
            },
            Fact::Unaliased { account, alias } => Self::Unaliased {
                account: account.as_str().into(),
                alias: alias.as_str().into(),
            },
            Fact::Described {
                account,
                tier,
                tags,
                attributes,
            } => Self::Described {
                account: account.as_str().into(),
                tier: tier.as_ref().map(Into::into),
                tags: tags.iter().map(Into::into).collect(),
                attributes: attributes_from(attributes),
            },
            Fact::Frozen { account, why } => Self::Frozen {
                account: account.as_str().into(),
                why: why.as_ref().map(Into::into),
            },
            Fact::Pinned { account, hash } => Self::Pinned {
                account: account.as_str().into(),
                hash: hash.as_ref().map(Into::into),
            },
            Fact::Grant { .. }
            | Fact::Revoke { .. }
            | Fact::Expire { .. }
            | Fact::Hold { .. }
            | Fact::Post { .. }
            | Fact::Void { .. }
            | Fact::Refund { .. }
            | Fact::Move { .. }
            | Fact::Closed { .. } => entry::write(fact),
            Fact::Decided { request } => Self::Decided(Box::new(request.as_ref().into())),
            Fact::Reviewed {
                request,
                verdict,
                reason,
            } => Self::Reviewed {
                request: request.as_str().into(),
                verdict: (*verdict).into(),
                reason: reason.into(),
            },
            Fact::Called { request, call } => Self::Called {
                request: request.as_str().into(),
                call: call.into(),
            },
            Fact::Settled { request, outcome } => Self::Settled {
                request: request.as_str().into(),
                outcome: (*outcome).into(),
            },
            Fact::Unresolved {
                booking,
                code,
                account,
                until,
                detail,
            } => Self::Unresolved {
                booking: booking.into(),
                code: code.as_str().into(),
                account: account.as_ref().map(|id| id.as_str().into()),
                until: until.map(Stamp),
                detail: detail.into(),
            },
            Fact::Resolved {
                booking,
                code,
                reason,
                by,
            } => Self::Resolved {
                booking: booking.as_str().into(),
                code: code.as_str().into(),
                reason: reason.into(),
                by: (*by).into(),
            },
            Fact::Ledger(fact) => Self::Ledger(fact.into()),
        }
    }
}

impl TryFrom<FactRecord<'_>> for Fact {
    type Error = RecordError;

    fn try_from(record: FactRecord<'_>) -> Result<Self, RecordError> {
        Ok(match record {
            FactRecord::Opened { account } => Self::Opened {
                account: account.account()?,
            },
            FactRecord::Aliased { account, alias } => Self::Aliased {
                account: account.account()?,
                alias: alias.address()?,
            },
            FactRecord::Unaliased { account, alias } => Self::Unaliased {
                account: account.account()?,
                alias: alias.address()?,
            },
            FactRecord::Described {
                account,
                tier,
                tags,
                attributes,
            } => Self::Described {
                account: account.account()?,
                tier: optional(tier)?,
                tags: tags
                    .into_iter()
                    .map(Text::string)
                    .collect::<Result<_, _>>()?,
                attributes: attributes_to(attributes)?,
            },
            FactRecord::Frozen { account, why } => Self::Frozen {
                account: account.account()?,
                why: optional(why)?,
            },
            FactRecord::Pinned { account, hash } => Self::Pinned {
                account: account.account()?,
                hash: optional(hash)?,
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
            FactRecord::Decided(request) => Self::Decided {
                request: Arc::new((*request).try_into()?),
            },
            FactRecord::Reviewed {
                request,
                verdict,
                reason,
            } => Self::Reviewed {
                request: request.request()?,
                verdict: verdict.into(),
                reason: reason.string()?,
            },
            FactRecord::Called { request, call } => Self::Called {
                request: request.request()?,
                call: call.try_into()?,
            },
            FactRecord::Settled { request, outcome } => Self::Settled {
                request: request.request()?,
                outcome: outcome.into(),
            },
            FactRecord::Unresolved {
                booking,
                code,
                account,
                until,
                detail,
            } => Self::Unresolved {
                booking: booking.try_into()?,
                code: code.unresolved_code()?,
                account: account.map(|text| text.account()).transpose()?,
                until: until.map(|stamp| stamp.0),
                detail: detail.string()?,
            },
            FactRecord::Resolved {
                booking,
                code,
                reason,
                by,
            } => Self::Resolved {
                booking: booking.uid()?,
                code: code.unresolved_code()?,
                reason: reason.string()?,
                by: by.into(),
            },
            FactRecord::Ledger(fact) => Self::Ledger(fact.try_into()?),
        })
    }
}
