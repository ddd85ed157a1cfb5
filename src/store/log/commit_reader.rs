//! Reads the commits of a log in order, for readers that need nothing else. Nothing is locked or
//! written: whole lines are read up to the log's end, whether or not a daemon is writing to it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::super::port::{CommitSource, StoreError};
use super::super::store_error::to_store_error;
use super::reader::{LogError, LogReader};
use crate::domain::fact::Commit;

/// The commits of a log. Pages that follow each other are read in one go.
pub struct CommitReader {
    log: PathBuf,
    /// The reader, and the number of the last commit that it has returned.
    place: RefCell<Option<(u64, LogReader)>>,
}

impl CommitReader {
    /// Creates a reader of the log in this folder, which is opened by the first read.
    pub fn new(log: &Path) -> Self {
        Self {
            log: log.to_owned(),
            place: RefCell::new(None),
        }
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Commit>, LogError> {
        let place = self.place.borrow_mut().take();
        let (mut last, mut reader) = match place {
            Some((last, reader)) if last <= after => (last, reader),
            Some(_) | None => (0, LogReader::open(&self.log)?),
        };
        let mut commits = Vec::new();
        while commits.len() < limit {
            let Some(line) = reader.next_line()? else {
                break;
            };
            last = line.seq;
            if last <= after {
                continue;
            }
            let commit = line.commit();
            commits.push(commit.map_err(|fault| reader.last_line_error(fault))?);
        }
        *self.place.borrow_mut() = Some((last, reader));
        Ok(commits)
    }
}

impl CommitSource for CommitReader {
    fn commits(&self, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError> {
        self.read(after, limit)
            .map_err(|error| to_store_error(&error))
    }
}
