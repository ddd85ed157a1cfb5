//! The store as passes and commands use it: reads of what the facts add up to, and one way to write
//! facts. The port is synchronous; async callers run their work on the store's own thread.
//!
//! Others may write at any time. So a read is a snapshot, and a decision is written with what it
//! rests on ([`Expected`]): either with the records that the caller read earlier, or by
//! `transaction::transact`, which reads, decides and commits, and begins again if something was
//! written in between.

use std::error::Error;

use chrono::NaiveDate;

use crate::domain::account::Account;
use crate::domain::actor::Actor;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::erasure::Redaction;
use crate::domain::expected::Expected;
use crate::domain::fact::{Commit, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::Violation;
use crate::domain::ledger_state::LedgerState;
use crate::domain::progress::Progress;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// The last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 0 before the first commit.
    pub seq: u64,
    /// The hash of the commit's line, in hexadecimal.
    pub hash: String,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The commit itself; the last commit before it if there was nothing to write.
    pub head: Head,
    /// The accounts that the commit changed, with their new versions.
    pub accounts: Vec<(AccountId, u64)>,
}

impl Committed {
    /// Returns the result of a commit without facts, which writes nothing.
    pub fn nothing(head: Head) -> Self {
        Self {
            head,
            accounts: Vec::new(),
        }
    }
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A record changed after the caller read it. Nothing was written. The caller must read the
    /// record again and decide again. Holds what the caller expected.
    #[error("{0} was changed meanwhile")]
    Conflict(Expected),
    /// The facts do not fit the stored records, although the records are as the caller expected.
    /// Nothing was written.
    #[error("the records do not allow the commit")]
    Violation(#[from] Violation),
    /// It is not known whether the commit is durable. This process must not write anything more;
    /// the next start reads the log and finds out.
    #[error("it is not known whether the commit was made durable")]
    Indeterminate(#[source] StoreError),
    /// The commit could not be attempted. Nothing was written.
    #[error("the commit could not be made")]
    Failed(#[source] StoreError),
}

/// Why a read or a write failed: a text for people that names the place and the remedy, in the
/// words of the store that failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct StoreError {
    /// What failed, with the place and the remedy.
    pub text: String,
    /// The cause; `None` if the text says everything.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// Selects whose history is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HistorySubject {
    /// An account's entries and changes.
    Account(AccountId),
    /// A booking's entries (hold, post, void, refund, move).
    Booking(BookingUid),
    /// A request's decision, calls and settlement.
    Request(RequestId),
}

/// One fact with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedFact {
    /// The number of the commit.
    pub seq: u64,
    /// When the commit was made.
    pub at: Time,
    /// Who gave the command that made the commit. `None`: no command made it, or the log is older.
    pub by: Option<Actor>,
    /// The fact.
    pub fact: Fact,
}

/// The result of checking the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogVerification {
    /// The commits that were checked.
    pub commits: u64,
    /// The facts that were checked.
    pub facts: u64,
    /// Whether the projection was compared with the log. Without a projection only the log is
    /// checked.
    pub projection_compared: bool,
    /// Where the projection differs from what the log adds up to; empty if they agree.
    pub differences: Vec<String>,
}

/// An order to write the whole log again without some personal data.
#[derive(Debug, Clone)]
pub struct RewriteOrder {
    /// What is removed.
    pub redaction: Redaction,
    /// The facts of a commit that is written after all others; empty: none is written.
    pub closing: Vec<Fact>,
    /// The time of that commit and of the rewrite.
    pub at: Time,
}

/// What a rewrite did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteReport {
    /// The last commit before the rewrite, with the hash that it had.
    pub replaced: Head,
    /// How many commits were changed. With 0 nothing was written, and the log is the same.
    pub changed: u64,
    /// The last commit now.
    pub head: Head,
}

/// A source of commits, oldest first.
pub trait CommitSource {
    /// Returns up to `limit` commits, starting after the commit with the number `after`; 0 is before
    /// the first. Returns fewer only at the end.
    ///
    /// # Errors
    /// When a commit cannot be read.
    fn commits(&self, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError>;
}

/// The store. Reads see every commit that was acknowledged.
pub trait Store: CommitSource + Send {
    /// Writes the facts as one commit: all or none, durable when this returns `Ok`.
    ///
    /// # Errors
    /// See [`CommitError`]; only `Indeterminate` may have written anything.
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Committed, CommitError>;

    /// Records that a call for the intent is about to be sent or, with `None`, that the call was
    /// not sent after all. The mark survives the end of the process. After a loss of power every
    /// intent that is not settled counts as sent. Marking costs no sync.
    ///
    /// # Errors
    /// When the mark cannot be recorded; the call must then not be sent.
    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError>;

    /// Returns when a call for the intent was last about to be sent. The mark is dropped when the
    /// log records the end of a call or the settlement of the intent.
    fn sent_mark(&self, request: &RequestId) -> Option<Time>;

    /// Returns the last commit.
    fn head(&self) -> Head;

    /// # Errors
    /// When the record cannot be read; the same holds for all methods below.
    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError>;

    /// Returns the account that has the address as its name or alias.
    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError>;

    /// Returns accounts in the order of their names, starting after the given one.
    fn accounts(&self, after: Option<&AccountId>, limit: usize)
    -> Result<Vec<Account>, StoreError>;

    /// Returns true if no account was ever opened.
    fn is_empty(&self) -> Result<bool, StoreError>;

    /// Returns what the ledger knows about itself.
    fn ledger_state(&self) -> Result<LedgerState, StoreError>;

    /// Returns the grant or revocation with this reference.
    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError>;

    /// Returns the request with this id.
    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError>;

    /// Returns the number of the last commit that changed the request.
    fn request_version(&self, id: &RequestId) -> Result<Option<u64>, StoreError>;

    /// Returns the request that a booking was decided with: its own request or that of its series.
    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError>;

    /// Returns intents that are not settled yet, oldest decision first (ties by name), starting
    /// after the given one. Does not scan settled intents.
    fn open_intents(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    /// Returns requests that are only noted (wait, review, leave), and neither recorded as intents
    /// nor settled, in order of their end (ties by name), starting after the given one. Does not
    /// scan other requests.
    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    /// Returns the booker's requests, whatever became of them: requests of exactly this address
    /// whose booking was created at or after `since`, newest first. Does not scan older requests.
    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    /// Returns when requests were declined, newest first: those decided at or after `since` and
    /// before `until`. Declines that an operator asked for do not count. Does not scan other
    /// requests.
    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError>;

    /// Returns requests with a wrong PIN, from all bookers, whose booking was created at or after
    /// `since`, newest first. Does not scan other requests.
    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError>;

    /// Returns requests in order of their decision, newest first: those decided at or after `since`
    /// and, for paging, before the given (decision time, request).
    fn decided_requests(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    /// Returns the booking's charge.
    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError>;

    /// Returns the number of the last commit that changed the booking's charge.
    fn charge_version(&self, booking: &BookingUid) -> Result<Option<u64>, StoreError>;

    /// Returns charges that are held or open, in order of their booking's uid, starting after the
    /// given one. Does not scan closed charges.
    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError>;

    /// Returns the account's charges whose bookings start in `[from, to)` and that still count:
    /// held, open or final; not voided, closed by a refund or moved away. They are in order of
    /// start (ties by uid). Does not scan charges whose bookings start at other times.
    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError>;

    /// Returns the open items of the unresolved list, starting after the given item. The item that
    /// leaves the list by itself first comes first. Does not scan resolved items.
    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError>;

    /// Returns the booking's items of the unresolved list, including resolved items.
    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError>;

    /// Returns what happened on the days from `first` to `last`, in numbers and in order. A day is a day
    /// in UTC; days on which nothing happened are left out. Does not scan the history.
    fn daily_totals(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<(NaiveDate, DailyTotals)>, StoreError>;

    /// Returns what happened to the credits of all accounts from one quarter of an hour to another, both
    /// included, in order. Quarters in which nothing happened are left out. Does not scan the history.
    fn credit_flows(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Result<Vec<(QuarterHour, CreditFlows)>, StoreError>;

    /// Returns what was written about the subject, newest first; for paging, only what was written
    /// before the given sequence number.
    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError>;
}

/// The care of a store, which only the process that opened the store may take.
pub trait Maintenance: Store {
    /// Reads the whole log, checks every line, and compares what the log adds up to with the
    /// projection.
    ///
    /// # Errors
    /// When a line is damaged, with its file and number, or something cannot be read.
    fn verify(&self) -> Result<LogVerification, StoreError>;

    /// Writes the log again without some personal data, and replaces the log and everything that
    /// was made from it. Numbers, times and sums stay the same. Nothing else may use what was read
    /// from the store before.
    ///
    /// # Errors
    /// When the log cannot be written again. Then nothing was changed, unless the text says that
    /// the next start completes the rewrite.
    fn rewrite(
        &mut self,
        order: RewriteOrder,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RewriteReport, StoreError>;

    /// Makes the projection durable and marks it as closed cleanly. The store must not be used
    /// afterwards.
    ///
    /// # Errors
    /// When the projection could not be marked. The next start then rebuilds it from the log, and
    /// nothing is lost.
    fn close(&mut self) -> Result<(), StoreError>;

    /// Returns why the store may have stopped to answer and what a new start does about it, for an
    /// operator.
    fn unresponsive_hint(&self) -> &'static str;
}
