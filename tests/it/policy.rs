//! `maitred policy` as operators meet it: the examples under `tests/fixtures/policy` produce the results
//! that they state, and every fault in the case files is reported together, each with its position.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use maitred::domain::decision::REASON_CODES;
use maitred::domain::evaluation::rules::built_in_names;
use serde_json::Value;

use crate::fixture::binary::run_in;

fn examples_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/policy")
}

/// Returns a folder with the configuration of the examples and these cases.
fn folder_with_cases(cases: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(examples_folder().join("config.toml")).unwrap();
    fs::write(folder.path().join("config.toml"), config).unwrap();
    fs::write(folder.path().join("cases.toml"), cases).unwrap();
    folder
}

#[test]
fn all_policy_examples_have_the_expected_results() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = run_in(root, &["policy", "test", "tests/fixtures/policy"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(
        ran.out.contains(" cases, all as expected (policy "),
        "{}",
        ran.out
    );
}

#[test]
fn the_examples_cover_what_a_policy_can_say() {
    let ran = run_in(
        &examples_folder(),
        &["policy", "test", ".", "--format", "json"],
    );
    let view: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(view["cases"].as_u64().unwrap() >= 40, "{view}");
    assert_eq!(view["failed"], 0);
    let results = view["results"].as_array().unwrap();
    let texts = |key: &str| -> BTreeSet<String> {
        let found = results.iter().map(|result| &result["actual"][key]);
        let texts = found.flat_map(|value| match value {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        });
        texts
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    };
    let decisions = ["confirm", "decline", "leave", "review", "wait"];
    assert_eq!(texts("decision"), decisions.map(str::to_owned).into());
    let deciding = texts("rule");
    for rule in built_in_names() {
        assert!(
            deciding.contains(rule),
            "no example in which {rule} decides"
        );
    }
    // Only the calendar, a pass or the watch can produce these; one booking in a file shows none of
    // them.
    let beyond = [
        "no-event-type",
        "event-type-not-shown",
        "series-settling",
        "series-unreadable",
        "predecessor-unclear",
        "source-failed",
        "decided-before",
        "decline-limit",
        "restore-open",
        "paused",
        "clock-off",
        "revived",
        "accepted-move",
        "unsettled",
        "unanswered",
        "unmanaged",
    ];
    let reasons = texts("reasons");
    for code in REASON_CODES {
        let is_covered = reasons.contains(code.as_str());
        assert_eq!(is_covered, !beyond.contains(&code.as_str()), "{code}");
    }
}

#[test]
fn a_case_with_another_result_is_one_line_and_a_failure() {
    let cases = "\
[[case]]
name = 'too optimistic'
expect = 'confirm'

[[case]]
name = 'wrong about why'
member = { credits = 0 }
expect = { decision = 'decline', reasons = ['frozen'], credits = 2, rule = 'caps', text = 'No.' }

[[case]]
member = { credits = 1 }
expect = 'confirm'
";
    let folder = folder_with_cases(cases);
    let ran = run_in(folder.path(), &["policy", "test", "."]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.out);
    assert_eq!(
        lines[0],
        "FAIL ./cases.toml:1 too optimistic: expected confirm, found decline (unknown-booker)"
    );
    assert_eq!(
        lines[1],
        "FAIL ./cases.toml:5 wrong about why: expected reasons frozen, found short-of-credit; \
         expected credits 2, found 1; expected rule caps, found credit; expected text \"No.\", \
         found \"This request cannot be accepted for the e-mail address you gave. If you have an \
         account with us, please book with its e-mail address, and see that the account covers the \
         booking.\""
    );
    assert!(
        lines[2].starts_with("3 cases, 2 not as expected (policy "),
        "{}",
        lines[2]
    );
    let ran = run_in(
        folder.path(),
        &["policy", "test", "cases.toml", "--verbose"],
    );
    assert_eq!(ran.code, 1);
    for expect in [
        "       ! member: There is no credit account",
        "       ! credit: This booking costs 1 credit",
        "ok   cases.toml:10 case 3: confirm (enough)",
        "         credit: cost 1, available 1",
    ] {
        assert!(ran.out.contains(expect), "{expect}: {}", ran.out);
    }
}

#[test]
fn all_mistakes_in_the_cases_are_reported_at_once() {
    let cases = "\
now = 'yesterday'

[[case]]
bookign = {}
booking = { start = 'in 30 hours ago', length = 5, booker = 'nobody', occurences = 2 }
member = { credits = -1, upcoming = ['soon'], tags = 'gold' }
pin = 'rihgt'
expect = { decision = 'declined', reasons = ['over-cup'] }

[[case]]
name = 'no expectation'

[[case]]
file = 'missing.json'
booking = {}
expect = { decision = 'confirm', until = 'in 3h' }
";
    let folder = folder_with_cases(cases);
    let ran = run_in(folder.path(), &["policy", "test", "."]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let places = [
        ("`yesterday` is no date", "1:7 (now)"),
        ("unknown key `bookign`", "4:1 (case[0].bookign)"),
        ("did you mean `booking`?", ""),
        (
            "`in 30 hours ago` is no time",
            "5:21 (case[0].booking.start)",
        ),
        (
            "expected a duration in quotes, found a whole number",
            "5:49",
        ),
        ("`nobody` is not an e-mail address", "5:61"),
        ("did you mean `occurrences`?", "5:71"),
        ("`-1` is out of range", "6:22"),
        ("`soon` is no time", "6:38 (case[0].member.upcoming[0])"),
        ("expected a list, found a text", "6:54"),
        ("did you mean \"right\"?", "7:7"),
        ("did you mean \"decline\"?", "8:23"),
        (
            "`over-cup` is no reason",
            "8:46 (case[0].expect.reasons[0])",
        ),
        ("did you mean \"over-cap\"?", ""),
        ("there is no `expect` here", "10:1 (case[1])"),
        ("the booking stands here twice", "14:8 (case[2].file)"),
        (
            "only a wait is over at some time",
            "16:42 (case[2].expect.until)",
        ),
        ("15 errors", ""),
    ];
    for (problem, place) in places {
        assert!(ran.err.contains(problem), "{problem}: {}", ran.err);
        let place = format!("./cases.toml:{place}");
        assert!(
            place.ends_with(':') || ran.err.contains(&place),
            "{place}: {}",
            ran.err
        );
    }
}

#[test]
fn old_names_in_cases_are_refused_with_the_new_ones() {
    let cases = "\
[[case]]
asked-before = 5000000
taken = true
first-judged = 'now'
review = { say = 'confirmed', reason = 'a friend' }
expect = 'confirm'
";
    let folder = folder_with_cases(cases);
    let ran = run_in(folder.path(), &["policy", "test", "."]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    for (old, new) in [
        ("asked-before", "earlier-requests"),
        ("taken", "host-is-busy"),
        ("first-judged", "first-evaluated"),
        ("say", "decision"),
    ] {
        let refused = format!("`{old}` is no longer used");
        assert!(ran.err.contains(&refused), "{old}: {}", ran.err);
        let help = format!("write `{new}`");
        assert!(ran.err.contains(&help), "{new}: {}", ran.err);
    }
    assert!(ran.err.contains("\n4 errors"), "{}", ran.err);
}

#[test]
fn cases_that_cannot_be_evaluated_are_reported_with_the_reason() {
    let one = |line: &str| format!("[[case]]\n{line}\nexpect = 'confirm'\n");
    // cases, what standard error contains
    let rows = [
        (
            one("lookup = { member = true }"),
            "has no [[lookup]] named \"member\"",
        ),
        (one("file = 'missing.json'"), "missing.json cannot be read"),
        (one("file = 'config.toml'"), "config.toml is not JSON"),
        (
            one("member = { upcoming = [{ start = 'now', gate = 'clubb' }] }"),
            "has no gate named \"clubb\"",
        ),
        (
            "[[case]]\nexpect = { decision = 'leave', rule = 'cap' }\n".to_owned(),
            "no rule is called \"cap\"",
        ),
        (one("name = 'x"), "this is not TOML"),
        (String::new(), "there is no `case` here"),
        (
            "[case]\nexpect = 'leave'\n".to_owned(),
            "write [[case]], with two brackets",
        ),
    ];
    for (cases, expect) in rows {
        let folder = folder_with_cases(&cases);
        let ran = run_in(folder.path(), &["policy", "test", "."]);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{cases}: {}",
            ran.err
        );
        assert!(ran.err.contains(expect), "{expect}: {}", ran.err);
    }
}

#[test]
fn the_configuration_is_the_named_file_or_the_one_of_the_folder() {
    let folder = folder_with_cases(
        "[[case]]\nmember = { credits = 1 }\nexpect = { decision = 'confirm', credits = 1 }\n",
    );
    let other = "[[gate]]\nevent-types = ['book-club']\ncost = 7\n";
    fs::write(folder.path().join("other.conf"), other).unwrap();
    let own = run_in(folder.path(), &["policy", "test", "."]);
    assert_eq!(own.code, 0, "{}{}", own.out, own.err);
    let named = run_in(
        folder.path(),
        &["policy", "test", ".", "--config", "other.conf"],
    );
    assert_eq!(named.code, 1, "{}", named.err);
    assert!(
        named
            .out
            .contains("expected confirm, found decline (short-of-credit)"),
        "{}",
        named.out
    );
    fs::write(folder.path().join("config.toml"), "[[gate]]\n").unwrap();
    let wrong = run_in(folder.path(), &["policy", "test", "."]);
    assert_eq!(wrong.code, 78);
    assert!(
        wrong.err.contains("this gate has no event-types"),
        "{}",
        wrong.err
    );
    let nothing = tempfile::tempdir().unwrap();
    let empty = run_in(nothing.path(), &["policy", "test", "."]);
    assert_eq!(empty.code, 2);
    assert!(
        empty.err.contains("holds no *.toml with cases"),
        "{}",
        empty.err
    );
}
