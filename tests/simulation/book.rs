//! The naive reference: what must be true, kept by adding and subtracting, from the facts alone. It
//! shares no code with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use maitred::domain::decision::{Decision, Outcome};
use maitred::domain::fact::Fact;
use maitred::domain::request::{CallKind, Request, RequestState};

use super::tally::Tally;

#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    pub granted: i64,
    pub refunded: i64,
    pub left: i64,
    pub held: i64,
    pub posted: i64,
    pub expired: i64,
    pub revoked: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    Held,
    Posted,
    Voided,
    MovedOn,
}

pub struct Hold {
    pub account: String,
    pub credits: i64,
    pub state: HoldState,
}

pub struct Begun {
    pub decision: Decision,
    pub call: Option<CallKind>,
    pub series: Option<String>,
    pub bookings: BTreeSet<String>,
    pub carries: bool,
    pub outcome: Option<Outcome>,
}

#[derive(Default)]
pub struct Book {
    pub sums: BTreeMap<String, Sums>,
    pub holds: BTreeMap<String, Hold>,
    pub begun: BTreeMap<String, Begun>,
    pub names: BTreeMap<String, String>,
    pub frozen: BTreeSet<String>,
    pub wrong: Vec<String>,
}

fn signed(credits: u64) -> i64 {
    i64::try_from(credits).unwrap()
}

impl Book {
    pub fn apply(&mut self, fact: &Fact, tally: &mut Tally) {
        match fact {
            Fact::Grant {
                account, credits, ..
            } => {
                self.names.insert(account.to_string(), account.to_string());
                let sums = self.sums.entry(account.to_string()).or_default();
                sums.granted += signed(*credits);
                sums.left += signed(*credits);
            }
            Fact::Revoke { account, parts, .. } => {
                let credits: u64 = parts.iter().map(|part| part.credits).sum();
                let sums = self.sums.entry(account.to_string()).or_default();
                sums.left -= signed(credits);
                sums.revoked += signed(credits);
            }
            Fact::Expire { account, part } => {
                tally.add("written off");
                let sums = self.sums.entry(account.to_string()).or_default();
                sums.left -= signed(part.credits);
                sums.expired += signed(part.credits);
            }
            Fact::Frozen { account, why } => {
                if why.is_some() {
                    self.frozen.insert(account.to_string());
                } else {
                    self.frozen.remove(&account.to_string());
                }
            }
            Fact::Aliased { account, alias } => {
                self.names.insert(alias.to_string(), account.to_string());
            }
            Fact::Hold { .. } => self.hold(fact),
            Fact::Post { booking } => self.ends(booking.as_str(), HoldState::Posted),
            Fact::Void { booking, .. } => {
                tally.add("voided");
                self.ends(booking.as_str(), HoldState::Voided);
            }
            Fact::Refund { booking, parts, .. } => {
                let credits = signed(parts.iter().map(|part| part.credits).sum());
                self.refund(booking.as_str(), credits);
            }
            Fact::Move { from, to, .. } => {
                tally.add("carried");
                self.move_on(from.as_str(), to.uid.as_str());
            }
            Fact::Decided { request } => self.decided(request),
            Fact::Called { .. } => {}
            Fact::Settled { request, outcome } => self.settled(request.as_str(), *outcome, tally),
            Fact::Opened { .. }
            | Fact::Unaliased { .. }
            | Fact::Described { .. }
            | Fact::Pinned { .. }
            | Fact::Reviewed { .. }
            | Fact::Closed { .. } => unreachable!("nobody here writes it"),
        }
    }

    fn hold(&mut self, fact: &Fact) {
        let Fact::Hold {
            booking,
            request,
            account,
            parts,
            ..
        } = fact
        else {
            unreachable!("called for a hold")
        };
        let credits = signed(parts.iter().map(|part| part.credits).sum());
        let sums = self.sums.entry(account.to_string()).or_default();
        sums.left -= credits;
        sums.held += credits;
        let uid = booking.uid.to_string();
        if self.holds.contains_key(&uid) {
            self.wrong.push(format!("2: {uid} held for twice"));
        }
        match self.begun.get_mut(request.as_str()) {
            Some(begun) => {
                begun.bookings.insert(uid.clone());
            }
            None => self.wrong.push(format!("2: {uid} held without intent")),
        }
        let hold = Hold {
            account: account.to_string(),
            credits,
            state: HoldState::Held,
        };
        self.holds.insert(uid, hold);
    }

    fn ends(&mut self, uid: &str, state: HoldState) {
        let Some(hold) = self.holds.get_mut(uid) else {
            return self.wrong.push(format!("3: {uid} has no hold to end"));
        };
        if hold.state != HoldState::Held {
            self.wrong
                .push(format!("3: the hold of {uid} ended a second time"));
        }
        hold.state = state;
        let sums = self.sums.entry(hold.account.clone()).or_default();
        sums.held -= hold.credits;
        if state == HoldState::Posted {
            sums.posted += hold.credits;
        } else {
            sums.left += hold.credits;
        }
    }

    fn refund(&mut self, uid: &str, credits: i64) {
        let hold = self.holds.get_mut(uid).expect("a refund of a charge");
        hold.credits -= credits;
        if hold.state != HoldState::Posted || hold.credits < 0 {
            self.wrong
                .push(format!("3: {uid} gives back what it did not take"));
        }
        let sums = self.sums.entry(hold.account.clone()).or_default();
        sums.refunded += credits;
        sums.left += credits;
    }

    fn move_on(&mut self, from: &str, to: &str) {
        let old = self.holds.get_mut(from).expect("a charge to be moved");
        if old.state != HoldState::Posted {
            self.wrong.push(format!("3: {from} moved while not posted"));
        }
        old.state = HoldState::MovedOn;
        let (account, credits) = (old.account.clone(), old.credits);
        let new = self.holds.entry(to.to_owned()).or_insert(Hold {
            account,
            credits: 0,
            state: HoldState::Posted,
        });
        new.credits += credits;
    }

    fn decided(&mut self, request: &Request) {
        let id = request.id.to_string();
        if self.begun.contains_key(&id) {
            self.wrong.push(format!("4: {id} decided again"));
        }
        if request.state != RequestState::Recorded {
            return;
        }
        let uids = request.bookings.iter().map(|b| b.uid.to_string());
        let begun = Begun {
            decision: request.decision,
            call: request.call,
            series: request.series.as_ref().map(ToString::to_string),
            bookings: uids.collect(),
            carries: request.carries.is_some(),
            outcome: None,
        };
        for uid in &begun.bookings {
            if self.begun.values().any(|b| b.bookings.contains(uid)) {
                self.wrong
                    .push(format!("4: {uid} decided under another name"));
            }
        }
        if request.decision == Decision::Confirm {
            let name = request.booker.as_ref().map(ToString::to_string);
            let account = name.and_then(|name| self.names.get(&name));
            match account {
                None => self
                    .wrong
                    .push(format!("11: {id} confirmed for nobody known")),
                Some(account) if self.frozen.contains(account) => {
                    self.wrong.push(format!("11: {id} confirmed though frozen"));
                }
                Some(_) => {}
            }
        }
        self.begun.insert(id, begun);
    }

    fn settled(&mut self, id: &str, outcome: Outcome, tally: &mut Tally) {
        let Some(begun) = self.begun.get_mut(id) else {
            return self.wrong.push(format!("4: {id} settled unbegun"));
        };
        if begun.outcome.is_some() {
            self.wrong.push(format!("4: {id} settled a second time"));
        }
        begun.outcome = Some(outcome);
        let many = begun.bookings.len() > 1;
        match outcome {
            Outcome::Confirmed if many => tally.add("series confirmed"),
            Outcome::Declined if many => tally.add("series declined"),
            Outcome::Confirmed | Outcome::Declined | Outcome::Superseded => {}
        }
        tally.add(match outcome {
            Outcome::Confirmed => "settled: confirmed",
            Outcome::Declined => "settled: declined",
            Outcome::Superseded => "settled: superseded",
        });
        for uid in &begun.bookings {
            if self.holds.get(uid).map(|h| h.state) == Some(HoldState::Held) {
                self.wrong
                    .push(format!("3: {id} settled, {uid} still held"));
            }
        }
    }

    pub fn open(&self) -> impl Iterator<Item = (&String, &Begun)> {
        self.begun.iter().filter(|(_, b)| b.outcome.is_none())
    }

    /// The open intent that a call for this booking rests on.
    fn intent_of(&self, uid: &str) -> Option<&Begun> {
        let mut open = self.open().map(|(_, begun)| begun);
        open.find(|begun| begun.bookings.contains(uid))
    }

    pub fn is_held(&self, uid: &str) -> Result<(), String> {
        let begun = self.intent_of(uid).ok_or("no open intent")?;
        if begun.decision != Decision::Confirm {
            return Err("the decision is another".to_owned());
        }
        match self.holds.get(uid).map(|hold| hold.state) {
            Some(HoldState::Held) => Ok(()),
            None if begun.carries => Ok(()),
            state => Err(format!("no hold ({state:?})")),
        }
    }

    pub fn may_send(&self, uid: &str, confirm: bool) -> Result<(), String> {
        if confirm {
            return self.is_held(uid);
        }
        let begun = self.intent_of(uid).ok_or("no open intent")?;
        match begun.call {
            Some(CallKind::Decline | CallKind::Cancel) => Ok(()),
            Some(CallKind::Confirm) | None => Err("the decision is another".to_owned()),
        }
    }
}
