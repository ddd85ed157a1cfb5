//! The only fold of facts. `apply` takes the records and one fact, and updates the records. A fact
//! that does not fit is a `Violation` and changes no stored data, because the caller discards the
//! half-changed records.
//!
//! The store checks every commit with `apply` before it writes a log line, and replays the log
//! through `apply` when it rebuilds: there is no second way to change a balance.

mod charging;
pub mod in_memory;
mod member;
mod merging;
mod request;
mod unresolved;

use charging::apply_charge_fact;
use member::{apply_account_fact, apply_credit_fact};
use request::apply_request_fact;
use unresolved::apply_unresolved_fact;

use super::account::{Account, LotPart, MAX_ALIASES, MAX_LOTS};
use super::decision::{Credits, MAX_CREDITS};
use super::fact::{ChargeFact, Fact, RequestFact};
use super::grant::{GrantKind, GrantRecord};
use super::id::{AccountId, Address, BookingUid, Reference, RequestId};
use super::ledger_state::{LedgerFact, LedgerState};
use super::lot::Lot;
use super::pause::Pause;
use super::refund_lots::RefundSources;
use super::request::{Charge, MAX_OCCURRENCES, Request, RequestState};
use super::time::Time;
use super::unresolved::{UnresolvedBooking, UnresolvedCode};

/// The records that facts add up to. The store's overlay implements this trait (on sled or on
/// memory).
pub trait LedgerRecords {
    /// Why records cannot be read.
    type Error;

    /// # Errors
    /// Returns an error when the records cannot be read.
    fn account(&mut self, id: &AccountId) -> Result<Option<Account>, Self::Error>;
    /// Returns the account that has this alias.
    /// # Errors
    /// Returns an error when the records cannot be read.
    fn alias(&mut self, alias: &Address) -> Result<Option<AccountId>, Self::Error>;
    /// # Errors
    /// Returns an error when the records cannot be read.
    fn grant_record(&mut self, reference: &Reference) -> Result<Option<GrantRecord>, Self::Error>;
    /// # Errors
    /// Returns an error when the records cannot be read.
    fn request(&mut self, id: &RequestId) -> Result<Option<Request>, Self::Error>;
    /// # Errors
    /// Returns an error when the records cannot be read.
    fn charge(&mut self, booking: &BookingUid) -> Result<Option<Charge>, Self::Error>;
    /// Returns the booking's items of the unresolved list, including those that are resolved.
    /// # Errors
    /// Returns an error when the records cannot be read.
    fn unresolved(&mut self, booking: &BookingUid) -> Result<Vec<UnresolvedBooking>, Self::Error>;
    /// # Errors
    /// Returns an error when the records cannot be read.
    fn ledger_state(&mut self) -> Result<LedgerState, Self::Error>;

    /// Replaces the account with this id, or adds the account.
    fn put_account(&mut self, account: Account);
    /// Makes the alias lead to this account, or to none (`None`).
    fn put_alias(&mut self, alias: Address, account: Option<AccountId>);
    /// Adds the record of a grant or a revocation under its reference.
    fn put_grant_record(&mut self, record: GrantRecord);
    /// Replaces the request with this id, or adds the request.
    fn put_request(&mut self, request: Request);
    /// Replaces the charge of its booking, or adds the charge.
    fn put_charge(&mut self, charge: Charge);
    /// Replaces all items of the booking on the unresolved list.
    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<UnresolvedBooking>);
    /// Replaces the state of the ledger as a whole.
    fn put_ledger_state(&mut self, state: LedgerState);
}

/// A fact that does not fit the records. In normal operation this indicates a bug or a hand-edited
/// log; nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The fact names an account that was never opened.
    #[error("account {0} does not exist")]
    NoAccount(AccountId),
    /// The account to open is open already.
    #[error("account {0} exists already")]
    AccountExists(AccountId),
    /// The alias is the id or an alias of an account.
    #[error("{alias} is already a name of account {account}")]
    NameTaken {
        /// The alias as it was given.
        alias: String,
        /// The account that has the name.
        account: AccountId,
    },
    /// The alias to remove does not lead to this account.
    #[error("account {0} has no such alias")]
    NoAlias(AccountId),
    /// The account has `MAX_ALIASES` aliases.
    #[error("account {0} has as many aliases as one may have ({MAX_ALIASES})")]
    TooManyAliases(AccountId),
    /// The account has `MAX_LOTS` lots that are not used up.
    #[error("account {0} has as many live grants as one may have ({MAX_LOTS})")]
    TooManyLots(AccountId),
    /// The account is closed.
    #[error("account {0} is closed")]
    AccountClosed(AccountId),
    /// The account to open again is open.
    #[error("account {0} is not closed, or was merged into another one")]
    NotClosed(AccountId),
    /// The two accounts cannot become one.
    #[error("account {account} cannot be merged into another one: {reason}")]
    NotMergeable {
        /// The account that was to be merged.
        account: AccountId,
        /// Why not, for people.
        reason: &'static str,
    },
    /// A grant or a revocation with this reference is recorded already.
    #[error("reference {0} was used before")]
    ReferenceUsed(Reference),
    /// The amount is 0 or more than `MAX_CREDITS`.
    #[error("{0} credits are more than one grant or booking may have, or none")]
    InvalidAmount(Credits),
    /// The lot of this grant has fewer credits than the fact takes, or paid fewer than it gives
    /// back.
    #[error("lot {0} does not have that much left")]
    LotShort(Reference),
    /// The lot of this grant has an expiry that is still to come, or none.
    #[error("lot {0} has not expired")]
    NotExpired(Reference),
    /// The booking has a charge already that the fact may not replace or add to.
    #[error("booking {0} already has a charge")]
    ChargeExists(BookingUid),
    /// The booking's charge is missing, or is in another state than the fact requires.
    #[error("booking {booking} has no charge that is {expected}")]
    ChargeState {
        /// The booking of the charge.
        booking: BookingUid,
        /// The state that the fact requires, for people.
        expected: &'static str,
    },
    /// See [`refuse_ending_taken_over_charges`].
    #[error(
        "the charge of booking {booking} is being taken over by request {request}, to which the booking \
         was moved"
    )]
    ChargeTakenOver {
        /// The booking of the charge.
        booking: BookingUid,
        /// The open intent that takes over the charge.
        request: RequestId,
    },
    /// The request is missing, or is in another state than the fact requires.
    #[error("request {id} is not {expected}")]
    RequestState {
        /// The request's id.
        id: RequestId,
        /// The state that the fact requires, for people.
        expected: &'static str,
    },
    /// The request has more than `MAX_OCCURRENCES` bookings.
    #[error("request {0} has as many bookings as one may have ({MAX_OCCURRENCES})")]
    TooManyOccurrences(RequestId),
    /// The watch resolves an item that is not on the list.
    #[error("booking {booking} is not on the unresolved list as {code}")]
    NotListed {
        /// The booking of the item.
        booking: BookingUid,
        /// The code of the item.
        code: UnresolvedCode,
    },
    /// The fact would break promise 1 for this account (see `Account::adds_up`).
    #[error("account {0} would not add up")]
    DoesNotAddUp(AccountId),
    /// A backup is accepted, but none was restored since the last one was accepted.
    #[error("no restored backup waits to be accepted")]
    NothingRestored,
}

/// Why a fact could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError<E> {
    /// The fact does not fit the records.
    #[error("the fact does not fit: {0}")]
    Violation(#[from] Violation),
    /// The records cannot be read; the error is the store's.
    #[error("the records cannot be read")]
    Read(E),
}

type ApplyResult<R> = Result<(), ApplyError<<R as LedgerRecords>::Error>>;

/// Applies one fact, written at `at`.
///
/// # Errors
/// Returns an error when the fact does not fit, or the records cannot be read. The records may then
/// be half changed, and the caller must discard them.
pub fn apply<R: LedgerRecords>(records: &mut R, at: Time, fact: &Fact) -> ApplyResult<R> {
    match fact {
        Fact::Account(fact) => apply_account_fact(records, at, fact),
        Fact::Credit(fact) => apply_credit_fact(records, at, fact),
        Fact::Charge(fact) => apply_charge_fact(records, at, fact),
        Fact::Request(fact) => apply_request_fact(records, at, fact),
        Fact::Unresolved(fact) => apply_unresolved_fact(records, at, fact),
        Fact::Ledger(fact) => apply_ledger_fact(records, at, fact),
        Fact::By(_) => Ok(()),
    }
}

fn apply_ledger_fact<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    fact: &LedgerFact,
) -> ApplyResult<R> {
    let mut state = map_read_error(records.ledger_state())?;
    match fact {
        LedgerFact::Identified { identity, .. } => state.identity = Some(identity.clone()),
        LedgerFact::Restored { .. } => state.restored_at = Some(at),
        LedgerFact::RestoreAccepted { .. } => {
            if state.restored_at.take().is_none() {
                return Err(Violation::NothingRestored.into());
            }
        }
        LedgerFact::Paused {
            gate,
            until,
            reason,
        } => {
            let pause = Pause {
                since: at,
                until: *until,
                reason: reason.clone(),
            };
            state.pauses.set(gate.as_deref(), Some(pause), at);
        }
        LedgerFact::Resumed { gate } => state.pauses.set(gate.as_deref(), None, at),
    }
    records.put_ledger_state(state);
    Ok(())
}

/// Refuses a commit that would end a charge while an open intent takes it over: the successor would
/// be confirmed and nothing would pay for it. The check runs before a commit is written and not
/// when a log is read, because logs of older versions may hold such commits.
///
/// # Errors
/// Returns the charge and the intent as a violation, or the error when a charge cannot be read.
pub fn refuse_ending_taken_over_charges<L: RefundSources>(
    facts: &[Fact],
    sources: &L,
) -> Result<(), ApplyError<L::Error>> {
    let settles = |id: &RequestId| {
        facts.iter().any(|fact| match fact {
            Fact::Request(RequestFact::IntentSettled { request, .. }) => request == id,
            _ => false,
        })
    };
    for fact in facts {
        let booking = match fact {
            Fact::Charge(
                ChargeFact::Refund {
                    booking,
                    close: true,
                    ..
                }
                | ChargeFact::Closed { booking, .. }
                | ChargeFact::Move { from: booking, .. },
            ) => booking,
            _ => continue,
        };
        let charge = sources.charge(booking).map_err(ApplyError::Read)?;
        if let Some(request) = charge.and_then(|charge| charge.taken_over_by)
            && !settles(&request)
        {
            return Err(Violation::ChargeTakenOver {
                booking: booking.clone(),
                request,
            }
            .into());
        }
    }
    Ok(())
}

fn new_lot(record: &GrantRecord, remaining: Credits) -> Lot {
    Lot {
        grant: record.reference.clone(),
        granted: record.credits,
        remaining,
        expires: record.expires,
        granted_at: record.at,
        terms: record.terms.clone(),
    }
}

fn take_parts(account: &mut Account, parts: &[LotPart]) -> Result<(), Violation> {
    for part in parts {
        match account.lot(&part.grant) {
            Some(lot) if lot.remaining >= part.credits => lot.remaining -= part.credits,
            Some(_) | None => return Err(Violation::LotShort(part.grant.clone())),
        }
    }
    account.remove_empty_lots();
    Ok(())
}

fn update_account<R: LedgerRecords>(
    records: &mut R,
    id: &AccountId,
    change: impl FnOnce(&mut Account) -> Result<(), Violation>,
) -> ApplyResult<R> {
    let mut account =
        map_read_error(records.account(id))?.ok_or_else(|| Violation::NoAccount(id.clone()))?;
    change(&mut account)?;
    if !account.adds_up() {
        return Err(Violation::DoesNotAddUp(id.clone()).into());
    }
    account.version += 1;
    records.put_account(account);
    Ok(())
}

fn require_open(account: &Account) -> Result<(), Violation> {
    match account.closed {
        Some(_) => Err(Violation::AccountClosed(account.id.clone())),
        None => Ok(()),
    }
}

fn check_amount(credits: Credits) -> Result<(), Violation> {
    if (1..=MAX_CREDITS).contains(&credits) {
        Ok(())
    } else {
        Err(Violation::InvalidAmount(credits))
    }
}

fn read_open_intent<R: LedgerRecords>(
    records: &mut R,
    id: &RequestId,
) -> Result<Request, ApplyError<R::Error>> {
    match map_read_error(records.request(id))? {
        Some(request) if request.state == RequestState::Recorded => Ok(request),
        Some(_) | None => Err(Violation::RequestState {
            id: id.clone(),
            expected: "an open intent",
        }
        .into()),
    }
}

fn map_read_error<T, E>(result: Result<T, E>) -> Result<T, ApplyError<E>> {
    result.map_err(ApplyError::Read)
}
