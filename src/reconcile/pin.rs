//! PINs: whether the one given with a booking is the member's. It is taken out of the booking
//! before anything else looks at it, and goes nowhere from here: into no log, text, rule or question to
//! another system, and not into the store.

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

/// Fewer characters are guessed within the tries that a member has.
pub const MIN_PIN: usize = 4;

/// More is no PIN, and the server's form takes any length.
pub const MAX_PIN: usize = 64;

/// Memory of one hashing, in KiB: what OWASP asks for with two rounds. More would be felt on the
/// small machines that this runs on, where a pass may look at dozens.
const HASH_MEMORY_KIB: u32 = 19 * 1024;

/// Rounds over that memory; some 20 ms on one core.
const ROUNDS: u32 = 2;

/// One lane: a pass looks at one PIN at a time.
const LANES: u32 = 1;

/// The most that a stored hash may cost, whoever made it: one from elsewhere must not stop the
/// house.
const MAX_HASH_MEMORY_KIB: u32 = 64 * 1024;
const MAX_ROUNDS: u32 = 10;
const MAX_LANES: u32 = 4;

/// Wrong PINs of one member from one origin within a day after which none of that origin is looked at.
pub const MAX_WRONG_PER_ORIGIN: usize = 5;

/// The same of one member, from all origins. Origins that gave the right PIN before are not held up.
pub const MAX_WRONG_PER_MEMBER: usize = 20;

/// The same over all members: guesses that are spread over many accounts.
pub const MAX_WRONG_TOTAL: usize = 100;

/// How long a wrong PIN counts.
const WRONG_PIN_WINDOW: Span = Span::hours(24);

/// Wrong PINs within the window that are looked through. When there are more, somebody is guessing.
const MAX_WRONG_READ: usize = 1_000;

/// How long ago a right PIN may have been given for its origin to be known, and how many requests of
/// an address are looked through for it.
const KNOWN_ORIGIN_AGE: Span = Span::days(400);
const MAX_REQUESTS_PER_ADDRESS: usize = 200;

/// Results remembered in one process; when there are more, all are looked at again.
const MAX_CACHED_RESULTS: usize = 10_000;

/// What stands where a PIN was.
const PIN_PLACEHOLDER: &str = "[pin]";

/// Why a PIN cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    #[error("a PIN has at least {MIN_PIN} characters")]
    Short,
    #[error("a PIN has at most {MAX_PIN} characters")]
    Long,
    #[error("a PIN holds no line breaks or other control characters")]
    Unprintable,
}

/// A hash that the PIN can be checked against, with a salt of its own. Blanks around it do not
/// count.
///
/// # Errors
/// When it cannot be a PIN.
///
/// # Panics
/// When the system gives no random numbers.
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

/// Whether the PIN is the hash's; slow by design. `None`: the hash is none, or costs too much.
pub fn verify(hash: &str, pin: &SecretString) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let is_affordable = params.m_cost() <= MAX_HASH_MEMORY_KIB
        && params.t_cost() <= MAX_ROUNDS
        && params.p_cost() <= MAX_LANES;
    if !is_affordable || hash.algorithm != argon2::ARGON2ID_IDENT {
        return None;
    }
    // The hash brings its own parameters along.
    let result = Argon2::default().verify_password(pin.expose_secret().as_bytes(), &hash);
    Some(result.is_ok())
}

/// PINs as they were given, by booking.
#[derive(Debug, Default)]
pub struct SubmittedPins(BTreeMap<BookingUid, SecretString>);

impl SubmittedPins {
    /// Takes the PIN out of the booking, wherever it is repeated, when the gate asks for one; and names
    /// the booker as the house looks for accounts.
    pub fn take_from(&mut self, policy: &Policy, booking: &mut Booking) {
        if let Some(booker) = &mut booking.booker {
            booker.address = policy.global.address_of(&booker.address);
        }
        if let Some(pin) = take_pin(policy, booking) {
            self.0.insert(booking.uid.clone(), pin);
        }
    }
}

/// Takes the PIN out of a booking of a gate that asks for one, and gives it back.
pub fn take_pin(policy: &Policy, booking: &mut Booking) -> Option<SecretString> {
    let question = policy.gate(booking)?.criteria.pin.as_deref()?;
    let answer = booking.answers.remove(question);
    let metadata_copy = booking.metadata.remove(question);
    let mut texts = Vec::new();
    for answer in answer.iter().chain(&metadata_copy) {
        collect_texts(answer, &mut texts);
    }
    // A title may be made of answers, and notes are an answer too.
    for secret in texts {
        if secret.expose_secret().chars().count() >= MIN_PIN {
            wipe(booking, secret.expose_secret());
        }
    }
    let pin = single_value(answer.as_ref()?)?;
    (!pin.expose_secret().is_empty()).then_some(pin)
}

/// The one value of an answer: a text, a number, or either of them wrapped.
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

/// As it was typed, without blanks around it. A question that takes numbers loses leading noughts.
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

/// One request whose gate asks for a PIN, of somebody who has an account.
#[derive(Debug)]
pub struct PinCase {
    /// The booking by which the plan knows the result.
    pub booking: BookingUid,
    pub request: RequestId,
    pub created: Time,
    pub account: AccountId,
    pub origin: String,
    pub check: PinCheck,
}

/// A fingerprint of who gave a PIN, as far as a booking tells: the name, the language and the time zone
/// of the booker. Somebody else can give the same, and is limited then as one origin with the member.
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

/// What there is to check.
#[derive(Debug)]
pub enum PinCheck {
    /// The member has no PIN.
    NotSet,
    /// None was given.
    Missing,
    Try(PinVerification),
}

/// A PIN against a hash; neither is shown.
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

/// The cases of these requests, in their order: the first booking, its request, and when it was
/// made.
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

/// The wrong PINs of late.
#[derive(Debug, Default)]
pub struct WrongPins {
    tries: BTreeMap<RequestId, WrongPin>,
    /// There were more than could be looked through.
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

/// Which limit keeps a PIN from being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinLimit {
    Origin,
    Member,
    All,
}

/// Members with all their addresses, and since when their wrong PINs count.
#[derive(Debug, Clone, Default)]
pub struct WrongPinQuery {
    members: Vec<(AccountId, Vec<Address>)>,
    since: Option<Time>,
    /// PINs that may be looked at, and be wrong, in this pass.
    case_count: usize,
}

/// Whose PINs are to be looked at.
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

/// Reads what was decided of wrong PINs, and where right ones came from when that may matter.
///
/// # Errors
/// When the store cannot be read.
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
    // Where a PIN came from before matters only once a limit over all origins may be reached.
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
    /// Which limit keeps the PIN from being looked at, as of this request: those that were asked for
    /// before it count, and later ones never do.
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

    /// Counts one more.
    pub fn add(&mut self, case: &PinCase) {
        let wrong_pin = WrongPin {
            account: case.account.clone(),
            origin: case.origin.clone(),
            created: case.created,
        };
        self.tries.insert(case.request.clone(), wrong_pin);
    }
}

/// What a try showed. A hash that cannot be read is as good as none.
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

/// Results of tries, so that a booking that waits is not looked at again in each pass.
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
