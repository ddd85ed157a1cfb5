//! Renders why something was not done, for standard error.

use super::sanitize;
use crate::control::protocol::Refusal;

/// Renders a refusal for people. Line breaks are kept, because they come from maitred; the text
/// within a line may come from outside.
pub fn render_plain(refusal: &Refusal) -> String {
    let lines: Vec<String> = refusal
        .text
        .split('\n')
        .map(sanitize::sanitize_text)
        .collect();
    format!("maitred: {}\n", lines.join("\n"))
}

/// Renders a refusal for machines.
pub fn render_json(refusal: &Refusal) -> String {
    let text = serde_json::to_string(refusal).expect("a refusal is only texts and a number");
    sanitize::escape_json(&text) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        Refusal {
            exit: 2,
            code: "usage".to_owned(),
            text: "a.csv was not imported:\n  line 2: \u{1b}[31m\u{202e}bad".to_owned(),
        }
    }

    #[test]
    fn people_read_whole_lines() {
        insta::assert_snapshot!(render_plain(&refusal()), @r"
        maitred: a.csv was not imported:
          line 2: bad
        ");
    }

    #[test]
    fn machines_read_one() {
        insta::assert_snapshot!(render_json(&refusal()), @r#"{"exit":2,"code":"usage","text":"a.csv was not imported:\n  line 2: \u001b[31m\u202ebad"}"#);
    }
}
