//! The promises about the basis of a decision: the right ledger, the right time, and facts that are
//! settled and were read just before.

use std::sync::atomic::Ordering;

use maitred::domain::booking::BookingStatus;
use maitred::domain::decision::{Decision, DecisionOutcome, ReasonCode};
use maitred::domain::fact::{ChargeFact, CreditFact, Fact, RequestFact};
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::time::Time;
use maitred::store::port::Store;

use super::faulty_store::FaultyStoreState;
use super::history::History;
use super::model_calcom::{HOST_ID, ModelBooking};
use super::reference_ledger::HoldState;
use super::reference_policy::ReferencePolicy;

impl FaultyStoreState {
    /// Checks one commit of a process, after the commit was applied to the reference ledger.
    pub fn check_later_promises(&mut self, history: &History, at: Time, facts: &[Fact]) {
        if self.has_skewed_clock {
            return self.check_nothing_final(at, facts);
        }
        for fact in facts {
            match fact {
                Fact::Request(RequestFact::Decided { request })
                    if request.state == RequestState::Recorded =>
                {
                    self.check_right_ledger(request);
                    self.check_in_time(at, request);
                    self.check_based_on_settled(history, at, request);
                }
                Fact::Request(RequestFact::IntentSettled {
                    request,
                    outcome: DecisionOutcome::Superseded,
                }) => {
                    self.check_status_is_known(history, request.as_str());
                }
                _ => {}
            }
        }
    }

    /// Checks promise 13.
    fn check_nothing_final(&mut self, at: Time, facts: &[Fact]) {
        for fact in facts {
            let what = match fact {
                Fact::Request(RequestFact::Decided { request })
                    if request.state == RequestState::Recorded =>
                {
                    format!("{} is decided as {:?}", request.id, request.decision)
                }
                Fact::Charge(ChargeFact::Refund {
                    booking,
                    close: true,
                    ..
                }) => format!("the charge of {booking} is given back"),
                Fact::Charge(ChargeFact::Closed { booking, .. }) => {
                    format!("the charge of {booking} is final")
                }
                Fact::Credit(CreditFact::Expire { account, .. }) => {
                    format!("credits of {account} are written off")
                }
                _ => continue,
            };
            let text = format!("13 (D1): with a wrong clock, at {at}, {what}");
            self.reference.violations.push(text);
        }
    }

    /// Checks promise 12.
    fn check_right_ledger(&mut self, request: &Request) {
        let Some(lost) = &self.lost_ledger else {
            return;
        };
        // A restore that an operator has accepted counts as valid.
        let waits = self.store.ledger_state().unwrap().restored_at.is_some();
        let unmanaged = request
            .reasons
            .iter()
            .any(|reason| reason.code == ReasonCode::Unmanaged);
        let uid = request.bookings[0].uid.as_str();
        if unmanaged && (waits || !lost.restored && lost.rows.contains(uid)) {
            let what = request.decision;
            let text = format!(
                "12 (B1): {uid}, accepted before the ledger was lost, is unmanaged: {what:?}"
            );
            self.reference.violations.push(text);
        } else if request.call.is_some() && waits {
            let what = request.decision;
            let text = format!("12 (B1): {what:?} of {uid} on a backup that nobody has accepted");
            self.reference.violations.push(text);
        }
    }

    /// Checks that nothing is confirmed after its start.
    fn check_in_time(&mut self, at: Time, request: &Request) {
        let confirms = request.call == Some(CallKind::Confirm);
        if confirms && request.start <= request.decided_at {
            let text = format!(
                "11 (B11): {} is confirmed at {at}, after its start",
                request.id
            );
            self.reference.violations.push(text);
        }
    }

    /// Checks promise 14.
    fn check_based_on_settled(&mut self, history: &History, at: Time, request: &Request) {
        if request.decision != Decision::Decline || request.predecessor.is_some() {
            return;
        }
        let has = |code| request.reasons.iter().any(|reason| reason.code == code);
        if has(ReasonCode::ShortOfCredit) {
            self.check_still_short(history, at, request);
        }
        if has(ReasonCode::TimeTaken) {
            self.check_still_taken(history, at, request);
        }
    }

    fn check_still_short(&mut self, history: &History, at: Time, request: &Request) {
        // One list shows the open charges, and this list showed an older state.
        if self.stale.load(Ordering::Relaxed) {
            return;
        }
        let booker = request.booker.as_ref();
        let Some(id) = booker.and_then(|booker| self.store.resolve(booker).unwrap()) else {
            return;
        };
        let account = self.store.account(&id).unwrap().unwrap();
        let needs = request.credits as i64;
        let has = account.available(request.decided_at) as i64;
        let holds = &self.reference.holds;
        let own = |state: HoldState| {
            let holds = holds.iter();
            let id = id.as_str();
            holds.filter(move |(_, hold)| hold.account == id && hold.state == state)
        };
        let held: i64 = own(HoldState::Held).map(|(_, hold)| hold.credits).sum();
        let carried = self.reference.carried_charges();
        let coming: i64 = own(HoldState::Posted)
            .filter(|(uid, _)| !carried.contains(uid))
            .map(|(uid, hold)| self.certain_refund(history, at, uid, hold.credits))
            .sum();
        if has + held >= needs && held > 0 {
            let text = format!(
                "14 (B5): {} is short of {needs} with {has}, and {held} are held for what is not \
                 settled",
                request.id
            );
            self.reference.violations.push(text);
        } else if has + held + coming >= needs {
            let text = format!(
                "14 (B4): {} is short of {needs} with {has}, and {coming} come back from what was \
                 cancelled before the pass began",
                request.id
            );
            self.reference.violations.push(text);
        }
    }

    /// Returns what certainly comes back for a booking that was cancelled before the pass began.
    fn certain_refund(&self, history: &History, at: Time, uid: &str, paid: i64) -> i64 {
        let cancelled = |moment: usize| {
            let was = history.row_at(uid, moment);
            was.is_some_and(|row| row.status == BookingStatus::Cancelled && !row.unreadable)
        };
        // The booking may be accepted again before the pass reads it.
        let moments = history.moments(&[uid], self.pass_from, history.change_count());
        if !moments.into_iter().all(cancelled) {
            return 0;
        }
        let truth = ReferencePolicy {
            observed_between: (self.pass_from, history.change_count()),
            ..self.reference_policy(history, at)
        };
        truth.certain_refund(uid, paid)
    }

    fn check_still_taken(&mut self, history: &History, at: Time, request: &Request) {
        if self.stale.load(Ordering::Relaxed) {
            return;
        }
        let own: Vec<&str> = request
            .bookings
            .iter()
            .map(|one| one.uid.as_str())
            .collect();
        let rows = || own.iter().filter_map(|uid| history.last_row(uid));
        let overlaps = |other: &ModelBooking| {
            rows().any(|row| row.start.max(other.start).max(at) < row.end.min(other.end))
        };
        let now = history.change_count();
        let others = || {
            history
                .all_rows()
                .filter(|row| !own.contains(&row.uid.as_str()))
        };
        let stood = |row: &&ModelBooking| {
            let moments = history.moments(&[&row.uid], self.pass_from, now);
            moments.into_iter().any(|moment| {
                history.row_at(&row.uid, moment).is_some_and(|row| {
                    row.status == BookingStatus::Accepted && row.host == HOST_ID && overlaps(row)
                })
            })
        };
        if others().any(|row| stood(&row)) {
            return;
        }
        let open = self.reference.open_intents().map(|(_, begun)| begun);
        let confirms = open.filter(|begun| begun.call == Some(CallKind::Confirm));
        let bookings: Vec<&String> = confirms.flat_map(|begun| &begun.bookings).collect();
        let kind = if others().any(|row| bookings.contains(&&row.uid) && overlaps(row)) {
            "14 (B5): the time of a request rests on a confirm that is not settled"
        } else {
            "14 (B4): the time of a request is free, and it is declined as taken"
        };
        self.reference
            .violations
            .push(format!("{kind}: {}", request.id));
    }

    /// Checks that a status that the client does not know settles nothing: the intent stays open.
    fn check_status_is_known(&mut self, history: &History, id: &str) {
        // A list that showed an older state of the booking is a reading like any other.
        if self.stale.load(Ordering::Relaxed) {
            return;
        }
        let unknown = |status: &BookingStatus| {
            matches!(
                status,
                BookingStatus::AwaitingHost | BookingStatus::Other(_)
            )
        };
        let uids: Vec<String> = self.reference.intents[id]
            .bookings
            .iter()
            .cloned()
            .collect();
        for uid in uids {
            let moments = history.moments(&[&uid], self.pass_from, history.change_count());
            let always = moments.into_iter().all(|moment| {
                history
                    .row_at(&uid, moment)
                    .is_some_and(|row| unknown(&row.status))
            });
            if always {
                let text = format!("4 (B8): {id} is given up while the status of {uid} is unknown");
                self.reference.violations.push(text);
            }
        }
    }
}
