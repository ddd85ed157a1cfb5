//! One request and one answer as plain values, and what a request asks for. Nothing here uses
//! sockets.

use crate::domain::dialect::Dialect;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

use super::call_log::Operation;
use super::transitions::PendingTransition;

/// A request as it came in. `Debug` shows neither its headers nor its query, because one of them
/// contains a key.
#[derive(Clone)]
pub struct HttpRequest {
    pub method: String,
    /// The target's path as sent, still percent-encoded.
    pub path: String,
    /// The target's query as sent.
    pub query: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl HttpRequest {
    /// Returns a request for `target` (path and query).
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Returns a header's value by its lower-case name.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns path and query as they were sent.
    pub fn target(&self) -> String {
        match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// Returns the target without any key, for the list of calls.
    pub fn target_without_key(&self) -> String {
        let visible_pairs: Vec<&str> = self
            .query
            .split('&')
            .filter(|pair| !pair.to_ascii_lowercase().starts_with("apikey="))
            .collect();
        match visible_pairs.join("&").as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// Returns the query's pairs in order, decoded.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .map(|(name, value)| (decode_component(name), decode_component(value)))
            .collect()
    }

    /// Returns every value of one query parameter.
    pub fn query_values(&self, name: &str) -> Vec<String> {
        let mut pairs = self.query_pairs();
        pairs.retain(|(one, _)| one == name);
        pairs.into_iter().map(|(_, value)| value).collect()
    }

    /// Returns true when the body claims to be JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.header_value("content-type").unwrap_or("");
        kind.split(';').next().unwrap_or("").trim() == "application/json"
    }
}

/// Decodes a part of a path or query; bytes that are not UTF-8 are replaced.
pub fn decode_component(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Decodes a path segment, in which a plus is a plus.
fn decode_segment(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// An answer before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// A reason phrase that differs from the status code's own.
    pub reason: Option<&'static str>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// The type of every JSON answer, as both dialects spell it.
pub const JSON: &str = "application/json; charset=utf-8";

impl HttpResponse {
    pub fn empty(status: u16) -> Self {
        HttpResponse {
            status,
            reason: None,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn json<T: Serialize + ?Sized>(status: u16, body: &T) -> Self {
        let bytes = serde_json::to_vec(body).expect("our own answers are JSON with text keys");
        HttpResponse::empty(status).with_typed_body(JSON, bytes)
    }

    pub fn html(status: u16, body: &str) -> Self {
        HttpResponse::empty(status)
            .with_typed_body("text/html; charset=utf-8", body.as_bytes().to_vec())
    }

    #[must_use]
    pub fn with_typed_body(mut self, kind: &str, body: Vec<u8>) -> Self {
        self.headers.push(("Content-Type", kind.to_owned()));
        self.body = body;
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns a header's value, whatever the case of its name.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON; null if the body is not JSON.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// The first result of a handler: an answer, or a change that has passed its check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandlerOutcome {
    Response(HttpResponse),
    Transition(PendingTransition),
}

impl From<HttpResponse> for HandlerOutcome {
    fn from(response: HttpResponse) -> Self {
        HandlerOutcome::Response(response)
    }
}

/// Merges two JSON objects into one.
///
/// # Panics
/// Panics when one of the values is not an object: all callers write both as objects.
pub fn merge_objects(first: Value, second: Value) -> Value {
    let (Value::Object(mut all), Value::Object(more)) = (first, second) else {
        unreachable!("answers are merged of objects only");
    };
    all.extend(more);
    Value::Object(all)
}

/// What a request asks for, determined only by method and path. Faults, scripts, counters and both
/// dialects use this one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoute {
    pub dialect: Dialect,
    pub kind: Operation,
    /// The path without its prefix, split, each part decoded.
    pub parts: Vec<String>,
}

impl ApiRoute {
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

    #[test]
    fn keys_stay_out_of_debug_output_and_the_call_log() {
        let rows = [
            ("/v1/bookings?apiKey=cal_x&take=2", "/v1/bookings?take=2"),
            ("/v1/bookings?take=2&apikey=cal_x", "/v1/bookings?take=2"),
            ("/v1/bookings?apiKey=cal_x", "/v1/bookings"),
        ];
        for (target, expected) in rows {
            let request =
                HttpRequest::new("GET", target).with_header("Authorization", "Bearer cal_x");
            assert_eq!(request.target_without_key(), expected);
            assert!(!format!("{request:?}").contains("cal_x"));
        }
    }
}
