//! Tests the sandbox against `differences.md`, which was measured on genuine Cal.com servers: one
//! script for each row, with the genuine result, and each pair of simultaneous calls.
//!
//! Event types as in that table: A waits for confirmation, B does not, C is a series of four that
//! waits, E is a series of three that does not.

#![expect(
    clippy::print_stdout,
    reason = "the harness shows it where a row fails"
)]

mod concurrent_calls;
mod fixture;
mod questions;

use fixture::{
    CONFIRMED_SERIES, CONFIRMED_TYPE, DifferenceFixture, GUEST_KEY, GUEST_MAIL, HOST_KEY, NO_KEY,
    OPEN_SERIES, OPEN_TYPE, OTHER_HOST_KEY, OTHER_HOST_MAIL,
};
use maitred::sandbox::booking::SandboxStatus::{Accepted, Cancelled, Pending, Rejected};
use maitred::sandbox::call_log::{MailKind, Recipient};
use serde_json::{Value, json};

/// The row's number, its subject, and the script.
type Row = (u32, &'static str, fn(&mut DifferenceFixture));

const ROWS: [Row; 24] = [
    (1, "any valid key marks the host absent", any_key_marks),
    (2, "the mark on the host is taken back", mark_taken_back),
    (3, "what was declined cannot be moved", declined_stays),
    (4, "a move to a taken time is refused", taken_time),
    (5, "a move to its own time moves nothing", own_time),
    (5, "a move to another's own duplicate", own_duplicate),
    (6, "cancelled, and answered with 400", cancelled_with_400),
    (7, "later ones of a series uid", later_of_series_uid),
    (8, "a series that has begun", begun_series),
    (9, "a series with its first one off", first_one_off),
    (10, "reasons are written again", reasons_again),
    (11, "one mail for a series", one_mail),
    (12, "guests are told of what is accepted", guests_told),
    (13, "guests are not told of what waits", guests_not_told),
    (14, "a series over a taken time", series_cut_short),
    (15, "a series asked for again is mixed", mixed_series),
    (16, "no body is an empty one", no_body),
    (17, "more occurrences than there are", too_many),
    (18, "fields of the wrong type", wrong_types),
    (19, "another account moves", another_account_moves),
    (20, "two successors", two_successors),
    (21, "the old reason stays", old_reason),
    (22, "attendees in another order", other_order),
    (22, "attendees of what was not moved", same_order),
];

#[test]
fn each_difference_behaves_as_on_a_genuine_server() {
    for (number, what, script) in ROWS {
        println!("row {number}: {what}");
        script(&mut DifferenceFixture::new());
    }
}

fn any_key_marks(bench: &mut DifferenceFixture) {
    let uid = bench.book(OPEN_TYPE, 2);
    let host = json!({"host": true});
    assert_eq!(
        bench.post(OTHER_HOST_KEY, &uid, "mark-absent", &host).0,
        400,
        "early"
    );
    bench.advance_days(3);
    let guest = json!({"attendees": [{"email": GUEST_MAIL, "absent": true}]});
    assert_eq!(
        bench.post(OTHER_HOST_KEY, &uid, "mark-absent", &guest).0,
        500
    );
    assert_eq!(bench.post(NO_KEY, &uid, "mark-absent", &host).0, 403);
    assert_eq!(bench.post("cal_unknown", &uid, "mark-absent", &host).0, 401);
    assert!(!bench.booking(&uid).absent_host);
    let (status, body) = bench.post(OTHER_HOST_KEY, &uid, "mark-absent", &host);
    assert_eq!((status, &body["data"]["absentHost"]), (200, &json!(true)));
    let again = bench.book(OPEN_TYPE, 3);
    bench.advance_days(4);
    assert_eq!(bench.post(GUEST_KEY, &again, "mark-absent", &host).0, 200);
}

fn mark_taken_back(bench: &mut DifferenceFixture) {
    let uid = bench.book(OPEN_TYPE, 2);
    bench.advance_days(3);
    for absent in [true, false] {
        let mark = json!({"host": absent});
        assert_eq!(bench.post(HOST_KEY, &uid, "mark-absent", &mark).0, 200);
        assert_eq!(bench.booking(&uid).absent_host, absent);
    }
}

fn declined_stays(bench: &mut DifferenceFixture) {
    let single = bench.book(CONFIRMED_TYPE, 2);
    let series = bench.series(CONFIRMED_SERIES, 3);
    for uid in [&single, &series[1]] {
        bench.post(HOST_KEY, uid, "decline", &json!({}));
        for key in [NO_KEY, HOST_KEY] {
            let (status, body) = bench.move_to(key, uid, 20);
            assert_eq!(status, 404);
            assert_eq!(body["message"], "Could not find original booking");
            bench.assert_status(uid, Rejected);
        }
    }
    assert_eq!(bench.count(), 5, "nothing was made");
}

fn taken_time(bench: &mut DifferenceFixture) {
    let taken = bench.book(OPEN_TYPE, 5);
    let uid = bench.book(CONFIRMED_TYPE, 2);
    let start = bench.start_text(5);
    for (key, by) in [
        (NO_KEY, None),
        (HOST_KEY, None),
        (NO_KEY, Some(fixture::HOST_MAIL)),
    ] {
        let mut body = json!({"start": start});
        if let Some(by) = by {
            body["rescheduledBy"] = by.into();
        }
        let (status, body) = bench.post(key, &uid, "reschedule", &body);
        assert_eq!(
            (status, &body["error"]["code"]),
            (400, &json!("BadRequestException"))
        );
        bench.assert_status(&uid, Pending);
    }
    bench.assert_status(&taken, Accepted);
    assert_eq!(bench.count(), 2);
}

fn own_time(bench: &mut DifferenceFixture) {
    let uid = bench.book(CONFIRMED_TYPE, 2);
    let mails = bench.mail_total();
    let (status, body) = bench.move_to(NO_KEY, &uid, 2);
    assert_eq!((status, &body["data"]["uid"]), (201, &json!(uid)));
    bench.assert_status(&uid, Pending);
    assert_eq!((bench.count(), bench.mail_total()), (1, mails));
    assert!(body["data"].get("reschedulingReason").is_none());
}

fn own_duplicate(bench: &mut DifferenceFixture) {
    let uids = bench.series(CONFIRMED_SERIES, 2);
    let (_, first) = bench.move_to(NO_KEY, &uids[1], 4);
    let successor = first["data"]["uid"].clone();
    let (status, body) = bench.move_to(NO_KEY, &uids[0], 4);
    assert_eq!((status, &body["data"]["uid"]), (201, &successor));
    bench.assert_status(&uids[0], Pending);
}

fn cancelled_with_400(bench: &mut DifferenceFixture) {
    for declined in [false, true] {
        let uid = bench.book(CONFIRMED_TYPE, 2);
        if declined {
            bench.post(HOST_KEY, &uid, "decline", &json!({}));
        }
        let all = json!({"cancelSubsequentBookings": true});
        let (status, body) = bench.post(NO_KEY, &uid, "cancel", &all);
        assert_eq!(status, 400);
        let text = body["error"]["message"].as_str().unwrap();
        assert!(
            text.ends_with("is not part of a recurring booking."),
            "{text}"
        );
        bench.assert_status(&uid, Cancelled);
        let mails = [Recipient::Booker, Recipient::Host]
            .map(|to| bench.mail_count(&uid, to, MailKind::Cancelled));
        assert_eq!(mails, [1, 1]);
    }
}

fn later_of_series_uid(bench: &mut DifferenceFixture) {
    let uids = bench.series(CONFIRMED_SERIES, 2);
    let series = bench.series_uid(&uids[0]);
    let all = json!({"cancelSubsequentBookings": true, "cancellationReason": "ill"});
    assert_eq!(bench.post(HOST_KEY, &series, "cancel", &all).0, 400);
    bench.assert_statuses(&uids, [Pending; 4]);
}

fn begun_series(bench: &mut DifferenceFixture) {
    let uids = bench.series(CONFIRMED_SERIES, 2);
    let series = bench.series_uid(&uids[0]);
    bench.advance_days(9);
    let ill = json!({"cancellationReason": "ill"});
    let (status, body) = bench.post(HOST_KEY, &series, "cancel", &ill);
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "Cannot cancel a booking that has already ended"
    );
    bench.assert_statuses(&uids, [Pending; 4]);
}

fn first_one_off(_: &mut DifferenceFixture) {
    let ill = json!({"cancellationReason": "ill"});
    // Confirmed before, status of the answer, statuses afterwards.
    let rows = [
        (false, 400, [Cancelled, Pending, Pending, Pending]),
        (true, 200, [Cancelled; 4]),
    ];
    for (confirmed, expected, states) in rows {
        let mut bench = DifferenceFixture::new();
        let uids = bench.series(CONFIRMED_SERIES, 2);
        let series = bench.series_uid(&uids[0]);
        bench.post(NO_KEY, &uids[0], "cancel", &json!({}));
        if confirmed {
            bench.post(HOST_KEY, &uids[1], "confirm", &Value::Null);
        }
        let (status, body) = bench.post(HOST_KEY, &series, "cancel", &ill);
        assert_eq!(status, expected, "{body}");
        bench.assert_statuses(&uids, states);
    }
}

fn reasons_again(_: &mut DifferenceFixture) {
    for by_series in [false, true] {
        let mut bench = DifferenceFixture::new();
        let uids = bench.series(CONFIRMED_SERIES, 2);
        bench.move_to(NO_KEY, &uids[1], 4);
        let before = bench.booking(&uids[1]).updated;
        bench.advance_minutes(5);
        let series = bench.series_uid(&uids[0]);
        let (uid, body) = if by_series {
            (series.as_str(), json!({"cancellationReason": "ill"}))
        } else {
            let body = json!({"cancellationReason": "ill", "cancelSubsequentBookings": true});
            (uids[0].as_str(), body)
        };
        let (status, body) = bench.post(NO_KEY, uid, "cancel", &body);
        assert_eq!(status, 200, "{body}");
        assert!(body["data"].as_array().unwrap().len() >= 4);
        let moved = bench.booking(&uids[1]);
        assert_eq!(moved.cancellation_reason.as_deref(), Some("ill"));
        assert!(moved.updated > before);
    }
}

fn one_mail(bench: &mut DifferenceFixture) {
    for (of, days, count, kind) in [
        (CONFIRMED_SERIES, 2, 4, MailKind::Requested),
        (OPEN_SERIES, 3, 3, MailKind::Confirmed),
    ] {
        let before = bench.mail_total();
        let uids = bench.series(of, days);
        assert_eq!(uids.len(), count);
        assert_eq!(bench.mail_total() - before, 2);
        for to in [Recipient::Booker, Recipient::Host] {
            assert_eq!(bench.mail_count(&uids[0], to, kind), 1);
        }
    }
}

fn guests_told(bench: &mut DifferenceFixture) {
    let uid = bench.book_with_guests(OPEN_TYPE, 2, &["one@guest.test", "two@guest.test"]);
    assert_eq!(
        bench.mail_count(&uid, Recipient::Guest, MailKind::Confirmed),
        2
    );
}

fn guests_not_told(bench: &mut DifferenceFixture) {
    let uid = bench.book_with_guests(CONFIRMED_TYPE, 2, &["one@guest.test", "two@guest.test"]);
    let (_, body) = bench.move_to(NO_KEY, &uid, 3);
    let new = body["data"]["uid"].as_str().unwrap().to_owned();
    let mails = [Recipient::Booker, Recipient::Guest, Recipient::Host]
        .map(|to| bench.mail_count(&new, to, MailKind::Requested));
    assert_eq!(mails, [1, 0, 1]);
}

fn series_cut_short(bench: &mut DifferenceFixture) {
    bench.book(OPEN_TYPE, 2 + 14);
    let (status, body) = bench.create(OPEN_SERIES, 2, &json!({}));
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "An error occurred while querying the database."
    );
    let made = bench.bookings_of(OPEN_SERIES);
    assert_eq!(made.len(), 2, "the first ones stay");
    assert_eq!(bench.series_uid(&made[0]), bench.series_uid(&made[1]));
    made.iter()
        .for_each(|uid| bench.assert_status(uid, Accepted));
    assert_eq!(
        bench.mail_count(&made[0], Recipient::Booker, MailKind::Confirmed),
        1
    );
    assert_eq!(bench.booking(&made[0]).updated, None, "accepted at once");
}

fn mixed_series(_: &mut DifferenceFixture) {
    for off in [0, 2] {
        let mut bench = DifferenceFixture::new();
        let uids = bench.series(CONFIRMED_SERIES, 2);
        bench.post(NO_KEY, &uids[off], "cancel", &json!({}));
        let (status, body) = bench.create(CONFIRMED_SERIES, 2, &json!({}));
        assert_eq!(status, 201);
        let rows = body["data"].as_array().unwrap();
        assert_eq!(rows.len(), 4);
        for (number, row) in rows.iter().enumerate() {
            let known = row["uid"] == json!(uids[number]);
            assert_eq!(known, number != off, "only the missing one is new");
            let old = row["recurringBookingUid"] == json!(bench.series_uid(&uids[1]));
            assert_eq!(old, number != off, "in a series of its own");
        }
    }
}

fn no_body(bench: &mut DifferenceFixture) {
    let uid = bench.book(CONFIRMED_TYPE, 2);
    let (status, body) = bench.post(HOST_KEY, &uid, "cancel", &Value::Null);
    assert_eq!(
        (status, &body["message"]),
        (400, &json!("Cancellation reason is required"))
    );
    assert_eq!(bench.post(NO_KEY, &uid, "cancel", &Value::Null).0, 200);
    bench.assert_status(&uid, Cancelled);
    assert_eq!(
        bench.mail_count(&uid, Recipient::Booker, MailKind::Cancelled),
        1
    );
}

fn too_many(bench: &mut DifferenceFixture) {
    for (of, count) in [(OPEN_SERIES, 4), (CONFIRMED_SERIES, 9)] {
        assert_eq!(
            bench.create(of, 2, &json!({"recurrenceCount": count})).0,
            400
        );
    }
    assert_eq!(bench.count(), 0);
    assert_eq!(
        bench
            .create(CONFIRMED_SERIES, 2, &json!({"recurrenceCount": 2}))
            .0,
        201
    );
    assert_eq!(bench.count(), 2);
}

fn wrong_types(bench: &mut DifferenceFixture) {
    let uid = bench.book(CONFIRMED_TYPE, 2);
    let start = bench.start_text(3);
    // Call, body, status, code (if the answer has an envelope).
    let rows = [
        (
            "reschedule",
            json!({"start": start, "rescheduledBy": "nobody"}),
            400,
            "BAD_REQUEST",
        ),
        (
            "reschedule",
            json!({"start": start, "rescheduledBy": 5}),
            500,
            "INTERNAL_SERVER_ERROR",
        ),
        (
            "cancel",
            json!({"cancellationReason": null}),
            400,
            "BadRequestException",
        ),
        (
            "cancel",
            json!({"cancellationReason": 5}),
            400,
            "BadRequestException",
        ),
    ];
    for (what, body, status, code) in rows {
        let (got, answer) = bench.post(NO_KEY, &uid, what, &body);
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{body}"
        );
        bench.assert_status(&uid, Pending);
    }
}

fn another_account_moves(bench: &mut DifferenceFixture) {
    // The address that the caller names, and the successor's status.
    let rows = [
        (OTHER_HOST_MAIL, "pending"),
        ("who@nowhere.test", "accepted"),
    ];
    for (number, (by, state)) in rows.into_iter().enumerate() {
        let days = i64::try_from(number).unwrap();
        let uid = bench.book(CONFIRMED_TYPE, 2 + days);
        let body = json!({"start": bench.start_text(20 + days), "rescheduledBy": by});
        let (status, answer) = bench.post(HOST_KEY, &uid, "reschedule", &body);
        assert_eq!(
            (status, &answer["data"]["status"]),
            (201, &json!(state)),
            "{by}"
        );
    }
}

fn two_successors(bench: &mut DifferenceFixture) {
    let uid = bench.book(CONFIRMED_TYPE, 2);
    let made = bench.send_together([
        bench.booking_request(
            NO_KEY,
            &uid,
            "reschedule",
            &json!({"start": bench.start_text(3)}),
        ),
        bench.booking_request(
            NO_KEY,
            &uid,
            "reschedule",
            &json!({"start": bench.start_text(4)}),
        ),
    ]);
    let new = made.map(|(status, body)| {
        assert_eq!(status, 201);
        assert_eq!(body["data"]["rescheduledFromUid"], json!(uid));
        body["data"]["uid"].as_str().unwrap().to_owned()
    });
    new.iter().for_each(|uid| {
        bench.assert_status(uid, Pending);
        assert_eq!(
            bench.mail_count(uid, Recipient::Booker, MailKind::Requested),
            1
        );
    });
    bench.assert_status(&uid, Cancelled);
    assert_eq!(
        bench.booking(&uid).successor,
        Some(new[0].clone()),
        "names one of both"
    );
}

fn old_reason(bench: &mut DifferenceFixture) {
    let uid = bench.book(OPEN_TYPE, 2);
    bench.post(
        NO_KEY,
        &uid,
        "cancel",
        &json!({"cancellationReason": "ill"}),
    );
    assert_eq!(bench.post(HOST_KEY, &uid, "confirm", &Value::Null).0, 200);
    let (status, body) = bench.post(NO_KEY, &uid, "cancel", &json!({}));
    assert_eq!(
        (status, &body["data"]["cancellationReason"]),
        (200, &json!("ill"))
    );
}

fn other_order(bench: &mut DifferenceFixture) {
    let uid = bench.book_with_guests(OPEN_TYPE, 2, &["one@guest.test", "two@guest.test"]);
    let (status, body) = bench.move_to(NO_KEY, &uid, 3);
    assert_eq!((status, &body["data"]["status"]), (201, &json!("accepted")));
    let row = &body["data"];
    assert_eq!(row["attendees"][0]["email"], "one@guest.test");
    assert_eq!(row["attendees"].as_array().unwrap().len(), 3);
    assert_eq!(row["bookingFieldsResponses"]["email"], GUEST_MAIL);
}

fn same_order(bench: &mut DifferenceFixture) {
    let uid = bench.book_with_guests(OPEN_TYPE, 2, &["one@guest.test"]);
    assert_eq!(bench.booking(&uid).attendees[0].email, GUEST_MAIL);
    let alone = bench.book(OPEN_TYPE, 3);
    let (_, body) = bench.move_to(NO_KEY, &alone, 4);
    assert_eq!(body["data"]["attendees"][0]["email"], GUEST_MAIL);
}
