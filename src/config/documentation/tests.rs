//! The generated files, and what they promise.

use std::fs;
use std::path::Path;

use super::*;
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::model::SHIPPED_CONFIG;
use crate::config::parse::{self, parse};
use crate::config::policy_hash::policy_hash;
use crate::domain::decision::ReasonCode;
use crate::domain::evaluation::{booker_rules, calendar_rules, time_rules};
use crate::domain::messages;

/// The variable that makes the test write the files again after a change of the keys.
const WRITE_VARIABLE: &str = "MAITRED_WRITE_DOCS";

/// `config.toml` is copied for the fuzzers, once more with all examples enabled.
#[test]
fn the_files_about_the_keys_are_those_that_are_generated() {
    let shipped = shipped_config();
    let files = [
        ("config.toml", shipped.clone()),
        ("docs/config.md", reference_page()),
        (
            "fuzz/corpus/config/shipped-with-examples",
            uncomment_examples(&shipped),
        ),
        ("fuzz/corpus/config/shipped", shipped),
    ];
    for (file, text) in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os(WRITE_VARIABLE).is_some() {
            fs::write(&path, &text).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "{file}: run {WRITE_VARIABLE}=1 cargo test --lib documentation, and look at the \
             difference"
        );
    }
}

/// Returns the text with all its examples enabled, as an operator would enable them.
fn uncomment_examples(shipped: &str) -> String {
    let mut text = String::new();
    for line in shipped.lines() {
        let uncommented = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
        text.push_str(uncommented.unwrap_or(line));
        text.push('\n');
    }
    text
}

#[test]
fn the_shipped_configuration_holds_the_defaults() {
    let loaded = parse(SHIPPED_CONFIG, "config.toml").expect("the shipped text is right");
    let problems: Vec<&str> = loaded.warnings.iter().map(|f| f.problem.as_str()).collect();
    assert_eq!(
        problems,
        ["there is no [[gate]]: no booking will be touched"]
    );
    let of_nothing = parse("", "config.toml").unwrap();
    assert_eq!(of_nothing.config, loaded.config);
    assert_eq!(of_nothing.warnings, loaded.warnings);
}

#[test]
fn the_examples_hold_the_defaults_and_raise_no_warning() {
    let loaded =
        parse(&uncomment_examples(SHIPPED_CONFIG), "config.toml").expect("the examples are right");
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    // Keys without a default are as in the example, and all others are left out.
    let required_keys_only = "\
[[notify]]
name = 'operators'
kinds = ['review-needed', 'passes-failing', 'key-refused']
command = ['/usr/local/bin/notify']
[[lookup]]
name = 'members'
command = ['/usr/local/bin/members', '--json']
[[source]]
name = 'club'
command = ['/usr/local/bin/members', '--json']
fields = { address = 'email', tier = '/membership/plan' }
attributes = { level = 'Playing level' }
answers = ['member-number']
balance = 'given'
[[rule]]
name = 'in-good-standing'
require = '!(\"suspended\" in member.tags)'
[[gate]]
name = 'club'
event-types = ['book-club', 77]
[[gate.rule]]
name = 'a-day-ahead'
require = 'member.tier == \"gold\" || booking.notice >= duration(\"24h\")'
[[cap]]
name = 'calm-days'
at-most = 5
per = 'day'
[[allowance]]
name = 'monthly'
credits = 4
per = 'month'
tiers = ['gold']
accounts = ['ann@example.com']
gates = ['club']
starts = '2026-12-01'
";
    let mut expect = parse(required_keys_only, "config.toml")
        .expect("it is right")
        .config;
    expect.policy.global.rules[0].reason = config.policy.global.rules[0].reason.clone();
    let rules = &mut expect.policy.gates[0].criteria.rules;
    rules[0].reason = config.policy.gates[0].criteria.rules[0].reason.clone();
    expect.policy.global.reason_texts = config.policy.global.reason_texts.clone();
    expect.policy.hash = policy_hash(&expect);
    assert_eq!(config, expect);
}

#[test]
fn the_example_reasons_are_the_default_texts() {
    let loaded =
        parse(&uncomment_examples(SHIPPED_CONFIG), "config.toml").expect("the examples are right");
    let fixed = [
        (ReasonCode::Blocked, booker_rules::blocked_text()),
        (ReasonCode::NotAllowed, booker_rules::not_allowed_text()),
        (ReasonCode::OutsideHours, time_rules::outside_hours_text()),
        (ReasonCode::TimeTaken, calendar_rules::time_taken_text()),
        (ReasonCode::Unanswered, messages::request_unanswered()),
    ];
    for (code, expect) in fixed {
        let words = loaded
            .config
            .policy
            .global
            .reason_text(code)
            .expect("it is shown");
        assert_eq!(words.by_language[0].1.text(), expect, "{code}");
    }
    // All reasons that would reveal something about an account have one text.
    let account = messages::not_accepted(false, false);
    for code in [
        ReasonCode::UnknownBooker,
        ReasonCode::WrongPin,
        ReasonCode::OverCap,
        ReasonCode::LookupFailed,
        ReasonCode::PriceUnknown,
        ReasonCode::ShortOfCredit,
    ] {
        let words = loaded
            .config
            .policy
            .global
            .reason_text(code)
            .expect("it is shown");
        assert!(account.starts_with(words.by_language[0].1.text()), "{code}");
    }
}

/// Keys whose values are empty by default, with full values. The file shows these in prose
/// only.
const FILLED_KEYS: [(&str, &str); 10] = [
    (
        "prices = []",
        "prices = [{ cost = 2, tiers = ['gold'], event-types = ['book-club'], \
         length = { at-least = '1h', at-most = '2h' }, weekdays = ['sat'], \
         hours = '18:00-22:00', occurrences = { at-least = 5, at-most = 9 } }]",
    ),
    (
        "caps = []",
        "caps = [{ at-most = 2, per = 'week', tiers = ['gold'] }]",
    ),
    (
        "allow = []",
        "allow = [{ booker = 'ann@example.com', note = 'x', expires = '2027-01-01' }]",
    ),
    (
        "block = []",
        "block = [{ booker = 'bo@example.com', note = 'x', expires = '2027-01-01' }]",
    ),
    (
        "hours = []",
        "hours = [{ weekdays = ['mon'], hours = '08:00-18:00' }]",
    ),
    (
        "notice = {}",
        "notice = { at-least = '1h', at-most = '60days' }",
    ),
    (
        "short-of-credit = \"decline\"",
        "short-of-credit = { wait = '24h', wait-until = '2h' }",
    ),
    ("pin = \"\"", "pin = 'member-pin'"),
    ("unmanaged-since = \"\"", "unmanaged-since = '2026-12-01'"),
    (
        "command = [\"/usr/local/bin/members\", \"--json\"]",
        "url = 'https://members.example.com/{address}'\ncredential-file = '/etc/maitred/m'",
    ),
];

/// The keys of tables in a value have no row: the documentation of the value names them.
#[test]
fn every_key_in_a_table_stands_in_the_documentation_of_its_value() {
    let mut text = uncomment_examples(SHIPPED_CONFIG);
    for (empty, full) in FILLED_KEYS {
        assert!(text.contains(&format!("\n{empty}\n")), "{empty}");
        text = text.replace(&format!("\n{empty}\n"), &format!("\n{full}\n"));
    }
    let mut collector = DiagnosticCollector::new(&text, "config.toml");
    parse::read_config(&text, "config.toml", &mut collector).expect("the text is right");
    let known_keys = collector.known_keys().clone();
    assert!(
        !collector.has_errors(),
        "{:?}",
        collector.into_diagnostics()
    );
    let mut with_row: Vec<String> = Vec::new();
    for section in schema::documentation() {
        with_row.push(section.path.trim_end_matches("[]").to_owned());
        let keys = section.keys.iter();
        with_row.extend(keys.map(|key| format!("{}.{}", section.path, key.name)));
    }
    let comments = SHIPPED_CONFIG.lines().filter(|line| line.starts_with('#'));
    let comments: Vec<&str> = comments.map(|line| line.trim_start_matches("# ")).collect();
    let comments = comments.join(" ");
    let in_tables = known_keys.iter().filter(|key| !with_row.contains(key));
    let mut count = 0;
    for key in in_tables {
        let last = key.rsplit('.').next().unwrap();
        let in_prose = format!(" {last} = ");
        assert!(comments.contains(&in_prose), "{key} is read and not shown");
        count += 1;
    }
    assert!(count >= 20, "{count} keys in tables");
}

#[test]
fn the_documentation_of_a_key_explains_each_of_its_words() {
    for section in schema::documentation() {
        for key in section.keys.iter().filter(|key| !key.doc.is_empty()) {
            let words = key.description.split(" or ");
            for word in words.filter(|word| word.starts_with('"') && word.ends_with('"')) {
                let path = format!("{}.{}", section.path, key.name);
                assert!(key.doc.contains(word), "{path}: {word}");
            }
        }
    }
}

#[test]
fn comments_are_no_wider_than_the_page() {
    for line in shipped_config().lines().filter(|l| l.starts_with("# ")) {
        assert!(line.chars().count() <= WIDTH + 2, "{line}");
    }
}
