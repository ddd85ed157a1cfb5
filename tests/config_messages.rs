//! What an operator reads when a configuration is wrong. Each `NAME.toml` under
//! `tests/fixtures/config` has its messages beside it, in `NAME.snap`.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::config::finding::{Finding, Findings, Severity};
use maitred::config::model::SHIPPED;
use maitred::config::parse::parse;
use proptest::prelude::*;

/// Stands in every secret of the fixtures.
const MARK: &str = "5ecre7";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

/// The name and text of every fixture, sorted.
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

fn findings(text: &str) -> Vec<Finding> {
    match parse(text, "config.toml") {
        Ok(loaded) => {
            assert!(
                loaded
                    .findings
                    .iter()
                    .all(|f| f.severity == Severity::Warning)
            );
            loaded.findings
        }
        Err(Findings(findings)) => {
            assert!(findings.iter().any(|f| f.severity == Severity::Error));
            findings
        }
    }
}

#[test]
fn messages() {
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
            insta::assert_snapshot!(name, Findings(findings).to_string());
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
                finding.place.is_some() || finding.severity == Severity::Warning,
                "{name}: {}",
                finding.problem
            );
            let starts_low = !finding.problem.starts_with(char::is_uppercase);
            assert!(starts_low, "{name}: {}", finding.problem);
        }
    }
}

#[test]
fn no_secret_is_ever_repeated() {
    let mut seen = 0;
    for (name, text) in fixtures() {
        if text.contains(MARK) {
            seen += 1;
            let findings = findings(&text);
            let shown = format!("{findings:?} {}", Findings(findings.clone()));
            assert!(!shown.contains(MARK), "{name}: {shown}");
        }
    }
    assert!(seen >= 13, "the fixtures hold {seen} secrets");
}

/// The shipped text with its example gate switched on and some of it replaced.
fn mutated(cuts: &[(usize, usize, String)]) -> String {
    let mut text: Vec<char> = SHIPPED.replace("\n#", "\n").chars().collect();
    for (at, length, with) in cuts {
        let start = at % (text.len() + 1);
        let end = (start + length).min(text.len());
        text.splice(start..end, with.chars());
    }
    text.into_iter().collect()
}

/// Whatever the text: an answer, and messages that can be printed.
fn answers(text: &str) {
    let findings = findings(text);
    let lines = text.matches('\n').count() + 1;
    for finding in &findings {
        if let Some(place) = &finding.place {
            assert!((1..=lines).contains(&place.line) && place.column >= 1);
        }
    }
    let shown = Findings(findings).to_string();
    let printable = |c: char| c == '\n' || !c.is_control();
    assert!(shown.chars().all(printable), "{shown:?}");
}

/// Pieces of configurations, in any order.
const TOML_LIKE: &str = concat!(
    r"((\[{1,2})?(calcom|schedule|gate|limits|house|rule|gate\.rule|lookup|reasons|x)(\]{1,2})?",
    r"|(poll|hosts|cost|name|event-types|api-key|caps|prices|hours|notice|require|reason|en) = ",
    r#"|"[ -~]{0,8}"|[0-9]{1,20}|\{|\}|,|\[|\]|\n|'''|é){0,30}"#
);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_gets_an_answer(text in "(?s).{0,200}") {
        answers(&text);
    }

    #[test]
    fn any_toml_like_text_gets_an_answer(
        text in TOML_LIKE
    ) {
        answers(&text);
    }

    #[test]
    fn the_shipped_text_with_mistakes_gets_an_answer(
        cuts in prop::collection::vec((any::<usize>(), 0usize..40, ".{0,6}"), 1..6)
    ) {
        answers(&mutated(&cuts));
    }

    #[test]
    fn any_schedule_gets_an_answer(text in r"[0-9*/,LW#?@+A-Z -]{0,24}") {
        answers(&format!("[schedule]\npoll = '{text}'\n"));
    }
}

#[test]
fn deep_nesting_gets_an_answer() {
    for open in ["[", "{a=", "["] {
        answers(&format!("hosts = {}", open.repeat(20_000)));
    }
    answers(&format!("a{} = 1", ".a".repeat(20_000)));
}
