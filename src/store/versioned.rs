//! A record with the commits that touched it.

/// A record and the newest commits that touched it, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    pub record: T,
    pub seqs: Vec<u64>,
}
