//! All ask at once: everybody is answered once, with one call each, and the sums are right.

use maitred::domain::time::{Span, Time};
use maitred::sandbox::journal::{Operation, MailKind, Recipient};
use maitred::sandbox::model::Status;
use maitred::store::port::Store;

use crate::common::time;
use crate::house::{House, member};

/// Accounts for each request, of many and of few.
const ACCOUNTS: usize = 10;
const FEW_ACCOUNTS: usize = 4;

/// Requests from which they are many.
const MANY: usize = 1_000;

fn accounts(requests: usize) -> usize {
    if requests < MANY {
        FEW_ACCOUNTS * requests
    } else {
        ACCOUNTS * requests
    }
}

/// Calls beyond one for each request and page: the look before each batch's calls, who the key's
/// user is, and which event types there are. In percent.
const MORE_CALLS: u64 = 2;

/// The most memory that the daemon may take, in KiB. Each booking that waits is held a few times
/// over (as read, in the snapshot, in the plan and in the report), all at once: some tens of KiB.
const BASE: u64 = 192 * 1024;
const EACH: u64 = 32;

/// More passes than this mean that something does not come to its end.
const PASSES: usize = 60;

/// Mixes the hours that are asked for: a prime, so that each number of requests has all its hours.
const MIXES: usize = 7_919;

/// A booking, and whether it must be confirmed.
struct Asked {
    uid: String,
    confirmed: bool,
}

/// Of four, one is unknown, one has the credit, and the last two are of one member, who has it
/// once.
fn ask(house: &House, requests: usize) -> Vec<Asked> {
    assert_ne!(requests % MIXES, 0);
    let first = time("2026-11-10T00:00:00Z");
    let ask = |n: usize| {
        let slot = i64::try_from(n * MIXES % requests).unwrap();
        let start: Time = first + Span::minutes(30 * slot);
        let (email, confirmed) = match n % 4 {
            0 => (format!("stranger{n}@example.com"), false),
            1 => (member(n), true),
            2 => (member(n * FEW_ACCOUNTS), true),
            _ => (member((n - 1) * FEW_ACCOUNTS), false),
        };
        Asked {
            uid: house.request(house.lesson, &email, start),
            confirmed,
        }
    };
    (0..requests).map(ask).collect()
}

fn calls(house: &House, kind: Operation) -> u64 {
    house.sandbox.lock().journal.count(kind)
}

/// Lists of accepted bookings so far.
fn lists(house: &House) -> u64 {
    let world = house.sandbox.lock();
    let calls = world.journal.calls().iter();
    let lists = calls.filter(|call| call.target.contains("status="));
    lists.count() as u64
}

pub fn rush(requests: usize) {
    let house = House::new(30);
    let began = house.clock.now();
    house.fill(accounts(requests), 1);
    eprintln!(
        "{} accounts opened in {} s",
        accounts(requests),
        (house.clock.now() - began).num_seconds()
    );
    let asked = ask(&house, requests);
    let mut daemon = house.daemon();
    let (mut ms, mut sent, mut listed, mut declined, mut passes) = (0, 0, 0, 0, 0);
    while passes == 0 || waiting(&house) > 0 {
        assert!(passes < PASSES, "{} still wait", waiting(&house));
        let before = lists(&house);
        house.clock.advance(Span::minutes(10));
        let pass = daemon.tick(house.clock.now());
        let pass = pass.expect("a pass does not fail: its calls are counted");
        assert_eq!((pass["pass"], pass["unfinished"]), (1, 0));
        ms += pass["ms"];
        sent += pass["calls"];
        declined += pass["declined"];
        listed += lists(&house) - before;
        passes += 1;
        let watch = daemon.tick(house.clock.now());
        if let Some(watch) = &watch {
            assert_eq!((watch["watch"], watch["changes"]), (1, 0));
        }
        eprintln!("pass {passes}: {pass:?}; {watch:?}");
    }
    // A decline that rests on a confirm of the first pass waits until that is settled.
    assert!(passes <= 2, "all are answered by {passes} passes");
    let peak = daemon.measure()["peak"];
    once(&house, &asked);
    let count = requests as u64;
    // A call for each request; the lists of what waits and the looks before calls; and the checks on
    // which declines rest, at most one for each.
    let checks = house.sandbox.lock().journal.count(Operation::Get);
    assert!(
        checks <= declined,
        "{checks} checks for {declined} declines"
    );
    let most = (count + listed + checks) * (100 + MORE_CALLS) / 100;
    eprintln!(
        "{requests} requests, {} accounts: {passes} passes, {:.1} s, {:.0} requests/s, {sent} calls \
         ({listed} lists; at most {most}), peak {} MiB",
        accounts(requests),
        ms as f64 / 1e3,
        count as f64 * 1e3 / ms as f64,
        peak / 1024
    );
    assert!(sent <= most, "{sent} calls, at most {most}");
    let bound = BASE + EACH * count;
    assert!(peak <= bound, "peak {peak} KiB, at most {bound}");

    let seq = daemon.measure()["seq"];
    house.clock.advance(Span::minutes(10));
    for _ in 0..2 {
        daemon.tick(house.clock.now());
    }
    assert_eq!(daemon.measure()["seq"], seq, "nothing more is written");
    once(&house, &asked);
    daemon.end();
    sums(&house, requests);
}

fn waiting(house: &House) -> usize {
    let world = house.sandbox.lock();
    let rows = world.bookings().iter();
    rows.filter(|row| row.status == Status::Pending).count()
}

/// Each booking is what it must be, by one call and one mail.
fn once(house: &House, asked: &[Asked]) {
    let world = house.sandbox.lock();
    for one in asked {
        let mail = |kind| world.journal.mails_for(&one.uid, Recipient::Booker, kind);
        let found = (
            world.status(&one.uid).unwrap().lower(),
            world.journal.count_for(&one.uid, Operation::Confirm),
            world.journal.count_for(&one.uid, Operation::Decline),
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
    let sent = calls(house, Operation::Confirm) + calls(house, Operation::Decline);
    assert_eq!(sent, asked.len() as u64);
}

/// Every account adds up, and what was granted is there or was spent on what was confirmed.
fn sums(house: &House, requests: usize) {
    let mut store = house.open();
    let now = house.clock.now();
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
    let granted = accounts(requests) as u64;
    assert_eq!(count, granted);
    assert_eq!(available + posted, granted);
    assert_eq!(posted, confirmed(requests));
    let verified = store.verify(&mut |_| {}).unwrap();
    assert!(verified.differences.is_empty());
    store.close().unwrap();
}

fn confirmed(requests: usize) -> u64 {
    (0..requests).filter(|n| matches!(n % 4, 1 | 2)).count() as u64
}
