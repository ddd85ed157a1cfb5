//! `policy replay`: the recorded requests judged by another policy, each against the ledger as it
//! was when it was decided for the first time. The log is walked once from its start and only read:
//! whole lines up to its end, whether a daemon is writing to it or not.

use std::collections::BTreeMap;
use std::path::Path;

use super::missing::{Asked, missing};
use super::past::Past;
use super::recorded::{are_whole, times, world};
use super::world::{judged, unbounded};
use crate::control::policy::{DifferenceView, MissingView, ReplayView, SaidView};
use crate::control::protocol::SCHEMA;
use crate::daemon::failure::{Failure, chain};
use crate::daemon::views;
use crate::domain::decision::{Code, Decision};
use crate::domain::fact::{Commit, Fact};
use crate::domain::gate::Policy;
use crate::domain::ledger::Violation;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::store::log::walk::{LogError, Walk};
use crate::store::opened::LOG;

/// Different things that can be missing and are told; the rest counts as unknown all the same.
const MAX_MISSING: usize = 100;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub policy: &'a Policy,
    /// First decisions before are not judged.
    pub since: Time,
    /// Differences that are listed.
    pub limit: usize,
}

/// Reads the log of a store and judges what is in it.
///
/// # Errors
/// When there is no log, or it cannot be read.
pub fn replay(store: &Path, ask: &Ask<'_>) -> Result<ReplayView, Failure> {
    let log = store.join(LOG);
    if !log.is_dir() {
        return Err(Failure::Failed(format!(
            "there is no ledger in {}, so nothing was recorded there",
            store.display()
        )));
    }
    walk(&log, ask).map_err(|error| Failure::Store(format!("failed to {}", chain(&error))))
}

fn walk(log: &Path, ask: &Ask<'_>) -> Result<ReplayView, LogError> {
    let mut replay = Replay::new(ask);
    let mut walk = Walk::start(log)?;
    while let Some(line) = walk.line()? {
        let (place, commit) = (line.place, line.commit());
        let commit = commit.map_err(|fault| walk.refuse_last(fault))?;
        let applied = replay.commit(&commit);
        applied.map_err(|violation| walk.misfit(place, violation))?;
    }
    Ok(replay.view())
}

/// How far a replay has come.
pub struct Replay<'a> {
    policy: Policy,
    ask: &'a Ask<'a>,
    past: Past,
    missing: BTreeMap<String, u64>,
    view: ReplayView,
}

/// What another policy makes of a request.
enum Outcome {
    Same,
    Different(Box<SaidView>),
    /// What would have to be known.
    Unknown(String),
}

impl<'a> Replay<'a> {
    pub fn new(ask: &'a Ask<'a>) -> Self {
        Self {
            policy: unbounded(ask.policy),
            ask,
            past: Past::default(),
            missing: BTreeMap::new(),
            view: ReplayView {
                schema: SCHEMA,
                policy: ask.policy.hash.clone(),
                since: views::time(ask.since),
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

    /// Judges what the commit decides for the first time, each with what stands before it.
    ///
    /// # Errors
    /// When it does not fit what was before.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), Violation> {
        for (number, fact) in commit.facts.iter().enumerate() {
            if let Fact::Decided { request } = fact
                && self.is_asked_for(request)
            {
                let outcome = self.judge(request, &commit.facts[number + 1..]);
                self.count(request, outcome);
            }
            self.past.apply(commit, fact)?;
        }
        self.view.commits = commit.seq;
        Ok(())
    }

    /// What came out.
    pub fn view(self) -> ReplayView {
        let mut missing: Vec<MissingView> = self
            .missing
            .into_iter()
            .map(|(what, requests)| MissingView { what, requests })
            .collect();
        missing.sort_by_key(|missing| std::cmp::Reverse(missing.requests));
        ReplayView {
            missing,
            ..self.view
        }
    }

    /// A booking that others accepted was not decided at the door.
    fn is_asked_for(&self, request: &Request) -> bool {
        let codes = [Code::Unmanaged, Code::Revived, Code::AcceptedMove];
        let unmanaged = |of: &Request| of.reasons.iter().any(|r| codes.contains(&r.code));
        request.decided >= self.ask.since
            && !self.past.knows(&request.id)
            && !request.bookings.is_empty()
            && !unmanaged(request)
    }

    fn judge(&self, request: &Request, after: &[Fact]) -> Outcome {
        let times = times(request, after);
        let world = world(request, &times, &self.past);
        let pin = world.account.as_ref().is_some_and(|of| of.pin.is_some());
        let guarded = self.policy.guards(world.me, &world.bookings[0]);
        let gate = guarded.ok().cloned();
        let Some(new) = judged(world, &self.policy) else {
            return Outcome::Unknown("a single decision".to_owned());
        };
        let asked = gate.as_ref().map(|gate| Asked {
            policy: &self.policy,
            gate,
            request,
            times: are_whole(&times, request),
            pin,
        });
        if let Some(what) = asked.and_then(|asked| missing(&asked, &new.findings)) {
            return Outcome::Unknown(what);
        }
        if is_same(request, &new) {
            return Outcome::Same;
        }
        Outcome::Different(Box::new(said(&new)))
    }

    fn count(&mut self, request: &Request, outcome: Outcome) {
        self.view.requests += 1;
        match outcome {
            Outcome::Same => self.view.same += 1,
            Outcome::Unknown(what) => {
                self.view.unknown += 1;
                if self.missing.len() < MAX_MISSING || self.missing.contains_key(&what) {
                    *self.missing.entry(what).or_default() += 1;
                }
            }
            Outcome::Different(would_be) => {
                self.view.different += 1;
                if self.view.differences.len() >= self.ask.limit {
                    self.view.more += 1;
                    return;
                }
                self.view.differences.push(DifferenceView {
                    request: request.id.to_string(),
                    booker: request.booker.as_ref().map(ToString::to_string),
                    title: request.title.clone(),
                    start: views::time(request.start),
                    decided: views::time(request.decided),
                    was: said(request),
                    would_be: *would_be,
                });
            }
        }
    }
}

/// The same decision, and for a confirmation the same credits. Why is not compared.
fn is_same(was: &Request, new: &Request) -> bool {
    let credits = |request: &Request| match request.decision {
        Decision::Confirm => request.credits,
        Decision::Decline | Decision::Wait { .. } | Decision::Review | Decision::Leave => 0,
    };
    was.decision.as_str() == new.decision.as_str() && credits(was) == credits(new)
}

fn said(request: &Request) -> SaidView {
    let objecting = request.findings.iter().find(|finding| !finding.passed);
    SaidView {
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
