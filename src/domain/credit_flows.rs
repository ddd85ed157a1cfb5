//! What happened to the credits of all accounts in a quarter of an hour. Monthly accounts are sums of
//! these: a month of any time zone begins with a quarter of an hour, because no zone differs from
//! UTC by a smaller part.

use super::account::Account;
use super::decision::Credits;
use super::fact::{ChargeFact, CreditFact, Fact};
use super::lot::LotSource;
use super::time::{Span, Time};

/// The length of a quarter of an hour, in seconds.
const QUARTER_SECONDS: i64 = 15 * 60;

/// A quarter of an hour, counted from 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuarterHour(pub u32);

impl QuarterHour {
    /// Returns the quarter of an hour in which the instant lies; the first one for an earlier instant.
    pub fn of(at: Time) -> Self {
        let quarter = at.timestamp().div_euclid(QUARTER_SECONDS);
        Self(u32::try_from(quarter.max(0)).unwrap_or(u32::MAX))
    }

    /// Returns the quarter of an hour before the instant, for the end of a range.
    pub fn before(at: Time) -> Self {
        Self::of(at - Span::milliseconds(1))
    }

    /// Returns when the quarter of an hour begins.
    pub fn start(self) -> Time {
        Time::UNIX_EPOCH + Span::seconds(i64::from(self.0) * QUARTER_SECONDS)
    }
}

/// How many numbers flows have.
pub const FLOWS: usize = 14;

/// Changes of the credits of all accounts together. Only `held` and `left` may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreditFlows {
    /// Granted credits that were paid for, or of which nothing else is known.
    pub granted_paid: i64,
    /// Granted credits that were a gift.
    pub granted_promotional: i64,
    /// Credits that allowances granted.
    pub granted_allowance: i64,
    /// Spent credits that came back.
    pub refunded: i64,
    /// The part of `refunded` that came back in a new lot, because the lot that paid had expired.
    pub restored: i64,
    /// Credits that bookings took beyond what was there.
    pub lent: i64,
    /// Lent credits that later credits settled.
    pub repaid: i64,
    /// Credits that confirmed bookings spent.
    pub used: i64,
    /// Credits whose expiry was recorded.
    pub expired: i64,
    /// Credits that operators took back.
    pub revoked: i64,
    /// Credits that came from other accounts.
    pub received: i64,
    /// Credits that went to other accounts.
    pub sent: i64,
    /// By how much the credits on hold changed.
    pub held: i64,
    /// By how much the credits in the lots changed.
    pub left: i64,
}

impl CreditFlows {
    /// Adds what the fact says and no total of an account has: where granted credits come from, and
    /// which refunded credits came back in a new lot.
    pub fn add_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Credit(CreditFact::Grant { credits, terms, .. }) => {
                let granted = match terms.source {
                    LotSource::Paid => &mut self.granted_paid,
                    LotSource::Promotional => &mut self.granted_promotional,
                    LotSource::Allowance => &mut self.granted_allowance,
                };
                *granted += difference(0, *credits);
            }
            Fact::Charge(ChargeFact::Refund { parts, .. }) => {
                let restored = parts.iter().filter(|part| part.replacement_lot.is_some());
                let credits: Credits = restored.map(|part| part.credits).sum();
                self.restored += difference(0, credits);
            }
            _ => {}
        }
    }

    /// Adds the change of one account. `before` is `None` for a new account.
    pub fn add_change(&mut self, before: Option<&Account>, after: &Account) {
        let totals = before.map(|account| account.totals).unwrap_or_default();
        let now = &after.totals;
        for (flow, before, after) in [
            (&mut self.refunded, totals.refunded, now.refunded),
            (&mut self.lent, totals.lent, now.lent),
            (&mut self.repaid, totals.repaid, now.repaid),
            (&mut self.used, totals.posted, now.posted),
            (&mut self.expired, totals.expired, now.expired),
            (&mut self.revoked, totals.revoked, now.revoked),
            (&mut self.received, totals.received, now.received),
            (&mut self.sent, totals.sent, now.sent),
            (&mut self.held, totals.held, now.held),
            (
                &mut self.left,
                before.map_or(0, credits_in_lots),
                credits_in_lots(after),
            ),
        ] {
            *flow += difference(before, after);
        }
    }

    /// Adds other flows.
    pub fn add(&mut self, other: &Self) {
        let mut sum = self.numbers();
        for (number, other) in sum.iter_mut().zip(other.numbers()) {
            *number += other;
        }
        *self = Self::from_numbers(sum);
    }

    /// Returns true if nothing changed.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Returns all granted credits.
    pub fn granted(&self) -> i64 {
        self.granted_paid + self.granted_promotional + self.granted_allowance
    }

    /// Returns by how much the credits that are owed to members changed: those in the lots, and
    /// those on hold.
    pub fn owed(&self) -> i64 {
        self.left + self.held
    }

    /// Returns the numbers in the order of the fields.
    pub fn numbers(&self) -> [i64; FLOWS] {
        [
            self.granted_paid,
            self.granted_promotional,
            self.granted_allowance,
            self.refunded,
            self.restored,
            self.lent,
            self.repaid,
            self.used,
            self.expired,
            self.revoked,
            self.received,
            self.sent,
            self.held,
            self.left,
        ]
    }

    /// Returns the flows with these numbers, in the order of the fields.
    pub fn from_numbers(numbers: [i64; FLOWS]) -> Self {
        let [
            granted_paid,
            granted_promotional,
            granted_allowance,
            refunded,
            restored,
            lent,
            repaid,
            used,
            expired,
            revoked,
            received,
            sent,
            held,
            left,
        ] = numbers;
        Self {
            granted_paid,
            granted_promotional,
            granted_allowance,
            refunded,
            restored,
            lent,
            repaid,
            used,
            expired,
            revoked,
            received,
            sent,
            held,
            left,
        }
    }
}

/// Returns the credits in an account's lots, those past their expiry included.
pub fn credits_in_lots(account: &Account) -> Credits {
    account.lots.iter().map(|lot| lot.remaining).sum()
}

/// Returns the difference of two numbers of credits. All credits of a ledger together are fewer than
/// the largest number of the type.
fn difference(before: Credits, after: Credits) -> i64 {
    after.wrapping_sub(before).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_field() {
        let mut numbers = [0; FLOWS];
        for (number, value) in numbers.iter_mut().zip(1..) {
            *number = value;
        }
        assert_eq!(CreditFlows::from_numbers(numbers).numbers(), numbers);
    }

    #[test]
    fn a_quarter_of_an_hour_begins_with_itself_and_ends_before_the_next() {
        let rows = [
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:14:59.999Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:15:00Z", "2026-11-01T00:15:00Z"),
            ("1969-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ];
        for (at, start) in rows {
            let at: Time = at.parse().unwrap();
            assert_eq!(QuarterHour::of(at).start(), start.parse::<Time>().unwrap());
        }
        let midnight: Time = "2026-11-01T00:00:00Z".parse().unwrap();
        let before = QuarterHour::before(midnight);
        assert_eq!(before.0 + 1, QuarterHour::of(midnight).0);
    }
}
