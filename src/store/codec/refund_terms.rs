//! The written form of the refund terms of a charge.

use serde::{Deserialize, Serialize};

use super::text::RecordError;
use crate::domain::refund_policy::{
    Blame, ExpiredRefund, Forgiveness, HostAbsent, LateMove, NoShow, RefundTerms, RefundTier,
};
use crate::domain::time::Span;

/// Refund terms, with spans in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsRecord {
    /// Pairs of notice and percent.
    windows: Vec<(i64, u8)>,
    host_cancels: BlameRecord,
    unknown_cancels: BlameRecord,
    trust_named_cancels: bool,
    host_absent: HostAbsentRecord,
    no_show: NoShowRecord,
    /// How often an absence is forgiven, and within which time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgive: Option<(u32, i64)>,
    grace: i64,
    /// How long a new lot lasts that takes the place of an expired lot; `None` if credits are not
    /// restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restore_for: Option<i64>,
    late_move: LateMoveRecord,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BlameRecord {
    Host,
    Booker,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HostAbsentRecord {
    Review,
    Refund,
    Ignore,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NoShowRecord {
    Keep,
    Refund,
    Review,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LateMoveRecord {
    Carry,
    Cancellation,
}

impl From<&RefundTerms> for TermsRecord {
    fn from(terms: &RefundTerms) -> Self {
        let window = |window: &RefundTier| (window.before.num_milliseconds(), window.percent);
        let forgive = |forgive: Forgiveness| (forgive.times, forgive.per.num_milliseconds());
        Self {
            windows: terms.tiers.iter().map(window).collect(),
            host_cancels: terms.host_cancels.into(),
            unknown_cancels: terms.unknown_cancels.into(),
            trust_named_cancels: terms.trust_named_cancels,
            host_absent: match terms.host_absent {
                HostAbsent::Review => HostAbsentRecord::Review,
                HostAbsent::Refund => HostAbsentRecord::Refund,
                HostAbsent::Ignore => HostAbsentRecord::Ignore,
            },
            no_show: match terms.no_show {
                NoShow::Keep => NoShowRecord::Keep,
                NoShow::Refund => NoShowRecord::Refund,
                NoShow::Review => NoShowRecord::Review,
            },
            forgive: terms.forgiveness.map(forgive),
            grace: terms.grace.num_milliseconds(),
            restore_for: match terms.expired_refund {
                ExpiredRefund::RestoreFor(span) => Some(span.num_milliseconds()),
                ExpiredRefund::Forfeit => None,
            },
            late_move: match terms.late_move {
                LateMove::Carry => LateMoveRecord::Carry,
                LateMove::Cancellation => LateMoveRecord::Cancellation,
            },
        }
    }
}

impl TryFrom<TermsRecord> for RefundTerms {
    type Error = RecordError;

    fn try_from(record: TermsRecord) -> Result<Self, RecordError> {
        let mut windows = Vec::with_capacity(record.windows.len());
        for (before, percent) in record.windows {
            if percent > 100 {
                return Err(RecordError::Percent(percent));
            }
            let before = parse_span(before)?;
            windows.push(RefundTier { before, percent });
        }
        let forgive = match record.forgive {
            Some((times, per)) => Some(Forgiveness {
                times,
                per: parse_span(per)?,
            }),
            None => None,
        };
        Ok(Self {
            tiers: windows,
            host_cancels: record.host_cancels.into(),
            unknown_cancels: record.unknown_cancels.into(),
            trust_named_cancels: record.trust_named_cancels,
            host_absent: match record.host_absent {
                HostAbsentRecord::Review => HostAbsent::Review,
                HostAbsentRecord::Refund => HostAbsent::Refund,
                HostAbsentRecord::Ignore => HostAbsent::Ignore,
            },
            no_show: match record.no_show {
                NoShowRecord::Keep => NoShow::Keep,
                NoShowRecord::Refund => NoShow::Refund,
                NoShowRecord::Review => NoShow::Review,
            },
            forgiveness: forgive,
            grace: parse_span(record.grace)?,
            expired_refund: match record.restore_for {
                Some(millis) => ExpiredRefund::RestoreFor(parse_span(millis)?),
                None => ExpiredRefund::Forfeit,
            },
            late_move: match record.late_move {
                LateMoveRecord::Carry => LateMove::Carry,
                LateMoveRecord::Cancellation => LateMove::Cancellation,
            },
        })
    }
}

impl From<Blame> for BlameRecord {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Host => Self::Host,
            Blame::Booker => Self::Booker,
        }
    }
}

impl From<BlameRecord> for Blame {
    fn from(record: BlameRecord) -> Self {
        match record {
            BlameRecord::Host => Self::Host,
            BlameRecord::Booker => Self::Booker,
        }
    }
}

/// The longest accepted span. No configuration asks for more, and sums with instants stay in range.
const LONGEST_SPAN_MILLIS: i64 = 100 * 366 * 24 * 60 * 60 * 1_000;

/// Returns a span of this many milliseconds, if a configuration can name one.
pub fn parse_span(millis: i64) -> Result<Span, RecordError> {
    if !(0..=LONGEST_SPAN_MILLIS).contains(&millis) {
        return Err(RecordError::Span(millis));
    }
    Ok(Span::milliseconds(millis))
}
