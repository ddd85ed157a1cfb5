//! Prices that are determined for each booking, over HTTP: by guests, by an expression, and by the
//! answer of another system. What was decided counts, whatever the configuration says later.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use maitred::domain::criteria::global_policy::LookupRequirement;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::criteria::price::Cost;
use maitred::domain::lookup::{LookupConfig, LookupSource};
use maitred::domain::refund_policy::OnUnmanaged;
use maitred::domain::rule::expression::{Expression, MIN_STACK_BYTES};
use maitred::domain::time::Span;
use maitred::lookup::client::LookupClient;
use maitred::sandbox::action::{BookingMove, ThirdPartyAction};

use super::{decision_text, request_with};
use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{DIALECTS, perform_action};

const BO: &str = "bo@example.com";
const CONFIRMED: &str = "confirm enough";
const UNKNOWN: &str = "review price-unknown";

fn compile(text: &str) -> Expression {
    let text = text.to_owned();
    let lookups = BTreeSet::from(["prices".to_owned()]);
    let compile = move || Expression::compile_price(&text, &lookups).unwrap();
    let thread = std::thread::Builder::new().stack_size(MIN_STACK_BYTES);
    thread.spawn(compile).unwrap().join().unwrap()
}

fn answered() -> Cost {
    Cost::Lookup {
        lookup: "prices".to_owned(),
        field: Some("credits".to_owned()),
        number: compile("lookup[\"prices\"][\"credits\"]"),
    }
}

fn set_cost(fixture: &mut PassFixture, cost: &Cost) {
    for gate in &mut fixture.policy.gates {
        gate.cost = cost.clone();
    }
}

/// Sets a lookup that runs this script.
fn set_lookup(fixture: &mut PassFixture, folder: &tempfile::TempDir, script: &str) {
    let path = folder.path().join("prices.sh");
    fs::write(&path, script).unwrap();
    let config = LookupConfig {
        name: "prices".to_owned(),
        source: LookupSource::Command {
            program: PathBuf::from("/bin/sh"),
            args: vec![path.display().to_string()],
        },
        timeout: Duration::from_secs(20),
        cached_for: Duration::ZERO,
        at_once: 2,
    };
    fixture.lookups = LookupClient::open(&[config]).unwrap();
    fixture.policy.global.lookups = vec![LookupRequirement {
        name: "prices".to_owned(),
        on_no_answer: OnViolation::WAIT,
    }];
}

fn request_with_guests(fixture: &PassFixture, start: &str, guests: usize) -> String {
    let lesson = fixture.event_types.lesson;
    request_with(fixture, lesson, BO, start, |ask| {
        let names = (0..guests).map(|n| format!("g{n}@example.com"));
        ask.guests = names.collect();
    })
}

/// Both dialects show the guests. The charge is what the decision recorded, and a later price
/// changes nothing.
#[tokio::test]
async fn a_booking_costs_by_its_guests_and_keeps_its_price() {
    let per_guest = Cost::PerGuest {
        base: 1,
        per_guest: 2,
    };
    let by_cel = Cost::Expression(compile("1 + 2 * size(booking.guests)"));
    for dialect in DIALECTS {
        for cost in [&per_guest, &by_cel] {
            let what = format!("{dialect:?} {cost:?}");
            let mut fixture = PassFixture::new(dialect).await;
            fixture.grant(BO, 7).await;
            set_cost(&mut fixture, cost);
            let alone = request_with_guests(&fixture, "2026-12-01T09:00:00Z", 0);
            let pair = request_with_guests(&fixture, "2026-12-02T09:00:00Z", 1);
            let crowd = request_with_guests(&fixture, "2026-12-03T09:00:00Z", 2);
            fixture.pass().await;
            // A decline waits until the others are settled.
            fixture.pass().await;
            let codes = [
                (&alone, CONFIRMED, Some(1)),
                (&pair, CONFIRMED, Some(3)),
                (&crowd, "decline short-of-credit", None),
            ];
            for (uid, expect, charged) in codes {
                assert_eq!(decision_text(&fixture, uid).await, expect, "{what}");
                let charge = fixture.charge(uid).await;
                let credits = charge.as_ref().map(|charge| charge.credits());
                assert_eq!(credits, charged, "{what}");
                if let Some(charged) = charged {
                    let record = fixture.stored_request(uid).await.unwrap();
                    assert_eq!((record.cost, record.credits), (charged, charged), "{what}");
                }
            }
            set_cost(&mut fixture, &Cost::Fixed(9));
            fixture.watch(true).await;
            fixture.pass().await;
            assert_eq!(fixture.balance(BO).await, (3, 0, 4), "{what}");
        }
    }
}

/// The guests of a moved booking go with it, so that the charge stays as it is.
#[tokio::test]
async fn a_moved_booking_with_guests_costs_the_same() {
    for dialect in DIALECTS {
        for by_host in [false, true] {
            let mut fixture = PassFixture::new(dialect).await;
            fixture.grant(BO, 5).await;
            let cost = Cost::PerGuest {
                base: 1,
                per_guest: 1,
            };
            set_cost(&mut fixture, &cost);
            let uid = request_with_guests(&fixture, "2026-12-01T09:00:00Z", 2);
            fixture.pass().await;
            let to = BookingMove::new(&uid, parse_time("2026-12-04T09:00:00Z"));
            let action = if by_host {
                ThirdPartyAction::HostMoves(to)
            } else {
                ThirdPartyAction::BookerMoves(to)
            };
            let last = perform_action(&fixture, action).remove(0);
            fixture.pass().await;
            fixture.watch(true).await;
            let charge = fixture.charge(&last).await.unwrap();
            assert_eq!(charge.credits(), 3, "{dialect:?} {by_host}");
            assert_eq!(fixture.balance(BO).await, (2, 0, 3), "{dialect:?}");
        }
    }
}

#[tokio::test]
async fn another_system_names_the_price_or_nothing_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        ("echo '{\"credits\": 3}'", CONFIRMED, Some(3)),
        ("echo '{\"credits\": 0}'", CONFIRMED, Some(0)),
        ("echo '{\"credits\": 2.5}'", UNKNOWN, None),
        ("echo '{\"credits\": -1}'", UNKNOWN, None),
        ("echo '{\"credits\": 2000000000}'", UNKNOWN, None),
        ("echo '{\"credits\": \"3\"}'", UNKNOWN, None),
        ("echo '{}'", UNKNOWN, None),
        ("echo null", UNKNOWN, None),
        ("exit 1", "wait price-unknown", None),
    ];
    for dialect in DIALECTS {
        for (script, expect, charged) in rows {
            let mut fixture = PassFixture::new(dialect).await;
            fixture.grant(BO, 5).await;
            set_lookup(&mut fixture, &folder, script);
            set_cost(&mut fixture, &answered());
            let uid = request_with_guests(&fixture, "2026-12-01T09:00:00Z", 0);
            fixture.pass().await;
            assert_eq!(decision_text(&fixture, &uid).await, expect, "{script}");
            let charge = fixture.charge(&uid).await;
            assert_eq!(charge.map(|charge| charge.credits()), charged, "{script}");
        }
    }
}

/// A watch asks no other system: it neither guesses a price nor takes one for another.
#[tokio::test]
async fn a_watch_guesses_no_price() {
    let folder = tempfile::tempdir().unwrap();
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant(BO, 5).await;
        fixture.clock.advance(Span::minutes(5));
        set_lookup(&mut fixture, &folder, "echo '{\"credits\": 2}'");
        set_cost(&mut fixture, &answered());
        let since = fixture.clock.now() - Span::hours(1);
        for gate in &mut fixture.policy.gates {
            gate.terms.on_unmanaged = OnUnmanaged::Charge;
            gate.terms.unmanaged_since = Some(since);
        }
        let uid = request_with_guests(&fixture, "2026-12-01T09:00:00Z", 0);
        fixture.pass().await;
        assert_eq!(fixture.balance(BO).await, (3, 0, 2));
        // The host's move is accepted at once.
        let to = BookingMove::new(&uid, parse_time("2026-12-04T09:00:00Z"));
        let last = perform_action(&fixture, ThirdPartyAction::HostMoves(to)).remove(0);
        let by_hand = request_with_guests(&fixture, "2026-12-02T09:00:00Z", 0);
        let action = ThirdPartyAction::HostAccepts {
            booking: by_hand.clone(),
        };
        perform_action(&fixture, action);
        let watched = fixture.watch(true).await;
        let codes: BTreeSet<&str> = watched.problems.iter().map(|one| one.code).collect();
        assert!(codes.contains("move-price-unknown"), "{codes:?}");
        assert_eq!(fixture.charge(&last).await.unwrap().credits(), 2);
        assert!(fixture.charge(&by_hand).await.is_none());
        let mut listed = watched
            .problems
            .iter()
            .filter(|one| one.code == "unmanaged");
        let text = &listed.next().expect("the booking is listed").text;
        assert!(text.contains("could not be determined"), "{text}");
        assert_eq!(fixture.balance(BO).await, (3, 0, 2));
    }
}
