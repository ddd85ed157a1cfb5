//! The store of a running process: the end of the log, and the fold beside it.
//!
//! A commit is made when its line is durable, and not before. What goes wrong after that cannot
//! unmake it: when sled then fails, the commit is answered with `Ok`, the fold is in doubt, and
//! every later read and write is refused with a text that says to start again. The next start
//! finds no mark of a clean end and makes the fold anew.

use std::path::{Path, PathBuf};

use super::catalogue;
use super::credits_back::filled_in;
use super::lock::Lock;
use super::log::append::{AppendError, Appender};
use super::marker::{self, Applied, Marker};
use super::overlay::{Base, Overlay};
use super::port::{CommitError, Expected, Head, Store, StoreError, Subject, Verified, Written};
use super::record::fact;
use super::sent::SentMarks;
use super::sled::fold::{Fold, refusal};
use super::sled::keys::{self, Tree};
use super::sled::rows;
use crate::domain::account::Account;
use crate::domain::fact::{Commit, Fact, MAX_FACTS};
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{ApplyError, Given};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Time, kept};
use crate::domain::unresolved::{Unresolved, UnresolvedRank};

/// The log's folder in the store's directory.
pub const LOG: &str = "log";

/// The store on disk.
pub struct LogStore {
    dir: PathBuf,
    log: Appender,
    /// `None` once closed.
    fold: Option<Fold>,
    applied: Applied,
    sent: SentMarks,
    /// The last to be let go of: until then the fold is still being written.
    _lock: Lock,
}

impl LogStore {
    /// Puts together what `open` has checked.
    pub(super) fn new(
        dir: &Path,
        lock: Lock,
        log: Appender,
        (fold, applied): (Fold, Applied),
        sent: SentMarks,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            _lock: lock,
            log,
            fold: Some(fold),
            applied,
            sent,
        }
    }

    /// The directory that holds all of it.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    pub(super) fn fold(&self) -> Result<&Fold, StoreError> {
        self.fold.as_ref().ok_or_else(|| StoreError {
            text: "use the store: it was closed".to_owned(),
            source: None,
        })
    }

    pub(super) fn applied(&self) -> Applied {
        self.applied
    }

    /// What the facts change, when they fit.
    fn judge(&self, commit: &Commit) -> Result<Vec<rows::Row>, CommitError> {
        let fold = self.fold().map_err(CommitError::Failed)?;
        let mut overlay = Overlay::new(fold);
        overlay.apply(commit).map_err(refused)?;
        Ok(rows::rows(overlay.changes()).collect())
    }

    /// Brings a durable commit into the fold, or puts the fold in doubt.
    fn fold_in(&self, mut rows: Vec<rows::Row>) -> Result<(), StoreError> {
        let fold = self.fold()?;
        rows.extend(fold.mark(self.applied.seq, self.applied.place));
        fold.write(rows, &self.applied)
    }
}

impl Store for LogStore {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Head, CommitError> {
        if self.log.is_broken() {
            return Err(CommitError::Failed(refusal(&AppendError::Broken)));
        }
        check_expected(self.fold().map_err(CommitError::Failed)?, expected)?;
        if facts.is_empty() {
            return Ok(self.head());
        }
        let fold = self.fold().map_err(CommitError::Failed)?;
        let facts = filled_in(fold, kept(at), facts)?;
        let (text, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.applied.seq + 1,
            at: kept(at),
            facts,
        };
        let rows = self.judge(&commit)?;
        let appended = self.log.append(commit.at, &text).map_err(not_appended)?;
        assert_eq!(appended.seq, commit.seq, "log and fold count alike");
        self.applied = Applied {
            seq: appended.seq,
            hash: appended.hash,
            place: appended.place,
        };
        self.sent.committed(&commit.facts);
        if let Err(error) = self.fold_in(rows) {
            tracing::error!(seq = commit.seq, %error, "the commit stands, but must be folded anew");
        }
        Ok(self.head())
    }

    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError> {
        self.sent.put(request, at)
    }

    fn marked(&self, request: &RequestId) -> Option<Time> {
        self.sent.get(request)
    }

    fn head(&self) -> Head {
        Head {
            seq: self.applied.seq,
            hash: self.applied.hash.to_string(),
        }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.fold()?.account(id)?.map(|kept| kept.record))
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        catalogue::resolve(self.fold()?, address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let after = after.map(|id| id.as_str().as_bytes());
        let mut accounts = Vec::new();
        for key in self.fold()?.keys(Tree::Accounts, after, limit)? {
            let id = named(&key, AccountId::parse)?;
            accounts.extend(self.account(&id)?);
        }
        Ok(accounts)
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.fold()?.keys(Tree::Accounts, None, 1)?.is_empty())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        self.fold()?.ledger_state()
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        self.fold()?.given(reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(self.fold()?.request(id)?.map(|kept| kept.record))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        catalogue::request_of(self.fold()?, booking)
    }

    fn open_intents(&self, limit: usize) -> Result<Vec<Request>, StoreError> {
        let fold = self.fold()?;
        let ids = open_ids(fold, limit)?;
        ids.iter().map(|id| catalogue::request(fold, id)).collect()
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let fold = self.fold()?;
        let after = after.map(|(end, id)| keys::timed(*end, id.as_str()));
        let keys = fold.keys(Tree::Noted, after.as_deref(), limit)?;
        let ids = keys
            .iter()
            .map(|key| named(keys::timed_name(key), RequestId::parse));
        ids.map(|id| catalogue::request(fold, &id?)).collect()
    }

    fn declined(&self, since: Time, until: Time, limit: usize) -> Result<Vec<Time>, StoreError> {
        if since >= until {
            return Ok(Vec::new());
        }
        let span = keys::timed_between(since, until);
        let found = self.fold()?.last_keys(Tree::Declined, span, limit)?;
        Ok(found
            .iter()
            .filter_map(|key| keys::read_time(key))
            .collect())
    }

    fn wrong_pins(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        let fold = self.fold()?;
        let span = keys::timed_between(since, Time::MAX_UTC);
        let found = fold.last_keys(Tree::WrongPins, span, limit)?;
        let ids = found
            .iter()
            .map(|key| named(keys::timed_name(key), RequestId::parse));
        ids.map(|id| catalogue::request(fold, &id?)).collect()
    }

    fn asked_by(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let fold = self.fold()?;
        let span = keys::owned_since(booker.as_str(), since);
        let keys = fold.last_keys(Tree::Asked, span, limit)?;
        let ids = keys
            .iter()
            .map(|key| named(keys::owned_name(key), RequestId::parse));
        ids.map(|id| catalogue::request(fold, &id?)).collect()
    }

    fn decided(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        catalogue::decided(self.fold()?, since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(self.fold()?.charge(booking)?.map(|kept| kept.record))
    }

    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let after = after.map(|uid| uid.as_str().as_bytes());
        let mut charges = Vec::new();
        for key in self.fold()?.keys(Tree::Live, after, limit)? {
            let uid = named(&key, BookingUid::parse)?;
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
        let span = keys::owned_between(account.as_str(), from, to);
        let mut charges = Vec::new();
        for key in self.fold()?.first_keys(Tree::Standing, span, limit)? {
            let uid = named(keys::owned_name(&key), BookingUid::parse)?;
            charges.extend(self.charge(&uid)?);
        }
        Ok(charges)
    }

    fn unresolved(
        &self,
        after: Option<&Unresolved>,
        limit: usize,
    ) -> Result<Vec<Unresolved>, StoreError> {
        let fold = self.fold()?;
        let after = after.map(Unresolved::rank);
        let after = after.map(|rank| keys::timed(rank.until, &rank.name));
        let keys = fold.keys(Tree::Listed, after.as_deref(), limit)?;
        keys.iter()
            .map(|key| {
                let rank = rank(key)?;
                let uid = rank.name.split(' ').next().unwrap_or_default();
                let uid = named(uid.as_bytes(), BookingUid::parse)?;
                catalogue::listed(fold, &uid, &rank)
            })
            .collect()
    }

    fn unresolved_of(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        self.fold()?.unresolved(booking)
    }

    fn history(
        &self,
        subject: &Subject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Written>, StoreError> {
        catalogue::history(self.fold()?, subject, before, limit)
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        let verified = LogStore::verify(self, &mut |_| {}).map_err(|error| refusal(&error))?;
        let mut differences = verified.differences;
        if verified.more > 0 {
            differences.push(format!("and {} more", verified.more));
        }
        Ok(Verified {
            commits: verified.commits,
            facts: verified.facts,
            compared: true,
            differences,
        })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some(fold) = self.fold.take() else {
            return Ok(());
        };
        if self.log.is_broken() {
            return Err(refusal(&AppendError::Broken));
        }
        let print = fold.close()?;
        let applied = self.applied;
        Ok(marker::write(&self.dir, &Marker { applied, print })?)
    }
}

/// The names of the intents that are not settled, oldest decision first.
pub(super) fn open_ids(fold: &Fold, limit: usize) -> Result<Vec<RequestId>, StoreError> {
    let keys = fold.keys(Tree::Open, None, limit)?;
    keys.iter()
        .map(|key| named(keys::timed_name(key), RequestId::parse))
        .collect()
}

/// Whether the accounts are still as the caller saw them.
pub(super) fn check_expected<B: Base>(base: &B, expected: &[Expected]) -> Result<(), CommitError> {
    for expected in expected {
        let account = base
            .account(&expected.account)
            .map_err(CommitError::Failed)?;
        if account.map(|kept| kept.record.version) != expected.version {
            return Err(CommitError::Conflict(expected.account.clone()));
        }
    }
    Ok(())
}

/// The facts as they are written, and as they will be read again: what cannot be read back is
/// refused before it stands in the log for ever.
pub(super) fn check_facts(facts: &[Fact]) -> Result<(Vec<u8>, Vec<Fact>), CommitError> {
    if facts.len() > MAX_FACTS {
        let text = format!(
            "make a commit of {} facts: at most {MAX_FACTS} stand or fall together; split it",
            facts.len()
        );
        return Err(CommitError::Failed(StoreError { text, source: None }));
    }
    let text = fact::write(facts);
    let read = text.and_then(|text| fact::read(&text).map(|facts| (text, facts)));
    read.map_err(|error| CommitError::Failed(refusal(&error)))
}

fn refused(error: ApplyError<StoreError>) -> CommitError {
    match error {
        ApplyError::Violation(violation) => CommitError::Violation(violation),
        ApplyError::Read(error) => CommitError::Failed(error),
    }
}

fn not_appended(error: AppendError) -> CommitError {
    match error {
        AppendError::Broken
        | AppendError::TooLong(_)
        | AppendError::Clock
        | AppendError::Segment(_) => CommitError::Failed(refusal(&error)),
        AppendError::Write { .. } => CommitError::Indeterminate(refusal(&error)),
    }
}

/// The place in the unresolved list that a key stands for.
fn rank(key: &[u8]) -> Result<UnresolvedRank, StoreError> {
    let name = named(keys::timed_name(key), |name| Ok::<_, ()>(name.to_owned()))?;
    let until = keys::read_time(key).unwrap_or_default();
    Ok(UnresolvedRank { until, name })
}

fn named<T, E>(key: &[u8], parse: impl Fn(&str) -> Result<T, E>) -> Result<T, StoreError> {
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

    use super::super::log::segment::{self, SEGMENT_LIMIT, Sink};
    use super::super::log::walk::Walk;
    use super::super::open::{self, Create, Notice};
    use super::super::sled::rows::Row;
    use super::*;

    /// A disk that takes so many bytes and then fails, or fails to sync.
    struct Failing {
        file: File,
        takes: usize,
    }

    impl Sink for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            let taken = bytes.len().min(self.takes);
            self.file.write_all(&bytes[..taken])?;
            if taken < bytes.len() {
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

    fn open(path: &Path) -> (LogStore, Vec<Notice>) {
        let opened = open::open(path, Create::Yes, now(), &mut |_| {}).expect("it opens");
        (opened.store, opened.notices)
    }

    fn opened_fact(name: &str) -> Vec<Fact> {
        let account = AccountId::parse(name).expect("a name");
        vec![Fact::Opened { account }]
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_written() {
        let rows = [
            ("nothing was taken", 0, 1, false),
            ("half of it was", 40, 1, true),
            ("all of it was, but not synced", usize::MAX, 2, false),
        ];
        for (what, takes, commits, torn) in rows {
            let dir = tempfile::tempdir().expect("a directory");
            let (mut store, _) = open(dir.path());
            store
                .commit(now(), opened_fact("al"), &[])
                .expect("it commits");
            let log = dir.path().join(LOG);
            let mut walk = Walk::start(&log).expect("it is a log");
            while walk.line().expect("it is whole").is_some() {}
            let end = walk.end();
            let file = segment::open_end(&log, 1).expect("it opens");
            let sink = Box::new(Failing { file, takes });
            store.log = Appender::new(
                &log,
                &end,
                end.ledger.expect("format 2"),
                sink,
                SEGMENT_LIMIT,
            );

            let error = store.commit(now(), opened_fact("bo"), &[]).expect_err(what);
            assert!(
                matches!(error, CommitError::Indeterminate(_)),
                "{what}: {error}"
            );
            let left = std::fs::read(segment::path(&log, 1)).expect("read");
            for _ in 0..2 {
                let error = store.commit(now(), opened_fact("cy"), &[]).expect_err(what);
                let CommitError::Failed(error) = error else {
                    panic!("{what}: {error}");
                };
                assert!(
                    error.text.contains("an earlier write failed; start"),
                    "{error}"
                );
            }
            assert_eq!(std::fs::read(segment::path(&log, 1)).expect("read"), left);
            assert_eq!(store.head().seq, 1);
            assert_eq!(store.accounts(None, 9).expect("it reads on").len(), 1);
            store
                .close()
                .expect_err("it is not known what the log holds");
            drop(store);
            assert!(!dir.path().join(marker::NAME).exists(), "{what}");

            let (store, notices) = open(dir.path());
            assert_eq!(store.head().seq, commits, "{what}");
            assert_eq!(matches!(notices[0], Notice::Torn { .. }), torn, "{what}");
            assert!(
                matches!(notices.last(), Some(Notice::Rebuilt { .. })),
                "{what}"
            );
        }
    }

    #[test]
    fn a_fold_that_cannot_be_read_is_not_used_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut store, _) = open(dir.path());
        store
            .commit(now(), opened_fact("al"), &[])
            .expect("it commits");
        let noise = vec![Row::put(Tree::Accounts, "al", b"noise".to_vec())];
        let fold = store.fold().expect("it is open");
        fold.write(noise, &store.applied)
            .expect("sled takes anything");
        let error = store.accounts(None, 9).expect_err("that is no account");
        let expect = format!(
            "the fold's accounts cannot be read; start maitred again: {} is rebuilt from the log",
            dir.path().join("fold").display()
        );
        assert_eq!(error.text, expect);
        assert_eq!(store.is_empty().expect_err("in doubt").text, expect);
        let error = store
            .commit(now(), opened_fact("bo"), &[])
            .expect_err("in doubt");
        assert!(matches!(error, CommitError::Failed(_)), "{error}");
        store.close().expect_err("it is not to be trusted");
        drop(store);
        let (store, notices) = open(dir.path());
        assert!(
            matches!(notices[..], [Notice::Rebuilt { .. }]),
            "{notices:?}"
        );
        assert_eq!(store.accounts(None, 9).expect("it reads").len(), 1);
    }
}
