//! The list of exit codes as text.

use crate::control::exit;

/// Returns the list of exit codes, for `--help` and the man pages.
pub(super) fn exit_codes() -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, meaning) in exit::MEANINGS {
        text.push_str(&format!("\n  {code:>2}  {meaning}"));
    }
    text
}
