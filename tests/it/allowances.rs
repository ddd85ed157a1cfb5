//! Allowances with the built binary: what a plan shows, and that a second run grants nothing, also
//! without what the first run remembered.

use std::fs;

use serde_json::Value;

use maitred::domain::allowance::account_hash;
use maitred::domain::id::AccountId;

use crate::fixture::binary::{BinaryFixture, Daemon, wait_until};

const BO: &str = "bo@example.com";

/// A period that does not end while the test runs, except at the turn of the year.
const YEARLY: &str = "\n[[allowance]]\nname = \"yearly\"\ncredits = 4\nper = \"year\"\n";

fn json(fixture: &BinaryFixture, args: &[&str]) -> Value {
    fixture
        .run_ok(&[args, &["--format", "json"]].concat())
        .json()
}

/// Returns a fixture whose member has no credits left.
fn fixture_with_allowance() -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "1", "--new"]);
    fixture.run_ok(&["credits", "revoke", BO, "1"]);
    fixture.configure("v2", &fixture.sandbox.base_url(), YEARLY);
    fixture
}

#[test]
fn a_plan_shows_what_is_due_and_two_runs_grant_it_once() {
    let fixture = fixture_with_allowance();
    let booking = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let plan = json(&fixture, &["plan"]);
    let granted = &plan["allowances"][0];
    assert_eq!(granted["allowance"], "yearly");
    assert_eq!(
        (&granted["accounts"], &granted["credits"]),
        (&1.into(), &4.into())
    );
    assert_eq!(
        plan["steps"][0]["decision"], "confirm",
        "as if it were granted"
    );
    assert_eq!(fixture.run(&["plan", "--exit-code"]).code, 3);
    assert_eq!(fixture.balance(BO).0, 0, "a plan writes nothing");

    let run = json(&fixture, &["run", "--once"]);
    assert_eq!(run["allowances"][0]["credits"], 4);
    assert_eq!(fixture.status(&booking), "accepted");
    assert_eq!(fixture.balance(BO), (3, 0, 1));

    let again = json(&fixture, &["run", "--once"]);
    assert!(again["allowances"].is_null(), "{again}");
    for damaged in ["", "nonsense"] {
        fs::write(fixture.path("ledger/allowances"), damaged).unwrap();
        let again = json(&fixture, &["run", "--once"]);
        assert!(again["allowances"].is_null(), "{again}");
    }
    assert_eq!(fixture.balance(BO), (3, 0, 1));
    let statement = fixture.run_ok(&["account", "statement", BO]).out;
    assert!(statement.contains("allowance yearly"), "{statement}");
    fixture.run_ok(&["ledger", "verify"]);
}

#[test]
fn a_daemon_grants_to_accounts_that_are_opened_while_it_runs() {
    let fixture = fixture_with_allowance();
    let daemon = Daemon::start(&fixture);
    wait_until("the first grant", || fixture.balance(BO).0 == 4);
    fixture.run_ok(&["credits", "grant", "al@other.org", "2"]);
    wait_until("the grant of a new account", || {
        fixture.balance("al@other.org").0 == 6
    });
    // The file is written by a pass; a later daemon reads no account again.
    assert_eq!(daemon.terminate().0, 0);
    assert!(fixture.path("ledger/allowances").exists());
    let daemon = Daemon::start(&fixture);
    fixture.run_ok(&["pass"]);
    assert_eq!(fixture.balance(BO).0, 4);
    assert_eq!(daemon.terminate().0, 0);
}

/// A person who knows an address can compute its hash.
#[test]
fn an_erased_member_leaves_no_hash_in_references() {
    let fixture = fixture_with_allowance();
    fixture.run_ok(&["run", "--once"]);
    let bo = AccountId::parse(BO).unwrap();
    let hash = account_hash(&bo);
    let references = |fixture: &BinaryFixture| fixture.run_ok(&["ledger", "export"]).out;
    assert!(references(&fixture).contains(&hash));
    fixture.run_ok(&["account", "erase", BO, "--reason", "asked for", "--yes"]);
    let exported = references(&fixture);
    assert!(exported.contains("allowance/yearly/"), "{exported}");
    assert!(!exported.contains(&hash), "{exported}");
    fixture.run_ok(&["ledger", "verify"]);
    let again = json(&fixture, &["run", "--once"]);
    assert!(again["allowances"].is_null(), "{again}");
}
