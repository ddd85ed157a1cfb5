//! What was decided, newest first, with a filter.

use chrono::{NaiveDate, NaiveTime, SecondsFormat, TimeZone as _};
use maud::{Markup, html};
use serde::Deserialize;

use super::request;
use crate::control::protocol::Refusal;
use crate::control::protocol::decisions::{DecisionQuery, DecisionsView};
use crate::page::context::{LinkTarget, ViewContext, format_count};
use crate::page::sealed_name::NameSealer;
use crate::page::table::{number, pages, table, text};

/// How many decisions one page shows.
const PAGE_SIZE: u32 = 50;

/// What a filter can select, as `maitred decisions --outcome` has it.
const OUTCOMES: [&str; 8] = [
    "confirmed",
    "declined",
    "superseded",
    "refused",
    "unresolved",
    "wait",
    "review",
    "leave",
];

/// Which decisions are shown.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DecisionFilter {
    /// Only decisions that ended like this.
    #[serde(default)]
    pub outcome: String,
    /// Only decisions of the gate with this name.
    #[serde(default)]
    pub gate: String,
    /// Only decisions since this date.
    #[serde(default)]
    pub since: String,
    /// Only decisions about this member, whose name is sealed.
    #[serde(default)]
    pub member: String,
    /// Continue after this place.
    #[serde(default)]
    pub after: String,
}

impl DecisionFilter {
    /// Returns the query for one page.
    ///
    /// # Errors
    /// Returns a refusal if the date is none, or if the name of the member cannot be opened.
    pub fn query(
        &self,
        context: &ViewContext<'_>,
        sealer: &NameSealer,
    ) -> Result<DecisionQuery, Refusal> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let since = given(&self.since).map(|date| start_of_day(context, &date));
        let booker = given(&self.member).map(|sealed| {
            sealer.open(&sealed).ok_or_else(|| {
                Refusal::usage("this link was made before the daemon was started again")
            })
        });
        Ok(DecisionQuery {
            since: since.transpose()?,
            limit: PAGE_SIZE,
            booker: booker.transpose()?,
            gate: given(&self.gate),
            outcome: given(&self.outcome),
            after: given(&self.after),
        })
    }

    /// Returns the path of another page of the same list.
    fn path(&self, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("outcome", self.outcome.as_str()),
            ("gate", &self.gate),
            ("since", &self.since),
            ("member", &self.member),
            ("after", after),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("/decisions?{}", query.finish())
    }
}

/// Returns the start of a date in the operator's zone.
fn start_of_day(context: &ViewContext<'_>, date: &str) -> Result<String, Refusal> {
    let parsed = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok();
    let start = parsed.and_then(|date| {
        let midnight = context
            .zone
            .from_local_datetime(&date.and_time(NaiveTime::MIN));
        // Where the clocks skip midnight, the day begins an hour later.
        let later = date.and_hms_opt(1, 0, 0)?;
        midnight
            .earliest()
            .or_else(|| context.zone.from_local_datetime(&later).earliest())
    });
    let start = start.map(|at| at.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true));
    start.ok_or_else(|| Refusal::usage(format!("{date:?} is no date, such as 2026-12-01")))
}

/// Shows the decisions of one page.
pub fn show(context: &ViewContext<'_>, view: &DecisionsView, filter: &DecisionFilter) -> Markup {
    let first = (!filter.after.is_empty()).then(|| filter.path(""));
    let next = view.next.as_ref().map(|next| filter.path(next));
    html! {
        h1 { "Decisions" }
        @if matches!(context.links, LinkTarget::Page(_)) { (filter_form(filter)) }
        (decisions_table(context, view))
        (pages(first.as_deref(), next.as_deref()))
    }
}

fn filter_form(filter: &DecisionFilter) -> Markup {
    html! {
        form .filter method="get" action="/decisions" {
            div {
                label for="outcome" { "Outcome" }
                select id="outcome" name="outcome" {
                    option value="" { "any" }
                    @for outcome in OUTCOMES {
                        option value=(outcome) selected[outcome == filter.outcome] { (outcome) }
                    }
                }
            }
            div {
                label for="gate" { "Gate" }
                input type="text" id="gate" name="gate" value=(filter.gate) maxlength="64";
            }
            div {
                label for="since" { "Since" }
                input type="date" id="since" name="since" value=(filter.since);
            }
            @if !filter.member.is_empty() {
                input type="hidden" name="member" value=(filter.member);
            }
            button type="submit" { "Show" }
        }
    }
}

/// Shows decisions in a table.
pub fn decisions_table(context: &ViewContext<'_>, view: &DecisionsView) -> Markup {
    let rows: Vec<Vec<Markup>> = { view.decisions.iter() }
        .map(|decision| {
            let step = &decision.step;
            let refunds = decision.refunds.iter();
            let refunded: u64 = refunds.map(|refund| refund.credits).sum();
            vec![
                context.booking(&step.request, &step.title),
                context.time(&decision.decided_at),
                context.time(&step.start),
                request::booker(context, step),
                request::outcome(step),
                html! {
                    (request::reasons(context, &step.reasons))
                    @if refunded > 0 {
                        "; " (format_count(refunded, "credit")) " came back"
                    }
                },
                html! { (step.credits) },
            ]
        })
        .collect();
    let columns = [
        text("booking"),
        text("decided"),
        text("starts"),
        text("booker"),
        text("outcome"),
        text("reasons"),
        number("credits"),
    ];
    let empty = "No decision matches.";
    table("Decisions, newest first", &columns, &rows, empty)
}
