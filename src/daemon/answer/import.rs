//! Giving credits by the hundred: all rows or none, and the same rows twice count once.

use std::collections::{BTreeMap, BTreeSet};

use super::credits::{existing, expired, grant_fact, same};
use super::{members, near_names, parse};
use crate::control::protocol::account::{ImportView, NearView};
use crate::control::protocol::{Answer, ImportRow, Refusal, SCHEMA};
use crate::domain::account::Account;
use crate::domain::fact::{Fact, MAX_FACTS};
use crate::domain::id::{AccountId, Reference};
use crate::domain::ledger::{Given, GivenKind};
use crate::domain::time::Time;
use crate::store::port::Store;

/// Problems named of one import; with more, the file is the wrong one.
const MAX_PROBLEMS: usize = 100;

/// Names shown that are nearly those of other accounts.
const MAX_NEAR: usize = 20;

/// All rows or none: every bad row is named by its line.
pub fn import(
    store: &mut dyn Store,
    now: Time,
    rows: &[ImportRow],
    dry_run: bool,
) -> Result<Answer, Refusal> {
    if rows.len() > MAX_FACTS / 2 {
        return Err(parse::usage(format!(
            "{} rows are more than one import may have ({}): split the file",
            rows.len(),
            MAX_FACTS / 2
        )));
    }
    let mut sorted = Sorted::new(store, now, rows.len(), dry_run);
    for row in rows {
        if let Err(refusal) = sorted.add(row) {
            let problem = format!("line {}: {}", row.line, refusal.text);
            sorted.problems.push(problem);
        }
    }
    let (facts, view) = sorted.finish()?;
    if !dry_run && !facts.is_empty() {
        store
            .commit(now, facts, &[])
            .map_err(|e| parse::commit_failed(&e))?;
        tracing::info!(rows = view.granted, credits = view.credits, "imported");
    }
    Ok(Answer::Import(view))
}

/// The rows so far, as facts or as problems.
struct Sorted<'a> {
    store: &'a dyn Store,
    now: Time,
    problems: Vec<String>,
    facts: Vec<Fact>,
    /// The line of each reference.
    lines: BTreeMap<Reference, u64>,
    opened: BTreeSet<AccountId>,
    /// Accounts whose write-offs are among the facts.
    seen: BTreeSet<AccountId>,
    told: BTreeMap<AccountId, Told>,
    view: ImportView,
}

/// What the rows of one account say of it, and in which line.
#[derive(Default)]
struct Told {
    tier: Option<(String, u64)>,
    tags: Option<(BTreeSet<String>, u64)>,
}

impl<'a> Sorted<'a> {
    fn new(store: &'a dyn Store, now: Time, rows: usize, dry_run: bool) -> Self {
        Self {
            store,
            now,
            problems: Vec::new(),
            facts: Vec::new(),
            lines: BTreeMap::new(),
            opened: BTreeSet::new(),
            seen: BTreeSet::new(),
            told: BTreeMap::new(),
            view: ImportView {
                schema: SCHEMA,
                rows,
                granted: 0,
                existed: 0,
                credits: 0,
                accounts_opened: 0,
                accounts_described: 0,
                near: Vec::new(),
                dry_run,
            },
        }
    }

    fn add(&mut self, row: &ImportRow) -> Result<(), Refusal> {
        if row.credits == 0 {
            return self.open(row);
        }
        let (wanted, existed) = row_of(self.store, self.now, row)?;
        if let Some(line) = self.lines.insert(wanted.reference.clone(), row.line) {
            return Err(parse::usage(format!(
                "the reference {:?} was used in line {line} already",
                wanted.reference.as_str()
            )));
        }
        self.describe(&wanted.account, row)?;
        if existed {
            self.view.existed += 1;
            return Ok(());
        }
        self.view.granted += 1;
        self.view.credits += wanted.credits;
        if self.account(&wanted.account)?.is_none() {
            self.opened.insert(wanted.account.clone());
        }
        if self.seen.insert(wanted.account.clone()) {
            let expired = expired(self.store, &wanted.account, self.now)?;
            self.facts.extend(expired);
        }
        self.facts.push(grant_fact(&wanted));
        Ok(())
    }

    /// A row with 0 credits, as exports of other systems have them: the member gets an account, and
    /// the ledger gets no grant.
    fn open(&mut self, row: &ImportRow) -> Result<(), Refusal> {
        let account = parse::account_id(self.store, &row.account)?;
        self.describe(&account, row)?;
        let there = self.account(&account)?.is_some();
        if there || !self.opened.insert(account.clone()) {
            self.view.existed += 1;
            return Ok(());
        }
        self.facts.push(Fact::Opened { account });
        Ok(())
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, Refusal> {
        self.store.account(id).map_err(|e| parse::store_failed(&e))
    }

    /// Remembers tier and tags; all rows of an account have to agree.
    fn describe(&mut self, account: &AccountId, row: &ImportRow) -> Result<(), Refusal> {
        let contradicts = |what: &str, line: u64| {
            parse::usage(format!("line {line} gives {account} another {what}"))
        };
        let told = self.told.entry(account.clone()).or_default();
        if let Some(tier) = &row.tier {
            let tier = members::word("the tier", tier)?;
            match &told.tier {
                Some((other, line)) if *other != tier => return Err(contradicts("tier", *line)),
                Some(_) => {}
                None => told.tier = Some((tier, row.line)),
            }
        }
        if !row.tags.is_empty() {
            let tags = row.tags.iter().map(|tag| members::word("the tag", tag));
            let tags = members::bounded_tags(tags.collect::<Result<_, _>>()?)?;
            match &told.tags {
                Some((other, line)) if *other != tags => {
                    return Err(contradicts("list of tags", *line));
                }
                Some(_) => {}
                None => told.tags = Some((tags, row.line)),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Vec<Fact>, ImportView), Refusal> {
        if !self.problems.is_empty() {
            let count = self.problems.len();
            self.problems.truncate(MAX_PROBLEMS);
            if count > MAX_PROBLEMS {
                self.problems
                    .push(format!("and {} more", count - MAX_PROBLEMS));
            }
            return Err(parse::usage(format!(
                "nothing was imported:\n  {}",
                self.problems.join("\n  ")
            )));
        }
        // After the grants, which open the accounts.
        for (id, told) in std::mem::take(&mut self.told) {
            let there = self.account(&id)?;
            let there = there.unwrap_or_else(|| Account::new(id, self.now));
            let changed = Account {
                tier: told.tier.map(|(tier, _)| tier).or(there.tier.clone()),
                tags: told.tags.map_or(there.tags.clone(), |(tags, _)| tags),
                ..there.clone()
            };
            if changed != there {
                self.view.accounts_described += 1;
                self.facts.push(members::described(&changed));
            }
        }
        self.view.accounts_opened = self.opened.len();
        let near = near_names::find(self.store, &self.opened, MAX_NEAR)?;
        let near = near.into_iter().map(|(account, there)| NearView {
            account: account.to_string(),
            there: there.to_string(),
        });
        self.view.near = near.collect();
        Ok((self.facts, self.view))
    }
}

/// One row as a grant, and whether it was made before.
fn row_of(store: &dyn Store, now: Time, row: &ImportRow) -> Result<(Given, bool), Refusal> {
    let account = parse::account_id(store, &row.account)?;
    let mut wanted = Given {
        reference: parse::reference(&row.reference)?,
        account,
        credits: parse::credits(row.credits)?,
        kind: GivenKind::Grant,
        expires: row
            .expires
            .as_deref()
            .map(|text| parse::time("the expiry", text))
            .transpose()?,
        reason: parse::reason(row.reason.as_deref(), "imported")?,
        at: now,
    };
    if let Some(there) = existing(store, &wanted.reference)? {
        same(&there, &wanted)?;
        return Ok((wanted, true));
    }
    wanted.expires = parse::expiry(row.expires.as_deref(), now)?;
    Ok((wanted, false))
}

#[cfg(test)]
mod tests {
    use super::super::make::{now, store};
    use super::*;

    fn row(line: u64, account: &str, credits: u64) -> ImportRow {
        ImportRow {
            line,
            account: account.to_owned(),
            credits,
            expires: None,
            reason: None,
            reference: format!("row-{line}"),
            tier: Some("gold".to_owned()),
            tags: Vec::new(),
        }
    }

    /// A list of members may hold people with names that are alike, so they are shown and not refused.
    #[test]
    fn names_that_are_nearly_those_of_others_are_shown() {
        let mut store = store(2);
        let rows = [
            row(2, "bo@exmaple.com", 1),
            row(3, "cy@example.com", 1),
            row(4, "bo@example.com", 1),
        ];
        for (dry_run, near) in [(true, 1), (false, 1), (false, 0)] {
            let Ok(Answer::Import(view)) = import(&mut store, now(), &rows, dry_run) else {
                panic!("it is imported");
            };
            assert_eq!(view.near.len(), near);
            for near in view.near {
                assert_eq!(near.account, "bo@exmaple.com");
                assert_eq!(near.there, "bo@example.com");
            }
        }
    }

    #[test]
    fn a_row_with_no_credits_opens_the_account_once() {
        let mut store = store(2);
        let rows = [
            row(2, "nul@example.com", 0),
            row(3, "bo@example.com", 0),
            row(4, "nul@example.com", 1),
            row(5, "cy@example.com", 3),
            row(6, "cy@example.com", 0),
        ];
        for (round, opened) in [(1, 2), (2, 0)] {
            let Ok(Answer::Import(view)) = import(&mut store, now(), &rows, false) else {
                panic!("round {round}");
            };
            assert_eq!(view.accounts_opened, opened, "round {round}");
        }
        let available = |account: &str| {
            let id = AccountId::parse(account).unwrap();
            let there = store.account(&id).unwrap().unwrap();
            (there.available(now()), there.tier)
        };
        let gold = Some("gold".to_owned());
        assert_eq!(available("nul@example.com"), (1, gold.clone()));
        assert_eq!(available("bo@example.com"), (2, gold.clone()));
        assert_eq!(available("cy@example.com"), (3, gold));
    }
}
