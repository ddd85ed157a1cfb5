//! The house's own rules about its sources: arrows run down, the domain is pure, `mod.rs` files hold
//! prose and `mod` lines only, every file says what it is.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// For each part, the parts it may import. ARCHITECTURE.md shows the same as floors.
fn may_import() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("main", vec!["cli"]),
        (
            "cli",
            vec!["daemon", "control", "config", "sandbox", "domain"],
        ),
        (
            "daemon",
            vec![
                "reconcile",
                "store",
                "calcom",
                "lookup",
                "control",
                "config",
                "domain",
            ],
        ),
        (
            "reconcile",
            vec![
                "store::port",
                "store::handle",
                "calcom::port",
                "lookup",
                "domain",
            ],
        ),
        ("store", vec!["domain"]),
        ("calcom", vec!["domain", "http"]),
        ("config", vec!["domain"]),
        ("lookup", vec!["domain", "http"]),
        ("sandbox", vec!["domain"]),
        ("domain", vec![]),
        ("http", vec![]),
        ("control", vec![]),
    ])
}

/// What the domain must not know: the world outside, in whatever form it comes.
const IMPURE: [&str; 14] = [
    "serde",
    "tokio",
    "reqwest",
    "sled",
    "hyper",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Utc::now",
];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The part it belongs to: the first folder below `src`, or the file's own name.
    fn part(&self) -> String {
        let below = self.path.strip_prefix(src()).unwrap();
        let first = below.components().next().unwrap();
        let name = first.as_os_str().to_string_lossy();
        name.trim_end_matches(".rs").to_owned()
    }

    /// Lines without comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(n, line)| (n + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![src()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every `crate::…` or `maitred::…` path of a line, up to two segments; groups are split.
fn imports(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for root in ["crate::", "maitred::"] {
        for (at, _) in line.match_indices(root) {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &line[at + root.len()..];
            let path: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
                .collect();
            found.push(path);
        }
    }
    found
}

fn allowed(part: &str, import: &str, allowed: &[&str]) -> bool {
    let first = import.split("::").next().unwrap_or_default();
    first == part
        || allowed
            .iter()
            .any(|may| import == *may || import.starts_with(&format!("{may}::")))
}

#[test]
fn arrows_run_down() {
    let table = may_import();
    let mut wrong = Vec::new();
    for source in sources() {
        let part = source.part();
        if part == "lib" {
            continue;
        }
        let may = table
            .get(part.as_str())
            .unwrap_or_else(|| panic!("{part} stands in no row of the import table"));
        for (line, text) in source.code() {
            for import in imports(text) {
                if !allowed(&part, &import, may) {
                    wrong.push(format!("{}:{line}: {import}", source.path.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that run up:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_check_of_imports_sees_what_it_should() {
    let rows = [
        ("use crate::store::port::Store;", vec!["store::port::Store"]),
        (
            "let x = crate::daemon::run(maitred::cli::main());",
            vec!["daemon::run", "cli::main"],
        ),
        ("use subcrate::x;", vec![]),
        ("use super::x;", vec![]),
    ];
    for (line, expect) in rows {
        assert_eq!(imports(line), expect, "{line}");
    }
    assert!(allowed("reconcile", "store::port::Store", &["store::port"]));
    assert!(!allowed("reconcile", "store::log::Log", &["store::port"]));
    assert!(!allowed("reconcile", "store::portal", &["store::port"]));
    assert!(allowed("store", "store::log", &[]));
}

#[test]
fn the_domain_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| s.part() == "domain") {
        // A test gives the stack that a caller has to give.
        let test = source
            .path
            .components()
            .any(|part| part.as_os_str() == "tests");
        let words = IMPURE.iter();
        for (line, text) in source.code() {
            for word in words
                .clone()
                .filter(|word| !(test && **word == "std::thread"))
            {
                if text.contains(word) {
                    wrong.push(format!("{}:{line}: {word}", source.path.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the domain knows the world:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn mod_files_hold_prose_and_mod_lines_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let name = source.path.file_name().unwrap();
        if name != "mod.rs" && name != "lib.rs" {
            continue;
        }
        for (line, text) in source.code() {
            let text = text.trim();
            let modest = text.is_empty()
                || text.starts_with("#[")
                || (text.ends_with(';') && (text.contains("mod ")) && !text.contains('{'));
            if !modest {
                wrong.push(format!("{}:{line}: {text}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "code in mod.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "files without `//!`:\n{}",
        silent.join("\n")
    );
}

/// Marks of unfinished work, put together here so that this file does not hold them.
#[test]
fn nothing_is_left_unfinished() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("allow(dead", "_code"),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (n, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {line}", source.path.display(), n + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "unfinished:\n{}", wrong.join("\n"));
}

/// The reference of rules has every name that an expression may use.
#[test]
fn the_reference_of_rules_lists_every_name() {
    let reference = include_str!("../docs/rules.md");
    for name in maitred::domain::rule::schema::NAMES {
        let row = format!("| `{}` | ", name.path);
        let line = reference.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("docs/rules.md has no row for {}", name.path));
        assert!(line.contains(name.about), "{line}");
    }
}

/// The rows of `tests/mutations.sh`: `\|` is a bar within a text, `\n` a new line.
fn breakages() -> Vec<Vec<String>> {
    let script = include_str!("mutations.sh");
    let rows = script.split_once("<<'ROWS'\n").unwrap().1;
    let rows = rows.split_once("\nROWS\n").unwrap().0;
    let text = |field: &str| field.replace('\u{1}', "|").replace("\\n", "\n");
    let fields = |row: &str| -> Vec<String> {
        let row = row.replace("\\|", "\u{1}");
        row.split('|').map(text).collect()
    };
    rows.lines().map(fields).collect()
}

/// A breakage that does not fit the sources any more breaks nothing.
#[test]
fn every_breakage_fits_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, row) in (1..).zip(breakages()) {
        let [labels, tests, file, from, to] = row.as_slice() else {
            wrong.push(format!("{number}: {} fields and not 5", row.len()));
            continue;
        };
        let path = root.join(file);
        let text = files
            .entry(file.clone())
            .or_insert_with(|| fs::read_to_string(path).unwrap());
        let count = text.matches(from).count();
        let asks = to
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "M");
        if count != 1 || !asks || labels.is_empty() || tests.is_empty() {
            wrong.push(format!(
                "{number}: {labels}: {file}: it stands there {count} times: {from}"
            ));
            continue;
        }
        // The rows before it may have changed the same file.
        *text = text.replacen(from, to, 1);
    }
    assert!(
        wrong.is_empty(),
        "rows that do not fit:\n{}",
        wrong.join("\n")
    );
}

/// Each correction and each promise can be asked for by its label.
#[test]
fn every_correction_and_every_promise_has_a_breakage() {
    let entries = [
        ('A', 12),
        ('B', 16),
        ('C', 10),
        ('D', 10),
        ('E', 11),
        ('P', 18),
    ];
    let rows = breakages();
    let labels: Vec<&str> = rows.iter().flat_map(|row| row[0].split(' ')).collect();
    let missing: Vec<String> = entries
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}")))
        .filter(|label| !labels.contains(&label.as_str()))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// Idioms that a reader has to guess at, and what to write in their place.
const IDIOMS: [(&str, &str); 24] = [
    ("nobody", "say who does not, or use the passive voice"),
    ("nobody's", "say whose it is not"),
    ("whoever", "who, the person who"),
    ("somebody's", "another person's"),
    ("anew", "again"),
    ("beside", "next to, in addition to, while"),
    ("for ever", "forever, without end"),
    ("in vain", "without effect"),
    ("of it", "name the thing"),
    ("stands for", "means, represents"),
    ("stand for", "mean, represent"),
    ("goes on", "continues"),
    ("go on", "continue"),
    ("lets in", "admits"),
    ("let in", "admit, admitted"),
    ("is told", "say who tells whom: reads, receives, sees"),
    ("are told", "say who tells whom: read, receive, see"),
    ("comes to nothing", "has no effect"),
    ("in hand", "current"),
    ("so long before", "that long before"),
    ("the how manieth", "which one"),
    ("he", "they"),
    ("his", "their"),
    ("mended", "corrected, fixed"),
];

/// Where the idioms are refused: Markdown pages, and the comments of all other files.
const PLAIN_LANGUAGE: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "config.toml",
    "systemd/maitred.service",
    "docs",
];

#[test]
fn documents_are_in_plain_language() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for place in PLAIN_LANGUAGE {
        for path in texts(&root.join(place)) {
            let text = fs::read_to_string(&path).unwrap();
            let prose = match path.extension().and_then(|extension| extension.to_str()) {
                Some("md") => prose_of_page(&text),
                Some("rs") => comments(&text, "//"),
                _ => comments(&text, "#"),
            };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            for (line, text) in prose {
                let found = IDIOMS.iter().filter(|(idiom, _)| has_words(&text, idiom));
                wrong.extend(found.map(|(idiom, say)| format!("{name}:{line}: {idiom:?}: {say}")));
            }
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} idioms:\n{}", wrong.join("\n"));
}

/// Returns the Markdown pages and Rust sources of a folder, or the file itself.
fn texts(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_path_buf()];
    }
    let entries = fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    let known = |path: &PathBuf| {
        let extension = path.extension();
        path.is_dir() || extension.is_some_and(|extension| extension == "md" || extension == "rs")
    };
    entries
        .iter()
        .filter(|path| known(path))
        .flat_map(|path| texts(path))
        .collect()
}

/// Returns the lines of a page outside fenced blocks, without what stands in code spans.
fn prose_of_page(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut prose = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push((number, without_code(line)));
        }
    }
    prose
}

/// Returns the comments of a source, without what stands in code spans.
fn comments<'a>(text: &'a str, mark: &str) -> Vec<(usize, String)> {
    let comment = |line: &'a str| {
        line.split_once(mark)
            .map(|(_, comment)| without_code(comment))
    };
    let numbered = (1..).zip(text.lines());
    numbered
        .filter_map(|(number, line)| Some((number, comment(line)?)))
        .collect()
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<&str>>().join(" ")
}

/// Returns true if the text has these words next to each other, in lower or upper case.
fn has_words(text: &str, words: &str) -> bool {
    let separates = |c: char| !c.is_alphanumeric() && c != '\'';
    let split = |text: &str| {
        let words = text.to_lowercase();
        let words = words.split(separates).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    let (text, words) = (split(text), split(words));
    text.windows(words.len()).any(|window| window == words)
}

#[test]
fn idioms_are_found_in_prose_and_comments_only() {
    let page = "Nobody waits.\n```text\nanew\n```\nUse `beside`, and goes\non, or GOES on.\n";
    let found: Vec<(usize, &str)> = prose_of_page(page)
        .iter()
        .flat_map(|(line, text)| {
            let idioms = IDIOMS.iter().filter(|(idiom, _)| has_words(text, idiom));
            idioms.map(|(idiom, _)| (*line, *idiom)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, [(1, "nobody"), (6, "goes on")]);
    let source = "let he = 1; // of it\n/// `nobody` or somebody\n";
    let words: Vec<String> = comments(source, "//")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert!(
        has_words(&words[0], "of it") && !has_words(&words[1], "nobody"),
        "{words:?}"
    );
}

/// Every dependency can be built with the Rust version that `Cargo.toml` promises.
#[test]
fn the_minimum_rust_version_covers_all_dependencies() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| {
            package["rust_version"]
                .as_str()
                .is_some_and(|text| version(text) > ours)
        })
        .map(|package| format!("{} needs {}", package["name"], package["rust_version"]))
        .collect();
    assert!(packages.len() > 100, "{} packages", packages.len());
    assert_eq!(newer, [""; 0], "raise rust-version in Cargo.toml");
}

fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}
