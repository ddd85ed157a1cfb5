//! What a source changes: a table of records against accounts, and that a second sync of the same
//! record changes nothing.

use std::time::Duration;

use super::fixtures::*;
use crate::domain::account::Account;
use crate::domain::decision::Credits;
use crate::domain::fact::{CreditFact, Fact};
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::member_change::{
    KnownMember, MemberChange, SourceReferences, SourceTerms, change_leaver, change_member,
};
use crate::domain::member_source::{
    BalanceMeaning, Leavers, MemberRecord, MemberSource, MemberSourceKind, RecordFields,
};

fn terms() -> SourceTerms {
    SourceTerms {
        source: MemberSource {
            name: "club".to_owned(),
            kind: MemberSourceKind::Csv {
                path: "members.csv".into(),
            },
            fields: RecordFields::default(),
            answers: Vec::new(),
            balance: None,
            leavers: Leavers::Freeze,
            max_change: 20,
            sync: true,
            timeout: Duration::from_secs(5),
            cached_for: Duration::ZERO,
            at_once: 1,
        },
        other_sources: ["shop".to_owned()].into(),
        freeze_stops_expiry: false,
        now: now(),
    }
}

fn with_balance(meaning: BalanceMeaning) -> SourceTerms {
    modify(terms(), |terms| terms.source.balance = Some(meaning))
}

fn managed(credits: Credits) -> Account {
    modify(account("bo@example.com", credits), |account| {
        account
            .attributes
            .insert("source".to_owned(), "club".to_owned());
    })
}

/// A ledger with one account, as facts leave it.
struct Member {
    ledger: InMemoryLedger,
    given: Credits,
}

impl Member {
    fn new(account: Option<Account>) -> Self {
        let mut ledger = InMemoryLedger::default();
        if let Some(account) = account {
            ledger.accounts.insert(account.id.clone(), account);
        }
        Self { ledger, given: 0 }
    }

    fn account(&self) -> Option<&Account> {
        self.ledger.accounts.get(&account_id("bo@example.com"))
    }

    fn known(&self) -> KnownMember {
        let mut owners = self.ledger.aliases.clone();
        if let Some(account) = self.account() {
            owners.insert(address("bo@example.com"), account.id.clone());
        }
        owners.insert(address("taken@example.com"), account_id("cy@example.com"));
        KnownMember {
            account: self.account().cloned(),
            owners,
            given: self.given,
        }
    }

    fn list(&mut self, terms: &SourceTerms, record: &MemberRecord) -> MemberChange {
        let mut references = SourceReferences::new("club", 41);
        let who = address("bo@example.com");
        let change = change_member(terms, (&who, record), &self.known(), &mut references);
        self.apply(&change);
        change
    }

    fn leave(&mut self, terms: &SourceTerms) -> MemberChange {
        let change = change_leaver(terms, self.account().unwrap());
        self.apply(&change);
        change
    }

    fn apply(&mut self, change: &MemberChange) {
        for fact in &change.facts {
            self.ledger.apply_fact(now(), fact).unwrap();
        }
        self.given = (self.given + change.granted).saturating_sub(change.revoked);
    }
}

fn record(change: impl FnOnce(&mut MemberRecord)) -> MemberRecord {
    modify(MemberRecord::default(), change)
}

#[test]
fn a_record_changes_what_differs_and_its_repetition_changes_nothing() {
    let full = record(|record| {
        record.tier = Some(Some("gold".to_owned()));
        record.tags = Some(["founder".to_owned()].into());
        record.attributes = [("level".to_owned(), Some("3".to_owned()))].into();
        record.aliases = [address("b@example.com"), address("taken@example.com")].into();
        record.balance = Some(4);
    });
    let elsewhere = modify(managed(5), |account| {
        account
            .attributes
            .insert("source".to_owned(), "shop".to_owned());
    });
    let frozen_by_hand = modify(managed(5), |account| {
        account.freeze_reason = Some("unpaid".to_owned());
    });
    let given = with_balance(BalanceMeaning::Given);
    let left = with_balance(BalanceMeaning::Left);
    let balance = |number| record(move |record| record.balance = Some(number));
    let rows: [(&str, Option<Account>, SourceTerms, MemberRecord, &str); 12] = [
        (
            "a new member",
            None,
            given.clone(),
            full.clone(),
            "opened; alias added; tier gold; tags founder; attribute level; attribute source; \
             4 credits granted",
        ),
        (
            "without a balance",
            Some(managed(5)),
            terms(),
            balance(9),
            "",
        ),
        (
            "an account of the operator's is adopted",
            Some(account("bo@example.com", 5)),
            terms(),
            record(|_| ()),
            "attribute source",
        ),
        (
            "one of another source is not",
            Some(elsewhere),
            given.clone(),
            full,
            "",
        ),
        (
            "an empty tier takes the tier away",
            Some(modify(managed(0), |account| {
                account.tier = Some("gold".to_owned())
            })),
            terms(),
            record(|record| record.tier = Some(None)),
            "tier none",
        ),
        (
            "what a record does not have stays",
            Some(modify(managed(0), |account| {
                account.tier = Some("gold".to_owned())
            })),
            terms(),
            record(|_| ()),
            "",
        ),
        (
            "left: more",
            Some(managed(5)),
            left.clone(),
            balance(7),
            "2 credits granted",
        ),
        (
            "left: fewer",
            Some(managed(5)),
            left.clone(),
            balance(1),
            "4 credits revoked",
        ),
        (
            "left: what is held counts as left",
            Some(modify(managed(3), |account| {
                account.totals.held = 2;
                account.totals.granted += 2;
            })),
            left,
            balance(5),
            "",
        ),
        (
            "given: other grants do not count",
            Some(managed(5)),
            given,
            balance(3),
            "3 credits granted",
        ),
        (
            "a freeze there",
            Some(managed(5)),
            terms(),
            record(|record| record.frozen = Some(true)),
            "frozen: source club: frozen there",
        ),
        (
            "an operator's freeze stays",
            Some(frozen_by_hand),
            terms(),
            record(|record| record.frozen = Some(false)),
            "",
        ),
    ];
    for (name, account, terms, record, expect) in rows {
        let mut member = Member::new(account);
        let first = member.list(&terms, &record);
        assert_eq!(first.changes.join("; "), expect, "{name}");
        assert_eq!(first.facts.is_empty(), expect.is_empty(), "{name}");
        let second = member.list(&terms, &record);
        assert_eq!(second.facts, [], "{name}: a second time");
        let account = member.account().unwrap();
        assert!(account.adds_up(), "{name}");
    }
}

#[test]
fn leavers_are_frozen_or_closed_and_come_back() {
    let close = modify(terms(), |terms| terms.source.leavers = Leavers::Close);
    let ignore = modify(terms(), |terms| terms.source.leavers = Leavers::Ignore);
    let rows = [
        (terms(), "frozen: source club: no longer a member", "thawed"),
        (close, "closed: source club: no longer a member", "reopened"),
        (ignore, "", ""),
    ];
    for (terms, left, back) in rows {
        let mut member = Member::new(Some(managed(5)));
        assert_eq!(member.leave(&terms).changes.join("; "), left);
        assert_eq!(member.leave(&terms).facts, [], "{left}: a second time");
        let returned = member.list(&terms, &record(|_| ()));
        assert_eq!(returned.changes.join("; "), back);
        assert_eq!(
            member.account(),
            Some(&modify(managed(5), |account| {
                account.version = member.account().unwrap().version;
            }))
        );
    }
    // A member whom an operator froze or closed stays so.
    let frozen = modify(managed(5), |account| {
        account.freeze_reason = Some("unpaid".to_owned());
    });
    let mut member = Member::new(Some(frozen));
    assert_eq!(member.leave(&terms()).facts, []);
    assert_eq!(member.list(&terms(), &record(|_| ())).facts, []);
}

/// Credits that are spent cannot be taken back; the rest is.
#[test]
fn a_revocation_takes_what_is_there_and_reports_the_rest() {
    let spent = modify(managed(2), |account| {
        account.totals.posted = 3;
        account.totals.granted += 3;
    });
    let mut member = Member::new(Some(spent));
    member.given = 5;
    let terms = with_balance(BalanceMeaning::Given);
    let fewer = record(|record| record.balance = Some(1));
    let change = member.list(&terms, &fewer);
    assert_eq!(change.revoked, 2);
    assert_eq!(
        change.problems,
        ["2 credits cannot be taken back, because they are held or spent"]
    );
    let again = member.list(&terms, &fewer);
    assert_eq!((again.facts.len(), again.problems.len()), (0, 1));
}

#[test]
fn references_name_the_commit_and_the_change() {
    let mut member = Member::new(None);
    let terms = with_balance(BalanceMeaning::Given);
    let change = member.list(&terms, &record(|record| record.balance = Some(4)));
    let references = change.facts.iter().filter_map(|fact| match fact {
        Fact::Credit(CreditFact::Grant { reference, .. }) => Some(reference.as_str()),
        _ => None,
    });
    assert_eq!(references.collect::<Vec<_>>(), ["source/club/42-1"]);
}
