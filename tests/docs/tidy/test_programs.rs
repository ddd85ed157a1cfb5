//! The programs of tests: few, because each links the whole library, and none with a forgotten file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The programs: a folder below `tests` with a `main.rs` each.
const PROGRAMS: [&str; 3] = ["campaigns", "docs", "it"];

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Returns the Rust files of a folder and of the folders below it, with their module paths.
fn modules(folder: &Path, path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let stem = file.file_stem().unwrap().to_string_lossy();
        if file.is_dir() {
            found.extend(modules(&file, &format!("{path}{stem}::")));
        } else if file.extension().is_some_and(|ending| ending == "rs") {
            let module = match &*stem {
                "main" => String::new(),
                name => format!("{path}{name}::"),
            };
            found.push((module, fs::read_to_string(&file).unwrap()));
        }
    }
    found
}

/// Returns the tests of each program with their modules, as the test harness names them.
pub fn test_names() -> BTreeMap<&'static str, BTreeSet<String>> {
    let tests_of = |program| {
        let mut names = BTreeSet::new();
        for (module, text) in modules(&tests_folder().join(program), "") {
            for mark in ["#[test]", "#[tokio::test"] {
                for part in text.split(mark).skip(1) {
                    let name = part.split_once("fn ").map_or("", |(_, rest)| rest);
                    let name = name
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next();
                    names.insert(format!("{module}{}", name.unwrap_or_default()));
                }
            }
        }
        names
    };
    PROGRAMS.map(|program| (program, tests_of(program))).into()
}

/// Another program would cost a link of the whole library.
#[test]
fn there_are_few_programs_of_tests() {
    let mut found: Vec<String> = Vec::new();
    for entry in fs::read_dir(tests_folder()).unwrap() {
        let path = entry.unwrap().path();
        let is_program =
            path.extension().is_some_and(|ending| ending == "rs") || path.join("main.rs").is_file();
        if is_program {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found.sort();
    assert_eq!(
        found, PROGRAMS,
        "move the file to tests/it, and name it in tests/it/main.rs"
    );
}

/// A file that no `mod` line names is not compiled, and its tests are lost without a message.
#[test]
fn every_file_of_tests_is_compiled() {
    let mut lost = Vec::new();
    for program in PROGRAMS {
        let files = modules(&tests_folder().join(program), "");
        let text: String = files.iter().map(|(_, text)| text.as_str()).collect();
        for (module, _) in files.iter().filter(|(module, _)| !module.is_empty()) {
            let name = module.trim_end_matches("::").rsplit("::").next().unwrap();
            if !text
                .lines()
                .any(|line| line.ends_with(&format!("mod {name};")))
            {
                lost.push(format!("{program}: {module}"));
            }
        }
    }
    assert_eq!(lost, [""; 0]);
}
