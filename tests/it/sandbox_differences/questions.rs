//! What the sandbox shows beyond the recorded differences, because defects depend on it: the types
//! of answers, buffers and limits, policies by notice, long notes, names that anybody may give.

use maitred::domain::time::Span;
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use maitred::sandbox::booking::SandboxStatus::{Accepted, Pending};
use maitred::sandbox::event_type::{
    ConfirmationRule, LimitPeriod, SandboxEventType, SandboxQuestion, SandboxQuestionKind,
};
use maitred::sandbox::http_types::HttpRequest;
use maitred::sandbox::new_booking::NewBooking;
use serde_json::{Value, json};

use super::fixture::{
    CONFIRMED_TYPE, DifferenceFixture, GUEST_MAIL, HOST_KEY, HOST_MAIL, NO_KEY, OPEN_TYPE,
};

/// An answer is stored by the type of its question, and a blank answer is not absent.
#[test]
fn answers_have_the_types_that_genuine_servers_give_them() {
    use SandboxQuestionKind::{
        Address, Boolean, Checkbox, Multiemail, Multiselect, Number, Phone, Radio, Select, Text,
        Textarea, Url,
    };
    let blank = Value::Null;
    // Type, the value sent, the value stored.
    let rows = [
        (Number, json!(120), json!("120")),
        (Number, json!("120"), json!("120")),
        (Number, blank.clone(), json!("")),
        (Text, json!("dune"), json!("dune")),
        (Textarea, blank.clone(), json!("")),
        (Select, json!("red"), json!("red")),
        (Radio, json!("red"), json!("red")),
        (Address, json!("a street"), json!("a street")),
        (Phone, json!("+4930123"), json!("+4930123")),
        (Url, json!("https://a.test"), json!("https://a.test")),
        (Boolean, json!(true), json!(true)),
        (Boolean, blank.clone(), Value::Null),
        (Checkbox, json!("red"), json!(["red"])),
        (Multiselect, json!(["red", "blue"]), json!(["red", "blue"])),
        (Multiemail, blank, json!([])),
    ];
    for (kind, answer, stored) in rows {
        let mut bench = DifferenceFixture::new();
        bench.edit_event_type(CONFIRMED_TYPE, |of| {
            of.questions = vec![SandboxQuestion::new("q", kind)]
        });
        let more = match &answer {
            Value::Null => json!({}),
            given => json!({"bookingFieldsResponses": {"q": given}}),
        };
        let (status, body) = bench.create(CONFIRMED_TYPE, 2, &more);
        assert_eq!(status, 201, "{body}");
        let got = &body["data"]["bookingFieldsResponses"]["q"];
        assert_eq!(got, &stored, "{kind:?} {answer}");
    }
}

#[test]
fn event_types_show_questions_buffers_and_limits() {
    let mut bench = DifferenceFixture::new();
    bench.edit_event_type(CONFIRMED_TYPE, |of| {
        of.questions = vec![SandboxQuestion::new("pages", SandboxQuestionKind::Number)];
        of.buffers = (5, 10);
        of.count_limits.insert(LimitPeriod::Day, 2);
        of.duration_limits.insert(LimitPeriod::Week, 600);
        of.confirmation = ConfirmationRule::ShortNotice(Span::hours(48));
    });
    let id = bench.event_type(CONFIRMED_TYPE).id;
    let v2 = HttpRequest::new("GET", &format!("/v2/event-types/{id}"))
        .with_header("cal-api-version", "2024-06-14")
        .with_header("Authorization", &format!("Bearer {HOST_KEY}"));
    let event_type = bench.send(&v2).1["data"].clone();
    let fields = event_type["bookingFields"].as_array().unwrap();
    let own = fields.iter().find(|one| one["slug"] == "pages").unwrap();
    assert_eq!(
        (&own["type"], &own["isDefault"]),
        (&json!("number"), &json!(false))
    );
    assert_eq!(event_type["beforeEventBuffer"], 5);
    assert_eq!(event_type["afterEventBuffer"], 10);
    assert_eq!(event_type["bookingLimitsCount"], json!({"day": 2}));
    assert_eq!(event_type["bookingLimitsDuration"], json!({"week": 600}));
    assert_eq!(event_type["confirmationPolicy"]["type"], "time");
    assert_eq!(
        event_type["confirmationPolicy"]["noticeThreshold"]["count"],
        48 * 60
    );
    let v1 = HttpRequest::new("GET", &format!("/v1/event-types/{id}?apiKey={HOST_KEY}"));
    let event_type = bench.send(&v1).1["event_type"].clone();
    assert_eq!(event_type["bookingFields"][0]["name"], "pages");
    assert_eq!(event_type["bookingLimits"], json!({"PER_DAY": 2}));
    assert_eq!(event_type["durationLimits"], json!({"PER_WEEK": 600}));
    assert_eq!(
        (
            &event_type["beforeEventBuffer"],
            &event_type["afterEventBuffer"]
        ),
        (&json!(5), &json!(10))
    );
}

/// Times that Cal.com refuses to offer but confirms all the same.
#[test]
fn times_that_cannot_be_booked_can_be_confirmed() {
    // Buffers: right after another booking.
    let mut bench = DifferenceFixture::new();
    bench.edit_event_type(OPEN_TYPE, |of| of.buffers = (0, 15));
    let late = |bench: &DifferenceFixture| bench.time(2) + Span::minutes(30);
    let waits = {
        let ask = NewBooking::new(
            bench.event_type(CONFIRMED_TYPE).id,
            GUEST_MAIL,
            late(&bench),
        );
        bench.world.book(bench.now, ask).unwrap().remove(0)
    };
    bench.book(OPEN_TYPE, 2);
    let start = late(&bench).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(
        bench
            .create(CONFIRMED_TYPE, 2, &json!({ "start": start, "guests": [] }))
            .0,
        201,
        "the same"
    );
    let other = json!({"start": start, "attendee": {"name": "Al", "email": "al@guest.test"}});
    assert_eq!(bench.create(CONFIRMED_TYPE, 2, &other).0, 400);
    assert_eq!(bench.post(HOST_KEY, &waits, "confirm", &Value::Null).0, 200);
    // The host is a guest of another person at that time, and sees that booking in the list.
    let mut bench = DifferenceFixture::new();
    let foreign = bench.world.add_event_type(SandboxEventType {
        confirmation: ConfirmationRule::Never,
        ..SandboxEventType::new(13, "foreign")
    });
    let mut ask = NewBooking::new(foreign, GUEST_MAIL, bench.time(2));
    ask.guests = vec![HOST_MAIL.to_owned()];
    let there = bench.world.book(bench.now, ask).unwrap().remove(0);
    assert_eq!(bench.create(CONFIRMED_TYPE, 2, &json!({})).0, 400);
    let listed = bench.list("status=upcoming");
    assert_eq!(
        (&listed[0]["uid"], &listed[0]["hosts"][0]["id"]),
        (&json!(there), &json!(13))
    );
    // Limits: the second booking of a day, where one is the maximum.
    for count in [true, false] {
        let mut bench = DifferenceFixture::new();
        bench.edit_event_type(OPEN_TYPE, |of| {
            if count {
                of.count_limits.insert(LimitPeriod::Day, 1);
            } else {
                of.duration_limits.insert(LimitPeriod::Month, 45);
            }
        });
        bench.book(OPEN_TYPE, 2);
        let start = (bench.time(2) + Span::hours(3))
            .format("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        assert_eq!(
            bench.create(OPEN_TYPE, 2, &json!({ "start": start })).0,
            400,
            "{count}"
        );
        let day = if count { 3 } else { 30 };
        assert_eq!(bench.create(OPEN_TYPE, day, &json!({})).0, 201, "{count}");
    }
}

#[test]
fn bookings_accepted_at_once_have_no_updated_time() {
    let mut bench = DifferenceFixture::new();
    bench.edit_event_type(CONFIRMED_TYPE, |of| {
        of.confirmation = ConfirmationRule::ShortNotice(Span::hours(48))
    });
    let at_once = bench.book(CONFIRMED_TYPE, 5);
    bench.assert_status(&at_once, Accepted);
    assert_eq!(bench.booking(&at_once).updated, None);
    let waits = bench.book(CONFIRMED_TYPE, 1);
    bench.assert_status(&waits, Pending);
    assert_eq!(bench.booking(&waits).updated, Some(bench.now));
    // A confirmed booking that its booker moves far ahead is accepted immediately.
    bench.post(HOST_KEY, &waits, "confirm", &Value::Null);
    let (status, body) = bench.move_to(NO_KEY, &waits, 9);
    assert_eq!((status, &body["data"]["status"]), (201, &json!("accepted")));
}

/// Conditions that no API shows, and changes that the event type forbids.
#[test]
fn event_types_may_ask_free_mail_only_and_forbid_to_cancel_or_move() {
    let mut bench = DifferenceFixture::new();
    bench.edit_event_type(CONFIRMED_TYPE, |of| {
        (of.free_mail_only, of.forbids_cancelling, of.forbids_moving) = (true, true, true);
    });
    let at_once = bench.book(CONFIRMED_TYPE, 2);
    bench.assert_status(&at_once, Accepted);
    let attendee = json!({"attendee": {"name": "Al", "email": "al@gmail.com"}});
    let (_, body) = bench.create(CONFIRMED_TYPE, 3, &attendee);
    assert_eq!(body["data"]["status"], "pending");
    let (status, body) = bench.post(NO_KEY, &at_once, "cancel", &json!({}));
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "This event type does not allow cancellations"
    );
    assert_eq!(bench.move_to(NO_KEY, &at_once, 5).0, 400);
    bench.assert_status(&at_once, Accepted);
    let id = bench.event_type(CONFIRMED_TYPE).id;
    let v2 = HttpRequest::new("GET", &format!("/v2/event-types/{id}"))
        .with_header("cal-api-version", "2024-06-14")
        .with_header("Authorization", &format!("Bearer {HOST_KEY}"));
    let event_type = bench.send(&v2).1["data"].clone();
    assert_eq!(
        event_type["confirmationPolicy"]["type"], "always",
        "as far as a key sees"
    );
    assert_eq!(event_type["disableCancelling"]["disabled"], true);
}

#[test]
fn notes_may_be_very_long() {
    let mut bench = DifferenceFixture::new();
    for day in 2..7 {
        let notes = "x".repeat(900_000);
        let more = json!({"bookingFieldsResponses": {"notes": notes}});
        assert_eq!(bench.create(CONFIRMED_TYPE, day, &more).0, 201);
    }
    let rows = bench.list("status=unconfirmed");
    let bytes = serde_json::to_vec(&rows).unwrap().len();
    assert!(rows.len() == 5 && bytes > 8 << 20, "{bytes} bytes");
}

/// `cancelledBy` and `rescheduledBy` are parameters of public pages: people who use these pages may
/// give any name.
#[test]
fn the_address_of_a_cancellation_or_move_is_unchecked() {
    let mut bench = DifferenceFixture::new();
    let (first, second) = (bench.book(CONFIRMED_TYPE, 2), bench.book(CONFIRMED_TYPE, 3));
    let cancels = ThirdPartyAction::BookerCancels(BookingRemark {
        by: Some(HOST_MAIL.to_owned()),
        ..BookingRemark::without_reason(&first)
    });
    bench.world.act(bench.now, cancels).unwrap();
    assert_eq!(
        bench.booking(&first).cancelled_by.as_deref(),
        Some(HOST_MAIL)
    );
    for (by, state) in [("who@nowhere.test", Pending), (HOST_MAIL, Accepted)] {
        let uid = if state == Pending {
            second.clone()
        } else {
            bench.book(CONFIRMED_TYPE, 4)
        };
        let moves = ThirdPartyAction::BookerMoves(BookingMove {
            by: Some(by.to_owned()),
            ..BookingMove::new(&uid, bench.time(9))
        });
        let made = bench.world.act(bench.now, moves).unwrap();
        let row = bench.booking(&made[0]);
        assert_eq!(
            (row.status, row.rescheduled_by.as_deref()),
            (state, Some(by))
        );
    }
}
