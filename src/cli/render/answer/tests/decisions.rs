//! Decisions, their explanation, and what operators do about them.

use super::*;

#[test]
fn decisions_are_listed() {
    let decisions = json!([
        decision(step("kV2s9qTtV6zB1dPz7aYw3e", "confirm", "confirmed")),
        decision(with_changes(
            step("pQ4x8wLmN2cR5tYu6iOp1a", "decline", "declined"),
            json!({"reasons": short_of_credit_reasons(), "credits": 0}),
        )),
        decision(step("series-7", "confirm", "unresolved")),
        decision(with_changes(
            step("aa", "leave", "none"),
            json!({"reasons": [
                {"code": "ungated", "text": "No gate names the event type."},
            ]})
        )),
    ]);
    let view = json!({"schema": 1, "decisions": decisions, "more": true});
    insta::assert_snapshot!(render(json!({"decisions": view})), @r"
    4 decisions, newest first:

      decided               booking                 result
      2026-12-01 08:59 UTC  kV2s9qTtV6zB1dPz7aYw3e  confirmed, for 1 credit
                                                    bo@example.com: “Book club: Dune” on 2026-12-03
                                                    18:00 UTC
      2026-12-01 08:59 UTC  pQ4x8wLmN2cR5tYu6iOp1a  declined: short-of-credit
                                                    bo@example.com: “Book club: Dune” on 2026-12-03
                                                    18:00 UTC
      2026-12-01 08:59 UTC  series-7                confirm, unresolved, for 1 credit
                                                    bo@example.com: “Book club: Dune” on 2026-12-03
                                                    18:00 UTC
      2026-12-01 08:59 UTC  aa                      leave: ungated
                                                    bo@example.com: “Book club: Dune” on 2026-12-03
                                                    18:00 UTC

    There are more; ask for them with --limit or --since.
    ");
    let view = json!({"schema": 1, "decisions": [], "more": false});
    insta::assert_snapshot!(render(json!({"decisions": view})), @"No decision matches the filters (`--since`, `--booker`, `--gate`, `--outcome`).");
}

#[test]
fn statistics_are_a_list_of_reasons_and_a_table_of_days() {
    let count = |decision: &str, reason: &str, count: u64| json!({"decision": decision, "reason": reason, "count": count});
    let day = |day: &str, decisions: Value, credits: [u64; 5]| {
        let [granted, spent, refunded, expired, revoked] = credits;
        json!({
            "day": day, "decisions": decisions, "granted": granted, "spent": spent,
            "refunded": refunded, "expired": expired, "revoked": revoked,
        })
    };
    let days = json!([
        day(
            "2026-11-29",
            json!([count("confirm", "enough", 2)]),
            [1_000, 2, 0, 0, 0]
        ),
        day("2026-11-30", json!([]), [0; 5]),
        day(
            "2026-12-01",
            json!([count("confirm", "enough", 1), count("decline", "taken", 4)]),
            [0, 1, 1, 30, 2],
        ),
    ]);
    let view = json!({"schema": 1, "days": days});
    insta::assert_snapshot!(render(json!({"statistics": view})), @r"
    From 2026-11-29 to 2026-12-01, in days of UTC.

    Decisions by their first reason, most frequent first:
      decision  reason  number
      decline   taken        4
      confirm   enough       3

    Days on which something happened; decisions, and credits:
      day         confirm  decline  wait  review  leave  granted  spent  refunded  expired  revoked
      2026-11-29        2        0     0       0      0     1000      2         0        0        0
      2026-12-01        1        4     0       0      0        0      1         1       30        2
    ");
    let view = json!({"schema": 1, "days": [day("2026-11-30", json!([]), [0; 5])]});
    insta::assert_snapshot!(render(json!({"statistics": view})), @"From 2026-11-30 to 2026-11-30, in days of UTC: nothing happened.");
}

#[test]
fn explain_shows_every_section() {
    let view = json!({
        "schema": 1,
        "decision": decision(with_changes(
            step("kV2s9qTtV6zB1dPz7aYw3e", "decline", "declined"),
            json!({"reasons": short_of_credit_reasons(), "credits": 0}),
        )),
        "findings": findings(),
        "booker_message": "This booking costs 2 credits, and your balance is 1.",
        "calls": [
            {
                "at": "2026-12-01T08:59:51Z",
                "booking": "kV2s9qTtV6zB1dPz7aYw3e",
                "call": "decline",
                "answered": false,
                "text": "the connection was lost",
            },
            {
                "at": "2026-12-01T09:00:06Z",
                "booking": "kV2s9qTtV6zB1dPz7aYw3e",
                "call": "decline",
                "answered": true,
                "text": "rejected",
            },
        ],
        "charges": [{
            "booking": "kV2s9qTtV6zB1dPz7aYw3e",
            "account": "bo@example.com",
            "state": "moved",
            "credits": 2,
            "refunded": 0,
            "start": "2026-12-03T18:00:00Z",
            "end": "2026-12-03T19:00:00Z",
            "moved_to": "b2",
            "moved_from": "b0",
            "note": "rescheduled by the booker",
        }],
        "entries": entries(),
    });
    insta::assert_snapshot!(render(json!({"explain": view})), @r"
    Decline “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  This booking costs 2 credits, and your balance is 1. (short-of-credit)
      effect   declined with a reason for the booker
      booking  kV2s9qTtV6zB1dPz7aYw3e
      decided  2026-12-01 08:59:50 UTC
      policy   5f2c9a
      message  This booking costs 2 credits, and your balance is 1.

    2 findings:
              rule             detail
      passed  host             the host is the key's own user
      failed  short-of-credit  cost 2, available 1

    2 calls to Cal.com:
      at                       call     booking                 answer
      2026-12-01 08:59:51 UTC  decline  kV2s9qTtV6zB1dPz7aYw3e  no answer: the connection was lost
      2026-12-01 09:00:06 UTC  decline  kV2s9qTtV6zB1dPz7aYw3e  answered: rejected

    1 charge:
      booking                 account         state  credits  refunded  when, and why
      kV2s9qTtV6zB1dPz7aYw3e  bo@example.com  moved        2         0  2026-12-03 18:00 UTC; moved
                                                                        here from b0; moved on to b2;
                                                                        rescheduled by the booker

    Recorded facts, oldest first:
      no.  at                       kind     credits  description
       12  2026-11-30 10:00:05 UTC  hold           1  set aside for “Book club: Dune”
        3  2026-11-01 08:00:00 UTC  decided           confirm
    ");
}

#[test]
fn explain_says_what_is_known_of_a_booking_that_was_never_decided() {
    let text = render(json!({"explain": undecided_explanation()}));
    let first = "Nothing was decided about this booking: it was accepted without a pass.\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains("kV2s9qTtV6zB1dPz7aYw3e  unmanaged  2026-12-01 08:00 UTC"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let end = "resolved by the operator on 2026-12-01 08:30 UTC: a guest";
    assert!(words.join(" ").ends_with(end), "{text}");
}

#[test]
fn the_unresolved_list_says_what_to_do() {
    let view = json!({"schema": 1, "items": [unresolved()], "more": false});
    let text = render(json!({"unresolved": view}));
    assert!(text.starts_with("1 unresolved booking:\n"), "{text}");
    assert!(text.contains("kV2s9qTtV6zB1dPz7aYw3e  unmanaged  2026-12-01 08:00 UTC"));
    assert!(text.contains("(account bo@example.com)"), "{text}");
    assert!(text.contains("`maitred unresolved resolve BOOKING --reason TEXT`"));
    let view = json!({"schema": 1, "items": [], "more": false});
    let nothing = render(json!({"unresolved": view}));
    assert_eq!(nothing, "Nothing is unresolved.\n");
}

#[test]
fn evaluate_tells_the_decision_and_what_was_assumed() {
    let view = json!({
        "schema": 1,
        "at": "2026-11-30T12:00:00Z",
        "decision": with_changes(
            step("kV2s9qTtV6zB1dPz7aYw3e", "decline", "none"),
            json!({"reasons": short_of_credit_reasons(), "outcome": "planned"}),
        ),
        "findings": findings(),
        "booker_message": "This booking costs 2 credits, and your balance is 1.",
        "assumptions": ["that the host is the key's own user", "that nothing else takes the time"],
    });
    insta::assert_snapshot!(render(json!({"evaluate": view})), @r"
    Evaluated as if it were pending at 2026-11-30 12:00:00 UTC. Nothing is changed.

    Decline “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  This booking costs 2 credits, and your balance is 1. (short-of-credit)
      effect   would be declined with a reason for the booker
      booking  kV2s9qTtV6zB1dPz7aYw3e
      message  This booking costs 2 credits, and your balance is 1.

    2 findings:
              rule             detail
      passed  host             the host is the key's own user
      failed  short-of-credit  cost 2, available 1

    A file does not contain everything; these assumptions were made:
      -  that the host is the key's own user
      -  that nothing else takes the time
    ");
}

#[test]
fn requests_in_review_are_listed_with_their_details() {
    let without_account =
        json!({"account": null, "available": null, "request": "b", "bookings": ["b"]});
    let requests = [
        waiting_request(operator_word("confirm")),
        waiting_request(without_account),
    ];
    let answer = json!({"reviews": {"schema": 1, "requests": requests, "more": true}});
    insta::assert_snapshot!(render(answer), @r"
    2 requests, soonest first:

    Review “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  The account is frozen. (frozen)
      gate     book-club
      cost     2 credits, of 3 available
      since    2026-12-01 08:00 UTC
      review   confirm, on 2026-12-01 09:00 UTC: agreed by phone
      booking  kV2s9qTtV6zB1dPz7aYw3e

    Review “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com (no account)
      reasons  The account is frozen. (frozen)
      gate     book-club
      cost     2 credits, and there is no account
      since    2026-12-01 08:00 UTC
      booking  b

    `maitred review confirm BOOKING` or `maitred review decline BOOKING` decides a request.
    There are more; ask for them with --limit.
    ");
    let none = json!({"reviews": {"schema": 1, "requests": [], "more": false}});
    assert_eq!(render(none), "Nothing waits.\n");
}

#[test]
fn a_review_is_confirmed_with_who_acts_on_it() {
    let settled = with_changes(
        waiting_request(operator_word("confirm")),
        json!({"outcome": "confirmed"}),
    );
    let rows = [
        json!({}),
        json!({"acted_on_by": "daemon"}),
        json!({"acted_on_by": "paused", "already_recorded": true}),
        json!({"already_recorded": true, "request": settled}),
        json!({"obstacles": [
            {"code": "short-of-credit", "text": "account bo@example.com has 0 credits available"},
        ]}),
    ];
    let texts: Vec<String> = rows.map(review_answer).map(render).into();
    insta::assert_snapshot!(texts.join("\n"), @r"
    Recorded: confirm “Book club: Dune” on 2026-12-03 18:00 UTC, for bo@example.com.
    The last pass left it pending: The account is frozen. (frozen)
    The next pass acts on it (`maitred run --once`).
    `maitred explain kV2s9qTtV6zB1dPz7aYw3e` shows the progress.

    Recorded: confirm “Book club: Dune” on 2026-12-03 18:00 UTC, for bo@example.com.
    The last pass left it pending: The account is frozen. (frozen)
    The daemon evaluates it now.
    `maitred explain kV2s9qTtV6zB1dPz7aYw3e` shows the progress.

    Nothing was changed: the decision to confirm “Book club: Dune” on 2026-12-03 18:00 UTC was recorded before and is in force.
    The daemon is paused: it evaluates the request after `maitred resume`.
    `maitred explain kV2s9qTtV6zB1dPz7aYw3e` shows the progress.

    Nothing was changed: the decision to confirm “Book club: Dune” on 2026-12-03 18:00 UTC was recorded before.
    `maitred explain kV2s9qTtV6zB1dPz7aYw3e` shows the progress.

    Recorded: confirm “Book club: Dune” on 2026-12-03 18:00 UTC, for bo@example.com.
    The last pass left it pending: The account is frozen. (frozen)
    As things stand, the request stays pending until this changes, which no decision overrides:
      short-of-credit  account bo@example.com has 0 credits available
    Each pass evaluates it again (`maitred run --once`).
    `maitred explain kV2s9qTtV6zB1dPz7aYw3e` shows the progress.
    ");
}
