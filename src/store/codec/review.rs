//! The written form of an operator's review of a request.

use serde::{Deserialize, Serialize};

use super::personal::{self, PersonalText};
use super::text::RecordError;
use super::timestamp::Timestamp;
use crate::domain::request::{OperatorDecision, OperatorReview};

/// The written form of an operator's review.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewRecord<'a> {
    verdict: VerdictRecord,
    at: Timestamp,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    personal: Option<PersonalText<'a>>,
}

/// What an operator decided.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictRecord {
    /// To confirm the request.
    Confirm,
    /// To decline the request.
    Decline,
}

impl<'a> From<&'a OperatorReview> for ReviewRecord<'a> {
    fn from(review: &'a OperatorReview) -> Self {
        Self {
            verdict: review.decision.into(),
            at: Timestamp(review.at),
            personal: personal::to_personal_text(&review.reason),
        }
    }
}

impl TryFrom<ReviewRecord<'_>> for OperatorReview {
    type Error = RecordError;

    fn try_from(record: ReviewRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            decision: record.verdict.into(),
            reason: personal::from_personal_text(record.personal)?,
            at: record.at.0,
        })
    }
}

impl From<OperatorDecision> for VerdictRecord {
    fn from(verdict: OperatorDecision) -> Self {
        match verdict {
            OperatorDecision::Confirm => Self::Confirm,
            OperatorDecision::Decline => Self::Decline,
        }
    }
}

impl From<VerdictRecord> for OperatorDecision {
    fn from(record: VerdictRecord) -> Self {
        match record {
            VerdictRecord::Confirm => Self::Confirm,
            VerdictRecord::Decline => Self::Decline,
        }
    }
}
