//! What `check --live` reports about one event type: everything that prevents its bookings from
//! being answered, or lets some of them bypass maitred. It claims no more than Cal.com shows to
//! this key.

use super::check_result::{error, ok, warning};
use crate::control::protocol::check::CheckResultView;
use crate::domain::booking::{Confirmation, EventType, Question, QuestionKind};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::price::Cost;
use crate::domain::gate::Gate;
use crate::domain::name_distance::nearest;
use crate::domain::rule::expression::Expression;

/// Returns all findings about an event type that the gate names.
pub(super) fn examine(
    subject: &str,
    event_type: &EventType,
    (gate, global_policy): (&Gate, &GlobalPolicy),
) -> Vec<CheckResultView> {
    let mut findings = Vec::new();
    if event_type.price != 0 {
        findings.push(error(
            subject,
            "it has a price at Cal.com: its bookings are left alone, because confirming would \
             bypass the payment",
            "remove the price there, or the event type from the gate",
        ));
    }
    if event_type.seated {
        findings.push(error(
            subject,
            "it has seats: its bookings are left alone",
            "turn seats off there, or remove the event type from the gate",
        ));
    }
    if event_type.recurring {
        let text = "it makes series: all pending occurrences of a series are decided together, where \
             the server shows the series";
        findings.push(ok(subject, text));
    }
    findings.push(check_confirmation(subject, event_type));
    findings.extend(check_address_proof(subject, event_type, gate));
    findings.extend(check_limits(subject, event_type));
    findings.extend(check_disabled_actions(subject, event_type));
    if let Some(questions) = &event_type.questions {
        for rule in global_policy.rules.iter().chain(gate.criteria.rules.iter()) {
            let reader = format!("the rule {}", rule.name);
            let expression = (reader.as_str(), &rule.require);
            findings.extend(check_answers_read(subject, questions, gate, expression));
        }
        for number in gate.all_costs().filter_map(Cost::expression) {
            let expression = ("a price", number);
            findings.extend(check_answers_read(subject, questions, gate, expression));
        }
    }
    findings
}

/// A note on what Cal.com's API does not show about confirmation.
const CONFIRMATION_SCOPE_NOTE: &str = " (Cal.com does not show to an API key whether this holds \
 for all bookers or only for free e-mail addresses: check there that it holds for all)";

fn check_confirmation(subject: &str, event_type: &EventType) -> CheckResultView {
    match &event_type.confirmation {
        Confirmation::Disabled => error(
            subject,
            "it does not ask for confirmation: every booking is accepted at once, and maitred never \
             sees it",
            "turn on \"Requires confirmation\", always, in the event type's advanced settings",
        ),
        Confirmation::ByNotice { text } => warning(
            subject,
            format!(
                "it asks for confirmation only at short notice ({text}): bookings made earlier \
                     are accepted at once"
            ),
            "set \"Requires confirmation\" to always",
        ),
        Confirmation::Always { blocks_slot: false } => ok(
            subject,
            format!(
                "asks for confirmation{CONFIRMATION_SCOPE_NOTE}; requests do not block their time, so several may ask for \
                 the same (see the gate's `taken`)"
            ),
        ),
        Confirmation::Always { blocks_slot: true } => ok(
            subject,
            format!("asks for confirmation{CONFIRMATION_SCOPE_NOTE}; requests block their time"),
        ),
        Confirmation::Unknown => warning(
            subject,
            "the server does not say whether it asks for confirmation",
            "check that \"Requires confirmation\" is set to always there",
        ),
    }
}

/// Warns when a booker can pretend to be a member: the address is typed, not proven.
fn check_address_proof(
    subject: &str,
    event_type: &EventType,
    gate: &Gate,
) -> Option<CheckResultView> {
    let Some(pin) = &gate.criteria.pin else {
        return (event_type.verifies_address == Some(false)).then(|| {
            warning(
                subject,
                "bookers need not verify their e-mail address: anybody can enter a member's \
                 address and spend that member's credits",
                "turn on \"Booker email verification\" in the event type's advanced settings, or \
                 have the gate ask for a PIN (`pin`)",
            )
        });
    };
    let questions = event_type.questions.as_ref()?;
    let question = questions.iter().find(|question| question.slug == *pin);
    Some(match question {
        Some(question) if question.on_booking_page => {
            ok(subject, format!("asks for the PIN ({pin})"))
        }
        Some(_) => error(
            subject,
            format!(
                "the booking question {pin} is hidden, so no booker can give the PIN: no request passes"
            ),
            "show the question on the booking page, or correct the gate's `pin`",
        ),
        None => error(
            subject,
            format!(
                "it has no booking question {pin}, and the gate asks for a PIN in it: no request passes"
            ),
            "add the question to the event type with that identifier, or correct the gate's `pin`",
        ),
    })
}

/// Warns about Cal.com's own limits, which Cal.com enforces only when a booking is made.
fn check_limits(subject: &str, event_type: &EventType) -> Option<CheckResultView> {
    (!event_type.limits.is_empty()).then(|| {
        warning(
            subject,
            format!(
                "it has limits ({}) that Cal.com looks at when somebody books, without counting what waits, \
                 and not at a confirmation: maitred does not apply them and confirms beyond them",
                event_type.limits.join(", ")
            ),
            "answer what goes beyond them at Cal.com; the gate's `caps` count the bookings of each member",
        )
    })
}

fn check_disabled_actions(subject: &str, event_type: &EventType) -> Vec<CheckResultView> {
    let off = [
        (
            event_type.disables_cancelling,
            "bookers cannot cancel at Cal.com: only the host can, so the `refund` terms for \
             bookers do not apply",
        ),
        (
            event_type.disables_rescheduling,
            "bookers cannot move a booking at Cal.com: so the gate's terms for moves do not apply",
        ),
    ];
    let disabled = off.into_iter().filter(|(is_off, _)| *is_off);
    disabled.map(|(_, text)| ok(subject, text)).collect()
}

/// Checks the answers that a rule or a price reads against the event type's questions.
fn check_answers_read(
    subject: &str,
    questions: &[Question],
    gate: &Gate,
    (reader, expression): (&str, &Expression),
) -> Vec<CheckResultView> {
    let mut findings = Vec::new();
    for answer in expression.answers() {
        let slug = &answer.slug;
        if gate.criteria.pin.as_ref() == Some(slug) {
            findings.push(warning(
                subject,
                format!(
                    "{reader} names booking.answers.{slug}, which is the PIN: no expression can \
                     read it"
                ),
                "remove it there: the gate's `pin` checks it",
            ));
            continue;
        }
        let question_slugs = || questions.iter().map(|question| question.slug.as_str());
        let Some(question) = questions.iter().find(|question| question.slug == *slug) else {
            let help = match nearest(slug, question_slugs()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "its questions are {}",
                    question_slugs().collect::<Vec<_>>().join(", ")
                ),
            };
            findings.push(warning(
                subject,
                format!(
                    "{reader} names booking.answers.{slug}, and it has no such booking question"
                ),
                &help,
            ));
            continue;
        };
        let Some(wants) = answer.expected_kind else {
            continue;
        };
        if question.kind != wants && question.kind != QuestionKind::Other {
            findings.push(warning(
                subject,
                format!(
                    "{reader} takes {} from booking.answers.{slug}, and the answer to that question \
                     is {}: it cannot be evaluated, and its requests wait for review",
                    wants.describe(),
                    question.kind.describe()
                ),
                "change the expression, or the type of the question at Cal.com",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booking::Buffers;
    use crate::domain::gate::OnUnanswered;
    use std::collections::BTreeSet;

    use crate::domain::criteria::custom_rule::Rule;
    use crate::domain::criteria::gate_criteria::Criteria;
    use crate::domain::criteria::on_violation::OnViolation;
    use crate::domain::id::EventTypeId;
    use crate::domain::refund_policy::Terms;

    fn question(slug: &str, kind: QuestionKind) -> Question {
        Question {
            slug: slug.to_owned(),
            kind,
            on_booking_page: true,
        }
    }

    fn gate(pin: Option<&str>) -> Gate {
        Gate {
            name: "club".to_owned(),
            event_types: Vec::new(),
            cost: Cost::Fixed(1),
            unknown_booker: OnViolation::Decline,
            short_of_credit: OnViolation::Decline,
            time_taken: OnViolation::Decline,
            on_unanswered: OnUnanswered::Leave,
            criteria: Criteria {
                pin: pin.map(str::to_owned),
                ..Criteria::default()
            },
            terms: Terms::default(),
        }
    }

    fn event_type() -> EventType {
        EventType {
            id: EventTypeId(7),
            slug: "club".to_owned(),
            title: "Club".to_owned(),
            length_minutes: 30,
            buffers: Buffers::NONE,
            price: 0,
            seated: false,
            recurring: false,
            confirmation: Confirmation::Always { blocks_slot: true },
            verifies_address: Some(true),
            questions: Some(vec![question("pin", QuestionKind::Text)]),
            disables_cancelling: false,
            disables_rescheduling: false,
            limits: Vec::new(),
        }
    }

    #[test]
    fn every_relevant_event_type_setting_is_reported() {
        let changed = |change: &dyn Fn(&mut EventType)| {
            let mut kind = event_type();
            change(&mut kind);
            kind
        };
        let confirmed =
            |confirmation: Confirmation| changed(&|kind| kind.confirmation = confirmation.clone());
        let typed = changed(&|kind| kind.verifies_address = Some(false));
        // the event type, the gate's PIN, what is found
        let rows = [
            (event_type(), None, vec!["ok"]),
            (changed(&|kind| kind.price = 500), None, vec!["error", "ok"]),
            (
                changed(&|kind| kind.seated = true),
                None,
                vec!["error", "ok"],
            ),
            (
                changed(&|kind| kind.recurring = true),
                None,
                vec!["ok", "ok"],
            ),
            (confirmed(Confirmation::Disabled), None, vec!["error"]),
            (confirmed(Confirmation::Unknown), None, vec!["warning"]),
            (
                confirmed(Confirmation::ByNotice {
                    text: "2 hours".to_owned(),
                }),
                None,
                vec!["warning"],
            ),
            (
                confirmed(Confirmation::Always { blocks_slot: false }),
                None,
                vec!["ok"],
            ),
            // The address is not verified; with a PIN that does not matter.
            (typed.clone(), None, vec!["ok", "warning"]),
            (typed, Some("pin"), vec!["ok", "ok"]),
            (event_type(), Some("other"), vec!["ok", "error"]),
            (
                changed(&|kind| kind.questions.as_mut().unwrap()[0].on_booking_page = false),
                Some("pin"),
                vec!["ok", "error"],
            ),
            (
                changed(&|kind| kind.limits = vec!["2 bookings a day".to_owned()]),
                None,
                vec!["ok", "warning"],
            ),
            (
                changed(&|kind| kind.disables_cancelling = true),
                None,
                vec!["ok", "ok"],
            ),
            (
                changed(&|kind| kind.disables_rescheduling = true),
                None,
                vec!["ok", "ok"],
            ),
            (
                changed(&|kind| kind.questions = None),
                Some("pin"),
                vec!["ok"],
            ),
        ];
        for (kind, pin, expect) in rows {
            let findings = examine("x", &kind, (&gate(pin), &GlobalPolicy::default()));
            let levels: Vec<&str> = findings.iter().map(|of| of.level.as_str()).collect();
            assert_eq!(levels, expect, "{kind:?} {pin:?}");
            let helpless = |of: &CheckResultView| (of.level == "ok") != of.help.is_empty();
            assert!(!findings.iter().any(helpless), "{findings:?}");
        }
    }

    #[test]
    fn a_confirmation_is_not_claimed_for_all_bookers() {
        let findings = examine("x", &event_type(), (&gate(None), &GlobalPolicy::default()));
        assert!(findings[0].text.contains("does not show"), "{findings:?}");
        assert!(!findings[0].text.contains("always"), "{findings:?}");
    }

    #[test]
    fn rules_are_checked_against_the_existing_questions() {
        let mut event_type = event_type();
        event_type.questions = Some(vec![
            question("pages", QuestionKind::Number),
            question("topic", QuestionKind::Text),
            question("agree", QuestionKind::Flag),
            question("days", QuestionKind::List),
            question("place", QuestionKind::Other),
            question("pin", QuestionKind::Text),
        ]);
        // the rule, what is found about it
        let rows = [
            ("booking.answers.pages >= 100", None),
            (
                "has(booking.answers.pages) && booking.answers.pages >= 100.5",
                None,
            ),
            ("int(booking.answers.topic) > 3", None),
            ("booking.answers.topic.startsWith(\"Dune\")", None),
            ("booking.answers.topic in [\"Dune\", \"Emma\"]", None),
            ("booking.answers.agree", None),
            (
                "!booking.answers.agree || booking.answers.agree == true",
                None,
            ),
            ("\"mon\" in booking.answers.days", None),
            ("booking.answers.days.exists(day, day == \"mon\")", None),
            ("booking.answers.place == \"here\"", None),
            (
                "booking.answers.pages == \"100\"",
                Some(
                    "takes a text from booking.answers.pages, and the answer to that question is a number",
                ),
            ),
            (
                "booking.answers[\"topic\"] > 5",
                Some("takes a number from booking.answers.topic"),
            ),
            (
                "100 <= booking.answers.topic",
                Some("takes a number from booking.answers.topic"),
            ),
            (
                "booking.answers.topic && true",
                Some("takes yes or no from booking.answers.topic"),
            ),
            (
                "\"x\" in booking.answers.topic",
                Some("takes a list from booking.answers.topic"),
            ),
            (
                "booking.answers.pags >= 100",
                Some("no such booking question"),
            ),
            (
                "has(booking.answers.nothing)",
                Some("no such booking question"),
            ),
            (
                "\"nothing\" in booking.answers",
                Some("no such booking question"),
            ),
            (
                "booking.answers.pin == \"1\"",
                Some("no expression can read it"),
            ),
        ];
        for (require, expect) in rows {
            let rule = Rule {
                name: "own".into(),
                require: Expression::compile(require, &BTreeSet::new()).expect(require),
                reason: None,
                on_violation: OnViolation::Decline,
            };
            let mut gate = gate(Some("pin"));
            gate.criteria.rules = vec![rule];
            let findings = examine("x", &event_type, (&gate, &GlobalPolicy::default()));
            let reported: Vec<&CheckResultView> = { findings.iter() }
                .filter(|of| of.text.contains("the rule own"))
                .collect();
            match (expect, reported.as_slice()) {
                (None, []) => {}
                (Some(expect), [one]) => {
                    assert!(
                        one.level == "warning" && one.text.contains(expect),
                        "{require}: {one:?}"
                    );
                }
                (_, _) => panic!("{require}: {reported:?}"),
            }
        }
        let mut gate = gate(None);
        let number = Expression::compile_price("booking.answers.pags * 2.0", &BTreeSet::new());
        gate.cost = Cost::Expression(number.expect("it is right"));
        let findings = examine("x", &event_type, (&gate, &GlobalPolicy::default()));
        let is_about_price = |of: &CheckResultView| {
            of.text.contains("a price names booking.answers.pags") && of.level == "warning"
        };
        assert!(findings.iter().any(is_about_price), "{findings:?}");
    }
}
