//! Load. Ten thousand requests that wait at the same time, with a hundred thousand accounts; and a
//! month of operation. The daemon's own loop, client, store and timetable run in a separate process,
//! whose memory is measured. The sandbox runs in this process, so its memory is not counted.
//!
//! By default both are small. `MAITRED_LOAD=10000` sets the number of requests (and ten times as
//! many accounts), `MAITRED_SOAK_DAYS=30` the number of days; `--nocapture` shows the numbers.

#![expect(clippy::print_stderr, reason = "the numbers are printed")]

mod burst;
mod daemon_process;
mod load_fixture;
mod soak;

use maitred::domain::time::Span;

fn number(name: &str, default: usize) -> usize {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn as_a_child_process() {
    daemon_process::run_child();
}

#[test]
fn requests_that_wait_at_the_same_time_are_each_answered_once() {
    burst::run_burst(number("MAITRED_LOAD", 500));
}

/// A task that was due before the clock was set back does not wait until the old time comes again.
#[test]
fn tasks_are_due_again_after_the_clock_was_set_back() {
    let fixture = load_fixture::LoadFixture::new(30);
    fixture.open_accounts(1, 1);
    let now = fixture.clock.now() + Span::minutes(10);
    let mut daemon = fixture.start_daemon();
    let mut ended = |now| {
        let told = daemon.tick(now).unwrap();
        (told.contains_key("pass"), told.contains_key("watch"))
    };
    let (pass, watch) = ((true, false), (false, true));
    assert_eq!([ended(now), ended(now)], [pass, watch]);
    let back = now - Span::hours(2);
    assert_eq!([ended(back), ended(back)], [pass, watch]);
    daemon.end();
}

#[test]
fn a_month_of_operation_leaves_only_its_decisions_behind() {
    soak::soak(number("MAITRED_SOAK_DAYS", 3));
}
