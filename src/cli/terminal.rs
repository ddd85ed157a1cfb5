//! Finds the width of the terminal.

/// The columns if standard output is not a terminal.
const DEFAULT_WIDTH: usize = 100;

/// The most columns. Wider lines are hard to read.
const MAX_WIDTH: usize = 120;

/// The fewest columns. Narrower tables are harder to read than wrapped lines.
const MIN_WIDTH: usize = 40;

/// Returns the columns to print in: what `COLUMNS` says, or else the width of the terminal, within
/// these limits.
pub fn width() -> usize {
    let variable = std::env::var("COLUMNS").ok();
    let variable = variable.and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size_of(std::io::stdout());
    clamp_columns(variable.or_else(|| terminal().map(|(width, _)| width.0.into())))
}

fn clamp_columns(requested: Option<usize>) -> usize {
    requested
        .filter(|columns| *columns >= MIN_WIDTH)
        .unwrap_or(DEFAULT_WIDTH)
        .min(MAX_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_found_counts_within_reason() {
        let rows = [
            (None, DEFAULT_WIDTH),
            (Some(80), 80),
            (Some(300), MAX_WIDTH),
            (Some(10), DEFAULT_WIDTH),
            (Some(0), DEFAULT_WIDTH),
        ];
        for (found, expect) in rows {
            assert_eq!(clamp_columns(found), expect, "{found:?}");
        }
    }
}
