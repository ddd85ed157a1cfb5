//! One notification: what happened, and where it comes from, so that it has the same id whenever it
//! is derived again.

use super::kind::NotificationKind;
use crate::domain::account::Account;
use crate::domain::decision::{Credits, Reason};
use crate::domain::id::{AccountId, Address, BookingUid};
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedCode;

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What the id is derived from, together with the kind and the ledger.
    pub origin: NotificationOrigin,
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub content: NotificationContent,
}

/// Where a notification comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationOrigin {
    /// A fact of the log.
    Fact {
        /// The number of the commit.
        seq: u64,
        /// The place of the fact in the commit, from 0.
        index: usize,
    },
    /// A state that is not a fact.
    State {
        /// What the state is about: a request, a grant; empty for the whole process.
        subject: String,
        /// When the state began, or when it will end.
        since: Time,
    },
}

/// What a notification tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationContent {
    /// A request waits for an operator's decision; the reasons are for operators.
    ReviewNeeded(RequestSummary),
    /// A request has waited since this instant for an operator's decision.
    ReviewWaiting(RequestSummary, Time),
    /// A booking was put on the unresolved list.
    Listed(ListedBooking),
    /// A state of the process.
    Condition(Condition),
    /// A member has few credits left.
    LowBalance {
        /// The member.
        member: Member,
        /// The credits that can be spent.
        available: Credits,
        /// What could be spent before the credits were taken.
        before: Credits,
    },
    /// Credits of a member expire soon.
    CreditsExpiring {
        /// The member.
        member: Member,
        /// The credits that expire.
        credits: Credits,
        /// When the credits expire.
        expires: Time,
        /// The credits that can be spent, these included.
        available: Credits,
    },
    /// A member's request was answered.
    Decision {
        /// The member.
        member: Member,
        /// The request, without the reasons for operators.
        request: RequestSummary,
        /// What became of the request.
        answer: BookerAnswer,
        /// Why, as far as the booker may read it.
        booker_text: Option<String>,
    },
    /// A fact was recorded that the operator's own systems follow.
    Recorded(RecordedFact),
    /// An operator tries the target.
    Test,
}

/// What became of a member's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookerAnswer {
    /// The bookings are confirmed.
    Confirmed,
    /// The bookings are declined.
    Declined,
    /// Bookings that others had accepted are cancelled.
    Cancelled,
}

impl BookerAnswer {
    /// Returns the word for this answer in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What was recorded, as the operator's own systems learn it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFact {
    /// Which kind of fact it is.
    pub kind: NotificationKind,
    /// The number of the commit.
    pub seq: u64,
    /// The account whose credits or request it is; `None` if a booker has none.
    pub account: Option<AccountId>,
    /// The booking; of a request, its first one.
    pub booking: Option<BookingUid>,
    /// The booking that takes over a charge.
    pub moved_to: Option<BookingUid>,
    /// When the booking that takes over the charge starts.
    pub start: Option<Time>,
    /// The credits that were charged, came back, were given or expired.
    pub credits: Option<Credits>,
    /// The name of the grant.
    pub reference: Option<String>,
    /// From when on the credits of a grant count as expired.
    pub expires: Option<Time>,
    /// Why, for people.
    pub reason: Option<String>,
    /// The request that was answered.
    pub request: Option<Box<RequestSummary>>,
}

/// The part of a request that notifications tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSummary {
    /// The id of the request.
    pub request: String,
    /// The uids of its bookings.
    pub bookings: Vec<BookingUid>,
    /// The title of the first booking.
    pub title: String,
    /// The gate; `None` when no gate guards the event type.
    pub gate: Option<String>,
    /// The first start.
    pub start: Time,
    /// The last end.
    pub end: Time,
    /// What confirming costs.
    pub credits: Credits,
    /// The booker's address. `None` when the booker's identity is ambiguous.
    pub booker: Option<Address>,
    /// The booker's account.
    pub account: Option<AccountId>,
    /// Why, for operators.
    pub reasons: Vec<Reason>,
}

impl RequestSummary {
    /// Returns the summary of a request.
    pub fn new(request: &Request) -> Self {
        Self {
            request: request.id.to_string(),
            bookings: request.bookings.iter().map(|b| b.uid.clone()).collect(),
            title: request.title.clone(),
            gate: request.gate.clone(),
            start: request.start,
            end: request.end,
            credits: request.credits,
            booker: request.booker.clone(),
            account: request.account.clone(),
            reasons: request.reasons.clone(),
        }
    }
}

/// A booking on the unresolved list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBooking {
    /// The booking.
    pub booking: BookingUid,
    /// Why the booking is on the list.
    pub code: UnresolvedCode,
    /// The account that pays or should pay.
    pub account: Option<AccountId>,
    /// What was found, for people.
    pub detail: String,
}

/// A state of the process that began and lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which state it is.
    pub kind: NotificationKind,
    /// When the state began.
    pub since: Time,
    /// What the last pass said about it.
    pub text: String,
}

/// A member, with the address to which mail may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name of the account.
    pub account: AccountId,
    /// The account's own address: its name or, if that is no address, its first alias. Never the
    /// address that somebody gave with a booking.
    pub address: Option<Address>,
}

impl Member {
    /// Returns the member whose account this is.
    pub fn new(account: &Account) -> Self {
        let own = Address::parse(account.id.as_str()).ok();
        Self {
            account: account.id.clone(),
            address: own.or_else(|| account.aliases.first().cloned()),
        }
    }
}

impl Notification {
    /// Returns the kind.
    pub fn kind(&self) -> NotificationKind {
        match &self.content {
            NotificationContent::ReviewNeeded(_) => NotificationKind::ReviewNeeded,
            NotificationContent::ReviewWaiting(..) => NotificationKind::ReviewWaiting,
            NotificationContent::Listed(listed) => match listed.code {
                UnresolvedCode::Unmanaged => NotificationKind::UnmanagedBooking,
                UnresolvedCode::Revived => NotificationKind::RevivedBooking,
                UnresolvedCode::TwoSuccessors
                | UnresolvedCode::AcceptedMove
                | UnresolvedCode::HostAbsent
                | UnresolvedCode::UnknownStatus
                | UnresolvedCode::Refused
                | UnresolvedCode::Unanswered => NotificationKind::UnresolvedBooking,
            },
            NotificationContent::Condition(condition) => condition.kind,
            NotificationContent::LowBalance { .. } => NotificationKind::LowBalance,
            NotificationContent::CreditsExpiring { .. } => NotificationKind::CreditsExpiring,
            NotificationContent::Decision { .. } => NotificationKind::Decision,
            NotificationContent::Recorded(fact) => fact.kind,
            NotificationContent::Test => NotificationKind::Test,
        }
    }

    /// Returns the member whom the notification is for. `None`: it is for operators.
    pub fn member(&self) -> Option<&Member> {
        match &self.content {
            NotificationContent::LowBalance { member, .. }
            | NotificationContent::CreditsExpiring { member, .. }
            | NotificationContent::Decision { member, .. } => Some(member),
            NotificationContent::ReviewNeeded(_)
            | NotificationContent::ReviewWaiting(..)
            | NotificationContent::Listed(_)
            | NotificationContent::Condition(_)
            | NotificationContent::Recorded(_)
            | NotificationContent::Test => None,
        }
    }
}
