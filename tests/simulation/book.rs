//! The naive reference: what must be true, kept by adding and subtracting, from the facts alone. It
//! shares no code with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use maitred::domain::decision::{Code, Decision, Outcome};
use maitred::domain::fact::{Back, Fact};
use maitred::domain::gate::Policy;
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::terms::RefundTerms;
use maitred::domain::time::Time;

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
    /// Spent, and it can still come back.
    Posted,
    Voided,
    MovedOn,
    Final,
    /// All or a part came back.
    Refunded,
}

pub struct Hold {
    pub account: String,
    /// What is still held or spent.
    pub credits: i64,
    pub state: HoldState,
    /// It was not held for itself: what another booking paid for moved here.
    pub taken_over: bool,
    /// Whether its gate believed the names of who moves when the charge moved here.
    pub trusts_names: bool,
    /// An operator ended it.
    pub by_hand: bool,
    /// The grants that pay, while it is held.
    pub parts: Vec<(String, i64)>,
    /// What late moves have cost: it does not come back when the booker cancels later.
    pub keeps: i64,
    /// As its gate said when the credits were held; those of what was paid first.
    pub terms: RefundTerms,
}

pub struct Begun {
    pub decision: Decision,
    pub call: Option<CallKind>,
    pub series: Option<String>,
    pub bookings: BTreeSet<String>,
    /// The gate that it was decided by.
    pub gate: Option<String>,
    pub carries: Option<String>,
    /// What others accepted is cancelled.
    pub unmanaged: bool,
    /// It was accepted although it was cancelled or moved.
    pub revived: bool,
    pub outcome: Option<Outcome>,
}

/// Why the watch decides about a booking that is accepted.
const ACCEPTED: [Code; 3] = [Code::Unmanaged, Code::Revived, Code::AcceptedMove];

/// What is said of a booking that no open intent is about.
pub const NOT_DECIDED: &str = "no open intent";

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Process,
    Operator,
}

#[derive(Default)]
pub struct Book {
    pub sums: BTreeMap<String, Sums>,
    pub holds: BTreeMap<String, Hold>,
    pub begun: BTreeMap<String, Begun>,
    /// Bookings whose note was closed, because they ended undecided.
    pub closed: BTreeSet<String>,
    pub names: BTreeMap<String, String>,
    pub frozen: BTreeSet<String>,
    /// When what a grant gave expires.
    pub expiries: BTreeMap<String, Option<Time>>,
    /// The lots that were made of credits which had expired.
    pub restored: BTreeSet<String>,
    /// Absences that cost nothing: whose and when.
    pub forgiven: Vec<(String, Time)>,
    pub wrong: Vec<String>,
}

fn signed(credits: u64) -> i64 {
    i64::try_from(credits).unwrap()
}

impl Book {
    pub fn apply(&mut self, fact: &Fact, by: By, policy: &Policy, tally: &mut Tally) {
        match fact {
            Fact::Grant {
                reference,
                account,
                credits,
                expires,
                ..
            } => {
                self.expiries.insert(reference.to_string(), *expires);
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
            Fact::Hold { .. } => self.hold(fact, policy),
            Fact::Post { booking } => self.ends(booking.as_str(), HoldState::Posted),
            Fact::Void { booking, back, .. } => {
                tally.add("voided");
                self.new_lots(back);
                self.ends(booking.as_str(), HoldState::Voided);
            }
            Fact::Refund {
                booking,
                parts,
                close,
                ..
            } => {
                self.new_lots(parts);
                let credits = signed(parts.iter().map(|part| part.credits).sum());
                self.refund(booking.as_str(), credits);
                if *close {
                    self.closes(booking.as_str(), HoldState::Refunded, by);
                }
            }
            Fact::Closed { booking, .. } => self.closes(booking.as_str(), HoldState::Final, by),
            Fact::Move { from, to, .. } => {
                tally.add("carried");
                self.move_on(from.as_str(), to.uid.as_str());
            }
            Fact::Decided { request } => self.decided(request),
            Fact::Called { .. } | Fact::Unresolved { .. } | Fact::Resolved { .. } => {}
            Fact::Settled { request, outcome } => self.settled(request.as_str(), *outcome, tally),
            // The reference keeps no account of the ledger itself.
            Fact::Ledger(_) => {}
            Fact::Opened { .. }
            | Fact::Unaliased { .. }
            | Fact::Described { .. }
            | Fact::Pinned { .. }
            | Fact::Reviewed { .. } => unreachable!("nobody here writes it"),
        }
    }

    fn new_lots(&mut self, parts: &[Back]) {
        for (name, expires) in parts.iter().filter_map(|part| part.restored.as_ref()) {
            self.expiries.insert(name.to_string(), Some(*expires));
            self.restored.insert(name.to_string());
        }
    }

    fn hold(&mut self, fact: &Fact, policy: &Policy) {
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
        // What came back may be paid for again: the booking was accepted once more.
        let is_spent = self.holds.get(&uid).is_some_and(|hold| match hold.state {
            HoldState::Voided => false,
            HoldState::Refunded => hold.credits > 0,
            HoldState::Held | HoldState::Posted | HoldState::MovedOn | HoldState::Final => true,
        });
        if is_spent {
            self.wrong.push(format!("2: {uid} held for twice"));
        }
        match self.begun.get_mut(request.as_str()) {
            Some(begun) => {
                begun.bookings.insert(uid.clone());
            }
            None => self.wrong.push(format!("2: {uid} held without intent")),
        }
        let name = self.begun.get(request.as_str());
        let name = name.and_then(|begun| begun.gate.as_ref());
        let gate = policy.gates.iter().find(|gate| Some(&gate.name) == name);
        let hold = Hold {
            account: account.to_string(),
            credits,
            state: HoldState::Held,
            taken_over: false,
            trusts_names: false,
            by_hand: false,
            parts: parts
                .iter()
                .map(|part| (part.grant.to_string(), signed(part.credits)))
                .collect(),
            keeps: 0,
            terms: gate.expect("a gate decided").terms.refunds.clone(),
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

    fn closes(&mut self, uid: &str, state: HoldState, by: By) {
        let Some(hold) = self.holds.get_mut(uid) else {
            return self.wrong.push(format!("3: {uid} has no charge to close"));
        };
        if hold.state != HoldState::Posted {
            self.wrong
                .push(format!("3: the charge of {uid} ended a second time"));
        }
        hold.state = state;
        hold.by_hand = by == By::Operator;
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
        let (terms, keeps) = (old.terms.clone(), old.keeps);
        old.credits = 0;
        let new = self.holds.entry(to.to_owned()).or_insert(Hold {
            account: account.clone(),
            credits: 0,
            state: HoldState::Posted,
            taken_over: true,
            trusts_names: false,
            by_hand: false,
            parts: Vec::new(),
            keeps: 0,
            terms: terms.clone(),
        });
        new.credits += credits;
        new.terms = terms;
        new.keeps = new.keeps.max(keeps);
        if new.state != HoldState::Posted || new.account != account {
            self.wrong
                .push(format!("3: {from} moved to {to}, which does not join"));
        }
    }

    fn decided(&mut self, request: &Request) {
        let id = request.id.to_string();
        if self.begun.contains_key(&id) {
            self.wrong.push(format!("4: {id} decided again"));
        }
        if request.state != RequestState::Recorded {
            return;
        }
        // What closes a note decides nothing about its bookings.
        let closes = matches!(
            request.decision,
            Decision::Wait { .. } | Decision::Review | Decision::Leave
        );
        if closes {
            let all = request.bookings.iter().map(|b| b.uid.to_string());
            self.closed.extend(all);
        }
        let decided = request.bookings.iter().filter(|_| !closes);
        let uids = decided.map(|b| b.uid.to_string());
        let begun = Begun {
            decision: request.decision,
            call: request.call,
            series: request.series.as_ref().map(ToString::to_string),
            bookings: uids.collect(),
            carries: request.carries.as_ref().map(ToString::to_string),
            gate: request.gate.clone(),
            unmanaged: request.reasons.iter().any(|r| ACCEPTED.contains(&r.code)),
            revived: request.reasons.iter().any(|r| r.code == Code::Revived),
            outcome: None,
        };
        let decides =
            |decision: Decision| matches!(decision, Decision::Confirm | Decision::Decline);
        // What is accepted without a charge is decided about again each time that it is found so.
        let first = !begun.unmanaged;
        for uid in begun
            .bookings
            .iter()
            .filter(|_| first && decides(begun.decision))
        {
            let mut others = self.begun.values().filter(|b| decides(b.decision));
            if others.any(|b| b.bookings.contains(uid)) {
                self.wrong
                    .push(format!("4: {uid} decided under another name"));
            }
        }
        // What others accepted is charged to whom it can be, frozen or not.
        if request.decision == Decision::Confirm && request.call.is_some() {
            let name = request.booker.as_ref().map(ToString::to_string);
            let account = name.and_then(|name| self.names.get(&name));
            if account.is_none() {
                self.wrong
                    .push(format!("11: {id} confirmed for nobody known"));
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
            Outcome::Confirmed | Outcome::Declined | Outcome::Superseded | Outcome::Refused => {}
        }
        tally.add(match outcome {
            Outcome::Confirmed => "settled: confirmed",
            Outcome::Declined => "settled: declined",
            Outcome::Superseded => "settled: superseded",
            Outcome::Refused => "settled: refused",
        });
        for uid in &begun.bookings {
            if self.holds.get(uid).map(|h| h.state) == Some(HoldState::Held) {
                self.wrong
                    .push(format!("3: {id} settled, {uid} still held"));
            }
        }
    }

    /// The bookings that have a charge which is not over.
    pub fn charged(&self) -> Vec<String> {
        let open = self.holds.iter();
        open.filter(|(_, hold)| hold.state == HoldState::Posted)
            .map(|(uid, _)| uid.clone())
            .collect()
    }

    /// Those of them that an open intent takes over. One that declines what replaced them does not.
    pub fn carried(&self) -> Vec<String> {
        let confirms = self
            .open()
            .filter(|(_, begun)| begun.decision == Decision::Confirm);
        let carried = confirms.filter_map(|(_, begun)| begun.carries.clone());
        let open = |uid: &String| {
            let hold = self.holds.get(uid);
            hold.is_some_and(|hold| hold.state == HoldState::Posted)
        };
        carried.filter(open).collect()
    }

    pub fn open(&self) -> impl Iterator<Item = (&String, &Begun)> {
        self.begun.iter().filter(|(_, b)| b.outcome.is_none())
    }

    /// Whether the decision to refuse this booking with a cancellation was carried out.
    pub fn declined(&self, uid: &str) -> bool {
        self.begun.values().any(|begun| {
            begun.bookings.contains(uid)
                && begun.call == Some(CallKind::Cancel)
                && begun.outcome == Some(Outcome::Declined)
        })
    }

    /// Whether this ledger has decided to refuse this booking with a cancellation.
    pub fn cancels(&self, uid: &str) -> bool {
        self.begun
            .values()
            .any(|begun| begun.bookings.contains(uid) && begun.call == Some(CallKind::Cancel))
    }

    /// Whether it was charged after others had accepted it, or was to be cancelled for that.
    pub fn was_unmanaged(&self, uid: &str) -> bool {
        let mut begun = self.begun.values().filter(|begun| begun.unmanaged);
        begun.any(|begun| begun.bookings.contains(uid))
    }

    /// The open intent that a call for this booking rests on.
    pub fn intent_of(&self, uid: &str) -> Option<&Begun> {
        let mut open = self.open().map(|(_, begun)| begun);
        open.find(|begun| begun.bookings.contains(uid))
    }

    pub fn is_held(&self, uid: &str) -> Result<(), String> {
        let begun = self.intent_of(uid).ok_or(NOT_DECIDED)?;
        if begun.decision != Decision::Confirm {
            return Err("the decision is another".to_owned());
        }
        match self.holds.get(uid).map(|hold| hold.state) {
            Some(HoldState::Held) => Ok(()),
            None if begun.carries.is_some() => Ok(()),
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
