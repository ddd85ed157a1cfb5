//! Grants the allowances that are due, before a pass reads the accounts. The store's records decide
//! what is due; `AllowanceScan` only saves work, and losing it costs a scan of all accounts.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::allowance_scan::AllowanceScan;
use super::clock::clock_is_off;
use super::context::{PassError, Ports};
use crate::domain::account::Account;
use crate::domain::actor::{Actor, ActorInterface};
use crate::domain::allowance::{
    Allowance, AllowanceHistory, DueGrant, HISTORY_SPAN, Period, Standing, account_facts,
    is_allowance_reference,
};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::decision::Credits;
use crate::domain::fact::{CreditFact, Fact};
use crate::domain::id::AccountId;
use crate::domain::ledger_state::LedgerState;
use crate::domain::plan::Problem;
use crate::domain::time::Time;
use crate::store::port::{CommitError, CommitSource, HistorySubject, Store, StoreError};

/// How many accounts are read, and written with one commit, before others may use the store. The
/// history of an account reads whole commits, so that larger ones would make it slow.
const BATCH: usize = 64;

/// How many commits are searched for changed accounts. After more, all accounts are scanned.
const MAX_COMMITS: u64 = 2_000;

/// How many facts of an account are read at once, and at most.
const HISTORY_PAGE: usize = 16;
const MAX_HISTORY: usize = 5_000;

/// How many accounts a dry run grants to. It keeps what it would write in memory; more accounts are
/// counted, and their requests are evaluated without the credits.
const MAX_PREVIEWED: usize = 20_000;

/// The code of the problem that accounts cannot be granted an allowance.
const NOT_GRANTED: &str = "allowance-not-granted";

/// What a pass granted, or would grant, of one period of an allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedAllowance {
    /// The name of the allowance.
    pub name: String,
    /// The accounts that got the credits.
    pub accounts: usize,
    /// The credits of the period.
    pub credits: Credits,
    /// The credits of the period before that last longer.
    pub rolled_over: Credits,
    /// When the first of these credits expire.
    pub until: Time,
}

/// What a pass did about allowances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowanceReport {
    /// What was granted, in the order of the configuration.
    pub granted: Vec<GrantedAllowance>,
    /// What an operator should know.
    pub problems: Vec<Problem>,
}

/// One batch of accounts.
#[derive(Debug, Default)]
struct Batch {
    /// The last account that was read; `None` at the end.
    last: Option<AccountId>,
    outcome: Outcome,
}

/// What is known after some accounts.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The grants, each with the number of its allowance.
    pub grants: Vec<(usize, DueGrant)>,
    next_due: Option<Time>,
    /// Accounts without a day to count from, by the number of the allowance.
    without_day: BTreeMap<usize, usize>,
    /// Accounts to which the ledger does not allow a grant.
    pub refused: usize,
}

/// Grants what is due. Nothing is granted while the clocks disagree, or before an operator has
/// accepted a restored ledger.
///
/// # Errors
/// Returns an error if the store fails. What was committed stays granted, and the next pass
/// continues.
pub(super) async fn grant_due(
    ports: &Ports<'_>,
    global: &GlobalPolicy,
    ledger: &LedgerState,
    scan: &mut AllowanceScan,
) -> Result<AllowanceReport, PassError> {
    if global.allowances.is_empty() || clock_is_off(ports) || ledger.restored_at.is_some() {
        return Ok(AllowanceReport::default());
    }
    let now = (ports.clock)();
    let policy = hash_allowances(global);
    let work = find_work(ports, scan, &policy, now).await?;
    let Work { head, accounts } = work;
    let is_full = accounts.is_none();
    let mut outcome = Outcome::default();
    let mut after = None;
    let mut remaining: Vec<AccountId> = accounts.unwrap_or_default().into_iter().collect();
    loop {
        if ports.stop.is_set() {
            return Ok(outcome.report(global));
        }
        let batch = if is_full {
            grant_batch(ports, global, BatchOf::After(after), now, &outcome).await?
        } else if remaining.is_empty() {
            break;
        } else {
            let rest = remaining.split_off(BATCH.min(remaining.len()));
            let ids = std::mem::replace(&mut remaining, rest);
            grant_batch(ports, global, BatchOf::These(ids), now, &outcome).await?
        };
        outcome.add(batch.outcome);
        after = batch.last;
        if is_full && after.is_none() {
            break;
        }
    }
    let known = scan.next_due.filter(|_| !is_full);
    *scan = AllowanceScan {
        scanned_at: if is_full { Some(now) } else { scan.scanned_at },
        next_due: earlier(known, outcome.next_due),
        seq: head,
        policy,
    };
    let report = outcome.report(global);
    if !ports.store.is_scratch() {
        report.log();
    }
    Ok(report)
}

/// The accounts to look at: `None` for all.
struct Work {
    head: u64,
    accounts: Option<BTreeSet<AccountId>>,
}

async fn find_work(
    ports: &Ports<'_>,
    scan: &AllowanceScan,
    policy: &str,
    now: Time,
) -> Result<Work, PassError> {
    let is_due = scan.policy != policy
        || scan.scanned_at.is_none_or(|at| at > now)
        || scan.next_due.is_some_and(|due| due <= now);
    let known = scan.seq;
    let work = ports.store.read(move |store| {
        let head = store.head().seq;
        if is_due || head < known || head - known > MAX_COMMITS {
            return Ok(Work {
                head,
                accounts: None,
            });
        }
        let accounts = changed_accounts(store, known, head)?;
        Ok(Work {
            head,
            accounts: Some(accounts),
        })
    });
    work.await.map_err(PassError::Store)
}

/// Returns the accounts that may have become entitled to an allowance since a commit.
fn changed_accounts(
    store: &dyn Store,
    after: u64,
    head: u64,
) -> Result<BTreeSet<AccountId>, StoreError> {
    let mut changed = BTreeSet::new();
    let mut after = after;
    while after < head {
        let commits = CommitSource::commits(store, after, BATCH)?;
        let Some(last) = commits.last() else { break };
        after = last.seq;
        for fact in commits.iter().flat_map(|commit| &commit.facts) {
            match fact {
                Fact::Account(fact) => {
                    changed.insert(fact.account().clone());
                    changed.extend(fact.other_account().cloned());
                }
                // A grant or a transfer may open an account.
                Fact::Credit(CreditFact::Grant {
                    reference, account, ..
                }) if !is_allowance_reference(reference) => {
                    changed.insert(account.clone());
                }
                Fact::Credit(CreditFact::Transfer { to, .. }) => {
                    changed.insert(to.clone());
                }
                _ => {}
            }
        }
    }
    Ok(changed)
}

/// Which accounts a batch has.
#[derive(Debug, Clone)]
enum BatchOf {
    After(Option<AccountId>),
    These(Vec<AccountId>),
}

async fn grant_batch(
    ports: &Ports<'_>,
    global: &GlobalPolicy,
    which: BatchOf,
    now: Time,
    so_far: &Outcome,
) -> Result<Batch, PassError> {
    let is_counted_only = ports.store.is_scratch() && so_far.grants.len() >= MAX_PREVIEWED;
    let terms = GrantTerms {
        allowances: global.allowances.clone(),
        zone: global.zone,
        now,
        is_counted_only,
    };
    let read = ports.store.read(move |store| match which {
        BatchOf::After(after) => store.accounts(after.as_ref(), BATCH),
        BatchOf::These(ids) => read_accounts(store, &ids),
    });
    let accounts = read.await?;
    let last = { accounts.last() }
        .filter(|_| accounts.len() == BATCH)
        .map(|account| account.id.clone());
    let ids: Vec<AccountId> = accounts.into_iter().map(|account| account.id).collect();
    let outcome = match grant_to(ports, &terms, ids.clone()).await {
        // One account must not keep the others from their credits.
        Err(PassError::Commit(CommitError::Violation(_))) => {
            let mut outcome = Outcome::default();
            for id in ids {
                match grant_to(ports, &terms, vec![id]).await {
                    Ok(of_one) => outcome.add(of_one),
                    Err(PassError::Commit(CommitError::Violation(_))) => outcome.refused += 1,
                    Err(error) => return Err(error),
                }
            }
            outcome
        }
        result => result?,
    };
    Ok(Batch { last, outcome })
}

/// Grants to these accounts what is due, with one commit.
async fn grant_to(
    ports: &Ports<'_>,
    terms: &GrantTerms,
    ids: Vec<AccountId>,
) -> Result<Outcome, PassError> {
    let by = Actor {
        uid: None,
        interface: ActorInterface::Daemon,
        name: None,
    };
    let (terms, now) = (terms.clone(), terms.now);
    let decide = move |store: &dyn Store| terms.decide_grants(store, &ids);
    ports.store.transaction_by(now, by, decide).await
}

fn read_accounts(store: &dyn Store, ids: &[AccountId]) -> Result<Vec<Account>, StoreError> {
    let mut accounts = Vec::new();
    for id in ids {
        accounts.extend(store.account(id)?);
    }
    Ok(accounts)
}

/// What is granted, and when.
#[derive(Debug, Clone)]
pub struct GrantTerms {
    /// The allowances of the configuration.
    pub allowances: Vec<Allowance>,
    /// The time zone of their days.
    pub zone: chrono_tz::Tz,
    /// The instant of the grants.
    pub now: Time,
    /// Whether grants are only counted.
    pub is_counted_only: bool,
}

impl GrantTerms {
    /// Returns the facts for what is due for these accounts, and what they grant.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub fn decide_grants(
        &self,
        store: &dyn Store,
        ids: &[AccountId],
    ) -> Result<(Vec<Fact>, Outcome), PassError> {
        let mut outcome = Outcome::default();
        let mut facts = Vec::new();
        for account in read_accounts(store, ids)? {
            let due = self.due_grants(store, &account, &mut outcome)?;
            if due.is_empty() {
                continue;
            }
            let grants: Vec<(&Allowance, DueGrant)> = { due.iter() }
                .map(|(number, due)| (&self.allowances[*number], due.clone()))
                .collect();
            match account_facts(&account, &grants, self.now) {
                Some(of_account) => {
                    facts.extend(of_account);
                    outcome.grants.extend(due);
                }
                None => outcome.refused += 1,
            }
        }
        if self.is_counted_only {
            facts.clear();
        }
        Ok((facts, outcome))
    }

    /// Returns what is due for an account, by the number of the allowance.
    fn due_grants(
        &self,
        store: &dyn Store,
        account: &Account,
        outcome: &mut Outcome,
    ) -> Result<Vec<(usize, DueGrant)>, PassError> {
        let mut grants = Vec::new();
        for (number, allowance) in self.allowances.iter().enumerate() {
            match allowance.standing(account, self.zone, self.now) {
                Standing::NotEntitled => {}
                Standing::NoDay => *outcome.without_day.entry(number).or_default() += 1,
                Standing::NotBefore(at) => outcome.expect(at),
                Standing::Entitled(period) => {
                    outcome.expect(period.end);
                    match self.decide(store, account, allowance, period)? {
                        Some(Ok(due)) => grants.push((number, due)),
                        Some(Err(not_before)) => outcome.expect(not_before),
                        None => {}
                    }
                }
            }
        }
        Ok(grants)
    }

    /// Decides about one period; `None` if it was granted.
    fn decide(
        &self,
        store: &dyn Store,
        account: &Account,
        allowance: &Allowance,
        period: Period,
    ) -> Result<Option<Result<DueGrant, Time>>, PassError> {
        if find_grant(store, allowance, account, period.first)?.is_some() {
            return Ok(None);
        }
        let previous = match period.previous {
            Some(first) => find_grant(store, allowance, account, first)?,
            None => None,
        };
        let rest = period
            .previous
            .filter(|_| previous.is_some())
            .and_then(|first| allowance.expired_rest(account, first, self.now));
        let is_followed = previous.is_some_and(|expires| expires <= period.start);
        // The expiry of the credits may be recorded already, by a command that came first.
        let needs_expired = allowance.rollover > 0 && rest.is_none() && previous.is_some();
        let mut history = AllowanceHistory::default();
        if !is_followed || needs_expired {
            history = self.read_history(store, account, allowance, &period, is_followed)?;
        }
        for merged in &history.merged {
            let reference = allowance.reference(period.first, merged);
            if store.grant_record(&reference)?.is_some() {
                return Ok(None);
            }
        }
        let previous_rest = { previous.is_some() }.then(|| rest.unwrap_or(history.expired));
        Ok(Some(allowance.decide(
            period,
            previous_rest,
            &history,
            self.now,
        )))
    }

    /// Reads the history of the account as far as it tells something about the period. After a
    /// period that was granted, nothing from before its end matters.
    fn read_history(
        &self,
        store: &dyn Store,
        account: &Account,
        allowance: &Allowance,
        period: &Period,
        is_followed: bool,
    ) -> Result<AllowanceHistory, PassError> {
        let since = match is_followed {
            true => period.start,
            false => period.start - HISTORY_SPAN,
        };
        let subject = HistorySubject::Account(account.id.clone());
        let mut history = AllowanceHistory::default();
        let mut before = None;
        let mut count = 0;
        while count < MAX_HISTORY {
            let page = store.history(&subject, before, HISTORY_PAGE)?;
            let Some(last) = page.last() else { break };
            before = Some(last.seq);
            count += page.len();
            for logged in &page {
                let goes_on = history.add(allowance, &account.id, period, &logged.fact);
                if !goes_on || logged.at < since {
                    return Ok(history);
                }
            }
        }
        Ok(history)
    }
}

/// Returns the end of the grant for the period that begins on this day, to the account under any of
/// its names.
fn find_grant(
    store: &dyn Store,
    allowance: &Allowance,
    account: &Account,
    first: chrono::NaiveDate,
) -> Result<Option<Time>, PassError> {
    let aliases = account.aliases.iter().map(AccountId::from);
    for name in std::iter::once(account.id.clone()).chain(aliases) {
        let record = store.grant_record(&allowance.reference(first, &name))?;
        if let Some(record) = record {
            return Ok(Some(record.expires.unwrap_or(Time::MAX_UTC)));
        }
    }
    Ok(None)
}

impl Outcome {
    /// Records that something may be due at this instant.
    fn expect(&mut self, at: Time) {
        self.next_due = earlier(self.next_due, Some(at));
    }

    fn add(&mut self, other: Self) {
        self.grants.extend(other.grants);
        self.next_due = earlier(self.next_due, other.next_due);
        self.refused += other.refused;
        for (number, count) in other.without_day {
            *self.without_day.entry(number).or_default() += count;
        }
    }

    fn report(&self, global: &GlobalPolicy) -> AllowanceReport {
        let mut granted: BTreeMap<usize, GrantedAllowance> = BTreeMap::new();
        for (number, due) in &self.grants {
            let allowance = &global.allowances[*number];
            let sum = granted.entry(*number).or_insert_with(|| GrantedAllowance {
                name: allowance.name.clone(),
                accounts: 0,
                credits: 0,
                rolled_over: 0,
                until: due.period.end,
            });
            sum.accounts += 1;
            sum.credits += allowance.credits;
            sum.rolled_over += due.rolled_over;
            sum.until = sum.until.min(due.period.end);
        }
        let mut problems = Vec::new();
        for (number, count) in &self.without_day {
            let name = &global.allowances[*number].name;
            problems.push(not_granted(format!(
                "{count} accounts get nothing of the allowance {name}: the attribute that its \
                 periods begin with is missing, or is no day such as 2026-12-01"
            )));
        }
        if self.refused > 0 {
            problems.push(not_granted(format!(
                "{} accounts get no allowance, because the ledger allows them no more grants; \
                 revoke what they do not need",
                self.refused
            )));
        }
        AllowanceReport {
            granted: granted.into_values().collect(),
            problems,
        }
    }
}

impl AllowanceReport {
    fn log(&self) {
        for granted in &self.granted {
            tracing::info!(
                allowance = granted.name,
                accounts = granted.accounts,
                credits = granted.credits,
                rolled_over = granted.rolled_over,
                "an allowance was granted"
            );
        }
    }
}

fn not_granted(text: String) -> Problem {
    Problem {
        code: NOT_GRANTED,
        text,
    }
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Returns a hash of what the allowances are. It protects nothing: another one costs a scan.
fn hash_allowances(global: &GlobalPolicy) -> String {
    let text = format!("{:?} {}", global.allowances, global.zone);
    let digest = Sha256::digest(text);
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
