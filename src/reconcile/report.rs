//! What a pass did, for logs, operators and exit codes.

use std::collections::BTreeMap;

use crate::domain::account::sum_credits;
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Credits, Decision, DecisionOutcome};
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, RequestId};
use crate::domain::plan::{Action, Plan, Problem, Step};
use crate::domain::request::{Request, RequestState};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;
use crate::store::port::{Store, StoreError};

/// Items of the unresolved list that are counted; more are shown as this many.
const MAX_COUNTED: usize = 1_000;

/// Items that a report shows; the list itself shows all.
const MAX_SHOWN: usize = 20;

/// What is on the unresolved list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnresolvedReport {
    pub count: usize,
    pub first_items: Vec<UnresolvedBooking>,
}

impl UnresolvedReport {
    /// # Errors
    /// When the list cannot be read.
    pub fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut items = store.unresolved_items(None, MAX_COUNTED)?;
        let count = items.len();
        items.truncate(MAX_SHOWN);
        Ok(Self {
            count,
            first_items: items,
        })
    }
}

/// A finished pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    pub started: Time,
    pub finished: Time,
    /// Pending bookings seen, whoever's they are.
    pub pending_count: usize,
    /// Calls sent to Cal.com.
    pub calls: u64,
    pub dry_run: bool,
    pub steps: Vec<StepReport>,
    /// Of a dry run: what the accounts of requests to be confirmed could spend before and after.
    pub balances: BTreeMap<RequestId, (Credits, Credits)>,
    pub problems: Vec<Problem>,
    pub deferral: Deferral,
    /// What is on the unresolved list after it.
    pub unresolved: UnresolvedReport,
    /// There is more to do than this pass took on: look again at once.
    pub more: bool,
}

/// What could not be looked at or decided because Cal.com's answers did not tell enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deferral {
    /// Requests that would have been decided.
    pub requests: usize,
    /// The list of what waits broke off, so more may wait than was seen.
    pub list_incomplete: bool,
}

/// One step and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    pub request: Request,
    pub outcome: StepOutcome,
    /// Why it is not finished, and until when it waits.
    pub why: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// Would be done; this was a dry run.
    Planned,
    Confirmed,
    Declined,
    Superseded,
    /// Written down or begun, and not finished: the next pass goes on.
    Unresolved,
    /// Cal.com said no; the next passes try again, ever more slowly.
    Failed,
    /// Cal.com refused time after time: left for a person.
    Refused,
    /// Nothing was to be done.
    NothingToDo,
}

impl StepOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::Superseded => "superseded",
            Self::Unresolved => "unresolved",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::NothingToDo => "none",
        }
    }
}

impl From<DecisionOutcome> for StepOutcome {
    fn from(outcome: DecisionOutcome) -> Self {
        match outcome {
            DecisionOutcome::Confirmed => Self::Confirmed,
            DecisionOutcome::Declined => Self::Declined,
            DecisionOutcome::Superseded => Self::Superseded,
            DecisionOutcome::Refused => Self::Refused,
        }
    }
}

impl PassReport {
    /// What a dry run reports: the plan, with nothing done.
    pub fn planned_steps(plan: &Plan) -> Vec<StepReport> {
        plan.steps
            .iter()
            .map(|step| StepReport {
                request: step.request.as_ref().clone(),
                why: match &step.action {
                    Action::Postpone { reason: why } => Some(why.clone()),
                    Action::Note { .. } | Action::Send { .. } | Action::Settle { .. } => None,
                },
                outcome: if step.has_effect() {
                    StepOutcome::Planned
                } else {
                    StepOutcome::NothingToDo
                },
            })
            .collect()
    }

    /// What each account that pays could spend before and after the step, one step after the other.
    pub fn compute_balances(
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> BTreeMap<RequestId, (Credits, Credits)> {
        let mut current_balances: BTreeMap<&AccountId, Credits> = BTreeMap::new();
        let mut balances = BTreeMap::new();
        for step in &plan.steps {
            let Action::Send { facts, .. } = &step.action else {
                continue;
            };
            let held_credits: Credits = facts
                .iter()
                .filter_map(|fact| match fact {
                    Fact::Hold { parts, .. } => Some(sum_credits(parts)),
                    _ => None,
                })
                .sum();
            let account = step.request.account.as_ref();
            let account_entry = account.and_then(|id| snapshot.accounts.get_key_value(id));
            let (Some((id, account)), Decision::Confirm) = (account_entry, step.request.decision)
            else {
                continue;
            };
            let before = current_balances
                .entry(id)
                .or_insert_with(|| account.available(snapshot.now));
            let after = before.saturating_sub(held_credits);
            balances.insert(step.request.id.clone(), (*before, after));
            *before = after;
        }
        balances
    }

    /// Whether every step that was begun is finished.
    pub fn is_clean(&self) -> bool {
        self.steps.iter().all(|step| {
            !matches!(
                step.outcome,
                StepOutcome::Unresolved | StepOutcome::Failed | StepOutcome::Refused
            )
        })
    }

    /// Whether there is anything to do (for `plan --exit-code`).
    pub fn has_steps(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.outcome == StepOutcome::Planned)
    }
}

impl Step {
    /// Whether the step sends or writes a decision; a note is none.
    pub fn has_effect(&self) -> bool {
        match &self.action {
            Action::Send { .. } | Action::Settle { .. } | Action::Postpone { .. } => true,
            Action::Note { .. } => false,
        }
    }
}

impl StepReport {
    /// Whether the decision stands in the log.
    pub fn is_written(&self) -> bool {
        !matches!(self.request.state, RequestState::Noted)
    }

    pub fn bookings(&self) -> &[BookingRef] {
        &self.request.bookings
    }
}
