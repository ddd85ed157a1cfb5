//! Grants in a ledger in memory: what rolls over, what was missed, and that nothing is granted twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use proptest::prelude::*;

use maitred::domain::account::{Account, SpendPreview};
use maitred::domain::allowance::{Allowance, FirstGrant, PeriodAnchor, PeriodUnit};
use maitred::domain::decision::Credits;
use maitred::domain::fact::{AccountFact, CreditFact, Fact};
use maitred::domain::id::{AccountId, Address, Reference};
use maitred::domain::lot::{LotTerms, Purpose};
use maitred::domain::time::Time;
use maitred::reconcile::allowances::GrantTerms;
use maitred::store::memory::MemoryStore;
use maitred::store::port::{CommitSource as _, Store as _};

fn time(text: &str) -> Time {
    text.parse().expect("an instant")
}

fn bo() -> AccountId {
    AccountId::parse("bo@example.com").expect("a name")
}

fn monthly() -> Allowance {
    Allowance {
        name: "monthly".to_owned(),
        credits: 4,
        rollover: 2,
        unit: PeriodUnit::Month,
        anchor: PeriodAnchor::Day(NaiveDate::from_ymd_opt(2024, 1, 1).expect("a day")),
        tiers: BTreeSet::new(),
        accounts: BTreeSet::new(),
        gates: BTreeSet::new(),
        priority: 0,
        starts: None,
        first: FirstGrant::Now,
    }
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).expect("a reference")
}

/// A ledger with the account of Bo.
struct Club {
    store: MemoryStore,
    allowances: Vec<Allowance>,
    zone: Tz,
}

impl Club {
    fn new(allowance: Allowance) -> Self {
        let mut club = Self {
            store: MemoryStore::new(),
            allowances: vec![allowance],
            zone: Tz::UTC,
        };
        let opened = AccountFact::Opened { account: bo() };
        club.commit("2026-01-01T00:00:00Z", Fact::Account(opened));
        club
    }

    fn commit(&mut self, at: &str, fact: Fact) {
        let result = self.store.commit(time(at), vec![fact], &[]);
        result.expect("the fact fits");
    }

    /// Grants what is due, and returns the credits that the grants gave and those rolled over.
    fn grant(&mut self, at: &str) -> (Credits, Credits) {
        self.grant_at(time(at))
    }

    fn grant_at(&mut self, now: Time) -> (Credits, Credits) {
        let terms = GrantTerms {
            allowances: self.allowances.clone(),
            zone: self.zone,
            now,
            is_counted_only: false,
        };
        let ids = self.store.accounts(None, 64).expect("accounts");
        let ids: Vec<AccountId> = ids.into_iter().map(|account| account.id).collect();
        let decided = terms.decide_grants(&self.store, &ids);
        let (facts, outcome) = decided.expect("the store can be read");
        if !facts.is_empty() {
            self.store.commit(now, facts, &[]).expect("the facts fit");
        }
        assert_eq!(outcome.refused, 0);
        let credits = outcome.grants.iter();
        let credits = credits.map(|(number, _)| self.allowances[*number].credits);
        let rolled_over = outcome.grants.iter().map(|(_, due)| due.rolled_over);
        (credits.sum(), rolled_over.sum())
    }

    fn account(&self) -> Account {
        let account = self.store.account(&bo()).expect("readable");
        account.expect("an account")
    }

    fn available(&self, at: &str) -> Credits {
        self.account().available(time(at))
    }

    /// Takes credits, as a booking would.
    fn spend(&mut self, at: &str, name: &str, credits: Credits) {
        let purpose = Purpose::without_booking(time(at));
        let parts = self.account().allocate(credits, &purpose);
        let revoke = CreditFact::Revoke {
            reference: reference(name),
            account: bo(),
            parts: parts.expect("enough credits"),
            reason: "spent".to_owned(),
        };
        self.commit(at, Fact::Credit(revoke));
    }

    /// Writes off what has expired, as commands do.
    fn write_off(&mut self, at: &str) {
        let account = self.account();
        let parts = SpendPreview::new(&account).expire_lots(time(at));
        let facts = Fact::expire_parts(&account.id, parts);
        self.store
            .commit(time(at), facts, &[])
            .expect("written off");
    }

    fn freeze(&mut self, at: &str, is_frozen: bool) {
        let change = AccountFact::FreezeChanged {
            account: bo(),
            reason: is_frozen.then(|| "no fee".to_owned()),
            stops_expiry: false,
        };
        self.commit(at, Fact::Account(change));
    }
}

#[test]
fn a_period_is_granted_once_and_expires_at_its_end() {
    let mut club = Club::new(monthly());
    assert_eq!(club.grant("2026-12-01T00:00:00Z"), (4, 0));
    let head = club.store.head();
    assert_eq!(club.grant("2026-12-01T00:00:00Z"), (0, 0));
    assert_eq!(club.grant("2026-12-31T23:59:59.999Z"), (0, 0));
    assert_eq!(club.store.head(), head, "nothing is written");
    assert_eq!(club.available("2026-12-31T23:59:59.999Z"), 4);
    assert_eq!(club.available("2027-01-01T00:00:00Z"), 0);
    let lot = club.account().lots[0].clone();
    assert_eq!(lot.terms.source.as_str(), "allowance");
}

/// Rows: the credits that are spent, whether the expiry is recorded before the grants, and the credits
/// that roll over.
#[test]
fn what_is_left_rolls_over_once_up_to_the_limit() {
    let rows = [
        (0, false, 2),
        (0, true, 2),
        (1, true, 2),
        (3, false, 1),
        (3, true, 1),
        (4, false, 0),
        (4, true, 0),
    ];
    for (spent, is_written_off, expect) in rows {
        let mut club = Club::new(monthly());
        club.grant("2026-11-15T00:00:00Z");
        if spent > 0 {
            club.spend("2026-11-16T00:00:00Z", "november", spent);
        }
        if is_written_off {
            club.write_off("2026-12-01T00:00:01Z");
        }
        let row = format!("{spent} {is_written_off}");
        assert_eq!(club.grant("2026-12-01T00:00:02Z"), (4, expect), "{row}");
        assert_eq!(club.available("2026-12-02T00:00:00Z"), 4 + expect, "{row}");
        // Credits that were rolled over do not roll over again.
        if expect == 2 {
            club.spend("2026-12-03T00:00:00Z", "december", 5);
            assert_eq!(club.grant("2027-01-01T00:00:00Z"), (4, 1), "{row}");
        }
        assert!(club.account().adds_up());
    }
}

/// Rows: what happens between the grant of October and 10 December, and what is granted then. In
/// November no pass ran.
#[test]
fn a_missed_period_only_rolls_over() {
    type Meanwhile = fn(&mut Club);
    let rows: [(&str, Meanwhile, (Credits, Credits)); 4] = [
        ("nothing", |_| {}, (4, 2)),
        (
            "no rollover",
            |club| club.allowances[0].rollover = 0,
            (4, 0),
        ),
        (
            "frozen meanwhile",
            |club| {
                club.freeze("2026-11-01T00:00:00Z", true);
                club.freeze("2026-12-02T00:00:00Z", false);
            },
            (4, 0),
        ),
        (
            "another allowance",
            |club| club.allowances[0].name = "weekly".to_owned(),
            (4, 0),
        ),
    ];
    for (why, meanwhile, expect) in rows {
        let mut club = Club::new(monthly());
        club.grant("2026-10-01T00:00:00Z");
        meanwhile(&mut club);
        assert_eq!(club.grant("2026-12-10T00:00:00Z"), expect, "{why}");
        assert_eq!(club.grant("2026-12-10T00:00:00Z"), (0, 0), "{why}");
    }
    let mut club = Club::new(monthly());
    assert_eq!(
        club.grant("2026-12-10T00:00:00Z"),
        (4, 0),
        "no earlier grant"
    );
}

#[test]
fn a_frozen_account_gets_the_current_period_after_the_freeze() {
    let mut club = Club::new(monthly());
    club.freeze("2026-11-01T00:00:00Z", true);
    assert_eq!(club.grant("2026-12-01T00:00:00Z"), (0, 0));
    club.freeze("2026-12-20T00:00:00Z", false);
    assert_eq!(club.grant("2026-12-20T00:00:01Z"), (4, 0));
}

/// An edit of the amount counts from the next period on, and an edit of the period grants nothing
/// before the last grant has ended.
#[test]
fn edits_within_a_period_grant_nothing_twice() {
    let mut club = Club::new(monthly());
    club.grant("2026-12-01T00:00:00Z");
    club.allowances[0].credits = 9;
    assert_eq!(club.grant("2026-12-02T00:00:00Z"), (0, 0));
    club.allowances[0].unit = PeriodUnit::Week;
    assert_eq!(club.grant("2026-12-09T00:00:00Z"), (0, 0));
    assert_eq!(club.grant("2026-12-31T23:59:59Z"), (0, 0));
    // The week from 28 December has the rest of its days.
    assert_eq!(club.grant("2027-01-01T00:00:00Z"), (9, 0));
    assert_eq!(club.grant("2027-01-04T00:00:00Z"), (9, 2));
    // In the zone of New York the month of January begins five hours later.
    club.allowances[0].unit = PeriodUnit::Month;
    club.zone = Tz::America__New_York;
    assert_eq!(club.grant("2027-01-10T00:00:00Z"), (0, 0));
    assert_eq!(club.grant("2027-01-11T00:00:00Z"), (9, 0));
}

#[test]
fn an_account_that_is_renamed_or_merged_gets_no_second_grant() {
    let mut club = Club::new(monthly());
    club.grant("2026-12-01T00:00:00Z");
    let merged = AccountFact::Merged {
        account: bo(),
        into: AccountId::parse("bea@example.com").expect("a name"),
        credits: 4,
        charges: Vec::new(),
        reason: "renamed".to_owned(),
    };
    let opened = AccountFact::Opened {
        account: AccountId::parse("bea@example.com").expect("a name"),
    };
    let facts = vec![Fact::Account(opened), Fact::Account(merged)];
    let result = club.store.commit(time("2026-12-05T00:00:00Z"), facts, &[]);
    result.expect("the facts fit");
    assert_eq!(club.grant("2026-12-06T00:00:00Z"), (0, 0));
    // The rest of the lots of the old name rolls over.
    assert_eq!(club.grant("2027-01-01T00:00:00Z"), (4, 2));
}

/// One thing that happens to the club.
#[derive(Debug, Clone)]
enum Step {
    /// The clock shows this many hours after the beginning, and a pass runs.
    Pass(i64),
    Credits(Credits),
    Rollover(Credits),
    Unit(u8),
    Anchor(u32),
    Zone(u8),
    Spend(Credits),
    Freeze(bool),
    AddAlias,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..24 * 400i64).prop_map(Step::Pass),
        1 => (1..9u64).prop_map(Step::Credits),
        1 => (0..5u64).prop_map(Step::Rollover),
        1 => (0..4u8).prop_map(Step::Unit),
        1 => (1..28u32).prop_map(Step::Anchor),
        1 => (0..3u8).prop_map(Step::Zone),
        3 => (1..6u64).prop_map(Step::Spend),
        1 => any::<bool>().prop_map(Step::Freeze),
        1 => Just(Step::AddAlias),
    ]
}

impl Club {
    fn take(&mut self, step: &Step, now: Time, number: usize) {
        let allowance = &mut self.allowances[0];
        match step {
            Step::Pass(_) => {}
            Step::Credits(credits) => allowance.credits = *credits,
            Step::Rollover(credits) => allowance.rollover = *credits,
            Step::Unit(unit) => {
                let units = [
                    PeriodUnit::Week,
                    PeriodUnit::Month,
                    PeriodUnit::Quarter,
                    PeriodUnit::Year,
                ];
                allowance.unit = units[usize::from(*unit)];
            }
            Step::Anchor(day) => {
                let anchor = NaiveDate::from_ymd_opt(2024, 1, *day).expect("a day");
                allowance.anchor = PeriodAnchor::Day(anchor);
            }
            Step::Zone(zone) => {
                let zones = [Tz::UTC, Tz::Europe__Berlin, Tz::America__Havana];
                self.zone = zones[usize::from(*zone)];
            }
            Step::Spend(credits) => {
                let credits = self.account().available(now).min(*credits);
                if credits > 0 {
                    self.spend(&now.to_rfc3339(), &format!("spent {number}"), credits);
                }
            }
            Step::Freeze(is_frozen) => self.freeze(&now.to_rfc3339(), *is_frozen),
            Step::AddAlias => {
                let alias = Address::parse(&format!("bo{number}@example.com")).expect("an address");
                let added = AccountFact::AliasAdded {
                    account: bo(),
                    alias,
                };
                self.commit(&now.to_rfc3339(), Fact::Account(added));
            }
        }
    }
}

proptest! {
    /// Whatever the clock shows and whatever is edited: each period is granted at most once, with at
    /// most the amount of that moment, and no more rolls over than the limit of that moment.
    #[test]
    fn each_period_is_granted_at_most_once(steps in prop::collection::vec(step(), 1..40)) {
        let mut club = Club::new(monthly());
        let mut now = time("2026-02-01T00:00:00Z");
        let mut granted: BTreeMap<String, Credits> = BTreeMap::new();
        let mut known = club.store.head().seq;
        for (number, step) in steps.iter().enumerate() {
            if let Step::Pass(hours) = step {
                now = time("2026-02-01T00:00:00Z") + chrono::TimeDelta::hours(*hours);
                let (credits, rolled_over) = club.grant_at(now);
                let limits = &club.allowances[0];
                prop_assert!(credits <= limits.credits, "one period at a time");
                prop_assert!(rolled_over <= limits.rollover);
            } else {
                club.take(step, now, number);
            }
            for commit in club.store.commits(known, 100).expect("commits") {
                known = commit.seq;
                for fact in commit.facts {
                    let Fact::Credit(CreditFact::Grant { reference, credits, expires, terms, .. }) = fact else {
                        continue;
                    };
                    prop_assert!(terms != LotTerms::default());
                    prop_assert!(expires.is_some_and(|at| at > now), "the credits can be spent");
                    let again = granted.insert(reference.to_string(), credits);
                    prop_assert_eq!(again, None, "{} was granted before", reference);
                }
            }
            let account = club.account();
            prop_assert!(account.adds_up());
            prop_assert_eq!(account.totals.granted, granted.values().sum::<Credits>());
            if matches!(step, Step::Pass(_)) {
                prop_assert_eq!(club.grant_at(now), (0, 0), "a pass right after a pass");
            }
        }
    }

    /// With a clock that only goes forward, the grants of one account do not overlap in time, also if
    /// the periods are edited.
    #[test]
    fn grants_do_not_overlap_in_time(steps in prop::collection::vec(step(), 1..40)) {
        let mut club = Club::new(monthly());
        let mut now = time("2026-02-01T00:00:00Z");
        let mut covered_until = Time::MIN_UTC;
        for (number, step) in steps.iter().enumerate() {
            if let Step::Pass(hours) = step {
                now += chrono::TimeDelta::hours(hours % 500);
                let known = club.store.head().seq;
                club.grant_at(now);
                for fact in club.store.commits(known, 1).expect("commits").into_iter().flat_map(|c| c.facts) {
                    let Fact::Credit(CreditFact::Grant { reference, expires, .. }) = fact else {
                        continue;
                    };
                    if club.allowances[0].granted_period(&reference).is_some() {
                        prop_assert!(covered_until <= now, "{reference} at {now}, covered until {covered_until}");
                        covered_until = expires.expect("an end");
                    }
                }
            } else {
                club.take(step, now, number);
            }
        }
    }
}
