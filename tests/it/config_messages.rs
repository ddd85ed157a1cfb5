//! What an operator reads when a configuration is wrong. For each `NAME.toml` under
//! `tests/fixtures/config`, `NAME.snap` has the messages.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::config::diagnostic::{Diagnostic, Diagnostics, Severity};
use maitred::config::model::SHIPPED_CONFIG;
use maitred::config::parse::parse;
use proptest::prelude::*;

/// Every secret of the fixtures contains this text.
const SECRET_MARK: &str = "5ecre7";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

/// Returns the name and text of every fixture, sorted.
fn fixtures() -> Vec<(String, String)> {
    let mut fixtures: Vec<(String, String)> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("it has a name").to_string_lossy();
            let text = fs::read_to_string(&path).expect("it can be read");
            (name.into_owned(), text)
        })
        .collect();
    fixtures.sort();
    fixtures
}

fn findings(text: &str) -> Vec<Diagnostic> {
    match parse(text, "config.toml") {
        Ok(loaded) => {
            assert!(
                loaded
                    .warnings
                    .iter()
                    .all(|f| f.severity == Severity::Warning)
            );
            loaded.warnings
        }
        Err(Diagnostics(findings)) => {
            assert!(findings.iter().any(|f| f.severity == Severity::Error));
            findings
        }
    }
}

#[test]
fn messages_match_their_snapshots() {
    let fixtures = fixtures();
    assert!(
        fixtures.len() >= 30,
        "the fixtures are not where they should be"
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, text) in fixtures {
            let findings = findings(&text);
            assert!(!findings.is_empty(), "{name} has nothing wrong with it");
            insta::assert_snapshot!(name, Diagnostics(findings).to_string());
        }
    });
}

#[test]
fn every_message_says_where_what_and_what_to_do() {
    for (name, text) in fixtures() {
        for finding in findings(&text) {
            assert!(
                !finding.problem.is_empty() && !finding.help.is_empty(),
                "{name}"
            );
            assert!(
                finding.position.is_some() || finding.severity == Severity::Warning,
                "{name}: {}",
                finding.problem
            );
            let starts_low = !finding.problem.starts_with(char::is_uppercase);
            assert!(starts_low, "{name}: {}", finding.problem);
        }
    }
}

/// Returns the text that a message proposes to write instead of the marked text.
fn proposed_text(help: &str) -> Option<&str> {
    let meant = help
        .strip_prefix("did you mean ")
        .and_then(|rest| rest.strip_suffix('?'));
    let example = help.strip_prefix("for example ");
    let example = example.map(|rest| rest.split("; ").next().unwrap_or(rest));
    meant.or(example)
}

/// Returns the text with the proposal instead of what the finding marks.
fn apply_proposal(text: &str, finding: &Diagnostic, proposal: &str) -> Option<String> {
    let place = finding.position.as_ref()?;
    let marked = place.excerpt.as_ref()?.mark_width;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line: Vec<char> = lines.get(place.line - 1)?.chars().collect();
    let (before, rest) = line.split_at(place.column - 1);
    let (was, behind) = rest.split_at(marked.min(rest.len()));
    let is_quoted = |text: &str| text.starts_with(['"', '\'']);
    let was: String = was.iter().collect();
    let word = proposal.trim_matches('`');
    let new = match (is_quoted(&was), is_quoted(word)) {
        (true, false) if !word.starts_with(['[', '{']) => format!("'{word}'"),
        // A mark inside a quoted text does not include the quotes.
        (false, true)
            if before
                .last()
                .is_some_and(|c| c.is_alphanumeric() || "\"'-@./ ".contains(*c))
                && !before
                    .iter()
                    .collect::<String>()
                    .trim_end()
                    .ends_with(['=', ',', '[']) =>
        {
            word.trim_matches('"').to_owned()
        }
        (_, _) => word.to_owned(),
    };
    let before: String = before.iter().collect();
    let behind: String = behind.iter().collect();
    lines[place.line - 1] = format!("{before}{new}{behind}");
    Some(lines.join("\n") + "\n")
}

/// An operator who does what a message proposes must not read the same message again.
#[test]
fn the_text_that_a_message_proposes_corrects_the_mistake() {
    let mut tried = 0;
    for (name, text) in fixtures() {
        for finding in findings(&text) {
            let Some(proposal) = proposed_text(&finding.help) else {
                continue;
            };
            let Some(better) = apply_proposal(&text, &finding, proposal) else {
                continue;
            };
            tried += 1;
            let again = findings(&better);
            let same = { again.iter() }
                .find(|other| other.key == finding.key && other.problem == finding.problem);
            assert!(
                same.is_none(),
                "{name}: {proposal} gives {same:?} in\n{better}"
            );
            let broken = { again.iter() }.any(|other| other.problem.contains("this is not TOML"));
            assert!(!broken, "{name}: {proposal} in\n{better}");
        }
    }
    assert!(tried >= 35, "{tried} proposals were found");
}

/// Checks advice that is more than a word to insert: what is wrong, the advice, the text that
/// follows the advice.
#[test]
fn the_advice_of_a_message_corrects_the_mistake() {
    let gate = |key: &str| format!("[[gate]]\nevent-types = ['a']\n{key}\n");
    let rule = |reason: &str| {
        format!(
            "[[rule]]\nname = 'n'\nrequire = 'true'\nreason = {reason}\n{}",
            gate("")
        )
    };
    let rows = [
        (
            gate("hours = [{ hours = '22:00-02:00' }]"),
            "hours past midnight are two entries: one up to \"24:00\", and one from \"00:00\" on",
            gate("hours = [{ hours = '22:00-24:00' }, { hours = '00:00-02:00' }]"),
        ),
        (
            gate("hours = [{ hours = '8-18' }]"),
            "write them as in \"08:00-18:00\"; the day ends at \"24:00\"",
            gate("hours = [{ hours = '08:00-24:00' }]"),
        ),
        (
            gate("taken = { }"),
            "write { wait = \"24h\" }, or { wait-until = \"2h\" } (before the start)",
            gate("taken = { wait-until = '2h' }"),
        ),
        (
            gate("refund = 5"),
            "",
            gate("refund = [{ before = '24h', share = '100%' }]"),
        ),
        (
            rule("5"),
            "write \"…\" or { en = \"…\", de = \"…\" }",
            rule("{ en = 'No.', de = 'Nein.' }"),
        ),
        (
            rule("{ english = 'No.' }"),
            "write the language's tag, as in `en`, `de` or `pt-BR`",
            rule("{ en = 'No.', pt-BR = 'Não.' }"),
        ),
        (
            rule("{ he = 'a', iw = 'b' }"),
            "leave out one of the two",
            rule("{ he = 'a' }"),
        ),
        (
            gate("allow = [5]"),
            "write \"ann@example.com\", \"@example.com\" or { booker = \"ann@example.com\" }",
            gate("allow = ['ann@example.com', '@example.org', { booker = 'bo@example.com' }]"),
        ),
        (
            gate("allow = [{ booker = 'a@b.com', expires = 'soon' }]"),
            "write \"2026-12-01\", or \"2026-12-01T08:00:00Z\"",
            gate("allow = [{ booker = 'a@b.com', expires = '2096-12-01T08:00:00Z' }]"),
        ),
        (
            format!("hosts = [42]\n{}", gate("")),
            "it belongs under [calcom]",
            format!("[calcom]\nhosts = [42]\n{}", gate("")),
        ),
        (
            "[schedule]\npoll = 15\n[[gate]]\nevent-types = ['a']\n".to_owned(),
            "write the unit too, for example \"15s\"",
            "[schedule]\npoll = '15s'\n[[gate]]\nevent-types = ['a']\n".to_owned(),
        ),
        (
            "[gate]\nevent-types = ['a']\n".to_owned(),
            "write [[gate]], with two brackets",
            gate(""),
        ),
        (
            "[[gate]]\ncost = 1\n".to_owned(),
            "add event-types = [\"slug-of-the-event-type\"]",
            "[[gate]]\nevent-types = ['slug-of-the-event-type']\ncost = 1\n".to_owned(),
        ),
        (
            "".to_owned(),
            "add a [[gate]] with the event types that maitred is to answer",
            gate(""),
        ),
    ];
    for (wrong, advice, right) in rows {
        let helps: Vec<String> = findings(&wrong).into_iter().map(|f| f.help).collect();
        assert!(!helps.is_empty(), "{wrong}");
        assert!(
            helps.iter().any(|help| help.contains(advice)),
            "{wrong}: {helps:?}"
        );
        assert_eq!(findings(&right), [], "{right}");
    }
}

#[test]
fn messages_never_contain_a_secret() {
    let mut count = 0;
    for (name, text) in fixtures() {
        if text.contains(SECRET_MARK) {
            count += 1;
            let findings = findings(&text);
            let rendered = format!("{findings:?} {}", Diagnostics(findings.clone()));
            assert!(!rendered.contains(SECRET_MARK), "{name}: {rendered}");
        }
    }
    assert!(count >= 21, "the fixtures hold {count} secrets");
}

/// Returns the shipped text with its example gate switched on and some parts replaced.
fn shipped_text_with_changes(cuts: &[(usize, usize, String)]) -> String {
    let mut text: Vec<char> = SHIPPED_CONFIG.replace("\n#", "\n").chars().collect();
    for (at, length, with) in cuts {
        let start = at % (text.len() + 1);
        let end = (start + length).min(text.len());
        text.splice(start..end, with.chars());
    }
    text.into_iter().collect()
}

/// Checks that any text gives a result, and only messages that can be printed.
fn check_any_text(text: &str) {
    let findings = findings(text);
    let lines = text.matches('\n').count() + 1;
    for finding in &findings {
        if let Some(place) = &finding.position {
            assert!((1..=lines).contains(&place.line) && place.column >= 1);
        }
    }
    let rendered = Diagnostics(findings).to_string();
    let printable = |c: char| c == '\n' || !c.is_control();
    assert!(rendered.chars().all(printable), "{rendered:?}");
}

/// Generates pieces of configurations, in any order.
const TOML_LIKE: &str = concat!(
    r"((\[{1,2})?(calcom|schedule|gate|limits|global|rule|gate\.rule|lookup|reasons|x)(\]{1,2})?",
    r"|(poll|hosts|cost|name|event-types|api-key|caps|prices|hours|notice|require|reason|en) = ",
    r#"|"[ -~]{0,8}"|[0-9]{1,20}|\{|\}|,|\[|\]|\n|'''|é){0,30}"#
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_gets_a_result(text in "(?s).{0,200}") {
        check_any_text(&text);
    }

    #[test]
    fn any_toml_like_text_gets_a_result(
        text in TOML_LIKE
    ) {
        check_any_text(&text);
    }

    #[test]
    fn the_shipped_text_with_mistakes_gets_a_result(
        cuts in prop::collection::vec((any::<usize>(), 0usize..40, ".{0,6}"), 1..6)
    ) {
        check_any_text(&shipped_text_with_changes(&cuts));
    }

    #[test]
    fn any_schedule_gets_a_result(text in r"[0-9*/,LW#?@+A-Z -]{0,24}") {
        check_any_text(&format!("[schedule]\npoll = '{text}'\n"));
    }
}

#[test]
fn deep_nesting_gets_a_result() {
    for open in ["[", "{a=", "["] {
        check_any_text(&format!("hosts = {}", open.repeat(20_000)));
    }
    check_any_text(&format!("a{} = 1", ".a".repeat(20_000)));
}
