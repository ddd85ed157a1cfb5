//! The command that adds up the credits of all accounts by month. The present credits are those of the
//! accounts; what happened since the first month is subtracted from them, so that the command reads
//! all accounts and the flows since then, and no history.

use chrono::{Datelike, Months, NaiveDate};
use chrono_tz::Tz;

use super::{accounts, parse};
use crate::control::protocol::accounting::{AccountingMonthView, AccountingView};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour, credits_in_lots};
use crate::domain::decision::Credits;
use crate::domain::time::{Time, start_of_day};
use crate::store::port::Store;

/// The most months of one answer.
const MAX_MONTHS: usize = 120;

/// How many months there are before the last one if the command does not say.
const DEFAULT_EARLIER_MONTHS: u32 = 11;

/// Accounts that are read at once.
const ACCOUNTS_PAGE: u32 = 1_000;

/// What is owed at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Owed {
    /// To members: in lots and on hold.
    credits: i64,
    /// The part on hold.
    held: i64,
    /// By members: lent and not settled.
    debt: i64,
}

impl Owed {
    /// Returns what was owed before these flows.
    fn before(self, flows: &CreditFlows) -> Self {
        Self {
            credits: self.credits - flows.owed(),
            held: self.held - flows.held,
            debt: self.debt - (flows.lent - flows.repaid),
        }
    }
}

/// Adds up the credits of the months from the first to the last, both included.
///
/// # Errors
/// Fails when a month is none, when there are too many, and when the store cannot be read.
pub fn show(
    store: &dyn Store,
    zone: Tz,
    now: Time,
    (from, to): (Option<&str>, Option<&str>),
) -> Result<CommandResult, Refusal> {
    let months = months(zone, now, from, to)?;
    let mut periods = Vec::with_capacity(months.len());
    for month in months {
        let end = month.checked_add_months(Months::new(1));
        let end = end.and_then(|end| start_of_day(end, zone));
        let (Some(start), Some(end)) = (start_of_day(month, zone), end) else {
            return Err(parse::usage(format!("the month {month} is too late")));
        };
        let flows = sum_flows(store, QuarterHour::of(start), QuarterHour::before(end))?;
        periods.push((month, end, flows));
    }
    let last = periods.last().map(|(_, end, _)| *end);
    let later = QuarterHour::of(last.unwrap_or(now));
    let later = sum_flows(store, later, QuarterHour(u32::MAX))?;
    let (owed, expired_not_recorded) = owed_now(store, now)?;
    let mut closing = owed.before(&later);
    let mut views = Vec::with_capacity(periods.len());
    for (month, end, flows) in periods.iter().rev() {
        let opening = closing.before(flows);
        views.push(month_view(*month, *end <= now, flows, (opening, closing)));
        closing = opening;
    }
    views.reverse();
    Ok(CommandResult::Accounting(AccountingView {
        schema: SCHEMA,
        zone: zone.name().to_owned(),
        months: views,
        expired_not_recorded,
    }))
}

/// Returns the first day of each month that is asked for.
fn months(
    zone: Tz,
    now: Time,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<Vec<NaiveDate>, Refusal> {
    let present = now.with_timezone(&zone).date_naive();
    let last = match to {
        Some(text) => parse_month("to", text)?,
        None => present.with_day(1).unwrap_or(present),
    };
    let first = match from {
        Some(text) => parse_month("from", text)?,
        None => { last.checked_sub_months(Months::new(DEFAULT_EARLIER_MONTHS)) }.unwrap_or(last),
    };
    if first > last {
        return Err(parse::usage(format!(
            "the first month is {} and the last one {}; the first one comes first",
            first.format("%Y-%m"),
            last.format("%Y-%m")
        )));
    }
    let mut months = Vec::new();
    let mut next = Some(first);
    while let Some(month) = next.filter(|month| *month <= last) {
        if months.len() == MAX_MONTHS {
            return Err(parse::usage(format!(
                "these are more than {MAX_MONTHS} months; name fewer"
            )));
        }
        months.push(month);
        next = month.checked_add_months(Months::new(1));
    }
    Ok(months)
}

fn parse_month(name: &str, text: &str) -> Result<NaiveDate, Refusal> {
    let is_long = text.len() == "2026-01".len();
    let day = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d");
    let month = day.ok().filter(|day| is_long && day.year() >= 1970);
    month.ok_or_else(|| {
        parse::usage(format!(
            "{name}: {text:?} is not a month since 1970 (expected something like 2026-01)"
        ))
    })
}

fn sum_flows(
    store: &dyn Store,
    first: QuarterHour,
    last: QuarterHour,
) -> Result<CreditFlows, Refusal> {
    let flows = store.credit_flows(first, last);
    let mut sum = CreditFlows::default();
    for (_, flows) in flows.map_err(|e| parse::store_failed(&e))? {
        sum.add(&flows);
    }
    Ok(sum)
}

/// Returns what is owed now, and how many of these credits are past their expiry.
fn owed_now(store: &dyn Store, now: Time) -> Result<(Owed, Credits), Refusal> {
    let mut owed = Owed::default();
    let mut expired: Credits = 0;
    let mut after = None;
    loop {
        let (page, next) = accounts::read_page(store, after.as_deref(), ACCOUNTS_PAGE)?;
        for account in &page {
            let credits = credits_in_lots(account) + account.totals.held;
            owed.credits += credits.cast_signed();
            owed.held += account.totals.held.cast_signed();
            owed.debt += account.totals.debt().cast_signed();
            expired += past_expiry(account, now);
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok((owed, expired)),
        }
    }
}

fn past_expiry(account: &Account, now: Time) -> Credits {
    credits_in_lots(account) - account.available(now)
}

fn month_view(
    month: NaiveDate,
    complete: bool,
    flows: &CreditFlows,
    (opening, closing): (Owed, Owed),
) -> AccountingMonthView {
    AccountingMonthView {
        month: month.format("%Y-%m").to_string(),
        complete,
        opening: opening.credits,
        granted_paid: flows.granted_paid,
        granted_promotional: flows.granted_promotional,
        granted_allowance: flows.granted_allowance,
        refunded: flows.refunded - flows.restored,
        restored: flows.restored,
        lent: flows.lent,
        repaid: flows.repaid,
        used: flows.used,
        expired: flows.expired,
        revoked: flows.revoked,
        transferred: flows.sent,
        closing: closing.credits,
        held: closing.held,
        debt: closing.debt,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_fixtures::now;
    use super::*;
    use crate::domain::account::LotPart;
    use crate::domain::fact::{CreditFact, Fact};
    use crate::domain::id::{AccountId, Reference};
    use crate::domain::lot::{LotSource, LotTerms};
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    fn accounting(store: &MemoryStore, zone: Tz, from: &str, to: &str) -> AccountingView {
        let result = show(store, zone, now(), (Some(from), Some(to)));
        let CommandResult::Accounting(view) = result.unwrap() else {
            panic!("monthly accounts");
        };
        view
    }

    fn grant(number: usize, credits: Credits, source: LotSource, expires: Option<Time>) -> Fact {
        Fact::Credit(CreditFact::Grant {
            reference: Reference::parse(&format!("g{number}")).unwrap(),
            account: AccountId::parse("bo@example.com").unwrap(),
            credits,
            expires,
            terms: LotTerms {
                source,
                ..LotTerms::default()
            },
            reason: "dues".to_owned(),
        })
    }

    fn revoke(number: usize, of: usize, credits: Credits) -> Fact {
        Fact::Credit(CreditFact::Revoke {
            reference: Reference::parse(&format!("r{number}")).unwrap(),
            account: AccountId::parse("bo@example.com").unwrap(),
            parts: vec![LotPart {
                grant: Reference::parse(&format!("g{of}")).unwrap(),
                credits,
            }],
            reason: "left".to_owned(),
        })
    }

    #[test]
    fn a_month_begins_at_midnight_of_the_zone() {
        let mut store = MemoryStore::new();
        // In Berlin, November begins at 23:00 UTC, and in Kathmandu at 18:15 UTC.
        let rows = [
            ("22:59:59Z", 1),
            ("23:00:00Z", 10),
            ("18:14:59Z", 100),
            ("18:15:00Z", 1_000),
        ];
        for (number, (time, credits)) in rows.into_iter().enumerate() {
            let at: Time = format!("2026-10-31T{time}").parse().unwrap();
            let fact = grant(number, credits, LotSource::Paid, None);
            store.commit(at, vec![fact], &[]).unwrap();
        }
        let expected = [
            (Tz::Europe__Berlin, 1_101, 10),
            (Tz::Asia__Kathmandu, 100, 1_011),
            (Tz::UTC, 1_111, 0),
        ];
        for (zone, october, november) in expected {
            let view = accounting(&store, zone, "2026-10", "2026-11");
            let granted: Vec<i64> = view.months.iter().map(|month| month.granted_paid).collect();
            assert_eq!(granted, [october, november], "{zone}");
            assert_eq!(view.months[1].opening, october);
            assert_eq!(view.months[1].closing, 1_111);
        }
    }

    #[test]
    fn credits_past_their_expiry_are_owed_until_that_is_recorded() {
        let mut store = MemoryStore::new();
        let expires = now() - Span::days(20);
        let fact = grant(1, 4, LotSource::Promotional, Some(expires));
        store
            .commit(now() - Span::days(40), vec![fact], &[])
            .unwrap();
        let view = accounting(&store, Tz::UTC, "2026-10", "2026-12");
        assert_eq!(view.expired_not_recorded, 4);
        assert_eq!(view.months[2].closing, 4);
        assert!(view.months[1].complete && !view.months[2].complete);
        let account = AccountId::parse("bo@example.com").unwrap();
        let part = LotPart {
            grant: Reference::parse("g1").unwrap(),
            credits: 4,
        };
        let expire = Fact::Credit(CreditFact::Expire { account, part });
        store.commit(now(), vec![expire], &[]).unwrap();
        let view = accounting(&store, Tz::UTC, "2026-10", "2026-12");
        assert_eq!(view.expired_not_recorded, 0);
        let closing: Vec<i64> = view.months.iter().map(|month| month.closing).collect();
        assert_eq!(closing, [4, 4, 0]);
        assert_eq!(view.months[2].expired, 4);
    }

    #[test]
    fn what_is_no_range_of_months_is_refused() {
        let store = MemoryStore::new();
        for (from, to, expect) in [
            ("2026-13", "2026-12", "not a month"),
            ("2026-1", "2026-12", "not a month"),
            ("1969-12", "2026-12", "not a month"),
            ("2026-12", "2026-11", "the first one comes first"),
            ("2000-01", "2026-12", "more than 120 months"),
        ] {
            let refusal = show(&store, Tz::UTC, now(), (Some(from), Some(to))).unwrap_err();
            assert_eq!(refusal.code, "usage");
            assert!(refusal.text.contains(expect), "{refusal}");
        }
        // Without months these are the last twelve.
        let Ok(CommandResult::Accounting(view)) = show(&store, Tz::UTC, now(), (None, None)) else {
            panic!("monthly accounts");
        };
        let names: Vec<&str> = view
            .months
            .iter()
            .map(|month| month.month.as_str())
            .collect();
        assert_eq!(
            (names.len(), names[0], names[11]),
            (12, "2026-01", "2026-12")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The months are those that a plain count over all commits gives, in any zone, even if the
        /// clock was set back in between.
        #[test]
        fn months_are_those_of_a_count_over_the_commits(
            entries in prop::collection::vec(
                (0..3_u8, 1..9_u64, 0..60_i64 * 24 * 60), 1..40),
            zone in prop::sample::select(vec![
                Tz::UTC,
                Tz::Europe__Berlin,
                Tz::America__New_York,
                Tz::Asia__Kolkata,
                Tz::Australia__Lord_Howe,
            ]),
        ) {
            let mut store = MemoryStore::new();
            let start: Time = "2026-09-20T00:00:00Z".parse().unwrap();
            let mut counted = std::collections::BTreeMap::new();
            let mut owed = 0;
            for (number, (kind, credits, minute)) in entries.into_iter().enumerate() {
                let at = start + Span::minutes(minute);
                let (fact, change) = match kind {
                    0 => (grant(number, credits, LotSource::Paid, None), credits as i64),
                    1 => (grant(number, credits, LotSource::Allowance, None), credits as i64),
                    _ => {
                        let of = number.saturating_sub(1);
                        (revoke(number, of, 1), -1)
                    }
                };
                if store.commit(at, vec![fact], &[]).is_err() {
                    continue;
                }
                owed += change;
                let month = at.with_timezone(&zone).format("%Y-%m").to_string();
                let of_month: &mut (i64, i64) = counted.entry(month).or_default();
                if change > 0 { of_month.0 += change } else { of_month.1 -= change }
            }
            let view = accounting(&store, zone, "2026-08", "2026-12");
            let mut opening = 0;
            for month in view.months {
                let (granted, revoked) = counted.remove(&month.month).unwrap_or_default();
                prop_assert_eq!(month.opening, opening);
                prop_assert_eq!(month.granted_paid + month.granted_allowance, granted);
                prop_assert_eq!(month.revoked, revoked);
                opening += granted - revoked;
                prop_assert_eq!(month.closing, opening);
            }
            prop_assert_eq!(opening, owed);
            prop_assert!(counted.is_empty());
        }
    }
}
