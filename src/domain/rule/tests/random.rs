//! Random rules that the checker accepts, evaluated for random requests; and random text against
//! the parser.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixtures::{RequestFixture, compile, parse_time, request_fixture};
use crate::domain::booking::Answer;
use crate::domain::rule::expression::Expression;
use crate::domain::time::Span;

/// Choices that are made beforehand. When they run out, the first alternative is always taken, so
/// that everything ends and shrinks.
struct ByteChoices<'a>(&'a [u8]);

impl ByteChoices<'_> {
    fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % n
    }

    fn pick<'t>(&mut self, rows: &[&'t str]) -> &'t str {
        rows[self.below(rows.len())]
    }

    fn bool(&mut self, depth: usize) -> String {
        let plain = [
            "true",
            "member.known",
            "member.frozen",
            "booking.rescheduled",
            "false",
        ];
        if depth == 0 {
            return self.pick(&plain).to_owned();
        }
        let d = depth - 1;
        match self.below(22) {
            0 => self.pick(&plain).to_owned(),
            1 | 2 => format!("({} && {})", self.bool(d), self.bool(d)),
            3 | 4 => format!("({} || {})", self.bool(d), self.bool(d)),
            5 => format!("!{}", self.bool(d)),
            6 => format!("({} ? {} : {})", self.bool(d), self.bool(d), self.bool(d)),
            7 | 8 => format!("({} {} {})", self.int(d), self.relation(), self.number(d)),
            9 => format!("({} {} {})", self.text(d), self.relation(), self.text(d)),
            10 => format!("({} {} {})", self.span(d), self.relation(), self.span(d)),
            11 => format!("({} {} {})", self.time(d), self.relation(), self.time(d)),
            12 => format!("({} in {})", self.text(d), self.list(d)),
            13 => format!("({} in [1, {}])", self.number(d), self.literal()),
            14 => format!("({} in {})", self.text(d), self.map()),
            15 => format!("has({}.{})", self.map(), self.key()),
            16 => format!("{}.{}({})", self.text(d), self.part(), self.text(d)),
            17 => format!("{}.matches({})", self.text(d), self.pattern()),
            18 => format!("({} {} {})", self.any(d), self.relation(), self.any(d)),
            19 => format!("({} == {})", self.list(d), self.list(d)),
            20 => format!("({} && {})", self.part_of_a_map(d), self.bool(d)),
            _ => format!("({} in {})", self.any(d), self.part_of_a_map(d)),
        }
    }

    fn relation(&mut self) -> &'static str {
        self.pick(&["==", "!=", "<", "<=", ">", ">="])
    }

    fn part(&mut self) -> &'static str {
        self.pick(&["startsWith", "endsWith", "contains"])
    }

    fn pattern(&mut self) -> &'static str {
        self.pick(&[
            "\"o\"",
            "\"^g.*d$\"",
            "r\"\\d+\"",
            "\"(a|b)+\"",
            "\"\"",
            "\"ä\"",
        ])
    }

    fn key(&mut self) -> &'static str {
        self.pick(&[
            "topic", "count", "colours", "level", "gone", "pin", "nested",
        ])
    }

    fn map(&mut self) -> &'static str {
        self.pick(&[
            "booking.answers",
            "member.attributes",
            "booking.metadata",
            "lookup.crm",
        ])
    }

    fn int(&mut self, depth: usize) -> String {
        let plain = [
            "member.balance",
            "0",
            "1",
            "7",
            "-3",
            "booking.hour",
            "member.day",
            "request.missing",
            "booking.event_type_id",
            "9223372036854775807",
            "request.occurrences",
            "host.id",
        ];
        if depth == 0 {
            return self.pick(&plain).to_owned();
        }
        let d = depth - 1;
        match self.below(5) {
            0 => self.pick(&plain).to_owned(),
            1 => format!(
                "size({})",
                if self.below(2) == 0 {
                    self.text(d)
                } else {
                    self.list(d)
                }
            ),
            2 => format!("-({})", self.int(d)),
            3 => format!("({} ? {} : {})", self.bool(d), self.int(d), self.int(d)),
            _ => format!(
                "({} {} {})",
                self.int(d),
                self.pick(&["+", "-", "*", "/", "%"]),
                self.int(d)
            ),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.below(4) {
            0 | 1 => self.int(depth),
            2 => self
                .pick(&["1.5", "-0.0", "1e300", "3.0", "9.3e18"])
                .to_owned(),
            _ => format!(
                "({} {} {})",
                "2.5",
                self.pick(&["+", "-", "*", "/"]),
                self.pick(&["0.0", "1.5"])
            ),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let plain = [
            "member.tier",
            "\"gold\"",
            "\"\"",
            "booking.title",
            "booker.domain",
            "\"ä\"",
            "booking.weekday",
            "\"topic\"",
            "booker.language",
            "request.gate",
            "\"vip\"",
        ];
        if depth == 0 || self.below(4) > 0 {
            return self.pick(&plain).to_owned();
        }
        let d = depth - 1;
        match self.below(3) {
            0 => format!("({} ? {} : {})", self.bool(d), self.text(d), self.text(d)),
            1 => format!("member.attributes[{}]", self.text(d)),
            _ => format!("{}[{}]", self.list(d), self.int(d)),
        }
    }

    fn span(&mut self, depth: usize) -> String {
        let plain = [
            "booking.notice",
            "duration(\"24h\")",
            "booking.length",
            "request.age",
            "duration(\"-1.5h\")",
            "duration(\"2562047h\")",
            "duration(\"0\")",
        ];
        if depth == 0 || self.below(3) == 0 {
            return self.pick(&plain).to_owned();
        }
        let d = depth - 1;
        match self.below(3) {
            0 => format!("({} - {})", self.time(d), self.time(d)),
            1 => format!("({} + {})", self.span(d), self.span(d)),
            _ => format!("({} - {})", self.span(d), self.span(d)),
        }
    }

    fn time(&mut self, depth: usize) -> String {
        let plain = [
            "booking.start",
            "now",
            "booking.created",
            "timestamp(\"2026-12-01T18:00:00+01:00\")",
            "booking.end",
            "timestamp(\"9999-12-31T23:59:59Z\")",
            "timestamp(\"0001-01-01T00:00:00Z\")",
        ];
        if depth == 0 || self.below(3) == 0 {
            return self.pick(&plain).to_owned();
        }
        let d = depth - 1;
        match self.below(3) {
            0 => format!("({} + {})", self.time(d), self.span(d)),
            1 => format!("({} + {})", self.span(d), self.time(d)),
            _ => format!("({} - {})", self.time(d), self.span(d)),
        }
    }

    fn list(&mut self, depth: usize) -> String {
        let lists = [
            "member.tags",
            "booking.guests",
            "booking.attendees",
            "[\"gold\", \"vip\"]",
            "booking.answers.colours",
            "[]",
            "[\"bo@example.com\"]",
        ];
        let _ = depth;
        self.pick(&lists).to_owned()
    }

    fn literal(&mut self) -> &'static str {
        self.pick(&[
            "1",
            "\"gold\"",
            "2.0",
            "true",
            "null",
            "duration(\"24h\")",
            "0",
        ])
    }

    /// Returns an expression whose type is known only when its value is read.
    fn any(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(3) > 0 {
            return self.part_of_a_map(depth);
        }
        let d = depth - 1;
        match self.below(2) {
            0 => format!("({} ? {} : {})", self.bool(d), self.any(d), self.any(d)),
            _ => {
                let operator = self.pick(&["-", "+", "*", "/"]);
                format!("({} {operator} {})", self.part_of_a_map(d), self.number(d))
            }
        }
    }

    fn part_of_a_map(&mut self, depth: usize) -> String {
        let plain = format!(
            "{}.{}",
            self.pick(&["booking.answers", "lookup.crm"]),
            self.key()
        );
        if depth == 0 {
            return plain;
        }
        let d = depth - 1;
        match self.below(5) {
            0..=2 => plain,
            3 => format!("{}.{}", self.part_of_a_map(d), self.key()),
            _ => format!("{}[{}]", self.part_of_a_map(d), self.number(d)),
        }
    }

    fn answer(&mut self, depth: usize) -> Answer {
        match self.below(if depth == 0 { 8 } else { 10 }) {
            0 => Answer::Text("gold".to_owned()),
            1 => Answer::Number(3.0),
            2 => Answer::Bool(true),
            3 => Answer::Null,
            4 => Answer::Text(String::new()),
            5 => Answer::Number(-0.5),
            6 => Answer::Number(f64::NAN),
            7 => Answer::Bool(false),
            8 => Answer::List((0..self.below(3)).map(|_| self.answer(depth - 1)).collect()),
            _ => Answer::Map(self.answers(depth - 1)),
        }
    }

    fn answers(&mut self, depth: usize) -> BTreeMap<String, Answer> {
        let many = self.below(5);
        (0..many)
            .map(|_| (self.key().to_owned(), self.answer(depth)))
            .collect()
    }

    fn request_fixture(&mut self) -> RequestFixture {
        let mut fixture = request_fixture();
        fixture.booking.answers = self.answers(2);
        fixture.lookups.insert("crm".to_owned(), self.answer(2));
        fixture.available = [3, 0, u64::MAX][self.below(3)];
        fixture.counts.day = [1, 0, u32::MAX][self.below(3)];
        fixture.booking.title = self.pick(&["gold", "", "äb", "Room 12"]).to_owned();
        if self.below(4) == 1 {
            fixture.account = None;
        }
        if let Some(account) = &mut fixture.account {
            account.tier = [Some("gold".to_owned()), None][self.below(2)].clone();
            account
                .attributes
                .insert("topic".to_owned(), self.pick(&["gold", ""]).to_owned());
        }
        let starts = [
            "2026-12-01T17:00:00Z",
            "2026-11-30T11:00:00Z",
            "1800-01-01T00:00:00Z",
        ];
        fixture.booking.start = parse_time(starts[self.below(starts.len())]);
        fixture.booking.end = fixture.booking.start + Span::minutes(60);
        fixture
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_checker_accepts_gives_an_answer_or_an_error_for_people(
        rule in prop::collection::vec(any::<u8>(), 0..120),
        requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 8),
    ) {
        let text = ByteChoices(&rule).bool(4);
        match compile(&text) {
            Err(diagnostics) => {
                let limits = |problem: &str| {
                    problem.contains("more than") || problem.contains("deeper than")
                };
                let limited = diagnostics.iter().any(|diagnostic| limits(&diagnostic.problem));
                prop_assert!(limited, "{text}: {diagnostics:?}");
            }
            Ok(rule) => {
                let opposite = compile(&format!("!({text})")).ok();
                // Reads the maps as a whole, and not only the entries that the rule names.
                let maps = ["booking.answers", "booking.metadata", "member.attributes"];
                let size_checks = maps.map(|map| format!("size({map}) >= 0")).join(" && ");
                let with_size_checks = compile(&format!("{size_checks} && ({text})")).ok();
                for request in requests {
                    let fixture = ByteChoices(&request).request_fixture();
                    let context = fixture.context();
                    let answer = rule.evaluate(&context);
                    if let Err(problem) = &answer {
                        let vague = problem.contains("do not go together");
                        prop_assert!(!vague && !problem.contains(char::is_control), "{text}");
                    }
                    let evaluate_other = |other: Option<&Expression>| {
                        other.map(|other| other.evaluate(&context).ok())
                    };
                    let opposite = evaluate_other(opposite.as_ref());
                    let expected_opposite = answer.as_ref().ok().map(|answer| !answer);
                    prop_assert!(opposite.is_none_or(|is| is == expected_opposite), "{text}: {answer:?}");
                    let is_same = evaluate_other(with_size_checks.as_ref()).is_none_or(|is| is == answer.clone().ok());
                    prop_assert!(is_same, "{text}: {answer:?} of {:?}", fixture.booking);
                    let detail = rule.describe_inputs(&context);
                    prop_assert!(!detail.contains(char::is_control), "{detail}");
                }
            }
        }
    }

    #[test]
    fn whatever_is_written_gives_a_rule_or_diagnostics_within_the_text(
        words in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "member", ".", "tier", "==", "\"gold\"", "&&", "||", "!", "(", ")", "[", "]", "{",
                "}", ",", ":", "?", "1", "2.5", "-", "+", "has", "exists", "in", "lookup", "crm",
                "booking.answers", "size", "tag", "\n", " ", "ä", "'", "\"", "r\"\\", "b'", "//",
                "0x", "1u", "=", "&", "`", "duration(\"1h\")", "matches(\"[\")", "true", "null",
                "member.tags.exists(t,", "has(a", "\u{0}", ".a{", "'''", "1e", "\\", "@", "#",
            ]).prop_map(str::to_owned),
            "\\PC{0,3}",
        ], 0..24),
    ) {
        let text = words.concat();
        if let Err(diagnostics) = compile(&text) {
            prop_assert!(!diagnostics.is_empty());
            for diagnostic in diagnostics {
                prop_assert!(text.get(diagnostic.at.clone()).is_some(), "{:?} of {:?}", diagnostic, text);
                prop_assert!(!diagnostic.problem.is_empty() && !diagnostic.help.is_empty());
            }
        }
    }
}
