//! Makes store errors from the errors of files and of sled, and the errors that several stores
//! return.

use std::error::Error;

use super::port::StoreError;

/// Returns the error with the texts of its whole chain. The chain itself is not kept, because it may
/// borrow or may not be sent to another thread.
pub(super) fn to_store_error(error: &dyn Error) -> StoreError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    StoreError { text, source: None }
}

/// Returns the error that refuses a commit to a read-only store.
pub(super) fn read_only_error() -> StoreError {
    StoreError {
        text: "write to the ledger: it was opened for reading only, which is a defect; please report it"
            .to_owned(),
        source: None,
    }
}
