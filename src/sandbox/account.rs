//! The accounts of the sandbox, and their keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rate_limiter::RateLimit;
use crate::domain::time::Time;

/// What an account may do beyond its own bookings (only v1 checks the role).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    User,
    Admin,
}

/// An account: a host, or a booker with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub username: String,
    pub time_zone: String,
    pub role: Role,
    /// Locked by v1's limiter: v1 refuses every call, v2 ignores the lock.
    pub locked: bool,
}

/// An API key. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxKey {
    secret: String,
    pub user: i64,
    pub expires: Option<Time>,
    /// The key's own v2 limit, in place of the world's.
    pub limit: Option<RateLimit>,
}

/// How the keys of a real server start; v1 removes the prefix, v2 distinguishes keys from tokens by
/// it.
pub const KEY_PREFIX: &str = "cal_";

impl SandboxKey {
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
