//! A member's PIN as an operator sets it: hashed in the process where it was typed, and stored only
//! as a hash.

use argon2::ARGON2ID_IDENT;
use argon2::password_hash::PasswordHash;

use crate::reconcile::pin::hash::{self, PinError};

/// The longest hash that is accepted, in bytes: our own have about 100.
const MAX_HASH: usize = 256;

/// Returns a hash that a pass can check the PIN against.
///
/// # Errors
/// Fails when the text cannot be a PIN.
pub fn hash(pin: &str) -> Result<String, PinError> {
    hash::hash(pin)
}

/// Returns true when the text is a hash that [`hash()`] could have made.
pub fn is_hash(text: &str) -> bool {
    text.len() <= MAX_HASH
        && PasswordHash::new(text).is_ok_and(|hash| hash.algorithm == ARGON2ID_IDENT)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(is_hash(&hash("4711").expect("it is a PIN")));
        for text in [
            "",
            "4711",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!is_hash(text), "{text}");
        }
    }
}
