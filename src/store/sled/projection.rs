//! Reads and writes rows in sled. Every failure of sled (an error, a panic, a value that cannot be
//! read) puts the projection in doubt: this process no longer reads or writes it, and does not mark
//! it as closed cleanly, so that the next start rebuilds it from the log.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::path::{Path, PathBuf};

use ::sled::transaction::{ConflictableTransactionError, TransactionError};
use ::sled::{Batch, IVec, Transactional};

use super::super::clean_shutdown_marker::AppliedCommit;
use super::super::codec::text::RecordError;
use super::super::durable_fs;
use super::super::log::line::Hash;
use super::super::log::segment::LogPosition;
use super::super::port::StoreError;
use super::super::store_error::to_store_error;
use super::fingerprint;
use super::keys::{self, Tree};
use super::panic_guard::{GuardedSled, ProjectionError, catch_panic, wait_until_released};
use super::rows::ProjectionRow;
use super::value_chunks::{self, CHUNK_COUNT_BYTES};

/// The folder's name in the store's directory.
pub const NAME: &str = "projection";

/// Transactions between two flushes: many more have made sled hang forever.
const FLUSH_EVERY: u32 = 16;

/// Rows in one transaction. A commit with more rows takes several transactions. That is sound,
/// because a projection in which a commit is half applied is never trusted, and `applied` is in the
/// last transaction.
pub const MAX_ROWS: usize = 300;

/// The minimum distance between recorded positions in the log, in bytes. This much is read to find
/// a commit.
const POSITION_EVERY: u64 = 64 * 1024;

/// The projection.
pub struct Projection {
    path: PathBuf,
    pub(super) log: PathBuf,
    sled: GuardedSled,
    doubt: RefCell<Option<String>>,
    last_position: Cell<Option<LogPosition>>,
    unflushed: Cell<u32>,
}

impl Projection {
    /// Opens the projection's folder or creates it. `log` is the folder in which the lines of
    /// commits are found.
    ///
    /// # Errors
    /// When sled refuses or panics; the folder must then be moved aside.
    pub fn open(path: &Path, log: &Path) -> Result<Self, ProjectionError> {
        let projection = Self {
            path: path.to_owned(),
            log: log.to_owned(),
            sled: GuardedSled::open(path)?,
            doubt: RefCell::new(None),
            last_position: Cell::new(None),
            unflushed: Cell::new(0),
        };
        let last_row = catch_panic(|| projection.tree(Tree::CommitPositions).last())?;
        let position =
            last_row.and_then(|(_, value)| keys::decode_position(value.get(CHUNK_COUNT_BYTES..)?));
        projection.last_position.set(position);
        Ok(projection)
    }

    /// Returns the last commit in the projection; `None` if the projection does not name one in
    /// this version's format.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn applied(&self) -> Result<Option<AppliedCommit>, StoreError> {
        let value = self.get(Tree::Meta, keys::APPLIED)?;
        Ok(value.as_deref().and_then(AppliedCommit::parse))
    }

    /// Returns why the projection can no longer be used; `None` if it can.
    pub fn doubt(&self) -> Option<StoreError> {
        let doubt = self.doubt.borrow();
        doubt.as_ref().map(|reason| StoreError {
            text: format!(
                "{reason}; start maitred again: {} is rebuilt from the log",
                self.path.display()
            ),
            source: None,
        })
    }

    /// Returns the row that records where the commit's line begins, if such a row is due.
    pub fn position_row(&self, seq: u64, position: LogPosition) -> Option<ProjectionRow> {
        is_position_row_due(self.last_position.get(), position).then(|| {
            self.last_position.set(Some(position));
            ProjectionRow::put(
                Tree::CommitPositions,
                seq.to_be_bytes(),
                keys::encode_position(position),
            )
        })
    }

    /// Writes the rows and, with the last of them, the record that everything up to `applied` is
    /// there. After an error the projection is in doubt.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write(
        &self,
        mut rows: Vec<ProjectionRow>,
        applied: &AppliedCommit,
    ) -> Result<(), StoreError> {
        rows.push(ProjectionRow::put(
            Tree::Meta,
            keys::APPLIED,
            applied.to_line(),
        ));
        self.write_part(rows)
    }

    /// Writes some rows of an update; [`Self::write`] completes it. After an error the projection
    /// is in doubt.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write_part(&self, rows: Vec<ProjectionRow>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter();
        loop {
            let batch: Vec<ProjectionRow> = rows.by_ref().take(MAX_ROWS).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.run_unless_in_doubt(|| self.sled.write(move |trees| put_all(trees, &batch)))?;
            self.flush_when_due()?;
        }
    }

    fn flush_when_due(&self) -> Result<(), StoreError> {
        self.unflushed.set(self.unflushed.get() + 1);
        if self.unflushed.get() >= FLUSH_EVERY {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes some rows of an update, like [`Self::write_part`], where no row has chunks from
    /// before. That takes half the time, because a transaction reads everything that it overwrites.
    /// After an error the projection is in doubt.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write_new(&self, rows: Vec<ProjectionRow>) -> Result<(), StoreError> {
        let mut batches: BTreeMap<Tree, Batch> = BTreeMap::new();
        for row in rows {
            let Some(value) = row.value else {
                batches.entry(row.tree).or_default().remove(row.key);
                continue;
            };
            let (first, rest) = value_chunks::split_value(&value);
            for (number, part) in (0..).zip(rest) {
                let key = keys::chunk_key(row.tree, &row.key, number);
                batches
                    .entry(Tree::ValueChunks)
                    .or_default()
                    .insert(key, part);
            }
            batches.entry(row.tree).or_default().insert(row.key, first);
        }
        for (tree, batch) in batches {
            let index = tree.index();
            self.run_unless_in_doubt(|| {
                self.sled
                    .write(move |trees| trees[index].apply_batch(batch))
            })?;
            self.flush_when_due()?;
        }
        Ok(())
    }

    /// Writes out what sled has buffered.
    ///
    /// # Errors
    /// When sled fails.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.run_unless_in_doubt(|| self.sled.flush())?;
        self.unflushed.set(0);
        Ok(())
    }

    /// Flushes, releases the files and makes them durable, and returns their fingerprint.
    ///
    /// # Errors
    /// When any of these steps fails, or the projection is in doubt.
    pub fn close(self) -> Result<Hash, StoreError> {
        self.flush()?;
        let Self { path, mut sled, .. } = self;
        sled.release()
            .and_then(|()| wait_until_released(&path))
            .map_err(|error| to_store_error(&error))?;
        durable_fs::sync_tree(&path)?;
        Ok(fingerprint::fingerprint(&path)?)
    }

    /// Returns up to `limit` keys of a tree, starting after the given key.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn keys(
        &self,
        tree: Tree,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<IVec>, StoreError> {
        self.run_guarded(|| {
            let after = after.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = self.tree(tree).range::<&[u8], _>((after, Bound::Unbounded));
            rows.take(limit).map(|row| Ok(row?.0)).collect()
        })
    }

    /// Returns the first keys of a range of a tree, up to `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn first_keys(
        &self,
        tree: Tree,
        span: Range<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<IVec>, StoreError> {
        self.run_guarded(|| {
            let rows = self.tree(tree).range(span);
            rows.take(limit).map(|row| Ok(row?.0)).collect()
        })
    }

    /// Returns the last keys of a range of a tree, the last key first, up to `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn last_keys(
        &self,
        tree: Tree,
        span: Range<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<IVec>, StoreError> {
        self.run_guarded(|| {
            let rows = self.tree(tree).range(span).rev();
            rows.take(limit).map(|row| Ok(row?.0)).collect()
        })
    }

    /// Calls `each` for every row of a tree, with long values put together.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn for_each_row(
        &self,
        tree: Tree,
        mut each: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let mut rows = self.tree(tree).iter();
        while let Some((key, value)) = self.run_guarded(|| rows.next().transpose())? {
            each(&key, &self.join_chunks(tree, &key, value)?);
        }
        Ok(())
    }

    pub(super) fn tree(&self, tree: Tree) -> &::sled::Tree {
        &self.sled.trees()[tree.index()]
    }

    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.run_guarded(|| self.tree(tree).get(key))?;
        value
            .map(|value| self.join_chunks(tree, key, value))
            .transpose()
    }

    /// Returns a value with its chunks appended.
    pub(super) fn join_chunks(
        &self,
        tree: Tree,
        key: &[u8],
        value: IVec,
    ) -> Result<Vec<u8>, StoreError> {
        let chunk_count = value_chunks::read_chunk_count(&value);
        let Some(first) = value.get(CHUNK_COUNT_BYTES..) else {
            return Err(self.mark_unreadable(tree));
        };
        let mut joined_value = first.to_vec();
        for number in 0..chunk_count {
            let key = keys::chunk_key(tree, key, number);
            match self.run_guarded(|| self.tree(Tree::ValueChunks).get(&key))? {
                Some(part) => joined_value.extend_from_slice(&part),
                None => return Err(self.mark_unreadable(tree)),
            }
        }
        Ok(joined_value)
    }

    pub(super) fn read<T>(
        &self,
        tree: Tree,
        key: &[u8],
        read: impl Fn(&[u8]) -> Result<T, RecordError>,
    ) -> Result<Option<T>, StoreError> {
        let Some(value) = self.get(tree, key)? else {
            return Ok(None);
        };
        read(&value)
            .map(Some)
            .map_err(|_| self.mark_unreadable(tree))
    }

    /// Puts the projection in doubt, because this version cannot have written what it holds.
    pub(super) fn mark_unreadable(&self, tree: Tree) -> StoreError {
        self.put_in_doubt(format!("the projection's {} cannot be read", tree.name()))
    }

    fn put_in_doubt(&self, reason: String) -> StoreError {
        self.doubt.borrow_mut().get_or_insert(reason);
        self.doubt().expect("it was just put in doubt")
    }

    /// Reads from sled unless the projection is in doubt. A failure puts the projection in doubt.
    pub(super) fn run_guarded<T>(
        &self,
        run: impl FnOnce() -> Result<T, ::sled::Error>,
    ) -> Result<T, StoreError> {
        self.run_unless_in_doubt(|| catch_panic(run))
    }

    fn run_unless_in_doubt<T>(
        &self,
        run: impl FnOnce() -> Result<T, ProjectionError>,
    ) -> Result<T, StoreError> {
        if let Some(error) = self.doubt() {
            return Err(error);
        }
        run().map_err(|error| self.put_in_doubt(to_store_error(&error).text))
    }
}

/// Writes or removes the rows, all or none.
fn put_all(trees: &[::sled::Tree], rows: &[ProjectionRow]) -> Result<(), ::sled::Error> {
    let transaction = trees.transaction(|trees| {
        for row in rows {
            value_chunks::put_row(trees, row)?;
        }
        Ok::<(), ConflictableTransactionError<()>>(())
    });
    match transaction {
        Ok(()) => Ok(()),
        Err(TransactionError::Storage(error)) => Err(error),
        Err(TransactionError::Abort(())) => unreachable!("nothing aborts it"),
    }
}

/// Returns true if the position of the line at `position` is recorded, given the last recorded
/// position.
pub fn is_position_row_due(last: Option<LogPosition>, position: LogPosition) -> bool {
    last.is_none_or(|last| {
        last.segment != position.segment || position.offset >= last.offset + POSITION_EVERY
    })
}
