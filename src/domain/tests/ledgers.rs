//! Every fact on the ledger, legal and illegal, and what the account is afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::make::*;
use super::memory::Memory;
use crate::domain::account::{Balance, MAX_ALIASES, MAX_LOTS, Part};
use crate::domain::decision::{Credits, MAX_CREDITS, Outcome};
use crate::domain::fact::{Back, Fact};
use crate::domain::ledger::{GivenKind, Violation};
use crate::domain::request::{
    CallEnd, CallKind, CallNote, ChargeState, MAX_CALLS, MAX_OCCURRENCES, RequestState, Review,
    Verdict,
};
use crate::domain::time::Time;

const BO: &str = "bo@example.com";

fn post(name: &str) -> Fact {
    Fact::Post { booking: uid(name) }
}

fn void(name: &str) -> Fact {
    Fact::Void {
        booking: uid(name),
        reason: "gone".into(),
        back: Vec::new(),
    }
}

fn closed(name: &str) -> Fact {
    Fact::Closed {
        booking: uid(name),
        reason: "over".into(),
    }
}

fn back(from: &str, credits: Credits) -> Back {
    Back {
        grant: grant(from),
        credits,
        restored: None,
    }
}

fn restored(from: &str, credits: Credits, under: &str) -> Back {
    Back {
        restored: Some((grant(under), at(500))),
        ..back(from, credits)
    }
}

fn refund(name: &str, parts: Vec<Back>, close: bool) -> Fact {
    Fact::Refund {
        booking: uid(name),
        parts,
        close,
        reason: "cancelled".into(),
    }
}

fn moved(from: &str, to: &str) -> Fact {
    Fact::Move {
        from: uid(from),
        to: named(to),
        start: at(900),
        end: at(930),
        keeps: 0,
    }
}

fn revoke(reference: &str, parts: Vec<Part>) -> Fact {
    Fact::Revoke {
        reference: grant(reference),
        account: acc(BO),
        parts,
        reason: "left".to_owned(),
    }
}

fn expire(from: &str, credits: Credits) -> Fact {
    Fact::Expire {
        account: acc(BO),
        part: part(from, credits),
    }
}

fn settled(id: &str) -> Fact {
    Fact::Settled {
        request: rid(id),
        outcome: Outcome::Confirmed,
    }
}

fn called(id: &str, minute: i64, answered: bool) -> Fact {
    Fact::Called {
        request: rid(id),
        call: CallNote {
            at: at(minute),
            booking: uid(id),
            kind: CallKind::Confirm,
            end: if answered {
                CallEnd::Answered
            } else {
                CallEnd::Failed
            },
            text: String::new(),
        },
    }
}

fn opened(id: &str) -> Fact {
    Fact::Opened { account: acc(id) }
}

fn aliased(id: &str, alias: &str) -> Fact {
    Fact::Aliased {
        account: acc(id),
        alias: address(alias),
    }
}

/// Bo with 3 credits that expire in 100 minutes and 2 that never do; an intent `a`, nothing held.
fn ledger() -> Memory {
    made(&[
        granted("g2", BO, 2, None),
        granted("g1", BO, 3, Some(at(100))),
        decided(intent("a", &["a"])),
    ])
}

#[track_caller]
fn made(facts: &[Fact]) -> Memory {
    but(Memory::default(), |memory| must(memory, now(), facts))
}

#[track_caller]
fn must(memory: &mut Memory, at: Time, facts: &[Fact]) {
    assert_eq!(memory.commit(at, facts), Ok(()));
    memory.must_add_up();
}

/// The facts stand, then the last one is refused and changes nothing.
#[track_caller]
fn refuses(before: &[Fact], fact: Fact, expect: Violation) {
    let mut memory = ledger();
    must(&mut memory, now(), before);
    let same = memory.clone();
    assert_eq!(memory.commit(now(), &[fact]), Err(expect));
    assert_eq!(memory, same);
}

fn hold_a(credits: Credits) -> Fact {
    hold("a", "a", BO, vec![part("g1", credits)])
}

fn charge_state(booking: &str, expected: &'static str) -> Violation {
    Violation::ChargeState {
        booking: uid(booking),
        expected,
    }
}

fn request_state(id: &str, expected: &'static str) -> Violation {
    Violation::RequestState {
        id: rid(id),
        expected,
    }
}

fn balance(memory: &Memory) -> Balance {
    memory.accounts[&acc(BO)].balance(now())
}

fn lots(memory: &Memory) -> Vec<(&str, Credits)> {
    memory.accounts[&acc(BO)]
        .lots
        .iter()
        .map(|lot| (lot.grant.as_str(), lot.left))
        .collect()
}

/// A way through the life of credits: the facts, then available, held, posted, refunded, expired,
/// revoked.
#[test]
fn what_facts_add_up_to() {
    type Row = (&'static str, Vec<Fact>, [Credits; 6]);
    let rows: Vec<Row> = vec![
        ("granted", vec![], [5, 0, 0, 0, 0, 0]),
        ("held", vec![hold_a(2)], [3, 2, 0, 0, 0, 0]),
        ("posted", vec![hold_a(2), post("a")], [3, 0, 2, 0, 0, 0]),
        ("voided", vec![hold_a(2), void("a")], [5, 0, 0, 0, 0, 0]),
        (
            "all of a lot voided",
            vec![hold_a(3), void("a")],
            [5, 0, 0, 0, 0, 0],
        ),
        (
            "refunded in part",
            vec![
                hold_a(3),
                post("a"),
                refund("a", vec![back("g1", 2)], false),
            ],
            [4, 0, 3, 2, 0, 0],
        ),
        (
            "refunded to a lot of its own",
            vec![
                hold_a(3),
                post("a"),
                refund("a", vec![restored("g1", 3, "r1")], true),
            ],
            [5, 0, 3, 3, 0, 0],
        ),
        (
            "moved",
            vec![hold_a(3), post("a"), moved("a", "b")],
            [2, 0, 3, 0, 0, 0],
        ),
        (
            "revoked",
            vec![revoke("r", vec![part("g2", 2)])],
            [3, 0, 0, 0, 0, 2],
        ),
        (
            "nothing held",
            vec![hold("a", "a", BO, vec![]), post("a")],
            [5, 0, 0, 0, 0, 0],
        ),
    ];
    for (name, facts, expect) in rows {
        let mut memory = ledger();
        must(&mut memory, now(), &facts);
        let b = balance(&memory);
        let found = [
            b.available,
            b.held,
            b.posted,
            b.refunded,
            b.expired,
            b.revoked,
        ];
        assert_eq!(found, expect, "{name}");
    }
}

#[test]
fn a_lot_expires_at_its_instant_whether_written_down_or_not() {
    let mut memory = ledger();
    let before = at(100) - chrono::TimeDelta::milliseconds(1);
    let available = |memory: &Memory, at| {
        let balance = memory.accounts[&acc(BO)].balance(at);
        (balance.available, balance.expired)
    };
    assert_eq!(available(&memory, before), (5, 0));
    assert_eq!(available(&memory, at(100)), (2, 3));
    let early = memory.commit(before, &[expire("g1", 3)]);
    assert_eq!(early, Err(Violation::NotExpired(grant("g1"))));
    must(&mut memory, at(100), &[expire("g1", 3)]);
    assert_eq!(available(&memory, at(100)), (2, 3));
    // Written off before, and given back after: it is expired all the same.
    let mut memory = ledger();
    must(&mut memory, now(), &[hold_a(2)]);
    must(&mut memory, at(100), &[expire("g1", 1), void("a")]);
    assert_eq!(available(&memory, at(100)), (2, 3));
}

#[test]
fn lots_pay_earliest_expiry_first_then_older_grant() {
    let mut memory = Memory::default();
    let mut give = |minute, name: &str, expires| {
        must(&mut memory, at(minute), &[granted(name, BO, 1, expires)]);
    };
    give(0, "never-old", None);
    give(1, "late", Some(at(200)));
    give(2, "soon-new", Some(at(100)));
    give(0, "soon-old", Some(at(100)));
    give(3, "never-new", None);
    give(0, "b", Some(at(150)));
    give(0, "a", Some(at(150)));
    let names: Vec<&str> = lots(&memory).into_iter().map(|(name, _)| name).collect();
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
    let picked = memory.accounts[&acc(BO)].allocate(3, now());
    let expect = vec![part("soon-old", 1), part("soon-new", 1), part("a", 1)];
    assert_eq!(picked, Some(expect));
    assert_eq!(memory.accounts[&acc(BO)].allocate(8, now()), None);
    // A lot that comes back stands where it stood.
    must(
        &mut memory,
        at(4),
        &[
            decided(intent("x", &["x"])),
            hold("x", "x", BO, vec![part("soon-new", 1)]),
        ],
    );
    must(&mut memory, at(5), &[void("x")]);
    let names: Vec<&str> = lots(&memory).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, order);
}

#[test]
fn grants_that_do_not_fit() {
    let used = || Violation::ReferenceUsed(grant("g1"));
    refuses(&[], granted("g1", BO, 3, Some(at(100))), used());
    refuses(&[], granted("g1", "al@example.com", 1, None), used());
    refuses(&[], revoke("g1", vec![part("g2", 1)]), used());
    for credits in [0, MAX_CREDITS + 1, Credits::MAX] {
        refuses(
            &[],
            granted("g", BO, credits, None),
            Violation::Amount(credits),
        );
    }
    let alias = [aliased(BO, "bo@work.example")];
    let taken = Violation::NameTaken {
        alias: "bo@work.example".to_owned(),
        account: acc(BO),
    };
    refuses(&alias, granted("g", "bo@work.example", 1, None), taken);
    let many: Vec<Fact> = (0..MAX_LOTS)
        .map(|n| granted(&format!("l{n}"), "al@example.com", 1, None))
        .collect();
    let last = granted("last", "al@example.com", 1, None);
    refuses(&many, last, Violation::TooManyLots(acc("al@example.com")));
}

#[test]
fn revocations_and_expiries_that_do_not_fit() {
    let short = |lot| Violation::LotShort(grant(lot));
    refuses(&[], revoke("r", vec![part("g2", 3)]), short("g2"));
    refuses(
        &[],
        revoke("r", vec![part("g2", 1), part("g2", 2)]),
        short("g2"),
    );
    refuses(&[], revoke("r", vec![part("none", 1)]), short("none"));
    refuses(&[], revoke("r", vec![]), Violation::Amount(0));
    let huge = vec![part("g1", Credits::MAX), part("g2", 2)];
    refuses(&[], revoke("r", huge), Violation::Amount(Credits::MAX));
    let stranger = Fact::Revoke {
        reference: grant("r"),
        account: acc("nobody"),
        parts: vec![part("g1", 1)],
        reason: String::new(),
    };
    refuses(&[], stranger, Violation::NoAccount(acc("nobody")));
    let not_expired = |lot| Violation::NotExpired(grant(lot));
    refuses(&[], expire("g1", 3), not_expired("g1"));
    refuses(&[], expire("g2", 2), not_expired("g2"));
    refuses(&[], expire("none", 1), not_expired("none"));
    let mut memory = ledger();
    let more = memory.commit(at(100), &[expire("g1", 4)]);
    assert_eq!(more, Err(short("g1")));
}

#[test]
fn holds_that_do_not_fit() {
    refuses(&[], hold_a(4), Violation::LotShort(grant("g1")));
    let twice = vec![part("g1", 2), part("g1", 2)];
    refuses(
        &[],
        hold("a", "a", BO, twice),
        Violation::LotShort(grant("g1")),
    );
    refuses(&[hold_a(1)], hold_a(1), Violation::ChargeExists(uid("a")));
    let again = Violation::ChargeExists(uid("a"));
    refuses(&[hold_a(1), void("a")], hold_a(1), again);
    let none = || request_state("b", "an open intent");
    refuses(&[], hold("b", "b", BO, vec![]), none());
    let other = Violation::NoAccount(acc("nobody"));
    refuses(&[], hold("a", "a", "nobody", vec![]), other);
    let huge = vec![part("g1", MAX_CREDITS + 1)];
    refuses(
        &[],
        hold("a", "a", BO, huge),
        Violation::Amount(MAX_CREDITS + 1),
    );
    let huge = vec![part("g1", Credits::MAX), part("g2", 2)];
    refuses(
        &[],
        hold("a", "a", BO, huge),
        Violation::Amount(Credits::MAX),
    );
    let declines = decided(to_decline(intent("d", &["d"])));
    let expect = request_state("d", "an open intent to confirm");
    refuses(&[declines], hold("d", "d", BO, vec![]), expect);
}

#[test]
fn an_occurrence_that_is_held_for_joins_its_request() {
    let mut memory = ledger();
    must(
        &mut memory,
        now(),
        &[hold_a(1), hold("late", "a", BO, vec![part("g1", 1)])],
    );
    let names: Vec<String> = memory.requests[&rid("a")]
        .bookings
        .iter()
        .map(|booking| booking.uid.to_string())
        .collect();
    assert_eq!(names, ["a", "late"]);
    let names: Vec<String> = (0..MAX_OCCURRENCES).map(|n| format!("o{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = decided(intent("s", &names));
    let expect = Violation::TooManyOccurrences(rid("s"));
    refuses(&[many], hold("one-more", "s", BO, vec![]), expect);
}

#[test]
fn a_hold_ends_once() {
    for end in [post("a"), void("a")] {
        for again in [post("a"), void("a")] {
            refuses(&[hold_a(1), end.clone()], again, charge_state("a", "held"));
        }
        refuses(&[], end, charge_state("a", "held"));
    }
}

/// Promise 3: an intent is finished with its holds, not before them.
#[test]
fn an_intent_does_not_end_before_its_holds() {
    refuses(
        &[hold_a(1)],
        settled("a"),
        request_state("a", "without holds"),
    );
    let mut memory = ledger();
    must(&mut memory, now(), &[hold_a(1), post("a"), settled("a")]);
}

#[test]
fn a_charge_ends_once() {
    let paid = [hold_a(3), post("a")];
    let ends = [
        closed("a"),
        moved("a", "b"),
        refund("a", vec![back("g1", 3)], true),
        refund("a", vec![], true),
    ];
    for end in ends {
        for again in [
            closed("a"),
            moved("a", "c"),
            refund("a", vec![back("g1", 1)], false),
        ] {
            let before = [&paid[..], std::slice::from_ref(&end)].concat();
            refuses(&before, again, charge_state("a", "open"));
        }
    }
    for early in [closed("a"), moved("a", "b"), refund("a", vec![], true)] {
        refuses(&[hold_a(1)], early.clone(), charge_state("a", "open"));
        refuses(&[], early, charge_state("a", "open"));
    }
}

#[test]
fn a_refund_is_never_above_the_charge() {
    let paid = [hold_a(3), post("a")];
    let short = |lot| Violation::LotShort(grant(lot));
    refuses(&paid, refund("a", vec![back("g1", 4)], false), short("g1"));
    refuses(&paid, refund("a", vec![back("g2", 1)], false), short("g2"));
    let twice = vec![back("g1", 2), back("g1", 2)];
    refuses(&paid, refund("a", twice, false), short("g1"));
    let twice = vec![back("g1", 2), restored("g1", 2, "r")];
    refuses(&paid, refund("a", twice, false), short("g1"));
    let before = [&paid[..], &[refund("a", vec![back("g1", 2)], false)]].concat();
    refuses(
        &before,
        refund("a", vec![back("g1", 2)], false),
        short("g1"),
    );
    let used = Violation::ReferenceUsed(grant("g2"));
    refuses(
        &paid,
        refund("a", vec![restored("g1", 1, "g2")], false),
        used,
    );
    let used = Violation::ReferenceUsed(grant("r"));
    let twice = vec![restored("g1", 1, "r"), restored("g1", 1, "r")];
    refuses(&paid, refund("a", twice, false), used);
    let nothing = vec![restored("g1", 0, "r")];
    refuses(&paid, refund("a", nothing, false), Violation::Amount(0));
}

#[test]
fn a_refund_goes_back_to_the_lot_that_paid_or_to_one_of_its_own() {
    let mut memory = ledger();
    must(&mut memory, now(), &[hold_a(3), post("a")]);
    assert_eq!(lots(&memory), [("g2", 2)]);
    let parts = vec![back("g1", 1), restored("g1", 1, "r")];
    must(&mut memory, now(), &[refund("a", parts, false)]);
    assert_eq!(lots(&memory), [("g1", 1), ("r", 1), ("g2", 2)]);
    assert_eq!(memory.given[&grant("r")].kind, GivenKind::Restored);
    let charge = &memory.charges[&uid("a")];
    let left = (charge.credits(), charge.refunded, &charge.state);
    assert_eq!(left, (1, 2, &ChargeState::Open));
}

#[test]
fn a_charge_moves_on_with_all_that_was_paid() {
    let mut memory = ledger();
    must(&mut memory, now(), &[hold_a(2), post("a"), moved("a", "b")]);
    let old = &memory.charges[&uid("a")];
    assert_eq!(
        (old.credits(), &old.state),
        (0, &ChargeState::Moved { to: uid("b") })
    );
    let new = memory.charges[&uid("b")].clone();
    assert_eq!((new.credits(), &new.state), (2, &ChargeState::Open));
    assert_eq!(
        (new.start, new.end, new.moved_from),
        (at(900), at(930), Some(uid("a")))
    );
    // A dearer successor holds the rest; both are one charge then.
    let mut memory = ledger();
    let paid = [hold_a(2), post("a"), settled("a")];
    let rest = hold("b", "b", BO, vec![part("g1", 1), part("g2", 1)]);
    let next = [
        decided(intent("b", &["b"])),
        rest,
        post("b"),
        moved("a", "b"),
    ];
    must(&mut memory, now(), &[&paid[..], &next].concat());
    assert_eq!(
        memory.charges[&uid("b")].parts,
        [part("g1", 3), part("g2", 1)]
    );
}

#[test]
fn moves_that_do_not_fit() {
    let paid = [hold_a(2), post("a")];
    let exists = |name| Violation::ChargeExists(uid(name));
    // To itself would be the payment twice.
    refuses(&paid, moved("a", "a"), exists("a"));
    let held = [decided(intent("b", &["b"])), hold("b", "b", BO, vec![])];
    let before = [&paid[..], &held].concat();
    refuses(&before, moved("a", "b"), exists("b"));
    let al = [
        granted("al", "al@example.com", 1, None),
        decided(intent("b", &["b"])),
        hold("b", "b", "al@example.com", vec![part("al", 1)]),
        post("b"),
    ];
    refuses(&[&paid[..], &al].concat(), moved("a", "b"), exists("b"));
}

#[test]
fn accounts_and_their_names() {
    let taken = |alias: &str, account: &str| Violation::NameTaken {
        alias: alias.to_owned(),
        account: acc(account),
    };
    let exists = Violation::AccountExists(acc(BO));
    refuses(&[], opened(BO), exists);
    let work = [opened("al@example.com"), aliased(BO, "bo@work.example")];
    let name = "bo@work.example";
    refuses(&work, opened(name), taken(name, BO));
    refuses(&work, aliased("al@example.com", name), taken(name, BO));
    refuses(&work, aliased(BO, name), taken(name, BO));
    refuses(&work, aliased(BO, BO), taken(BO, BO));
    let al = "al@example.com";
    refuses(&work, aliased(BO, al), taken(al, al));
    refuses(
        &[],
        aliased("nobody", name),
        Violation::NoAccount(acc("nobody")),
    );
    let unaliased = Fact::Unaliased {
        account: acc(BO),
        alias: address(name),
    };
    refuses(&[], unaliased.clone(), Violation::NoAlias(acc(BO)));
    let many: Vec<Fact> = (0..MAX_ALIASES)
        .map(|n| aliased(BO, &format!("bo{n}@example.com")))
        .collect();
    refuses(&many, aliased(BO, name), Violation::TooManyAliases(acc(BO)));
    let mut memory = ledger();
    must(&mut memory, now(), &work);
    assert_eq!(memory.aliases[&address(name)], acc(BO));
    must(&mut memory, now(), &[unaliased, opened(name)]);
    assert!(memory.aliases.is_empty());
}

/// Logs from before addresses had one form may hold several spellings of one name: they must open, and
/// what was granted under each is one account's.
#[test]
fn old_logs_with_several_spellings_of_a_name_open() {
    let (composed, other) = ("jos\u{e9}@example.com", "jose\u{301}@example.com");
    let (readable, ascii) = ("info@exämple.com", "info@xn--exmple-cua.com");
    let unaliased = |account: &str, alias: &str| Fact::Unaliased {
        account: acc(account),
        alias: address(alias),
    };
    let mut memory = ledger();
    let facts = [
        granted("n1", composed, 2, None),
        granted("n2", other, 3, None),
        opened(readable),
        opened(ascii),
        granted("n3", readable, 1, None),
        // What an operator did to have the account found.
        aliased(readable, ascii),
        aliased(BO, composed),
        aliased(BO, "a@straße.de"),
        aliased(BO, "a@xn--strae-oqa.de"),
        unaliased(BO, "a@straße.de"),
        unaliased(BO, "a@xn--strae-oqa.de"),
        unaliased(readable, ascii),
    ];
    must(&mut memory, now(), &facts);
    assert_eq!(memory.accounts[&acc(other)].available(now()), 5);
    assert_eq!(memory.accounts[&acc(ascii)].available(now()), 1);
}

#[test]
fn an_account_is_described_frozen_and_pinned() {
    let mut memory = ledger();
    let before = memory.accounts[&acc(BO)].version;
    let facts = [
        Fact::Described {
            account: acc(BO),
            tier: Some("gold".to_owned()),
            tags: BTreeSet::from(["staff".to_owned()]),
            attributes: BTreeMap::from([("floor".to_owned(), "3".to_owned())]),
        },
        Fact::Frozen {
            account: acc(BO),
            why: Some("late".to_owned()),
        },
        Fact::Pinned {
            account: acc(BO),
            hash: Some("h".to_owned()),
        },
    ];
    must(&mut memory, now(), &facts);
    let bo = &memory.accounts[&acc(BO)];
    assert_eq!(
        (bo.tier.as_deref(), bo.frozen.as_deref()),
        (Some("gold"), Some("late"))
    );
    assert_eq!(
        (bo.pin.as_deref(), bo.attributes["floor"].as_str()),
        (Some("h"), "3")
    );
    assert!(
        bo.version > before,
        "whoever looked before has to look again"
    );
    let thawed = Fact::Frozen {
        account: acc(BO),
        why: None,
    };
    must(&mut memory, now(), &[thawed]);
    assert_eq!(memory.accounts[&acc(BO)].frozen, None);
}

#[test]
fn a_decision_is_made_once() {
    let noted = |id: &str| but(intent(id, &[id]), |r| r.state = RequestState::Noted);
    let undecided = || request_state("a", "undecided");
    refuses(&[], decided(intent("a", &["a"])), undecided());
    refuses(&[], decided(noted("a")), undecided());
    refuses(&[settled("a")], decided(intent("a", &["a"])), undecided());
    let finished = but(intent("n", &["n"]), |r| {
        r.state = RequestState::Settled {
            outcome: Outcome::Confirmed,
            at: now(),
        };
    });
    refuses(
        &[],
        decided(finished),
        request_state("n", "an intent or a note"),
    );
    let mut memory = ledger();
    let notes = [
        decided(noted("n")),
        decided(noted("n")),
        decided(intent("n", &["n"])),
    ];
    must(&mut memory, now(), &notes);
    assert_eq!(memory.requests[&rid("n")].state, RequestState::Recorded);
    let open = || request_state("m", "an open intent");
    for fact in [settled("m"), called("m", 0, true)] {
        refuses(&[], fact.clone(), open());
        refuses(&[decided(noted("m"))], fact.clone(), open());
        refuses(&[decided(intent("m", &["m"])), settled("m")], fact, open());
    }
}

#[test]
fn an_operator_speaks_of_what_is_only_noted() {
    let noted = |id: &str| but(intent(id, &[id]), |r| r.state = RequestState::Noted);
    let reviewed = |id: &str, verdict, reason: &str| Fact::Reviewed {
        request: rid(id),
        verdict,
        reason: reason.to_owned(),
    };
    let word = |verdict, reason: &str, minute| {
        let reason = reason.to_owned();
        let at = at(minute);
        Some(Review {
            verdict,
            reason,
            at,
        })
    };
    let (confirm, decline) = (Verdict::Confirm, Verdict::Decline);
    let waiting = |id: &str| request_state(id, "waiting to be decided");
    let begun = decided(intent("n", &["n"]));
    refuses(&[], reviewed("n", confirm, ""), waiting("n"));
    refuses(
        std::slice::from_ref(&begun),
        reviewed("n", confirm, ""),
        waiting("n"),
    );
    refuses(
        &[begun.clone(), settled("n")],
        reviewed("n", decline, ""),
        waiting("n"),
    );

    let mut memory = ledger();
    must(&mut memory, now(), &[decided(noted("n"))]);
    assert_eq!(memory.requests[&rid("n")].review, None);
    must(&mut memory, at(1), &[reviewed("n", confirm, "a friend")]);
    let said = word(confirm, "a friend", 1);
    assert_eq!(memory.requests[&rid("n")].review, said);
    must(&mut memory, at(2), &[reviewed("n", decline, "no friend")]);
    let said = word(decline, "no friend", 2);
    assert_eq!(memory.requests[&rid("n")].review, said);
    // Whatever a later decision carries, and whatever becomes of it.
    let other = but(noted("n"), |r| r.review = word(confirm, "made up", 9));
    for fact in [decided(noted("n")), decided(other), begun, settled("n")] {
        must(&mut memory, at(3), std::slice::from_ref(&fact));
        assert_eq!(memory.requests[&rid("n")].review, said, "{fact:?}");
    }
    let invented = but(noted("m"), |r| r.review = word(confirm, "made up", 9));
    must(&mut memory, at(4), &[decided(invented)]);
    assert_eq!(memory.requests[&rid("m")].review, None);
}

#[test]
fn calls_are_noted_and_failures_counted() {
    let mut memory = ledger();
    must(
        &mut memory,
        now(),
        &[called("a", 1, false), called("a", 2, true)],
    );
    let request = &memory.requests[&rid("a")];
    assert_eq!((request.failures, request.last_failure), (1, Some(at(1))));
    let many: Vec<Fact> = (0..MAX_CALLS as i64)
        .map(|n| called("a", 10 + n, false))
        .collect();
    must(&mut memory, now(), &many);
    let request = &memory.requests[&rid("a")];
    assert_eq!(
        (request.calls.len(), request.calls[0].at),
        (MAX_CALLS, at(10))
    );
    must(&mut memory, at(7), &[settled("a")]);
    let state = RequestState::Settled {
        outcome: Outcome::Confirmed,
        at: at(7),
    };
    assert_eq!(memory.requests[&rid("a")].state, state);
}

/// A commit that is tried again must not count twice.
#[test]
fn a_fact_that_moves_credits_is_refused_the_second_time() {
    let ways: [&[Fact]; 6] = [
        &[granted("g", BO, 1, None)],
        &[revoke("r", vec![part("g2", 1)])],
        &[hold_a(1)],
        &[hold_a(1), post("a")],
        &[hold_a(1), void("a")],
        &[hold_a(1), post("a"), moved("a", "b")],
    ];
    for way in ways {
        let mut memory = ledger();
        must(&mut memory, now(), way);
        let same = memory.clone();
        let again = &way[way.len() - 1..];
        assert!(memory.commit(now(), again).is_err(), "{again:?}");
        assert_eq!(memory, same);
    }
}
