//! What a request asks for: dialect, operation and path.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::call_log::Operation;
use super::http_types::HttpRequest;
use crate::domain::dialect::Dialect;

/// What a request asks for, determined only by method and path. Faults, scripts, counters and both
/// dialects use this one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoute {
    /// The version of the API that the path belongs to.
    pub dialect: Dialect,
    /// What the call does.
    pub kind: Operation,
    /// The path without its prefix, split, each part decoded.
    pub parts: Vec<String>,
}

impl ApiRoute {
    /// Determines what a request asks for; a path without a version belongs to v1, and an unknown
    /// one is `Operation::Other`.
    pub fn from_request(request: &HttpRequest) -> Self {
        let path = request.path.trim_start_matches('/');
        let path = path.strip_prefix("api/").unwrap_or(path);
        let (dialect, rest) = match path.split_once('/') {
            Some(("v2", rest)) => (Dialect::V2, rest),
            Some(("v1", rest)) => (Dialect::V1, rest),
            Some(_) => (Dialect::V1, path),
            None => match path {
                "v2" => (Dialect::V2, ""),
                "v1" => (Dialect::V1, ""),
                other => (Dialect::V1, other),
            },
        };
        let parts: Vec<String> = match rest {
            "" => Vec::new(),
            rest => rest.split('/').map(decode_segment).collect(),
        };
        let kind = match dialect {
            Dialect::V2 => operation_v2(&request.method, &parts),
            Dialect::V1 => operation_v1(request, &parts),
        };
        ApiRoute {
            dialect,
            kind,
            parts,
        }
    }

    /// Returns the booking that the path names, as written there: by uid in v2, by number in v1.
    pub fn booking_in_path(&self) -> Option<&str> {
        match self.parts.first().map(String::as_str) {
            Some("bookings") => self.parts.get(1).map(String::as_str),
            Some(_) | None => None,
        }
    }
}

/// Decodes a path segment, in which a plus is a plus.
fn decode_segment(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn operation_v2(method: &str, parts: &[String]) -> Operation {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (method, parts.as_slice()) {
        ("GET", ["me"]) => Operation::Me,
        ("GET", ["event-types"] | ["event-types", _]) => Operation::EventTypes,
        ("GET", ["bookings"]) => Operation::List,
        ("GET", ["bookings", _]) => Operation::Get,
        ("POST", ["bookings"]) => Operation::Create,
        ("POST", ["bookings", _, "confirm"]) => Operation::Confirm,
        ("POST", ["bookings", _, "decline"]) => Operation::Decline,
        ("POST", ["bookings", _, "cancel"]) => Operation::Cancel,
        ("POST", ["bookings", _, "reschedule"]) => Operation::Reschedule,
        ("POST", ["bookings", _, "mark-absent"]) => Operation::MarkAbsent,
        _ => Operation::Other,
    }
}

fn operation_v1(request: &HttpRequest, parts: &[String]) -> Operation {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["me"]) => Operation::Me,
        ("GET", ["event-types"] | ["event-types", _]) => Operation::EventTypes,
        ("GET", ["bookings"]) => Operation::List,
        ("GET", ["bookings", _]) => Operation::Get,
        ("PATCH", ["bookings", _]) => operation_of_patch(&request.body),
        ("DELETE", ["bookings", _] | ["bookings", _, "cancel"]) => Operation::Cancel,
        _ => Operation::Other,
    }
}

/// Returns the operation of a PATCH, which depends on the status that the PATCH writes.
fn operation_of_patch(body: &[u8]) -> Operation {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match body.get("status").and_then(Value::as_str) {
        Some("ACCEPTED") => Operation::Confirm,
        Some("REJECTED") => Operation::Decline,
        Some(_) | None => Operation::Patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_recognized_by_method_and_path() {
        let rows = [
            ("GET", "/v2/me", Dialect::V2, Operation::Me, None),
            (
                "GET",
                "/v2/bookings?take=1",
                Dialect::V2,
                Operation::List,
                None,
            ),
            (
                "GET",
                "/api/v2/bookings/u",
                Dialect::V2,
                Operation::Get,
                Some("u"),
            ),
            ("POST", "/v2/bookings", Dialect::V2, Operation::Create, None),
            (
                "POST",
                "/v2/bookings/u/confirm",
                Dialect::V2,
                Operation::Confirm,
                Some("u"),
            ),
            (
                "POST",
                "/v2/bookings/a%2Fb/decline",
                Dialect::V2,
                Operation::Decline,
                Some("a/b"),
            ),
            (
                "POST",
                "/v2/bookings/u/cancel",
                Dialect::V2,
                Operation::Cancel,
                Some("u"),
            ),
            (
                "POST",
                "/v2/bookings/u/reschedule",
                Dialect::V2,
                Operation::Reschedule,
                Some("u"),
            ),
            (
                "POST",
                "/v2/bookings/u/mark-absent",
                Dialect::V2,
                Operation::MarkAbsent,
                Some("u"),
            ),
            (
                "PUT",
                "/v2/bookings/u/confirm",
                Dialect::V2,
                Operation::Other,
                Some("u"),
            ),
            (
                "GET",
                "/v2/event-types/7",
                Dialect::V2,
                Operation::EventTypes,
                None,
            ),
            ("GET", "/v1/me?apiKey=k", Dialect::V1, Operation::Me, None),
            ("GET", "/bookings", Dialect::V1, Operation::List, None),
            (
                "GET",
                "/v1/bookings/7",
                Dialect::V1,
                Operation::Get,
                Some("7"),
            ),
            (
                "PATCH",
                "/v1/bookings/7",
                Dialect::V1,
                Operation::Patch,
                Some("7"),
            ),
            (
                "DELETE",
                "/v1/bookings/7",
                Dialect::V1,
                Operation::Cancel,
                Some("7"),
            ),
            (
                "DELETE",
                "/v1/bookings/7/cancel",
                Dialect::V1,
                Operation::Cancel,
                Some("7"),
            ),
            ("GET", "/v1", Dialect::V1, Operation::Other, None),
        ];
        for (method, target, dialect, kind, booking) in rows {
            let route = ApiRoute::from_request(&HttpRequest::new(method, target));
            let got = (route.dialect, route.kind, route.booking_in_path());
            assert_eq!(got, (dialect, kind, booking), "{method} {target}");
        }
        for (status, kind) in [
            ("ACCEPTED", Operation::Confirm),
            ("REJECTED", Operation::Decline),
        ] {
            let body = format!("{{\"status\":\"{status}\"}}").into_bytes();
            let request = HttpRequest::new("PATCH", "/v1/bookings/7").with_body(body);
            assert_eq!(ApiRoute::from_request(&request).kind, kind);
        }
    }
}
