//! The forms that change the ledger. Each sends the command that the command line has for it, and leads
//! back to the view that shows what was recorded.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::ask::{ask, unexpected_answer};
use super::form::ChangeForm;
use super::refusal_page::refusal_page;
use super::service::PageService;
use crate::control::protocol::review::{ReviewAnswer, ReviewCommand};
use crate::control::protocol::{Command, CommandResult, Refusal};

/// The fields of the form that answers a review.
#[derive(Debug, Deserialize)]
pub struct ReviewFields {
    decision: ReviewAnswer,
    #[serde(default)]
    reason: String,
}

/// Records a decision about a request that waits for a person.
pub async fn record_review(
    State(service): State<Arc<PageService>>,
    Path(booking): Path<String>,
    form: ChangeForm<ReviewFields>,
) -> Response {
    let ChangeForm { browser, fields } = form;
    let reason = fields.reason.trim();
    let command = Command::Review(ReviewCommand {
        booking,
        decision: fields.decision,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
    });
    match ask(&service, &browser.session, command).await {
        Ok(CommandResult::ReviewResult(view)) => {
            let path = format!("/reviews?recorded={}", view.request.step.request);
            Redirect::to(&path).into_response()
        }
        Ok(_) => refusal_page(&service, &unexpected_answer()),
        Err(refusal) => refusal_page(&service, &refusal),
    }
}

/// The fields of the form that takes a booking off the unresolved list.
#[derive(Debug, Deserialize)]
pub struct ResolutionFields {
    code: String,
    #[serde(default)]
    reason: String,
}

/// Takes a booking off the unresolved list, for the code that the form names.
pub async fn record_resolution(
    State(service): State<Arc<PageService>>,
    Path(booking): Path<String>,
    form: ChangeForm<ResolutionFields>,
) -> Response {
    let ChangeForm { browser, fields } = form;
    let reason = fields.reason.trim();
    if reason.is_empty() {
        let text = "the reason is empty; go back and give one, because it is kept with the booking";
        return refusal_page(&service, &Refusal::usage(text));
    }
    let command = Command::Resolve {
        booking,
        code: Some(fields.code),
        reason: reason.to_owned(),
    };
    match ask(&service, &browser.session, command).await {
        Ok(CommandResult::Unresolved(view)) => {
            let booking = view.items.first().map(|item| item.booking.as_str());
            let path = format!("/unresolved?recorded={}", booking.unwrap_or_default());
            Redirect::to(&path).into_response()
        }
        Ok(_) => refusal_page(&service, &unexpected_answer()),
        Err(refusal) => refusal_page(&service, &refusal),
    }
}
