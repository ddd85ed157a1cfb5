//! A ledger with many entries and accounts: how long `account show` takes through the daemon, and how
//! fast the whole log is verified. A small one by default; `MAITRED_LEDGER_ENTRIES=1000000` sets the
//! number of entries (and a tenth as many accounts), and `--nocapture` shows the numbers. Only an
//! optimized build of the large ledger is held to the limits.

#![expect(clippy::print_stderr, reason = "the numbers are printed")]
#![expect(clippy::disallowed_methods, reason = "real times are measured")]

use std::time::{Duration, Instant};

use maitred::domain::account::LotPart;
use maitred::domain::fact::{CreditFact, Fact};
use maitred::store::port::{Maintenance as _, Store as _};

use crate::fixture::binary::{BinaryFixture, Daemon};
use crate::fixture::store_support::{
    account, at, confirmed_facts, grant_fact, open_small, reference,
};

/// Facts in one commit.
const COMMIT: usize = 10_000;

/// The number of entries of a large ledger.
const LARGE: usize = 1_000_000;

/// The account to which a tenth of the entries belong.
const BUSY: &str = "busy@example.com";

/// The longest time that `account show` may take, with the start of the process.
const SHOW_LIMIT: Duration = Duration::from_millis(50);

/// The fewest facts that are verified in a second.
const VERIFIED_PER_SECOND: f64 = 50_000.0;

/// How often each account is shown.
const SAMPLES: usize = 21;

fn member(n: usize) -> String {
    format!("member{n:06}@example.com")
}

fn revoke(n: usize, owner: &str) -> Fact {
    Fact::Credit(CreditFact::Revoke {
        reference: reference(&format!("r{n}")),
        account: account(owner),
        parts: vec![LotPart {
            grant: reference(&format!("g{n}")),
            credits: 1,
        }],
        reason: "granted twice".to_owned(),
    })
}

/// Returns the entries of one round: a grant of 2, of which 1 is taken back. Every tenth round also
/// has a booking that was confirmed.
fn round(n: usize, accounts: usize) -> Vec<Fact> {
    let owner = if n.is_multiple_of(10) {
        BUSY.to_owned()
    } else {
        member(n % accounts)
    };
    let name = format!("g{n}");
    let mut facts = vec![grant_fact(&name, &owner, 2), revoke(n, &owner)];
    if n % 10 == 1 {
        let booking = format!("b{n}");
        facts.extend(confirmed_facts(&booking, &owner, &name, at(0)));
    } else {
        facts.push(Fact::Credit(CreditFact::Revoke {
            reference: reference(&format!("s{n}")),
            account: account(&owner),
            parts: vec![LotPart {
                grant: reference(&name),
                credits: 1,
            }],
            reason: "left".to_owned(),
        }));
    }
    facts
}

fn fill(fixture: &BinaryFixture, entries: usize) -> usize {
    let accounts = entries / 10;
    let mut store = open_small(&fixture.path("ledger")).unwrap().store;
    let mut facts = Vec::new();
    let (mut written, mut moved) = (0, 0);
    let mut commit = |facts: &mut Vec<Fact>| {
        written += facts.len();
        let facts = std::mem::take(facts);
        store
            .commit(at(i64::try_from(written).unwrap()), facts, &[])
            .unwrap();
    };
    for n in 0..accounts {
        facts.push(grant_fact(&format!("first {n}"), &member(n), 4));
        moved += 1;
        if facts.len() >= COMMIT {
            commit(&mut facts);
        }
    }
    let mut n = 0;
    while moved < entries {
        let round = round(n, accounts);
        // Of a booking, the hold and the post are entries.
        moved += round.len().min(4);
        facts.extend(round);
        n += 1;
        if facts.len() >= COMMIT {
            commit(&mut facts);
        }
    }
    commit(&mut facts);
    store.close().unwrap();
    written
}

/// Returns the median of the times that showing the account takes.
fn time_show(fixture: &BinaryFixture, account: &str) -> Duration {
    let mut times: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let started = Instant::now();
            fixture.run_ok(&["account", "show", account]);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn a_large_ledger_is_shown_and_verified_quickly() {
    let entries = std::env::var("MAITRED_LEDGER_ENTRIES").ok();
    let entries = entries.map_or(2_000, |text| text.parse().unwrap());
    let fixture = BinaryFixture::new("v2");
    let started = Instant::now();
    let facts = fill(&fixture, entries);
    eprintln!(
        "{entries} entries, {facts} facts, written in {:?}",
        started.elapsed()
    );

    let started = Instant::now();
    fixture.run_ok(&["ledger", "verify"]);
    let alone = started.elapsed();
    let daemon = Daemon::start(&fixture);
    let started = Instant::now();
    fixture.run_ok(&["ledger", "verify"]);
    let compared = started.elapsed();
    let rate = |time: Duration| facts as f64 / time.as_secs_f64();
    eprintln!(
        "verified: {:.0} facts a second without a daemon, {:.0} with the projection",
        rate(alone),
        rate(compared)
    );
    let (quiet, busy) = (time_show(&fixture, &member(1)), time_show(&fixture, BUSY));
    eprintln!("account show: {quiet:?} with few entries, {busy:?} with a tenth of all");
    let started = Instant::now();
    fixture.run_ok(&["credits", "accounting"]);
    eprintln!("credits accounting: {:?}", started.elapsed());
    drop(daemon);
    if entries >= LARGE && !cfg!(debug_assertions) {
        assert!(
            quiet < SHOW_LIMIT && busy < SHOW_LIMIT,
            "{quiet:?}, {busy:?}"
        );
        assert!(rate(alone) > VERIFIED_PER_SECOND, "{:.0}", rate(alone));
    }
}
