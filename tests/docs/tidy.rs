//! Rules about the repository itself: imports point down, the domain is pure, `mod.rs` files hold
//! prose and `mod` lines only, every file says what it is, and documents are in plain language.

mod language_rules;
mod module_graph;
mod mutation_rows;
mod test_programs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns, for each part, the parts that it may import. ARCHITECTURE.md shows the same as layers.
fn allowed_imports() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("main", vec!["cli"]),
        (
            "cli",
            vec![
                "daemon",
                "page",
                "spreadsheet",
                "control",
                "config",
                "sandbox",
                "domain",
            ],
        ),
        (
            "daemon",
            vec![
                "reconcile",
                "store",
                "calcom",
                "lookup",
                "source",
                "notify",
                "page",
                "spreadsheet",
                "control",
                "config",
                "domain",
            ],
        ),
        (
            "reconcile",
            vec![
                "store::port",
                "store::store_thread",
                "calcom::port",
                "lookup",
                "source",
                "domain",
            ],
        ),
        ("store", vec!["domain"]),
        ("calcom", vec!["domain", "http"]),
        ("config", vec!["domain"]),
        ("lookup", vec!["domain", "external"]),
        ("source", vec!["domain", "external"]),
        ("notify", vec!["domain", "http", "external"]),
        ("page", vec!["control", "domain"]),
        ("spreadsheet", vec!["control", "domain"]),
        ("sandbox", vec!["domain"]),
        ("domain", vec![]),
        ("http", vec![]),
        ("external", vec!["domain", "http"]),
        ("control", vec![]),
    ])
}

/// What the domain must not use: the outside world, in any form.
const IMPURE_PATHS: [&str; 14] = [
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

struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    /// Returns the part of the file: the first folder below `src`, or the file's own name.
    fn part(&self) -> String {
        let below = self.path.strip_prefix(src_folder()).unwrap();
        let first = below.components().next().unwrap();
        let name = first.as_os_str().to_string_lossy();
        name.trim_end_matches(".rs").to_owned()
    }

    /// Returns the lines without comments, numbered from 1.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(n, line)| (n + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn src_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source_files() -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders = vec![src_folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(SourceFile { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Returns every `crate::…` or `maitred::…` path of a line, up to two segments; groups are split.
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

fn is_allowed(part: &str, import: &str, allowed: &[&str]) -> bool {
    let first = import.split("::").next().unwrap_or_default();
    first == part
        || allowed
            .iter()
            .any(|may| import == *may || import.starts_with(&format!("{may}::")))
}

#[test]
fn imports_follow_the_layers() {
    let table = allowed_imports();
    let mut wrong = Vec::new();
    for source in source_files() {
        let part = source.part();
        if part == "lib" {
            continue;
        }
        let may = table
            .get(part.as_str())
            .unwrap_or_else(|| panic!("{part} stands in no row of the import table"));
        for (line, text) in source.code_lines() {
            for import in imports(text) {
                if !is_allowed(&part, &import, may) {
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
fn imports_are_recognized_and_compared_with_the_table() {
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
    assert!(is_allowed(
        "reconcile",
        "store::port::Store",
        &["store::port"]
    ));
    assert!(!is_allowed(
        "reconcile",
        "store::log::Log",
        &["store::port"]
    ));
    assert!(!is_allowed("reconcile", "store::portal", &["store::port"]));
    assert!(is_allowed("store", "store::log", &[]));
}

#[test]
fn the_domain_is_pure() {
    let mut wrong = Vec::new();
    for source in source_files().iter().filter(|s| s.part() == "domain") {
        // A test provides the stack that a caller must provide.
        let test = source
            .path
            .components()
            .any(|part| part.as_os_str() == "tests");
        let words = IMPURE_PATHS.iter();
        for (line, text) in source.code_lines() {
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
    for source in source_files() {
        let name = source.path.file_name().unwrap();
        if name != "mod.rs" && name != "lib.rs" {
            continue;
        }
        for (line, text) in source.code_lines() {
            let text = text.trim();
            let modest = text.is_empty()
                || text.starts_with("#[")
                || text.starts_with("#![")
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
    let silent: Vec<String> = source_files()
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

/// Marks of unfinished work, assembled here so that this file does not contain them.
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
    for source in source_files() {
        for (n, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {line}", source.path.display(), n + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "unfinished:\n{}", wrong.join("\n"));
}

/// The reference of rules contains every name that an expression may use.
#[test]
fn the_reference_of_rules_lists_every_name() {
    let reference = include_str!("../../docs/rules.md");
    for name in maitred::domain::rule::schema::NAMES {
        let row = format!("| `{}` | ", name.path);
        let line = reference.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("docs/rules.md has no row for {}", name.path));
        assert!(line.contains(name.description), "{line}");
    }
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
    let ours = parse_version(env!("CARGO_PKG_RUST_VERSION"));
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| {
            package["rust_version"]
                .as_str()
                .is_some_and(|text| parse_version(text) > ours)
        })
        .map(|package| format!("{} needs {}", package["name"], package["rust_version"]))
        .collect();
    assert!(packages.len() > 100, "{} packages", packages.len());
    assert_eq!(newer, [""; 0], "raise rust-version in Cargo.toml");
}

fn parse_version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}
