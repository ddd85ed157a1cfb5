//! The written form of entries, the facts about credits.

use std::sync::Arc;

use super::account::{parts_from, parts_to};
use super::fact_record::{
    BackRecord, ClosedFactRecord, ExpireFactRecord, FactRecord, GrantFactRecord, HoldFactRecord,
    MoveFactRecord, PostFactRecord, RefundFactRecord, RestoredRecord, RevokeFactRecord,
    TransferFactRecord, VoidFactRecord,
};
use super::lot::{from_lot_terms_record, to_lot_terms_record};
use super::personal;
use super::text::{RecordError, check_credits};
use super::timestamp::Timestamp;
use crate::domain::fact::{ChargeFact, CreditFact, RefundPart};
use crate::domain::id::{EventTypeId, HostId};

impl<'a> From<&'a CreditFact> for FactRecord<'a> {
    fn from(fact: &'a CreditFact) -> Self {
        match fact {
            CreditFact::Grant {
                reference,
                account,
                credits,
                expires,
                terms,
                reason,
            } => Self::Grant(GrantFactRecord {
                reference: reference.as_str().into(),
                account: account.as_str().into(),
                credits: *credits,
                expires: expires.map(Timestamp),
                terms: to_lot_terms_record(terms).map(Box::new),
                personal: personal::to_personal_text(reason),
            }),
            CreditFact::Revoke {
                reference,
                account,
                parts,
                reason,
            } => Self::Revoke(RevokeFactRecord {
                reference: reference.as_str().into(),
                account: account.as_str().into(),
                parts: parts_from(parts),
                personal: personal::to_personal_text(reason),
            }),
            CreditFact::Transfer {
                reference,
                account,
                to,
                parts,
                reason,
            } => Self::Transfer(TransferFactRecord {
                reference: reference.as_str().into(),
                account: account.as_str().into(),
                to: to.as_str().into(),
                parts: parts_from(parts),
                personal: personal::to_personal_text(reason),
            }),
            CreditFact::Expire { account, part } => Self::Expire(ExpireFactRecord {
                account: account.as_str().into(),
                part: part.into(),
            }),
        }
    }
}

impl<'a> From<&'a ChargeFact> for FactRecord<'a> {
    fn from(fact: &'a ChargeFact) -> Self {
        match fact {
            ChargeFact::Hold {
                booking,
                request,
                account,
                parts,
                lent,
                event_type,
                host,
                start,
                end,
                terms,
            } => Self::Hold(HoldFactRecord {
                booking: booking.into(),
                request: request.as_str().into(),
                account: account.as_str().into(),
                parts: parts_from(parts),
                lent: *lent,
                event_type: event_type.map(|id| id.0),
                host: host.map(|id| id.0),
                start: Timestamp(*start),
                end: Timestamp(*end),
                terms: terms.as_deref().map(|terms| Box::new(terms.into())),
            }),
            ChargeFact::Post { booking } => Self::Post(PostFactRecord {
                booking: booking.as_str().into(),
            }),
            ChargeFact::Void {
                booking,
                reason,
                refund_parts: back,
            } => Self::Void(VoidFactRecord {
                booking: booking.as_str().into(),
                reason: reason.into(),
                back: back.iter().map(Into::into).collect(),
            }),
            ChargeFact::Refund {
                booking,
                parts,
                close,
                reason,
            } => Self::Refund(RefundFactRecord {
                booking: booking.as_str().into(),
                parts: parts.iter().map(Into::into).collect(),
                close: *close,
                reason: reason.into(),
            }),
            ChargeFact::Move {
                from,
                to,
                start,
                end,
                non_refundable: keeps,
            } => Self::Move(MoveFactRecord {
                from: from.as_str().into(),
                to: to.into(),
                start: Timestamp(*start),
                end: Timestamp(*end),
                keeps: *keeps,
            }),
            ChargeFact::Closed { booking, reason } => Self::Closed(ClosedFactRecord {
                booking: booking.as_str().into(),
                reason: reason.into(),
            }),
        }
    }
}

impl TryFrom<GrantFactRecord<'_>> for CreditFact {
    type Error = RecordError;

    fn try_from(record: GrantFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Grant {
            reference: record.reference.to_reference()?,
            account: record.account.to_account_id()?,
            credits: check_credits(record.credits)?,
            expires: record.expires.map(|stamp| stamp.0),
            terms: from_lot_terms_record(record.terms.map(|terms| *terms))?,
            reason: personal::from_personal_text(record.personal)?,
        })
    }
}

impl TryFrom<RevokeFactRecord<'_>> for CreditFact {
    type Error = RecordError;

    fn try_from(record: RevokeFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Revoke {
            reference: record.reference.to_reference()?,
            account: record.account.to_account_id()?,
            parts: parts_to(record.parts)?,
            reason: personal::from_personal_text(record.personal)?,
        })
    }
}

impl TryFrom<TransferFactRecord<'_>> for CreditFact {
    type Error = RecordError;

    fn try_from(record: TransferFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Transfer {
            reference: record.reference.to_reference()?,
            account: record.account.to_account_id()?,
            to: record.to.to_account_id()?,
            parts: parts_to(record.parts)?,
            reason: personal::from_personal_text(record.personal)?,
        })
    }
}

impl TryFrom<ExpireFactRecord<'_>> for CreditFact {
    type Error = RecordError;

    fn try_from(record: ExpireFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Expire {
            account: record.account.to_account_id()?,
            part: record.part.try_into()?,
        })
    }
}

impl TryFrom<HoldFactRecord<'_>> for ChargeFact {
    type Error = RecordError;

    fn try_from(record: HoldFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Hold {
            booking: record.booking.try_into()?,
            request: record.request.to_request_id()?,
            account: record.account.to_account_id()?,
            parts: parts_to(record.parts)?,
            lent: check_credits(record.lent)?,
            event_type: record.event_type.map(EventTypeId),
            host: record.host.map(HostId),
            start: record.start.0,
            end: record.end.0,
            terms: match record.terms {
                Some(terms) => Some(Arc::new((*terms).try_into()?)),
                None => None,
            },
        })
    }
}

impl TryFrom<PostFactRecord<'_>> for ChargeFact {
    type Error = RecordError;

    fn try_from(record: PostFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Post {
            booking: record.booking.to_booking_uid()?,
        })
    }
}

impl TryFrom<VoidFactRecord<'_>> for ChargeFact {
    type Error = RecordError;

    fn try_from(record: VoidFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Void {
            booking: record.booking.to_booking_uid()?,
            reason: record.reason.try_into()?,
            refund_parts: record
                .back
                .into_iter()
                .map(RefundPart::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<RefundFactRecord<'_>> for ChargeFact {
    type Error = RecordError;

    fn try_from(record: RefundFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Refund {
            booking: record.booking.to_booking_uid()?,
            parts: record
                .parts
                .into_iter()
                .map(RefundPart::try_from)
                .collect::<Result<_, _>>()?,
            close: record.close,
            reason: record.reason.try_into()?,
        })
    }
}

impl TryFrom<MoveFactRecord<'_>> for ChargeFact {
    type Error = RecordError;

    fn try_from(record: MoveFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Move {
            from: record.from.to_booking_uid()?,
            to: record.to.try_into()?,
            start: record.start.0,
            end: record.end.0,
            non_refundable: check_credits(record.keeps)?,
        })
    }
}

impl TryFrom<ClosedFactRecord<'_>> for ChargeFact {
    type Error = RecordError;

    fn try_from(record: ClosedFactRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self::Closed {
            booking: record.booking.to_booking_uid()?,
            reason: record.reason.try_into()?,
        })
    }
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
