//! Checks whether the PIN given with a booking is the member's. The PIN is removed from the booking
//! before any other code reads the booking, and is not passed on: no log, text, rule or lookup
//! contains the PIN, and neither does the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::booking::{Answer, Booker, Booking};
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::snapshot::{PinResult, Snapshot};
use crate::domain::time::{Span, Time};
use crate::store::port::{Store, StoreError};

/// The minimum length of a PIN, in characters. A shorter PIN could be guessed within the tries that
/// a member has.
pub const MIN_PIN: usize = 4;

/// The maximum length of a PIN, in characters. A longer text is not a PIN, and the server's form
/// accepts any length.
pub const MAX_PIN: usize = 64;

/// Memory of one hash, in KiB: what OWASP recommends with two rounds. More would be noticeable on
/// the small machines that maitred runs on, where a pass may verify dozens of PINs.
const HASH_MEMORY_KIB: u32 = 19 * 1024;

/// Rounds over that memory; some 20 ms on one core.
const ROUNDS: u32 = 2;

/// One lane, because a pass verifies one PIN at a time.
const LANES: u32 = 1;

/// The maximum cost of a stored hash, regardless of where it was made: a hash from elsewhere must
/// not stop maitred.
const MAX_HASH_MEMORY_KIB: u32 = 64 * 1024;
const MAX_ROUNDS: u32 = 10;
const MAX_LANES: u32 = 4;

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

/// The maximum number of results cached in one process. If there are more, all PINs are verified
/// again.
const MAX_CACHED_RESULTS: usize = 10_000;

/// The text that replaces a PIN.
const PIN_PLACEHOLDER: &str = "[pin]";

/// The reason why a PIN cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    #[error("a PIN has at least {MIN_PIN} characters")]
    Short,
    #[error("a PIN has at most {MAX_PIN} characters")]
    Long,
    #[error("a PIN holds no line breaks or other control characters")]
    Unprintable,
}

/// Returns a hash that the PIN can be verified against, with a salt of its own. Blanks around the
/// PIN do not count.
///
/// # Errors
/// Returns an error if the text cannot be a PIN.
///
/// # Panics
/// Panics if the system provides no random numbers.
pub fn hash(pin: &str) -> Result<String, PinError> {
    let pin = pin.trim();
    match pin.chars().count() {
        0..MIN_PIN => return Err(PinError::Short),
        MIN_PIN..=MAX_PIN => {}
        _ => return Err(PinError::Long),
    }
    if pin.chars().any(char::is_control) {
        return Err(PinError::Unprintable);
    }
    let salt = SaltString::generate(&mut OsRng);
    let hash = hasher().hash_password(pin.as_bytes(), &salt);
    Ok(hash.expect("parameters and salt are in range").to_string())
}

fn hasher() -> Argon2<'static> {
    let params =
        Params::new(HASH_MEMORY_KIB, ROUNDS, LANES, None).expect("parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Returns whether the PIN matches the hash; slow by design. Returns `None` if the hash is invalid
/// or costs too much.
pub fn verify(hash: &str, pin: &SecretString) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let is_affordable = params.m_cost() <= MAX_HASH_MEMORY_KIB
        && params.t_cost() <= MAX_ROUNDS
        && params.p_cost() <= MAX_LANES;
    if !is_affordable || hash.algorithm != argon2::ARGON2ID_IDENT {
        return None;
    }
    // The hash contains its own parameters.
    let result = Argon2::default().verify_password(pin.expose_secret().as_bytes(), &hash);
    Some(result.is_ok())
}

/// The PINs that were given, by booking.
#[derive(Debug, Default)]
pub struct SubmittedPins(BTreeMap<BookingUid, SecretString>);

impl SubmittedPins {
    /// Takes the PIN out of the booking, wherever it is repeated, if the gate asks for a PIN. Also
    /// replaces the booker's address with the address under which the account is found.
    pub fn take_from(&mut self, policy: &Policy, booking: &mut Booking) {
        if let Some(booker) = &mut booking.booker {
            booker.address = policy.global.address_of(&booker.address);
        }
        if let Some(pin) = take_pin(policy, booking) {
            self.0.insert(booking.uid.clone(), pin);
        }
    }
}

/// Takes the PIN out of a booking whose gate asks for a PIN, and returns it.
pub fn take_pin(policy: &Policy, booking: &mut Booking) -> Option<SecretString> {
    let question = policy.gate(booking)?.criteria.pin.as_deref()?;
    let answer = booking.answers.remove(question);
    let metadata_copy = booking.metadata.remove(question);
    let mut texts = Vec::new();
    for answer in answer.iter().chain(&metadata_copy) {
        collect_texts(answer, &mut texts);
    }
    // A title may be built from answers, and the notes are an answer too.
    for secret in texts {
        if secret.expose_secret().chars().count() >= MIN_PIN {
            wipe(booking, secret.expose_secret());
        }
    }
    let pin = single_value(answer.as_ref()?)?;
    (!pin.expose_secret().is_empty()).then_some(pin)
}

/// Returns the only value of an answer: a text, a number, or either of them wrapped.
fn single_value(answer: &Answer) -> Option<SecretString> {
    match answer {
        Answer::Text(_) | Answer::Number(_) => Some(trimmed_text(answer)),
        Answer::List(items) => match items.as_slice() {
            [item] => single_value(item),
            _ => None,
        },
        Answer::Map(fields) => single_value(fields.get("value")?),
        Answer::Null | Answer::Bool(_) => None,
    }
}

/// Returns the text as it was typed, without blanks around it. A question that takes numbers loses
/// leading zeros.
fn trimmed_text(answer: &Answer) -> SecretString {
    SecretString::from(match answer {
        Answer::Text(text) => text.trim().to_owned(),
        Answer::Number(number) => number.to_string(),
        Answer::Null | Answer::Bool(_) | Answer::List(_) | Answer::Map(_) => String::new(),
    })
}

fn collect_texts(answer: &Answer, texts: &mut Vec<SecretString>) {
    match answer {
        Answer::Text(_) | Answer::Number(_) => texts.push(trimmed_text(answer)),
        Answer::List(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Answer::Map(fields) => fields.values().for_each(|item| collect_texts(item, texts)),
        Answer::Null | Answer::Bool(_) => {}
    }
}

fn wipe(booking: &mut Booking, secret: &str) {
    let texts = [
        Some(&mut booking.title),
        booking.description.as_mut(),
        booking.location.as_mut(),
        booking.cancellation_reason.as_mut(),
    ];
    for text in texts.into_iter().flatten() {
        wipe_text(text, secret);
    }
    for answer in booking
        .answers
        .values_mut()
        .chain(booking.metadata.values_mut())
    {
        wipe_answer(answer, secret);
    }
}

fn wipe_text(text: &mut String, secret: &str) {
    if text.contains(secret) {
        *text = text.replace(secret, PIN_PLACEHOLDER);
    }
}

fn wipe_answer(answer: &mut Answer, secret: &str) {
    match answer {
        Answer::Text(text) => wipe_text(text, secret),
        Answer::Number(number) if number.to_string() == secret => *answer = Answer::Null,
        Answer::List(items) => items.iter_mut().for_each(|item| wipe_answer(item, secret)),
        Answer::Map(fields) => fields
            .values_mut()
            .for_each(|item| wipe_answer(item, secret)),
        Answer::Null | Answer::Bool(_) | Answer::Number(_) => {}
    }
}

/// One request whose gate asks for a PIN, from a booker who has an account.
#[derive(Debug)]
pub struct PinCase {
    /// The booking by which the plan finds the result.
    pub booking: BookingUid,
    pub request: RequestId,
    pub created: Time,
    pub account: AccountId,
    pub origin: String,
    pub check: PinCheck,
}

/// Returns a fingerprint of the person who gave a PIN, as far as a booking identifies them: the
/// name, the language and the time zone of the booker. Another person can give the same values, and
/// is then limited together with the member, as one origin.
fn origin_fingerprint(booker: &Booker) -> String {
    let mut digest = Sha256::new();
    for part in [&booker.name, &booker.language, &booker.time_zone] {
        let part = part.as_deref().unwrap_or_default().trim().to_lowercase();
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The check that a case needs.
#[derive(Debug)]
pub enum PinCheck {
    /// The member has no PIN.
    NotSet,
    /// No PIN was given.
    Missing,
    Try(PinVerification),
}

/// A PIN, and the hash to verify it against; `Debug` shows neither.
#[derive(Clone)]
pub struct PinVerification {
    pub hash: String,
    pub pin: SecretString,
}

impl fmt::Debug for PinVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Try")
    }
}

/// Returns the PIN cases of these requests, in their order. Each request is given by its first
/// booking, its id, and the time when it was made.
pub fn collect_pin_cases<'a>(
    policy: &Policy,
    snapshot: &Snapshot,
    submitted_pins: &SubmittedPins,
    requests: impl Iterator<Item = (&'a Booking, &'a RequestId, Time)>,
) -> Vec<PinCase> {
    let cases = requests.filter_map(|(booking, request, created)| {
        policy.gate(booking)?.criteria.pin.as_ref()?;
        let booker = booking.booker.as_ref()?;
        let account = snapshot.accounts_by_address.get(&booker.address)?;
        let account = snapshot.accounts.get(account)?;
        let check = match (&account.pin_hash, submitted_pins.0.get(&booking.uid)) {
            (None, _) => PinCheck::NotSet,
            (Some(_), None) => PinCheck::Missing,
            (Some(hash), Some(pin)) => PinCheck::Try(PinVerification {
                hash: hash.clone(),
                pin: pin.clone(),
            }),
        };
        Some(PinCase {
            booking: booking.uid.clone(),
            request: request.clone(),
            created,
            account: account.id.clone(),
            origin: origin_fingerprint(booker),
            check,
        })
    });
    cases.collect()
}

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
    Origin,
    Member,
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

/// Results of verifications, so that the PIN of a waiting booking is not verified again in each
/// pass.
#[derive(Default)]
pub struct PinCache(BTreeMap<(BookingUid, String), Option<bool>>);

impl fmt::Debug for PinCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remembered({})", self.0.len())
    }
}

impl PinCache {
    pub fn get(&self, booking: &BookingUid, hash: &str) -> Option<Option<bool>> {
        self.0.get(&(booking.clone(), hash.to_owned())).copied()
    }

    pub fn insert(&mut self, booking: &BookingUid, hash: &str, is_right: Option<bool>) {
        if self.0.len() >= MAX_CACHED_RESULTS {
            self.0.clear();
        }
        self.0.insert((booking.clone(), hash.to_owned()), is_right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_hash_fits_its_pin_alone() {
        let stored_hash = hash(" 4711-x ").unwrap();
        assert!(
            stored_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored_hash}"
        );
        assert_ne!(
            stored_hash,
            hash("4711-x").unwrap(),
            "each has a salt of its own"
        );
        assert_eq!(verify(&stored_hash, &secret("4711-x")), Some(true));
        for wrong_pin in ["4711-X", "4711", "4711-x ", ""] {
            assert_eq!(
                verify(&stored_hash, &secret(wrong_pin)),
                Some(false),
                "{wrong_pin}"
            );
        }
    }

    #[test]
    fn an_invalid_pin_is_not_hashed() {
        let (longest, too_long) = ("7".repeat(MAX_PIN), "7".repeat(MAX_PIN + 1));
        let rows = [
            ("123", Err(PinError::Short)),
            ("  123  ", Err(PinError::Short)),
            ("", Err(PinError::Short)),
            ("1234", Ok(())),
            ("äöüß", Ok(())),
            (&longest, Ok(())),
            (&too_long, Err(PinError::Long)),
            ("12\n34", Err(PinError::Unprintable)),
        ];
        for (pin, expect) in rows {
            assert_eq!(hash(pin).map(|_| ()), expect, "{pin:?}");
        }
    }

    #[test]
    fn a_malformed_or_too_costly_hash_is_not_verified() {
        let salt_and_hash = "$c2FsdHNhbHRzYWx0$E9ELsb4pBRF5Jnwh4HxXZ3VKKg/hx1R7ZDh0jxlMfEg";
        let rows = [
            ("$argon2id$v=19$m=19456,t=2,p=1", Some(false)),
            ("$argon2id$v=19$m=65537,t=2,p=1", None),
            ("$argon2id$v=19$m=19456,t=11,p=1", None),
            ("$argon2id$v=19$m=19456,t=2,p=5", None),
            ("$argon2d$v=19$m=19456,t=2,p=1", None),
            ("$scrypt$ln=16,r=8,p=1", None),
        ];
        for (parameters, expect) in rows {
            let hash = format!("{parameters}{salt_and_hash}");
            assert_eq!(verify(&hash, &secret("1234")), expect, "{hash}");
        }
        for malformed in ["", "1234", "$argon2id$v=19$m=19456,t=2,p=1"] {
            assert_ne!(
                verify(malformed, &secret("1234")),
                Some(true),
                "{malformed}"
            );
        }
    }

    #[test]
    fn an_answer_is_one_text_or_number() {
        let text = |text: &str| Answer::Text(text.to_owned());
        let wrapped = Answer::Map(BTreeMap::from([("value".to_owned(), text("1234"))]));
        let other = Answer::Map(BTreeMap::from([("pin".to_owned(), text("1234"))]));
        let rows = [
            (text(" 1234\n"), Some("1234")),
            (Answer::Number(1234.0), Some("1234")),
            (Answer::List(vec![text("1234")]), Some("1234")),
            (wrapped, Some("1234")),
            (other, None),
            (Answer::List(vec![text("1234"), text("5678")]), None),
            (Answer::Bool(true), None),
            (Answer::Null, None),
        ];
        for (answer, expect) in rows {
            let got = single_value(&answer);
            assert_eq!(
                got.as_ref().map(|pin| pin.expose_secret()),
                expect,
                "{answer:?}"
            );
        }
    }

    #[test]
    fn debug_output_shows_no_pin() {
        let verification = PinVerification {
            hash: "$argon2id$".to_owned(),
            pin: secret("4711"),
        };
        let mut cache = PinCache::default();
        let uid = BookingUid::parse("uid").unwrap();
        cache.insert(&uid, &verification.hash, Some(true));
        let submitted_pins = SubmittedPins(BTreeMap::from([(uid, verification.pin.clone())]));
        let debug_text = format!("{verification:?} {cache:?} {submitted_pins:?}");
        assert!(
            !debug_text.contains("4711") && !debug_text.contains("argon2"),
            "{debug_text}"
        );
    }
}
