//! How a decision is put down: the request as it is to be written, notes, and why it is left.

use super::{Action, Planner, Step, known_reasons};
use crate::domain::decision::{Code, Credits, Decision, Outcome, Reason};
use crate::domain::gate::Gate;
use crate::domain::group::Group;
use crate::domain::id::BookingUid;
use crate::domain::judge::Evaluation;
use crate::domain::request::{PinTry, Request, RequestState};
use crate::domain::snapshot::Pin;
use crate::domain::text;
use crate::domain::time::instant;

impl<'a> Planner<'a> {
    pub(super) fn leave(
        &mut self,
        group: &Group<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        code: Code,
    ) {
        let first = group.bookings[0];
        let known = first
            .booker
            .as_ref()
            .and_then(|booker| self.snapshot.names.get(&booker.address));
        let judged = Evaluation {
            decision: Decision::Leave,
            reasons: vec![Reason {
                code,
                text: self.why_left(group, code),
            }],
            told: None,
            findings: Vec::new(),
            account: known.cloned(),
            booker: first.booker.as_ref().map(|booker| booker.address.clone()),
            given: vec![code.as_str().to_owned()],
            costs: Vec::new(),
            credits: 0,
            to_hold: 0,
        };
        let request = self.request(group, gate, record, judged, None);
        self.note(request, record, false);
    }

    /// Nothing is confirmed or declined on the strength of a backup that an operator has not accepted:
    /// credits that were spent after it was made look as if they were there.
    pub(super) fn leave_for_the_restore(&mut self, mut request: Request, record: Option<&Request>) {
        let would = match request.decision {
            Decision::Confirm => "confirmed",
            Decision::Decline | Decision::Wait { .. } | Decision::Review | Decision::Leave => {
                "declined"
            }
        };
        request.decision = Decision::Leave;
        request.reasons = vec![Reason {
            code: Code::RestoreOpen,
            text: format!("would be {would}, but {}", text::RESTORE_OPEN),
        }];
        self.note(request, record, false);
    }

    fn why_left(&self, group: &Group<'a>, code: Code) -> String {
        if code == Code::DecidedBefore
            && let Some(said) = self.records(group).find_map(refused)
        {
            return format!(
                "Cal.com refused to let maitred answer it ({said}): answer it at Cal.com"
            );
        }
        if code == Code::SeriesSettling {
            let at = instant(self.settled_at(group));
            return format!("{}: it is decided from {at} on", why_left(code));
        }
        why_left(code).to_owned()
    }

    pub(super) fn note(&mut self, mut request: Request, record: Option<&Request>, write: bool) {
        // Nothing is sent, so nobody is told anything.
        request.text = None;
        let news = record.is_none_or(|record| !same_note(record, &request));
        self.plan.steps.push(Step {
            request: request.into(),
            action: Action::Note {
                write: write && news,
            },
        });
    }

    /// The PIN that was given with the booking and looked at.
    fn pin_try(&self, booking: &BookingUid) -> Option<PinTry> {
        let right = match self.snapshot.pins.get(booking)? {
            Pin::Right => true,
            Pin::Wrong => false,
            Pin::Missing | Pin::NotSet | Pin::Locked => return None,
        };
        let origin = self.snapshot.origins.get(booking)?.clone();
        Some(PinTry { right, origin })
    }

    pub(super) fn request(
        &self,
        group: &Group<'a>,
        gate: Option<&Gate>,
        record: Option<&Request>,
        judged: Evaluation,
        carries: Option<(BookingUid, Credits)>,
    ) -> Request {
        let first = group.bookings[0];
        let now = self.now;
        let mut reasons_since = record.map_or_else(Vec::new, known_reasons);
        for reason in judged.given {
            if reasons_since.iter().all(|(known, _)| *known != reason) {
                reasons_since.push((reason, now));
            }
        }
        Request {
            id: group.id.clone(),
            bookings: group.bookings.iter().map(|b| b.reference()).collect(),
            series: group.series.cloned(),
            title: text::kept(&first.title),
            event_type: first.event_type.as_ref().map(|kind| kind.id),
            slug: first
                .event_type
                .as_ref()
                .and_then(|kind| kind.slug.as_deref().map(text::kept)),
            gate: gate.map(|gate| gate.name.clone()),
            host: first.host_id(),
            booker: judged.booker,
            account: judged.account,
            start: first.start,
            end: group
                .bookings
                .iter()
                .map(|b| b.end)
                .max()
                .unwrap_or(first.end),
            created: group.created,
            decision: judged.decision,
            cost: judged
                .costs
                .first()
                .copied()
                .unwrap_or_else(|| gate.map_or(0, |gate| gate.cost)),
            credits: judged.credits,
            call: None,
            reasons: judged.reasons,
            findings: judged.findings,
            text: judged.told,
            keeps: carries.as_ref().map_or(0, |(_, keeps)| *keeps),
            carries: carries.map(|(from, _)| from),
            policy: self.policy.hash.clone(),
            decided: now,
            call_not_after: None,
            first: record.map_or(now, |record| record.first),
            state: RequestState::Noted,
            failures: 0,
            last_failure: None,
            calls: Vec::new(),
            review: record.and_then(|record| record.review.clone()),
            reasons_since,
            pin: self.pin_try(&first.uid),
        }
    }
}

fn same_note(record: &Request, request: &Request) -> bool {
    let codes = |request: &Request| -> Vec<Code> {
        request.reasons.iter().map(|reason| reason.code).collect()
    };
    record.state == RequestState::Noted
        && record.decision == request.decision
        && codes(record) == codes(request)
        && known_reasons(record) == request.reasons_since
        && record.account == request.account
        && record.gate == request.gate
}

/// What Cal.com said when it refused the call of a request for the last time.
fn refused(record: &Request) -> Option<&str> {
    match record.state {
        RequestState::Settled {
            outcome: Outcome::Refused,
            ..
        } => record.calls.last().map(|call| call.text.as_str()),
        RequestState::Settled { .. } | RequestState::Noted | RequestState::Recorded => None,
    }
}

fn why_left(code: Code) -> &'static str {
    match code {
        Code::ForeignHost => "the host is neither the key's user nor one of calcom.hosts",
        Code::NoEventType => "the booking's event type does not exist any more",
        Code::Ungated => "no gate names the event type",
        Code::Seated => "every attendee of a seated booking is a booker of his own",
        Code::DecidedBefore => {
            "it was decided before and is pending again: somebody changed it at Cal.com, so answer \
             it there"
        }
        Code::Begun => text::BEGUN,
        Code::SeriesSettling => "the series is so young that more of it may follow",
        Code::SeriesUnreadable => "the series could not be read whole",
        Code::PredecessorUnclear => {
            "what it replaced is still being decided or could not be read, so what was paid is not known"
        }
        Code::ClockOff => {
            "the local clock and the server's disagree by more than two minutes, so nothing final is \
             decided: set this machine's clock (NTP)"
        }
        Code::EventTypeNotShown
        | Code::Priced
        | Code::NotPending
        | Code::Over
        | Code::NoBooker
        | Code::EmptyLedger
        | Code::RestoreOpen
        | Code::DeclineLimit
        | Code::Unsettled
        | Code::Unanswered
        | Code::UnknownBooker
        | Code::Frozen
        | Code::Blocked
        | Code::NotAllowed
        | Code::TooManyRequests
        | Code::WrongPin
        | Code::NoticeTooShort
        | Code::NoticeTooLong
        | Code::OutsideHours
        | Code::OverCap
        | Code::Rule
        | Code::RuleFailed
        | Code::LookupFailed
        | Code::Operator
        | Code::Taken
        | Code::ShortOfCredit
        | Code::Enough
        | Code::Carried
        | Code::WaitedTooLong
        | Code::Unmanaged
        | Code::Revived
        | Code::AcceptedMove => unreachable!("not a reason to leave a booking unjudged"),
    }
}
