//! The store of a running process: the end of the log, and the projection.
//!
//! A commit is made when its line is durable, and not before. Later failures cannot undo the
//! commit: if sled then fails, `commit` still returns `Ok`, the projection is in doubt, and every
//! later read and write is refused with a text that asks for a restart. The next start finds no
//! clean shutdown marker and rebuilds the projection.

use std::path::{Path, PathBuf};

use super::clean_shutdown_marker::{self, AppliedCommit, Marker};
use super::codec::fact;
use super::commit_preparation::prepare_facts;
use super::lock::Lock;
use super::log::append::{AppendError, Appender};
use super::port::{
    CommitError, ExpectedVersion, Head, HistorySubject, LogVerification, LoggedFact, Store,
    StoreError,
};
use super::queries;
use super::sent_marks::SentMarks;
use super::sled::keys::{self, Tree};
use super::sled::projection::{Projection, to_store_error};
use super::sled::rows;
use super::write_set::{RecordSource, WriteSet};
use crate::domain::account::Account;
use crate::domain::fact::{Commit, Fact, MAX_FACTS};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::ApplyError;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// The log's folder in the store's directory.
pub const LOG: &str = "log";

/// The store on disk.
pub struct LogStore {
    dir: PathBuf,
    log: Appender,
    /// `None` once closed.
    projection: Option<Projection>,
    applied: AppliedCommit,
    sent_marks: SentMarks,
    /// Released last, because the projection is still being written until then.
    _lock: Lock,
}

impl LogStore {
    /// Creates the store from the parts that `open` has checked.
    pub(super) fn new(
        dir: &Path,
        lock: Lock,
        log: Appender,
        (projection, applied): (Projection, AppliedCommit),
        sent_marks: SentMarks,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            _lock: lock,
            log,
            projection: Some(projection),
            applied,
            sent_marks,
        }
    }

    /// Returns the store's directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    pub(super) fn projection(&self) -> Result<&Projection, StoreError> {
        self.projection.as_ref().ok_or_else(|| StoreError {
            text: "use the store: it was closed".to_owned(),
            source: None,
        })
    }

    pub(super) fn applied(&self) -> AppliedCommit {
        self.applied
    }

    /// Returns the rows that the commit changes, if its facts fit the records.
    fn rows_for_commit(&self, commit: &Commit) -> Result<Vec<rows::ProjectionRow>, CommitError> {
        let projection = self.projection().map_err(CommitError::Failed)?;
        let mut write_set = WriteSet::new(projection);
        write_set.apply(commit).map_err(commit_error_from_apply)?;
        Ok(rows::into_rows(write_set.into_changes()).collect())
    }

    /// Writes the rows of a durable commit to the projection. A failure puts the projection in
    /// doubt.
    fn apply_to_projection(&self, mut rows: Vec<rows::ProjectionRow>) -> Result<(), StoreError> {
        let projection = self.projection()?;
        rows.extend(projection.position_row(self.applied.seq, self.applied.position));
        projection.write(rows, &self.applied)
    }
}

impl Store for LogStore {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[ExpectedVersion],
    ) -> Result<Head, CommitError> {
        if self.log.is_broken() {
            return Err(CommitError::Failed(to_store_error(&AppendError::Broken)));
        }
        check_expected(self.projection().map_err(CommitError::Failed)?, expected)?;
        if facts.is_empty() {
            return Ok(self.head());
        }
        let projection = self.projection().map_err(CommitError::Failed)?;
        let facts = prepare_facts(projection, truncate_to_millis(at), facts)?;
        let (text, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.applied.seq + 1,
            at: truncate_to_millis(at),
            facts,
        };
        let rows = self.rows_for_commit(&commit)?;
        let appended = self
            .log
            .append(commit.at, &text)
            .map_err(commit_error_from_append)?;
        assert_eq!(appended.seq, commit.seq, "log and fold count alike");
        self.applied = AppliedCommit {
            seq: appended.seq,
            hash: appended.hash,
            position: appended.position,
        };
        self.sent_marks.forget_committed(&commit.facts);
        if let Err(error) = self.apply_to_projection(rows) {
            tracing::error!(seq = commit.seq, %error, "the commit is in the log, but the projection must be rebuilt");
        }
        Ok(self.head())
    }

    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError> {
        self.sent_marks.put(request, at)
    }

    fn sent_mark(&self, request: &RequestId) -> Option<Time> {
        self.sent_marks.get(request)
    }

    fn head(&self) -> Head {
        Head {
            seq: self.applied.seq,
            hash: self.applied.hash.to_string(),
        }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self
            .projection()?
            .account(id)?
            .map(|versioned| versioned.record))
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        queries::resolve(self.projection()?, address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let after = after.map(|id| id.as_str().as_bytes());
        let mut accounts = Vec::new();
        for key in self.projection()?.keys(Tree::Accounts, after, limit)? {
            let id = parse_key_name(&key, AccountId::parse)?;
            accounts.extend(self.account(&id)?);
        }
        Ok(accounts)
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.projection()?.keys(Tree::Accounts, None, 1)?.is_empty())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        self.projection()?.ledger_state()
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.projection()?.grant_record(reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(self
            .projection()?
            .request(id)?
            .map(|versioned| versioned.record))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        queries::request_of(self.projection()?, booking)
    }

    fn open_intents(&self, limit: usize) -> Result<Vec<Request>, StoreError> {
        let projection = self.projection()?;
        let ids = open_intent_ids(projection, limit)?;
        ids.iter()
            .map(|id| queries::indexed_request(projection, id))
            .collect()
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let projection = self.projection()?;
        let after = after.map(|(end, id)| keys::time_key(*end, id.as_str()));
        let keys = projection.keys(Tree::NotedRequests, after.as_deref(), limit)?;
        let ids = keys
            .iter()
            .map(|key| parse_key_name(keys::time_key_name(key), RequestId::parse));
        ids.map(|id| queries::indexed_request(projection, &id?))
            .collect()
    }

    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError> {
        if since >= until {
            return Ok(Vec::new());
        }
        let span = keys::time_key_range(since, until);
        let keys = self
            .projection()?
            .last_keys(Tree::DeclinedRequests, span, limit)?;
        Ok(keys
            .iter()
            .filter_map(|key| keys::decode_time(key))
            .collect())
    }

    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        let projection = self.projection()?;
        let span = keys::time_key_range(since, Time::MAX_UTC);
        let keys = projection.last_keys(Tree::WrongPins, span, limit)?;
        let ids = keys
            .iter()
            .map(|key| parse_key_name(keys::time_key_name(key), RequestId::parse));
        ids.map(|id| queries::indexed_request(projection, &id?))
            .collect()
    }

    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let projection = self.projection()?;
        let span = keys::owner_key_range_since(booker.as_str(), since);
        let keys = projection.last_keys(Tree::RequestsByBooker, span, limit)?;
        let ids = keys
            .iter()
            .map(|key| parse_key_name(keys::owner_key_name(key), RequestId::parse));
        ids.map(|id| queries::indexed_request(projection, &id?))
            .collect()
    }

    fn decided_requests(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        queries::decided_requests(self.projection()?, since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(self
            .projection()?
            .charge(booking)?
            .map(|versioned| versioned.record))
    }

    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let after = after.map(|uid| uid.as_str().as_bytes());
        let mut charges = Vec::new();
        for key in self.projection()?.keys(Tree::LiveCharges, after, limit)? {
            let uid = parse_key_name(&key, BookingUid::parse)?;
            charges.extend(self.charge(&uid)?);
        }
        Ok(charges)
    }

    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let span = keys::owner_key_range(account.as_str(), from, to);
        let mut charges = Vec::new();
        for key in self
            .projection()?
            .first_keys(Tree::CountedCharges, span, limit)?
        {
            let uid = parse_key_name(keys::owner_key_name(&key), BookingUid::parse)?;
            charges.extend(self.charge(&uid)?);
        }
        Ok(charges)
    }

    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        let projection = self.projection()?;
        let after = after.map(UnresolvedBooking::rank);
        let after = after.map(|rank| keys::time_key(rank.until, &rank.name));
        let keys = projection.keys(Tree::OpenUnresolved, after.as_deref(), limit)?;
        keys.iter()
            .map(|key| {
                let rank = parse_rank(key)?;
                let uid = rank.name.split(' ').next().unwrap_or_default();
                let uid = parse_key_name(uid.as_bytes(), BookingUid::parse)?;
                queries::indexed_unresolved_item(projection, &uid, &rank)
            })
            .collect()
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        self.projection()?.unresolved_items_of(booking)
    }

    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError> {
        queries::history(self.projection()?, subject, before, limit)
    }

    fn verify(&self) -> Result<LogVerification, StoreError> {
        let verified =
            LogStore::verify(self, &mut |_| {}).map_err(|error| to_store_error(&error))?;
        let mut differences = verified.differences;
        if verified.unlisted > 0 {
            differences.push(format!("and {} more", verified.unlisted));
        }
        Ok(LogVerification {
            commits: verified.commits,
            facts: verified.facts,
            projection_compared: true,
            differences,
        })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some(projection) = self.projection.take() else {
            return Ok(());
        };
        if self.log.is_broken() {
            return Err(to_store_error(&AppendError::Broken));
        }
        let fingerprint = projection.close()?;
        let applied = self.applied;
        Ok(clean_shutdown_marker::write(
            &self.dir,
            &Marker {
                applied,
                fingerprint,
            },
        )?)
    }
}

/// Returns the ids of the intents that are not settled, oldest decision first.
pub(super) fn open_intent_ids(
    projection: &Projection,
    limit: usize,
) -> Result<Vec<RequestId>, StoreError> {
    let keys = projection.keys(Tree::OpenIntents, None, limit)?;
    keys.iter()
        .map(|key| parse_key_name(keys::time_key_name(key), RequestId::parse))
        .collect()
}

/// Checks that the accounts are still as the caller saw them.
pub(super) fn check_expected<B: RecordSource>(
    source: &B,
    expected: &[ExpectedVersion],
) -> Result<(), CommitError> {
    for expected in expected {
        let account = source
            .account(&expected.account)
            .map_err(CommitError::Failed)?;
        if account.map(|versioned| versioned.record.version) != expected.version {
            return Err(CommitError::Conflict(expected.account.clone()));
        }
    }
    Ok(())
}

/// Returns the facts in their written form, and as they will be read back. Facts that cannot be
/// read back are refused before they are in the log forever.
pub(super) fn check_facts(facts: &[Fact]) -> Result<(Vec<u8>, Vec<Fact>), CommitError> {
    if facts.len() > MAX_FACTS {
        let text = format!(
            "make a commit of {} facts: at most {MAX_FACTS} stand or fall together; split it",
            facts.len()
        );
        return Err(CommitError::Failed(StoreError { text, source: None }));
    }
    let text = fact::write(facts);
    let read_back = text.and_then(|text| fact::read(&text).map(|facts| (text, facts)));
    read_back.map_err(|error| CommitError::Failed(to_store_error(&error)))
}

fn commit_error_from_apply(error: ApplyError<StoreError>) -> CommitError {
    match error {
        ApplyError::Violation(violation) => CommitError::Violation(violation),
        ApplyError::Read(error) => CommitError::Failed(error),
    }
}

fn commit_error_from_append(error: AppendError) -> CommitError {
    match error {
        AppendError::Broken
        | AppendError::TooLong(_)
        | AppendError::TimeOutOfRange
        | AppendError::Segment(_) => CommitError::Failed(to_store_error(&error)),
        AppendError::Write { .. } => CommitError::Indeterminate(to_store_error(&error)),
    }
}

/// Returns the rank in the unresolved list that a key encodes.
fn parse_rank(key: &[u8]) -> Result<UnresolvedRank, StoreError> {
    let name = parse_key_name(keys::time_key_name(key), |name| {
        Ok::<_, ()>(name.to_owned())
    })?;
    let until = keys::decode_time(key).unwrap_or_default();
    Ok(UnresolvedRank { until, name })
}

fn parse_key_name<T, E>(key: &[u8], parse: impl Fn(&str) -> Result<T, E>) -> Result<T, StoreError> {
    let name = std::str::from_utf8(key)
        .ok()
        .and_then(|name| parse(name).ok());
    name.ok_or_else(|| StoreError {
        text: "read a name in the fold: stop maitred, remove the folder `fold` in the store and \
               start again; it is rebuilt from the log"
            .to_owned(),
        source: None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{self, Write};

    use super::super::log::reader::LogReader;
    use super::super::log::segment::{self, SEGMENT_LIMIT, Sink};
    use super::super::open::{self, CreateIfMissing};
    use super::super::open_report::OpenNotice;
    use super::super::sled::rows::ProjectionRow;
    use super::*;

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
        vec![Fact::AccountOpened { account }]
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
                end.ledger.expect("format 2"),
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
            "the fold's accounts cannot be read; start maitred again: {} is rebuilt from the log",
            dir.path().join("fold").display()
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
}
