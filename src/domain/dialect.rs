//! The versions of Cal.com's API, and where a host creates a key for it.

/// The page of Cal.com on which a host creates an API key. Messages and documents name it alike.
pub const API_KEY_PAGE: &str = "Settings > Developer > API keys";

/// A version of Cal.com's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The current version, with the header `cal-api-version: 2024-08-13`.
    V2,
    /// The version before it, which old self-hosted servers still speak. Accepting a booking
    /// through it sends no mail and makes no calendar entry.
    V1,
}

impl Dialect {
    /// Returns the dialect's name in the configuration and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
        }
    }
}
