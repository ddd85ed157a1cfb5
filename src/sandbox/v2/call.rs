//! A v2 call as handlers see it, and answers that several of them give.

use serde_json::{Value, json};

use super::error::{ErrorWriter, NestError};
use crate::domain::time::Time;
use crate::sandbox::api_route::ApiRoute;
use crate::sandbox::http_types::{HttpRequest, HttpResponse};

/// The version whose booking shapes `calcom/api.md` describes. Any other version gives the older
/// shapes.
pub const BOOKINGS_VERSION: &str = "2024-08-13";

/// What a handler needs of a call.
pub struct V2Call<'a> {
    /// The world's current time.
    pub now: Time,
    /// The request as it came in.
    pub request: &'a HttpRequest,
    /// What the request asks for.
    pub route: &'a ApiRoute,
    /// Writes the errors of this request.
    pub errors: ErrorWriter,
    /// The parsed body; `None` if there is none.
    pub body: Option<Value>,
    /// False when the state check counts as passed (a race).
    pub checks_state: bool,
    /// Determines the order of rows with equal sort keys; `None`: by id.
    pub tie_salt: Option<u64>,
}

/// Returns the 404 of reads, confirm and decline.
pub fn booking_not_found(errors: &ErrorWriter, uid: &str) -> HttpResponse {
    let text = format!("Booking with uid={uid} was not found in the database");
    errors.nest_error(NestError::NotFound, &text)
}

/// Returns the envelope of a success.
pub fn success_envelope<T: serde::Serialize>(data: &T) -> impl serde::Serialize + '_ {
    #[derive(serde::Serialize)]
    struct Success<'a, T> {
        status: &'static str,
        data: &'a T,
    }
    Success {
        status: "success",
        data,
    }
}

/// Returns one of the body's fields as a validation error shows it; only for messages.
pub fn fields_as_error_target(body: &Value, field: &str) -> Value {
    json!({ field: body[field].clone() })
}
