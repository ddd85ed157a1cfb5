//! The written form of requests and of what belongs to them.

use serde::{Deserialize, Serialize};

use super::personal::{self, PersonalText};
use super::review::ReviewRecord;
use super::text::{RecordError, Text, is_zero, is_zero_credits, optional_string};
use super::timestamp::Timestamp;
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Credits, Decision, DecisionOutcome, Finding, Reason};
use crate::domain::id::{EventTypeId, HostId};
use crate::domain::request::{
    CallEnd, CallKind, CallNote, OperatorReview, PinAttempt, Request, RequestState,
};
use crate::domain::time::Time;

/// The written form of a reference to a booking.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingRecord<'a> {
    #[serde(borrow)]
    uid: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
}

/// The written form of a request, in facts and in the projection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRecord<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    bookings: Vec<BookingRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    series: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_type: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slug: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gate: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Text<'a>>,
    start: Timestamp,
    end: Timestamp,
    created: Timestamp,
    decision: DecisionRecord,
    cost: Credits,
    credits: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<CallKindRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    carries: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "is_zero_credits")]
    keeps: Credits,
    policy: Text<'a>,
    decided: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call_not_after: Option<Timestamp>,
    first: Timestamp,
    state: StateRecord,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failure: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<CallRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    review: Option<ReviewRecord<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons_since: Vec<SinceRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<PinTryRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    personal: Option<RequestPersonal<'a>>,
}

/// The values that may name a person. The texts of reasons and findings are in the order of their
/// codes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestPersonal<'a> {
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    title: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    booker: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    /// A fingerprint of the person who gave a PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Text<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SinceRecord<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
    at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinTryRecord {
    right: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum DecisionRecord {
    Confirm,
    Decline,
    Wait {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    Review,
    Leave,
}

/// What a call asked for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKindRecord {
    /// To confirm the booking.
    Confirm,
    /// To decline the booking.
    Decline,
    /// To cancel the booking.
    Cancel,
}

/// How an intent ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeRecord {
    /// The bookings are confirmed.
    Confirmed,
    /// The bookings are declined.
    Declined,
    /// Something else happened to the booking first.
    Superseded,
    /// Cal.com refused repeatedly, and the request was left for a person.
    Refused,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum StateRecord {
    Noted,
    Recorded,
    Settled {
        outcome: OutcomeRecord,
        at: Timestamp,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingRecord<'a> {
    #[serde(borrow)]
    rule: Text<'a>,
    /// Missing in logs that are older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Text<'a>>,
    passed: bool,
}

/// The written form of a call and its end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRecord<'a> {
    at: Timestamp,
    #[serde(borrow)]
    booking: Text<'a>,
    kind: CallKindRecord,
    end: CallEndRecord,
    /// When a call without an answer was sent, so that it may still be running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    personal: Option<PersonalText<'a>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CallEndRecord {
    Answered,
    Refused,
    Failed,
    NotSent,
    Unanswered,
}

impl<'a> From<&'a BookingRef> for BookingRecord<'a> {
    fn from(booking: &'a BookingRef) -> Self {
        Self {
            uid: booking.uid.as_str().into(),
            id: booking.id,
        }
    }
}

impl TryFrom<BookingRecord<'_>> for BookingRef {
    type Error = RecordError;

    fn try_from(record: BookingRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            uid: record.uid.to_booking_uid()?,
            id: record.id,
        })
    }
}

impl<'a> From<&'a Request> for RequestRecord<'a> {
    fn from(request: &'a Request) -> Self {
        let codes = request.reasons.iter();
        let (findings, details) = request.findings.iter().map(split_finding).unzip();
        let personal = RequestPersonal {
            title: Some((&request.title).into()),
            booker: request
                .booker
                .as_ref()
                .map(|address| address.as_str().into()),
            reasons: request
                .reasons
                .iter()
                .map(|reason| (&reason.text).into())
                .collect(),
            findings: details,
            text: request.booker_text.as_ref().map(Into::into),
            origin: request.pin_attempt.as_ref().map(|pin| (&pin.origin).into()),
        };
        Self {
            id: request.id.as_str().into(),
            bookings: request.bookings.iter().map(Into::into).collect(),
            series: request.series.as_ref().map(|id| id.as_str().into()),
            event_type: request.event_type.map(|id| id.0),
            slug: request.slug.as_ref().map(Into::into),
            gate: request.gate.as_ref().map(Into::into),
            host: request.host.map(|id| id.0),
            account: request.account.as_ref().map(|id| id.as_str().into()),
            start: Timestamp(request.start),
            end: Timestamp(request.end),
            created: Timestamp(request.created_at),
            decision: request.decision.into(),
            cost: request.cost,
            credits: request.credits,
            call: request.call.map(Into::into),
            reasons: codes.map(|reason| reason.code.as_str().into()).collect(),
            findings,
            carries: request.predecessor.as_ref().map(|uid| uid.as_str().into()),
            keeps: request.non_refundable,
            policy: (&request.policy_hash).into(),
            decided: Timestamp(request.decided_at),
            call_not_after: request.call_not_after.map(Timestamp),
            first: Timestamp(request.first_evaluated_at),
            state: request.state.into(),
            failures: request.failures,
            last_failure: request.last_failure.map(Timestamp),
            calls: request.calls.iter().map(Into::into).collect(),
            review: request.review.as_ref().map(Into::into),
            reasons_since: request.reasons_since.iter().map(Into::into).collect(),
            pin: request.pin_attempt.as_ref().map(|pin| PinTryRecord {
                right: pin.is_correct,
            }),
            personal: Some(personal),
        }
    }
}

impl TryFrom<RequestRecord<'_>> for Request {
    type Error = RecordError;

    fn try_from(record: RequestRecord<'_>) -> Result<Self, RecordError> {
        let personal = record.personal.unwrap_or_default();
        let mut texts = personal.reasons.into_iter();
        let mut details = personal.findings.into_iter();
        let reasons = record.reasons.into_iter().map(|code| {
            Ok(Reason {
                code: code.to_reason_code()?,
                text: optional_string(texts.next())?.unwrap_or_default(),
            })
        });
        let reasons = reasons.collect::<Result<_, RecordError>>()?;
        let findings = record.findings.into_iter().map(|finding| {
            Ok(Finding {
                rule: finding.rule.into_string()?.into(),
                code: finding.code.map(|code| code.to_reason_code()).transpose()?,
                passed: finding.passed,
                detail: optional_string(details.next())?.unwrap_or_default(),
            })
        });
        let findings = findings.collect::<Result<Vec<Finding>, RecordError>>()?;
        if texts.next().is_some() || details.next().is_some() {
            return Err(RecordError::FieldMismatch("personal"));
        }
        Ok(Self {
            id: record.id.to_request_id()?,
            bookings: convert_all(record.bookings)?,
            series: record.series.map(|text| text.to_request_id()).transpose()?,
            title: optional_string(personal.title)?.unwrap_or_default(),
            event_type: record.event_type.map(EventTypeId),
            slug: optional_string(record.slug)?,
            gate: optional_string(record.gate)?,
            host: record.host.map(HostId),
            booker: personal.booker.map(|text| text.to_address()).transpose()?,
            account: record
                .account
                .map(|text| text.to_account_id())
                .transpose()?,
            start: record.start.0,
            end: record.end.0,
            created_at: record.created.0,
            decision: record.decision.into(),
            cost: record.cost,
            credits: record.credits,
            call: record.call.map(Into::into),
            reasons,
            findings,
            booker_text: optional_string(personal.text)?,
            predecessor: record
                .carries
                .map(|text| text.to_booking_uid())
                .transpose()?,
            non_refundable: record.keeps,
            policy_hash: record.policy.into_string()?,
            decided_at: record.decided.0,
            call_not_after: record.call_not_after.map(|stamp| stamp.0),
            first_evaluated_at: record.first.0,
            state: record.state.into(),
            failures: record.failures,
            last_failure: record.last_failure.map(|stamp| stamp.0),
            calls: convert_all(record.calls)?,
            review: record.review.map(OperatorReview::try_from).transpose()?,
            reasons_since: convert_all(record.reasons_since)?,
            pin_attempt: match record.pin {
                Some(pin) => Some(PinAttempt {
                    is_correct: pin.right,
                    origin: optional_string(personal.origin)?.unwrap_or_default(),
                }),
                None => None,
            },
        })
    }
}

impl<'a> From<&'a (String, Time)> for SinceRecord<'a> {
    fn from((reason, at): &'a (String, Time)) -> Self {
        Self {
            reason: reason.into(),
            at: Timestamp(*at),
        }
    }
}

impl TryFrom<SinceRecord<'_>> for (String, Time) {
    type Error = RecordError;

    fn try_from(record: SinceRecord<'_>) -> Result<Self, RecordError> {
        Ok((record.reason.into_string()?, record.at.0))
    }
}

impl From<Decision> for DecisionRecord {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Confirm => Self::Confirm,
            Decision::Decline => Self::Decline,
            Decision::Wait { until } => Self::Wait {
                until: until.map(Timestamp),
            },
            Decision::Review => Self::Review,
            Decision::Leave => Self::Leave,
        }
    }
}

impl From<DecisionRecord> for Decision {
    fn from(record: DecisionRecord) -> Self {
        match record {
            DecisionRecord::Confirm => Self::Confirm,
            DecisionRecord::Decline => Self::Decline,
            DecisionRecord::Wait { until } => Self::Wait {
                until: until.map(|stamp| stamp.0),
            },
            DecisionRecord::Review => Self::Review,
            DecisionRecord::Leave => Self::Leave,
        }
    }
}

impl From<CallKind> for CallKindRecord {
    fn from(kind: CallKind) -> Self {
        match kind {
            CallKind::Confirm => Self::Confirm,
            CallKind::Decline => Self::Decline,
            CallKind::Cancel => Self::Cancel,
        }
    }
}

impl From<CallKindRecord> for CallKind {
    fn from(record: CallKindRecord) -> Self {
        match record {
            CallKindRecord::Confirm => Self::Confirm,
            CallKindRecord::Decline => Self::Decline,
            CallKindRecord::Cancel => Self::Cancel,
        }
    }
}

impl From<DecisionOutcome> for OutcomeRecord {
    fn from(outcome: DecisionOutcome) -> Self {
        match outcome {
            DecisionOutcome::Confirmed => Self::Confirmed,
            DecisionOutcome::Declined => Self::Declined,
            DecisionOutcome::Superseded => Self::Superseded,
            DecisionOutcome::Refused => Self::Refused,
        }
    }
}

impl From<OutcomeRecord> for DecisionOutcome {
    fn from(record: OutcomeRecord) -> Self {
        match record {
            OutcomeRecord::Confirmed => Self::Confirmed,
            OutcomeRecord::Declined => Self::Declined,
            OutcomeRecord::Superseded => Self::Superseded,
            OutcomeRecord::Refused => Self::Refused,
        }
    }
}

impl From<RequestState> for StateRecord {
    fn from(state: RequestState) -> Self {
        match state {
            RequestState::Noted => Self::Noted,
            RequestState::Recorded => Self::Recorded,
            RequestState::Settled { outcome, at } => Self::Settled {
                outcome: outcome.into(),
                at: Timestamp(at),
            },
        }
    }
}

impl From<StateRecord> for RequestState {
    fn from(record: StateRecord) -> Self {
        match record {
            StateRecord::Noted => Self::Noted,
            StateRecord::Recorded => Self::Recorded,
            StateRecord::Settled { outcome, at } => Self::Settled {
                outcome: outcome.into(),
                at: at.0,
            },
        }
    }
}

/// Returns the two parts of a finding: its record, and the text that may name a person.
fn split_finding(finding: &Finding) -> (FindingRecord<'_>, Text<'_>) {
    let record = FindingRecord {
        rule: finding.rule.as_ref().into(),
        code: finding.code.map(|code| code.as_str().into()),
        passed: finding.passed,
    };
    (record, (&finding.detail).into())
}

impl<'a> From<&'a CallNote> for CallRecord<'a> {
    fn from(call: &'a CallNote) -> Self {
        Self {
            at: Timestamp(call.at),
            booking: call.booking.as_str().into(),
            kind: call.kind.into(),
            end: match call.end {
                CallEnd::Answered => CallEndRecord::Answered,
                CallEnd::Refused => CallEndRecord::Refused,
                CallEnd::Failed => CallEndRecord::Failed,
                CallEnd::NotSent => CallEndRecord::NotSent,
                CallEnd::Unanswered { .. } => CallEndRecord::Unanswered,
            },
            sent: match call.end {
                CallEnd::Unanswered { sent } => Some(Timestamp(sent)),
                CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => None,
            },
            personal: personal::to_personal_text(&call.text),
        }
    }
}

impl TryFrom<CallRecord<'_>> for CallNote {
    type Error = RecordError;

    fn try_from(record: CallRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            at: record.at.0,
            booking: record.booking.to_booking_uid()?,
            kind: record.kind.into(),
            end: match record.end {
                CallEndRecord::Answered => CallEnd::Answered,
                CallEndRecord::Refused => CallEnd::Refused,
                CallEndRecord::Failed => CallEnd::Failed,
                CallEndRecord::NotSent => CallEnd::NotSent,
                CallEndRecord::Unanswered => CallEnd::Unanswered {
                    sent: record.sent.ok_or(RecordError::MissingField("sent"))?.0,
                },
            },
            text: personal::from_personal_text(record.personal)?,
        })
    }
}

fn convert_all<R, T: TryFrom<R, Error = RecordError>>(
    records: Vec<R>,
) -> Result<Vec<T>, RecordError> {
    records.into_iter().map(T::try_from).collect()
}
