//! Erasing a person: nothing of them is left in any file of the ledger, every sum stays, and a crash
//! at any step leaves either everything or nothing.

use std::fs;
use std::io::BufReader;
use std::path::Path;

use crate::fixture::store_support::{
    account, address, at, call_fact, confirm_intent, confirmed_facts, decided_fact, grant_fact,
    lot_part, open, open_small, outcome_fact, reference, uid,
};
use maitred::domain::account::Totals;
use maitred::domain::decision::{Decision, DecisionOutcome};
use maitred::domain::entry_reason::{EntryCode, RecordedActor};
use maitred::domain::erasure::names::Pseudonym;
use maitred::domain::erasure::{ErasedPerson, Redaction};
use maitred::domain::fact::{
    AccountFact, ChargeFact, CreditFact, Fact, RefundPart, UnresolvedFact,
};
use maitred::domain::request::{CallKind, PinAttempt, Request, RequestState};
use maitred::domain::time::Span;
use maitred::domain::unresolved::UnresolvedCode;
use maitred::store::backup::{self, CopyError};
use maitred::store::backup_check;
use maitred::store::erasure_list::{self, ErasureList};
use maitred::store::ledger_transfer::{self, TransferError};
use maitred::store::log_store::LogStore;
use maitred::store::log_switch;
use maitred::store::open_report::OpenNotice;
use maitred::store::port::{CommitSource, Maintenance, RewriteOrder, Store, StoreError};
use maitred::store::rewrite_store::{ALL_PREPARED, DECIDED, LOG_WRITTEN, PROJECTION_MADE};

const BO: &str = "bo@example.com";

/// What may be left of the person in no file.
const TRACES: [&str; 7] = [
    "bo@example.com",
    "bo@home.example",
    "bo@work.example",
    "bo@old.example",
    "Bo Roe",
    "argon2-of-bo",
    "fingerprint-of-bo",
];

/// Commits a history of a member with every kind of personal data, and one of another member.
fn fill(store: &mut LogStore) {
    let bo = || account(BO);
    let member = |fact: AccountFact| Fact::Account(fact);
    let mut waiting: Request = confirm_intent("waits", &["waits"], at(7));
    waiting.decision = Decision::Wait { until: None };
    waiting.state = RequestState::Noted;
    waiting.call = None;
    waiting.title = "Lesson of Bo Roe".to_owned();
    waiting.reasons[0].text = "bo@example.com has 0".to_owned();
    waiting.pin_attempt = Some(PinAttempt {
        is_correct: false,
        origin: "fingerprint-of-bo".to_owned(),
    });
    let mut declined: Request = confirm_intent("declined", &["declined"], at(8));
    declined.booker = Some(address("bo@old.example"));
    declined.account = None;
    declined.decision = Decision::Decline;
    declined.call = Some(CallKind::Decline);
    declined.booker_text = Some("Sorry, Bo Roe".to_owned());
    let mut confirmed = confirmed_facts("lesson", BO, "dues-BO@example.com-2026", at(6));
    if let Fact::Request(maitred::domain::fact::RequestFact::Decided { request }) =
        &mut confirmed[0]
    {
        std::sync::Arc::make_mut(request).title = "Bo Roe plays".to_owned();
    }
    let commits = [
        vec![
            grant_fact("dues-BO@example.com-2026", BO, 5),
            grant_fact("g-al", "al@example.com", 2),
        ],
        vec![
            member(AccountFact::AliasAdded {
                account: bo(),
                alias: address("bo@work.example"),
            }),
            member(AccountFact::AliasAdded {
                account: bo(),
                alias: address("bo@old.example"),
            }),
            member(AccountFact::Described {
                account: bo(),
                tier: Some("Bo Roe".to_owned()),
                tags: ["Bo Roe".to_owned()].into(),
                attributes: [("name".to_owned(), "Bo Roe".to_owned())].into(),
            }),
            member(AccountFact::PinChanged {
                account: bo(),
                hash: Some("argon2-of-bo".to_owned()),
            }),
            member(AccountFact::FreezeChanged {
                account: bo(),
                reason: Some("Bo Roe owes".to_owned()),
                stops_expiry: false,
            }),
            member(AccountFact::FreezeChanged {
                account: account("al@example.com"),
                reason: Some("a friend of Bo@Example.com".to_owned()),
                stops_expiry: false,
            }),
        ],
        confirmed,
        vec![decided_fact(waiting)],
        vec![
            decided_fact(declined),
            call_fact("declined", true, at(9)),
            outcome_fact("declined", DecisionOutcome::Declined),
        ],
        vec![member(AccountFact::AliasRemoved {
            account: bo(),
            alias: address("bo@old.example"),
        })],
        vec![Fact::Unresolved(UnresolvedFact::Listed {
            booking: crate::fixture::store_support::booking("stray"),
            code: UnresolvedCode::Unmanaged,
            account: None,
            until: None,
            detail: "Bo Roe <bo@work.example> booked".to_owned(),
        })],
        vec![Fact::Charge(ChargeFact::Refund {
            booking: uid("lesson"),
            parts: vec![RefundPart {
                grant: reference("dues-BO@example.com-2026"),
                credits: 1,
                replacement_lot: None,
            }],
            close: true,
            reason: EntryCode::Cancelled {
                by: RecordedActor::Other(Some(address("bo@work.example"))),
                notice: Span::hours(3),
            }
            .into(),
        })],
        vec![grant_fact("home", "bo@home.example", 3)],
        vec![member(AccountFact::Merged {
            account: account("bo@home.example"),
            into: bo(),
            credits: 3,
            charges: Vec::new(),
            reason: "Bo Roe twice".to_owned(),
        })],
        vec![member(AccountFact::AliasRemoved {
            account: bo(),
            alias: address("bo@home.example"),
        })],
        vec![Fact::Credit(CreditFact::Transfer {
            reference: reference("gift of bo@example.com"),
            account: bo(),
            to: account("al@example.com"),
            parts: vec![lot_part("home", 2)],
            reason: "Bo Roe shares".to_owned(),
        })],
        vec![Fact::Credit(CreditFact::Revoke {
            reference: reference("al-back"),
            account: account("al@example.com"),
            parts: vec![lot_part("gift of bo@example.com lot 1", 1)],
            reason: String::new(),
        })],
        vec![Fact::Credit(CreditFact::Revoke {
            reference: reference("typo of bo@example.com"),
            account: bo(),
            parts: vec![lot_part("dues-BO@example.com-2026", 1)],
            reason: "Bo Roe".to_owned(),
        })],
    ];
    for (number, facts) in (0..).zip(commits) {
        store.commit(at(number * 1_000), facts, &[]).unwrap();
    }
}

fn erasure() -> RewriteOrder {
    let person = ErasedPerson::new(&account(BO), Pseudonym::new("1a2b3c4d", BO))
        .with_address(&address("bo@work.example"));
    RewriteOrder {
        closing: vec![Fact::Account(AccountFact::FreezeChanged {
            account: person.account_pseudonym(),
            reason: Some("erased: asked for it".to_owned()),
            stops_expiry: false,
        })],
        redaction: Redaction::of_persons(vec![person]),
        at: at(100_000),
    }
}

/// Returns the files below the directory that hold a trace of the person.
fn traces(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(traces(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
        for trace in TRACES {
            let trace = trace.to_lowercase();
            if bytes
                .windows(trace.len())
                .any(|window| window == trace.as_bytes())
            {
                found.push(format!("{}: {trace}", path.display()));
            }
        }
    }
    found
}

/// Returns the sums of the account and of the whole ledger.
fn sums(store: &LogStore, name: &str) -> Option<(Totals, u64, String)> {
    let there = store.account(&account(name)).unwrap()?;
    let totals = store.daily_totals(at(0).date_naive(), at(0).date_naive());
    Some((
        there.totals,
        there.available(at(1)),
        format!("{:?}", totals.unwrap()),
    ))
}

fn assert_intact(store: &LogStore) {
    let verified = Maintenance::verify(store).unwrap();
    assert_eq!(verified.differences, Vec::<String>::new());
}

#[test]
fn nothing_of_the_person_is_left_and_every_sum_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_small(dir.path()).unwrap().store;
    fill(&mut store);
    fs::create_dir(dir.path().join("notify")).unwrap();
    let told = dir.path().join("notify/shop");
    fs::write(&told, r#"{"after":"bo@example.com"}"#).unwrap();
    fs::create_dir(dir.path().join("projection.doubtful-1")).unwrap();
    fs::write(dir.path().join("projection.doubtful-1/db"), BO).unwrap();
    assert!(traces(dir.path()).len() > 10, "they are found");
    let before = sums(&store, BO).unwrap();
    let old_head = store.head();
    let commits = store.commits(0, 100).unwrap();
    let report = store.rewrite(erasure(), &mut |_| {}).unwrap();
    assert_eq!(report.replaced, old_head);
    assert_eq!(report.head.seq, old_head.seq + 1, "the closing commit");
    assert_eq!(traces(dir.path()), Vec::<String>::new());
    assert_eq!(
        fs::read_to_string(&told).unwrap(),
        r#"{"after":"erased-1a2b3c4d"}"#
    );
    assert!(store.resolve(&address(BO)).unwrap().is_none());
    assert!(
        store
            .resolve(&address("bo@work.example"))
            .unwrap()
            .is_none()
    );
    assert_eq!(sums(&store, "erased-1a2b3c4d").unwrap(), before);
    let frozen = store.account(&account("erased-1a2b3c4d")).unwrap().unwrap();
    assert_eq!(
        frozen.freeze_reason.as_deref(),
        Some("erased: asked for it")
    );
    assert_eq!(frozen.tier, None);
    for (new, old) in store.commits(0, 100).unwrap().iter().zip(&commits) {
        assert_eq!((new.seq, new.at), (old.seq, old.at));
        assert_eq!(new.facts.len(), old.facts.len());
    }
    assert_intact(&store);
    // What is held and charged continues under the pseudonym, and the ledger can be written.
    store
        .commit(at(200_000), vec![grant_fact("again", BO, 1)], &[])
        .unwrap();
    store.close().unwrap();
    drop(store);
    let header = fs::read_to_string(dir.path().join("log/00000001.jsonl")).unwrap();
    let replaces = format!(
        r#""replaces":{{"seq":{},"hash":"{}"}}"#,
        old_head.seq, old_head.hash
    );
    assert!(
        header.lines().next().unwrap().contains(&replaces),
        "{header}"
    );
    let opened = open(dir.path()).unwrap();
    assert_eq!(opened.notices, [], "the projection is trusted");
    assert_eq!(sums(&opened.store, BO).unwrap().1, 1, "a new account");
}

#[test]
fn a_person_who_is_not_there_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_small(dir.path()).unwrap().store;
    store
        .commit(at(0), vec![grant_fact("g", "al@example.com", 1)], &[])
        .unwrap();
    let head = store.head();
    let report = store.rewrite(erasure(), &mut |_| {}).unwrap();
    assert_eq!((report.changed, &report.head), (0, &head));
    assert_eq!(store.head(), head);
    assert!(!dir.path().join(erasure_list::NAME).exists());
    assert!(!dir.path().join(log_switch::PREPARED).exists());
}

#[test]
fn a_crash_after_any_step_leaves_everything_or_nothing() {
    let before = [LOG_WRITTEN, PROJECTION_MADE, ALL_PREPARED];
    let after = std::iter::once(DECIDED).chain(log_switch::STEPS.iter().map(|(name, _)| *name));
    let rows = before.map(|step| (step, false)).into_iter();
    for (step, happened) in rows.chain(after.map(|step| (step, true))) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open_small(dir.path()).unwrap().store;
        fill(&mut store);
        let old = (store.head(), sums(&store, BO).unwrap());
        let stopped = store.rewrite_with(erasure(), &mut |_| {}, &mut |done| match done == step {
            true => Err(StoreError {
                text: "the power is gone".to_owned(),
                source: None,
            }),
            false => Ok(()),
        });
        let error = stopped.expect_err(step).to_string();
        assert_eq!(error.contains("start maitred"), happened, "{step}: {error}");
        if happened {
            let refused = store.commit(at(1), vec![grant_fact("x", BO, 1)], &[]);
            assert!(refused.is_err(), "{step}: this process must not write");
        } else {
            assert_eq!(store.head(), old.0, "{step}: nothing happened");
            // As if the process had been killed before it could give up.
            fs::create_dir_all(dir.path().join("rewrite/log")).unwrap();
            fs::write(dir.path().join("rewrite/log/00000001.jsonl"), "half").unwrap();
        }
        drop(store);
        if happened {
            let read = maitred::store::read_only::read(dir.path(), &mut |_| {}).expect(step);
            let id = account("erased-1a2b3c4d");
            assert!(
                read.store.account(&id).unwrap().is_some(),
                "{step}: reading"
            );
        }
        let opened = open_small(dir.path()).expect(step);
        let mut store = opened.store;
        let found = opened
            .notices
            .iter()
            .any(|notice| matches!(notice, OpenNotice::RewriteCompleted));
        let last = log_switch::STEPS.last().unwrap().0;
        assert_eq!(
            found,
            happened && step != last,
            "{step}: {:?}",
            opened.notices
        );
        if happened {
            assert_eq!(store.head().seq, old.0.seq + 1, "{step}");
        } else {
            assert_eq!(store.head(), old.0, "{step}");
            assert_eq!(sums(&store, BO).unwrap(), old.1, "{step}");
            store.rewrite(erasure(), &mut |_| {}).expect(step);
        }
        assert_eq!(sums(&store, "erased-1a2b3c4d").unwrap(), old.1, "{step}");
        assert_intact(&store);
        store.close().unwrap();
        drop(store);
        assert_eq!(traces(dir.path()), Vec::<String>::new(), "{step}");
        let list = ErasureList::read(dir.path()).unwrap();
        assert_eq!(list.entries().len(), 1, "{step}");
        assert!(list.entries()[0].has_name("bo@old.example"), "{step}");
    }
}

/// Returns a directory with the backup of a store that has the person, and the store, in which the
/// person was erased afterwards and came back as a new member.
fn backup_and_later_erasure() -> (tempfile::TempDir, LogStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = open_small(&path).unwrap().store;
    fill(&mut store);
    let to = dir.path().join("backups/one");
    backup::back_up(&path, &store.head(), &to, &mut |_| {}).unwrap();
    store.rewrite(erasure(), &mut |_| {}).unwrap();
    store
        .commit(at(200_000), vec![grant_fact("again", BO, 7)], &[])
        .unwrap();
    (dir, store)
}

#[test]
fn a_restore_of_an_older_backup_erases_first() {
    let (dir, mut store) = backup_and_later_erasure();
    let expect = sums(&store, "erased-1a2b3c4d").unwrap();
    store.close().unwrap();
    drop(store);
    let (path, from) = (dir.path().join("store"), dir.path().join("backups/one"));
    let rehearsed = backup_check::check(&from, &path, at(300_000), &mut |_| {}).unwrap();
    assert_eq!(rehearsed.erased, 1);
    assert_eq!(
        rehearsed.accounts, 3,
        "the person, the merged account and al"
    );
    assert!(
        !traces(&from).is_empty(),
        "the backup itself stays as it is"
    );
    // The ledger is lost; the list of erasures lies where it was, or in the place of the backups.
    for place in [path.clone(), dir.path().join("backups"), from.clone()] {
        let list = ErasureList::read(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
        fs::create_dir(&path).unwrap();
        list.write(&place).unwrap();
        let copied = backup::restore(&from, &path, at(300_000), &mut |_| {}).unwrap();
        assert_eq!((copied.erased, copied.erasures), (1, 1), "{place:?}");
        assert_eq!(traces(&path), Vec::<String>::new(), "{place:?}");
        let restored = open(&path).unwrap().store;
        let found = sums(&restored, "erased-1a2b3c4d").unwrap();
        assert_eq!((found.0, found.1), (expect.0, expect.1), "{place:?}");
        let there = restored
            .account(&account("erased-1a2b3c4d"))
            .unwrap()
            .unwrap();
        assert!(there.freeze_reason.is_some(), "{place:?}");
        assert!(restored.ledger_state().unwrap().restored_at.is_some());
        if place != path {
            fs::remove_file(place.join(erasure_list::NAME)).unwrap();
        }
    }
}

#[test]
fn a_backup_that_was_made_after_an_erasure_keeps_a_member_who_came_back() {
    let (dir, store) = backup_and_later_erasure();
    let to = dir.path().join("backups/two");
    let copied = backup::back_up(store.path(), &store.head(), &to, &mut |_| {}).unwrap();
    assert_eq!(copied.erasures, 1, "the list is in the backup");
    let path = dir.path().join("restored");
    let copied = backup::restore(&to, &path, at(300_000), &mut |_| {}).unwrap();
    assert_eq!(copied.erased, 0);
    let restored = open(&path).unwrap().store;
    assert_eq!(sums(&restored, BO).unwrap().1, 7);
}

#[test]
fn a_damaged_list_of_erasures_stops_a_restore() {
    let (dir, store) = backup_and_later_erasure();
    drop(store);
    let (path, from) = (dir.path().join("other"), dir.path().join("backups/one"));
    fs::write(from.join(erasure_list::NAME), "{}\n").unwrap();
    let refused = backup::restore(&from, &path, at(300_000), &mut |_| {});
    assert!(
        matches!(refused, Err(CopyError::Erasures(_))),
        "{refused:?}"
    );
    assert!(!path.join("log").exists());
}

/// Exports the store in full.
fn export(store: &LogStore) -> Vec<u8> {
    let mut text = Vec::new();
    ledger_transfer::export(store.path(), &store.head(), &mut text).unwrap();
    text
}

fn import(text: &[u8], path: &Path, moved: bool) -> Result<backup::LogCopy, TransferError> {
    let mut from = BufReader::new(text);
    ledger_transfer::import(&mut from, path, at(300_000), moved, &mut |_| {})
}

#[test]
fn an_export_moves_everything_and_the_next_export_is_the_same() {
    let (dir, store) = backup_and_later_erasure();
    let text = export(&store);
    let path = dir.path().join("moved");
    import(&text, &path, true).unwrap();
    let moved = open_small(&path).unwrap().store;
    assert_eq!(moved.head(), store.head());
    assert_eq!(export(&moved), text);
    assert_eq!(
        moved.commits(0, 1_000).unwrap(),
        store.commits(0, 1_000).unwrap()
    );
    assert_eq!(
        ErasureList::read(&path).unwrap(),
        ErasureList::read(store.path()).unwrap()
    );
    // Unless the ledger moved, it is marked as restored, and only that is new.
    let path = dir.path().join("copied");
    import(&text, &path, false).unwrap();
    let copied = open_small(&path).unwrap().store;
    assert!(copied.ledger_state().unwrap().restored_at.is_some());
    assert_eq!(copied.head().seq, store.head().seq + 1);
    let lines = |text: Vec<u8>| -> Vec<String> {
        let text = String::from_utf8(text).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let (old, new) = (lines(text), lines(export(&copied)));
    assert_eq!(new[1..old.len() - 1], old[1..old.len() - 1]);
    // An empty ledger moves, too.
    let empty = open(&dir.path().join("empty")).unwrap().store;
    let path = dir.path().join("empty-moved");
    import(&export(&empty), &path, true).unwrap();
    assert_eq!(export(&open(&path).unwrap().store), export(&empty));
}

#[test]
fn an_export_of_before_an_erasure_is_erased_when_it_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = open_small(&path).unwrap().store;
    fill(&mut store);
    let text = export(&store);
    store.rewrite(erasure(), &mut |_| {}).unwrap();
    let list = ErasureList::read(&path).unwrap();
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    list.write(&other).unwrap();
    assert_eq!(import(&text, &other, false).unwrap().erased, 1);
    assert_eq!(traces(&other), Vec::<String>::new());
}

#[test]
fn a_line_of_an_export_that_cannot_be_accepted_is_named_and_nothing_is_imported() {
    let (dir, store) = backup_and_later_erasure();
    let text = String::from_utf8(export(&store)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let last = lines.len();
    let without = |at: usize| {
        let mut left = lines.clone();
        left.remove(at - 1);
        join(&left)
    };
    let swapped = {
        let mut lines = lines.clone();
        lines.swap(4, 5);
        join(&lines)
    };
    let rows = [
        ("empty", String::new(), 1, "not an export"),
        (
            "another file",
            "account,credits\n".to_owned(),
            1,
            "not an export",
        ),
        (
            "newer",
            text.replacen("\"version\":1", "\"version\":2", 1),
            1,
            "version 2",
        ),
        (
            "newer log",
            text.replacen(
                "\"log\":\"maitred\",\"format\":",
                "\"log\":\"maitred\",\"format\":9",
                1,
            ),
            3,
            "hash does not match",
        ),
        (
            "cut in a line",
            text[..text.len() - 60].to_owned(),
            last - 1,
            "cut off",
        ),
        ("cut between lines", without(last), last, "cut off"),
        (
            "altered",
            text.replacen("al@example.com", "am@example.com", 1),
            4,
            "was altered",
        ),
        ("a commit is missing", without(5), 5, "does not follow"),
        ("two are swapped", swapped, 5, "does not follow"),
        (
            "an erasure is missing",
            without(2),
            last - 1,
            "lines were removed",
        ),
        (
            "more follows",
            format!("{text}x\n"),
            last + 1,
            "ended before",
        ),
    ];
    for (number, (what, text, line, expect)) in rows.into_iter().enumerate() {
        let path = dir.path().join(format!("bad{number}"));
        let error = import(text.as_bytes(), &path, true).expect_err(what);
        let error = crate::fixture::store_support::error_chain(&error);
        assert!(
            error.contains(&format!("line {line} of the export")),
            "{what}: {error}"
        );
        assert!(error.contains(expect), "{what}: {error}");
        assert!(
            !path.join("log").exists() && !path.join("log.partial").exists(),
            "{what}"
        );
    }
    let refused = import(text.as_bytes(), store.path(), true);
    assert!(
        matches!(refused, Err(TransferError::Copy(CopyError::Occupied(_)))),
        "{refused:?}"
    );
}
