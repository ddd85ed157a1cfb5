//! Imports many grants: all rows or none, and rows that are imported twice count once.

use std::collections::{BTreeMap, BTreeSet};

use super::credits::{check_same_grant, expiry_facts, find_grant_record, to_grant_fact};
use super::{aliases, members, parse, similar_names};
use crate::control::protocol::account::{ImportView, SimilarNameView};
use crate::control::protocol::credits::{ImportProblem, ImportRow};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::domain::account::{Account, MAX_ALIASES};
use crate::domain::fact::{AccountFact, Fact, MAX_FACTS};
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{AccountId, Address, Reference};
use crate::domain::lot::LotTerms;
use crate::domain::time::Time;
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// Most problems listed for one import; with more, the wrong file was given.
const MAX_PROBLEMS: usize = 1_000;

/// Most names shown that are nearly those of other accounts.
const MAX_SIMILAR: usize = 20;

/// What is done with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// They are imported.
    Write,
    /// Nothing is written.
    DryRun,
    /// Nothing is written, and problems are returned instead of refusing the rows.
    Check,
}

/// Imports all rows or none. `problems` are those that the file showed before; with any, nothing is
/// imported. A refusal lists everything that is wrong with every row, with its line.
pub fn import(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    (rows, problems): (&[ImportRow], &[ImportProblem]),
    mode: ImportMode,
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
        let mut builder = ImportBuilder::new(store, now, rows.len(), mode);
        builder.problems = problems.to_vec();
        for row in rows {
            builder.add_row(row);
        }
        let (mut facts, view) = builder.finish()?;
        if mode != ImportMode::Write {
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
    details: BTreeMap<AccountId, RowDetails>,
    /// The account that each new alias leads to, and its line.
    new_aliases: BTreeMap<Address, (AccountId, u64)>,
    mode: ImportMode,
    view: ImportView,
}

/// What the rows of one account say about it, and the line of each.
#[derive(Default)]
struct RowDetails {
    tier: Option<(String, u64)>,
    tags: Option<(BTreeSet<String>, u64)>,
    attributes: BTreeMap<String, (String, u64)>,
}

/// What one row says about its account.
struct AccountDetails {
    tier: Option<String>,
    tags: Option<BTreeSet<String>>,
    attributes: BTreeMap<String, String>,
    aliases: Vec<Address>,
}

impl<'a> ImportBuilder<'a> {
    fn new(store: &'a dyn Store, now: Time, rows: usize, mode: ImportMode) -> Self {
        Self {
            store,
            now,
            problems: Vec::new(),
            facts: Vec::new(),
            line_of_reference: BTreeMap::new(),
            opened_accounts: BTreeSet::new(),
            written_off_accounts: BTreeSet::new(),
            details: BTreeMap::new(),
            new_aliases: BTreeMap::new(),
            mode,
            view: ImportView {
                schema: SCHEMA,
                rows,
                granted: 0,
                already_imported: 0,
                credits: 0,
                accounts_opened: 0,
                accounts_updated: 0,
                parts: 1,
                problems: Vec::new(),
                problem_count: 0,
                doubtful: Vec::new(),
                ignored_columns: Vec::new(),
                similar_names: Vec::new(),
                dry_run: mode != ImportMode::Write,
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
        let details = problems.keep_details(row);
        let grant = match &account {
            Some(account) if row.credits > 0 => self.parse_grant(account.clone(), row, problems),
            Some(_) | None => None,
        };
        if let (Some(account), Some(details)) = (&account, details) {
            self.record_details(account, details, row.line, problems);
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

    /// Collects what rows say about their accounts. All rows of an account have to agree.
    fn record_details(
        &mut self,
        account: &AccountId,
        details: AccountDetails,
        row_line: u64,
        problems: &mut RowProblems,
    ) {
        let known = self.details.entry(account.clone()).or_default();
        let mut contradicts = |what: &str, line: u64| {
            problems
                .0
                .push(format!("line {line} gives {account} another {what}"));
        };
        if let Some(tier) = details.tier {
            match &known.tier {
                Some((other, line)) if *other != tier => contradicts("tier", *line),
                Some(_) => {}
                None => known.tier = Some((tier, row_line)),
            }
        }
        if let Some(tags) = details.tags {
            match &known.tags {
                Some((other, line)) if *other != tags => contradicts("list of tags", *line),
                Some(_) => {}
                None => known.tags = Some((tags, row_line)),
            }
        }
        for (name, value) in details.attributes {
            match known.attributes.get(&name) {
                Some((other, line)) if *other != value => {
                    contradicts(&format!("attribute {name}"), *line);
                }
                Some(_) => {}
                None => drop(known.attributes.insert(name, (value, row_line))),
            }
        }
        for alias in details.aliases {
            problems.keep(self.record_alias(account, alias, row_line));
        }
    }

    /// Collects an alias that does not lead to the account yet.
    fn record_alias(
        &mut self,
        account: &AccountId,
        alias: Address,
        row_line: u64,
    ) -> Result<(), Refusal> {
        if AccountId::from(&alias) == *account {
            return Ok(());
        }
        if let Some((other, line)) = self.new_aliases.get(&alias) {
            if other == account {
                return Ok(());
            }
            return Err(parse::usage(format!(
                "line {line} gives the alias {alias} to {other}"
            )));
        }
        let stored = self.read_account(account)?;
        let account_or_new = stored.unwrap_or_else(|| Account::new(account.clone(), self.now));
        if account_or_new.aliases.contains(&alias) {
            return Ok(());
        }
        aliases::check_alias_is_free(self.store, &account_or_new, &alias)?;
        self.new_aliases.insert(alias, (account.clone(), row_line));
        Ok(())
    }

    /// Finds new aliases that are the names of accounts which other rows open, and accounts with too
    /// many aliases.
    fn check_new_aliases(&mut self) -> Result<(), Refusal> {
        let mut counts: BTreeMap<&AccountId, (usize, u64)> = BTreeMap::new();
        for (alias, (account, line)) in &self.new_aliases {
            if self.opened_accounts.contains(&AccountId::from(alias)) {
                self.problems.push(ImportProblem {
                    line: *line,
                    text: format!(
                        "the alias {alias} is the name of another account that this file opens"
                    ),
                });
            }
            let count = counts.entry(account).or_insert((0, *line));
            count.0 += 1;
        }
        for (account, (count, line)) in counts {
            let there = self.store.account(account);
            let there = there.map_err(|e| parse::store_failed(&e))?;
            let all = count + there.map_or(0, |there| there.aliases.len());
            if all > MAX_ALIASES {
                self.problems.push(ImportProblem {
                    line,
                    text: format!(
                        "an account has at most {MAX_ALIASES} aliases, and {account} would have \
                         {all}"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Returns the facts that give accounts another tier, other tags or other attributes, and counts
    /// the accounts that change.
    fn describe_accounts(&mut self) -> Result<Vec<Fact>, Refusal> {
        let mut facts = Vec::new();
        let mut updated: BTreeSet<AccountId> = self
            .new_aliases
            .values()
            .map(|(account, _)| account.clone())
            .collect();
        for (id, details) in std::mem::take(&mut self.details) {
            let stored = self.read_account(&id)?;
            let account = stored.unwrap_or_else(|| Account::new(id, self.now));
            let mut attributes = account.attributes.clone();
            let first_line = details.attributes.values().map(|(_, line)| *line).min();
            let new = details.attributes.into_iter();
            attributes.extend(new.map(|(name, (value, _))| (name, value)));
            if let (Err(refusal), Some(line)) =
                (members::bounded_attributes(&attributes), first_line)
            {
                self.problems.push(ImportProblem {
                    line,
                    text: refusal.text,
                });
            }
            let changed = Account {
                tier: details.tier.map(|(tier, _)| tier).or(account.tier.clone()),
                tags: details.tags.map_or(account.tags.clone(), |(tags, _)| tags),
                attributes,
                ..account.clone()
            };
            if changed != account {
                updated.insert(changed.id.clone());
                facts.push(members::to_described_fact(&changed));
            }
        }
        self.view.accounts_updated = updated.len();
        Ok(facts)
    }

    fn finish(mut self) -> Result<(Vec<Fact>, ImportView), Refusal> {
        let described = self.describe_accounts()?;
        self.check_new_aliases()?;
        if !self.problems.is_empty() && self.mode != ImportMode::Check {
            return Err(refuse_problems(self.problems));
        }
        // These facts come after the grants, because the grants open the accounts.
        self.facts.extend(described);
        let added = self.new_aliases.iter();
        self.facts.extend(added.map(|(alias, (account, _))| {
            Fact::Account(AccountFact::AliasAdded {
                account: account.clone(),
                alias: alias.clone(),
            })
        }));
        self.problems.sort_by_key(|problem| problem.line);
        self.view.problem_count = self.problems.len() as u64;
        self.problems.truncate(MAX_PROBLEMS);
        self.view.problems = std::mem::take(&mut self.problems);
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

    /// Returns what a row says about its account.
    fn keep_details(&mut self, row: &ImportRow) -> Option<AccountDetails> {
        let tier = row.tier.as_deref();
        let tier = tier.map(|tier| members::parse_word("the tier", tier));
        let tier = self.keep(tier.transpose());
        let tags = row.tags.iter();
        let tags = tags.map(|tag| members::parse_word("the tag", tag));
        let tags: Result<BTreeSet<String>, Refusal> = tags.collect();
        let tags = self.keep(tags.and_then(members::bounded_tags));
        let attributes = row.attributes.iter().map(|(name, value)| {
            let word = members::parse_word("the attribute", name)?;
            Ok((word, members::parse_attribute_value(name, value)?))
        });
        let attributes = attributes.collect::<Result<BTreeMap<String, String>, Refusal>>();
        let attributes = self.keep(attributes);
        let aliases = row.aliases.iter().map(|alias| {
            Address::parse(alias).map_err(|why| parse::usage(format!("the alias {alias:?} {why}")))
        });
        let aliases = self.keep(aliases.collect::<Result<Vec<Address>, Refusal>>());
        Some(AccountDetails {
            tier: tier?,
            tags: tags.map(|tags| (!tags.is_empty()).then_some(tags))?,
            attributes: attributes?,
            aliases: aliases?,
        })
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
            aliases: Vec::new(),
            attributes: BTreeMap::new(),
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
        for (mode, near) in [
            (ImportMode::DryRun, 1),
            (ImportMode::Write, 1),
            (ImportMode::Write, 0),
        ] {
            let Ok(CommandResult::Import(view)) = import(&mut store, now(), (&rows, &[]), mode)
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
            let Ok(CommandResult::Import(view)) =
                import(&mut store, now(), (&rows, &[]), ImportMode::Write)
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
        let refusal = import(&mut store, now(), (&rows, &problems), ImportMode::Write).unwrap_err();
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
        import(&mut store, now(), (&rows, &problems), ImportMode::Write).unwrap_err();
        assert_eq!(store.head().seq, before);
    }
}
