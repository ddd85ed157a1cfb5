//! The one fold of facts. `apply` takes the records as they are and one fact, and leaves the
//! records as they must be; a fact that does not fit is a `Violation` and changes nothing that is
//! kept, because the caller throws the half-changed records away.
//!
//! The log is checked with it before a line is written and replayed through it when the store is
//! rebuilt: there is no second way to change a balance.

use super::account::{Account, Lot, MAX_ALIASES, MAX_LOTS, Part, sum};
use super::booking::BookingRef;
use super::decision::{Credits, Decision, MAX_CREDITS};
use super::fact::{Back, Fact};
use super::id::{AccountId, Address, BookingUid, Reference, RequestId};
use super::request::{Charge, ChargeState, MAX_CALLS, MAX_OCCURRENCES, Request, RequestState};
use super::time::Time;

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

    fn put_account(&mut self, account: Account);
    fn put_alias(&mut self, alias: Address, account: Option<AccountId>);
    fn put_given(&mut self, given: Given);
    fn put_request(&mut self, request: Request);
    fn put_charge(&mut self, charge: Charge);
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
    #[error("request {id} is not {expected}")]
    RequestState {
        id: RequestId,
        expected: &'static str,
    },
    #[error("request {0} has as many bookings as one may have ({MAX_OCCURRENCES})")]
    TooManyOccurrences(RequestId),
    #[error("account {0} would not add up")]
    DoesNotAddUp(AccountId),
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
        Fact::Void { booking, reason } => void(records, booking, reason),
        Fact::Refund {
            booking,
            parts,
            close,
            reason,
        } => refund(records, at, booking, parts, *close, reason),
        Fact::Move {
            from,
            to,
            start,
            end,
            reason,
        } => move_on(records, at, from, to, (*start, *end), reason),
        Fact::Closed { booking, reason } => {
            let mut charge = open_charge(records, booking)?;
            charge.state = ChargeState::Final;
            charge.note = Some(reason.clone());
            records.put_charge(charge);
            Ok(())
        }
        Fact::Decided { request } => decided(records, request),
        Fact::Called { request, call } => {
            let mut record = intent(records, request)?;
            if !call.answered {
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
        Fact::Settled { request, outcome } => {
            let mut record = intent(records, request)?;
            holds_ended(records, &record)?;
            record.state = RequestState::Settled {
                outcome: *outcome,
                at,
            };
            records.put_request(record);
            Ok(())
        }
    }
}

fn opened<R: Records>(records: &mut R, at: Time, id: &AccountId) -> Applied<R> {
    if read(records.account(id))?.is_some() {
        return Err(Violation::AccountExists(id.clone()).into());
    }
    name_is_free(records, id.as_str())?;
    let mut account = Account::new(id.clone(), at);
    account.version = 1;
    records.put_account(account);
    Ok(())
}

fn aliased<R: Records>(records: &mut R, id: &AccountId, alias: &Address) -> Applied<R> {
    name_is_free(records, alias.as_str())?;
    with(records, id, |account| {
        if account.aliases.len() >= MAX_ALIASES {
            return Err(Violation::TooManyAliases(id.clone()));
        }
        account.aliases.insert(alias.clone());
        Ok(())
    })?;
    records.put_alias(alias.clone(), Some(id.clone()));
    Ok(())
}

fn unaliased<R: Records>(records: &mut R, id: &AccountId, alias: &Address) -> Applied<R> {
    with(records, id, |account| {
        if account.aliases.remove(alias) {
            Ok(())
        } else {
            Err(Violation::NoAlias(id.clone()))
        }
    })?;
    records.put_alias(alias.clone(), None);
    Ok(())
}

/// A name leads to one account, whether it is the account's own or an alias.
fn name_is_free<R: Records>(records: &mut R, name: &str) -> Applied<R> {
    let taken = |account| Violation::NameTaken {
        alias: name.to_owned(),
        account,
    };
    if let Ok(id) = AccountId::parse(name)
        && read(records.account(&id))?.is_some()
    {
        return Err(taken(id).into());
    }
    if let Ok(alias) = Address::parse(name)
        && let Some(account) = read(records.alias(&alias))?
    {
        return Err(taken(account).into());
    }
    Ok(())
}

fn grant<R: Records>(records: &mut R, at: Time, given: Given) -> Applied<R> {
    amount(given.credits)?;
    if read(records.given(&given.reference))?.is_some() {
        return Err(Violation::ReferenceUsed(given.reference).into());
    }
    if read(records.account(&given.account))?.is_none() {
        opened(records, at, &given.account)?;
    }
    with(records, &given.account, |account| {
        if account.lots.len() >= MAX_LOTS {
            return Err(Violation::TooManyLots(account.id.clone()));
        }
        account.totals.granted += given.credits;
        account.insert(lot_of(&given, given.credits));
        Ok(())
    })?;
    records.put_given(given);
    Ok(())
}

fn revoke<R: Records>(
    records: &mut R,
    at: Time,
    (reference, id): (&Reference, &AccountId),
    parts: &[Part],
    reason: &str,
) -> Applied<R> {
    let credits = sum(parts);
    amount(credits)?;
    if read(records.given(reference))?.is_some() {
        return Err(Violation::ReferenceUsed(reference.clone()).into());
    }
    with(records, id, |account| {
        take(account, parts)?;
        account.totals.revoked += credits;
        Ok(())
    })?;
    records.put_given(Given {
        reference: reference.clone(),
        account: id.clone(),
        credits,
        kind: GivenKind::Revoke,
        expires: None,
        reason: reason.to_owned(),
        at,
    });
    Ok(())
}

fn expire<R: Records>(records: &mut R, at: Time, id: &AccountId, part: &Part) -> Applied<R> {
    with(records, id, |account| {
        match account.lot(&part.grant) {
            Some(lot) if lot.expires.is_some_and(|when| when <= at) => {}
            Some(_) | None => return Err(Violation::NotExpired(part.grant.clone())),
        }
        take(account, std::slice::from_ref(part))?;
        account.totals.expired += part.credits;
        Ok(())
    })
}

fn hold<R: Records>(records: &mut R, at: Time, fact: &Fact) -> Applied<R> {
    let Fact::Hold {
        booking,
        request,
        account,
        parts,
        event_type,
        host,
        start,
        end,
    } = fact
    else {
        unreachable!("called for Hold only")
    };
    let credits = sum(parts);
    if credits > MAX_CREDITS {
        return Err(Violation::Amount(credits).into());
    }
    if read(records.charge(&booking.uid))?.is_some() {
        return Err(Violation::ChargeExists(booking.uid.clone()).into());
    }
    joins(records, request, booking)?;
    with(records, account, |account| {
        take(account, parts)?;
        account.totals.held += credits;
        Ok(())
    })?;
    records.put_charge(Charge {
        booking: booking.clone(),
        request: request.clone(),
        account: account.clone(),
        event_type: *event_type,
        host: *host,
        start: *start,
        end: *end,
        parts: parts.clone(),
        refunded: 0,
        state: ChargeState::Held,
        held_at: at,
        moved_from: None,
        note: None,
    });
    Ok(())
}

/// An occurrence that turned up after the decision becomes part of the request it is held for.
fn joins<R: Records>(records: &mut R, id: &RequestId, booking: &BookingRef) -> Applied<R> {
    let mut request = intent(records, id)?;
    if request.decision != Decision::Confirm {
        return Err(Violation::RequestState {
            id: id.clone(),
            expected: "an open intent to confirm",
        }
        .into());
    }
    if request
        .bookings
        .iter()
        .all(|known| known.uid != booking.uid)
    {
        if request.bookings.len() >= MAX_OCCURRENCES {
            return Err(Violation::TooManyOccurrences(id.clone()).into());
        }
        request.bookings.push(booking.clone());
        records.put_request(request);
    }
    Ok(())
}

/// Promise 3: whoever finishes an intent ends its holds first, or nobody ever would.
fn holds_ended<R: Records>(records: &mut R, request: &Request) -> Applied<R> {
    for booking in &request.bookings {
        let charge = read(records.charge(&booking.uid))?;
        if charge.is_some_and(|c| c.state == ChargeState::Held && c.request == request.id) {
            return Err(Violation::RequestState {
                id: request.id.clone(),
                expected: "without holds",
            }
            .into());
        }
    }
    Ok(())
}

fn post<R: Records>(records: &mut R, booking: &BookingUid) -> Applied<R> {
    let mut charge = held_charge(records, booking)?;
    let credits = charge.credits();
    with(records, &charge.account, |account| {
        account.totals.held -= credits;
        account.totals.posted += credits;
        Ok(())
    })?;
    charge.state = ChargeState::Open;
    records.put_charge(charge);
    Ok(())
}

fn void<R: Records>(records: &mut R, booking: &BookingUid, reason: &str) -> Applied<R> {
    let mut charge = held_charge(records, booking)?;
    let parts = std::mem::take(&mut charge.parts);
    let back: Vec<Back> = parts
        .iter()
        .map(|part| Back {
            grant: part.grant.clone(),
            credits: part.credits,
            restored: None,
        })
        .collect();
    give_back(records, &charge.account, &back, |account, credits| {
        account.totals.held -= credits
    })?;
    charge.state = ChargeState::Void;
    charge.note = Some(reason.to_owned());
    records.put_charge(charge);
    Ok(())
}

fn refund<R: Records>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    back: &[Back],
    close: bool,
    reason: &str,
) -> Applied<R> {
    let mut charge = open_charge(records, booking)?;
    for part in back {
        let paid = charge
            .parts
            .iter_mut()
            .find(|paid| paid.grant == part.grant);
        match paid {
            Some(paid) if paid.credits >= part.credits => paid.credits -= part.credits,
            Some(_) | None => return Err(Violation::LotShort(part.grant.clone()).into()),
        }
        if let Some((reference, expires)) = &part.restored {
            restore(
                records,
                at,
                &charge.account,
                reference,
                part.credits,
                *expires,
                reason,
            )?;
        }
    }
    let kept: Vec<Back> = back
        .iter()
        .filter(|part| part.restored.is_none())
        .cloned()
        .collect();
    give_back(records, &charge.account, &kept, |account, credits| {
        account.totals.refunded += credits;
    })?;
    charge.parts.retain(|part| part.credits > 0);
    charge.refunded += back.iter().map(|part| part.credits).sum::<Credits>();
    if close {
        charge.state = ChargeState::Refunded;
    }
    charge.note = Some(reason.to_owned());
    records.put_charge(charge);
    Ok(())
}

fn restore<R: Records>(
    records: &mut R,
    at: Time,
    id: &AccountId,
    reference: &Reference,
    credits: Credits,
    expires: Time,
    reason: &str,
) -> Applied<R> {
    amount(credits)?;
    if read(records.given(reference))?.is_some() {
        return Err(Violation::ReferenceUsed(reference.clone()).into());
    }
    let given = Given {
        reference: reference.clone(),
        account: id.clone(),
        credits,
        kind: GivenKind::Restored,
        expires: Some(expires),
        reason: reason.to_owned(),
        at,
    };
    with(records, id, |account| {
        account.totals.refunded += credits;
        account.insert(lot_of(&given, credits));
        Ok(())
    })?;
    records.put_given(given);
    Ok(())
}

fn move_on<R: Records>(
    records: &mut R,
    at: Time,
    from: &BookingUid,
    to: &BookingRef,
    (start, end): (Time, Time),
    reason: &str,
) -> Applied<R> {
    let mut old = open_charge(records, from)?;
    if to.uid == *from {
        return Err(Violation::ChargeExists(to.uid.clone()).into());
    }
    let parts = std::mem::take(&mut old.parts);
    let mut successor = match read(records.charge(&to.uid))? {
        Some(charge) if charge.state == ChargeState::Open && charge.account == old.account => {
            charge
        }
        Some(_) => return Err(Violation::ChargeExists(to.uid.clone()).into()),
        None => Charge {
            booking: to.clone(),
            request: RequestId::from(&to.uid),
            held_at: at,
            parts: Vec::new(),
            state: ChargeState::Open,
            refunded: 0,
            ..old.clone()
        },
    };
    for part in parts {
        match successor
            .parts
            .iter_mut()
            .find(|there| there.grant == part.grant)
        {
            Some(there) => there.credits += part.credits,
            None => successor.parts.push(part),
        }
    }
    successor.start = start;
    successor.end = end;
    successor.moved_from = Some(from.clone());
    successor.note = None;
    old.state = ChargeState::Moved { to: to.uid.clone() };
    old.note = Some(reason.to_owned());
    records.put_charge(old);
    records.put_charge(successor);
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
    let expected = "undecided";
    match read(records.request(&request.id))? {
        None => {}
        Some(there) if there.state == RequestState::Noted => {}
        Some(_) => {
            return Err(Violation::RequestState {
                id: request.id.clone(),
                expected,
            }
            .into());
        }
    }
    records.put_request(request.clone());
    Ok(())
}

/// Gives credits back to the lots they came from; a lot that is used up is made anew from its grant.
fn give_back<R: Records>(
    records: &mut R,
    id: &AccountId,
    parts: &[Back],
    book: impl Fn(&mut Account, Credits),
) -> Applied<R> {
    let mut grants = Vec::new();
    for part in parts {
        let given = read(records.given(&part.grant))?;
        grants.push(given.ok_or_else(|| Violation::LotShort(part.grant.clone()))?);
    }
    with(records, id, |account| {
        for (part, given) in parts.iter().zip(&grants) {
            match account.lot(&part.grant) {
                Some(lot) => lot.left += part.credits,
                None => account.insert(lot_of(given, part.credits)),
            }
            book(account, part.credits);
        }
        account.sweep();
        Ok(())
    })
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

fn held_charge<R: Records>(
    records: &mut R,
    booking: &BookingUid,
) -> Result<Charge, ApplyError<R::Error>> {
    charge_in(records, booking, &ChargeState::Held, "held")
}

fn open_charge<R: Records>(
    records: &mut R,
    booking: &BookingUid,
) -> Result<Charge, ApplyError<R::Error>> {
    charge_in(records, booking, &ChargeState::Open, "open")
}

fn charge_in<R: Records>(
    records: &mut R,
    booking: &BookingUid,
    state: &ChargeState,
    expected: &'static str,
) -> Result<Charge, ApplyError<R::Error>> {
    match read(records.charge(booking))? {
        Some(charge) if charge.state == *state => Ok(charge),
        Some(_) | None => Err(Violation::ChargeState {
            booking: booking.clone(),
            expected,
        }
        .into()),
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
