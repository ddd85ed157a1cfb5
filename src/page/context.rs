//! How values are shown: times in the operator's time zone, titles, names, counts, and links to other
//! views. Texts come from strangers; they reach a browser as nothing but text.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::sealed_name::NameSealer;
use crate::control::instants::localize_instants;
use crate::domain::id::decode_domains;
use crate::domain::messages::is_invisible;

/// How many characters of a title are shown.
const MAX_TITLE: usize = 100;

/// How many characters of any other text are shown. A reason of an operator fits.
const MAX_TEXT: usize = 600;

/// Where links lead.
#[derive(Debug, Clone, Copy)]
pub enum LinkTarget<'a> {
    /// To other views of the page. Names in them are sealed.
    Page(&'a NameSealer),
    /// Nowhere: the view is in a file of its own.
    File,
}

/// What all views of one answer share.
#[derive(Debug, Clone, Copy)]
pub struct ViewContext<'a> {
    /// The present time, from which distances are counted.
    pub now: DateTime<Utc>,
    /// The operator's time zone.
    pub zone: Tz,
    /// Where links lead.
    pub links: LinkTarget<'a>,
}

impl ViewContext<'_> {
    /// Shows a time to the minute: `2026-12-01 10:00 CET`. A text that is no time is shown as it is.
    pub fn time(&self, time: &str) -> Markup {
        html! {
            @match DateTime::parse_from_rfc3339(time) {
                Ok(at) => time datetime=(time) {
                    (at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M %Z"))
                },
                Err(_) => (time),
            }
        }
    }

    /// Shows a time with its distance from now: `2026-12-01 10:00 CET (in 3 hours)`.
    pub fn time_from_now(&self, time: &str) -> Markup {
        html! {
            (self.time(time))
            @if let Ok(at) = DateTime::parse_from_rfc3339(time) {
                " (" (format_distance(at.to_utc() - self.now)) ")"
            }
        }
    }

    /// Shows a time, or a word where there is none.
    pub fn time_or(&self, time: Option<&str>, otherwise: &str) -> Markup {
        match time {
            Some(time) => self.time_from_now(time),
            None => html! { (otherwise) },
        }
    }

    /// Returns a sentence with its times in the operator's zone.
    pub fn text(&self, text: &str) -> String {
        shorten(&localize_instants(text, self.zone), MAX_TEXT)
    }

    /// Shows the title of a booking with a link to all that is known about it.
    pub fn booking(&self, uid: &str, title: &str) -> Markup {
        self.link(&format!("/bookings/{uid}"), &quote_title(title))
    }

    /// Shows the uid of a booking with a link to all that is known about it.
    pub fn booking_uid(&self, uid: &str) -> Markup {
        let link = self.link(&format!("/bookings/{uid}"), uid);
        html! { code { (link) } }
    }

    /// Shows the name of a member with a link to the account.
    pub fn account(&self, name: &str) -> Markup {
        let path = match self.links {
            LinkTarget::Page(sealer) => format!("/members/{}", sealer.seal(name)),
            LinkTarget::File => String::new(),
        };
        self.link(&path, &decode_domains(name))
    }

    /// Shows a text with a link to another view.
    pub fn link(&self, path: &str, text: &str) -> Markup {
        html! {
            @match self.links {
                LinkTarget::Page(_) => a href=(path) { (text) },
                LinkTarget::File => (text),
            }
        }
    }
}

/// Returns the name of a person or an account as people write it.
pub fn show_name(name: &str) -> Cow<'_, str> {
    decode_domains(name)
}

/// Returns the title in quotation marks, or a text in place of an empty title.
pub fn quote_title(title: &str) -> String {
    match title.trim() {
        "" => "a booking without a title".to_owned(),
        title => format!("“{}”", shorten(title, MAX_TITLE)),
    }
}

/// Returns the beginning of a text that is longer than this many characters.
fn shorten(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let mut start: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        start.push('…');
    }
    start
}

/// Formats a distance in the largest unit that fits: `in 12 seconds`, `3 minutes ago`.
fn format_distance(distance: TimeDelta) -> String {
    let span = distance.abs();
    let units = [
        (span.num_days(), "day"),
        (span.num_hours(), "hour"),
        (span.num_minutes(), "minute"),
    ];
    let largest = units.into_iter().find(|(number, _)| *number > 0);
    let (number, unit) = largest.unwrap_or((span.num_seconds(), "second"));
    if number == 0 {
        return "now".to_owned();
    }
    let text = format_count(number.unsigned_abs(), unit);
    match distance < TimeDelta::zero() {
        true => format!("{text} ago"),
        false => format!("in {text}"),
    }
}

/// Formats a number of things: `1 credit`, `2 credits`.
pub fn format_count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// Returns a page without invisible characters, such as those that change the order in which
/// a line is read. Only texts from outside can have such characters.
pub fn remove_invisible(page: String) -> String {
    let is_removed = |c: char| is_invisible(c) && c != '\n';
    match page.contains(is_removed) {
        true => page.replace(is_removed, ""),
        false => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(sealer: &NameSealer) -> ViewContext<'_> {
        ViewContext {
            now: "2026-12-01T09:00:00Z".parse().unwrap(),
            zone: Tz::Europe__Berlin,
            links: LinkTarget::Page(sealer),
        }
    }

    #[test]
    fn times_are_those_of_the_zone_with_their_distance() {
        let sealer = NameSealer::new();
        let context = context(&sealer);
        let rows = [
            (
                "2026-12-01T09:00:12Z",
                "2026-12-01 10:00 CET</time> (in 12 seconds)",
            ),
            (
                "2026-12-01T08:58:30Z",
                "2026-12-01 09:58 CET</time> (1 minute ago)",
            ),
            (
                "2026-07-01T22:30:00Z",
                "2026-07-02 00:30 CEST</time> (152 days ago)",
            ),
            (
                "2026-12-01T09:00:00.4Z",
                "2026-12-01 10:00 CET</time> (now)",
            ),
            ("soon", "soon"),
        ];
        for (time, expect) in rows {
            let shown = context.time_from_now(time).into_string();
            assert!(shown.ends_with(expect), "{shown}");
        }
        assert_eq!(
            context.text("final at 2026-12-02T10:00:00Z"),
            "final at 2026-12-02 11:00 CET"
        );
    }

    #[test]
    fn texts_of_strangers_are_text() {
        let sealer = NameSealer::new();
        let link = context(&sealer).booking("a", "<script>alert(1)</script>");
        assert_eq!(
            link.into_string(),
            "<a href=\"/bookings/a\">“&lt;script&gt;alert(1)&lt;/script&gt;”</a>"
        );
        let long = "x".repeat(101);
        assert_eq!(quote_title(&long), format!("“{}…”", "x".repeat(100)));
        assert_eq!(quote_title(" "), "a booking without a title");
        let page = "a\u{202e}b\n\u{200b}c".to_owned();
        assert_eq!(remove_invisible(page), "ab\nc");
    }

    #[test]
    fn a_name_is_in_no_link() {
        let sealer = NameSealer::new();
        let link = context(&sealer).account("bo@example.com").into_string();
        let (path, rest) = link.split_once('>').unwrap();
        assert!(!path.contains("bo"), "{path}");
        assert_eq!(rest, "bo@example.com</a>");
    }
}
