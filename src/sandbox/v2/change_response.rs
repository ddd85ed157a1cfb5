//! The answers that several changes share: the booking as it is now, and the refusals.

use super::call::{V2Call, booking_not_found, success_envelope};
use super::error::{NestError, plain_error};
use super::item::BookingItem;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::transitions::{PendingTransition, TransitionRefusal};
use crate::sandbox::world::World;

/// Returns the change, or the answer to a refusal of its check.
pub fn to_outcome(
    call: &V2Call<'_>,
    uid: &str,
    change: Result<PendingTransition, TransitionRefusal>,
) -> HandlerOutcome {
    match change {
        Ok(change) => HandlerOutcome::Transition(change),
        Err(refusal) => refusal_response(call, uid, &refusal).into(),
    }
}

/// Returns the answer to a refusal; cancel and reschedule share these.
pub fn refusal_response(call: &V2Call<'_>, uid: &str, refusal: &TransitionRefusal) -> HttpResponse {
    match refusal {
        TransitionRefusal::NotFound => {
            let text = format!("Booking with uid={uid} not found");
            call.errors.nest_error(NestError::NotFound, &text)
        }
        TransitionRefusal::Declined => plain_error(404, "Could not find original booking"),
        TransitionRefusal::AlreadyConfirmed => {
            call.errors.trpc_error(400, "Booking already confirmed")
        }
        TransitionRefusal::AlreadyCancelled => {
            let text = format!(
                "Can't cancel booking with uid={uid} because it has been cancelled already. \
                 Please provide uid of a booking that is not cancelled."
            );
            call.errors.nest_error(NestError::BadRequest, &text)
        }
        TransitionRefusal::AlreadyMoved(to) => {
            let text = format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled and \
                 rescheduled already to booking with uid={to}. You probably want to reschedule \
                 {to} instead by passing it within the request URL."
            );
            call.errors.nest_error(NestError::BadRequest, &text)
        }
        TransitionRefusal::Ended => {
            plain_error(400, "Cannot cancel a booking that has already ended")
        }
        TransitionRefusal::NotStarted => {
            let text = "Bookings can only be marked as absent after their scheduled start time.";
            call.errors.nest_error(NestError::BadRequest, text)
        }
        TransitionRefusal::NotAllowed(text) => plain_error(400, text),
        TransitionRefusal::ReasonRequired => plain_error(400, "Cancellation reason is required"),
    }
}

/// Returns the booking as it is now.
pub fn booking_response(world: &World, call: &V2Call<'_>, uid: &str, status: u16) -> HttpResponse {
    match world.booking(uid) {
        Some(booking) => {
            HttpResponse::json(status, &success_envelope(&BookingItem::new(world, booking)))
        }
        None => booking_not_found(&call.errors, uid),
    }
}

/// Returns the answer for a new booking, with status 201 and one additional field.
pub fn new_booking_response(world: &World, uid: &str) -> HttpResponse {
    let booking = world.booking(uid).expect("the booking just made");
    let mut item = BookingItem::new(world, booking);
    item.is_platform_managed_user_booking = Some(false);
    HttpResponse::json(201, &success_envelope(&item))
}

/// Returns the answer to a change that needs a time that cannot be booked.
pub fn slot_taken_response(call: &V2Call<'_>) -> HttpResponse {
    let text = "User either already has booking at this time or is not available";
    call.errors.nest_error(NestError::BadRequest, text)
}
