//! Names of members in addresses of the page. Addresses stay in the history of a browser and in the
//! logs of proxies, and names are e-mail addresses, so that a name is encrypted there. The keys are
//! made at the start of the daemon.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use super::random::random_bytes;

/// The longest sealed name that is opened, in characters. The longest name of an account fits.
const MAX_SEALED: usize = 2_048;

/// Seals names, and opens what it has sealed.
pub struct NameSealer {
    key: LessSafeKey,
    nonce_key: hmac::Key,
}

impl NameSealer {
    /// Returns a sealer with keys of its own.
    pub fn new() -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &random_bytes())
            .expect("a key has the length of a secret");
        Self {
            key: LessSafeKey::new(key),
            nonce_key: hmac::Key::new(hmac::HMAC_SHA256, &random_bytes()),
        }
    }

    /// Returns the name as a text of letters, digits, `-` and `_`. The same name is always sealed to
    /// the same text, so that a browser knows which links it has visited.
    pub fn seal(&self, name: &str) -> String {
        // Two names have two nonces, as far as a hash can tell names apart.
        let tag = hmac::sign(&self.nonce_key, name.as_bytes());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&tag.as_ref()[..NONCE_LEN]);
        let mut sealed = name.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .expect("a name is far shorter than the longest message");
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the name; `None` for a text that this sealer did not make.
    pub fn open(&self, sealed: &str) -> Option<String> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        if bytes.len() < NONCE_LEN {
            return None;
        }
        let mut text = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let name = self
            .key
            .open_in_place(nonce, Aad::empty(), &mut text)
            .ok()?;
        String::from_utf8(name.to_vec()).ok()
    }
}

impl Default for NameSealer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for NameSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameSealer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_opened_by_its_own_sealer_alone() {
        let (sealer, other) = (NameSealer::new(), NameSealer::new());
        for name in ["bo@example.com", "", "Zoë 读书会"] {
            let sealed = sealer.seal(name);
            assert_eq!(sealed, sealer.seal(name));
            assert_eq!(sealer.open(&sealed).as_deref(), Some(name));
            assert_eq!(other.open(&sealed), None);
            let url_safe = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            assert!(sealed.chars().all(url_safe), "{sealed}");
            assert!(name.is_empty() || !sealed.contains(name));
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_else_is_opened(text in "[A-Za-z0-9_@.-]{0,80}") {
            proptest::prop_assert_eq!(NameSealer::new().open(&text), None);
        }
    }
}
