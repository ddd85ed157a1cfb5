//! Sends one call to Cal.com and returns its answer, whatever the answer is. The sender must never
//! follow a redirect, never send a call twice, and never let the key or a URL into an error or a
//! log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::id::BookingUid;
use crate::domain::time::{Clock, Span, Time};
use crate::http::{HttpClient, ServerRoute, describe_error};

use super::api_call::{ApiAnswer, ApiCall, Endpoint};
use super::call_observer::{CallObserver, CallOutcome, ObservedCall};
use super::call_queue::{CallPermit, CallQueue};
use super::errors::begins_like_rows;
use super::port::{CallError, clock_difference};
use super::redact::Redactor;
use super::stated_limits::parse_limits;

/// The largest body that is read, after decompression. 250 bookings take 230 kB; a whole v1 list of
/// 3000 took 1.9 MB.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// Marks a clock difference that is not known.
const UNKNOWN_DIFFERENCE: i64 = i64::MIN;

/// How many bytes are read of an answer that announces more than [`MAX_BODY`], and how far the uid
/// or number of the first booking is searched for.
const MAX_HEAD: usize = 64 * 1024;

/// How the key is sent to the server.
pub(super) enum Auth {
    /// The header `Authorization`, marked sensitive.
    Header(HeaderValue),
    /// The query parameter `apiKey`.
    Query(SecretString),
}

pub(super) struct Sender {
    client: reqwest::Client,
    route: ServerRoute,
    base: Url,
    auth: Auth,
    timeout: Duration,
    confirm_timeout: Duration,
    clock: Clock,
    call_queue: CallQueue,
    redactor: Redactor,
    observer: Option<CallObserver>,
    sent_calls: AtomicU64,
    /// The last clock difference in milliseconds; [`UNKNOWN_DIFFERENCE`] before the first.
    clock_difference_millis: AtomicI64,
}

/// The parts of a sender.
pub(super) struct SenderParts {
    pub(super) base: Url,
    pub(super) auth: Auth,
    pub(super) timeout: Duration,
    pub(super) confirm_timeout: Duration,
    pub(super) http: HttpClient,
    pub(super) clock: Clock,
    pub(super) call_queue: CallQueue,
    pub(super) redactor: Redactor,
    pub(super) observer: Option<CallObserver>,
}

impl Sender {
    pub(super) fn new(parts: SenderParts) -> Self {
        Self {
            client: parts.http.client,
            route: parts.http.route,
            base: parts.base,
            auth: parts.auth,
            timeout: parts.timeout,
            confirm_timeout: parts.confirm_timeout,
            clock: parts.clock,
            call_queue: parts.call_queue,
            redactor: parts.redactor,
            observer: parts.observer,
            sent_calls: AtomicU64::new(0),
            clock_difference_millis: AtomicI64::new(UNKNOWN_DIFFERENCE),
        }
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub(super) fn now(&self) -> Time {
        (self.clock)()
    }

    pub(super) fn calls(&self) -> u64 {
        self.sent_calls.load(Ordering::Relaxed)
    }

    /// Returns host, port and path prefix, in the form in which the ledger records its server.
    pub(super) fn server(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port().map(|port| format!(":{port}"));
        let path = self.base.path().trim_end_matches('/');
        format!("{host}{}{path}", port.unwrap_or_default())
    }

    pub(super) fn clock_difference(&self) -> Option<Span> {
        let millis = self.clock_difference_millis.load(Ordering::Relaxed);
        (millis != UNKNOWN_DIFFERENCE).then(|| Span::milliseconds(millis))
    }

    /// Stores how far the server's clock is from the local one, which was read right before the
    /// call and right after the head of its answer.
    fn compare_clocks(&self, headers: &HeaderMap, (before, after): (Time, Time)) {
        let Some(server) = server_time(headers) else {
            return;
        };
        let server = server + age(headers);
        let difference = clock_difference(server, (before, after));
        self.clock_difference_millis
            .store(difference.num_milliseconds(), Ordering::Relaxed);
    }

    pub(super) fn available_calls(&self) -> usize {
        self.call_queue.available_calls()
    }

    /// Sends the call once, as soon as the budget allows.
    ///
    /// # Errors
    /// Returns `RateLimited` if the budget does not allow the call in time or the server answers
    /// 429, `TooLate` past the deadline, `Unreachable` if no connection was made, and `Unknown` if
    /// the call may have been carried out. The dialect interprets every other answer.
    pub(super) async fn send(&self, call: &ApiCall<'_>) -> Result<ApiAnswer, CallError> {
        let acquired = self.call_queue.acquire(call.cost, call.deadline).await;
        let mut permit = acquired.inspect_err(|error| {
            self.observe(call.endpoint, CallOutcome::from_error(error), None);
        })?;
        self.sent_calls.fetch_add(1, Ordering::Relaxed);
        let started_at = self.now();
        let exchange = self.exchange(call, &mut permit);
        let timeout = if call.endpoint.is_write() {
            self.confirm_timeout
        } else {
            self.timeout
        };
        let result = match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_elapsed) => Err(CallError::Unknown(format!(
                "no complete answer within {timeout:?} from {}",
                self.route
            ))),
        };
        let duration = self.now() - started_at;
        self.observe(
            call.endpoint,
            CallOutcome::from_result(&result),
            // Zero if the clock was set back meanwhile.
            Some(duration.to_std().unwrap_or_default()),
        );
        tracing::debug!(
            call = call.endpoint.as_str(),
            booking = call.booking.map(tracing::field::display),
            status = result.as_ref().ok().map(|answer| answer.status),
            ms = duration.num_milliseconds(),
            error = result.as_ref().err().map(tracing::field::display),
            "call to Cal.com"
        );
        result
    }

    fn observe(&self, endpoint: Endpoint, outcome: CallOutcome, duration: Option<Duration>) {
        if let Some(observer) = &self.observer {
            observer(&ObservedCall {
                endpoint,
                outcome,
                duration,
                rate_limit: self.call_queue.tightest_limit(),
            });
        }
    }

    async fn exchange(
        &self,
        call: &ApiCall<'_>,
        permit: &mut CallPermit<'_>,
    ) -> Result<ApiAnswer, CallError> {
        let request = self
            .build_request(call)
            .inspect_err(|_| permit.record_unsent())?;
        let started_at = self.now();
        let response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                permit.record_unsent();
                return Err(CallError::Unreachable(self.describe_failure(error)));
            }
            Err(error) => return Err(CallError::Unknown(self.describe_failure(error))),
        };
        self.compare_clocks(response.headers(), (started_at, self.now()));
        self.record_limits(&response, permit)?;
        let (status, url) = (response.status().as_u16(), response.url().clone());
        let headers = response.headers().clone();
        let body = self.read_body(response).await?;
        Ok(to_api_answer(status, &headers, &url, body))
    }

    fn build_request(&self, call: &ApiCall<'_>) -> Result<reqwest::Request, CallError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("a base URL has a host and so a path")
            .pop_if_empty()
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = match &self.auth {
            Auth::Header(value) => self
                .client
                .request(call.method.clone(), url)
                .header(header::AUTHORIZATION, value.clone()),
            Auth::Query(key) => {
                url.query_pairs_mut()
                    .append_pair("apiKey", key.expose_secret());
                self.client.request(call.method.clone(), url)
            }
        };
        if let Some(version) = call.version {
            request = request.header("cal-api-version", version);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let request = request.header(header::ACCEPT, "application/json").build();
        request.map_err(|error| CallError::Unreachable(self.describe_failure(error)))
    }

    /// Describes what was tried, by which route, and why it failed, on one line and without the
    /// URL.
    fn describe_failure(&self, error: reqwest::Error) -> String {
        let causes = self.redactor.redact(&describe_error(error));
        format!("{}: {causes}", self.route)
    }

    /// Passes the rate limits in the head of the answer to the budget.
    fn record_limits(
        &self,
        response: &Response,
        permit: &mut CallPermit<'_>,
    ) -> Result<(), CallError> {
        let now = self.now();
        let headers = response.headers();
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let limits = parse_limits(texts, now, server_time(headers));
        let until = (response.status().as_u16() == 429)
            .then(|| permit.record_refusal(&limits, retry_after(headers), now));
        permit.record_answer(limits, now);
        match until {
            Some(until) => Err(CallError::RateLimited { until }),
            None => Ok(()),
        }
    }

    async fn read_body(&self, mut response: Response) -> Result<Vec<u8>, CallError> {
        let content_length = response.content_length();
        // Of a body that is too large anyway, only the beginning is read, to name the booking.
        let max_bytes = match content_length {
            Some(length) if length > MAX_BODY as u64 => MAX_HEAD,
            Some(_) | None => MAX_BODY,
        };
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| CallError::Unknown(self.describe_failure(error)))?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > max_bytes {
                body.extend_from_slice(&chunk[..max_bytes - body.len()]);
                return Err(too_large_error(&body));
            }
            body.extend_from_slice(&chunk);
        }
    }
}

/// Returns the error for a body that is too large. It names the first booking in the body, which is
/// the one to inspect if a single row was asked for.
fn too_large_error(body: &[u8]) -> CallError {
    let size = format!("more than {} MiB", MAX_BODY >> 20);
    let head = &body[..body.len().min(MAX_HEAD)];
    let uid = first_value(head, b"\"uid\":\"", b'"');
    let id = || first_value(head, b"\"id\":", b',');
    let why = match uid.and_then(|uid| BookingUid::parse(uid).ok()) {
        Some(uid) => format!("{size}; the first booking in it is {uid}"),
        // In v1 the description precedes the uid, and is what makes the row too large.
        None => match id().filter(|id| id.bytes().all(|digit| digit.is_ascii_digit())) {
            Some(id) => format!("{size}; the first booking in it has the number {id}"),
            None => size,
        },
    };
    CallError::TooLarge {
        why,
        has_rows: begins_like_rows(head),
    }
}

/// Returns the text between the first `key` and the next `end`.
fn first_value<'a>(body: &'a [u8], key: &[u8], end: u8) -> Option<&'a str> {
    let start = body.windows(key.len()).position(|window| window == key)?;
    let rest = &body[start + key.len()..];
    let value = rest.split(|byte| *byte == end).next()?;
    std::str::from_utf8(value)
        .ok()
        .filter(|value| !value.is_empty())
}

/// Builds the answer from the response of a URL, with the parts that decoding needs.
pub(super) fn to_api_answer(
    status: u16,
    headers: &HeaderMap,
    url: &Url,
    body: Vec<u8>,
) -> ApiAnswer {
    let port = url.port_or_known_default().unwrap_or_default();
    ApiAnswer {
        host: format!("{}:{port}", url.host_str().unwrap_or_default()),
        status,
        is_html: has_html_type(headers) || begins_like_html(&body),
        location: location(headers, url),
        server_time: server_time(headers),
        body,
    }
}

fn server_time(headers: &HeaderMap) -> Option<Time> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some(at.with_timezone(&Utc))
}

/// Returns how long a cache on the way has held the answer. The answer's `Date` is older by that
/// time.
fn age(headers: &HeaderMap) -> Span {
    let text = headers.get(header::AGE).and_then(|age| age.to_str().ok());
    let seconds: Option<u32> = text.and_then(|text| text.trim().parse().ok());
    Span::seconds(seconds.map_or(0, i64::from))
}

/// Reads `Retry-After` in its form in seconds. The other form is not known to be used; ignoring it
/// costs at most a wait that is too short.
fn retry_after(headers: &HeaderMap) -> Option<Span> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: u32 = text.trim().parse().ok()?;
    Some(Span::seconds(i64::from(seconds)))
}

/// Returns the target of a redirect without query, fragment and user, because v1 has the key in its
/// URLs.
fn location(headers: &HeaderMap, url: &Url) -> Option<String> {
    let text = headers.get(header::LOCATION)?.to_str().ok()?;
    let mut place = url.join(text).ok()?;
    place.set_query(None);
    place.set_fragment(None);
    place.set_username("").ok()?;
    place.set_password(None).ok()?;
    Some(place.to_string())
}

fn has_html_type(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/html")
}

/// Returns whether the body begins with `<`. No JSON begins like that.
fn begins_like_html(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'<')
}
