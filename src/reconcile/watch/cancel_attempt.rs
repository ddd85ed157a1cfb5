//! One attempt to cancel a booking at Cal.com: the booking is read and, if it is accepted, cancelled.

use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, BookingStatus, Fetched};
use crate::domain::gate::PassLimits;
use crate::domain::id::Address;
use crate::domain::intent;
use crate::domain::request::{CallEnd, Request};
use crate::domain::time::Time;
use crate::reconcile::booking_reads::ReadTimes;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::send::call::{set_sent_marks, to_call_end};
use crate::reconcile::send::{MAX_DEADLINE_RETRIES, reading_valid_until};

/// The names under which a cancellation counts as our own. A call through the API gives no name,
/// and the server keeps the name that was there before.
pub(super) enum OwnNames {
    /// No call of ours can have reached the server.
    Never,
    /// A call of ours may have cancelled the booking, and the name before the call is not known.
    Any,
    /// No name, or this name, which was there before our call.
    Unnamed(Option<Address>),
}

impl OwnNames {
    /// Returns the names, as far as the calls of earlier attempts show them.
    fn from_earlier_calls(request: &Request, marked_at: Option<Time>, limits: &PassLimits) -> Self {
        let mut calls = request.calls.iter();
        let has_unanswered = calls.any(|call| matches!(call.end, CallEnd::Unanswered { .. }));
        if has_unanswered || intent::unanswered_call_sent_at(request, marked_at, limits).is_some() {
            Self::Any
        } else if request.failures > 0 {
            Self::Unnamed(None)
        } else {
            Self::Never
        }
    }

    /// Returns true if the cancellation of this booking counts as maitred's own.
    pub(super) fn includes(&self, booking: &Booking) -> bool {
        match self {
            Self::Never => false,
            Self::Any => true,
            Self::Unnamed(earlier_name) => {
                booking.cancelled_by.is_none() || booking.cancelled_by == *earlier_name
            }
        }
    }
}

/// The result of one attempt.
pub(super) struct CancelAttempt {
    /// The current state of the booking, if it is known.
    pub reading: Option<Fetched>,
    pub failure: Option<CallError>,
    pub call_end: CallEnd,
    pub own_names: OwnNames,
}

/// Reads the booking, and cancels it if it is accepted. The call depends on a reading that is as
/// recent as for any call; if its turn comes too late, the booking is read again.
pub(super) async fn read_and_cancel(
    ports: &Ports<'_>,
    limits: &PassLimits,
    request: &Request,
) -> Result<CancelAttempt, PassError> {
    let reference = &request.bookings[0];
    let id = request.id.clone();
    let marked_at = ports.store.read(move |store| store.sent_mark(&id)).await;
    let mut attempt = CancelAttempt {
        reading: None,
        failure: None,
        call_end: CallEnd::NotSent,
        own_names: OwnNames::from_earlier_calls(request, marked_at, limits),
    };
    for _ in 0..MAX_DEADLINE_RETRIES {
        let requested_at = (ports.clock)();
        let booking = match ports.calendar.get(reference).await {
            // Every server refuses to cancel a booking that is over (`calcom/api.md` 5.1).
            Ok(Fetched::Found(booking))
                if booking.status == BookingStatus::Accepted && booking.end > requested_at =>
            {
                booking
            }
            Ok(reading) => {
                attempt.reading = Some(reading);
                attempt.failure = None;
                return Ok(attempt);
            }
            Err(error) => {
                attempt.failure = Some(error);
                return Ok(attempt);
            }
        };
        let read_times = ReadTimes {
            requested_at,
            arrived_at: (ports.clock)(),
        };
        let deadline = reading_valid_until(read_times, limits);
        let was_sent = send_cancellation(ports, request, *booking, deadline, &mut attempt).await?;
        if was_sent || ports.stop.is_set() {
            return Ok(attempt);
        }
    }
    Ok(attempt)
}

/// Cancels the booking, unless the turn of the call comes too late. Returns whether the call was
/// sent; the result is in the attempt.
async fn send_cancellation(
    ports: &Ports<'_>,
    request: &Request,
    booking: Booking,
    deadline: Time,
    attempt: &mut CancelAttempt,
) -> Result<bool, PassError> {
    let reference = &request.bookings[0];
    let message = request.booker_text.as_deref().unwrap_or_default();
    let id = request.id.clone();
    set_sent_marks(ports, vec![id.clone()], Some((ports.clock)()))
        .await
        .map_err(PassError::Store)?;
    attempt.failure = match ports.calendar.cancel(reference, message, deadline).await {
        Ok(reading) => {
            attempt.reading = reading;
            None
        }
        // Nothing was sent.
        Err(error @ (CallError::TooLate | CallError::RateLimited { .. })) => {
            set_sent_marks(ports, vec![id], None)
                .await
                .map_err(PassError::Store)?;
            attempt.failure = Some(error);
            return Ok(false);
        }
        Err(error) => Some(error),
    };
    let sent_by = deadline.min((ports.clock)());
    attempt.call_end = match &attempt.failure {
        Some(error) => to_call_end(error, sent_by),
        None => CallEnd::Unanswered { sent: sent_by },
    };
    if attempt.call_end != CallEnd::NotSent {
        attempt.own_names = OwnNames::Unnamed(booking.cancelled_by);
    }
    // Neither a refusal nor a success without the booking shows the state of the booking.
    if attempt.reading.is_none()
        && !attempt
            .failure
            .as_ref()
            .is_some_and(CallError::is_fatal_for_pass)
    {
        attempt.reading = ports.calendar.get(reference).await.ok();
    }
    Ok(true)
}
