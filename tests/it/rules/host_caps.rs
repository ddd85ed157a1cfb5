//! Caps on what one host takes on, over HTTP: the accepted bookings at Cal.com count, those that others
//! booked or accepted and those of today that are over included.

use maitred::domain::criteria::cap::{CapPeriod, CapSubject, SharedCap};
use maitred::domain::time::Span;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};

use super::decision_text;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{DIALECTS, perform_action};

const CONFIRMED: &str = "confirm enough";
const FULL: &str = "decline host-full";

fn host_cap(at_most: u32, period: CapPeriod, gates: &[&str]) -> SharedCap {
    SharedCap {
        name: "calm".to_owned(),
        at_most,
        period,
        gates: gates.iter().map(|gate| (*gate).to_owned()).collect(),
        each: CapSubject::Host { hosts: Vec::new() },
    }
}

async fn fixture_with(dialect: maitred::domain::dialect::Dialect, cap: SharedCap) -> PassFixture {
    let mut fixture = PassFixture::new(dialect).await;
    fixture.policy.global.shared_caps = vec![cap];
    for account in ["al@example.com", "bo@example.com"] {
        fixture.grant(account, 20).await;
    }
    fixture
}

#[tokio::test]
async fn all_members_share_the_day_of_a_host() {
    for dialect in DIALECTS {
        let mut fixture = fixture_with(dialect, host_cap(2, CapPeriod::Day, &[])).await;
        let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
        let first = fixture.request(lesson, "al@example.com", "2026-12-01T09:00:00Z");
        let second = fixture.request(dinner, "bo@example.com", "2026-12-01T12:00:00Z");
        let third = fixture.request(lesson, "al@example.com", "2026-12-01T15:00:00Z");
        let next_day = fixture.request(lesson, "al@example.com", "2026-12-02T09:00:00Z");
        fixture.pass().await;
        fixture.pass().await;
        for (uid, expect) in [
            (&first, CONFIRMED),
            (&second, CONFIRMED),
            (&third, FULL),
            (&next_day, CONFIRMED),
        ] {
            assert_eq!(decision_text(&fixture, uid).await, expect, "{dialect:?}");
        }
        // A cancellation at Cal.com makes room at once, before any watch has seen it.
        let cancel = BookingRemark::without_reason(&first);
        perform_action(&fixture, ThirdPartyAction::BookerCancels(cancel));
        let fourth = fixture.request(lesson, "bo@example.com", "2026-12-01T16:00:00Z");
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &fourth).await,
            CONFIRMED,
            "{dialect:?}"
        );
    }
}

/// Bookings that others accepted count, and those without a gate where the cap names no gates.
#[tokio::test]
async fn what_others_accepted_counts_too() {
    for dialect in DIALECTS {
        for (gates, expect) in [(&[][..], FULL), (&["lesson"], CONFIRMED)] {
            let cap = host_cap(1, CapPeriod::Week, gates);
            let mut fixture = fixture_with(dialect, cap).await;
            let (lesson, open) = (fixture.event_types.lesson, fixture.event_types.open);
            let by_hand = fixture.request(open, "xi@example.com", "2026-12-02T09:00:00Z");
            perform_action(&fixture, ThirdPartyAction::HostAccepts { booking: by_hand });
            let uid = fixture.request(lesson, "bo@example.com", "2026-12-04T09:00:00Z");
            fixture.pass().await;
            let actual = decision_text(&fixture, &uid).await;
            assert_eq!(actual, expect, "{dialect:?} {gates:?}");
        }
    }
}

/// Cal.com lists bookings that are over elsewhere, and they count as long as the period lasts.
#[tokio::test]
async fn bookings_of_the_day_that_are_over_count() {
    for dialect in DIALECTS {
        let mut fixture = fixture_with(dialect, host_cap(1, CapPeriod::Day, &[])).await;
        let lesson = fixture.event_types.lesson;
        let morning = fixture.request(lesson, "al@example.com", "2026-11-24T09:00:00Z");
        fixture.pass().await;
        assert_eq!(decision_text(&fixture, &morning).await, CONFIRMED);
        fixture.clock.advance(Span::hours(4));
        let later = fixture.request(lesson, "bo@example.com", "2026-11-24T15:00:00Z");
        let tomorrow = fixture.request(lesson, "bo@example.com", "2026-11-25T15:00:00Z");
        fixture.pass().await;
        assert_eq!(decision_text(&fixture, &later).await, FULL, "{dialect:?}");
        assert_eq!(
            decision_text(&fixture, &tomorrow).await,
            CONFIRMED,
            "{dialect:?}"
        );
    }
}
