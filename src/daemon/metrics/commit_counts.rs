//! Counts what the commits of the ledger say: decisions, their ends, and credits. The commits are
//! read from the store after they were made, so that all of them count: those of passes, of watches
//! and of operators' commands.

use std::collections::{BTreeMap, HashMap};

use crate::domain::account::sum_credits;
use crate::domain::decision::Credits;
use crate::domain::fact::{ChargeFact, CreditFact, Fact, RefundPart, RequestFact};
use crate::domain::id::BookingUid;
use crate::domain::request::{ChargeState, Request};
use crate::store::port::{Store, StoreError};

/// The kinds of credits that are counted.
pub(super) const CREDIT_KINDS: [&str; 7] = [
    "granted", "held", "posted", "voided", "refunded", "expired", "revoked",
];

/// Most commits that are read in one piece of work for the store's thread, so that passes and
/// commands do not wait long for it.
const MAX_COMMITS: usize = 64;

/// Open intents that are read in one page.
const PAGE: usize = 256;

/// What some commits add up to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommitCounts {
    /// Decisions that were recorded, by decision and first reason. The end of a request that was left
    /// pending is none.
    pub(super) decisions: BTreeMap<(&'static str, &'static str), u64>,
    /// Decisions that were carried out or ended otherwise, by outcome.
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    /// Credits, by kind.
    pub(super) credits: BTreeMap<&'static str, Credits>,
}

/// The place in the log up to which commits are counted.
#[derive(Debug, Clone)]
pub(super) struct CommitCounter {
    /// The number of the last commit that is counted.
    counted: u64,
    /// The credits of each hold that is neither posted nor voided. The facts that end a hold do not
    /// repeat its credits.
    held: HashMap<BookingUid, Credits>,
}

/// Some commits, counted.
pub(super) struct CountedCommits {
    pub(super) counts: CommitCounts,
    /// The counter after these commits.
    pub(super) counter: CommitCounter,
    /// Whether there were more commits.
    pub(super) more: bool,
}

impl CommitCounter {
    /// Starts after the last commit of the store.
    pub(super) fn start(store: &dyn Store) -> Self {
        let mut counter = Self {
            counted: store.head().seq,
            held: HashMap::new(),
        };
        if let Err(error) = counter.read_open_holds(store) {
            // Passes read the same, and say more about it.
            tracing::debug!("the metrics begin without some open holds: {error}");
        }
        counter
    }

    fn read_open_holds(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = store.open_intents(after.as_ref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some((last.decided_at, last.id.clone()));
            for request in &page {
                self.add_holds(store, request)?;
            }
        }
    }

    fn add_holds(&mut self, store: &dyn Store, request: &Request) -> Result<(), StoreError> {
        for booking in &request.bookings {
            if let Some(charge) = store.charge(&booking.uid)?
                && charge.state == ChargeState::Held
            {
                self.held.insert(booking.uid.clone(), charge.credits());
            }
        }
        Ok(())
    }

    /// Counts the next commits, at most [`MAX_COMMITS`].
    ///
    /// # Errors
    /// Fails when a commit cannot be read. The caller keeps the counter that it had.
    pub(super) fn count_next(mut self, store: &dyn Store) -> Result<CountedCommits, StoreError> {
        let mut counts = CommitCounts::default();
        let last = store.head().seq;
        for _ in 0..MAX_COMMITS {
            if self.counted >= last {
                break;
            }
            // One at a time: a commit may hold thousands of facts.
            for commit in store.commits(self.counted, 1)? {
                self.counted = commit.seq;
                for fact in &commit.facts {
                    self.count_fact(fact, &mut counts);
                }
            }
        }
        Ok(CountedCommits {
            counts,
            more: self.counted < last,
            counter: self,
        })
    }

    fn count_fact(&mut self, fact: &Fact, counts: &mut CommitCounts) {
        match fact {
            Fact::Credit(fact) => {
                let (kind, credits) = match fact {
                    CreditFact::Grant { credits, .. } => ("granted", *credits),
                    CreditFact::Revoke { parts, .. } => ("revoked", sum_credits(parts)),
                    CreditFact::Expire { part, .. } => ("expired", part.credits),
                    CreditFact::Transfer { parts, .. } => ("transferred", sum_credits(parts)),
                };
                counts.add_credits(kind, credits);
            }
            Fact::Charge(fact) => self.count_charge_fact(fact, counts),
            Fact::Request(fact) => counts.add_request_fact(fact),
            Fact::Account(_) | Fact::Unresolved(_) | Fact::Ledger(_) | Fact::By(_) => {}
        }
    }

    fn count_charge_fact(&mut self, fact: &ChargeFact, counts: &mut CommitCounts) {
        let mut end_hold = |booking: &BookingUid| self.held.remove(booking).unwrap_or_default();
        let (kind, credits) = match fact {
            ChargeFact::Hold {
                booking,
                parts,
                lent,
                ..
            } => {
                let credits = sum_credits(parts).saturating_add(*lent);
                self.held.insert(booking.uid.clone(), credits);
                ("held", credits)
            }
            ChargeFact::Post { booking } => ("posted", end_hold(booking)),
            ChargeFact::Void { booking, .. } => ("voided", end_hold(booking)),
            ChargeFact::Refund { parts, .. } => ("refunded", sum_refund(parts)),
            ChargeFact::Move { .. } | ChargeFact::Closed { .. } => return,
        };
        counts.add_credits(kind, credits);
    }
}

impl CommitCounts {
    fn add_credits(&mut self, kind: &'static str, credits: Credits) {
        let sum = self.credits.entry(kind).or_default();
        *sum = sum.saturating_add(credits);
    }

    fn add_request_fact(&mut self, fact: &RequestFact) {
        match fact {
            RequestFact::Decided { request } if request.closes_note() => {}
            RequestFact::Decided { request } => {
                let reason = request.reasons.first();
                let reason = reason.map_or("none", |reason| reason.code.as_str());
                let key = (request.decision.as_str(), reason);
                *self.decisions.entry(key).or_default() += 1;
            }
            RequestFact::IntentSettled { outcome, .. } => {
                *self.outcomes.entry(outcome.as_str()).or_default() += 1;
            }
            RequestFact::Reviewed { .. } | RequestFact::CallRecorded { .. } => {}
        }
    }
}

fn sum_refund(parts: &[RefundPart]) -> Credits {
    parts
        .iter()
        .fold(0, |sum, part| sum.saturating_add(part.credits))
}
