//! Two simultaneous calls on a new booking: status codes, the final status, and the mails to the
//! guest.

use maitred::sandbox::booking::SandboxStatus::{self, Accepted, Cancelled, Pending, Rejected};
use maitred::sandbox::call_log::{MailKind, Recipient};
use serde_json::{Value, json};

use super::fixture::{CONFIRMED_SERIES, CONFIRMED_TYPE, DifferenceFixture, HOST_KEY, NO_KEY};

const CALLS: [&str; 4] = ["confirm", "decline", "cancel", "reschedule"];

/// The pair of calls, both status codes, the final statuses of existing and new bookings, and the
/// mails: confirmed, declined, cancelled.
type ConcurrentCase = (usize, usize, [u16; 2], &'static [SandboxStatus], [u32; 3]);

const SINGLE: [ConcurrentCase; 10] = [
    (0, 0, [200, 200], &[Accepted], [2, 0, 0]),
    (0, 1, [200, 200], &[Accepted], [1, 1, 0]),
    (0, 2, [200, 200], &[Accepted], [1, 0, 1]),
    (0, 3, [200, 201], &[Cancelled, Pending], [1, 0, 0]),
    (1, 1, [200, 200], &[Rejected], [0, 2, 0]),
    (1, 2, [200, 200], &[Rejected], [0, 1, 1]),
    (1, 3, [200, 404], &[Rejected], [0, 1, 0]),
    (2, 2, [200, 200], &[Cancelled], [0, 0, 2]),
    (2, 3, [200, 400], &[Cancelled], [0, 0, 1]),
    (3, 3, [201, 201], &[Cancelled, Pending, Pending], [0, 0, 0]),
];

/// The same for a series, with calls about its first occurrence.
const SERIES: [ConcurrentCase; 3] = [
    (0, 0, [200, 200], &[Accepted; 4], [2, 0, 0]),
    (0, 1, [200, 200], &[Rejected; 4], [1, 1, 0]),
    (
        0,
        2,
        [200, 200],
        &[Cancelled, Accepted, Accepted, Accepted],
        [1, 0, 1],
    ),
];

#[test]
fn two_concurrent_calls_end_as_on_a_genuine_server() {
    for (of, rows) in [
        (CONFIRMED_TYPE, &SINGLE[..]),
        (CONFIRMED_SERIES, &SERIES[..]),
    ] {
        for (one, other, codes, states, mails) in rows {
            // In both orders of sending.
            for turned in [false, true] {
                let mut bench = DifferenceFixture::new();
                let uids = match of {
                    CONFIRMED_SERIES => bench.series(of, 2),
                    _ => vec![bench.book(of, 2)],
                };
                let calls = [
                    transition_request(&bench, *one, &uids[0], 20),
                    transition_request(&bench, *other, &uids[0], 21),
                ];
                let [first, second] = calls;
                let what = format!("{of}: {} + {}, {turned}", CALLS[*one], CALLS[*other]);
                let got = if turned {
                    let [second, first] = bench.send_together([second, first]);
                    [first, second]
                } else {
                    bench.send_together([first, second])
                };
                let statuses = got.map(|(status, _)| status);
                assert_eq!(statuses, *codes, "{what}");
                let rows = bench.world.bookings().iter();
                let actual_states: Vec<SandboxStatus> = rows.map(|row| row.status).collect();
                assert_eq!(actual_states, *states, "{what}");
                let kinds = [MailKind::Confirmed, MailKind::Declined, MailKind::Cancelled];
                let actual_mails =
                    kinds.map(|kind| bench.mail_count(&uids[0], Recipient::Booker, kind));
                assert_eq!(actual_mails, *mails, "{what}");
            }
        }
    }
}

fn transition_request(
    bench: &DifferenceFixture,
    call: usize,
    uid: &str,
    days: i64,
) -> maitred::sandbox::http_types::HttpRequest {
    match CALLS[call] {
        "confirm" => bench.booking_request(HOST_KEY, uid, "confirm", &Value::Null),
        "decline" => bench.booking_request(HOST_KEY, uid, "decline", &json!({"reason": "full"})),
        "cancel" => {
            bench.booking_request(NO_KEY, uid, "cancel", &json!({"cancellationReason": "ill"}))
        }
        _ => bench.booking_request(
            NO_KEY,
            uid,
            "reschedule",
            &json!({"start": bench.start_text(days)}),
        ),
    }
}
