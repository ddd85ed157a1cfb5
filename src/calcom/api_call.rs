//! One exchange with the server, as a value: what is asked, and what came back. The dialects make
//! calls and judge answers; only `http` moves them.

use reqwest::Method;
use serde_json::Value;

use crate::domain::id::BookingUid;
use crate::domain::time::Time;

/// What a call is for. Decides how its failures are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Me,
    EventTypes,
    EventType,
    List,
    Get,
    Series,
    Confirm,
    Decline,
    Cancel,
}

impl Endpoint {
    pub(super) fn as_str(self) -> &'static str {
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

    /// Whether it changes something at Cal.com.
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

    /// Whether it is about one booking, so that a refusal may be about that booking alone.
    pub(super) fn is_about_one_booking(self) -> bool {
        match self {
            Self::Get | Self::Series | Self::Confirm | Self::Decline | Self::Cancel => true,
            Self::Me | Self::EventTypes | Self::EventType | Self::List => false,
        }
    }
}

/// What is asked of the server. The key is added by the sender and never stands here.
#[derive(Debug, Clone)]
pub(super) struct ApiCall<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    /// The path behind the base, segment by segment.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    /// The value of `cal-api-version`.
    pub(super) version: Option<&'static str>,
    pub(super) body: Option<Value>,
    /// For the log.
    pub(super) booking: Option<&'a BookingUid>,
    /// What the call takes from the request budget.
    pub(super) cost: u32,
    /// After this it must not be sent any more.
    pub(super) deadline: Option<Time>,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct ApiAnswer {
    /// Host and port of the server that was asked.
    pub host: String,
    pub status: u16,
    /// The body says, or its type does, that it is a page for people.
    pub is_html: bool,
    /// Where a redirect points to: scheme, host and path only.
    pub location: Option<String>,
    /// The server's clock (`Date`).
    pub server_time: Option<Time>,
    pub body: Vec<u8>,
}

impl ApiAnswer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
