//! The promises about what a decision rests on: the right ledger, the right time, and what is settled
//! and was read just before.

use std::sync::atomic::Ordering;

use maitred::domain::booking::Status;
use maitred::domain::decision::{Code, Decision, Outcome};
use maitred::domain::fact::Fact;
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::time::Time;
use maitred::store::port::Store;

use super::book::HoldState;
use super::history::History;
use super::shelf::State;
use super::town::{ME, Row};
use super::truth::Truth;

impl State {
    /// Of one commit of a process, after it was taken into the book.
    pub fn keeps_the_later_promises(&mut self, history: &History, at: Time, facts: &[Fact]) {
        if self.skewed {
            return self.decides_nothing_final(at, facts);
        }
        for fact in facts {
            match fact {
                Fact::Decided { request } if request.state == RequestState::Recorded => {
                    self.is_the_right_ledger(request);
                    self.is_in_time(at, request);
                    self.rests_on_what_is_settled(history, at, request);
                }
                Fact::Settled {
                    request,
                    outcome: Outcome::Superseded,
                } => {
                    self.knows_the_status(history, request.as_str());
                }
                _ => {}
            }
        }
    }

    /// Promise 13.
    fn decides_nothing_final(&mut self, at: Time, facts: &[Fact]) {
        for fact in facts {
            let what = match fact {
                Fact::Decided { request } if request.state == RequestState::Recorded => {
                    format!("{} is decided as {:?}", request.id, request.decision)
                }
                Fact::Refund {
                    booking,
                    close: true,
                    ..
                } => format!("the charge of {booking} is given back"),
                Fact::Closed { booking, .. } => format!("the charge of {booking} is final"),
                Fact::Expire { account, .. } => format!("credits of {account} are written off"),
                _ => continue,
            };
            let text = format!("13 (D1): with a wrong clock, at {at}, {what}");
            self.book.wrong.push(text);
        }
    }

    /// Promise 12.
    fn is_the_right_ledger(&mut self, request: &Request) {
        let Some(lost) = &self.lost else { return };
        // What an operator has accepted counts as it stands.
        let waits = self.store.ledger_state().unwrap().restored.is_some();
        let unmanaged = request
            .reasons
            .iter()
            .any(|reason| reason.code == Code::Unmanaged);
        let uid = request.bookings[0].uid.as_str();
        if unmanaged && (waits || !lost.restored && lost.rows.contains(uid)) {
            let what = request.decision;
            let text = format!(
                "12 (B1): {uid}, accepted before the ledger was lost, is unmanaged: {what:?}"
            );
            self.book.wrong.push(text);
        } else if request.call.is_some() && waits {
            let what = request.decision;
            let text = format!("12 (B1): {what:?} of {uid} on a backup that nobody has accepted");
            self.book.wrong.push(text);
        }
    }

    /// Nothing is confirmed once it has begun.
    fn is_in_time(&mut self, at: Time, request: &Request) {
        let confirms = request.call == Some(CallKind::Confirm);
        if confirms && request.start <= request.decided {
            let text = format!(
                "11 (B11): {} is confirmed at {at}, after its start",
                request.id
            );
            self.book.wrong.push(text);
        }
    }

    /// Promise 14.
    fn rests_on_what_is_settled(&mut self, history: &History, at: Time, request: &Request) {
        if request.decision != Decision::Decline || request.carries.is_some() {
            return;
        }
        let has = |code| request.reasons.iter().any(|reason| reason.code == code);
        if has(Code::ShortOfCredit) {
            self.is_short_for_good(history, at, request);
        }
        if has(Code::Taken) {
            self.is_taken_for_good(history, at, request);
        }
    }

    fn is_short_for_good(&mut self, history: &History, at: Time, request: &Request) {
        // One list shows the open charges, and this one showed them as they were before.
        if self.stale.load(Ordering::Relaxed) {
            return;
        }
        let booker = request.booker.as_ref();
        let Some(id) = booker.and_then(|booker| self.store.resolve(booker).unwrap()) else {
            return;
        };
        let account = self.store.account(&id).unwrap().unwrap();
        let needs = request.credits as i64;
        let has = account.available(request.decided) as i64;
        let holds = &self.book.holds;
        let own = |state: HoldState| {
            let holds = holds.iter();
            let id = id.as_str();
            holds.filter(move |(_, hold)| hold.account == id && hold.state == state)
        };
        let held: i64 = own(HoldState::Held).map(|(_, hold)| hold.credits).sum();
        let carried = self.book.carried();
        let coming: i64 = own(HoldState::Posted)
            .filter(|(uid, _)| !carried.contains(uid))
            .map(|(uid, hold)| self.comes_back(history, at, uid, hold.credits))
            .sum();
        if has + held >= needs && held > 0 {
            let text = format!(
                "14 (B5): {} is short of {needs} with {has}, and {held} are held for what is not \
                 settled",
                request.id
            );
            self.book.wrong.push(text);
        } else if has + held + coming >= needs {
            let text = format!(
                "14 (B4): {} is short of {needs} with {has}, and {coming} come back from what was \
                 cancelled before the pass began",
                request.id
            );
            self.book.wrong.push(text);
        }
    }

    /// What certainly comes back for a booking that was cancelled before the pass began.
    fn comes_back(&self, history: &History, at: Time, uid: &str, paid: i64) -> i64 {
        let cancelled = |moment: usize| {
            let was = history.at(uid, moment);
            was.is_some_and(|row| row.status == Status::Cancelled && !row.odd)
        };
        // It may be accepted again before the pass reads it.
        let moments = history.moments(&[uid], self.pass_from, history.moment());
        if !moments.into_iter().all(cancelled) {
            return 0;
        }
        let truth = Truth {
            looked: (self.pass_from, history.moment()),
            ..self.truth(history, at)
        };
        truth.certainly_back(uid, paid)
    }

    fn is_taken_for_good(&mut self, history: &History, at: Time, request: &Request) {
        if self.stale.load(Ordering::Relaxed) {
            return;
        }
        let own: Vec<&str> = request
            .bookings
            .iter()
            .map(|one| one.uid.as_str())
            .collect();
        let rows = || own.iter().filter_map(|uid| history.last(uid));
        let overlaps = |other: &Row| {
            rows().any(|row| row.start.max(other.start).max(at) < row.end.min(other.end))
        };
        let now = history.moment();
        let others = || history.all().filter(|row| !own.contains(&row.uid.as_str()));
        let stood = |row: &&Row| {
            let moments = history.moments(&[&row.uid], self.pass_from, now);
            moments.into_iter().any(|moment| {
                history.at(&row.uid, moment).is_some_and(|row| {
                    row.status == Status::Accepted && row.host == ME && overlaps(row)
                })
            })
        };
        if others().any(|row| stood(&row)) {
            return;
        }
        let open = self.book.open().map(|(_, begun)| begun);
        let confirms = open.filter(|begun| begun.call == Some(CallKind::Confirm));
        let begun: Vec<&String> = confirms.flat_map(|begun| &begun.bookings).collect();
        let kind = if others().any(|row| begun.contains(&&row.uid) && overlaps(row)) {
            "14 (B5): the time of a request rests on a confirm that is not settled"
        } else {
            "14 (B4): the time of a request is free, and it is declined as taken"
        };
        self.book.wrong.push(format!("{kind}: {}", request.id));
    }

    /// A status that the client does not know says nothing: the intent stays open.
    fn knows_the_status(&mut self, history: &History, id: &str) {
        // A list that showed the booking as it was before is a reading like any other.
        if self.stale.load(Ordering::Relaxed) {
            return;
        }
        let unknown = |status: &Status| matches!(status, Status::AwaitingHost | Status::Other(_));
        let uids: Vec<String> = self.book.begun[id].bookings.iter().cloned().collect();
        for uid in uids {
            let moments = history.moments(&[&uid], self.pass_from, history.moment());
            let always = moments.into_iter().all(|moment| {
                history
                    .at(&uid, moment)
                    .is_some_and(|row| unknown(&row.status))
            });
            if always {
                let text = format!("4 (B8): {id} is given up while the status of {uid} is unknown");
                self.book.wrong.push(text);
            }
        }
    }
}
