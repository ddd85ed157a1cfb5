//! Why another system gave no answer.

/// Why there is no answer. The text may be logged: it names no address and shows no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct QueryFailure {
    /// The reason, for logs and operators.
    pub why: String,
    /// Whether the other system seems to be unavailable, so that other questions would not succeed
    /// now either.
    pub is_unavailable: bool,
}

impl QueryFailure {
    /// Returns the failure of a system that seems to be unavailable.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_unavailable: true,
        }
    }

    /// Returns a failure that says nothing about other questions.
    pub fn for_this_request(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            is_unavailable: false,
        }
    }

    /// Returns the failure of an answer that has more than this number of bytes.
    pub fn too_large(max_bytes: usize) -> Self {
        Self::for_this_request(format!("it gave more than {}", format_size(max_bytes)))
    }
}

/// Returns a number of bytes in words.
pub(super) fn format_size(bytes: usize) -> String {
    const MIB: usize = 1024 * 1024;
    if bytes >= MIB && bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{} KiB", bytes / 1024)
    }
}
