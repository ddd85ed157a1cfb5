//! Every fact on the ledger, legal and illegal, and the account afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::fixtures::*;
use crate::domain::account::{Balance, LotPart, MAX_ALIASES, MAX_LOTS};
use crate::domain::decision::{Credits, DecisionOutcome, MAX_CREDITS};
use crate::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart, RequestFact};
use crate::domain::grant::GrantKind;
use crate::domain::ledger::Violation;
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::ledger_state::LedgerFact;
use crate::domain::lot::Purpose;
use crate::domain::request::{
    CallEnd, CallKind, CallNote, ChargeState, MAX_CALLS, MAX_OCCURRENCES, OperatorDecision,
    OperatorReview, RequestState,
};
use crate::domain::time::Time;

const BO: &str = "bo@example.com";

fn post_fact(name: &str) -> Fact {
    Fact::Charge(ChargeFact::Post { booking: uid(name) })
}

fn void_fact(name: &str) -> Fact {
    Fact::Charge(ChargeFact::Void {
        booking: uid(name),
        reason: "gone".into(),
        refund_parts: Vec::new(),
    })
}

fn closed_fact(name: &str) -> Fact {
    Fact::Charge(ChargeFact::Closed {
        booking: uid(name),
        reason: "over".into(),
    })
}

fn refund_part(from: &str, credits: Credits) -> RefundPart {
    RefundPart {
        grant: grant_reference(from),
        credits,
        replacement_lot: None,
    }
}

fn restored_part(from: &str, credits: Credits, under: &str) -> RefundPart {
    RefundPart {
        replacement_lot: Some((grant_reference(under), at_minute(500))),
        ..refund_part(from, credits)
    }
}

fn refund_fact(name: &str, parts: Vec<RefundPart>, close: bool) -> Fact {
    Fact::Charge(ChargeFact::Refund {
        booking: uid(name),
        parts,
        close,
        reason: "cancelled".into(),
    })
}

fn move_fact(from: &str, to: &str) -> Fact {
    Fact::Charge(ChargeFact::Move {
        from: uid(from),
        to: booking_ref(to),
        start: at_minute(900),
        end: at_minute(930),
        non_refundable: 0,
    })
}

fn revoke_fact(reference: &str, parts: Vec<LotPart>) -> Fact {
    Fact::Credit(CreditFact::Revoke {
        reference: grant_reference(reference),
        account: account_id(BO),
        parts,
        reason: "left".to_owned(),
    })
}

fn expire_fact(from: &str, credits: Credits) -> Fact {
    Fact::Credit(CreditFact::Expire {
        account: account_id(BO),
        part: part(from, credits),
    })
}

fn settled_fact(id: &str) -> Fact {
    Fact::Request(RequestFact::IntentSettled {
        request: request_id(id),
        outcome: DecisionOutcome::Confirmed,
    })
}

fn called_fact(id: &str, minute: i64, answered: bool) -> Fact {
    Fact::Request(RequestFact::CallRecorded {
        request: request_id(id),
        call: CallNote {
            at: at_minute(minute),
            booking: uid(id),
            kind: CallKind::Confirm,
            end: if answered {
                CallEnd::Answered
            } else {
                CallEnd::Failed
            },
            text: String::new(),
        },
    })
}

fn opened_fact(id: &str) -> Fact {
    Fact::Account(AccountFact::Opened {
        account: account_id(id),
    })
}

fn aliased_fact(id: &str, alias: &str) -> Fact {
    Fact::Account(AccountFact::AliasAdded {
        account: account_id(id),
        alias: address(alias),
    })
}

/// Returns a ledger in which Bo has 3 credits that expire in 100 minutes, 2 that never expire, and
/// an intent `a` without holds.
fn ledger_of_bo() -> InMemoryLedger {
    ledger_from(&[
        grant_fact("g2", BO, 2, None),
        grant_fact("g1", BO, 3, Some(at_minute(100))),
        decided_fact(intent("a", &["a"])),
    ])
}

#[track_caller]
fn ledger_from(facts: &[Fact]) -> InMemoryLedger {
    modify(InMemoryLedger::default(), |memory| {
        commit_facts(memory, now(), facts)
    })
}

#[track_caller]
fn commit_facts(memory: &mut InMemoryLedger, at: Time, facts: &[Fact]) {
    assert_eq!(memory.commit(at, facts), Ok(()));
    memory.assert_adds_up();
}

/// Asserts that the ledger takes the facts `before`, and then refuses `fact` and does not change.
#[track_caller]
fn assert_refused(before: &[Fact], fact: Fact, expect: Violation) {
    let mut memory = ledger_of_bo();
    commit_facts(&mut memory, now(), before);
    let unchanged = memory.clone();
    assert_eq!(memory.commit(now(), &[fact]), Err(expect));
    assert_eq!(memory, unchanged);
}

fn hold_for_a(credits: Credits) -> Fact {
    hold_fact("a", "a", BO, vec![part("g1", credits)])
}

fn charge_state_violation(booking: &str, expected: &'static str) -> Violation {
    Violation::ChargeState {
        booking: uid(booking),
        expected,
    }
}

fn request_state_violation(id: &str, expected: &'static str) -> Violation {
    Violation::RequestState {
        id: request_id(id),
        expected,
    }
}

fn balance_of_bo(memory: &InMemoryLedger) -> Balance {
    memory.accounts[&account_id(BO)].balance(now())
}

fn lots_of_bo(memory: &InMemoryLedger) -> Vec<(&str, Credits)> {
    memory.accounts[&account_id(BO)]
        .lots
        .iter()
        .map(|lot| (lot.grant.as_str(), lot.remaining))
        .collect()
}

/// The life of credits. Each row has the facts, and then the credits that are available, held,
/// posted, refunded, expired, revoked.
#[test]
fn what_facts_add_up_to() {
    type LifecycleRow = (&'static str, Vec<Fact>, [Credits; 6]);
    let rows: Vec<LifecycleRow> = vec![
        ("granted", vec![], [5, 0, 0, 0, 0, 0]),
        ("held", vec![hold_for_a(2)], [3, 2, 0, 0, 0, 0]),
        (
            "posted",
            vec![hold_for_a(2), post_fact("a")],
            [3, 0, 2, 0, 0, 0],
        ),
        (
            "voided",
            vec![hold_for_a(2), void_fact("a")],
            [5, 0, 0, 0, 0, 0],
        ),
        (
            "all of a lot voided",
            vec![hold_for_a(3), void_fact("a")],
            [5, 0, 0, 0, 0, 0],
        ),
        (
            "refunded in part",
            vec![
                hold_for_a(3),
                post_fact("a"),
                refund_fact("a", vec![refund_part("g1", 2)], false),
            ],
            [4, 0, 3, 2, 0, 0],
        ),
        (
            "refunded to a lot of its own",
            vec![
                hold_for_a(3),
                post_fact("a"),
                refund_fact("a", vec![restored_part("g1", 3, "r1")], true),
            ],
            [5, 0, 3, 3, 0, 0],
        ),
        (
            "moved",
            vec![hold_for_a(3), post_fact("a"), move_fact("a", "b")],
            [2, 0, 3, 0, 0, 0],
        ),
        (
            "revoked",
            vec![revoke_fact("r", vec![part("g2", 2)])],
            [3, 0, 0, 0, 0, 2],
        ),
        (
            "nothing held",
            vec![hold_fact("a", "a", BO, vec![]), post_fact("a")],
            [5, 0, 0, 0, 0, 0],
        ),
    ];
    for (name, facts, expect) in rows {
        let mut memory = ledger_of_bo();
        commit_facts(&mut memory, now(), &facts);
        let b = balance_of_bo(&memory);
        let actual = [
            b.available,
            b.held,
            b.posted,
            b.refunded,
            b.expired,
            b.revoked,
        ];
        assert_eq!(actual, expect, "{name}");
    }
}

#[test]
fn a_lot_expires_at_its_instant_whether_written_down_or_not() {
    let mut memory = ledger_of_bo();
    let before = at_minute(100) - chrono::TimeDelta::milliseconds(1);
    let available = |memory: &InMemoryLedger, at| {
        let balance = memory.accounts[&account_id(BO)].balance(at);
        (balance.available, balance.expired)
    };
    assert_eq!(available(&memory, before), (5, 0));
    assert_eq!(available(&memory, at_minute(100)), (2, 3));
    let early = memory.commit(before, &[expire_fact("g1", 3)]);
    assert_eq!(early, Err(Violation::NotExpired(grant_reference("g1"))));
    commit_facts(&mut memory, at_minute(100), &[expire_fact("g1", 3)]);
    assert_eq!(available(&memory, at_minute(100)), (2, 3));
    // Credits that come back after their lot was written off count as expired, too.
    let mut memory = ledger_of_bo();
    commit_facts(&mut memory, now(), &[hold_for_a(2)]);
    commit_facts(
        &mut memory,
        at_minute(100),
        &[expire_fact("g1", 1), void_fact("a")],
    );
    assert_eq!(available(&memory, at_minute(100)), (2, 3));
}

#[test]
fn lots_pay_earliest_expiry_first_then_older_grant() {
    let mut memory = InMemoryLedger::default();
    let mut add_grant = |minute, name: &str, expires| {
        commit_facts(
            &mut memory,
            at_minute(minute),
            &[grant_fact(name, BO, 1, expires)],
        );
    };
    add_grant(0, "never-old", None);
    add_grant(1, "late", Some(at_minute(200)));
    add_grant(2, "soon-new", Some(at_minute(100)));
    add_grant(0, "soon-old", Some(at_minute(100)));
    add_grant(3, "never-new", None);
    add_grant(0, "b", Some(at_minute(150)));
    add_grant(0, "a", Some(at_minute(150)));
    let names: Vec<&str> = lots_of_bo(&memory)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let order = [
        "soon-old",
        "soon-new",
        "a",
        "b",
        "late",
        "never-old",
        "never-new",
    ];
    assert_eq!(names, order);
    let allocated = memory.accounts[&account_id(BO)].allocate(3, &Purpose::without_booking(now()));
    let expect = vec![part("soon-old", 1), part("soon-new", 1), part("a", 1)];
    assert_eq!(allocated, Some(expect));
    assert_eq!(
        memory.accounts[&account_id(BO)].allocate(8, &Purpose::without_booking(now())),
        None
    );
    // A lot that comes back takes its former place.
    commit_facts(
        &mut memory,
        at_minute(4),
        &[
            decided_fact(intent("x", &["x"])),
            hold_fact("x", "x", BO, vec![part("soon-new", 1)]),
        ],
    );
    commit_facts(&mut memory, at_minute(5), &[void_fact("x")]);
    let names: Vec<&str> = lots_of_bo(&memory)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, order);
}

#[test]
fn grants_that_do_not_fit() {
    let used = || Violation::ReferenceUsed(grant_reference("g1"));
    assert_refused(&[], grant_fact("g1", BO, 3, Some(at_minute(100))), used());
    assert_refused(&[], grant_fact("g1", "al@example.com", 1, None), used());
    assert_refused(&[], revoke_fact("g1", vec![part("g2", 1)]), used());
    for credits in [0, MAX_CREDITS + 1, Credits::MAX] {
        assert_refused(
            &[],
            grant_fact("g", BO, credits, None),
            Violation::InvalidAmount(credits),
        );
    }
    let alias = [aliased_fact(BO, "bo@work.example")];
    let name_taken = Violation::NameTaken {
        alias: "bo@work.example".to_owned(),
        account: account_id(BO),
    };
    assert_refused(
        &alias,
        grant_fact("g", "bo@work.example", 1, None),
        name_taken,
    );
    let many: Vec<Fact> = (0..MAX_LOTS)
        .map(|n| grant_fact(&format!("l{n}"), "al@example.com", 1, None))
        .collect();
    let last = grant_fact("last", "al@example.com", 1, None);
    assert_refused(
        &many,
        last,
        Violation::TooManyLots(account_id("al@example.com")),
    );
}

#[test]
fn revocations_and_expiries_that_do_not_fit() {
    let short = |lot| Violation::LotShort(grant_reference(lot));
    assert_refused(&[], revoke_fact("r", vec![part("g2", 3)]), short("g2"));
    assert_refused(
        &[],
        revoke_fact("r", vec![part("g2", 1), part("g2", 2)]),
        short("g2"),
    );
    assert_refused(&[], revoke_fact("r", vec![part("none", 1)]), short("none"));
    assert_refused(&[], revoke_fact("r", vec![]), Violation::InvalidAmount(0));
    let huge = vec![part("g1", Credits::MAX), part("g2", 2)];
    assert_refused(
        &[],
        revoke_fact("r", huge),
        Violation::InvalidAmount(Credits::MAX),
    );
    let stranger = Fact::Credit(CreditFact::Revoke {
        reference: grant_reference("r"),
        account: account_id("nobody"),
        parts: vec![part("g1", 1)],
        reason: String::new(),
    });
    assert_refused(&[], stranger, Violation::NoAccount(account_id("nobody")));
    let not_expired = |lot| Violation::NotExpired(grant_reference(lot));
    assert_refused(&[], expire_fact("g1", 3), not_expired("g1"));
    assert_refused(&[], expire_fact("g2", 2), not_expired("g2"));
    assert_refused(&[], expire_fact("none", 1), not_expired("none"));
    let mut memory = ledger_of_bo();
    let result = memory.commit(at_minute(100), &[expire_fact("g1", 4)]);
    assert_eq!(result, Err(short("g1")));
}

#[test]
fn holds_that_do_not_fit() {
    assert_refused(
        &[],
        hold_for_a(4),
        Violation::LotShort(grant_reference("g1")),
    );
    let twice = vec![part("g1", 2), part("g1", 2)];
    assert_refused(
        &[],
        hold_fact("a", "a", BO, twice),
        Violation::LotShort(grant_reference("g1")),
    );
    assert_refused(
        &[hold_for_a(1)],
        hold_for_a(1),
        Violation::ChargeExists(uid("a")),
    );
    let again = Violation::ChargeExists(uid("a"));
    assert_refused(&[hold_for_a(1), void_fact("a")], hold_for_a(1), again);
    let none = || request_state_violation("b", "an open intent");
    assert_refused(&[], hold_fact("b", "b", BO, vec![]), none());
    let other = Violation::NoAccount(account_id("nobody"));
    assert_refused(&[], hold_fact("a", "a", "nobody", vec![]), other);
    let huge = vec![part("g1", MAX_CREDITS + 1)];
    assert_refused(
        &[],
        hold_fact("a", "a", BO, huge),
        Violation::InvalidAmount(MAX_CREDITS + 1),
    );
    let huge = vec![part("g1", Credits::MAX), part("g2", 2)];
    assert_refused(
        &[],
        hold_fact("a", "a", BO, huge),
        Violation::InvalidAmount(Credits::MAX),
    );
    let declines = decided_fact(to_decline(intent("d", &["d"])));
    let expect = request_state_violation("d", "an open intent to confirm");
    assert_refused(&[declines], hold_fact("d", "d", BO, vec![]), expect);
}

#[test]
fn an_occurrence_that_is_held_for_joins_its_request() {
    let mut memory = ledger_of_bo();
    commit_facts(
        &mut memory,
        now(),
        &[
            hold_for_a(1),
            hold_fact("late", "a", BO, vec![part("g1", 1)]),
        ],
    );
    let names: Vec<String> = memory.requests[&request_id("a")]
        .bookings
        .iter()
        .map(|booking| booking.uid.to_string())
        .collect();
    assert_eq!(names, ["a", "late"]);
    let names: Vec<String> = (0..MAX_OCCURRENCES).map(|n| format!("o{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = decided_fact(intent("s", &names));
    let expect = Violation::TooManyOccurrences(request_id("s"));
    assert_refused(&[many], hold_fact("one-more", "s", BO, vec![]), expect);
}

#[test]
fn a_hold_ends_once() {
    for end in [post_fact("a"), void_fact("a")] {
        for again in [post_fact("a"), void_fact("a")] {
            assert_refused(
                &[hold_for_a(1), end.clone()],
                again,
                charge_state_violation("a", "held"),
            );
        }
        assert_refused(&[], end, charge_state_violation("a", "held"));
    }
}

/// Promise 3: an intent is settled with its holds, not before them.
#[test]
fn an_intent_does_not_end_before_its_holds() {
    assert_refused(
        &[hold_for_a(1)],
        settled_fact("a"),
        request_state_violation("a", "without holds"),
    );
    let mut memory = ledger_of_bo();
    commit_facts(
        &mut memory,
        now(),
        &[hold_for_a(1), post_fact("a"), settled_fact("a")],
    );
}

#[test]
fn a_charge_ends_once() {
    let paid_facts = [hold_for_a(3), post_fact("a")];
    let ends = [
        closed_fact("a"),
        move_fact("a", "b"),
        refund_fact("a", vec![refund_part("g1", 3)], true),
        refund_fact("a", vec![], true),
    ];
    for end in ends {
        for again in [
            closed_fact("a"),
            move_fact("a", "c"),
            refund_fact("a", vec![refund_part("g1", 1)], false),
        ] {
            let before = [&paid_facts[..], std::slice::from_ref(&end)].concat();
            assert_refused(&before, again, charge_state_violation("a", "open"));
        }
    }
    for early in [
        closed_fact("a"),
        move_fact("a", "b"),
        refund_fact("a", vec![], true),
    ] {
        assert_refused(
            &[hold_for_a(1)],
            early.clone(),
            charge_state_violation("a", "open"),
        );
        assert_refused(&[], early, charge_state_violation("a", "open"));
    }
}

#[test]
fn a_refund_is_never_above_the_charge() {
    let paid_facts = [hold_for_a(3), post_fact("a")];
    let short = |lot| Violation::LotShort(grant_reference(lot));
    assert_refused(
        &paid_facts,
        refund_fact("a", vec![refund_part("g1", 4)], false),
        short("g1"),
    );
    assert_refused(
        &paid_facts,
        refund_fact("a", vec![refund_part("g2", 1)], false),
        short("g2"),
    );
    let twice = vec![refund_part("g1", 2), refund_part("g1", 2)];
    assert_refused(&paid_facts, refund_fact("a", twice, false), short("g1"));
    let twice = vec![refund_part("g1", 2), restored_part("g1", 2, "r")];
    assert_refused(&paid_facts, refund_fact("a", twice, false), short("g1"));
    let before = [
        &paid_facts[..],
        &[refund_fact("a", vec![refund_part("g1", 2)], false)],
    ]
    .concat();
    assert_refused(
        &before,
        refund_fact("a", vec![refund_part("g1", 2)], false),
        short("g1"),
    );
    let used = Violation::ReferenceUsed(grant_reference("g2"));
    assert_refused(
        &paid_facts,
        refund_fact("a", vec![restored_part("g1", 1, "g2")], false),
        used,
    );
    let used = Violation::ReferenceUsed(grant_reference("r"));
    let twice = vec![restored_part("g1", 1, "r"), restored_part("g1", 1, "r")];
    assert_refused(&paid_facts, refund_fact("a", twice, false), used);
    let nothing = vec![restored_part("g1", 0, "r")];
    assert_refused(
        &paid_facts,
        refund_fact("a", nothing, false),
        Violation::InvalidAmount(0),
    );
}

#[test]
fn a_refund_goes_back_to_the_lot_that_paid_or_to_one_of_its_own() {
    let mut memory = ledger_of_bo();
    commit_facts(&mut memory, now(), &[hold_for_a(3), post_fact("a")]);
    assert_eq!(lots_of_bo(&memory), [("g2", 2)]);
    let parts = vec![refund_part("g1", 1), restored_part("g1", 1, "r")];
    commit_facts(&mut memory, now(), &[refund_fact("a", parts, false)]);
    assert_eq!(lots_of_bo(&memory), [("g1", 1), ("r", 1), ("g2", 2)]);
    assert_eq!(
        memory.grants[&grant_reference("r")].kind,
        GrantKind::Restored
    );
    let charge = &memory.charges[&uid("a")];
    let remainder = (charge.credits(), charge.refunded, &charge.state);
    assert_eq!(remainder, (1, 2, &ChargeState::Open));
}

#[test]
fn a_charge_moves_on_with_all_that_was_paid() {
    let mut memory = ledger_of_bo();
    commit_facts(
        &mut memory,
        now(),
        &[hold_for_a(2), post_fact("a"), move_fact("a", "b")],
    );
    let predecessor = &memory.charges[&uid("a")];
    assert_eq!(
        (predecessor.credits(), &predecessor.state),
        (0, &ChargeState::Moved { to: uid("b") })
    );
    let successor = memory.charges[&uid("b")].clone();
    assert_eq!(
        (successor.credits(), &successor.state),
        (2, &ChargeState::Open)
    );
    assert_eq!(
        (successor.start, successor.end, successor.moved_from),
        (at_minute(900), at_minute(930), Some(uid("a")))
    );
    // A successor that costs more holds the difference. Then both are one charge.
    let mut memory = ledger_of_bo();
    let paid_facts = [hold_for_a(2), post_fact("a"), settled_fact("a")];
    let hold_of_difference = hold_fact("b", "b", BO, vec![part("g1", 1), part("g2", 1)]);
    let next = [
        decided_fact(intent("b", &["b"])),
        hold_of_difference,
        post_fact("b"),
        move_fact("a", "b"),
    ];
    commit_facts(&mut memory, now(), &[&paid_facts[..], &next].concat());
    assert_eq!(
        memory.charges[&uid("b")].parts,
        [part("g1", 3), part("g2", 1)]
    );
}

#[test]
fn moves_that_do_not_fit() {
    let paid_facts = [hold_for_a(2), post_fact("a")];
    let exists = |name| Violation::ChargeExists(uid(name));
    // A move to itself would count the payment twice.
    assert_refused(&paid_facts, move_fact("a", "a"), exists("a"));
    let hold_facts = [
        decided_fact(intent("b", &["b"])),
        hold_fact("b", "b", BO, vec![]),
    ];
    let before = [&paid_facts[..], &hold_facts].concat();
    assert_refused(&before, move_fact("a", "b"), exists("b"));
    let al = [
        grant_fact("al", "al@example.com", 1, None),
        decided_fact(intent("b", &["b"])),
        hold_fact("b", "b", "al@example.com", vec![part("al", 1)]),
        post_fact("b"),
    ];
    assert_refused(
        &[&paid_facts[..], &al].concat(),
        move_fact("a", "b"),
        exists("b"),
    );
}

#[test]
fn accounts_and_their_names() {
    let name_taken = |alias: &str, account: &str| Violation::NameTaken {
        alias: alias.to_owned(),
        account: account_id(account),
    };
    let exists = Violation::AccountExists(account_id(BO));
    assert_refused(&[], opened_fact(BO), exists);
    let work = [
        opened_fact("al@example.com"),
        aliased_fact(BO, "bo@work.example"),
    ];
    let name = "bo@work.example";
    assert_refused(&work, opened_fact(name), name_taken(name, BO));
    assert_refused(
        &work,
        aliased_fact("al@example.com", name),
        name_taken(name, BO),
    );
    assert_refused(&work, aliased_fact(BO, name), name_taken(name, BO));
    assert_refused(&work, aliased_fact(BO, BO), name_taken(BO, BO));
    let al = "al@example.com";
    assert_refused(&work, aliased_fact(BO, al), name_taken(al, al));
    assert_refused(
        &[],
        aliased_fact("nobody", name),
        Violation::NoAccount(account_id("nobody")),
    );
    let unaliased = Fact::Account(AccountFact::AliasRemoved {
        account: account_id(BO),
        alias: address(name),
    });
    assert_refused(&[], unaliased.clone(), Violation::NoAlias(account_id(BO)));
    let many: Vec<Fact> = (0..MAX_ALIASES)
        .map(|n| aliased_fact(BO, &format!("bo{n}@example.com")))
        .collect();
    assert_refused(
        &many,
        aliased_fact(BO, name),
        Violation::TooManyAliases(account_id(BO)),
    );
    let mut memory = ledger_of_bo();
    commit_facts(&mut memory, now(), &work);
    assert_eq!(memory.aliases[&address(name)], account_id(BO));
    commit_facts(&mut memory, now(), &[unaliased, opened_fact(name)]);
    assert!(memory.aliases.is_empty());
}

/// Logs from before addresses had one form may hold several spellings of one name. They must open,
/// and grants under each spelling belong to one account.
#[test]
fn old_logs_with_several_spellings_of_a_name_open() {
    let (composed, other) = ("jos\u{e9}@example.com", "jose\u{301}@example.com");
    let (readable, ascii) = ("info@exämple.com", "info@xn--exmple-cua.com");
    let unaliased = |account: &str, alias: &str| {
        Fact::Account(AccountFact::AliasRemoved {
            account: account_id(account),
            alias: address(alias),
        })
    };
    let mut memory = ledger_of_bo();
    let facts = [
        grant_fact("n1", composed, 2, None),
        grant_fact("n2", other, 3, None),
        opened_fact(readable),
        opened_fact(ascii),
        grant_fact("n3", readable, 1, None),
        // An operator made these changes so that the account is found.
        aliased_fact(readable, ascii),
        aliased_fact(BO, composed),
        aliased_fact(BO, "a@straße.de"),
        aliased_fact(BO, "a@xn--strae-oqa.de"),
        unaliased(BO, "a@straße.de"),
        unaliased(BO, "a@xn--strae-oqa.de"),
        unaliased(readable, ascii),
    ];
    commit_facts(&mut memory, now(), &facts);
    assert_eq!(memory.accounts[&account_id(other)].available(now()), 5);
    assert_eq!(memory.accounts[&account_id(ascii)].available(now()), 1);
}

#[test]
fn an_account_is_described_frozen_and_pinned() {
    let mut memory = ledger_of_bo();
    let before = memory.accounts[&account_id(BO)].version;
    let facts = [
        Fact::Account(AccountFact::Described {
            account: account_id(BO),
            tier: Some("gold".to_owned()),
            tags: BTreeSet::from(["staff".to_owned()]),
            attributes: BTreeMap::from([("floor".to_owned(), "3".to_owned())]),
        }),
        Fact::Account(AccountFact::FreezeChanged {
            stops_expiry: false,
            account: account_id(BO),
            reason: Some("late".to_owned()),
        }),
        Fact::Account(AccountFact::PinChanged {
            account: account_id(BO),
            hash: Some("h".to_owned()),
        }),
    ];
    commit_facts(&mut memory, now(), &facts);
    let bo = &memory.accounts[&account_id(BO)];
    assert_eq!(
        (bo.tier.as_deref(), bo.freeze_reason.as_deref()),
        (Some("gold"), Some("late"))
    );
    assert_eq!(
        (bo.pin_hash.as_deref(), bo.attributes["floor"].as_str()),
        (Some("h"), "3")
    );
    assert!(
        bo.version > before,
        "whoever looked before has to look again"
    );
    let thawed = Fact::Account(AccountFact::FreezeChanged {
        stops_expiry: false,
        account: account_id(BO),
        reason: None,
    });
    commit_facts(&mut memory, now(), &[thawed]);
    assert_eq!(memory.accounts[&account_id(BO)].freeze_reason, None);
}

#[test]
fn a_decision_is_made_once() {
    let note = |id: &str| modify(intent(id, &[id]), |r| r.state = RequestState::Noted);
    let undecided = || request_state_violation("a", "undecided");
    assert_refused(&[], decided_fact(intent("a", &["a"])), undecided());
    assert_refused(&[], decided_fact(note("a")), undecided());
    assert_refused(
        &[settled_fact("a")],
        decided_fact(intent("a", &["a"])),
        undecided(),
    );
    let finished = modify(intent("n", &["n"]), |r| {
        r.state = RequestState::Settled {
            outcome: DecisionOutcome::Confirmed,
            at: now(),
        };
    });
    assert_refused(
        &[],
        decided_fact(finished),
        request_state_violation("n", "an intent or a note"),
    );
    let mut memory = ledger_of_bo();
    let notes = [
        decided_fact(note("n")),
        decided_fact(note("n")),
        decided_fact(intent("n", &["n"])),
    ];
    commit_facts(&mut memory, now(), &notes);
    assert_eq!(
        memory.requests[&request_id("n")].state,
        RequestState::Recorded
    );
    let not_open = || request_state_violation("m", "an open intent");
    for fact in [settled_fact("m"), called_fact("m", 0, true)] {
        assert_refused(&[], fact.clone(), not_open());
        assert_refused(&[decided_fact(note("m"))], fact.clone(), not_open());
        assert_refused(
            &[decided_fact(intent("m", &["m"])), settled_fact("m")],
            fact,
            not_open(),
        );
    }
}

#[test]
fn an_operator_reviews_only_what_is_noted() {
    let note = |id: &str| modify(intent(id, &[id]), |r| r.state = RequestState::Noted);
    let reviewed_fact = |id: &str, verdict, reason: &str| {
        Fact::Request(RequestFact::Reviewed {
            request: request_id(id),
            decision: verdict,
            reason: reason.to_owned(),
        })
    };
    let review = |verdict, reason: &str, minute| {
        let reason = reason.to_owned();
        let at = at_minute(minute);
        Some(OperatorReview {
            decision: verdict,
            reason,
            at,
        })
    };
    let (confirm, decline) = (OperatorDecision::Confirm, OperatorDecision::Decline);
    let not_waiting = |id: &str| request_state_violation(id, "waiting to be decided");
    let intent_fact = decided_fact(intent("n", &["n"]));
    assert_refused(&[], reviewed_fact("n", confirm, ""), not_waiting("n"));
    assert_refused(
        std::slice::from_ref(&intent_fact),
        reviewed_fact("n", confirm, ""),
        not_waiting("n"),
    );
    assert_refused(
        &[intent_fact.clone(), settled_fact("n")],
        reviewed_fact("n", decline, ""),
        not_waiting("n"),
    );

    let mut memory = ledger_of_bo();
    commit_facts(&mut memory, now(), &[decided_fact(note("n"))]);
    assert_eq!(memory.requests[&request_id("n")].review, None);
    commit_facts(
        &mut memory,
        at_minute(1),
        &[reviewed_fact("n", confirm, "a friend")],
    );
    let expected = review(confirm, "a friend", 1);
    assert_eq!(memory.requests[&request_id("n")].review, expected);
    commit_facts(
        &mut memory,
        at_minute(2),
        &[reviewed_fact("n", decline, "no friend")],
    );
    let expected = review(decline, "no friend", 2);
    assert_eq!(memory.requests[&request_id("n")].review, expected);
    // The review stays, whatever a later decision carries and whatever its outcome is.
    let other = modify(note("n"), |r| r.review = review(confirm, "made up", 9));
    for fact in [
        decided_fact(note("n")),
        decided_fact(other),
        intent_fact,
        settled_fact("n"),
    ] {
        commit_facts(&mut memory, at_minute(3), std::slice::from_ref(&fact));
        assert_eq!(
            memory.requests[&request_id("n")].review,
            expected,
            "{fact:?}"
        );
    }
    let invented = modify(note("m"), |r| r.review = review(confirm, "made up", 9));
    commit_facts(&mut memory, at_minute(4), &[decided_fact(invented)]);
    assert_eq!(memory.requests[&request_id("m")].review, None);
}

#[test]
fn calls_are_noted_and_failures_counted() {
    let mut memory = ledger_of_bo();
    commit_facts(
        &mut memory,
        now(),
        &[called_fact("a", 1, false), called_fact("a", 2, true)],
    );
    let request = &memory.requests[&request_id("a")];
    assert_eq!(
        (request.failures, request.last_failure),
        (1, Some(at_minute(1)))
    );
    let many: Vec<Fact> = (0..MAX_CALLS as i64)
        .map(|n| called_fact("a", 10 + n, false))
        .collect();
    commit_facts(&mut memory, now(), &many);
    let request = &memory.requests[&request_id("a")];
    assert_eq!(
        (request.calls.len(), request.calls[0].at),
        (MAX_CALLS, at_minute(10))
    );
    commit_facts(&mut memory, at_minute(7), &[settled_fact("a")]);
    let state = RequestState::Settled {
        outcome: DecisionOutcome::Confirmed,
        at: at_minute(7),
    };
    assert_eq!(memory.requests[&request_id("a")].state, state);
}

/// A commit that is tried again must not count twice.
#[test]
fn a_fact_that_moves_credits_is_refused_the_second_time() {
    let cases: [&[Fact]; 6] = [
        &[grant_fact("g", BO, 1, None)],
        &[revoke_fact("r", vec![part("g2", 1)])],
        &[hold_for_a(1)],
        &[hold_for_a(1), post_fact("a")],
        &[hold_for_a(1), void_fact("a")],
        &[hold_for_a(1), post_fact("a"), move_fact("a", "b")],
    ];
    for facts in cases {
        let mut memory = ledger_of_bo();
        commit_facts(&mut memory, now(), facts);
        let unchanged = memory.clone();
        let repeated_fact = &facts[facts.len() - 1..];
        assert!(
            memory.commit(now(), repeated_fact).is_err(),
            "{repeated_fact:?}"
        );
        assert_eq!(memory, unchanged);
    }
}

#[test]
fn pauses_are_replaced_ended_and_kept_apart() {
    let paused = |gate: Option<&str>, until, reason: &str| {
        Fact::Ledger(LedgerFact::Paused {
            gate: gate.map(str::to_owned),
            until,
            reason: reason.to_owned(),
        })
    };
    let resumed = |gate: Option<&str>| {
        Fact::Ledger(LedgerFact::Resumed {
            gate: gate.map(str::to_owned),
        })
    };
    let mut memory = ledger_from(&[
        paused(None, None, "the roof leaks"),
        paused(Some("club"), Some(at_minute(60)), "prices change"),
        paused(None, Some(at_minute(30)), "the roof leaks still"),
    ]);
    let pauses = memory.state.pauses.clone();
    let reason = pauses.of_all(now()).map(|pause| pause.reason.as_str());
    assert_eq!(reason, Some("the roof leaks still"));
    assert!(pauses.of_gate("club", now()).is_some());
    commit_facts(&mut memory, at_minute(1), &[resumed(None)]);
    let pauses = &memory.state.pauses;
    assert_eq!(pauses.of_all(at_minute(1)), None);
    assert!(pauses.of_gate("club", at_minute(1)).is_some(), "it is kept");
    // A pause that is not there ends without harm.
    commit_facts(
        &mut memory,
        at_minute(2),
        &[resumed(None), resumed(Some("dinner"))],
    );
    commit_facts(&mut memory, at_minute(3), &[resumed(Some("club"))]);
    assert!(memory.state.pauses.gates.is_empty());
}
