//! Who the key acts as, and the event types: what v2 shows of them (`calcom/api.md` 2.10).

use serde_json::{Value, json};

use crate::sandbox::call::merged;
use crate::sandbox::model::{Confirmation, EventType, User};
use crate::sandbox::world::World;

pub fn me(user: &User) -> Value {
    let data = json!({
        "id": user.id, "email": user.email, "name": user.name, "avatarUrl": null, "bio": null,
        "timeFormat": 12, "defaultScheduleId": 1, "weekStart": "Sunday",
        "timeZone": user.time_zone, "username": user.username, "organizationId": null,
    });
    json!({"status": "success", "data": data})
}

pub fn event_type(world: &World, of: &EventType) -> Value {
    let owner = world.user(of.owner);
    let username = owner.map_or("", |owner| owner.username.as_str());
    let users = owner.map(|owner| {
        json!({"id": owner.id, "name": owner.name, "username": owner.username, "avatarUrl": null,
               "brandColor": null, "darkBrandColor": null, "weekStart": "Sunday", "metadata": {}})
    });
    let seats = match of.seats {
        None => json!({"disabled": true}),
        Some(seats) => json!({"seatsPerTimeSlot": seats, "showAttendeeInfo": false,
                              "showAvailabilityCount": true}),
    };
    let recurrence = of.occurrences.map(
        |occurrences| json!({"interval": 1, "occurrences": occurrences, "frequency": "weekly"}),
    );
    let link = format!("https://meet.example.com/{}", of.slug);
    let first = json!({
        "id": of.id, "ownerId": of.owner, "lengthInMinutes": of.minutes, "title": of.title,
        "slug": of.slug, "description": "",
        "locations": [{"type": "link", "link": link, "public": true}],
        "bookingFields": questions(of), "recurrence": recurrence, "disableGuests": false,
        "slotInterval": null, "minimumBookingNotice": 120, "beforeEventBuffer": of.buffers.0,
        "afterEventBuffer": of.buffers.1, "metadata": {}, "price": of.price, "currency": "usd",
        "lockTimeZoneToggleOnBookingPage": false, "forwardParamsSuccessRedirect": true,
        "successRedirectUrl": null, "isInstantEvent": false,
    });
    let second = json!({
        "users": users.into_iter().collect::<Vec<_>>(),
        "scheduleId": null, "onlyShowFirstAvailableSlot": false, "offsetStart": 0,
        "bookingWindow": {"disabled": true}, "confirmationPolicy": policy(of),
        "requiresBookerEmailVerification": false, "hideCalendarNotes": false, "seats": seats,
        "useDestinationCalendarEmail": false, "hideCalendarEventDetails": false,
        "hideOrganizerEmail": false, "calVideoSettings": {"sendTranscriptionEmails": true},
        "hidden": of.hidden, "bookingRequiresAuthentication": false,
        "bookerActiveBookingsLimit": {"disabled": true},
        "bookingUrl": format!("https://cal.example.com/{username}/{}", of.slug),
        "disableCancelling": {"disabled": of.no_cancelling},
        "disableRescheduling": {"disabled": of.no_moving},
        "interfaceLanguage": null, "allowReschedulingPastBookings": false,
        "allowReschedulingCancelledBookings": false, "showOptimizedSlots": false,
    });
    let mut shown = merged(first, second);
    for (name, limits) in [
        ("bookingLimitsCount", &of.count_limits),
        ("bookingLimitsDuration", &of.duration_limits),
    ] {
        if !limits.is_empty() {
            shown[name] = json!(limits);
        }
    }
    shown
}

/// The questions: those that every event type has, then its own.
fn questions(of: &EventType) -> Vec<Value> {
    let usual = [("name", "name", true), ("email", "email", true)];
    let usual = usual.map(|(kind, slug, required)| {
        json!({"isDefault": true, "type": kind, "slug": slug, "required": required,
               "label": "", "placeholder": "", "disableOnPrefill": false})
    });
    let own = of.questions.iter().map(|one| {
        let mut shown = json!({
            "isDefault": false, "type": one.kind, "slug": one.slug, "label": one.label,
            "required": one.required, "placeholder": "", "hidden": false,
        });
        if !one.options.is_empty() {
            shown["options"] = json!(one.options);
        }
        shown
    });
    usual.into_iter().chain(own).collect()
}

fn policy(of: &EventType) -> Value {
    match of.confirmation {
        Confirmation::Never => json!({"disabled": true}),
        Confirmation::Always => json!({
            "type": "always",
            "blockUnconfirmedBookingsInBooker": of.blocks_slot,
        }),
        Confirmation::Notice(notice) => json!({
            "type": "time",
            "noticeThreshold": {"unit": "minutes", "count": notice.num_minutes()},
            "blockUnconfirmedBookingsInBooker": of.blocks_slot,
        }),
    }
}
