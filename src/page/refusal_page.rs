//! The page that says why a command was refused.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::document::message_page;
use super::service::PageService;
use crate::control::exit;
use crate::control::protocol::Refusal;

/// Shows the refusal of the daemon.
pub fn refusal_page(service: &PageService, refusal: &Refusal) -> Response {
    let status = match (refusal.exit, refusal.code.as_str()) {
        (_, "not-found") => StatusCode::NOT_FOUND,
        (exit::USAGE, _) => StatusCode::BAD_REQUEST,
        (exit::UNREACHABLE, _) => StatusCode::SERVICE_UNAVAILABLE,
        (_, "store" | "internal") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    let text = service.context().text(&refusal.text);
    let content = html! {
        p .notice.wrong { (text) }
        p { a href="/" { "To the overview" } }
    };
    message_page(status, "That did not work", &content)
}
