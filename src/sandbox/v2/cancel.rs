//! Cancels a booking, a series, or the rest of a series.

use serde_json::{Map, Value};

use super::api_2024_04_15;
use super::body_fields::{parse_fields, text_field};
use super::call::{BOOKINGS_VERSION, V2Call, success_envelope};
use super::change_response::{booking_response, refusal_response, to_outcome};
use super::error::NestError;
use super::item::BookingItem;
use crate::sandbox::account::User;
use crate::sandbox::booking::{SandboxBooking, SandboxStatus};
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::transitions::{CancelExtent, CancelRequest, TransitionRefusal};
use crate::sandbox::world::World;

/// Checks a cancellation, and returns it as a change or as a refusal.
pub fn cancel(world: &World, call: &V2Call<'_>, uid: &str, user: Option<&User>) -> HandlerOutcome {
    let allowed_fields = ["cancellationReason", "cancelSubsequentBookings", "seatUid"];
    let empty_body = Value::Object(Map::new());
    let fields = match parse_fields(
        call,
        Some(call.body.as_ref().unwrap_or(&empty_body)),
        &allowed_fields,
    ) {
        Ok(fields) => fields,
        Err(refused) => return refused.into(),
    };
    if fields
        .get("cancellationReason")
        .is_some_and(|reason| !reason.is_string())
    {
        let text = "cancellationReason must be a string";
        return call.errors.nest_error(NestError::BadRequest, text).into();
    }
    let by_series = world.booking(uid).is_none();
    let deciding = world
        .booking(uid)
        .or_else(|| deciding_occurrence(&world.series(uid)));
    let Some(deciding) = deciding else {
        return refusal_response(call, uid, &TransitionRefusal::NotFound).into();
    };
    if by_series && cancels_following(call) {
        let text = "Cannot cancel subsequent bookings for recurring event - you have to provide \
                    uid of one of the individual bookings of a recurring booking.";
        return call.errors.nest_error(NestError::BadRequest, text).into();
    }
    let reason = text_field(&fields, "cancellationReason").filter(|reason| !reason.is_empty());
    let by_host = user.is_some_and(|user| world.may_answer(user, deciding));
    if deciding.status == SandboxStatus::Cancelled && call.checks_state {
        return refusal_response(call, uid, &TransitionRefusal::AlreadyCancelled).into();
    }
    if by_host && reason.is_none() {
        return refusal_response(call, uid, &TransitionRefusal::ReasonRequired).into();
    }
    let extent = match (by_series, cancels_following(call)) {
        (true, _) => CancelExtent::Remaining,
        (false, true) => CancelExtent::Following,
        (false, false) => CancelExtent::Single,
    };
    let cancel = CancelRequest {
        reason,
        by: None,
        extent,
        raced: !call.checks_state,
    };
    to_outcome(
        call,
        uid,
        world.check_cancel(call.now, &deciding.uid, cancel),
    )
}

/// Returns the row whose state decides about a cancellation by the uid of a series: the first row.
/// Once an occurrence was accepted, the database returns another row first, one that is not
/// cancelled.
fn deciding_occurrence<'a>(series: &[&'a SandboxBooking]) -> Option<&'a SandboxBooking> {
    let mut rows = series.iter();
    let accepted = rows
        .clone()
        .any(|one| one.status == SandboxStatus::Accepted);
    let active = rows
        .clone()
        .find(|one| one.status != SandboxStatus::Cancelled)
        .filter(|_| accepted);
    active.or_else(|| rows.next()).copied()
}

/// Returns true when a cancellation includes later occurrences.
fn cancels_following(call: &V2Call<'_>) -> bool {
    let body = call.body.as_ref();
    body.is_some_and(|body| body["cancelSubsequentBookings"] == true)
}

/// Returns the answer to a cancellation: a list where the call named a series or included later
/// occurrences, and an error where later occurrences were to be included and the booking is not
/// part of a series. The booking is cancelled all the same.
pub fn cancellation_response(world: &World, call: &V2Call<'_>, uid: &str) -> HttpResponse {
    let uid_in_path = call.route.booking_in_path().unwrap_or(uid);
    let series = match world.booking(uid) {
        Some(booking) if cancels_following(call) => match &booking.series {
            Some(series) => world.series(series),
            None => {
                let text =
                    format!("Booking with bookingUid={uid} is not part of a recurring booking.");
                return call.errors.nest_error(NestError::BadRequest, &text);
            }
        },
        Some(_) | None => world.series(uid_in_path),
    };
    if !series.is_empty() {
        let items: Vec<BookingItem<'_>> = series
            .iter()
            .map(|one| BookingItem::new(world, one))
            .collect();
        return HttpResponse::json(200, &success_envelope(&items));
    }
    let is_current_version = call.request.header_value("cal-api-version") == Some(BOOKINGS_VERSION);
    match world.booking(uid).filter(|_| !is_current_version) {
        Some(booking) => HttpResponse::json(201, &api_2024_04_15::render_cancellation(booking)),
        None => booking_response(world, call, uid, 200),
    }
}
