//! The rows of `tests/mutations.sh` fit the sources and the tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::test_programs::test_names;

/// Returns the rows of `tests/mutations.sh`: `\|` is a bar within a text, `\n` a new line.
fn mutation_rows() -> Vec<Vec<String>> {
    let script = include_str!("../../mutations.sh");
    let rows = script.split_once("<<'ROWS'\n").unwrap().1;
    let rows = rows.split_once("\nROWS\n").unwrap().0;
    let text = |field: &str| field.replace('\u{1}', "|").replace("\\n", "\n");
    let fields = |row: &str| -> Vec<String> {
        let row = row.replace("\\|", "\u{1}");
        row.split('|').map(text).collect()
    };
    rows.lines().map(fields).collect()
}

/// A mutation that no longer fits the sources breaks nothing.
#[test]
fn every_mutation_fits_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, row) in (1..).zip(mutation_rows()) {
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
        // Earlier rows may have changed the same file.
        *text = text.replacen(from, to, 1);
    }
    assert!(
        wrong.is_empty(),
        "rows that do not fit:\n{}",
        wrong.join("\n")
    );
}

/// A label selects the mutations of each correction and each promise.
#[test]
fn every_correction_and_every_promise_has_a_mutation() {
    let entries = [
        ('A', 12),
        ('B', 16),
        ('C', 10),
        ('D', 10),
        ('E', 11),
        ('P', 18),
    ];
    let rows = mutation_rows();
    let labels: Vec<&str> = rows.iter().flat_map(|row| row[0].split(' ')).collect();
    let missing: Vec<String> = entries
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}")))
        .filter(|label| !labels.contains(&label.as_str()))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// A row whose test was renamed would run no test.
#[test]
fn every_mutation_names_an_existing_test() {
    let names = test_names();
    let mut wrong = Vec::new();
    for (number, row) in (1..).zip(mutation_rows()) {
        for command in row[1].split(';') {
            let Some(words) = command.trim().strip_prefix("--test ") else {
                continue;
            };
            let (program, filter) = words.split_once(' ').unwrap_or((words, ""));
            let tests = names.get(program).into_iter().flatten();
            if !tests.into_iter().any(|test| test.contains(filter)) {
                wrong.push(format!("{number}: {command}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
