//! Measures a pass end to end over HTTP against the sandbox with its limits off (list, decide,
//! durable intent, confirm, durable settle), next to a bare loop that only lists and confirms with
//! the same client. The target is at least half of the bare rate.
//!
//! `cargo bench --bench pass`

#![expect(clippy::unwrap_used, reason = "a bench panics")]

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use fixture::clock::parse_time;
use fixture::pass_fixture::PassFixture;
use futures_util::{StreamExt, stream};
use maitred::calcom::port::BookingFilter;
use maitred::domain::dialect::Dialect;
use maitred::domain::time::Span;
use maitred::store::open::{CreateIfMissing, open};
use tokio::runtime::Runtime;

/// The requests in one pass: what one page lists.
const REQUESTS: i64 = 250;

/// The number of concurrent calls: as many as the pass makes.
const CONCURRENT_CALLS: usize = 8;

/// The allocator of the binary: a plan makes and drops many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Returns a fixture with this many requests, credit for all of them, and a ledger on disk.
fn fixture(runtime: &Runtime, folder: &std::path::Path) -> PassFixture {
    runtime.block_on(async {
        let now = parse_time("2026-11-24T08:00:00Z");
        let store = open(folder, CreateIfMissing::Yes, now, &mut |_| {})
            .unwrap()
            .store;
        let fixture = PassFixture::with_store(Dialect::V2, Box::new(store)).await;
        fixture.grant("bo@example.com", 10_000).await;
        let start = parse_time("2026-12-01T00:00:00Z");
        for n in 0..REQUESTS {
            let at = start + Span::minutes(30 * n);
            let made = fixture.clock.now() - Span::minutes(5);
            let mut world = fixture.sandbox.lock();
            world.request(made, fixture.event_types.lesson, "bo@example.com", at);
        }
        fixture
    })
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn bare_list_and_confirm(bencher: divan::Bencher<'_, '_>) {
    let runtime = Runtime::new().unwrap();
    bencher
        .counter(divan::counter::ItemsCount::new(REQUESTS as u64))
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            (fixture(&runtime, folder.path()), folder)
        })
        .bench_refs(|(house, _)| {
            runtime.block_on(async {
                let page = house
                    .calendar
                    .list(&BookingFilter::Pending, 0)
                    .await
                    .unwrap();
                let deadline = house.clock.now() + Span::hours(1);
                let calls = page.bookings.iter().map(|booking| booking.to_ref());
                let calendar = &house.calendar;
                let calls: Vec<_> = calls
                    .map(|booking| async move { calendar.confirm(&booking, deadline).await })
                    .collect();
                let answers = stream::iter(calls).buffer_unordered(CONCURRENT_CALLS);
                let answers: Vec<_> = answers.collect().await;
                assert!(answers.iter().all(Result::is_ok));
            });
        });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn whole_pass(bencher: divan::Bencher<'_, '_>) {
    let runtime = Runtime::new().unwrap();
    bencher
        .counter(divan::counter::ItemsCount::new(REQUESTS as u64))
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            (fixture(&runtime, folder.path()), folder)
        })
        .bench_refs(|(house, _)| {
            let report = runtime.block_on(house.pass());
            assert_eq!(report.steps.len() as i64, REQUESTS);
            assert!(report.is_clean());
        });
}
