//! What may become of a charge, told from what truly happened and the words of the policy: in code
//! of its own, naively, for each moment at which the watch may have looked. The watch must have
//! done what was right at one of them.

use maitred::domain::booking::Status;
use maitred::domain::decision::Decision;
use maitred::domain::gate::{Gate, Policy};
use maitred::domain::terms::{Blame, ExpiredRefund, HostAbsent, LateMove, NoShow, RefundTerms};
use maitred::domain::time::{Span, Time};

use super::book::{Book, HoldState};
use super::history::History;
use super::town::{ADMIN, GUEST, HOST, KINDS, Row};

/// The end of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// So many credits come back, and the rest is spent.
    Back(i64),
    Kept,
    Moves(String),
}

pub type May = (End, &'static str);

/// A charge that something is written about.
pub struct Truth<'a> {
    pub history: &'a History,
    pub book: &'a Book,
    pub policy: &'a Policy,
    pub legacy: bool,
    pub hides_updated: bool,
    /// When it was written.
    pub at: Time,
    /// The moments between which whoever wrote it has looked.
    pub looked: (usize, usize),
}

impl Truth<'_> {
    /// All that may become of the charge of this booking, which paid so much.
    pub fn ends(&self, uid: &str, paid: i64) -> Vec<May> {
        self.ends_by_line(uid, paid).concat()
    }

    /// What certainly comes back: the least of all ends, and nothing while one line of successors has none.
    pub fn certainly_back(&self, uid: &str, paid: i64) -> i64 {
        let lines = self.ends_by_line(uid, paid);
        if lines.iter().any(Vec::is_empty) {
            return 0;
        }
        let ends = lines.into_iter().flatten().map(|(end, _)| match end {
            End::Back(credits) => credits,
            End::Kept | End::Moves(_) => 0,
        });
        ends.min().unwrap_or(0)
    }

    /// The ends that each line of successors may have, at each moment of the look.
    fn ends_by_line(&self, uid: &str, paid: i64) -> Vec<Vec<May>> {
        let ever = self.history.descendants(uid);
        let uids: Vec<&str> = ever.iter().map(String::as_str).collect();
        let mut ends = Vec::new();
        let (from, to) = self.looked;
        for moment in self.history.moments(&uids, from, to) {
            let chains = self.chains(uid, moment);
            let stands = chains.iter().any(|(chain, gone)| {
                let last = chain.last();
                let accepted = last.is_some_and(|last| last.status == Status::Accepted);
                !gone && accepted && self.is_shown(chain)
            });
            for (chain, gone) in chains {
                let dead = chain.last().is_some_and(|last| {
                    matches!(last.status, Status::Cancelled | Status::Rejected)
                });
                // As long as one of two successors stands, the charge goes on with it.
                if !(stands && dead) || self.late_move(&chain, uid).is_some() {
                    ends.push(self.ends_along(uid, (&chain, gone), paid));
                }
            }
        }
        ends
    }

    /// Whether every booking of the line that the one before it does not name is in some list.
    fn is_shown(&self, chain: &[&Row]) -> bool {
        chain.windows(2).all(|pair| {
            // In v1 no booking names the one that replaced it.
            let named = !self.legacy && pair[0].to.as_ref() == Some(&pair[1].uid);
            let listed = matches!(pair[1].status, Status::Accepted | Status::Pending)
                && pair[1].end > self.at
                && !pair[1].odd;
            named && pair[0].series.is_none() || listed
        })
    }

    /// The same for one line of successors.
    fn ends_along(&self, uid: &str, (chain, gone): (&[&Row], bool), paid: i64) -> Vec<May> {
        let from = self.looked.0;
        let mut ends = self.ends_of(chain, gone, uid, paid);
        ends.extend(self.revived_by_us(chain, uid));
        // Nobody names it any more.
        if gone
            && chain
                .last()
                .is_some_and(|last| self.legacy || last.series.is_some())
        {
            ends.extend(self.ends_of(chain, false, uid, paid));
        }
        // Where nothing shows the link but the successor itself, one that was made while the
        // watch looked, or that could not be read, was not seen.
        for len in 1..chain.len() {
            let next = chain[len];
            let named = chain[len - 1].to.as_ref() == Some(&next.uid);
            let young = self.history.born(&next.uid) > from;
            // The series of one that was revived is not read, and the look before a decline reads by name
            // only. The next watch follows the charge from there.
            let revived = chain[len - 1].status == Status::Accepted;
            let hidden = next.series.is_some() || !named || self.legacy;
            if self.legacy && (next.odd || young) || hidden && (young || revived || next.odd) {
                ends.extend(self.ends_of(&chain[..len], false, uid, paid));
            }
        }
        ends
    }

    /// Our own confirmation, which takes the charge over, revives what was moved on meanwhile: the charge
    /// goes there first, and the watch follows it from there.
    fn revived_by_us(&self, chain: &[&Row], uid: &str) -> Vec<May> {
        let takes = |row: &&&Row| {
            self.book.open().any(|(_, begun)| {
                begun.decision == Decision::Confirm
                    && begun.carries.as_deref() == Some(uid)
                    && begun.bookings.contains(&row.uid)
            })
        };
        let revived = chain
            .iter()
            .skip(1)
            .filter(|row| row.status == Status::Accepted && row.to.is_some());
        revived
            .filter(takes)
            .map(|row| {
                (
                    End::Moves(row.uid.clone()),
                    "moved: to what our confirm revived",
                )
            })
            .collect()
    }

    /// The promise that a wrong end of this charge breaks, and the behaviour that it comes from.
    pub fn kind(&self, uid: &str) -> &'static str {
        let chain = self.history.successors(uid);
        let any = |is: &dyn Fn(&Row) -> bool| chain.iter().any(|row| is(row));
        let twice = |row: &Row| {
            let own = |other: &&Row| other.from.as_ref() == Some(&row.uid);
            self.history.all().filter(own).count() > 1
        };
        if any(&twice) {
            "3 (A12)"
        } else if any(&|row| row.revived) {
            "3 (B3)"
        } else {
            "3"
        }
    }

    /// The booking and what replaced it at a moment, for each of two moves at once, and whether the next
    /// one was not there.
    fn chains<'a>(&'a self, uid: &'a str, moment: usize) -> Vec<(Vec<&'a Row>, bool)> {
        let Some(row) = self.history.at(uid, moment) else {
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
                match self.history.at(&uid, moment) {
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

    fn ends_of(&self, chain: &[&Row], gone: bool, uid: &str, paid: i64) -> Vec<May> {
        let mut ends = Vec::new();
        if let Some(percent) = self.late_move(chain, uid) {
            let keeps = self.book.holds[uid].keeps;
            return vec![self.back(percent, paid, keeps, "late move")];
        }
        let keeps = self.keeps(chain, uid, paid);
        if gone {
            let known = self.history.last(uid).expect("a charged booking was there");
            if self.at >= known.end + self.terms(uid).grace {
                ends.push((End::Kept, "closed: deleted"));
            }
            return ends;
        }
        let last = chain[chain.len() - 1];
        let moved = chain.len() > 1;
        match &last.status {
            Status::Cancelled => ends.extend(self.cancelled(last, paid, keeps, uid)),
            Status::Rejected => ends.push(self.back(100, paid, keeps, "successor declined")),
            Status::Pending if last.end <= self.at => {
                ends.push(self.back(100, paid, keeps, "ended undecided"));
            }
            Status::Pending => {}
            Status::Accepted if moved => ends.extend(self.successor(uid, last, paid, keeps)),
            Status::Accepted | Status::AwaitingHost | Status::Other(_) => {
                ends.extend(self.over(last, paid, uid));
            }
        }
        ends
    }

    fn cancelled(&self, last: &Row, paid: i64, keeps: i64, uid: &str) -> Vec<May> {
        let mut ends = Vec::new();
        if last.refused_by_us || self.book.declined(&last.uid) {
            let why = "successor refused with a cancellation";
            ends.push(self.back(100, paid, keeps, why));
            // What was cancelled by a ledger that a backup has replaced since, nobody knows any more: its
            // cancellation looks like anybody's.
            if last.refused_by_us && self.book.cancels(&last.uid) {
                return ends;
            }
        }
        let terms = self.terms(uid);
        let shown = last.updated.filter(|_| !self.hides_updated);
        let notice = last.start - shown.unwrap_or(self.at).min(self.at);
        let by = last.cancelled_by.filter(|_| !last.seated);
        let (blame, whys) = match self.side(by, last) {
            Side::House if terms.trust_named_cancels => (terms.host_cancels, HOST_CANCELLED),
            Side::House => (Blame::Booker, HOST_NAMED),
            Side::Booker => (Blame::Booker, BOOKER_CANCELLED),
            Side::Neither => (terms.unknown_cancels, UNKNOWN_CANCELLED),
        };
        let (percent, keeps) = match blame {
            Blame::Host => (100, 0),
            Blame::Booker => (window(terms, notice), keeps),
        };
        let why = match percent {
            100 => whys[0],
            0 => whys[2],
            _ => whys[1],
        };
        ends.push(self.back(percent, paid, keeps, why));
        ends
    }

    /// The successor stands: it goes on with the charge, unless it has one that does not join.
    fn successor(&self, uid: &str, last: &Row, paid: i64, keeps: i64) -> Vec<May> {
        let account = &self.book.holds[uid].account;
        let moves = (End::Moves(last.uid.clone()), "moved");
        match self.book.holds.get(&last.uid) {
            None => vec![moves],
            Some(own) => match own.state {
                HoldState::Held => Vec::new(),
                HoldState::Posted if own.account == *account => vec![moves],
                HoldState::Posted | HoldState::Final if own.credits > 0 => {
                    // What the same member paid for the successor counts for the late move, too.
                    let own_credits = if own.account == *account {
                        own.credits
                    } else {
                        0
                    };
                    let keeps = (keeps - own_credits).max(0);
                    vec![self.back(100, paid, keeps, "paid for by its successor")]
                }
                HoldState::Posted
                | HoldState::Final
                | HoldState::Refunded
                | HoldState::Voided
                | HoldState::MovedOn => {
                    let over = self.over(last, paid, uid).into_iter();
                    over.map(|(end, why)| (end, if why == "over" { OLD_NAME } else { why }))
                        .collect()
                }
            },
        }
    }

    /// It stood to its end: nothing before the grace is over, and then the marks.
    fn over(&self, last: &Row, paid: i64, uid: &str) -> Vec<May> {
        let terms = self.terms(uid);
        if self.at < last.end + terms.grace {
            return Vec::new();
        }
        if last.absent_host && !self.legacy {
            match terms.host_absent {
                HostAbsent::Refund => return vec![(End::Back(paid), "the host did not come")],
                HostAbsent::Review if paid > 0 => return Vec::new(),
                HostAbsent::Review | HostAbsent::Ignore => {}
            }
        }
        let named = last.email.is_some() && !last.seated;
        if !(last.absent && named && !self.legacy) {
            return vec![(End::Kept, "over")];
        }
        if paid == 0 && terms.no_show != NoShow::Refund {
            return vec![(End::Kept, "the booker did not come: nothing was paid")];
        }
        let account = &self.book.holds[uid].account;
        let forgives = terms.forgive.is_some_and(|forgive| {
            let since = self.at - forgive.per;
            let before = self.book.forgiven.iter();
            let counts = before.filter(|(who, at)| who == account && *at > since);
            (counts.count() as u32) < forgive.times
        });
        match terms.no_show {
            NoShow::Refund => vec![(End::Back(paid), "the booker did not come: refunded")],
            NoShow::Keep | NoShow::Review if forgives => {
                vec![(End::Back(paid), FORGIVEN)]
            }
            NoShow::Keep => vec![(End::Kept, "the booker did not come: kept")],
            NoShow::Review => Vec::new(),
        }
    }

    fn back(&self, percent: u8, paid: i64, keeps: i64, why: &'static str) -> May {
        let credits = rounded(paid, percent).min((paid - keeps).max(0));
        if credits == 0 && (percent < 100 || paid > 0) {
            (End::Kept, why)
        } else {
            (End::Back(credits), why)
        }
    }

    /// What the moves of the chain, and those before it, have cost: as much as the worst of them would
    /// have cost as a cancellation.
    pub fn keeps(&self, chain: &[&Row], uid: &str, paid: i64) -> i64 {
        let terms = self.terms(uid);
        let links = chain.windows(2);
        let costs = links.map(|pair| paid - rounded(paid, self.link(terms, pair[0], pair[1])));
        costs.max().unwrap_or(0).max(self.book.holds[uid].keeps)
    }

    /// The share that comes back for the first move of the chain that counts as a cancellation.
    fn late_move(&self, chain: &[&Row], uid: &str) -> Option<u8> {
        let terms = self.terms(uid);
        chain
            .windows(2)
            .find_map(|pair| self.late_link(terms, pair[0], pair[1]))
    }

    fn late_link(&self, terms: &RefundTerms, from: &Row, to: &Row) -> Option<u8> {
        let percent = self.link(terms, from, to);
        let late = match terms.late_move {
            LateMove::Carry => false,
            LateMove::Cancellation => percent < 100,
        };
        late.then_some(percent)
    }

    /// What would have come back if the booking had been cancelled instead of moved.
    fn link(&self, terms: &RefundTerms, from: &Row, to: &Row) -> u8 {
        let told = self.legacy || to.series.is_none();
        let notice = from.start - to.created;
        match self.side(to.moved_by.filter(|_| told), to) {
            Side::House if terms.trust_named_cancels => 100,
            Side::Neither if terms.unknown_cancels == Blame::Host => 100,
            Side::House | Side::Booker | Side::Neither => window(terms, notice),
        }
    }

    /// Whose side a name is on.
    fn side(&self, name: Option<&str>, row: &Row) -> Side {
        let Some(name) = name else {
            return Side::Neither;
        };
        let booker = row.email.filter(|_| !row.seated);
        if name == HOST || (name == ADMIN && !self.policy.hosts.is_empty()) {
            Side::House
        } else if name == GUEST || booker == Some(name) {
            Side::Booker
        } else {
            Side::Neither
        }
    }

    pub fn gate(&self, row: &Row) -> Option<&Gate> {
        let named = |gate: &&Gate| gate.name == KINDS[row.kind].0;
        self.policy.gates.iter().find(named)
    }

    /// What counts is what stood when the charge was paid.
    fn terms(&self, charged: &str) -> &RefundTerms {
        &self.book.holds[charged].terms
    }

    /// Its gate, or else that of the charged booking, or else the one that decided about that.
    pub fn gate_after(&self, row: &Row, charged: &str) -> &Gate {
        let own = self.history.last(charged);
        let before = self.history.ancestors(charged).into_iter();
        // What was held in vain paid for nothing that came after it.
        let paid = |uid: &String| {
            let hold = self.book.holds.get(uid);
            hold.is_some_and(|hold| hold.state != HoldState::Voided)
        };
        let before = before.filter(|row| paid(&row.uid));
        let mut rows = std::iter::once(row).chain(own);
        // What joined a series was held for with the others, whatever it is itself.
        let decided_by = |uid: &str| {
            let mut begun = self
                .book
                .begun
                .values()
                .filter(|begun| begun.gate.is_some());
            let begun = begun.find(|begun| begun.bookings.contains(uid))?;
            let named = |gate: &&Gate| Some(&gate.name) == begun.gate.as_ref();
            self.policy.gates.iter().find(named)
        };
        let uids = std::iter::once(charged).chain(before.map(|row| row.uid.as_str()));
        let gate = rows
            .find_map(|row| self.gate(row))
            .or_else(|| uids.into_iter().find_map(decided_by));
        gate.expect("a charged booking was gated once")
    }

    /// Until when a lot of its own lasts for what comes back of this charge to a lot that has
    /// expired, if one is to be made.
    pub fn restored(&self, charged: &str, grant: &str) -> Option<Time> {
        // A lot that was made so lasts once, and no longer.
        if self.book.restored.contains(grant) {
            return None;
        }
        let expires = self.book.expiries.get(grant).copied().flatten()?;
        match self.terms(charged).expired_refund {
            ExpiredRefund::RestoreFor(span) if expires <= self.at => Some(self.at + span),
            ExpiredRefund::RestoreFor(_) | ExpiredRefund::Forfeit => None,
        }
    }
}

/// Whose side somebody is on.
enum Side {
    House,
    Booker,
    Neither,
}

/// A successor has a charge that does not join: what was paid stays with the one before it.
pub const OLD_NAME: &str = "over: paid under the old name";

const FORGIVEN: &str = "the booker did not come: forgiven";

/// All, a part and nothing back.
const HOST_CANCELLED: [&str; 3] = [
    "host cancelled: all",
    "host cancelled: a part",
    "host cancelled: nothing",
];
const HOST_NAMED: [&str; 3] = [
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

/// That share, rounded in favour of the booker.
fn rounded(paid: i64, percent: u8) -> i64 {
    (paid * i64::from(percent) + 99) / 100
}

/// Percent of the longest notice that is met.
fn window(terms: &RefundTerms, notice: Span) -> u8 {
    let met = terms
        .windows
        .iter()
        .filter(|window| window.before <= notice);
    met.max_by_key(|window| window.before)
        .map_or(0, |window| window.percent)
}
