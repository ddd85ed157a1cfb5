//! One call to the server, as plain values: what is sent, and what came back. The dialects make
//! calls and interpret answers; only `http` transmits them.

use reqwest::Method;
use serde_json::Value;

use crate::domain::id::BookingUid;
use crate::domain::time::Time;

/// What a call is for. Decides how its failures are classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Reads the user that the key acts as.
    Me,
    /// Lists the event types.
    EventTypes,
    /// Reads one event type.
    EventType,
    /// Lists bookings.
    List,
    /// Reads one booking.
    Get,
    /// Reads all occurrences of a series.
    Series,
    /// Confirms one pending booking.
    Confirm,
    /// Declines one pending booking.
    Decline,
    /// Cancels one booking.
    Cancel,
}

/// All endpoints, in the order of the declaration.
pub const ENDPOINTS: [Endpoint; 9] = [
    Endpoint::Me,
    Endpoint::EventTypes,
    Endpoint::EventType,
    Endpoint::List,
    Endpoint::Get,
    Endpoint::Series,
    Endpoint::Confirm,
    Endpoint::Decline,
    Endpoint::Cancel,
];

impl Endpoint {
    /// Returns the word for this endpoint in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Me => "me",
            Self::EventTypes => "event-types",
            Self::EventType => "event-type",
            Self::List => "list",
            Self::Get => "get",
            Self::Series => "series",
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }

    /// Returns whether the call changes something at Cal.com.
    pub(super) fn is_write(self) -> bool {
        match self {
            Self::Confirm | Self::Decline | Self::Cancel => true,
            Self::Me
            | Self::EventTypes
            | Self::EventType
            | Self::List
            | Self::Get
            | Self::Series => false,
        }
    }

    /// Returns whether the call is about one booking, so that a refusal may concern that booking
    /// alone.
    pub(super) fn is_about_one_booking(self) -> bool {
        match self {
            Self::Get | Self::Series | Self::Confirm | Self::Decline | Self::Cancel => true,
            Self::Me | Self::EventTypes | Self::EventType | Self::List => false,
        }
    }
}

/// A call to the server. It never holds the key, which the sender adds.
#[derive(Debug, Clone)]
pub(super) struct ApiCall<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    /// The path after the base URL, segment by segment.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    /// The value of `cal-api-version`.
    pub(super) version: Option<&'static str>,
    pub(super) body: Option<Value>,
    /// The booking that the log names.
    pub(super) booking: Option<&'a BookingUid>,
    /// What the call takes from the request budget.
    pub(super) cost: u32,
    /// The instant after which the call must not be sent.
    pub(super) deadline: Option<Time>,
}

/// The server's answer, whatever its status.
#[derive(Debug, Clone)]
pub struct ApiAnswer {
    /// Host and port of the server that was asked.
    pub host: String,
    /// The HTTP status code.
    pub status: u16,
    /// Whether the body or its content type shows a page for people.
    pub is_html: bool,
    /// Where a redirect points to: scheme, host and path only.
    pub location: Option<String>,
    /// The server's clock (`Date`).
    pub server_time: Option<Time>,
    /// The body's bytes, as they came.
    pub body: Vec<u8>,
}

impl ApiAnswer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
