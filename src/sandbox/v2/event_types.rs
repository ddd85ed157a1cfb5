//! The key's user, and the event types as v2 shows them (`calcom/api.md` 2.10).

use serde_json::{Value, json};

use crate::sandbox::account::User;
use crate::sandbox::event_type::{ConfirmationRule, SandboxEventType};
use crate::sandbox::http_types::merge_objects;
use crate::sandbox::world::World;

/// Returns the account as `/me` shows it.
pub fn render_me(user: &User) -> Value {
    let data = json!({
        "id": user.id, "email": user.email, "name": user.name, "avatarUrl": null, "bio": null,
        "timeFormat": 12, "defaultScheduleId": 1, "weekStart": "Sunday",
        "timeZone": user.time_zone, "username": user.username, "organizationId": null,
    });
    json!({"status": "success", "data": data})
}

/// Returns the event type as v2 shows it.
pub fn render_event_type(world: &World, event_type: &SandboxEventType) -> Value {
    let owner = world.user(event_type.owner);
    let username = owner.map_or("", |owner| owner.username.as_str());
    let users = owner.map(|owner| {
        json!({"id": owner.id, "name": owner.name, "username": owner.username, "avatarUrl": null,
               "brandColor": null, "darkBrandColor": null, "weekStart": "Sunday", "metadata": {}})
    });
    let seats = match event_type.seats {
        None => json!({"disabled": true}),
        Some(seats) => json!({"seatsPerTimeSlot": seats, "showAttendeeInfo": false,
                              "showAvailabilityCount": true}),
    };
    let recurrence = event_type.occurrences.map(
        |occurrences| json!({"interval": 1, "occurrences": occurrences, "frequency": "weekly"}),
    );
    let link = format!("https://meet.example.com/{}", event_type.slug);
    let first = json!({
        "id": event_type.id, "ownerId": event_type.owner, "lengthInMinutes": event_type.minutes, "title": event_type.title,
        "slug": event_type.slug, "description": "",
        "locations": [{"type": "link", "link": link, "public": true}],
        "bookingFields": render_questions(event_type), "recurrence": recurrence, "disableGuests": false,
        "slotInterval": null, "minimumBookingNotice": 120, "beforeEventBuffer": event_type.buffers.0,
        "afterEventBuffer": event_type.buffers.1, "metadata": {}, "price": event_type.price, "currency": "usd",
        "lockTimeZoneToggleOnBookingPage": false, "forwardParamsSuccessRedirect": true,
        "successRedirectUrl": null, "isInstantEvent": false,
    });
    let second = json!({
        "users": users.into_iter().collect::<Vec<_>>(),
        "scheduleId": null, "onlyShowFirstAvailableSlot": false, "offsetStart": 0,
        "bookingWindow": {"disabled": true}, "confirmationPolicy": confirmation_policy(event_type),
        "requiresBookerEmailVerification": false, "hideCalendarNotes": false, "seats": seats,
        "useDestinationCalendarEmail": false, "hideCalendarEventDetails": false,
        "hideOrganizerEmail": false, "calVideoSettings": {"sendTranscriptionEmails": true},
        "hidden": event_type.hidden, "bookingRequiresAuthentication": false,
        "bookerActiveBookingsLimit": {"disabled": true},
        "bookingUrl": format!("https://cal.example.com/{username}/{}", event_type.slug),
        "disableCancelling": {"disabled": event_type.forbids_cancelling},
        "disableRescheduling": {"disabled": event_type.forbids_moving},
        "interfaceLanguage": null, "allowReschedulingPastBookings": false,
        "allowReschedulingCancelledBookings": false, "showOptimizedSlots": false,
    });
    let mut item = merge_objects(first, second);
    for (name, limits) in [
        ("bookingLimitsCount", &event_type.count_limits),
        ("bookingLimitsDuration", &event_type.duration_limits),
    ] {
        if !limits.is_empty() {
            item[name] = json!(limits);
        }
    }
    item
}

/// Returns the questions: those that every event type has, then its own.
fn render_questions(event_type: &SandboxEventType) -> Vec<Value> {
    let usual = [("name", "name", true), ("email", "email", true)];
    let usual = usual.map(|(kind, slug, required)| {
        json!({"isDefault": true, "type": kind, "slug": slug, "required": required,
               "label": "", "placeholder": "", "disableOnPrefill": false})
    });
    let own = event_type.questions.iter().map(|one| {
        let mut item = json!({
            "isDefault": false, "type": one.kind, "slug": one.slug, "label": one.label,
            "required": one.required, "placeholder": "", "hidden": false,
        });
        if !one.options.is_empty() {
            item["options"] = json!(one.options);
        }
        item
    });
    usual.into_iter().chain(own).collect()
}

fn confirmation_policy(event_type: &SandboxEventType) -> Value {
    match event_type.confirmation {
        ConfirmationRule::Never => json!({"disabled": true}),
        ConfirmationRule::Always => json!({
            "type": "always",
            "blockUnconfirmedBookingsInBooker": event_type.blocks_slot,
        }),
        ConfirmationRule::ShortNotice(notice) => json!({
            "type": "time",
            "noticeThreshold": {"unit": "minutes", "count": notice.num_minutes()},
            "blockUnconfirmedBookingsInBooker": event_type.blocks_slot,
        }),
    }
}
