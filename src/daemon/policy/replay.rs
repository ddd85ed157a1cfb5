//! `policy replay`: judges the recorded requests by another policy, each against the ledger as it
//! was when the request was decided for the first time. The log is read once from its start and
//! never written: whole lines up to its end, whether or not a daemon is writing to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::historical_ledger::HistoricalLedger;
use super::recorded_request::{booking_times, build_fixture, cover_all_bookings};
use super::snapshot_fixture::{SnapshotFixture, evaluate_one, without_pass_limits};
use super::unrecorded_inputs::{GatedRequest, find_unrecorded_input};
use crate::config::model::StoreConfig;
use crate::control::policy::{DifferenceView, MissingInputView, ReplayDecisionView, ReplayView};
use crate::control::protocol::SCHEMA;
use crate::daemon::failure::Failure;
use crate::daemon::store_access;
use crate::daemon::views;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::fact::{ChargeFact, Commit, Fact, RequestFact};
use crate::domain::gate::Policy;
use crate::domain::id::BookingUid;
use crate::domain::ledger::Violation;
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::store::port::CommitSource;

/// Most distinct missing inputs that are reported; requests with further missing inputs still count
/// as unknown.
const MAX_MISSING_INPUTS: usize = 100;

/// The input that a request depends on when credits that were held then were given back later. A
/// pass would have waited until that was known, and might have had other credits by then.
const HELD_CREDITS: &str = "whether credits that were held for other bookings came back in time";

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
pub fn replay(
    store: &StoreConfig,
    query: &ReplayQuery<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<ReplayView, Failure> {
    let Some(commits) = store_access::commits(store) else {
        return Err(Failure::Configuration(format!(
            "the directory {} holds no ledger, so there are no recorded requests; correct \
             store.path, or name the ledger's directory with --store",
            store_access::local_path(store).display()
        )));
    };
    replay_commits(commits.as_ref(), query, progress)
}

/// Judges the requests in these commits.
///
/// # Errors
/// Fails when the commits cannot be read, or when they contradict each other.
pub fn replay_commits(
    commits: &dyn CommitSource,
    query: &ReplayQuery<'_>,
    progress: &mut dyn FnMut(Progress),
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
        progress(Progress {
            step: WorkStep::ReplayRequests,
            done: after,
            total: None,
        });
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
    deferred: Vec<DeferredOutcome>,
    view: ReplayView,
}

/// An outcome that counts only if all credits that were held then are spent. A pass leaves such a
/// request until that is known, so the log tells the outcome later.
struct DeferredOutcome {
    request: Arc<Request>,
    outcome: ReplayOutcome,
    /// The bookings whose credits are still held.
    held_bookings: BTreeSet<BookingUid>,
}

/// How another policy decides a request.
enum ReplayOutcome {
    Same,
    Different(Box<ReplayDecisionView>),
    /// The input that would have to be known.
    Unknown(String),
    /// The outcome if the credits that are held for these bookings are spent.
    AfterHolds(BTreeSet<BookingUid>, Box<ReplayOutcome>),
}

impl<'a> Replay<'a> {
    /// Returns a replay before the first commit.
    pub fn new(query: &'a ReplayQuery<'a>) -> Self {
        Self {
            policy: without_pass_limits(query.policy),
            query,
            ledger: HistoricalLedger::default(),
            missing: BTreeMap::new(),
            deferred: Vec::new(),
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
                self.count_or_defer(request, outcome);
            }
            self.ledger.apply(commit, fact)?;
            match fact {
                Fact::Charge(ChargeFact::Post { booking }) => self.end_hold(booking, true),
                Fact::Charge(ChargeFact::Void { booking, .. }) => self.end_hold(booking, false),
                _ => {}
            }
        }
        self.view.commits = commit.seq;
        Ok(())
    }

    /// Returns the result of the replay.
    pub fn into_view(mut self) -> ReplayView {
        for DeferredOutcome { request, .. } in std::mem::take(&mut self.deferred) {
            self.count_outcome(&request, ReplayOutcome::Unknown(HELD_CREDITS.to_owned()));
        }
        // Deferred outcomes were counted later than those of younger requests.
        let differences = &mut self.view.differences;
        differences.sort_by(|a, b| a.decided_at.cmp(&b.decided_at));
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
        let has_times = cover_all_bookings(&times, request);
        let account = fixture.account.as_ref();
        let held_bookings = account
            .map(|account| self.ledger.held_bookings(&account.id))
            .unwrap_or_default();
        if !held_bookings.is_empty() && !depends_on_unsettled(request) {
            let replayed = evaluate_one(fixture.clone(), &self.policy);
            if replayed.is_some_and(|replayed| depends_on_unsettled(&replayed)) {
                let fixture = with_spent_holds(fixture);
                let outcome = self.evaluate_fixture(request, has_times, fixture);
                return ReplayOutcome::AfterHolds(held_bookings, Box::new(outcome));
            }
        }
        self.evaluate_fixture(request, has_times, fixture)
    }

    fn evaluate_fixture(
        &self,
        request: &Request,
        has_times: bool,
        fixture: SnapshotFixture,
    ) -> ReplayOutcome {
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
            has_times,
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

    fn count_or_defer(&mut self, request: &Arc<Request>, outcome: ReplayOutcome) {
        match outcome {
            ReplayOutcome::AfterHolds(held_bookings, outcome) => {
                self.deferred.push(DeferredOutcome {
                    request: Arc::clone(request),
                    outcome: *outcome,
                    held_bookings,
                });
            }
            outcome => self.count_outcome(request, outcome),
        }
    }

    /// Counts the outcomes that the end of this hold decides.
    fn end_hold(&mut self, booking: &BookingUid, is_spent: bool) {
        for mut deferred in std::mem::take(&mut self.deferred) {
            let was_awaited = deferred.held_bookings.remove(booking);
            if was_awaited && !is_spent {
                let unknown = ReplayOutcome::Unknown(HELD_CREDITS.to_owned());
                self.count_outcome(&deferred.request, unknown);
            } else if deferred.held_bookings.is_empty() {
                self.count_outcome(&deferred.request, deferred.outcome);
            } else {
                self.deferred.push(deferred);
            }
        }
    }

    fn count_outcome(&mut self, request: &Request, outcome: ReplayOutcome) {
        self.view.requests += 1;
        match outcome {
            ReplayOutcome::Same => self.view.same += 1,
            ReplayOutcome::AfterHolds(..) => unreachable!("it is deferred before it is counted"),
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

/// Returns true if a pass leaves the request because credits or a time may still come back.
fn depends_on_unsettled(request: &Request) -> bool {
    let mut reasons = request.reasons.iter();
    reasons.any(|reason| reason.code == ReasonCode::DependsOnUnsettled)
}

/// Returns the fixture as it is when all credits that are held are spent.
fn with_spent_holds(mut fixture: SnapshotFixture) -> SnapshotFixture {
    if let Some(account) = &mut fixture.account {
        account.totals.posted += account.totals.held;
        account.totals.held = 0;
    }
    fixture
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
