//! The store as the pass and the commands need it: reads of what the facts add up to, and one
//! write. Synchronous; whoever awaits calls it from the store's own thread.

use crate::domain::account::Account;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{GrantRecord, Violation};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// An account as it was when the caller decided: its version, or none when it did not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedVersion {
    pub account: AccountId,
    pub version: Option<u64>,
}

/// The last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 0 before the first commit.
    pub seq: u64,
    /// The hash of its line, in hexadecimal.
    pub hash: String,
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// An account changed since the caller looked: look again and decide again. Nothing was written.
    #[error("account {0} was changed meanwhile")]
    Conflict(AccountId),
    /// The facts do not fit what is there. Nothing was written.
    #[error("the facts do not fit")]
    Violation(#[from] Violation),
    /// It is not known whether the commit is durable. Nothing more may be written by this process:
    /// the next start reads the log and knows.
    #[error("it is not known whether the commit was made durable")]
    Indeterminate(#[source] StoreError),
    /// Could not be tried. Nothing was written.
    #[error("the commit could not be made")]
    Failed(#[source] StoreError),
}

/// What stands in the way of a read or a write: texts for people, naming file and remedy.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct StoreError {
    pub text: String,
    #[source]
    pub source: Option<std::io::Error>,
}

/// Whose history is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HistorySubject {
    Account(AccountId),
    /// A booking's entries (hold, post, void, refund, move).
    Booking(BookingUid),
    /// A request's decision, calls and settlement.
    Request(RequestId),
}

/// One fact with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedFact {
    pub seq: u64,
    pub at: Time,
    pub fact: Fact,
}

/// What walking the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogVerification {
    pub commits: u64,
    pub facts: u64,
    /// Whether the fold was compared with the log; without one only the log is checked.
    pub projection_compared: bool,
    /// Where the fold says something else than the log adds up to; empty when all is well.
    pub differences: Vec<String>,
}

/// The store. Reads see every commit that was acknowledged.
pub trait Store: Send {
    /// Writes the facts as one commit: all or none, durable when this returns `Ok`.
    ///
    /// # Errors
    /// See [`CommitError`]; only `Indeterminate` may have written anything.
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[ExpectedVersion],
    ) -> Result<Head, CommitError>;

    /// Remembers that a call for the intent is about to be sent, or, with `None`, that it was not sent
    /// after all. This survives the end of the process; after a loss of power every intent that is not
    /// settled counts as sent. It costs no sync.
    ///
    /// # Errors
    /// When it cannot be remembered; then the call must not be sent.
    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError>;

    /// When a call for the intent was last about to be sent, unless the log knows more of it since.
    fn sent_mark(&self, request: &RequestId) -> Option<Time>;

    fn head(&self) -> Head;

    /// # Errors
    /// When the record cannot be read; so for all below.
    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError>;

    /// The account whose name or alias the address is.
    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError>;

    /// Accounts in the order of their names, after the given one.
    fn accounts(&self, after: Option<&AccountId>, limit: usize)
    -> Result<Vec<Account>, StoreError>;

    /// Whether no account was ever opened.
    fn is_empty(&self) -> Result<bool, StoreError>;

    /// What the ledger knows of itself.
    fn ledger_state(&self) -> Result<LedgerState, StoreError>;

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError>;

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError>;

    /// The request that a booking was decided with: its own, or its series'.
    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError>;

    /// Intents not settled yet, oldest decision first. Does not walk over settled ones.
    fn open_intents(&self, limit: usize) -> Result<Vec<Request>, StoreError>;

    /// Requests that are only noted (wait, review, leave) and neither begun nor settled, in order of
    /// their end (ties by name), after the given one. Does not walk over others.
    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    /// What the booker asked for, whatever became of it: requests of this very address whose
    /// booking was created at or after `since`, newest first. Does not walk over older ones.
    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    /// When requests were declined, newest first: decided at or after `since` and before `until`.
    /// Declines that an operator asked for do not count. Does not walk over others.
    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError>;

    /// Requests with a wrong PIN, whoever made them, whose booking was created at or after `since`,
    /// newest first. Does not walk over others.
    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError>;

    /// Requests in order of their decision, newest first: those decided at or after `since` and, to
    /// page on, before the given (decision time, request).
    fn decided_requests(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError>;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError>;

    /// Charges that are held or open, in order of their booking's uid, after the given one. Does not
    /// walk over closed ones.
    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError>;

    /// The account's charges whose bookings start in `[from, to)` and that still stand for
    /// something: held, open or final; not voided, closed by a refund or moved away. In order of
    /// start (ties by uid). Does not walk over what starts at other times.
    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError>;

    /// What is on the unresolved list, what leaves it first by itself first, after the given item.
    /// Does not walk over what is resolved.
    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError>;

    /// The booking's items of the unresolved list, also those that are resolved.
    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError>;

    /// What was written about the subject, newest first; to page on, before the given sequence.
    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError>;

    /// Walks the whole log, checks every line, and compares what it adds up to with the fold.
    ///
    /// # Errors
    /// When a line is damaged, with its file and number, or something cannot be read.
    fn verify(&self) -> Result<LogVerification, StoreError>;

    /// Makes the quick part durable and marks it as closed cleanly. The store is not used after.
    ///
    /// # Errors
    /// When it could not be marked: the next start rebuilds from the log, and nothing is lost.
    fn close(&mut self) -> Result<(), StoreError>;
}
