//! The plan: what one pass will do, decided as one value from one snapshot. Open intents come
//! first and are only finished; then each new request in order of creation (ties by name), each
//! seeing what the ones before it have taken. A step leaves the executor no choice.

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Account, Part};
use super::booking::{Booking, BookingRef, Observed, Status};
use super::decision::{Code, Decision, Outcome, Reason};
use super::fact::Fact;
use super::gate::{Gate, Policy, RefuseWith};
use super::id::{AccountId, BookingUid, HostId, RequestId};
use super::intent::{self, Next};
use super::judge::{Asked, Judged, judge};
use super::request::{CallKind, Charge, MAX_OCCURRENCES, Request, RequestState};
use super::snapshot::{OpenIntent, Series, Snapshot};
use super::text;
use super::time::{Span, Time, kept};

/// All that a pass will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub problems: Vec<Problem>,
    /// Requests were left for the next pass because this one had enough.
    pub more: bool,
}

/// One item of a plan: the request as it is, or as it is to be written, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub request: Request,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing to send. Written down when it says something new.
    Note { write: bool },
    /// Write the facts (an intent with its holds; none when it stands already), then send the call.
    Send {
        facts: Vec<Fact>,
        /// The account the decision looked at, and its version (`None`: there was none).
        looked_at: Option<(AccountId, Option<u64>)>,
        call: Call,
    },
    /// Write the facts: what happened at Cal.com finished it.
    Settle {
        facts: Vec<Fact>,
        outcome: Outcome,
        problem: Option<String>,
    },
    /// An open intent for which nothing can be done now.
    Postpone { why: String },
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub kind: CallKind,
    pub booking: BookingRef,
    /// For the booker, with a decline or a cancellation.
    pub text: Option<String>,
}

/// Something an operator should know, beside the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub text: String,
}

/// Plans a pass.
pub fn plan(snapshot: &Snapshot, policy: &Policy) -> Plan {
    let mut planner = Planner::new(snapshot, policy);
    for open in &snapshot.intents {
        planner.finish(open);
    }
    for group in groups(snapshot) {
        planner.decide(group);
    }
    planner.plan
}

/// The call that an intent wants for one of its bookings.
pub fn call(request: &Request, booking: &BookingRef) -> Option<Call> {
    request.call.map(|kind| Call {
        kind,
        booking: booking.clone(),
        text: request.text.clone(),
    })
}

/// Pending bookings that are decided as one.
struct Group<'a> {
    id: RequestId,
    bookings: Vec<&'a Booking>,
    series: Option<&'a RequestId>,
    /// The oldest of them: the order of requests.
    created: Time,
    /// The newest of them: a series may still be growing.
    newest: Time,
}

/// The pending bookings as requests, in the order in which they were asked for.
fn groups(snapshot: &Snapshot) -> Vec<Group<'_>> {
    let mut series: BTreeMap<&RequestId, Vec<&Booking>> = BTreeMap::new();
    let mut groups = Vec::new();
    for Observed { booking, .. } in &snapshot.pending {
        match &booking.series {
            Some(id) => series.entry(id).or_default().push(booking),
            None => groups.push(Group {
                id: RequestId::from(&booking.uid),
                bookings: vec![booking],
                series: None,
                created: booking.created,
                newest: booking.created,
            }),
        }
    }
    for (id, listed) in series {
        groups.extend(series_group(snapshot, id, listed));
    }
    groups.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    groups
}

/// One confirm answers every pending occurrence of a series, also those that the list hides.
fn series_group<'a>(
    snapshot: &'a Snapshot,
    id: &'a RequestId,
    listed: Vec<&'a Booking>,
) -> Option<Group<'a>> {
    let mut bookings = match snapshot.series.get(id) {
        Some(Series::Whole(all)) => all
            .iter()
            .filter(|booking| booking.status == Status::Pending && booking.rescheduled_to.is_none())
            .collect(),
        Some(Series::Unread(_)) | None => listed,
    };
    bookings.sort_by(|a, b| (a.start, &a.uid).cmp(&(b.start, &b.uid)));
    bookings.truncate(MAX_OCCURRENCES);
    let first = bookings.first()?;
    let created = bookings.iter().map(|booking| booking.created).min()?;
    let newest = bookings.iter().map(|booking| booking.created).max()?;
    // Occurrences that turn up after the series was answered are a request of their own.
    let known = snapshot.records.get(id);
    let answered = known.is_some_and(|record| {
        matches!(record.state, RequestState::Settled { .. })
            && bookings
                .iter()
                .all(|booking| !contains(record, &booking.uid))
    });
    Some(Group {
        id: if answered {
            RequestId::from(&first.uid)
        } else {
            id.clone()
        },
        created,
        newest,
        series: Some(id),
        bookings,
    })
}

fn contains(record: &Request, uid: &BookingUid) -> bool {
    record.bookings.iter().any(|known| known.uid == *uid)
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    /// As the steps so far leave them.
    accounts: BTreeMap<AccountId, Account>,
    taken: Taken,
    sends_left: usize,
    declines_left: usize,
    open: BTreeSet<&'a RequestId>,
    /// Charges that a step already takes over: a booking has one successor.
    carried: BTreeSet<BookingUid>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let mut taken = Taken::default();
        for booking in &snapshot.accepted {
            if let Some(host) = booking.host_id()
                && booking.status == Status::Accepted
            {
                taken.add(host, booking.start, booking.end, booking.uid.as_str());
            }
        }
        for open in &snapshot.intents {
            for charge in &open.charges {
                if let Some(host) = charge.host {
                    taken.add(host, charge.start, charge.end, charge.booking.uid.as_str());
                }
            }
        }
        Self {
            snapshot,
            policy,
            accounts: snapshot.accounts.clone(),
            taken,
            sends_left: policy.limits.requests_per_pass,
            declines_left: policy.limits.declines_per_pass,
            open: snapshot
                .intents
                .iter()
                .map(|open| &open.request.id)
                .collect(),
            carried: snapshot
                .intents
                .iter()
                .filter_map(|open| open.request.carries.clone())
                .collect(),
            plan: Plan {
                steps: Vec::new(),
                problems: Vec::new(),
                more: false,
            },
        }
    }

    /// A decision that was begun is finished, never made anew.
    fn finish(&mut self, open: &OpenIntent) {
        let request = &open.request;
        let next = intent::next(request, &open.charges, open.carried.as_ref(), &open.sights);
        let action = match next {
            Next::Settle {
                outcome,
                facts,
                problem,
            } => Action::Settle {
                facts,
                outcome,
                problem,
            },
            Next::Unclear => Action::Postpone {
                why: "its bookings could not all be read".to_owned(),
            },
            Next::Call(_) if !intent::due(request, self.snapshot.now) => Action::Postpone {
                why: format!("failed {} times; retried later", request.failures),
            },
            Next::Call(booking) => self.resume(open, &booking),
        };
        self.plan.steps.push(Step {
            request: request.clone(),
            action,
        });
    }

    /// Sends an open intent's call; occurrences that joined the series meanwhile are held for first,
    /// because the call would answer them too.
    fn resume(&mut self, open: &OpenIntent, booking: &BookingRef) -> Action {
        let request = &open.request;
        let mut facts = Vec::new();
        if request.decision == Decision::Confirm {
            for grown in &open.grown {
                let Some(hold) = self.hold(request, grown, request.cost) else {
                    let why = "the series grew beyond the booker's credit";
                    return Action::Settle {
                        facts: intent::supersede(request, &open.charges, why),
                        outcome: Outcome::Superseded,
                        problem: Some(format!(
                            "series {}: {why}; it is left pending for you to answer",
                            request.id
                        )),
                    };
                };
                facts.extend(hold);
            }
        }
        match call(request, booking) {
            Some(call) => Action::Send {
                facts,
                looked_at: request.account.as_ref().map(|id| {
                    let version = self.snapshot.accounts.get(id).map(|known| known.version);
                    (id.clone(), version)
                }),
                call,
            },
            None => Action::Postpone {
                why: "the decision names no call".to_owned(),
            },
        }
    }

    fn decide(&mut self, group: Group<'a>) {
        let Some(first) = group.bookings.first().copied() else {
            return;
        };
        if self.open.contains(&group.id) {
            return;
        }
        let record = self.snapshot.records.get(&group.id);
        let gate = match self.policy.guards(self.snapshot.me, first) {
            Ok(gate) => gate,
            Err(code) => return self.leave(&group, None, record, code, false),
        };
        match record.map(|record| record.state) {
            Some(RequestState::Settled { .. }) => {
                return self.leave(&group, Some(gate), record, Code::DecidedBefore, false);
            }
            // Begun, but not among the intents this pass has room for.
            Some(RequestState::Recorded) => return,
            Some(RequestState::Noted) | None => {}
        }
        if let Some(id) = group.series {
            match self.snapshot.series.get(id) {
                Some(Series::Whole(_)) => {}
                Some(Series::Unread(_)) | None => {
                    return self.leave(&group, Some(gate), record, Code::SeriesUnreadable, false);
                }
            }
            if self.snapshot.now < group.newest + self.policy.limits.series_settle {
                return self.leave(&group, Some(gate), record, Code::SeriesSettling, false);
            }
        }
        self.judge(&group, gate, record);
    }

    fn judge(&mut self, group: &Group<'a>, gate: &Gate, record: Option<&Request>) {
        let first = group.bookings[0];
        let account = first
            .booker
            .as_ref()
            .and_then(|booker| self.snapshot.names.get(&booker.address))
            .and_then(|id| self.accounts.get(id));
        let carried = self.carried(group, account);
        let host = first.host_id();
        let taken_by = group.bookings.iter().find_map(|booking| {
            self.taken
                .find(host?, booking.start, booking.end, booking.uid.as_str())
        });
        let event_type = first.event_type.as_ref().map(|event_type| event_type.id);
        let judged = judge(&Asked {
            gate,
            bookings: &group.bookings,
            event_type: event_type
                .and_then(|id| self.snapshot.event_types.get(&id))
                .map(Option::as_ref),
            account,
            taken_by,
            carried,
            ledger_is_empty: self.snapshot.ledger_is_empty,
            first: record.map_or(self.snapshot.now, |record| record.first),
            now: self.snapshot.now,
        });
        let carries = carried.map(|charge| charge.booking.uid.clone());
        let request = self.request(group, Some(gate), record, judged.clone(), carries);
        match judged.decision {
            Decision::Confirm => self.confirm(group, request, &judged),
            Decision::Decline => self.decline(group, request, record),
            Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                self.note(request, record, true);
            }
        }
    }

    fn carried(&self, group: &Group<'a>, account: Option<&Account>) -> Option<&'a Charge> {
        let [only] = group.bookings.as_slice() else {
            return None;
        };
        self.snapshot
            .carried
            .get(&only.uid)
            .filter(|charge| !self.carried.contains(&charge.booking.uid))
            .filter(|charge| account.is_some_and(|account| account.id == charge.account))
    }

    fn confirm(&mut self, group: &Group<'a>, mut request: Request, judged: &Judged) {
        if self.sends_left == 0 {
            self.plan.more = true;
            return;
        }
        self.sends_left -= 1;
        request.state = RequestState::Recorded;
        request.call = Some(CallKind::Confirm);
        let looked_at = self.looked_at(&request);
        let mut facts = vec![Fact::Decided {
            request: Box::new(request.clone()),
        }];
        for booking in &group.bookings {
            // A successor holds only what its predecessor did not pay.
            let credits = if request.carries.is_some() {
                judged.to_hold
            } else {
                request.cost
            };
            if request.carries.is_some() && credits == 0 {
                continue;
            }
            let hold = self
                .hold(&request, booking, credits)
                .expect("the credit rule saw that there is enough");
            facts.extend(hold);
        }
        self.carried.extend(request.carries.clone());
        if let Some(host) = request.host {
            for booking in &group.bookings {
                let uid = booking.uid.as_str();
                self.taken.add(host, booking.start, booking.end, uid);
            }
        }
        self.send(request, facts, looked_at);
    }

    fn decline(&mut self, group: &Group<'a>, mut request: Request, record: Option<&Request>) {
        if self.declines_left == 0 {
            request.decision = Decision::Leave;
            request.reasons = vec![Reason {
                code: Code::DeclineLimit,
                text: format!(
                    "would be declined, but {} declines are as many as one pass may make \
                     (limits.declines-per-pass)",
                    self.policy.limits.declines_per_pass
                ),
            }];
            self.problem_once(
                "decline-limit",
                "more requests would be declined than one pass may \
                 (limits.declines-per-pass): if that is right, the next passes go on; if not, \
                 correct the configuration or the ledger now",
            );
            return self.note(request, record, false);
        }
        if self.sends_left == 0 {
            self.plan.more = true;
            return;
        }
        self.sends_left -= 1;
        self.declines_left -= 1;
        request.state = RequestState::Recorded;
        request.text = Some(text::joined(&request.reasons));
        request.call = Some(match self.policy.refuse_with {
            RefuseWith::Decline => CallKind::Decline,
            RefuseWith::Cancel => CallKind::Cancel,
        });
        debug_assert!(!group.bookings.is_empty(), "a group has bookings");
        let looked_at = self.looked_at(&request);
        let facts = vec![Fact::Decided {
            request: Box::new(request.clone()),
        }];
        self.send(request, facts, looked_at);
    }

    fn send(
        &mut self,
        request: Request,
        facts: Vec<Fact>,
        looked_at: Option<(AccountId, Option<u64>)>,
    ) {
        let call = call(&request, &request.bookings[0]).expect("an intent names its call");
        self.plan.steps.push(Step {
            request,
            action: Action::Send {
                facts,
                looked_at,
                call,
            },
        });
    }

    /// What the decision rests on: the account's version, or that there is none of the booker's name.
    fn looked_at(&self, request: &Request) -> Option<(AccountId, Option<u64>)> {
        match (&request.account, &request.booker) {
            (Some(id), _) => {
                let version = self.snapshot.accounts.get(id).map(|known| known.version);
                Some((id.clone(), version))
            }
            (None, Some(booker)) => Some((AccountId::from(booker), None)),
            (None, None) => None,
        }
    }

    /// Takes credits for one booking from the account as the steps so far leave it; expired lots are
    /// written off on the way. `None` when there are too few.
    fn hold(&mut self, request: &Request, booking: &Booking, credits: u64) -> Option<Vec<Fact>> {
        let now = kept(self.snapshot.now);
        let account = self.accounts.get_mut(request.account.as_ref()?)?;
        let parts = account.pick(credits, now)?;
        let mut facts = write_off(account, now);
        account.spend(&parts);
        facts.push(Fact::Hold {
            booking: booking.reference(),
            request: request.id.clone(),
            account: account.id.clone(),
            parts,
            event_type: booking.event_type.as_ref().map(|kind| kind.id),
            host: booking.host_id(),
            start: booking.start,
            end: booking.end,
        });
        Some(facts)
    }

    fn leave(
        &mut self,
        group: &Group<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        code: Code,
        write: bool,
    ) {
        let first = group.bookings[0];
        let known = first
            .booker
            .as_ref()
            .and_then(|booker| self.snapshot.names.get(&booker.address));
        let judged = Judged {
            decision: Decision::Leave,
            reasons: vec![Reason {
                code,
                text: why_left(code).to_owned(),
            }],
            findings: Vec::new(),
            account: known.cloned(),
            booker: first.booker.as_ref().map(|booker| booker.address.clone()),
            credits: 0,
            to_hold: 0,
        };
        let request = self.request(group, gate, record, judged, None);
        self.note(request, record, write);
    }

    fn note(&mut self, request: Request, record: Option<&Request>, write: bool) {
        let news = record.is_none_or(|record| !same_note(record, &request));
        self.plan.steps.push(Step {
            request,
            action: Action::Note {
                write: write && news,
            },
        });
    }

    fn request(
        &self,
        group: &Group<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        judged: Judged,
        carries: Option<BookingUid>,
    ) -> Request {
        let first = group.bookings[0];
        let now = kept(self.snapshot.now);
        Request {
            id: group.id.clone(),
            bookings: group.bookings.iter().map(|b| b.reference()).collect(),
            series: group.series.cloned(),
            title: first.title.clone(),
            event_type: first.event_type.as_ref().map(|kind| kind.id),
            slug: first.event_type.as_ref().and_then(|kind| kind.slug.clone()),
            gate: gate.map(|gate| gate.name.clone()),
            host: first.host_id(),
            booker: judged.booker,
            account: judged.account,
            start: first.start,
            end: group
                .bookings
                .iter()
                .map(|b| b.end)
                .max()
                .unwrap_or(first.end),
            created: group.created,
            decision: judged.decision,
            cost: gate.map_or(0, |gate| gate.cost),
            credits: judged.credits,
            call: None,
            reasons: judged.reasons,
            findings: judged.findings,
            text: None,
            carries,
            policy: self.policy.hash.clone(),
            decided: now,
            first: record.map_or(now, |record| record.first),
            state: RequestState::Noted,
            failures: 0,
            last_failure: None,
            calls: Vec::new(),
        }
    }

    fn problem_once(&mut self, code: &'static str, text: &str) {
        if self.plan.problems.iter().all(|known| known.code != code) {
            self.plan.problems.push(Problem {
                code,
                text: text.to_owned(),
            });
        }
    }
}

/// Entries for what is left of lots whose time has come; the account is left as they leave it.
pub fn write_off(account: &mut Account, now: Time) -> Vec<Fact> {
    let gone: Vec<Part> = account
        .lots
        .iter()
        .filter(|lot| lot.left > 0 && !lot.alive(now))
        .map(|lot| Part {
            grant: lot.grant.clone(),
            credits: lot.left,
        })
        .collect();
    account.spend(&gone);
    gone.into_iter()
        .map(|part| Fact::Expire {
            account: account.id.clone(),
            part,
        })
        .collect()
}

fn same_note(record: &Request, request: &Request) -> bool {
    let codes = |request: &Request| -> Vec<Code> {
        request.reasons.iter().map(|reason| reason.code).collect()
    };
    record.state == RequestState::Noted
        && record.decision == request.decision
        && codes(record) == codes(request)
        && record.account == request.account
        && record.gate == request.gate
}

fn why_left(code: Code) -> &'static str {
    match code {
        Code::ForeignHost => "the host is neither the key's user nor one of calcom.hosts",
        Code::NoEventType => "the booking's event type does not exist any more",
        Code::Ungated => "no gate names the event type",
        Code::Seated => "every attendee of a seated booking is a booker of his own",
        Code::DecidedBefore => {
            "it was decided before and is pending again: somebody changed it at Cal.com, so answer \
             it there"
        }
        Code::SeriesSettling => "the series is so young that more of it may follow",
        Code::SeriesUnreadable => "the series could not be read whole",
        Code::EventTypeNotShown
        | Code::Priced
        | Code::NotPending
        | Code::Over
        | Code::NoBooker
        | Code::EmptyLedger
        | Code::DeclineLimit
        | Code::UnknownBooker
        | Code::Frozen
        | Code::Taken
        | Code::ShortOfCredit
        | Code::Enough
        | Code::Carried
        | Code::Blocked
        | Code::NotAllowed
        | Code::NoticeTooShort
        | Code::NoticeTooLong
        | Code::OutsideHours
        | Code::CapReached
        | Code::TooManyRequests
        | Code::PinWrong
        | Code::Rule
        | Code::RuleFailed
        | Code::LookupFailed
        | Code::WaitedTooLong
        | Code::Operator => unreachable!("not a reason to leave a booking unread"),
    }
}

/// The time of hosts that is taken. Looking up costs the logarithm of what is kept, and what
/// overlaps by start.
#[derive(Debug, Default)]
struct Taken {
    spans: BTreeMap<(HostId, Time, String), Time>,
    longest: Span,
}

impl Taken {
    fn add(&mut self, host: HostId, start: Time, end: Time, uid: &str) {
        self.longest = self.longest.max(end - start);
        self.spans.insert((host, start, uid.to_owned()), end);
    }

    /// A booking that overlaps, other than the one asked about.
    fn find(&self, host: HostId, start: Time, end: Time, but: &str) -> Option<&str> {
        let from = (host, start - self.longest, String::new());
        let to = (host, end, String::new());
        self.spans
            .range(from..to)
            .find(|((_, _, uid), until)| **until > start && uid != but)
            .map(|((_, _, uid), _)| uid.as_str())
    }
}
