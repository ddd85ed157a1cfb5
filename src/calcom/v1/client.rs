//! Makes the calls of v1. Every write reads the booking first and does nothing unless the booking
//! is in the state that the write is for, because the server does not check; afterwards the booking
//! is read again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt;
use reqwest::Method;
use serde_json::json;

use crate::calcom::api_call::{ApiCall, Endpoint};
use crate::calcom::decline_message::sanitize;
use crate::calcom::http::Sender;
use crate::calcom::page_splitting::{BookingRows, PageRange, can_be_split, read_in_parts};
use crate::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use crate::domain::booking::{Booking, BookingRef, BookingStatus, EventType, Fetched};
use crate::domain::dialect::Dialect;
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::time::{Span, Time};

use super::decode;
use super::listing::{
    MAX_PAGES, MAX_SPLIT_CALLS, PAGE_SIZE, build_query, is_past_end, matches_filter, next_page,
};

/// The cost of a listing in the request budget; everything else costs 1.
const LIST_COST: u32 = 2;

/// How old the reading before a write may be when the write is sent, and how long the reading stays
/// usable after it arrived if reading took longer. The limits are those of the pass, which does the
/// reading itself with v2.
const MAX_READING_AGE: Span = Span::seconds(2);
const MIN_USE_AFTER_ARRIVAL: Span = Span::milliseconds(500);

/// The most numbers that are remembered. If there are more, all are forgotten, and later listings
/// supply them again.
const MAX_NUMBERS: usize = 50_000;

pub(in crate::calcom) struct V1Client {
    sender: Sender,
    /// The number of every booking that a listing showed, in whatever state, by uid. v1 reads
    /// bookings by number only, but a booking names its predecessor by uid.
    numbers: Mutex<BTreeMap<BookingUid, i64>>,
}

impl V1Client {
    pub(in crate::calcom) fn new(sender: Sender) -> Self {
        Self {
            sender,
            numbers: Mutex::default(),
        }
    }

    /// Returns the number by which the server knows the booking, as text for a path.
    fn number(&self, booking: &BookingRef) -> Result<String, CallError> {
        if booking.id.is_some() {
            return path_number(booking);
        }
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        path_number(&BookingRef {
            id: numbers.get(&booking.uid).copied(),
            ..booking.clone()
        })
    }

    fn remember(&self, bookings: &[Booking]) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() + bookings.len() > MAX_NUMBERS {
            numbers.clear();
        }
        let known = bookings.iter();
        numbers.extend(known.filter_map(|booking| Some((booking.uid.clone(), booking.id?))));
    }

    /// Reads the rows `first..first + size` of a listing; `size` divides `first`.
    async fn read_rows(
        &self,
        filter: &BookingFilter,
        now: Time,
        first: u32,
        size: u32,
    ) -> Result<BookingRows, CallError> {
        let mut call = new_call(Endpoint::List, &["bookings"]);
        call.cost = LIST_COST;
        call.query = build_query(filter, now);
        call.query.push(("take", size.to_string()));
        call.query.push(("page", (first / size + 1).to_string()));
        let answer = self.sender.send(&call).await?;
        decode::decode_list(&answer, first as usize, self.sender.redactor())
    }

    async fn read_booking(
        &self,
        booking: &BookingRef,
        deadline: Option<Time>,
    ) -> Result<Fetched, CallError> {
        let mut call = new_call(Endpoint::Get, &["bookings", &self.number(booking)?]);
        call.query = vec![("expand", "team".to_owned())];
        call.booking = Some(&booking.uid);
        call.deadline = deadline;
        let answer = self.sender.send(&call).await?;
        decode::decode_booking(&answer, booking, self.sender.redactor())
    }

    /// Reads the booking right before a write. Whatever goes wrong, the read changed nothing.
    async fn read_before(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<(Fetched, Time), CallError> {
        let started_at = self.sender.now();
        let reading = self.read_booking(booking, Some(deadline)).await;
        let reading = reading.map_err(|error| match error {
            CallError::Unknown(text)
            | CallError::Failed(text)
            | CallError::TooLarge { why: text, .. } => CallError::Unreachable(format!(
                "the booking was not read, so nothing was sent: {text}"
            )),
            CallError::Credential(_)
            | CallError::NotPermitted(_)
            | CallError::RateLimited { .. }
            | CallError::TooLate
            | CallError::Unreachable(_)
            | CallError::Refused(_)
            | CallError::Contract(_) => error,
        })?;
        let fresh_until =
            (started_at + MAX_READING_AGE).max(self.sender.now() + MIN_USE_AFTER_ARRIVAL);
        Ok((reading, deadline.min(fresh_until)))
    }

    /// Reads the booking after a write that succeeded. If the booking cannot be read now, the write
    /// has still succeeded.
    async fn read_after(&self, booking: &BookingRef) -> Option<Fetched> {
        match self.read_booking(booking, None).await {
            Ok(reading) => Some(reading),
            Err(error) => {
                tracing::debug!(booking = %booking.uid, %error, "not read after the call");
                None
            }
        }
    }

    /// Declines or cancels: one call in v1, for bookings in different states.
    async fn delete(
        &self,
        endpoint: Endpoint,
        booking: &BookingRef,
        reason: &str,
        allowed_statuses: &[BookingStatus],
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let (current, deadline) = self.read_before(booking, deadline).await?;
        if !has_status(&current, allowed_statuses) {
            return Ok(Some(current));
        }
        let mut call = new_call(endpoint, &["bookings", &self.number(booking)?]);
        call.method = Method::DELETE;
        call.query = vec![("cancellationReason", sanitize(reason))];
        call.booking = Some(&booking.uid);
        call.deadline = Some(deadline);
        let answer = self.sender.send(&call).await?;
        decode::decode_cancellation(&answer, endpoint, self.sender.redactor())?;
        Ok(self.read_after(booking).await)
    }
}

#[async_trait]
impl Calendar for V1Client {
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
        let now = self.sender.now();
        let first = page.saturating_mul(PAGE_SIZE);
        let mut rows = match self.read_rows(filter, now, first, PAGE_SIZE).await {
            // The server refuses a page on which one row does not fit its own schema.
            Err(error) if can_be_split(&error, true) => {
                let range = PageRange {
                    name: "bookings",
                    first,
                    size: PAGE_SIZE,
                    max_calls: MAX_SPLIT_CALLS,
                };
                let read = |first, size| self.read_rows(filter, now, first, size).boxed();
                read_in_parts(&range, error, true, read).await?
            }
            result => result?,
        };
        self.remember(&rows.bookings);
        let reached_end = rows.bookings.iter().any(|one| is_past_end(one, filter));
        rows.bookings
            .retain(|booking| matches_filter(booking, filter, now));
        let full = rows.count >= PAGE_SIZE as usize && !reached_end;
        let next = if full { next_page(filter, page) } else { None };
        if full && next.is_none() && page + 1 >= MAX_PAGES {
            rows.unreadable.push(format!(
                "bookings: more than {MAX_PAGES} pages; the rest was not read"
            ));
        }
        Ok(BookingPage {
            bookings: rows.bookings,
            unreadable: rows.unreadable,
            next,
            server_time: rows.server_time,
        })
    }

    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
        self.read_booking(booking, None).await
    }

    async fn series(&self, _series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        Ok(None)
    }

    fn names_successors(&self) -> bool {
        false
    }

    fn reads_before_acting(&self) -> bool {
        true
    }

    async fn confirm(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let (current, deadline) = self.read_before(booking, deadline).await?;
        if !has_status(&current, &[BookingStatus::Pending]) {
            return Ok(Some(current));
        }
        let mut call = new_call(Endpoint::Confirm, &["bookings", &self.number(booking)?]);
        call.method = Method::PATCH;
        call.body = Some(json!({ "status": "ACCEPTED" }));
        call.booking = Some(&booking.uid);
        call.deadline = Some(deadline);
        let answer = self.sender.send(&call).await?;
        let state = decode::decode_patch(&answer, self.sender.redactor())?;
        match self.read_after(booking).await {
            Some(reading) => Ok(Some(reading)),
            None if state == Some(BookingStatus::Accepted) => Ok(None),
            None => Err(CallError::Unknown(
                "the answer to the PATCH does not say ACCEPTED".to_owned(),
            )),
        }
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        let allowed_statuses = [BookingStatus::Pending];
        self.delete(
            Endpoint::Decline,
            booking,
            reason,
            &allowed_statuses,
            deadline,
        )
        .await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        // A rejected booking would become cancelled, and its booker would be mailed again.
        let allowed_statuses = [BookingStatus::Pending, BookingStatus::Accepted];
        self.delete(
            Endpoint::Cancel,
            booking,
            reason,
            &allowed_statuses,
            deadline,
        )
        .await
    }

    fn server(&self) -> String {
        self.sender.server()
    }

    fn dialect(&self) -> Dialect {
        Dialect::V1
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

fn has_status(reading: &Fetched, statuses: &[BookingStatus]) -> bool {
    match reading {
        Fetched::Found(booking) => statuses.contains(&booking.status),
        Fetched::Gone => false,
    }
}

/// Returns the booking's number as text for a path. The server accepts 32 bits.
fn path_number(booking: &BookingRef) -> Result<String, CallError> {
    let number = booking.id.and_then(|id| u32::try_from(id).ok());
    match number.filter(|number| *number > 0 && *number <= i32::MAX as u32) {
        Some(number) => Ok(number.to_string()),
        None => Err(CallError::Refused(format!(
            "API v1 names bookings by number, and {} was recorded without a usable one",
            booking.uid
        ))),
    }
}

fn new_call<'a>(endpoint: Endpoint, path: &[&str]) -> ApiCall<'a> {
    let path = std::iter::once("v1").chain(path.iter().copied());
    ApiCall {
        endpoint,
        method: Method::GET,
        path: path.map(str::to_owned).collect(),
        query: Vec::new(),
        version: None,
        body: None,
        booking: None,
        cost: 1,
        deadline: None,
    }
}
