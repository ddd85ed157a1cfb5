//! Random worlds: whatever waits at the door, the plan keeps the promises and its facts fit the
//! ledger.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::make::*;
use super::memory::Memory;
use crate::domain::booking::{Booking, Observed, Status};
use crate::domain::criteria::effect::Effect;
use crate::domain::decision::{Credits, Decision, Outcome};
use crate::domain::fact::Fact;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{AccountId, BookingUid, HostId};
use crate::domain::intent::Sight;
use crate::domain::plan::{Action, Plan, Step, plan};
use crate::domain::request::{Charge, ChargeState, RequestState};
use crate::domain::snapshot::{OpenIntent, Series, Snapshot};
use crate::domain::time::{Span, Time, overlap};

/// The last has no account.
const PEOPLE: [&str; 5] = [
    "al@example.com",
    "bo@example.com",
    "cy@example.com",
    "di@example.com",
    "nobody@example.com",
];

/// A booking that waits, perhaps an occurrence, hidden from the list, or decided before.
#[derive(Debug, Clone)]
struct Ask {
    who: usize,
    slot: i64,
    length: i64,
    created: i64,
    host: i64,
    series: Option<usize>,
    hidden: bool,
    carries: Option<Credits>,
    status: u8,
    before: u8,
}

/// A decision that was begun.
#[derive(Debug, Clone)]
struct Begun {
    who: usize,
    slot: i64,
    decline: bool,
    carries: bool,
    sight: u8,
    series: Option<usize>,
    named_by_series: bool,
    failures: u32,
}

#[derive(Debug, Clone)]
struct World {
    asks: Vec<Ask>,
    accepted: Vec<(i64, i64, i64)>,
    begun: Vec<Begun>,
    credits: Vec<Credits>,
    cost: Credits,
    choices: (u8, u8, u8),
    limits: (usize, usize),
    empty: bool,
}

fn ask() -> impl Strategy<Value = Ask> {
    (
        (0..5usize, 0..8i64, 1..4i64, 0..4i64, 0..8i64),
        prop::option::weighted(0.3, 0..2usize),
        (
            prop::bool::weighted(0.2),
            prop::option::weighted(0.2, 0..4u64),
        ),
        (0..12u8, 0..10u8),
    )
        .prop_map(
            |((who, slot, length, created, host), series, (hidden, carries), flags)| Ask {
                who: series.unwrap_or(who),
                slot,
                length,
                created,
                host: 1 + host / 4 + host / 7,
                series,
                hidden,
                carries,
                status: flags.0,
                before: flags.1,
            },
        )
}

fn begun() -> impl Strategy<Value = Begun> {
    (
        (
            0..4usize,
            0..8i64,
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.2),
            0..9u8,
        ),
        (
            prop::option::weighted(0.3, 0..2usize),
            any::<bool>(),
            0..6u32,
        ),
    )
        .prop_map(
            |((who, slot, decline, carries, sight), (series, named, failures))| Begun {
                who: series.unwrap_or(who),
                slot,
                decline,
                carries,
                sight,
                series,
                named_by_series: named,
                failures,
            },
        )
}

fn world() -> impl Strategy<Value = World> {
    (
        prop::collection::vec(ask(), 0..14),
        prop::collection::vec((0..8i64, 1..4i64, 1..3i64), 0..4),
        prop::collection::vec(begun(), 0..4),
        prop::collection::vec(0..6u64, 4),
        (0..3u64, (0..4u8, 0..3u8, 0..3u8)),
        ((0..12usize, 0..6usize), prop::bool::weighted(0.1)),
    )
        .prop_map(
            |(asks, accepted, begun, credits, (cost, choices), (limits, empty))| World {
                asks,
                accepted,
                begun,
                credits,
                cost,
                choices,
                limits,
                empty,
            },
        )
}

impl Ask {
    fn booking(&self, n: usize) -> Booking {
        but(
            asked(
                &format!("b{n}"),
                PEOPLE[self.who],
                self.slot,
                -60 + self.created,
            ),
            |b| {
                b.end = b.start + Span::minutes(30 * self.length);
                b.host = host(HostId(self.host));
                b.series = self.series.map(|n| rid(&format!("s{n}")));
                if self.status == 11 {
                    b.booker = None;
                }
                b.status = match self.status {
                    0 => Status::Cancelled,
                    1 => Status::Accepted,
                    2 => Status::AwaitingHost,
                    _ => Status::Pending,
                };
            },
        )
    }
}

impl Begun {
    fn sight(&self) -> Sight {
        match self.sight {
            0 => Sight::Accepted,
            1 => Sight::Cancelled,
            2 => Sight::Rejected,
            3 => Sight::Unread,
            4 => Sight::AcceptedAfterMove,
            _ => Sight::Pending,
        }
    }

    fn intent(&self, n: usize, cost: Credits, asks: &[Booking]) -> OpenIntent {
        let name = format!("i{n}");
        let series = self.series.map(|n| rid(&format!("s{n}")));
        let carries = self.carries && series.is_none() && !self.decline;
        let request = but(intent(&name, &[&name]), |r| {
            if self.named_by_series
                && let Some(series) = &series
            {
                r.id = series.clone();
            }
            r.account = Some(acc(PEOPLE[self.who]));
            r.booker = Some(address(PEOPLE[self.who]));
            r.series = series.clone();
            r.cost = cost;
            r.credits = cost;
            r.start = at(24 * 60 + 30 * self.slot);
            r.end = r.start + Span::minutes(30);
            r.carries = carries.then(|| uid(&format!("old-i{n}")));
            r.failures = self.failures;
            r.last_failure = (self.failures > 0).then(now);
        });
        let request = if self.decline {
            to_decline(request)
        } else {
            request
        };
        let paid = |booking: &str, state| {
            but(charge(booking, state), |c| {
                c.request = request.id.clone();
                c.account = acc(PEOPLE[self.who]);
                c.start = request.start;
                c.end = request.end;
                c.parts = vec![part(&format!("g-{}", PEOPLE[self.who]), cost)];
            })
        };
        let grown = |b: &&Booking| b.status == Status::Pending && b.series == series;
        let mut open = open(request.clone(), &[(&name, self.sight())]);
        open.charges = Vec::new();
        if carries {
            open.carried = Some(paid(&format!("old-i{n}"), ChargeState::Open));
        } else if !self.decline {
            open.charges = vec![paid(&name, ChargeState::Held)];
        }
        if series.is_some() {
            open.grown = asks.iter().filter(grown).cloned().collect();
        }
        open
    }
}

impl World {
    fn policy(&self) -> Policy {
        let gate = |gate: &mut Gate| {
            gate.cost = self.cost;
            gate.unknown_booker = match self.choices.0 {
                0 => Effect::WAIT,
                1 => Effect::Review,
                2 => Effect::Leave,
                _ => Effect::Decline,
            };
            gate.short_of_credit = match self.choices.1 {
                0 => Effect::Review,
                1 => Effect::wait(Span::hours(1)),
                _ => Effect::Decline,
            };
            gate.taken = match self.choices.2 {
                0 => Effect::WAIT,
                1 => Effect::Leave,
                _ => Effect::Decline,
            };
        };
        but(policy_with(gate), |p| {
            p.hosts = vec![crate::domain::id::HostKey::Id(HostId(2))];
            (p.limits.requests_per_pass, p.limits.declines.at_most) = self.limits;
        })
    }

    fn snapshot(&self) -> Snapshot {
        let asks: Vec<Booking> = (0..)
            .zip(&self.asks)
            .map(|(n, ask)| ask.booking(n))
            .collect();
        let accounts = PEOPLE[..4].iter().zip(&self.credits);
        let accounts = accounts.map(|(who, credits)| {
            let old = (*credits > 2).then(|| lot(&format!("old-{who}"), 2, Some(now())));
            let lots = old.into_iter().chain(account(who, *credits).lots);
            account_of(who, lots.collect())
        });
        let mut snapshot = snapshot(Vec::new(), accounts.collect());
        snapshot.ledger_is_empty = self.empty;
        for (n, (ask, booking)) in self.asks.iter().zip(&asks).enumerate() {
            self.put_ask(&mut snapshot, n, ask, booking);
        }
        for (n, begun) in self.begun.iter().enumerate() {
            // One call answers a series, so that it has one open intent.
            let same = |open: &OpenIntent| open.request.series == begun.series.map(series_id);
            if begun.series.is_some() && snapshot.intents.iter().any(same) {
                continue;
            }
            put_intent(&mut snapshot, begun.intent(n, self.cost, &asks));
        }
        let accepted = self
            .accepted
            .iter()
            .enumerate()
            .map(|(n, (slot, length, of))| {
                but(asked(&format!("x{n}"), PEOPLE[0], *slot, -99), |b| {
                    b.status = Status::Accepted;
                    b.host = host(HostId(*of));
                    b.end = b.start + Span::minutes(30 * length);
                })
            });
        snapshot.accepted = accepted.collect();
        snapshot
    }

    fn put_ask(&self, snapshot: &mut Snapshot, n: usize, ask: &Ask, booking: &Booking) {
        if let Some(series) = &booking.series {
            let whole = || Series::Whole(Vec::new());
            let there = snapshot.series.entry(series.clone()).or_insert_with(whole);
            if let Series::Whole(all) = there {
                all.push(booking.clone());
            }
        }
        if !ask.hidden && matches!(ask.status, 2..) {
            let observed = Observed {
                booking: booking.clone(),
                at: now(),
            };
            snapshot.pending.push(observed);
        }
        if let (Some(paid), 0..4) = (ask.carries, ask.who) {
            let who = PEOPLE[ask.who];
            let old = but(charge(&format!("old-b{n}"), ChargeState::Open), |c| {
                c.account = acc(who);
                c.parts = vec![part(&format!("g-{who}"), paid)];
            });
            charged(snapshot, &old);
            snapshot.carried.insert(booking.uid.clone(), old);
        }
        let state = match ask.before {
            0 => RequestState::Noted,
            1 => RequestState::Settled {
                outcome: Outcome::Declined,
                at: at(-2),
            },
            _ => return,
        };
        let name = format!("b{n}");
        let record = but(intent(&name, &[&name]), |r| {
            r.state = state;
            r.decision = Decision::Leave;
            r.call = None;
        });
        snapshot.records.insert(record.id.clone(), record);
    }
}

fn series_id(n: usize) -> crate::domain::id::RequestId {
    rid(&format!("s{n}"))
}

fn put_intent(snapshot: &mut Snapshot, open: OpenIntent) {
    for charge in open.charges.iter().chain(&open.carried) {
        charged(snapshot, charge);
    }
    let name = &open.request.bookings[0].uid;
    if open.sights[name] == Sight::Pending {
        let booking = but(booking(name.as_str()), |b| {
            b.series = open.request.series.clone();
            b.start = open.request.start;
            b.end = open.request.end;
        });
        let request = open.request.clone();
        snapshot.records.insert(request.id.clone(), request);
        snapshot.pending.push(Observed { booking, at: now() });
    }
    snapshot.intents.push(open);
}

/// The account as a charge that is there leaves it.
fn charged(snapshot: &mut Snapshot, charge: &Charge) {
    let account = snapshot.accounts.get_mut(&charge.account).unwrap();
    account.totals.granted += charge.credits();
    match charge.state {
        ChargeState::Held => account.totals.held += charge.credits(),
        ChargeState::Void
        | ChargeState::Open
        | ChargeState::Final
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => account.totals.posted += charge.credits(),
    }
}

fn facts(step: &Step) -> Vec<Fact> {
    match &step.action {
        Action::Send { facts, .. } | Action::Settle { facts, .. } => facts.clone(),
        Action::Note { write: true } => vec![decided(step.request.as_ref().clone())],
        Action::Note { write: false } | Action::Postpone { .. } => Vec::new(),
    }
}

fn sends(step: &Step) -> bool {
    match step.action {
        Action::Send { .. } => true,
        Action::Note { .. } | Action::Settle { .. } | Action::Postpone { .. } => false,
    }
}

/// Steps that confirm a request of this pass.
fn confirms<'a>(plan: &'a Plan, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Step> {
    let open = |step: &Step| {
        snapshot
            .intents
            .iter()
            .any(|o| o.request.id == step.request.id)
    };
    plan.steps
        .iter()
        .filter(|step| sends(step) && step.request.decision == Decision::Confirm)
        .filter(move |step| !open(step))
}

fn booking_of<'a>(snapshot: &'a Snapshot, uid: &BookingUid) -> Option<&'a Booking> {
    let listed = snapshot.pending.iter().map(|observed| &observed.booking);
    let whole = snapshot.series.values().flat_map(|series| match series {
        Series::Whole(all) => all.as_slice(),
        Series::Unread(_) => &[],
    });
    listed.chain(whole).find(|booking| booking.uid == *uid)
}

/// No credits are promised twice, and what is confirmed is held for.
fn credits_suffice(plan: &Plan, snapshot: &Snapshot) {
    let mut held: BTreeMap<AccountId, Credits> = BTreeMap::new();
    for step in &plan.steps {
        for fact in facts(step) {
            if let Fact::Hold { account, parts, .. } = fact {
                let credits: Credits = parts.iter().map(|part| part.credits).sum();
                *held.entry(account).or_default() += credits;
            }
        }
    }
    for (id, held) in held {
        assert!(
            held <= snapshot.accounts[&id].available(now()),
            "{id} {held}"
        );
    }
    for step in confirms(plan, snapshot) {
        let carried = match &step.request.carries {
            Some(_) => snapshot.carried[&step.request.bookings[0].uid].credits(),
            None => 0,
        };
        let held: Credits = facts(step)
            .iter()
            .map(|fact| match fact {
                Fact::Hold { parts, .. } => parts.iter().map(|part| part.credits).sum(),
                _ => 0,
            })
            .sum();
        assert_eq!(
            held,
            step.request.credits.saturating_sub(carried),
            "{step:?}"
        );
    }
}

/// What is confirmed overlaps nothing that is accepted, begun, or confirmed beside it.
fn nothing_overlaps(plan: &Plan, snapshot: &Snapshot) {
    let mut taken: Vec<(Option<HostId>, (Time, Time), BookingUid)> = Vec::new();
    for booking in &snapshot.accepted {
        let span = (booking.start, booking.end);
        taken.push((booking.host_id(), span, booking.uid.clone()));
    }
    for open in &snapshot.intents {
        let request = &open.request;
        let name = &request.bookings[0].uid;
        let live = match open.sights[name] {
            Sight::Pending
            | Sight::Accepted
            | Sight::AcceptedAfterMove
            | Sight::AcceptedAfterCancel
            | Sight::OtherStatus
            | Sight::Unread => true,
            Sight::Rejected | Sight::Cancelled | Sight::Gone | Sight::Begun | Sight::Over => false,
        };
        // A series that grew too large is given up while it waits: its time is nobody's.
        let given_up = |step: &Step| {
            step.request.id == request.id
                && open.sights[name] == Sight::Pending
                && matches!(step.action, Action::Settle { .. })
        };
        let live = live && !plan.steps.iter().any(given_up);
        if live && request.decision == Decision::Confirm {
            let span = (request.start, request.end);
            taken.push((request.host, span, name.clone()));
        }
    }
    for step in confirms(plan, snapshot) {
        let new: Vec<&Booking> = step
            .request
            .bookings
            .iter()
            .map(|b| booking_of(snapshot, &b.uid).unwrap())
            .collect();
        for booking in &new {
            for (host, span, uid) in &taken {
                let same =
                    booking.host_id() == *host && overlap((booking.start, booking.end), *span);
                assert!(!same, "{} overlaps {uid}", booking.uid);
            }
        }
        for booking in new {
            let span = (booking.start, booking.end);
            taken.push((booking.host_id(), span, booking.uid.clone()));
        }
    }
}

/// No booking is in two steps that send, and none that is not pending is called.
fn answered_once(plan: &Plan, snapshot: &Snapshot) {
    let mut seen = BTreeSet::new();
    for step in plan.steps.iter().filter(|step| sends(step)) {
        for booking in &step.request.bookings {
            assert!(seen.insert(booking.uid.clone()), "{} twice", booking.uid);
        }
    }
    for step in confirms(plan, snapshot) {
        for booking in &step.request.bookings {
            let booking = booking_of(snapshot, &booking.uid).unwrap();
            assert_eq!(booking.status, Status::Pending);
        }
    }
}

/// In the order of the executor: what is finished and noted, then what is sent.
fn facts_fit(plan: &Plan, snapshot: &Snapshot) {
    let mut memory = Memory::of(snapshot);
    memory.must_add_up();
    for sent in [false, true] {
        for step in plan.steps.iter().filter(|step| sends(step) == sent) {
            assert_eq!(memory.commit(now(), &facts(step)), Ok(()), "{step:?}");
            memory.must_add_up();
        }
    }
}

fn within_limits(plan: &Plan, snapshot: &Snapshot, policy: &Policy) {
    let open = |step: &&Step| {
        snapshot
            .intents
            .iter()
            .any(|o| o.request.id == step.request.id)
    };
    let new: Vec<&Step> = plan.steps.iter().filter(|s| sends(s) && !open(s)).collect();
    let declines = new
        .iter()
        .filter(|step| step.request.decision == Decision::Decline);
    assert!(declines.count() <= policy.limits.declines.at_most);
    assert!(new.len() <= policy.limits.requests_per_pass);
    let mut created: Vec<_> = new
        .iter()
        .map(|s| (s.request.created, s.request.id.clone()))
        .collect();
    let order = created.clone();
    created.sort();
    assert_eq!(order, created, "whoever asked first");
}

fn shuffled<T: Clone>(things: &[T], by: &[Index]) -> Vec<T> {
    let mut rest = things.to_vec();
    let mut order = Vec::new();
    for index in by.iter().cycle().take(things.len()) {
        order.push(rest.remove(index.index(rest.len())));
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_plan_keeps_the_promises(world in world()) {
        let (snapshot, policy) = (world.snapshot(), world.policy());
        let plan = plan(&snapshot, &policy);
        credits_suffice(&plan, &snapshot);
        nothing_overlaps(&plan, &snapshot);
        answered_once(&plan, &snapshot);
        facts_fit(&plan, &snapshot);
        within_limits(&plan, &snapshot, &policy);
    }

    /// Promise 7, and nothing depends on the order in which the server lists.
    #[test]
    fn the_same_snapshot_gives_the_same_plan_in_whatever_order(
        world in world(),
        by in prop::collection::vec(any::<Index>(), 1..8),
    ) {
        let (snapshot, policy) = (world.snapshot(), world.policy());
        let plan_of = |snapshot: &Snapshot| plan(snapshot, &policy);
        let expect = plan_of(&snapshot);
        prop_assert_eq!(&plan_of(&snapshot), &expect);
        let other = but(snapshot, |s| {
            s.pending = shuffled(&s.pending, &by);
            s.accepted = shuffled(&s.accepted, &by);
            for series in s.series.values_mut() {
                if let Series::Whole(all) = series {
                    *all = shuffled(all, &by);
                }
            }
        });
        prop_assert_eq!(plan_of(&other), expect);
    }
}

/// The worlds above are worth planning: every kind of step comes up in them.
#[test]
fn random_worlds_have_everything_in_them() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let world = world().new_tree(&mut runner).unwrap().current();
        let snapshot = world.snapshot();
        let plan = plan(&snapshot, &world.policy());
        for (step, told) in plan.steps.iter().zip(told(&plan)) {
            let words: Vec<&str> = told.split(' ').collect();
            seen.insert(words[1].to_owned());
            seen.extend(words[2].split('+').map(str::to_owned));
            let holds = told.matches("hold").count();
            seen.insert(format!(
                "{}{holds} holds",
                if step.request.series.is_some() {
                    "series "
                } else {
                    ""
                }
            ));
        }
    }
    let expect = [
        "confirm",
        "decline",
        "wait",
        "review",
        "leave",
        "carried",
        "enough",
        "taken",
        "short-of-credit",
        "unknown-booker",
        "decided-before",
        "not-pending",
        "decline-limit",
        "empty-ledger",
        "no-booker",
        "foreign-host",
        "superseded",
        "confirmed",
        "series 0 holds",
        "series 1 holds",
        "series 3 holds",
        "0 holds",
        "1 holds",
        "postponed:",
    ];
    let missing: Vec<&str> = expect
        .into_iter()
        .filter(|word| !seen.contains(*word))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {seen:?}");
}
