//! A rule's text: for any text, compiling gives diagnostics within the text or an expression that
//! can be evaluated; the same text as a template is refused or gives a short line.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use maitred::domain::account::Account;
use maitred::domain::booking::{Answer, Booker, Booking, EventTypeRef, Host};
use maitred::domain::id::{AccountId, Address, BookingUid, EventTypeId, HostId};
use maitred::domain::rule::context::{BookingCounts, RuleContext};
use maitred::domain::rule::detail::MAX_DETAIL;
use maitred::domain::rule::expression::{Expression, MIN_STACK_BYTES};
use maitred::domain::rule::template::{MAX_RENDERED, Template};
use maitred::domain::time::{Span, Time};

/// Tests the bytes as the text of a rule and as a template.
///
/// # Panics
/// If a check fails.
pub fn expression(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let run = move || {
        check_rule(&text);
        check_template(&text);
    };
    let thread = thread::Builder::new()
        .stack_size(MIN_STACK_BYTES)
        .spawn(run);
    thread.expect("a thread").join().expect("it holds");
}

fn check_rule(text: &str) {
    let lookups = BTreeSet::from(["crm".to_owned()]);
    let compiled = match Expression::compile(text, &lookups) {
        Ok(compiled) => compiled,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "{text:?}");
            for diagnostic in diagnostics {
                assert!(
                    diagnostic.at.start <= diagnostic.at.end,
                    "{text:?}: {diagnostic:?}"
                );
                assert!(
                    text.get(diagnostic.at.clone()).is_some(),
                    "{text:?}: {diagnostic:?}"
                );
                assert!(!diagnostic.problem.is_empty(), "{text:?}");
            }
            return;
        }
    };
    let (booking, account, answers) = (booking(), account(), answers());
    let context = context(&booking, &account, &answers);
    let answer = compiled.evaluate(&context);
    if let Err(problem) = &answer {
        assert!(!problem.is_empty(), "{text:?}");
    }
    if let Ok(opposite) = Expression::compile(&format!("!({text})"), &lookups) {
        let negated = answer.clone().ok().map(|answer| !answer);
        assert_eq!(opposite.evaluate(&context).ok(), negated, "{text:?}");
    }
    let detail = compiled.describe_inputs(&context);
    assert!(detail.chars().count() <= MAX_DETAIL, "{text:?}");
    assert!(!detail.contains(char::is_control), "{text:?}: {detail:?}");
    assert!(
        !detail.contains("4711") || text.contains("4711"),
        "{text:?}"
    );
}

fn check_template(text: &str) {
    let Ok(compiled) = Template::compile(text) else {
        return;
    };
    let (booking, account, answers) = (booking(), account(), answers());
    if let Ok(line) = compiled.render(&context(&booking, &account, &answers)) {
        assert!(line.chars().count() <= MAX_RENDERED, "{text:?}");
        assert!(!line.chars().any(char::is_control), "{text:?}: {line:?}");
        assert!(
            !line.contains("4711") || text.contains("4711"),
            "{text:?}: {line:?}"
        );
    }
}

fn now() -> Time {
    Time::from_timestamp(1_795_420_000, 0).expect("an instant")
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn context<'a>(
    booking: &'a Booking,
    account: &'a Account,
    lookups: &'a BTreeMap<String, Answer>,
) -> RuleContext<'a> {
    RuleContext {
        booking,
        occurrences: 2,
        account: Some(account),
        counts: BookingCounts {
            upcoming: 4,
            day: 1,
            week: 2,
            month: 3,
        },
        gate: "club",
        cost: Some(2),
        credits: Some(4),
        available: 3,
        next_renewal: None,
        to_hold: Some(4),
        occurrence: booking.start,
        lookups,
        hidden_answer: Some("pin"),
        questions: Default::default(),
        zone: chrono_tz::Tz::Europe__Berlin,
        now: now(),
    }
}

fn account() -> Account {
    let mut account = Account::new(AccountId::from(&address("bo@example.com")), now());
    account.tier = Some("gold".to_owned());
    account.tags = ["reader".to_owned(), "board".to_owned()].into();
    account.attributes = [("level".to_owned(), "3".to_owned())].into();
    account
}

fn answers() -> BTreeMap<String, Answer> {
    let crm = [
        ("score".to_owned(), Answer::Number(7.0)),
        ("open".to_owned(), Answer::Bool(true)),
    ];
    [("crm".to_owned(), Answer::Map(crm.into()))].into()
}

fn booking() -> Booking {
    let text = |text: &str| Answer::Text(text.to_owned());
    let answers = [
        ("topic", text("demo")),
        ("pages", Answer::Number(120.0)),
        ("agreed", Answer::Bool(true)),
        ("nothing", Answer::Null),
        ("colours", Answer::List(vec![text("red"), text("blue")])),
        ("pin", text("4711")),
    ];
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
            address: address("bo@example.com"),
            name: Some("Bo".to_owned()),
            time_zone: Some("Europe/Berlin".to_owned()),
            language: Some("de".to_owned()),
        }),
        guests: vec![address("al@example.com")],
        location: Some("Room 1".to_owned()),
        answers: answers
            .into_iter()
            .map(|(slug, answer)| (slug.to_owned(), answer))
            .collect(),
        ..Booking::new(
            BookingUid::parse("uid1").expect("a uid"),
            (now() + Span::hours(30), now() + Span::hours(31)),
            now() - Span::hours(1),
        )
    }
}
