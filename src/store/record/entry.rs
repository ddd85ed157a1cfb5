//! Entries, the facts that move credits, as they are written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{parts_from, parts_to};
use super::fact::FactRecord;
use super::stamp::Stamp;
use super::text::{RecordError, Text, credits};
use crate::domain::decision::Credits;
use crate::domain::fact::{Back, Fact};
use crate::domain::id::{EventTypeId, HostId};

/// How older versions told a refund that forgives an absence: by its reason.
const FORGAVE: &str = "the booker did not come; forgiven";

/// Credits going back to a lot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackRecord<'a> {
    #[serde(borrow)]
    grant: Text<'a>,
    credits: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored: Option<RestoredRecord<'a>>,
}

/// The lot of its own that they go to instead.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoredRecord<'a> {
    #[serde(borrow)]
    reference: Text<'a>,
    expires: Stamp,
}

/// An entry as it is written.
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
            expires: expires.map(Stamp),
            reason: reason.into(),
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
            reason: reason.into(),
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
            start: Stamp(*start),
            end: Stamp(*end),
            terms: terms.as_deref().map(|terms| Box::new(terms.into())),
        },
        Fact::Post { booking } => FactRecord::Post {
            booking: booking.as_str().into(),
        },
        Fact::Void {
            booking,
            reason,
            back,
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
            forgives,
        } => FactRecord::Refund {
            booking: booking.as_str().into(),
            parts: parts.iter().map(Into::into).collect(),
            close: *close,
            reason: reason.into(),
            forgives: *forgives,
        },
        Fact::Move {
            from,
            to,
            start,
            end,
            reason,
            keeps,
        } => FactRecord::Move {
            from: from.as_str().into(),
            to: to.into(),
            start: Stamp(*start),
            end: Stamp(*end),
            reason: reason.into(),
            keeps: *keeps,
        },
        Fact::Closed { booking, reason } => FactRecord::Closed {
            booking: booking.as_str().into(),
            reason: reason.into(),
        },
        Fact::Opened { .. }
        | Fact::Aliased { .. }
        | Fact::Unaliased { .. }
        | Fact::Described { .. }
        | Fact::Frozen { .. }
        | Fact::Pinned { .. }
        | Fact::Decided { .. }
        | Fact::Reviewed { .. }
        | Fact::Called { .. }
        | Fact::Settled { .. }
        | Fact::Unresolved { .. }
        | Fact::Resolved { .. }
        | Fact::Ledger(_) => unreachable!("called for entries only"),
    }
}

/// An entry as it is read.
pub fn read(record: FactRecord<'_>) -> Result<Fact, RecordError> {
    Ok(match record {
        FactRecord::Grant {
            reference,
            account,
            credits: amount,
            expires,
            reason,
        } => Fact::Grant {
            reference: reference.reference()?,
            account: account.account()?,
            credits: credits(amount)?,
            expires: expires.map(|stamp| stamp.0),
            reason: reason.string()?,
        },
        FactRecord::Revoke {
            reference,
            account,
            parts,
            reason,
        } => Fact::Revoke {
            reference: reference.reference()?,
            account: account.account()?,
            parts: parts_to(parts)?,
            reason: reason.string()?,
        },
        FactRecord::Expire { account, part } => Fact::Expire {
            account: account.account()?,
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
            request: request.request()?,
            account: account.account()?,
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
            booking: booking.uid()?,
        },
        FactRecord::Void {
            booking,
            reason,
            back,
        } => Fact::Void {
            booking: booking.uid()?,
            reason: reason.string()?,
            back: back
                .into_iter()
                .map(Back::try_from)
                .collect::<Result<_, _>>()?,
        },
        FactRecord::Refund {
            booking,
            parts,
            close,
            reason,
            forgives,
        } => Fact::Refund {
            booking: booking.uid()?,
            parts: parts
                .into_iter()
                .map(Back::try_from)
                .collect::<Result<_, _>>()?,
            close,
            forgives: forgives || reason.0 == FORGAVE,
            reason: reason.string()?,
        },
        FactRecord::Move {
            from,
            to,
            start,
            end,
            reason,
            keeps,
        } => Fact::Move {
            from: from.uid()?,
            to: to.try_into()?,
            start: start.0,
            end: end.0,
            reason: reason.string()?,
            keeps: credits(keeps)?,
        },
        FactRecord::Closed { booking, reason } => Fact::Closed {
            booking: booking.uid()?,
            reason: reason.string()?,
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

impl<'a> From<&'a Back> for BackRecord<'a> {
    fn from(back: &'a Back) -> Self {
        Self {
            grant: back.grant.as_str().into(),
            credits: back.credits,
            restored: back
                .restored
                .as_ref()
                .map(|(reference, expires)| RestoredRecord {
                    reference: reference.as_str().into(),
                    expires: Stamp(*expires),
                }),
        }
    }
}

impl TryFrom<BackRecord<'_>> for Back {
    type Error = RecordError;

    fn try_from(record: BackRecord<'_>) -> Result<Self, RecordError> {
        let restored = record
            .restored
            .map(|lot| Ok::<_, RecordError>((lot.reference.reference()?, lot.expires.0)));
        Ok(Self {
            grant: record.grant.reference()?,
            credits: credits(record.credits)?,
            restored: restored.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact;
    use crate::domain::fact::Fact;

    /// Entries as logs of older versions hold them.
    #[test]
    fn entries_of_older_logs_are_read() {
        let text = br#"[
            {"hold":{"booking":{"uid":"a"},"request":"a","account":"bo","parts":[],
                "start":"2026-12-01T09:00:00Z","end":"2026-12-01T10:00:00Z"}},
            {"void":{"booking":"a","reason":"gone"}},
            {"move":{"from":"a","to":{"uid":"b"},"start":"2026-12-01T09:00:00Z",
                "end":"2026-12-01T10:00:00Z","reason":"rescheduled"}},
            {"refund":{"booking":"a","parts":[],"close":true,"reason":"cancelled"}},
            {"refund":{"booking":"a","parts":[],"close":true,
                "reason":"the booker did not come; forgiven"}}
        ]"#;
        let facts = fact::read(text).expect("it is read");
        assert!(matches!(&facts[0], Fact::Hold { terms: None, .. }));
        assert!(matches!(&facts[1], Fact::Void { back, .. } if back.is_empty()));
        assert!(matches!(&facts[2], Fact::Move { keeps: 0, .. }));
        let forgives = |fact: &Fact| matches!(fact, Fact::Refund { forgives: true, .. });
        assert_eq!([forgives(&facts[3]), forgives(&facts[4])], [false, true]);
    }
}
