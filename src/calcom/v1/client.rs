//! How v1 is spoken. Every write reads the booking first and does nothing unless it is in the state
//! that the write is for, since the server would not mind; and reads it again afterwards.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt;
use reqwest::Method;
use serde_json::json;

use crate::calcom::exchange::{Call, Kind};
use crate::calcom::http::Sender;
use crate::calcom::narrow::{Listing, Rows, may_be_narrowed, narrowed};
use crate::calcom::port::{Calendar, CallError, Dialect, Me, Page, Select};
use crate::calcom::reason::fit;
use crate::domain::booking::{Booking, BookingRef, EventType, Reading, Status};
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::time::{Span, Time};

use super::answers;
use super::listing::{MAX_NARROWING, MAX_PAGES, TAKE, following, is_behind, query, wanted};

/// What the list takes from the budget; everything else takes 1.
const LIST_COST: u32 = 2;

/// How old the reading before a write may be when that is sent, and how long it counts after it came
/// where reading took longer; as in the pass, which looks itself with v2.
const FRESH: Span = Span::seconds(2);
const ARRIVED: Span = Span::milliseconds(500);

/// Numbers remembered at once. When there are more, the listings to come tell them again.
const MAX_NUMBERS: usize = 50_000;

pub(in crate::calcom) struct Client {
    http: Sender,
    /// By uid, of every row that a listing showed, in whatever state: v1 reads by number only, and
    /// what a booking replaced is named by its uid.
    numbers: Mutex<BTreeMap<BookingUid, i64>>,
}

impl Client {
    pub(in crate::calcom) fn new(http: Sender) -> Self {
        Self {
            http,
            numbers: Mutex::default(),
        }
    }

    /// The number that the server calls it by, as it stands in a path.
    fn number(&self, booking: &BookingRef) -> Result<String, CallError> {
        if booking.id.is_some() {
            return number(booking);
        }
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        number(&BookingRef {
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

    /// Rows `first..first + size` of a listing; `size` divides `first`.
    async fn rows(
        &self,
        select: &Select,
        now: Time,
        first: u32,
        size: u32,
    ) -> Result<Rows, CallError> {
        let mut call = call(Kind::List, &["bookings"]);
        call.cost = LIST_COST;
        call.query = query(select, now);
        call.query.push(("take", size.to_string()));
        call.query.push(("page", (first / size + 1).to_string()));
        let answer = self.http.send(&call).await?;
        answers::list(&answer, first as usize, self.http.redactor())
    }

    async fn read(
        &self,
        booking: &BookingRef,
        deadline: Option<Time>,
    ) -> Result<Reading, CallError> {
        let mut call = call(Kind::Get, &["bookings", &self.number(booking)?]);
        call.query = vec![("expand", "team".to_owned())];
        call.booking = Some(&booking.uid);
        call.deadline = deadline;
        let answer = self.http.send(&call).await?;
        answers::reading(&answer, booking, self.http.redactor())
    }

    /// The booking right before a write. Whatever went wrong, nothing was changed by it.
    async fn read_before(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<(Reading, Time), CallError> {
        let asked = self.http.now();
        let reading = self.read(booking, Some(deadline)).await;
        let reading = reading.map_err(|error| match error {
            CallError::Unknown(text)
            | CallError::Failed(text)
            | CallError::TooLarge { why: text, .. } => CallError::Unreachable(format!(
                "the booking was not read, so nothing was sent: {text}"
            )),
            CallError::Credential(_)
            | CallError::NotYours(_)
            | CallError::Limited { .. }
            | CallError::TooLate
            | CallError::Unreachable(_)
            | CallError::Refused(_)
            | CallError::Contract(_) => error,
        })?;
        let fresh = (asked + FRESH).max(self.http.now() + ARRIVED);
        Ok((reading, deadline.min(fresh)))
    }

    /// The booking after a write that was done. That it cannot be read now does not undo the yes.
    async fn read_after(&self, booking: &BookingRef) -> Option<Reading> {
        match self.read(booking, None).await {
            Ok(reading) => Some(reading),
            Err(error) => {
                tracing::debug!(booking = %booking.uid, %error, "not read after the call");
                None
            }
        }
    }

    /// Decline and cancel are one call here, from other states.
    async fn delete(
        &self,
        kind: Kind,
        booking: &BookingRef,
        reason: &str,
        from: &[Status],
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        let (before, deadline) = self.read_before(booking, deadline).await?;
        if !is_in(&before, from) {
            return Ok(Some(before));
        }
        let mut call = call(kind, &["bookings", &self.number(booking)?]);
        call.method = Method::DELETE;
        call.query = vec![("cancellationReason", fit(reason))];
        call.booking = Some(&booking.uid);
        call.deadline = Some(deadline);
        let answer = self.http.send(&call).await?;
        answers::cancelled(&answer, kind, self.http.redactor())?;
        Ok(self.read_after(booking).await)
    }
}

#[async_trait]
impl Calendar for Client {
    async fn me(&self) -> Result<Me, CallError> {
        let answer = self.http.send(&call(Kind::Me, &["me"])).await?;
        answers::me(&answer, self.http.redactor())
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        let call = call(Kind::EventTypes, &["event-types"]);
        let answer = self.http.send(&call).await?;
        answers::event_types(&answer, self.http.redactor())
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        let call = call(Kind::EventType, &["event-types", &id.to_string()]);
        let answer = self.http.send(&call).await?;
        answers::event_type(&answer, self.http.redactor())
    }

    async fn list(&self, select: &Select, page: u32) -> Result<Page, CallError> {
        let now = self.http.now();
        let first = page.saturating_mul(TAKE);
        let mut rows = match self.rows(select, now, first, TAKE).await {
            // The server refuses a page on which one row does not fit its own schema.
            Err(error) if may_be_narrowed(&error, true) => {
                let listing = Listing {
                    name: "bookings",
                    first,
                    size: TAKE,
                    max_calls: MAX_NARROWING,
                };
                let read = |first, size| self.rows(select, now, first, size).boxed();
                narrowed(&listing, error, true, read).await?
            }
            result => result?,
        };
        self.remember(&rows.bookings);
        let ended = rows.bookings.iter().any(|one| is_behind(one, select));
        rows.bookings.retain(|booking| wanted(booking, select, now));
        let full = rows.count >= TAKE as usize && !ended;
        let next = if full { following(select, page) } else { None };
        if full && next.is_none() && page + 1 >= MAX_PAGES {
            rows.unreadable.push(format!(
                "bookings: more than {MAX_PAGES} pages; the rest was not read"
            ));
        }
        Ok(Page {
            bookings: rows.bookings,
            unreadable: rows.unreadable,
            next,
            server_time: rows.server_time,
        })
    }

    async fn get(&self, booking: &BookingRef) -> Result<Reading, CallError> {
        self.read(booking, None).await
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
    ) -> Result<Option<Reading>, CallError> {
        let (before, deadline) = self.read_before(booking, deadline).await?;
        if !is_in(&before, &[Status::Pending]) {
            return Ok(Some(before));
        }
        let mut call = call(Kind::Confirm, &["bookings", &self.number(booking)?]);
        call.method = Method::PATCH;
        call.body = Some(json!({ "status": "ACCEPTED" }));
        call.booking = Some(&booking.uid);
        call.deadline = Some(deadline);
        let answer = self.http.send(&call).await?;
        let state = answers::patched(&answer, self.http.redactor())?;
        match self.read_after(booking).await {
            Some(reading) => Ok(Some(reading)),
            None if state == Some(Status::Accepted) => Ok(None),
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
    ) -> Result<Option<Reading>, CallError> {
        let from = [Status::Pending];
        self.delete(Kind::Decline, booking, reason, &from, deadline)
            .await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        // A rejected one would become cancelled, and its booker be mailed again.
        let from = [Status::Pending, Status::Accepted];
        self.delete(Kind::Cancel, booking, reason, &from, deadline)
            .await
    }

    fn server(&self) -> String {
        self.http.server()
    }

    fn dialect(&self) -> Dialect {
        Dialect::V1
    }

    fn clock_difference(&self) -> Option<Span> {
        self.http.clock_difference()
    }

    fn calls(&self) -> u64 {
        self.http.calls()
    }

    fn ready(&self) -> usize {
        self.http.ready()
    }
}

fn is_in(reading: &Reading, states: &[Status]) -> bool {
    match reading {
        Reading::Is(booking) => states.contains(&booking.status),
        Reading::Gone => false,
    }
}

/// The booking's number as it stands in a path. The server takes 32 bits.
fn number(booking: &BookingRef) -> Result<String, CallError> {
    let number = booking.id.and_then(|id| u32::try_from(id).ok());
    match number.filter(|number| *number > 0 && *number <= i32::MAX as u32) {
        Some(number) => Ok(number.to_string()),
        None => Err(CallError::Refused(format!(
            "API v1 names bookings by number, and {} was recorded without a usable one",
            booking.uid
        ))),
    }
}

fn call<'a>(kind: Kind, path: &[&str]) -> Call<'a> {
    let path = std::iter::once("v1").chain(path.iter().copied());
    Call {
        kind,
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
