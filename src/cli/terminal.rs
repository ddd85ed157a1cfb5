//! What there is to print on.

/// Columns when standard output is no terminal.
const DEFAULT_WIDTH: usize = 100;

/// Wider lines are hard to read.
const MAX_WIDTH: usize = 120;

/// Columns to print in: those of the terminal, or of `COLUMNS`, within reason.
pub fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok();
    columns
        .and_then(|columns| columns.parse().ok())
        .filter(|columns| *columns >= 40)
        .unwrap_or(DEFAULT_WIDTH)
        .min(MAX_WIDTH)
}
