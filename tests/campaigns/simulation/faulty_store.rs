//! The store that the pass receives: a store in memory behind a lock, so that operators can write
//! between any two calls and everything can be compared at any time. It fails at random, and the
//! process can end before and after each commit.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::NaiveDate;

use maitred::daemon::commands::charges;
use maitred::domain::account::Account;
use maitred::domain::credit_flows::{CreditFlows, QuarterHour};
use maitred::domain::daily_totals::DailyTotals;
use maitred::domain::decision::{Decision, ReasonCode};
use maitred::domain::expected::Expected;
use maitred::domain::fact::{AccountFact, Commit, CreditFact, Fact, RequestFact};
use maitred::domain::gate::Policy;
use maitred::domain::grant::GrantRecord;
use maitred::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use maitred::domain::ledger_state::{LedgerFact, LedgerState};
use maitred::domain::lot::Purpose;
use maitred::domain::progress::Progress;
use maitred::domain::request::{Charge, ChargeState, Request, RequestState};
use maitred::domain::time::{CLOCK_TOLERANCE, Span, Time};
use maitred::domain::unresolved::UnresolvedBooking;
use maitred::store::memory::MemoryStore;
use maitred::store::port::{
    CommitError, CommitSource, Committed, Head, HistorySubject, LogVerification, LoggedFact,
    Maintenance, RewriteOrder, RewriteReport, Store, StoreError,
};

use super::coverage::Coverage;
use super::history::History;
use super::ledger_loss::LostLedger;
use super::model_calcom::BOOKERS;
use super::model_connection::SharedWorld;
use super::reference_ledger::{Author, HoldState, ReferenceLedger, ReferenceSums};
use super::text_removal::scrub_fact;
use crate::rng::Rng;

pub struct FaultyStoreState {
    pub store: MemoryStore,
    pub commits: Vec<(Time, Vec<Fact>)>,
    /// The policy in force at each commit.
    pub policies: Vec<Arc<Policy>>,
    pub reference: ReferenceLedger,
    pub coverage: Coverage,
    pub fault_rate: u64,
    pub history: Arc<Mutex<History>>,
    pub policy: Arc<Policy>,
    /// Set if the dialect does not show these things.
    pub legacy: bool,
    pub hides_updated: bool,
    /// The oldest moment on which the current write may rest.
    pub observed_from: usize,
    /// Why charges ended.
    pub end_reasons: BTreeMap<String, &'static str>,
    /// Charges that the current commit moves: from where, to where, and what was paid before.
    pub moves: Vec<(String, String, i64)>,
    pub rng: Rng,
    pub grants_made: u64,
    /// After an indeterminate commit this process may write nothing more.
    closed: bool,
    /// Number of commits that passes have requested.
    pub pass_commits: u64,
    /// The process's clock is wrong by days.
    pub has_skewed_clock: bool,
    /// Message texts are removed from everything that is written.
    pub removes_texts: bool,
    /// The moment at which the current pass or watch started.
    pub pass_from: usize,
    pub stale: Arc<AtomicBool>,
    pub lost_ledger: Option<LostLedger>,
    /// A watch is running.
    pub watching: bool,
    /// The clocks differ by more than two minutes.
    pub clocks_differ: bool,
}

#[derive(Clone)]
pub struct FaultyStore {
    state: Arc<Mutex<FaultyStoreState>>,
    shared: Arc<SharedWorld>,
    /// Acts for an operator: no commit fails, and the process does not end.
    by_operator: bool,
}

/// The settings of a new store.
pub struct FaultyStoreConfig {
    pub seed: u64,
    pub history: Arc<Mutex<History>>,
    pub policy: Policy,
    pub legacy: bool,
    pub hides_updated: bool,
    pub stale: Arc<AtomicBool>,
}

impl FaultyStoreState {
    /// Commits the facts, and applies them to the reference ledger.
    fn write(
        &mut self,
        by: Author,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Committed, CommitError> {
        let facts = if self.removes_texts {
            facts.into_iter().map(scrub_fact).collect()
        } else {
            facts
        };
        let before = self.store.head();
        let restore_open = self.store.ledger_state().unwrap().restored_at.is_some();
        let committed = self.store.commit(at, facts, expected)?;
        if committed.head == before {
            return Ok(committed);
        }
        let facts = self.store.last_commit().unwrap().facts.clone();
        self.apply_commit(by, at, &facts);
        for fact in &facts {
            if let Fact::Request(RequestFact::Decided { request }) = fact
                && !self.has_skewed_clock
            {
                self.check_decline_is_true(request);
            }
        }
        if by == Author::Process {
            self.check_ledger_and_clock(&facts, restore_open);
        }
        self.commits.push((at, facts));
        self.policies.push(Arc::clone(&self.policy));
        self.compare();
        Ok(committed)
    }

    /// Checks promises 12 and 13: nothing rests on a ledger or a clock that may be wrong.
    fn check_ledger_and_clock(&mut self, facts: &[Fact], restore_open: bool) {
        let began = self.commits.first().map(|(began, _)| *began);
        for fact in facts {
            let identified = matches!(fact, Fact::Ledger(LedgerFact::Identified { .. }));
            if identified {
                continue;
            }
            if self.clocks_differ {
                let text = format!("13: written while the clocks differ: {fact:?}");
                self.reference.violations.push(text);
            }
            if restore_open && self.watching {
                let text = format!("12: a watch wrote after a restore: {fact:?}");
                self.reference.violations.push(text);
            }
            let Fact::Request(RequestFact::Decided { request }) = fact else {
                continue;
            };
            let new = request.state == RequestState::Recorded;
            if restore_open && new && request.decision == Decision::Decline {
                let text = format!("12: {} declined after a restore", request.id);
                self.reference.violations.push(text);
            }
            let unmanaged = request
                .reasons
                .iter()
                .any(|r| r.code == ReasonCode::Unmanaged);
            let is_older = |began: Time| request.created_at < began + CLOCK_TOLERANCE;
            if unmanaged && began.is_none_or(is_older) {
                let text = format!("12: {} is older than the ledger", request.id);
                self.reference.violations.push(text);
            }
        }
    }

    /// Checks that the reasons of a refusal are true when the refusal is written.
    fn check_decline_is_true(&mut self, request: &Request) {
        if request.decision != Decision::Decline || request.state != RequestState::Recorded {
            return;
        }
        let has = |code| request.reasons.iter().any(|reason| reason.code == code);
        let reasons = request
            .booker
            .as_ref()
            .and_then(|booker| self.store.resolve(booker).unwrap());
        if has(ReasonCode::UnknownBooker) && reasons.is_some() {
            let text = format!("11: {} declined as unknown, and known", request.id);
            self.reference.violations.push(text);
        }
        if has(ReasonCode::ShortOfCredit) && request.predecessor.is_none() {
            let account = self.store.account(&reasons.unwrap()).unwrap().unwrap();
            let available = account.available(request.decided_at);
            if available >= request.credits {
                let text = format!(
                    "11: {} declined as short of {}, and there are {available}: {:?}",
                    request.id, request.credits, request.reasons
                );
                self.reference.violations.push(text);
            }
        }
    }

    /// Checks that every charge has the same state in the ledger and in the reference ledger.
    pub fn compare_charges(&mut self) {
        self.compare_names();
        for (uid, hold) in &self.reference.holds {
            let name = BookingUid::parse(uid).unwrap();
            let charge = self.store.charge(&name).unwrap().unwrap();
            let state = match charge.state {
                ChargeState::Held => HoldState::Held,
                ChargeState::Void => HoldState::Voided,
                ChargeState::Open => HoldState::Posted,
                ChargeState::Final => HoldState::Final,
                ChargeState::Refunded => HoldState::Refunded,
                ChargeState::Moved { .. } => HoldState::TakenOver,
            };
            let spent = state == HoldState::Voided || charge.credits() as i64 == hold.credits;
            if state != hold.state || !spent {
                let is = (state, charge.credits());
                let must = (hold.state, hold.credits);
                let text = format!("3: the charge of {uid} is {is:?}, must be {must:?}");
                self.reference.violations.push(text);
            }
        }
    }

    /// Checks that the ledger has no charge and no account that is missing in the reference ledger.
    fn compare_names(&mut self) {
        let open = self.store.open_charges(None, 10_000).unwrap();
        for charge in open {
            let hold = self.reference.holds.get(charge.booking.uid.as_str());
            if !hold.is_some_and(|hold| matches!(hold.state, HoldState::Held | HoldState::Posted)) {
                let text = format!(
                    "3: nothing is known of the charge of {}",
                    charge.booking.uid
                );
                self.reference.violations.push(text);
            }
        }
        let accounts = self.store.accounts(None, 100).unwrap();
        if accounts.len() != self.reference.sums.len() {
            let text = format!(
                "1: {} accounts, must be {}",
                accounts.len(),
                self.reference.sums.len()
            );
            self.reference.violations.push(text);
        }
    }

    /// Checks promise 1, and that the ledger and the reference ledger agree.
    pub fn compare(&mut self) {
        for account in self.store.accounts(None, 100).unwrap() {
            let signed = |credits: u64| i64::try_from(credits).unwrap();
            let totals = &account.totals;
            let is = ReferenceSums {
                granted: signed(totals.granted),
                refunded: signed(totals.refunded),
                available: signed(account.lots.iter().map(|lot| lot.remaining).sum())
                    - signed(totals.debt()),
                passed_on: signed(totals.received) - signed(totals.sent),
                held: signed(totals.held),
                posted: signed(totals.posted),
                expired: signed(totals.expired),
                revoked: signed(totals.revoked),
            };
            let lent = self.reference.debts.get(account.id.as_str());
            if signed(totals.debt()) != lent.copied().unwrap_or(0) {
                let text = format!("1: {} owes {}, must be {lent:?}", account.id, totals.debt());
                self.reference.violations.push(text);
            }
            let must = self.reference.sums.get(account.id.as_str());
            if must != Some(&is) {
                let text = format!("1: {} is {is:?}, must be {must:?}", account.id);
                self.reference.violations.push(text);
            }
            if is.granted + is.refunded + is.passed_on
                != is.available + is.held + is.posted + is.expired + is.revoked
            {
                self.reference
                    .violations
                    .push(format!("1: {} does not add up", account.id));
            }
        }
        let open: Vec<String> = self
            .reference
            .open_intents()
            .map(|(id, _)| id.clone())
            .collect();
        let mut is: Vec<String> = self
            .store
            .open_intents(None, 1_000)
            .unwrap()
            .iter()
            .map(|request| request.id.to_string())
            .collect();
        is.sort();
        if is != open {
            let text = format!("4: open are {is:?}, must be {open:?}");
            self.reference.violations.push(text);
        }
    }
}

impl FaultyStore {
    pub fn new(setting: FaultyStoreConfig, shared: Arc<SharedWorld>) -> Self {
        let state = FaultyStoreState {
            history: setting.history,
            policy: Arc::new(setting.policy),
            legacy: setting.legacy,
            hides_updated: setting.hides_updated,
            observed_from: 0,
            end_reasons: BTreeMap::new(),
            moves: Vec::new(),
            store: MemoryStore::new(),
            commits: Vec::new(),
            policies: Vec::new(),
            reference: ReferenceLedger::default(),
            coverage: Coverage::default(),
            fault_rate: 0,
            rng: Rng::new(setting.seed),
            grants_made: 0,
            closed: false,
            pass_commits: 0,
            has_skewed_clock: false,
            removes_texts: false,
            pass_from: 0,
            stale: setting.stale,
            lost_ledger: None,
            watching: false,
            clocks_differ: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            shared,
            by_operator: false,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, FaultyStoreState> {
        self.state.lock().unwrap()
    }

    /// Lets a new process use the store.
    pub fn reopen(&self) {
        self.state().closed = false;
    }

    pub fn restore_is_open(&self) -> bool {
        let state = self.state();
        state.store.ledger_state().unwrap().restored_at.is_some()
    }

    pub fn commit_ledger_fact(&self, at: Time, fact: LedgerFact) {
        let written = self
            .state()
            .write(Author::Operator, at, vec![Fact::Ledger(fact)], &[]);
        written.unwrap();
    }

    pub fn grant(&self, at: Time, account: &str, credits: u64, expires: Option<Time>) {
        let mut state = self.state();
        state.grants_made += 1;
        let fact = Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse(&format!("grant {}", state.grants_made)).unwrap(),
            account: AccountId::parse(account).unwrap(),
            credits,
            expires,
            reason: "simulated".to_owned(),
        });
        state.write(Author::Operator, at, vec![fact], &[]).unwrap();
    }

    /// Runs a random command of an operator.
    pub fn run_operator_command(&self, rng: &mut Rng, coverage: &mut Coverage, now: Time) {
        let who = BOOKERS[rng.index(BOOKERS.len() - 1)];
        let account = AccountId::parse(who).unwrap();
        let there = self.state().store.account(&account).unwrap();
        // Sometimes the operator picks a charge that is being moved at the moment.
        let moving = !self.state().reference.carried_charges().is_empty() && rng.chance(600);
        let what = if moving { 8 } else { rng.up_to(9) };
        match (what, there) {
            (0..=3, _) => {
                let address = Address::parse(who).unwrap();
                let owner = self.state().store.resolve(&address).unwrap();
                if owner.is_some_and(|owner| owner != account) {
                    return;
                }
                let lasts = *rng.pick(&[30, 60 * 26, 60 * 24 * 6]);
                let expires = rng.chance(300).then(|| now + Span::minutes(lasts));
                self.grant(now, who, 1 + rng.up_to(5), expires);
                coverage.count("granted");
            }
            (4, Some(there)) => self.revoke_grant(coverage, now, &there),
            (5 | 6, Some(there)) => {
                let why = there
                    .freeze_reason
                    .is_none()
                    .then(|| "simulated".to_owned());
                coverage.count("account frozen");
                let fact = Fact::Account(AccountFact::FreezeChanged {
                    stops_expiry: false,
                    account,
                    reason: why,
                });
                self.state()
                    .write(Author::Operator, now, vec![fact], &[])
                    .unwrap();
            }
            (7, Some(_)) => {
                let alias = Address::parse(BOOKERS[BOOKERS.len() - 1]).unwrap();
                let fact = Fact::Account(AccountFact::AliasAdded { account, alias });
                let aliased = self.state().write(Author::Operator, now, vec![fact], &[]);
                if aliased.is_ok() {
                    coverage.count("alias given");
                }
            }
            (8, _) => {
                let (open, carried) = {
                    let book = &self.state().reference;
                    (book.open_charges(), book.carried_charges())
                };
                let of = if carried.is_empty() { open } else { carried };
                if !of.is_empty() {
                    let uid = rng.pick(&of).clone();
                    self.settle_charge(rng, coverage, now, &uid);
                }
            }
            (_, _) => {}
        }
    }

    /// Changes the overdraft of a random account, or passes one of its credits on to another one.
    pub fn correct_account(&self, rng: &mut Rng, coverage: &mut Coverage, now: Time) {
        let people = BOOKERS.len() - 2;
        let (from, to) = (BOOKERS[rng.index(people)], BOOKERS[rng.index(people)]);
        let id = |name| AccountId::parse(name).unwrap();
        let mut state = self.state();
        let account = state.store.account(&id(from)).unwrap();
        let Some(account) = account else { return };
        if rng.chance(500) {
            let limit = Some(rng.up_to(4));
            let account = account.id;
            let fact = Fact::Account(AccountFact::OverdraftChanged { account, limit });
            state.write(Author::Operator, now, vec![fact], &[]).unwrap();
            return coverage.count("overdraft changed");
        }
        let parts = account.allocate(1, &Purpose::without_booking(now));
        let receiver = state.store.account(&id(to)).unwrap();
        let (Some(parts), Some(receiver), false) = (parts, receiver, from == to) else {
            return;
        };
        state.grants_made += 1;
        let fact = Fact::Credit(CreditFact::Transfer {
            reference: Reference::parse(&format!("transfer {}", state.grants_made)).unwrap(),
            account: account.id,
            to: receiver.id,
            parts,
            reason: "simulated".to_owned(),
        });
        state.write(Author::Operator, now, vec![fact], &[]).unwrap();
        coverage.count("passed on");
    }

    /// Ends a charge with the operator's command for this purpose.
    pub fn settle_charge(&self, rng: &mut Rng, coverage: &mut Coverage, now: Time, uid: &str) {
        let give_back = rng.chance(500);
        let policy = Arc::clone(&self.state().policy);
        let mut hand = Self {
            by_operator: true,
            ..self.clone()
        };
        let taken = self
            .state()
            .reference
            .carried_charges()
            .iter()
            .any(|one| one == uid);
        let settled = charges::settle(&mut hand, &policy, now, uid, give_back);
        match (settled, taken) {
            (Ok(_), false) => {}
            // Otherwise the successor would end without a charge.
            (Err(_), true) => {
                return coverage.count("operator refused: the charge is being taken over");
            }
            (Ok(_), true) => {
                let text = format!("3: {uid} was settled by hand while it is being taken over");
                self.state().reference.violations.push(text);
            }
            (Err(refusal), false) => {
                let text = format!("3: {uid} could not be settled by hand: {refusal:?}");
                self.state().reference.violations.push(text);
            }
        }
        coverage.count(if give_back {
            "operator gave back"
        } else {
            "operator kept"
        });
    }

    fn revoke_grant(&self, coverage: &mut Coverage, now: Time, account: &Account) {
        let Some(parts) = account.allocate(1, &Purpose::without_booking(now)) else {
            return;
        };
        let mut state = self.state();
        state.grants_made += 1;
        let fact = Fact::Credit(CreditFact::Revoke {
            reference: Reference::parse(&format!("revoke {}", state.grants_made)).unwrap(),
            account: account.id.clone(),
            parts,
            reason: "simulated".to_owned(),
        });
        state.write(Author::Operator, now, vec![fact], &[]).unwrap();
        coverage.count("revoked");
    }

    pub fn check_may_send(&self, uid: &str, confirm: bool) -> Result<(), String> {
        self.state().reference.check_may_send(uid, confirm)
    }

    /// Returns true if the booking existed when a ledger was lost.
    pub fn was_lost(&self, uid: &str) -> bool {
        let state = self.state();
        let lost = state.lost_ledger.as_ref();
        lost.is_some_and(|lost| lost.rows.contains(uid))
    }

    /// Returns true if an open intent cancels the booking because it was accepted again.
    pub fn cancels_revived(&self, uid: &str) -> bool {
        let state = self.state();
        let mut open = state.reference.open_intents();
        open.any(|(_, begun)| begun.revived && begun.bookings.contains(uid))
    }

    /// Returns the open intent about a booking.
    pub fn open_intent_of(&self, uid: &str) -> Option<String> {
        let state = self.state();
        let mut open = state.reference.open_intents();
        let found = open.find(|(_, begun)| begun.bookings.contains(uid));
        found.map(|(id, _)| id.clone())
    }

    pub fn is_open(&self, request: &str) -> bool {
        let state = self.state();
        let intent = state.reference.intents.get(request);
        intent.is_some_and(|begun| begun.outcome.is_none())
    }

    /// Returns true if the open intent for this booking cancels a booking that others accepted.
    pub fn is_unmanaged(&self, uid: &str) -> bool {
        let state = self.state();
        state
            .reference
            .open_intent_of(uid)
            .is_some_and(|begun| begun.unmanaged)
    }

    /// Returns true if credits were ever held for the booking.
    pub fn was_held(&self, uid: &str) -> bool {
        self.state().reference.holds.contains_key(uid)
    }

    pub fn was_unmanaged(&self, uid: &str) -> bool {
        self.state().reference.was_unmanaged(uid)
    }

    /// Returns true if an earlier decision about the booking is settled, or if the booking was
    /// closed undecided.
    pub fn was_decided(&self, uid: &str) -> bool {
        let state = self.state();
        let mut settled = state
            .reference
            .intents
            .values()
            .filter(|b| b.outcome.is_some());
        state.reference.closed_notes.contains(uid)
            || settled.any(|begun| begun.bookings.contains(uid))
    }

    pub fn check_held(&self, uid: &str) -> Result<(), String> {
        self.state().reference.check_held(uid)
    }

    pub fn has_open_intent(&self, series: &str) -> bool {
        let state = self.state();
        let mut open = state.reference.open_intents();
        open.any(|(_, begun)| begun.series.as_deref() == Some(series))
    }
}

fn store_error(text: &str) -> StoreError {
    StoreError {
        text: text.to_owned(),
        source: None,
    }
}

/// Returns the name of the account whose state a commit rests on.
fn expected_account(expected: &Expected) -> Option<String> {
    match expected {
        Expected::Account { id, .. } => Some(id.to_string()),
        Expected::Alias { address, .. } => Some(address.to_string()),
        Expected::Request { .. } | Expected::Charge { .. } | Expected::Head { .. } => None,
    }
}

impl Store for FaultyStore {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Committed, CommitError> {
        if self.by_operator {
            return self.state().write(Author::Operator, at, facts, expected);
        }
        let mut guard = self.state();
        let state = &mut *guard;
        if state.closed && !self.shared.has_ended() {
            let text = "10: written after a commit of unknown end".to_owned();
            state.reference.violations.push(text);
        }
        let trouble = state.fault_rate;
        if self.shared.process_ends_here() {
            return Err(CommitError::Failed(store_error("the process ends")));
        }
        state.pass_commits += 1;
        let accounts: Vec<String> = expected.iter().filter_map(expected_account).collect();
        if !accounts.is_empty() && state.rng.chance(trouble / 2) {
            // An operator changes the account first.
            let who = state.rng.pick(&accounts).clone();
            drop(guard);
            let name = Address::parse(&who).unwrap();
            let owner = self.state().store.resolve(&name).unwrap();
            if owner.is_none_or(|owner| owner.as_str() == who) {
                self.grant(at, &who, 1, None);
            }
            guard = self.state();
        }
        if guard.rng.chance(trouble / 2) {
            // An operator does anything first.
            let mut rng = Rng::new(guard.rng.next());
            drop(guard);
            let mut coverage = Coverage::default();
            self.run_operator_command(&mut rng, &mut coverage, at);
            guard = self.state();
            guard.coverage.merge(&coverage);
        }
        let state = &mut *guard;
        if state.rng.chance(trouble / 6) {
            state.coverage.count("store: failed");
            return Err(CommitError::Failed(store_error("simulated")));
        }
        if state.rng.chance(trouble / 6) {
            state.closed = true;
            if state.rng.chance(500) {
                state.coverage.count("store: indeterminate, written");
                let _ = state.write(Author::Process, at, facts, expected);
            } else {
                state.coverage.count("store: indeterminate, not written");
            }
            return Err(CommitError::Indeterminate(store_error("simulated")));
        }
        let requested = facts.clone();
        let written = state.write(Author::Process, at, facts, expected);
        if let Err(error) = &written {
            match error {
                CommitError::Conflict(changed) => state.coverage.count(match changed {
                    Expected::Account { .. } => "conflict",
                    Expected::Alias { .. } => "conflict: alias",
                    Expected::Request { .. } => "conflict: request",
                    Expected::Charge { .. } => "conflict: charge",
                    Expected::Head { .. } => "conflict: head",
                }),
                CommitError::Violation(_)
                | CommitError::Indeterminate(_)
                | CommitError::Failed(_) => {
                    let source = std::error::Error::source(error).map(ToString::to_string);
                    let text = format!("a pass wrote what cannot be: {source:?}: {requested:?}");
                    state.reference.violations.push(text);
                }
            }
        }
        // The answer is lost if the process ends here; the lock is held until this point.
        self.shared.process_ends_here();
        written
    }

    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError> {
        if self.shared.has_ended() {
            return Err(store_error("the process ends"));
        }
        self.state().store.mark_sent(request, at)
    }

    fn sent_mark(&self, request: &RequestId) -> Option<Time> {
        self.state().store.sent_mark(request)
    }

    fn head(&self) -> Head {
        self.state().store.head()
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        self.state().store.account(id)
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        self.state().store.resolve(address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        self.state().store.accounts(after, limit)
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        self.state().store.is_empty()
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        self.state().store.ledger_state()
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.state().store.grant_record(reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        self.state().store.request(id)
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        self.state().store.request_of(booking)
    }

    fn request_version(&self, id: &RequestId) -> Result<Option<u64>, StoreError> {
        self.state().store.request_version(id)
    }

    fn open_intents(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.state().store.open_intents(after, limit)
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.state().store.open_notes(after, limit)
    }

    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError> {
        self.state().store.decline_times(since, until, limit)
    }

    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        self.state().store.wrong_pin_requests(since, limit)
    }

    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.state().store.requests_of_booker(booker, since, limit)
    }

    fn decided_requests(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.state().store.decided_requests(since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        self.state().store.charge(booking)
    }

    fn charge_version(&self, booking: &BookingUid) -> Result<Option<u64>, StoreError> {
        self.state().store.charge_version(booking)
    }

    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        self.state().store.open_charges(after, limit)
    }

    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        self.state().store.charges_of(account, from, to, limit)
    }

    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        self.state().store.unresolved_items(after, limit)
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        self.state().store.unresolved_items_of(booking)
    }

    fn daily_totals(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<(NaiveDate, DailyTotals)>, StoreError> {
        self.state().store.daily_totals(first, last)
    }

    fn credit_flows(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Result<Vec<(QuarterHour, CreditFlows)>, StoreError> {
        self.state().store.credit_flows(first, last)
    }

    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError> {
        self.state().store.history(subject, before, limit)
    }
}

impl CommitSource for FaultyStore {
    fn commits(&self, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError> {
        self.state().store.commits(after, limit)
    }
}

impl Maintenance for FaultyStore {
    fn verify(&self) -> Result<LogVerification, StoreError> {
        self.state().store.verify()
    }

    fn rewrite(
        &mut self,
        order: RewriteOrder,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RewriteReport, StoreError> {
        self.state().store.rewrite(order, progress)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.state().store.close()
    }

    fn unresponsive_hint(&self) -> &'static str {
        "it is simulated"
    }
}
