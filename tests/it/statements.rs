//! Statements and monthly accounts, as the built binary prints them, of a ledger with every kind of
//! entry.

use maitred::domain::account::LotPart;
use maitred::domain::actor::{Actor, ActorInterface};
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart};
use maitred::domain::lot::{LotSource, LotTerms};
use maitred::domain::time::Time;
use maitred::store::port::{Maintenance as _, Store as _};

use crate::fixture::binary::BinaryFixture;
use crate::fixture::store_support::{
    account, confirm_intent, decided_fact, grant_fact, hold_fact, lot_part, open_small,
    outcome_fact, post_fact, reference, uid,
};

const BO: &str = "bo@example.com";
const AL: &str = "al@example.com";
const NEW: &str = "bo@new.example";

fn november(day: u32) -> Time {
    format!("2025-11-{day:02}T09:30:00Z").parse().unwrap()
}

fn by_ada() -> Fact {
    Fact::By(Actor {
        uid: Some(1000),
        interface: ActorInterface::Command,
        name: Some("Ada".to_owned()),
    })
}

fn grant_with(name: &str, credits: u64, terms: LotTerms, expires: Option<Time>) -> Fact {
    Fact::Credit(CreditFact::Grant {
        reference: reference(name),
        account: account(BO),
        credits,
        expires,
        terms,
        reason: "=1+1 for all".to_owned(),
    })
}

fn transfer(name: &str, from: &str, to: &str, part: LotPart) -> Fact {
    Fact::Credit(CreditFact::Transfer {
        reference: reference(name),
        account: account(from),
        to: account(to),
        parts: vec![part],
        reason: "a present".to_owned(),
    })
}

fn freeze(reason: Option<&str>) -> Fact {
    Fact::Account(AccountFact::FreezeChanged {
        account: account(BO),
        reason: reason.map(str::to_owned),
        stops_expiry: false,
    })
}

/// A month with every kind of entry: Bo's account is merged into another one in the end.
fn entries() -> Vec<(u32, Vec<Fact>)> {
    let decided = |id: &str, day: u32| decided_fact(confirm_intent(id, &[id], november(day)));
    let mut overdraft = hold_fact(
        "b1",
        "b1",
        BO,
        vec![lot_part("g1", 4), lot_part("t1 lot 1", 3)],
    );
    if let Fact::Charge(ChargeFact::Hold { lent, .. }) = &mut overdraft {
        *lent = 1;
    }
    let promotional = LotTerms {
        source: LotSource::Promotional,
        priority: 5,
        gates: ["book-club".to_owned()].into(),
        ..LotTerms::default()
    };
    let allowance = LotTerms {
        source: LotSource::Allowance,
        ..LotTerms::default()
    };
    let refund = RefundPart {
        grant: reference("g1"),
        credits: 2,
        replacement_lot: Some((reference("back 1"), "2099-01-01T00:00:00Z".parse().unwrap())),
    };
    vec![
        (1, vec![by_ada(), grant_fact("g1", BO, 5)]),
        (
            2,
            vec![grant_with("g2", 2, promotional, Some(november(10)))],
        ),
        (3, vec![grant_fact("ga", AL, 4)]),
        (3, vec![by_ada(), transfer("t1", AL, BO, lot_part("ga", 3))]),
        (4, vec![transfer("t2", BO, AL, lot_part("g1", 1))]),
        (5, vec![decided("b1", 5), overdraft]),
        (
            5,
            vec![
                post_fact("b1"),
                outcome_fact("b1", DecisionOutcome::Confirmed),
            ],
        ),
        (6, vec![grant_with("g3", 2, allowance, None)]),
        (
            7,
            vec![
                decided("b2", 7),
                hold_fact("b2", "b2", BO, vec![lot_part("g3", 1)]),
            ],
        ),
        (
            7,
            vec![
                Fact::Charge(ChargeFact::Void {
                    booking: uid("b2"),
                    reason: "the booking is gone".into(),
                    refund_parts: Vec::new(),
                }),
                outcome_fact("b2", DecisionOutcome::Superseded),
            ],
        ),
        (
            11,
            vec![Fact::Credit(CreditFact::Expire {
                account: account(BO),
                part: lot_part("g2", 2),
            })],
        ),
        (
            12,
            vec![Fact::Charge(ChargeFact::Refund {
                booking: uid("b1"),
                parts: vec![refund],
                close: false,
                reason: "cancelled in part".into(),
            })],
        ),
        (13, vec![freeze(Some("dues are open"))]),
        (13, vec![freeze(None)]),
        (
            14,
            vec![Fact::Credit(CreditFact::Revoke {
                reference: reference("r1"),
                account: account(BO),
                parts: vec![lot_part("back 1", 1)],
                reason: "granted twice".to_owned(),
            })],
        ),
        (
            15,
            vec![Fact::Account(AccountFact::Opened {
                account: account(NEW),
            })],
        ),
        (
            15,
            vec![
                by_ada(),
                Fact::Account(AccountFact::Merged {
                    account: account(BO),
                    into: account(NEW),
                    credits: 2,
                    charges: vec![uid("b1")],
                    reason: "one person".to_owned(),
                }),
            ],
        ),
        // Al has an open hold.
        (16, {
            let mut request = confirm_intent("b3", &["b3"], november(16));
            request.account = Some(account(AL));
            let hold = hold_fact("b3", "b3", AL, vec![lot_part("ga", 1)]);
            vec![decided_fact(request), hold]
        }),
    ]
}

fn fixture() -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    let mut store = open_small(&fixture.path("ledger")).unwrap().store;
    for (day, facts) in entries() {
        let done = store.commit(november(day), facts, &[]);
        done.unwrap_or_else(|error| panic!("on day {day}: {error:?}"));
    }
    store.close().unwrap();
    fixture
}

fn statement(fixture: &BinaryFixture, account: &str, more: &[&str]) -> String {
    let mut words = vec!["account", "statement", account];
    words.extend(more);
    fixture.run_ok(&words).out
}

const NOVEMBER: [&str; 4] = ["--from", "2025-11-01", "--to", "2025-11-30"];

#[test]
fn a_statement_has_every_kind_of_entry_with_change_and_balance() {
    let fixture = fixture();
    insta::assert_snapshot!("statement_plain", statement(&fixture, BO, &NOVEMBER));
    let csv = |account: &str| {
        let words = [&NOVEMBER[..], &["--format", "csv"]].concat();
        statement(&fixture, account, &words)
    };
    insta::assert_snapshot!("statement_csv", csv(BO));
    insta::assert_snapshot!("statement_of_the_successor", csv(NEW));
    // Each balance is the one before it with the change.
    for account in [BO, AL, NEW] {
        let text = csv(account);
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        let mut balance = 0;
        for row in rows.records() {
            let row = row.unwrap();
            balance += row[5].parse::<i64>().unwrap();
            assert_eq!(row[6], balance.to_string(), "{account}: {row:?}");
        }
    }
    fixture.run_ok(&["ledger", "verify"]);
}

#[test]
fn periods_meet_and_their_days_are_inclusive() {
    let fixture = fixture();
    let period = |from: &str, to: &str| {
        let words = ["--from", from, "--to", to, "--format", "json"];
        let text = statement(&fixture, BO, &words);
        let view: serde_json::Value = serde_json::from_str(&text).unwrap();
        view["period"].clone()
    };
    let first = period("2025-11-01", "2025-11-05");
    assert_eq!(first["opening"], 0);
    assert_eq!(first["closing"], 1);
    let second = period("2025-11-06", "2025-11-15");
    assert_eq!(second["opening"], 1);
    assert_eq!(second["closing"], 0);
    for words in [
        &["--from", "2025-11-06", "--to", "2025-11-05"][..],
        &["--to", "30d"],
        &["--from", "someday"],
        &["--from", "2025-11-06", "--limit", "5"],
    ] {
        let mut all = vec!["account", "statement", BO];
        all.extend(words);
        let refused = fixture.run(&all);
        assert_eq!(refused.code, 2, "{words:?}: {}", refused.all_output());
    }
}

#[test]
fn a_merged_account_names_its_successor_and_a_hold_is_shown() {
    let fixture = fixture();
    let merged = statement(&fixture, BO, &[]);
    assert!(
        merged.contains("The account was merged into bo@new.example"),
        "{merged}"
    );
    let page = statement(
        &fixture,
        BO,
        &[&NOVEMBER[..], &["--format", "html"]].concat(),
    );
    for part in [
        "merged into bo@new.example",
        "Balance at the beginning",
        "passed on",
        "received",
        "Entries, oldest first",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("dues are open") && !page.contains("Ada"),
        "{page}"
    );
    let held = statement(&fixture, AL, &[]);
    assert!(held.contains("On hold:"), "{held}");
    assert!(held.contains("“Book club between Bo and Ann”"), "{held}");
    // The charge that went along is refunded to the successor, and the old account stays as it was.
    fixture.run_ok(&["charges", "settle", "b1", "refund"]);
    let new = statement(&fixture, NEW, &["--format", "csv"]);
    assert!(
        new.lines().nth(1).unwrap().contains(",refund,6,6,8,"),
        "{new}"
    );
    let old = statement(&fixture, BO, &[]);
    let words: Vec<&str> = old.split_whitespace().collect();
    assert_eq!(
        words.join(" ").matches("cancelled in part").count(),
        1,
        "{old}"
    );
    assert_eq!(
        words.iter().filter(|word| **word == "refund").count(),
        1,
        "{old}"
    );
}

#[test]
fn monthly_accounts_add_up() {
    let fixture = fixture();
    let words = [
        "credits",
        "accounting",
        "--from",
        "2025-10",
        "--to",
        "2025-12",
    ];
    let run = |more: &[&str]| fixture.run_ok(&[&words[..], more].concat()).out;
    insta::assert_snapshot!("accounting_plain", run(&[]));
    insta::assert_snapshot!("accounting_csv", run(&["--format", "csv"]));
    let view: serde_json::Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
    let mut closing = 0;
    for month in view["months"].as_array().unwrap() {
        let number = |name: &str| month[name].as_i64().unwrap();
        assert_eq!(number("opening"), closing);
        let came_in: i64 = [
            "granted_paid",
            "granted_promotional",
            "granted_allowance",
            "refunded",
            "restored",
            "lent",
        ]
        .map(number)
        .iter()
        .sum();
        let went_out: i64 = ["repaid", "used", "expired", "revoked"]
            .map(number)
            .iter()
            .sum();
        closing = number("closing");
        assert_eq!(number("opening") + came_in - went_out, closing);
    }
    assert_eq!(closing, 4);
    for words in [
        &["credits", "accounting", "--from", "2025"][..],
        &["credits", "list", BO, "--format", "csv"],
    ] {
        assert_eq!(fixture.run(words).code, 2, "{words:?}");
    }
}
