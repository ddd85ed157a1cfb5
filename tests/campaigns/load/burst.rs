//! All bookers make requests at the same time: each is answered once, with one call each, and the
//! sums are right.

use maitred::domain::time::{Span, Time};
use maitred::sandbox::booking::SandboxStatus;
use maitred::sandbox::call_log::{MailKind, Operation, Recipient};
use maitred::store::port::{Maintenance, Store};

use super::load_fixture::{LoadFixture, member};
use crate::fixture::clock::parse_time;

/// Accounts for each request, for many requests and for few.
const ACCOUNTS: usize = 10;
const FEW_ACCOUNTS: usize = 4;

/// From this number on, requests count as many.
const MANY_REQUESTS: usize = 1_000;

fn account_count(requests: usize) -> usize {
    if requests < MANY_REQUESTS {
        FEW_ACCOUNTS * requests
    } else {
        ACCOUNTS * requests
    }
}

/// Calls beyond one for each request and page, in percent: the reading before each batch of calls,
/// the key's user, and the event types.
const EXTRA_CALLS: u64 = 2;

/// The most memory that the daemon may take, in KiB. Each pending booking is held several times (as
/// read, in the snapshot, in the plan and in the report), all at the same time: some tens of KiB.
const BASE_KIB: u64 = 192 * 1024;
const KIB_PER_REQUEST: u64 = 32;

/// More passes than this mean that something never ends.
const MAX_PASSES: usize = 60;

/// Mixes the requested hours: a prime, so that each number of requests covers all its hours.
const HOUR_FACTOR: usize = 7_919;

/// A booking, and whether it must be confirmed.
struct RequestedBooking {
    uid: String,
    confirmed: bool,
}

/// Makes the requests. Of four requests, one has an unknown booker, one has a booker with credit,
/// and the last two have the same booker, who has credit for one.
fn request_all(fixture: &LoadFixture, requests: usize) -> Vec<RequestedBooking> {
    assert_ne!(requests % HOUR_FACTOR, 0);
    let first = parse_time("2026-11-10T00:00:00Z");
    let ask = |n: usize| {
        let slot = i64::try_from(n * HOUR_FACTOR % requests).unwrap();
        let start: Time = first + Span::minutes(30 * slot);
        let (email, confirmed) = match n % 4 {
            0 => (format!("stranger{n}@example.com"), false),
            1 => (member(n), true),
            2 => (member(n * FEW_ACCOUNTS), true),
            _ => (member((n - 1) * FEW_ACCOUNTS), false),
        };
        RequestedBooking {
            uid: fixture.request_booking(fixture.event_types.lesson, &email, start),
            confirmed,
        }
    };
    (0..requests).map(ask).collect()
}

fn call_count(fixture: &LoadFixture, kind: Operation) -> u64 {
    fixture.sandbox.lock().call_log.call_count(kind)
}

/// Returns the number of booking lists so far.
fn list_call_count(fixture: &LoadFixture) -> u64 {
    let world = fixture.sandbox.lock();
    let calls = world.call_log.calls().iter();
    let lists = calls.filter(|call| call.target.contains("status="));
    lists.count() as u64
}

pub fn run_burst(requests: usize) {
    let fixture = LoadFixture::new(30);
    let began = fixture.clock.now();
    fixture.open_accounts(account_count(requests), 1);
    eprintln!(
        "{} accounts opened in {} s",
        account_count(requests),
        (fixture.clock.now() - began).num_seconds()
    );
    let requested = request_all(&fixture, requests);
    let mut daemon = fixture.start_daemon();
    let (mut ms, mut sent, mut listed, mut declined, mut passes) = (0, 0, 0, 0, 0);
    while passes == 0 || pending_count(&fixture) > 0 {
        assert!(
            passes < MAX_PASSES,
            "{} still wait",
            pending_count(&fixture)
        );
        let before = list_call_count(&fixture);
        fixture.clock.advance(Span::minutes(10));
        let pass = daemon.tick(fixture.clock.now());
        let pass = pass.expect("a pass does not fail: its calls are counted");
        assert_eq!((pass["pass"], pass["unfinished"]), (1, 0));
        ms += pass["ms"];
        sent += pass["calls"];
        declined += pass["declined"];
        listed += list_call_count(&fixture) - before;
        passes += 1;
        let watch = daemon.tick(fixture.clock.now());
        if let Some(watch) = &watch {
            assert_eq!((watch["watch"], watch["changes"]), (1, 0));
        }
        eprintln!("pass {passes}: {pass:?}; {watch:?}");
    }
    // A decline that rests on a confirm of the first pass waits until that confirm is settled.
    assert!(passes <= 2, "all are answered by {passes} passes");
    let peak = daemon.measure()["peak"];
    check_answered_once(&fixture, &requested);
    let count = requests as u64;
    // A call for each request, the lists of pending bookings and the readings before calls, and the
    // checks on which declines rest, at most one for each decline.
    let checks = fixture.sandbox.lock().call_log.call_count(Operation::Get);
    assert!(
        checks <= declined,
        "{checks} checks for {declined} declines"
    );
    let most = (count + listed + checks) * (100 + EXTRA_CALLS) / 100;
    eprintln!(
        "{requests} requests, {} accounts: {passes} passes, {:.1} s, {:.0} requests/s, {sent} calls \
         ({listed} lists; at most {most}), peak {} MiB",
        account_count(requests),
        ms as f64 / 1e3,
        count as f64 * 1e3 / ms as f64,
        peak / 1024
    );
    assert!(sent <= most, "{sent} calls, at most {most}");
    let bound = BASE_KIB + KIB_PER_REQUEST * count;
    assert!(peak <= bound, "peak {peak} KiB, at most {bound}");

    let seq = daemon.measure()["seq"];
    fixture.clock.advance(Span::minutes(10));
    for _ in 0..2 {
        daemon.tick(fixture.clock.now());
    }
    assert_eq!(daemon.measure()["seq"], seq, "nothing more is written");
    check_answered_once(&fixture, &requested);
    daemon.end();
    check_sums(&fixture, requests);
}

fn pending_count(fixture: &LoadFixture) -> usize {
    let world = fixture.sandbox.lock();
    let rows = world.bookings().iter();
    rows.filter(|row| row.status == SandboxStatus::Pending)
        .count()
}

/// Checks that each booking has its expected status, after one call and one mail.
fn check_answered_once(fixture: &LoadFixture, asked: &[RequestedBooking]) {
    let world = fixture.sandbox.lock();
    for one in asked {
        let mail = |kind| world.call_log.mail_count(&one.uid, Recipient::Booker, kind);
        let found = (
            world.status(&one.uid).unwrap().as_v2(),
            world.call_log.call_count_for(&one.uid, Operation::Confirm),
            world.call_log.call_count_for(&one.uid, Operation::Decline),
            mail(MailKind::Confirmed),
            mail(MailKind::Declined),
        );
        let right = if one.confirmed {
            ("accepted", 1, 0, 1, 0)
        } else {
            ("rejected", 0, 1, 0, 1)
        };
        assert_eq!(found, right, "{}", one.uid);
    }
    drop(world);
    let sent = call_count(fixture, Operation::Confirm) + call_count(fixture, Operation::Decline);
    assert_eq!(sent, asked.len() as u64);
}

/// Checks that every account adds up, and that every granted credit is available or was spent on a
/// confirmed booking.
fn check_sums(fixture: &LoadFixture, requests: usize) {
    let mut store = fixture.open();
    let now = fixture.clock.now();
    let (mut count, mut available, mut posted) = (0, 0, 0);
    let mut after = None;
    loop {
        let page = store.accounts(after.as_ref(), 10_000).unwrap();
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.id.clone());
        for account in &page {
            assert!(account.adds_up(), "{}", account.id);
            let balance = account.balance(now);
            assert_eq!(balance.granted, balance.available + balance.posted);
            assert_eq!(balance.granted, 1, "{}", account.id);
            count += 1;
            available += balance.available;
            posted += balance.posted;
        }
    }
    let granted = account_count(requests) as u64;
    assert_eq!(count, granted);
    assert_eq!(available + posted, granted);
    assert_eq!(posted, expected_confirmed(requests));
    let verified = store.verify(&mut |_| {}).unwrap();
    assert!(verified.differences.is_empty());
    store.close().unwrap();
}

fn expected_confirmed(requests: usize) -> u64 {
    (0..requests).filter(|n| matches!(n % 4, 1 | 2)).count() as u64
}
