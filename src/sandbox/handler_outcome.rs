//! The first result of a handler of either dialect.

use super::http_types::HttpResponse;
use super::transitions::PendingTransition;

/// The first result of a handler: an answer, or a change that has passed its check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandlerOutcome {
    /// The answer; the call is finished.
    Response(HttpResponse),
    /// The change, which has steps to take before the answer.
    Transition(PendingTransition),
}

impl From<HttpResponse> for HandlerOutcome {
    fn from(response: HttpResponse) -> Self {
        HandlerOutcome::Response(response)
    }
}
