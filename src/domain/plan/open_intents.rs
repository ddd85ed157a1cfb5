//! Open intents: recorded decisions are finished, and what they hold is reserved meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::send::expected_account;
use super::{Action, Planner, Problem, Step, planned_call};
use crate::domain::account::{Account, SpendPreview};
use crate::domain::booking::{Booking, BookingRef};
use crate::domain::criteria::price::PriceFailure;
use crate::domain::decision::{Credits, Decision};
use crate::domain::entry_reason::{EntryCode, EntryReason};
use crate::domain::expected::Expected;
use crate::domain::fact::Fact;
use crate::domain::gate::PriceInput;
use crate::domain::id::{BookingUid, HostId};
use crate::domain::intent::{self, BookingState, NextStep};
use crate::domain::messages;
use crate::domain::request::{MAX_OCCURRENCES, Request};
use crate::domain::snapshot::OpenIntent;
use crate::domain::time::Time;

impl<'a> Planner<'a> {
    /// Plans the next step of an open intent. A recorded decision is finished and never made again.
    pub(super) fn finish_intent(&mut self, open: &'a OpenIntent) {
        let request = &open.request;
        self.list_unknown_statuses(open);
        let next_step = intent::next_step(
            request,
            &open.charges,
            open.carried_charge.as_ref(),
            &open.booking_states,
            open.running_until,
        );
        let is_due = intent::is_due(request, self.now);
        let action = match next_step {
            _ if self.snapshot.clock_skewed => {
                self.reserve_time(open, false);
                Action::Postpone {
                    reason: "the local clock and the server's clock disagree".to_owned(),
                }
            }
            _ if self.snapshot.restore_pending => {
                self.reserve_time(open, false);
                Action::Postpone {
                    reason: messages::RESTORE_OPEN.to_owned(),
                }
            }
            NextStep::Settle {
                outcome,
                facts,
                problem,
            } => {
                self.reserve_time(open, true);
                Action::Settle {
                    facts,
                    outcome,
                    problem,
                }
            }
            NextStep::Call(booking) if is_due => self.resume(open, &booking),
            NextStep::Wait { until } => {
                self.reserve_time(open, false);
                Action::Postpone {
                    reason: messages::call_still_running(until),
                }
            }
            NextStep::Unclear if self.is_resolved_by_operator(open) => self.give_up(open),
            NextStep::Call(_) | NextStep::Unclear => {
                self.reserve_time(open, false);
                let reason = self.postponement_reason(open);
                Action::Postpone { reason }
            }
        };
        if let Action::Settle { facts, .. } = &action
            && facts.iter().any(Fact::returns_credits)
        {
            self.credited_accounts.extend(&request.account);
        }
        self.count_unsettled(open, &action);
        let mut expected = vec![Expected::Request {
            id: request.id.clone(),
            version: open.version,
        }];
        if matches!(action, Action::Send { .. }) {
            expected.extend(expected_account(request, self.account_of(request)));
        }
        self.plan.steps.push(Step {
            request: Arc::new(request.clone()),
            action,
            expected,
        });
    }

    /// Returns why an intent that is not settled gets no call either. An unknown status is also
    /// reported as a problem, because a person can see at Cal.com what it means.
    fn postponement_reason(&mut self, open: &OpenIntent) -> String {
        let request = &open.request;
        let mut booking_states = open.booking_states.iter();
        if let Some((uid, _)) =
            booking_states.find(|(_, state)| **state == BookingState::OtherStatus)
        {
            let reason = format!(
                "booking {uid} has a status that this version does not know, and is read again until \
                 it has another one"
            );
            self.plan.problems.push(Problem {
                code: "unknown-status",
                text: format!(
                    "{reason}; what request {} holds stays held meanwhile",
                    request.id
                ),
            });
            return reason;
        }
        if request.cancels_accepted() {
            return "the watch continues to cancel it".to_owned();
        }
        if let Some(until) = open.running_until {
            return messages::call_still_running(until);
        }
        match intent::due_at(request).filter(|at| *at > self.now) {
            Some(at) => messages::next_call(request.failures, at),
            None => "some of its bookings could not be read".to_owned(),
        }
    }

    /// Ends an intent whose booking has an unknown status, after an operator resolved that item.
    fn give_up(&mut self, open: &OpenIntent) -> Action {
        self.reserve_time(open, true);
        let reason = EntryCode::StatusResolved;
        let (outcome, facts) =
            intent::give_up(&open.request, &open.charges, &open.booking_states, reason);
        Action::Settle {
            facts,
            outcome,
            problem: None,
        }
    }

    /// Reserves the time of what an intent has confirmed or may still confirm.
    fn reserve_time(&mut self, open: &OpenIntent, is_settling: bool) {
        let request = &open.request;
        if request.decision != Decision::Confirm {
            return;
        }
        for booking in &request.bookings {
            let state = open.booking_states.get(&booking.uid).copied();
            let state = state.unwrap_or(BookingState::Unread);
            // A call that may still be running may confirm the booking, whatever its state is now.
            if !state.may_occupy_time() && open.running_until.is_none() {
                continue;
            }
            let is_settled = is_settling && state.is_accepted();
            let charge = open.charges.iter().find(|c| c.booking.uid == booking.uid);
            // A request that takes over a charge may hold nothing; it has only one booking.
            let (host, kind, span) = match charge {
                Some(charge) => (charge.host, charge.event_type, (charge.start, charge.end)),
                None => (
                    request.host,
                    request.event_type,
                    (request.start, request.end),
                ),
            };
            if let Some(host) = host {
                self.host_schedule
                    .add(host, kind, span, (&booking.uid, is_settled));
                self.count_for_host(
                    (host, span.0),
                    &booking.uid,
                    request.gate.as_deref(),
                    is_settled,
                );
            }
        }
        for occurrence in &open.new_occurrences {
            self.host_schedule.add_booking(occurrence, false);
            if let Some(host) = occurrence.host_id() {
                let at = (host, occurrence.start);
                self.count_for_host(at, &occurrence.uid, request.gate.as_deref(), false);
            }
        }
    }

    /// Counts a booking for the caps of its host, if there are any.
    pub(super) fn count_for_host(
        &mut self,
        at: (HostId, Time),
        uid: &BookingUid,
        gate: Option<&str>,
        is_accepted: bool,
    ) {
        if self.policy.has_host_caps() {
            self.host_bookings.add(at, uid, gate, is_accepted);
        }
    }

    /// Sends an open intent's call. Credits for occurrences that joined the series meanwhile are
    /// held first, because the call would answer them, too.
    fn resume(&mut self, open: &OpenIntent, booking: &BookingRef) -> Action {
        let request = &open.request;
        let facts = match self.hold_joined_occurrences(open) {
            Ok(facts) => facts,
            // What is held for a booking with an unknown status stays held.
            Err(_)
                if open
                    .booking_states
                    .values()
                    .any(|one| *one == BookingState::OtherStatus) =>
            {
                self.reserve_time(open, false);
                let reason = self.postponement_reason(open);
                return Action::Postpone { reason };
            }
            Err(code) => {
                let reason = EntryReason::from(code.clone()).redacted_text();
                let (outcome, facts) =
                    intent::give_up(request, &open.charges, &open.booking_states, code);
                return Action::Settle {
                    facts,
                    outcome,
                    problem: Some(format!(
                        "series {}: {reason}; its pending occurrences are left for you to answer",
                        request.id
                    )),
                };
            }
        };
        self.reserve_time(open, false);
        match planned_call(request, booking) {
            Some(call) => Action::Send { facts, call },
            None => Action::Postpone {
                reason: "the decision names no call".to_owned(),
            },
        }
    }

    fn account_of(&self, request: &Request) -> Option<&'a Account> {
        let id = request.account.as_ref()?;
        self.snapshot.accounts.get(id)
    }

    /// Holds credits for occurrences that joined the series. If that is not possible, takes nothing
    /// and returns the reason.
    fn hold_joined_occurrences(&mut self, open: &OpenIntent) -> Result<Vec<Fact>, EntryCode> {
        let request = &open.request;
        if request.decision != Decision::Confirm {
            return Ok(Vec::new());
        }
        let mut uids: BTreeSet<&BookingUid> = request.bookings.iter().map(|b| &b.uid).collect();
        let joined: Vec<&Booking> = open
            .new_occurrences
            .iter()
            .filter(|booking| uids.insert(&booking.uid))
            .collect();
        if uids.len() > MAX_OCCURRENCES {
            return Err(EntryCode::SeriesTooLong);
        }
        if joined.iter().any(|booking| booking.start <= self.now) {
            return Err(EntryCode::BegunOccurrenceJoined);
        }
        let account = self.account_of(request);
        let preview_before = account.map(|account| match self.spend_previews.get(&account.id) {
            Some(preview) => (&account.id, preview.clone()),
            None => (&account.id, SpendPreview::new(account)),
        });
        let policy = self.policy;
        let mut gates = policy.gates.iter();
        let gate = gates.find(|gate| Some(&gate.name) == request.gate.as_ref());
        let terms = gate.map(|gate| Arc::new(gate.terms.refunds.clone()));
        // Other systems were asked for the decision, and their answers are not recorded.
        let no_answers = BTreeMap::new();
        let price = |booking: &Booking| match gate {
            Some(gate) => gate.price(&PriceInput {
                global: &policy.global,
                booking,
                account,
                occurrences: uids.len(),
                lookups: &no_answers,
                event_type: self.snapshot.event_type_of(booking),
            }),
            None => Ok(request.cost),
        };
        let prices = joined.iter().map(|booking| price(booking));
        let Ok(prices) = prices.collect::<Result<Vec<Credits>, PriceFailure>>() else {
            return Err(EntryCode::JoinedPriceUnknown);
        };
        let last_start = joined.iter().map(|booking| booking.start).max();
        let mut facts = Vec::new();
        for (booking, cost) in joined.into_iter().zip(prices) {
            let starts = (booking, last_start.unwrap_or(booking.start));
            let hold = account
                .and_then(|account| self.hold(request, account, starts, cost, terms.as_ref()));
            let Some(hold) = hold else {
                self.spend_previews.extend(preview_before);
                return Err(EntryCode::SeriesGrew);
            };
            facts.extend(hold);
        }
        Ok(facts)
    }
}
