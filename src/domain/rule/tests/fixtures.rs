//! A request for rules to evaluate, and rules about it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::domain::account::Account;
use crate::domain::booking::{Answer, Attendee, Booker, Booking, EventTypeRef, Host};
use crate::domain::id::{AccountId, Address, BookingUid, EventTypeId, HostId};
use crate::domain::rule::context::{BookingCounts, RuleContext};
use crate::domain::rule::diagnostic::RuleDiagnostic;
use crate::domain::rule::expression::Expression;
use crate::domain::time::{Span, Time};

/// The values from which a `RuleContext` borrows.
pub(super) struct RequestFixture {
    pub booking: Booking,
    pub account: Option<Account>,
    pub lookups: BTreeMap<String, Answer>,
    pub counts: BookingCounts,
    pub available: u64,
    pub now: Time,
}

/// Returns Tuesday 2026-12-01, 18:00 in Berlin.
pub(super) fn start() -> Time {
    parse_time("2026-12-01T17:00:00Z")
}

pub(super) fn parse_time(text: &str) -> Time {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn text_answer(of: &str) -> Answer {
    Answer::Text(of.to_owned())
}

fn answer_map(
    entries: impl IntoIterator<Item = (&'static str, Answer)>,
) -> BTreeMap<String, Answer> {
    let to_owned_entry = |(key, value): (&str, Answer)| (key.to_owned(), value);
    entries.into_iter().map(to_owned_entry).collect()
}

/// Returns a request by Bo of tier gold, 30 hours ahead, for an hour; 3 credits, 7 to hold.
pub(super) fn request_fixture() -> RequestFixture {
    let mut account = Account::new(
        AccountId::parse("bo@example.com").unwrap(),
        parse_time("2026-01-01T00:00:00Z"),
    );
    account.tier = Some("gold".to_owned());
    account.tags = BTreeSet::from(["board".to_owned(), "vip".to_owned()]);
    account.attributes = BTreeMap::from([("level".to_owned(), "3".to_owned())]);
    account.pin_hash = Some("$argon2id$secret".to_owned());
    RequestFixture {
        booking: booking(),
        account: Some(account),
        lookups: answer_map([
            (
                "crm",
                Answer::Map(answer_map([
                    ("score", Answer::Number(7.0)),
                    ("open", Answer::Bool(true)),
                ])),
            ),
            ("vat", text_answer("DE123")),
        ]),
        counts: BookingCounts {
            upcoming: 4,
            day: 1,
            week: 2,
            month: 3,
        },
        available: 3,
        now: start() - Span::hours(30),
    }
}

fn booking() -> Booking {
    Booking {
        id: Some(11),
        title: "Räume & Bücher".to_owned(),
        host: Some(Host {
            id: Some(HostId(5)),
            address: Some(address("host@example.org")),
            name: Some("Ho".to_owned()),
            time_zone: None,
        }),
        event_type: Some(EventTypeRef {
            id: EventTypeId(77),
            slug: Some("book-club".to_owned()),
        }),
        booker: Some(Booker {
            address: address("Bo@Example.com"),
            name: Some("Bo".to_owned()),
            time_zone: Some("Europe/Berlin".to_owned()),
            language: Some("de".to_owned()),
        }),
        attendees: ["bo@example.com", "", "al@example.com"]
            .map(attendee)
            .to_vec(),
        guests: vec![address("al@example.com")],
        location: Some("Room 1".to_owned()),
        answers: answer_map([
            ("topic", text_answer("demo")),
            ("count", Answer::Number(3.0)),
            ("half", Answer::Number(2.5)),
            ("agreed", Answer::Bool(true)),
            ("nothing", Answer::Null),
            (
                "colours",
                Answer::List(vec![text_answer("red"), text_answer("blue")]),
            ),
            ("my-key", text_answer("x")),
            ("pin", text_answer("1234")),
        ]),
        ..Booking::new(
            BookingUid::parse("uid1").unwrap(),
            (start(), start() + Span::hours(1)),
            start() - Span::hours(31),
        )
    }
}

fn attendee(text: &str) -> Attendee {
    Attendee {
        address: Address::parse(text).ok(),
        name: None,
        time_zone: None,
        language: None,
        absent: false,
        seat: None,
    }
}

impl RequestFixture {
    pub(super) fn context(&self) -> RuleContext<'_> {
        RuleContext {
            booking: &self.booking,
            occurrences: 2,
            account: self.account.as_ref(),
            counts: self.counts,
            gate: "club",
            cost: Some(4),
            credits: Some(8),
            available: self.available,
            next_renewal: Some(self.now),
            to_hold: Some(7),
            occurrence: self.booking.start,
            lookups: &self.lookups,
            hidden_answer: Some("pin"),
            questions: Default::default(),
            zone: chrono_tz::Europe::Berlin,
            now: self.now,
        }
    }
}

pub(super) fn known_lookups() -> BTreeSet<String> {
    ["crm", "vat", "gone"].map(str::to_owned).into()
}

pub(super) fn compile(text: &str) -> Result<Expression, Vec<RuleDiagnostic>> {
    Expression::compile(text, &known_lookups())
}

/// Compiles a rule that must have no mistakes.
pub(super) fn compile_rule(text: &str) -> Expression {
    compile(text).unwrap_or_else(|diagnostics| panic!("{text}: {diagnostics:?}"))
}
