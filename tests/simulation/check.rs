//! Whether what a process writes about charges is right, fact by fact, against what truly happened.

use maitred::domain::account::Part;
use maitred::domain::booking::Status;
use maitred::domain::decision::{Code, Decision, Outcome};
use maitred::domain::fact::{Back, Fact};
use maitred::domain::gate::{Gate, Policy};
use maitred::domain::id::Reference;
use maitred::domain::request::{CallKind, Request, RequestState};
use maitred::domain::terms::{OnReschedule, OnRevived, Unmanaged};
use maitred::domain::time::{Span, Time};
use maitred::store::port::Store;

use super::book::{By, HoldState};
use super::history::History;
use super::shelf::State;
use super::town::{KINDS, ME, Row};
use super::truth::{End, Truth};

/// A plan is not begun on later than a minute after it was made; and a call may last.
const PLANNED: Span = Span::minutes(2);

fn credits(parts: &[Back]) -> i64 {
    parts.iter().map(|part| part.credits as i64).sum()
}

impl State {
    /// Takes a commit into the book, and holds against the truth what a process wrote.
    pub fn take(&mut self, by: By, at: Time, facts: &[Fact]) {
        let history = std::sync::Arc::clone(&self.history);
        let history = history.lock().unwrap();
        for fact in facts {
            let before = self.moved_before(fact);
            if by == By::Process && !self.skewed {
                self.is_right(&history, at, fact, facts);
            } else if by == By::Operator
                && let Fact::Refund { booking, parts, .. } = fact
            {
                self.goes_back(&history, at, booking.as_str(), parts);
            }
            let policy = std::sync::Arc::clone(&self.policy);
            self.enter(&history, at, (fact, by), &policy);
            self.moved.extend(before);
        }
        if by == By::Process {
            self.keeps_the_later_promises(&history, at, facts);
        }
        if by == By::Process && !self.skewed {
            self.moved_right(&history, at);
            self.carried_right(facts);
        }
        self.moved.clear();
    }

    /// Takes a fact into the book, by the policy that stood when it was written.
    pub fn enter(&mut self, history: &History, at: Time, (fact, by): (&Fact, By), policy: &Policy) {
        let keeps = self.late_moves_keep(history, at, fact);
        self.book.apply(fact, by, policy, &mut self.tally);
        if let Fact::Move { to, .. } = fact
            && let Some(hold) = self.book.holds.get_mut(to.uid.as_str())
        {
            hold.keeps = hold.keeps.max(keeps);
            let gate = history.last(to.uid.as_str()).and_then(|row| {
                let named = |gate: &&Gate| gate.name == KINDS[row.kind].0;
                policy.gates.iter().find(named)
            });
            hold.trusts_names = gate.is_some_and(|gate| gate.terms.refunds.trust_named_cancels);
        }
    }

    /// From where, to where, and what was paid for both.
    fn moved_before(&self, fact: &Fact) -> Option<(String, String, i64)> {
        let Fact::Move { from, to, .. } = fact else {
            return None;
        };
        let credits = |uid: &str| self.book.holds.get(uid).map_or(0, |hold| hold.credits);
        let paid = credits(from.as_str()) + credits(to.uid.as_str());
        Some((from.to_string(), to.uid.to_string(), paid))
    }

    /// What the moves that lead there have cost.
    fn late_moves_keep(&mut self, history: &History, at: Time, fact: &Fact) -> i64 {
        let Fact::Move { from, to, .. } = fact else {
            return 0;
        };
        let chain = history.path(from.as_str(), to.uid.as_str());
        let paid = self.book.holds[from.as_str()].credits;
        let keeps = self.truth(history, at).keeps(&chain, from.as_str(), paid);
        if keeps > 0 {
            self.tally
                .add("moved late: keeps what a cancellation costs");
        }
        keeps
    }

    pub fn truth<'a>(&'a self, history: &'a History, at: Time) -> Truth<'a> {
        Truth {
            history,
            book: &self.book,
            policy: &self.policy,
            legacy: self.legacy,
            hides_updated: self.hides_updated,
            at,
            looked: (self.looked_from, history.moment()),
        }
    }

    fn is_right(&mut self, history: &History, at: Time, fact: &Fact, all: &[Fact]) {
        match fact {
            Fact::Refund {
                booking,
                parts,
                close: true,
                reason,
            } => {
                let end = End::Back(credits(parts));
                self.ends(history, at, booking.as_str(), &end);
                self.goes_back(history, at, booking.as_str(), parts);
                if reason.forgives() {
                    let account = self.book.holds[booking.as_str()].account.clone();
                    self.book.forgiven.push((account, at));
                }
            }
            Fact::Refund {
                booking,
                parts,
                close: false,
                ..
            } => {
                self.tally.add("moved: the difference came back");
                self.goes_back(history, at, booking.as_str(), parts);
            }
            Fact::Void { booking, back, .. } => {
                let mut parts = back.clone();
                if parts.is_empty() {
                    let paid = self.book.holds[booking.as_str()].parts.iter();
                    let of = |(grant, credits): &(String, i64)| Back {
                        grant: Reference::parse(grant).unwrap(),
                        credits: u64::try_from(*credits).unwrap(),
                        restored: None,
                    };
                    parts = paid.map(of).collect();
                } else {
                    self.tally.add("voided to a new lot");
                }
                self.goes_back(history, at, booking.as_str(), &parts);
            }
            Fact::Closed { booking, .. } => self.ends(history, at, booking.as_str(), &End::Kept),
            Fact::Move { from, to, .. } => {
                let end = End::Moves(to.uid.to_string());
                self.ends(history, at, from.as_str(), &end);
            }
            Fact::Hold { booking, parts, .. } => self.alive(at, booking.uid.as_str(), parts),
            Fact::Decided { request } => {
                self.begins(history, at, request, all);
                self.has_the_time(history, at, request, all);
            }
            Fact::Opened { .. }
            | Fact::Aliased { .. }
            | Fact::Unaliased { .. }
            | Fact::Described { .. }
            | Fact::Frozen { .. }
            | Fact::Pinned { .. }
            | Fact::Reviewed { .. }
            | Fact::Grant { .. }
            | Fact::Revoke { .. }
            | Fact::Expire { .. }
            | Fact::Post { .. }
            | Fact::Called { .. }
            | Fact::Settled { .. }
            | Fact::Unresolved { .. }
            | Fact::Resolved { .. }
            | Fact::Ledger(_) => {}
        }
    }

    fn ends(&mut self, history: &History, at: Time, uid: &str, end: &End) {
        let Some(hold) = self.book.holds.get(uid) else {
            return;
        };
        let may = self.truth(history, at).ends(uid, hold.credits);
        match may.iter().find(|(may, _)| may == end) {
            Some((_, why)) => {
                self.tally.add(*why);
                self.why.insert(uid.to_owned(), why);
            }
            None => {
                let kind = self.truth(history, at).kind(uid);
                let text = format!(
                    "{kind}: the charge of {uid} ends as {end:?} at {at}, may: {may:?}; looked from \
                     {} to {}: {}",
                    self.looked_from,
                    history.moment(),
                    history.story(uid)
                );
                self.book.wrong.push(text);
            }
        }
        if let (End::Moves(to), Some(_)) = (end, self.book.begun.get(uid)) {
            let told = history.last(to).is_some_and(|row| row.series.is_some());
            self.tally.add(if told {
                "moved: an occurrence of a series"
            } else {
                "moved: a booking of its own"
            });
        }
    }

    /// To the lot that paid, or where that has expired, as the policy says.
    fn goes_back(&mut self, history: &History, at: Time, uid: &str, parts: &[Back]) {
        for part in parts {
            let must = self.truth(history, at).restored(uid, part.grant.as_str());
            let is = part.restored.as_ref().map(|(_, until)| *until);
            if is != must {
                let text = format!("3: {} goes back until {is:?}, must be {must:?}", part.grant);
                self.book.wrong.push(text);
            }
            let expired = self.book.expiries.get(part.grant.as_str());
            let expired = expired.copied().flatten().is_some_and(|when| when <= at);
            match must {
                Some(_) => self.tally.add("lot restored"),
                None if expired && self.book.restored.contains(part.grant.as_str()) => {
                    self.tally.add("lot not restored again");
                }
                None if expired => self.tally.add("lot forfeited"),
                None => {}
            }
        }
    }

    /// Nothing is paid from a lot whose time was over when that was planned.
    fn alive(&mut self, at: Time, uid: &str, parts: &[Part]) {
        for part in parts {
            let expires = self.book.expiries.get(part.grant.as_str()).copied();
            if expires.flatten().is_some_and(|when| when < at - PLANNED) {
                let text = format!("1: {uid} is paid from {}, which has expired", part.grant);
                self.book.wrong.push(text);
            }
        }
    }

    /// What the watch decides about bookings without a charge.
    fn begins(&mut self, history: &History, at: Time, request: &Request, all: &[Fact]) {
        if request.state != RequestState::Recorded {
            return;
        }
        let has = |code| request.reasons.iter().any(|reason| reason.code == code);
        let uid = request.bookings[0].uid.as_str();
        match request.decision {
            Decision::Confirm if request.call.is_none() && has(Code::Unmanaged) => {
                self.tally.add("unmanaged: charged");
                self.others_accepted(history, at, uid, Unmanaged::Charge);
                self.takes_what_there_is(history, at, uid, all);
            }
            Decision::Confirm if request.call.is_none() && has(Code::AcceptedMove) => {
                self.tally.add("moved: accepted at once and charged");
                self.takes_what_there_is(history, at, uid, all);
            }
            Decision::Confirm if request.call.is_none() => {
                self.tally.add("moved: the difference was charged");
            }
            Decision::Decline if has(Code::Revived) => {
                self.tally.add("revived: cancelled");
                self.was_revived(history, at, uid);
            }
            Decision::Decline if has(Code::Unmanaged) => {
                self.tally.add("unmanaged: cancelled");
                self.others_accepted(history, at, uid, Unmanaged::Cancel);
                for row in history.ancestors(uid) {
                    let hold = self.book.holds.get(&row.uid);
                    if hold.is_some_and(|hold| hold.state == HoldState::Posted) {
                        let text = format!("3: {uid} cancelled, and {} pays for it", row.uid);
                        self.book.wrong.push(text);
                    }
                }
            }
            Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                self.tally.add("request closed undecided");
                self.waits_no_more(history, at, request);
            }
            Decision::Confirm => self.thawed(request),
            Decision::Decline => {}
        }
    }

    /// It is cancelled again only where that is configured, and only when it was accepted although it was
    /// cancelled or moved.
    fn was_revived(&mut self, history: &History, at: Time, uid: &str) {
        let gate = history
            .last(uid)
            .map(|row| self.truth(history, at).gate(row).cloned());
        let cancels = |gate: Gate| gate.terms.on_revived == OnRevived::Cancel;
        if !gate.flatten().is_some_and(cancels) {
            self.book
                .wrong
                .push(format!("3: {uid} was not to be cancelled again"));
        }
        let replaced = history.all().any(|row| row.from.as_deref() == Some(uid));
        let revived = |row: &Row| {
            row.status == Status::Accepted
                && (row.cancelled_by.is_some() || row.reason || row.to.is_some() || replaced)
        };
        self.was_once(history, uid, "cancelled again and not revived", revived);
    }

    /// What is closed undecided was over, or answered or taken away by others: nothing of it waits.
    fn waits_no_more(&mut self, history: &History, at: Time, request: &Request) {
        let ended = |row: Option<&Row>| match row {
            None => true,
            Some(row) => row.status != Status::Pending || row.end <= at || row.to.is_some(),
        };
        for booking in &request.bookings {
            let uid = booking.uid.as_str();
            let moments = history.moments(&[uid], self.looked_from, history.moment());
            let mut moments = moments.into_iter();
            if !moments.any(|moment| ended(history.at(uid, moment))) {
                let story = history.story(uid);
                let id = &request.id;
                let text = format!("3: {uid} was closed with {id} at {at} and waits: {story}");
                self.book.wrong.push(text);
            }
        }
    }

    /// Nothing is confirmed for a frozen account, but what was paid for where that carries.
    fn thawed(&mut self, request: &Request) {
        let mut gates = self.policy.gates.iter();
        let gate = gates.find(|gate| request.gate.as_ref() == Some(&gate.name));
        let carries = request.carries.is_some()
            && gate.is_some_and(|gate| gate.terms.on_reschedule == OnReschedule::Carry);
        let account = request.account.as_ref().map(ToString::to_string);
        if account.is_some_and(|account| self.book.frozen.contains(&account)) && !carries {
            let text = format!("11: {} confirmed though frozen", request.id);
            self.book.wrong.push(text);
        }
    }

    /// Nobody is let in at a time that somebody else has: within one plan never, and beside what was
    /// accepted before whenever the lists told all. What is past is in nobody's way, and not listed.
    fn has_the_time(&mut self, history: &History, at: Time, request: &Request, all: &[Fact]) {
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
            if let Fact::Decided { request: other } = fact
                && lets_in(other)
                && other.id != request.id
            {
                others.extend(of(other));
            }
        }
        if self.trouble == 0 {
            let stands = |row: &&Row| {
                row.status == Status::Accepted && row.host == ME && row.to.is_none() && !row.odd
            };
            others.extend(history.now().filter(stands).map(|row| row.uid.clone()));
            let begun = self.book.open().map(|(_, begun)| begun);
            let begun = begun.filter(|begun| begun.call == Some(CallKind::Confirm));
            others.extend(begun.flat_map(|begun| begun.bookings.iter().cloned()));
        }
        let now = |uid: &String| history.at(uid, history.moment());
        for row in own.iter().filter_map(now) {
            let overlaps = |other: &&Row| {
                let from = row.start.max(other.start).max(at);
                from < row.end.min(other.end)
            };
            let others = others.iter().filter(|uid| !own.contains(uid));
            let stands = |row: &&Row| matches!(row.status, Status::Pending | Status::Accepted);
            let mut others = others.filter_map(now).filter(stands).filter(overlaps);
            if let Some(other) = others.next() {
                let text = format!("11: {} is confirmed beside {}", row.uid, other.uid);
                self.book.wrong.push(text);
            }
        }
    }

    fn others_accepted(&mut self, history: &History, at: Time, uid: &str, how: Unmanaged) {
        let Some(row) = history.last(uid) else {
            return;
        };
        // One that joined a series under our confirm is charged whatever is configured; what was decided
        // once is ours, however old it is.
        let mut begun = self.book.begun.values();
        let joined = how == Unmanaged::Charge
            && begun.any(|begun| {
                begun.series.is_some()
                    && begun.series == row.series
                    && begun.outcome == Some(Outcome::Confirmed)
            });
        let ours = self.book.holds.contains_key(uid)
            || self
                .book
                .begun
                .values()
                .any(|begun| begun.bookings.contains(uid));
        let right = self.truth(history, at).gate(row).is_some_and(|gate| {
            let since = gate.terms.unmanaged_since;
            (gate.terms.unmanaged == how || joined)
                && (ours || joined || since.is_none_or(|since| row.created >= since))
                && row.host == ME
                && KINDS[row.kind].1 == 0
        });
        if !right {
            let text = format!("3: {uid} was not to be taken on as {how:?}");
            self.book.wrong.push(text);
        }
        let linked = !self.legacy && row.series.is_none();
        let stands = |row: &Row| {
            row.status == Status::Accepted
                && !(linked && row.to.is_some())
                && !row.seated
                && (how != Unmanaged::Cancel || row.end > at)
        };
        self.was_once(history, uid, "taken on and not accepted", stands);
    }

    /// The whole price, or all that the account has.
    fn takes_what_there_is(&mut self, history: &History, at: Time, uid: &str, all: &[Fact]) {
        let Some(cost) = history
            .last(uid)
            .and_then(|row| self.truth(history, at).gate(row).map(|gate| gate.cost))
        else {
            return;
        };
        for fact in all {
            let Fact::Hold { account, parts, .. } = fact else {
                continue;
            };
            let taken: u64 = parts.iter().map(|part| part.credits).sum();
            let after = self.store.account(account).unwrap().unwrap();
            if taken < cost {
                self.tally.add("unmanaged: charged in part");
            }
            if taken > cost || (taken < cost && after.available(at) > 0) {
                let text = format!("3: {uid} was charged {taken} of {cost}");
                self.book.wrong.push(text);
            }
        }
    }

    fn was_once(&mut self, history: &History, uid: &str, not: &str, is: impl Fn(&Row) -> bool) {
        let moments = history.moments(&[uid], self.looked_from, history.moment());
        let once = |moment: &usize| history.at(uid, *moment).is_some_and(&is);
        if !moments.iter().any(once) {
            self.book.wrong.push(format!("3: {uid} was {not}"));
        }
    }

    /// A move neither charges twice nor gives back what the successor costs.
    fn moved_right(&mut self, history: &History, at: Time) {
        for (from, to, before) in std::mem::take(&mut self.moved) {
            let Some(row) = history.last(&to) else {
                continue;
            };
            let cost = self.truth(history, at).gate_after(row, &from).cost as i64;
            let Some(hold) = self.book.holds.get(&to) else {
                continue;
            };
            let must = cost.max(hold.keeps).min(before);
            if hold.credits != must {
                let text = format!(
                    "3: {to} was moved to and pays {}, must {must}",
                    hold.credits
                );
                self.book.wrong.push(text);
            }
            if hold.credits < cost {
                self.tally.add("moved: not all could be charged");
            }
        }
    }

    /// What an intent takes over ends with it, and not before.
    fn carried_right(&mut self, facts: &[Fact]) {
        for fact in facts {
            let Fact::Settled {
                request,
                outcome: Outcome::Confirmed,
            } = fact
            else {
                continue;
            };
            let Some(from) = self.book.begun[request.as_str()].carries.clone() else {
                continue;
            };
            let hold = &self.book.holds[&from];
            if hold.state == HoldState::MovedOn {
                self.tally.add("moved: by the pass");
            } else {
                let text = format!(
                    "3: {request} should carry {from}, which is {:?}",
                    hold.state
                );
                self.book.wrong.push(text);
            }
        }
    }
}
