//! Plans, and the reports of passes.

use super::*;

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
        {"code": "empty-ledger", "text": "There is no account at all, so no request was declined."},
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
      empty-ledger  There is no account at all, so no request was declined.

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
