//! Reads one exchange of a recording: what was sent, and what a real server answered.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::http;

/// One recorded exchange.
pub(super) struct RecordedExchange<'a> {
    pub(super) step: &'a str,
    method: &'a str,
    /// The path without query and host.
    pub(super) path: Vec<&'a str>,
    pub(super) query: &'a str,
    /// The header `cal-api-version` as it was sent.
    pub(super) version: Option<&'a str>,
    pub(super) key: &'a str,
    pub(super) body: &'a str,
    pub(super) answer: ApiAnswer,
    pub(super) headers: HeaderMap,
}

impl<'a> RecordedExchange<'a> {
    /// Parses an exchange; `None` for a step that is no exchange (database rows, mails), or whose
    /// body was not kept.
    pub(super) fn parse(exchange: &'a Value) -> Option<Self> {
        let (request, response) = (exchange.get("request")?, exchange.get("response")?);
        let target = request["target"].as_str()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request_header = |name: &str| {
            let headers = request["headers"].as_object().into_iter().flatten();
            let mut matching = headers.filter(|(have, _)| have.eq_ignore_ascii_case(name));
            matching.next().and_then(|(_, value)| value.as_str())
        };
        let bearer =
            request_header("authorization").map(|value| value.trim_start_matches("Bearer "));
        let in_query = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("apiKey="));
        let body = response["body_raw"].as_str()?;
        let headers = headers(&response["headers"]);
        let url = Url::parse("http://server.test")
            .unwrap()
            .join(target)
            .unwrap();
        let status = u16::try_from(response["status"].as_u64()?).ok()?;
        let path = path.trim_start_matches("/api/").trim_matches('/');
        Some(Self {
            step: exchange["step"].as_str()?,
            method: request["method"].as_str()?,
            path: path.split('/').collect(),
            query,
            version: request_header("cal-api-version"),
            key: bearer
                .or(in_query)
                .filter(|key| !key.is_empty())
                .unwrap_or("cal_none_given"),
            body,
            answer: http::to_api_answer(status, &headers, &url, body.as_bytes().to_vec()),
            headers,
        })
    }

    /// Returns which of the client's calls the exchange is like; `None` if it is like none.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        Some(match (self.method, self.path.as_slice()) {
            ("GET", ["v1" | "v2", "me"]) => Endpoint::Me,
            ("GET", ["v1" | "v2", "event-types"]) => Endpoint::EventTypes,
            ("GET", ["v1" | "v2", "event-types", _]) => Endpoint::EventType,
            // The answer shows the event type that was created.
            ("POST", ["v2", "event-types"]) if self.answer.is_success() => Endpoint::EventType,
            ("GET", ["v1" | "v2", "bookings"]) => Endpoint::List,
            ("GET", ["v1" | "v2", "bookings", _]) => Endpoint::Get,
            ("POST", ["v2", "bookings", _, "confirm"]) => Endpoint::Confirm,
            ("POST", ["v2", "bookings", _, "decline"]) => Endpoint::Decline,
            ("POST", ["v2", "bookings", _, "cancel"]) => Endpoint::Cancel,
            ("PATCH", ["v1", "bookings", _]) => Endpoint::Confirm,
            ("DELETE", ["v1", "bookings", _] | ["v1", "bookings", _, "cancel"]) => Endpoint::Cancel,
            // Odd methods and routes: only how they are refused matters.
            (_, ["v1" | "v2", ..]) if !self.answer.is_success() => Endpoint::Get,
            _ => return None,
        })
    }
}

fn headers(pairs: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in pairs.as_array().unwrap() {
        let name = HeaderName::try_from(pair[0].as_str().unwrap()).unwrap();
        let value = HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap();
        headers.append(name, value);
    }
    headers
}
