//! A record with the commits that touched it.

/// A record and the newest commits that touched it, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The record.
    pub record: T,
    /// The numbers of the commits, oldest first.
    pub seqs: Vec<u64>,
}

impl<T> Versioned<T> {
    /// Returns the record's version: the number of the last commit that touched the record.
    pub fn version(&self) -> Option<u64> {
        self.seqs.last().copied()
    }
}
