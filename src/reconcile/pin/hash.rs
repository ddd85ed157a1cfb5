//! The hash of a PIN: what a PIN has to be, how it is hashed, and how a given PIN is verified.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

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

/// The reason why a PIN cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// The PIN has fewer than [`MIN_PIN`] characters.
    #[error("a PIN has at least {MIN_PIN} characters")]
    Short,
    /// The PIN has more than [`MAX_PIN`] characters.
    #[error("a PIN has at most {MAX_PIN} characters")]
    Long,
    /// The PIN contains control characters.
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
}
