//! The rewrite of an open store's log. The new log and its projection are made next to the old ones,
//! compared with them, and put in their place (`log_switch`).

use std::path::Path;

use super::clean_shutdown_marker::{self, Marker};
use super::erasure_list::ErasureList;
use super::log::append::AppendError;
use super::log::reader::LogReader;
use super::log_store::{LOG, LogStore};
use super::log_switch;
use super::open;
use super::port::{Head, RewriteOrder, RewriteReport, Store, StoreError};
use super::projection_recovery;
use super::record_source::RecordSource;
use super::rewrite::{self, RewrittenLog};
use super::sled::projection::Projection;
use super::store_error::to_store_error;
use super::store_parts::StoreParts;
use crate::domain::account::Account;
use crate::domain::erasure::Redaction;
use crate::domain::id::AccountId;
use crate::domain::progress::Progress;
use crate::domain::time::Time;

/// How many accounts are compared at once.
const ACCOUNTS_AT_ONCE: usize = 1_000;

/// The first step: the new log is written.
pub const LOG_WRITTEN: &str = "write the new log";
/// The second step: the new projection is made and closed.
pub const PROJECTION_MADE: &str = "make the new projection";
/// The third step: the list of erasures is written, too.
pub const ALL_PREPARED: &str = "prepare everything";
/// The step that counts: those after it (`log_switch::STEPS`) are repeated by the next start.
pub const DECIDED: &str = "decide";

/// Called after each step. An error stops the rewrite there, like a crash.
pub type AfterStep<'a> = &'a mut dyn FnMut(&'static str) -> Result<(), StoreError>;

impl LogStore {
    /// Rewrites the log like [`super::port::Maintenance::rewrite`], and calls `after` after each step.
    ///
    /// # Errors
    /// Like that method, and with the error of `after`, which stops the rewrite like a crash.
    pub fn rewrite_with(
        &mut self,
        order: RewriteOrder,
        progress: &mut dyn FnMut(Progress),
        after: AfterStep<'_>,
    ) -> Result<RewriteReport, StoreError> {
        if self.log.is_broken() {
            return Err(to_store_error(&AppendError::Broken));
        }
        self.projection()?;
        let at = order.at;
        let replaced = self.head();
        let prepared = self.prepare_rewrite(order, progress, after);
        let changed = match prepared {
            Ok(0) => {
                log_switch::give_up(&self.dir);
                return Ok(RewriteReport {
                    head: replaced.clone(),
                    replaced,
                    changed: 0,
                });
            }
            Ok(changed) => changed,
            Err(error) => {
                log_switch::give_up(&self.dir);
                return Err(error);
            }
        };
        // From here on the store of this process can only be used if everything succeeds.
        let projection = self.projection.take();
        let switched = log_switch::decide(&self.dir)
            .map_err(StoreError::from)
            .and_then(|()| after(DECIDED))
            .and_then(|()| self.switch(projection, at, progress, after));
        switched.map_err(|error| StoreError {
            text: format!(
                "the log was written again, but not put in place completely ({}); start maitred \
                 again: it completes the rewrite",
                error.text
            ),
            source: error.source,
        })?;
        Ok(RewriteReport {
            replaced,
            changed,
            head: self.head(),
        })
    }

    /// Makes the new log with its projection and the list of erasures. Returns how many commits
    /// were changed.
    fn prepare_rewrite(
        &self,
        order: RewriteOrder,
        progress: &mut dyn FnMut(Progress),
        after: AfterStep<'_>,
    ) -> Result<u64, StoreError> {
        let RewriteOrder {
            mut redaction,
            closing,
            at,
        } = order;
        let log = self.dir.join(LOG);
        rewrite::survey(&log, &mut redaction, progress)?;
        if !rewrite::would_change(&log, &redaction, progress)? {
            return Ok(0);
        }
        let folder = log_switch::prepare(&self.dir)?;
        let limit = self.limits.segment_bytes;
        let places = (log.as_path(), folder.join(LOG));
        let places = (places.0, places.1.as_path());
        let rewritten = rewrite::rewrite(places, &redaction, (at, &closing), limit, progress)?;
        self.check_end(&rewritten)?;
        after(LOG_WRITTEN)?;
        self.make_projection(&folder, &redaction, progress)?;
        after(PROJECTION_MADE)?;
        let names = redaction
            .persons()
            .iter()
            .flat_map(|person| person.replacements());
        log_switch::write_names(&folder, names)?;
        let mut list = ErasureList::read(&self.dir).map_err(|error| to_store_error(&error))?;
        for person in redaction.persons() {
            let pseudonym = person.account_pseudonym();
            let id = (person.id(), pseudonym.as_str());
            list.add([list.new_entry(id, at, rewritten.replaced, person.names())]);
        }
        list.write(&folder)?;
        after(ALL_PREPARED)?;
        Ok(rewritten.changed)
    }

    /// Checks that the log was read to the store's last commit.
    fn check_end(&self, rewritten: &RewrittenLog) -> Result<(), StoreError> {
        let read = Head {
            seq: rewritten.replaced.seq,
            hash: rewritten.replaced.hash.to_string(),
        };
        if read == self.head() {
            return Ok(());
        }
        Err(StoreError {
            text: format!(
                "rewrite the log: it ends with commit {} and not with {}; `maitred ledger verify` \
                 shows whether the ledger is intact",
                read.seq,
                self.head().seq
            ),
            source: None,
        })
    }

    /// Makes the projection of the new log, which checks that its facts fit, and compares its
    /// accounts with the present ones.
    fn make_projection(
        &self,
        folder: &Path,
        redaction: &Redaction,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let mut reader = LogReader::open(&folder.join(LOG)).map_err(|e| to_store_error(&e))?;
        while reader
            .next_line()
            .map_err(|e| to_store_error(&e))?
            .is_some()
        {}
        let end = reader.end();
        let records = self.limits.max_records;
        let (projection, applied) = projection_recovery::open_projection(
            folder,
            None,
            &end,
            records,
            progress,
            &mut Vec::new(),
        )
        .map_err(|error| to_store_error(&error))?;
        self.compare_accounts(&projection, redaction)?;
        let fingerprint = projection.close()?;
        let marker = Marker {
            applied,
            fingerprint,
        };
        Ok(clean_shutdown_marker::write(folder, &marker)?)
    }

    /// Checks that every account has the sums that it had, under its name or its pseudonym.
    fn compare_accounts(
        &self,
        rewritten: &Projection,
        redaction: &Redaction,
    ) -> Result<(), StoreError> {
        let mut after = None;
        let mut count = 0;
        loop {
            let page = self.accounts(after.as_ref(), ACCOUNTS_AT_ONCE)?;
            count += page.len();
            for account in &page {
                let id = new_id(redaction, &account.id);
                let new = rewritten.account(&id)?.map(|versioned| versioned.record);
                if !new.is_some_and(|new| has_same_sums(account, &new)) {
                    return Err(refuse_other_sums());
                }
            }
            match page.last() {
                Some(last) if page.len() == ACCOUNTS_AT_ONCE => after = Some(last.id.clone()),
                Some(_) | None => break,
            }
        }
        let mut after = None;
        loop {
            let page = rewritten.accounts(after.as_ref(), ACCOUNTS_AT_ONCE)?;
            count = count.wrapping_sub(page.len());
            match page.last() {
                Some(last) if page.len() == ACCOUNTS_AT_ONCE => after = Some(last.id.clone()),
                Some(_) | None => break,
            }
        }
        if count == 0 {
            Ok(())
        } else {
            Err(refuse_other_sums())
        }
    }

    /// Puts the prepared files in place, and opens them.
    fn switch(
        &mut self,
        projection: Option<Projection>,
        at: Time,
        progress: &mut dyn FnMut(Progress),
        after: AfterStep<'_>,
    ) -> Result<(), StoreError> {
        // Its files are about to be removed, so a failure to write them does not matter; only that
        // they are released does, which the closing waits for.
        if let Some(projection) = projection
            && let Err(error) = projection.close()
        {
            tracing::debug!(%error, "the old projection was not closed");
        }
        log_switch::complete::<StoreError>(&self.dir, after)?;
        let mut notices = Vec::new();
        let StoreParts {
            appender,
            projection,
            applied,
            sent_marks,
        } = open::open_parts(&self.dir, at, self.limits, progress, &mut notices)
            .map_err(|error| to_store_error(&error))?;
        self.log = appender;
        self.projection = Some(projection);
        self.applied = applied;
        self.sent_marks = sent_marks;
        Ok(())
    }
}

fn new_id(redaction: &Redaction, id: &AccountId) -> AccountId {
    let mut persons = redaction.persons().iter();
    let new = persons.find_map(|person| person.new_account(id));
    new.unwrap_or_else(|| id.clone())
}

fn has_same_sums(old: &Account, new: &Account) -> bool {
    let remaining =
        |account: &Account| -> u64 { account.lots.iter().map(|lot| lot.remaining).sum() };
    old.totals == new.totals && old.lots.len() == new.lots.len() && remaining(old) == remaining(new)
}

fn refuse_other_sums() -> StoreError {
    StoreError {
        text: "rewrite the log: the sums of an account would not be the same, which is a defect; \
               nothing was changed; please report it"
            .to_owned(),
        source: None,
    }
}
