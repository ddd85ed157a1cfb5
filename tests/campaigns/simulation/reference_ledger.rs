//! The naive reference: what must be true, computed by adding and subtracting from the facts alone.
//! It shares no code with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use maitred::domain::decision::{Decision, DecisionOutcome, ReasonCode};
use maitred::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart, RequestFact};
use maitred::domain::gate::Policy;
use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::refund_policy::RefundTerms;
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::time::Time;

use super::coverage::Coverage;

#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceSums {
    pub granted: i64,
    pub refunded: i64,
    /// What is left, less what was lent and is not settled.
    pub available: i64,
    /// What came from other accounts, less what went to others.
    pub passed_on: i64,
    pub held: i64,
    pub posted: i64,
    pub expired: i64,
    pub revoked: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    Held,
    /// Spent, and can still be refunded.
    Posted,
    Voided,
    TakenOver,
    Final,
    /// Refunded in full or in part.
    Refunded,
}

pub struct ReferenceHold {
    pub account: String,
    /// Credits that are still held or spent.
    pub credits: i64,
    pub state: HoldState,
    /// The charge moved here from another booking, which paid for it.
    pub inherited: bool,
    /// Whether the gate trusted the names of people who move bookings when the charge moved here.
    pub trusts_names: bool,
    /// An operator ended the charge.
    pub by_operator: bool,
    /// The grants that pay, while the credits are held.
    pub parts: Vec<(String, i64)>,
    /// What late moves have cost: these credits do not come back when the booker cancels later.
    pub move_cost: i64,
    /// The gate's terms when the credits were held; after a move, the terms of the first payment.
    pub terms: RefundTerms,
}

pub struct ReferenceIntent {
    pub decision: Decision,
    pub call: Option<CallKind>,
    pub series: Option<String>,
    pub bookings: BTreeSet<String>,
    /// The gate by which the request was decided.
    pub gate: Option<String>,
    pub carried_charge: Option<String>,
    /// The intent cancels or charges a booking that others accepted.
    pub unmanaged: bool,
    /// The booking was accepted although it had been cancelled or moved.
    pub revived: bool,
    pub outcome: Option<DecisionOutcome>,
}

/// Reasons for which the watch decides about an accepted booking.
const REASONS_FOR_ACCEPTED: [ReasonCode; 3] = [
    ReasonCode::Unmanaged,
    ReasonCode::Revived,
    ReasonCode::AcceptedMove,
];

/// The message for a booking without an open intent.
pub const NOT_DECIDED: &str = "no open intent";

/// The author of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    Process,
    Operator,
}

#[derive(Default)]
pub struct ReferenceLedger {
    pub sums: BTreeMap<String, ReferenceSums>,
    /// What was lent to each account and is not settled.
    pub debts: BTreeMap<String, i64>,
    /// How many credits each account may be lent.
    pub overdrafts: BTreeMap<String, i64>,
    pub holds: BTreeMap<String, ReferenceHold>,
    pub intents: BTreeMap<String, ReferenceIntent>,
    /// Bookings whose noted request was closed, because they ended undecided.
    pub closed_notes: BTreeSet<String>,
    pub names: BTreeMap<String, String>,
    pub frozen: BTreeSet<String>,
    /// When the credits of each grant expire.
    pub expiries: BTreeMap<String, Option<Time>>,
    /// The lots that replace expired credits.
    pub restored_lots: BTreeSet<String>,
    /// The gates that an operator has paused, and when the pause ends by itself.
    pub paused_gates: BTreeMap<String, Option<Time>>,
    /// Absences that cost nothing: the account and the time.
    pub forgiven: Vec<(String, Time)>,
    pub violations: Vec<String>,
}

fn signed(credits: u64) -> i64 {
    i64::try_from(credits).unwrap()
}

impl ReferenceLedger {
    pub fn apply(&mut self, fact: &Fact, author: Author, policy: &Policy, coverage: &mut Coverage) {
        match fact {
            Fact::Credit(CreditFact::Grant {
                reference,
                account,
                credits,
                expires,
                ..
            }) => {
                self.expiries.insert(reference.to_string(), *expires);
                self.names.insert(account.to_string(), account.to_string());
                let sums = self.sums.entry(account.to_string()).or_default();
                sums.granted += signed(*credits);
                sums.available += signed(*credits);
                self.settle(account.as_str(), signed(*credits));
            }
            Fact::Credit(CreditFact::Revoke { account, parts, .. }) => {
                let credits: u64 = parts.iter().map(|part| part.credits).sum();
                let sums = self.sums.entry(account.to_string()).or_default();
                sums.available -= signed(credits);
                sums.revoked += signed(credits);
            }
            Fact::Credit(CreditFact::Transfer {
                reference,
                account,
                to,
                parts,
                ..
            }) => {
                for (number, part) in parts.iter().enumerate() {
                    let expires = self.expiries.get(part.grant.as_str()).copied().flatten();
                    let lot = format!("{reference} lot {}", number + 1);
                    self.expiries.insert(lot, expires);
                }
                self.names.insert(to.to_string(), to.to_string());
                let credits = signed(parts.iter().map(|part| part.credits).sum());
                for (account, change) in [(account, -credits), (to, credits)] {
                    let sums = self.sums.entry(account.to_string()).or_default();
                    sums.available += change;
                    sums.passed_on += change;
                }
                self.settle(to.as_str(), credits);
            }
            Fact::Credit(CreditFact::Expire { account, part }) => {
                coverage.count("written off");
                let sums = self.sums.entry(account.to_string()).or_default();
                sums.available -= signed(part.credits);
                sums.expired += signed(part.credits);
            }
            Fact::Account(AccountFact::FreezeChanged {
                account,
                reason: why,
                ..
            }) => {
                if why.is_some() {
                    self.frozen.insert(account.to_string());
                } else {
                    self.frozen.remove(&account.to_string());
                }
            }
            Fact::Account(AccountFact::AliasAdded { account, alias }) => {
                self.names.insert(alias.to_string(), account.to_string());
            }
            Fact::Account(AccountFact::OverdraftChanged { account, limit }) => {
                let limit = signed(limit.unwrap_or(0));
                self.overdrafts.insert(account.to_string(), limit);
            }
            Fact::Charge(ChargeFact::Hold { lent, .. }) => {
                if *lent > 0 {
                    coverage.count("lent");
                }
                self.apply_hold(fact, policy);
            }
            Fact::Charge(ChargeFact::Post { booking }) => {
                self.end_hold(booking.as_str(), HoldState::Posted)
            }
            Fact::Charge(ChargeFact::Void {
                booking,
                refund_parts: back,
                ..
            }) => {
                coverage.count("voided");
                self.add_restored_lots(back);
                self.end_hold(booking.as_str(), HoldState::Voided);
            }
            Fact::Charge(ChargeFact::Refund {
                booking,
                parts,
                close,
                ..
            }) => {
                self.add_restored_lots(parts);
                let credits = signed(parts.iter().map(|part| part.credits).sum());
                self.apply_refund(booking.as_str(), credits);
                if *close {
                    self.close_charge(booking.as_str(), HoldState::Refunded, author);
                }
            }
            Fact::Charge(ChargeFact::Closed { booking, .. }) => {
                self.close_charge(booking.as_str(), HoldState::Final, author)
            }
            Fact::Charge(ChargeFact::Move { from, to, .. }) => {
                coverage.count("carried");
                self.apply_move(from.as_str(), to.uid.as_str());
            }
            Fact::Request(RequestFact::Decided { request }) => self.apply_decision(request),
            Fact::Request(RequestFact::CallRecorded { .. }) | Fact::Unresolved(_) => {}
            Fact::Request(RequestFact::IntentSettled { request, outcome }) => {
                self.apply_outcome(request.as_str(), *outcome, coverage)
            }
            Fact::Ledger(LedgerFact::Paused {
                gate: Some(gate),
                until,
                ..
            }) => {
                self.paused_gates.insert(gate.clone(), *until);
            }
            Fact::Ledger(LedgerFact::Resumed { gate: Some(gate) }) => {
                self.paused_gates.remove(gate);
            }
            // The reference does not track other facts about the ledger itself.
            Fact::Ledger(_) | Fact::By(_) => {}
            Fact::Account(
                AccountFact::Opened { .. }
                | AccountFact::AliasRemoved { .. }
                | AccountFact::Described { .. }
                | AccountFact::PinChanged { .. }
                | AccountFact::Closed { .. }
                | AccountFact::Reopened { .. }
                | AccountFact::Merged { .. },
            )
            | Fact::Request(RequestFact::Reviewed { .. }) => {
                unreachable!("the simulation does not write it: {fact:?}")
            }
        }
    }

    fn add_restored_lots(&mut self, parts: &[RefundPart]) {
        for (name, expires) in parts
            .iter()
            .filter_map(|part| part.replacement_lot.as_ref())
        {
            self.expiries.insert(name.to_string(), Some(*expires));
            self.restored_lots.insert(name.to_string());
        }
    }

    fn apply_hold(&mut self, fact: &Fact, policy: &Policy) {
        let Fact::Charge(ChargeFact::Hold {
            booking,
            request,
            account,
            parts,
            lent,
            ..
        }) = fact
        else {
            unreachable!("called for a hold")
        };
        let lent_part = (*lent > 0).then(|| (format!("overdraft {}", booking.uid), signed(*lent)));
        if let Some((lot, credits)) = &lent_part {
            self.expiries.insert(lot.clone(), None);
            let debt = self.debts.entry(account.to_string()).or_default();
            *debt += credits;
            let limit = self.overdrafts.get(account.as_str()).copied();
            if *debt > limit.unwrap_or(0) {
                let text = format!("2: {account} owes {debt}, and may owe {limit:?}");
                self.violations.push(text);
            }
        }
        let credits = signed(parts.iter().map(|part| part.credits).sum::<u64>() + lent);
        let sums = self.sums.entry(account.to_string()).or_default();
        sums.available -= credits;
        sums.held += credits;
        let uid = booking.uid.to_string();
        // A refunded booking may be paid for again: it was accepted once more.
        let is_spent = self.holds.get(&uid).is_some_and(|hold| match hold.state {
            HoldState::Voided => false,
            HoldState::Refunded => hold.credits > 0,
            HoldState::Held | HoldState::Posted | HoldState::TakenOver | HoldState::Final => true,
        });
        if is_spent {
            self.violations.push(format!("2: {uid} held for twice"));
        }
        match self.intents.get_mut(request.as_str()) {
            Some(begun) => {
                begun.bookings.insert(uid.clone());
            }
            None => self
                .violations
                .push(format!("2: {uid} held without intent")),
        }
        let name = self.intents.get(request.as_str());
        let name = name.and_then(|begun| begun.gate.as_ref());
        let gate = policy.gates.iter().find(|gate| Some(&gate.name) == name);
        let hold = ReferenceHold {
            account: account.to_string(),
            credits,
            state: HoldState::Held,
            inherited: false,
            trusts_names: false,
            by_operator: false,
            parts: parts
                .iter()
                .map(|part| (part.grant.to_string(), signed(part.credits)))
                .chain(lent_part)
                .collect(),
            move_cost: 0,
            terms: gate.expect("a gate decided").terms.refunds.clone(),
        };
        self.holds.insert(uid, hold);
    }

    fn end_hold(&mut self, uid: &str, state: HoldState) {
        let Some(hold) = self.holds.get_mut(uid) else {
            return self.violations.push(format!("3: {uid} has no hold to end"));
        };
        if hold.state != HoldState::Held {
            self.violations
                .push(format!("3: the hold of {uid} ended a second time"));
        }
        hold.state = state;
        let sums = self.sums.entry(hold.account.clone()).or_default();
        sums.held -= hold.credits;
        if state == HoldState::Posted {
            sums.posted += hold.credits;
        } else {
            sums.available += hold.credits;
            let (account, credits) = (hold.account.clone(), hold.credits);
            self.settle(&account, credits);
        }
    }

    /// Settles what was lent to an account with credits that came in.
    fn settle(&mut self, account: &str, credits: i64) {
        if let Some(debt) = self.debts.get_mut(account) {
            *debt -= credits.min(*debt);
        }
    }

    fn close_charge(&mut self, uid: &str, state: HoldState, author: Author) {
        let Some(hold) = self.holds.get_mut(uid) else {
            return self
                .violations
                .push(format!("3: {uid} has no charge to close"));
        };
        if hold.state != HoldState::Posted {
            self.violations
                .push(format!("3: the charge of {uid} ended a second time"));
        }
        hold.state = state;
        hold.by_operator = author == Author::Operator;
    }

    fn apply_refund(&mut self, uid: &str, credits: i64) {
        let hold = self.holds.get_mut(uid).expect("a refund of a charge");
        hold.credits -= credits;
        if hold.state != HoldState::Posted || hold.credits < 0 {
            self.violations
                .push(format!("3: {uid} gives back what it did not take"));
        }
        let sums = self.sums.entry(hold.account.clone()).or_default();
        sums.refunded += credits;
        sums.available += credits;
        let account = hold.account.clone();
        self.settle(&account, credits);
    }

    fn apply_move(&mut self, from: &str, to: &str) {
        let old = self.holds.get_mut(from).expect("a charge to be moved");
        if old.state != HoldState::Posted {
            self.violations
                .push(format!("3: {from} moved while not posted"));
        }
        old.state = HoldState::TakenOver;
        let (account, credits) = (old.account.clone(), old.credits);
        let (terms, keeps) = (old.terms.clone(), old.move_cost);
        old.credits = 0;
        let new = self.holds.entry(to.to_owned()).or_insert(ReferenceHold {
            account: account.clone(),
            credits: 0,
            state: HoldState::Posted,
            inherited: true,
            trusts_names: false,
            by_operator: false,
            parts: Vec::new(),
            move_cost: 0,
            terms: terms.clone(),
        });
        new.credits += credits;
        new.terms = terms;
        new.move_cost = new.move_cost.max(keeps);
        if new.state != HoldState::Posted || new.account != account {
            self.violations
                .push(format!("3: {from} moved to {to}, which does not join"));
        }
    }

    fn apply_decision(&mut self, request: &Request) {
        let id = request.id.to_string();
        if self.intents.contains_key(&id) {
            self.violations.push(format!("4: {id} decided again"));
        }
        if request.state != RequestState::Recorded {
            return;
        }
        // A fact that closes a noted request decides nothing about its bookings.
        let closes = matches!(
            request.decision,
            Decision::Wait { .. } | Decision::Review | Decision::Leave
        );
        if closes {
            let all = request.bookings.iter().map(|b| b.uid.to_string());
            self.closed_notes.extend(all);
        }
        let decided = request.bookings.iter().filter(|_| !closes);
        let uids = decided.map(|b| b.uid.to_string());
        let intent = ReferenceIntent {
            decision: request.decision,
            call: request.call,
            series: request.series.as_ref().map(ToString::to_string),
            bookings: uids.collect(),
            carried_charge: request.predecessor.as_ref().map(ToString::to_string),
            gate: request.gate.clone(),
            unmanaged: request
                .reasons
                .iter()
                .any(|r| REASONS_FOR_ACCEPTED.contains(&r.code)),
            revived: request
                .reasons
                .iter()
                .any(|r| r.code == ReasonCode::Revived),
            outcome: None,
        };
        let decides =
            |decision: Decision| matches!(decision, Decision::Confirm | Decision::Decline);
        // A booking that is accepted without a charge gets a new decision each time that it is
        // found so.
        let first = !intent.unmanaged;
        for uid in intent
            .bookings
            .iter()
            .filter(|_| first && decides(intent.decision))
        {
            let mut others = self.intents.values().filter(|b| decides(b.decision));
            if others.any(|b| b.bookings.contains(uid)) {
                self.violations
                    .push(format!("4: {uid} decided under another name"));
            }
        }
        // A booking that others accepted is charged to whichever account is possible, frozen or
        // not. Only a confirm with a call must have a known booker.
        if request.decision == Decision::Confirm && request.call.is_some() {
            let name = request.booker.as_ref().map(ToString::to_string);
            let account = name.and_then(|name| self.names.get(&name));
            if account.is_none() {
                self.violations
                    .push(format!("11: {id} confirmed for nobody known"));
            }
        }
        self.intents.insert(id, intent);
    }

    fn apply_outcome(&mut self, id: &str, outcome: DecisionOutcome, coverage: &mut Coverage) {
        let Some(intent) = self.intents.get_mut(id) else {
            return self.violations.push(format!("4: {id} settled unbegun"));
        };
        if intent.outcome.is_some() {
            self.violations
                .push(format!("4: {id} settled a second time"));
        }
        intent.outcome = Some(outcome);
        let many = intent.bookings.len() > 1;
        match outcome {
            DecisionOutcome::Confirmed if many => coverage.count("series confirmed"),
            DecisionOutcome::Declined if many => coverage.count("series declined"),
            DecisionOutcome::Confirmed
            | DecisionOutcome::Declined
            | DecisionOutcome::Superseded
            | DecisionOutcome::Refused => {}
        }
        coverage.count(match outcome {
            DecisionOutcome::Confirmed => "settled: confirmed",
            DecisionOutcome::Declined => "settled: declined",
            DecisionOutcome::Superseded => "settled: superseded",
            DecisionOutcome::Refused => "settled: refused",
        });
        for uid in &intent.bookings {
            if self.holds.get(uid).map(|h| h.state) == Some(HoldState::Held) {
                self.violations
                    .push(format!("3: {id} settled, {uid} still held"));
            }
        }
    }

    /// Returns the bookings with an open charge.
    pub fn open_charges(&self) -> Vec<String> {
        let open = self.holds.iter();
        open.filter(|(_, hold)| hold.state == HoldState::Posted)
            .map(|(uid, _)| uid.clone())
            .collect()
    }

    /// Returns those of them that an open intent takes over. An intent that declines the successor
    /// does not.
    pub fn carried_charges(&self) -> Vec<String> {
        let confirms = self
            .open_intents()
            .filter(|(_, begun)| begun.decision == Decision::Confirm);
        let carried = confirms.filter_map(|(_, begun)| begun.carried_charge.clone());
        let open = |uid: &String| {
            let hold = self.holds.get(uid);
            hold.is_some_and(|hold| hold.state == HoldState::Posted)
        };
        carried.filter(open).collect()
    }

    /// Returns true if an operator has paused the gate at this instant.
    pub fn is_paused(&self, gate: &str, at: Time) -> bool {
        let until = self.paused_gates.get(gate);
        until.is_some_and(|until| until.is_none_or(|until| at < until))
    }

    pub fn open_intents(&self) -> impl Iterator<Item = (&String, &ReferenceIntent)> {
        self.intents.iter().filter(|(_, b)| b.outcome.is_none())
    }

    /// Returns true if the decision to refuse this booking with a cancellation was carried out.
    pub fn was_declined_by_cancel(&self, uid: &str) -> bool {
        self.intents.values().any(|begun| {
            begun.bookings.contains(uid)
                && begun.call == Some(CallKind::Cancel)
                && begun.outcome == Some(DecisionOutcome::Declined)
        })
    }

    /// Returns true if this ledger has decided to refuse this booking with a cancellation.
    pub fn has_decided_to_cancel(&self, uid: &str) -> bool {
        self.intents
            .values()
            .any(|begun| begun.bookings.contains(uid) && begun.call == Some(CallKind::Cancel))
    }

    /// Returns true if the booking was charged after others had accepted it, or was to be cancelled
    /// for that reason.
    pub fn was_unmanaged(&self, uid: &str) -> bool {
        let mut intents = self.intents.values().filter(|begun| begun.unmanaged);
        intents.any(|begun| begun.bookings.contains(uid))
    }

    /// Returns the open intent on which a call for this booking rests.
    pub fn open_intent_of(&self, uid: &str) -> Option<&ReferenceIntent> {
        let mut open = self.open_intents().map(|(_, begun)| begun);
        open.find(|begun| begun.bookings.contains(uid))
    }

    pub fn check_held(&self, uid: &str) -> Result<(), String> {
        let intent = self.open_intent_of(uid).ok_or(NOT_DECIDED)?;
        if intent.decision != Decision::Confirm {
            return Err("the decision is another".to_owned());
        }
        match self.holds.get(uid).map(|hold| hold.state) {
            Some(HoldState::Held) => Ok(()),
            None if intent.carried_charge.is_some() => Ok(()),
            state => Err(format!("no hold ({state:?})")),
        }
    }

    pub fn check_may_send(&self, uid: &str, confirm: bool) -> Result<(), String> {
        if confirm {
            return self.check_held(uid);
        }
        let intent = self.open_intent_of(uid).ok_or("no open intent")?;
        match intent.call {
            Some(CallKind::Decline | CallKind::Cancel) => Ok(()),
            Some(CallKind::Confirm) | None => Err("the decision is another".to_owned()),
        }
    }
}
