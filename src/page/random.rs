//! Random texts that cannot be guessed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The length of a secret, in bytes.
pub const SECRET_LENGTH: usize = 32;

/// Returns random bytes of the system.
pub fn random_bytes() -> [u8; SECRET_LENGTH] {
    let mut bytes = [0; SECRET_LENGTH];
    // The system gives random bytes from its start on. Without them there are no secrets.
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system gives random bytes");
    bytes
}

/// Returns a random text of letters, digits, `-` and `_`.
pub fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes())
}
