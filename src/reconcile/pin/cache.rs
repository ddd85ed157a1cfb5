//! The results of verifications in one process.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::id::BookingUid;

/// The maximum number of results cached in one process. If there are more, all PINs are verified
/// again.
const MAX_CACHED_RESULTS: usize = 10_000;

/// Results of verifications, so that the PIN of a waiting booking is not verified again in each
/// pass.
#[derive(Default)]
pub struct PinCache(BTreeMap<(BookingUid, String), Option<bool>>);

impl fmt::Debug for PinCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinCache({})", self.0.len())
    }
}

impl PinCache {
    /// Returns the cached result of verifying the booking's PIN against this hash: the outer `None`
    /// means that no result is cached, the inner one that the hash cannot be used.
    pub fn get(&self, booking: &BookingUid, hash: &str) -> Option<Option<bool>> {
        self.0.get(&(booking.clone(), hash.to_owned())).copied()
    }

    /// Caches the result of verifying the booking's PIN against this hash; `None` if the hash
    /// cannot be used.
    pub fn insert(&mut self, booking: &BookingUid, hash: &str, is_right: Option<bool>) {
        if self.0.len() >= MAX_CACHED_RESULTS {
            self.0.clear();
        }
        self.0.insert((booking.clone(), hash.to_owned()), is_right);
    }
}
