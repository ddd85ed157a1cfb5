//! A v1 call as handlers see it, and what they return.

use crate::domain::time::Time;
use crate::sandbox::api_route::ApiRoute;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::HttpRequest;

/// Why a handler refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum V1Denial {
    /// 403: another host's booking, or no such booking; the two look alike.
    NotOwner,
    /// A message and its status.
    Message(u16, String),
    /// 500 without a trace id.
    InternalError,
}

impl V1Denial {
    /// Returns the refusal of a schema (400) with this message.
    pub fn schema(text: &str) -> Self {
        V1Denial::Message(400, text.to_owned())
    }
}

/// What a handler returns.
pub type V1HandlerResult = Result<HandlerOutcome, V1Denial>;

/// What a handler needs of a call.
#[derive(Debug, Clone, Copy)]
pub struct V1Call<'a> {
    /// The world's current time.
    pub now: Time,
    /// The request as it came in.
    pub request: &'a HttpRequest,
    /// What the request asks for.
    pub route: &'a ApiRoute,
    /// Whether a cancellation passed its state check before another call changed the booking (a
    /// race).
    pub raced: bool,
}
