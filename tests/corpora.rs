//! Every file of every fuzz corpus, run through its target: what the fuzzer once found interesting,
//! and the seeds it began with. `fuzz/run.sh` runs the fuzzer itself.

#![allow(clippy::unwrap_used, reason = "tests panic")]

#[path = "corpora/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// More than this makes the corpora a burden.
const MAX_FILES: usize = 120;

#[test]
fn every_corpus_file_passes_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failed = Vec::new();
    for (name, _) in targets::TARGETS {
        let folder = root.join(name);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let count = files.len();
        assert!((1..=MAX_FILES).contains(&count), "{name}: {count} files");
        for path in files {
            let bytes = fs::read(&path).unwrap();
            if catch_unwind(AssertUnwindSafe(|| targets::run(name, &bytes))).is_err() {
                failed.push(path.display().to_string());
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_target_has_a_fuzzer_and_every_fuzzer_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<String> = targets::TARGETS
        .iter()
        .map(|(name, _)| format!("{name}.rs"))
        .collect();
    names.sort();
    assert_eq!(files, names);
}
