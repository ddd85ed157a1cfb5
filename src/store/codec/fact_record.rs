//! The written form of facts as types.

use super::account::PartRecord;
use super::ledger::LedgerFactRecord;
use super::personal::PersonalText;
use super::reason::EntryReasonRecord;
use super::refund_terms::TermsRecord;
use super::request::{BookingRecord, CallRecord, OutcomeRecord, RequestRecord};
use super::review::VerdictRecord;
use super::text::{Text, is_zero_credits};
use super::timestamp::Timestamp;
use super::unresolved::ResolverRecord;
use crate::domain::decision::Credits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Credits that go back to a lot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackRecord<'a> {
    #[serde(borrow)]
    pub(super) grant: Text<'a>,
    pub(super) credits: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restored: Option<RestoredRecord<'a>>,
}

/// The new lot that the credits go to instead.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoredRecord<'a> {
    #[serde(borrow)]
    pub(super) reference: Text<'a>,
    pub(super) expires: Timestamp,
}

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
        personal: AliasRecord<'a>,
    },
    Unaliased {
        account: Text<'a>,
        personal: AliasRecord<'a>,
    },
    Described {
        account: Text<'a>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<DescriptionRecord<'a>>,
    },
    Frozen {
        account: Text<'a>,
        frozen: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    Pinned {
        account: Text<'a>,
        set: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PinHashRecord<'a>>,
    },
    Grant {
        reference: Text<'a>,
        account: Text<'a>,
        credits: Credits,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    Revoke {
        reference: Text<'a>,
        account: Text<'a>,
        parts: Vec<PartRecord<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
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
        start: Timestamp,
        end: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Box<TermsRecord>>,
    },
    Post {
        booking: Text<'a>,
    },
    Void {
        booking: Text<'a>,
        reason: EntryReasonRecord<'a>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        back: Vec<BackRecord<'a>>,
    },
    Refund {
        booking: Text<'a>,
        parts: Vec<BackRecord<'a>>,
        close: bool,
        reason: EntryReasonRecord<'a>,
    },
    Move {
        from: Text<'a>,
        to: BookingRecord<'a>,
        start: Timestamp,
        end: Timestamp,
        #[serde(default, skip_serializing_if = "is_zero_credits")]
        keeps: Credits,
    },
    Closed {
        booking: Text<'a>,
        reason: EntryReasonRecord<'a>,
    },
    Decided(Box<RequestRecord<'a>>),
    Reviewed {
        request: Text<'a>,
        verdict: VerdictRecord,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
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
        until: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    Resolved {
        booking: Text<'a>,
        code: Text<'a>,
        by: ResolverRecord,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        personal: Option<PersonalText<'a>>,
    },
    Ledger(LedgerFactRecord<'a>),
}

/// Another address of a member.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasRecord<'a> {
    #[serde(borrow)]
    pub(super) alias: Text<'a>,
}

/// The member's data that rules may read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescriptionRecord<'a> {
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub(super) tier: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: BTreeMap<Text<'a>, Text<'a>>,
}

/// The hash of a member's PIN.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinHashRecord<'a> {
    #[serde(borrow)]
    pub(super) hash: Text<'a>,
}
