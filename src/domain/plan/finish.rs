//! Open intents: what was begun is finished, and what it holds is nobody else's meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Action, Planner, Problem, Step, call, looked_at};
use crate::domain::account::{Account, SpendPreview};
use crate::domain::booking::{Booking, BookingRef};
use crate::domain::decision::Decision;
use crate::domain::entry_reason::{EntryCode, EntryReason};
use crate::domain::fact::Fact;
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, Next, Sight};
use crate::domain::request::{MAX_OCCURRENCES, Request};
use crate::domain::snapshot::OpenIntent;
use crate::domain::text;

impl<'a> Planner<'a> {
    /// A decision that was begun is finished, never made anew.
    pub(super) fn finish(&mut self, open: &'a OpenIntent) {
        let request = &open.request;
        self.list_unknown(open);
        let next = intent::next(
            request,
            &open.charges,
            open.carried.as_ref(),
            &open.sights,
            open.running_until,
        );
        let due = intent::due(request, self.now);
        let action = match next {
            _ if self.snapshot.clock_off => {
                self.keep_time(open, false);
                Action::Postpone {
                    why: "the local clock and the server's disagree".to_owned(),
                }
            }
            _ if self.snapshot.restore_open => {
                self.keep_time(open, false);
                Action::Postpone {
                    why: text::RESTORE_OPEN.to_owned(),
                }
            }
            Next::Settle {
                outcome,
                facts,
                problem,
            } => {
                self.keep_time(open, true);
                Action::Settle {
                    facts,
                    outcome,
                    problem,
                }
            }
            Next::Call(booking) if due => self.resume(open, &booking),
            Next::Wait { until } => {
                self.keep_time(open, false);
                Action::Postpone {
                    why: text::still_running(until),
                }
            }
            Next::Unclear if self.is_resolved(open) => self.give_up(open),
            Next::Call(_) | Next::Unclear => {
                self.keep_time(open, false);
                let why = self.why_postponed(open);
                Action::Postpone { why }
            }
        };
        if let Action::Settle { facts, .. } = &action
            && facts.iter().any(Fact::gives_back)
        {
            self.returning.extend(&request.account);
        }
        self.count_unsettled(open, &action);
        self.plan.steps.push(Step {
            request: Arc::new(request.clone()),
            action,
        });
    }

    /// Why an intent that is not settled is not called either. A status that is not known is told as a
    /// problem: a person can see at Cal.com what it means.
    fn why_postponed(&mut self, open: &OpenIntent) -> String {
        let request = &open.request;
        let mut sights = open.sights.iter();
        if let Some((uid, _)) = sights.find(|(_, sight)| **sight == Sight::OtherStatus) {
            let why = format!(
                "booking {uid} has a status that this version does not know, and is read again until \
                 it has another one"
            );
            self.plan.problems.push(Problem {
                code: "unknown-status",
                text: format!(
                    "{why}; what request {} holds stays held meanwhile",
                    request.id
                ),
            });
            return why;
        }
        if request.cancels_accepted() {
            return "the watch goes on with cancelling it".to_owned();
        }
        if let Some(until) = open.running_until {
            return text::still_running(until);
        }
        match intent::due_at(request).filter(|at| *at > self.now) {
            Some(at) => text::next_call(request.failures, at),
            None => "its bookings could not all be read".to_owned(),
        }
    }

    /// Ends an intent whose booking has an unknown status, after an operator resolved that item.
    fn give_up(&mut self, open: &OpenIntent) -> Action {
        self.keep_time(open, true);
        let why = EntryCode::StatusResolved;
        let (outcome, facts) = intent::give_up(&open.request, &open.charges, &open.sights, why);
        Action::Settle {
            facts,
            outcome,
            problem: None,
        }
    }

    /// Reserves the time of what an intent has confirmed or may still confirm.
    fn keep_time(&mut self, open: &OpenIntent, settles: bool) {
        let request = &open.request;
        if request.decision != Decision::Confirm {
            return;
        }
        for booking in &request.bookings {
            let sight = open.sights.get(&booking.uid).copied();
            let sight = sight.unwrap_or(Sight::Unread);
            // A call that may still be running may confirm it whatever it is now.
            if !sight.may_stand() && open.running_until.is_none() {
                continue;
            }
            let settled = settles && sight.is_accepted();
            let charge = open.charges.iter().find(|c| c.booking.uid == booking.uid);
            // One that takes over a charge may hold nothing; it is a request of one booking.
            let (host, kind, span) = match charge {
                Some(charge) => (charge.host, charge.event_type, (charge.start, charge.end)),
                None => (
                    request.host,
                    request.event_type,
                    (request.start, request.end),
                ),
            };
            if let Some(host) = host {
                self.taken.add(host, kind, span, (&booking.uid, settled));
            }
        }
        for grown in &open.grown {
            self.taken.add_booking(grown, false);
        }
    }

    /// Sends an open intent's call; occurrences that joined the series meanwhile are held for
    /// first, because the call would answer them too.
    fn resume(&mut self, open: &OpenIntent, booking: &BookingRef) -> Action {
        let request = &open.request;
        let facts = match self.hold_grown(open) {
            Ok(facts) => facts,
            // What is held for a booking whose status is not known stays held.
            Err(_) if open.sights.values().any(|one| *one == Sight::OtherStatus) => {
                self.keep_time(open, false);
                let why = self.why_postponed(open);
                return Action::Postpone { why };
            }
            Err(code) => {
                let why = EntryReason::from(code.clone()).reported();
                let (outcome, facts) = intent::give_up(request, &open.charges, &open.sights, code);
                return Action::Settle {
                    facts,
                    outcome,
                    problem: Some(format!(
                        "series {}: {why}; what still waits of it is left pending for you to answer",
                        request.id
                    )),
                };
            }
        };
        self.keep_time(open, false);
        match call(request, booking) {
            Some(call) => Action::Send {
                facts,
                looked_at: looked_at(request, self.account_of(request)),
                call,
            },
            None => Action::Postpone {
                why: "the decision names no call".to_owned(),
            },
        }
    }

    fn account_of(&self, request: &Request) -> Option<&'a Account> {
        let id = request.account.as_ref()?;
        self.snapshot.accounts.get(id)
    }

    /// Holds for what joined; when that cannot be, nothing is taken, and why.
    fn hold_grown(&mut self, open: &OpenIntent) -> Result<Vec<Fact>, EntryCode> {
        let request = &open.request;
        if request.decision != Decision::Confirm {
            return Ok(Vec::new());
        }
        let mut known: BTreeSet<&BookingUid> = request.bookings.iter().map(|b| &b.uid).collect();
        let grown: Vec<&Booking> = open
            .grown
            .iter()
            .filter(|booking| known.insert(&booking.uid))
            .collect();
        if known.len() > MAX_OCCURRENCES {
            return Err(EntryCode::SeriesTooLong);
        }
        if grown.iter().any(|booking| booking.start <= self.now) {
            return Err(EntryCode::BegunOccurrenceJoined);
        }
        let account = self.account_of(request);
        let before = account.map(|known| match self.spent.get(&known.id) {
            Some(preview) => (&known.id, preview.clone()),
            None => (&known.id, SpendPreview::of(known)),
        });
        let policy = self.policy;
        let mut gates = policy.gates.iter();
        let gate = gates.find(|gate| Some(&gate.name) == request.gate.as_ref());
        let terms = gate.map(|gate| Arc::new(gate.terms.refunds.clone()));
        let tier = account.and_then(|account| account.tier.as_deref());
        let price = |booking| match gate {
            Some(gate) => gate.price(&policy.house, booking, tier, known.len()),
            None => request.cost,
        };
        let mut facts = Vec::new();
        for booking in grown {
            let hold = account.and_then(|account| {
                self.hold(request, account, booking, price(booking), terms.as_ref())
            });
            let Some(hold) = hold else {
                self.spent.extend(before);
                return Err(EntryCode::SeriesGrew);
            };
            facts.extend(hold);
        }
        Ok(facts)
    }
}
