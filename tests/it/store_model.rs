//! Any sequence of facts: the store on disk answers like the store in memory, after every commit,
//! after a clean end and after a crash, and every account adds up.

use std::path::Path;

use super::store_statistics::assert_totals_are_those_of_the_facts;
use crate::fixture::store_support::{
    account, address, at, call_fact, confirm_intent, decided_fact, grant_fact, hold_fact,
    open_small, outcome_fact, reference, request_id, uid,
};
use maitred::domain::account::{Account, LotPart};
use maitred::domain::booking::BookingRef;
use maitred::domain::credit_flows::{QuarterHour, credits_in_lots};
use maitred::domain::decision::{Decision, DecisionOutcome};
use maitred::domain::erasure::names::Pseudonym;
use maitred::domain::erasure::{ErasedPerson, Redaction};
use maitred::domain::expected::Expected;
use maitred::domain::fact::{
    AccountFact, ChargeFact, CreditFact, Fact, RefundPart, RequestFact, UnresolvedFact,
};
use maitred::domain::grant::GrantRecord;
use maitred::domain::id::{AccountId, Address, BookingUid};
use maitred::domain::ledger::Violation;
use maitred::domain::lot::Purpose;
use maitred::domain::request::{Charge, ChargeState, OperatorDecision, Request, RequestState};
use maitred::domain::time::Time;
use maitred::domain::unresolved::{Resolver, UnresolvedBooking, UnresolvedCode};
use maitred::store::log_store::LogStore;
use maitred::store::memory::MemoryStore;
use maitred::store::port::{
    CommitError, CommitSource, HistorySubject, LoggedFact, Maintenance, RewriteOrder, Store,
};
use proptest::prelude::*;

const ACCOUNTS: [&str; 3] = ["al@example.com", "bo@example.com", "änne"];

/// One random command: its kind, and three numbers that select its arguments.
type RandomCommand = (u8, u8, u8, u8);

fn random_commands() -> impl Strategy<Value = Vec<RandomCommand>> {
    prop::collection::vec((0..20_u8, any::<u8>(), any::<u8>(), any::<u8>()), 1..90)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn stores_on_disk_and_in_memory_give_the_same_answers(deeds in random_commands()) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut disk = open_disk(dir.path());
        let mut memory = MemoryStore::new();
        for (n, deed) in deeds.into_iter().enumerate() {
            let now = at(i64::try_from(n).expect("few") * 250);
            if deed.0 == 15 {
                disk = reopen_disk(dir.path(), disk, deed.1 % 2 == 0);
            } else {
                let facts = command_facts(&memory, deed, now);
                commit_to_both(&mut disk, &mut memory, now, facts);
            }
            assert_same_summary(&disk, &memory);
        }
        assert_same(&disk, &memory);
        disk = reopen_disk(dir.path(), disk, true);
        assert_same(&disk, &memory);
        disk = reopen_disk(dir.path(), disk, false);
        assert_same(&disk, &memory);
        let verified = disk.verify(&mut |_| {}).expect("it verifies");
        prop_assert_eq!(verified.differences, Vec::<String>::new());
        prop_assert_eq!(verified.head, disk.head());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn an_erasure_keeps_every_sum_and_both_stores_erase_alike(
        deeds in random_commands(),
        person in 0..3_usize,
        old in 0..25_i64,
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut disk = open_disk(dir.path());
        let mut memory = MemoryStore::new();
        for (n, deed) in deeds.into_iter().enumerate() {
            let now = at(i64::try_from(n).expect("few") * 250);
            let facts = command_facts(&memory, deed, now);
            commit_to_both(&mut disk, &mut memory, now, facts);
        }
        let before = sums(&disk);
        let commits = disk.commits(0, usize::MAX).expect("it reads");
        let erased = ACCOUNTS[person];
        let mut left_out = ErasedPerson::new(&account(erased), Pseudonym::new("1a2b3c4d", erased));
        if let Some(there) = disk.account(&account(erased)).expect("it reads") {
            for alias in &there.aliases {
                left_out = left_out.with_address(alias);
            }
        }
        for redaction in [
            Redaction::of_persons(vec![left_out]),
            Redaction::of_old_decisions(at(old * 250)),
        ] {
            let order = RewriteOrder { redaction, closing: Vec::new(), at: at(1_000_000) };
            let one = disk.rewrite(order.clone(), &mut |_| {}).expect("it rewrites");
            let other = memory.rewrite(order, &mut |_| {}).expect("it rewrites");
            prop_assert_eq!(one.changed, other.changed);
            assert_same(&disk, &memory);
        }
        let after: Vec<_> = sums(&disk);
        prop_assert_eq!(after, before);
        let rewritten = disk.commits(0, usize::MAX).expect("it reads");
        prop_assert_eq!(rewritten.len(), commits.len());
        for (new, old) in rewritten.iter().zip(&commits) {
            prop_assert_eq!((new.seq, new.at, new.facts.len()), (old.seq, old.at, old.facts.len()));
        }
        prop_assert!(disk.account(&account(erased)).expect("it reads").is_none());
        let log = std::fs::read_to_string(dir.path().join("log/00000001.jsonl")).expect("there");
        // The addresses of other bookers begin with one of the names.
        let log = log.replace("bo@example.comm", "");
        prop_assert!(!log.contains(erased), "{}", log);
        let verified = Maintenance::verify(&disk).expect("it verifies");
        prop_assert_eq!(verified.differences, Vec::<String>::new());
        disk = reopen_disk(dir.path(), disk, true);
        assert_same(&disk, &memory);
    }
}

/// Returns the sums of all accounts, without their names and in an order that does not depend on them,
/// and the totals of all days.
fn sums(store: &LogStore) -> Vec<String> {
    let accounts = store.accounts(None, 100).expect("it reads");
    let mut sums: Vec<String> = accounts
        .iter()
        .map(|account| {
            let mut lots: Vec<_> = account
                .lots
                .iter()
                .map(|lot| (lot.granted, lot.remaining, lot.expires))
                .collect();
            lots.sort_unstable();
            format!("{:?} {lots:?}", account.totals)
        })
        .collect();
    sums.sort_unstable();
    let (first, last) = (at(-86_400_000).date_naive(), at(86_400_000).date_naive());
    let totals = store.daily_totals(first, last).expect("it reads");
    sums.push(format!("{totals:?}"));
    sums
}

fn open_disk(path: &Path) -> LogStore {
    open_small(path).expect("it opens").store
}

fn reopen_disk(path: &Path, mut disk: LogStore, cleanly: bool) -> LogStore {
    if cleanly {
        disk.close().expect("it closes");
    }
    drop(disk);
    open_disk(path)
}

/// Commits to both stores, which must accept or refuse the commit alike.
fn commit_to_both(disk: &mut LogStore, memory: &mut MemoryStore, now: Time, facts: Vec<Fact>) {
    let one = disk.commit(now, facts.clone(), &[]);
    let other = memory.commit(now, facts, &[]);
    match (one, other) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.head.seq, other.head.seq);
            assert_eq!(sorted(one.accounts), sorted(other.accounts));
        }
        (Err(one), Err(other)) => assert_eq!(violation(one), violation(other)),
        (one, other) => panic!("{one:?} but {other:?}"),
    }
}

fn sorted(mut accounts: Vec<(AccountId, u64)>) -> Vec<(AccountId, u64)> {
    accounts.sort_unstable();
    accounts
}

fn violation(error: CommitError) -> Violation {
    match error {
        CommitError::Violation(violation) => violation,
        CommitError::Conflict(_) | CommitError::Indeterminate(_) | CommitError::Failed(_) => {
            panic!("{error}")
        }
    }
}

/// Returns the facts of a random command for the present state. Most of them fit; some do not.
fn command_facts(store: &MemoryStore, (command, a, b, c): RandomCommand, now: Time) -> Vec<Fact> {
    let name = ACCOUNTS[usize::from(a) % ACCOUNTS.len()];
    let id = account(name);
    let there = store.account(&id).expect("it reads");
    let charge = find_charge(store, ChargeState::Open, b);
    let booking = charge.as_ref().map(|charge| charge.booking.uid.clone());
    match command {
        0 => vec![Fact::Account(AccountFact::Opened { account: id })],
        1 | 2 => vec![Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: reference(&format!("grant {b}")),
            account: id,
            credits: u64::from(c),
            expires: (c % 3 == 0).then(|| at(i64::from(c) * 100)),
            reason: "ü".to_owned(),
        })],
        3 => account_facts(id, b, c),
        4 => vec![Fact::Credit(CreditFact::Revoke {
            reference: reference(&format!("revoke {b}")),
            account: id,
            parts: allocate(there.as_ref(), u64::from(c % 8), now),
            reason: String::new(),
        })],
        5 => expire_facts(there.as_ref(), now),
        6..=8 => decision_facts(there.as_ref(), name, (b, c), now),
        9 => vec![call_fact(&format!("r{b}"), c % 2 == 0, now)],
        10 | 11 => settlement_facts(store, b, c % 3 == 0),
        12 => booking.map_or_else(Vec::new, |booking| {
            vec![Fact::Charge(ChargeFact::Closed {
                booking,
                reason: "over".into(),
            })]
        }),
        13 => charge.map_or_else(Vec::new, |charge| vec![refund_fact(&charge, c, now)]),
        14 => vec![Fact::Charge(ChargeFact::Move {
            from: booking.unwrap_or_else(|| uid("none")),
            to: crate::fixture::store_support::booking(&format!("moved{}", c % 8)),
            start: nth_start(b),
            end: now,
            non_refundable: 0,
        })],
        16 => vec![review_fact(store, b, c)],
        18 | 19 => vec![unresolved_fact(b, c)],
        _ => vec![grant_fact("twice", name, 1), grant_fact("twice", name, 1)],
    }
}

fn account_facts(account: AccountId, b: u8, c: u8) -> Vec<Fact> {
    let alias = address(&format!("alias{}@example.com", b % 4));
    vec![match c % 5 {
        0 => Fact::Account(AccountFact::AliasRemoved { account, alias }),
        1 | 2 => Fact::Account(AccountFact::AliasAdded { account, alias }),
        3 => Fact::Account(AccountFact::FreezeChanged {
            stops_expiry: false,
            account,
            reason: (b.is_multiple_of(2)).then(|| "why".to_owned()),
        }),
        _ => Fact::Account(AccountFact::Described {
            account,
            tier: Some(format!("tier {b}")),
            tags: [format!("{b}")].into(),
            attributes: [("since".to_owned(), format!("{c}"))].into(),
        }),
    }]
}

fn allocate(account: Option<&Account>, credits: u64, now: Time) -> Vec<LotPart> {
    let picked =
        account.and_then(|account| account.allocate(credits, &Purpose::without_booking(now)));
    picked.unwrap_or_default()
}

fn expire_facts(account: Option<&Account>, now: Time) -> Vec<Fact> {
    let Some(account) = account else {
        return Vec::new();
    };
    let lots = account.lots.iter().filter(|lot| !lot.is_spendable(now));
    let expired = lots.map(|lot| {
        Fact::Credit(CreditFact::Expire {
            account: account.id.clone(),
            part: LotPart {
                grant: lot.grant.clone(),
                credits: lot.remaining,
            },
        })
    });
    expired.collect()
}

/// Returns a wait, or an intent with its holds: for one booking, or for a long series, whose record
/// does not fit one row of the projection.
fn decision_facts(there: Option<&Account>, name: &str, (b, c): (u8, u8), now: Time) -> Vec<Fact> {
    let id = format!("r{b}");
    let uids: Vec<String> = match c % 4 {
        0 => (0..200)
            .map(|n| format!("{id}-occurrence-number-{n}"))
            .collect(),
        _ => vec![id.clone()],
    };
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut request: Request = confirm_intent(&id, &uids, now);
    request.account = Some(account(name));
    request.booker = (c % 5 > 0).then(|| nth_booker(b / 2));
    request.created_at = at(i64::from(c % 7) * 60_000);
    request.end = nth_start(c);
    let parts = allocate(there, 1, now);
    if parts.is_empty() {
        request.decision = Decision::Wait { until: None };
        request.state = RequestState::Noted;
        return vec![decided_fact(request)];
    }
    let held = uids.iter().take(3);
    let lots: Vec<Vec<LotPart>> = held.clone().map(|_| parts.clone()).collect();
    let holds = held
        .zip(lots)
        .map(|(uid, parts)| hold_fact(uid, &id, name, parts))
        .map(|mut fact| {
            if let Fact::Charge(ChargeFact::Hold { start: at, .. }) = &mut fact {
                *at = nth_start(b);
            }
            fact
        });
    std::iter::once(decided_fact(request))
        .chain(holds)
        .collect()
}

/// Returns a fact that lists or resolves an unresolved booking, whether it fits or not.
fn unresolved_fact(b: u8, c: u8) -> Fact {
    let codes = [UnresolvedCode::Unmanaged, UnresolvedCode::Revived];
    let code = codes[usize::from(c) % codes.len()];
    match b % 3 {
        0 => Fact::Unresolved(UnresolvedFact::Resolved {
            booking: uid(&format!("u{}", b % 5)),
            code,
            reason: "seen".to_owned(),
            by: if c % 4 < 2 {
                Resolver::Watch
            } else {
                Resolver::Operator
            },
        }),
        _ => Fact::Unresolved(UnresolvedFact::Listed {
            booking: crate::fixture::store_support::booking(&format!("u{}", b % 5)),
            code,
            account: None,
            until: (!c.is_multiple_of(3)).then(|| at(i64::from(c % 7) * 1_000)),
            detail: format!("{c}"),
        }),
    }
}

/// Returns an operator's review of a noted request, or of a request that does not exist.
fn review_fact(store: &MemoryStore, b: u8, c: u8) -> Fact {
    let noted = store.open_notes(None, 100).expect("it reads");
    let note = noted.get(usize::from(b) % noted.len().max(1));
    Fact::Request(RequestFact::Reviewed {
        request: note.map_or_else(|| request_id("nobody"), |note| note.id.clone()),
        decision: if c.is_multiple_of(2) {
            OperatorDecision::Confirm
        } else {
            OperatorDecision::Decline
        },
        reason: format!("because {c}"),
    })
}

/// Returns one of a few starts, so that some are equal.
fn nth_start(number: u8) -> Time {
    at(i64::from(number % 9) * 3_600_000)
}

/// Returns one of a few bookers. Each address is a prefix of the next one.
fn nth_booker(number: u8) -> Address {
    address(&format!(
        "bo@example.com{}",
        "m".repeat(usize::from(number % 3))
    ))
}

fn settlement_facts(store: &MemoryStore, b: u8, void: bool) -> Vec<Fact> {
    let open = store.open_intents(None, 100).expect("it reads");
    let Some(request) = open.get(usize::from(b) % open.len().max(1)) else {
        return vec![outcome_fact("nobody", DecisionOutcome::Declined)];
    };
    let id = request.id.as_str();
    let held = request.bookings.iter().map(|booking| &booking.uid);
    let held = held.filter(|uid| store.charge(uid).expect("it reads").is_some());
    let entries = held.map(|uid| {
        let booking: BookingUid = uid.clone();
        if void {
            Fact::Charge(ChargeFact::Void {
                booking,
                reason: "superseded".into(),
                refund_parts: Vec::new(),
            })
        } else {
            Fact::Charge(ChargeFact::Post { booking })
        }
    });
    let mut facts: Vec<Fact> = entries.collect();
    facts.push(outcome_fact(
        id,
        if void {
            DecisionOutcome::Superseded
        } else {
            DecisionOutcome::Confirmed
        },
    ));
    facts
}

fn refund_fact(charge: &Charge, c: u8, now: Time) -> Fact {
    let parts = charge.parts.iter().map(|part| RefundPart {
        grant: part.grant.clone(),
        credits: part.credits,
        replacement_lot: (c.is_multiple_of(4))
            .then(|| (reference(&format!("restored {}", charge.booking.uid)), now)),
    });
    Fact::Charge(ChargeFact::Refund {
        booking: charge.booking.uid.clone(),
        parts: parts.take(1).collect(),
        close: c.is_multiple_of(2),
        reason: "cancelled".into(),
    })
}

fn find_charge(store: &MemoryStore, state: ChargeState, b: u8) -> Option<Charge> {
    let mut charges = store.open_charges(None, 1_000).expect("it reads");
    charges.retain(|charge| charge.state == state);
    let count = charges.len().max(1);
    charges.into_iter().nth(usize::from(b) % count)
}

/// Checks what must be equal after every commit.
fn assert_same_summary(disk: &LogStore, memory: &MemoryStore) {
    let accounts = memory.accounts(None, 100).expect("it reads");
    assert_eq!(disk.accounts(None, 100).expect("it reads"), accounts);
    assert!(accounts.iter().all(Account::adds_up));
    assert_eq!(disk.head().seq, memory.head().seq);
    assert_eq!(disk.is_empty().expect("it reads"), accounts.is_empty());
    let open = memory.open_intents(None, 3).expect("it reads");
    assert_eq!(disk.open_intents(None, 3).expect("it reads"), open);
}

/// Compares the results of all queries.
fn assert_same(disk: &LogStore, memory: &MemoryStore) {
    assert_same_summary(disk, memory);
    assert_totals_are_those_of_the_facts(disk);
    assert_totals_are_those_of_the_facts(memory);
    let flows = |store: &dyn Store| store.credit_flows(QuarterHour(0), QuarterHour(u32::MAX));
    let (flows, on_disk) = (flows(memory).unwrap(), flows(disk).unwrap());
    assert_eq!(on_disk, flows);
    let accounts = memory.accounts(None, 100).expect("it reads");
    let owed = { accounts.iter() }.map(|account| credits_in_lots(account) + account.totals.held);
    let counted: i64 = flows.iter().map(|(_, flows)| flows.owed()).sum();
    assert_eq!(u64::try_from(counted).unwrap(), owed.sum::<u64>());
    let requests = all_pages(|before| memory.decided_requests(None, before, 7).expect("it reads"));
    assert_eq!(
        all_pages(|before| disk.decided_requests(None, before, 7).expect("it reads")),
        requests
    );
    let open = memory.open_intents(None, 1_000).expect("it reads");
    let is_open = |request: &&Request| request.state == RequestState::Recorded;
    assert_eq!(open.len(), requests.iter().filter(is_open).count());
    assert!(open.is_sorted_by_key(|request| request.decided_at));
    let since = at(5_000);
    let late = requests
        .iter()
        .filter(|request| request.decided_at >= since);
    let late: Vec<Request> = late.cloned().collect();
    assert_eq!(
        disk.decided_requests(Some(since), None, 1_000)
            .expect("it reads"),
        late
    );

    assert_same_indexes(disk, memory, &requests);
    let live = memory.open_charges(None, 1_000).expect("it reads");
    assert_eq!(disk.open_charges(None, 1_000).expect("it reads"), live);
    let mut subjects: Vec<HistorySubject> = Vec::new();
    for request in &requests {
        assert_eq!(
            disk.request(&request.id).expect("reads").as_ref(),
            Some(request)
        );
        subjects.push(HistorySubject::Request(request.id.clone()));
        for BookingRef { uid, .. } in request.bookings.iter().take(4) {
            assert_eq!(
                disk.request_of(uid).expect("reads"),
                memory.request_of(uid).expect("reads")
            );
            assert_eq!(
                disk.charge(uid).expect("reads"),
                memory.charge(uid).expect("reads")
            );
            subjects.push(HistorySubject::Booking(uid.clone()));
        }
    }
    for name in ACCOUNTS {
        subjects.push(HistorySubject::Account(account(name)));
    }
    for subject in subjects {
        assert_eq!(
            history(disk, &subject),
            history(memory, &subject),
            "{subject:?}"
        );
    }
    for n in 0..=u8::MAX {
        let grant_record = |store: &dyn Store| -> Option<GrantRecord> {
            store
                .grant_record(&reference(&format!("grant {n}")))
                .expect("it reads")
        };
        assert_eq!(grant_record(disk), grant_record(memory));
    }
    for n in 0..4 {
        let alias = address(&format!("alias{n}@example.com"));
        assert_eq!(
            disk.resolve(&alias).expect("it reads"),
            memory.resolve(&alias).expect("it reads")
        );
    }
}

/// Compares the indexes with a plain search through all records.
fn assert_same_indexes(disk: &LogStore, memory: &MemoryStore, requests: &[Request]) {
    let noted = requests.iter().filter(|r| r.state == RequestState::Noted);
    let mut noted: Vec<Request> = noted.cloned().collect();
    noted.sort_by(|a, b| (a.end, &a.id).cmp(&(b.end, &b.id)));
    let mut charges = all_charges(memory, requests);
    charges.sort_by(|a, b| (a.start, &a.booking.uid).cmp(&(b.start, &b.booking.uid)));
    let stores: [&dyn Store; 2] = [disk, memory];
    let mut listed: Vec<UnresolvedBooking> = (0..5)
        .flat_map(|n| unresolved_of_booking(memory, n))
        .collect();
    listed.retain(UnresolvedBooking::is_open);
    listed.sort_by_key(UnresolvedBooking::rank);
    for store in stores {
        assert_eq!(all_unresolved(store), listed);
        for n in 0..5 {
            assert_eq!(
                unresolved_of_booking(store, n),
                unresolved_of_booking(memory, n)
            );
        }
        assert_eq!(open_notes(store), noted);
        for (n, since) in [(0, -60_000), (1, 120_000), (2, 60_001)] {
            let (booker, since) = (nth_booker(n), at(since));
            let by_booker = requests.iter().filter(|request| {
                request.booker.as_ref() == Some(&booker) && request.created_at >= since
            });
            let mut by_booker: Vec<&Request> = by_booker.collect();
            by_booker.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
            let found = store
                .requests_of_booker(&booker, since, 5)
                .expect("it reads");
            assert!(
                found.iter().eq(by_booker.into_iter().take(5)),
                "{booker} {since}"
            );
        }
        for name in ACCOUNTS {
            for (from, to) in [
                (0, 90_000_000),
                (3_600_000, 7_200_000),
                (7_200_000, 3_600_000),
            ] {
                let (id, from, to) = (account(name), at(from), at(to));
                let standing = charges.iter().filter(|charge| {
                    charge.account == id && from <= charge.start && charge.start < to
                });
                let found = store.charges_of(&id, from, to, 4).expect("it reads");
                assert!(found.iter().eq(standing.take(4)), "{name} {from} {to}");
            }
        }
    }
}

/// Returns every charge that is held, open or final.
fn all_charges(store: &MemoryStore, requests: &[Request]) -> Vec<Charge> {
    let moved = (0..8).map(|n| uid(&format!("moved{n}")));
    let held = requests.iter().flat_map(|request| &request.bookings);
    let mut uids: Vec<BookingUid> = held.map(|booking| booking.uid.clone()).collect();
    uids.extend(moved);
    let charges = uids
        .iter()
        .filter_map(|uid| store.charge(uid).expect("it reads"));
    charges
        .filter(|charge| match charge.state {
            ChargeState::Held | ChargeState::Open | ChargeState::Final => true,
            ChargeState::Void | ChargeState::Refunded | ChargeState::Moved { .. } => false,
        })
        .collect()
}

fn unresolved_of_booking(store: &dyn Store, n: u8) -> Vec<UnresolvedBooking> {
    let uid = uid(&format!("u{n}"));
    store.unresolved_items_of(&uid).expect("it reads")
}

/// Returns the unresolved list, read page by page.
fn all_unresolved(store: &dyn Store) -> Vec<UnresolvedBooking> {
    let mut all: Vec<UnresolvedBooking> = Vec::new();
    loop {
        let more = store.unresolved_items(all.last(), 2).expect("it reads");
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Returns all noted requests, read page by page.
fn open_notes(store: &dyn Store) -> Vec<Request> {
    let mut all: Vec<Request> = Vec::new();
    loop {
        let after = all.last().map(|request| (request.end, request.id.clone()));
        let more = store.open_notes(after.as_ref(), 3).expect("it reads");
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Returns all decisions, read page by page.
fn all_pages(
    mut page: impl FnMut(Option<&(Time, maitred::domain::id::RequestId)>) -> Vec<Request>,
) -> Vec<Request> {
    let mut all: Vec<Request> = Vec::new();
    loop {
        let before = all
            .last()
            .map(|request| (request.decided_at, request.id.clone()));
        let more = page(before.as_ref());
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Returns the history of a subject, read page by page.
fn history(store: &dyn Store, subject: &HistorySubject) -> Vec<LoggedFact> {
    let mut all: Vec<LoggedFact> = Vec::new();
    loop {
        let before = all.last().map(|written| written.seq);
        let more = store.history(subject, before, 5).expect("it reads");
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

#[test]
fn a_commit_with_a_conflict_writes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut disk = open_disk(dir.path());
    let expect = |version| {
        [Expected::Account {
            id: account("bo"),
            version,
        }]
    };
    let give = |n: u8| vec![grant_fact(&format!("g{n}"), "bo", 1)];
    disk.commit(at(0), give(0), &expect(None))
        .expect("nobody is there yet");
    let version = disk
        .account(&account("bo"))
        .expect("reads")
        .expect("there")
        .version;
    for wrong in [None, Some(version - 1), Some(version + 1)] {
        let error = disk
            .commit(at(0), give(1), &expect(wrong))
            .expect_err("it changed");
        assert!(
            matches!(error, CommitError::Conflict(changed) if changed == expect(wrong)[0]),
            "{wrong:?}"
        );
    }
    assert_eq!(disk.head().seq, 1);
    disk.commit(at(0), give(1), &expect(Some(version)))
        .expect("it did not change");
    assert_eq!(disk.head().seq, 2);
}

#[test]
fn a_commit_with_facts_that_do_not_fit_writes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut disk = open_disk(dir.path());
    let facts = vec![
        grant_fact("g", "bo", 1),
        hold_fact("u", "nobody", "bo", Vec::new()),
    ];
    let error = disk
        .commit(at(0), facts, &[])
        .expect_err("there is no intent");
    assert!(matches!(error, CommitError::Violation(_)));
    assert!(disk.is_empty().expect("it reads"));
    assert_eq!(disk.head().seq, 0);
    let head = disk
        .commit(at(0), Vec::new(), &[])
        .expect("nothing is written");
    assert_eq!(head.head.seq, 0);
}

#[test]
fn a_commit_that_is_too_large_is_refused_before_it_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut disk = open_disk(dir.path());
    let facts = vec![
        Fact::Account(AccountFact::Opened {
            account: account("bo")
        });
        200_001
    ];
    let error = disk.commit(at(0), facts, &[]).expect_err("too many");
    let CommitError::Failed(error) = error else {
        panic!("{error}");
    };
    assert!(error.text.contains("at most 200000; split it"), "{error}");
    let mut long = grant_fact("g", "bo", 1);
    if let Fact::Credit(CreditFact::Grant { reason, .. }) = &mut long {
        *reason = "x".repeat(64 * 1024 + 1);
    }
    let error = disk.commit(at(0), vec![long], &[]).expect_err("too long");
    assert!(matches!(error, CommitError::Failed(_)), "{error}");
    disk.commit(at(0), vec![grant_fact("g", "bo", 1)], &[])
        .expect("it goes on");
    assert_eq!(disk.head().seq, 1);
}

#[test]
fn a_large_import_is_one_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut disk = open_disk(dir.path());
    let facts = (0..20_000).map(|n| grant_fact(&format!("g{n}"), &format!("m{n}@example.com"), 3));
    disk.commit(at(0), facts.collect(), &[]).expect("it fits");
    disk = reopen_disk(dir.path(), disk, true);
    assert_eq!(disk.head().seq, 1);
    let last = disk
        .account(&account("m19999@example.com"))
        .expect("reads")
        .expect("there");
    assert_eq!(last.available(at(1)), 3);
    let written = disk
        .history(&HistorySubject::Account(last.id), None, 10)
        .expect("it reads");
    assert_eq!(written.len(), 1);
}

#[test]
fn an_account_with_a_long_history_is_paged_through() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut disk = open_disk(dir.path());
    let mut memory = MemoryStore::new();
    commit_to_both(
        &mut disk,
        &mut memory,
        at(0),
        vec![grant_fact("g", "bo", 1_000)],
    );
    for n in 0..300 {
        let fact = Fact::Account(AccountFact::FreezeChanged {
            stops_expiry: false,
            account: account("bo"),
            reason: Some(format!("{n}")),
        });
        commit_to_both(&mut disk, &mut memory, at(n), vec![fact]);
    }
    let subject = HistorySubject::Account(account("bo"));
    let all = history(&disk, &subject);
    assert_eq!(all.len(), 301);
    assert!(all.is_sorted_by(|a, b| a.seq > b.seq), "newest first");
    assert_eq!(all, history(&memory, &subject));
    disk = reopen_disk(dir.path(), disk, false);
    assert_eq!(history(&disk, &subject), all);
    assert_eq!(
        disk.verify(&mut |_| {}).expect("verifies").differences,
        [""; 0]
    );
}
