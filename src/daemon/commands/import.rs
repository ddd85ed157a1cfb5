//! Imports many grants: all rows or none, and rows that are imported twice count once.

use std::collections::{BTreeMap, BTreeSet};

use super::credits::{check_same_grant, expiry_facts, find_grant_record, to_grant_fact};
use super::{members, parse, similar_names};
use crate::control::protocol::account::{ImportView, SimilarNameView};
use crate::control::protocol::{CommandResult, ImportRow, Refusal, SCHEMA};
use crate::domain::account::Account;
use crate::domain::fact::{AccountFact, Fact, MAX_FACTS};
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{AccountId, Reference};
use crate::domain::time::Time;
use crate::store::port::Store;
use crate::store::transaction::transact;

/// Most problems listed for one import; with more, the wrong file was given.
const MAX_PROBLEMS: usize = 100;

/// Most names shown that are nearly those of other accounts.
const MAX_SIMILAR: usize = 20;

/// Imports all rows or none. A refusal lists every bad row with its line.
pub fn import(
    store: &mut dyn Store,
    now: Time,
    rows: &[ImportRow],
    dry_run: bool,
) -> Result<CommandResult, Refusal> {
    if rows.len() > MAX_FACTS / 2 {
        return Err(parse::usage(format!(
            "{} rows are more than one import may have ({}): split the file",
            rows.len(),
            MAX_FACTS / 2
        )));
    }
    let ((view, is_written), _) = transact(store, now, |store| {
        let mut builder = ImportBuilder::new(store, now, rows.len(), dry_run);
        for row in rows {
            if let Err(refusal) = builder.add_row(row) {
                let problem = format!("line {}: {}", row.line, refusal.text);
                builder.problems.push(problem);
            }
        }
        let (mut facts, view) = builder.finish()?;
        if dry_run {
            facts.clear();
        }
        let is_written = !facts.is_empty();
        Ok::<_, Refusal>((facts, (view, is_written)))
    })?;
    if is_written {
        tracing::info!(rows = view.granted, credits = view.credits, "imported");
    }
    Ok(CommandResult::Import(view))
}

/// Collects the rows as facts or as problems.
struct ImportBuilder<'a> {
    store: &'a dyn Store,
    now: Time,
    problems: Vec<String>,
    facts: Vec<Fact>,
    /// The line in which each reference was used.
    line_of_reference: BTreeMap<Reference, u64>,
    opened_accounts: BTreeSet<AccountId>,
    /// Accounts whose expired lots are already written off among the facts.
    written_off_accounts: BTreeSet<AccountId>,
    attributes: BTreeMap<AccountId, RowAttributes>,
    view: ImportView,
}

/// The tier and tags that the rows of one account give, and the line of each.
#[derive(Default)]
struct RowAttributes {
    tier: Option<(String, u64)>,
    tags: Option<(BTreeSet<String>, u64)>,
}

impl<'a> ImportBuilder<'a> {
    fn new(store: &'a dyn Store, now: Time, rows: usize, dry_run: bool) -> Self {
        Self {
            store,
            now,
            problems: Vec::new(),
            facts: Vec::new(),
            line_of_reference: BTreeMap::new(),
            opened_accounts: BTreeSet::new(),
            written_off_accounts: BTreeSet::new(),
            attributes: BTreeMap::new(),
            view: ImportView {
                schema: SCHEMA,
                rows,
                granted: 0,
                already_imported: 0,
                credits: 0,
                accounts_opened: 0,
                accounts_updated: 0,
                similar_names: Vec::new(),
                dry_run,
            },
        }
    }

    fn add_row(&mut self, row: &ImportRow) -> Result<(), Refusal> {
        if row.credits == 0 {
            return self.open_account(row);
        }
        let (record, existed) = parse_row(self.store, self.now, row)?;
        if let Some(line) = self
            .line_of_reference
            .insert(record.reference.clone(), row.line)
        {
            return Err(parse::usage(format!(
                "the reference {:?} was used in line {line} already",
                record.reference.as_str()
            )));
        }
        self.record_attributes(&record.account, row)?;
        if existed {
            self.view.already_imported += 1;
            return Ok(());
        }
        self.view.granted += 1;
        self.view.credits += record.credits;
        if self.read_account(&record.account)?.is_none() {
            self.opened_accounts.insert(record.account.clone());
        }
        if self.written_off_accounts.insert(record.account.clone()) {
            let expired = expiry_facts(self.store, &record.account, self.now)?;
            self.facts.extend(expired);
        }
        self.facts.push(to_grant_fact(&record));
        Ok(())
    }

    /// Opens an account for a row with 0 credits, as exports of other systems have them; the ledger
    /// gets no grant.
    fn open_account(&mut self, row: &ImportRow) -> Result<(), Refusal> {
        let account = parse::resolve_account_id(self.store, &row.account)?;
        self.record_attributes(&account, row)?;
        let exists = self.read_account(&account)?.is_some();
        if exists || !self.opened_accounts.insert(account.clone()) {
            self.view.already_imported += 1;
            return Ok(());
        }
        self.facts
            .push(Fact::Account(AccountFact::Opened { account }));
        Ok(())
    }

    fn read_account(&self, id: &AccountId) -> Result<Option<Account>, Refusal> {
        self.store.account(id).map_err(|e| parse::store_failed(&e))
    }

    /// Collects tier and tags. All rows of an account have to agree.
    fn record_attributes(&mut self, account: &AccountId, row: &ImportRow) -> Result<(), Refusal> {
        let contradicts = |what: &str, line: u64| {
            parse::usage(format!("line {line} gives {account} another {what}"))
        };
        let attributes = self.attributes.entry(account.clone()).or_default();
        if let Some(tier) = &row.tier {
            let tier = members::parse_word("the tier", tier)?;
            match &attributes.tier {
                Some((other, line)) if *other != tier => return Err(contradicts("tier", *line)),
                Some(_) => {}
                None => attributes.tier = Some((tier, row.line)),
            }
        }
        if !row.tags.is_empty() {
            let tags = row
                .tags
                .iter()
                .map(|tag| members::parse_word("the tag", tag));
            let tags = members::bounded_tags(tags.collect::<Result<_, _>>()?)?;
            match &attributes.tags {
                Some((other, line)) if *other != tags => {
                    return Err(contradicts("list of tags", *line));
                }
                Some(_) => {}
                None => attributes.tags = Some((tags, row.line)),
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
        // These facts come after the grants, because the grants open the accounts.
        for (id, attributes) in std::mem::take(&mut self.attributes) {
            let stored = self.read_account(&id)?;
            let account = stored.unwrap_or_else(|| Account::new(id, self.now));
            let changed = Account {
                tier: attributes
                    .tier
                    .map(|(tier, _)| tier)
                    .or(account.tier.clone()),
                tags: attributes
                    .tags
                    .map_or(account.tags.clone(), |(tags, _)| tags),
                ..account.clone()
            };
            if changed != account {
                self.view.accounts_updated += 1;
                self.facts.push(members::to_described_fact(&changed));
            }
        }
        self.view.accounts_opened = self.opened_accounts.len();
        let similar =
            similar_names::find_similar_names(self.store, &self.opened_accounts, MAX_SIMILAR)?;
        let similar_views = similar.into_iter().map(|(account, there)| SimilarNameView {
            account: account.to_string(),
            existing_account: there.to_string(),
        });
        self.view.similar_names = similar_views.collect();
        Ok((self.facts, self.view))
    }
}

/// Parses one row as a grant, and returns whether the grant was made before.
fn parse_row(
    store: &dyn Store,
    now: Time,
    row: &ImportRow,
) -> Result<(GrantRecord, bool), Refusal> {
    let account = parse::resolve_account_id(store, &row.account)?;
    let mut record = GrantRecord {
        reference: parse::reference(&row.reference)?,
        account,
        credits: parse::credits(row.credits)?,
        kind: GrantKind::Grant,
        expires: row
            .expires
            .as_deref()
            .map(|text| parse::time("the expiry", text))
            .transpose()?,
        reason: parse::reason(row.reason.as_deref(), "imported")?,
        at: now,
    };
    if let Some(existing_record) = find_grant_record(store, &record.reference)? {
        check_same_grant(&existing_record, &record)?;
        return Ok((record, true));
    }
    record.expires = parse::expiry(row.expires.as_deref(), now)?;
    Ok((record, false))
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{now, store_with_credits};
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

    /// A list of members may contain people with similar names, so similar names are reported and
    /// not refused.
    #[test]
    fn similar_names_are_reported() {
        let mut store = store_with_credits(2);
        let rows = [
            row(2, "bo@exmaple.com", 1),
            row(3, "cy@example.com", 1),
            row(4, "bo@example.com", 1),
        ];
        for (dry_run, near) in [(true, 1), (false, 1), (false, 0)] {
            let Ok(CommandResult::Import(view)) = import(&mut store, now(), &rows, dry_run) else {
                panic!("it is imported");
            };
            assert_eq!(view.similar_names.len(), near);
            for near in view.similar_names {
                assert_eq!(near.account, "bo@exmaple.com");
                assert_eq!(near.existing_account, "bo@example.com");
            }
        }
    }

    #[test]
    fn a_row_with_no_credits_opens_the_account_once() {
        let mut store = store_with_credits(2);
        let rows = [
            row(2, "nul@example.com", 0),
            row(3, "bo@example.com", 0),
            row(4, "nul@example.com", 1),
            row(5, "cy@example.com", 3),
            row(6, "cy@example.com", 0),
        ];
        for (round, opened) in [(1, 2), (2, 0)] {
            let Ok(CommandResult::Import(view)) = import(&mut store, now(), &rows, false) else {
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
