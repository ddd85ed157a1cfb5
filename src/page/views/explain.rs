//! Everything that is known about one booking: the decision, what each rule found, what was sent, what
//! it cost, and what was recorded.

use maud::{Markup, html};

use super::{request, unresolved};
use crate::control::protocol::account::EntryView;
use crate::control::protocol::charges::ChargeView;
use crate::control::protocol::decisions::{
    CallView, DecisionView, ExplainView, FindingView, RefundView,
};
use crate::page::context::{ViewContext, format_count, quote_title};
use crate::page::table::{Badge, Column, badge, number, table, text, values};

/// How many facts, calls or findings are shown. `maitred explain` shows all.
const MAX_ROWS: usize = 100;

/// Shows everything that is known about a booking.
pub fn show(context: &ViewContext<'_>, view: &ExplainView) -> Markup {
    html! {
        @match &view.decision {
            Some(decision) => (show_decision(context, decision, view)),
            None => {
                h1 { "A booking without a decision" }
                p { "Nothing was decided about this booking: it was accepted without a pass." }
            },
        }
        @if !view.unresolved.is_empty() {
            h2 { "Unresolved list" }
            (unresolved::items_table(context, &view.unresolved))
        }
        @if !view.findings.is_empty() {
            h2 { "Rules" }
            (findings_table(context, &view.findings))
        }
        @if !view.charges.is_empty() {
            h2 { "Charges" }
            (charges_table(context, &view.charges))
        }
        @if !view.calls.is_empty() {
            h2 { "Calls to Cal.com" }
            (calls_table(context, &view.calls))
        }
        @if !view.entries.is_empty() {
            h2 { "Recorded facts" }
            (newest_facts(context, &view.entries))
        }
    }
}

fn show_decision(context: &ViewContext<'_>, decision: &DecisionView, view: &ExplainView) -> Markup {
    let step = &decision.step;
    let mut rows = vec![
        ("Outcome", request::outcome(step)),
        ("Reasons", request::reasons(context, &step.reasons)),
        ("Starts", context.time_from_now(&step.start)),
        ("Booker", request::booker(context, step)),
    ];
    rows.extend(step.gate.iter().map(|gate| ("Gate", html! { (gate) })));
    rows.push(("Credits", html! { (step.credits) }));
    rows.push(("Decided", context.time_from_now(&decision.decided_at)));
    if let Some(why) = &step.waiting_for {
        rows.push(("Waits", html! { (context.text(why)) }));
    }
    if let Some(message) = &view.booker_message {
        rows.push(("Told the booker", html! { (context.text(message)) }));
    }
    if let Some(review) = &view.review {
        let review = html! {
            (review.decision) ", on " (context.time(&review.at)) ": " (context.text(&review.reason))
        };
        rows.push(("Operator", review));
    }
    let refunds = decision.refunds.iter();
    rows.extend(refunds.map(|refund| ("Refund", show_refund(context, refund))));
    rows.push(("Bookings", request::bookings(context, step)));
    rows.push(("Policy", html! { code { (decision.policy) } }));
    html! {
        h1 { (quote_title(&step.title)) }
        (values(&rows))
    }
}

fn show_refund(context: &ViewContext<'_>, refund: &RefundView) -> Markup {
    html! {
        (format_count(refund.credits, "credit")) " on " (context.time(&refund.at)) ": "
        (context.text(&refund.reason))
    }
}

fn findings_table(context: &ViewContext<'_>, findings: &[FindingView]) -> Markup {
    let rows: Vec<Vec<Markup>> = { findings.iter().take(MAX_ROWS) }
        .map(|finding| {
            let result = match finding.passed {
                true => badge(Badge::Good, "passed"),
                false => badge(Badge::Bad, "failed"),
            };
            vec![
                html! { (finding.rule) },
                result,
                html! { (context.text(&finding.detail)) },
            ]
        })
        .collect();
    let columns = [text("rule"), text("result"), text("what it looked at")];
    table("What each rule found", &columns, &rows, "")
}

fn charges_table(context: &ViewContext<'_>, charges: &[ChargeView]) -> Markup {
    let rows: Vec<Vec<Markup>> = { charges.iter().take(MAX_ROWS) }
        .map(|charge| {
            vec![
                context.booking_uid(&charge.booking),
                context.account(&charge.account),
                html! { (charge.state) },
                context.time(&charge.start),
                html! { (charge.credits) },
                html! { (charge.refunded) },
                html! {
                    @if let Some(from) = &charge.moved_from {
                        "moved here from " (context.booking_uid(from)) "; "
                    }
                    @if let Some(to) = &charge.moved_to {
                        "moved on to " (context.booking_uid(to)) "; "
                    }
                    @if let Some(note) = &charge.note { (context.text(note)) }
                },
            ]
        })
        .collect();
    let columns = [
        text("booking"),
        text("account"),
        text("state"),
        text("starts"),
        number("credits"),
        number("refunded"),
        text("note"),
    ];
    table("Charges of these bookings", &columns, &rows, "")
}

fn calls_table(context: &ViewContext<'_>, calls: &[CallView]) -> Markup {
    let rows: Vec<Vec<Markup>> = { calls.iter().take(MAX_ROWS) }
        .map(|call| {
            let answered = match call.answered {
                true => badge(Badge::Good, "answered"),
                false => badge(Badge::Attention, "no answer"),
            };
            vec![
                context.time(&call.at),
                html! { (call.call) },
                context.booking_uid(&call.booking),
                html! { (answered) " " (context.text(&call.text)) },
            ]
        })
        .collect();
    let columns = [text("at"), text("call"), text("booking"), text("answer")];
    table("Calls, oldest first", &columns, &rows, "")
}

fn newest_facts(context: &ViewContext<'_>, entries: &[EntryView]) -> Markup {
    let older = entries.len().saturating_sub(MAX_ROWS);
    html! {
        @if older > 0 {
            p .note { "The newest " (MAX_ROWS) "; " (older) " older ones are left out." }
        }
        (entries_table(context, "Facts, oldest first", &entries[older..]))
    }
}

/// Shows facts in a table: in a statement also the balance after each.
pub fn entries_table(context: &ViewContext<'_>, caption: &str, entries: &[EntryView]) -> Markup {
    let has_balance = entries.iter().any(|entry| entry.balance.is_some());
    let optional = |number: Option<u64>| html! { @if let Some(number) = number { (number) } };
    let signed = |number: Option<i64>| html! { @if let Some(number) = number { (number) } };
    let rows: Vec<Vec<Markup>> = { entries.iter() }
        .map(|entry| {
            let mut row = vec![
                context.time(&entry.at),
                html! { (entry.kind) },
                describe_entry(context, entry),
                match entry.change {
                    Some(change) if change != 0 => html! { (format!("{change:+}")) },
                    _ => optional(entry.credits),
                },
            ];
            row.extend(has_balance.then(|| signed(entry.balance)));
            row
        })
        .collect();
    let mut columns: Vec<Column> = vec![
        text("at"),
        text("kind"),
        text("what happened"),
        number("credits"),
    ];
    columns.extend(has_balance.then(|| number("balance")));
    table(caption, &columns, &rows, "Nothing was recorded.")
}

/// Shows what an entry is about. The booking comes first, if it is known.
fn describe_entry(context: &ViewContext<'_>, entry: &EntryView) -> Markup {
    html! {
        @if let (Some(uid), Some(title)) = (&entry.booking, &entry.title) {
            (context.booking(uid, title))
            @if let Some(start) = &entry.start { " on " (context.time(start)) }
            ": "
        }
        (context.text(&entry.text))
    }
}
