//! Checks whether what a process writes about charges is right, fact by fact, against what really
//! happened.

use maitred::domain::account::LotPart;
use maitred::domain::booking::BookingStatus;
use maitred::domain::decision::{Decision, DecisionOutcome, ReasonCode};
use maitred::domain::fact::{ChargeFact, Fact, RefundPart, RequestFact};
use maitred::domain::gate::{Gate, Policy};
use maitred::domain::id::Reference;
use maitred::domain::refund_policy::{OnReschedule, OnRevived, OnUnmanaged};
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::store::port::Store;

use super::faulty_store::FaultyStoreState;
use super::history::History;
use super::model_calcom::{EVENT_TYPES, HOST_ID, ModelBooking};
use super::reference_ledger::{Author, HoldState};
use super::reference_policy::{ChargeEnd, ReferencePolicy};

/// A plan is started within a minute after it was made, and a call may take some time.
const MAX_PLAN_AGE: Span = Span::minutes(2);

fn total_credits(parts: &[RefundPart]) -> i64 {
    parts.iter().map(|part| part.credits as i64).sum()
}

impl FaultyStoreState {
    /// Applies a commit to the reference ledger, and checks what a process wrote against what
    /// really happened.
    pub fn apply_commit(&mut self, author: Author, at: Time, facts: &[Fact]) {
        let history = std::sync::Arc::clone(&self.history);
        let history = history.lock().unwrap();
        for fact in facts {
            let before = self.charge_before_move(fact);
            if author == Author::Process && !self.has_skewed_clock {
                self.check_fact(&history, at, fact, facts);
            } else if author == Author::Operator
                && let Fact::Charge(ChargeFact::Refund { booking, parts, .. }) = fact
            {
                self.check_refund_lots(&history, at, booking.as_str(), parts);
            }
            let policy = std::sync::Arc::clone(&self.policy);
            self.apply_fact(&history, at, (fact, author), &policy);
            self.moves.extend(before);
        }
        if author == Author::Process {
            self.check_later_promises(&history, at, facts);
        }
        if author == Author::Process && !self.has_skewed_clock {
            self.check_moves(&history, at);
            self.check_carried(facts);
        }
        self.moves.clear();
    }

    /// Applies a fact to the reference ledger, with the policy at the time of the write.
    pub fn apply_fact(
        &mut self,
        history: &History,
        at: Time,
        (fact, by): (&Fact, Author),
        policy: &Policy,
    ) {
        let keeps = self.late_move_cost(history, at, fact);
        // Noted here and not where an end is checked: a restored ledger remembers its absences too.
        if let Fact::Charge(ChargeFact::Refund {
            booking,
            close: true,
            reason,
            ..
        }) = fact
            && reason.forgives_absence()
        {
            let account = self.reference.holds[booking.as_str()].account.clone();
            self.reference.forgiven.push((account, at));
        }
        self.reference.apply(fact, by, policy, &mut self.coverage);
        if let Fact::Charge(ChargeFact::Move { to, .. }) = fact
            && let Some(hold) = self.reference.holds.get_mut(to.uid.as_str())
        {
            hold.move_cost = hold.move_cost.max(keeps);
            let gate = history.last_row(to.uid.as_str()).and_then(|row| {
                let named = |gate: &&Gate| gate.name == EVENT_TYPES[row.event_type].0;
                policy.gates.iter().find(named)
            });
            hold.trusts_names = gate.is_some_and(|gate| gate.terms.refunds.trust_named_cancels);
        }
    }

    /// Returns the bookings from and to which a charge moves, and what was paid for both.
    fn charge_before_move(&self, fact: &Fact) -> Option<(String, String, i64)> {
        let Fact::Charge(ChargeFact::Move { from, to, .. }) = fact else {
            return None;
        };
        let credits = |uid: &str| self.reference.holds.get(uid).map_or(0, |hold| hold.credits);
        let paid = credits(from.as_str()) + credits(to.uid.as_str());
        Some((from.to_string(), to.uid.to_string(), paid))
    }

    /// Returns what the moves that lead to the booking have cost.
    fn late_move_cost(&mut self, history: &History, at: Time, fact: &Fact) -> i64 {
        let Fact::Charge(ChargeFact::Move { from, to, .. }) = fact else {
            return 0;
        };
        let chain = history.path(from.as_str(), to.uid.as_str());
        let paid = self.reference.holds[from.as_str()].credits;
        let keeps = self
            .reference_policy(history, at)
            .move_cost(&chain, from.as_str(), paid);
        if keeps > 0 {
            self.coverage
                .count("moved late: keeps what a cancellation costs");
        }
        keeps
    }

    pub fn reference_policy<'a>(&'a self, history: &'a History, at: Time) -> ReferencePolicy<'a> {
        ReferencePolicy {
            history,
            reference: &self.reference,
            policy: &self.policy,
            legacy: self.legacy,
            hides_updated: self.hides_updated,
            at,
            observed_between: (self.observed_from, history.change_count()),
        }
    }

    fn check_fact(&mut self, history: &History, at: Time, fact: &Fact, all: &[Fact]) {
        match fact {
            Fact::Charge(ChargeFact::Refund {
                booking,
                parts,
                close: true,
                ..
            }) => {
                let end = ChargeEnd::Refund(total_credits(parts));
                self.check_end(history, at, booking.as_str(), &end);
                self.check_refund_lots(history, at, booking.as_str(), parts);
            }
            Fact::Charge(ChargeFact::Refund {
                booking,
                parts,
                close: false,
                ..
            }) => {
                self.coverage.count("moved: the difference came back");
                self.check_refund_lots(history, at, booking.as_str(), parts);
            }
            Fact::Charge(ChargeFact::Void {
                booking,
                refund_parts: back,
                ..
            }) => {
                let mut parts = back.clone();
                if parts.is_empty() {
                    let paid = self.reference.holds[booking.as_str()].parts.iter();
                    let of = |(grant, credits): &(String, i64)| RefundPart {
                        grant: Reference::parse(grant).unwrap(),
                        credits: u64::try_from(*credits).unwrap(),
                        replacement_lot: None,
                    };
                    parts = paid.map(of).collect();
                } else {
                    self.coverage.count("voided to a new lot");
                }
                self.check_refund_lots(history, at, booking.as_str(), &parts);
            }
            Fact::Charge(ChargeFact::Closed { booking, .. }) => {
                self.check_end(history, at, booking.as_str(), &ChargeEnd::Spent)
            }
            Fact::Charge(ChargeFact::Move { from, to, .. }) => {
                let end = ChargeEnd::MovesTo(to.uid.to_string());
                self.check_end(history, at, from.as_str(), &end);
            }
            Fact::Charge(ChargeFact::Hold { booking, parts, .. }) => {
                self.check_lots_unexpired(at, booking.uid.as_str(), parts)
            }
            Fact::Request(RequestFact::Decided { request }) => {
                self.check_watch_decision(history, at, request, all);
                self.check_time_is_free(history, at, request, all);
                self.check_pause(request);
            }
            Fact::Account(_)
            | Fact::Request(
                RequestFact::Reviewed { .. }
                | RequestFact::CallRecorded { .. }
                | RequestFact::IntentSettled { .. },
            )
            | Fact::Credit(_)
            | Fact::Charge(ChargeFact::Post { .. })
            | Fact::Unresolved(_)
            | Fact::Ledger(_)
            | Fact::By(_) => {}
        }
    }

    /// Checks that a pass decides nothing about the requests of a paused gate, and that it leaves no
    /// request because of a pause that is over.
    fn check_pause(&mut self, request: &Request) {
        let Some(gate) = request.gate.as_deref().filter(|_| !self.watching) else {
            return;
        };
        let is_paused = self.reference.is_paused(gate, request.decided_at);
        let is_decision = matches!(request.decision, Decision::Confirm | Decision::Decline)
            && request.state == RequestState::Recorded;
        let mut reasons = request.reasons.iter();
        let left_by_pause = reasons.any(|reason| reason.code == ReasonCode::Paused);
        if is_decision && is_paused || left_by_pause && !is_paused {
            let text = format!(
                "{} is decided as {:?} at {}; gate {gate} paused: {is_paused}",
                request.id, request.decision, request.decided_at
            );
            self.reference.violations.push(text);
        }
    }

    fn check_end(&mut self, history: &History, at: Time, uid: &str, end: &ChargeEnd) {
        let Some(hold) = self.reference.holds.get(uid) else {
            return;
        };
        let may = self
            .reference_policy(history, at)
            .possible_ends(uid, hold.credits);
        match may.iter().find(|(may, _)| may == end) {
            Some((_, why)) => {
                self.coverage.count(*why);
                self.end_reasons.insert(uid.to_owned(), why);
            }
            None => {
                let kind = self.reference_policy(history, at).broken_promise(uid);
                let text = format!(
                    "{kind}: the charge of {uid} ends as {end:?} at {at}, may: {may:?}; looked from \
                     {} to {}: {}",
                    self.observed_from,
                    history.change_count(),
                    history.describe(uid)
                );
                self.reference.violations.push(text);
            }
        }
        if let (ChargeEnd::MovesTo(to), Some(_)) = (end, self.reference.intents.get(uid)) {
            let is_shown = history.last_row(to).is_some_and(|row| row.series.is_some());
            self.coverage.count(if is_shown {
                "moved: an occurrence of a series"
            } else {
                "moved: a booking of its own"
            });
        }
    }

    /// Checks that credits go back to the lot that paid, or, if that lot has expired, to the lot
    /// that the policy demands.
    fn check_refund_lots(&mut self, history: &History, at: Time, uid: &str, parts: &[RefundPart]) {
        for part in parts {
            let must = self
                .reference_policy(history, at)
                .restored_until(uid, part.grant.as_str());
            let is = part.replacement_lot.as_ref().map(|(_, until)| *until);
            if is != must {
                let text = format!("3: {} goes back until {is:?}, must be {must:?}", part.grant);
                self.reference.violations.push(text);
            }
            let expired = self.reference.expiries.get(part.grant.as_str());
            let expired = expired.copied().flatten().is_some_and(|when| when <= at);
            match must {
                Some(_) => self.coverage.count("lot restored"),
                None if expired && self.reference.restored_lots.contains(part.grant.as_str()) => {
                    self.coverage.count("lot not restored again");
                }
                None if expired => self.coverage.count("lot forfeited"),
                None => {}
            }
        }
    }

    /// Checks that no payment comes from a lot that had expired when the payment was planned.
    fn check_lots_unexpired(&mut self, at: Time, uid: &str, parts: &[LotPart]) {
        for part in parts {
            let expires = self.reference.expiries.get(part.grant.as_str()).copied();
            if expires
                .flatten()
                .is_some_and(|when| when < at - MAX_PLAN_AGE)
            {
                let text = format!("1: {uid} is paid from {}, which has expired", part.grant);
                self.reference.violations.push(text);
            }
        }
    }

    /// Checks what the watch decides about bookings without a charge.
    fn check_watch_decision(
        &mut self,
        history: &History,
        at: Time,
        request: &Request,
        all: &[Fact],
    ) {
        if request.state != RequestState::Recorded {
            return;
        }
        let has = |code| request.reasons.iter().any(|reason| reason.code == code);
        let uid = request.bookings[0].uid.as_str();
        match request.decision {
            Decision::Confirm if request.call.is_none() && has(ReasonCode::Unmanaged) => {
                self.coverage.count("unmanaged: charged");
                self.check_unmanaged(history, at, uid, OnUnmanaged::Charge);
                self.check_charged_amount(history, at, uid, all);
            }
            Decision::Confirm if request.call.is_none() && has(ReasonCode::AcceptedMove) => {
                self.coverage.count("moved: accepted at once and charged");
                self.check_charged_amount(history, at, uid, all);
            }
            Decision::Confirm if request.call.is_none() => {
                self.coverage.count("moved: the difference was charged");
            }
            Decision::Decline if has(ReasonCode::Revived) => {
                self.coverage.count("revived: cancelled");
                self.check_revived(history, at, uid);
            }
            Decision::Decline if has(ReasonCode::Unmanaged) => {
                self.coverage.count("unmanaged: cancelled");
                self.check_unmanaged(history, at, uid, OnUnmanaged::Cancel);
                for row in history.ancestors(uid) {
                    let hold = self.reference.holds.get(&row.uid);
                    if hold.is_some_and(|hold| hold.state == HoldState::Posted) {
                        let text = format!("3: {uid} cancelled, and {} pays for it", row.uid);
                        self.reference.violations.push(text);
                    }
                }
            }
            Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                self.coverage.count("request closed undecided");
                self.check_closed_undecided(history, at, request);
            }
            Decision::Confirm => self.check_not_frozen(request),
            Decision::Decline => {}
        }
    }

    /// Checks that a booking is cancelled again only if the gate says so, and only if it was
    /// accepted although it had been cancelled or moved.
    fn check_revived(&mut self, history: &History, at: Time, uid: &str) {
        let gate = history
            .last_row(uid)
            .map(|row| self.reference_policy(history, at).gate(row).cloned());
        let cancels = |gate: Gate| gate.terms.on_revived == OnRevived::Cancel;
        if !gate.flatten().is_some_and(cancels) {
            self.reference
                .violations
                .push(format!("3: {uid} was not to be cancelled again"));
        }
        let replaced = history
            .all_rows()
            .any(|row| row.predecessor.as_deref() == Some(uid));
        let revived = |row: &ModelBooking| {
            row.status == BookingStatus::Accepted
                && (row.cancelled_by.is_some()
                    || row.has_reason
                    || row.successor.is_some()
                    || replaced)
        };
        self.check_was_ever(history, uid, "cancelled again and not revived", revived);
    }

    /// Checks that requests closed undecided had ended, or were answered or taken away by others:
    /// none of their bookings still waits.
    fn check_closed_undecided(&mut self, history: &History, at: Time, request: &Request) {
        let ended = |row: Option<&ModelBooking>| match row {
            None => true,
            Some(row) => {
                row.status != BookingStatus::Pending || row.end <= at || row.successor.is_some()
            }
        };
        for booking in &request.bookings {
            let uid = booking.uid.as_str();
            let moments = history.moments(&[uid], self.observed_from, history.change_count());
            let mut moments = moments.into_iter();
            if !moments.any(|moment| ended(history.row_at(uid, moment))) {
                let story = history.describe(uid);
                let id = &request.id;
                let text = format!("3: {uid} was closed with {id} at {at} and waits: {story}");
                self.reference.violations.push(text);
            }
        }
    }

    /// Checks that nothing is confirmed for a frozen account, except a booking whose predecessor
    /// was paid for, if the gate carries the payment.
    fn check_not_frozen(&mut self, request: &Request) {
        let mut gates = self.policy.gates.iter();
        let gate = gates.find(|gate| request.gate.as_ref() == Some(&gate.name));
        let carries = request.predecessor.is_some()
            && gate.is_some_and(|gate| gate.terms.on_reschedule == OnReschedule::Carry);
        let account = request.account.as_ref().map(ToString::to_string);
        if account.is_some_and(|account| self.reference.frozen.contains(&account)) && !carries {
            let text = format!("11: {} confirmed though frozen", request.id);
            self.reference.violations.push(text);
        }
    }

    /// Checks that no request is confirmed at a time that another booking has: never within one
    /// plan, and never next to bookings that were accepted before, provided that the lists were
    /// complete. Past bookings do not conflict and are not listed.
    fn check_time_is_free(&mut self, history: &History, at: Time, request: &Request, all: &[Fact]) {
        let lets_in = |request: &Request| request.call == Some(CallKind::Confirm);
        if !lets_in(request) || request.state != RequestState::Recorded {
            return;
        }
        let of = |request: &Request| -> Vec<String> {
            let bookings = request.bookings.iter();
            bookings.map(|booking| booking.uid.to_string()).collect()
        };
        let own = of(request);
        let mut others: Vec<String> = Vec::new();
        for fact in all {
            if let Fact::Request(RequestFact::Decided { request: other }) = fact
                && lets_in(other)
                && other.id != request.id
            {
                others.extend(of(other));
            }
        }
        if self.fault_rate == 0 {
            let stands = |row: &&ModelBooking| {
                row.status == BookingStatus::Accepted
                    && row.host == HOST_ID
                    && row.successor.is_none()
                    && !row.unreadable
            };
            others.extend(
                history
                    .current_rows()
                    .filter(stands)
                    .map(|row| row.uid.clone()),
            );
            let intents = self.reference.open_intents().map(|(_, begun)| begun);
            let intents = intents.filter(|begun| begun.call == Some(CallKind::Confirm));
            others.extend(intents.flat_map(|begun| begun.bookings.iter().cloned()));
        }
        let now = |uid: &String| history.row_at(uid, history.change_count());
        for row in own.iter().filter_map(now) {
            let overlaps = |other: &&ModelBooking| {
                let from = row.start.max(other.start).max(at);
                from < row.end.min(other.end)
            };
            let others = others.iter().filter(|uid| !own.contains(uid));
            let stands = |row: &&ModelBooking| {
                matches!(row.status, BookingStatus::Pending | BookingStatus::Accepted)
            };
            let mut others = others.filter_map(now).filter(stands).filter(overlaps);
            if let Some(other) = others.next() {
                let text = format!("11: {} is confirmed beside {}", row.uid, other.uid);
                self.reference.violations.push(text);
            }
        }
    }

    fn check_unmanaged(&mut self, history: &History, at: Time, uid: &str, how: OnUnmanaged) {
        let Some(row) = history.last_row(uid) else {
            return;
        };
        // A booking that joined a series during maitred's confirm is charged whatever the
        // configuration says. A booking that was decided once is managed, however old it is.
        let mut intents = self.reference.intents.values();
        let joined = how == OnUnmanaged::Charge
            && intents.any(|begun| {
                begun.series.is_some()
                    && begun.series == row.series
                    && begun.outcome == Some(DecisionOutcome::Confirmed)
            });
        let ours = self.reference.holds.contains_key(uid)
            || self
                .reference
                .intents
                .values()
                .any(|begun| begun.bookings.contains(uid));
        let right = self
            .reference_policy(history, at)
            .gate(row)
            .is_some_and(|gate| {
                let since = gate.terms.unmanaged_since;
                (gate.terms.on_unmanaged == how || joined)
                    && (ours || joined || since.is_none_or(|since| row.created >= since))
                    && row.host == HOST_ID
                    && EVENT_TYPES[row.event_type].1 == 0
            });
        if !right {
            let text = format!("3: {uid} was not to be taken on as {how:?}");
            self.reference.violations.push(text);
        }
        let linked = !self.legacy && row.series.is_none();
        let stands = |row: &ModelBooking| {
            row.status == BookingStatus::Accepted
                && !(linked && row.successor.is_some())
                && !row.seated
                && (how != OnUnmanaged::Cancel || row.end > at)
        };
        self.check_was_ever(history, uid, "taken on and not accepted", stands);
    }

    /// Checks that the charge is the whole price, or everything that the account has.
    fn check_charged_amount(&mut self, history: &History, at: Time, uid: &str, all: &[Fact]) {
        let Some(cost) = history.last_row(uid).and_then(|row| {
            self.reference_policy(history, at)
                .gate(row)
                .and_then(|gate| gate.cost.fixed())
        }) else {
            return;
        };
        for fact in all {
            let Fact::Charge(ChargeFact::Hold { account, parts, .. }) = fact else {
                continue;
            };
            let taken: u64 = parts.iter().map(|part| part.credits).sum();
            let after = self.store.account(account).unwrap().unwrap();
            if taken < cost {
                self.coverage.count("unmanaged: charged in part");
            }
            if taken > cost || (taken < cost && after.available(at) > 0) {
                let text = format!("3: {uid} was charged {taken} of {cost}");
                self.reference.violations.push(text);
            }
        }
    }

    fn check_was_ever(
        &mut self,
        history: &History,
        uid: &str,
        not: &str,
        is: impl Fn(&ModelBooking) -> bool,
    ) {
        let moments = history.moments(&[uid], self.observed_from, history.change_count());
        let once = |moment: &usize| history.row_at(uid, *moment).is_some_and(&is);
        if !moments.iter().any(once) {
            self.reference
                .violations
                .push(format!("3: {uid} was {not}"));
        }
    }

    /// Checks that a move neither charges twice nor refunds what the successor costs.
    fn check_moves(&mut self, history: &History, at: Time) {
        for (from, to, before) in std::mem::take(&mut self.moves) {
            let Some(row) = history.last_row(&to) else {
                continue;
            };
            let cost =
                self.reference_policy(history, at)
                    .gate_after(row, &from)
                    .cost
                    .fixed()
                    .expect("the gates of the simulation have fixed prices") as i64;
            let Some(hold) = self.reference.holds.get(&to) else {
                continue;
            };
            let must = cost.max(hold.move_cost).min(before);
            if hold.credits != must {
                let text = format!(
                    "3: {to} was moved to and pays {}, must {must}",
                    hold.credits
                );
                self.reference.violations.push(text);
            }
            if hold.credits < cost {
                self.coverage.count("moved: not all could be charged");
            }
        }
    }

    /// Checks that a charge that an intent takes over ends with the intent, and not before.
    fn check_carried(&mut self, facts: &[Fact]) {
        for fact in facts {
            let Fact::Request(RequestFact::IntentSettled {
                request,
                outcome: DecisionOutcome::Confirmed,
            }) = fact
            else {
                continue;
            };
            let Some(from) = self.reference.intents[request.as_str()]
                .carried_charge
                .clone()
            else {
                continue;
            };
            let hold = &self.reference.holds[&from];
            if hold.state == HoldState::TakenOver {
                self.coverage.count("moved: by the pass");
            } else {
                let text = format!(
                    "3: {request} should carry {from}, which is {:?}",
                    hold.state
                );
                self.reference.violations.push(text);
            }
        }
    }
}
