//! The written form of the reasons of entries: a code, the values that its sentence names and,
//! separately, what may name a person.

use serde::{Deserialize, Serialize};

use super::text::{RecordError, Text, is_false};
use crate::domain::decision::Credits;
use crate::domain::entry_reason::{
    EntryCode, EntryReason, NotConfirmed, RecordedActor, RefundedShare,
};
use crate::domain::time::Span;

/// The reason of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryReasonRecord<'a> {
    code: CodeRecord,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    booking: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<NamedByRecord>,
    /// The notice before the start; negative after the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<FoundRecord>,
    #[serde(default, skip_serializing_if = "is_false")]
    moved_late: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<PartBackRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    personal: Option<ReasonPersonal<'a>>,
}

/// The values that may name a person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonPersonal<'a> {
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    by: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    words: Option<Text<'a>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartBackRecord {
    credits: Credits,
    of: Credits,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CodeRecord {
    Cancelled,
    MovedLate,
    Declined,
    EndedUndecided,
    SuccessorPaid,
    CostsLess,
    Over,
    Gone,
    HostAbsent,
    BookerAbsent,
    AbsenceForgiven,
    AbsenceUnpaid,
    NotConfirmed,
    SeriesGrew,
    SeriesTooLong,
    JoinedPriceUnknown,
    BegunOccurrenceJoined,
    StatusResolved,
    CallRefused,
    GivenBackByOperator,
    KeptByOperator,
    Words,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NamedByRecord {
    Host,
    HostUntrusted,
    Booker,
    Other,
    Unnamed,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FoundRecord {
    Pending,
    Rejected,
    Cancelled,
    Gone,
    OtherStatus,
    Begun,
    Over,
    Unread,
}

impl<'a> From<&'a EntryReason> for EntryReasonRecord<'a> {
    fn from(reason: &'a EntryReason) -> Self {
        let mut record = Self {
            code: CodeRecord::Over,
            booking: None,
            by: None,
            notice_ms: None,
            found: None,
            moved_late: reason.moved_late,
            part: reason.refunded_share.map(|part| PartBackRecord {
                credits: part.credits,
                of: part.total,
            }),
            personal: None,
        };
        record.code = record.fill_from_code(&reason.code);
        record
    }
}

impl<'a> EntryReasonRecord<'a> {
    /// Fills in the values that the code's sentence names, and returns the code's record.
    fn fill_from_code(&mut self, code: &'a EntryCode) -> CodeRecord {
        match code {
            EntryCode::Cancelled { by, notice } => {
                self.set_named_by(by, *notice);
                CodeRecord::Cancelled
            }
            EntryCode::MovedLate { to, by, notice } => {
                self.set_named_by(by, *notice);
                self.booking = Some(to.as_str().into());
                CodeRecord::MovedLate
            }
            EntryCode::Declined(booking) => {
                self.booking = Some(booking.as_str().into());
                CodeRecord::Declined
            }
            EntryCode::EndedUndecided(booking) => {
                self.booking = Some(booking.as_str().into());
                CodeRecord::EndedUndecided
            }
            EntryCode::SuccessorPaid(booking) => {
                self.booking = Some(booking.as_str().into());
                CodeRecord::SuccessorPaid
            }
            EntryCode::NotConfirmed(found) => {
                self.found = Some((*found).into());
                CodeRecord::NotConfirmed
            }
            EntryCode::FreeText(words) => {
                self.personal = Some(ReasonPersonal {
                    by: None,
                    words: Some(words.into()),
                });
                CodeRecord::Words
            }
            EntryCode::CostsLess => CodeRecord::CostsLess,
            EntryCode::BookingOver => CodeRecord::Over,
            EntryCode::BookingGone => CodeRecord::Gone,
            EntryCode::HostAbsent => CodeRecord::HostAbsent,
            EntryCode::BookerAbsent => CodeRecord::BookerAbsent,
            EntryCode::AbsenceForgiven => CodeRecord::AbsenceForgiven,
            EntryCode::AbsenceUnpaid => CodeRecord::AbsenceUnpaid,
            EntryCode::SeriesGrew => CodeRecord::SeriesGrew,
            EntryCode::SeriesTooLong => CodeRecord::SeriesTooLong,
            EntryCode::JoinedPriceUnknown => CodeRecord::JoinedPriceUnknown,
            EntryCode::BegunOccurrenceJoined => CodeRecord::BegunOccurrenceJoined,
            EntryCode::StatusResolved => CodeRecord::StatusResolved,
            EntryCode::CallRefused => CodeRecord::CallRefused,
            EntryCode::GivenBackByOperator => CodeRecord::GivenBackByOperator,
            EntryCode::KeptByOperator => CodeRecord::KeptByOperator,
        }
    }

    fn set_named_by(&mut self, by: &'a RecordedActor, notice: Span) {
        self.notice_ms = Some(notice.num_milliseconds());
        self.by = Some(match by {
            RecordedActor::Host => NamedByRecord::Host,
            RecordedActor::HostUntrusted => NamedByRecord::HostUntrusted,
            RecordedActor::Booker => NamedByRecord::Booker,
            RecordedActor::Other(_) => NamedByRecord::Other,
            RecordedActor::Unnamed => NamedByRecord::Unnamed,
        });
        if let RecordedActor::Other(Some(address)) = by {
            self.personal = Some(ReasonPersonal {
                by: Some(address.as_str().into()),
                words: None,
            });
        }
    }

    fn named_by(&self) -> Result<RecordedActor, RecordError> {
        Ok(match self.by.ok_or(RecordError::MissingField("by"))? {
            NamedByRecord::Host => RecordedActor::Host,
            NamedByRecord::HostUntrusted => RecordedActor::HostUntrusted,
            NamedByRecord::Booker => RecordedActor::Booker,
            NamedByRecord::Unnamed => RecordedActor::Unnamed,
            NamedByRecord::Other => {
                let address = self
                    .personal
                    .as_ref()
                    .and_then(|personal| personal.by.as_ref());
                RecordedActor::Other(address.map(Text::to_address).transpose()?)
            }
        })
    }

    fn notice(&self) -> Result<Span, RecordError> {
        let ms = self
            .notice_ms
            .ok_or(RecordError::MissingField("notice_ms"))?;
        Span::try_milliseconds(ms).ok_or(RecordError::Span(ms))
    }
}

impl TryFrom<EntryReasonRecord<'_>> for EntryReason {
    type Error = RecordError;

    fn try_from(record: EntryReasonRecord<'_>) -> Result<Self, RecordError> {
        let booking = || {
            let booking = record.booking.as_ref();
            booking
                .ok_or(RecordError::MissingField("booking"))?
                .to_booking_uid()
        };
        let code = match record.code {
            CodeRecord::Cancelled => EntryCode::Cancelled {
                by: record.named_by()?,
                notice: record.notice()?,
            },
            CodeRecord::MovedLate => EntryCode::MovedLate {
                to: booking()?,
                by: record.named_by()?,
                notice: record.notice()?,
            },
            CodeRecord::Declined => EntryCode::Declined(booking()?),
            CodeRecord::EndedUndecided => EntryCode::EndedUndecided(booking()?),
            CodeRecord::SuccessorPaid => EntryCode::SuccessorPaid(booking()?),
            CodeRecord::NotConfirmed => {
                let found = record.found.ok_or(RecordError::MissingField("found"))?;
                EntryCode::NotConfirmed(found.into())
            }
            CodeRecord::Words => {
                let words = record.personal.and_then(|personal| personal.words);
                EntryCode::FreeText(
                    words
                        .map(Text::into_string)
                        .transpose()?
                        .unwrap_or_default(),
                )
            }
            CodeRecord::CostsLess => EntryCode::CostsLess,
            CodeRecord::Over => EntryCode::BookingOver,
            CodeRecord::Gone => EntryCode::BookingGone,
            CodeRecord::HostAbsent => EntryCode::HostAbsent,
            CodeRecord::BookerAbsent => EntryCode::BookerAbsent,
            CodeRecord::AbsenceForgiven => EntryCode::AbsenceForgiven,
            CodeRecord::AbsenceUnpaid => EntryCode::AbsenceUnpaid,
            CodeRecord::SeriesGrew => EntryCode::SeriesGrew,
            CodeRecord::SeriesTooLong => EntryCode::SeriesTooLong,
            CodeRecord::JoinedPriceUnknown => EntryCode::JoinedPriceUnknown,
            CodeRecord::BegunOccurrenceJoined => EntryCode::BegunOccurrenceJoined,
            CodeRecord::StatusResolved => EntryCode::StatusResolved,
            CodeRecord::CallRefused => EntryCode::CallRefused,
            CodeRecord::GivenBackByOperator => EntryCode::GivenBackByOperator,
            CodeRecord::KeptByOperator => EntryCode::KeptByOperator,
        };
        Ok(Self {
            code,
            moved_late: record.moved_late,
            refunded_share: record.part.map(|part| RefundedShare {
                credits: part.credits,
                total: part.of,
            }),
        })
    }
}

impl From<NotConfirmed> for FoundRecord {
    fn from(status: NotConfirmed) -> Self {
        match status {
            NotConfirmed::Pending => Self::Pending,
            NotConfirmed::Rejected => Self::Rejected,
            NotConfirmed::Cancelled => Self::Cancelled,
            NotConfirmed::Gone => Self::Gone,
            NotConfirmed::OtherStatus => Self::OtherStatus,
            NotConfirmed::PendingAfterStart => Self::Begun,
            NotConfirmed::PendingAfterEnd => Self::Over,
            NotConfirmed::Unread => Self::Unread,
        }
    }
}

impl From<FoundRecord> for NotConfirmed {
    fn from(record: FoundRecord) -> Self {
        match record {
            FoundRecord::Pending => Self::Pending,
            FoundRecord::Rejected => Self::Rejected,
            FoundRecord::Cancelled => Self::Cancelled,
            FoundRecord::Gone => Self::Gone,
            FoundRecord::OtherStatus => Self::OtherStatus,
            FoundRecord::Begun => Self::PendingAfterStart,
            FoundRecord::Over => Self::PendingAfterEnd,
            FoundRecord::Unread => Self::Unread,
        }
    }
}
