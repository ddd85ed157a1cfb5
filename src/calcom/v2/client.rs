//! How v2 is spoken: which path, which header, which body. What comes back is judged by `answers`.

use async_trait::async_trait;
use chrono::SecondsFormat;
use futures_util::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::calcom::exchange::{Call, Kind};
use crate::calcom::http::Sender;
use crate::calcom::narrow::{Listing, Rows, may_be_narrowed, narrowed};
use crate::calcom::port::{Calendar, CallError, Dialect, Me, Page, Select};
use crate::calcom::reason::fit;
use crate::domain::booking::{Booking, BookingRef, EventType, Reading};
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::time::{Span, Time, in_four_digits};

use super::answers;

const BOOKINGS: &str = "2024-08-13";
const EVENT_TYPES: &str = "2024-06-14";

/// The server's window holds only bookings that lie in it as a whole. Asked for this much more on
/// both sides, it shows all that touch ours, but those longer than a day.
const WIDER: Span = Span::hours(24);

/// Calls that are spent on a page that is too large as a whole: enough for 250 rows of 1 MB each.
const MAX_NARROWING: usize = 64;

pub(in crate::calcom) struct Client {
    http: Sender,
}

impl Client {
    pub(in crate::calcom) fn new(http: Sender) -> Self {
        Self { http }
    }

    /// Rows `first..first + size` of a listing.
    async fn rows(&self, select: &Select, first: u32, size: u32) -> Result<Rows, CallError> {
        let mut call = call(Kind::List, &["bookings"]);
        call.query = query(select, first, size);
        let answer = self.http.send(&call).await?;
        answers::rows(&answer, select, first as usize, self.http.redactor())
    }

    async fn act(
        &self,
        kind: Kind,
        booking: &BookingRef,
        body: Option<Value>,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        let mut call = call(kind, &["bookings", booking.uid.as_str(), kind.word()]);
        call.method = Method::POST;
        call.body = body;
        call.booking = Some(&booking.uid);
        call.deadline = Some(deadline);
        let answer = self.http.send(&call).await?;
        answers::acted(&answer, kind, &booking.uid, self.http.redactor())
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
        let first = page.saturating_mul(answers::TAKE);
        let rows = match self.rows(select, first, answers::TAKE).await {
            Err(error) if may_be_narrowed(&error, false) => {
                let listing = Listing {
                    name: "data",
                    first,
                    size: answers::TAKE,
                    max_calls: MAX_NARROWING,
                };
                let read = |first, size| self.rows(select, first, size).boxed();
                narrowed(&listing, error, false, read).await?
            }
            result => result?,
        };
        Ok(answers::page_of(rows, select, page))
    }

    async fn get(&self, booking: &BookingRef) -> Result<Reading, CallError> {
        let mut call = call(Kind::Get, &["bookings", booking.uid.as_str()]);
        call.booking = Some(&booking.uid);
        let answer = self.http.send(&call).await?;
        answers::reading(&answer, &booking.uid, self.http.redactor())
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        let mut call = call(Kind::Series, &["bookings", series.as_str()]);
        call.booking = Some(series);
        let answer = self.http.send(&call).await?;
        answers::series(&answer, series, self.http.redactor()).map(Some)
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
    ) -> Result<Option<Reading>, CallError> {
        self.act(Kind::Confirm, booking, None, deadline).await
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        let body = json!({ "reason": fit(reason) });
        self.act(Kind::Decline, booking, Some(body), deadline).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Reading>, CallError> {
        let body = json!({ "cancellationReason": fit(reason) });
        self.act(Kind::Cancel, booking, Some(body), deadline).await
    }

    fn server(&self) -> String {
        self.http.server()
    }

    fn dialect(&self) -> Dialect {
        Dialect::V2
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

fn call<'a>(kind: Kind, path: &[&str]) -> Call<'a> {
    let path = std::iter::once("v2").chain(path.iter().copied());
    Call {
        kind,
        method: Method::GET,
        path: path.map(str::to_owned).collect(),
        query: Vec::new(),
        version: Some(match kind {
            Kind::EventTypes | Kind::EventType => EVENT_TYPES,
            Kind::Me
            | Kind::List
            | Kind::Get
            | Kind::Series
            | Kind::Confirm
            | Kind::Decline
            | Kind::Cancel => BOOKINGS,
        }),
        body: None,
        booking: None,
        cost: 1,
        deadline: None,
    }
}

fn query(select: &Select, first: u32, size: u32) -> Vec<(&'static str, String)> {
    let of = |name: &'static str, value: &str| (name, value.to_owned());
    let window = |from: &Time, to: &Time| {
        let (from, to) = (*from - WIDER, *to + WIDER);
        [("afterStart", instant(from)), ("beforeEnd", instant(to))]
    };
    let mut query = match select {
        Select::Pending => vec![of("status", "unconfirmed"), of("sortCreated", "asc")],
        Select::Upcoming { from, to } => {
            let mut query = vec![of("status", "upcoming"), of("sortStart", "asc")];
            query.extend(window(from, to));
            query
        }
        Select::Past { from, to } => {
            let mut query = vec![of("status", "past"), of("sortStart", "asc")];
            query.extend(window(from, to));
            query
        }
        Select::UpdatedSince(since) => {
            vec![
                of("sortUpdatedAt", "asc"),
                ("afterUpdatedAt", instant(*since)),
            ]
        }
        Select::CreatedSince(since) => {
            vec![
                of("sortCreated", "desc"),
                ("afterCreatedAt", instant(*since)),
            ]
        }
    };
    query.push(("take", size.to_string()));
    query.push(("skip", first.to_string()));
    query
}

fn instant(at: Time) -> String {
    // A wider window may reach beyond the years that a server can read.
    in_four_digits(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}
