//! `maitred policy replay`: another policy evaluates decisions that a real plan made and a real log
//! keeps.

use std::fs;

use maitred::config::model::StoreConfig;
use maitred::config::parse::parse as config;
use maitred::config::policy_test::parse::parse as cases;
use maitred::control::policy::ReplayView;
use maitred::daemon::policy::case_fixture;
use maitred::daemon::policy::replay::{ReplayQuery, replay, replay_commits};
use maitred::daemon::policy::snapshot_fixture::{plan_one, without_pass_limits};
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::fact::{ChargeFact, CreditFact, Fact, RequestFact};
use maitred::domain::gate::Policy;
use maitred::domain::id::{AccountId, BookingUid, Reference, RequestId};
use maitred::domain::plan::Action;
use maitred::domain::time::Time;
use maitred::store::log::commit_reader::CommitReader;
use maitred::store::log_store::LogStore;
use maitred::store::memory::MemoryStore;
use maitred::store::open::{CreateIfMissing, open};
use maitred::store::port::{CommitSource, Maintenance, Store};
use tempfile::TempDir;

use crate::fixture::binary::run_in;

/// The policy that decided when the requests were made.
const OLD_POLICY: &str = r#"
[[rule]]
name = 'asked-early'
require = 'booking.notice > duration("1m") && member.tier == ""'

[[gate]]
name = 'club'
event-types = ['club']
short-of-credit = 'wait'

[[gate]]
name = 'series'
event-types = ['series']
"#;

/// Bo has 1 credit and spends it; then Bo gets 5 more. Zoe has no account.
const HISTORICAL_LOG: &str = "
[[case]]
name = 'bo-1'
booking = { event-type = 'club', start = '2026-12-03T10:00:00Z' }
expect = 'confirm'

[[case]]
name = 'bo-short'
booking = { event-type = 'club', start = '2026-12-04T10:00:00Z' }
expect = 'wait'

[[case]]
name = 'zoe'
booking = { event-type = 'club', booker = 'zoe@example.com', start = '2026-12-03T12:00:00Z' }
expect = 'decline'

[[case]]
name = 'grant'
expect = 'leave'

[[case]]
name = 'bo-late'
now = '2026-12-02T12:00:00Z'
booking = { event-type = 'club', start = 'in 1h' }
expect = 'confirm'

[[case]]
name = 'bo-series'
now = '2026-12-02T13:00:00Z'
booking = { event-type = 'series', start = '2026-12-10T10:00:00Z', occurrences = 2 }
expect = 'confirm'

[[case]]
name = 'bo-many'
now = '2026-12-02T13:30:00Z'
booking = { event-type = 'series', start = '2026-12-10T10:00:00Z', occurrences = 9 }
host-is-busy = true
expect = 'decline'

[[case]]
name = 'bo-taken'
now = '2026-12-02T14:00:00Z'
booking = { event-type = 'club', start = '2026-12-20T10:00:00Z' }
host-is-busy = true
expect = 'decline'
";

fn parse_time(text: &str) -> Time {
    text.parse().unwrap()
}

fn parse_policy(text: &str) -> Policy {
    config(text, "config.toml").unwrap().config.policy
}

/// Returns a store whose log holds the decisions.
fn recorded_store() -> (TempDir, LogStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fs::create_dir(&path).unwrap();
    let now = parse_time("2026-12-01T09:00:00Z");
    let mut store = open(&path, CreateIfMissing::Yes, now, &mut |_| {})
        .unwrap()
        .store;
    let bo = AccountId::parse("bo@example.com").unwrap();
    let grant = |name: &str, credits| {
        Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse(name).unwrap(),
            account: bo.clone(),
            credits,
            expires: None,
            reason: "dues".to_owned(),
        })
    };
    store.commit(now, vec![grant("first", 1)], &[]).unwrap();
    let old = without_pass_limits(&parse_policy(OLD_POLICY));
    for case in cases(HISTORICAL_LOG, "history.toml").unwrap() {
        if case.name == "grant" {
            let at = parse_time("2026-12-01T18:00:00Z");
            store.commit(at, vec![grant("second", 5)], &[]).unwrap();
            continue;
        }
        let mut world = case_fixture::build_fixture(&case, None, &old).unwrap();
        for (number, booking) in world.bookings.iter_mut().enumerate() {
            let name = format!("{}.{number}", case.name);
            booking.uid = BookingUid::parse(&name).unwrap();
            if booking.series.is_some() {
                booking.series = Some(RequestId::parse(&case.name).unwrap());
            }
        }
        let booker = world.bookings[0].booker.as_ref().unwrap();
        let id = store.resolve(&booker.address).unwrap();
        world.account = id.and_then(|id| store.account(&id).unwrap());
        let now = world.now;
        let step = plan_one(world, &old).unwrap();
        assert_eq!(
            step.request.decision.as_str(),
            case.expect.decision,
            "{}",
            case.name
        );
        let facts = match step.action {
            Action::Send { facts, .. } => facts,
            _ => vec![Fact::Request(RequestFact::Decided {
                request: step.request,
            })],
        };
        store.commit(now, facts, &[]).unwrap();
    }
    (folder, store)
}

fn run_replay(folder: &TempDir, text: &str, since: &str) -> ReplayView {
    let policy = parse_policy(text);
    let ask = ReplayQuery {
        policy: &policy,
        since: parse_time(since),
        limit: 100,
    };
    let path = folder.path().join("store");
    let view = replay(&StoreConfig::Local { path }, &ask, &mut |_| {}).unwrap();
    let of_memory = replay_commits(&store_in_memory(folder), &ask, &mut |_| {}).unwrap();
    assert_eq!(
        view_lines(&of_memory),
        view_lines(&view),
        "any store will do"
    );
    view
}

/// Returns a store in memory with the commits of the ledger.
fn store_in_memory(folder: &TempDir) -> MemoryStore {
    let log = folder.path().join("store").join("log");
    let mut memory = MemoryStore::new();
    let reader = CommitReader::new(&log);
    loop {
        let page = reader.commits(memory.head().seq, 4).unwrap();
        if page.is_empty() {
            return memory;
        }
        for commit in page {
            memory.commit(commit.at, commit.facts, &[]).unwrap();
        }
    }
}

/// Returns each difference and each unknown input as a line.
fn view_lines(view: &ReplayView) -> Vec<String> {
    let differences = view.differences.iter().map(|one| {
        let (was, is) = (&one.recorded_decision, &one.replayed_decision);
        let rule = is
            .rule
            .as_ref()
            .map_or("-", |finding| finding.rule.as_str());
        let credits =
            |said: &maitred::control::policy::ReplayDecisionView| match said.decision.as_str() {
                "confirm" => format!("confirm {}", said.credits),
                other => other.to_owned(),
            };
        format!(
            "{}: {} -> {} by {rule}",
            one.request,
            credits(was),
            credits(is)
        )
    });
    let missing = view
        .missing
        .iter()
        .map(|one| format!("{} x {}", one.requests, one.input));
    differences.chain(missing).collect()
}

const SINCE_ALWAYS: &str = "2026-01-01T00:00:00Z";

#[test]
fn the_same_policy_gives_the_same_decisions() {
    let (folder, _store) = recorded_store();
    let view = run_replay(&folder, OLD_POLICY, SINCE_ALWAYS);
    assert_eq!(view_lines(&view), [""; 0]);
    assert_eq!(
        (view.requests, view.same, view.different, view.unknown),
        (7, 7, 0, 0)
    );
    assert_eq!(view.commits, 9);
}

#[test]
fn each_request_is_evaluated_as_of_its_own_time() {
    let (folder, _store) = recorded_store();
    let club = |keys: &str| {
        let (head, tail) = OLD_POLICY.split_once("short-of-credit").unwrap();
        format!("{head}{keys}\nshort-of-credit{tail}")
    };
    // the new policy, what would differ and what is not known
    let rows: [(String, &[&str]); 15] = [
        // Bo had one credit then, whatever Bo got later.
        (
            club("cost = 2"),
            &[
                "bo-1.0: confirm 1 -> wait by credit",
                "bo-late.0: confirm 1 -> confirm 2 by -",
            ],
        ),
        // The member's data are rebuilt, and guests and answers were not recorded.
        (
            club("cost = { cel = 'member.tier == \"gold\" ? 0 : 2' }"),
            &[
                "bo-1.0: confirm 1 -> wait by credit",
                "bo-late.0: confirm 1 -> confirm 2 by -",
            ],
        ),
        (
            club("cost = { base = 1, per-guest = 1 }"),
            &["3 x booking.guests"],
        ),
        (
            club("prices = [{ cost = { cel = 'booking.answers.x * 2.0' }, tiers = ['gold'] }]"),
            &["3 x booking.answers"],
        ),
        // What the host had at Cal.com was not recorded either.
        (
            format!("{OLD_POLICY}[[cap]]\nname = 'x'\nat-most = 9\nper = 'day'\neach = 'host'\n"),
            &["4 x the bookings of the host"],
        ),
        (
            club("notice = { at-least = '24h' }"),
            &["bo-late.0: confirm 1 -> decline by notice"],
        ),
        // On that day there was no booking yet when the first request came, and one when the next
        // request came.
        (
            club("caps = [{ at-most = 1, per = 'week' }]"),
            &[
                "bo-short.0: wait -> decline by caps",
                "bo-late.0: confirm 1 -> decline by caps",
            ],
        ),
        (
            club("requests-per-day = 1"),
            &["bo-short.0: wait -> decline by requests-per-day"],
        ),
        (
            club("block = ['bo@example.com']"),
            &[
                "bo-1.0: confirm 1 -> decline by not-blocked",
                "bo-short.0: wait -> decline by not-blocked",
                "bo-late.0: confirm 1 -> decline by not-blocked",
            ],
        ),
        // A booker without an account is declined before the PIN is read. Bo has no PIN.
        (
            club("pin = 'member-pin'"),
            &[
                "bo-1.0: confirm 1 -> review by pin",
                "bo-short.0: wait -> review by pin",
                "bo-late.0: confirm 1 -> review by pin",
                "bo-taken.0: decline -> review by pin",
            ],
        ),
        (
            club("taken = 'review'"),
            &["bo-taken.0: decline -> review by time-free"],
        ),
        // Answers were not recorded. A request that an earlier rule declines is declined whatever
        // the answers were.
        (
            format!(
                "{OLD_POLICY}\n[[rule]]\nname = 'asks'\nrequire = 'booking.answers.x == 1.0'\n"
            ),
            &["4 x booking.answers"],
        ),
        (
            club("hours = [{ hours = '08:00-20:00' }]\ntime-zone = 'booker'"),
            &["4 x the booker's time zone"],
        ),
        // The times of confirmed occurrences are recorded with their holds.
        (
            format!("{OLD_POLICY}notice = {{ at-most = '10days' }}\n"),
            &[
                "bo-series: confirm 2 -> decline by notice",
                "1 x the times of the occurrences",
            ],
        ),
        (
            "[[gate]]\nevent-types = ['series']\n".to_owned(),
            &[
                "bo-1.0: confirm 1 -> leave by -",
                "bo-short.0: wait -> leave by -",
                "zoe.0: decline -> leave by -",
                "bo-late.0: confirm 1 -> leave by -",
                "bo-taken.0: decline -> leave by -",
            ],
        ),
    ];
    for (text, expect) in rows {
        let view = run_replay(&folder, &text, SINCE_ALWAYS);
        assert_eq!(view_lines(&view), expect, "{text}");
        assert_eq!(view.requests, view.same + view.different + view.unknown);
    }
}

#[test]
fn only_decisions_since_the_given_time_are_replayed_on_the_whole_ledger() {
    let (folder, _store) = recorded_store();
    let view = run_replay(&folder, OLD_POLICY, "2026-12-02T00:00:00Z");
    assert_eq!((view.requests, view.same), (4, 4));
    let later = run_replay(&folder, OLD_POLICY, "2027-01-01T00:00:00Z");
    assert_eq!((later.requests, later.commits), (0, 9));
}

#[test]
fn replay_reads_the_log_while_another_process_holds_the_store() {
    let (folder, mut store) = recorded_store();
    let new = format!("{OLD_POLICY}\n[global]\nblock = ['bo@example.com']\n");
    fs::write(folder.path().join("new.toml"), new).unwrap();
    let run = |args: &[&str]| {
        let ran = run_in(
            folder.path(),
            &[&["policy", "replay", "--config", "new.toml"], args].concat(),
        );
        (ran.code, ran.out, ran.err)
    };
    let (code, out, err) = run(&["--store", "store", "--since", "2026-11-01", "--limit", "1"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let expect = "\
2026-12-01 12:00 UTC bo@example.com for 2026-12-03 10:00 UTC: confirm for 1 credit -> decline (blocked)
    not-blocked: Requests from this address are not accepted.
and 3 more (see --limit)
7 requests since 2026-11-01 00:00 UTC: 3 as before, 4 otherwise, 0 unknown (policy ";
    assert!(out.starts_with(expect), "{out}");
    let (code, out, _) = run(&[
        "--store",
        "store",
        "--since",
        "2026-11-01",
        "--format",
        "json",
    ]);
    let view: ReplayView = serde_json::from_str(&out).unwrap();
    assert_eq!((code, view.different, view.more), (0, 4, 0));
    // A line that is still being written is not read: the last line is incomplete here.
    let segment = folder.path().join("store/log/00000001.jsonl");
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, [&bytes[..], br#"{"seq":10,"at":"#].concat()).unwrap();
    let (code, torn, _) = run(&[
        "--store",
        "store",
        "--since",
        "2026-11-01",
        "--format",
        "json",
    ]);
    assert_eq!((code, torn), (0, out));
    // A line that was changed is damage and is reported as damage.
    fs::write(
        &segment,
        String::from_utf8(bytes.clone())
            .unwrap()
            .replace("dues", "dust"),
    )
    .unwrap();
    let (code, _, err) = run(&["--store", "store"]);
    assert_eq!(code, 1);
    assert!(err.contains("00000001.jsonl"), "{err}");
    fs::write(&segment, bytes).unwrap();
    store.close().unwrap();
    let (code, _, err) = run(&["--store", "nowhere"]);
    assert_eq!(code, 78);
    assert!(
        err.contains("the directory nowhere holds no ledger"),
        "{err}"
    );
    assert!(err.contains("--store"), "{err}");
    let (code, _, err) = run(&["--since", "soon"]);
    assert_eq!(code, 2);
    assert!(err.contains("--since: "), "{err}");
}

#[test]
fn explain_shows_the_inputs_of_a_rule_and_the_hash_of_the_policy() {
    let (folder, mut store) = recorded_store();
    store.close().unwrap();
    drop(store);
    fs::write(folder.path().join("own.toml"), "[store]\npath = 'store'\n").unwrap();
    let words = ["explain", "bo-1.0", "--config", "own.toml"];
    let out = run_in(folder.path(), &words).out;
    let hash = parse_policy(OLD_POLICY).hash;
    for expect in [
        "asked-early",
        "booking.notice = ",
        "member.tier = \"\"",
        &hash,
    ] {
        assert!(out.contains(expect), "{expect}: {out}");
    }
}

/// Returns a store in which one commit confirms two requests of Bo for a credit each, of 5. With
/// `ends` each of the holds ended in the next commit: true if it was spent.
fn store_with_two_confirms(ends: [Option<bool>; 2]) -> MemoryStore {
    let (_folder, recorded) = recorded_store();
    let grant = Fact::Credit(CreditFact::Grant {
        terms: Default::default(),
        reference: Reference::parse("only").unwrap(),
        account: AccountId::parse("bo@example.com").unwrap(),
        credits: 5,
        expires: None,
        reason: "dues".to_owned(),
    });
    let mut store = MemoryStore::new();
    let now = parse_time("2026-12-01T09:00:00Z");
    store.commit(now, vec![grant], &[]).unwrap();
    // The decision about `bo-1` and its hold, once for each of two bookings.
    let commits = recorded.commits(0, 9).unwrap();
    let confirm = commits[1].facts.clone();
    let mut facts = Vec::new();
    for name in ["one", "two"] {
        let (uid, id) = (BookingUid::parse(name), RequestId::parse(name));
        for mut fact in confirm.clone() {
            match &mut fact {
                Fact::Request(RequestFact::Decided { request }) => {
                    let mut own = request.as_ref().clone();
                    own.id = id.clone().unwrap();
                    own.bookings[0].uid = uid.clone().unwrap();
                    *request = own.into();
                }
                Fact::Charge(ChargeFact::Hold {
                    booking,
                    request,
                    parts,
                    ..
                }) => {
                    booking.uid = uid.clone().unwrap();
                    *request = id.clone().unwrap();
                    parts[0].grant = Reference::parse("only").unwrap();
                }
                other => panic!("{other:?}"),
            }
            facts.push(fact);
        }
    }
    store.commit(now, facts, &[]).unwrap();
    for (name, is_spent) in ["one", "two"].into_iter().zip(ends) {
        let booking = BookingUid::parse(name).unwrap();
        let (end, outcome) = match is_spent {
            None => continue,
            Some(true) => (ChargeFact::Post { booking }, DecisionOutcome::Confirmed),
            Some(false) => {
                let void = ChargeFact::Void {
                    booking,
                    reason: "gone".into(),
                    refund_parts: Vec::new(),
                };
                (void, DecisionOutcome::Superseded)
            }
        };
        let settled = RequestFact::IntentSettled {
            request: RequestId::parse(name).unwrap(),
            outcome,
        };
        let facts = vec![Fact::Charge(end), Fact::Request(settled)];
        store.commit(now, facts, &[]).unwrap();
    }
    store
}

/// A pass leaves a request while credits that it needs are held for another booking, and decides
/// when it is known whether they are spent. The log knows that.
#[test]
fn a_request_that_depends_on_held_credits_is_decided_as_the_hold_ended() {
    let policy = parse_policy(&OLD_POLICY.replace("short-of-credit = 'wait'", "cost = 5"));
    let ask = ReplayQuery {
        policy: &policy,
        since: parse_time(SINCE_ALWAYS),
        limit: 100,
    };
    let confirm = "one: confirm 1 -> confirm 5 by -";
    let unknown = "1 x whether credits that were held for other bookings came back in time";
    let rows = [
        (
            [Some(true), Some(true)],
            [confirm, "two: confirm 1 -> decline by credit"],
        ),
        ([Some(false), Some(true)], [confirm, unknown]),
        ([None, Some(true)], [confirm, unknown]),
    ];
    for (ends, expect) in rows {
        let view = replay_commits(&store_with_two_confirms(ends), &ask, &mut |_| {}).unwrap();
        assert_eq!(view_lines(&view), expect, "{ends:?}");
        assert_eq!(view.requests, 2, "{ends:?}");
    }
}
