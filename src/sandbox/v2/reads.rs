//! The calls of v2 that only read: bookings and event types.

use serde_json::Value;

use super::call::{V2Call, booking_not_found, success_envelope};
use super::error::NestError;
use super::item::BookingItem;
use super::list::list_page;
use super::list_query::V2ListQuery;
use super::{api_2024_04_15, event_types};
use crate::sandbox::account::User;
use crate::sandbox::booking::SandboxBooking;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::world::World;

/// Answers the list of bookings; `new`: in the shapes since 2024-08-13.
pub fn list_bookings(world: &World, call: &V2Call<'_>, user: &User, new: bool) -> HttpResponse {
    let params = match V2ListQuery::parse(&call.request.query_pairs()) {
        Ok(params) => params,
        Err(errors) => return call.errors.validation_error(errors),
    };
    let unknown = params.event_types.iter().flatten();
    let mut unknown = unknown.filter(|id| world.event_type(**id).is_none());
    if unknown.next().is_some() {
        let text = "The requested event-types do not exist.";
        return call.errors.trpc_error(400, text);
    }
    if !new {
        return HttpResponse::json(
            200,
            &api_2024_04_15::render_list(world, user, &params, call.now),
        );
    }
    HttpResponse::json(
        200,
        &list_page(world, user, &params, call.now, call.tie_salt),
    )
}

/// Answers one booking, or all occurrences of a series where `uid` names one; `new`: in the shapes
/// since 2024-08-13.
pub fn get_booking(
    world: &World,
    call: &V2Call<'_>,
    uid: &str,
    user: Option<&User>,
    new: bool,
) -> HttpResponse {
    let booking = world.booking(uid);
    match booking {
        Some(booking) if new => {
            let item = item_for_viewer(world, booking, user);
            HttpResponse::json(200, &success_envelope(&item))
        }
        Some(booking) => HttpResponse::json(200, &api_2024_04_15::render_booking(world, booking)),
        None => {
            let series = world.series(uid);
            if series.is_empty() || !new {
                return booking_not_found(&call.errors, uid);
            }
            let items: Vec<BookingItem<'_>> = series
                .into_iter()
                .map(|one| item_for_viewer(world, one, user))
                .collect();
            HttpResponse::json(200, &success_envelope(&items))
        }
    }
}

/// Returns the booking as this user sees it: strangers do not see the attendees of a seated
/// booking.
fn item_for_viewer<'a>(
    world: &'a World,
    booking: &'a SandboxBooking,
    user: Option<&User>,
) -> BookingItem<'a> {
    let event_type = booking.event_type.and_then(|id| world.event_type(id));
    let seated = event_type.is_some_and(|event_type| event_type.seats.is_some());
    let item = BookingItem::new(world, booking);
    if seated && !user.is_some_and(|user| world.may_answer(user, booking)) {
        return item.without_attendees();
    }
    item
}

/// Answers the user's event types, or the one that the path names.
pub fn list_event_types(world: &World, call: &V2Call<'_>, user: Option<User>) -> HttpResponse {
    let requested_id = call.route.parts.get(1);
    let mut owned = world.event_types().iter().filter(|event_type| {
        user.as_ref()
            .is_some_and(|user| event_type.owner == user.id)
    });
    match requested_id {
        None => {
            let items: Vec<Value> = owned
                .map(|event_type| event_types::render_event_type(world, event_type))
                .collect();
            HttpResponse::json(200, &success_envelope(&items))
        }
        Some(id) => match owned.find(|event_type| event_type.id.to_string() == *id) {
            Some(event_type) => HttpResponse::json(
                200,
                &success_envelope(&event_types::render_event_type(world, event_type)),
            ),
            None => {
                let text = format!("Event type with id {id} not found");
                call.errors.nest_error(NestError::NotFound, &text)
            }
        },
    }
}
