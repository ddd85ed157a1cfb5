//! What exceeds a limit is refused, and everything else needs neither much stack nor much time.

use super::fixtures::{compile, compile_rule, known_lookups, request_fixture};
use crate::domain::booking::Answer;
use crate::domain::rule::check::{MAX_DEPTH, MAX_NODES};
use crate::domain::rule::detail::MAX_DETAIL;
use crate::domain::rule::expression::{Expression, MIN_STACK_BYTES};
use crate::domain::rule::pattern::MAX_SEARCHED_BYTES;
use crate::domain::rule::tokens::{MAX_EXPRESSION_BYTES, MAX_NESTING, MAX_TOKENS};

/// Compiles on the stack that `compile` needs, and returns the first problem.
fn first_problem(text: String) -> Option<String> {
    let work = move || Expression::compile(&text, &known_lookups());
    let thread = std::thread::Builder::new()
        .stack_size(MIN_STACK_BYTES)
        .spawn(work)
        .unwrap();
    let diagnostics = thread.join().unwrap().err()?;
    diagnostics
        .first()
        .map(|diagnostic| diagnostic.problem.clone())
}

fn repeat(part: &str, times: usize) -> String {
    vec![part; times].concat()
}

#[test]
fn the_longest_and_one_more() {
    let chain = |n: usize| format!("true{}", repeat(" && true", n));
    let most_ands = MAX_NODES / 2 - 1;
    let nested = |n: usize| format!("{}true{}", repeat("(", n), repeat(")", n));
    let deep = |n: usize| format!("0{} == 0", repeat("+0", n));
    let padded = |n: usize| format!("true{}", repeat(" ", n - 4));
    let rows = [
        (padded(MAX_EXPRESSION_BYTES), None),
        (
            padded(MAX_EXPRESSION_BYTES + 1),
            Some("the expression is 4097 bytes long"),
        ),
        (chain(most_ands), None),
        (
            chain(most_ands + 1),
            Some("the expression has more than 300 parts"),
        ),
        (nested(MAX_NESTING), None),
        (
            nested(MAX_NESTING + 1),
            Some("brackets nest deeper than 20"),
        ),
        (deep(MAX_DEPTH - 2), None),
        (
            deep(MAX_DEPTH - 1),
            Some("the expression nests deeper than 24"),
        ),
    ];
    for (text, expect) in rows {
        assert_eq!(first_problem(text.clone()).as_deref(), expect, "{text}");
    }
}

/// Tries each shape that makes the parser recurse, at its greatest length. Without optimisation the
/// worst takes four megabytes; the rest of the stack is a reserve for other compilers.
#[test]
fn no_expression_overflows_the_stack_of_the_parser() {
    let deep = |part: &str| format!("{}1{}", repeat(part, MAX_NESTING), closing_brackets(part));
    let wide = |part: &str, words: usize| {
        let times = (MAX_TOKENS - 1) / words;
        (
            format!("{}1", repeat(part, times)),
            format!("{}1", repeat(part, times * 2)),
        )
    };
    let nested = [
        "(",
        "[",
        "{1:",
        "size(",
        "a[",
        "a.exists(x,",
        "(1+",
        "(true?1:",
        "!(",
        "a.b(",
    ];
    for part in nested {
        first_problem(deep(part));
        first_problem(deep(part).replace('1', &format!("{}1", repeat("1+", 90))));
    }
    let chained = [
        ("1+", 2),
        ("1==", 2),
        ("1*", 2),
        ("!", 1),
        ("-", 1),
        ("true&&", 2),
        ("true||", 2),
        ("true?1:", 4),
        ("a.", 2),
        ("a().", 4),
        ("a[1].", 5),
        ("1,", 2),
        ("1 ", 1),
    ];
    for (part, words) in chained {
        let (most, too_many) = wide(part, words);
        let refused = Some("the expression has more than 500 words".to_owned());
        assert_ne!(first_problem(most), refused, "{part}");
        assert_eq!(first_problem(too_many), refused, "{part}");
    }
}

fn closing_brackets(part: &str) -> String {
    let brackets: String = part
        .chars()
        .filter_map(|c| match c {
            '(' => Some(')'),
            '[' => Some(']'),
            '{' => Some('}'),
            _ => None,
        })
        .collect();
    repeat(&brackets, MAX_NESTING)
}

/// Evaluation runs on the caller's stack, also without optimisation. Two megabytes are usual.
#[test]
fn the_deepest_expression_is_evaluated_on_a_small_stack() {
    let sum = |term: &str, levels: usize| format!("1{} > 0", repeat(term, levels));
    let rows = [
        (sum("+member.day", MAX_DEPTH - 2), 1536),
        (sum("+int(\"1\")", MAX_DEPTH - 3), 1536),
        (
            format!("member.tags.exists(t, {})", sum("+size(t)", MAX_DEPTH - 5)),
            1536,
        ),
    ];
    for (text, kibibytes) in rows {
        let rule = compile_rule(&text);
        let work = move || rule.evaluate(&request_fixture().context());
        let thread = std::thread::Builder::new()
            .stack_size(kibibytes * 1024)
            .spawn(work);
        assert_eq!(thread.unwrap().join().unwrap(), Ok(true), "{text}");
    }
}

/// These patterns make other engines backtrack forever.
#[test]
fn patterns_take_time_in_proportion() {
    let rule = compile_rule(
        "booking.title.matches(\"^(a+)+$\") || booking.title.matches(\"(.*)(.*)(.*)x\")",
    );
    let mut fixture = request_fixture();
    fixture.booking.title = format!("{}!", repeat("a", MAX_SEARCHED_BYTES - 1));
    assert_eq!(rule.evaluate(&fixture.context()), Ok(false));
    fixture.booking.title.push('!');
    let too_long = Err("matches: the text is longer than 16384 bytes".to_owned());
    assert_eq!(rule.evaluate(&fixture.context()), too_long);
}

#[test]
fn a_rule_that_would_go_through_too_much_says_so() {
    let rule = compile_rule("booking.answers.colours.all(c, c != \"x\")");
    let mut fixture = request_fixture();
    let mut evaluate_with = |n: usize| {
        let many = vec![Answer::Text("red".to_owned()); n];
        fixture.booking.answers.clear();
        fixture
            .booking
            .answers
            .insert("colours".to_owned(), Answer::List(many));
        rule.evaluate(&fixture.context())
    };
    assert_eq!(evaluate_with(1_998), Ok(true));
    assert_eq!(
        evaluate_with(1_999),
        Err("it covers more than 2000 values and 262144 bytes".to_owned())
    );
}

/// Without a macro, nothing iterates over the values repeatedly, and only those entries of a map
/// are read that the rule names.
#[test]
fn a_rule_without_a_macro_may_read_more() {
    let mut fixture = request_fixture();
    let many = |n: usize| Answer::List(vec![Answer::Text("red".to_owned()); n]);
    fixture
        .booking
        .answers
        .insert("colours".to_owned(), many(20_000));
    let rows = [
        ("\"red\" in booking.answers.colours", Ok(true)),
        ("size(booking.answers.colours) == 20000", Ok(true)),
        ("[1].exists(n, booking.answers.topic == \"demo\")", Ok(true)),
    ];
    for (text, expect) in rows {
        assert_eq!(
            compile_rule(text).evaluate(&fixture.context()),
            expect,
            "{text}"
        );
    }
    fixture
        .booking
        .answers
        .insert("colours".to_owned(), many(50_000));
    assert_eq!(
        compile_rule("\"blue\" in booking.answers.colours").evaluate(&fixture.context()),
        Err("it covers more than 50000 values and 262144 bytes".to_owned())
    );
}

#[test]
fn details_are_bounded() {
    let names = [
        "booking.title",
        "booking.location",
        "booker.name",
        "host.name",
        "member.tier",
        "booker.time_zone",
        "booker.language",
        "booking.description",
        "booking.event_type",
    ];
    let text = names.map(|name| format!("{name} == \"\"")).join(" || ");
    let mut fixture = request_fixture();
    let long = repeat("ä\n\"", 1_000);
    fixture.booking.title = long.clone();
    fixture.booking.location = Some(long.clone());
    fixture.booking.description = Some(long.clone());
    if let Some(booker) = &mut fixture.booking.booker {
        booker.name = Some(long.clone());
        booker.time_zone = Some(long);
    }
    let detail = compile_rule(&text).describe_inputs(&fixture.context());
    assert_eq!(detail.chars().count(), MAX_DETAIL);
    assert!(
        detail.starts_with("booking.title = \"ä\\n\\\"ä"),
        "{detail}"
    );
    assert!(detail.ends_with('…') && !detail.contains('\n'), "{detail}");
    let list_rule =
        compile_rule("member.tags.exists(t, t == \"\") || booking.answers.colours == []");
    let tags = (0..9).map(|n| format!("t{n}")).collect();
    fixture.account.as_mut().unwrap().tags = tags;
    assert_eq!(
        list_rule.describe_inputs(&fixture.context()),
        "member.tags = [\"t0\", \"t1\", \"t2\", \"t3\", 5 more], \
         booking.answers.colours = [\"red\", \"blue\"]"
    );
}

#[test]
fn diagnostics_are_bounded_and_reported_once() {
    let text = vec!["x == 1"; 40].join(" && ");
    assert_eq!(compile(&text).unwrap_err().len(), 20);
}
