//! Calls with faults, scripts and races, in both dialects.

use serde_json::{Value, json};

use super::*;
use crate::domain::time::Span;
use crate::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use crate::sandbox::booking::SandboxStatus;
use crate::sandbox::call_log::{MailKind, Recipient};
use crate::sandbox::event_type::SandboxEventType;
use crate::sandbox::faults::{FaultRule, FaultTimes, RowFault};
use crate::sandbox::rate_limiter::{RateLimit, RateLimits};
use crate::sandbox::script::Trigger;

const KEY: &str = "cal_secret_of_the_test";

fn now() -> Time {
    chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
}

/// Returns a world with a host with a key, an event type and one pending booking.
fn world() -> (World, String) {
    let mut world = World::new();
    world.add_user(12, "Ada Host", "ada@example.org");
    world.add_key(12, KEY);
    let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
    let uid = world.request(now(), event_type, "Bo@Example.com", now() + Span::days(2));
    (world, uid)
}

fn v2(method: &str, target: &str) -> HttpRequest {
    HttpRequest::new(method, target)
        .with_header("Authorization", &format!("Bearer {KEY}"))
        .with_header("cal-api-version", "2024-08-13")
}

fn v1(method: &str, target: &str) -> HttpRequest {
    let join = if target.contains('?') { '&' } else { '?' };
    HttpRequest::new(method, &format!("{target}{join}apiKey={KEY}"))
}

fn send(world: &mut World, request: &HttpRequest) -> HandlerAnswer {
    handle(world, now(), request)
}

/// Returns a confirm request in the given dialect.
fn confirm(world: &World, dialect: Dialect, uid: &str) -> HttpRequest {
    match dialect {
        Dialect::V2 => v2("POST", &format!("/v2/bookings/{uid}/confirm")),
        Dialect::V1 => {
            let id = world.booking(uid).unwrap().id;
            v1("PATCH", &format!("/v1/bookings/{id}"))
                .with_header("Content-Type", "application/json")
                .with_body(br#"{"status":"ACCEPTED"}"#.to_vec())
        }
    }
}

#[test]
fn faults_strike_before_or_after_the_change_in_both_dialects() {
    let (before, after) = (Stage::Before, Stage::After);
    let target = "https://elsewhere.example.net/".to_owned();
    // fault, status, delivery, whether the change is made
    let rows = [
        (
            Fault::Error { stage: before },
            500,
            AnswerDelivery::Whole,
            false,
        ),
        (
            Fault::Error { stage: after },
            500,
            AnswerDelivery::Whole,
            true,
        ),
        (Fault::DatabaseDown, 500, AnswerDelivery::Whole, false),
        (
            Fault::BadGateway { stage: before },
            502,
            AnswerDelivery::Whole,
            false,
        ),
        (
            Fault::BadGateway { stage: after },
            502,
            AnswerDelivery::Whole,
            true,
        ),
        (
            Fault::HangUp { stage: before },
            500,
            AnswerDelivery::Disconnected,
            false,
        ),
        (
            Fault::HangUp { stage: after },
            200,
            AnswerDelivery::Disconnected,
            true,
        ),
        (Fault::Truncated, 200, AnswerDelivery::Truncated, true),
        (
            Fault::Limited { reset: 60 },
            429,
            AnswerDelivery::Whole,
            false,
        ),
        (
            Fault::Slow {
                stage: after,
                ms: 9,
            },
            200,
            AnswerDelivery::Delayed(9),
            true,
        ),
        (
            Fault::Slow {
                stage: before,
                ms: 9,
            },
            200,
            AnswerDelivery::Whole,
            true,
        ),
        (Fault::Flood, 200, AnswerDelivery::Flood, true),
        (
            Fault::Drip { ms: 1000 },
            200,
            AnswerDelivery::Drip(1000),
            true,
        ),
        (
            Fault::Redirect { to: target },
            307,
            AnswerDelivery::Whole,
            false,
        ),
        (Fault::EchoKey, 500, AnswerDelivery::Whole, false),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (fault, status, delivery, changed) in &rows {
            let (mut world, uid) = world();
            world
                .add_fault(FaultRule::on_next(Operation::Confirm, fault.clone()))
                .unwrap();
            let request = confirm(&world, dialect, &uid);
            let got = send(&mut world, &request);
            let case = format!("{fault:?} in {dialect:?}");
            assert_eq!(
                (got.response.status, got.delivery),
                (*status, *delivery),
                "{case}"
            );
            let accepted = world.status(&uid) == Some(SandboxStatus::Accepted);
            assert_eq!(accepted, *changed, "{case}");
            let text = String::from_utf8(got.response.body).unwrap();
            assert_eq!(text.contains(KEY), *fault == Fault::EchoKey, "{case}");
            let logged = &world.call_log.calls()[0];
            let expected_status = (*delivery != AnswerDelivery::Disconnected).then_some(*status);
            assert_eq!(
                (logged.kind, logged.status),
                (Operation::Confirm, expected_status),
                "{case}"
            );
            assert_eq!(logged.booking.as_deref(), Some(&*uid), "{case}");
            assert!(!logged.target.contains(KEY), "{case}");
            let second_request = confirm(&world, dialect, &uid);
            let second_answer = send(&mut world, &second_request);
            assert_eq!(
                second_answer.delivery,
                AnswerDelivery::Whole,
                "{case} strikes once"
            );
        }
    }
}

#[test]
fn a_slow_answer_is_delayed_at_the_stage_of_its_fault() {
    // stage, delay in front, state and mails while the call waits between, how late the answer
    // is
    let mailed = Some((SandboxStatus::Pending, 1));
    let rows = [
        (Stage::Before, Some(7), None, AnswerDelivery::Whole),
        (Stage::Between, None, mailed, AnswerDelivery::Whole),
        (Stage::After, None, None, AnswerDelivery::Delayed(7)),
    ];
    for (stage, held_up, waiting, delivery) in rows {
        let (mut world, uid) = world();
        world
            .add_fault(FaultRule::always(Fault::Slow { stage, ms: 7 }))
            .unwrap();
        let request = confirm(&world, Dialect::V2, &uid);
        let mut call = RunningCall::begin(&mut world, &request);
        assert_eq!(call.delay_before(), held_up, "{stage:?}");
        let delay = call.advance(&mut world, now(), &request);
        assert_eq!(delay, waiting.map(|_| 7), "{stage:?}");
        if let Some(expected) = waiting {
            let observed = (world.status(&uid).unwrap(), confirmations(&world, &uid));
            assert_eq!(observed, expected, "{stage:?}");
            let delay = call.advance(&mut world, now(), &request);
            assert_eq!(delay, None, "{stage:?} waits once");
        }
        let got = call.finish(&mut world, now(), &request);
        assert_eq!(got.delivery, delivery, "{stage:?}");
        let observed = (world.status(&uid).unwrap(), confirmations(&world, &uid));
        assert_eq!(observed, (SandboxStatus::Accepted, 1), "{stage:?}");
    }
}

fn confirmations(world: &World, uid: &str) -> u32 {
    let journal = &world.call_log;
    journal.mail_count(uid, Recipient::Booker, MailKind::Confirmed)
}

#[test]
fn a_server_that_dies_between_the_steps_leaves_half_of_the_change() {
    // call, state and mails to the booker afterwards
    let reason = br#"{"reason":"full"}"#.to_vec();
    let ill = br#"{"cancellationReason":"ill"}"#.to_vec();
    let rows = [
        ("confirm", Vec::new(), SandboxStatus::Pending, (1, 0, 0)),
        ("decline", reason, SandboxStatus::Rejected, (0, 0, 0)),
        ("cancel", ill, SandboxStatus::Cancelled, (0, 0, 0)),
    ];
    let stage = Stage::Between;
    let faults = [
        (Fault::HangUp { stage }, None),
        (Fault::Error { stage }, Some(500)),
        (Fault::BadGateway { stage }, Some(502)),
    ];
    for (fault, status) in faults {
        for (operation, body, state, mails) in rows.clone() {
            let (mut world, uid) = world();
            world.add_fault(FaultRule::always(fault.clone())).unwrap();
            let request = v2("POST", &format!("/v2/bookings/{uid}/{operation}"))
                .with_header("Content-Type", "application/json")
                .with_body(body);
            send(&mut world, &request);
            let case = format!("{operation} with {fault:?}");
            assert_eq!(world.call_log.calls()[0].status, status, "{case}");
            assert_eq!(world.status(&uid), Some(state), "{case}");
            let mail = |kind| world.call_log.mail_count(&uid, Recipient::Booker, kind);
            let got = (
                mail(MailKind::Confirmed),
                mail(MailKind::Declined),
                mail(MailKind::Cancelled),
            );
            assert_eq!(got, mails, "{case}");
            assert_eq!(world.running_calls(), 0, "{case}");
        }
    }
}

#[test]
fn third_parties_act_between_the_mails_of_a_confirm_and_its_write() {
    let (mut world, uid) = world();
    let cancels = vec![ThirdPartyAction::BookerCancels(BookingRemark {
        reason: Some("ill".to_owned()),
        ..BookingRemark::without_reason(&uid)
    })];
    world.script.add(
        Trigger::between(Operation::Confirm, 1).for_booking(&uid),
        cancels,
    );
    let request = confirm(&world, Dialect::V2, &uid);
    let got = send(&mut world, &request).response.value();
    let observed = ["status", "cancellationReason", "cancelledByEmail"]
        .map(|name| got["data"][name].as_str().unwrap().to_owned());
    assert_eq!(observed, ["accepted", "ill", "Bo@Example.com"], "revived");
    assert_eq!(world.script.failures, [""; 0]);
}

#[test]
fn row_faults_change_the_rows_of_answers() {
    // fault, place in a v2 row, value there
    let unknown = Value::from("unknown");
    let rows = [
        (
            RowFault::AwaitingHost,
            "/status",
            Value::from("awaiting_host"),
        ),
        (
            RowFault::UnknownStatus,
            "/status",
            Value::from("on_the_moon"),
        ),
        (RowFault::HostUnknown, "/hosts/0/id", unknown.clone()),
        (RowFault::NoEventType, "/eventType", Value::Null),
        (RowFault::NoUpdated, "/updatedAt", Value::Null),
        (
            RowFault::BookerUnknown,
            "/bookingFieldsResponses/email",
            unknown,
        ),
        (RowFault::WrongTypes, "/id", Value::from("not a number")),
        (
            RowFault::ExtraField,
            "/rootBookingUid/from",
            Value::from("a later version"),
        ),
    ];
    for (as_if, pointer, value) in rows {
        let (mut world, uid) = world();
        let event_type = world.event_types()[0].id;
        let other = world.request(now(), event_type, "al@example.com", now() + Span::days(1));
        let rule = FaultRule::always(Fault::Rows {
            as_if: as_if.clone(),
        });
        world.add_fault(rule.for_booking(&uid)).unwrap();
        let list = send(&mut world, &v2("GET", "/v2/bookings"))
            .response
            .value();
        let row = list["data"].as_array().unwrap().iter();
        let row = row.clone().find(|row| row["uid"] == *uid).unwrap().clone();
        assert_eq!(row.pointer(pointer), Some(&value), "{as_if:?}");
        let other_rows = list["data"].as_array().unwrap().iter();
        let spared = other_rows.clone().find(|row| row["uid"] == *other).unwrap();
        assert_ne!(
            spared.pointer(pointer),
            Some(&value),
            "{as_if:?} spares others"
        );
        let single = send(&mut world, &v2("GET", &format!("/v2/bookings/{uid}")));
        assert_eq!(
            single.response.value()["data"].pointer(pointer),
            Some(&value)
        );
        let stored = world.booking(&uid).unwrap();
        assert_eq!(
            stored.status,
            SandboxStatus::Pending,
            "the row itself is as it was"
        );
    }
}

#[test]
fn a_missing_row_is_still_counted() {
    let (mut world, uid) = world();
    let rule = FaultRule::on_next(
        Operation::List,
        Fault::Rows {
            as_if: RowFault::Missing,
        },
    );
    world
        .add_fault(rule.for_booking(&uid).times(FaultTimes::Count(2)))
        .unwrap();
    let list = send(&mut world, &v2("GET", "/v2/bookings"))
        .response
        .value();
    assert_eq!(list["data"], json!([]));
    assert_eq!(list["pagination"]["totalItems"], 1);
    let list = send(&mut world, &v1("GET", "/v1/bookings"))
        .response
        .value();
    assert_eq!(list, json!({"bookings": []}));
    let list = send(&mut world, &v1("GET", "/v1/bookings"))
        .response
        .value();
    assert_eq!(list["bookings"][0]["uid"], *uid);
}

#[test]
fn a_stale_read_shows_the_earlier_rows() {
    let (mut world, uid) = world();
    world.add_fault(FaultRule::always(Fault::Stale)).unwrap();
    world
        .act(
            now(),
            ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
        )
        .unwrap();
    let event_type = world.event_types()[0].id;
    world.request(now(), event_type, "al@example.com", now() + Span::days(1));
    let list = send(&mut world, &v2("GET", "/v2/bookings?status=unconfirmed"));
    let list = list.response.value();
    assert_eq!(list["data"][0]["uid"], *uid);
    assert_eq!(list["pagination"]["totalItems"], 1);
    world.fault_rules.clear();
    assert_eq!(world.status(&uid), Some(SandboxStatus::Cancelled));
    assert_eq!(world.bookings().len(), 2);
}

#[test]
fn a_race_confirms_twice() {
    let (mut world, uid) = world();
    world
        .add_fault(FaultRule::on_next(Operation::Confirm, Fault::Race).skip_calls(1))
        .unwrap();
    let request = confirm(&world, Dialect::V2, &uid);
    let statuses = [200, 200, 400].map(|_| send(&mut world, &request).response.status);
    assert_eq!(statuses, [200, 200, 400]);
    let mails = world
        .call_log
        .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
    assert_eq!((mails, world.call_log.calendar_event_count(&uid)), (2, 2));
}

#[test]
fn the_script_runs_between_two_calls() {
    let (mut world, uid) = world();
    let cancels = vec![ThirdPartyAction::BookerCancels(
        BookingRemark::without_reason(&uid),
    )];
    world
        .script
        .add(Trigger::after(Operation::List, 1), cancels);
    let moves = ThirdPartyAction::BookerMoves(BookingMove::new(&uid, now() + Span::days(3)));
    world.script.add(
        Trigger::before(Operation::Get, 1).for_booking(&uid),
        vec![moves],
    );
    let list = v2("GET", "/v2/bookings?status=unconfirmed");
    let first = send(&mut world, &list).response.value();
    assert_eq!(
        first["data"].as_array().unwrap().len(),
        1,
        "listed as it was"
    );
    assert_eq!(world.status(&uid), Some(SandboxStatus::Cancelled));
    send(&mut world, &v2("GET", &format!("/v2/bookings/{uid}")));
    assert_eq!(world.script.pending_count(), 0);
    let failed = &world.script.failures;
    assert_eq!(
        failed.len(),
        1,
        "a cancelled booking cannot be moved: {failed:?}"
    );
}

#[test]
fn an_unchanged_answer_is_304_and_still_counted() {
    let (mut world, uid) = world();
    for request in [v2("GET", "/v2/bookings"), v1("GET", "/v1/bookings")] {
        let first = send(&mut world, &request).response;
        let tag = first.header_value("etag").unwrap().to_owned();
        let again = request.clone().with_header("If-None-Match", &tag);
        let second = send(&mut world, &again).response;
        assert_eq!((second.status, second.body.len()), (304, 0));
    }
    world.confirm(now(), &uid, true).unwrap();
    assert_eq!(world.call_log.call_count(Operation::List), 4);
}

#[test]
fn limits_are_per_key_and_can_be_off() {
    let (mut world, _) = world();
    world.limits.v2 = Some(RateLimit::per_minute(2));
    let me = v2("GET", "/v2/me");
    let statuses = [(); 3].map(|()| send(&mut world, &me).response.status);
    assert_eq!(statuses, [200, 200, 429]);
    let v1_me = v1("GET", "/v1/me");
    assert_eq!(send(&mut world, &v1_me).response.status, 200, "v1 is apart");
    world.limits = RateLimits::off();
    let open = send(&mut world, &me).response;
    assert_eq!(open.status, 200);
    assert_eq!(
        open.header_value("x-ratelimit-limit-default"),
        Some("1000000")
    );
}

#[test]
fn nothing_shows_the_key() {
    let (mut world, uid) = world();
    for request in [confirm(&world, Dialect::V1, &uid), v2("GET", "/v2/me")] {
        let mut call = RunningCall::begin(&mut world, &request);
        call.advance(&mut world, now(), &request);
        assert!(!format!("{call:?}{request:?}").contains(KEY));
        call.finish(&mut world, now(), &request);
    }
    assert!(!format!("{world:?}").contains("secret_of_the_test"));
}
