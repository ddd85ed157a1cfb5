//! Makes the calls of v2: which path, which header, which body. `decode` interprets the answers.

use async_trait::async_trait;
use chrono::SecondsFormat;
use futures_util::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::calcom::api_call::{ApiCall, Endpoint};
use crate::calcom::decline_message::sanitize;
use crate::calcom::http::Sender;
use crate::calcom::page_splitting::{BookingRows, PageRange, can_be_split, read_in_parts};
use crate::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use crate::domain::booking::{Booking, BookingRef, EventType, Fetched};
use crate::domain::dialect::Dialect;
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::time::{Span, Time, clamp_to_four_digit_years};

use super::{decode, decode_list};

const BOOKINGS_VERSION: &str = "2024-08-13";
const EVENT_TYPES_VERSION: &str = "2024-06-14";

/// How much the window is widened on both sides. The server shows only bookings that lie in the
/// window as a whole; in the widened window it shows all that touch the original one, except
/// bookings longer than a day.
const WINDOW_MARGIN: Span = Span::hours(24);

/// The most calls that are spent on a page that is too large as a whole: enough for 250 rows of 1
/// MB each.
const MAX_SPLIT_CALLS: usize = 64;

pub(in crate::calcom) struct V2Client {
    sender: Sender,
}

impl V2Client {
    pub(in crate::calcom) fn new(sender: Sender) -> Self {
        Self { sender }
    }

    /// Reads the rows `first..first + size` of a listing.
    async fn read_rows(
        &self,
        filter: &BookingFilter,
        first: u32,
        size: u32,
    ) -> Result<BookingRows, CallError> {
        let mut call = new_call(Endpoint::List, &["bookings"]);
        call.query = build_query(filter, first, size);
        let answer = self.sender.send(&call).await?;
        decode_list::decode_list(&answer, filter, first as usize, self.sender.redactor())
    }

    async fn send_action(
        &self,
        endpoint: Endpoint,
        booking: &BookingRef,
        body: Option<Value>,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let mut call = new_call(
            endpoint,
            &["bookings", booking.uid.as_str(), endpoint.as_str()],
        );
        call.method = Method::POST;
        call.body = body;
        call.booking = Some(&booking.uid);
        call.deadline = Some(deadline);
        let answer = self.sender.send(&call).await?;
        decode::decode_action(&answer, endpoint, &booking.uid, self.sender.redactor())
    }
}

#[async_trait]
impl Calendar for V2Client {
    async fn current_user(&self) -> Result<CurrentUser, CallError> {
        let answer = self.sender.send(&new_call(Endpoint::Me, &["me"])).await?;
        decode::decode_current_user(&answer, self.sender.redactor())
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        let call = new_call(Endpoint::EventTypes, &["event-types"]);
        let answer = self.sender.send(&call).await?;
        decode::decode_event_types(&answer, self.sender.redactor())
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        let call = new_call(Endpoint::EventType, &["event-types", &id.to_string()]);
        let answer = self.sender.send(&call).await?;
        decode::decode_event_type(&answer, self.sender.redactor())
    }

    async fn list(&self, filter: &BookingFilter, page: u32) -> Result<BookingPage, CallError> {
        let first = page.saturating_mul(decode_list::PAGE_SIZE);
        let rows = match self.read_rows(filter, first, decode_list::PAGE_SIZE).await {
            Err(error) if can_be_split(&error, false) => {
                let range = PageRange {
                    name: "data",
                    first,
                    size: decode_list::PAGE_SIZE,
                    max_calls: MAX_SPLIT_CALLS,
                };
                let read = |first, size| self.read_rows(filter, first, size).boxed();
                read_in_parts(&range, error, false, read).await?
            }
            result => result?,
        };
        Ok(decode_list::to_page(rows, filter, page))
    }

    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
        let mut call = new_call(Endpoint::Get, &["bookings", booking.uid.as_str()]);
        call.booking = Some(&booking.uid);
        let answer = self.sender.send(&call).await?;
        decode::decode_booking(&answer, &booking.uid, self.sender.redactor())
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        let mut call = new_call(Endpoint::Series, &["bookings", series.as_str()]);
        call.booking = Some(series);
        let answer = self.sender.send(&call).await?;
        decode::decode_series(&answer, series, self.sender.redactor()).map(Some)
    }

    fn names_successors(&self) -> bool {
        true
    }

    fn reads_before_acting(&self) -> bool {
        false
    }

    async fn confirm(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.send_action(Endpoint::Confirm, booking, None, deadline)
            .await
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let body = json!({ "reason": sanitize(reason) });
        self.send_action(Endpoint::Decline, booking, Some(body), deadline)
            .await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let body = json!({ "cancellationReason": sanitize(reason) });
        self.send_action(Endpoint::Cancel, booking, Some(body), deadline)
            .await
    }

    fn server(&self) -> String {
        self.sender.server()
    }

    fn dialect(&self) -> Dialect {
        Dialect::V2
    }

    fn clock_difference(&self) -> Option<Span> {
        self.sender.clock_difference()
    }

    fn calls(&self) -> u64 {
        self.sender.calls()
    }

    fn available_calls(&self) -> usize {
        self.sender.available_calls()
    }
}

fn new_call<'a>(endpoint: Endpoint, path: &[&str]) -> ApiCall<'a> {
    let path = std::iter::once("v2").chain(path.iter().copied());
    ApiCall {
        endpoint,
        method: Method::GET,
        path: path.map(str::to_owned).collect(),
        query: Vec::new(),
        version: Some(match endpoint {
            Endpoint::EventTypes | Endpoint::EventType => EVENT_TYPES_VERSION,
            Endpoint::Me
            | Endpoint::List
            | Endpoint::Get
            | Endpoint::Series
            | Endpoint::Confirm
            | Endpoint::Decline
            | Endpoint::Cancel => BOOKINGS_VERSION,
        }),
        body: None,
        booking: None,
        cost: 1,
        deadline: None,
    }
}

fn build_query(filter: &BookingFilter, first: u32, size: u32) -> Vec<(&'static str, String)> {
    let pair = |name: &'static str, value: &str| (name, value.to_owned());
    let window = |from: &Time, to: &Time| {
        let (from, to) = (*from - WINDOW_MARGIN, *to + WINDOW_MARGIN);
        [
            ("afterStart", format_time(from)),
            ("beforeEnd", format_time(to)),
        ]
    };
    let mut query = match filter {
        BookingFilter::Pending => vec![pair("status", "unconfirmed"), pair("sortCreated", "asc")],
        BookingFilter::Upcoming { from, to } => {
            let mut query = vec![pair("status", "upcoming"), pair("sortStart", "asc")];
            query.extend(window(from, to));
            query
        }
        BookingFilter::Past { from, to } => {
            let mut query = vec![pair("status", "past"), pair("sortStart", "asc")];
            query.extend(window(from, to));
            query
        }
        BookingFilter::UpdatedSince(since) => {
            vec![
                pair("sortUpdatedAt", "asc"),
                ("afterUpdatedAt", format_time(*since)),
            ]
        }
        BookingFilter::CreatedSince(since) => {
            vec![
                pair("sortCreated", "desc"),
                ("afterCreatedAt", format_time(*since)),
            ]
        }
    };
    query.push(("take", size.to_string()));
    query.push(("skip", first.to_string()));
    query
}

fn format_time(at: Time) -> String {
    // A wider window may reach beyond the years that a server can read.
    clamp_to_four_digit_years(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}
