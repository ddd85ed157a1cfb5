//! The written form of entries, the facts that move credits.

use std::sync::Arc;

use super::account::{parts_from, parts_to};
use super::fact_record::{BackRecord, FactRecord, RestoredRecord};
use super::personal;
use super::text::{RecordError, check_credits};
use super::timestamp::Timestamp;
use crate::domain::fact::{Fact, RefundPart};
use crate::domain::id::{EventTypeId, HostId};

/// Converts an entry to its written form.
pub fn write(fact: &Fact) -> FactRecord<'_> {
    match fact {
        Fact::Grant {
            reference,
            account,
            credits,
            expires,
            reason,
        } => FactRecord::Grant {
            reference: reference.as_str().into(),
            account: account.as_str().into(),
            credits: *credits,
            expires: expires.map(Timestamp),
            personal: personal::to_personal_text(reason),
        },
        Fact::Revoke {
            reference,
            account,
            parts,
            reason,
        } => FactRecord::Revoke {
            reference: reference.as_str().into(),
            account: account.as_str().into(),
            parts: parts_from(parts),
            personal: personal::to_personal_text(reason),
        },
        Fact::Expire { account, part } => FactRecord::Expire {
            account: account.as_str().into(),
            part: part.into(),
        },
        Fact::Hold {
            booking,
            request,
            account,
            parts,
            event_type,
            host,
            start,
            end,
            terms,
        } => FactRecord::Hold {
            booking: booking.into(),
            request: request.as_str().into(),
            account: account.as_str().into(),
            parts: parts_from(parts),
            event_type: event_type.map(|id| id.0),
            host: host.map(|id| id.0),
            start: Timestamp(*start),
            end: Timestamp(*end),
            terms: terms.as_deref().map(|terms| Box::new(terms.into())),
        },
        Fact::Post { booking } => FactRecord::Post {
            booking: booking.as_str().into(),
        },
        Fact::Void {
            booking,
            reason,
            refund_parts: back,
        } => FactRecord::Void {
            booking: booking.as_str().into(),
            reason: reason.into(),
            back: back.iter().map(Into::into).collect(),
        },
        Fact::Refund {
            booking,
            parts,
            close,
            reason,
        } => FactRecord::Refund {
            booking: booking.as_str().into(),
            parts: parts.iter().map(Into::into).collect(),
            close: *close,
            reason: reason.into(),
        },
        Fact::Move {
            from,
            to,
            start,
            end,
            non_refundable: keeps,
        } => FactRecord::Move {
            from: from.as_str().into(),
            to: to.into(),
            start: Timestamp(*start),
            end: Timestamp(*end),
            keeps: *keeps,
        },
        Fact::ChargeClosed { booking, reason } => FactRecord::Closed {
            booking: booking.as_str().into(),
            reason: reason.into(),
        },
        Fact::AccountOpened { .. }
        | Fact::AliasAdded { .. }
        | Fact::AliasRemoved { .. }
        | Fact::AccountDescribed { .. }
        | Fact::FreezeChanged { .. }
        | Fact::PinChanged { .. }
        | Fact::RequestDecided { .. }
        | Fact::RequestReviewed { .. }
        | Fact::CallRecorded { .. }
        | Fact::IntentSettled { .. }
        | Fact::UnresolvedListed { .. }
        | Fact::UnresolvedResolved { .. }
        | Fact::Ledger(_) => unreachable!("called for entries only"),
    }
}

/// Converts an entry from its written form.
pub fn read(record: FactRecord<'_>) -> Result<Fact, RecordError> {
    Ok(match record {
        FactRecord::Grant {
            reference,
            account,
            credits: amount,
            expires,
            personal,
        } => Fact::Grant {
            reference: reference.to_reference()?,
            account: account.to_account_id()?,
            credits: check_credits(amount)?,
            expires: expires.map(|stamp| stamp.0),
            reason: personal::from_personal_text(personal)?,
        },
        FactRecord::Revoke {
            reference,
            account,
            parts,
            personal,
        } => Fact::Revoke {
            reference: reference.to_reference()?,
            account: account.to_account_id()?,
            parts: parts_to(parts)?,
            reason: personal::from_personal_text(personal)?,
        },
        FactRecord::Expire { account, part } => Fact::Expire {
            account: account.to_account_id()?,
            part: part.try_into()?,
        },
        FactRecord::Hold {
            booking,
            request,
            account,
            parts,
            event_type,
            host,
            start,
            end,
            terms,
        } => Fact::Hold {
            booking: booking.try_into()?,
            request: request.to_request_id()?,
            account: account.to_account_id()?,
            parts: parts_to(parts)?,
            event_type: event_type.map(EventTypeId),
            host: host.map(HostId),
            start: start.0,
            end: end.0,
            terms: match terms {
                Some(terms) => Some(Arc::new((*terms).try_into()?)),
                None => None,
            },
        },
        FactRecord::Post { booking } => Fact::Post {
            booking: booking.to_booking_uid()?,
        },
        FactRecord::Void {
            booking,
            reason,
            back,
        } => Fact::Void {
            booking: booking.to_booking_uid()?,
            reason: reason.try_into()?,
            refund_parts: back
                .into_iter()
                .map(RefundPart::try_from)
                .collect::<Result<_, _>>()?,
        },
        FactRecord::Refund {
            booking,
            parts,
            close,
            reason,
        } => Fact::Refund {
            booking: booking.to_booking_uid()?,
            parts: parts
                .into_iter()
                .map(RefundPart::try_from)
                .collect::<Result<_, _>>()?,
            close,
            reason: reason.try_into()?,
        },
        FactRecord::Move {
            from,
            to,
            start,
            end,
            keeps,
        } => Fact::Move {
            from: from.to_booking_uid()?,
            to: to.try_into()?,
            start: start.0,
            end: end.0,
            non_refundable: check_credits(keeps)?,
        },
        FactRecord::Closed { booking, reason } => Fact::ChargeClosed {
            booking: booking.to_booking_uid()?,
            reason: reason.try_into()?,
        },
        FactRecord::Opened { .. }
        | FactRecord::Aliased { .. }
        | FactRecord::Unaliased { .. }
        | FactRecord::Described { .. }
        | FactRecord::Frozen { .. }
        | FactRecord::Pinned { .. }
        | FactRecord::Decided(_)
        | FactRecord::Reviewed { .. }
        | FactRecord::Called { .. }
        | FactRecord::Settled { .. }
        | FactRecord::Unresolved { .. }
        | FactRecord::Resolved { .. }
        | FactRecord::Ledger(_) => unreachable!("called for entries only"),
    })
}

impl<'a> From<&'a RefundPart> for BackRecord<'a> {
    fn from(back: &'a RefundPart) -> Self {
        Self {
            grant: back.grant.as_str().into(),
            credits: back.credits,
            restored: back
                .replacement_lot
                .as_ref()
                .map(|(reference, expires)| RestoredRecord {
                    reference: reference.as_str().into(),
                    expires: Timestamp(*expires),
                }),
        }
    }
}

impl TryFrom<BackRecord<'_>> for RefundPart {
    type Error = RecordError;

    fn try_from(record: BackRecord<'_>) -> Result<Self, RecordError> {
        let restored = record
            .restored
            .map(|lot| Ok::<_, RecordError>((lot.reference.to_reference()?, lot.expires.0)));
        Ok(Self {
            grant: record.grant.to_reference()?,
            credits: check_credits(record.credits)?,
            replacement_lot: restored.transpose()?,
        })
    }
}
