//! What happened on one day, in numbers: decisions by reason, and credits. A day's totals are the sum
//! of the facts that were committed on that day, so that nothing but the log is needed to count them
//! again.

use std::collections::BTreeMap;

use super::account::sum_credits;
use super::decision::{Credits, Decision, ReasonCode};
use super::fact::{ChargeFact, CreditFact, Fact, RefundPart, RequestFact};

/// The word for a decision without a reason.
const NO_REASON: &str = "none";

/// All decisions. The instant of a wait does not matter for its word.
const DECISIONS: [Decision; 5] = [
    Decision::Confirm,
    Decision::Decline,
    Decision::Wait { until: None },
    Decision::Review,
    Decision::Leave,
];

/// What happened on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DailyTotals {
    /// Decisions that were recorded, by the words for decision and first reason. A request that
    /// waits counts again when its decision changes.
    pub decisions: BTreeMap<(&'static str, &'static str), u64>,
    /// Credits that were given to accounts.
    pub granted: Credits,
    /// Credits of holds that were spent.
    pub spent: Credits,
    /// Credits that came back after they were spent.
    pub refunded: Credits,
    /// Credits that expired.
    pub expired: Credits,
    /// Credits that operators took back.
    pub revoked: Credits,
}

impl DailyTotals {
    /// Adds a fact. `posted` is the credits of the hold that the fact spends, which the fact itself
    /// does not repeat.
    pub fn add_fact(&mut self, fact: &Fact, posted: Credits) {
        let (total, credits) = match fact {
            Fact::Credit(CreditFact::Grant { credits, .. }) => (&mut self.granted, *credits),
            Fact::Credit(CreditFact::Revoke { parts, .. }) => {
                (&mut self.revoked, sum_credits(parts))
            }
            Fact::Credit(CreditFact::Expire { part, .. }) => (&mut self.expired, part.credits),
            Fact::Charge(ChargeFact::Post { .. }) => (&mut self.spent, posted),
            Fact::Charge(ChargeFact::Refund { parts, .. }) => {
                (&mut self.refunded, sum_refund(parts))
            }
            Fact::Request(RequestFact::Decided { request }) if request.closes_note() => return,
            Fact::Request(RequestFact::Decided { request }) => {
                let reason = request.reasons.first();
                let reason = reason.map_or(NO_REASON, |reason| reason.code.as_str());
                let key = (request.decision.as_str(), reason);
                *self.decisions.entry(key).or_default() += 1;
                return;
            }
            // A transfer gives one account what another one loses.
            Fact::Credit(CreditFact::Transfer { .. }) => return,
            // A hold reserves credits and a void releases them; neither spends any.
            Fact::Charge(
                ChargeFact::Hold { .. }
                | ChargeFact::Void { .. }
                | ChargeFact::Move { .. }
                | ChargeFact::Closed { .. },
            )
            | Fact::Request(
                RequestFact::Reviewed { .. }
                | RequestFact::CallRecorded { .. }
                | RequestFact::IntentSettled { .. },
            )
            | Fact::Account(_)
            | Fact::Unresolved(_)
            | Fact::Ledger(_)
            | Fact::By(_) => return,
        };
        *total = total.saturating_add(credits);
    }

    /// Adds the totals of other facts.
    pub fn add(&mut self, other: &Self) {
        for (key, count) in &other.decisions {
            let total = self.decisions.entry(*key).or_default();
            *total = total.saturating_add(*count);
        }
        for (total, credits) in [
            (&mut self.granted, other.granted),
            (&mut self.spent, other.spent),
            (&mut self.refunded, other.refunded),
            (&mut self.expired, other.expired),
            (&mut self.revoked, other.revoked),
        ] {
            *total = total.saturating_add(credits);
        }
    }

    /// Returns true if nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Returns the key of a decision and a reason in [`DailyTotals::decisions`]. `None`: a word is not
/// known.
pub fn parse_decision_key(decision: &str, reason: &str) -> Option<(&'static str, &'static str)> {
    let mut decisions = DECISIONS.iter().map(|decision| decision.as_str());
    let decision = decisions.find(|word| *word == decision)?;
    let reason = match reason {
        NO_REASON => NO_REASON,
        reason => ReasonCode::parse(reason)?.as_str(),
    };
    Some((decision, reason))
}

fn sum_refund(parts: &[RefundPart]) -> Credits {
    parts
        .iter()
        .fold(0, |sum, part| sum.saturating_add(part.credits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::REASON_CODES;

    #[test]
    fn every_decision_and_reason_is_read_back() {
        for decision in DECISIONS {
            for reason in REASON_CODES.iter().map(|code| code.as_str()) {
                let key = (decision.as_str(), reason);
                assert_eq!(parse_decision_key(key.0, key.1), Some(key));
            }
            let none = parse_decision_key(decision.as_str(), "none");
            assert_eq!(none, Some((decision.as_str(), "none")));
        }
        assert_eq!(parse_decision_key("burn", "enough"), None);
        assert_eq!(parse_decision_key("confirm", "because"), None);
    }
}
