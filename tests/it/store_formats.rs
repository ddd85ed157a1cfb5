//! Logs as earlier versions wrote them: they open, mean the same, and continue in the present
//! format. The files in `tests/fixtures/log-format-1`, `log-format-2` and `log-format-3` are fixed: no later version
//! changes them.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::domain::fact::{AccountFact, Fact};
use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::time::{Span, Time};
use maitred::store::backup;
use maitred::store::codec::fact;
use maitred::store::log::line::{self, FORMAT, LedgerId, OLDEST_FORMAT};
use maitred::store::log::reader::LogReader;
use maitred::store::open::{CreateIfMissing, open};
use maitred::store::open_report::OpenNotice;
use maitred::store::port::{Maintenance, Store};
use maitred::store::read_only;

const GOLDEN_LOGS: [&str; 3] = ["short", "reviews", "moves"];

fn fixture_of_format(format: u32, name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    dir.join(format!("tests/fixtures/log-format-{format}"))
        .join(format!("{name}.jsonl"))
}

fn fixture(name: &str) -> PathBuf {
    fixture_of_format(OLDEST_FORMAT, name)
}

/// Returns a store that contains only that log.
fn store_with_log(name: &str) -> tempfile::TempDir {
    store_with_file(&fixture(name))
}

/// Returns a store whose log is that file.
fn store_with_file(golden: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    fs::create_dir(&log).expect("a directory");
    fs::copy(golden, log.join("00000001.jsonl")).expect("copied");
    dir
}

fn later(time: Time) -> Time {
    time + Span::seconds(1)
}

/// Returns the projection of a store as text.
fn projection_text(store: &dyn Store) -> String {
    let accounts = store.accounts(None, 1_000).expect("accounts");
    let requests = store.decided_requests(None, None, 1_000).expect("requests");
    let intents = store.open_intents(None, 1_000).expect("intents");
    let charges = store.open_charges(None, 1_000).expect("charges");
    let unresolved = store
        .unresolved_items(None, 1_000)
        .expect("the unresolved list");
    format!("{accounts:#?}\n{requests:#?}\n{intents:#?}\n{charges:#?}\n{unresolved:#?}")
}

/// Every kind of fact that format 1 wrote is read, and is written in the present format without a
/// loss.
#[test]
fn every_kind_of_fact_of_format_1_is_read() {
    let text = fs::read_to_string(fixture("kinds")).expect("read");
    for line in text.lines() {
        let facts = fact::read_format(OLDEST_FORMAT, line.as_bytes());
        let facts = facts.unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(facts.len(), 1, "{line}");
        let again = fact::write(&facts).expect("it can be written");
        assert_eq!(fact::read(&again).expect("it is read"), facts, "{line}");
    }
}

/// The present format does not accept facts of format 1 as its own, and format 1 does not accept
/// those of the present format.
#[test]
fn the_formats_are_not_taken_for_each_other() {
    let old = br#"[{"grant":{"reference":"g","account":"bo","credits":1,"reason":"x"}}]"#;
    fact::read(old).expect_err("a field of format 1");
    fact::read_format(OLDEST_FORMAT, old).expect("it is of format 1");
    let strange =
        br#"[{"grant":{"reference":"g","account":"bo","credits":1,"reason":"x","odd":1}}]"#;
    fact::read_format(OLDEST_FORMAT, strange).expect_err("a field that no version knows");
}

#[test]
fn a_log_of_format_1_opens_and_goes_on_in_the_present_format() {
    for name in GOLDEN_LOGS {
        let dir = store_with_log(name);
        let read = read_only::read(dir.path(), &mut |_| {}).expect("it is read");
        let before = projection_text(&read.store);
        insta::with_settings!({ snapshot_suffix => name }, {
            insta::assert_snapshot!("contents", before);
        });
        let golden = fs::read(fixture(name)).expect("read");
        let commits = golden.iter().filter(|byte| **byte == b'\n').count() as u64 - 1;
        assert_eq!(read.store.head().seq, commits, "{name}");

        let now = later("2027-12-01T00:00:00Z".parse().expect("an instant"));
        let opened = open(dir.path(), CreateIfMissing::No, now, &mut |_| {}).expect("it opens");
        let mut store = opened.store;
        assert!(
            matches!(opened.notices[..], [OpenNotice::ProjectionRebuilt { .. }]),
            "{name}: {:?}",
            opened.notices
        );
        assert_eq!(projection_text(&store), before, "{name}");
        let opened = Fact::Account(AccountFact::Opened {
            account: maitred::domain::id::AccountId::parse("new@example.com").expect("a name"),
        });
        store.commit(now, vec![opened], &[]).expect("it goes on");
        assert_eq!(
            Maintenance::verify(&store).expect("it checks").differences,
            Vec::<String>::new()
        );
        store.close().expect("it closes");
        drop(store);

        // The segment in format 1 is unchanged, and the next commits are in a segment of their own.
        let log = dir.path().join("log");
        let first = fs::read(log.join("00000001.jsonl")).expect("read");
        assert_eq!(first, golden, "{name}");
        let second = fs::read_to_string(log.join("00000002.jsonl")).expect("read");
        let lines: Vec<&str> = second.lines().collect();
        let id = LogReader::read_ledger_id(&log).expect("an id");
        assert_eq!(lines.len(), 2, "{name}");
        for line in &lines {
            assert!(line.contains(&format!("\"format\":{FORMAT},")), "{line}");
            assert!(line.contains(&format!("\"ledger\":\"{id}\"")), "{line}");
        }
        // Every copy of the log has the same id, whenever the first write to the copy takes place.
        let copy = self::store_with_log(name);
        let of_copy = LogReader::read_ledger_id(&copy.path().join("log")).expect("an id");
        assert_eq!(of_copy, id, "{name}");
        assert_ne!(id, LedgerId::NONE);

        let again =
            open(dir.path(), CreateIfMissing::No, later(now), &mut |_| {}).expect("it opens");
        assert_eq!(again.notices, [], "{name}");
        assert_eq!(again.store.head().seq, commits + 1, "{name}");
    }
}

/// Every kind of fact that formats 2 and 3 wrote is read, and written again byte for byte: the formats
/// after them only add kinds and fields.
#[test]
fn every_kind_of_fact_of_formats_2_and_3_is_written_as_before() {
    for format in [2, 3] {
        let text = fs::read_to_string(fixture_of_format(format, "kinds")).expect("read");
        for line in text.lines() {
            let facts = fact::read_format(format, line.as_bytes());
            let facts = facts.unwrap_or_else(|error| panic!("{error}: {line}"));
            let again = fact::write(&facts).expect("it can be written");
            assert_eq!(String::from_utf8(again).expect("UTF-8"), line);
        }
    }
}

/// A log that the last version with format 2 or 3 wrote in a rehearsal: it opens, and a pause goes to a
/// segment of the present format. Lines of the older format in it are refused, and the other way round.
#[test]
fn logs_of_formats_2_and_3_open_and_go_on_in_the_present_format() {
    check_log_goes_on(2, 14, 3 + 8 + 2 + 6 - 1);
    check_log_goes_on(3, 15, 3 + 1 + 8 + 6);
}

/// `commits` and `credits` are those of the log.
fn check_log_goes_on(format: u32, commits: u64, credits_in_log: u64) {
    let golden = fixture_of_format(format, "rehearsal");
    let dir = store_with_file(&golden);
    let golden = fs::read(golden).expect("read");
    let read = read_only::read(dir.path(), &mut |_| {}).expect("it is read");
    let before = projection_text(&read.store);
    assert_eq!(read.store.head().seq, commits);
    let now: Time = "2027-12-01T00:00:00Z".parse().expect("an instant");
    let balances: Vec<(String, u64, u64)> = { read.store.accounts(None, 99).expect("accounts") }
        .iter()
        .map(|account| {
            (
                account.id.to_string(),
                account.available(now),
                account.totals.posted,
            )
        })
        .collect();
    assert_eq!(balances.len(), 4, "{balances:?}");
    let credits: u64 = balances.iter().map(|(_, left, spent)| left + spent).sum();
    assert_eq!(credits, credits_in_log, "{balances:?}");

    let opened = open(dir.path(), CreateIfMissing::No, now, &mut |_| {}).expect("it opens");
    let mut store = opened.store;
    assert_eq!(projection_text(&store), before);
    let pause = Fact::Ledger(LedgerFact::Paused {
        gate: Some("book-club".to_owned()),
        until: None,
        reason: "the host is ill".to_owned(),
    });
    store.commit(now, vec![pause], &[]).expect("it goes on");
    let pauses = store.ledger_state().expect("a state").pauses;
    store.close().expect("it closes");
    drop(store);
    let log = dir.path().join("log");
    assert_eq!(fs::read(log.join("00000001.jsonl")).expect("read"), golden);
    let second = fs::read_to_string(log.join("00000002.jsonl")).expect("read");
    let lines: Vec<&str> = second.lines().collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let of_present = format!("\"format\":{FORMAT},");
        assert!(line.contains(&of_present), "{line}");
    }
    // The pause is read from the projection, and from the log when the projection is gone.
    for remove in [false, true] {
        if remove {
            fs::remove_dir_all(dir.path().join("projection")).expect("it is there");
        }
        let again = open(dir.path(), CreateIfMissing::No, now, &mut |_| {}).expect("it opens");
        let mut store = again.store;
        assert_eq!(store.ledger_state().expect("a state").pauses, pauses);
        assert!(pauses.of_gate("book-club", now).is_some());
        store.close().expect("it closes");
    }
    // A line must have the format of its segment, even if its hash chain is valid.
    let begin = |format: u32| format!("{{\"format\":{format},\"seq\"");
    let swapped = second.replace(&begin(FORMAT), &begin(format));
    let line = swapped.lines().nth(1).expect("a commit");
    let end = line.rfind(",\"prev\"").expect("a seal");
    let header = lines[0];
    let hash = line::unseal(header.as_bytes()).expect("sealed").hash;
    let (forged, _) = line::seal(line.as_bytes()[..end].to_vec(), hash);
    fs::write(
        log.join("00000002.jsonl"),
        [header.as_bytes(), b"\n", &forged].concat(),
    )
    .expect("written");
    fs::remove_file(dir.path().join("clean-shutdown")).expect("it was closed");
    assert!(open(dir.path(), CreateIfMissing::No, now, &mut |_| {}).is_err());
}

/// A backup in format 1 is restored with its files unchanged and the mark in a segment of the present
/// format.
#[test]
fn a_backup_of_format_1_is_restored() {
    for name in GOLDEN_LOGS {
        let backup = store_with_log(name);
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store");
        let now = "2027-12-01T00:00:00Z".parse().expect("an instant");
        let restored =
            backup::restore(backup.path(), &path, now, &mut |_| {}).expect("it is restored");
        let golden = fs::read(fixture(name)).expect("read");
        let first = fs::read(path.join("log/00000001.jsonl")).expect("read");
        assert_eq!(first, golden, "{name}");
        let files = fs::read_dir(path.join("log")).expect("read");
        let sizes: Vec<u64> = files
            .map(|file| file.expect("read").metadata().expect("read").len())
            .collect();
        let (count, bytes) = (restored.files, restored.bytes);
        assert_eq!(
            (count as usize, bytes),
            (sizes.len(), sizes.iter().sum()),
            "{name}"
        );
        assert_eq!(count, 2, "{name}: the mark has a segment of its own");
        let opened = open(&path, CreateIfMissing::No, now, &mut |_| {}).expect("it opens");
        assert_eq!(opened.store.head().seq, restored.head.seq + 1, "{name}");
        let state = opened.store.ledger_state().expect("a state");
        assert!(state.restored_at.is_some(), "{name}");
        let of_backup = LogReader::read_ledger_id(&backup.path().join("log")).expect("an id");
        let of_store = LogReader::read_ledger_id(&path.join("log")).expect("an id");
        assert_eq!(of_store, of_backup, "{name}");
    }
}

/// Lines of another ledger are refused, even if their hash chain is valid.
#[test]
fn a_line_of_another_ledger_is_refused() {
    let now = "2027-12-01T00:00:00Z".parse().expect("an instant");
    let made = || {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store");
        let mut store = open(&path, CreateIfMissing::Yes, now, &mut |_| {})
            .expect("it opens")
            .store;
        let account = maitred::domain::id::AccountId::parse("bo").expect("a name");
        store
            .commit(
                now,
                vec![Fact::Account(AccountFact::Opened { account })],
                &[],
            )
            .expect("it commits");
        store.close().expect("it closes");
        (dir, path)
    };
    let (one, other) = (made(), made());
    let id = |path: &Path| LogReader::read_ledger_id(&path.join("log")).expect("an id");
    assert_ne!(id(&one.1), id(&other.1), "each ledger has an id of its own");
    let path = one.1.join("log/00000001.jsonl");
    let text = fs::read_to_string(&path).expect("read");
    let line = text.lines().nth(1).expect("a commit");
    let sealed = maitred::store::log::line::unseal(line.as_bytes()).expect("whole");
    let facts = sealed.parse_entry().expect("a commit").facts.to_vec();
    let forged =
        maitred::store::log::line::format_commit(id(&other.1), (1, now), &facts, sealed.prev);
    let header = text.lines().next().expect("a header");
    let forged = String::from_utf8(forged.expect("written").0).expect("UTF-8");
    fs::write(&path, format!("{header}\n{forged}")).expect("written");
    fs::remove_file(one.1.join("clean-shutdown")).expect("it was closed");
    let error = open(&one.1, CreateIfMissing::No, now, &mut |_| {}).map(|_| ());
    let mut text = String::new();
    let mut source: Option<&dyn std::error::Error> = Some(error.as_ref().expect_err("refused"));
    while let Some(error) = source {
        text.push_str(&format!("{error}: "));
        source = error.source();
    }
    assert!(text.contains("line 2"), "{text}");
    let expect = format!("belongs to ledger {}", id(&other.1));
    assert!(text.contains(&expect), "{text}");
}
