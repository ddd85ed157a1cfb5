//! The accounts of the sandbox, and their keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rate_limiter::RateLimit;
use crate::domain::time::Time;

/// What an account may do beyond its own bookings (only v1 checks the role).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May act on own bookings only.
    User,
    /// May act on the bookings of all users.
    Admin,
}

/// An account: a host, or a booker with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account's number.
    pub id: i64,
    /// The name that bookings show.
    pub name: String,
    /// The e-mail address, as typed.
    pub email: String,
    /// The name in the account's booking links.
    pub username: String,
    /// The IANA name of the time zone.
    pub time_zone: String,
    /// What the account may do beyond its own bookings.
    pub role: Role,
    /// Locked by v1's limiter: v1 refuses every call, v2 ignores the lock.
    pub locked: bool,
}

/// An API key. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxKey {
    secret: String,
    /// The number of the account that the key belongs to.
    pub user: i64,
    /// When the key stops to be valid; `None`: never.
    pub expires: Option<Time>,
    /// The key's own v2 limit, in place of the world's.
    pub limit: Option<RateLimit>,
}

/// How the keys of a real server start; v1 removes the prefix, v2 distinguishes keys from tokens by
/// it.
pub const KEY_PREFIX: &str = "cal_";

impl SandboxKey {
    /// Returns a key that never expires; the secret may start with `KEY_PREFIX` or not.
    pub fn new(secret: &str, user: i64) -> Self {
        SandboxKey {
            secret: secret.trim_start_matches(KEY_PREFIX).to_owned(),
            user,
            expires: None,
            limit: None,
        }
    }

    /// Returns true when this is the presented key, given without its prefix.
    pub fn matches(&self, bare: &str) -> bool {
        self.secret == bare
    }
}

impl fmt::Debug for SandboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("secret", &"[redacted]")
            .field("user", &self.user)
            .field("expires", &self.expires)
            .field("limit", &self.limit)
            .finish()
    }
}
