//! What a pass did, for logs, operators and exit codes.

use std::collections::BTreeMap;

use super::allowances::AllowanceReport;
use crate::domain::account::sum_credits;
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Credits, Decision, DecisionOutcome};
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::id::{AccountId, RequestId};
use crate::domain::plan::{Action, Plan, Problem, Step};
use crate::domain::request::{Request, RequestState};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;
use crate::store::port::{Store, StoreError};

/// The maximum number of items of the unresolved list that are counted; a longer list is shown as
/// having this many.
const MAX_COUNTED: usize = 1_000;

/// The maximum number of items that a report shows; the list itself shows all.
const MAX_SHOWN: usize = 20;

/// The number of items on the unresolved list, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnresolvedReport {
    /// The number of items, at most `MAX_COUNTED`.
    pub count: usize,
    /// The first items, at most `MAX_SHOWN`.
    pub first_items: Vec<UnresolvedBooking>,
}

impl UnresolvedReport {
    /// # Errors
    /// Returns an error if the list cannot be read.
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

/// The report of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    /// When the pass started.
    pub started: Time,
    /// When the pass finished.
    pub finished: Time,
    /// Whether the list of pending bookings was read to its end, or as far as the pass needed it.
    pub listed: bool,
    /// The number of pending bookings that were seen, regardless of whose they are.
    pub pending_count: usize,
    /// Calls sent to Cal.com.
    pub calls: u64,
    /// Whether the pass only planned, and wrote and sent nothing.
    pub dry_run: bool,
    /// The steps, in the order in which they ended, or of the plan in a dry run.
    pub steps: Vec<StepReport>,
    /// The allowances that were granted before the requests were read.
    pub allowances: AllowanceReport,
    /// In a dry run: what the accounts of requests to be confirmed could spend before and after.
    pub balances: BTreeMap<RequestId, (Credits, Credits)>,
    /// What an operator should know.
    pub problems: Vec<Problem>,
    /// What could not be read or decided.
    pub deferral: Deferral,
    /// The unresolved list after the pass.
    pub unresolved: UnresolvedReport,
    /// Whether there is more to do than this pass took on, so that the next one should run
    /// immediately.
    pub more: bool,
}

/// What could not be read or decided because Cal.com's answers did not contain enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deferral {
    /// The number of requests that would have been decided.
    pub requests: usize,
    /// Whether the list of pending bookings broke off, so that more may be pending than were seen.
    pub list_incomplete: bool,
}

/// One step and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The request, as planned or, once the step is written down, as recorded.
    pub request: Request,
    /// How the step ended.
    pub outcome: StepOutcome,
    /// Why the step is not finished, and until when it waits.
    pub why: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// The step would be done; this was a dry run.
    Planned,
    /// The bookings are confirmed at Cal.com.
    Confirmed,
    /// The bookings are declined at Cal.com.
    Declined,
    /// Something other than maitred answered the request first.
    Superseded,
    /// The step was written down or started, and is not finished: the next pass continues.
    Unresolved,
    /// Cal.com refused; the next passes try again, at growing intervals.
    Failed,
    /// Cal.com refused repeatedly: the request is left for a person.
    Refused,
    /// Nothing was to be done.
    NothingToDo,
}

impl StepOutcome {
    /// Returns the outcome's name in logs and reports.
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
    /// Returns the steps that a dry run reports: the plan, with nothing done.
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

    /// Computes what each paying account could spend before and after the step, one step after the
    /// other.
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
                    Fact::Charge(ChargeFact::Hold { parts, .. }) => Some(sum_credits(parts)),
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

    /// Returns true if every step that was started is finished.
    pub fn is_clean(&self) -> bool {
        self.steps.iter().all(|step| {
            !matches!(
                step.outcome,
                StepOutcome::Unresolved | StepOutcome::Failed | StepOutcome::Refused
            )
        })
    }

    /// Returns true if there is anything to do (for `plan --exit-code`).
    pub fn has_steps(&self) -> bool {
        let is_planned = |step: &StepReport| step.outcome == StepOutcome::Planned;
        self.steps.iter().any(is_planned) || !self.allowances.granted.is_empty()
    }
}

impl Step {
    /// Returns true if the step sends a call or writes a decision; a note is not a decision.
    pub fn has_effect(&self) -> bool {
        match &self.action {
            Action::Send { .. } | Action::Settle { .. } | Action::Postpone { .. } => true,
            Action::Note { .. } => false,
        }
    }
}

impl StepReport {
    /// Returns true if the decision is in the log.
    pub fn is_written(&self) -> bool {
        !matches!(self.request.state, RequestState::Noted)
    }

    /// Returns the bookings of the step's request.
    pub fn bookings(&self) -> &[BookingRef] {
        &self.request.bookings
    }
}
