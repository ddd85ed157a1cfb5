//! What an observer of the client learns about each call: which endpoint, how the call ended, how
//! long it took, and what is left of the server's rate limit. It never learns a URL, a booking or a
//! text.

use std::sync::Arc;
use std::time::Duration;

use super::api_call::{ApiAnswer, Endpoint};
use super::port::CallError;

/// Learns about each call after its end. It must return quickly, because the call waits for it.
pub type CallObserver = Arc<dyn Fn(&ObservedCall) + Send + Sync>;

/// A call that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedCall {
    /// What the call was for.
    pub endpoint: Endpoint,
    /// How the call ended.
    pub outcome: CallOutcome,
    /// From sending the call to the last byte of its answer, or to its failure. `None`: the call was
    /// not sent.
    pub duration: Option<Duration>,
    /// The server's tightest rate limit after the call. `None`: the server states no limit.
    pub rate_limit: Option<RateLimitReading>,
}

/// A rate limit of the server, as its answers state it. It counts the calls of everybody who uses
/// the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitReading {
    /// The calls that one window allows.
    pub limit: u32,
    /// The calls that are left in the present window.
    pub remaining: u32,
}

/// How a call ended, as far as the transport shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The server answered with success (2xx).
    Ok,
    /// The server sent the call elsewhere (3xx). Redirects are not followed.
    Redirected,
    /// The server does not accept the key, or the key may not do this (401, 403).
    NotAuthorized,
    /// The server refused the call (another 4xx).
    Refused,
    /// The server failed (5xx).
    Failed,
    /// The rate limit is used up. Either the server said so, or the call was not sent for that
    /// reason.
    RateLimited,
    /// The call could not be sent before its deadline.
    TooLate,
    /// No connection was made.
    Unreachable,
    /// No complete answer came, so it is not known what the call did.
    NoAnswer,
    /// The answer is larger than the client accepts.
    TooLarge,
}

/// All outcomes, in the order of the declaration.
pub const CALL_OUTCOMES: [CallOutcome; 10] = [
    CallOutcome::Ok,
    CallOutcome::Redirected,
    CallOutcome::NotAuthorized,
    CallOutcome::Refused,
    CallOutcome::Failed,
    CallOutcome::RateLimited,
    CallOutcome::TooLate,
    CallOutcome::Unreachable,
    CallOutcome::NoAnswer,
    CallOutcome::TooLarge,
];

impl CallOutcome {
    /// Returns the word for this outcome in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Redirected => "redirected",
            Self::NotAuthorized => "not-authorized",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::RateLimited => "rate-limited",
            Self::TooLate => "too-late",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no-answer",
            Self::TooLarge => "too-large",
        }
    }

    /// Returns the outcome that the sender's result shows.
    pub(super) fn from_result(result: &Result<ApiAnswer, CallError>) -> Self {
        match result {
            Ok(answer) => Self::from_status(answer.status),
            Err(error) => Self::from_error(error),
        }
    }

    fn from_status(status: u16) -> Self {
        match status {
            200..300 => Self::Ok,
            300..400 => Self::Redirected,
            401 | 403 => Self::NotAuthorized,
            429 => Self::RateLimited,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }

    pub(super) fn from_error(error: &CallError) -> Self {
        match error {
            CallError::Credential(_) | CallError::NotPermitted(_) => Self::NotAuthorized,
            CallError::RateLimited { .. } => Self::RateLimited,
            CallError::TooLate => Self::TooLate,
            CallError::Unreachable(_) => Self::Unreachable,
            CallError::Unknown(_) => Self::NoAnswer,
            CallError::Failed(_) => Self::Failed,
            CallError::TooLarge { .. } => Self::TooLarge,
            CallError::Refused(_) | CallError::Contract(_) => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_answer_decides_the_outcome() {
        let rows = [
            (200, "ok"),
            (204, "ok"),
            (302, "redirected"),
            (400, "refused"),
            (401, "not-authorized"),
            (403, "not-authorized"),
            (404, "refused"),
            (429, "rate-limited"),
            (500, "failed"),
            (599, "failed"),
        ];
        for (status, expect) in rows {
            assert_eq!(
                CallOutcome::from_status(status).as_str(),
                expect,
                "{status}"
            );
        }
    }

    #[test]
    fn outcomes_have_words_of_their_own() {
        let words: std::collections::BTreeSet<&str> =
            CALL_OUTCOMES.iter().map(|one| one.as_str()).collect();
        assert_eq!(words.len(), CALL_OUTCOMES.len());
    }
}
