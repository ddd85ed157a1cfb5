//! The written form of the totals of one day. Only the projection has it; the log does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::{RecordError, Text};
use crate::domain::daily_totals::{DailyTotals, parse_decision_key};
use crate::domain::decision::Credits;

/// The written form of [`DailyTotals`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyTotalsRecord<'a> {
    /// By decision, and by reason within.
    #[serde(default, borrow, skip_serializing_if = "BTreeMap::is_empty")]
    decisions: BTreeMap<Text<'a>, BTreeMap<Text<'a>, u64>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    granted: Credits,
    #[serde(default, skip_serializing_if = "is_zero")]
    spent: Credits,
    #[serde(default, skip_serializing_if = "is_zero")]
    refunded: Credits,
    #[serde(default, skip_serializing_if = "is_zero")]
    expired: Credits,
    #[serde(default, skip_serializing_if = "is_zero")]
    revoked: Credits,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(credits: &Credits) -> bool {
    *credits == 0
}

impl From<&DailyTotals> for DailyTotalsRecord<'_> {
    fn from(totals: &DailyTotals) -> Self {
        let mut decisions: BTreeMap<Text<'_>, BTreeMap<Text<'_>, u64>> = BTreeMap::new();
        for ((decision, reason), count) in &totals.decisions {
            let reasons = decisions.entry((*decision).into()).or_default();
            reasons.insert((*reason).into(), *count);
        }
        Self {
            decisions,
            granted: totals.granted,
            spent: totals.spent,
            refunded: totals.refunded,
            expired: totals.expired,
            revoked: totals.revoked,
        }
    }
}

impl TryFrom<DailyTotalsRecord<'_>> for DailyTotals {
    type Error = RecordError;

    fn try_from(record: DailyTotalsRecord<'_>) -> Result<Self, RecordError> {
        let mut decisions = BTreeMap::new();
        for (decision, reasons) in record.decisions {
            for (reason, count) in reasons {
                let key = parse_decision_key(&decision.0, &reason.0);
                let key = key.ok_or_else(|| RecordError::Code(reason.0.into_owned()))?;
                decisions.insert(key, count);
            }
        }
        Ok(Self {
            decisions,
            granted: record.granted,
            spent: record.spent,
            refunded: record.refunded,
            expired: record.expired,
            revoked: record.revoked,
        })
    }
}
