//! Parses the JSON of another system: one value, and no message that repeats its text.

use serde_json::Value;

use super::failure::QueryFailure;

/// Parses the one JSON value.
///
/// # Errors
/// Returns an error that says where the text stops being JSON.
pub fn parse_json(bytes: &[u8]) -> Result<Value, QueryFailure> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The parser's own message may repeat the text.
        let (line, column) = (error.line(), error.column());
        QueryFailure::for_this_request(format!(
            "its answer is not one JSON value (line {line}, column {column})"
        ))
    })
}
