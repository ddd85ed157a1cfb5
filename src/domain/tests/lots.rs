//! Lots: in which order they pay and for what, overdrafts, freezes that stop the expiry, and credits
//! that last for a time after their first use.

use super::fixtures::*;
use crate::domain::account::Account;
use crate::domain::criteria::global_policy::ExpiryCounts;
use crate::domain::decision::Credits;
use crate::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart};
use crate::domain::gate::Policy;
use crate::domain::ledger::Violation;
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::lot::{Lot, LotSource, LotTerms, Purpose};
use crate::domain::time::{Span, Time};

const BO: &str = "bo@example.com";
const AL: &str = "al@example.com";

fn grant_with(name: &str, credits: Credits, expires: Option<Time>, terms: LotTerms) -> Fact {
    modify(grant_fact(name, BO, credits, expires), |fact| {
        if let Fact::Credit(CreditFact::Grant { terms: own, .. }) = fact {
            *own = terms;
        }
    })
}

fn hold_with_overdraft(name: &str, lent: Credits) -> Fact {
    modify(hold_fact(name, name, BO, Vec::new()), |fact| {
        if let Fact::Charge(ChargeFact::Hold { lent: own, .. }) = fact {
            *own = lent;
        }
    })
}

fn commit(memory: &mut InMemoryLedger, at: Time, facts: &[Fact]) {
    assert_eq!(memory.commit(at, facts), Ok(()));
    memory.assert_adds_up();
}

fn bo(memory: &InMemoryLedger) -> &Account {
    &memory.accounts[&account_id(BO)]
}

fn names(account: &Account) -> Vec<&str> {
    account.lots.iter().map(|lot| lot.grant.as_str()).collect()
}

/// Each row is a lot; the rows are in the order in which they pay.
#[test]
fn lots_pay_by_priority_then_expiry_then_source_then_age() {
    let soon = Some(at_minute(60));
    let late = Some(at_minute(120));
    // name, priority, expiry, source, minute of the grant
    let rows = [
        ("first-of-all", -1, None, LotSource::Paid, 9),
        ("soon-gift", 0, soon, LotSource::Promotional, 8),
        ("soon-allowance", 0, soon, LotSource::Allowance, 7),
        ("soon-paid-old", 0, soon, LotSource::Paid, 1),
        ("soon-paid-new", 0, soon, LotSource::Paid, 2),
        ("late-gift", 0, late, LotSource::Promotional, 3),
        ("gift", 0, None, LotSource::Promotional, 6),
        ("allowance", 0, None, LotSource::Allowance, 5),
        ("paid", 0, None, LotSource::Paid, 4),
        ("last-of-all", 1, soon, LotSource::Promotional, 0),
    ];
    let mut by_age = rows;
    by_age.sort_by_key(|row| row.4);
    let mut memory = InMemoryLedger::default();
    for (name, priority, expires, source, minute) in by_age {
        let terms = LotTerms {
            source,
            priority,
            ..LotTerms::default()
        };
        let fact = grant_with(name, 1, expires, terms);
        commit(&mut memory, at_minute(minute), &[fact]);
    }
    assert_eq!(names(bo(&memory)), rows.map(|row| row.0));
}

fn lot_for(name: &str, credits: Credits, gates: &[&str], expires: Option<Time>) -> Lot {
    modify(lot(name, credits, expires), |lot| {
        lot.terms.gates = gates.iter().map(|gate| (*gate).to_owned()).collect();
    })
}

#[test]
fn a_lot_pays_at_its_gates_and_until_it_expires() {
    let lots = vec![
        lot_for("club-only", 2, &["club", "salon"], Some(at_minute(100))),
        lot_for("other-only", 3, &["other"], None),
        lot_for("everywhere", 5, &[], None),
    ];
    let account = account_with_lots(BO, lots);
    // gate, the instant until which a lot must not have expired, what can be spent
    let rows = [
        (Some("club"), 0, 7),
        (Some("salon"), 99, 7),
        (Some("club"), 100, 5),
        (Some("other"), 0, 8),
        (Some("third"), 0, 5),
        (None, 0, 10),
        (None, 100, 8),
    ];
    for (gate, minute, can_spend) in rows {
        let purpose = Purpose {
            now: at_minute(0),
            gate,
            unexpired_at: at_minute(minute),
        };
        let most = |credits| account.allocate(credits, &purpose).is_some();
        assert!(most(can_spend), "{gate:?} {minute}");
        assert!(!most(can_spend + 1), "{gate:?} {minute}");
    }
}

fn policy_where(change: impl FnOnce(&mut Policy)) -> Policy {
    modify(policy(), change)
}

/// The booking starts a day after the decision.
#[test]
fn credits_that_expire_before_the_start_pay_if_only_the_decision_counts() {
    let account = account_with_lots(BO, vec![lot("g", 1, Some(at_minute(60)))]);
    let snapshot = snapshot(vec![booking("a")], vec![account]);
    let by_decision = describe_planned(&snapshot, &policy());
    assert_eq!(by_decision, ["a confirm enough confirm a, hold a 1"]);
    let by_start = policy_where(|policy| {
        policy.global.spending.expiry_counts = ExpiryCounts::Start;
    });
    let by_start = describe_planned(&snapshot, &by_start);
    assert_eq!(by_start, ["a decline short-of-credit decline a"]);
}

#[test]
fn a_plan_lends_up_to_the_limit_and_no_more() {
    let gold = |account: &mut Account| account.tier = Some("gold".to_owned());
    // credits, what the account has of its own, the plan for three bookings of one credit each
    type Change = fn(&mut Account);
    let rows: [(Credits, Change, [&str; 3]); 5] = [
        (1, |_| {}, ["1", "postponed", "postponed"]),
        (1, gold, ["1", "0 and 1 lent", "postponed"]),
        (
            0,
            |account| account.overdraft_limit = Some(3),
            ["0 and 1 lent", "0 and 1 lent", "0 and 1 lent"],
        ),
        (
            2,
            |account| account.overdraft_limit = Some(0),
            ["1", "1", "postponed"],
        ),
        // One credit is lent already.
        (
            0,
            |account| {
                account.overdraft_limit = Some(2);
                account.totals.lent = 1;
                account.totals.posted = 1;
            },
            ["0 and 1 lent", "postponed", "postponed"],
        ),
    ];
    let policy = policy_where(|policy| {
        let limits = &mut policy.global.spending.tier_overdrafts;
        limits.insert("gold".to_owned(), 1);
    });
    for (credits, change, expect) in rows {
        let account = modify(account(BO, credits), change);
        let bookings = ["a", "b", "c"];
        let pending = (0..).zip(bookings);
        let pending = pending.map(|(slot, name)| booking_by(name, BO, 2 * slot, slot));
        let planned = describe_planned(&snapshot(pending.collect(), vec![account]), &policy);
        for ((name, expect), line) in bookings.iter().zip(expect).zip(&planned) {
            let ending = format!("hold {name} {expect}");
            // A decline for credit is postponed until what the plan has spent or lent is settled.
            let declines = format!("decline {name}");
            let fits = match expect {
                "postponed" => !line.contains("hold") && !line.ends_with(&declines),
                _ => line.ends_with(&ending),
            };
            assert!(fits, "{name}: {line}, expected {expect}");
        }
    }
}

#[test]
fn lent_credits_are_settled_by_the_next_credits_and_come_back_to_their_lot() {
    let mut memory = InMemoryLedger::default();
    let facts = [
        grant_fact("g1", BO, 1, None),
        decided_fact(modify(intent("a", &["a"]), |request| {
            request.account = Some(account_id(BO));
        })),
    ];
    commit(&mut memory, now(), &facts);
    commit(&mut memory, now(), &[hold_with_overdraft("a", 2)]);
    let debt = |memory: &InMemoryLedger| bo(memory).totals.debt();
    assert_eq!((bo(&memory).available(now()), debt(&memory)), (1, 2));
    let post = Fact::Charge(ChargeFact::Post { booking: uid("a") });
    commit(&mut memory, now(), &[post]);
    // A grant settles what it can.
    commit(&mut memory, now(), &[grant_fact("g2", BO, 1, None)]);
    assert_eq!((bo(&memory).available(now()), debt(&memory)), (1, 1));
    // A refund settles the rest, and what is over comes back to the lot that paid.
    let refund = |credits, close| {
        Fact::Charge(ChargeFact::Refund {
            booking: uid("a"),
            parts: vec![RefundPart {
                grant: grant_reference("overdraft a"),
                credits,
                replacement_lot: None,
            }],
            close,
            reason: "".into(),
        })
    };
    commit(&mut memory, now(), &[refund(2, true)]);
    assert_eq!((bo(&memory).available(now()), debt(&memory)), (2, 0));
    assert_eq!(names(bo(&memory)), ["g1", "overdraft a"]);
}

#[test]
fn credits_that_are_passed_on_keep_expiry_age_and_terms_and_settle_a_debt() {
    let mut memory = InMemoryLedger::default();
    let terms = LotTerms {
        source: LotSource::Promotional,
        priority: 3,
        ..LotTerms::default()
    };
    let expires = Some(at_minute(600));
    commit(
        &mut memory,
        at_minute(1),
        &[grant_with("g", 5, expires, terms.clone())],
    );
    let transfer = |name: &str, credits| {
        Fact::Credit(CreditFact::Transfer {
            reference: grant_reference(name),
            account: account_id(BO),
            to: account_id(AL),
            parts: vec![part("g", credits)],
            reason: String::new(),
        })
    };
    commit(&mut memory, at_minute(2), &[transfer("t", 2)]);
    let al = &memory.accounts[&account_id(AL)];
    assert_eq!(al.totals.received, 2);
    let expect = Lot {
        grant: grant_reference("t lot 1"),
        granted: 2,
        remaining: 2,
        expires,
        granted_at: at_minute(1),
        terms,
    };
    assert_eq!(al.lots, [expect]);
    let again = memory.commit(at_minute(3), &[transfer("t", 1)]);
    let used = Violation::ReferenceUsed(grant_reference("t"));
    assert_eq!(again, Err(used));
    let too_much = memory.commit(at_minute(3), &[transfer("t2", 4)]);
    assert_eq!(too_much, Err(Violation::LotShort(grant_reference("g"))));
}

#[test]
fn a_freeze_can_stop_the_expiry_and_its_end_extends_what_was_left() {
    let freeze = |reason: Option<&str>, stops_expiry| {
        Fact::Account(AccountFact::FreezeChanged {
            account: account_id(BO),
            reason: reason.map(str::to_owned),
            stops_expiry,
        })
    };
    for stops_expiry in [false, true] {
        let mut memory = InMemoryLedger::default();
        let grants = [
            grant_fact("over", BO, 1, Some(at_minute(5))),
            grant_fact("short", BO, 1, Some(at_minute(20))),
            grant_fact("never", BO, 1, None),
        ];
        commit(&mut memory, at_minute(0), &grants);
        commit(
            &mut memory,
            at_minute(10),
            &[freeze(Some("away"), stops_expiry)],
        );
        // A new reason does not restart the freeze.
        commit(
            &mut memory,
            at_minute(30),
            &[freeze(Some("ill"), stops_expiry)],
        );
        let left_while_frozen = bo(&memory).available(at_minute(60));
        assert_eq!(left_while_frozen, if stops_expiry { 2 } else { 1 });
        let expire = Fact::Credit(CreditFact::Expire {
            account: account_id(BO),
            part: part("short", 1),
        });
        let expired = memory.clone().commit(at_minute(60), &[expire]);
        assert_eq!(expired.is_ok(), !stops_expiry);
        commit(&mut memory, at_minute(70), &[freeze(None, false)]);
        let lots = &bo(&memory).lots;
        let expiry_of = |name: &str| {
            let lot = lots.iter().find(|lot| lot.grant.as_str() == name);
            lot.and_then(|lot| lot.expires)
        };
        let short = if stops_expiry { 80 } else { 20 };
        assert_eq!(expiry_of("over"), Some(at_minute(5)));
        assert_eq!(expiry_of("short"), Some(at_minute(short)));
        let record = &memory.grants[&grant_reference("short")];
        assert_eq!(record.expires, Some(at_minute(short)));
    }
}

#[test]
fn credits_last_for_a_time_after_the_first_booking_that_they_paid_for() {
    let terms = LotTerms {
        lasts_after_first_use: Some(Span::minutes(100)),
        ..LotTerms::default()
    };
    // the expiry of the grant, and that after the first booking was confirmed at minute 10
    let rows = [(None, 110), (Some(500), 110), (Some(50), 50)];
    for (expires, after) in rows {
        let mut memory = InMemoryLedger::default();
        let expires = expires.map(at_minute);
        let intent = |name: &str| {
            decided_fact(modify(intent(name, &[name]), |request| {
                request.account = Some(account_id(BO));
            }))
        };
        commit(
            &mut memory,
            at_minute(0),
            &[
                grant_with("g", 3, expires, terms.clone()),
                intent("a"),
                intent("b"),
            ],
        );
        let hold = |name: &str| hold_fact(name, name, BO, vec![part("g", 1)]);
        commit(&mut memory, at_minute(5), &[hold("a"), hold("b")]);
        assert_eq!(bo(&memory).lots[0].expires, expires, "a hold is no use");
        let post = |name: &str| Fact::Charge(ChargeFact::Post { booking: uid(name) });
        commit(&mut memory, at_minute(10), &[post("a")]);
        commit(&mut memory, at_minute(20), &[post("b")]);
        assert_eq!(bo(&memory).lots[0].expires, Some(at_minute(after)));
    }
}
