//! Allowances: credits that the configuration grants by period. This file computes periods and
//! decides which grants are due; `reconcile::allowances` reads the store and commits them.
//!
//! The reference of a grant names the allowance, the first day of the period, and the account. The
//! ledger never records a reference twice, so no allowance is granted twice, whatever clocks and
//! edits of the configuration do. In addition, the grants of one allowance to one account do not
//! overlap in time: after an edit of the period, the next grant waits for the end of the last one.

use std::collections::BTreeSet;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use chrono_tz::Tz;
use sha2::{Digest as _, Sha256};

use super::account::{Account, LotPart, MAX_LOTS, SpendPreview};
use super::decision::Credits;
use super::fact::{AccountFact, CreditFact, Fact};
use super::id::{AccountId, Reference};
use super::lot::{LotSource, LotTerms};
use super::time::{Span, Time, start_of_day};

/// How far back the history of an account is read for grants that overlap a period: longer than any
/// period.
pub const HISTORY_SPAN: Span = Span::days(400);

/// How every reference of an allowance's grant begins.
const REFERENCE_PREFIX: &str = "allowance/";

/// What stands before the account in the reference of credits that were rolled over. Of lots that are
/// otherwise equal, the one with the lesser name pays first: credits that do not roll over again are
/// spent before those of the period.
const ROLLOVER_MARK: &str = "+rollover/";

/// How many bytes of the account's hash stand in a reference. References appear in logs, where
/// addresses must not, and an account's name can be as long as a reference may be.
const ACCOUNT_HASH_BYTES: usize = 10;

/// Credits that are granted in every period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The name. An allowance with another name is another allowance.
    pub name: String,
    /// The credits of one period.
    pub credits: Credits,
    /// How many credits that are left at the end of a period last for one period more.
    pub rollover: Credits,
    /// How long a period is.
    pub unit: PeriodUnit,
    /// When periods begin.
    pub anchor: PeriodAnchor,
    /// The tiers whose members have the allowance.
    pub tiers: BTreeSet<String>,
    /// The accounts that have the allowance, in addition to those of the tiers. If both are empty,
    /// all accounts have the allowance.
    pub accounts: BTreeSet<AccountId>,
    /// The gates whose bookings the credits may pay for. Empty: all gates.
    pub gates: BTreeSet<String>,
    /// Lots with a smaller number pay first.
    pub priority: i16,
    /// Periods that begin before this day are not granted.
    pub starts: Option<NaiveDate>,
    /// When the first grant of a new account is due.
    pub first: FirstGrant,
}

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodUnit {
    /// Seven days.
    Week,
    /// A month.
    Month,
    /// Three months.
    Quarter,
    /// A year.
    Year,
}

/// The day from which periods are counted. A day that a month does not have is the last day of that
/// month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeriodAnchor {
    /// The same day for all accounts.
    Day(NaiveDate),
    /// The day on which the account was opened.
    Opened,
    /// The day in this attribute of the account.
    Attribute(String),
}

/// When the first grant of an account is due that was opened within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstGrant {
    /// At once.
    Now,
    /// When the next period begins.
    NextPeriod,
}

/// One period of an allowance for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub first: NaiveDate,
    /// The first instant.
    pub start: Time,
    /// The first instant of the next period.
    pub end: Time,
    /// The first day of the next period.
    pub next: NaiveDate,
    /// The first day of the period before. `None`: periods begin with this one.
    pub previous: Option<NaiveDate>,
}

/// What an allowance is for an account at an instant, before its grants are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The account does not have the allowance, is closed, or is frozen.
    NotEntitled,
    /// The attribute from which periods are counted is missing, or is no day.
    NoDay,
    /// Nothing is granted before this instant.
    NotBefore(Time),
    /// The account is to have the grant of this period.
    Entitled(Period),
}

/// What the history of an account tells about an allowance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowanceHistory {
    /// The end of the last grant that overlaps the period.
    pub covered_until: Option<Time>,
    /// The first day of the last grant before the period.
    pub last_first_day: Option<NaiveDate>,
    /// The credits of the previous period's grant whose expiry is recorded.
    pub expired: Credits,
    /// Whether the account was frozen, closed or described after that grant.
    pub changed: bool,
    /// The accounts that were merged into this one after that grant.
    pub merged: Vec<AccountId>,
}

/// A grant that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueGrant {
    /// The period whose credits are granted.
    pub period: Period,
    /// The credits of the period before that last for this period, too.
    pub rolled_over: Credits,
}

impl PeriodUnit {
    /// Returns the word for this length in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Returns the number of months; 0 for a week.
    fn months(self) -> u32 {
        match self {
            Self::Week => 0,
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }

    /// Returns the first day of the period with this number, counted from the anchor.
    fn first_day(self, anchor: NaiveDate, number: i64) -> Option<NaiveDate> {
        let count = number.unsigned_abs();
        if self == Self::Week {
            let days = Days::new(count.checked_mul(7)?);
            return match number < 0 {
                true => anchor.checked_sub_days(days),
                false => anchor.checked_add_days(days),
            };
        }
        let months = Months::new(u32::try_from(count).ok()?.checked_mul(self.months())?);
        match number < 0 {
            true => anchor.checked_sub_months(months),
            false => anchor.checked_add_months(months),
        }
    }

    /// Returns the number of the period that contains the day, or of a period next to it.
    fn estimate_number(self, anchor: NaiveDate, day: NaiveDate) -> i64 {
        let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
        match self {
            Self::Week => (day - anchor).num_days().div_euclid(7),
            Self::Month | Self::Quarter | Self::Year => {
                (months(day) - months(anchor)).div_euclid(i64::from(self.months()))
            }
        }
    }
}

impl Allowance {
    /// Returns true if the account has the allowance.
    pub fn applies_to(&self, account: &Account) -> bool {
        let tier = account.tier.as_ref();
        (self.tiers.is_empty() && self.accounts.is_empty())
            || tier.is_some_and(|tier| self.tiers.contains(tier))
            || self.accounts.contains(&account.id)
    }

    /// Returns what the allowance is for the account at `now`.
    pub fn standing(&self, account: &Account, zone: Tz, now: Time) -> Standing {
        if account.closed.is_some() || account.freeze_reason.is_some() || !self.applies_to(account)
        {
            return Standing::NotEntitled;
        }
        let Some(anchor) = self.anchor_day(account, zone) else {
            return Standing::NoDay;
        };
        let Some((number, period)) = self.period_at(anchor, zone, now) else {
            return Standing::NoDay;
        };
        if number < 0 && self.counts_from_account() {
            return match start_of_day(anchor, zone) {
                Some(start) => Standing::NotBefore(start),
                None => Standing::NoDay,
            };
        }
        let is_before_start = self.starts.is_some_and(|starts| period.first < starts);
        let waits = self.first == FirstGrant::NextPeriod && account.opened_at > period.start;
        if is_before_start || waits {
            return Standing::NotBefore(period.end);
        }
        let starts = self.starts.unwrap_or(NaiveDate::MIN);
        let has_previous = number > 0 || !self.counts_from_account();
        let previous = period.previous.filter(|day| has_previous && *day >= starts);
        Standing::Entitled(Period { previous, ..period })
    }

    /// Returns when the account's next period begins. `None`: the account does not have the
    /// allowance, or the allowance grants nothing to the account.
    pub fn next_renewal(&self, account: &Account, zone: Tz, now: Time) -> Option<Time> {
        match self.standing(account, zone, now) {
            Standing::NotEntitled | Standing::NoDay => None,
            Standing::NotBefore(at) => Some(at),
            Standing::Entitled(period) => Some(period.end),
        }
    }

    /// Returns the reference of the grant for a period that begins on this day.
    pub fn reference(&self, first: NaiveDate, account: &AccountId) -> Reference {
        self.build_reference(first, "", account)
    }

    fn rollover_reference(&self, first: NaiveDate, account: &AccountId) -> Reference {
        self.build_reference(first, ROLLOVER_MARK, account)
    }

    fn build_reference(&self, first: NaiveDate, mark: &str, account: &AccountId) -> Reference {
        let hash = account_hash(account);
        let text = format!("{}{mark}{hash}", self.period_prefix(first));
        Reference::parse(&text).expect("a name of one line, a day and a hash are a reference")
    }

    /// Returns how the references of all grants for a period begin.
    fn period_prefix(&self, first: NaiveDate) -> String {
        format!(
            "{REFERENCE_PREFIX}{}/{}/",
            self.name,
            first.format("%Y-%m-%d")
        )
    }

    /// Returns the first day of the period that this reference grants; `None` for references of
    /// other grants, and of credits that were rolled over.
    pub fn granted_period(&self, reference: &Reference) -> Option<NaiveDate> {
        let rest = reference.as_str().strip_prefix(REFERENCE_PREFIX)?;
        let rest = rest.strip_prefix(self.name.as_str())?.strip_prefix('/')?;
        let (day, account) = rest.split_once('/')?;
        (!account.contains('/')).then(|| day.parse().ok()).flatten()
    }

    /// Returns the credits that are left of the grants of a period, and that have expired at `now`.
    /// `None`: there is no such lot.
    pub fn expired_rest(&self, account: &Account, first: NaiveDate, now: Time) -> Option<Credits> {
        let prefix = self.period_prefix(first);
        let now = account.lot_clock(now);
        let mut rest = None;
        for lot in &account.lots {
            let rest_of_name = lot.grant.as_str().strip_prefix(&prefix);
            if rest_of_name.is_some_and(|name| !name.starts_with(ROLLOVER_MARK)) {
                let expired = if lot.is_unexpired(now) {
                    0
                } else {
                    lot.remaining
                };
                *rest.get_or_insert(0) += expired;
            }
        }
        rest
    }

    /// Decides which grant is due for a period that was not granted yet. `previous_rest` is what was
    /// left of the grant of the period before; `None` if that period was not granted.
    ///
    /// # Errors
    /// Returns the instant before which nothing is due.
    pub fn decide(
        &self,
        period: Period,
        previous_rest: Option<Credits>,
        history: &AllowanceHistory,
        now: Time,
    ) -> Result<DueGrant, Time> {
        if let Some(until) = history.covered_until.filter(|until| *until > now) {
            return Err(until.min(period.end));
        }
        if history
            .covered_until
            .is_some_and(|until| until >= period.end)
        {
            return Err(period.end);
        }
        let rest = previous_rest.unwrap_or_else(|| match self.missed_previous(period, history) {
            true => self.credits,
            false => 0,
        });
        Ok(DueGrant {
            period,
            rolled_over: rest.min(self.rollover),
        })
    }

    /// Returns true if the grant of the period before was missed: the account had earlier grants, and
    /// nothing shows that the account was not to have this one.
    fn missed_previous(&self, period: Period, history: &AllowanceHistory) -> bool {
        let last = history.last_first_day.zip(period.previous);
        let was_granted_before = last.is_some_and(|(last, previous)| last < previous);
        was_granted_before && !history.changed && history.covered_until.is_none()
    }

    /// Returns the facts of a grant.
    pub fn facts(&self, account: &AccountId, due: &DueGrant) -> Vec<Fact> {
        let period = &due.period;
        let name = &self.name;
        let grant = |reference, credits, reason| {
            Fact::Credit(CreditFact::Grant {
                reference,
                account: account.clone(),
                credits,
                expires: Some(period.end),
                terms: LotTerms {
                    source: LotSource::Allowance,
                    priority: self.priority,
                    gates: self.gates.clone(),
                    lasts_after_first_use: None,
                },
                reason,
            })
        };
        let mut facts = Vec::new();
        if due.rolled_over > 0 {
            let reference = self.rollover_reference(period.first, account);
            let reason = format!("allowance {name}: left of the period before");
            facts.push(grant(reference, due.rolled_over, reason));
        }
        let reference = self.reference(period.first, account);
        let reason = format!(
            "allowance {name}: the {} from {}",
            self.unit.as_str(),
            period.first
        );
        facts.push(grant(reference, self.credits, reason));
        facts
    }

    fn counts_from_account(&self) -> bool {
        !matches!(self.anchor, PeriodAnchor::Day(_))
    }

    fn anchor_day(&self, account: &Account, zone: Tz) -> Option<NaiveDate> {
        match &self.anchor {
            PeriodAnchor::Day(day) => Some(*day),
            PeriodAnchor::Opened => Some(account.opened_at.with_timezone(&zone).date_naive()),
            PeriodAnchor::Attribute(name) => parse_day(account.attributes.get(name)?),
        }
    }

    /// Returns the period at `now`, with its number from the anchor.
    fn period_at(&self, anchor: NaiveDate, zone: Tz, now: Time) -> Option<(i64, Period)> {
        let start_of = |number| {
            let day = self.unit.first_day(anchor, number)?;
            Some((day, start_of_day(day, zone)?))
        };
        let today = now.with_timezone(&zone).date_naive();
        let mut number = self.unit.estimate_number(anchor, today);
        // The estimate knows no days within a month.
        let (mut first, mut start) = start_of(number)?;
        while start > now {
            number -= 1;
            (first, start) = start_of(number)?;
        }
        let (mut next, mut end) = start_of(number + 1)?;
        while end <= now {
            number += 1;
            (first, start) = (next, end);
            (next, end) = start_of(number + 1)?;
        }
        let previous = self.unit.first_day(anchor, number - 1);
        let period = Period {
            first,
            start,
            end,
            next,
            previous,
        };
        Some((number, period))
    }
}

impl AllowanceHistory {
    /// Adds a fact of the account's history. The facts must come newest first. Returns false if
    /// earlier facts tell nothing more.
    pub fn add(
        &mut self,
        allowance: &Allowance,
        account: &AccountId,
        period: &Period,
        fact: &Fact,
    ) -> bool {
        match fact {
            Fact::Credit(CreditFact::Grant {
                reference, expires, ..
            }) => {
                let Some(first) = allowance.granted_period(reference) else {
                    return true;
                };
                // A grant of another time zone may begin some hours apart.
                let overlaps = first < period.next && expires.is_none_or(|end| end > period.start);
                if overlaps {
                    let end = expires.unwrap_or(period.end);
                    self.covered_until = self.covered_until.max(Some(end));
                }
                if first < period.first {
                    self.last_first_day = Some(first);
                    return false;
                }
            }
            Fact::Credit(CreditFact::Expire { part, .. }) => {
                let LotPart { grant, credits } = part;
                if allowance
                    .granted_period(grant)
                    .is_some_and(|first| Some(first) == period.previous)
                {
                    self.expired += credits;
                }
            }
            Fact::Account(AccountFact::Merged {
                account: from,
                into,
                ..
            }) => {
                self.changed = true;
                if into == account {
                    self.merged.push(from.clone());
                }
            }
            Fact::Account(
                AccountFact::Described { .. }
                | AccountFact::FreezeChanged { .. }
                | AccountFact::Closed { .. }
                | AccountFact::Reopened { .. }
                | AccountFact::Opened { .. },
            ) => self.changed = true,
            _ => {}
        }
        true
    }
}

/// Returns the facts for all grants of one account that are due: what has expired is written off
/// first. `None`: the account has no room for more lots.
pub fn account_facts(
    account: &Account,
    due: &[(&Allowance, DueGrant)],
    now: Time,
) -> Option<Vec<Fact>> {
    let expired = SpendPreview::new(account).expire_lots(now);
    let lots_left = account.lots.len().saturating_sub(expired.len());
    let mut facts = Fact::expire_parts(&account.id, expired);
    let mut grants = Vec::new();
    for (allowance, due) in due {
        grants.extend(allowance.facts(&account.id, due));
    }
    let has_room = lots_left + grants.len() <= MAX_LOTS;
    facts.extend(grants);
    has_room.then_some(facts)
}

/// Returns when an account gets credits of an allowance next.
pub fn next_renewal(
    allowances: &[Allowance],
    account: &Account,
    zone: Tz,
    now: Time,
) -> Option<Time> {
    let renewals = allowances.iter();
    renewals
        .filter_map(|allowance| allowance.next_renewal(account, zone, now))
        .min()
}

/// Returns the part of a reference that identifies the account.
pub fn account_hash(account: &AccountId) -> String {
    let hash = Sha256::digest(account.as_str());
    { hash.iter().take(ACCOUNT_HASH_BYTES) }
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns true if the reference is that of an allowance's grant.
pub fn is_allowance_reference(reference: &Reference) -> bool {
    reference.as_str().starts_with(REFERENCE_PREFIX)
}

/// Reads a day: `2026-12-01`, alone or at the beginning of an instant.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked("2026-12-01".len())?;
    let day = day.parse().ok()?;
    (rest.is_empty() || rest.starts_with(['T', ' '])).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::SecondsFormat;

    fn time(text: &str) -> Time {
        text.parse().expect("the row holds an instant")
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("the row holds a day")
    }

    fn allowance(unit: PeriodUnit, anchor: PeriodAnchor) -> Allowance {
        Allowance {
            name: "monthly".to_owned(),
            credits: 4,
            rollover: 2,
            unit,
            anchor,
            tiers: BTreeSet::new(),
            accounts: BTreeSet::new(),
            gates: BTreeSet::new(),
            priority: 0,
            starts: None,
            first: FirstGrant::Now,
        }
    }

    fn account(opened: &str) -> Account {
        let id = AccountId::parse("bo@example.com").expect("a name");
        Account::new(id, time(opened))
    }

    /// Rows: the unit, the anchor, the zone, an instant; the first day, the start and the end.
    #[test]
    fn periods_follow_the_calendar_of_the_zone() {
        let berlin = Tz::Europe__Berlin;
        let new_york = Tz::America__New_York;
        let (week, month) = (PeriodUnit::Week, PeriodUnit::Month);
        let (quarter, year) = (PeriodUnit::Quarter, PeriodUnit::Year);
        let rows = [
            // A month with the change to summer time is an hour shorter.
            (
                month,
                "2024-01-01",
                berlin,
                "2026-03-15T12:00:00Z",
                "2026-03-01",
                "2026-02-28T23:00:00Z",
                "2026-03-31T22:00:00Z",
            ),
            (
                month,
                "2024-01-01",
                berlin,
                "2026-03-31T21:59:59Z",
                "2026-03-01",
                "2026-02-28T23:00:00Z",
                "2026-03-31T22:00:00Z",
            ),
            (
                month,
                "2024-01-01",
                berlin,
                "2026-03-31T22:00:00Z",
                "2026-04-01",
                "2026-03-31T22:00:00Z",
                "2026-04-30T22:00:00Z",
            ),
            (
                month,
                "2024-01-01",
                new_york,
                "2026-11-01T05:30:00Z",
                "2026-11-01",
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
            ),
            (
                week,
                "2024-01-01",
                berlin,
                "2026-03-29T12:00:00Z",
                "2026-03-23",
                "2026-03-22T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                week,
                "2024-01-07",
                new_york,
                "2026-03-08T12:00:00Z",
                "2026-03-08",
                "2026-03-08T05:00:00Z",
                "2026-03-15T04:00:00Z",
            ),
            // The anchor lies in the future.
            (
                week,
                "2030-01-07",
                Tz::UTC,
                "2026-12-06T23:00:00Z",
                "2026-11-30",
                "2026-11-30T00:00:00Z",
                "2026-12-07T00:00:00Z",
            ),
            // Half hours, and a change of half an hour.
            (
                month,
                "2024-01-01",
                Tz::Asia__Kolkata,
                "2026-11-30T18:30:00Z",
                "2026-12-01",
                "2026-11-30T18:30:00Z",
                "2026-12-31T18:30:00Z",
            ),
            (
                month,
                "2024-01-01",
                Tz::Australia__Lord_Howe,
                "2026-10-15T00:00:00Z",
                "2026-10-01",
                "2026-09-30T13:30:00Z",
                "2026-10-31T13:00:00Z",
            ),
            // Midnight is skipped on 8 March 2026, and shown twice on 1 November.
            (
                month,
                "2024-01-08",
                Tz::America__Havana,
                "2026-03-08T04:59:59Z",
                "2026-02-08",
                "2026-02-08T05:00:00Z",
                "2026-03-08T05:00:00Z",
            ),
            (
                month,
                "2024-01-08",
                Tz::America__Havana,
                "2026-03-08T05:00:00Z",
                "2026-03-08",
                "2026-03-08T05:00:00Z",
                "2026-04-08T04:00:00Z",
            ),
            (
                month,
                "2024-01-01",
                Tz::America__Havana,
                "2026-11-01T05:00:00Z",
                "2026-11-01",
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
            ),
            // The zone skipped the whole first day.
            (
                year,
                "2010-12-30",
                Tz::Pacific__Apia,
                "2011-12-30T10:00:00Z",
                "2011-12-30",
                "2011-12-30T10:00:00Z",
                "2012-12-29T10:00:00Z",
            ),
            // A day that a month does not have is its last day.
            (
                month,
                "2024-01-31",
                Tz::UTC,
                "2026-02-27T23:59:59Z",
                "2026-01-31",
                "2026-01-31T00:00:00Z",
                "2026-02-28T00:00:00Z",
            ),
            (
                month,
                "2024-01-31",
                Tz::UTC,
                "2026-02-28T00:00:00Z",
                "2026-02-28",
                "2026-02-28T00:00:00Z",
                "2026-03-31T00:00:00Z",
            ),
            (
                month,
                "2024-01-31",
                Tz::UTC,
                "2028-02-29T00:00:00Z",
                "2028-02-29",
                "2028-02-29T00:00:00Z",
                "2028-03-31T00:00:00Z",
            ),
            (
                month,
                "2024-01-30",
                Tz::UTC,
                "2026-02-28T12:00:00Z",
                "2026-02-28",
                "2026-02-28T00:00:00Z",
                "2026-03-30T00:00:00Z",
            ),
            (
                quarter,
                "2024-01-01",
                Tz::UTC,
                "2026-12-31T23:59:59Z",
                "2026-10-01",
                "2026-10-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                quarter,
                "2024-11-30",
                Tz::UTC,
                "2027-02-28T00:00:00Z",
                "2027-02-28",
                "2027-02-28T00:00:00Z",
                "2027-05-30T00:00:00Z",
            ),
            (
                year,
                "2024-01-01",
                berlin,
                "2026-12-31T23:00:00Z",
                "2027-01-01",
                "2026-12-31T23:00:00Z",
                "2027-12-31T23:00:00Z",
            ),
            // Anniversaries of 29 February.
            (
                year,
                "2024-02-29",
                Tz::UTC,
                "2026-02-28T00:00:00Z",
                "2026-02-28",
                "2026-02-28T00:00:00Z",
                "2027-02-28T00:00:00Z",
            ),
            (
                year,
                "2024-02-29",
                Tz::UTC,
                "2028-02-28T23:59:59Z",
                "2027-02-28",
                "2027-02-28T00:00:00Z",
                "2028-02-29T00:00:00Z",
            ),
            (
                year,
                "2024-02-29",
                Tz::UTC,
                "2028-02-29T00:00:00Z",
                "2028-02-29",
                "2028-02-29T00:00:00Z",
                "2029-02-28T00:00:00Z",
            ),
        ];
        for (unit, anchor, zone, now, first, start, end) in rows {
            let allowance = allowance(unit, PeriodAnchor::Day(day(anchor)));
            let found = allowance.standing(&account("2020-01-01T00:00:00Z"), zone, time(now));
            let Standing::Entitled(period) = found else {
                panic!("{unit:?} {anchor} {zone} {now}: {found:?}");
            };
            let shown = |at: Time| at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let found = (
                period.first.to_string(),
                shown(period.start),
                shown(period.end),
            );
            let expect = (first.to_owned(), start.to_owned(), end.to_owned());
            assert_eq!(found, expect, "{unit:?} {anchor} {zone} {now}");
        }
    }

    /// Rows: the attribute `since`, when the account was opened, and what the allowance is on
    /// 1 December 2026, by the anniversary of the attribute and by that of the opening.
    #[test]
    fn anniversaries_belong_to_the_account() {
        let now = time("2026-12-01T12:00:00Z");
        let rows = [
            (
                Some("2020-05-03"),
                "2020-02-29T10:00:00Z",
                "2026-05-03",
                "2026-02-28",
            ),
            (
                Some("2020-12-01T08:00:00Z"),
                "2026-12-01T12:00:00Z",
                "2026-12-01",
                "2026-12-01",
            ),
            (
                Some("2020-12-02"),
                "2026-11-30T23:59:59Z",
                "2025-12-02",
                "2026-11-30",
            ),
            (
                Some("2027-01-01"),
                "2025-12-01T00:00:00Z",
                "not before 2027-01-01",
                "2026-12-01",
            ),
            (
                Some("3 May 2020"),
                "2025-12-01T00:00:00Z",
                "no day",
                "2026-12-01",
            ),
            (
                Some("2020-05-031"),
                "2025-12-01T00:00:00Z",
                "no day",
                "2026-12-01",
            ),
            (
                Some("2021-02-29"),
                "2025-12-01T00:00:00Z",
                "no day",
                "2026-12-01",
            ),
            (None, "2025-12-01T00:00:00Z", "no day", "2026-12-01"),
        ];
        let show = |standing| match standing {
            Standing::NotEntitled => "not entitled".to_owned(),
            Standing::NoDay => "no day".to_owned(),
            Standing::NotBefore(at) => format!("not before {}", at.date_naive()),
            Standing::Entitled(period) => period.first.to_string(),
        };
        for (since, opened, by_attribute, by_opening) in rows {
            let mut account = account(opened);
            let since = since.map(|since| ("since".to_owned(), since.to_owned()));
            account.attributes.extend(since.clone());
            let anchors = [
                (PeriodAnchor::Attribute("since".to_owned()), by_attribute),
                (PeriodAnchor::Opened, by_opening),
            ];
            for (anchor, expect) in anchors {
                let allowance = allowance(PeriodUnit::Year, anchor);
                let found = show(allowance.standing(&account, Tz::UTC, now));
                assert_eq!(found, expect, "{since:?} {opened}");
            }
        }
    }

    type Change = fn(&mut Allowance, &mut Account);

    /// Rows: what is changed, and the first day of the period of 1 December 2026.
    #[test]
    fn entitlement_depends_on_account_and_terms() {
        let now = time("2026-12-10T12:00:00Z");
        let id = || AccountId::parse("bo@example.com").expect("a name");
        let next_month = Standing::NotBefore(time("2027-01-01T00:00:00Z"));
        let entitled = |previous: Option<&str>| {
            Standing::Entitled(Period {
                first: day("2026-12-01"),
                start: time("2026-12-01T00:00:00Z"),
                end: time("2027-01-01T00:00:00Z"),
                next: day("2027-01-01"),
                previous: previous.map(day),
            })
        };
        let always = entitled(Some("2026-11-01"));
        let rows: [(&str, Change, Standing); 13] = [
            ("nothing", |_, _| {}, always),
            (
                "frozen",
                |_, a| a.freeze_reason = Some("x".to_owned()),
                Standing::NotEntitled,
            ),
            (
                "closed",
                |_, a| {
                    a.closed = Some(crate::domain::account::Closing {
                        reason: String::new(),
                        merged_into: None,
                    })
                },
                Standing::NotEntitled,
            ),
            (
                "another tier",
                |of, _| of.tiers = ["gold".to_owned()].into(),
                Standing::NotEntitled,
            ),
            (
                "the tier",
                |of, a| {
                    of.tiers = ["gold".to_owned()].into();
                    a.tier = Some("gold".to_owned());
                },
                always,
            ),
            (
                "named, without the tier",
                |of, a| {
                    of.tiers = ["gold".to_owned()].into();
                    of.accounts = [a.id.clone()].into();
                },
                always,
            ),
            (
                "not named",
                |of, _| of.accounts = AccountId::parse("al@example.com").into_iter().collect(),
                Standing::NotEntitled,
            ),
            (
                "starts with this period",
                |of, _| of.starts = Some(day("2026-12-01")),
                entitled(None),
            ),
            (
                "starts within this period",
                |of, _| of.starts = Some(day("2026-12-02")),
                Standing::NotBefore(time("2027-01-01T00:00:00Z")),
            ),
            (
                "started before",
                |of, _| of.starts = Some(day("2026-11-01")),
                always,
            ),
            (
                "opened within the period",
                |_, a| a.opened_at = time("2026-12-05T00:00:00Z"),
                always,
            ),
            (
                "opened within the period, and waits",
                |of, a| {
                    of.first = FirstGrant::NextPeriod;
                    a.opened_at = time("2026-12-05T00:00:00Z");
                },
                next_month,
            ),
            (
                "opened before the period, and waits no more",
                |of, a| {
                    of.first = FirstGrant::NextPeriod;
                    a.opened_at = time("2026-12-01T00:00:00Z");
                },
                always,
            ),
        ];
        for (why, change, expect) in rows {
            let mut allowance = allowance(PeriodUnit::Month, PeriodAnchor::Day(day("2024-01-01")));
            let mut account = Account::new(id(), time("2020-01-01T00:00:00Z"));
            change(&mut allowance, &mut account);
            assert_eq!(allowance.standing(&account, Tz::UTC, now), expect, "{why}");
        }
    }

    #[test]
    fn references_name_the_period_and_no_address() {
        let mut allowance = allowance(PeriodUnit::Month, PeriodAnchor::Opened);
        let bo = AccountId::parse("bo@example.com").expect("a name");
        let own = allowance.reference(day("2026-12-01"), &bo);
        assert_eq!(
            own.as_str(),
            "allowance/monthly/2026-12-01/c828d6b93b6a39e9d963"
        );
        assert_eq!(allowance.granted_period(&own), Some(day("2026-12-01")));
        let rolled_over = allowance.rollover_reference(day("2026-12-01"), &bo);
        assert_eq!(allowance.granted_period(&rolled_over), None);
        allowance.name = "x".repeat(64);
        let longest = AccountId::parse(&"a".repeat(320)).expect("a name");
        let long = allowance.rollover_reference(day("2026-12-01"), &longest);
        assert!(long.as_str().len() < 130, "{long}");
        assert_eq!(allowance.granted_period(&own), None, "another allowance");
    }
}
