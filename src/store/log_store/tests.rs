//! What a log store does when its disk fails, or its projection cannot be read.

use std::fs::File;
use std::io::{self, Write};

use super::*;
use crate::domain::fact::AccountFact;
use crate::store::log::reader::LogReader;
use crate::store::log::segment::{self, SEGMENT_LIMIT, Sink};
use crate::store::open::{self, CreateIfMissing};
use crate::store::open_report::OpenNotice;
use crate::store::sled::keys::Tree;
use crate::store::sled::rows::ProjectionRow;

/// A log file on a failing disk: a write takes at most `accepted_bytes`, and every sync fails.
struct FailingFile {
    file: File,
    accepted_bytes: usize,
}

impl Sink for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let accepted = bytes.len().min(self.accepted_bytes);
        self.file.write_all(&bytes[..accepted])?;
        if accepted < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::Error::other("the disk is gone"))
    }
}

fn now() -> Time {
    Time::from_timestamp_millis(0).expect("in range")
}

fn open_store(path: &Path) -> (LogStore, Vec<OpenNotice>) {
    let opened = open::open(path, CreateIfMissing::Yes, now(), &mut |_| {}).expect("it opens");
    (opened.store, opened.notices)
}

fn opening_facts(name: &str) -> Vec<Fact> {
    let account = AccountId::parse(name).expect("a name");
    vec![Fact::Account(AccountFact::Opened { account })]
}

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let rows = [
        ("nothing was taken", 0, 1, false),
        ("half of it was", 40, 1, true),
        ("all of it was, but not synced", usize::MAX, 2, false),
    ];
    for (what, accepted_bytes, commits, torn) in rows {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut store, _) = open_store(dir.path());
        store
            .commit(now(), opening_facts("al"), &[])
            .expect("it commits");
        let log = dir.path().join(LOG);
        let mut reader = LogReader::open(&log).expect("it is a log");
        while reader.next_line().expect("it is whole").is_some() {}
        let end = reader.end();
        let file = segment::open_for_append(&log, 1).expect("it opens");
        let sink = Box::new(FailingFile {
            file,
            accepted_bytes,
        });
        store.log = Appender::new(
            &log,
            &end,
            end.ledger.expect("a format that names it"),
            sink,
            SEGMENT_LIMIT,
        );

        let error = store
            .commit(now(), opening_facts("bo"), &[])
            .expect_err(what);
        assert!(
            matches!(error, CommitError::Indeterminate(_)),
            "{what}: {error}"
        );
        let log_bytes = std::fs::read(segment::path(&log, 1)).expect("read");
        for _ in 0..2 {
            let error = store
                .commit(now(), opening_facts("cy"), &[])
                .expect_err(what);
            let CommitError::Failed(error) = error else {
                panic!("{what}: {error}");
            };
            assert!(
                error.text.contains("an earlier write failed; start"),
                "{error}"
            );
        }
        assert_eq!(
            std::fs::read(segment::path(&log, 1)).expect("read"),
            log_bytes
        );
        assert_eq!(store.head().seq, 1);
        assert_eq!(store.accounts(None, 9).expect("it reads on").len(), 1);
        store
            .close()
            .expect_err("it is not known what the log holds");
        drop(store);
        assert!(
            !dir.path().join(clean_shutdown_marker::NAME).exists(),
            "{what}"
        );

        let (store, notices) = open_store(dir.path());
        assert_eq!(store.head().seq, commits, "{what}");
        assert_eq!(
            matches!(notices[0], OpenNotice::TornLineCut { .. }),
            torn,
            "{what}"
        );
        assert!(
            matches!(notices.last(), Some(OpenNotice::ProjectionRebuilt { .. })),
            "{what}"
        );
    }
}

#[test]
fn an_unreadable_projection_is_rebuilt() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_store(dir.path());
    store
        .commit(now(), opening_facts("al"), &[])
        .expect("it commits");
    let unreadable_rows = vec![ProjectionRow::put(Tree::Accounts, "al", b"noise".to_vec())];
    let projection = store.projection().expect("it is open");
    projection
        .write(unreadable_rows, &store.applied)
        .expect("sled takes anything");
    let error = store.accounts(None, 9).expect_err("that is no account");
    let expected = format!(
        "the projection's accounts cannot be read; start maitred again: {} is rebuilt from the log",
        dir.path().join("projection").display()
    );
    assert_eq!(error.text, expected);
    assert_eq!(store.is_empty().expect_err("in doubt").text, expected);
    let error = store
        .commit(now(), opening_facts("bo"), &[])
        .expect_err("in doubt");
    assert!(matches!(error, CommitError::Failed(_)), "{error}");
    store.close().expect_err("it is not to be trusted");
    drop(store);
    let (store, notices) = open_store(dir.path());
    assert!(
        matches!(notices[..], [OpenNotice::ProjectionRebuilt { .. }]),
        "{notices:?}"
    );
    assert_eq!(store.accounts(None, 9).expect("it reads").len(), 1);
}
