//! The requests whose gate asks for a PIN, and the check that each of them needs.

use std::fmt;

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::submitted::SubmittedPins;
use crate::domain::booking::{Booker, Booking};
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;

/// One request whose gate asks for a PIN, from a booker who has an account.
#[derive(Debug)]
pub struct PinCase {
    /// The booking by which the plan finds the result.
    pub booking: BookingUid,
    /// The request that the booking belongs to.
    pub request: RequestId,
    /// When the request was made.
    pub created: Time,
    /// The member whose PIN is asked for.
    pub account: AccountId,
    /// A fingerprint of the person who gave the PIN, as far as the booking identifies them.
    pub origin: String,
    /// The check that the case needs.
    pub check: PinCheck,
}

/// The check that a case needs.
#[derive(Debug)]
pub enum PinCheck {
    /// The member has no PIN.
    NotSet,
    /// No PIN was given.
    Missing,
    /// A PIN was given and is to be verified.
    Try(PinVerification),
}

/// A PIN, and the hash to verify it against; `Debug` shows neither.
#[derive(Clone)]
pub struct PinVerification {
    /// The stored hash of the member's PIN.
    pub hash: String,
    /// The PIN that was given.
    pub pin: SecretString,
}

impl fmt::Debug for PinVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinVerification")
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
