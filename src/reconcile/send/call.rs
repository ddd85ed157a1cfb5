//! One call: the store records that it is about to be sent, and it is sent by its deadline.

use crate::calcom::port::CallError;
use crate::domain::booking::Fetched;
use crate::domain::id::RequestId;
use crate::domain::plan::PlannedCall;
use crate::domain::request::{CallEnd, CallKind};
use crate::domain::time::Time;
use crate::reconcile::context::Ports;
use crate::store::port::StoreError;

/// Records in the store that calls are about to be sent, or that they were not sent.
///
/// # Errors
/// Returns an error if the store cannot record it: then nothing may be sent.
pub async fn set_sent_marks(
    ports: &Ports<'_>,
    requests: Vec<RequestId>,
    at: Option<Time>,
) -> Result<(), StoreError> {
    ports
        .store
        .with(move |store| {
            let mut requests = requests.iter();
            requests.try_for_each(|request| store.mark_sent(request, at))
        })
        .await
}

/// Sends the call.
///
/// # Errors
/// Returns the errors of the calendar.
pub async fn send_call(
    ports: &Ports<'_>,
    call: &PlannedCall,
    deadline: Time,
) -> Result<Option<Fetched>, CallError> {
    let text = call.text.as_deref().unwrap_or_default();
    match call.kind {
        CallKind::Confirm => ports.calendar.confirm(&call.booking, deadline).await,
        CallKind::Decline => ports.calendar.decline(&call.booking, text, deadline).await,
        // A refusal applies to a pending booking. If the client reads the booking itself (v1), only
        // its `decline`, which cancels there, leaves a booking alone that was accepted meanwhile.
        CallKind::Cancel if ports.calendar.reads_before_acting() => {
            ports.calendar.decline(&call.booking, text, deadline).await
        }
        CallKind::Cancel => ports.calendar.cancel(&call.booking, text, deadline).await,
    }
}

/// Returns what an error says about the end of the call.
pub fn to_call_end(error: &CallError, sent_by: Time) -> CallEnd {
    match error {
        CallError::Refused(_) | CallError::NotPermitted(_) => CallEnd::Refused,
        CallError::Credential(_) | CallError::Failed(_) | CallError::Contract(_) => CallEnd::Failed,
        CallError::Unreachable(_) | CallError::TooLate | CallError::RateLimited { .. } => {
            CallEnd::NotSent
        }
        CallError::Unknown(_) | CallError::TooLarge { .. } => CallEnd::Unanswered { sent: sent_by },
    }
}
