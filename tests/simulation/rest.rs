//! After the trouble: everything that was begun ends, what was accepted by others is found, and once
//! all bookings are over and all grace has passed, every charge is final or came back.

use std::collections::BTreeSet;

use maitred::domain::booking::Status;
use maitred::domain::decision::{Decision, Outcome};
use maitred::domain::gate::Gate;
use maitred::domain::id::{BookingUid, RequestId};
use maitred::domain::request::{CallKind, RequestState};
use maitred::domain::terms::{HostAbsent, NoShow, OnRevived, Unmanaged};
use maitred::domain::time::{Span, Time};
use maitred::domain::watch::What;
use maitred::reconcile::report::{Ended, Report, Reported};
use maitred::reconcile::watch::{Change, Watched};
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;

use super::book::HoldState;
use super::rng::Rng;
use super::run::{Run, Summary};
use super::shelf::State;
use super::town::{ADMIN, HOST, KINDS, ME, Row, Town};
use super::truth::OLD_NAME;

/// Unmanaged bookings that one report names.
const NAMED: usize = 20;

/// Passes, and watches, within which everything must have come to rest.
const MAX_REST: usize = 80;

impl Run {
    /// Nothing goes wrong any more: everything that was begun ends, and whatever still waits does so
    /// for a reason.
    pub async fn rest(&mut self) {
        self.trouble(0);
        self.no_more_doubts();
        self.readable();
        let Some(report) = self.passes().await else {
            return;
        };
        if std::env::var_os("MAITRED_SHOW").is_some() {
            for step in &report.steps {
                let reasons = step
                    .request
                    .reasons
                    .iter()
                    .map(|reason| reason.code.as_str());
                let reasons: Vec<_> = reasons.collect();
                eprintln!(
                    "at rest: {} {:?} {reasons:?}",
                    step.request.id, step.request.decision
                );
            }
        }
        self.waits_for_a_reason(&report);
        self.decided_is_answered();
        self.the_next_watch_finds_it().await;
        let Some(watched) = self.audits().await else {
            return;
        };
        self.paid_or_listed();
        self.all_is_listed(&watched);
        self.all_is_over();
        if self.audits().await.is_none() {
            return;
        }
        self.settles_what_is_left();
        self.writes_nothing_more().await;
        self.check();
        self.nothing_open();
        self.charged_once();
    }

    fn readable(&self) {
        let mut sim = self.shared.sim();
        for row in &mut sim.town.rows {
            row.odd = false;
        }
        sim.town.record();
    }

    /// Passes until there is nothing more to do, with a short watch in between.
    async fn passes(&mut self) -> Option<Report> {
        let mut quiet = 0;
        for n in 0..MAX_REST {
            let pause = if n < 2 { 65 * 60 } else { 15 };
            self.shared.advance(Span::seconds(pause));
            let report = self.whole_pass().await?;
            if n == 1 {
                self.whole_watch(false).await?;
            }
            let busy = |step: &Ended| match step {
                Ended::Planned | Ended::Nothing => false,
                Ended::Confirmed
                | Ended::Declined
                | Ended::Superseded
                | Ended::Unresolved
                | Ended::Refused
                | Ended::Failed => true,
            };
            // What is accepted is cancelled by the watches to come.
            let is_passes = |step: &&Reported| !step.request.cancels_accepted();
            // What has a status that nobody knows stays open until it has another, or is over.
            let settles = |step: &&Reported| step.ended != Ended::Unresolved || self.knows(step);
            let mut steps = report.steps.iter().filter(is_passes).filter(settles);
            if report.more || steps.any(|step| busy(&step.ended)) {
                quiet = 0;
            } else {
                quiet += 1;
            }
            if n > 2 && quiet > 1 {
                return Some(report);
            }
        }
        self.wrong.push("does not come to rest".to_owned());
        None
    }

    /// Whether every booking of the step has a status that a pass can settle it by.
    fn knows(&self, step: &Reported) -> bool {
        let sim = self.shared.sim();
        step.request.bookings.iter().all(|booking| {
            let row = sim.town.row(booking.uid.as_str());
            row.is_none_or(|row| match row.status {
                Status::AwaitingHost | Status::Other(_) => false,
                Status::Pending | Status::Accepted | Status::Rejected | Status::Cancelled => true,
            })
        })
    }

    /// Audits, and passes that finish what they begin, until nothing is written any more.
    async fn audits(&mut self) -> Option<Watched> {
        // What the limit of declines holds back is done when its time is over.
        let per = self.shelf.state().policy.limits.declines.per;
        let mut limited = false;
        for _ in 0..MAX_REST {
            let before = self.shelf.state().commits.len();
            let pause = if limited { per } else { Span::zero() };
            self.shared.advance(pause + Span::seconds(15));
            self.whole_pass().await?;
            let began = self.shared.now();
            let previewed = self.preview(true).await?;
            let watched = self.whole_watch(true).await?;
            // Whether a cancellation is answered with a reading only the server knows.
            let sure = |watched: &Watched| -> Vec<Change> {
                let changes = watched.changes.iter();
                let sure = changes.filter(|change| change.what != What::Cancelled);
                sure.cloned().collect()
            };
            let (said, did) = (sure(&previewed), sure(&watched));
            // What a cancellation has answered is closed by the same watch.
            let cancels = did.len() < watched.changes.len();
            let closes = |change: &Change| change.what == What::Closed && !said.contains(change);
            let follows: Vec<Change> = did
                .iter()
                .filter(|change| !closes(change))
                .cloned()
                .collect();
            let agrees = said == did
                || cancels && said == follows
                || self.is_due_between(began, self.shared.now());
            if !agrees {
                self.wrong.push(format!(
                    "8: the preview of a watch said {said:?}, and it did {did:?}"
                ));
            }
            let mut problems = watched.problems.iter();
            limited = problems.any(|problem| problem.text.contains("limits.declines"));
            if self.shelf.state().commits.len() == before && !limited {
                return Some(watched);
            }
        }
        self.wrong
            .push("the watch does not come to rest".to_owned());
        None
    }

    /// Whether something ends, or becomes final, between a preview and the end of the watch after it.
    fn is_due_between(&self, from: Time, to: Time) -> bool {
        let sim = self.shared.sim();
        let state = self.shelf.state();
        let graces = state.book.holds.values().map(|hold| hold.terms.grace);
        let graces: BTreeSet<Span> = graces.chain([Span::zero()]).collect();
        let due = |row: &Row| {
            graces.iter().any(|grace| {
                let at = row.end + *grace;
                from < at && at <= to
            })
        };
        sim.town.rows.iter().any(due)
    }

    /// What the server accepts at once, and never writes again, the next watch finds.
    async fn the_next_watch_finds_it(&mut self) {
        let (uid, now) = {
            let mut guard = self.shared.sim();
            let now = self.shared.now();
            (guard.town.accepted_at_once(now), now)
        };
        self.shared.advance(Span::seconds(30));
        let Some(watched) = self.whole_watch(false).await else {
            return;
        };
        let state = self.shelf.state();
        let sim = self.shared.sim();
        let row = sim.town.row(&uid).expect("nobody deletes it");
        if taken_on(&state, &sim.town, row, now).is_some() && !told(&state, &watched, &uid) {
            let text = format!("15 (A8): {uid} was accepted at once, and the next watch is silent");
            drop((state, sim));
            self.wrong.push(text);
        }
    }

    /// Promise 15: whatever is accepted without a charge stands on a list, and so does what was
    /// accepted again, or moved and accepted by nobody here.
    fn all_is_listed(&mut self, watched: &Watched) {
        let now = self.shared.now();
        let sim = self.shared.sim();
        let state = self.shelf.state();
        let mut wrong = Vec::new();
        for row in &sim.town.rows {
            let Some(kind) = must_be_listed(&state, row, &sim.town, now) else {
                continue;
            };
            if told(&state, watched, &row.uid) {
                self.tally.add(format!("listed: {kind}"));
            } else {
                wrong.push(format!(
                    "15 ({kind}): {} is accepted and not listed",
                    row.uid
                ));
            }
        }
        drop((sim, state));
        self.wrong.append(&mut wrong);
    }

    /// To when the last booking is over and the longest grace has passed.
    fn all_is_over(&self) {
        let now = self.shared.now();
        let mut sim = self.shared.sim();
        // A status that is not known says nothing, also when its booking is over: it stands in the end.
        let mut rows = sim.town.rows.iter_mut();
        let unknown =
            |row: &&mut Row| matches!(row.status, Status::AwaitingHost | Status::Other(_));
        for row in rows.by_ref().filter(unknown) {
            row.status = Status::Accepted;
            row.updated = Some(now);
        }
        sim.town.record();
        let history = sim.town.history.lock().unwrap();
        let end: Time = history.all().map(|row| row.end).max().unwrap_or(now);
        self.shared.advance(end.max(now) - now + Span::hours(80));
    }

    /// Only an operator ends a charge whose booker or host did not come, where the terms say so.
    fn settles_what_is_left(&mut self) {
        let left = self.shelf.state().book.charged();
        for uid in left {
            let right = {
                let sim = self.shared.sim();
                let history = sim.town.history.lock().unwrap();
                let terms = self.shelf.state().book.holds[&uid].terms.clone();
                let marked = |row: &Row| {
                    row.absent && terms.no_show == NoShow::Review
                        || row.absent_host && terms.host_absent == HostAbsent::Review
                };
                // What was revived is over under its own name, whatever replaced it.
                let mut rows = history.successors(&uid).into_iter();
                rows.any(|row| row.status == Status::Accepted && marked(row))
            };
            if !right {
                self.wrong
                    .push(format!("3: the charge of {uid} is never closed"));
            }
            self.tally.add("no-show settled by hand");
            let now = self.shared.now();
            // What the operator says depends on nothing but the booking.
            let number = uid.trim_start_matches('b').parse().unwrap_or_default();
            let mut rng = Rng::new(number);
            self.shelf.settle(&mut rng, &mut self.tally, now, &uid);
        }
    }

    async fn writes_nothing_more(&mut self) {
        let before = self.shelf.state().commits.len();
        for audit in [false, true] {
            self.shared.advance(Span::seconds(15));
            self.whole_watch(audit).await;
        }
        if self.shelf.state().commits.len() != before {
            self.wrong.push("a second watch wrote something".to_owned());
        }
    }

    fn waits_for_a_reason(&mut self, report: &Report) {
        let now = self.shared.now();
        let sim = self.shared.sim();
        let state = self.shelf.state();
        // It is said that there are more pages than are read, and what lies behind waits.
        let cut = report
            .problems
            .iter()
            .any(|problem| problem.code == "too-many-pending");
        let ours = sim.town.rows.iter().filter(|row| {
            !cut && row.status == Status::Pending
                && row.host == ME
                && row.kind != 3
                && row.to.is_none()
                && row.end > now
        });
        for row in ours {
            let mut steps = report.steps.iter().filter(|step| {
                let mut bookings = step.request.bookings.iter();
                bookings.any(|booking| booking.uid.as_str() == row.uid)
            });
            let reasoned = steps.any(|step| {
                let waits = match step.request.decision {
                    Decision::Wait { .. } | Decision::Review | Decision::Leave => true,
                    Decision::Confirm | Decision::Decline => false,
                };
                waits && !step.request.reasons.is_empty()
            });
            // What joined a series waits until the decision about the series has an end.
            let of_series = |step: &Reported| {
                let series = step.request.series.as_ref().map(ToString::to_string);
                series.is_some() && series == row.series && step.ended == Ended::Unresolved
            };
            let reasoned = reasoned || report.steps.iter().any(of_series);
            // A pass looks at so many requests; what another pass noted of the others stands in the ledger.
            let noted = |id: &RequestId| {
                let record = state.store.request(id).unwrap();
                record.is_some_and(|record| {
                    record.state == RequestState::Noted && !record.reasons.is_empty()
                })
            };
            let uid = BookingUid::parse(&row.uid).unwrap();
            let id = state.store.request_of(&uid).unwrap();
            let reasoned = reasoned || noted(&id.unwrap_or_else(|| RequestId::from(&uid)));
            if !reasoned {
                let (uid, end) = (&row.uid, row.end);
                let (steps, problems) = (report.steps.len(), &report.problems);
                let text = format!(
                    "11: {uid} waits at {now} until {end} and nobody says why, among {steps} steps: \
                     {problems:?}"
                );
                self.wrong.push(text);
            }
        }
    }

    /// What was decided of one booking and settled does not wait any more.
    fn decided_is_answered(&mut self) {
        let now = self.shared.now();
        let sim = self.shared.sim();
        let state = self.shelf.state();
        // Nothing is confirmed after its start: that is left to a person.
        let waits = |row: &&Row| row.status == Status::Pending && row.start > now;
        for row in sim.town.rows.iter().filter(waits) {
            let begun = state.book.begun.get(&row.uid);
            // What Cal.com refused time after time is left to a person.
            let settled = begun.is_some_and(|begun| {
                begun
                    .outcome
                    .is_some_and(|outcome| outcome != Outcome::Refused)
            });
            if row.series.is_none() && settled {
                self.wrong
                    .push(format!("4: {} was decided, and still waits", row.uid));
            }
        }
    }

    /// Promise 15: what is accepted, still to come and paid for by nobody is on the unresolved list, or
    /// was cancelled where that is configured; and so is what is accepted although it was cancelled.
    fn paid_or_listed(&mut self) {
        let now = self.shared.now();
        let sim = self.shared.sim();
        let state = self.shelf.state();
        for row in &sim.town.rows {
            let Some(gate) = ours_to_come(&state, row, now) else {
                continue;
            };
            let uid = BookingUid::parse(&row.uid).unwrap();
            let items = state.store.unresolved_of(&uid).unwrap();
            let hold = state.book.holds.get(&row.uid);
            let paid = hold.is_some_and(|hold| match hold.state {
                HoldState::Held | HoldState::Posted | HoldState::Final => true,
                HoldState::Voided | HoldState::Refunded | HoldState::MovedOn => false,
            });
            let mut begun = state.book.begun.values();
            let decided = hold.is_some() || begun.any(|one| one.bookings.contains(&row.uid));
            let since = gate.terms.unmanaged_since;
            let is_old = since.is_some_and(|since| row.created < since);
            let signs = row.cancelled_by.is_some() && !row.seated;
            // An operator who gives credits back says so of the list, too.
            let listed = items
                .iter()
                .any(|item| item.is_open() || item.is_settled_by_operator());
            let revived = paid && signs && gate.terms.on_revived == OnRevived::Report;
            let unpaid = !paid && (decided || !is_old);
            if (unpaid || revived) && !listed {
                let text = format!("15: {} is accepted, and on no list", row.uid);
                self.wrong.push(text);
            } else if unpaid {
                self.tally.add("unmanaged: reported");
            } else if revived {
                self.tally.add("revived: reported");
            }
            let cancels = taken_on(&state, &sim.town, row, now) == Some(Unmanaged::Cancel);
            if unpaid && !decided && cancels {
                let text = format!("3: {} is accepted by others, and nothing was done", row.uid);
                self.wrong.push(text);
            }
        }
    }

    /// Promises 2 and 3 once more, from the other side: what the bookings are.
    fn nothing_open(&mut self) {
        let sim = self.shared.sim();
        let state = self.shelf.state();
        let open: Vec<&String> = state.book.open().map(|(id, _)| id).collect();
        if !open.is_empty() {
            self.wrong.push(format!("open at the end: {open:?}"));
        }
        for (uid, hold) in &state.book.holds {
            if matches!(hold.state, HoldState::Held | HoldState::Posted) {
                let text = format!("3: {uid} is {:?} at the end", hold.state);
                self.wrong.push(text);
            }
        }
        for row in &sim.town.rows {
            let ours = sim.town.ours.get(&row.uid).cloned().unwrap_or_default();
            let hold = state.book.holds.get(&row.uid);
            let stands = row.status == Status::Accepted && row.to.is_none();
            let lost = state.lost.as_ref();
            let lost = lost.is_some_and(|lost| lost.rows.contains(&row.uid));
            if stands && ours.confirmed > 0 && !ours.over && !lost && !row.revived {
                match hold.map(|hold| hold.state) {
                    Some(HoldState::Final | HoldState::Refunded) => {}
                    None => self.tally.add("accepted without a hold"),
                    state => {
                        let text = format!("2: {} is confirmed and {state:?}", row.uid);
                        self.wrong.push(text);
                    }
                }
            }
            let paid = hold.is_some_and(|hold| hold.credits > 0 && hold.state != HoldState::Voided);
            if ours.refused > 0 && paid && !state.book.was_unmanaged(&row.uid) {
                let text = format!("2: {} was refused and is charged", row.uid);
                self.wrong.push(text);
            }
        }
        for begun in state.book.begun.values() {
            let refused = begun.outcome == Some(Outcome::Declined);
            // What others accepted all the same goes on with what was paid for the booking before it.
            let held = |uid: &String| {
                let hold = state.book.holds.get(uid);
                hold.is_some_and(|hold| !hold.taken_over) && !state.book.was_unmanaged(uid)
            };
            if refused && begun.bookings.iter().any(held) {
                self.wrong.push("2: declined and held for".to_owned());
            }
        }
    }

    /// No chain pays twice for what stood once.
    fn charged_once(&mut self) {
        let sim = self.shared.sim();
        let history = sim.town.history.lock().unwrap();
        let state = self.shelf.state();
        for (uid, why) in &state.why {
            if *why != OLD_NAME {
                continue;
            }
            let later = history.successors(uid);
            // Accepted again beside what replaced it: these are two sessions.
            let stands = |row: &&Row| row.status == Status::Accepted;
            if later.first().is_some_and(stands) {
                continue;
            }
            let paid = |row: &&Row| {
                let hold = state.book.holds.get(&row.uid);
                hold.is_some_and(|hold| hold.credits > 0)
            };
            if let Some(other) = later.into_iter().skip(1).find(paid) {
                let text = format!("2: {uid} and its successor {} are charged", other.uid);
                self.wrong.push(text);
            }
        }
    }

    /// Promise 9, and the sum of everything.
    pub fn end(mut self) -> Summary {
        self.check();
        let mut state = self.shelf.state();
        if let Ok(shown) = std::env::var("MAITRED_SHOW") {
            let sim = self.shared.sim();
            let history = sim.town.history.lock().unwrap();
            for uid in shown.split(',').filter(|uid| uid.starts_with('b')) {
                eprintln!("{uid}: {}", history.story(uid));
            }
            for (at, facts) in &state.commits {
                eprintln!("{at}");
                for fact in facts {
                    eprintln!("    {fact:?}");
                }
            }
        }
        let mut again = MemoryStore::new();
        for (at, facts) in &state.commits {
            again.commit(*at, facts.clone(), &[]).unwrap();
        }
        let all = |store: &MemoryStore| {
            (
                store.head(),
                store.accounts(None, 100).unwrap(),
                store.decided(None, None, 1_000).unwrap(),
                store.open_intents(1_000).unwrap(),
                store.open_charges(None, 1_000).unwrap(),
            )
        };
        if all(&again) != all(&state.store) {
            self.wrong
                .push("9: the replayed store is another".to_owned());
        }
        self.tally.add("replayed");
        self.tally.extend(&state.tally);
        self.tally.extend(&self.shared.sim().tally);
        let unique: BTreeSet<String> = self.wrong.drain(..).collect();
        let commits = std::mem::take(&mut state.commits);
        drop(state);
        Summary {
            tally: self.tally,
            wrong: unique.into_iter().collect(),
            commits,
        }
    }
}

/// Whether this booking stands on the list of what is unresolved, or a watch told of it.
fn told(state: &State, watched: &Watched, uid: &str) -> bool {
    let booking = BookingUid::parse(uid).unwrap();
    let listed = state.store.unresolved_of(&booking).unwrap();
    if listed
        .iter()
        .any(|one| one.is_open() || one.is_settled_by_operator())
    {
        return true;
    }
    let texts = watched.problems.iter().map(|problem| &problem.text);
    let word = |text: &String| {
        text.split(|c: char| !c.is_alphanumeric())
            .any(|word| word == uid)
    };
    let others = |text: &&String| text.contains("was accepted by others");
    texts.clone().any(word) || texts.filter(others).count() >= NAMED
}

/// Why this booking must stand on a list, if it must.
fn must_be_listed(state: &State, row: &Row, town: &Town, now: Time) -> Option<&'static str> {
    let mut gates = state.policy.gates.iter();
    let gate = gates.find(|gate| gate.name == KINDS[row.kind].0)?;
    let ours = row.status == Status::Accepted
        && row.host == ME
        && row.end > now
        && row.start < now + Span::days(365)
        && KINDS[row.kind].1 == 0
        && !row.seated;
    if !ours {
        return None;
    }
    let hold = state.book.holds.get(&row.uid);
    let charged = hold.filter(|hold| {
        matches!(
            hold.state,
            HoldState::Posted | HoldState::Final | HoldState::Held
        )
    });
    let done = town.ours.get(&row.uid).cloned().unwrap_or_default();
    let linked = !town.legacy && row.series.is_none();
    let signs = row.cancelled_by.is_some() || row.reason || (linked && row.to.is_some());
    let lost = state.lost.as_ref();
    let lost = lost.is_some_and(|lost| lost.rows.contains(&row.uid));
    match (charged, hold) {
        (Some(hold), _) if row.revived && signs && hold.state != HoldState::Final => Some("A3"),
        (Some(hold), _) if hold.taken_over => {
            // The house may move as it likes, where a name is believed.
            let house = row.moved_by == Some(HOST)
                || row.moved_by == Some(ADMIN) && !state.policy.hosts.is_empty();
            let told = town.legacy || row.series.is_none();
            // Whether it is, was decided when the charge moved; an operator may have edited the gate since.
            let exempt = house && told && hold.trusts_names;
            // What waited was accepted by somebody who saw it, or by us.
            let history = town.history.lock().unwrap();
            let waited = history.was_ever(&row.uid, |row| row.status == Status::Pending);
            // What was cancelled once, and is accepted again, has its own row of the list.
            let decided = state
                .book
                .begun
                .values()
                .any(|begun| begun.bookings.contains(&row.uid));
            let at_once = done.confirmed == 0 && !waited && !decided && !exempt;
            at_once.then_some("A7")
        }
        (Some(_), _) => None,
        (None, Some(_)) if row.revived && done.confirmed > 0 => Some("A3"),
        (None, Some(hold)) if hold.state == HoldState::Voided => Some("B8"),
        (None, Some(_)) => Some("B3"),
        // A confirm of the ledger that was lost is nothing that this one knows of.
        (None, None) if done.confirmed > 0 && !lost => Some("B10"),
        (None, None) => {
            let since = gate.terms.unmanaged_since;
            let new = since.is_none_or(|since| row.created >= since);
            (new && !row.odd).then_some("unmanaged")
        }
    }
}

/// The gate of an accepted booking of ours that an audit shows.
fn ours_to_come<'a>(state: &'a State, row: &Row, now: Time) -> Option<&'a Gate> {
    let mut gates = state.policy.gates.iter();
    let gate = gates.find(|gate| gate.name == KINDS[row.kind].0)?;
    let ours = row.status == Status::Accepted
        && row.host == ME
        && row.end > now
        // An audit looks a year ahead.
        && row.start < now + Span::days(365)
        && KINDS[row.kind].1 == 0
        && !row.seated
        && row.to.is_none();
    ours.then_some(gate)
}

/// What is to be done about an accepted booking that nobody pays for; none when it is another case.
fn taken_on(state: &State, town: &Town, row: &Row, now: Time) -> Option<Unmanaged> {
    let gate = state
        .policy
        .gates
        .iter()
        .find(|gate| gate.name == KINDS[row.kind].0)?;
    let ours = row.status == Status::Accepted
        && row.host == ME
        && row.end > now
        // An audit looks a year ahead.
        && row.start < now + Span::days(365)
        && KINDS[row.kind].1 == 0
        && !row.seated
        && row.to.is_none();
    let since = gate.terms.unmanaged_since;
    let new = since.is_none_or(|since| row.created >= since);
    // The ledger began with its first commit.
    let older = state
        .commits
        .first()
        .is_some_and(|(began, _)| row.created < *began);
    if !ours || state.book.holds.contains_key(&row.uid) {
        return None;
    }
    let begun = state.book.begun.values();
    let begun = begun
        .into_iter()
        .find(|begun| begun.bookings.contains(&row.uid));
    // What paid for a booking before it stands again, or is being decided: a person knows which is meant.
    let history = town.history.lock().unwrap();
    let ancestors = history.ancestors(&row.uid);
    // The booking that one of them names as its successor was deleted, so the charge before it stays.
    let is_gone = |uid: &String| town.row(uid).is_none();
    let broken = ancestors
        .iter()
        .any(|before| before.to.as_ref().is_some_and(is_gone));
    let beside = ancestors.into_iter().any(|before| {
        let hold = state.book.holds.get(&before.uid);
        state.book.intent_of(&before.uid).is_some()
            || (before.status == Status::Accepted || broken)
                && hold.is_some_and(|hold| hold.state == HoldState::Posted)
    });
    // Our confirm of its series may have accepted it, as long as the end of that is not known.
    let may_be_ours = state.book.begun.values().any(|begun| {
        begun.call == Some(CallKind::Confirm)
            && begun.series.is_some()
            && begun.series == row.series
            && matches!(begun.outcome, None | Some(Outcome::Superseded))
    });
    if beside || may_be_ours {
        return Some(Unmanaged::Report);
    }
    match begun.map(|begun| begun.outcome) {
        Some(Some(Outcome::Confirmed)) => None,
        Some(_) => Some(Unmanaged::Report),
        None if new && older => Some(Unmanaged::Report),
        None if new => Some(gate.terms.unmanaged),
        None => None,
    }
}
