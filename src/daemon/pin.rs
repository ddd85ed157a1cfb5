//! A member's PIN as it is kept: an Argon2id hash with a salt of its own. The PIN itself is hashed in
//! the process that was told it, and goes no further.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};

/// Fewer characters are guessed within the tries that a member has.
pub const MIN_PIN: usize = 4;

/// More is no PIN, and the server's form takes any length.
pub const MAX_PIN: usize = 64;

/// Memory of one hashing, in KiB: what OWASP asks for with two rounds.
const MEMORY: u32 = 19 * 1024;

/// Rounds over that memory; some 20 ms on one core.
const ROUNDS: u32 = 2;

/// One lane: a pass looks at one PIN at a time.
const LANES: u32 = 1;

/// The longest hash that is taken, in bytes: ours have about 100.
const MAX_HASH: usize = 256;

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

/// A hash that the PIN can be checked against. Blanks around the PIN do not count.
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
    let params = Params::new(MEMORY, ROUNDS, LANES, None).expect("parameters are in range");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = SaltString::generate(&mut OsRng);
    let hash = argon2.hash_password(pin.as_bytes(), &salt);
    Ok(hash.expect("parameters and salt are in range").to_string())
}

/// Whether the text is such a hash.
pub fn is_hash(text: &str) -> bool {
    text.len() <= MAX_HASH
        && PasswordHash::new(text).is_ok_and(|hash| hash.algorithm == ARGON2ID_IDENT)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    #[test]
    fn a_hash_is_salted_and_fits_its_pin_only() {
        let hash = hash(" 4711 ").expect("it is a PIN");
        assert_ne!(super::hash("4711").expect("it is a PIN"), hash);
        assert!(is_hash(&hash));
        assert!(!hash.contains("4711"));
        let parsed = PasswordHash::new(&hash).expect("it is a hash");
        let fits = |pin: &str| {
            let argon2 = Argon2::default();
            argon2.verify_password(pin.as_bytes(), &parsed).is_ok()
        };
        assert!(fits("4711"));
        assert!(!fits("4712"));
    }

    #[test]
    fn what_is_no_pin_or_no_hash_is_refused() {
        let rows = [
            ("", PinError::Short),
            ("123", PinError::Short),
            (" 123 ", PinError::Short),
            (&"x".repeat(65), PinError::Long),
            ("12\n34", PinError::Unprintable),
        ];
        for (pin, expect) in rows {
            assert_eq!(hash(pin), Err(expect), "{pin:?}");
        }
        for text in [
            "",
            "4711",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!is_hash(text), "{text}");
        }
    }
}
