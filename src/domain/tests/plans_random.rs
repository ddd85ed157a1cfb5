//! Random worlds: whatever is pending, the plan keeps the promises and its facts fit the ledger.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::fixtures::*;
use crate::domain::booking::{Booking, BookingStatus, TimestampedBooking};
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::Cost;
use crate::domain::decision::{Credits, Decision, DecisionOutcome};
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::gate::{Gate, Policy, PriceInput};
use crate::domain::id::{AccountId, BookingUid, HostId};
use crate::domain::intent::BookingState;
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::plan::{Action, Plan, Step, plan};
use crate::domain::request::{Charge, ChargeState, RequestState};
use crate::domain::rule::expression::Expression;
use crate::domain::snapshot::{OpenIntent, Series, Snapshot};
use crate::domain::time::{Span, Time, overlaps};

/// The last address has no account.
const ADDRESSES: [&str; 5] = [
    "al@example.com",
    "bo@example.com",
    "cy@example.com",
    "di@example.com",
    "nobody@example.com",
];

/// A pending booking, perhaps an occurrence, hidden from the list, or decided before.
#[derive(Debug, Clone)]
struct RandomRequest {
    address_index: usize,
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

/// An open intent.
#[derive(Debug, Clone)]
struct RandomIntent {
    address_index: usize,
    slot: i64,
    decline: bool,
    carries: bool,
    state: u8,
    series: Option<usize>,
    named_by_series: bool,
    failures: u32,
}

#[derive(Debug, Clone)]
struct RandomSnapshot {
    requests: Vec<RandomRequest>,
    accepted: Vec<(i64, i64, i64)>,
    intents: Vec<RandomIntent>,
    credits: Vec<Credits>,
    cost: Credits,
    /// How the price of a booking is determined.
    pricing: u8,
    choices: (u8, u8, u8),
    limits: (usize, usize),
    is_empty: bool,
}

fn random_request() -> impl Strategy<Value = RandomRequest> {
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
            |((address_index, slot, length, created, host), series, (hidden, carries), flags)| {
                RandomRequest {
                    address_index: series.unwrap_or(address_index),
                    slot,
                    length,
                    created,
                    host: 1 + host / 4 + host / 7,
                    series,
                    hidden,
                    carries,
                    status: flags.0,
                    before: flags.1,
                }
            },
        )
}

fn random_intent() -> impl Strategy<Value = RandomIntent> {
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
            |((address_index, slot, decline, carries, state), (series, named, failures))| {
                RandomIntent {
                    address_index: series.unwrap_or(address_index),
                    slot,
                    decline,
                    carries,
                    state,
                    series,
                    named_by_series: named,
                    failures,
                }
            },
        )
}

fn random_snapshot() -> impl Strategy<Value = RandomSnapshot> {
    (
        prop::collection::vec(random_request(), 0..14),
        prop::collection::vec((0..8i64, 1..4i64, 1..3i64), 0..4),
        prop::collection::vec(random_intent(), 0..4),
        prop::collection::vec(0..6u64, 4),
        ((0..3u64, 0..4u8), (0..4u8, 0..3u8, 0..3u8)),
        ((0..12usize, 0..6usize), prop::bool::weighted(0.1)),
    )
        .prop_map(
            |(requests, accepted, intents, credits, (prices, choices), (limits, is_empty))| {
                let (cost, pricing) = prices;
                RandomSnapshot {
                    requests,
                    accepted,
                    intents,
                    credits,
                    cost,
                    pricing,
                    choices,
                    limits,
                    is_empty,
                }
            },
        )
}

impl RandomRequest {
    fn booking(&self, n: usize) -> Booking {
        modify(
            booking_by(
                &format!("b{n}"),
                ADDRESSES[self.address_index],
                self.slot,
                -60 + self.created,
            ),
            |b| {
                b.end = b.start + Span::minutes(30 * self.length);
                let guests = (0..self.length - 1).map(|n| address(&format!("g{n}@example.com")));
                b.guests = guests.collect();
                b.has_unread_guests = self.before == 9;
                b.host = host(HostId(self.host));
                b.series = self.series.map(|n| request_id(&format!("s{n}")));
                if self.status == 11 {
                    b.booker = None;
                }
                b.status = match self.status {
                    0 => BookingStatus::Cancelled,
                    1 => BookingStatus::Accepted,
                    2 => BookingStatus::AwaitingHost,
                    _ => BookingStatus::Pending,
                };
            },
        )
    }
}

impl RandomIntent {
    fn booking_state(&self) -> BookingState {
        match self.state {
            0 => BookingState::Accepted,
            1 => BookingState::Cancelled,
            2 => BookingState::Rejected,
            3 => BookingState::Unread,
            4 => BookingState::AcceptedAfterMove,
            _ => BookingState::Pending,
        }
    }

    fn intent(&self, n: usize, cost: Credits, bookings: &[Booking]) -> OpenIntent {
        let name = format!("i{n}");
        let series = self.series.map(|n| request_id(&format!("s{n}")));
        let carries = self.carries && series.is_none() && !self.decline;
        let request = modify(intent(&name, &[&name]), |r| {
            if self.named_by_series
                && let Some(series) = &series
            {
                r.id = series.clone();
            }
            r.account = Some(account_id(ADDRESSES[self.address_index]));
            r.booker = Some(address(ADDRESSES[self.address_index]));
            r.series = series.clone();
            r.cost = cost;
            r.credits = cost;
            r.start = at_minute(24 * 60 + 30 * self.slot);
            r.end = r.start + Span::minutes(30);
            r.predecessor = carries.then(|| uid(&format!("old-i{n}")));
            r.failures = self.failures;
            r.last_failure = (self.failures > 0).then(now);
        });
        let request = if self.decline {
            to_decline(request)
        } else {
            request
        };
        let charge_of_account = |booking: &str, state| {
            modify(charge(booking, state), |c| {
                c.request = request.id.clone();
                c.account = account_id(ADDRESSES[self.address_index]);
                c.start = request.start;
                c.end = request.end;
                c.parts = vec![part(&format!("g-{}", ADDRESSES[self.address_index]), cost)];
            })
        };
        let has_joined = |b: &&Booking| b.status == BookingStatus::Pending && b.series == series;
        let mut open = open_intent(request.clone(), &[(&name, self.booking_state())]);
        open.charges = Vec::new();
        if carries {
            open.carried_charge = Some(charge_of_account(&format!("old-i{n}"), ChargeState::Open));
        } else if !self.decline {
            open.charges = vec![charge_of_account(&name, ChargeState::Held)];
        }
        if series.is_some() {
            open.new_occurrences = bookings.iter().filter(has_joined).cloned().collect();
        }
        open
    }
}

impl RandomSnapshot {
    /// Returns the cost of the gate. The expression gives no price for two guests.
    fn gate_cost(&self) -> Cost {
        let base = self.cost;
        match self.pricing {
            0 => Cost::PerGuest { base, per_guest: 1 },
            1 => {
                let guests = "size(booking.guests)";
                let text = format!("{guests} == 2 ? -1 : {guests} + {base}");
                let number = Expression::compile_price(&text, &BTreeSet::new());
                Cost::Expression(number.expect("the expression is right"))
            }
            _ => Cost::Fixed(base),
        }
    }

    fn policy(&self) -> Policy {
        let gate = |gate: &mut Gate| {
            gate.cost = self.gate_cost();
            gate.unknown_booker = match self.choices.0 {
                0 => OnViolation::WAIT,
                1 => OnViolation::Review,
                2 => OnViolation::Leave,
                _ => OnViolation::Decline,
            };
            gate.short_of_credit = match self.choices.1 {
                0 => OnViolation::Review,
                1 => OnViolation::wait_for(Span::hours(1)),
                _ => OnViolation::Decline,
            };
            gate.time_taken = match self.choices.2 {
                0 => OnViolation::WAIT,
                1 => OnViolation::Leave,
                _ => OnViolation::Decline,
            };
        };
        modify(policy_with(gate), |p| {
            p.hosts = vec![crate::domain::id::HostKey::Id(HostId(2))];
            (p.limits.requests_per_pass, p.limits.declines.at_most) = self.limits;
        })
    }

    fn snapshot(&self) -> Snapshot {
        let bookings: Vec<Booking> = (0..)
            .zip(&self.requests)
            .map(|(n, request)| request.booking(n))
            .collect();
        let accounts = ADDRESSES[..4].iter().zip(&self.credits);
        let accounts = accounts.map(|(booker_address, credits)| {
            let expired_lot =
                (*credits > 2).then(|| lot(&format!("old-{booker_address}"), 2, Some(now())));
            let lots = expired_lot
                .into_iter()
                .chain(account(booker_address, *credits).lots);
            account_with_lots(booker_address, lots.collect())
        });
        let mut snapshot = snapshot(Vec::new(), accounts.collect());
        snapshot.ledger_is_empty = self.is_empty;
        for (n, (request, booking)) in self.requests.iter().zip(&bookings).enumerate() {
            self.add_request(&mut snapshot, n, request, booking);
        }
        for (n, intent) in self.intents.iter().enumerate() {
            // One call answers a series, so a series has only one open intent.
            let is_same_series =
                |open: &OpenIntent| open.request.series == intent.series.map(series_id);
            if intent.series.is_some() && snapshot.intents.iter().any(is_same_series) {
                continue;
            }
            add_intent(&mut snapshot, intent.intent(n, self.cost, &bookings));
        }
        let accepted = self
            .accepted
            .iter()
            .enumerate()
            .map(|(n, (slot, length, of))| {
                modify(
                    booking_by(&format!("x{n}"), ADDRESSES[0], *slot, -99),
                    |b| {
                        b.status = BookingStatus::Accepted;
                        b.host = host(HostId(*of));
                        b.end = b.start + Span::minutes(30 * length);
                    },
                )
            });
        snapshot.accepted = accepted.collect();
        snapshot
    }

    fn add_request(
        &self,
        snapshot: &mut Snapshot,
        n: usize,
        request: &RandomRequest,
        booking: &Booking,
    ) {
        if let Some(series) = &booking.series {
            let whole = || Series::Whole(Vec::new());
            let read_series = snapshot.series.entry(series.clone()).or_insert_with(whole);
            if let Series::Whole(bookings) = read_series {
                bookings.push(booking.clone());
            }
        }
        if !request.hidden && matches!(request.status, 2..) {
            let observed = TimestampedBooking {
                booking: booking.clone(),
                read_at: now(),
            };
            snapshot.pending.push(observed);
        }
        if let (Some(paid), 0..4) = (request.carries, request.address_index) {
            let owner = ADDRESSES[request.address_index];
            let predecessor = modify(charge(&format!("old-b{n}"), ChargeState::Open), |c| {
                c.account = account_id(owner);
                c.parts = vec![part(&format!("g-{owner}"), paid)];
            });
            add_to_totals(snapshot, &predecessor);
            snapshot
                .carried_charges
                .insert(booking.uid.clone(), predecessor);
        }
        let state = match request.before {
            0 => RequestState::Noted,
            1 => RequestState::Settled {
                outcome: DecisionOutcome::Declined,
                at: at_minute(-2),
            },
            _ => return,
        };
        let name = format!("b{n}");
        let record = modify(intent(&name, &[&name]), |r| {
            r.state = state;
            r.decision = Decision::Leave;
            r.call = None;
        });
        snapshot.records.insert(record.id.clone(), record);
    }
}

fn series_id(n: usize) -> crate::domain::id::RequestId {
    request_id(&format!("s{n}"))
}

fn add_intent(snapshot: &mut Snapshot, open: OpenIntent) {
    for charge in open.charges.iter().chain(&open.carried_charge) {
        add_to_totals(snapshot, charge);
    }
    let name = &open.request.bookings[0].uid;
    if open.booking_states[name] == BookingState::Pending {
        let booking = modify(booking(name.as_str()), |b| {
            b.series = open.request.series.clone();
            b.start = open.request.start;
            b.end = open.request.end;
        });
        let request = open.request.clone();
        snapshot.records.insert(request.id.clone(), request);
        snapshot.pending.push(TimestampedBooking {
            booking,
            read_at: now(),
        });
    }
    snapshot.intents.push(open);
}

/// Adds a charge that exists already to the totals of its account.
fn add_to_totals(snapshot: &mut Snapshot, charge: &Charge) {
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

fn facts_of(step: &Step) -> Vec<Fact> {
    match &step.action {
        Action::Send { facts, .. } | Action::Settle { facts, .. } => facts.clone(),
        Action::Note { write: true } => vec![decided_fact(step.request.as_ref().clone())],
        Action::Note { write: false } | Action::Postpone { .. } => Vec::new(),
    }
}

fn is_send(step: &Step) -> bool {
    match step.action {
        Action::Send { .. } => true,
        Action::Note { .. } | Action::Settle { .. } | Action::Postpone { .. } => false,
    }
}

/// Returns the steps that confirm a request of this pass.
fn new_confirmations<'a>(plan: &'a Plan, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Step> {
    let is_open_intent = |step: &Step| {
        snapshot
            .intents
            .iter()
            .any(|o| o.request.id == step.request.id)
    };
    plan.steps
        .iter()
        .filter(|step| is_send(step) && step.request.decision == Decision::Confirm)
        .filter(move |step| !is_open_intent(step))
}

fn find_booking<'a>(snapshot: &'a Snapshot, uid: &BookingUid) -> Option<&'a Booking> {
    let pending = snapshot.pending.iter().map(|observed| &observed.booking);
    let whole = snapshot.series.values().flat_map(|series| match series {
        Series::Whole(all) => all.as_slice(),
        Series::Unread(_) => &[],
    });
    pending.chain(whole).find(|booking| booking.uid == *uid)
}

/// Asserts that no credits are promised twice, and that every confirmed request has its hold.
fn assert_credits_suffice(plan: &Plan, snapshot: &Snapshot) {
    let mut held_by_account: BTreeMap<AccountId, Credits> = BTreeMap::new();
    for step in &plan.steps {
        for fact in facts_of(step) {
            if let Fact::Charge(ChargeFact::Hold { account, parts, .. }) = fact {
                let credits: Credits = parts.iter().map(|part| part.credits).sum();
                *held_by_account.entry(account).or_default() += credits;
            }
        }
    }
    for (id, held) in held_by_account {
        assert!(
            held <= snapshot.accounts[&id].available(now()),
            "{id} {held}"
        );
    }
    for step in new_confirmations(plan, snapshot) {
        let carried_credits = match &step.request.predecessor {
            Some(_) => snapshot.carried_charges[&step.request.bookings[0].uid].credits(),
            None => 0,
        };
        let held_credits: Credits = facts_of(step)
            .iter()
            .map(|fact| match fact {
                Fact::Charge(ChargeFact::Hold { parts, .. }) => {
                    parts.iter().map(|part| part.credits).sum()
                }
                _ => 0,
            })
            .sum();
        assert_eq!(
            held_credits,
            step.request.credits.saturating_sub(carried_credits),
            "{step:?}"
        );
    }
}

/// Asserts that every confirmed request holds the prices of its bookings, and that its decision
/// records them. A booking without a price is not confirmed.
fn assert_prices_are_recorded(plan: &Plan, snapshot: &Snapshot, policy: &Policy) {
    for step in new_confirmations(plan, snapshot) {
        let request = &step.request;
        let no_answers = BTreeMap::new();
        let price = |uid: &BookingUid| {
            let booking = find_booking(snapshot, uid).expect("it is pending");
            let gate = policy.gate(booking).expect("it has a gate");
            let price = gate.price(&PriceInput {
                global: &policy.global,
                booking,
                account: request.account.as_ref().map(|id| &snapshot.accounts[id]),
                occurrences: request.bookings.len(),
                lookups: &no_answers,
                event_type: None,
            });
            price.expect("nothing is confirmed without a price")
        };
        let prices: Vec<Credits> = request.bookings.iter().map(|b| price(&b.uid)).collect();
        let recorded = (request.cost, request.credits);
        assert_eq!(recorded, (prices[0], prices.iter().sum()), "{step:?}");
        for fact in facts_of(step) {
            if let Fact::Charge(ChargeFact::Hold { booking, parts, .. }) = fact
                && request.predecessor.is_none()
            {
                let held: Credits = parts.iter().map(|part| part.credits).sum();
                assert_eq!(held, price(&booking.uid), "{step:?}");
            }
        }
    }
}

/// Asserts that a confirmed booking overlaps no booking that is accepted, that an open intent may
/// confirm, or that this plan confirms too.
fn assert_nothing_overlaps(plan: &Plan, snapshot: &Snapshot) {
    let mut reserved: Vec<(Option<HostId>, (Time, Time), BookingUid)> = Vec::new();
    for booking in &snapshot.accepted {
        let span = (booking.start, booking.end);
        reserved.push((booking.host_id(), span, booking.uid.clone()));
    }
    for open in &snapshot.intents {
        let request = &open.request;
        let name = &request.bookings[0].uid;
        let may_be_confirmed = match open.booking_states[name] {
            BookingState::Pending
            | BookingState::Accepted
            | BookingState::AcceptedAfterMove
            | BookingState::AcceptedAfterCancel
            | BookingState::OtherStatus
            | BookingState::Unread => true,
            BookingState::Rejected
            | BookingState::Cancelled
            | BookingState::Gone
            | BookingState::PendingAfterStart
            | BookingState::PendingAfterEnd => false,
        };
        // A series that grew too large is given up while it is pending, so its time is free.
        let is_given_up = |step: &Step| {
            step.request.id == request.id
                && open.booking_states[name] == BookingState::Pending
                && matches!(step.action, Action::Settle { .. })
        };
        let may_be_confirmed = may_be_confirmed && !plan.steps.iter().any(is_given_up);
        if may_be_confirmed && request.decision == Decision::Confirm {
            let span = (request.start, request.end);
            reserved.push((request.host, span, name.clone()));
        }
    }
    for step in new_confirmations(plan, snapshot) {
        let new: Vec<&Booking> = step
            .request
            .bookings
            .iter()
            .map(|b| find_booking(snapshot, &b.uid).unwrap())
            .collect();
        for booking in &new {
            for (host, span, uid) in &reserved {
                let overlaps =
                    booking.host_id() == *host && overlaps((booking.start, booking.end), *span);
                assert!(!overlaps, "{} overlaps {uid}", booking.uid);
            }
        }
        for booking in new {
            let span = (booking.start, booking.end);
            reserved.push((booking.host_id(), span, booking.uid.clone()));
        }
    }
}

/// Asserts that no booking is in two steps that send, and that only pending bookings are called.
fn assert_answered_once(plan: &Plan, snapshot: &Snapshot) {
    let mut answered = BTreeSet::new();
    for step in plan.steps.iter().filter(|step| is_send(step)) {
        for booking in &step.request.bookings {
            assert!(
                answered.insert(booking.uid.clone()),
                "{} twice",
                booking.uid
            );
        }
    }
    for step in new_confirmations(plan, snapshot) {
        for booking in &step.request.bookings {
            let booking = find_booking(snapshot, &booking.uid).unwrap();
            assert_eq!(booking.status, BookingStatus::Pending);
        }
    }
}

/// Asserts that the facts apply in the order of the executor: first what is settled and noted, then
/// what is sent.
fn assert_facts_apply(plan: &Plan, snapshot: &Snapshot) {
    let mut memory = InMemoryLedger::from_snapshot(snapshot);
    memory.assert_adds_up();
    for sent in [false, true] {
        for step in plan.steps.iter().filter(|step| is_send(step) == sent) {
            assert_eq!(memory.commit(now(), &facts_of(step)), Ok(()), "{step:?}");
            memory.assert_adds_up();
        }
    }
}

fn assert_within_limits(plan: &Plan, snapshot: &Snapshot, policy: &Policy) {
    let is_open_intent = |step: &&Step| {
        snapshot
            .intents
            .iter()
            .any(|o| o.request.id == step.request.id)
    };
    let new: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|s| is_send(s) && !is_open_intent(s))
        .collect();
    let declines = new
        .iter()
        .filter(|step| step.request.decision == Decision::Decline);
    assert!(declines.count() <= policy.limits.declines.at_most);
    assert!(new.len() <= policy.limits.requests_per_pass);
    let mut created: Vec<_> = new
        .iter()
        .map(|s| (s.request.created_at, s.request.id.clone()))
        .collect();
    let order = created.clone();
    created.sort();
    assert_eq!(order, created, "whoever asked first");
}

fn shuffled<T: Clone>(items: &[T], by: &[Index]) -> Vec<T> {
    let mut remaining = items.to_vec();
    let mut order = Vec::new();
    for index in by.iter().cycle().take(items.len()) {
        order.push(remaining.remove(index.index(remaining.len())));
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_plan_keeps_the_promises(world in random_snapshot()) {
        let (snapshot, policy) = (world.snapshot(), world.policy());
        let plan = plan(&snapshot, &policy);
        assert_credits_suffice(&plan, &snapshot);
        assert_prices_are_recorded(&plan, &snapshot, &policy);
        assert_nothing_overlaps(&plan, &snapshot);
        assert_answered_once(&plan, &snapshot);
        assert_facts_apply(&plan, &snapshot);
        assert_within_limits(&plan, &snapshot, &policy);
    }

    /// Promise 7. The order in which the server lists bookings does not matter either.
    #[test]
    fn the_same_snapshot_gives_the_same_plan_in_whatever_order(
        world in random_snapshot(),
        by in prop::collection::vec(any::<Index>(), 1..8),
    ) {
        let (snapshot, policy) = (world.snapshot(), world.policy());
        let plan_of = |snapshot: &Snapshot| plan(snapshot, &policy);
        let expect = plan_of(&snapshot);
        prop_assert_eq!(&plan_of(&snapshot), &expect);
        let other = modify(snapshot, |s| {
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

/// The random worlds are worth planning: every kind of step occurs in them.
#[test]
fn random_worlds_have_everything_in_them() {
    let mut runner = TestRunner::deterministic();
    let mut words_seen = BTreeSet::new();
    for _ in 0..1_000 {
        let world = random_snapshot().new_tree(&mut runner).unwrap().current();
        let snapshot = world.snapshot();
        let plan = plan(&snapshot, &world.policy());
        for (step, text) in plan.steps.iter().zip(describe_plan(&plan)) {
            let words: Vec<&str> = text.split(' ').collect();
            words_seen.insert(words[1].to_owned());
            words_seen.extend(words[2].split('+').map(str::to_owned));
            let holds = text.matches("hold").count();
            words_seen.insert(format!(
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
        "price-unknown",
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
        .filter(|word| !words_seen.contains(*word))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {words_seen:?}");
}
