//! What rules say of a request, by our tree and by the reference.

use super::make::{World, at, rule, world};
use crate::domain::booking::{Answer, Question, QuestionKind};
use crate::domain::rule::field;
use crate::domain::rule::inputs::Kept;
use crate::domain::rule::schema::NAMES;
use crate::domain::rule::scope::{Questions, Scope};
use crate::domain::rule::types::Type;

#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Tree,
    Reference,
}
use By::{Reference, Tree};

/// Evaluates both ways and says the answer, or the error.
fn check(text: &str, world: &World, by: By) -> Result<bool, String> {
    let rule = rule(text);
    let scope = world.scope();
    let gives = rule.holds(&scope);
    let reference = rule.holds_by_reference(&scope);
    assert_eq!(rule.is_lowered(), by == Tree, "{text}");
    match (&gives, &reference) {
        (Ok(own), Ok(theirs)) => assert_eq!(own, theirs, "{text}"),
        (Err(_), Err(_)) => {}
        (own, theirs) => panic!("{text}: {own:?}, but the reference gives {theirs:?}"),
    }
    gives
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
        assert_eq!(check(text, &world(), Tree), Ok(true), "{text}");
    }
}

/// The table says of each name the type that its values have.
#[test]
fn names_have_the_types_of_the_schema() {
    let world = world();
    for name in NAMES {
        let kind = field::read(name.field, &world.scope()).kind();
        let said = match name.of {
            Type::One(kind) => kind.to_string(),
            Type::List(_) => "list".to_owned(),
            Type::Map(_) => "map".to_owned(),
        };
        assert_eq!(kind, said, "{}", name.path);
        assert!(!name.about.is_empty());
    }
}

#[test]
fn without_an_account_everything_of_the_member_is_empty() {
    let mut world = world();
    (world.account, world.available) = (None, 0);
    let rows = [
        "!member.known && member.id == \"\" && member.tier == \"\" && !member.frozen",
        "size(member.tags) == 0 && member.tags == [] && size(member.attributes) == 0",
        "!(\"vip\" in member.tags) && !has(member.attributes.level) && member.balance == 0",
        "request.missing == 7",
    ];
    for text in rows {
        assert_eq!(check(text, &world, Tree), Ok(true), "{text}");
    }
}

#[test]
fn operators_and_functions() {
    let rows = [
        (
            "member.tier in [\"gold\", \"exec\"] && booking.notice > duration(\"24h\")",
            true,
            Tree,
        ),
        (
            "member.tier in [\"exec\"] || booking.notice > duration(\"36h\")",
            false,
            Tree,
        ),
        (
            "member.balance * 2 - 1 == 5 && 7 / 2 == 3 && -7 % 4 == -3",
            true,
            Tree,
        ),
        (
            "-member.balance < 0 && member.balance >= 3 && member.balance <= 3",
            true,
            Tree,
        ),
        ("member.known ? member.balance > 2 : false", true, Tree),
        (
            "booking.answers.count > 2 && booking.answers.count == 3",
            true,
            Tree,
        ),
        (
            "booking.answers.count + 1.0 == 4.0 && booking.answers.half * 2.0 == 5.0",
            true,
            Tree,
        ),
        (
            "booking.answers.agreed && !has(booking.answers.nothing)",
            true,
            Tree,
        ),
        (
            "\"red\" in booking.answers.colours && booking.answers.colours[0] == \"red\"",
            true,
            Tree,
        ),
        (
            "has(booking.answers.topic) && !has(booking.answers.other)",
            true,
            Tree,
        ),
        (
            "\"topic\" in booking.answers && !(\"other\" in booking.answers)",
            true,
            Tree,
        ),
        ("booking.answers.topic != \"demo\"", false, Tree),
        ("booking.answers.topic != 3", true, Tree),
        (
            "booker.address.matches(r\"^[a-z]+@example\\.com$\")",
            true,
            Tree,
        ),
        ("matches(booker.address, \"@example.org\")", false, Tree),
        (
            "booker.domain.endsWith(\".com\") && booking.title.contains(\"Büch\")",
            true,
            Tree,
        ),
        (
            "booking.start + duration(\"-1h\") < booking.end && now < booking.start",
            true,
            Tree,
        ),
        ("[1, 2.0, \"x\"] == [1.0, 2, \"x\"]", true, Tree),
        (
            "member.tags.exists(tag, tag.startsWith(\"v\"))",
            true,
            Reference,
        ),
        ("member.tags.all(tag, size(tag) > 3)", false, Reference),
        (
            "booking.attendees.filter(a, a.endsWith(\"example.com\")).size() == 2",
            true,
            Reference,
        ),
        (
            "booking.attendees.map(a, size(a))[0] == 14",
            true,
            Reference,
        ),
        (
            "booking.attendees.exists_one(a, a == booker.address)",
            true,
            Reference,
        ),
        (
            "booking.answers.exists(key, key == \"topic\")",
            true,
            Reference,
        ),
        (
            "member.tags.exists(t, t.matches(\"^v\")) && matches(member.tier, \"^g\")",
            true,
            Reference,
        ),
        ("int(member.attributes.level) + 1 == 4", true, Reference),
        (
            "booker.name + \"@\" + booker.domain == \"Bo@example.com\"",
            true,
            Reference,
        ),
        (
            "booking.start.getDayOfWeek(\"Europe/Berlin\") == 2",
            true,
            Reference,
        ),
        ("booking.notice.getHours() == 31", true, Reference),
        (
            "{\"gold\": 3, \"free\": 1}[member.tier] == 3",
            true,
            Reference,
        ),
        (
            "string(member.balance) == \"3\" && double(3) == 3.0",
            true,
            Reference,
        ),
        ("lookup.crm.exists(key, key == \"score\")", true, Reference),
    ];
    for (text, expect, by) in rows {
        assert_eq!(check(text, &world(), by), Ok(expect), "{text}");
    }
}

#[test]
fn what_cannot_be_said_is_an_error_for_people() {
    let rows = [
        (
            "booking.answers.other == \"x\"",
            Tree,
            "there is no \"other\"",
        ),
        ("lookup.gone.score > 3", Tree, "there is no \"gone\""),
        (
            "booking.answers.topic > 3",
            Tree,
            "`>` is not defined for string and int",
        ),
        (
            "booking.answers.count",
            Tree,
            "the rule gave double where yes or no was wanted",
        ),
        (
            "booking.answers.topic && true",
            Tree,
            "`&&` is not defined for string",
        ),
        (
            "!booking.answers.topic",
            Tree,
            "`!` is not defined for string",
        ),
        (
            "booking.answers.count + 1 == 4",
            Tree,
            "`+` is not defined for double and int",
        ),
        (
            "booking.answers.topic.length == 4",
            Tree,
            "`.` is not defined for string",
        ),
        (
            "booking.answers.colours[2] == \"x\"",
            Tree,
            "the list has no such element",
        ),
        (
            "booking.guests[1] == \"x\"",
            Tree,
            "the list has no such element",
        ),
        (
            "9223372036854775807 + member.day > 0",
            Tree,
            "`+` leaves the range of numbers",
        ),
        (
            "booking.start + duration(\"2562047h\") - duration(\"-2562047h\") \
          - timestamp(\"0001-01-01T00:00:00Z\") > duration(\"1h\")",
            Tree,
            "`-` leaves the range of numbers",
        ),
        ("7 / (member.day - 1) == 1", Tree, "division by zero"),
        ("7 % (member.day - 1) == 1", Tree, "division by zero"),
        (
            "booking.answers.count.startsWith(\"3\")",
            Tree,
            "`startsWith` is not defined for double and string",
        ),
        (
            "booking.answers.count in booking.answers.topic",
            Tree,
            "`in` is not defined for double and string",
        ),
        (
            "int(booking.answers.topic) > 3",
            Reference,
            "int: string parse error: invalid digit found in string",
        ),
        (
            "member.tags.exists(tag, booking.answers.other == tag)",
            Reference,
            "there is no \"other\"",
        ),
        (
            "booking.answers.topic + 1 == 4",
            Tree,
            "`+` is not defined for string and int",
        ),
        (
            "member.tags.exists(tag, booking.notice > booking.answers.topic)",
            Reference,
            "`>` is not defined for duration and string",
        ),
        (
            "booking.answers.topic + booking.answers.count == \"x\"",
            Reference,
            "`+` is not defined for string and double",
        ),
    ];
    for (text, by, expect) in rows {
        assert_eq!(check(text, &world(), by), Err(expect.to_owned()), "{text}");
    }
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
        assert_eq!(check(&text, &world(), Tree).ok(), expect, "{text}");
    }
}

#[test]
fn the_hidden_answer_is_there_for_nobody() {
    let rows = [
        ("has(booking.answers.pin)", false, Tree),
        ("\"pin\" in booking.answers", false, Tree),
        ("size(booking.answers) == 6", true, Tree),
        (
            "booking.answers.exists(key, key == \"pin\")",
            false,
            Reference,
        ),
    ];
    for (text, expect, by) in rows {
        assert_eq!(check(text, &world(), by), Ok(expect), "{text}");
    }
    let shown = rule("size(booking.answers) == 1 || booking.answers.pin == \"1\"");
    let shown = shown.inputs(&world().scope()).to_string();
    assert_eq!(
        shown,
        "booking.answers = {6 entries}, booking.answers.pin = absent"
    );
}

#[test]
fn weekdays_and_hours_are_those_of_the_house() {
    let mut world = world();
    world.booking.start = at("2026-12-01T23:30:00Z");
    assert_eq!(
        check(
            "booking.weekday == \"wed\" && booking.hour == 0",
            &world,
            Tree
        ),
        Ok(true)
    );
}

#[test]
fn inputs_say_what_was_looked_at() {
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
        let rule = rule(text);
        let inputs = rule.inputs(&world().scope());
        assert_eq!(inputs.to_string(), expect, "{text}");
        assert_eq!(inputs, rule.clone().inputs(&world().scope()));
    }
}

#[test]
fn what_several_rules_look_at_is_kept_once_and_shown_of_each() {
    let rules = [
        "member.tier in [\"gold\"] && size(booking.title) > 3",
        "booking.title != \"\" && member.tags.exists(t, t == \"x\")",
        "size(member.tags) > 1 || member.tier == \"x\" || booking.answers.half > 1.0",
    ]
    .map(rule);
    let (world, mut kept) = (world(), Kept::default());
    let parts = rules.each_ref().map(|rule| {
        let from = kept.bytes().len();
        rule.keep_inputs(&world.scope(), &mut kept);
        from..kept.bytes().len()
    });
    for (rule, part) in rules.iter().zip(&parts) {
        let shown = rule.inputs_of(kept.bytes(), part.clone());
        assert_eq!(shown, rule.inputs(&world.scope()), "{}", rule.text());
    }
    let title = world.booking.title.as_bytes();
    let times = kept.bytes().windows(title.len());
    assert_eq!(times.filter(|bytes| *bytes == title).count(), 1);
    // Of the next request nothing is known.
    kept.clear();
    let mut other = self::world();
    other.account = None;
    rules[0].keep_inputs(&other.scope(), &mut kept);
    let shown = rules[0].inputs_of(kept.bytes(), 0..kept.bytes().len());
    assert_eq!(shown, rules[0].inputs(&other.scope()));
}

#[test]
fn inputs_are_equal_when_shown_the_same() {
    let mut other = world();
    let (one, two) = (rule("member.tier != \"x\""), rule("member.tier == \"y\""));
    assert_eq!(one.inputs(&world().scope()), two.inputs(&world().scope()));
    other.account = None;
    assert_ne!(one.inputs(&world().scope()), one.inputs(&other.scope()));
}

#[test]
fn an_expression_knows_its_names_its_lookups_and_its_text() {
    let text = "lookup.vat == \"\" || has(lookup.crm) || \"crm\" in lookup";
    let rule = rule(text);
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
        assert_eq!(rule(text).names(), expect, "{text}");
    }
}

/// Answers as Cal.com sends them are of the kind of their question, for the tree and the reference.
#[test]
fn answers_are_of_the_kind_of_their_question() {
    let question = |slug: &str, word: &str| Question {
        slug: slug.to_owned(),
        kind: QuestionKind::of(word),
        asked: true,
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
    let mut world = world();
    world.booking.answers = [
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
    let scope = Scope {
        questions: Questions {
            shown: Some(&questions),
            assumed: &[],
        },
        ..world.scope()
    };
    for (text, expect) in rows {
        let rule = rule(text);
        assert_eq!(rule.holds(&scope).ok(), expect, "{text}");
        assert_eq!(rule.holds_by_reference(&scope).ok(), expect, "{text}");
    }
    // Where nothing is known of the questions, what the rule takes the answer for counts.
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
        assert_eq!(rule(text).holds(&world.scope()).ok(), expect, "{text}");
    }
}
