//! The one fold of facts. `apply` takes the records as they are and one fact, and leaves the
//! records as they must be; a fact that does not fit is a `Violation` and changes nothing that is
//! kept, because the caller throws the half-changed records away.
//!
//! The log is checked with it before a line is written and replayed through it when the store is
//! rebuilt: there is no second way to change a balance.

mod charging;
mod member;
mod unresolved;

use charging::{closed, hold, holds_ended, move_on, post, refund, taken_over, void};
use member::{aliased, expire, grant, opened, revoke, unaliased};

use super::account::{Account, Lot, MAX_ALIASES, MAX_LOTS, Part};
use super::decision::{Credits, Decision, MAX_CREDITS, Outcome};
use super::fact::Fact;
use super::id::{AccountId, Address, BookingUid, Reference, RequestId};
use super::ledger_state::{LedgerFact, LedgerState};
use super::refund::Lookup;
use super::request::{CallNote, Charge, MAX_CALLS, MAX_OCCURRENCES, Request, RequestState, Review};
use super::time::Time;
use super::unresolved::{Unresolved, UnresolvedCode, UnresolvedState};

/// A grant or a revocation as it was made: what makes asking twice harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub reference: Reference,
    pub account: AccountId,
    /// Positive for both kinds.
    pub credits: Credits,
    pub kind: GivenKind,
    pub expires: Option<Time>,
    pub reason: String,
    pub at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenKind {
    Grant,
    Revoke,
    /// A lot made by a refund whose own lot had expired.
    Restored,
}

/// The records that facts add up to. Implemented by the store's overlay (on sled or on memory).
pub trait Records {
    type Error;

    /// # Errors
    /// When the records cannot be read.
    fn account(&mut self, id: &AccountId) -> Result<Option<Account>, Self::Error>;
    /// The account that has this alias.
    /// # Errors
    /// As above.
    fn alias(&mut self, alias: &Address) -> Result<Option<AccountId>, Self::Error>;
    /// # Errors
    /// As above.
    fn given(&mut self, reference: &Reference) -> Result<Option<Given>, Self::Error>;
    /// # Errors
    /// As above.
    fn request(&mut self, id: &RequestId) -> Result<Option<Request>, Self::Error>;
    /// # Errors
    /// As above.
    fn charge(&mut self, booking: &BookingUid) -> Result<Option<Charge>, Self::Error>;
    /// The booking's items of the unresolved list, also those that are resolved.
    /// # Errors
    /// As above.
    fn unresolved(&mut self, booking: &BookingUid) -> Result<Vec<Unresolved>, Self::Error>;
    /// # Errors
    /// As above.
    fn ledger_state(&mut self) -> Result<LedgerState, Self::Error>;

    fn put_account(&mut self, account: Account);
    fn put_alias(&mut self, alias: Address, account: Option<AccountId>);
    fn put_given(&mut self, given: Given);
    fn put_request(&mut self, request: Request);
    fn put_charge(&mut self, charge: Charge);
    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<Unresolved>);
    fn put_ledger_state(&mut self, state: LedgerState);
}

/// A fact that does not fit what is there. In normal work the sign of a bug or of a hand-edited
/// log; nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("account {0} does not exist")]
    NoAccount(AccountId),
    #[error("account {0} exists already")]
    AccountExists(AccountId),
    #[error("{alias} is already a name of account {account}")]
    NameTaken { alias: String, account: AccountId },
    #[error("account {0} has no such alias")]
    NoAlias(AccountId),
    #[error("account {0} has as many aliases as one may have ({MAX_ALIASES})")]
    TooManyAliases(AccountId),
    #[error("account {0} has as many live grants as one may have ({MAX_LOTS})")]
    TooManyLots(AccountId),
    #[error("reference {0} was used before")]
    ReferenceUsed(Reference),
    #[error("{0} credits are more than one grant or booking may have, or none")]
    Amount(Credits),
    #[error("lot {0} does not have that much left")]
    LotShort(Reference),
    #[error("lot {0} has not expired")]
    NotExpired(Reference),
    #[error("booking {0} already has a charge")]
    ChargeExists(BookingUid),
    #[error("booking {booking} has no charge that is {expected}")]
    ChargeState {
        booking: BookingUid,
        expected: &'static str,
    },
    /// See [`guard`].
    #[error(
        "the charge of booking {booking} is being taken over by request {request}, to which the booking \
         was moved"
    )]
    TakenOver {
        booking: BookingUid,
        request: RequestId,
    },
    #[error("request {id} is not {expected}")]
    RequestState {
        id: RequestId,
        expected: &'static str,
    },
    #[error("request {0} has as many bookings as one may have ({MAX_OCCURRENCES})")]
    TooManyOccurrences(RequestId),
    #[error("booking {booking} is not on the unresolved list as {code}")]
    NotListed {
        booking: BookingUid,
        code: UnresolvedCode,
    },
    #[error("account {0} would not add up")]
    DoesNotAddUp(AccountId),
    #[error("no restored backup waits to be accepted")]
    NothingRestored,
}

/// Why a fact could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError<E> {
    #[error("the fact does not fit: {0}")]
    Violation(#[from] Violation),
    #[error("the records cannot be read")]
    Read(E),
}

type Applied<R> = Result<(), ApplyError<<R as Records>::Error>>;

/// Applies one fact, written at `at`.
///
/// # Errors
/// When the fact does not fit, or the records cannot be read. The records may then be half changed
/// and must be dropped.
pub fn apply<R: Records>(records: &mut R, at: Time, fact: &Fact) -> Applied<R> {
    match fact {
        Fact::Opened { account } => opened(records, at, account),
        Fact::Aliased { account, alias } => aliased(records, account, alias),
        Fact::Unaliased { account, alias } => unaliased(records, account, alias),
        Fact::Described {
            account,
            tier,
            tags,
            attributes,
        } => with(records, account, |a| {
            a.tier.clone_from(tier);
            a.tags.clone_from(tags);
            a.attributes.clone_from(attributes);
            Ok(())
        }),
        Fact::Frozen { account, why } => with(records, account, |a| {
            a.frozen.clone_from(why);
            Ok(())
        }),
        Fact::Pinned { account, hash } => with(records, account, |a| {
            a.pin.clone_from(hash);
            Ok(())
        }),
        Fact::Grant {
            reference,
            account,
            credits,
            expires,
            reason,
        } => {
            let given = Given {
                reference: reference.clone(),
                account: account.clone(),
                credits: *credits,
                kind: GivenKind::Grant,
                expires: *expires,
                reason: reason.clone(),
                at,
            };
            grant(records, at, given)
        }
        Fact::Revoke {
            reference,
            account,
            parts,
            reason,
        } => revoke(records, at, (reference, account), parts, reason),
        Fact::Expire { account, part } => expire(records, at, account, part),
        Fact::Hold { .. } => hold(records, at, fact),
        Fact::Post { booking } => post(records, booking),
        Fact::Void {
            booking,
            reason,
            back,
        } => void(records, at, booking, back, reason),
        Fact::Refund {
            booking,
            parts,
            close,
            reason,
            ..
        } => refund(records, at, booking, parts, *close, reason),
        Fact::Move { .. } => move_on(records, at, fact),
        Fact::Closed { booking, reason } => closed(records, booking, reason),
        Fact::Decided { request } => decided(records, request),
        Fact::Reviewed {
            request,
            verdict,
            reason,
        } => {
            let review = Review {
                verdict: *verdict,
                reason: reason.clone(),
                at,
            };
            reviewed(records, request, review)
        }
        Fact::Called { request, call } => called(records, request, call),
        Fact::Settled { request, outcome } => settled(records, at, request, *outcome),
        Fact::Unresolved {
            booking,
            code,
            account,
            until,
            detail,
        } => {
            let item = Unresolved {
                booking: booking.clone(),
                code: *code,
                account: account.clone(),
                until: *until,
                detail: detail.clone(),
                since: at,
                state: UnresolvedState::Open,
            };
            unresolved::listed(records, item)
        }
        Fact::Resolved {
            booking,
            code,
            reason,
            by,
        } => unresolved::resolved(records, at, booking, *code, reason, *by),
        Fact::Ledger(fact) => of_ledger(records, at, fact),
    }
}

fn of_ledger<R: Records>(records: &mut R, at: Time, fact: &LedgerFact) -> Applied<R> {
    let mut state = read(records.ledger_state())?;
    match fact {
        LedgerFact::Identified { identity, .. } => state.identity = Some(identity.clone()),
        LedgerFact::Restored { .. } => state.restored = Some(at),
        LedgerFact::RestoreAccepted { .. } => {
            if state.restored.take().is_none() {
                return Err(Violation::NothingRestored.into());
            }
        }
    }
    records.put_ledger_state(state);
    Ok(())
}

/// Refuses a commit that would end a charge while an open intent takes it over: the successor would be
/// confirmed and nothing would pay for it. Checked before a commit is written and not when a log is
/// read, because logs of older versions may hold such commits.
///
/// # Errors
/// With the charge and the intent, or when a charge cannot be read.
pub fn guard<L: Lookup>(facts: &[Fact], lookup: &L) -> Result<(), ApplyError<L::Error>> {
    let settles = |id: &RequestId| {
        let mut facts = facts.iter();
        facts.any(|fact| matches!(fact, Fact::Settled { request, .. } if request == id))
    };
    for fact in facts {
        let booking = match fact {
            Fact::Refund {
                booking,
                close: true,
                ..
            }
            | Fact::Closed { booking, .. } => booking,
            Fact::Move { from, .. } => from,
            _ => continue,
        };
        let charge = lookup.charge(booking).map_err(ApplyError::Read)?;
        if let Some(request) = charge.and_then(|charge| charge.taken_by)
            && !settles(&request)
        {
            return Err(Violation::TakenOver {
                booking: booking.clone(),
                request,
            }
            .into());
        }
    }
    Ok(())
}

fn decided<R: Records>(records: &mut R, request: &Request) -> Applied<R> {
    if let RequestState::Settled { .. } = request.state {
        return Err(Violation::RequestState {
            id: request.id.clone(),
            expected: "an intent or a note",
        }
        .into());
    }
    if request.bookings.len() > MAX_OCCURRENCES {
        return Err(Violation::TooManyOccurrences(request.id.clone()).into());
    }
    let review = match read(records.request(&request.id))? {
        None => None,
        Some(there) if there.state == RequestState::Noted => there.review,
        Some(_) => {
            return Err(Violation::RequestState {
                id: request.id.clone(),
                expected: "undecided",
            }
            .into());
        }
    };
    if request.state == RequestState::Recorded && request.decision == Decision::Confirm {
        taken_over(records, request, false)?;
    }
    // An operator may have spoken since the plan looked, so what a decision carries is not asked.
    records.put_request(Request {
        review,
        ..request.clone()
    });
    Ok(())
}

fn reviewed<R: Records>(records: &mut R, id: &RequestId, review: Review) -> Applied<R> {
    let mut record = match read(records.request(id))? {
        Some(request) if request.state == RequestState::Noted => request,
        Some(_) | None => {
            return Err(Violation::RequestState {
                id: id.clone(),
                expected: "waiting to be decided",
            }
            .into());
        }
    };
    record.review = Some(review);
    records.put_request(record);
    Ok(())
}

fn lot_of(given: &Given, left: Credits) -> Lot {
    Lot {
        grant: given.reference.clone(),
        granted: given.credits,
        left,
        expires: given.expires,
        granted_at: given.at,
    }
}

fn take(account: &mut Account, parts: &[Part]) -> Result<(), Violation> {
    for part in parts {
        match account.lot(&part.grant) {
            Some(lot) if lot.left >= part.credits => lot.left -= part.credits,
            Some(_) | None => return Err(Violation::LotShort(part.grant.clone())),
        }
    }
    account.sweep();
    Ok(())
}

fn called<R: Records>(records: &mut R, id: &RequestId, call: &CallNote) -> Applied<R> {
    let mut record = intent(records, id)?;
    if !call.answered() {
        record.failures = record.failures.saturating_add(1);
        record.last_failure = Some(call.at);
    }
    record.calls.push(call.clone());
    if record.calls.len() > MAX_CALLS {
        record.calls.remove(0);
    }
    records.put_request(record);
    Ok(())
}

fn settled<R: Records>(records: &mut R, at: Time, id: &RequestId, outcome: Outcome) -> Applied<R> {
    let mut record = intent(records, id)?;
    holds_ended(records, &record)?;
    taken_over(records, &record, true)?;
    record.state = RequestState::Settled { outcome, at };
    records.put_request(record);
    Ok(())
}

fn with<R: Records>(
    records: &mut R,
    id: &AccountId,
    change: impl FnOnce(&mut Account) -> Result<(), Violation>,
) -> Applied<R> {
    let mut account = read(records.account(id))?.ok_or_else(|| Violation::NoAccount(id.clone()))?;
    change(&mut account)?;
    if !account.adds_up() {
        return Err(Violation::DoesNotAddUp(id.clone()).into());
    }
    account.version += 1;
    records.put_account(account);
    Ok(())
}

fn amount(credits: Credits) -> Result<(), Violation> {
    if (1..=MAX_CREDITS).contains(&credits) {
        Ok(())
    } else {
        Err(Violation::Amount(credits))
    }
}

fn intent<R: Records>(records: &mut R, id: &RequestId) -> Result<Request, ApplyError<R::Error>> {
    match read(records.request(id))? {
        Some(request) if request.state == RequestState::Recorded => Ok(request),
        Some(_) | None => Err(Violation::RequestState {
            id: id.clone(),
            expected: "an open intent",
        }
        .into()),
    }
}

fn read<T, E>(result: Result<T, E>) -> Result<T, ApplyError<E>> {
    result.map_err(ApplyError::Read)
}
