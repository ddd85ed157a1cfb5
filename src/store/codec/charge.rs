//! The written form of charges.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{PartRecord, parts_from, parts_to};
use super::reason::EntryReasonRecord;
use super::refund_terms::TermsRecord;
use super::request::BookingRecord;
use super::text::{RecordError, Text, is_zero_credits};
use super::timestamp::Timestamp;
use crate::domain::decision::Credits;
use crate::domain::id::{EventTypeId, HostId};
use crate::domain::request::{Charge, ChargeState};

/// The written form of a charge, as the projection holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeRecord<'a> {
    #[serde(borrow)]
    booking: BookingRecord<'a>,
    request: Text<'a>,
    account: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_type: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<i64>,
    start: Timestamp,
    end: Timestamp,
    parts: Vec<PartRecord<'a>>,
    refunded: Credits,
    state: ChargeStateRecord<'a>,
    held_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_by: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_from: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<EntryReasonRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<TermsRecord>,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    keeps: Credits,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum ChargeStateRecord<'a> {
    Held,
    Void,
    Open,
    Final,
    Refunded,
    Moved {
        #[serde(borrow)]
        to: Text<'a>,
    },
}

impl<'a> From<&'a Charge> for ChargeRecord<'a> {
    fn from(charge: &'a Charge) -> Self {
        Self {
            booking: (&charge.booking).into(),
            request: charge.request.as_str().into(),
            account: charge.account.as_str().into(),
            event_type: charge.event_type.map(|id| id.0),
            host: charge.host.map(|id| id.0),
            start: Timestamp(charge.start),
            end: Timestamp(charge.end),
            parts: parts_from(&charge.parts),
            refunded: charge.refunded,
            state: match &charge.state {
                ChargeState::Held => ChargeStateRecord::Held,
                ChargeState::Void => ChargeStateRecord::Void,
                ChargeState::Open => ChargeStateRecord::Open,
                ChargeState::Final => ChargeStateRecord::Final,
                ChargeState::Refunded => ChargeStateRecord::Refunded,
                ChargeState::Moved { to } => ChargeStateRecord::Moved {
                    to: to.as_str().into(),
                },
            },
            held_at: Timestamp(charge.held_at),
            taken_by: charge.taken_over_by.as_ref().map(|id| id.as_str().into()),
            moved_from: charge.moved_from.as_ref().map(|uid| uid.as_str().into()),
            reason: charge.reason.as_ref().map(Into::into),
            terms: charge.terms.as_deref().map(Into::into),
            keeps: charge.non_refundable,
        }
    }
}

impl TryFrom<ChargeRecord<'_>> for Charge {
    type Error = RecordError;

    fn try_from(record: ChargeRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            booking: record.booking.try_into()?,
            request: record.request.to_request_id()?,
            account: record.account.to_account_id()?,
            event_type: record.event_type.map(EventTypeId),
            host: record.host.map(HostId),
            start: record.start.0,
            end: record.end.0,
            parts: parts_to(record.parts)?,
            refunded: record.refunded,
            state: match record.state {
                ChargeStateRecord::Held => ChargeState::Held,
                ChargeStateRecord::Void => ChargeState::Void,
                ChargeStateRecord::Open => ChargeState::Open,
                ChargeStateRecord::Final => ChargeState::Final,
                ChargeStateRecord::Refunded => ChargeState::Refunded,
                ChargeStateRecord::Moved { to } => ChargeState::Moved {
                    to: to.to_booking_uid()?,
                },
            },
            held_at: record.held_at.0,
            taken_over_by: record
                .taken_by
                .map(|text| text.to_request_id())
                .transpose()?,
            moved_from: record
                .moved_from
                .map(|text| text.to_booking_uid())
                .transpose()?,
            reason: record.reason.map(TryInto::try_into).transpose()?,
            terms: match record.terms {
                Some(terms) => Some(Arc::new(terms.try_into()?)),
                None => None,
            },
            non_refundable: record.keeps,
        })
    }
}
