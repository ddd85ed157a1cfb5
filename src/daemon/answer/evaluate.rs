//! Judging one booking from a file as if it were pending. Nothing is done, nothing is written, and
//! Cal.com is not asked: what it would say is assumed, and the answer names every assumption.

use std::collections::{BTreeMap, BTreeSet};

use super::parse;
use crate::calcom::file::{FromFile, read};
use crate::control::protocol::{Answer, EvaluateView, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::booking::{Booking, Buffers, Confirmation, EventType, Observed, Status};
use crate::domain::gate::Policy;
use crate::domain::id::{HostId, RequestId};
use crate::domain::plan::{Plan, plan};
use crate::domain::snapshot::{Lookups, Pin, Series, Snapshot};
use crate::domain::time::Time;
use crate::reconcile::pin::{self, Check, Given};
use crate::reconcile::{before, known};
use crate::store::port::{Store, StoreError};

/// The host of a booking that does not name one.
const NOBODY: HostId = HostId(0);

pub fn evaluate(
    store: &mut dyn Store,
    policy: &Policy,
    now: Time,
    file: &str,
    at: Option<&str>,
) -> Result<Answer, Refusal> {
    let at = at.map(|text| parse::time("--at", text)).transpose()?;
    let from_file = read(file).map_err(|why| parse::usage(format!("the file {why}")))?;
    let at = at.or(from_file.at).unwrap_or(now);
    let mut assumed = from_file.assumed.clone();
    let snapshot = snapshot(store, policy, at, from_file, &mut assumed)?;
    let Plan { steps, .. } = plan(&snapshot, policy);
    let [step] = steps.as_slice() else {
        return Err(parse::refused(
            "internal",
            "the booking gave no single decision; please report this with the file",
        ));
    };
    let request = &step.request;
    let told = request.text.clone();
    Ok(Answer::Evaluate(EvaluateView {
        schema: SCHEMA,
        at: views::time(at),
        decision: views::step(request, "none"),
        findings: request.findings.iter().map(views::finding).collect(),
        told,
        assumed,
    }))
}

/// A world with this one booking in it.
fn snapshot(
    store: &mut dyn Store,
    policy: &Policy,
    at: Time,
    from_file: FromFile,
    assumed: &mut Vec<String>,
) -> Result<Snapshot, Refusal> {
    let mut booking = from_file.booking;
    let mut given = Given::default();
    given.take(policy, &mut booking);
    if booking.status != Status::Pending {
        assumed.push("that it waits for an answer".to_owned());
        booking.status = Status::Pending;
    }
    booking.rescheduled_to = None;
    assumed.push("that no accepted booking overlaps".to_owned());
    let me = booking.host_id().unwrap_or(NOBODY);
    if booking.host_id().is_some() {
        assumed.push(format!("that the host ({me}) is the user of the API key"));
    }
    let kind = event_type(&booking, from_file.price);
    if from_file.price.is_none() && kind.is_some() {
        assumed.push("that the event type has no price".to_owned());
    }
    let people = known::people([&booking].into_iter(), &[]);
    let found = known::look_up(store, &people).map_err(|e| parse::store_failed(&e))?;
    let series = booking.series.iter().map(|id| {
        assumed.push("that the series has this one occurrence".to_owned());
        (id.clone(), Series::Whole(vec![booking.clone()]))
    });
    let series: BTreeMap<_, _> = series.collect();
    // A file is not a poll: nothing of the series is still to come.
    if booking.created > at - policy.limits.series_settle && !series.is_empty() {
        booking.created = at - policy.limits.series_settle;
    }
    let series = series
        .into_keys()
        .map(|id| (id, Series::Whole(vec![booking.clone()])))
        .collect();
    let ledger = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
    let mut snapshot = Snapshot {
        now: at,
        me,
        series,
        accepted: Vec::new(),
        attended: Vec::new(),
        origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: kind.into_iter().map(|kind| (kind.id, Some(kind))).collect(),
        accounts: found.accounts,
        names: found.names,
        records: BTreeMap::new(),
        intents: Vec::new(),
        carried: found.carried,
        moves: Default::default(),
        unclear: Default::default(),
        standing: BTreeMap::new(),
        asked: BTreeMap::new(),
        pins: BTreeMap::new(),
        lookups: BTreeMap::new(),
        listed: BTreeMap::new(),
        declined: 0,
        ledger_is_empty: store.is_empty().map_err(|e| parse::store_failed(&e))?,
        restore_open: ledger.restored.is_some(),
        clock_off: false,
        pending: vec![Observed { booking, at }],
    };
    let past = past(store, policy, &mut snapshot).map_err(|e| parse::store_failed(&e))?;
    assumed.extend(past);
    look_at_pin(store, policy, &mut snapshot, &given).map_err(|e| parse::store_failed(&e))?;
    snapshot.lookups = not_asked(policy, &snapshot, assumed);
    assumed.extend(questions(policy, &snapshot.pending[0].booking));
    Ok(snapshot)
}

/// The file does not say of which types the questions are: what rules make of the answers.
fn questions(policy: &Policy, booking: &Booking) -> BTreeSet<String> {
    let Some(gate) = policy.gate(booking) else {
        return BTreeSet::new();
    };
    let rules = policy.house.rules.iter().chain(gate.criteria.rules.iter());
    let uses = rules.flat_map(|rule| rule.require.answers());
    let given = uses.filter(|one| booking.answers.contains_key(&one.slug));
    given
        .filter_map(|one| {
            let kind = one.wants?.word();
            Some(format!(
                "that the answer to the question {} is {kind}, as a rule takes it",
                one.slug
            ))
        })
        .collect()
}

/// What the member has and the booker asked for; what had to be assumed.
fn past(
    store: &dyn Store,
    policy: &Policy,
    snapshot: &mut Snapshot,
) -> Result<Option<String>, StoreError> {
    let booking = &snapshot.pending[0].booking;
    let guarded = policy.gate(booking).map(|gate| (gate, booking));
    let wanted = before::wanted(policy, snapshot, guarded.into_iter());
    let found = before::read(store, &wanted)?;
    let crowded = found.crowded.has(snapshot, booking);
    snapshot.standing = found.standing;
    snapshot.asked = found.asked;
    let assumed = "that the booker has and asked for nothing else (there is more than is counted)";
    Ok(crowded.then(|| assumed.to_owned()))
}

/// As a pass does, but at once: it is one.
fn look_at_pin(
    store: &dyn Store,
    policy: &Policy,
    snapshot: &mut Snapshot,
    given: &Given,
) -> Result<(), StoreError> {
    let booking = &snapshot.pending[0].booking;
    let request = booking.request();
    let asked = [(booking, &request, booking.created)];
    let cases = pin::cases(policy, snapshot, given, asked.into_iter());
    let mut wrong = pin::wrong(store, &pin::suspects(snapshot, &cases))?;
    for case in cases {
        let pin = match &case.check {
            Check::NotSet => Pin::NotSet,
            Check::Missing => Pin::Missing,
            Check::Try(_) if wrong.limits(&case).is_some() => Pin::Locked,
            Check::Try(one) => {
                let right = pin::verify(&one.hash, &one.pin);
                pin::result(&case, right, &mut wrong)
            }
        };
        snapshot.pins.insert(case.booking, pin);
    }
    Ok(())
}

/// Other systems are not asked: the store's thread, which answers this, waits for nobody.
fn not_asked(
    policy: &Policy,
    snapshot: &Snapshot,
    assumed: &mut Vec<String>,
) -> BTreeMap<RequestId, Lookups> {
    let booking = &snapshot.pending[0].booking;
    let Some(gate) = policy.gate(booking) else {
        return BTreeMap::new();
    };
    let mut lookups = Lookups::default();
    for lookup in &policy.house.lookups {
        if gate.criteria.asks(&policy.house, &lookup.name) {
            let name = &lookup.name;
            assumed.push(format!(
                "that lookup.{name} gives no answer (it is not asked here)"
            ));
            let why = "`evaluate` asks no other systems".to_owned();
            lookups.missing.insert(name.clone(), why);
        }
    }
    BTreeMap::from([(booking.request(), lookups)])
}

fn event_type(booking: &Booking, price: Option<i64>) -> Option<EventType> {
    let kind = booking.event_type.as_ref()?;
    Some(EventType {
        id: kind.id,
        slug: kind.slug.clone().unwrap_or_default(),
        title: booking.title.clone(),
        length_minutes: u32::try_from(booking.length().num_minutes()).unwrap_or(0),
        buffers: Buffers::NONE,
        price: price.unwrap_or(0),
        seated: booking.seated,
        recurring: booking.series.is_some(),
        confirmation: Confirmation::Unknown,
        verifies_address: None,
        questions: None,
        no_cancelling: false,
        no_moving: false,
        limits: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::criteria::cap::{Cap, Period};
    use crate::domain::criteria::house::{House, Lookup, ManagedUsers};
    use crate::domain::criteria::opening::Opening;
    use crate::domain::criteria::rule::Rule;
    use crate::domain::criteria::terms::Criteria;
    use crate::domain::fact::Fact;
    use crate::domain::gate::{DeclineLimit, Gate, Limits, RefuseWith, Unanswered};
    use crate::domain::id::{AccountId, EventTypeKey, Reference};
    use crate::domain::plan::Action;
    use crate::domain::rule::expression::{Expression, STACK};
    use crate::domain::terms::Terms;
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
                taken: Default::default(),
                unanswered: Unanswered::Leave,
                criteria: Criteria::default(),
                terms: Terms::default(),
            }],
            hosts: Vec::new(),
            refuse_with: RefuseWith::Decline,
            limits: Limits {
                requests_per_pass: 250,
                declines: DeclineLimit {
                    at_most: 25,
                    per: Span::minutes(15),
                },
                max_observation_age: Span::seconds(10),
                series_settle: Span::seconds(10),
                resend_after: Span::minutes(15),
            },
            house: House::default(),
            hash: "test".to_owned(),
        }
    }

    fn file(uid: &str, start: &str, pin: Option<&str>) -> String {
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

    fn member() -> MemoryStore {
        let account = AccountId::parse("bo@example.com").unwrap();
        let facts = vec![
            Fact::Grant {
                reference: Reference::parse("grant").unwrap(),
                account: account.clone(),
                credits: 10,
                expires: None,
                reason: "test".to_owned(),
            },
            Fact::Pinned {
                account,
                hash: Some(hash("lock-4711").unwrap()),
            },
        ];
        let mut store = MemoryStore::new();
        store.commit(time(NOW), facts, &[]).unwrap();
        store
    }

    fn judged(store: &mut MemoryStore, policy: &Policy, file: &str) -> (String, String) {
        let answer = evaluate(store, policy, time(NOW), file, None).unwrap();
        let shown = format!("{answer:?}");
        let Answer::Evaluate(view) = answer else {
            panic!("{shown}");
        };
        let reason = &view.decision.reasons[0];
        (format!("{} {}", view.decision.decision, reason.code), shown)
    }

    /// What the store knows of a booking that a pass let in.
    fn confirm(store: &mut MemoryStore, policy: &Policy, file: &str) {
        let from = read(file).unwrap();
        let snapshot = snapshot(store, policy, time(NOW), from, &mut Vec::new()).unwrap();
        let mut plan = plan(&snapshot, policy);
        let Action::Send { facts, .. } = plan.steps.remove(0).action else {
            panic!("it is not confirmed");
        };
        store.commit(time(NOW), facts, &[]).unwrap();
    }

    #[test]
    fn the_past_counts_as_in_a_pass() {
        let mut store = member();
        let mut policy = policy();
        confirm(
            &mut store,
            &policy,
            &file("one", "2026-12-01T09:00:00Z", None),
        );
        policy.gates[0].criteria.caps = vec![Cap {
            at_most: 1,
            per: Period::Day,
            tiers: Vec::new(),
        }];
        policy.gates[0].criteria.requests_per_day = Some(2);
        let same_day = file("two", "2026-12-01T12:00:00Z", None);
        let other_day = file("two", "2026-12-02T12:00:00Z", None);
        // The booking that counts is still being confirmed.
        assert_eq!(judged(&mut store, &policy, &same_day).0, "leave unsettled");
        assert_eq!(judged(&mut store, &policy, &other_day).0, "confirm enough");
        policy.gates[0].criteria.requests_per_day = Some(1);
        let (got, _) = judged(&mut store, &policy, &other_day);
        assert_eq!(got, "decline too-many-requests");
    }

    #[test]
    fn a_pin_is_looked_at_and_not_shown() {
        let mut store = member();
        let mut policy = policy();
        policy.gates[0].criteria.pin = Some("pin".to_owned());
        let rows = [
            (Some("lock-4711"), "confirm enough"),
            (Some("lock-0815"), "decline wrong-pin"),
            (None, "decline wrong-pin"),
        ];
        for (pin, expect) in rows {
            let file = file("one", "2026-12-01T09:00:00Z", pin);
            let (got, shown) = judged(&mut store, &policy, &file);
            assert_eq!(got, expect, "{pin:?}");
            assert!(pin.is_none_or(|pin| !shown.contains(pin)), "{shown}");
        }
    }

    #[test]
    fn other_systems_are_not_asked_and_that_is_said() {
        let mut store = member();
        let mut policy = policy();
        policy.house.lookups = vec![Lookup {
            name: "crm".to_owned(),
            no_answer: Default::default(),
        }];
        let compile = || Expression::compile("lookup.crm == true", &["crm".to_owned()].into());
        let thread = std::thread::Builder::new().stack_size(STACK);
        policy.house.rules = [Rule {
            name: "known".into(),
            require: thread.spawn(compile).unwrap().join().unwrap().unwrap(),
            reason: None,
            effect: Default::default(),
        }]
        .into();
        let file = file("one", "2026-12-01T09:00:00Z", None);
        let (got, shown) = judged(&mut store, &policy, &file);
        assert_eq!(got, "decline lookup-failed");
        assert!(shown.contains("that lookup.crm gives no answer"), "{shown}");
        assert!(
            shown.contains("`evaluate` asks no other systems"),
            "{shown}"
        );
    }

    fn rules(require: &str) -> Vec<Rule> {
        let text = require.to_owned();
        let compile = move || Expression::compile(&text, &BTreeSet::new());
        let thread = std::thread::Builder::new().stack_size(STACK);
        let require = thread.spawn(compile).unwrap().join().unwrap();
        [Rule {
            name: "own".into(),
            require: require.unwrap(),
            reason: None,
            effect: Default::default(),
        }]
        .into()
    }

    /// Bookings as a genuine server sends them.
    const NUMBER: &str = include_str!("../../../tests/inputs/booking-number-answer.json");
    const BLANK: &str = include_str!("../../../tests/inputs/booking-number-answer-blank.json");
    const IDN: &str = include_str!("../../../tests/inputs/booking-idn-domain.json");
    const MANAGED: &str = include_str!("../../../tests/inputs/booking-managed-user.json");
    const TELEPHONE: &str = include_str!("../../../tests/inputs/booking-phone-only.json");
    const NIGHT: &str = include_str!("../../../tests/inputs/booking-across-midnight.json");

    fn club() -> Policy {
        let mut policy = policy();
        policy.gates[0].event_types = vec![EventTypeKey::Id(crate::domain::id::EventTypeId(7))];
        policy
    }

    fn grant(store: &mut MemoryStore, account: &str) {
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
        let mut store = member();
        let mut policy = club();
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
            policy.house.rules = rules(require);
            let (got, shown) = judged(&mut store, &policy, NUMBER);
            assert_eq!(got, answered, "{require}: {shown}");
            let (got, shown) = judged(&mut store, &policy, BLANK);
            assert_eq!(got, blank, "{require}: {shown}");
            if blank == "review rule-failed" {
                assert!(
                    shown.contains("the question pages has no answer"),
                    "{shown}"
                );
            }
        }
        policy.house.rules = rules("booking.answers.pages >= 100");
        let (_, shown) = judged(&mut store, &policy, NUMBER);
        let assumed = "that the answer to the question pages is a number, as a rule takes it";
        assert!(shown.contains(assumed), "{shown}");
        let words = NUMBER.replace("\"120\"", "\"many\"");
        let (got, shown) = judged(&mut store, &policy, &words);
        assert_eq!(got, "review rule-failed");
        assert!(
            shown.contains("takes a number from the question pages, and the answer is a text"),
            "{shown}"
        );
    }

    #[test]
    fn every_spelling_of_a_domain_finds_the_account() {
        let mut store = MemoryStore::new();
        grant(&mut store, "info@exämple.com");
        let (got, shown) = judged(&mut store, &club(), IDN);
        assert_eq!(got, "confirm enough", "{shown}");
    }

    #[test]
    fn a_managed_user_is_found_where_the_house_says_so() {
        let mut store = MemoryStore::new();
        grant(&mut store, "alice@example.com");
        let mut policy = club();
        let (got, shown) = judged(&mut store, &policy, MANAGED);
        assert_eq!(got, "leave unknown-booker");
        assert!(shown.contains("house.managed-users"), "{shown}");
        policy.house.managed_users = ManagedUsers::Find;
        assert_eq!(judged(&mut store, &policy, MANAGED).0, "confirm enough");
        // Not everybody with a tag is one.
        let tagged = MANAGED.replace("+cmidditrv0000mza4q93hbcau", "+club");
        assert_eq!(
            judged(&mut store, &policy, &tagged).0,
            "decline unknown-booker"
        );
    }

    #[test]
    fn who_gave_a_telephone_number_is_told_of_no_address() {
        let mut store = member();
        let (got, shown) = judged(&mut store, &club(), TELEPHONE);
        assert_eq!(got, "decline unknown-booker");
        assert!(shown.contains("the telephone number you gave"), "{shown}");
        let told = shown.split("told: ").nth(1).unwrap();
        let told = told.split("assumed").next().unwrap();
        assert!(!told.contains("e-mail address you gave"), "{told}");
    }

    #[test]
    fn hours_that_touch_hold_a_booking_over_midnight() {
        let mut store = member();
        let mut policy = club();
        let clock = |hour: u32| chrono::NaiveTime::from_hms_opt(hour, 0, 0);
        let open = |from: u32, to: u32| Opening {
            from: clock(from).unwrap(),
            to: clock(to),
            ..Opening::ALWAYS
        };
        policy.gates[0].criteria.hours = vec![open(22, 24), open(0, 2)];
        assert_eq!(judged(&mut store, &policy, NIGHT).0, "confirm enough");
        policy.gates[0].criteria.hours = vec![open(22, 24), open(1, 2)];
        assert_eq!(
            judged(&mut store, &policy, NIGHT).0,
            "decline outside-hours"
        );
    }
}
