//! Grants and revocations as they were recorded.

use super::decision::Credits;
use super::id::{AccountId, MAX_NAME, Reference};
use super::lot::LotTerms;
use super::time::Time;

/// A grant or a revocation as it was recorded. With this record, repeating a command does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    /// The name of the command that was recorded. The same reference is never recorded twice.
    pub reference: Reference,
    /// The account that got or lost the credits.
    pub account: AccountId,
    /// Positive for both kinds.
    pub credits: Credits,
    /// Whether credits were given, taken back or restored.
    pub kind: GrantKind,
    /// The instant from which the granted credits count as expired. `None`: never, or a revocation.
    pub expires: Option<Time>,
    /// On what terms the credits were given. The default for everything but a grant and what comes
    /// from one.
    pub terms: LotTerms,
    /// Why the credits were given or taken back, for people.
    pub reason: String,
    /// When the grant or the revocation was recorded.
    pub at: Time,
}

/// What a grant record did to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantKind {
    /// An operator gave credits.
    Grant,
    /// An operator took credits back.
    Revoke,
    /// A lot made by a refund because the lot that paid had expired.
    Restored,
    /// An operator passed credits on to another account; `account` is the giver.
    Transfer,
    /// A lot that a transfer made in the account that got the credits.
    Received,
    /// A lot of lent credits.
    Overdraft,
}

/// Returns the name of a lot that a transfer makes.
pub fn received_lot_name(transfer: &Reference, number: usize) -> Reference {
    let name = format!("{transfer} lot {}", number + 1);
    // A reference may be as long as the longest name.
    let begin = name.len().saturating_sub(MAX_NAME);
    let begin = (begin..name.len()).find(|at| name.is_char_boundary(*at));
    Reference::parse(&name[begin.unwrap_or(0)..]).unwrap_or_else(|_| transfer.clone())
}
