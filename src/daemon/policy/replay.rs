//! `policy replay`: judges the recorded requests by another policy, each against the ledger as it
//! was when the request was decided for the first time. The log is read once from its start and
//! never written: whole lines up to its end, whether or not a daemon is writing to it.

use std::collections::BTreeMap;

use super::historical_ledger::HistoricalLedger;
use super::recorded_request::{booking_times, build_fixture, cover_all_bookings};
use super::snapshot_fixture::{evaluate_one, without_pass_limits};
use super::unrecorded_inputs::{GatedRequest, find_unrecorded_input};
use crate::config::model::StoreConfig;
use crate::control::policy::{DifferenceView, MissingInputView, ReplayDecisionView, ReplayView};
use crate::control::protocol::SCHEMA;
use crate::daemon::failure::Failure;
use crate::daemon::store_access;
use crate::daemon::views;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::fact::{Commit, Fact, RequestFact};
use crate::domain::gate::Policy;
use crate::domain::ledger::Violation;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::store::port::CommitSource;

/// Most distinct missing inputs that are reported; requests with further missing inputs still count
/// as unknown.
const MAX_MISSING_INPUTS: usize = 100;

/// How many commits are in memory at once.
const COMMITS_AT_ONCE: usize = 256;

/// The parameters of a replay.
#[derive(Debug, Clone)]
pub struct ReplayQuery<'a> {
    /// The policy that judges the recorded requests.
    pub policy: &'a Policy,
    /// First decisions before this instant are not judged.
    pub since: Time,
    /// Most differences that are listed.
    pub limit: usize,
}

/// Judges the requests in the ledger.
///
/// # Errors
/// Fails when there is no ledger, or when its commits cannot be read.
pub fn replay(store: &StoreConfig, query: &ReplayQuery<'_>) -> Result<ReplayView, Failure> {
    let Some(commits) = store_access::commits(store) else {
        return Err(Failure::Failed(format!(
            "there is no ledger in {}, so nothing was recorded there",
            store_access::local_path(store).display()
        )));
    };
    replay_commits(commits.as_ref(), query)
}

/// Judges the requests in these commits.
///
/// # Errors
/// Fails when the commits cannot be read, or when they contradict each other.
pub fn replay_commits(
    commits: &dyn CommitSource,
    query: &ReplayQuery<'_>,
) -> Result<ReplayView, Failure> {
    let mut replay = Replay::new(query);
    let mut after = 0;
    loop {
        let page = commits.commits(after, COMMITS_AT_ONCE);
        let page = page.map_err(|error| Failure::Store(format!("failed to {error}")))?;
        let Some(last) = page.last() else {
            return Ok(replay.into_view());
        };
        after = last.seq;
        for commit in &page {
            replay.replay_commit(commit).map_err(|violation| {
                Failure::Store(format!(
                    "commit {} of the ledger contradicts the commits before it: {violation}",
                    commit.seq
                ))
            })?;
        }
    }
}

/// The progress of a replay.
pub struct Replay<'a> {
    policy: Policy,
    query: &'a ReplayQuery<'a>,
    ledger: HistoricalLedger,
    missing: BTreeMap<String, u64>,
    view: ReplayView,
}

/// How another policy decides a request.
enum ReplayOutcome {
    Same,
    Different(Box<ReplayDecisionView>),
    /// The input that would have to be known.
    Unknown(String),
}

impl<'a> Replay<'a> {
    /// Returns a replay before the first commit.
    pub fn new(query: &'a ReplayQuery<'a>) -> Self {
        Self {
            policy: without_pass_limits(query.policy),
            query,
            ledger: HistoricalLedger::default(),
            missing: BTreeMap::new(),
            view: ReplayView {
                schema: SCHEMA,
                policy: query.policy.hash.clone(),
                since: views::format_time(query.since),
                commits: 0,
                requests: 0,
                same: 0,
                different: 0,
                unknown: 0,
                missing: Vec::new(),
                differences: Vec::new(),
                more: 0,
            },
        }
    }

    /// Judges the requests that the commit decides for the first time, each against the facts
    /// before it.
    ///
    /// # Errors
    /// Fails when the commit contradicts the earlier facts.
    pub fn replay_commit(&mut self, commit: &Commit) -> Result<(), Violation> {
        for (number, fact) in commit.facts.iter().enumerate() {
            if let Fact::Request(RequestFact::Decided { request }) = fact
                && self.is_in_scope(request)
            {
                let outcome = self.evaluate_request(request, &commit.facts[number + 1..]);
                self.count_outcome(request, outcome);
            }
            self.ledger.apply(commit, fact)?;
        }
        self.view.commits = commit.seq;
        Ok(())
    }

    /// Returns the result of the replay.
    pub fn into_view(self) -> ReplayView {
        let mut missing: Vec<MissingInputView> = self
            .missing
            .into_iter()
            .map(|(what, requests)| MissingInputView {
                input: what,
                requests,
            })
            .collect();
        missing.sort_by_key(|missing| std::cmp::Reverse(missing.requests));
        ReplayView {
            missing,
            ..self.view
        }
    }

    /// Returns true for a first decision in the period. A booking that was accepted without maitred
    /// is left out, because no rule was applied to it.
    fn is_in_scope(&self, request: &Request) -> bool {
        let codes = [
            ReasonCode::Unmanaged,
            ReasonCode::Revived,
            ReasonCode::AcceptedMove,
        ];
        let unmanaged = |of: &Request| of.reasons.iter().any(|r| codes.contains(&r.code));
        request.decided_at >= self.query.since
            && !self.ledger.has_request(&request.id)
            && !request.bookings.is_empty()
            && !unmanaged(request)
    }

    fn evaluate_request(&self, request: &Request, after: &[Fact]) -> ReplayOutcome {
        let times = booking_times(request, after);
        let fixture = build_fixture(request, &times, &self.ledger);
        let pin = fixture
            .account
            .as_ref()
            .is_some_and(|of| of.pin_hash.is_some());
        let gate_result = self.policy.require_gate(fixture.me, &fixture.bookings[0]);
        let gate = gate_result.ok().cloned();
        let Some(replayed) = evaluate_one(fixture, &self.policy) else {
            return ReplayOutcome::Unknown("a single decision".to_owned());
        };
        let gated_request = gate.as_ref().map(|gate| GatedRequest {
            policy: &self.policy,
            gate,
            request,
            has_times: cover_all_bookings(&times, request),
            has_pin: pin,
        });
        if let Some(input) =
            gated_request.and_then(|asked| find_unrecorded_input(&asked, &replayed.findings))
        {
            return ReplayOutcome::Unknown(input);
        }
        if is_same_decision(request, &replayed) {
            return ReplayOutcome::Same;
        }
        ReplayOutcome::Different(Box::new(decision_view(&replayed)))
    }

    fn count_outcome(&mut self, request: &Request, outcome: ReplayOutcome) {
        self.view.requests += 1;
        match outcome {
            ReplayOutcome::Same => self.view.same += 1,
            ReplayOutcome::Unknown(what) => {
                self.view.unknown += 1;
                if self.missing.len() < MAX_MISSING_INPUTS || self.missing.contains_key(&what) {
                    *self.missing.entry(what).or_default() += 1;
                }
            }
            ReplayOutcome::Different(would_be) => {
                self.view.different += 1;
                if self.view.differences.len() >= self.query.limit {
                    self.view.more += 1;
                    return;
                }
                self.view.differences.push(DifferenceView {
                    request: request.id.to_string(),
                    booker: request.booker.as_ref().map(ToString::to_string),
                    title: request.title.clone(),
                    start: views::format_time(request.start),
                    decided_at: views::format_time(request.decided_at),
                    recorded_decision: decision_view(request),
                    replayed_decision: *would_be,
                });
            }
        }
    }
}

/// Returns true for the same decision and, if it is a confirmation, the same credits. The reasons
/// are not compared.
fn is_same_decision(recorded: &Request, replayed: &Request) -> bool {
    let credits = |request: &Request| match request.decision {
        Decision::Confirm => request.credits,
        Decision::Decline | Decision::Wait { .. } | Decision::Review | Decision::Leave => 0,
    };
    recorded.decision.as_str() == replayed.decision.as_str()
        && credits(recorded) == credits(replayed)
}

fn decision_view(request: &Request) -> ReplayDecisionView {
    let objecting = request.findings.iter().find(|finding| !finding.passed);
    ReplayDecisionView {
        decision: request.decision.as_str().to_owned(),
        credits: request.credits,
        reasons: request
            .reasons
            .iter()
            .map(|reason| reason.code.to_string())
            .collect(),
        rule: objecting.map(views::finding),
    }
}
