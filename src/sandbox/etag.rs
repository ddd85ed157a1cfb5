//! The ETag of an answer, and the short answer to a client that has the body already.

use std::hash::{DefaultHasher, Hasher};

use super::api_route::ApiRoute;
use super::http_types::{HttpRequest, HttpResponse};
use crate::domain::dialect::Dialect;

/// Adds the ETag of the answer, and answers 304 when the client has the body already.
pub(super) fn apply_etag(
    request: &HttpRequest,
    route: &ApiRoute,
    response: HttpResponse,
) -> HttpResponse {
    if response.body.is_empty() {
        return response;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(&response.body);
    let hash = hasher.finish();
    let tag = match route.dialect {
        Dialect::V2 => format!("W/\"{:x}-{hash:016x}\"", response.body.len()),
        Dialect::V1 => format!("\"{hash:016x}\""),
    };
    let matches_tag = request.header_value("if-none-match") == Some(tag.as_str());
    let response = response.with_header("ETag", tag);
    if !matches_tag || request.method != "GET" || response.status != 200 {
        return response;
    }
    let mut unchanged = HttpResponse {
        status: 304,
        body: Vec::new(),
        ..response
    };
    if route.dialect == Dialect::V2 {
        unchanged
            .headers
            .retain(|(name, _)| *name != "Content-Type");
    }
    unchanged
}
