//! Prepares the reason for the booker for sending: removes what a server would refuse, or answer
//! with a 500.

/// The longest reason that is sent, in characters. Cal.com keeps 5000; v1 carries the reason in the
/// URL, where each character may take twelve bytes, and proxies cut URLs at 8 KiB or more.
const MAX_CHARS: usize = 600;

/// The text that is sent if no reason was given: a host's cancellation without a reason is refused,
/// and v1 would mail "Not Provided".
const DEFAULT_MESSAGE: &str = "No reason was given.";

/// Returns the reason without control characters (the server answers a NUL with a 500), trimmed,
/// never empty, and cut to length.
pub(super) fn sanitize(reason: &str) -> String {
    let clean = reason.replace("\r\n", "\n");
    let clean = clean
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let clean: String = clean.collect();
    let clean = clean.trim();
    if clean.is_empty() {
        return DEFAULT_MESSAGE.to_owned();
    }
    if clean.chars().nth(MAX_CHARS).is_none() {
        return clean.to_owned();
    }
    tracing::warn!(
        limit = MAX_CHARS,
        "a reason is longer than is sent and was cut"
    );
    let mut cut: String = clean.chars().take(MAX_CHARS - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_never_empty_nor_too_long() {
        let long = "ä".repeat(MAX_CHARS + 1);
        let cut = format!("{}…", "ä".repeat(MAX_CHARS - 1));
        let exact = "x".repeat(MAX_CHARS);
        let rows = [
            ("", DEFAULT_MESSAGE),
            (" \n ", DEFAULT_MESSAGE),
            ("\u{0}", DEFAULT_MESSAGE),
            (" No credits left. ", "No credits left."),
            ("one\r\ntwo\u{7}", "one\ntwo"),
            (exact.as_str(), exact.as_str()),
            (long.as_str(), cut.as_str()),
        ];
        for (reason, expect) in rows {
            assert_eq!(sanitize(reason), expect, "{reason:?}");
        }
    }
}
