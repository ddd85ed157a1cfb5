//! Judges one booking from a file as if it were pending. Nothing is done, nothing is written, and
//! Cal.com is not asked: its answers are assumed, and the result lists every assumption.

use std::collections::{BTreeMap, BTreeSet};

use super::parse;
use crate::calcom::booking_file::{ParsedBooking, parse_booking_file};
use crate::control::protocol::{CommandResult, EvaluateView, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::booking::{
    Booking, BookingStatus, Buffers, Confirmation, EventType, TimestampedBooking,
};
use crate::domain::gate::Policy;
use crate::domain::id::{HostId, RequestId};
use crate::domain::plan::{Plan, plan};
use crate::domain::snapshot::{Lookups, PinResult, Series, Snapshot};
use crate::domain::time::Time;
use crate::reconcile::pin::{self, PinCheck, SubmittedPins};
use crate::reconcile::{store_reads, usage_history};
use crate::store::port::{Store, StoreError};

/// The host of a booking that does not name a host.
const UNKNOWN_HOST: HostId = HostId(0);

pub fn evaluate(
    store: &mut dyn Store,
    policy: &Policy,
    now: Time,
    file: &str,
    at: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let at = at.map(|text| parse::time("--at", text)).transpose()?;
    let from_file =
        parse_booking_file(file).map_err(|why| parse::usage(format!("the file {why}")))?;
    let at = at.or(from_file.sent_at).unwrap_or(now);
    let mut assumed = from_file.assumptions.clone();
    let snapshot = build_snapshot(store, policy, at, from_file, &mut assumed)?;
    let Plan { steps, .. } = plan(&snapshot, policy);
    let [step] = steps.as_slice() else {
        return Err(parse::refusal(
            "internal",
            "the booking gave no single decision; please report this with the file",
        ));
    };
    let request = &step.request;
    let told = request.booker_text.clone();
    Ok(CommandResult::Evaluate(EvaluateView {
        schema: SCHEMA,
        at: views::format_time(at),
        decision: views::step(request, "none"),
        findings: request.findings.iter().map(views::finding).collect(),
        told,
        assumed,
    }))
}

/// Builds a snapshot with only this booking.
fn build_snapshot(
    store: &mut dyn Store,
    policy: &Policy,
    at: Time,
    from_file: ParsedBooking,
    assumed: &mut Vec<String>,
) -> Result<Snapshot, Refusal> {
    let mut booking = from_file.booking;
    let mut submitted_pins = SubmittedPins::default();
    submitted_pins.take_from(policy, &mut booking);
    if booking.status != BookingStatus::Pending {
        assumed.push("that it waits for an answer".to_owned());
        booking.status = BookingStatus::Pending;
    }
    booking.rescheduled_to = None;
    assumed.push("that no accepted booking overlaps".to_owned());
    let me = booking.host_id().unwrap_or(UNKNOWN_HOST);
    if booking.host_id().is_some() {
        assumed.push(format!("that the host ({me}) is the user of the API key"));
    }
    let event_type = event_type(&booking, from_file.price);
    if from_file.price.is_none() && event_type.is_some() {
        assumed.push("that the event type has no price".to_owned());
    }
    let account_query = store_reads::build_account_query([&booking].into_iter(), &[]);
    let loaded =
        store_reads::read_accounts(store, &account_query).map_err(|e| parse::store_failed(&e))?;
    let series = booking.series.iter().map(|id| {
        assumed.push("that the series has this one occurrence".to_owned());
        (id.clone(), Series::Whole(vec![booking.clone()]))
    });
    let series: BTreeMap<_, _> = series.collect();
    // A file is not a poll, so no further occurrences of the series are expected.
    if booking.created_at > at - policy.limits.series_settle && !series.is_empty() {
        booking.created_at = at - policy.limits.series_settle;
    }
    let series = series
        .into_keys()
        .map(|id| (id, Series::Whole(vec![booking.clone()])))
        .collect();
    let ledger = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
    let mut snapshot = Snapshot {
        now: at,
        key_user: me,
        series,
        accepted: Vec::new(),
        co_hosted: Vec::new(),
        pin_origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: event_type
            .into_iter()
            .map(|kind| (kind.id, Some(kind)))
            .collect(),
        accounts: loaded.accounts,
        accounts_by_address: loaded.accounts_by_address,
        records: BTreeMap::new(),
        intents: Vec::new(),
        carried_charges: loaded.carried_charges,
        moves: Default::default(),
        unclear_predecessors: Default::default(),
        counted_bookings: BTreeMap::new(),
        prior_requests: BTreeMap::new(),
        pin_results: BTreeMap::new(),
        lookups: BTreeMap::new(),
        unresolved_bookings: BTreeMap::new(),
        recent_declines: 0,
        ledger_is_empty: store.is_empty().map_err(|e| parse::store_failed(&e))?,
        restore_pending: ledger.restored_at.is_some(),
        clock_skewed: false,
        pending: vec![TimestampedBooking {
            booking,
            read_at: at,
        }],
    };
    let assumption =
        load_usage_history(store, policy, &mut snapshot).map_err(|e| parse::store_failed(&e))?;
    assumed.extend(assumption);
    check_pin(store, policy, &mut snapshot, &submitted_pins)
        .map_err(|e| parse::store_failed(&e))?;
    snapshot.lookups = unavailable_lookups(policy, &snapshot, assumed);
    assumed.extend(assumed_answer_types(policy, &snapshot.pending[0].booking));
    Ok(snapshot)
}

/// Returns the assumptions about the types of the answers: the file does not give the types of the
/// questions, so each answer is assumed to have the type that a rule expects.
fn assumed_answer_types(policy: &Policy, booking: &Booking) -> BTreeSet<String> {
    let Some(gate) = policy.gate(booking) else {
        return BTreeSet::new();
    };
    let rules = policy.global.rules.iter().chain(gate.criteria.rules.iter());
    let uses = rules.flat_map(|rule| rule.require.answers());
    let answered = uses.filter(|one| booking.answers.contains_key(&one.slug));
    answered
        .filter_map(|one| {
            let kind = one.expected_kind?.describe();
            Some(format!(
                "that the answer to the question {} is {kind}, as a rule takes it",
                one.slug
            ))
        })
        .collect()
}

/// Loads the member's counted bookings and the booker's earlier requests into the snapshot. Returns
/// the assumption that had to be made, if any.
fn load_usage_history(
    store: &dyn Store,
    policy: &Policy,
    snapshot: &mut Snapshot,
) -> Result<Option<String>, StoreError> {
    let booking = &snapshot.pending[0].booking;
    let gated_booking = policy.gate(booking).map(|gate| (gate, booking));
    let usage_query = usage_history::build_usage_query(policy, snapshot, gated_booking.into_iter());
    let usage_history = usage_history::read_usage_history(store, &usage_query)?;
    let over_limit = usage_history
        .over_limit
        .includes_booker_of(snapshot, booking);
    snapshot.counted_bookings = usage_history.counted_bookings;
    snapshot.prior_requests = usage_history.prior_requests;
    let assumed = "that the booker has and asked for nothing else (there is more than is counted)";
    Ok(over_limit.then(|| assumed.to_owned()))
}

/// Checks the PIN as a pass does, but immediately, because there is only one PIN.
fn check_pin(
    store: &dyn Store,
    policy: &Policy,
    snapshot: &mut Snapshot,
    submitted_pins: &SubmittedPins,
) -> Result<(), StoreError> {
    let booking = &snapshot.pending[0].booking;
    let request = booking.request_id();
    let requests = [(booking, &request, booking.created_at)];
    let cases = pin::collect_pin_cases(policy, snapshot, submitted_pins, requests.into_iter());
    let mut wrong = pin::read_wrong_pins(store, &pin::build_wrong_pin_query(snapshot, &cases))?;
    for case in cases {
        let pin = match &case.check {
            PinCheck::NotSet => PinResult::NotSet,
            PinCheck::Missing => PinResult::Missing,
            PinCheck::Try(_) if wrong.exceeded_limit(&case).is_some() => PinResult::Locked,
            PinCheck::Try(one) => {
                let matches = pin::verify(&one.hash, &one.pin);
                pin::record_verification(&case, matches, &mut wrong)
            }
        };
        snapshot.pin_results.insert(case.booking, pin);
    }
    Ok(())
}

/// Reports every lookup as unavailable. Other systems are not asked, because this runs on the
/// store's thread, which must not wait for them.
fn unavailable_lookups(
    policy: &Policy,
    snapshot: &Snapshot,
    assumed: &mut Vec<String>,
) -> BTreeMap<RequestId, Lookups> {
    let booking = &snapshot.pending[0].booking;
    let Some(gate) = policy.gate(booking) else {
        return BTreeMap::new();
    };
    let mut lookups = Lookups::default();
    for lookup in &policy.global.lookups {
        if gate.criteria.uses_lookup(&policy.global, &lookup.name) {
            let name = &lookup.name;
            assumed.push(format!(
                "that lookup.{name} gives no answer (it is not asked here)"
            ));
            let why = "`evaluate` asks no other systems".to_owned();
            lookups.failures.insert(name.clone(), why);
        }
    }
    BTreeMap::from([(booking.request_id(), lookups)])
}

fn event_type(booking: &Booking, price: Option<i64>) -> Option<EventType> {
    let reference = booking.event_type.as_ref()?;
    Some(EventType {
        id: reference.id,
        slug: reference.slug.clone().unwrap_or_default(),
        title: booking.title.clone(),
        length_minutes: u32::try_from(booking.length().num_minutes()).unwrap_or(0),
        buffers: Buffers::NONE,
        price: price.unwrap_or(0),
        seated: booking.seated,
        recurring: booking.series.is_some(),
        confirmation: Confirmation::Unknown,
        verifies_address: None,
        questions: None,
        disables_cancelling: false,
        disables_rescheduling: false,
        limits: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::criteria::cap::{Cap, CapPeriod};
    use crate::domain::criteria::custom_rule::Rule;
    use crate::domain::criteria::gate_criteria::Criteria;
    use crate::domain::criteria::global_policy::{GlobalPolicy, LookupRequirement, ManagedUsers};
    use crate::domain::criteria::time_window::TimeWindow;
    use crate::domain::fact::Fact;
    use crate::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, RefuseWith};
    use crate::domain::id::{AccountId, EventTypeKey, Reference};
    use crate::domain::plan::Action;
    use crate::domain::refund_policy::Terms;
    use crate::domain::rule::expression::{Expression, MIN_STACK_BYTES};
    use crate::domain::time::Span;
    use crate::reconcile::pin::hash;
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
                cost: 1,
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
            Fact::Grant {
                reference: Reference::parse("grant").unwrap(),
                account: account.clone(),
                credits: 10,
                expires: None,
                reason: "test".to_owned(),
            },
            Fact::PinChanged {
                account,
                hash: Some(hash("lock-4711").unwrap()),
            },
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
    const NUMBER_ANSWER: &str = include_str!("../../../tests/inputs/booking-number-answer.json");
    const BLANK_ANSWER: &str =
        include_str!("../../../tests/inputs/booking-number-answer-blank.json");
    const IDN_DOMAIN: &str = include_str!("../../../tests/inputs/booking-idn-domain.json");
    const MANAGED_USER: &str = include_str!("../../../tests/inputs/booking-managed-user.json");
    const PHONE_ONLY: &str = include_str!("../../../tests/inputs/booking-phone-only.json");
    const ACROSS_MIDNIGHT: &str =
        include_str!("../../../tests/inputs/booking-across-midnight.json");

    fn club_policy() -> Policy {
        let mut policy = policy();
        policy.gates[0].event_types = vec![EventTypeKey::Id(crate::domain::id::EventTypeId(7))];
        policy
    }

    fn grant_credits(store: &mut MemoryStore, account: &str) {
        let fact = Fact::Grant {
            reference: Reference::parse(account).unwrap(),
            account: AccountId::parse(account).unwrap(),
            credits: 10,
            expires: None,
            reason: "test".to_owned(),
        };
        store.commit(time(NOW), vec![fact], &[]).unwrap();
    }

    #[test]
    fn an_answer_to_a_number_question_is_a_number() {
        let mut store = store_with_member();
        let mut policy = club_policy();
        // the rule, the decision with the answer "120", with a blank one
        let rows = [
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
        for (require, answered, blank) in rows {
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
        let booker_message = shown.split("told: ").nth(1).unwrap();
        let booker_message = booker_message.split("assumed").next().unwrap();
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
}
