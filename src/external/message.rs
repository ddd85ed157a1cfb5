//! Cleans texts of other systems before they are logged or shown.

/// The longest text of another system that is shown, in characters.
const MAX_MESSAGE_CHARS: usize = 200;

/// Returns the first line of a foreign text, without addresses and control characters.
pub fn sanitize_message(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let words = line.unwrap_or_default().split_whitespace();
    let words = words.map(|word| {
        if word.contains('@') || word.to_ascii_lowercase().contains("%40") {
            "[address]"
        } else {
            word
        }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let line = line.chars().filter(|c| !c.is_control());
    line.take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_other_systems_are_sanitized() {
        let rows = [
            ("no such member\nsecond", "no such member"),
            ("\n  \n last one ", "last one"),
            ("who is ann@example.com?", "who is [address]"),
            ("GET /m/ann%40example.com 500", "GET [address] 500"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("", ""),
        ];
        for (text, expect) in rows {
            assert_eq!(sanitize_message(text), expect, "{text}");
        }
        assert_eq!(
            sanitize_message(&"x".repeat(1_000)).len(),
            MAX_MESSAGE_CHARS
        );
    }
}
