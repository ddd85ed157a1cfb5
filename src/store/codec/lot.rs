//! The written form of the terms of a lot.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::refund_terms::parse_span;
use super::text::{RecordError, Text};
use crate::domain::lot::{LotSource, LotTerms};

/// The terms of a grant or a lot.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotTermsRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceRecord>,
    #[serde(default, skip_serializing_if = "is_zero_priority")]
    priority: i16,
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lasts_after_first_use: Option<i64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SourceRecord {
    Promotional,
    Allowance,
}

fn is_zero_priority(priority: &i16) -> bool {
    *priority == 0
}

/// Returns the record of terms; `None` for the terms of a grant without any.
pub fn to_lot_terms_record(terms: &LotTerms) -> Option<LotTermsRecord<'_>> {
    (*terms != LotTerms::default()).then(|| LotTermsRecord {
        source: match terms.source {
            LotSource::Promotional => Some(SourceRecord::Promotional),
            LotSource::Allowance => Some(SourceRecord::Allowance),
            LotSource::Paid => None,
        },
        priority: terms.priority,
        gates: terms.gates.iter().map(Into::into).collect(),
        lasts_after_first_use: terms
            .lasts_after_first_use
            .map(|span| span.num_milliseconds()),
    })
}

/// Returns the terms of a record.
pub fn from_lot_terms_record(record: Option<LotTermsRecord<'_>>) -> Result<LotTerms, RecordError> {
    let Some(record) = record else {
        return Ok(LotTerms::default());
    };
    let gates = record.gates.into_iter().map(Text::into_string);
    let span = record.lasts_after_first_use.map(parse_span).transpose()?;
    Ok(LotTerms {
        source: match record.source {
            Some(SourceRecord::Promotional) => LotSource::Promotional,
            Some(SourceRecord::Allowance) => LotSource::Allowance,
            None => LotSource::Paid,
        },
        priority: record.priority,
        gates: gates.collect::<Result<BTreeSet<_>, _>>()?,
        lasts_after_first_use: span,
    })
}
