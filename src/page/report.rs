//! The state in one file that needs nothing else: for a record, or for somebody who has no access to
//! the page.

use maud::{Markup, html};

use super::context::ViewContext;
use super::document::file;
use super::views::{bookings, charts, decisions, members, overview, unresolved};
use crate::control::protocol::account::AccountsView;
use crate::control::protocol::charges::ChargesView;
use crate::control::protocol::decisions::DecisionsView;
use crate::control::protocol::review::ReviewsView;
use crate::control::protocol::statistics::StatisticsView;
use crate::control::protocol::status::StatusView;
use crate::control::protocol::unresolved::UnresolvedView;

/// The most rows of each list in a report.
pub const MAX_ROWS: u32 = 500;

/// What a report shows.
#[derive(Debug)]
pub struct ReportData {
    /// The status of the daemon; `None` if none runs.
    pub status: Option<StatusView>,
    /// Requests that wait.
    pub waiting: ReviewsView,
    /// The newest decisions.
    pub decisions: DecisionsView,
    /// Members with their balances.
    pub members: AccountsView,
    /// Open charges.
    pub charges: ChargesView,
    /// The unresolved list.
    pub unresolved: UnresolvedView,
    /// What happened on the last days.
    pub statistics: StatisticsView,
}

/// Returns the report as the text of an HTML file.
pub fn render_report(context: &ViewContext<'_>, data: &ReportData) -> String {
    let mut charges: Vec<_> = data.charges.charges.iter().collect();
    charges.sort_by(|a, b| a.charge.start.cmp(&b.charge.start));
    let content = html! {
        h1 { "maitred" }
        p { "A report of " (context.time(&context.now.to_rfc3339())) ". Times are those of "
            (context.zone.name()) "." }
        nav aria-label="Parts of the report" {
            ul {
                @for (id, name) in PARTS { li { a href={ "#" (id) } { (name) } } }
            }
        }
        section id="state" {
            @match &data.status {
                Some(status) => (overview::state(context, status)),
                None => {
                    h2 { "State" }
                    p .empty { "No daemon runs." }
                },
            }
        }
        (part("waiting", &overview::waiting_table(context, &data.waiting), data.waiting.more))
        (part("decisions", &decisions::decisions_table(context, &data.decisions), data.decisions.more))
        (part("members", &members::accounts_table(context, &data.members), data.members.next.is_some()))
        (part("bookings", &bookings::charges_table(context, &charges), data.charges.more))
        (part(
            "unresolved",
            &unresolved::items_table(context, &data.unresolved.items),
            data.unresolved.more,
        ))
        (part("charts", &charts::charts(&data.statistics), false))
    };
    file("Report of maitred", &content)
}

/// The parts of a report, with the names by which they are linked.
const PARTS: [(&str, &str); 7] = [
    ("state", "State"),
    ("waiting", "What waits"),
    ("decisions", "Decisions"),
    ("members", "Members"),
    ("bookings", "Bookings"),
    ("unresolved", "Unresolved list"),
    ("charts", "Charts"),
];

fn part(id: &str, content: &Markup, more: bool) -> Markup {
    let name = PARTS.iter().find(|(known, _)| *known == id);
    html! {
        section id=(id) {
            @if let Some((_, name)) = name { h2 { (name) } }
            (content)
            @if more { p .note { "There are more; a report has the first " (MAX_ROWS) "." } }
        }
    }
}
