//! The results of expressions for a request, and what their findings show.

use super::fixtures::{RequestFixture, compile_rule, parse_time, request_fixture};
use crate::domain::booking::{Answer, Question, QuestionKind};
use crate::domain::rule::context::{Questions, RuleContext};
use crate::domain::rule::schema::NAMES;
use crate::domain::rule::types::Type;
use crate::domain::rule::value::RuleValue;
use crate::domain::rule::variable;

/// Returns the answer of a rule about this request, or the error.
fn evaluate(text: &str, fixture: &RequestFixture) -> Result<bool, String> {
    compile_rule(text).evaluate(&fixture.context())
}

/// Returns CEL's name for the type of a value.
fn type_name(value: RuleValue<'_>) -> &'static str {
    match value {
        RuleValue::Null => "null",
        RuleValue::Bool(_) => "bool",
        RuleValue::Int(_) => "int",
        RuleValue::Double(_) => "double",
        RuleValue::Text(_) => "string",
        RuleValue::Duration(_) => "duration",
        RuleValue::Time(_) => "timestamp",
        RuleValue::List(_) => "list",
        RuleValue::Map(_) => "map",
    }
}

#[test]
fn every_name_has_its_value() {
    let rows = [
        "booking.uid == \"uid1\"",
        "booking.title == \"Räume & Bücher\" && size(booking.title) == 14",
        "booking.description == \"\"",
        "booking.start == timestamp(\"2026-12-01T18:00:00+01:00\")",
        "booking.end - booking.start == duration(\"1h\")",
        "booking.created < now && booking.created + duration(\"1h\") == now",
        "booking.length == duration(\"60m\") && booking.notice == duration(\"31h\")",
        "booking.event_type == \"book-club\" && booking.event_type_id == 77",
        "booking.location.startsWith(\"Room\")",
        "size(booking.guests) == 1 && \"al@example.com\" in booking.guests",
        "booking.attendees == [\"bo@example.com\", \"al@example.com\"]",
        "booking.attendees[1] == \"al@example.com\" && booking.attendees.size() == 2",
        "booking.answers.topic == \"demo\" && booking.answers[\"my-key\"] == \"x\"",
        "size(booking.metadata) == 0",
        "!booking.rescheduled",
        "booking.weekday == \"tue\" && booking.hour == 18",
        "booker.address == \"bo@example.com\" && booker.domain == \"example.com\"",
        "booker.name == \"Bo\" && booker.time_zone == \"Europe/Berlin\" && booker.language == \"de\"",
        "member.known && member.id == \"bo@example.com\" && member.tier == \"gold\"",
        "member.tags == [\"board\", \"vip\"] && \"vip\" in member.tags",
        "member.attributes.level == \"3\" && size(member.attributes) == 1",
        "member.balance == 3 && !member.frozen",
        "member.upcoming == 4 && member.day == 1 && member.week == 2 && member.month == 3",
        "host.id == 5 && host.address == \"host@example.org\" && host.name == \"Ho\"",
        "host.time_zone == \"\"",
        "now == timestamp(\"2026-11-30T11:00:00Z\")",
        "request.occurrences == 2 && request.cost == 4 && request.credits == 8",
        "request.missing == 4 && request.age == duration(\"1h\") && request.gate == \"club\"",
        "lookup.crm.score == 7 && lookup[\"crm\"].open && \"vat\" in lookup && has(lookup.crm)",
    ];
    for text in rows {
        assert_eq!(evaluate(text, &request_fixture()), Ok(true), "{text}");
    }
}

/// The schema has, for each name, the type of its values.
#[test]
fn names_have_the_types_of_the_schema() {
    let fixture = request_fixture();
    for name in NAMES {
        let kind = type_name(variable::read_value(name.variable, &fixture.context()));
        let schema_type = match name.value_type {
            Type::Scalar(kind) => kind.to_string(),
            Type::List(_) => "list".to_owned(),
            Type::Map(_) => "map".to_owned(),
        };
        assert_eq!(kind, schema_type, "{}", name.path);
        assert!(!name.description.is_empty());
    }
}

#[test]
fn without_an_account_everything_of_the_member_is_empty() {
    let mut fixture = request_fixture();
    (fixture.account, fixture.available) = (None, 0);
    let rows = [
        "!member.known && member.id == \"\" && member.tier == \"\" && !member.frozen",
        "size(member.tags) == 0 && member.tags == [] && size(member.attributes) == 0",
        "!(\"vip\" in member.tags) && !has(member.attributes.level) && member.balance == 0",
        "request.missing == 7",
    ];
    for text in rows {
        assert_eq!(evaluate(text, &fixture), Ok(true), "{text}");
    }
}

#[test]
fn operators_and_functions() {
    let rows = [
        (
            "member.tier in [\"gold\", \"exec\"] && booking.notice > duration(\"24h\")",
            true,
        ),
        (
            "member.tier in [\"exec\"] || booking.notice > duration(\"36h\")",
            false,
        ),
        (
            "member.balance * 2 - 1 == 5 && 7 / 2 == 3 && -7 % 4 == -3",
            true,
        ),
        (
            "-member.balance < 0 && member.balance >= 3 && member.balance <= 3",
            true,
        ),
        ("member.known ? member.balance > 2 : false", true),
        (
            "booking.answers.count > 2 && booking.answers.count == 3",
            true,
        ),
        (
            "booking.answers.count + 1.0 == 4.0 && booking.answers.half * 2.0 == 5.0",
            true,
        ),
        (
            "booking.answers.agreed && !has(booking.answers.nothing)",
            true,
        ),
        (
            "\"red\" in booking.answers.colours && booking.answers.colours[0] == \"red\"",
            true,
        ),
        (
            "has(booking.answers.topic) && !has(booking.answers.other)",
            true,
        ),
        (
            "\"topic\" in booking.answers && !(\"other\" in booking.answers)",
            true,
        ),
        ("booking.answers.topic != \"demo\"", false),
        ("booking.answers.topic != 3", true),
        ("booker.address.matches(r\"^[a-z]+@example\\.com$\")", true),
        ("matches(booker.address, \"@example.org\")", false),
        (
            "booker.domain.endsWith(\".com\") && booking.title.contains(\"Büch\")",
            true,
        ),
        (
            "booking.start + duration(\"-1h\") < booking.end && now < booking.start",
            true,
        ),
        ("[1, 2.0, \"x\"] == [1.0, 2, \"x\"]", true),
        ("member.tags.exists(tag, tag.startsWith(\"v\"))", true),
        ("member.tags.all(tag, size(tag) > 3)", false),
        (
            "booking.attendees.filter(a, a.endsWith(\"example.com\")).size() == 2",
            true,
        ),
        ("booking.attendees.map(a, size(a))[0] == 14", true),
        ("booking.attendees.exists_one(a, a == booker.address)", true),
        ("booking.answers.exists(key, key == \"topic\")", true),
        (
            "member.tags.exists(t, t.matches(\"^v\")) && matches(member.tier, \"^g\")",
            true,
        ),
        ("int(member.attributes.level) + 1 == 4", true),
        (
            "booker.name + \"@\" + booker.domain == \"Bo@example.com\"",
            true,
        ),
        ("booking.start.getDayOfWeek(\"Europe/Berlin\") == 2", true),
        ("booking.notice.getHours() == 31", true),
        ("{\"gold\": 3, \"free\": 1}[member.tier] == 3", true),
        ("string(member.balance) == \"3\" && double(3) == 3.0", true),
        ("lookup.crm.exists(key, key == \"score\")", true),
    ];
    for (text, expect) in rows {
        assert_eq!(evaluate(text, &request_fixture()), Ok(expect), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_an_error_for_people() {
    let rows = [
        ("booking.answers.other == \"x\"", "there is no \"other\""),
        ("lookup.gone.score > 3", "there is no \"gone\""),
        (
            "booking.answers.topic > 3",
            "`>` is not defined for string and int",
        ),
        (
            "booking.answers.count",
            "the rule returned double instead of true or false",
        ),
        (
            "booking.answers.topic && true",
            "`&&` is not defined for string and bool",
        ),
        ("!booking.answers.topic", "`!` is not defined for string"),
        (
            "booking.answers.count + 1 == 4",
            "`+` is not defined for double and int",
        ),
        (
            "booking.answers.topic.length == 4",
            "`.` is not defined for string",
        ),
        (
            "booking.answers.colours[2] == \"x\"",
            "the list has no such element",
        ),
        ("booking.guests[1] == \"x\"", "the list has no such element"),
        (
            "booking.answers.colours[1.5] == \"x\"",
            "`[]` is not defined for list and double",
        ),
        (
            "booking.answers.colours[booking.answers.topic] == \"x\"",
            "`[]` is not defined for list and string",
        ),
        (
            "booking.answers.colours < booking.answers.colours",
            "`<` is not defined for list and list",
        ),
        (
            "9223372036854775807 + member.day > 0",
            "`+` leaves the range of numbers",
        ),
        (
            "booking.start + duration(\"2562047h\") - duration(\"-2562047h\") \
          - timestamp(\"0001-01-01T00:00:00Z\") > duration(\"1h\")",
            "`-` leaves the range of numbers",
        ),
        ("7 / (member.day - 1) == 1", "division by zero"),
        ("7 % (member.day - 1) == 1", "division by zero"),
        (
            "booking.answers.count.startsWith(\"3\")",
            "`startsWith` is not defined for double and string",
        ),
        (
            "booking.answers.count in booking.answers.topic",
            "`in` is not defined for double and string",
        ),
        (
            "int(booking.answers.topic) > 3",
            "int: string parse error: invalid digit found in string",
        ),
        (
            "member.tags.exists(tag, booking.answers.other == tag)",
            "there is no \"other\"",
        ),
        (
            "booking.answers.topic + 1 == 4",
            "`+` is not defined for string and int",
        ),
        (
            "member.tags.exists(tag, booking.notice > booking.answers.topic)",
            "`>` is not defined for duration and string",
        ),
        (
            "booking.answers.topic + booking.answers.count == \"x\"",
            "`+` is not defined for string and double",
        ),
    ];
    let problems: Vec<_> = rows
        .iter()
        .map(|(text, _)| (*text, evaluate(text, &request_fixture())))
        .collect();
    let expect: Vec<_> = rows
        .iter()
        .map(|(text, problem)| (*text, Err((*problem).to_owned())))
        .collect();
    assert_eq!(problems, expect);
}

#[test]
fn an_error_on_one_side_is_forgiven_when_the_other_decides() {
    let error = "booking.answers.other == \"x\"";
    let rows = [
        (format!("{error} || true"), Some(true)),
        (format!("true || {error}"), Some(true)),
        (format!("{error} && false"), Some(false)),
        (format!("false && {error}"), Some(false)),
        (format!("{error} || false"), None),
        (format!("false || {error}"), None),
        (format!("{error} && true"), None),
        (format!("true && {error}"), None),
        (format!("!({error}) || true"), Some(true)),
        (format!("({error} ? true : true) || true"), Some(true)),
        ("booking.answers.topic || true".to_owned(), Some(true)),
        ("false && booking.answers.topic".to_owned(), Some(false)),
        ("true || booking.answers.topic".to_owned(), Some(true)),
        ("false || booking.answers.topic".to_owned(), None),
    ];
    for (text, expect) in rows {
        assert_eq!(evaluate(&text, &request_fixture()).ok(), expect, "{text}");
    }
}

#[test]
fn no_rule_sees_the_hidden_answer() {
    let rows = [
        ("has(booking.answers.pin)", false),
        ("\"pin\" in booking.answers", false),
        ("size(booking.answers) == 6", true),
        ("booking.answers.exists(key, key == \"pin\")", false),
    ];
    for (text, expect) in rows {
        assert_eq!(evaluate(text, &request_fixture()), Ok(expect), "{text}");
    }
    let expression = compile_rule("size(booking.answers) == 1 || booking.answers.pin == \"1\"");
    let detail = expression.describe_inputs(&request_fixture().context());
    assert_eq!(
        detail,
        "booking.answers = {6 entries}, booking.answers.pin = absent"
    );
}

#[test]
fn weekdays_and_hours_are_those_of_the_house() {
    let mut fixture = request_fixture();
    fixture.booking.start = parse_time("2026-12-01T23:30:00Z");
    assert_eq!(
        evaluate("booking.weekday == \"wed\" && booking.hour == 0", &fixture),
        Ok(true)
    );
}

#[test]
fn a_finding_shows_what_the_expression_read() {
    let rows = [
        (
            "member.tier in [\"gold\"] && booking.notice > duration(\"24h\")",
            "member.tier = \"gold\", booking.notice = 31h",
        ),
        (
            "now < booking.start && member.balance > 2 && member.balance < 9 && !member.frozen",
            "now = 2026-11-30T11:00:00Z, booking.start = 2026-12-01T17:00:00Z, \
             member.balance = 3, member.frozen = false",
        ),
        (
            "lookup.crm.score > 3 || \"vat\" in lookup || booking.answers[\"my-key\"] == \"x\"",
            "lookup.crm.score = 7, lookup.vat = \"DE123\", booking.answers[\"my-key\"] = \"x\"",
        ),
        (
            "member.tags.exists(t, t == \"x\") || booking.answers.other == 3 \
             || booking.answers.half > 1.0 || booking.answers.nothing == null",
            "member.tags = [\"board\", \"vip\"], booking.answers.other = absent, \
             booking.answers.half = 2.5, booking.answers.nothing = absent",
        ),
        ("true", ""),
    ];
    for (text, expect) in rows {
        let rule = compile_rule(text);
        assert_eq!(
            rule.describe_inputs(&request_fixture().context()),
            expect,
            "{text}"
        );
    }
}

#[test]
fn an_expression_knows_its_names_its_lookups_and_its_text() {
    let text = "lookup.vat == \"\" || has(lookup.crm) || \"crm\" in lookup";
    let rule = compile_rule(text);
    assert_eq!(rule.lookups().collect::<Vec<_>>(), ["crm", "vat"]);
    assert_eq!(rule.names(), ["lookup"]);
    assert_eq!(rule.text(), text);
    assert_eq!(format!("{rule:?}"), format!("Expression({text:?})"));
}

#[test]
fn names_are_found_wherever_they_stand() {
    let rows: [(&str, &[&str]); 4] = [
        ("true", &[]),
        ("booking.title == booking.title", &["booking.title"]),
        (
            "booking.answers.a == 1.0 || booking.answers[\"b\"] == member.attributes.c",
            &["booking.answers", "member.attributes"],
        ),
        (
            "booking.guests.exists(g, g.startsWith(booker.domain)) ? now > booking.start : \
             !(host.name in member.tags)",
            &[
                "booking.guests",
                "booker.domain",
                "now",
                "booking.start",
                "host.name",
                "member.tags",
            ],
        ),
    ];
    for (text, expect) in rows {
        assert_eq!(compile_rule(text).names(), expect, "{text}");
    }
}

/// Answers have the kind of their question, although Cal.com sends texts.
#[test]
fn answers_are_of_the_kind_of_their_question() {
    let question = |slug: &str, word: &str| Question {
        slug: slug.to_owned(),
        kind: QuestionKind::from_type_name(word),
        on_booking_page: true,
    };
    let questions = [
        question("pages", "number"),
        question("blank", "number"),
        question("many", "number"),
        question("topic", "select"),
        question("digits", "text"),
        question("agree", "boolean"),
        question("days", "multiselect"),
        question("both", "checkbox"),
        question("place", "radioInput"),
    ];
    let text = |text: &str| Answer::Text(text.to_owned());
    let mut fixture = request_fixture();
    fixture.booking.answers = [
        ("pages", text("120")),
        ("blank", text("  ")),
        ("many", text("a lot")),
        ("topic", text("Dune")),
        ("digits", text("120")),
        ("agree", text("true")),
        ("days", text("mon")),
        ("both", Answer::List(vec![text("a"), text("b")])),
        (
            "place",
            Answer::Map([("value".to_owned(), text("here"))].into()),
        ),
        ("notes", text("")),
        ("gone", Answer::Null),
    ]
    .map(|(slug, answer)| (slug.to_owned(), answer))
    .into();
    let rows = [
        ("booking.answers.pages >= 100", Some(true)),
        ("booking.answers.pages >= 100.0", Some(true)),
        ("booking.answers.pages < 120", Some(false)),
        ("booking.answers.pages == 120", Some(true)),
        ("booking.answers[\"pages\"] * 2.0 == 240.0", Some(true)),
        ("int(booking.answers.pages) % 7 == 1", Some(true)),
        ("[1].exists(n, booking.answers.pages > 119)", Some(true)),
        ("booking.answers.pages == \"120\"", Some(false)),
        ("has(booking.answers.blank)", Some(false)),
        ("\"blank\" in booking.answers", Some(false)),
        ("booking.answers.blank >= 100", None),
        (
            "!has(booking.answers.blank) || booking.answers.blank >= 100",
            Some(true),
        ),
        (
            "has(booking.answers.notes) || has(booking.answers.gone)",
            Some(false),
        ),
        (
            "booking.answers.exists(slug, slug == \"notes\")",
            Some(false),
        ),
        ("booking.answers.many >= 100", None),
        ("booking.answers.topic.startsWith(\"Du\")", Some(true)),
        ("booking.answers.digits == \"120\"", Some(true)),
        ("booking.answers.digits >= 100", None),
        ("booking.answers.agree", Some(true)),
        ("booking.answers.agree == true", Some(true)),
        ("\"mon\" in booking.answers.days", Some(true)),
        ("booking.answers.days.all(day, day == \"mon\")", Some(true)),
        ("size(booking.answers.both) == 2", Some(true)),
        ("booking.answers.place.value == \"here\"", Some(true)),
        ("size(booking.answers) == 8", Some(true)),
    ];
    let context = RuleContext {
        questions: Questions {
            from_calendar: Some(&questions),
            inferred: &[],
        },
        ..fixture.context()
    };
    for (text, expect) in rows {
        assert_eq!(compile_rule(text).evaluate(&context).ok(), expect, "{text}");
    }
    // If nothing is known of the questions, the use of the answer in the rule determines its kind.
    let rows = [
        ("booking.answers.pages >= 100", Some(true)),
        ("booking.answers.digits >= 100", Some(true)),
        ("booking.answers.digits == \"120\"", Some(true)),
        ("booking.answers.agree", Some(true)),
        (
            "booking.answers.pages > 1 && booking.answers.pages == \"120\"",
            None,
        ),
    ];
    for (text, expect) in rows {
        assert_eq!(
            compile_rule(text).evaluate(&fixture.context()).ok(),
            expect,
            "{text}"
        );
    }
}
