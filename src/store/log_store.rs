//! The store of a running process: the end of the log, and the projection.
//!
//! A commit is made when its line is durable, and not before. Later failures cannot undo the
//! commit: if sled then fails, `commit` still returns `Ok`, the projection is in doubt, and every
//! later read and write is refused with a text that asks for a restart. The next start finds no
//! clean shutdown marker and rebuilds the projection.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::changes::Changes;
use super::clean_shutdown_marker::{self, AppliedCommit, Marker};
use super::commit_preparation::{check_expected, check_facts, prepare_facts, to_commit_error};
use super::lock::Lock;
use super::log::append::{AppendError, Appender};
use super::port::{
    CommitError, CommitSource, Committed, Head, HistorySubject, LogVerification, LoggedFact,
    Maintenance, RewriteOrder, RewriteReport, Store, StoreError,
};
use super::queries;
use super::record_source::RecordSource;
use super::sent_marks::SentMarks;
use super::sled::projection::Projection;
use super::sled::rows;
use super::store_error::to_store_error;
use super::store_parts::{StoreLimits, StoreParts};
use super::write_set::WriteSet;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::expected::Expected;
use crate::domain::fact::{Commit, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::progress::Progress;
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::UnresolvedBooking;

/// The log's folder in the store's directory.
pub const LOG: &str = "log";

/// The store on disk.
pub struct LogStore {
    pub(super) dir: PathBuf,
    pub(super) log: Appender,
    /// `None` once closed.
    pub(super) projection: Option<Projection>,
    pub(super) applied: AppliedCommit,
    pub(super) sent_marks: SentMarks,
    pub(super) limits: StoreLimits,
    /// Released last, because the projection is still being written until then.
    _lock: Lock,
}

impl LogStore {
    /// Creates the store from the parts that `open` has checked.
    pub(super) fn new(dir: &Path, lock: Lock, parts: StoreParts, limits: StoreLimits) -> Self {
        Self {
            dir: dir.to_owned(),
            _lock: lock,
            log: parts.appender,
            projection: Some(parts.projection),
            applied: parts.applied,
            sent_marks: parts.sent_marks,
            limits,
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
        expected: &[Expected],
    ) -> Result<Committed, CommitError> {
        if self.log.is_broken() {
            return Err(CommitError::Failed(to_store_error(&AppendError::Broken)));
        }
        let projection = self.projection().map_err(CommitError::Failed)?;
        check_expected(projection, self.applied.seq, expected)?;
        if facts.is_empty() {
            return Ok(Committed::nothing(self.head()));
        }
        let facts = prepare_facts(projection, truncate_to_millis(at), facts)?;
        let (text, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.applied.seq + 1,
            at: truncate_to_millis(at),
            facts,
        };
        let changes = changes_of_commit(projection, &commit)?;
        let accounts = changes.account_versions();
        let rows = rows::into_rows(changes).collect();
        let appended = self
            .log
            .append(commit.at, &text)
            .map_err(commit_error_from_append)?;
        assert_eq!(appended.seq, commit.seq, "log and projection count alike");
        self.applied = AppliedCommit {
            seq: appended.seq,
            hash: appended.hash,
            position: appended.position,
        };
        self.sent_marks.forget_committed(&commit.facts);
        if let Err(error) = self.apply_to_projection(rows) {
            tracing::error!(seq = commit.seq, %error, "the commit is in the log, but the projection must be rebuilt");
        }
        let head = self.head();
        Ok(Committed { head, accounts })
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
        self.projection()?.accounts(after, limit)
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        self.projection()?.has_no_account()
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        self.projection()?.ledger_state()
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.projection()?.grant_record(reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        let request = self.projection()?.request(id)?;
        Ok(request.map(|versioned| versioned.record))
    }

    fn request_version(&self, id: &RequestId) -> Result<Option<u64>, StoreError> {
        let request = self.projection()?.request(id)?;
        Ok(request.and_then(|versioned| versioned.version()))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        queries::request_of(self.projection()?, booking)
    }

    fn open_intents(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.projection()?.open_intents(after, limit)
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.projection()?.open_notes(after, limit)
    }

    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError> {
        self.projection()?.decline_times(since, until, limit)
    }

    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        self.projection()?.wrong_pin_requests(since, limit)
    }

    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.projection()?.requests_of_booker(booker, since, limit)
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
        let charge = self.projection()?.charge(booking)?;
        Ok(charge.map(|versioned| versioned.record))
    }

    fn charge_version(&self, booking: &BookingUid) -> Result<Option<u64>, StoreError> {
        let charge = self.projection()?.charge(booking)?;
        Ok(charge.and_then(|versioned| versioned.version()))
    }

    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        self.projection()?.open_charges(after, limit)
    }

    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        self.projection()?.charges_of(account, from, to, limit)
    }

    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        self.projection()?.unresolved_items(after, limit)
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        self.projection()?.unresolved_items_of(booking)
    }

    fn daily_totals(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<(NaiveDate, DailyTotals)>, StoreError> {
        self.projection()?.daily_totals(first, last)
    }

    fn credit_flows(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Result<Vec<(QuarterHour, CreditFlows)>, StoreError> {
        self.projection()?.credit_flows(first, last)
    }

    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError> {
        queries::history(self.projection()?, subject, before, limit)
    }
}

impl CommitSource for LogStore {
    fn commits(&self, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError> {
        let last = self.applied.seq.min(after.saturating_add(limit as u64));
        self.projection()?.commits(after + 1..=last)
    }
}

impl Maintenance for LogStore {
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

    fn rewrite(
        &mut self,
        order: RewriteOrder,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RewriteReport, StoreError> {
        self.rewrite_with(order, progress, &mut |_| Ok(()))
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

    fn unresponsive_hint(&self) -> &'static str {
        "as happens when the disk fails or is full (see the kernel's log); nothing that was \
         acknowledged is lost, and the next start rebuilds the projection"
    }
}

/// Returns what the commit changes, if its facts fit the records.
fn changes_of_commit(projection: &Projection, commit: &Commit) -> Result<Changes, CommitError> {
    let mut write_set = WriteSet::new(projection);
    write_set.apply(commit).map_err(to_commit_error)?;
    Ok(write_set.into_changes())
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

#[cfg(test)]
mod tests;
