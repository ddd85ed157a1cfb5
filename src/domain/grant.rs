//! Grants and revocations as they were recorded.

use super::decision::Credits;
use super::id::{AccountId, Reference};
use super::time::Time;

/// A grant or a revocation as it was recorded. With this record, repeating a command does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    pub reference: Reference,
    pub account: AccountId,
    /// Positive for both kinds.
    pub credits: Credits,
    pub kind: GrantKind,
    pub expires: Option<Time>,
    pub reason: String,
    pub at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantKind {
    Grant,
    Revoke,
    /// A lot made by a refund because the lot that paid had expired.
    Restored,
}
