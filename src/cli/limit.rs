//! Parses the most rows that a list may show, as `--limit` gives them.

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The limit is 0, with which nothing could be shown.
    #[error("the value must be at least 1")]
    Zero,
    /// The text is no whole number, or too large.
    #[error("the value must be a whole number from 1 to {max}", max = u32::MAX)]
    NotANumber,
}

/// Parses a limit.
///
/// # Errors
/// Returns an error if the text is not a whole number of at least 1.
pub fn parse(text: &str) -> Result<u32, LimitError> {
    match text.trim().parse() {
        Ok(0) => Err(LimitError::Zero),
        Ok(limit) => Ok(limit),
        Err(_) => Err(LimitError::NotANumber),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_whole_number_of_at_least_one() {
        let rows = [
            ("1", Ok(1)),
            (" 20 ", Ok(20)),
            ("4294967295", Ok(u32::MAX)),
            ("0", Err(LimitError::Zero)),
            ("00", Err(LimitError::Zero)),
            ("-1", Err(LimitError::NotANumber)),
            ("4294967296", Err(LimitError::NotANumber)),
            ("x", Err(LimitError::NotANumber)),
            ("", Err(LimitError::NotANumber)),
        ];
        for (text, expect) in rows {
            assert_eq!(parse(text), expect, "{text:?}");
        }
    }
}
