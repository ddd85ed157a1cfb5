//! Lists that are larger than what is read. Members and strangers choose how long their notes are,
//! and must not keep other requests from being answered.

use std::time::Duration;

use crate::fixture::pass_fixture::{PassFixture, step_outcome};
use crate::fixture::steps::BO;
use maitred::domain::dialect::Dialect;
use maitred::domain::time::Span;
use maitred::sandbox::call_log::Operation;

/// Megabytes take a while in a test without optimization.
const PATIENT: Duration = Duration::from_secs(60);

fn set_notes(fixture: &PassFixture, uid: &str, bytes: usize) {
    let mut world = fixture.sandbox.lock();
    let notes = Some("n".repeat(bytes));
    world
        .edit(uid, |booking| booking.description = notes)
        .unwrap();
}

/// Fault C2: five requests with long notes make the first page larger than 8 MiB. A request that is
/// too large by itself is named and left alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_too_large_hides_no_request() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant(BO, 30).await;
        let lesson = fixture.event_types.lesson;
        let uids: Vec<String> = (0..12)
            .map(|n| fixture.request(lesson, BO, &format!("2026-12-{:02}T09:00:00Z", 1 + n)))
            .collect();
        for uid in &uids[2..7] {
            set_notes(&fixture, uid, 2_000_000);
        }
        set_notes(&fixture, &uids[9], 9 * 1024 * 1024);
        let base = fixture.sandbox.base_url();
        fixture.connect_to(&base, PATIENT);
        let report = fixture.pass().await;
        for (n, uid) in uids.iter().enumerate() {
            let expect = if n == 9 { "absent" } else { "confirmed" };
            assert_eq!(step_outcome(&report, uid), expect, "{dialect:?} {n}");
        }
        let problem = report
            .problems
            .iter()
            .find(|one| one.code == "unreadable-booking");
        let text = &problem.expect("it is named").text;
        // In v1 the uid comes after the notes that make the row too large.
        let name = match dialect {
            Dialect::V2 => uids[9].clone(),
            Dialect::V1 => {
                let world = fixture.sandbox.lock();
                let row = world.booking(&uids[9]).unwrap();
                format!("number {}", row.id)
            }
        };
        assert!(text.contains(&name), "{dialect:?}: {text}");
        assert!(text.contains("more than 8 MiB"), "{dialect:?}: {text}");
        let lists = fixture.sandbox.lock().call_log.call_count(Operation::List);
        assert!(lists < 60, "{dialect:?}: {lists} lists");

        // The audit continues past the same bookings.
        fixture.clock.advance(Span::minutes(10));
        let watched = fixture.watch(true).await;
        assert!(
            watched.checked_charges >= 11,
            "{dialect:?}: {}",
            watched.checked_charges
        );
    }
}
