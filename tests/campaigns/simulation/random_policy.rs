//! The random policy of one run: its gates and their terms.

use maitred::domain::criteria::gate_criteria::Criteria;
use maitred::domain::criteria::global_policy::GlobalPolicy;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::criteria::price::Cost;
use maitred::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, Policy, RefuseWith};
use maitred::domain::id::{Address, EventTypeKey, HostKey};
use maitred::domain::refund_policy::{
    AcceptedMove, Blame, ExpiredRefund, Forgiveness, HostAbsent, LateMove, NoShow, OnReschedule,
    OnRevived, OnUnmanaged, RefundTerms, RefundTier, Terms,
};
use maitred::domain::time::{Span, Time};

use super::model_calcom::ADMIN_ADDRESS;
use crate::rng::Rng;

/// When every run begins.
pub const START: &str = "2026-11-24T08:00:00Z";

pub fn random_policy(rng: &mut Rng) -> Policy {
    let limits = PassLimits {
        requests_per_pass: *rng.pick(&[2, 250, 250]),
        declines: DeclineLimit {
            at_most: *rng.pick(&[1, 25, 25]),
            per: Span::minutes(*rng.pick(&[1, 15, 15])),
        },
        max_observation_age: Span::seconds(10),
        series_settle: Span::seconds(10),
        resend_after: Span::minutes(15),
    };
    let unknown_booker = *rng.pick(&[
        OnViolation::Decline,
        OnViolation::Decline,
        OnViolation::WAIT,
        OnViolation::Review,
        OnViolation::Leave,
    ]);
    let short_of_credit = *rng.pick(&[
        OnViolation::Decline,
        OnViolation::Decline,
        OnViolation::Review,
        OnViolation::wait_for(Span::minutes(90)),
    ]);
    let taken = *rng.pick(&[OnViolation::Decline, OnViolation::WAIT, OnViolation::Leave]);
    let alike = rng.chance(500);
    let first = random_terms(rng);
    let gate = |rng: &mut Rng, name: &str, cost| Gate {
        terms: if alike {
            first.clone()
        } else {
            random_terms(rng)
        },
        name: name.to_owned(),
        event_types: vec![EventTypeKey::Slug(name.to_owned())],
        cost: Cost::Fixed(cost),
        unknown_booker,
        short_of_credit,
        time_taken: taken,
        on_unanswered: OnUnanswered::Leave,
        criteria: Criteria::default(),
    };
    Policy {
        gates: vec![
            gate(rng, "lesson", 1),
            gate(rng, "dinner", 3),
            gate(rng, "visit", 0),
            gate(rng, "priced", 1),
        ],
        hosts: if rng.chance(500) {
            vec![HostKey::Address(Address::parse(ADMIN_ADDRESS).unwrap())]
        } else {
            Vec::new()
        },
        refuse_with: *rng.pick(&[RefuseWith::Decline, RefuseWith::Decline, RefuseWith::Cancel]),
        limits,
        global: GlobalPolicy::default(),
        hash: "simulated".to_owned(),
    }
}

fn refund_tiers(of: &[(i64, u8)]) -> Vec<RefundTier> {
    let window = |(hours, percent): &(i64, u8)| RefundTier {
        before: Span::hours(*hours),
        percent: *percent,
    };
    of.iter().map(window).collect()
}

fn random_terms(rng: &mut Rng) -> Terms {
    let start: Time = START.parse().unwrap();
    Terms {
        refunds: random_refund_terms(rng),
        on_reschedule: *rng.pick(&[OnReschedule::Carry, OnReschedule::Recheck]),
        on_unmanaged: *rng.pick(&[
            OnUnmanaged::Report,
            OnUnmanaged::Charge,
            OnUnmanaged::Cancel,
        ]),
        on_revived: *rng.pick(&[OnRevived::Report, OnRevived::Cancel]),
        accepted_move: AcceptedMove::Carry,
        unmanaged_since: *rng.pick(&[None, None, Some(start + Span::hours(4))]),
    }
}

pub fn random_refund_terms(rng: &mut Rng) -> RefundTerms {
    let tables: [&[(i64, u8)]; 4] = [
        &[(24, 100)],
        &[(24, 100), (2, 50)],
        &[(48, 100), (24, 75), (1, 25)],
        &[],
    ];
    RefundTerms {
        tiers: refund_tiers(tables[rng.index(tables.len())]),
        host_cancels: *rng.pick(&[Blame::Host, Blame::Host, Blame::Booker]),
        unknown_cancels: *rng.pick(&[Blame::Booker, Blame::Booker, Blame::Host]),
        trust_named_cancels: rng.chance(500),
        host_absent: *rng.pick(&[HostAbsent::Review, HostAbsent::Refund, HostAbsent::Ignore]),
        no_show: *rng.pick(&[NoShow::Keep, NoShow::Keep, NoShow::Refund, NoShow::Review]),
        forgiveness: *rng.pick(&[
            None,
            Some(Forgiveness {
                times: 1,
                per: Span::days(60),
            }),
            Some(Forgiveness {
                times: 2,
                per: Span::days(2),
            }),
        ]),
        grace: Span::hours(*rng.pick(&[24, 24, 1, 0, 72])),
        expired_refund: *rng.pick(&[
            ExpiredRefund::RestoreFor(Span::days(14)),
            ExpiredRefund::RestoreFor(Span::hours(3)),
            ExpiredRefund::Forfeit,
        ]),
        late_move: *rng.pick(&[LateMove::Carry, LateMove::Cancellation]),
    }
}
