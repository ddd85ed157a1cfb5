//! The metrics for Prometheus, on the listener of the page. Programs read them without a login: they
//! have no names, and reading changes nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::service::PageService;

/// Answers with the metrics in the format that the client prefers.
pub async fn show_metrics(State(service): State<Arc<PageService>>, headers: HeaderMap) -> Response {
    let metrics = (service.metrics)(accepted_types(&headers)).await;
    let content_type = HeaderValue::from_static(metrics.content_type);
    ([(header::CONTENT_TYPE, content_type)], metrics.body).into_response()
}

/// Returns the types that a client accepts: several lines of this header mean the same as one line
/// with all of their values.
fn accepted_types(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::ACCEPT).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}
