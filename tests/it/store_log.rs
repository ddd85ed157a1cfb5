//! The log under every kind of damage: a torn tail is cut and reported, and all other damage is
//! refused with its line number.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::store_support::{
    at, confirmed_facts, error_chain, grant_fact, open, open_with_notice, open_without_notice,
};
use maitred::domain::fact::Fact;
use maitred::domain::time::Time;
use maitred::store::codec::fact;
use maitred::store::log::line::{self, FORMAT, Hash, LedgerId, LineFault, SegmentHeader};
use maitred::store::log::reader::{LogEnd, LogError, LogReader};
use maitred::store::open_report::{OpenError, OpenNotice};
use maitred::store::port::{Maintenance, Store};

/// A log of four commits in its own directory, and its bytes.
struct LogFixture {
    _dir: tempfile::TempDir,
    store: PathBuf,
    dir: PathBuf,
    path: PathBuf,
    text: Vec<u8>,
}

impl LogFixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = dir.path().join("store");
        let mut opened = open(&store).expect("it opens").store;
        for n in 0..3 {
            let fact = grant_fact(&format!("g{n}"), "bo", 5);
            opened.commit(at(n), vec![fact], &[]).expect("it commits");
        }
        let mut facts = confirmed_facts("uid", "bo", "g0", at(3));
        facts.extend(confirmed_facts("other", "bo", "g1", at(3)));
        opened.commit(at(3), facts, &[]).expect("it commits");
        opened.close().expect("it closes");
        let path = store.join("log/00000001.jsonl");
        let text = fs::read(&path).expect("read");
        Self {
            dir: store.join("log"),
            store,
            path,
            text,
            _dir: dir,
        }
    }

    fn write(&self, text: &[u8]) {
        fs::write(&self.path, text).expect("written");
    }

    fn walk(&self) -> Result<LogEnd, LogError> {
        walk(&self.dir)
    }

    /// Returns the line and the fault of the refusal, and checks the file.
    fn first_refusal(&self, harm: &str) -> (u64, LineFault) {
        match self.walk() {
            Err(LogError::Damaged { path, line, fault }) => {
                assert_eq!(path, self.path);
                (line, fault)
            }
            Err(error) => panic!("{harm}: {error}"),
            Ok(end) => panic!("{harm}: accepted {end:?}"),
        }
    }

    /// Returns the offset of the last line.
    fn last_line_offset(&self) -> usize {
        let before = &self.text[..self.text.len() - 1];
        1 + before
            .iter()
            .rposition(|b| *b == b'\n')
            .expect("a line before")
    }

    fn line_of(&self, byte: usize) -> u64 {
        1 + self.text[..byte].iter().filter(|b| **b == b'\n').count() as u64
    }
}

fn walk(dir: &Path) -> Result<LogEnd, LogError> {
    let mut walk = LogReader::open(dir)?;
    while let Some(line) = walk.next_line()? {
        let commit = line.commit();
        commit.map_err(|fault| walk.last_line_error(fault))?;
    }
    Ok(walk.end())
}

#[test]
fn every_line_holds_the_hash_of_the_previous_line() {
    let log = LogFixture::new();
    let end = log.walk().expect("it is whole");
    assert_eq!((end.chain.seq, end.torn_bytes), (4, 0));
    assert_eq!(end.position.offset, log.text.len() as u64);
    let text = String::from_utf8(log.text.clone()).expect("UTF-8");
    let mut before = "0".repeat(64);
    for line in text.lines() {
        let (body, hash) = line.split_once(",\"hash\":\"").expect("a hash");
        assert!(body.ends_with(&format!(",\"prev\":\"{before}\"")), "{line}");
        hash.strip_suffix("\"}")
            .expect("an end")
            .clone_into(&mut before);
        assert_eq!(Hash::of(body.as_bytes()).to_string(), before);
    }
    assert_eq!(end.head.to_string(), before);
}

#[test]
fn a_line_and_a_header_have_a_fixed_form() {
    let ledger = LedgerId::parse("0a1b2c3d-0000-4000-8000-00000000000f").expect("an id");
    let header = SegmentHeader {
        format: FORMAT,
        ledger: Some(ledger),
        segment: 1,
        first: 1,
        created: at(0),
        replaces: None,
    };
    let (text, hash) = line::format_header(&header, Hash::NONE).expect("it can be written");
    let (commit, _) =
        line::format_commit(ledger, (7, at(1)), b"[]", hash).expect("it can be written");
    let text = String::from_utf8([text, commit].concat()).expect("UTF-8");
    insta::assert_snapshot!("line_and_header", text);
    assert!(line::format_commit(ledger, (1, Time::MAX_UTC), b"[]", hash).is_none());
}

#[test]
fn a_last_line_that_is_cut_anywhere_counts_as_torn() {
    let log = LogFixture::new();
    let last = log.last_line_offset();
    for length in last..log.text.len() {
        log.write(&log.text[..length]);
        let end = log.walk().expect("a torn tail is no damage");
        assert_eq!(end.chain.seq, 3);
        assert_eq!(end.position.offset, last as u64);
        assert_eq!(end.torn_bytes, (length - last) as u64);
        assert_eq!(end.line_number, 5);
    }
}

#[test]
fn a_torn_tail_is_cut_kept_and_reported_and_the_log_goes_on() {
    let log = LogFixture::new();
    let last = log.last_line_offset();
    for length in [last + 1, last + 40, log.text.len() - 2, log.text.len() - 1] {
        log.write(&log.text[..length]);
        let torn_file = log.dir.join("torn-4");
        if torn_file.exists() {
            fs::remove_file(&torn_file).expect("removed");
        }
        // First after a clean end, then after a crash.
        let acknowledged = log.store.join("clean-shutdown").exists();
        let opened = open(&log.store).expect("it opens");
        let torn = OpenNotice::TornLineCut {
            file: log.path.clone(),
            line: 5,
            bytes: (length - last) as u64,
            saved_as: torn_file.clone(),
            acknowledged,
        };
        assert_eq!(opened.notices[0], torn);
        assert!(matches!(
            opened.notices[1],
            OpenNotice::ProjectionRebuilt { commits: 3, .. }
        ));
        assert_eq!(fs::read(&torn_file).expect("read"), &log.text[last..length]);
        assert_eq!(fs::read(&log.path).expect("read"), &log.text[..last]);
        drop(opened);
    }
    let (mut store, _) = open_with_notice(&log.store);
    assert_eq!(store.head().seq, 3);
    store
        .commit(at(9), vec![grant_fact("more", "bo", 1)], &[])
        .expect("it commits");
    store.close().expect("it closes");
    drop(store);
    assert_eq!(open_without_notice(&log.store).head().seq, 4);
}

#[test]
fn a_changed_byte_is_refused_with_its_line_number() {
    let log = LogFixture::new();
    for byte in 0..log.text.len() {
        // Changes every byte in one way, and some bytes in all ways.
        let ways: [fn(u8) -> u8; 5] = [|b| b ^ 1, |b| b ^ 0x20, |b| b ^ 0x80, |_| 0, |_| b'\n'];
        let ways = if byte % 16 == 0 {
            &ways[..]
        } else {
            &ways[byte % 5..=byte % 5]
        };
        for change in ways {
            let mut text = log.text.clone();
            text[byte] = change(text[byte]);
            if text == log.text {
                continue;
            }
            log.write(&text);
            let harm = format!("byte {byte} is {:?}", text[byte] as char);
            if byte == log.text.len() - 1 {
                let end = log.walk().expect("without its newline it is torn");
                assert_eq!((end.chain.seq, end.line_number), (3, 5), "{harm}");
                assert!(end.torn_bytes > 0, "{harm}");
            } else {
                assert_eq!(log.first_refusal(&harm).0, log.line_of(byte), "{harm}");
            }
        }
    }
}

#[test]
fn a_log_that_is_refused_stays_unchanged() {
    let log = LogFixture::new();
    let mut text = log.text.clone();
    let middle = text.len() / 2;
    text[middle] ^= 1;
    log.write(&text);
    for _ in 0..2 {
        let error = open(&log.store)
            .map(|_| ())
            .expect_err("the line was altered");
        let message = error_chain(&error);
        assert!(
            message.contains(&format!("line {} of", log.line_of(middle))),
            "{message}"
        );
        assert!(message.contains("00000001.jsonl"), "{message}");
        assert!(message.contains("the line was altered"), "{message}");
    }
    assert_eq!(fs::read(&log.path).expect("read"), text);
    log.write(&log.text);
    assert_eq!(open_without_notice(&log.store).head().seq, 4);
}

#[test]
fn removed_inserted_or_moved_lines_are_refused() {
    let log = LogFixture::new();
    let lines: Vec<&[u8]> = log.text.split_inclusive(|b| *b == b'\n').collect();
    for (harm, order, line) in [
        ("the header is gone", vec![1, 2, 3, 4], 1),
        ("a line is gone", vec![0, 1, 3, 4], 3),
        ("a line is there twice", vec![0, 1, 1, 2, 3, 4], 3),
        ("the last is there twice", vec![0, 1, 2, 3, 4, 4], 6),
        ("two lines changed places", vec![0, 2, 1, 3, 4], 2),
        ("the header is there twice", vec![0, 0, 1, 2, 3, 4], 2),
    ] {
        let text: Vec<&[u8]> = order.iter().map(|n| lines[*n]).collect();
        log.write(&text.concat());
        assert_eq!(log.first_refusal(harm).0, line, "{harm}");
    }
    for (harm, text, line) in [
        ("an empty line", b"\n".to_vec(), 6),
        ("words", b"hello\n".to_vec(), 6),
        (
            "a line of zeros and a line",
            [&[0; 512][..], b"\n{}\n"].concat(),
            6,
        ),
    ] {
        log.write(&[&log.text[..], &text].concat());
        assert_eq!(log.first_refusal(harm).0, line, "{harm}");
    }
    log.write(b"");
    assert_eq!(log.first_refusal("nothing at all").0, 1);
}

#[test]
fn a_tail_of_lost_sectors_is_torn_and_other_zeros_are_refused() {
    let log = LogFixture::new();
    let (last, length) = (log.last_line_offset(), log.text.len());
    let edge = last.next_multiple_of(512);
    assert!(edge + 1024 < length, "the last line spans some sectors");
    let rows = [
        ("from its begin to an edge", last..edge, true),
        ("one sector", edge..edge + 512, true),
        ("two sectors", edge..edge + 1024, true),
        ("from an edge to its end", edge..length, true),
        ("all of it", last..length, true),
        ("less than a sector", edge..edge + 511, false),
        ("a sector off the edge", edge + 1..edge + 513, false),
        ("the end, not from an edge", edge + 1..length - 1, false),
        ("its first byte", last..last + 1, false),
    ];
    for (harm, zeros, torn) in rows {
        let mut text = log.text.clone();
        text[zeros].fill(0);
        log.write(&text);
        if torn {
            let end = log.walk().expect(harm);
            assert_eq!(
                (end.chain.seq, end.torn_bytes),
                (3, (length - last) as u64),
                "{harm}"
            );
            // The same bytes followed by a complete line cannot come from a crash.
            if text.ends_with(b"\n") {
                log.write(&[&text[..], b"x\n"].concat());
                assert_eq!(log.first_refusal(harm).0, 5, "{harm}");
            }
        } else {
            assert_eq!(log.first_refusal(harm).0, 5, "{harm}");
        }
    }
}

/// Replaces the last line by these facts, with a correct hash and position in the chain, and
/// removes the clean-shutdown marker, which would reveal the change.
fn forge_last_line(log: &LogFixture, facts: &[u8]) {
    let last = log.last_line_offset();
    log.write(&log.text[..last]);
    let end = log.walk().expect("it is whole");
    let ledger = end.ledger.expect("a format that names it");
    let line = line::format_commit(ledger, (4, at(3)), facts, end.chain.hash);
    let (text, _) = line.expect("it can be written");
    log.write(&[&log.text[..last], &text].concat());
    fs::remove_file(log.store.join("clean-shutdown")).expect("it was closed");
}

#[test]
fn lines_of_a_newer_version_are_refused_as_such() {
    let log = LogFixture::new();
    forge_last_line(&log, br#"[{"sung":{"account":"bo"}}]"#);
    let error = open(&log.store).map(|_| ()).expect_err("unknown");
    let message = error_chain(&error);
    assert!(message.contains("line 5 of"), "{message}");
    assert!(
        message.contains("if a newer maitred wrote it, use that version"),
        "{message}"
    );

    let header = br#"{"log":"maitred","format":5,"what":"else""#.to_vec();
    log.write(&line::seal(header, Hash::NONE).0);
    let error = open(&log.store).map(|_| ()).expect_err("unknown");
    let message = error_chain(&error);
    assert!(
        message.contains("format 5, and this maitred reads up to 4: use a newer one"),
        "{message}"
    );
}

#[test]
fn facts_that_do_not_fit_are_refused_with_their_line_number() {
    let log = LogFixture::new();
    let twice = fact::write(&[grant_fact("g0", "bo", 5)]).expect("it can be written");
    forge_last_line(&log, &twice);
    let error = open(&log.store).map(|_| ()).expect_err("it does not fit");
    assert!(
        matches!(error, OpenError::Log(LogError::Damaged { line: 5, .. })),
        "{error}"
    );
    let message = error_chain(&error);
    assert!(
        message.contains("reference g0 was used before"),
        "{message}"
    );
    assert!(
        !log.store.join("projection").exists(),
        "a half-made projection is not left behind"
    );
}

#[test]
fn a_segment_cut_off_in_the_middle_of_the_log_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("store");
    let mut opened = crate::fixture::store_support::open_small(&store)
        .expect("it opens")
        .store;
    for n in 0..30 {
        let facts: Vec<Fact> = confirmed_facts(&format!("u{n}"), "bo", "g", at(n));
        let first = (n == 0).then(|| grant_fact("g", "bo", 100));
        let facts = first.into_iter().chain(facts).collect();
        opened.commit(at(n), facts, &[]).expect("it commits");
    }
    opened.close().expect("it closes");
    drop(opened);
    let path = store.join("log/00000002.jsonl");
    let text = fs::read(&path).expect("read");
    fs::write(&path, &text[..text.len() - 1]).expect("written");
    let error = walk(&store.join("log")).expect_err("it is cut off");
    let LogError::Damaged {
        path: named,
        line,
        fault: LineFault::Truncated,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(named, path);
    assert_eq!(line, text.iter().filter(|b| **b == b'\n').count() as u64);
}
