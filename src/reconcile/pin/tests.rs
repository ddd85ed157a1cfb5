//! What `Debug` shows of a PIN.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::cache::PinCache;
use super::case::PinVerification;
use super::submitted::SubmittedPins;
use crate::domain::id::BookingUid;

#[test]
fn debug_output_shows_no_pin() {
    let verification = PinVerification {
        hash: "$argon2id$".to_owned(),
        pin: SecretString::from("4711"),
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
