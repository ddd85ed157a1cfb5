//! The changes in every state, and what they count.

use super::*;
use crate::domain::time::Span;
use crate::sandbox::call_log::Recipient;
use crate::sandbox::event_type::SandboxEventType;

fn now() -> Time {
    chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
}

fn world() -> (World, i64) {
    let mut world = World::new();
    world.add_user(12, "Ada Host", "ada@example.org");
    let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
    (world, event_type)
}

fn request_lesson(world: &mut World, event_type: i64) -> String {
    world.request(now(), event_type, "bo@example.com", now() + Span::days(2))
}

#[derive(Debug, Clone, Copy)]
enum TransitionCall {
    Confirm,
    Decline,
    Cancel,
}

fn run_call(world: &mut World, call: TransitionCall, uid: &str) -> Result<(), TransitionRefusal> {
    let reason = Some("why".to_owned());
    let later = now() + Span::minutes(5);
    match call {
        TransitionCall::Confirm => world.confirm(later, uid, true),
        TransitionCall::Decline => world.decline(later, uid, reason.as_deref(), true),
        TransitionCall::Cancel => world.cancel(
            later,
            uid,
            CancelRequest {
                reason,
                ..CancelRequest::default()
            },
        ),
    }
}

#[test]
fn every_state_answers_as_a_real_server_does() {
    use SandboxStatus::{Accepted, AwaitingHost, Cancelled, Pending, Rejected};
    let confirmed = Err(TransitionRefusal::AlreadyConfirmed);
    // state, call, answer, state after, mails to booker and host, calendar events
    let rows = [
        (
            Pending,
            TransitionCall::Confirm,
            Ok(()),
            Accepted,
            (1, 1),
            1,
        ),
        (
            Accepted,
            TransitionCall::Confirm,
            confirmed.clone(),
            Accepted,
            (0, 0),
            0,
        ),
        (
            Rejected,
            TransitionCall::Confirm,
            Ok(()),
            Accepted,
            (1, 1),
            1,
        ),
        (
            Cancelled,
            TransitionCall::Confirm,
            Ok(()),
            Accepted,
            (1, 1),
            1,
        ),
        (
            AwaitingHost,
            TransitionCall::Confirm,
            Ok(()),
            Accepted,
            (1, 1),
            1,
        ),
        (
            Pending,
            TransitionCall::Decline,
            Ok(()),
            Rejected,
            (1, 0),
            0,
        ),
        (
            Accepted,
            TransitionCall::Decline,
            confirmed,
            Accepted,
            (0, 0),
            0,
        ),
        (
            Rejected,
            TransitionCall::Decline,
            Ok(()),
            Rejected,
            (1, 0),
            0,
        ),
        (
            Cancelled,
            TransitionCall::Decline,
            Ok(()),
            Rejected,
            (1, 0),
            0,
        ),
        (
            AwaitingHost,
            TransitionCall::Decline,
            Ok(()),
            Rejected,
            (1, 0),
            0,
        ),
        (
            Pending,
            TransitionCall::Cancel,
            Ok(()),
            Cancelled,
            (1, 1),
            0,
        ),
        (
            Accepted,
            TransitionCall::Cancel,
            Ok(()),
            Cancelled,
            (1, 1),
            0,
        ),
        (
            Rejected,
            TransitionCall::Cancel,
            Ok(()),
            Cancelled,
            (1, 1),
            0,
        ),
        (
            Cancelled,
            TransitionCall::Cancel,
            Err(TransitionRefusal::AlreadyCancelled),
            Cancelled,
            (0, 0),
            0,
        ),
    ];
    for (state, attempted, answer, after, mails, events) in rows {
        let (mut world, event_type) = world();
        let uid = request_lesson(&mut world, event_type);
        world.edit(&uid, |row| row.status = state).unwrap();
        let kind = match attempted {
            TransitionCall::Confirm => MailKind::Confirmed,
            TransitionCall::Decline => MailKind::Declined,
            TransitionCall::Cancel => MailKind::Cancelled,
        };
        let case = format!("{attempted:?} of {state:?}");
        assert_eq!(run_call(&mut world, attempted, &uid), answer, "{case}");
        assert_eq!(world.status(&uid), Some(after), "{case}");
        let mail = |to| world.call_log.mail_count(&uid, to, kind);
        assert_eq!(
            (mail(Recipient::Booker), mail(Recipient::Host)),
            mails,
            "{case}"
        );
        assert_eq!(world.call_log.calendar_event_count(&uid), events, "{case}");
        let touched = world.booking(&uid).unwrap().updated != Some(now());
        assert_eq!(touched, answer.is_ok(), "{case}");
    }
}

#[test]
fn a_second_decline_mails_again_and_overwrites_the_reason() {
    let (mut world, event_type) = world();
    let uid = request_lesson(&mut world, event_type);
    for (reason, expected) in [(Some("one"), "one"), (Some("two"), "two"), (None, "two")] {
        world.decline(now(), &uid, reason, true).unwrap();
        let stored = world.booking(&uid).unwrap().rejection_reason.as_deref();
        assert_eq!(stored, Some(expected));
    }
    let mails = world
        .call_log
        .mail_count(&uid, Recipient::Booker, MailKind::Declined);
    assert_eq!(mails, 3);
}

#[test]
fn an_unpaid_booking_is_accepted_in_silence() {
    let (mut world, _) = world();
    let mut priced = SandboxEventType::new(12, "paid");
    priced.price = 5000;
    let event_type = world.add_event_type(priced);
    let uid = request_lesson(&mut world, event_type);
    assert_eq!(world.status(&uid), Some(SandboxStatus::Pending));
    world.confirm(now(), &uid, true).unwrap();
    assert_eq!(world.status(&uid), Some(SandboxStatus::Accepted));
    let mails = world
        .call_log
        .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
    assert_eq!((mails, world.call_log.calendar_event_count(&uid)), (0, 0));
}

#[test]
fn a_series_is_answered_as_a_whole_except_by_forks_that_do_not() {
    for (quirk, other_status) in [
        (false, SandboxStatus::Accepted),
        (true, SandboxStatus::Pending),
    ] {
        let (mut world, event_type) = world();
        world.quirks.series_per_occurrence = quirk;
        let start = now() + Span::days(2);
        let uids = world.request_series(now(), event_type, "bo@example.com", start, 3);
        world
            .edit(&uids[2], |row| row.status = SandboxStatus::Cancelled)
            .unwrap();
        world.confirm(now(), &uids[1], true).unwrap();
        let states: Vec<_> = uids.iter().map(|uid| world.status(uid).unwrap()).collect();
        assert_eq!(
            states,
            [
                other_status,
                SandboxStatus::Accepted,
                SandboxStatus::Cancelled
            ]
        );
        let again = world.confirm(now(), &uids[1], true);
        assert_eq!(again, Err(TransitionRefusal::AlreadyConfirmed));
        let mails: Vec<u32> = uids
            .iter()
            .map(|uid| {
                world
                    .call_log
                    .mail_count(uid, Recipient::Booker, MailKind::Confirmed)
            })
            .collect();
        assert_eq!(mails, [0, 1, 0], "one mail for the call");
    }
}

#[test]
fn a_dead_occurrence_of_a_series_is_not_revived_but_mailed() {
    let (mut world, event_type) = world();
    let start = now() + Span::days(2);
    let uids = world.request_series(now(), event_type, "bo@example.com", start, 2);
    world.decline(now(), &uids[0], None, true).unwrap();
    world.confirm(now(), &uids[0], true).unwrap();
    assert_eq!(world.status(&uids[0]), Some(SandboxStatus::Rejected));
    let mails = world
        .call_log
        .mail_count(&uids[0], Recipient::Booker, MailKind::Confirmed);
    assert_eq!(mails, 1);
}

#[test]
fn a_cancellation_takes_as_much_of_a_series_as_asked() {
    let rows = [
        (CancelExtent::Single, [false, true, false]),
        (CancelExtent::Following, [false, true, true]),
        (CancelExtent::Remaining, [true, true, true]),
    ];
    for (extent, cancelled) in rows {
        let (mut world, event_type) = world();
        let start = now() + Span::days(2);
        let uids = world.request_series(now(), event_type, "bo@example.com", start, 3);
        let cancel = CancelRequest {
            extent,
            ..CancelRequest::default()
        };
        world.cancel(now(), &uids[1], cancel).unwrap();
        let states = uids
            .iter()
            .map(|uid| world.status(uid) == Some(SandboxStatus::Cancelled));
        assert_eq!(states.collect::<Vec<_>>(), cancelled, "{extent:?}");
    }
    let (mut world, event_type) = world();
    let uid = request_lesson(&mut world, event_type);
    let late = now() + Span::days(3);
    let result = world.cancel(late, &uid, CancelRequest::default());
    assert_eq!(result, Err(TransitionRefusal::Ended));
}

#[test]
fn rescheduling_makes_exactly_one_successor() {
    // who moves, state of the successor
    for (by_host, state) in [
        (false, SandboxStatus::Pending),
        (true, SandboxStatus::Accepted),
    ] {
        let (mut world, event_type) = world();
        let old = request_lesson(&mut world, event_type);
        let request = RescheduleRequest {
            start: now() + Span::days(9),
            reason: Some("a train".to_owned()),
            by: None,
            by_host,
            by_api: true,
            uid: None,
        };
        let new = world.reschedule(now(), &old, request.clone()).unwrap();
        let (old_row, new_row) = (world.booking(&old).unwrap(), world.booking(&new).unwrap());
        assert_eq!(
            (old_row.status, new_row.status),
            (SandboxStatus::Cancelled, state)
        );
        assert_eq!(
            (old_row.successor.as_deref(), new_row.predecessor.as_deref()),
            (Some(&*new), Some(&*old))
        );
        assert_eq!(new_row.end - new_row.start, old_row.end - old_row.start);
        assert_eq!(old_row.ics_uid, new_row.ics_uid);
        let again = world.reschedule(now(), &old, request.clone());
        assert_eq!(again, Err(TransitionRefusal::AlreadyMoved(new.clone())));
        // The cancelled predecessor can be revived while its successor exists, as on a real
        // server.
        world.confirm(now(), &old, true).unwrap();
        assert_eq!(world.status(&old), Some(SandboxStatus::Accepted));
    }
}

#[test]
fn absence_marks_leave_the_row_alone_where_real_ones_do() {
    let (mut world, event_type) = world();
    let uid = request_lesson(&mut world, event_type);
    let bo = [
        ("bo@example.com".to_owned(), true),
        ("no@example.com".to_owned(), true),
    ];
    let result = world.mark_absent(now(), &uid, None, &bo);
    assert_eq!(result, Err(TransitionRefusal::NotStarted));
    let later = now() + Span::days(3);
    world.mark_absent(later, &uid, None, &bo).unwrap();
    let row = world.booking(&uid).unwrap();
    assert!(row.attendees[0].absent && !row.absent_host);
    assert_eq!(
        row.updated,
        Some(now()),
        "an attendee's mark moves no updatedAt"
    );
    world.mark_absent(later, &uid, Some(true), &[]).unwrap();
    let row = world.booking(&uid).unwrap();
    assert_eq!((row.absent_host, row.updated), (true, Some(later)));
}
