//! Why a pending request is not evaluated in this pass.

use super::Planner;
use crate::domain::booking::Booking;
use crate::domain::decision::{DecisionOutcome, ReasonCode};
use crate::domain::gate::OutOfScope;
use crate::domain::id::RequestId;
use crate::domain::messages;
use crate::domain::request::{MAX_OCCURRENCES, Request, RequestState};
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::Series;
use crate::domain::time::{Time, format_instant};

/// Why a request is left without an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SkipReason {
    OutOfScope(OutOfScope),
    ClockSkew,
    /// It was decided before, and it has begun.
    AlreadyBegun,
    DecidedBefore,
    PredecessorUnclear,
    SeriesUnreadable,
    SeriesSettling,
}

impl SkipReason {
    pub(super) fn code(self) -> ReasonCode {
        match self {
            Self::OutOfScope(reason) => reason.code(),
            Self::ClockSkew => ReasonCode::ClockSkew,
            Self::AlreadyBegun => ReasonCode::AlreadyBegun,
            Self::DecidedBefore => ReasonCode::DecidedBefore,
            Self::PredecessorUnclear => ReasonCode::PredecessorUnclear,
            Self::SeriesUnreadable => ReasonCode::SeriesUnreadable,
            Self::SeriesSettling => ReasonCode::SeriesSettling,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::OutOfScope(reason) => reason.text(),
            Self::ClockSkew => {
                "the local clock and the server's clock disagree by more than two minutes, so \
                 nothing \
                 final is decided: set this machine's clock (NTP)"
            }
            Self::AlreadyBegun => messages::ALREADY_BEGUN,
            Self::DecidedBefore => {
                "it was decided before and is pending again: another person changed it at \
                 Cal.com, so answer it there"
            }
            Self::PredecessorUnclear => {
                "what it replaced is still being decided or could not be read, so what was paid \
                 is not known"
            }
            Self::SeriesUnreadable => "the series could not be read completely",
            Self::SeriesSettling => "the series is so young that more occurrences may follow",
        }
    }
}

impl<'a> Planner<'a> {
    /// Returns true if a decision about the group is already recorded and not finished: an open
    /// intent of this pass, or one that this pass has no room for.
    pub(super) fn has_open_intent(&self, group: &RequestGroup<'a>) -> bool {
        self.open_intents.contains(&group.id)
            || group
                .series
                .is_some_and(|series| self.open_intents.contains(series))
            || group
                .bookings
                .iter()
                .any(|b| self.intent_bookings.contains(&b.uid))
            || self
                .records(group)
                .any(|record| record.state == RequestState::Recorded)
    }

    /// Returns all earlier decisions that cover this request: its own record, and, for a series,
    /// the records of single occurrences and of requests that they were decided with.
    fn records(&self, group: &RequestGroup<'a>) -> impl Iterator<Item = &'a Request> {
        let records = &self.snapshot.records;
        let own = |booking: &&'a Booking| records.get(&RequestId::from(&booking.uid));
        let together = |booking: &&'a Booking| self.decisions.get(&booking.uid).copied();
        let occurrence_records: Vec<&Request> = match group.series {
            Some(_) => {
                let all = group.bookings.iter();
                all.flat_map(|one| own(one).into_iter().chain(together(one)))
                    .collect()
            }
            None => Vec::new(),
        };
        records.get(&group.id).into_iter().chain(occurrence_records)
    }

    /// Returns why the group is not evaluated now, or `None` if it is.
    pub(super) fn reason_to_skip(&self, group: &RequestGroup<'a>) -> Option<SkipReason> {
        if self.snapshot.clock_skewed {
            return Some(SkipReason::ClockSkew);
        }
        let is_settled = |record: &Request| matches!(record.state, RequestState::Settled { .. });
        if self.records(group).any(is_settled) {
            let has_begun = group.bookings[0].start <= self.now;
            return Some(if has_begun {
                SkipReason::AlreadyBegun
            } else {
                SkipReason::DecidedBefore
            });
        }
        let unclear_predecessors = &self.snapshot.unclear_predecessors;
        if group
            .bookings
            .iter()
            .any(|one| unclear_predecessors.contains(&one.uid))
        {
            return Some(SkipReason::PredecessorUnclear);
        }
        let series = group.series?;
        // One call would answer every occurrence, so each of them must be in scope.
        let out_of_scope = |booking: &&Booking| {
            self.policy
                .require_gate(self.snapshot.key_user, booking)
                .err()
        };
        if let Some(reason) = group.bookings.iter().find_map(out_of_scope) {
            return Some(SkipReason::OutOfScope(reason));
        }
        match self.snapshot.series.get(series) {
            Some(Series::Whole(_)) if group.bookings.len() <= MAX_OCCURRENCES => {}
            Some(Series::Whole(_) | Series::Unread(_)) | None => {
                return Some(SkipReason::SeriesUnreadable);
            }
        }
        (self.now < self.series_settled_at(group)).then_some(SkipReason::SeriesSettling)
    }

    /// Returns when a series counts as complete.
    fn series_settled_at(&self, group: &RequestGroup<'a>) -> Time {
        group.newest_created_at + self.policy.limits.series_settle
    }

    /// Returns the reason in words.
    pub(super) fn skip_text(&self, group: &RequestGroup<'a>, reason: SkipReason) -> String {
        if reason == SkipReason::DecidedBefore
            && let Some(refusal) = self.records(group).find_map(refusal_text)
        {
            return format!(
                "Cal.com refused to let maitred answer it ({refusal}): answer it at Cal.com"
            );
        }
        if reason == SkipReason::SeriesSettling {
            let at = format_instant(self.series_settled_at(group));
            return format!("{}: it is decided from {at} on", reason.text());
        }
        reason.text().to_owned()
    }
}

/// Returns Cal.com's response when it last refused the call of a request.
fn refusal_text(record: &Request) -> Option<&str> {
    match record.state {
        RequestState::Settled {
            outcome: DecisionOutcome::Refused,
            ..
        } => record.calls.last().map(|call| call.text.as_str()),
        RequestState::Settled { .. } | RequestState::Noted | RequestState::Recorded => None,
    }
}
