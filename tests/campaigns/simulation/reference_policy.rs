//! What may become of a charge, derived from what really happened and from the policy: in separate,
//! naive code, for each moment at which the watch may have read. The watch must have done what was
//! right at one of these moments.

use maitred::domain::booking::BookingStatus;
use maitred::domain::decision::Decision;
use maitred::domain::gate::{Gate, Policy};
use maitred::domain::refund_policy::{
    Blame, ExpiredRefund, HostAbsent, LateMove, NoShow, RefundTerms,
};
use maitred::domain::time::{Span, Time};

use super::history::History;
use super::model_calcom::{ADMIN_ADDRESS, EVENT_TYPES, GUEST_ADDRESS, HOST_ADDRESS, ModelBooking};
use super::reference_ledger::{HoldState, ReferenceLedger};

/// The end of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeEnd {
    /// This many credits come back, and the rest is spent.
    Refund(i64),
    Spent,
    MovesTo(String),
}

pub type PossibleEnd = (ChargeEnd, &'static str);

/// The data for the possible ends of charges about which facts are written.
pub struct ReferencePolicy<'a> {
    pub history: &'a History,
    pub reference: &'a ReferenceLedger,
    pub policy: &'a Policy,
    pub legacy: bool,
    pub hides_updated: bool,
    /// When the facts were written.
    pub at: Time,
    /// The moments between which the writer has read.
    pub observed_between: (usize, usize),
}

impl ReferencePolicy<'_> {
    /// Returns everything that may become of the charge of this booking, which paid this amount.
    pub fn possible_ends(&self, uid: &str, paid: i64) -> Vec<PossibleEnd> {
        self.possible_ends_by_chain(uid, paid).concat()
    }

    /// Returns what certainly comes back: the least of all ends, and nothing as long as one chain
    /// of successors has no end.
    pub fn certain_refund(&self, uid: &str, paid: i64) -> i64 {
        let lines = self.possible_ends_by_chain(uid, paid);
        if lines.iter().any(Vec::is_empty) {
            return 0;
        }
        let ends = lines.into_iter().flatten().map(|(end, _)| match end {
            ChargeEnd::Refund(credits) => credits,
            ChargeEnd::Spent | ChargeEnd::MovesTo(_) => 0,
        });
        ends.min().unwrap_or(0)
    }

    /// Returns the ends that each chain of successors may have, at each moment of the reading.
    fn possible_ends_by_chain(&self, uid: &str, paid: i64) -> Vec<Vec<PossibleEnd>> {
        let ever = self.history.descendants(uid);
        let uids: Vec<&str> = ever.iter().map(String::as_str).collect();
        let mut ends = Vec::new();
        let (from, to) = self.observed_between;
        for moment in self.history.moments(&uids, from, to) {
            let chains = self.chains(uid, moment);
            let stands = chains.iter().any(|(chain, gone)| {
                let last = chain.last();
                let accepted = last.is_some_and(|last| last.status == BookingStatus::Accepted);
                !gone && accepted && self.is_shown(chain)
            });
            for (chain, gone) in chains {
                let dead = chain.last().is_some_and(|last| {
                    matches!(
                        last.status,
                        BookingStatus::Cancelled | BookingStatus::Rejected
                    )
                });
                // As long as one of two successors stands, it inherits the charge.
                if !(stands && dead) || self.first_late_move(&chain, uid).is_some() {
                    ends.push(self.possible_ends_of_chain(uid, (&chain, gone), paid));
                }
            }
        }
        ends
    }

    /// Returns true if every booking of the chain that its predecessor does not name is in some
    /// list.
    fn is_shown(&self, chain: &[&ModelBooking]) -> bool {
        chain.windows(2).all(|pair| {
            // In v1 no booking names its successor.
            let named = !self.legacy && pair[0].successor.as_ref() == Some(&pair[1].uid);
            let listed = matches!(
                pair[1].status,
                BookingStatus::Accepted | BookingStatus::Pending
            ) && pair[1].end > self.at
                && !pair[1].unreadable;
            named && pair[0].series.is_none() || listed
        })
    }

    /// Returns the ends of one chain of successors.
    fn possible_ends_of_chain(
        &self,
        uid: &str,
        (chain, gone): (&[&ModelBooking], bool),
        paid: i64,
    ) -> Vec<PossibleEnd> {
        let from = self.observed_between.0;
        let mut ends = self.ends_of_last(chain, gone, uid, paid);
        ends.extend(self.ends_of_own_revival(chain, uid));
        // No row names the deleted booking any more.
        if gone
            && chain
                .last()
                .is_some_and(|last| self.legacy || last.series.is_some())
        {
            ends.extend(self.ends_of_last(chain, false, uid, paid));
        }
        // If only the successor itself shows the link, the watch missed a successor that was made
        // during the watch or could not be read.
        for len in 1..chain.len() {
            let next = chain[len];
            let named = chain[len - 1].successor.as_ref() == Some(&next.uid);
            let young = self.history.first_change(&next.uid) > from;
            // The series of a revived booking is not read, and the reading before a decline reads
            // by uid only. The next watch follows the charge from there.
            let revived = chain[len - 1].status == BookingStatus::Accepted;
            let hidden = next.series.is_some() || !named || self.legacy;
            if self.legacy && (next.unreadable || young)
                || hidden && (young || revived || next.unreadable)
            {
                ends.extend(self.ends_of_last(&chain[..len], false, uid, paid));
            }
        }
        ends
    }

    /// Returns the ends by maitred's own confirmation: it takes the charge over and revives a
    /// booking that was moved meanwhile. The charge goes to that booking first, and the watch
    /// follows it from there.
    fn ends_of_own_revival(&self, chain: &[&ModelBooking], uid: &str) -> Vec<PossibleEnd> {
        let takes = |row: &&&ModelBooking| {
            self.reference.open_intents().any(|(_, begun)| {
                begun.decision == Decision::Confirm
                    && begun.carried_charge.as_deref() == Some(uid)
                    && begun.bookings.contains(&row.uid)
            })
        };
        let revived = chain
            .iter()
            .skip(1)
            .filter(|row| row.status == BookingStatus::Accepted && row.successor.is_some());
        revived
            .filter(takes)
            .map(|row| {
                (
                    ChargeEnd::MovesTo(row.uid.clone()),
                    "moved: to what our confirm revived",
                )
            })
            .collect()
    }

    /// Returns the promise that a wrong end of this charge breaks, and the behaviour that causes
    /// it.
    pub fn broken_promise(&self, uid: &str) -> &'static str {
        let chain = self.history.successors(uid);
        let any = |is: &dyn Fn(&ModelBooking) -> bool| chain.iter().any(|row| is(row));
        let twice = |row: &ModelBooking| {
            let own = |other: &&ModelBooking| other.predecessor.as_ref() == Some(&row.uid);
            self.history.all_rows().filter(own).count() > 1
        };
        if any(&twice) {
            "3 (A12)"
        } else if any(&|row| row.revived) {
            "3 (B3)"
        } else {
            "3"
        }
    }

    /// Returns the booking and its successors at a moment, one chain for each of two simultaneous
    /// moves, and whether the next successor did not exist.
    fn chains<'a>(&'a self, uid: &'a str, moment: usize) -> Vec<(Vec<&'a ModelBooking>, bool)> {
        let Some(row) = self.history.row_at(uid, moment) else {
            return vec![(Vec::new(), true)];
        };
        let mut all = Vec::new();
        let mut lines = vec![vec![row]];
        while let Some(line) = lines.pop() {
            let last = line[line.len() - 1];
            let next = self.history.replaced_by(&last.uid, moment);
            if next.is_empty() {
                all.push((line, false));
                continue;
            }
            for uid in next {
                match self.history.row_at(&uid, moment) {
                    None => all.push((line.clone(), true)),
                    Some(row) => {
                        let mut line = line.clone();
                        line.push(row);
                        lines.push(line);
                    }
                }
            }
        }
        all
    }

    fn ends_of_last(
        &self,
        chain: &[&ModelBooking],
        gone: bool,
        uid: &str,
        paid: i64,
    ) -> Vec<PossibleEnd> {
        let mut ends = Vec::new();
        if let Some(percent) = self.first_late_move(chain, uid) {
            let keeps = self.reference.holds[uid].move_cost;
            return vec![self.refund_end(percent, paid, keeps, "late move")];
        }
        let keeps = self.move_cost(chain, uid, paid);
        if gone {
            let last_row = self
                .history
                .last_row(uid)
                .expect("a charged booking was there");
            if self.at >= last_row.end + self.terms_of_charge(uid).grace {
                ends.push((ChargeEnd::Spent, "closed: deleted"));
            }
            return ends;
        }
        let last = chain[chain.len() - 1];
        let moved = chain.len() > 1;
        match &last.status {
            BookingStatus::Cancelled => ends.extend(self.ends_of_cancelled(last, paid, keeps, uid)),
            BookingStatus::Rejected => {
                ends.push(self.refund_end(100, paid, keeps, "successor declined"))
            }
            BookingStatus::Pending if last.end <= self.at => {
                ends.push(self.refund_end(100, paid, keeps, "ended undecided"));
            }
            BookingStatus::Pending => {}
            BookingStatus::Accepted if moved => {
                ends.extend(self.ends_with_successor(uid, last, paid, keeps))
            }
            BookingStatus::Accepted | BookingStatus::AwaitingHost | BookingStatus::Other(_) => {
                ends.extend(self.ends_when_over(last, paid, uid));
            }
        }
        ends
    }

    fn ends_of_cancelled(
        &self,
        last: &ModelBooking,
        paid: i64,
        keeps: i64,
        uid: &str,
    ) -> Vec<PossibleEnd> {
        let mut ends = Vec::new();
        if last.refused_by_us || self.reference.was_declined_by_cancel(&last.uid) {
            let why = "successor refused with a cancellation";
            ends.push(self.refund_end(100, paid, keeps, why));
            // After a restore, the ledger does not know about cancellations by the replaced ledger:
            // they look like cancellations by any person.
            if last.refused_by_us && self.reference.has_decided_to_cancel(&last.uid) {
                return ends;
            }
        }
        let terms = self.terms_of_charge(uid);
        let is_updated_shown = last.updated.filter(|_| !self.hides_updated);
        let notice = last.start - is_updated_shown.unwrap_or(self.at).min(self.at);
        let by = last.cancelled_by.filter(|_| !last.seated);
        let (blame, whys) = match self.side_of(by, last) {
            Side::Host if terms.trust_named_cancels => (terms.host_cancels, HOST_CANCELLED),
            Side::Host => (Blame::Booker, HOST_CLAIMED),
            Side::Booker => (Blame::Booker, BOOKER_CANCELLED),
            Side::Neither => (terms.unknown_cancels, UNKNOWN_CANCELLED),
        };
        let (percent, keeps) = match blame {
            Blame::Host => (100, 0),
            Blame::Booker => (refund_percent(terms, notice), keeps),
        };
        let why = match percent {
            100 => whys[0],
            0 => whys[2],
            _ => whys[1],
        };
        ends.push(self.refund_end(percent, paid, keeps, why));
        ends
    }

    /// Returns the ends when the successor stands: it inherits the charge, unless it has a charge
    /// of its own that does not join.
    fn ends_with_successor(
        &self,
        uid: &str,
        last: &ModelBooking,
        paid: i64,
        keeps: i64,
    ) -> Vec<PossibleEnd> {
        let account = &self.reference.holds[uid].account;
        let moves = (ChargeEnd::MovesTo(last.uid.clone()), "moved");
        match self.reference.holds.get(&last.uid) {
            None => vec![moves],
            Some(own) => match own.state {
                HoldState::Held => Vec::new(),
                HoldState::Posted if own.account == *account => vec![moves],
                HoldState::Posted | HoldState::Final if own.credits > 0 => {
                    // What the same member paid for the successor counts towards the late move,
                    // too.
                    let own_credits = if own.account == *account {
                        own.credits
                    } else {
                        0
                    };
                    let keeps = (keeps - own_credits).max(0);
                    vec![self.refund_end(100, paid, keeps, "paid for by its successor")]
                }
                HoldState::Posted
                | HoldState::Final
                | HoldState::Refunded
                | HoldState::Voided
                | HoldState::TakenOver => {
                    let over = self.ends_when_over(last, paid, uid).into_iter();
                    over.map(|(end, why)| {
                        (
                            end,
                            if why == "over" {
                                PAID_BY_PREDECESSOR
                            } else {
                                why
                            },
                        )
                    })
                    .collect()
                }
            },
        }
    }

    /// Returns the ends of a booking that took place: none before the grace period is over, and
    /// then the absence marks decide.
    fn ends_when_over(&self, last: &ModelBooking, paid: i64, uid: &str) -> Vec<PossibleEnd> {
        let terms = self.terms_of_charge(uid);
        if self.at < last.end + terms.grace {
            return Vec::new();
        }
        if last.absent_host && !self.legacy {
            match terms.host_absent {
                HostAbsent::Refund => {
                    return vec![(ChargeEnd::Refund(paid), "the host did not come")];
                }
                HostAbsent::Review if paid > 0 => return Vec::new(),
                HostAbsent::Review | HostAbsent::Ignore => {}
            }
        }
        let named = last.email.is_some() && !last.seated;
        if !(last.absent && named && !self.legacy) {
            return vec![(ChargeEnd::Spent, "over")];
        }
        if paid == 0 && terms.no_show != NoShow::Refund {
            return vec![(
                ChargeEnd::Spent,
                "the booker did not come: nothing was paid",
            )];
        }
        let account = &self.reference.holds[uid].account;
        let forgives = terms.forgiveness.is_some_and(|forgive| {
            let since = self.at - forgive.per;
            let before = self.reference.forgiven.iter();
            let counts = before.filter(|(who, at)| who == account && *at > since);
            (counts.count() as u32) < forgive.times
        });
        match terms.no_show {
            NoShow::Refund => vec![(ChargeEnd::Refund(paid), "the booker did not come: refunded")],
            NoShow::Keep | NoShow::Review if forgives => {
                vec![(ChargeEnd::Refund(paid), FORGIVEN_ABSENCE)]
            }
            NoShow::Keep => vec![(ChargeEnd::Spent, "the booker did not come: kept")],
            NoShow::Review => Vec::new(),
        }
    }

    fn refund_end(&self, percent: u8, paid: i64, keeps: i64, why: &'static str) -> PossibleEnd {
        let credits = rounded_share(paid, percent).min((paid - keeps).max(0));
        if credits == 0 && (percent < 100 || paid > 0) {
            (ChargeEnd::Spent, why)
        } else {
            (ChargeEnd::Refund(credits), why)
        }
    }

    /// Returns what the moves of the chain, and earlier moves, have cost: as much as the most
    /// expensive of them would have cost as a cancellation.
    pub fn move_cost(&self, chain: &[&ModelBooking], uid: &str, paid: i64) -> i64 {
        let terms = self.terms_of_charge(uid);
        let links = chain.windows(2);
        let costs = links.map(|pair| {
            paid - rounded_share(paid, self.cancellation_share(terms, pair[0], pair[1]))
        });
        costs
            .max()
            .unwrap_or(0)
            .max(self.reference.holds[uid].move_cost)
    }

    /// Returns the share that comes back for the first move of the chain that counts as a
    /// cancellation.
    fn first_late_move(&self, chain: &[&ModelBooking], uid: &str) -> Option<u8> {
        let terms = self.terms_of_charge(uid);
        chain
            .windows(2)
            .find_map(|pair| self.late_move_share(terms, pair[0], pair[1]))
    }

    fn late_move_share(
        &self,
        terms: &RefundTerms,
        from: &ModelBooking,
        to: &ModelBooking,
    ) -> Option<u8> {
        let percent = self.cancellation_share(terms, from, to);
        let late = match terms.late_move {
            LateMove::Carry => false,
            LateMove::Cancellation => percent < 100,
        };
        late.then_some(percent)
    }

    /// Returns the share that would have come back if the booking had been cancelled instead of
    /// moved.
    fn cancellation_share(
        &self,
        terms: &RefundTerms,
        from: &ModelBooking,
        to: &ModelBooking,
    ) -> u8 {
        let is_shown = self.legacy || to.series.is_none();
        let notice = from.start - to.created;
        match self.side_of(to.moved_by.filter(|_| is_shown), to) {
            Side::Host if terms.trust_named_cancels => 100,
            Side::Neither if terms.unknown_cancels == Blame::Host => 100,
            Side::Host | Side::Booker | Side::Neither => refund_percent(terms, notice),
        }
    }

    /// Returns the side to which an address belongs.
    fn side_of(&self, name: Option<&str>, row: &ModelBooking) -> Side {
        let Some(name) = name else {
            return Side::Neither;
        };
        let booker = row.email.filter(|_| !row.seated);
        if name == HOST_ADDRESS || (name == ADMIN_ADDRESS && !self.policy.hosts.is_empty()) {
            Side::Host
        } else if name == GUEST_ADDRESS || booker == Some(name) {
            Side::Booker
        } else {
            Side::Neither
        }
    }

    pub fn gate(&self, row: &ModelBooking) -> Option<&Gate> {
        let named = |gate: &&Gate| gate.name == EVENT_TYPES[row.event_type].0;
        self.policy.gates.iter().find(named)
    }

    /// Returns the terms of the charge: those at the time of the payment count.
    fn terms_of_charge(&self, charged: &str) -> &RefundTerms {
        &self.reference.holds[charged].terms
    }

    /// Returns the booking's gate, or else the gate of the charged booking, or else the gate that
    /// decided about that booking.
    pub fn gate_after(&self, row: &ModelBooking, charged: &str) -> &Gate {
        let own = self.history.last_row(charged);
        let before = self.history.ancestors(charged).into_iter();
        // A hold that was released paid for nothing that came after it.
        let paid = |uid: &String| {
            let hold = self.reference.holds.get(uid);
            hold.is_some_and(|hold| hold.state != HoldState::Voided)
        };
        let before = before.filter(|row| paid(&row.uid));
        let mut rows = std::iter::once(row).chain(own);
        // A booking that joined a series was held for with the others, whatever its own event type
        // is.
        let decided_by = |uid: &str| {
            let mut intents = self
                .reference
                .intents
                .values()
                .filter(|begun| begun.gate.is_some());
            let intent = intents.find(|begun| begun.bookings.contains(uid))?;
            let named = |gate: &&Gate| Some(&gate.name) == intent.gate.as_ref();
            self.policy.gates.iter().find(named)
        };
        let uids = std::iter::once(charged).chain(before.map(|row| row.uid.as_str()));
        let gate = rows
            .find_map(|row| self.gate(row))
            .or_else(|| uids.into_iter().find_map(decided_by));
        gate.expect("a charged booking was gated once")
    }

    /// Returns how long the replacement lot lasts that takes this charge's refund to an expired
    /// lot, if such a lot is to be made.
    pub fn restored_until(&self, charged: &str, grant: &str) -> Option<Time> {
        // A replacement lot lasts once, and is not replaced again.
        if self.reference.restored_lots.contains(grant) {
            return None;
        }
        let expires = self.reference.expiries.get(grant).copied().flatten()?;
        match self.terms_of_charge(charged).expired_refund {
            ExpiredRefund::RestoreFor(span) if expires <= self.at => Some(self.at + span),
            ExpiredRefund::RestoreFor(_) | ExpiredRefund::Forfeit => None,
        }
    }
}

/// The side to which a person belongs.
enum Side {
    Host,
    Booker,
    Neither,
}

/// A successor has a charge that does not join: the payment stays with the predecessor.
pub const PAID_BY_PREDECESSOR: &str = "over: paid under the old name";

const FORGIVEN_ABSENCE: &str = "the booker did not come: forgiven";

/// Everything, a part, and nothing comes back.
const HOST_CANCELLED: [&str; 3] = [
    "host cancelled: all",
    "host cancelled: a part",
    "host cancelled: nothing",
];
const HOST_CLAIMED: [&str; 3] = [
    "cancelled in the host's name: all",
    "cancelled in the host's name: a part",
    "cancelled in the host's name: nothing",
];
const BOOKER_CANCELLED: [&str; 3] = [
    "booker cancelled: all",
    "booker cancelled: a part",
    "booker cancelled: nothing",
];
const UNKNOWN_CANCELLED: [&str; 3] = [
    "unknown cancelled: all",
    "unknown cancelled: a part",
    "unknown cancelled: nothing",
];

/// Returns this share, rounded in favour of the booker.
fn rounded_share(paid: i64, percent: u8) -> i64 {
    (paid * i64::from(percent) + 99) / 100
}

/// Returns the percentage of the longest notice that was met.
fn refund_percent(terms: &RefundTerms, notice: Span) -> u8 {
    let met = terms.tiers.iter().filter(|window| window.before <= notice);
    met.max_by_key(|window| window.before)
        .map_or(0, |window| window.percent)
}
