//! One request and one answer as plain values. Nothing here uses sockets.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

/// A request as it came in. `Debug` shows neither its headers nor its query, because one of them
/// contains a key.
#[derive(Clone)]
pub struct HttpRequest {
    /// The HTTP method, in upper case.
    pub method: String,
    /// The target's path as sent, still percent-encoded.
    pub path: String,
    /// The target's query as sent.
    pub query: String,
    headers: Vec<(String, String)>,
    /// The body; empty if there is none.
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

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sets the body.
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

/// An answer before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status code.
    pub status: u16,
    /// A reason phrase that differs from the status code's own.
    pub reason: Option<&'static str>,
    /// The headers in the order in which they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

/// The type of every JSON answer, as both dialects spell it.
pub const JSON: &str = "application/json; charset=utf-8";

impl HttpResponse {
    /// Returns an answer without headers and body.
    pub fn empty(status: u16) -> Self {
        HttpResponse {
            status,
            reason: None,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Returns an answer with a JSON body.
    pub fn json<T: Serialize + ?Sized>(status: u16, body: &T) -> Self {
        let bytes = serde_json::to_vec(body).expect("our own answers are JSON with text keys");
        HttpResponse::empty(status).with_typed_body(JSON, bytes)
    }

    /// Returns an answer with a page for people.
    pub fn html(status: u16, body: &str) -> Self {
        HttpResponse::empty(status)
            .with_typed_body("text/html; charset=utf-8", body.as_bytes().to_vec())
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn with_typed_body(mut self, kind: &str, body: Vec<u8>) -> Self {
        self.headers.push(("Content-Type", kind.to_owned()));
        self.body = body;
        self
    }

    /// Adds a header after the others.
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

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerDelivery {
    /// The answer is sent as it is.
    Whole,
    /// Sent this many milliseconds late.
    Delayed(u64),
    /// The head announces more bytes than the body has.
    Truncated,
    /// The body has a gigabyte.
    Flood,
    /// One byte every so many milliseconds.
    Drip(u64),
    /// The connection is closed without sending a byte.
    Disconnected,
}

/// Merges two JSON objects into one.
///
/// # Panics
/// Panics when one of the values is not an object: all callers write both as objects.
pub fn merge_objects(first: Value, second: Value) -> Value {
    let mut all = first;
    for (name, value) in second.as_object().expect("objects are merged with objects") {
        all[name] = value.clone();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

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
