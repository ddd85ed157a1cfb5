//! The decision about a request and its reasons. Codes are for machines and never change; texts are
//! for people and are recorded as they were given.

use std::borrow::Cow;
use std::fmt;

use super::time::Time;

/// Whole units, unsigned; never fractions.
pub type Credits = u64;

/// The most that one grant may give and one booking may cost. Sums of very many such amounts stay
/// far below what the type can hold.
pub const MAX_CREDITS: Credits = 1_000_000_000;

/// Why a request was decided so, as one word that never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// No gate names the event type.
    Ungated,
    /// The host is neither the key's user nor a configured one.
    ForeignHost,
    /// The event type was deleted, or the server does not show it.
    NoEventType,
    /// The calendar does not describe the event type, so its price is not known.
    EventTypeNotShown,
    /// The event type has a price at Cal.com; payment and credits do not mix.
    Priced,
    /// Every attendee of a seated booking is a booker, and maitred does not decide such bookings.
    Seated,
    /// The booking is in a state that cannot be answered (`awaiting_host` or an unknown status).
    NotPending,
    /// The booking ended without an answer.
    AlreadyOver,
    /// The reason for a decline depends on something that is not settled yet.
    DependsOnUnsettled,
    /// The booking has begun, and nothing is confirmed after its start.
    AlreadyBegun,
    /// The booking began, or its deadline passed, while it was left for an operator.
    Unanswered,
    /// The series is so young that a poll may have seen only some of its occurrences.
    SeriesSettling,
    /// The series could not be read completely.
    SeriesUnreadable,
    /// The predecessor is still being decided or could not be read, so its payment is not known.
    PredecessorUnclear,
    /// The booker's identity is ambiguous.
    NoBooker,
    /// The request was decided before, and it is pending again.
    DecidedBefore,
    /// The ledger has no account at all, so declining every booker would be a mistake.
    EmptyLedger,
    /// A restored backup waits for an operator. What happened after the backup is not in the
    /// ledger.
    RestorePending,
    /// The local clock and the server's clock disagree, so nothing final is decided.
    ClockSkew,
    /// An operator paused the gate.
    Paused,
    /// The limit of declines is used up.
    DeclineLimit,
    /// The booker has no account.
    UnknownBooker,
    /// The booker has no account, and a source that could open one did not answer.
    SourceFailed,
    /// An operator has frozen the account.
    AccountFrozen,
    /// The booker is on a block list.
    Blocked,
    /// There is an allow list, and the booker is not on it.
    NotAllowed,
    /// The booker has made more requests on this day than the limit allows.
    TooManyRequests,
    /// The PIN given with the booking is not the member's.
    WrongPin,
    /// The notice is too short.
    NoticeTooShort,
    /// The notice is too long.
    NoticeTooLong,
    /// The booking is at a time at which no bookings are taken.
    OutsideHours,
    /// The member has as many bookings as a cap allows.
    OverCap,
    /// The host has as many bookings as a cap allows.
    HostFull,
    /// One of the operator's own rules is not met.
    RuleNotMet,
    /// One of the operator's own rules could not be evaluated.
    RuleFailed,
    /// A rule needs an answer from another system, and there is none.
    LookupFailed,
    /// What the booking costs is not known.
    PriceUnknown,
    /// An operator decided.
    Operator,
    /// The booking overlaps one that is already accepted, or one that this pass confirms.
    TimeTaken,
    /// Not enough credits.
    ShortOfCredit,
    /// The account has the credits, and no rule objects.
    EnoughCredit,
    /// A successor takes over what its predecessor paid.
    ChargeCarried,
    /// The request waited until its deadline.
    WaitedTooLong,
    /// Others accepted the booking, and it had no charge.
    Unmanaged,
    /// The booking was accepted although it was cancelled or moved.
    Revived,
    /// The booker moved the booking, and it was accepted again without a pass.
    AcceptedMove,
}

/// All codes, in the order of the declaration.
pub const REASON_CODES: [ReasonCode; 46] = [
    ReasonCode::Ungated,
    ReasonCode::ForeignHost,
    ReasonCode::NoEventType,
    ReasonCode::EventTypeNotShown,
    ReasonCode::Priced,
    ReasonCode::Seated,
    ReasonCode::NotPending,
    ReasonCode::AlreadyOver,
    ReasonCode::DependsOnUnsettled,
    ReasonCode::AlreadyBegun,
    ReasonCode::Unanswered,
    ReasonCode::SeriesSettling,
    ReasonCode::SeriesUnreadable,
    ReasonCode::PredecessorUnclear,
    ReasonCode::NoBooker,
    ReasonCode::DecidedBefore,
    ReasonCode::EmptyLedger,
    ReasonCode::RestorePending,
    ReasonCode::ClockSkew,
    ReasonCode::Paused,
    ReasonCode::DeclineLimit,
    ReasonCode::UnknownBooker,
    ReasonCode::SourceFailed,
    ReasonCode::AccountFrozen,
    ReasonCode::Blocked,
    ReasonCode::NotAllowed,
    ReasonCode::TooManyRequests,
    ReasonCode::WrongPin,
    ReasonCode::NoticeTooShort,
    ReasonCode::NoticeTooLong,
    ReasonCode::OutsideHours,
    ReasonCode::OverCap,
    ReasonCode::HostFull,
    ReasonCode::RuleNotMet,
    ReasonCode::RuleFailed,
    ReasonCode::LookupFailed,
    ReasonCode::PriceUnknown,
    ReasonCode::Operator,
    ReasonCode::TimeTaken,
    ReasonCode::ShortOfCredit,
    ReasonCode::EnoughCredit,
    ReasonCode::ChargeCarried,
    ReasonCode::WaitedTooLong,
    ReasonCode::Unmanaged,
    ReasonCode::Revived,
    ReasonCode::AcceptedMove,
];

impl ReasonCode {
    /// Returns the word for this code in logs, output and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ungated => "ungated",
            Self::ForeignHost => "foreign-host",
            Self::NoEventType => "no-event-type",
            Self::EventTypeNotShown => "event-type-not-shown",
            Self::Priced => "priced",
            Self::Seated => "seated",
            Self::NotPending => "not-pending",
            Self::AlreadyOver => "over",
            Self::DependsOnUnsettled => "unsettled",
            Self::AlreadyBegun => "begun",
            Self::Unanswered => "unanswered",
            Self::SeriesSettling => "series-settling",
            Self::SeriesUnreadable => "series-unreadable",
            Self::PredecessorUnclear => "predecessor-unclear",
            Self::NoBooker => "no-booker",
            Self::DecidedBefore => "decided-before",
            Self::EmptyLedger => "empty-ledger",
            Self::RestorePending => "restore-open",
            Self::ClockSkew => "clock-off",
            Self::Paused => "paused",
            Self::DeclineLimit => "decline-limit",
            Self::UnknownBooker => "unknown-booker",
            Self::SourceFailed => "source-failed",
            Self::AccountFrozen => "frozen",
            Self::Blocked => "blocked",
            Self::NotAllowed => "not-allowed",
            Self::TooManyRequests => "too-many-requests",
            Self::WrongPin => "wrong-pin",
            Self::NoticeTooShort => "notice-too-short",
            Self::NoticeTooLong => "notice-too-long",
            Self::OutsideHours => "outside-hours",
            Self::OverCap => "over-cap",
            Self::HostFull => "host-full",
            Self::RuleNotMet => "rule",
            Self::RuleFailed => "rule-failed",
            Self::LookupFailed => "lookup-failed",
            Self::PriceUnknown => "price-unknown",
            Self::Operator => "operator",
            Self::TimeTaken => "taken",
            Self::ShortOfCredit => "short-of-credit",
            Self::EnoughCredit => "enough",
            Self::ChargeCarried => "carried",
            Self::WaitedTooLong => "waited-too-long",
            Self::Unmanaged => "unmanaged",
            Self::Revived => "revived",
            Self::AcceptedMove => "accepted-move",
        }
    }

    /// Returns the code with this word. `None`: there is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        REASON_CODES.into_iter().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason's code and its text, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The reason for machines.
    pub code: ReasonCode,
    /// The reason for operators. It may reveal data of the account.
    pub text: String,
}

/// The decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The request is confirmed, and its credits are held before the call is sent.
    Confirm,
    /// The request is declined.
    Decline,
    /// The request stays pending until there is enough credit, or until the instant (`None`: the
    /// start of the booking).
    Wait {
        /// The instant at which the wait ends.
        until: Option<Time>,
    },
    /// The request stays pending for an operator.
    Review,
    /// maitred leaves the request alone.
    Leave,
}

impl Decision {
    /// Returns the word for this decision in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Wait { .. } => "wait",
            Self::Review => "review",
            Self::Leave => "leave",
        }
    }
}

/// The result of one rule for one request. A finding is stored with the decision and shown by
/// `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name: one of the names in the gate's table (`short-of-credit`) or that of the
    /// operator's own rule.
    pub rule: Cow<'static, str>,
    /// Why the request does not meet the rule. `None` when the request does, and in logs from
    /// before the code was stored.
    pub code: Option<ReasonCode>,
    /// Whether the request meets the rule.
    pub passed: bool,
    /// For people: what the rule compared and the result, such as `cost 2, available 1`. No
    /// decision depends on this text.
    pub detail: String,
}

/// How a recorded decision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// The bookings were confirmed.
    Confirmed,
    /// The bookings were declined or cancelled.
    Declined,
    /// Something else happened to the booking at Cal.com first.
    Superseded,
    /// Cal.com refused the call repeatedly. The booking is left pending for a person.
    Refused,
}

impl DecisionOutcome {
    /// Returns the word for this outcome in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_code_parses_from_its_own_text() {
        for code in REASON_CODES {
            assert_eq!(ReasonCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(ReasonCode::parse("no-such-code"), None);
    }
}
