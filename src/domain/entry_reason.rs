//! Why an entry was made: a code and the values that its sentence mentions. The sentence is
//! composed when it is shown, so no decision can depend on its wording, and a better sentence also
//! improves old ledgers.

use super::decision::Credits;
use super::id::{Address, BookingUid};
use super::messages;
use super::refund_policy::{ClaimedActor, RefundTerms};
use super::time::Span;

/// The reason of a void, a refund or the end of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryReason {
    /// What happened.
    pub code: EntryCode,
    /// Some credits do not come back, because the booking was moved so late that a cancellation
    /// would have cost them.
    pub moved_late: bool,
    /// How many credits come back, and of how many, when that is not all of them.
    pub refunded_share: Option<RefundedShare>,
}

/// A part of the credits that were paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundedShare {
    /// The credits that come back.
    pub credits: Credits,
    /// The credits that were paid.
    pub total: Credits,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryCode {
    /// The booking was cancelled with this notice.
    Cancelled {
        /// In whose name the booking was cancelled.
        by: RecordedActor,
        /// The time from the cancellation to the start of the booking.
        notice: Span,
    },
    /// The booking was moved with so little notice that this counts as a cancellation.
    MovedLate {
        /// The successor.
        to: BookingUid,
        /// In whose name the booking was moved.
        by: RecordedActor,
        /// The time from the move to the start of the booking.
        notice: Span,
    },
    /// The booking, or its successor, was declined.
    Declined(BookingUid),
    /// The booking, or its successor, ended without an answer.
    EndedUndecided(BookingUid),
    /// The booking's successor was paid for separately.
    SuccessorPaid(BookingUid),
    /// The booking was moved to one that costs less.
    CostsLess,
    /// The booking took place.
    BookingOver,
    /// The booking is not at Cal.com any more.
    BookingGone,
    /// The host did not come.
    HostAbsent,
    /// The booker did not come.
    BookerAbsent,
    /// The booker did not come, and the terms forgive that.
    AbsenceForgiven,
    /// The booker did not come, and nothing was paid.
    AbsenceUnpaid,
    /// The booking was found in this state instead of being confirmed.
    NotConfirmed(NotConfirmed),
    /// A series got more occurrences than the booker's credit covers.
    SeriesGrew,
    /// A series got more occurrences than one request may have.
    SeriesTooLong,
    /// What an occurrence costs that joined a series is not known.
    JoinedPriceUnknown,
    /// An occurrence that had already begun joined a series.
    BegunOccurrenceJoined,
    /// An operator resolved the unknown status of the booking.
    StatusResolved,
    /// Cal.com refuses the call.
    CallRefused,
    /// An operator gave the credits back.
    GivenBackByOperator,
    /// An operator decided that the credits stay spent.
    KeptByOperator,
    /// The sentence from a log of format 1, or from a test.
    FreeText(String),
}

/// The state of a booking when its hold was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotConfirmed {
    /// The booking was still pending.
    Pending,
    /// The booking was declined.
    Rejected,
    /// The booking was cancelled.
    Cancelled,
    /// The booking was not at Cal.com any more.
    Gone,
    /// The booking had a status that maitred does not know.
    OtherStatus,
    /// The booking began before it was confirmed.
    PendingAfterStart,
    /// The booking was over before it was answered.
    PendingAfterEnd,
    /// The booking could not be read.
    Unread,
}

/// The person in whose name a booking was cancelled or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedActor {
    /// The host's name, which counts as the host's.
    Host,
    /// The host's name, which counts as the booker's under the terms of the charge.
    HostUntrusted,
    /// The booker's name, or that of a guest.
    Booker,
    /// A third party. The address is personal data.
    Other(Option<Address>),
    /// No name was given, as with calls through the API.
    Unnamed,
}

impl RecordedActor {
    /// Returns what the ledger records for this actor under the terms of the charge.
    pub fn from_claimed(actor: &ClaimedActor, terms: &RefundTerms) -> Self {
        match actor {
            ClaimedActor::Host if terms.trust_named_cancels => Self::Host,
            ClaimedActor::Host => Self::HostUntrusted,
            ClaimedActor::Booker => Self::Booker,
            ClaimedActor::Other(address) => Self::Other(Some(address.clone())),
            ClaimedActor::Unnamed => Self::Unnamed,
        }
    }

    /// Describes the actor, to follow "cancelled". Reports and logs must not contain addresses.
    fn describe(&self, with_address: bool) -> String {
        match self {
            Self::Host => "by the host".to_owned(),
            Self::HostUntrusted => "in the host's name, which counts as the booker's".to_owned(),
            Self::Booker => "by the booker".to_owned(),
            Self::Other(Some(address)) if with_address => format!("by {address}"),
            Self::Other(_) => "by a third party".to_owned(),
            Self::Unnamed => "without a name".to_owned(),
        }
    }
}

impl NotConfirmed {
    /// Describes the state, to follow "the booking".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Pending => "is still pending",
            Self::Rejected => "was declined",
            Self::Cancelled => "was cancelled",
            Self::Gone => "is gone",
            Self::OtherStatus => "has a status that maitred does not know",
            Self::PendingAfterStart => "began before it was confirmed",
            Self::PendingAfterEnd => "was over before it was answered",
            Self::Unread => "could not be read",
        }
    }
}

impl From<EntryCode> for EntryReason {
    fn from(code: EntryCode) -> Self {
        Self {
            code,
            moved_late: false,
            refunded_share: None,
        }
    }
}

impl From<&str> for EntryReason {
    fn from(words: &str) -> Self {
        EntryCode::FreeText(words.to_owned()).into()
    }
}

impl EntryReason {
    /// Returns true if this refund used up one of the absences that the terms forgive.
    pub fn forgives_absence(&self) -> bool {
        self.code == EntryCode::AbsenceForgiven
    }

    /// Returns the sentence for explanations and statements, with the address of a third party.
    pub fn full_text(&self) -> String {
        self.sentence(true)
    }

    /// Returns the sentence for reports and logs, which must not contain addresses.
    pub fn redacted_text(&self) -> String {
        self.sentence(false)
    }

    fn sentence(&self, with_address: bool) -> String {
        let mut text = match &self.code {
            EntryCode::Cancelled { by, notice } => {
                format!(
                    "cancelled {}, {}",
                    by.describe(with_address),
                    describe_notice(*notice)
                )
            }
            EntryCode::MovedLate { to, by, notice } => format!(
                "moved to {to} {}, {}, which counts as cancelling it",
                by.describe(with_address),
                describe_notice(*notice)
            ),
            EntryCode::Declined(booking) => format!("booking {booking} was declined"),
            EntryCode::EndedUndecided(booking) => format!("booking {booking} ended undecided"),
            EntryCode::SuccessorPaid(booking) => {
                format!("booking {booking}, which it was moved to, was paid for itself")
            }
            EntryCode::CostsLess => "rescheduled to a booking that costs less".to_owned(),
            EntryCode::BookingOver => "the booking is over".to_owned(),
            EntryCode::BookingGone => "the booking no longer exists at Cal.com".to_owned(),
            EntryCode::HostAbsent => "the host did not come".to_owned(),
            EntryCode::BookerAbsent => "the booker did not come".to_owned(),
            EntryCode::AbsenceForgiven => "the booker did not come; forgiven".to_owned(),
            EntryCode::AbsenceUnpaid => "the booker did not come; nothing was paid".to_owned(),
            EntryCode::NotConfirmed(booking_state) => {
                format!("the booking {}", booking_state.describe())
            }
            EntryCode::SeriesGrew => "the series grew beyond the booker's credit".to_owned(),
            EntryCode::JoinedPriceUnknown => {
                "the series grew, and what the further occurrences cost is not known".to_owned()
            }
            EntryCode::SeriesTooLong => {
                "the series grew beyond what one request may have".to_owned()
            }
            EntryCode::BegunOccurrenceJoined => {
                "an occurrence that has begun joined the series".to_owned()
            }
            EntryCode::StatusResolved => "an operator resolved its unknown status".to_owned(),
            EntryCode::CallRefused => "Cal.com refuses the call".to_owned(),
            EntryCode::GivenBackByOperator => "given back by an operator".to_owned(),
            EntryCode::KeptByOperator => "kept by an operator".to_owned(),
            EntryCode::FreeText(words) => words.clone(),
        };
        if self.moved_late {
            text.push_str("; it had been moved too late to be cancelled for nothing");
        }
        match self.refunded_share {
            Some(RefundedShare { credits: 0, .. }) => text.push_str("; nothing comes back"),
            Some(RefundedShare { credits, total: of }) => {
                text.push_str(&format!(
                    "; {} of {of} come back",
                    messages::format_credits(credits)
                ));
            }
            None => {}
        }
        text
    }
}

/// Describes a notice: `3 h before the start`, `20 min after the start`.
fn describe_notice(notice: Span) -> String {
    let (amount, side) = if notice < Span::zero() {
        (-notice, "after")
    } else {
        (notice, "before")
    };
    let minutes = amount.num_minutes();
    let amount = match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    format!("{amount} {side} the start")
}
