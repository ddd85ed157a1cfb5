//! The ids of notifications. A notification that is derived again has the same id, so that a receiver
//! recognizes one that it has seen.

use sha2::{Digest as _, Sha256};

use crate::domain::notification::event::{Notification, NotificationOrigin};

/// How many hexadecimal digits of the hash an id has.
const DIGITS: usize = 32;

/// How many hexadecimal digits of the hash a pseudonym has: enough for all members of one ledger.
const PSEUDONYM_DIGITS: usize = 16;

/// Returns the id of a notification of this ledger.
pub fn event_id(ledger: &str, notification: &Notification) -> String {
    let kind = notification.kind();
    let source = match &notification.origin {
        NotificationOrigin::Fact { seq, index } => format!("fact\n{seq}\n{index}"),
        NotificationOrigin::State { subject, since } => {
            format!("state\n{subject}\n{}", since.timestamp_millis())
        }
    };
    hash(&format!("{ledger}\n{kind}\n{source}"), DIGITS)
}

/// Returns a text that distinguishes accounts and names none.
pub fn account_pseudonym(ledger: &str, account: &str) -> String {
    hash(&format!("{ledger}\naccount\n{account}"), PSEUDONYM_DIGITS)
}

fn hash(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text);
    let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::event::NotificationContent;
    use crate::domain::time::Time;

    #[test]
    fn ids_differ_by_ledger_and_origin_and_by_nothing_else() {
        let at = |text: &str| text.parse::<Time>().expect("a time");
        let fact = |seq, index| NotificationOrigin::Fact { seq, index };
        let state = |subject: &str, since: &str| NotificationOrigin::State {
            subject: subject.to_owned(),
            since: at(since),
        };
        let id = |ledger: &str, origin: NotificationOrigin, told_at: &str| {
            let notification = Notification {
                origin,
                at: at(told_at),
                content: NotificationContent::Test,
            };
            event_id(ledger, &notification)
        };
        let (now, later) = ("2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z");
        let first = id("a", fact(7, 1), now);
        assert_eq!(first.len(), DIGITS);
        assert_eq!(first, id("a", fact(7, 1), later));
        let others = [
            id("b", fact(7, 1), now),
            id("a", fact(7, 2), now),
            id("a", fact(71, 1), now),
            id("a", state("", now), now),
            id("a", state("x", now), now),
            id("a", state("x", later), now),
        ];
        for (number, other) in others.iter().enumerate() {
            assert_ne!(*other, first);
            assert!(!others[..number].contains(other), "{number}");
        }
        assert!(!account_pseudonym("a", "bo@example.com").contains('@'));
    }
}
