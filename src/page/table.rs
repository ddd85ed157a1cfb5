//! Tables, lists of values, and the links to further pages. The roles are those that the elements
//! have anyway: browsers forget them when a style shows the rows of a narrow page as blocks.

use maud::{Markup, html};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    heading: &'static str,
    is_number: bool,
}

/// Returns a column of texts.
pub const fn text(heading: &'static str) -> Column {
    Column {
        heading,
        is_number: false,
    }
}

/// Returns a column of numbers.
pub const fn number(heading: &'static str) -> Column {
    Column {
        heading,
        is_number: true,
    }
}

/// Shows a table. The first cell of each row says what the row is about. Without rows it shows the
/// text for that.
pub fn table(caption: &str, columns: &[Column], rows: &[Vec<Markup>], if_empty: &str) -> Markup {
    if rows.is_empty() {
        return html! { p .empty { (if_empty) } };
    }
    let class = |column: &Column| column.is_number.then_some("number");
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns {
                        th role="columnheader" scope="col" class=[class(column)] {
                            (column.heading)
                        }
                    }
                }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (place, (column, cell)) in columns.iter().zip(row).enumerate() {
                            @if place == 0 {
                                th role="rowheader" scope="row" data-label=(column.heading) {
                                    (cell)
                                }
                            } @else {
                                td role="cell" class=[class(column)] data-label=(column.heading) {
                                    (cell)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Shows labels with their values.
pub fn values(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl {
            @for (label, value) in rows {
                div { dt { (label) } dd { (value) } }
            }
        }
    }
}

/// Shows links to the first and to the next page of a list, where there are any.
pub fn pages(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav .pages aria-label="Pages of this list" {
                @if let Some(first) = first { a href=(first) { "First page" } }
                @if let Some(next) = next { a rel="next" href=(next) { "Next page" } }
            }
        }
    }
}

/// Shows a word with a mark. The mark only repeats the word, for people who see it.
pub fn badge(kind: Badge, word: &str) -> Markup {
    let (class, mark) = match kind {
        Badge::Good => ("good", "✓"),
        Badge::Bad => ("bad", "✕"),
        Badge::Attention => ("attention", "!"),
        Badge::Neutral => ("neutral", "·"),
    };
    html! {
        span .badge .(class) { span aria-hidden="true" { (mark) } " " (word) }
    }
}

/// What a badge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Badge {
    /// Everything is as it should be.
    Good,
    /// Something was refused or failed.
    Bad,
    /// Somebody should look.
    Attention,
    /// Nothing in particular.
    Neutral,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_caption_and_headings_for_rows_and_columns() {
        let rows = vec![vec![html! { "a" }, html! { "1" }]];
        let shown = table("Things", &[text("name"), number("count")], &rows, "None.").into_string();
        for part in [
            "<caption>Things</caption>",
            "scope=\"col\">name</th>",
            "scope=\"col\" class=\"number\">count</th>",
            "scope=\"row\" data-label=\"name\">a</th>",
            "data-label=\"count\">1</td>",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        let empty = table("Things", &[text("name")], &[], "None.").into_string();
        assert_eq!(empty, "<p class=\"empty\">None.</p>");
    }
}
