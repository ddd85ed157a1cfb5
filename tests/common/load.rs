//! What a ledger under test is filled with: the n-th commit is always the same, from one grant to an
//! import of many sectors and a series that takes several rows of the fold; and, counted apart from
//! all code of the ledger, what it must come to.

use std::collections::BTreeMap;

use maitred::domain::account::Account;
use maitred::domain::decision::{Decision, Outcome};
use maitred::domain::fact::{Back, Fact};
use maitred::domain::request::RequestState;
use maitred::domain::time::Time;
use maitred::store::port::Store;

use crate::store_support::{
    account, address, at, called, confirmed, decided, grant, hold, intent, part, post, reference,
    settled, uid,
};

/// Commits that belong together; the next ones do the same with other names.
const ROUND: u64 = 10;

/// Accounts that get a grant each round, in turn.
const MEMBERS: u64 = 4;

/// Occurrences of the series: its record does not fit one row.
const OCCURRENCES: u64 = 60;

const GRANTED: u64 = 9;
const HELD_OF_SERIES: u64 = 3;

/// Sums of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub granted: u64,
    pub refunded: u64,
    pub held: u64,
    pub posted: u64,
}

/// When the n-th commit, counted from 0, is made.
pub fn when(n: u64) -> Time {
    at(i64::try_from(n).expect("few") * 1_000)
}

fn member(n: u64) -> String {
    format!("member{}@example.com", n / ROUND % MEMBERS)
}

/// Guests of the import in that round, so that commits are from under one sector to many.
fn guests(round: u64) -> u64 {
    1 + round % 5 * 12
}

/// The n-th commit, counted from 0.
pub fn commit(n: u64) -> Vec<Fact> {
    let (round, who, now) = (n / ROUND, member(n), when(n));
    let credit = format!("grant{round}");
    let name = |kind: &str| format!("{kind}{round}");
    match n % ROUND {
        0 => vec![grant(&credit, &who, GRANTED)],
        1 => confirmed(&name("single"), &who, &credit, now),
        2 => {
            let id = name("slow");
            let mut request = intent(&id, &[&id], now);
            request.account = Some(account(&who));
            vec![
                decided(request),
                hold(&id, &id, &who, vec![part(&credit, 1)]),
            ]
        }
        3 => {
            let id = name("slow");
            let outcome = settled(&id, Outcome::Confirmed);
            vec![called(&id, true, now), post(&id), outcome]
        }
        4 => (0..guests(round))
            .map(|guest| Fact::Grant {
                reference: reference(&format!("import{round}.{guest}")),
                account: account(&format!("guest{round}.{guest}@example.com")),
                credits: 2,
                expires: None,
                reason: "Einladung für Freunde des Hauses, Herbst 2026. ".repeat(6),
            })
            .collect(),
        5 => series(&name("series"), &who, &credit, now),
        6 => {
            let id = name("series");
            let held = (0..HELD_OF_SERIES).map(|n| uid(&occurrence(&id, n)));
            let voids = held.map(|booking| Fact::Void {
                booking,
                reason: "superseded".into(),
                back: Vec::new(),
            });
            voids.chain([settled(&id, Outcome::Superseded)]).collect()
        }
        7 => vec![Fact::Refund {
            booking: uid(&name("single")),
            parts: vec![Back {
                grant: reference(&credit),
                credits: 1,
                restored: None,
            }],
            close: true,
            reason: "cancelled in time".into(),
        }],
        8 => vec![
            Fact::Aliased {
                account: account(&who),
                alias: address(&format!("alias{round}@example.com")),
            },
            Fact::Described {
                account: account(&who),
                tier: Some(format!("tier {round}")),
                tags: ["board".to_owned()].into(),
                attributes: [("round".to_owned(), format!("{round}"))].into(),
            },
        ],
        _ => {
            let id = name("wait");
            let mut request = intent(&id, &[&id], now);
            request.decision = Decision::Wait { until: None };
            request.state = RequestState::Noted;
            request.call = None;
            vec![decided(request)]
        }
    }
}

fn occurrence(series: &str, n: u64) -> String {
    format!("{series}-occurrence-{n}")
}

fn series(id: &str, who: &str, credit: &str, now: Time) -> Vec<Fact> {
    let uids: Vec<String> = (0..OCCURRENCES).map(|n| occurrence(id, n)).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut request = intent(id, &uids, now);
    request.account = Some(account(who));
    request.credits = HELD_OF_SERIES;
    let held = uids.iter().take(3);
    let holds = held.map(|uid| hold(uid, id, who, vec![part(credit, 1)]));
    std::iter::once(decided(request)).chain(holds).collect()
}

/// What the first `commits` come to, account by account.
pub fn expected(commits: u64) -> BTreeMap<String, Sums> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for n in 0..commits {
        let round = n / ROUND;
        if n % ROUND == 4 {
            for guest in 0..guests(round) {
                let guest = format!("guest{round}.{guest}@example.com");
                sums.entry(guest).or_default().granted += 2;
            }
            continue;
        }
        let own = sums.entry(member(n)).or_default();
        match n % ROUND {
            0 => own.granted += GRANTED,
            1 => own.posted += 1,
            2 => own.held += 1,
            3 => {
                own.held -= 1;
                own.posted += 1;
            }
            5 => own.held += HELD_OF_SERIES,
            6 => own.held -= HELD_OF_SERIES,
            7 => own.refunded += 1,
            _ => {}
        }
    }
    sums
}

/// What is wrong with the ledger that should hold so many commits.
///
/// # Errors
/// Says what is wrong.
pub fn check(store: &dyn Store, commits: u64) -> Result<(), String> {
    if store.head().seq != commits {
        return Err(format!(
            "it ends with commit {}, not {commits}",
            store.head().seq
        ));
    }
    let verified = store.verify().map_err(|error| error.to_string())?;
    if !verified.differences.is_empty() || verified.commits != commits {
        return Err(format!("verified: {verified:?}"));
    }
    let accounts = store.accounts(None, usize::MAX);
    check_accounts(&accounts.map_err(|error| error.to_string())?, commits)
}

/// What is wrong with these, if they are to be all accounts after so many commits.
///
/// # Errors
/// Says what is wrong.
pub fn check_accounts(accounts: &[Account], commits: u64) -> Result<(), String> {
    let mut expected = expected(commits);
    for account in accounts {
        let name = account.id.as_str();
        let right = expected.remove(name);
        if !account.adds_up() || right != Some(sums(account)) {
            return Err(format!("{name} has {:?}, not {right:?}", account.totals));
        }
    }
    match expected.keys().next() {
        Some(name) => Err(format!("there is no account {name}")),
        None => Ok(()),
    }
}

fn sums(account: &Account) -> Sums {
    let left: u64 = account.lots.iter().map(|lot| lot.left).sum();
    let totals = &account.totals;
    let sums = Sums {
        granted: totals.granted,
        refunded: totals.refunded,
        held: totals.held,
        posted: totals.posted,
    };
    let spent = sums.held + sums.posted;
    let right = left + spent == sums.granted + sums.refunded;
    // An account whose lots do not come to what is left has no sums that could be right.
    if right { sums } else { Sums::default() }
}
