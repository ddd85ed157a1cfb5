//! An operator's word about a request, as it is written.

use serde::{Deserialize, Serialize};

use super::personal::{self, PersonalText};
use super::stamp::Stamp;
use super::text::RecordError;
use crate::domain::request::{Review, Verdict};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewRecord<'a> {
    verdict: VerdictRecord,
    at: Stamp,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    personal: Option<PersonalText<'a>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictRecord {
    Confirm,
    Decline,
}

impl<'a> From<&'a Review> for ReviewRecord<'a> {
    fn from(review: &'a Review) -> Self {
        Self {
            verdict: review.verdict.into(),
            at: Stamp(review.at),
            personal: personal::text(&review.reason),
        }
    }
}

impl TryFrom<ReviewRecord<'_>> for Review {
    type Error = RecordError;

    fn try_from(record: ReviewRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            verdict: record.verdict.into(),
            reason: personal::string(record.personal)?,
            at: record.at.0,
        })
    }
}

impl From<Verdict> for VerdictRecord {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Confirm => Self::Confirm,
            Verdict::Decline => Self::Decline,
        }
    }
}

impl From<VerdictRecord> for Verdict {
    fn from(record: VerdictRecord) -> Self {
        match record {
            VerdictRecord::Confirm => Self::Confirm,
            VerdictRecord::Decline => Self::Decline,
        }
    }
}
