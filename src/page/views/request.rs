//! Parts that several views share: who asked, what was decided and why.

use maud::{Markup, html};

use crate::control::protocol::pass::{ReasonView, StepView};
use crate::page::context::{ViewContext, show_name};
use crate::page::table::{Badge, badge};

/// Shows who asked, with a link to the account where there is one.
pub fn booker(context: &ViewContext<'_>, step: &StepView) -> Markup {
    html! {
        @match (&step.booker, &step.account) {
            (Some(booker), Some(account)) if booker == account => (context.account(account)),
            (Some(booker), Some(account)) => {
                (show_name(booker)) ", account " (context.account(account))
            },
            (None, Some(account)) => (context.account(account)),
            (Some(booker), None) => {
                (show_name(booker))
                @if !step.account_not_looked_up { ", without an account" }
            },
            (None, None) => "not known",
        }
    }
}

/// Shows how a request ended, or what was decided about it if it has not ended.
pub fn outcome(step: &StepView) -> Markup {
    let decision = step.decision.as_str();
    match step.outcome.as_str() {
        "confirmed" => badge(Badge::Good, "confirmed"),
        "declined" => badge(Badge::Bad, "declined"),
        "none" => {
            let kind = match decision {
                "review" => Badge::Attention,
                _ => Badge::Neutral,
            };
            badge(kind, decision_word(decision))
        }
        other => badge(Badge::Attention, &format!("{decision}, {other}")),
    }
}

/// Returns what a decision means for the booking.
fn decision_word(decision: &str) -> &str {
    match decision {
        "review" => "waits for a person",
        "wait" => "waits",
        "leave" => "left alone",
        other => other,
    }
}

/// Shows reasons with their codes.
pub fn reasons(context: &ViewContext<'_>, reasons: &[ReasonView]) -> Markup {
    html! {
        @match reasons {
            [] => "none",
            [reason] => (show_reason(context, reason)),
            reasons => ul { @for reason in reasons { li { (show_reason(context, reason)) } } },
        }
    }
}

fn show_reason(context: &ViewContext<'_>, reason: &ReasonView) -> Markup {
    html! { (context.text(&reason.text)) " " code { "(" (reason.code) ")" } }
}

/// Shows all bookings of a request.
pub fn bookings(context: &ViewContext<'_>, step: &StepView) -> Markup {
    /// How many bookings of a series are named.
    const MAX_NAMED: usize = 20;
    html! {
        @for (place, uid) in step.bookings.iter().take(MAX_NAMED).enumerate() {
            @if place > 0 { ", " }
            (context.booking_uid(uid))
        }
        @if step.bookings.len() > MAX_NAMED {
            ", and " (step.bookings.len() - MAX_NAMED) " more"
        }
    }
}
