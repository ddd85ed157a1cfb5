//! Measures one evaluation of typical rules, and the detail of the finding. A pass over 10,000
//! requests with 20 rules evaluates 200,000 expressions and should take less than a second: 5 µs
//! each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::DateTime;
use maitred::domain::account::Account;
use maitred::domain::booking::{Answer, Booker, Booking, EventTypeRef, Host};
use maitred::domain::id::{AccountId, Address, BookingUid, EventTypeId, HostId};
use maitred::domain::rule::context::{BookingCounts, RuleContext};
use maitred::domain::rule::expression::Expression;
use maitred::domain::rule::template::Template;
use maitred::domain::time::{Span, Time};

/// A rule with its name.
#[derive(Clone, Copy)]
struct NamedRule {
    name: &'static str,
    text: &'static str,
}

impl fmt::Display for NamedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn rule(name: &'static str, text: &'static str) -> NamedRule {
    NamedRule { name, text }
}

const NAMED_RULES: [NamedRule; 7] = [
    rule(
        "tier and notice",
        "member.tier in [\"gold\", \"exec\"] && booking.notice > duration(\"24h\")",
    ),
    rule(
        "balance",
        "member.balance - request.credits >= 2 && !member.frozen",
    ),
    rule(
        "opening hours",
        "booking.hour >= 9 && booking.hour < 18 && !(booking.weekday in [\"sat\", \"sun\"])",
    ),
    rule(
        "answer",
        "has(booking.answers.topic) && booking.answers.topic != \"\"",
    ),
    rule("lookup", "lookup.crm.score > 3"),
    rule(
        "pattern",
        "booker.address.matches(r\"^[a-z.]+@example\\.com$\")",
    ),
    rule("macro", "member.tags.exists(tag, tag.startsWith(\"v\"))"),
];

/// The allocator of the binary: a plan makes and drops many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

#[divan::bench(args = NAMED_RULES)]
fn evaluate(bencher: divan::Bencher<'_, '_>, rule: NamedRule) {
    let (world, rule) = (ContextData::new(), compile(rule.text));
    let context = world.context();
    assert!(rule.evaluate(&context).is_ok());
    bencher.bench(|| rule.evaluate(divan::black_box(&context)));
}

#[divan::bench(args = NAMED_RULES)]
fn describe_inputs(bencher: divan::Bencher<'_, '_>, rule: NamedRule) {
    let (world, rule) = (ContextData::new(), compile(rule.text));
    let context = world.context();
    bencher.bench(|| rule.describe_inputs(divan::black_box(&context)));
}

#[divan::bench]
fn reason(bencher: divan::Bencher<'_, '_>) {
    let world = ContextData::new();
    let text = "You have {{ member.balance }} credits, {{ request.missing }} are missing.";
    let template = Template::compile(text).expect("a template");
    bencher.bench(|| template.render(divan::black_box(&world.context())));
}

fn compile(text: &str) -> Expression {
    let text = text.to_owned();
    let lookups = BTreeSet::from(["crm".to_owned()]);
    let work = move || Expression::compile(&text, &lookups);
    let thread = std::thread::Builder::new()
        .stack_size(maitred::domain::rule::expression::MIN_STACK_BYTES)
        .spawn(work)
        .expect("a thread");
    thread.join().expect("no panic").expect("a rule")
}

/// The data that a context borrows.
struct ContextData {
    booking: Booking,
    account: Account,
    lookups: BTreeMap<String, Answer>,
}

impl ContextData {
    fn new() -> Self {
        let id = AccountId::parse("bo@example.com").expect("a name");
        let mut account = Account::new(id, start());
        account.tier = Some("exec".to_owned());
        account.tags = ["board", "vip"].map(str::to_owned).into();
        let crm = BTreeMap::from([("score".to_owned(), Answer::Number(7.0))]);
        Self {
            booking: booking(),
            account,
            lookups: BTreeMap::from([("crm".to_owned(), Answer::Map(crm))]),
        }
    }

    fn context(&self) -> RuleContext<'_> {
        RuleContext {
            booking: &self.booking,
            occurrences: 1,
            account: Some(&self.account),
            counts: BookingCounts::default(),
            gate: "club",
            cost: Some(1),
            credits: Some(1),
            available: 5,
            next_renewal: None,
            to_hold: Some(1),
            occurrence: self.booking.start,
            lookups: &self.lookups,
            hidden_answer: None,
            questions: Default::default(),
            zone: chrono_tz::Europe::Berlin,
            now: start() - Span::hours(30),
        }
    }
}

fn start() -> Time {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

fn booking() -> Booking {
    let topic = Answer::Text("demo".to_owned());
    Booking {
        title: "Book club".to_owned(),
        host: Some(Host {
            id: Some(HostId(1)),
            address: None,
            name: None,
            time_zone: None,
        }),
        event_type: Some(EventTypeRef {
            id: EventTypeId(7),
            slug: Some("club".to_owned()),
        }),
        booker: Some(Booker {
            address: Address::parse("bo@example.com").expect("an address"),
            name: None,
            time_zone: None,
            language: None,
        }),
        answers: BTreeMap::from([("topic".to_owned(), topic)]),
        ..Booking::new(
            BookingUid::parse("uid").expect("a uid"),
            (start(), start() + Span::hours(1)),
            start() - Span::hours(31),
        )
    }
}
