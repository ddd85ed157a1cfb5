//! The workload of a ledger under test: the n-th commit is always the same, from a single grant to
//! an import of many sectors and a series that takes several rows of the projection. The expected
//! result is computed separately from the ledger's code.

use std::collections::BTreeMap;

use maitred::domain::account::Account;
use maitred::domain::decision::{Decision, DecisionOutcome};
use maitred::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart};
use maitred::domain::request::RequestState;
use maitred::domain::time::Time;
use maitred::store::port::Maintenance;

use crate::fixture::store_support::{
    account, address, at, call_fact, confirm_intent, confirmed_facts, decided_fact, grant_fact,
    hold_fact, lot_part, outcome_fact, post_fact, reference, uid,
};

/// Commits that belong together; the next round does the same with other names.
const COMMITS_PER_ROUND: u64 = 10;

/// Accounts that get a grant each round, in turn.
const MEMBERS: u64 = 4;

/// Occurrences of the series: its record does not fit into one row.
const OCCURRENCES: u64 = 60;

const GRANTED: u64 = 9;
const HELD_FOR_SERIES: u64 = 3;

/// Sums of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpectedSums {
    pub granted: u64,
    pub refunded: u64,
    pub held: u64,
    pub posted: u64,
}

/// Returns the time of the n-th commit, counted from 0.
pub fn commit_time(n: u64) -> Time {
    at(i64::try_from(n).expect("few") * 1_000)
}

fn member(n: u64) -> String {
    format!("member{}@example.com", n / COMMITS_PER_ROUND % MEMBERS)
}

/// Returns the number of guests in the import of that round, so that commits vary from less than
/// one sector to many.
fn guest_count(round: u64) -> u64 {
    1 + round % 5 * 12
}

/// Returns the facts of the n-th commit, counted from 0.
pub fn commit_facts(n: u64) -> Vec<Fact> {
    let (round, who, now) = (n / COMMITS_PER_ROUND, member(n), commit_time(n));
    let credit = format!("grant{round}");
    let name = |kind: &str| format!("{kind}{round}");
    match n % COMMITS_PER_ROUND {
        0 => vec![grant_fact(&credit, &who, GRANTED)],
        1 => confirmed_facts(&name("single"), &who, &credit, now),
        2 => {
            let id = name("slow");
            let mut request = confirm_intent(&id, &[&id], now);
            request.account = Some(account(&who));
            vec![
                decided_fact(request),
                hold_fact(&id, &id, &who, vec![lot_part(&credit, 1)]),
            ]
        }
        3 => {
            let id = name("slow");
            let outcome = outcome_fact(&id, DecisionOutcome::Confirmed);
            vec![call_fact(&id, true, now), post_fact(&id), outcome]
        }
        4 => (0..guest_count(round))
            .map(|guest| {
                Fact::Credit(CreditFact::Grant {
                    terms: Default::default(),
                    reference: reference(&format!("import{round}.{guest}")),
                    account: account(&format!("guest{round}.{guest}@example.com")),
                    credits: 2,
                    expires: None,
                    reason: "Einladung für Freunde des Hauses, Herbst 2026. ".repeat(6),
                })
            })
            .collect(),
        5 => series_facts(&name("series"), &who, &credit, now),
        6 => {
            let id = name("series");
            let held = (0..HELD_FOR_SERIES).map(|n| uid(&occurrence_uid(&id, n)));
            let voids = held.map(|booking| {
                Fact::Charge(ChargeFact::Void {
                    booking,
                    reason: "superseded".into(),
                    refund_parts: Vec::new(),
                })
            });
            voids
                .chain([outcome_fact(&id, DecisionOutcome::Superseded)])
                .collect()
        }
        7 => vec![Fact::Charge(ChargeFact::Refund {
            booking: uid(&name("single")),
            parts: vec![RefundPart {
                grant: reference(&credit),
                credits: 1,
                replacement_lot: None,
            }],
            close: true,
            reason: "cancelled in time".into(),
        })],
        8 => vec![
            Fact::Account(AccountFact::AliasAdded {
                account: account(&who),
                alias: address(&format!("alias{round}@example.com")),
            }),
            Fact::Account(AccountFact::Described {
                account: account(&who),
                tier: Some(format!("tier {round}")),
                tags: ["board".to_owned()].into(),
                attributes: [("round".to_owned(), format!("{round}"))].into(),
            }),
        ],
        _ => {
            let id = name("wait");
            let mut request = confirm_intent(&id, &[&id], now);
            request.decision = Decision::Wait { until: None };
            request.state = RequestState::Noted;
            request.call = None;
            vec![decided_fact(request)]
        }
    }
}

fn occurrence_uid(series: &str, n: u64) -> String {
    format!("{series}-occurrence-{n}")
}

fn series_facts(id: &str, who: &str, credit: &str, now: Time) -> Vec<Fact> {
    let uids: Vec<String> = (0..OCCURRENCES).map(|n| occurrence_uid(id, n)).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut request = confirm_intent(id, &uids, now);
    request.account = Some(account(who));
    request.credits = HELD_FOR_SERIES;
    let held = uids.iter().take(3);
    let holds = held.map(|uid| hold_fact(uid, id, who, vec![lot_part(credit, 1)]));
    std::iter::once(decided_fact(request))
        .chain(holds)
        .collect()
}

/// Returns what the first `commits` add up to, account by account.
pub fn expected_sums(commits: u64) -> BTreeMap<String, ExpectedSums> {
    let mut sums: BTreeMap<String, ExpectedSums> = BTreeMap::new();
    for n in 0..commits {
        let round = n / COMMITS_PER_ROUND;
        if n % COMMITS_PER_ROUND == 4 {
            for guest in 0..guest_count(round) {
                let guest = format!("guest{round}.{guest}@example.com");
                sums.entry(guest).or_default().granted += 2;
            }
            continue;
        }
        let own = sums.entry(member(n)).or_default();
        match n % COMMITS_PER_ROUND {
            0 => own.granted += GRANTED,
            1 => own.posted += 1,
            2 => own.held += 1,
            3 => {
                own.held -= 1;
                own.posted += 1;
            }
            5 => own.held += HELD_FOR_SERIES,
            6 => own.held -= HELD_FOR_SERIES,
            7 => own.refunded += 1,
            _ => {}
        }
    }
    sums
}

/// Checks the ledger after this number of commits.
///
/// # Errors
/// Returns a text that says what is wrong.
pub fn check_ledger(store: &dyn Maintenance, commits: u64) -> Result<(), String> {
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

/// Checks all accounts after this number of commits.
///
/// # Errors
/// Returns a text that says what is wrong.
pub fn check_accounts(accounts: &[Account], commits: u64) -> Result<(), String> {
    let mut expected = expected_sums(commits);
    for account in accounts {
        let name = account.id.as_str();
        let right = expected.remove(name);
        if !account.adds_up() || right != Some(sums_of(account)) {
            return Err(format!("{name} has {:?}, not {right:?}", account.totals));
        }
    }
    match expected.keys().next() {
        Some(name) => Err(format!("there is no account {name}")),
        None => Ok(()),
    }
}

fn sums_of(account: &Account) -> ExpectedSums {
    let left: u64 = account.lots.iter().map(|lot| lot.remaining).sum();
    let totals = &account.totals;
    let sums = ExpectedSums {
        granted: totals.granted,
        refunded: totals.refunded,
        held: totals.held,
        posted: totals.posted,
    };
    let spent = sums.held + sums.posted;
    let right = left + spent == sums.granted + sums.refunded;
    // If an account's lots do not add up to its remaining credits, its sums cannot be right.
    if right { sums } else { ExpectedSums::default() }
}
