//! The wrong PINs of the last day, and the limits that they count for: guesses must not find a PIN,
//! and strangers must not lock out a member.

use std::collections::{BTreeMap, BTreeSet};

use super::case::PinCase;
use crate::domain::id::{AccountId, Address, RequestId};
use crate::domain::snapshot::{PinResult, Snapshot};
use crate::domain::time::{Span, Time};
use crate::store::port::{Store, StoreError};

/// The number of wrong PINs for one member from one origin within a day after which no PIN from
/// that origin is verified.
pub const MAX_WRONG_PER_ORIGIN: usize = 5;

/// The same limit for one member over all origins. Origins that gave the right PIN before are
/// exempt.
pub const MAX_WRONG_PER_MEMBER: usize = 20;

/// The same limit over all members, against guesses that are spread over many accounts.
pub const MAX_WRONG_TOTAL: usize = 100;

/// How long a wrong PIN counts.
const WRONG_PIN_WINDOW: Span = Span::hours(24);

/// The maximum number of wrong PINs within the window that are read. If there are more, someone is
/// guessing.
const MAX_WRONG_READ: usize = 1_000;

/// How long ago a right PIN may have been given for its origin to be known, and how many requests
/// of an address are searched for such a PIN.
const KNOWN_ORIGIN_AGE: Span = Span::days(400);
const MAX_REQUESTS_PER_ADDRESS: usize = 200;

/// The recent wrong PINs.
#[derive(Debug, Default)]
pub struct WrongPins {
    tries: BTreeMap<RequestId, WrongPin>,
    /// Whether there were more wrong PINs than are read.
    has_too_many: bool,
    /// Origins from which the right PIN was given before.
    known_origins: BTreeSet<(AccountId, String)>,
}

#[derive(Debug)]
struct WrongPin {
    account: AccountId,
    origin: String,
    created: Time,
}

/// The limit that keeps a PIN from being verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinLimit {
    /// [`MAX_WRONG_PER_ORIGIN`] is reached.
    Origin,
    /// [`MAX_WRONG_PER_MEMBER`] is reached.
    Member,
    /// [`MAX_WRONG_TOTAL`] is reached.
    All,
}

/// The members with all their addresses, and since when their wrong PINs count.
#[derive(Debug, Clone, Default)]
pub struct WrongPinQuery {
    members: Vec<(AccountId, Vec<Address>)>,
    since: Option<Time>,
    /// The number of PINs that may be verified, and be wrong, in this pass.
    case_count: usize,
}

/// Builds the query for the members whose PINs are to be verified.
pub fn build_wrong_pin_query(snapshot: &Snapshot, cases: &[PinCase]) -> WrongPinQuery {
    let members: BTreeSet<&AccountId> = cases.iter().map(|case| &case.account).collect();
    let members = members.into_iter().filter_map(|id| {
        let account = snapshot.accounts.get(id)?;
        let own_address = Address::parse(id.as_str()).ok();
        let addresses = own_address
            .into_iter()
            .chain(account.aliases.iter().cloned());
        Some((id.clone(), addresses.collect()))
    });
    let first_created = cases.iter().map(|case| case.created).min();
    WrongPinQuery {
        members: members.collect(),
        case_count: cases.len(),
        since: first_created.map(|first| first - WRONG_PIN_WINDOW),
    }
}

/// Reads the wrong PINs that were recorded and, if they may matter, the origins of right PINs.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub fn read_wrong_pins(store: &dyn Store, query: &WrongPinQuery) -> Result<WrongPins, StoreError> {
    let mut wrong_pins = WrongPins::default();
    let Some(since) = query.since else {
        return Ok(wrong_pins);
    };
    let tries = store.wrong_pin_requests(since, MAX_WRONG_READ + 1)?;
    wrong_pins.has_too_many = tries.len() > MAX_WRONG_READ;
    for request in tries {
        if let (Some(account), Some(pin)) = (request.account, request.pin_attempt) {
            let wrong_pin = WrongPin {
                account,
                origin: pin.origin,
                created: request.created_at,
            };
            wrong_pins.tries.insert(request.id, wrong_pin);
        }
    }
    // The origins of right PINs matter only once a limit over all origins may be reached.
    if wrong_pins.tries.len() + query.case_count < MAX_WRONG_PER_MEMBER {
        return Ok(wrong_pins);
    }
    for (account, addresses) in &query.members {
        for address in addresses {
            let earlier_requests = store.requests_of_booker(
                address,
                since + WRONG_PIN_WINDOW - KNOWN_ORIGIN_AGE,
                MAX_REQUESTS_PER_ADDRESS,
            )?;
            let right_pins = earlier_requests
                .into_iter()
                .filter_map(|request| request.pin_attempt);
            let right_pins = right_pins.filter(|pin| pin.is_correct);
            wrong_pins
                .known_origins
                .extend(right_pins.map(|pin| (account.clone(), pin.origin)));
        }
    }
    Ok(wrong_pins)
}

impl WrongPins {
    /// Returns the limit that keeps the PIN from being verified, as of this request: only requests
    /// that were made before this one count, never later ones.
    pub fn exceeded_limit(&self, case: &PinCase) -> Option<PinLimit> {
        let earlier_tries = || {
            self.tries.iter().filter(|(request, one)| {
                (one.created, *request) < (case.created, &case.request)
                    && case.created - one.created < WRONG_PIN_WINDOW
            })
        };
        let of_member = || earlier_tries().filter(|(_, one)| one.account == case.account);
        let of_origin = of_member().filter(|(_, one)| one.origin == case.origin);
        if of_origin.count() >= MAX_WRONG_PER_ORIGIN {
            return Some(PinLimit::Origin);
        }
        let own_origin = (case.account.clone(), case.origin.clone());
        if self.known_origins.contains(&own_origin) {
            return None;
        }
        if of_member().count() >= MAX_WRONG_PER_MEMBER {
            return Some(PinLimit::Member);
        }
        (self.has_too_many || earlier_tries().count() >= MAX_WRONG_TOTAL).then_some(PinLimit::All)
    }

    /// Counts one more wrong PIN.
    pub fn add(&mut self, case: &PinCase) {
        let wrong_pin = WrongPin {
            account: case.account.clone(),
            origin: case.origin.clone(),
            created: case.created,
        };
        self.tries.insert(case.request.clone(), wrong_pin);
    }
}

/// Returns the result of a verification, and counts a wrong PIN. A hash that cannot be read counts
/// as no PIN.
pub fn record_verification(
    case: &PinCase,
    is_right: Option<bool>,
    wrong_pins: &mut WrongPins,
) -> PinResult {
    match is_right {
        Some(true) => PinResult::Correct,
        Some(false) => {
            wrong_pins.add(case);
            PinResult::Wrong
        }
        None => PinResult::NotSet,
    }
}
