//! The credits of all accounts, month by month.

use serde::{Deserialize, Serialize};

/// Monthly accounts of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingView {
    /// The version of the protocol.
    pub schema: u32,
    /// The time zone whose months these are.
    pub zone: String,
    /// The months, oldest first.
    pub months: Vec<AccountingMonthView>,
    /// Credits that are past their expiry now and still count as owed, because their expiry is
    /// recorded with the next entry of their account.
    pub expired_not_recorded: u64,
}

/// One month. `closing` is `opening` with `granted_paid`, `granted_promotional`, `granted_allowance`,
/// `refunded`, `restored` and `lent`, less `repaid`, `used`, `expired` and `revoked`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingMonthView {
    /// The month, as `2026-11`.
    pub month: String,
    /// Whether the month is over, so that its numbers stay as they are.
    pub complete: bool,
    /// What was owed to members at the beginning: credits in lots and on hold.
    pub opening: i64,
    /// Granted credits that members paid for, or of which nothing else is known.
    pub granted_paid: i64,
    /// Granted credits that were a gift.
    pub granted_promotional: i64,
    /// Credits that allowances granted.
    pub granted_allowance: i64,
    /// Spent credits that came back to the lots that had paid.
    pub refunded: i64,
    /// Spent credits that came back in a new lot, because the lot that had paid was expired.
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
    /// Credits that accounts passed on to other accounts; by a merge also those that were spent on
    /// bookings which went along. What is owed does not change.
    pub transferred: i64,
    /// What was owed to members at the end.
    pub closing: i64,
    /// The part of `closing` that was on hold.
    pub held: i64,
    /// What members owed at the end: lent credits that were not settled.
    pub debt: i64,
}
