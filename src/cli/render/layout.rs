//! The few forms in which everything is printed: times, counts, blocks of labels, and tables
//! without borders.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::sanitize;
use crate::control::instants::localize_instants;

/// The narrowest page. On a narrower one, words would be cut to pieces; such a terminal wraps the
/// lines itself.
const NARROWEST: usize = 60;

/// The widest page. Wider lines are hard to read.
const WIDEST: usize = 160;

/// The blanks between two columns.
const GAP: u16 = 2;

/// How many characters of a title are shown. The JSON contains the whole title.
const MAX_TITLE: usize = 80;

/// The page on which answers are printed.
#[derive(Debug, Clone, Copy)]
pub struct PageLayout {
    width: usize,
    /// The time from which distances such as "in 2 h" are counted.
    pub now: DateTime<Utc>,
    /// The zone in which times are shown.
    pub zone: Tz,
}

impl PageLayout {
    /// Returns a page of this many columns; a width that is too small or too large is adjusted.
    pub fn new(width: usize, now: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            width: width.clamp(NARROWEST, WIDEST),
            now,
            zone,
        }
    }

    /// Renders labels with their values, indented by two columns.
    pub fn render_block(&self, rows: &[(&str, String)]) -> String {
        let mut table = self.new_table();
        for (label, value) in rows {
            table.add_row([*label, value]);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        if let Some(labels) = table.column_mut(0) {
            labels.set_constraint(ColumnConstraint::ContentWidth);
        }
        indent(&table)
    }

    /// Renders a table with headings, indented by two columns. Columns named in `numbers` are
    /// aligned at their right, and those in `unbroken` are never broken.
    pub fn render_table(
        &self,
        headings: &[&str],
        unbroken: &[&str],
        numbers: &[&str],
        rows: Vec<Vec<String>>,
    ) -> String {
        let mut table = self.new_table();
        table.set_header(headings);
        for row in rows {
            assert_eq!(row.len(), headings.len(), "each column has a heading");
            table.add_row(row);
        }
        for (heading, column) in headings.iter().zip(table.column_iter_mut()) {
            column.set_padding((0, GAP));
            if unbroken.contains(heading) || numbers.contains(heading) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            if numbers.contains(heading) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        indent(&table)
    }

    fn new_table(&self) -> Table {
        let width = u16::try_from(self.width - INDENT.len()).unwrap_or(u16::MAX);
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        table
    }

    /// Returns a text from outside, made harmless, with its instants in the page's time zone.
    pub fn render_text(&self, dirty: &str) -> String {
        localize_instants(&sanitize::sanitize_text(dirty), self.zone)
    }

    /// Formats a time to the minute, in the page's time zone: `2026-12-01 09:00 UTC`,
    /// `2026-12-01 10:00 CET`. A text that is not a time is shown as it is.
    pub fn format_minute(&self, time: &str) -> String {
        self.format_time(time, "%Y-%m-%d %H:%M %Z")
    }

    /// Formats a time to the second, for a sequence of events.
    pub fn format_second(&self, time: &str) -> String {
        self.format_time(time, "%Y-%m-%d %H:%M:%S %Z")
    }

    fn format_time(&self, time: &str, format: &str) -> String {
        match DateTime::parse_from_rfc3339(time) {
            Ok(at) => at.with_timezone(&self.zone).format(format).to_string(),
            Err(_) => time.to_owned(),
        }
    }

    /// Formats a time relative to now: `in 12 seconds`, `3 minutes ago`.
    pub fn format_distance(&self, time: &str) -> Option<String> {
        let at = DateTime::parse_from_rfc3339(time).ok()?.to_utc();
        let distance = at.signed_duration_since(self.now);
        Some(if distance >= TimeDelta::zero() {
            format!("in {}", format_span(distance))
        } else {
            format!("{} ago", format_span(-distance))
        })
    }

    /// Returns true if the time has come. A text that is not a time never comes.
    pub fn is_past(&self, time: &str) -> bool {
        DateTime::parse_from_rfc3339(time).is_ok_and(|at| at <= self.now)
    }
}

const INDENT: &str = "  ";

fn indent(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        let line = line.trim_end();
        if !line.is_empty() {
            text.push_str(INDENT);
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

/// Formats a span in the largest unit that fits.
fn format_span(span: TimeDelta) -> String {
    let units = [
        (span.num_days(), "day"),
        (span.num_hours(), "hour"),
        (span.num_minutes(), "minute"),
    ];
    let (number, unit) = units
        .into_iter()
        .find(|(number, _)| *number > 0)
        .unwrap_or((span.num_seconds(), "second"));
    format_count(number.unsigned_abs(), unit)
}

/// Formats a number of things: `1 credit`, `2 credits`.
pub fn format_count(number: impl TryInto<u64>, what: &str) -> String {
    // Counts of things in memory fit. A count that does not fit would still be plural.
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = match (number, what.strip_suffix('y')) {
        (1, _) => what.to_owned(),
        (_, Some(stem)) if !what.ends_with("day") => format!("{stem}ies"),
        (_, _) => format!("{what}s"),
    };
    format!("{number} {plural}")
}

/// Returns the title in quotation marks, or a text in place of an empty title.
pub fn quote_title(title: &str) -> String {
    if title.trim().is_empty() {
        return "a booking without a title".to_owned();
    }
    let mut chars = title.trim().chars();
    let shown: String = chars.by_ref().take(MAX_TITLE).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("“{shown}{more}”")
}

/// Returns the text with a capital letter.
pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_right() {
        let rows = [
            (format_count(0_u64, "credit"), "0 credits"),
            (format_count(1_u64, "credit"), "1 credit"),
            (format_count(2_usize, "entry"), "2 entries"),
            (format_count(2_u64, "day"), "2 days"),
            (format_count(1_usize, "entry"), "1 entry"),
        ];
        for (text, expect) in rows {
            assert_eq!(text, expect);
        }
    }

    #[test]
    fn times_are_read_easily_and_what_is_none_is_shown() {
        let time = "2026-12-01T10:00:07.250+01:00";
        let page = PageLayout::new(100, DateTime::UNIX_EPOCH, Tz::UTC);
        assert_eq!(page.format_minute(time), "2026-12-01 09:00 UTC");
        assert_eq!(page.format_second(time), "2026-12-01 09:00:07 UTC");
        assert_eq!(page.format_minute("soon"), "soon");
        let berlin = PageLayout {
            zone: Tz::Europe__Berlin,
            ..page
        };
        assert_eq!(berlin.format_minute(time), "2026-12-01 10:00 CET");
        assert_eq!(
            berlin.format_second("2026-07-01T22:30:00Z"),
            "2026-07-02 00:30:00 CEST"
        );
    }

    #[test]
    fn distances_are_in_the_largest_unit_that_fits() {
        let now = DateTime::parse_from_rfc3339("2026-12-01T09:00:00Z").unwrap();
        let page = PageLayout::new(100, now.to_utc(), Tz::UTC);
        let rows = [
            ("2026-12-01T09:00:00Z", "in 0 seconds"),
            ("2026-12-01T09:00:12Z", "in 12 seconds"),
            ("2026-12-01T08:58:30Z", "1 minute ago"),
            ("2026-12-01T12:59:59Z", "in 3 hours"),
            ("2026-11-01T09:00:00Z", "30 days ago"),
        ];
        for (time, expect) in rows {
            assert_eq!(page.format_distance(time).as_deref(), Some(expect));
        }
        assert_eq!(page.format_distance("soon"), None);
    }
}
