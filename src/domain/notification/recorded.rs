//! Derives notifications for the operator's own systems from the facts of the log: what was decided,
//! charged, moved, refunded and granted, and what expired. A fact leads to at most one of them, and to
//! the same one whenever it is read again.

use super::event::{
    Notification, NotificationContent, NotificationOrigin, RecordedFact, RequestSummary,
};
use super::from_facts::FactPlace;
use super::kind::NotificationKind;
use crate::domain::account::sum_credits;
use crate::domain::decision::{Credits, DecisionOutcome};
use crate::domain::fact::{ChargeFact, CreditFact, Fact, RequestFact};
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::request::Request;

/// Which records the derivation reads for a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedQuery<'a> {
    /// None.
    Nothing,
    /// A request, as it is now.
    Request(&'a RequestId),
    /// The hold of a booking before this fact.
    Hold(&'a BookingUid),
    /// The account of a booking's charge.
    Payer(&'a BookingUid),
}

/// The records that a [`RecordedQuery`] names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedRecords {
    /// The request.
    pub request: Option<Request>,
    /// The account that pays, and the credits of the hold if that was asked for.
    pub payment: Option<(AccountId, Credits)>,
}

/// Returns the kind of a fact, and which records [`notification_of_record`] needs. `None`: the fact
/// leads to nothing.
pub fn recorded_kind(fact: &Fact) -> Option<(NotificationKind, RecordedQuery<'_>)> {
    match fact {
        Fact::Request(RequestFact::IntentSettled { request, outcome }) => match outcome {
            DecisionOutcome::Confirmed => {
                Some((NotificationKind::Confirmed, RecordedQuery::Request(request)))
            }
            DecisionOutcome::Declined => {
                Some((NotificationKind::Declined, RecordedQuery::Request(request)))
            }
            DecisionOutcome::Superseded | DecisionOutcome::Refused => None,
        },
        Fact::Charge(ChargeFact::Post { booking }) => {
            Some((NotificationKind::Charged, RecordedQuery::Hold(booking)))
        }
        Fact::Charge(ChargeFact::Move { from, .. }) => {
            Some((NotificationKind::Moved, RecordedQuery::Payer(from)))
        }
        // The end of a charge from which nothing comes back is no refund.
        Fact::Charge(ChargeFact::Refund { booking, parts, .. }) if !parts.is_empty() => {
            Some((NotificationKind::Refunded, RecordedQuery::Payer(booking)))
        }
        Fact::Credit(CreditFact::Grant { .. }) => {
            Some((NotificationKind::Granted, RecordedQuery::Nothing))
        }
        Fact::Credit(CreditFact::Expire { .. }) => {
            Some((NotificationKind::Expired, RecordedQuery::Nothing))
        }
        Fact::Charge(
            ChargeFact::Hold { .. }
            | ChargeFact::Void { .. }
            | ChargeFact::Refund { .. }
            | ChargeFact::Closed { .. },
        )
        | Fact::Credit(CreditFact::Revoke { .. } | CreditFact::Transfer { .. })
        | Fact::Request(
            RequestFact::Decided { .. }
            | RequestFact::Reviewed { .. }
            | RequestFact::CallRecorded { .. },
        )
        | Fact::Account(_)
        | Fact::Unresolved(_)
        | Fact::Ledger(_)
        | Fact::By(_) => None,
    }
}

/// Returns the account and the credits of a hold of this booking.
pub fn hold_of(fact: &Fact, booking: &BookingUid) -> Option<(AccountId, Credits)> {
    match fact {
        Fact::Charge(ChargeFact::Hold {
            booking: held,
            account,
            parts,
            lent,
            ..
        }) if held.uid == *booking => {
            Some((account.clone(), sum_credits(parts).saturating_add(*lent)))
        }
        _ => None,
    }
}

/// Returns the notification that follows from a fact.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of fact")]
pub fn notification_of_record(
    place: FactPlace,
    fact: &Fact,
    records: RecordedRecords,
) -> Option<Notification> {
    let (kind, _) = recorded_kind(fact)?;
    let payer = records.payment.as_ref().map(|(account, _)| account.clone());
    let mut recorded = RecordedFact {
        kind,
        seq: place.seq,
        account: payer,
        booking: None,
        moved_to: None,
        start: None,
        credits: None,
        reference: None,
        expires: None,
        reason: None,
        request: None,
    };
    match fact {
        Fact::Request(_) => {
            let request = records.request?;
            recorded.account.clone_from(&request.account);
            recorded.booking = request.bookings.first().map(|booking| booking.uid.clone());
            recorded.request = Some(Box::new(RequestSummary::new(&request)));
        }
        Fact::Charge(ChargeFact::Post { booking }) => {
            recorded.booking = Some(booking.clone());
            recorded.credits = records.payment.map(|(_, credits)| credits);
        }
        Fact::Charge(ChargeFact::Move {
            from, to, start, ..
        }) => {
            recorded.booking = Some(from.clone());
            recorded.moved_to = Some(to.uid.clone());
            recorded.start = Some(*start);
        }
        Fact::Charge(ChargeFact::Refund {
            booking,
            parts,
            reason,
            ..
        }) => {
            recorded.booking = Some(booking.clone());
            recorded.credits = Some(parts.iter().map(|part| part.credits).sum());
            recorded.reason = Some(reason.full_text());
        }
        Fact::Credit(CreditFact::Grant {
            reference,
            account,
            credits,
            expires,
            reason,
            ..
        }) => {
            recorded.account = Some(account.clone());
            recorded.credits = Some(*credits);
            recorded.reference = Some(reference.as_str().to_owned());
            recorded.expires = *expires;
            recorded.reason = Some(reason.clone());
        }
        Fact::Credit(CreditFact::Expire { account, part }) => {
            recorded.account = Some(account.clone());
            recorded.credits = Some(part.credits);
            recorded.reference = Some(part.grant.as_str().to_owned());
        }
        _ => return None,
    }
    Some(Notification {
        origin: NotificationOrigin::Fact {
            seq: place.seq,
            index: place.index,
        },
        at: place.at,
        content: NotificationContent::Recorded(recorded),
    })
}
