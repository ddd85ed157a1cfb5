//! Imports many grants: all rows or none, and rows that are imported twice count once.

use std::collections::{BTreeMap, BTreeSet};

use super::credits::{check_same_grant, expiry_facts, find_grant_record, to_grant_fact};
use super::{members, parse, similar_names};
use crate::control::protocol::account::{ImportView, SimilarNameView};
use crate::control::protocol::credits::{ImportProblem, ImportRow};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::domain::account::Account;
use crate::domain::fact::{AccountFact, Fact, MAX_FACTS};
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{AccountId, Reference};
use crate::domain::lot::LotTerms;
use crate::domain::time::Time;
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// Most problems listed for one import; with more, the wrong file was given.
const MAX_PROBLEMS: usize = 1_000;

/// Most names shown that are nearly those of other accounts.
const MAX_SIMILAR: usize = 20;

/// Imports all rows or none. `problems` are those that the file showed before; with any, nothing is
/// imported. A refusal lists everything that is wrong with every row, with its line.
pub fn import(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    (rows, problems): (&[ImportRow], &[ImportProblem]),
    dry_run: bool,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    if rows.len() > MAX_FACTS / 2 {
        return Err(parse::usage(format!(
            "{} rows are more than one import may have ({}): split the file",
            rows.len(),
            MAX_FACTS / 2
        )));
    }
    let ((view, is_written), _) = transact(store, &stamp, |store| {
        let mut builder = ImportBuilder::new(store, now, rows.len(), dry_run);
        builder.problems = problems.to_vec();
        for row in rows {
            builder.add_row(row);
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
    problems: Vec<ImportProblem>,
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

    /// Adds a row, or everything that is wrong with it.
    fn add_row(&mut self, row: &ImportRow) {
        let mut problems = RowProblems(Vec::new());
        self.check_and_add(row, &mut problems);
        let problems = problems.0.into_iter();
        self.problems.extend(problems.map(|text| ImportProblem {
            line: row.line,
            text,
        }));
    }

    /// Adds a row, unless something is wrong with it. Everything is checked before the first
    /// problem ends this.
    fn check_and_add(&mut self, row: &ImportRow, problems: &mut RowProblems) {
        let account = problems.keep(self.resolve_account(&row.account));
        let attributes = problems.keep_attributes(row);
        let grant = match &account {
            Some(account) if row.credits > 0 => self.parse_grant(account.clone(), row, problems),
            Some(_) | None => None,
        };
        if let (Some(account), Some(attributes)) = (&account, attributes) {
            problems.keep(self.record_attributes(account, attributes, row.line));
        }
        if !problems.0.is_empty() {
            return;
        }
        match (grant, account) {
            (Some((_, true)), _) => self.view.already_imported += 1,
            (Some((record, false)), _) => {
                problems.keep(self.add_grant(&record));
            }
            (None, Some(account)) => {
                problems.keep(self.open_account(account));
            }
            (None, None) => {}
        }
    }

    /// Returns the account that the name leads to, or the one that it opens.
    fn resolve_account(&self, name: &str) -> Result<AccountId, Refusal> {
        let account = parse::resolve_account_id(self.store, name)?;
        if self.read_account(&account)?.is_none() {
            parse::check_new_account_name(&account)?;
        }
        Ok(account)
    }

    /// Parses a row as a grant, and returns whether the grant was made before.
    fn parse_grant(
        &mut self,
        account: AccountId,
        row: &ImportRow,
        problems: &mut RowProblems,
    ) -> Option<(GrantRecord, bool)> {
        let reference = problems.keep(parse::reference(&row.reference));
        let credits = problems.keep(parse::credits(row.credits));
        let reason = problems.keep(parse::reason(row.reason.as_deref(), "imported"));
        let existing = match &reference {
            Some(reference) => problems.keep(find_grant_record(self.store, reference))?,
            None => None,
        };
        // A row that was imported before counts for nothing, although its credits have expired.
        let expires = problems.keep(match &existing {
            Some(_) => row
                .expires
                .as_deref()
                .map(|text| parse::time("the expiry", text))
                .transpose(),
            None => parse::expiry(row.expires.as_deref(), self.now),
        });
        let record = GrantRecord {
            reference: reference?,
            account,
            credits: credits?,
            kind: GrantKind::Grant,
            expires: expires?,
            terms: LotTerms::default(),
            reason: reason?,
            at: self.now,
        };
        if let Some(existing_record) = &existing {
            problems.keep(check_same_grant(existing_record, &record))?;
        }
        let earlier_line = self
            .line_of_reference
            .insert(record.reference.clone(), row.line);
        if let Some(line) = earlier_line {
            problems.0.push(format!(
                "the reference {:?} was used in line {line} already",
                record.reference.as_str()
            ));
        }
        Some((record, existing.is_some()))
    }

    fn add_grant(&mut self, record: &GrantRecord) -> Result<(), Refusal> {
        self.view.granted += 1;
        self.view.credits += record.credits;
        if self.read_account(&record.account)?.is_none() {
            self.opened_accounts.insert(record.account.clone());
        }
        if self.written_off_accounts.insert(record.account.clone()) {
            let expired = expiry_facts(self.store, &record.account, self.now)?;
            self.facts.extend(expired);
        }
        self.facts.push(to_grant_fact(record));
        Ok(())
    }

    /// Opens an account for a row with 0 credits, as exports of other systems have them; the ledger
    /// gets no grant.
    fn open_account(&mut self, account: AccountId) -> Result<(), Refusal> {
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
    fn record_attributes(
        &mut self,
        account: &AccountId,
        (tier, tags): (Option<String>, Option<BTreeSet<String>>),
        row_line: u64,
    ) -> Result<(), Refusal> {
        let contradicts = |what: &str, line: u64| {
            parse::usage(format!("line {line} gives {account} another {what}"))
        };
        let attributes = self.attributes.entry(account.clone()).or_default();
        if let Some(tier) = tier {
            match &attributes.tier {
                Some((other, line)) if *other != tier => return Err(contradicts("tier", *line)),
                Some(_) => {}
                None => attributes.tier = Some((tier, row_line)),
            }
        }
        if let Some(tags) = tags {
            match &attributes.tags {
                Some((other, line)) if *other != tags => {
                    return Err(contradicts("list of tags", *line));
                }
                Some(_) => {}
                None => attributes.tags = Some((tags, row_line)),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Vec<Fact>, ImportView), Refusal> {
        if !self.problems.is_empty() {
            return Err(refuse_problems(self.problems));
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

/// Returns the refusal that lists the problems in the order of their lines.
fn refuse_problems(mut problems: Vec<ImportProblem>) -> Refusal {
    problems.sort_by_key(|problem| problem.line);
    let shown = problems.iter().take(MAX_PROBLEMS);
    let mut lines: Vec<String> = shown
        .map(|problem| format!("line {}: {}", problem.line, problem.text))
        .collect();
    if problems.len() > MAX_PROBLEMS {
        lines.push(format!("and {} more", problems.len() - MAX_PROBLEMS));
    }
    parse::usage(format!("nothing was imported:\n  {}", lines.join("\n  ")))
}

/// Everything that is wrong with one row, as texts for an operator.
struct RowProblems(Vec<String>);

impl RowProblems {
    /// Returns the value, or keeps why there is none.
    fn keep<T>(&mut self, result: Result<T, Refusal>) -> Option<T> {
        result.map_err(|refusal| self.0.push(refusal.text)).ok()
    }

    /// Returns the tier and the tags of a row, as far as it has any.
    fn keep_attributes(
        &mut self,
        row: &ImportRow,
    ) -> Option<(Option<String>, Option<BTreeSet<String>>)> {
        let tier = row.tier.as_deref();
        let tier = tier.map(|tier| members::parse_word("the tier", tier));
        let tier = self.keep(tier.transpose());
        let tags = row.tags.iter();
        let tags = tags.map(|tag| members::parse_word("the tag", tag));
        let tags: Result<BTreeSet<String>, Refusal> = tags.collect();
        let tags = self.keep(tags.and_then(members::bounded_tags))?;
        Some((tier?, (!tags.is_empty()).then_some(tags)))
    }
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
            let Ok(CommandResult::Import(view)) = import(&mut store, now(), (&rows, &[]), dry_run)
            else {
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
            let Ok(CommandResult::Import(view)) = import(&mut store, now(), (&rows, &[]), false)
            else {
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

    /// The problems of the file itself and those that the ledger finds are listed together.
    #[test]
    fn a_refusal_lists_everything_that_is_wrong_with_every_row() {
        let mut store = store_with_credits(2);
        let expired = Some("2026-11-30T23:00:00Z".to_owned());
        let rows = [
            ImportRow {
                expires: expired.clone(),
                tier: Some("two words".to_owned()),
                ..row(3, "cy@example.com", 1)
            },
            row(4, "@example.com", 1),
            row(5, "di@example.com", 1),
            ImportRow {
                expires: expired,
                ..row(6, "di@example.com", 0)
            },
        ];
        let problems = [ImportProblem {
            line: 2,
            text: "\"x\" is not a number".to_owned(),
        }];
        let before = store.head().seq;
        let refusal = import(&mut store, now(), (&rows, &problems), false).unwrap_err();
        let lines: Vec<&str> = refusal.text.lines().collect();
        let expect = [
            "nothing was imported:",
            "  line 2: \"x\" is not a number",
            "  line 3: the tier \"two words\" contains a space",
            "  line 3: the expiry 2026-11-30T23:00:00Z is not in the future",
            "  line 4: no account \"@example.com\" can be opened",
        ];
        assert_eq!(lines.len(), expect.len(), "{refusal}");
        for (line, expect) in lines.iter().zip(expect) {
            assert!(line.starts_with(expect), "{line}");
        }
        assert_eq!(store.head().seq, before);
        // A file that has problems of its own is refused although all of its rows are good.
        let rows = [row(5, "di@example.com", 1)];
        import(&mut store, now(), (&rows, &problems), false).unwrap_err();
        assert_eq!(store.head().seq, before);
    }
}
