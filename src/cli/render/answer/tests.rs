//! Tests the whole texts that people read. The same answers, filled with what strangers may write,
//! must reach a terminal as nothing but text.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;

fn fixed_now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-12-01T09:00:00Z")
        .unwrap()
        .to_utc()
}

fn render(answer: Value) -> String {
    render_plain(
        &serde_json::from_value(answer).unwrap(),
        &PageLayout::new(100, fixed_now(), chrono_tz::Tz::UTC),
    )
}

fn step(request: &str, decision: &str, outcome: &str) -> Value {
    json!({
        "request": request,
        "bookings": [request],
        "title": "Book club: Dune",
        "start": "2026-12-03T18:00:00.000Z",
        "booker": "bo@example.com",
        "account": "bo@example.com",
        "gate": "book-club",
        "decision": decision,
        "credits": 1,
        "outcome": outcome,
        "reasons": [],
    })
}

fn with_changes(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

fn short_of_credit_reasons() -> Value {
    json!([{
        "code": "short-of-credit",
        "text": "This booking costs 2 credits, and your balance is 1.",
    }])
}

fn pass(dry_run: bool, steps: &Value) -> Value {
    json!({"pass": {
        "schema": 1,
        "pass": {
            "started": "2026-12-01T09:00:00.123Z",
            "finished": "2026-12-01T09:00:01.456Z",
            "observed": steps.as_array().unwrap().len(),
            "calls": 1,
            "dry_run": dry_run,
        },
        "steps": steps,
        "problems": [],
        "more": false,
    }})
}

fn account() -> Value {
    json!({
        "schema": 1,
        "account": "bo@example.com",
        "available": 5,
        "held": 1,
        "posted": 2,
        "refunded": 1,
        "expired": 3,
        "revoked": 0,
        "granted": 10,
        "aliases": ["bo@work.example"],
        "lots": [
            {"grant": "dues-2026-bo", "left": 1, "granted": 4, "expires": "2026-12-31T00:00:00Z"},
            {"grant": "patron", "left": 4, "granted": 6, "expires": null},
        ],
    })
}

fn entries() -> Value {
    json!([
        {
            "sequence": 12,
            "at": "2026-11-30T10:00:05Z",
            "kind": "hold",
            "credits": 1,
            "booking": "kV2s9qTtV6zB1dPz7aYw3e",
            "text": "set aside for “Book club: Dune”",
        },
        {
            "sequence": 3,
            "at": "2026-11-01T08:00:00Z",
            "kind": "decided",
            "credits": null,
            "booking": null,
            "text": "confirm",
        },
    ])
}

#[test]
fn a_plan_is_rendered_in_full() {
    let steps = json!([
        with_changes(
            step("kV2s9qTtV6zB1dPz7aYw3e", "confirm", "planned"),
            json!({"account": "acme-ltd"}),
        ),
        with_changes(
            step("series-7", "confirm", "planned"),
            json!({"bookings": ["s1", "s2", "s3"], "credits": 3, "reasons": [
                {"code": "enough", "text": "3 bookings cost 3 credits, of 5."},
            ]}),
        ),
        with_changes(
            step("pQ4x8wLmN2cR5tYu6iOp1a", "decline", "planned"),
            json!({"reasons": short_of_credit_reasons(), "credits": 0, "title": ""}),
        ),
        with_changes(
            step("aa", "leave", "none"),
            json!({"account": null, "booker": "al@example.com", "reasons": [
                {"code": "ungated", "text": "No gate names the event type."},
            ]}),
        ),
        with_changes(
            step("bb", "wait", "none"),
            json!({"account": null, "booker": null, "gate": null}),
        ),
    ]);
    insta::assert_snapshot!(render(pass(true, &steps)), @r"
    Plan as of 2026-12-01 09:00:00 UTC. Nothing is changed.
    5 pending bookings seen, with 1 call to Cal.com.

    Confirm “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com (account acme-ltd)
      reasons  no rule of gate book-club objects
      effect   would be confirmed, for 1 credit
      booking  kV2s9qTtV6zB1dPz7aYw3e

    Confirm “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  3 bookings cost 3 credits, of 5. (enough)
      effect   would be confirmed, for 3 credits
      booking  series-7, a series of 3

    Decline a booking without a title on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  This booking costs 2 credits, and your balance is 1. (short-of-credit)
      effect   would be declined with a reason for the booker
      booking  pQ4x8wLmN2cR5tYu6iOp1a

    Left as they are:
      decision  booking                   booker                         reasons
      leave     “Book club: Dune” on      al@example.com (no account)    No gate names the event type.
                2026-12-03 18:00 UTC                                     (ungated)
      wait      “Book club: Dune” on      no booker that could be        no reason was given
                2026-12-03 18:00 UTC      identified

    In all: 2 to confirm, 1 to decline, 2 left as they are.
    ");
}

/// The defect of A11: requests that were postponed are reported in the last lines, and no line says
/// that nothing waits.
#[test]
fn requests_that_were_put_off_are_told_at_the_end() {
    let rows = [
        (json!({}), "Nothing is waiting.\n"),
        (
            json!({"observed": 502, "deferred_requests": 502}),
            "No decision was made about 502 pending bookings: see the problems.\n\
             502 requests postponed, because Cal.com's answers did not contain enough \
             information.\n",
        ),
        (
            json!({"observed": 250, "list_incomplete": true}),
            "No decision was made about 250 pending bookings: see the problems.\n\
             More requests may wait than were seen, because the list of pending bookings ended \
             early.\n",
        ),
    ];
    for (head, expect) in rows {
        let mut answer = pass(false, &json!([]));
        answer["pass"]["pass"] = with_changes(answer["pass"]["pass"].clone(), head.clone());
        let text = render(answer);
        assert!(text.ends_with(&format!("\n\n{expect}")), "{head}: {text}");
    }
    let mut partial = pass(false, &json!([step("a", "confirm", "confirmed")]));
    partial["pass"]["pass"]["deferred_requests"] = json!(1);
    let text = render(partial);
    let expect = "In all: 1 confirmed.\n1 request postponed, because";
    assert!(text.contains(expect), "{text}");
}

/// A booker with an account of another name, a booker without an account, and a booker whose
/// account was not looked up.
#[test]
fn an_account_has_three_states() {
    let rows = [
        (json!({"account": "acme"}), "bo@example.com (account acme)"),
        (json!({"account": null}), "bo@example.com (no account)"),
        (
            json!({"account": null, "account_not_looked_up": true}),
            "bo@example.com (account not looked up)",
        ),
    ];
    for (changes, expect) in rows {
        let text = render(pass(
            false,
            &json!([with_changes(step("a", "decline", "declined"), changes)]),
        ));
        assert!(
            text.contains(&format!("booker   {expect}\n")),
            "{expect}: {text}"
        );
    }
}

#[test]
fn more_than_twenty_requests_that_are_left_are_counted_by_reason() {
    let left_steps = |count: usize, code: &str| -> Vec<Value> {
        let reason = json!([{"code": code, "text": "a text"}]);
        let left_step = |n: usize| {
            with_changes(
                step(&format!("{code}{n}"), "leave", "none"),
                json!({"reasons": reason}),
            )
        };
        (0..count).map(left_step).collect()
    };
    let text = render(pass(false, &json!(left_steps(20, "ungated"))));
    assert_eq!(text.matches("a text").count(), 20, "{text}");
    let mut steps = left_steps(600, "ungated");
    steps.extend(left_steps(2, "seated"));
    let text = render(pass(false, &json!(steps)));
    assert!(!text.contains("a text"), "{text}");
    let row = |code: &str| {
        let line = text.lines().find(|line| line.contains(code)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("ungated"), "leave ungated 600 ungated0");
    assert_eq!(row("seated"), "leave seated 2 seated0");
    assert!(text.ends_with("In all: 602 left as they are.\n"), "{text}");
}

#[test]
fn a_pass_shows_the_outcome_of_each_request() {
    let steps = json!([
        step("a", "confirm", "confirmed"),
        with_changes(
            step("b", "decline", "declined"),
            json!({"reasons": short_of_credit_reasons()})
        ),
        step("c", "confirm", "superseded"),
        step("d", "confirm", "unresolved"),
        step("e", "decline", "unresolved"),
        with_changes(step("f", "confirm", "failed"), json!({"credits": 2})),
        step("g", "decline", "failed"),
        step("h", "postpone", "postponed"),
        step("i", "review", "none"),
    ]);
    let mut answer = pass(false, &steps);
    answer["pass"]["more"] = json!(true);
    answer["pass"]["problems"] = json!([
        {"code": "rate-limited", "text": "Cal.com lets no more calls through for 20 seconds."},
        {"code": "empty-ledger", "text": "There is no account at all, so nobody was declined."},
    ]);
    insta::assert_snapshot!(render(answer), @r"
    Pass of 2026-12-01 09:00:00 UTC.
    9 pending bookings seen, with 1 call to Cal.com.

    Confirm “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no rule of gate book-club objects
      effect   confirmed, for 1 credit
      booking  a

    Decline “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  This booking costs 2 credits, and your balance is 1. (short-of-credit)
      effect   declined with a reason for the booker
      booking  b

    Confirm “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no rule of gate book-club objects
      effect   superseded by a change at Cal.com; nothing is charged
      booking  c

    Confirm “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no rule of gate book-club objects
      effect   not finished, the next pass continues; 1 credit held meanwhile
      booking  d

    Decline “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no reason was given
      effect   not finished, the next pass continues
      booking  e

    Confirm “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no rule of gate book-club objects
      effect   Cal.com refused it, and the call is repeated; 2 credits held meanwhile
      booking  f

    Decline “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no reason was given
      effect   Cal.com refused it, and the call is repeated
      booking  g

    Postpone “Book club: Dune” on 2026-12-03 18:00 UTC
      booker   bo@example.com
      reasons  no reason was given
      effect   postponed
      booking  h

    Left as they are:
      decision  booking                                    booker          reasons
      review    “Book club: Dune” on 2026-12-03 18:00 UTC  bo@example.com  no reason was given

    Problems:
      rate-limited  Cal.com lets no more calls through for 20 seconds.
      empty-ledger  There is no account at all, so nobody was declined.

    In all: 1 confirmed, 1 declined, 1 superseded, 2 unresolved, 2 failed, 1 other, 1 left as they are.
    More requests wait than one pass handles; the next pass continues.
    ");
}

#[test]
fn a_pass_with_nothing_to_do_says_so() {
    insta::assert_snapshot!(render(pass(false, &json!([]))), @r"
    Pass of 2026-12-01 09:00:00 UTC.
    0 pending bookings seen, with 1 call to Cal.com.

    Nothing is waiting.
    ");
}

/// If a pass decided nothing because it could not see everything, something is waiting.
#[test]
fn a_pass_that_could_not_decide_does_not_say_that_nothing_is_waiting() {
    let problem = json!([{"code": "page-repeated", "text": "page 3 contained nothing new"}]);
    for (observed, problems) in [(0, problem), (7, json!([]))] {
        let mut view = pass(false, &json!([]));
        view["pass"]["pass"]["observed"] = observed.into();
        view["pass"]["problems"] = problems;
        let text = render(view);
        assert!(!text.contains("Nothing is waiting"), "{text}");
        assert!(text.contains("No decision was made about"), "{text}");
    }
}

#[test]
fn an_account_is_there_is_not_there_or_was_not_looked_up() {
    let render_who = |changes: Value| {
        let changed_step = with_changes(step("a", "decline", "planned"), changes);
        render(pass(true, &json!([changed_step])))
    };
    let none = render_who(json!({"account": null}));
    assert!(none.contains("(no account)"), "{none}");
    let unknown = render_who(json!({"account": null, "account_not_looked_up": true}));
    assert!(unknown.contains("(account not looked up)"), "{unknown}");
    let there = render_who(json!({"account": "acme-ltd", "account_not_looked_up": true}));
    assert!(there.contains("(account acme-ltd)"), "{there}");
}

/// Requests that are left as they are, if more than twenty, are counted by reason.
#[test]
fn many_requests_that_are_left_are_counted_by_reason() {
    let render_left = |count: usize| {
        let step = |n: usize| {
            let code = if n == 0 { "seated" } else { "ungated" };
            let reasons = json!([{"code": code, "text": "why"}]);
            with_changes(
                step(&format!("r{n}"), "leave", "none"),
                json!({"reasons": reasons}),
            )
        };
        let steps: Vec<Value> = (0..count).map(step).collect();
        render(pass(true, &json!(steps)))
    };
    assert_eq!(render_left(20).matches("(ungated)").count(), 19);
    let many = render_left(600);
    assert!(many.lines().count() < 20, "{many}");
    for word in ["by reason", "ungated", "599", "seated"] {
        assert!(many.contains(word), "{word}: {many}");
    }
}

fn status(changes: Value) -> Value {
    let view = json!({
        "schema": 1,
        "version": "0.1.0",
        "pid": 4711,
        "started": "2026-11-28T09:00:00Z",
        "paused": false,
        "last_pass": {
            "started": "2026-12-01T08:59:50Z",
            "finished": "2026-12-01T08:59:51Z",
            "observed": 1,
            "calls": 2,
            "dry_run": false,
        },
        "last_error": null,
        "passes": 17280,
        "next_pass": "2026-12-01T09:00:05Z",
        "watch": {
            "last_watch_at": "2026-12-01T08:57:00Z",
            "last_audit_at": "2026-12-01T03:00:00Z",
            "last_summary": {
                "started": "2026-12-01T08:57:00Z",
                "finished": "2026-12-01T08:57:01Z",
                "audit": false,
                "checked": 3,
                "calls": 2,
                "changes": 1,
            },
            "last_error": null,
            "next_watch": "2026-12-01T09:02:00Z",
            "next_audit": "2026-12-02T03:00:00Z",
        },
        "open_intents": 1,
        "failing_intents": 2,
        "requests_in_review": 1,
        "open_charges": 12,
        "failing": [{
            "request": "kV2s9q",
            "decision": "confirm",
            "failures": 3,
            "last_failure_at": "2026-12-01T08:59:51Z",
        }],
        "log_sequence": 912,
        "policy": "5f2c9a",
    });
    json!({"status": with_changes(view, changes)})
}

#[test]
fn status_tells_how_the_daemon_is() {
    insta::assert_snapshot!(render(status(json!({}))), @r"
    maitred 0.1.0 is running (process 4711).
      started     2026-11-28 09:00:00 UTC (3 days ago)
      passes      17280
      last pass   2026-12-01 08:59:51 UTC (9 seconds ago); 1 pending booking seen, 2 calls to Cal.com
      next pass   2026-12-01 09:00:05 UTC (in 5 seconds)
      last watch  2026-12-01 08:57:01 UTC (2 minutes ago); 3 open charges looked at, 2 calls to
                  Cal.com, 1 change
      next watch  2026-12-01 09:02:00 UTC (in 2 minutes); the next audit 2026-12-02 03:00:00 UTC (in
                  18 hours)
      unfinished  1 decision
      failing     confirm kV2s9q: 3 failed calls, the last at 2026-12-01 08:59:51 UTC; see `maitred
                  explain kV2s9q`
      failing     1 more
      in review   1 request; see `maitred review list`
      charges     12 open
      log         912 commits
      policy      5f2c9a
    ");
}

#[test]
fn status_of_a_daemon_that_is_paused_and_has_never_come_to_the_end_of_a_pass() {
    let answer = status(json!({
        "paused": true,
        "last_pass": null,
        "last_error": "Cal.com cannot be reached: connection refused",
        "passes": 0,
        "next_pass": null,
        "watch": {
            "last_watch_at": null,
            "last_audit_at": null,
            "last_summary": null,
            "last_error": "Cal.com cannot be reached: connection refused",
            "next_watch": null,
            "next_audit": null,
        },
        "open_intents": 0,
        "failing_intents": 0,
        "requests_in_review": 0,
        "open_charges": 0,
        "failing": [],
    }));
    insta::assert_snapshot!(render(answer), @r"
    maitred 0.1.0 is paused: no passes until `maitred resume` (process 4711).
      started     2026-11-28 09:00:00 UTC (3 days ago)
      passes      0
      last pass   none yet
      problem     Cal.com cannot be reached: connection refused
      next pass   none
      last watch  none yet
      problem     Cal.com cannot be reached: connection refused
      next watch  none
      unfinished  nothing
      in review   nothing
      charges     0 open
      log         912 commits
      policy      5f2c9a
    ");
}

fn grant_view(kind: &str, changes: Value) -> Value {
    with_changes(
        json!({
            "schema": 1,
            "account": "bo@example.com",
            "kind": kind,
            "credits": 4,
            "expires": "2027-01-01T00:00:00Z",
            "reason": "autumn dues",
            "reference": "dues-2026-bo",
            "at": "2026-11-01T08:00:00Z",
            "already_recorded": false,
            "available": 5,
        }),
        changes,
    )
}

#[test]
fn what_was_given_and_taken_is_said_with_what_there_is_now() {
    let texts: Vec<String> = [
        grant_view("grant", json!({})),
        grant_view(
            "grant",
            json!({"credits": 1, "expires": null, "available": 1}),
        ),
        grant_view("grant", json!({"already_recorded": true})),
        grant_view("revoke", json!({"expires": null, "available": 1})),
        grant_view(
            "revoke",
            json!({"expires": null, "already_recorded": true, "credits": 1}),
        ),
    ]
    .into_iter()
    .map(|view| render(json!({"grant-record": view})))
    .collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    4 credits were granted to bo@example.com, to be spent before 2027-01-01 00:00 UTC, under the reference dues-2026-bo.
    bo@example.com has 5 credits available now.

    1 credit was granted to bo@example.com, under the reference dues-2026-bo.
    bo@example.com has 1 credit available now.

    Nothing was changed: under the reference dues-2026-bo 4 credits were granted to bo@example.com, to be spent before 2027-01-01 00:00 UTC, at 2026-11-01 08:00 UTC.
    bo@example.com has 5 credits available now.

    4 credits were revoked from bo@example.com, under the reference dues-2026-bo.
    bo@example.com has 1 credit available now.

    Nothing was changed: under the reference dues-2026-bo 1 credit was revoked from bo@example.com, at 2026-11-01 08:00 UTC.
    bo@example.com has 5 credits available now.
    ");
}

#[test]
fn an_import_says_what_counted_and_what_had_counted_before() {
    let views = [
        json!({"rows": 3, "granted": 3, "already_imported": 0, "credits": 12, "accounts_opened": 2, "dry_run": false}),
        json!({"rows": 3, "granted": 0, "already_imported": 3, "credits": 0, "accounts_opened": 0, "dry_run": false}),
        json!({"rows": 1, "granted": 1, "already_imported": 1, "credits": 1, "accounts_opened": 1, "dry_run": true}),
    ];
    let texts: Vec<String> = views
        .into_iter()
        .map(|view| render(json!({"import": with_changes(view, json!({"schema": 1}))})))
        .collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    3 rows read, 3 granted, with 12 credits in all.
    2 accounts opened.

    3 rows read, 0 granted, with 0 credits in all.
    3 rows had been imported before and count for nothing now. Give a new round of grants another expiry or reason.

    1 row read, 1 would be granted, with 1 credit in all.
    1 account would be opened.
    1 row had been imported before and counts for nothing now. Give a new round of grants another expiry or reason.
    Nothing was written.
    ");
}

#[test]
fn grants_are_listed() {
    let grants = json!([
        grant_view("grant", json!({})),
        grant_view(
            "grant",
            json!({"expires": "2026-12-01T00:00:00Z", "credits": 10, "reason": ""})
        ),
        grant_view(
            "restored",
            json!({"expires": null, "credits": 1, "reason": "refund",
            "reference": "refund:kV2s9qTtV6zB1dPz7aYw3e"})
        ),
    ]);
    let view = json!({"schema": 1, "account": "bo@example.com", "grants": grants});
    insta::assert_snapshot!(render(json!({"grants": view})), @r"
    3 grants of bo@example.com, newest first:

      at                    kind      credits  expires                     reference       reason
      2026-11-01 08:00 UTC  grant           4  2027-01-01 00:00 UTC        dues-2026-bo    autumn dues
      2026-11-01 08:00 UTC  grant          10  2026-12-01 00:00 UTC, over  dues-2026-bo
      2026-11-01 08:00 UTC  restored        1  never                       refund:kV2s9qT  refund
                                                                           tV6zB1dPz7aYw3
                                                                           e
    ");
    let view = json!({"schema": 1, "account": "bo@example.com", "grants": []});
    insta::assert_snapshot!(render(json!({"grants": view})), @"bo@example.com was never granted anything.");
}

#[test]
fn an_account_shows_what_is_there_and_where_the_rest_went() {
    insta::assert_snapshot!(render(json!({"account": account()})), @r"
    bo@example.com has 5 credits available.
      came in   10 granted, 1 refunded
      went out  2 posted, 1 held, 3 expired, 0 revoked
      aliases   bo@work.example

    Lots, in the order in which they are spent:
      left  granted  expires               grant
         1        4  2026-12-31 00:00 UTC  dues-2026-bo
         4        6  never                 patron
    ");
}

#[test]
fn accounts_are_listed_with_the_way_to_the_next_ones() {
    let other = with_changes(
        account(),
        json!({"account": "acme-ltd", "available": 100, "aliases": []}),
    );
    let view = json!({"schema": 1, "accounts": [other, account()], "next": "bo@example.com"});
    insta::assert_snapshot!(render(json!({"accounts": view})), @r"
    The first 2 accounts; there are more:

      account         available  held  posted  aliases
      acme-ltd              100     1       2
      bo@example.com          5     1       2  bo@work.example

    There are more: maitred account list --after bo@example.com
    ");
    let view = json!({"schema": 1, "accounts": [], "next": null});
    insta::assert_snapshot!(render(json!({"accounts": view})), @"There are no accounts. `maitred credits grant` opens one.");
}

#[test]
fn a_statement_has_the_balance_and_the_entries() {
    let balance = with_changes(account(), json!({"lots": [], "aliases": []}));
    let view = json!({
        "schema": 1,
        "account": "bo@example.com",
        "entries": entries(),
        "balance": balance,
    });
    insta::assert_snapshot!(render(json!({"statement": view})), @r"
    bo@example.com has 5 credits available.
      came in   10 granted, 1 refunded
      went out  2 posted, 1 held, 3 expired, 0 revoked

    Entries, newest first:
      no.  at                       kind     credits  description
       12  2026-11-30 10:00:05 UTC  hold           1  set aside for “Book club: Dune”
        3  2026-11-01 08:00:00 UTC  decided           confirm
    ");
}

fn decision(step: Value) -> Value {
    with_changes(
        step,
        json!({"decided_at": "2026-12-01T08:59:50Z", "policy": "5f2c9a"}),
    )
}

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

fn findings() -> Value {
    json!([
        {"rule": "host", "passed": true, "detail": "the host is the key's own user"},
        {"rule": "short-of-credit", "passed": false, "detail": "cost 2, available 1"},
    ])
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

fn unresolved() -> Value {
    json!({
        "booking": "kV2s9qTtV6zB1dPz7aYw3e",
        "code": "unmanaged",
        "account": "bo@example.com",
        "since": "2026-12-01T08:00:00Z",
        "until": "2026-12-10T19:00:00Z",
        "detail": "accepted on 2026-12-01, and no charge is there",
    })
}

fn undecided_explanation() -> Value {
    json!({
        "schema": 1,
        "decision": null,
        "unresolved": [with_changes(unresolved(), json!({"resolved": {
            "reason": "a guest", "resolved_by": "operator", "at": "2026-12-01T08:30:00Z",
        }}))],
        "findings": [],
        "booker_message": null,
        "calls": [],
        "charges": [],
        "entries": [],
    })
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

fn waiting_request(changes: Value) -> Value {
    let step = with_changes(
        step("kV2s9qTtV6zB1dPz7aYw3e", "review", "none"),
        json!({"credits": 0, "reasons": [{"code": "frozen", "text": "The account is frozen."}]}),
    );
    let more = json!({"cost": 2, "available": 3, "since": "2026-12-01T08:00:00Z", "review": null});
    with_changes(with_changes(step, more), changes)
}

fn operator_word(verdict: &str) -> Value {
    json!({"review": {
        "decision": verdict,
        "reason": "agreed by phone",
        "at": "2026-12-01T09:00:00Z",
    }})
}

fn review_answer(changes: Value) -> Value {
    let view = json!({
        "schema": 1,
        "request": waiting_request(operator_word("confirm")),
        "already_recorded": false,
        "acted_on_by": "next-run",
    });
    json!({"review-result": with_changes(view, changes)})
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
    ");
}

#[test]
fn verify_says_whether_log_and_store_agree() {
    let sound = json!({
        "schema": 1,
        "commits": 1,
        "facts": 40,
        "head": "9ef92ec4",
        "differences": [],
    });
    insta::assert_snapshot!(render(json!({"verify": sound})), @r"
    The log and the store agree.
    1 commit and 40 facts were checked; the head is 9ef92ec4.
    ");
    let unsound = with_changes(
        sound,
        json!({"differences": ["account bo@example.com: log 4 available, store 5"]}),
    );
    insta::assert_snapshot!(render(json!({"verify": unsound})), @r"
    The log and the store disagree: 1 difference.
      account bo@example.com: log 4 available, store 5
    1 commit and 40 facts were checked; the head is 9ef92ec4.
    ");
}

#[test]
fn machines_read_the_view_itself_on_one_line() {
    let view = json!({
        "schema": 1,
        "account": "bo\u{202e}@example.com\n\u{9b}31m",
        "grants": [],
    });
    let answer = serde_json::from_value(json!({"grants": view})).unwrap();
    insta::assert_snapshot!(render_json(&answer), @r#"{"schema":1,"account":"bo\u202e@example.com\n\u009b31m","grants":[]}"#);
}

/// Returns one answer of each kind with a value in every place.
fn answers() -> Vec<Value> {
    let step = with_changes(
        step("a", "decline", "none"),
        json!({"reasons": short_of_credit_reasons(), "bookings": ["a", "b"]}),
    );
    let declined_step = with_changes(step.clone(), json!({"outcome": "declined"}));
    let mut pass = pass(false, &json!([step, declined_step]));
    pass["pass"]["problems"] = json!([{"code": "code", "text": "text"}]);
    vec![
        pass,
        status(json!({"last_error": "error"})),
        json!({"grant-record": grant_view("grant", json!({}))}),
        json!({"grants": {"schema": 1, "account": "a", "grants": [grant_view("grant", json!({}))]}}),
        json!({"account": account()}),
        json!({"accounts": {"schema": 1, "accounts": [account()], "next": "a"}}),
        json!({"statement": {
            "schema": 1, "account": "a", "entries": entries(), "balance": account(),
        }}),
        json!({"decisions": {"schema": 1, "decisions": [decision(step.clone())], "more": true}}),
        json!({"explain": {
            "schema": 1,
            "decision": decision(step.clone()),
            "findings": findings(),
            "booker_message": "told",
            "calls": [{"at": "at", "booking": "a", "call": "c", "answered": true, "text": "t"}],
            "charges": [],
            "entries": entries(),
        }}),
        json!({"reviews": {"schema": 1, "requests": [waiting_request(json!({}))], "more": true}}),
        json!({"unresolved": {"schema": 1, "items": [unresolved()], "more": true}}),
        json!({"explain": undecided_explanation()}),
        json!({"head": {"schema": 1, "sequence": 7, "hash": "h"}}),
        json!({"credits-export": {
            "schema": 1, "rows": [], "accounts": 0, "empty": 1, "next": "a",
        }}),
        review_answer(json!({})),
        review_answer(json!({"already_recorded": true})),
        json!({"evaluate": {
            "schema": 1,
            "at": "at",
            "decision": step,
            "findings": findings(),
            "booker_message": "told",
            "assumptions": ["assumed"],
        }}),
        json!({"verify": {
            "schema": 1, "commits": 1, "facts": 1, "accounts": 1, "head": "h",
            "differences": ["difference"],
        }}),
    ]
}

fn replace_texts(value: &mut Value, text: &str) {
    match value {
        Value::String(old) => *old = text.to_owned(),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| replace_texts(value, text)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| replace_texts(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_from_outside_moves_the_terminal_or_makes_a_line_of_its_own(
        text in "[\\x00-\\x7f\u{80}-\u{9f}\u{202a}-\u{202e}\u{2028}é読👩]{0,40}",
        width in 0_usize..200,
    ) {
        for mut answer in answers() {
            replace_texts(&mut answer, &text);
            let answer: CommandResult = serde_json::from_value(answer).unwrap();
            let plain_text = render_plain(&answer, &PageLayout::new(width, fixed_now(), chrono_tz::Tz::UTC));
            let invisible = plain_text.chars().find(|c| *c != '\n' && crate::domain::messages::is_invisible(*c));
            proptest::prop_assert_eq!(invisible, None);
            let one_line = render_json(&answer);
            let invisible = one_line.trim_end().chars().find(|c| crate::domain::messages::is_invisible(*c));
            proptest::prop_assert_eq!(invisible, None);
            proptest::prop_assert!(plain_text.ends_with('\n') && one_line.ends_with('\n'));
        }
    }
}
