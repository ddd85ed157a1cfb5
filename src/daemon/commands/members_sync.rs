//! Takes over what one source lists. Everything is planned first, against the ledger as it is; if
//! more would change than the source may change, nothing is written. A sync that is repeated finds
//! nothing to change.

use std::collections::{BTreeMap, BTreeSet};

use super::parse;
use crate::control::protocol::Refusal;
use crate::control::protocol::members::{MemberChangeView, MembersSyncCommand, SourceSyncView};
use crate::domain::account::Account;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Address};
use crate::domain::member_change::{
    MemberChange, SourceReferences, SourceTerms, change_leaver, change_member, is_managed_by,
};
use crate::domain::member_source::{MemberRecord, MemberSource};
use crate::reconcile::member_reads::read_known_member;
use crate::source::record::ListedMember;
use crate::store::port::{Store, StoreError};
use crate::store::transaction::{Stamp, transact};

/// How many members one commit takes over.
const COMMIT_SIZE: usize = 1_000;

/// How many accounts are read at once.
const ACCOUNTS_PAGE: usize = 1_000;

/// The most changes and problems that a view shows.
const MAX_SHOWN: usize = 1_000;

/// How many accounts a sync may always change, whatever share they are: in a small club, one member
/// is a large share.
const FREE_CHANGES: usize = 2;

/// A source with the members that it lists.
#[derive(Debug)]
pub struct ListedSource {
    /// The source.
    pub source: MemberSource,
    /// The names of the other sources.
    pub other_sources: BTreeSet<String>,
    /// The members, or why there is no list.
    pub members: Result<Vec<ListedMember>, String>,
}

/// Takes over what a source lists, or with a dry run only returns what would change.
///
/// # Errors
/// Fails when the store cannot be read or written.
pub fn sync_source(
    store: &mut dyn Store,
    stamp: &Stamp,
    (listed, terms): (&ListedSource, &SourceTerms),
    command: &MembersSyncCommand,
) -> Result<SourceSyncView, Refusal> {
    let source = &terms.source;
    let mut view = SourceSyncView {
        source: source.name.clone(),
        ..SourceSyncView::default()
    };
    let rows = match &listed.members {
        Ok(rows) => rows,
        Err(why) => {
            view.error = Some(why.clone());
            return Ok(view);
        }
    };
    let reason = command.force.as_deref();
    let reason = reason
        .map(|text| parse::reason(Some(text), ""))
        .transpose()?;
    if reason.as_deref() == Some("") {
        return Err(parse::usage(
            "give the reason for a forced sync: --reason TEXT",
        ));
    }
    view.members = rows.len();
    let sync = Sync { terms, source };
    let plan = sync
        .plan(store, rows)
        .map_err(|e| parse::store_failed(&e))?;
    view.refused = sync.find_refusal(store, &plan, (rows, reason.is_some()));
    let is_written = view.refused.is_none() && !command.dry_run;
    let work: Vec<&PlannedMember> = plan.changing.iter().collect();
    plan.fill(&mut view);
    if is_written {
        for chunk in work.chunks(COMMIT_SIZE) {
            transact(store, stamp, |store| {
                let mut references = SourceReferences::new(&source.name, store.head().seq);
                let mut facts: Vec<Fact> = Vec::new();
                for member in chunk {
                    let change = sync.change(store, member, &mut references);
                    facts.extend(change.map_err(|e| parse::store_failed(&e))?.facts);
                }
                Ok::<_, Refusal>((facts, ()))
            })?;
        }
        if let Some(reason) = reason.filter(|_| !work.is_empty()) {
            tracing::info!(source = source.name, reason, "a sync was forced");
        }
    }
    Ok(view)
}

/// What the members of one source are compared with.
struct Sync<'a> {
    terms: &'a SourceTerms,
    source: &'a MemberSource,
}

/// One member with something to change.
enum PlannedMember {
    Listed {
        address: Address,
        record: MemberRecord,
    },
    Leaver(AccountId),
}

/// Everything that a sync would change.
#[derive(Default)]
struct SyncPlan {
    changing: Vec<PlannedMember>,
    changes: Vec<(AccountId, MemberChange)>,
    problems: Vec<String>,
    /// How many accounts the source manages or would manage, new ones left out.
    existing: usize,
    /// How many of them would change.
    changed: usize,
    unchanged: usize,
    /// How many accounts the source manages already.
    managed: usize,
}

impl Sync<'_> {
    fn plan(&self, store: &dyn Store, rows: &[ListedMember]) -> Result<SyncPlan, StoreError> {
        let mut plan = SyncPlan::default();
        // Accounts that the list is about, whether or not their rows can be used.
        let mut seen: BTreeSet<AccountId> = BTreeSet::new();
        let mut references = SourceReferences::new(&self.source.name, store.head().seq);
        let mut has_unknown_row = false;
        let records = self.usable_records(store, rows, (&mut plan, &mut seen))?;
        for row in rows {
            has_unknown_row |= row.address.is_none();
        }
        for (address, record) in records {
            let known = read_known_member(store, self.source, &address, &record)?;
            let id = match &known.account {
                Some(account) => account.id.clone(),
                None => AccountId::from(&address),
            };
            if !seen.insert(id.clone()) {
                let text = format!("{id} is listed more than once: only the first row counts");
                plan.problems.push(text);
                continue;
            }
            let exists = known.account.is_some();
            let change = change_member(self.terms, (&address, &record), &known, &mut references);
            let member = PlannedMember::Listed { address, record };
            plan.add((id, exists), member, change);
        }
        self.plan_leavers(store, (&seen, has_unknown_row), &mut plan)?;
        Ok(plan)
    }

    /// Returns the records that can be used, each with its address, and without addresses that
    /// another record has too.
    fn usable_records(
        &self,
        store: &dyn Store,
        rows: &[ListedMember],
        (plan, seen): (&mut SyncPlan, &mut BTreeSet<AccountId>),
    ) -> Result<Vec<(Address, MemberRecord)>, StoreError> {
        let mut claims: BTreeMap<Address, usize> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            if let Some(address) = &row.address {
                claims.entry(address.clone()).or_insert(at);
            }
        }
        let mut records = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let (address, record) = match (&row.address, &row.record) {
                (Some(address), Ok(record)) => (address, record),
                (address, Err(why)) => {
                    plan.problems.push(format!("{}: {why}", row.place));
                    // The member is there, whatever is wrong with the row.
                    if let Some(address) = address {
                        seen.extend(store.resolve(address)?);
                    }
                    continue;
                }
                (None, Ok(_)) => continue,
            };
            if claims.get(address) != Some(&at) {
                let text = format!("{}: its address is in an earlier row too", row.place);
                plan.problems.push(text);
                continue;
            }
            let mut record = record.clone();
            record.aliases.retain(|alias| {
                let is_own = *claims.entry(alias.clone()).or_insert(at) == at;
                if !is_own {
                    let text = format!("{}: an alias is another row's address too", row.place);
                    plan.problems.push(text);
                }
                is_own
            });
            records.push((address.clone(), record));
        }
        Ok(records)
    }

    fn plan_leavers(
        &self,
        store: &dyn Store,
        (seen, has_unknown_row): (&BTreeSet<AccountId>, bool),
        plan: &mut SyncPlan,
    ) -> Result<(), StoreError> {
        let mut after: Option<AccountId> = None;
        loop {
            let page = store.accounts(after.as_ref(), ACCOUNTS_PAGE)?;
            let managed = page
                .iter()
                .filter(|account| is_managed_by(account, &self.source.name));
            for account in managed {
                plan.managed += 1;
                if seen.contains(&account.id) {
                    continue;
                }
                let change = match has_unknown_row {
                    true => MemberChange::default(),
                    false => change_leaver(self.terms, account),
                };
                let member = PlannedMember::Leaver(account.id.clone());
                plan.add((account.id.clone(), true), member, change);
            }
            match page.last() {
                Some(last) if page.len() == ACCOUNTS_PAGE => after = Some(last.id.clone()),
                Some(_) | None => break,
            }
        }
        if has_unknown_row {
            let text = "a row has no usable address, so no account counts as a leaver in this sync";
            plan.problems.push(text.to_owned());
        }
        Ok(())
    }

    /// Returns why nothing may be changed.
    fn find_refusal(
        &self,
        store: &dyn Store,
        plan: &SyncPlan,
        (rows, is_forced): (&[ListedMember], bool),
    ) -> Option<String> {
        let is_restored = store
            .ledger_state()
            .is_ok_and(|state| state.restored_at.is_some());
        if is_restored {
            let text = "a restored backup waits for you: see `maitred ledger accept-restore`";
            return Some(text.to_owned());
        }
        if is_forced {
            return None;
        }
        let advice = "look at `maitred members sync --dry-run`; --force with --reason TEXT takes the \
                      list over nevertheless";
        if rows.is_empty() && plan.managed > 0 {
            return Some(format!(
                "it lists no member, and {} accounts are its members'; {advice}",
                plan.managed
            ));
        }
        let limit = plan.existing * usize::from(self.source.max_change) / 100;
        if plan.changed <= limit.max(FREE_CHANGES) {
            return None;
        }
        Some(format!(
            "{} of {} accounts would change, and max-change is {}%; {advice}",
            plan.changed, plan.existing, self.source.max_change
        ))
    }

    /// Decides again what changes for a member, from the ledger as it is now.
    fn change(
        &self,
        store: &dyn Store,
        member: &PlannedMember,
        references: &mut SourceReferences,
    ) -> Result<MemberChange, StoreError> {
        match member {
            PlannedMember::Listed { address, record } => {
                let known = read_known_member(store, self.source, address, record)?;
                Ok(change_member(
                    self.terms,
                    (address, record),
                    &known,
                    references,
                ))
            }
            PlannedMember::Leaver(id) => {
                let account: Option<Account> = store.account(id)?;
                Ok(account.map_or_else(MemberChange::default, |account| {
                    change_leaver(self.terms, &account)
                }))
            }
        }
    }
}

impl SyncPlan {
    fn add(
        &mut self,
        (id, exists): (AccountId, bool),
        member: PlannedMember,
        mut change: MemberChange,
    ) {
        self.existing += usize::from(exists);
        let problems = std::mem::take(&mut change.problems).into_iter();
        self.problems
            .extend(problems.map(|text| format!("{id}: {text}")));
        if change.facts.is_empty() {
            self.unchanged += usize::from(exists);
            return;
        }
        self.changed += usize::from(exists);
        self.changing.push(member);
        self.changes.push((id, change));
    }

    fn fill(&self, view: &mut SourceSyncView) {
        view.changed = self.changed;
        view.unchanged = self.unchanged;
        for (id, change) in &self.changes {
            view.opened += usize::from(change.opened);
            view.frozen += usize::from(change.frozen);
            view.thawed += usize::from(change.thawed);
            view.closed += usize::from(change.closed);
            view.granted += change.granted;
            view.revoked += change.revoked;
            if view.changes.len() < MAX_SHOWN {
                view.changes.push(MemberChangeView {
                    account: id.to_string(),
                    change: change.changes.join(", "),
                });
            }
        }
        view.problems = self.problems.iter().take(MAX_SHOWN).cloned().collect();
    }
}
