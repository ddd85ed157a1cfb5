//! Decisions about bookings from files, among them bookings as a real server sends them.

use crate::domain::criteria::price::Cost;
use std::collections::BTreeSet;

use serde_json::json;

use super::snapshot_of_file::build_snapshot;
use super::*;
use crate::domain::criteria::cap::{Cap, CapPeriod};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::gate_criteria::Criteria;
use crate::domain::criteria::global_policy::{GlobalPolicy, LookupRequirement, ManagedUsers};
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::fact::{AccountFact, CreditFact, Fact};
use crate::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, RefuseWith};
use crate::domain::id::{AccountId, EventTypeKey, Reference};
use crate::domain::plan::Action;
use crate::domain::refund_policy::Terms;
use crate::domain::rule::expression::{Expression, MIN_STACK_BYTES};
use crate::domain::time::Span;
use crate::reconcile::pin::hash::hash;
use crate::store::memory::MemoryStore;

const NOW: &str = "2026-11-24T08:00:00Z";

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn policy() -> Policy {
    Policy {
        gates: vec![Gate {
            name: "lesson".to_owned(),
            event_types: vec![EventTypeKey::Slug("lesson".to_owned())],
            cost: Cost::Fixed(1),
            unknown_booker: Default::default(),
            short_of_credit: Default::default(),
            time_taken: Default::default(),
            on_unanswered: OnUnanswered::Leave,
            criteria: Criteria::default(),
            terms: Terms::default(),
        }],
        hosts: Vec::new(),
        refuse_with: RefuseWith::Decline,
        limits: PassLimits {
            requests_per_pass: 250,
            declines: DeclineLimit {
                at_most: 25,
                per: Span::minutes(15),
            },
            max_observation_age: Span::seconds(10),
            series_settle: Span::seconds(10),
            resend_after: Span::minutes(15),
        },
        global: GlobalPolicy::default(),
        hash: "test".to_owned(),
    }
}

fn booking_file(uid: &str, start: &str, pin: Option<&str>) -> String {
    let mut item = json!({
        "id": 1, "uid": uid, "title": "Lesson", "status": "pending",
        "hosts": [{"id": 12, "name": "Ada", "email": "ada@example.org"}],
        "start": start, "end": start.replace(":00:00Z", ":30:00Z"),
        "eventTypeId": 77, "eventType": {"id": 77, "slug": "lesson"},
        "createdAt": NOW,
        "attendees": [{"name": "Bo", "email": "bo@example.com", "timeZone": "Europe/Paris"}],
        "bookingFieldsResponses": {"name": "Bo", "email": "bo@example.com"}
    });
    if let Some(pin) = pin {
        item["bookingFieldsResponses"]["pin"] = json!(pin);
        item["title"] = json!(format!("Lesson {pin}"));
    }
    item.to_string()
}

fn store_with_member() -> MemoryStore {
    let account = AccountId::parse("bo@example.com").unwrap();
    let facts = vec![
        Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse("grant").unwrap(),
            account: account.clone(),
            credits: 10,
            expires: None,
            reason: "test".to_owned(),
        }),
        Fact::Account(AccountFact::PinChanged {
            account,
            hash: Some(hash("lock-4711").unwrap()),
        }),
    ];
    let mut store = MemoryStore::new();
    store.commit(time(NOW), facts, &[]).unwrap();
    store
}

fn evaluate_decision(store: &mut MemoryStore, policy: &Policy, file: &str) -> (String, String) {
    let answer = evaluate(store, policy, time(NOW), file, None).unwrap();
    let shown = format!("{answer:?}");
    let CommandResult::Evaluate(view) = answer else {
        panic!("{shown}");
    };
    let reason = &view.decision.reasons[0];
    (format!("{} {}", view.decision.decision, reason.code), shown)
}

/// Records what the store knows about a booking that a pass confirmed.
fn confirm(store: &mut MemoryStore, policy: &Policy, file: &str) {
    let from = parse_booking_file(file).unwrap();
    let snapshot = build_snapshot(store, policy, time(NOW), from, &mut Vec::new()).unwrap();
    let mut plan = plan(&snapshot, policy);
    let Action::Send { facts, .. } = plan.steps.remove(0).action else {
        panic!("it is not confirmed");
    };
    store.commit(time(NOW), facts, &[]).unwrap();
}

#[test]
fn usage_history_counts_as_in_a_pass() {
    let mut store = store_with_member();
    let mut policy = policy();
    confirm(
        &mut store,
        &policy,
        &booking_file("one", "2026-12-01T09:00:00Z", None),
    );
    policy.gates[0].criteria.caps = vec![Cap {
        at_most: 1,
        period: CapPeriod::Day,
        tiers: Vec::new(),
    }];
    policy.gates[0].criteria.requests_per_day = Some(2);
    let same_day = booking_file("two", "2026-12-01T12:00:00Z", None);
    let other_day = booking_file("two", "2026-12-02T12:00:00Z", None);
    // The counted booking is still being confirmed.
    assert_eq!(
        evaluate_decision(&mut store, &policy, &same_day).0,
        "leave unsettled"
    );
    assert_eq!(
        evaluate_decision(&mut store, &policy, &other_day).0,
        "confirm enough"
    );
    policy.gates[0].criteria.requests_per_day = Some(1);
    let (got, _) = evaluate_decision(&mut store, &policy, &other_day);
    assert_eq!(got, "decline too-many-requests");
}

#[test]
fn a_pin_is_checked_and_never_shown() {
    let mut store = store_with_member();
    let mut policy = policy();
    policy.gates[0].criteria.pin = Some("pin".to_owned());
    let rows = [
        (Some("lock-4711"), "confirm enough"),
        (Some("lock-0815"), "decline wrong-pin"),
        (None, "decline wrong-pin"),
    ];
    for (pin, expect) in rows {
        let file = booking_file("one", "2026-12-01T09:00:00Z", pin);
        let (got, shown) = evaluate_decision(&mut store, &policy, &file);
        assert_eq!(got, expect, "{pin:?}");
        assert!(pin.is_none_or(|pin| !shown.contains(pin)), "{shown}");
    }
}

#[test]
fn lookups_are_not_asked_and_the_assumption_is_reported() {
    let mut store = store_with_member();
    let mut policy = policy();
    policy.global.lookups = vec![LookupRequirement {
        name: "crm".to_owned(),
        on_no_answer: Default::default(),
    }];
    let compile = || Expression::compile("lookup.crm == true", &["crm".to_owned()].into());
    let thread = std::thread::Builder::new().stack_size(MIN_STACK_BYTES);
    policy.global.rules = [Rule {
        name: "known".into(),
        require: thread.spawn(compile).unwrap().join().unwrap().unwrap(),
        reason: None,
        on_violation: Default::default(),
    }]
    .into();
    let file = booking_file("one", "2026-12-01T09:00:00Z", None);
    let (got, shown) = evaluate_decision(&mut store, &policy, &file);
    assert_eq!(got, "decline lookup-failed");
    assert!(shown.contains("that lookup.crm gives no answer"), "{shown}");
    assert!(
        shown.contains("`evaluate` asks no other systems"),
        "{shown}"
    );
}

fn single_rule(require: &str) -> Vec<Rule> {
    let text = require.to_owned();
    let compile = move || Expression::compile(&text, &BTreeSet::new());
    let thread = std::thread::Builder::new().stack_size(MIN_STACK_BYTES);
    let require = thread.spawn(compile).unwrap().join().unwrap();
    [Rule {
        name: "own".into(),
        require: require.unwrap(),
        reason: None,
        on_violation: Default::default(),
    }]
    .into()
}

/// Bookings as a real server sends them.
const NUMBER_ANSWER: &str = include_str!("../../../../tests/inputs/booking-number-answer.json");
const BLANK_ANSWER: &str =
    include_str!("../../../../tests/inputs/booking-number-answer-blank.json");
const IDN_DOMAIN: &str = include_str!("../../../../tests/inputs/booking-idn-domain.json");
const MANAGED_USER: &str = include_str!("../../../../tests/inputs/booking-managed-user.json");
const PHONE_ONLY: &str = include_str!("../../../../tests/inputs/booking-phone-only.json");
const ACROSS_MIDNIGHT: &str = include_str!("../../../../tests/inputs/booking-across-midnight.json");

fn club_policy() -> Policy {
    let mut policy = policy();
    policy.gates[0].event_types = vec![EventTypeKey::Id(crate::domain::id::EventTypeId(7))];
    policy
}

fn grant_credits(store: &mut MemoryStore, account: &str) {
    let fact = Fact::Credit(CreditFact::Grant {
        terms: Default::default(),
        reference: Reference::parse(account).unwrap(),
        account: AccountId::parse(account).unwrap(),
        credits: 10,
        expires: None,
        reason: "test".to_owned(),
    });
    store.commit(time(NOW), vec![fact], &[]).unwrap();
}

/// A rule about the answer to a number question, the decision with the answer "120", and with a
/// blank one.
const NUMBER_RULES: [(&str, &str, &str); 9] = [
    (
        "booking.answers.pages >= 100",
        "confirm enough",
        "review rule-failed",
    ),
    (
        "booking.answers.pages >= 100.0",
        "confirm enough",
        "review rule-failed",
    ),
    (
        "booking.answers[\"pages\"] > 100",
        "confirm enough",
        "review rule-failed",
    ),
    (
        "booking.answers.pages == 120",
        "confirm enough",
        "review rule-failed",
    ),
    (
        "booking.answers.pages >= 121",
        "decline rule",
        "review rule-failed",
    ),
    (
        "has(booking.answers.pages) && booking.answers.pages >= 100",
        "confirm enough",
        "decline rule",
    ),
    (
        "!(\"pages\" in booking.answers) || booking.answers.pages < 200",
        "confirm enough",
        "confirm enough",
    ),
    (
        "booking.answers.pages == \"120\"",
        "confirm enough",
        "review rule-failed",
    ),
    // The reference evaluates macros.
    (
        "[1].exists(n, booking.answers.pages >= 100)",
        "confirm enough",
        "review rule-failed",
    ),
];

#[test]
fn an_answer_to_a_number_question_is_a_number() {
    let mut store = store_with_member();
    let mut policy = club_policy();
    for (require, answered, blank) in NUMBER_RULES {
        policy.global.rules = single_rule(require);
        let (got, shown) = evaluate_decision(&mut store, &policy, NUMBER_ANSWER);
        assert_eq!(got, answered, "{require}: {shown}");
        let (got, shown) = evaluate_decision(&mut store, &policy, BLANK_ANSWER);
        assert_eq!(got, blank, "{require}: {shown}");
        if blank == "review rule-failed" {
            assert!(
                shown.contains("the question pages has no answer"),
                "{shown}"
            );
        }
    }
    policy.global.rules = single_rule("booking.answers.pages >= 100");
    let (_, shown) = evaluate_decision(&mut store, &policy, NUMBER_ANSWER);
    let assumed = "that the answer to the question pages is a number, as a rule takes it";
    assert!(shown.contains(assumed), "{shown}");
    let words = NUMBER_ANSWER.replace("\"120\"", "\"many\"");
    let (got, shown) = evaluate_decision(&mut store, &policy, &words);
    assert_eq!(got, "review rule-failed");
    assert!(
        shown.contains("takes a number from the question pages, and the answer is a text"),
        "{shown}"
    );
}

#[test]
fn every_spelling_of_a_domain_finds_the_account() {
    let mut store = MemoryStore::new();
    grant_credits(&mut store, "info@exämple.com");
    let (got, shown) = evaluate_decision(&mut store, &club_policy(), IDN_DOMAIN);
    assert_eq!(got, "confirm enough", "{shown}");
}

#[test]
fn a_managed_user_is_found_where_the_policy_allows_it() {
    let mut store = MemoryStore::new();
    grant_credits(&mut store, "alice@example.com");
    let mut policy = club_policy();
    let (got, shown) = evaluate_decision(&mut store, &policy, MANAGED_USER);
    assert_eq!(got, "leave unknown-booker");
    assert!(shown.contains("global.managed-users"), "{shown}");
    policy.global.managed_users = ManagedUsers::Find;
    assert_eq!(
        evaluate_decision(&mut store, &policy, MANAGED_USER).0,
        "confirm enough"
    );
    // An address with a tag does not always belong to a managed user.
    let tagged = MANAGED_USER.replace("+cmidditrv0000mza4q93hbcau", "+club");
    assert_eq!(
        evaluate_decision(&mut store, &policy, &tagged).0,
        "decline unknown-booker"
    );
}

#[test]
fn a_decline_to_a_phone_only_booker_mentions_no_email_address() {
    let mut store = store_with_member();
    let (got, shown) = evaluate_decision(&mut store, &club_policy(), PHONE_ONLY);
    assert_eq!(got, "decline unknown-booker");
    assert!(shown.contains("the telephone number you gave"), "{shown}");
    let booker_message = shown.split("booker_message: ").nth(1).unwrap();
    let booker_message = booker_message.split("assumptions").next().unwrap();
    assert!(
        !booker_message.contains("e-mail address you gave"),
        "{booker_message}"
    );
}

#[test]
fn adjacent_windows_contain_a_booking_across_midnight() {
    let mut store = store_with_member();
    let mut policy = club_policy();
    let clock = |hour: u32| chrono::NaiveTime::from_hms_opt(hour, 0, 0);
    let open = |from: u32, to: u32| TimeWindow {
        from: clock(from).unwrap(),
        to: clock(to),
        ..TimeWindow::ALWAYS
    };
    policy.gates[0].criteria.hours = vec![open(22, 24), open(0, 2)];
    assert_eq!(
        evaluate_decision(&mut store, &policy, ACROSS_MIDNIGHT).0,
        "confirm enough"
    );
    policy.gates[0].criteria.hours = vec![open(22, 24), open(1, 2)];
    assert_eq!(
        evaluate_decision(&mut store, &policy, ACROSS_MIDNIGHT).0,
        "decline outside-hours"
    );
}
