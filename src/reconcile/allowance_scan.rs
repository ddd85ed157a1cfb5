//! What is remembered of the scans for allowances. It only saves work: losing it costs a scan of all
//! accounts.

use crate::domain::time::Time;

/// What is known about earlier scans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowanceScan {
    /// When all accounts were last scanned. `None`: never.
    pub scanned_at: Option<Time>,
    /// When the next grant is due, as far as the accounts are known.
    pub next_due: Option<Time>,
    /// The last commit whose accounts are known.
    pub seq: u64,
    /// A hash of the allowances that were scanned for.
    pub policy: String,
}
