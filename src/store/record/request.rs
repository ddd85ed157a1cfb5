//! Requests and what hangs on them, as they are written.

use serde::{Deserialize, Serialize};

use super::personal::{self, PersonalText};
use super::review::ReviewRecord;
use super::stamp::Stamp;
use super::text::{RecordError, Text, is_none_of_them, is_zero, optional};
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Credits, Decision, Finding, Outcome, Reason};
use crate::domain::id::{EventTypeId, HostId};
use crate::domain::request::{CallEnd, CallKind, CallNote, PinTry, Request, RequestState, Review};
use crate::domain::time::Time;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingRecord<'a> {
    #[serde(borrow)]
    uid: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
}

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
    start: Stamp,
    end: Stamp,
    created: Stamp,
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
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    keeps: Credits,
    policy: Text<'a>,
    decided: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call_not_after: Option<Stamp>,
    first: Stamp,
    state: StateRecord,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failure: Option<Stamp>,
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

/// What may name a person. The texts of reasons and findings are in the order of their codes.
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
    /// Who gave a PIN, as a fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Text<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SinceRecord<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
    at: Stamp,
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
        until: Option<Stamp>,
    },
    Review,
    Leave,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKindRecord {
    Confirm,
    Decline,
    Cancel,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeRecord {
    Confirmed,
    Declined,
    Superseded,
    Refused,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum StateRecord {
    Noted,
    Recorded,
    Settled { outcome: OutcomeRecord, at: Stamp },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingRecord<'a> {
    #[serde(borrow)]
    rule: Text<'a>,
    /// Logs from before this field do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Text<'a>>,
    passed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRecord<'a> {
    at: Stamp,
    #[serde(borrow)]
    booking: Text<'a>,
    kind: CallKindRecord,
    end: CallEndRecord,
    /// When a call without an answer was sent, so that it may still be running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Stamp>,
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
            uid: record.uid.uid()?,
            id: record.id,
        })
    }
}

impl<'a> From<&'a Request> for RequestRecord<'a> {
    fn from(request: &'a Request) -> Self {
        let codes = request.reasons.iter();
        let (findings, details) = request.findings.iter().map(finding).unzip();
        let personal = RequestPersonal {
            title: Some((&request.title).into()),
            booker: request
                .booker
                .as_ref()
                .map(|address| address.as_str().into()),
            reasons: request
                .reasons
                .iter()
                .map(|one| (&one.text).into())
                .collect(),
            findings: details,
            text: request.text.as_ref().map(Into::into),
            origin: request.pin.as_ref().map(|pin| (&pin.origin).into()),
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
            start: Stamp(request.start),
            end: Stamp(request.end),
            created: Stamp(request.created),
            decision: request.decision.into(),
            cost: request.cost,
            credits: request.credits,
            call: request.call.map(Into::into),
            reasons: codes.map(|reason| reason.code.as_str().into()).collect(),
            findings,
            carries: request.carries.as_ref().map(|uid| uid.as_str().into()),
            keeps: request.keeps,
            policy: (&request.policy).into(),
            decided: Stamp(request.decided),
            call_not_after: request.call_not_after.map(Stamp),
            first: Stamp(request.first),
            state: request.state.into(),
            failures: request.failures,
            last_failure: request.last_failure.map(Stamp),
            calls: request.calls.iter().map(Into::into).collect(),
            review: request.review.as_ref().map(Into::into),
            reasons_since: request.reasons_since.iter().map(Into::into).collect(),
            pin: request
                .pin
                .as_ref()
                .map(|pin| PinTryRecord { right: pin.right }),
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
                code: code.code()?,
                text: optional(texts.next())?.unwrap_or_default(),
            })
        });
        let reasons = reasons.collect::<Result<_, RecordError>>()?;
        let findings = record.findings.into_iter().map(|finding| {
            Ok(Finding {
                rule: finding.rule.string()?.into(),
                code: finding.code.map(|code| code.code()).transpose()?,
                passed: finding.passed,
                detail: optional(details.next())?.unwrap_or_default(),
            })
        });
        let findings = findings.collect::<Result<Vec<Finding>, RecordError>>()?;
        if texts.next().is_some() || details.next().is_some() {
            return Err(RecordError::Unfit("personal"));
        }
        Ok(Self {
            id: record.id.request()?,
            bookings: all(record.bookings)?,
            series: record.series.map(|text| text.request()).transpose()?,
            title: optional(personal.title)?.unwrap_or_default(),
            event_type: record.event_type.map(EventTypeId),
            slug: optional(record.slug)?,
            gate: optional(record.gate)?,
            host: record.host.map(HostId),
            booker: personal.booker.map(|text| text.address()).transpose()?,
            account: record.account.map(|text| text.account()).transpose()?,
            start: record.start.0,
            end: record.end.0,
            created: record.created.0,
            decision: record.decision.into(),
            cost: record.cost,
            credits: record.credits,
            call: record.call.map(Into::into),
            reasons,
            findings,
            text: optional(personal.text)?,
            carries: record.carries.map(|text| text.uid()).transpose()?,
            keeps: record.keeps,
            policy: record.policy.string()?,
            decided: record.decided.0,
            call_not_after: record.call_not_after.map(|stamp| stamp.0),
            first: record.first.0,
            state: record.state.into(),
            failures: record.failures,
            last_failure: record.last_failure.map(|stamp| stamp.0),
            calls: all(record.calls)?,
            review: record.review.map(Review::try_from).transpose()?,
            reasons_since: all(record.reasons_since)?,
            pin: match record.pin {
                Some(pin) => Some(PinTry {
                    right: pin.right,
                    origin: optional(personal.origin)?.unwrap_or_default(),
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
            at: Stamp(*at),
        }
    }
}

impl TryFrom<SinceRecord<'_>> for (String, Time) {
    type Error = RecordError;

    fn try_from(record: SinceRecord<'_>) -> Result<Self, RecordError> {
        Ok((record.reason.string()?, record.at.0))
    }
}

impl From<Decision> for DecisionRecord {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Confirm => Self::Confirm,
            Decision::Decline => Self::Decline,
            Decision::Wait { until } => Self::Wait {
                until: until.map(Stamp),
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

impl From<Outcome> for OutcomeRecord {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Confirmed => Self::Confirmed,
            Outcome::Declined => Self::Declined,
            Outcome::Superseded => Self::Superseded,
            Outcome::Refused => Self::Refused,
        }
    }
}

impl From<OutcomeRecord> for Outcome {
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
                at: Stamp(at),
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
fn finding(finding: &Finding) -> (FindingRecord<'_>, Text<'_>) {
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
            at: Stamp(call.at),
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
                CallEnd::Unanswered { sent } => Some(Stamp(sent)),
                CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => None,
            },
            personal: personal::text(&call.text),
        }
    }
}

impl TryFrom<CallRecord<'_>> for CallNote {
    type Error = RecordError;

    fn try_from(record: CallRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            at: record.at.0,
            booking: record.booking.uid()?,
            kind: record.kind.into(),
            end: match record.end {
                CallEndRecord::Answered => CallEnd::Answered,
                CallEndRecord::Refused => CallEnd::Refused,
                CallEndRecord::Failed => CallEnd::Failed,
                CallEndRecord::NotSent => CallEnd::NotSent,
                CallEndRecord::Unanswered => CallEnd::Unanswered {
                    sent: record.sent.ok_or(RecordError::Incomplete("sent"))?.0,
                },
            },
            text: personal::string(record.personal)?,
        })
    }
}

fn all<R, T: TryFrom<R, Error = RecordError>>(records: Vec<R>) -> Result<Vec<T>, RecordError> {
    records.into_iter().map(T::try_from).collect()
}
