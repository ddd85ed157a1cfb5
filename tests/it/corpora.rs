//! Runs every file of every fuzz corpus through its target: the inputs that the fuzzer once found
//! interesting, and the seeds that it started with. `fuzz/run.sh` runs the fuzzer itself.

#[path = "corpora/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::mem::discriminant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use maitred::config::parse::parse;
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::fact::{
    AccountFact, ChargeFact, CreditFact, Fact, RequestFact, UnresolvedFact,
};
use maitred::domain::ledger_state::LedgerFact;
use maitred::store::codec::fact;

/// With more files than this, the corpora become a burden.
const MAX_FILES: usize = 120;

#[test]
fn every_corpus_file_passes_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut failed = Vec::new();
    for (name, _) in targets::TARGETS {
        let folder = root.join(name);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let count = files.len();
        assert!((1..=MAX_FILES).contains(&count), "{name}: {count} files");
        for path in files {
            let bytes = fs::read(&path).unwrap();
            if catch_unwind(AssertUnwindSafe(|| targets::run(name, &bytes))).is_err() {
                failed.push(path.display().to_string());
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The seeds contain every kind of fact that is written, and every part that a fact may have.
#[test]
fn every_kind_of_fact_is_among_the_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/record");
    let (mut kinds, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if bytes.first() != Some(&b'[') {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("format-1") {
            continue;
        }
        let facts = fact::read(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for fact in &facts {
            kinds.insert(fact_kind(fact));
            if let Fact::Request(RequestFact::CallRecorded { call, .. }) = fact {
                ends.insert(format!("{:?}", discriminant(&call.end)));
            }
        }
    }
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
    assert_eq!(ends.len(), 5, "every end of a call");
}

/// How many names [`fact_kind`] returns.
const KINDS: usize = 40;

/// Returns the name of a fact's kind. A new kind, or a new part of a kind that old logs do not
/// have, needs a seed and a name here.
fn fact_kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Account(AccountFact::Opened { .. }) => "opened",
        Fact::Account(AccountFact::AliasAdded { .. }) => "aliased",
        Fact::Account(AccountFact::AliasRemoved { .. }) => "unaliased",
        Fact::Account(AccountFact::Described { .. }) => "described",
        Fact::Account(AccountFact::FreezeChanged {
            stops_expiry: true, ..
        }) => "frozen without expiry",
        Fact::Account(AccountFact::FreezeChanged { .. }) => "frozen",
        Fact::Account(AccountFact::OverdraftChanged { .. }) => "overdraft",
        Fact::Account(AccountFact::Closed { .. }) => "account closed",
        Fact::Account(AccountFact::Reopened { .. }) => "account reopened",
        Fact::Account(AccountFact::Merged { .. }) => "merged",
        Fact::Account(AccountFact::PinChanged { .. }) => "pinned",
        Fact::Credit(CreditFact::Grant { terms, .. }) if terms.priority != 0 => "grant with terms",
        Fact::Credit(CreditFact::Grant { .. }) => "grant",
        Fact::Credit(CreditFact::Transfer { .. }) => "transfer",
        Fact::Credit(CreditFact::Revoke { .. }) => "revoke",
        Fact::Credit(CreditFact::Expire { .. }) => "expire",
        Fact::Charge(ChargeFact::Hold { lent: 1.., .. }) => "hold with an overdraft",
        Fact::Charge(ChargeFact::Hold { terms: None, .. }) => "hold",
        Fact::Charge(ChargeFact::Hold { .. }) => "hold with terms",
        Fact::Charge(ChargeFact::Post { .. }) => "post",
        Fact::Charge(ChargeFact::Void {
            refund_parts: back, ..
        }) if back.is_empty() => "void",
        Fact::Charge(ChargeFact::Void { .. }) => "void to new lots",
        Fact::Charge(ChargeFact::Refund { .. }) => "refund",
        Fact::Charge(ChargeFact::Move {
            non_refundable: 0, ..
        }) => "move",
        Fact::Charge(ChargeFact::Move { .. }) => "move that keeps",
        Fact::Charge(ChargeFact::Closed { .. }) => "closed",
        Fact::Request(RequestFact::Decided { request }) if request.pin_attempt.is_some() => {
            "decided after a PIN"
        }
        Fact::Request(RequestFact::Decided { .. }) => "decided",
        Fact::Request(RequestFact::Reviewed { .. }) => "reviewed",
        Fact::Request(RequestFact::CallRecorded { .. }) => "called",
        Fact::Request(RequestFact::IntentSettled {
            outcome: DecisionOutcome::Refused,
            ..
        }) => "settled as refused",
        Fact::Request(RequestFact::IntentSettled { .. }) => "settled",
        Fact::Unresolved(UnresolvedFact::Listed { .. }) => "unresolved",
        Fact::Unresolved(UnresolvedFact::Resolved { .. }) => "resolved",
        Fact::Ledger(LedgerFact::Identified { .. }) => "identified",
        Fact::Ledger(LedgerFact::Restored { .. }) => "restored",
        Fact::Ledger(LedgerFact::RestoreAccepted { .. }) => "restore accepted",
        Fact::Ledger(LedgerFact::Paused { .. }) => "paused",
        Fact::Ledger(LedgerFact::Resumed { .. }) => "resumed",
        Fact::By(_) => "by",
    }
}

/// The fuzzer starts with all existing keys.
#[test]
fn the_seed_of_configurations_is_the_shipped_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let shipped = read("config.toml");
    let hint = "copy config.toml there, and once more with its examples switched on";
    assert!(read("fuzz/corpus/config/shipped") == shipped, "{hint}");
    let switched_on = |line: &'_ str| {
        let bare = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
        bare.unwrap_or(line).to_owned() + "\n"
    };
    let all: String = shipped.lines().map(switched_on).collect();
    assert!(
        read("fuzz/corpus/config/shipped-with-examples") == all,
        "{hint}"
    );
    assert!(parse(&all, "config.toml").is_ok(), "it can be used");
}

#[test]
fn every_target_has_a_fuzzer_and_every_fuzzer_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<String> = targets::TARGETS
        .iter()
        .map(|(name, _)| format!("{name}.rs"))
        .collect();
    names.sort();
    assert_eq!(files, names);
}
