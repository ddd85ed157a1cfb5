//! The kinds of notifications.

use std::fmt;

/// What a notification is about, in one word that never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotificationKind {
    /// A request waits for an operator's decision.
    ReviewNeeded,
    /// A request has waited too long for an operator's decision.
    ReviewWaiting,
    /// A booking was accepted, and no charge is open or final for it.
    UnmanagedBooking,
    /// A booking was accepted, although it was cancelled or moved to another time.
    RevivedBooking,
    /// A booking is on the unresolved list for another reason.
    UnresolvedBooking,
    /// Passes have failed for some time.
    PassesFailing,
    /// Cal.com refuses the API key.
    KeyRefused,
    /// The ledger cannot be read or written.
    StoreTrouble,
    /// The local clock and the server's clock disagree.
    ClockWrong,
    /// A member has few credits left.
    LowBalance,
    /// Credits of a member expire soon.
    CreditsExpiring,
    /// A member's request was confirmed or declined, or a member's booking was cancelled.
    Decision,
    /// A request was confirmed.
    Confirmed,
    /// A request was declined, or a booking cancelled that others had accepted.
    Declined,
    /// The credits of a confirmed booking were charged.
    Charged,
    /// The charge of a booking went to the booking that replaces it.
    Moved,
    /// Credits of a charge came back.
    Refunded,
    /// Credits were given.
    Granted,
    /// Credits that were left expired.
    Expired,
    /// An operator tries the target.
    Test,
}

/// Who a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The people who run maitred.
    Operator,
    /// The member whom the notification is about.
    Member,
    /// The operator's own systems.
    System,
}

impl Audience {
    /// Returns the word for this audience in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Member => "member",
            Self::System => "system",
        }
    }
}

/// The kinds that a target can select, in the order of the declaration.
pub const NOTIFICATION_KINDS: [NotificationKind; 19] = [
    NotificationKind::ReviewNeeded,
    NotificationKind::ReviewWaiting,
    NotificationKind::UnmanagedBooking,
    NotificationKind::RevivedBooking,
    NotificationKind::UnresolvedBooking,
    NotificationKind::PassesFailing,
    NotificationKind::KeyRefused,
    NotificationKind::StoreTrouble,
    NotificationKind::ClockWrong,
    NotificationKind::LowBalance,
    NotificationKind::CreditsExpiring,
    NotificationKind::Decision,
    NotificationKind::Confirmed,
    NotificationKind::Declined,
    NotificationKind::Charged,
    NotificationKind::Moved,
    NotificationKind::Refunded,
    NotificationKind::Granted,
    NotificationKind::Expired,
];

impl NotificationKind {
    /// Returns the word for this kind in the configuration, in output and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReviewNeeded => "review-needed",
            Self::ReviewWaiting => "review-waiting",
            Self::UnmanagedBooking => "unmanaged-booking",
            Self::RevivedBooking => "revived-booking",
            Self::UnresolvedBooking => "unresolved-booking",
            Self::PassesFailing => "passes-failing",
            Self::KeyRefused => "key-refused",
            Self::StoreTrouble => "store-trouble",
            Self::ClockWrong => "clock-wrong",
            Self::LowBalance => "low-balance",
            Self::CreditsExpiring => "credits-expiring",
            Self::Decision => "decision",
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::Charged => "charged",
            Self::Moved => "moved",
            Self::Refunded => "refunded",
            Self::Granted => "granted",
            Self::Expired => "expired",
            Self::Test => "test",
        }
    }

    /// Returns who notifications of this kind are for.
    pub fn audience(self) -> Audience {
        match self {
            Self::ReviewNeeded
            | Self::ReviewWaiting
            | Self::UnmanagedBooking
            | Self::RevivedBooking
            | Self::UnresolvedBooking
            | Self::PassesFailing
            | Self::KeyRefused
            | Self::StoreTrouble
            | Self::ClockWrong
            | Self::Test => Audience::Operator,
            Self::LowBalance | Self::CreditsExpiring | Self::Decision => Audience::Member,
            Self::Confirmed
            | Self::Declined
            | Self::Charged
            | Self::Moved
            | Self::Refunded
            | Self::Granted
            | Self::Expired => Audience::System,
        }
    }

    /// Returns the kind with this word. `None`: no target can select such a kind.
    pub fn parse(text: &str) -> Option<Self> {
        let mut kinds = NOTIFICATION_KINDS.into_iter();
        kinds.find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for NotificationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_parses_from_its_own_text() {
        for kind in NOTIFICATION_KINDS {
            assert_eq!(NotificationKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(NotificationKind::parse("test"), None);
    }
}
