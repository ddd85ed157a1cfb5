//! What other people do while maitred runs: bookers and hosts cancel, move, accept by hand, stay
//! away. Each action is one value, so that a scenario file, a script and the control endpoint write
//! it in the same way.

use super::account::User;
use super::action::{BookingMove, BookingRemark, ThirdPartyAction};
use super::booking::SandboxStatus;
use super::call_log::MailKind;
use super::transitions::{CancelExtent, CancelRequest, RescheduleRequest, TransitionRefusal};
use super::world::{World, WorldError};
use crate::domain::time::{Span, Time};

/// Why an action could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The action names something that is not in the world, or adds what the world cannot hold.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The booking's state does not allow the change.
    #[error("change booking {uid}: {}", refusal_text(.refusal))]
    Refused {
        /// The booking's uid.
        uid: String,
        /// Why the change was refused.
        refusal: TransitionRefusal,
    },
}

fn refusal_text(refusal: &TransitionRefusal) -> String {
    match refusal {
        TransitionRefusal::NotFound => "there is none of that uid in the sandbox".to_owned(),
        TransitionRefusal::Declined => "it was declined".to_owned(),
        TransitionRefusal::AlreadyConfirmed => "it is accepted already".to_owned(),
        TransitionRefusal::AlreadyCancelled => "it is cancelled already".to_owned(),
        TransitionRefusal::AlreadyMoved(to) => format!("it was moved already, to {to}"),
        TransitionRefusal::Ended => "it is over".to_owned(),
        TransitionRefusal::NotStarted => "it has not begun".to_owned(),
        TransitionRefusal::NotAllowed(text) => (*text).to_owned(),
        TransitionRefusal::ReasonRequired => "a reason is required".to_owned(),
    }
}

impl World {
    /// Carries out one action; returns the uids of the bookings that it made.
    pub fn act(&mut self, now: Time, action: ThirdPartyAction) -> Result<Vec<String>, ActionError> {
        match action {
            ThirdPartyAction::BookerCancels(remark) => {
                let claimed_by = self.booker_address(&remark.booking)?;
                self.cancel_as(now, remark, claimed_by, CancelExtent::Single)
            }
            ThirdPartyAction::HostCancels(remark) => {
                let claimed_by = self.host_user(&remark.booking)?.map(|host| host.email);
                self.cancel_as(now, remark, claimed_by, CancelExtent::Single)
            }
            ThirdPartyAction::ApiCancels(remark) => {
                self.cancel_as(now, remark, None, CancelExtent::Single)
            }
            ThirdPartyAction::SeriesCancels(remark) => {
                self.cancel_as(now, remark, None, CancelExtent::Following)
            }
            ThirdPartyAction::BookerMoves(booking_move) => {
                let claimed_by = self.booker_address(&booking_move.booking)?;
                self.move_as(now, booking_move, claimed_by, false)
            }
            ThirdPartyAction::HostMoves(booking_move) => {
                let claimed_by = self
                    .host_user(&booking_move.booking)?
                    .map(|host| host.email);
                self.move_as(now, booking_move, claimed_by, true)
            }
            ThirdPartyAction::HostAsksToMove(remark) => self.ask_for_new_time(now, remark),
            ThirdPartyAction::HostAccepts { booking } => {
                let result = self.confirm(now, &booking, true);
                map_refusal(booking, result)
            }
            ThirdPartyAction::HostRejects(remark) => {
                let result = self.decline(now, &remark.booking, remark.reason.as_deref(), true);
                map_refusal(remark.booking, result)
            }
            ThirdPartyAction::AttendeeAbsent {
                booking,
                email,
                absent,
            } => self.set_attendee_absent(&booking, &email, absent),
            ThirdPartyAction::HostAbsent { booking, absent } => {
                let row = self.booking_mut(&booking)?;
                row.absent_host = absent;
                row.updated = Some(now);
                Ok(Vec::new())
            }
            ThirdPartyAction::Pays { booking } => {
                let row = self.booking_mut(&booking)?;
                row.payments.iter_mut().for_each(|one| one.success = true);
                row.updated = Some(now);
                Ok(Vec::new())
            }
            ThirdPartyAction::Requests(new) => Ok(self.book(now, new.into_new_booking(now))?),
            ThirdPartyAction::DeletesBooking { booking } => map_world_error(self.delete(&booking)),
            ThirdPartyAction::DeletesEventType { event_type } => {
                map_world_error(self.delete_event_type(event_type))
            }
            ThirdPartyAction::LeavesSeat { booking, email } => {
                map_world_error(self.remove_seat(now, &booking, &email))
            }
            ThirdPartyAction::LocksAccount { user, locked } => {
                map_world_error(self.set_locked(user, locked))
            }
            ThirdPartyAction::Advances { seconds } => {
                self.advance(Span::seconds(seconds));
                Ok(Vec::new())
            }
        }
    }

    /// Carries out actions one after the other, each at the time to which the earlier ones have set
    /// the clock; returns the uids of the bookings that were made. Stops at the first action that
    /// cannot be carried out.
    pub fn act_all(
        &mut self,
        now: Time,
        actions: Vec<ThirdPartyAction>,
    ) -> Result<Vec<String>, ActionError> {
        let offset_before = self.offset();
        let mut new_uids = Vec::new();
        for action in actions {
            let now = now + (self.offset() - offset_before);
            new_uids.extend(self.act(now, action)?);
        }
        Ok(new_uids)
    }

    fn booker_address(&self, uid: &str) -> Result<Option<String>, WorldError> {
        let booking = self.booking(uid);
        let booking = booking.ok_or_else(|| WorldError::NoBooking(uid.to_owned()))?;
        Ok(booking.answers.email().map(str::to_owned))
    }

    fn host_user(&self, uid: &str) -> Result<Option<User>, WorldError> {
        let booking = self.booking(uid);
        let booking = booking.ok_or_else(|| WorldError::NoBooking(uid.to_owned()))?;
        Ok(booking.host.and_then(|id| self.user(id)).cloned())
    }

    fn cancel_as(
        &mut self,
        now: Time,
        remark: BookingRemark,
        claimed_by: Option<String>,
        extent: CancelExtent,
    ) -> Result<Vec<String>, ActionError> {
        let cancel = CancelRequest {
            reason: remark.reason,
            by: remark.by.or(claimed_by),
            extent,
            raced: false,
        };
        let result = self.cancel(now, &remark.booking, cancel);
        map_refusal(remark.booking, result)
    }

    fn move_as(
        &mut self,
        now: Time,
        booking_move: BookingMove,
        claimed_by: Option<String>,
        by_host: bool,
    ) -> Result<Vec<String>, ActionError> {
        let host = self
            .host_user(&booking_move.booking)?
            .map(|host| host.email);
        let claimed_by_field = booking_move.by.as_ref();
        let request = RescheduleRequest {
            start: booking_move.start.resolve(now),
            reason: booking_move.reason,
            by_host: claimed_by_field.map_or(by_host, |_| booking_move.by == host),
            by: booking_move.by.or(claimed_by),
            by_api: false,
            uid: booking_move.uid,
        };
        let result = self.reschedule(now, &booking_move.booking, request);
        let uid = booking_move.booking;
        result
            .map(|new| vec![new])
            .map_err(|refusal| ActionError::Refused { uid, refusal })
    }

    fn ask_for_new_time(
        &mut self,
        now: Time,
        remark: BookingRemark,
    ) -> Result<Vec<String>, ActionError> {
        let host_address = self.host_user(&remark.booking)?.map(|host| host.email);
        let row = self.booking_mut(&remark.booking)?;
        row.status = SandboxStatus::Cancelled;
        row.rescheduled = true;
        row.cancellation_reason = remark.reason;
        row.cancelled_by = host_address;
        row.updated = Some(now);
        self.count_mails(&remark.booking, MailKind::Cancelled, false);
        Ok(Vec::new())
    }

    fn set_attendee_absent(
        &mut self,
        uid: &str,
        email: &str,
        absent: bool,
    ) -> Result<Vec<String>, ActionError> {
        let row = self.booking_mut(uid)?;
        let found = row.attendees.iter_mut().find(|one| one.email == email);
        let found = found.ok_or_else(|| WorldError::NoAttendee {
            uid: uid.to_owned(),
            email: email.to_owned(),
        })?;
        found.absent = absent;
        Ok(Vec::new())
    }
}

fn map_refusal(
    uid: String,
    result: Result<(), TransitionRefusal>,
) -> Result<Vec<String>, ActionError> {
    result
        .map(|()| Vec::new())
        .map_err(|refusal| ActionError::Refused { uid, refusal })
}

fn map_world_error(result: Result<(), WorldError>) -> Result<Vec<String>, ActionError> {
    result?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::event_type::SandboxEventType;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// A host, an event type with seats, and an accepted booking of Bo.
    fn world() -> (World, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
        let uid = world.request(now(), event_type, "bo@example.com", now() + Span::days(2));
        world.confirm(now(), &uid, true).unwrap();
        (world, uid)
    }

    #[test]
    fn each_canceller_leaves_the_traces_of_a_real_server() {
        let remark = |uid: &str| BookingRemark {
            reason: Some("ill".to_owned()),
            ..BookingRemark::without_reason(uid)
        };
        type MakeCancel = fn(BookingRemark) -> ThirdPartyAction;
        // action, cancelled by, waiting for a new time
        let rows: [(MakeCancel, Option<&str>, bool); 4] = [
            (
                ThirdPartyAction::BookerCancels,
                Some("bo@example.com"),
                false,
            ),
            (
                ThirdPartyAction::HostCancels,
                Some("ada@example.org"),
                false,
            ),
            (ThirdPartyAction::ApiCancels, None, false),
            (
                ThirdPartyAction::HostAsksToMove,
                Some("ada@example.org"),
                true,
            ),
        ];
        for (make, by, awaits_new_time) in rows {
            let (mut world, uid) = world();
            world.act(now(), make(remark(&uid))).unwrap();
            let row = world.booking(&uid).unwrap();
            let got = (row.status, row.cancelled_by.as_deref(), row.rescheduled);
            assert_eq!(
                got,
                (SandboxStatus::Cancelled, by, awaits_new_time),
                "{:?}",
                make(remark(&uid))
            );
            assert_eq!(row.cancellation_reason.as_deref(), Some("ill"));
        }
    }

    #[test]
    fn moves_are_pending_or_accepted_by_who_moves() {
        type MakeMove = fn(BookingMove) -> ThirdPartyAction;
        let rows: [(MakeMove, SandboxStatus, &str); 2] = [
            (
                ThirdPartyAction::BookerMoves,
                SandboxStatus::Pending,
                "bo@example.com",
            ),
            (
                ThirdPartyAction::HostMoves,
                SandboxStatus::Accepted,
                "ada@example.org",
            ),
        ];
        for (make, status, by) in rows {
            let (mut world, uid) = world();
            let booking_move = BookingMove {
                uid: Some("successor".to_owned()),
                reason: Some("a train".to_owned()),
                ..BookingMove::new(&uid, now() + Span::days(3))
            };
            assert_eq!(world.act(now(), make(booking_move)).unwrap(), ["successor"]);
            let (old, new) = (
                world.booking(&uid).unwrap(),
                world.booking("successor").unwrap(),
            );
            assert_eq!((old.status, new.status), (SandboxStatus::Cancelled, status));
            assert_eq!(new.rescheduled_by.as_deref(), Some(by));
            // On the web page the reason is stored in the field for the reason of a cancellation.
            assert_eq!(new.cancellation_reason.as_deref(), Some("a train"));
            assert_eq!(old.cancellation_reason, None);
        }
    }

    #[test]
    fn a_booking_that_was_to_be_moved_can_be() {
        let (mut world, uid) = world();
        world
            .act(
                now(),
                ThirdPartyAction::HostAsksToMove(BookingRemark::without_reason(&uid)),
            )
            .unwrap();
        let booking_move = BookingMove::new(&uid, now() + Span::days(3));
        let new_uids = world
            .act(now(), ThirdPartyAction::BookerMoves(booking_move))
            .unwrap();
        assert_eq!(world.status(&new_uids[0]), Some(SandboxStatus::Pending));
        assert_eq!(
            world.booking(&uid).unwrap().successor.as_deref(),
            Some(&*new_uids[0])
        );
    }

    #[test]
    fn marks_are_set_and_taken_back() {
        let (mut world, uid) = world();
        let before = world.booking(&uid).unwrap().updated;
        let later = now() + Span::days(3);
        for absent in [true, false] {
            let attendee = ThirdPartyAction::AttendeeAbsent {
                booking: uid.clone(),
                email: "bo@example.com".to_owned(),
                absent,
            };
            world.act(later, attendee).unwrap();
            let row = world.booking(&uid).unwrap();
            assert_eq!((row.attendees[0].absent, row.updated), (absent, before));
        }
        for absent in [true, false] {
            let booking = uid.clone();
            world
                .act(later, ThirdPartyAction::HostAbsent { booking, absent })
                .unwrap();
            let row = world.booking(&uid).unwrap();
            assert_eq!((row.absent_host, row.updated), (absent, Some(later)));
        }
    }

    #[test]
    fn seats_deletions_and_requests() {
        let (mut world, uid) = world();
        let leaves = ThirdPartyAction::LeavesSeat {
            booking: uid.clone(),
            email: "bo@example.com".to_owned(),
        };
        world.act(now(), leaves.clone()).unwrap();
        assert_eq!(
            world.status(&uid),
            Some(SandboxStatus::Cancelled),
            "the last seat"
        );
        assert!(
            world.act(now(), leaves).is_err(),
            "nobody sits there any more"
        );
        let text = r#"{"do":"requests","event-type":1,"email":"al@example.com","start":"+3days",
            "occurrences":2,"names":{"uids":["one","two"]}}"#;
        let requests: ThirdPartyAction = serde_json::from_str(text).unwrap();
        assert_eq!(world.act(now(), requests).unwrap(), ["one", "two"]);
        let series = world.booking("one").unwrap().series.clone().unwrap();
        assert_eq!(world.series(&series).len(), 2);
        let booking = "one".to_owned();
        world
            .act(now(), ThirdPartyAction::DeletesBooking { booking })
            .unwrap();
        assert!(world.booking("one").is_none());
        assert_eq!(world.series(&series).len(), 1);
        let event_type = 1;
        world
            .act(now(), ThirdPartyAction::DeletesEventType { event_type })
            .unwrap();
        assert_eq!(world.booking("two").unwrap().event_type, None);
    }

    #[test]
    fn the_clock_goes_along_within_a_list() {
        let (mut world, uid) = world();
        let actions = vec![
            ThirdPartyAction::Advances { seconds: 3600 },
            ThirdPartyAction::HostCancels(BookingRemark::without_reason(&uid)),
        ];
        world.act_all(now(), actions).unwrap();
        let updated = world.booking(&uid).unwrap().updated;
        assert_eq!(updated, Some(now() + Span::hours(1)));
        assert_eq!(world.now(now()), now() + Span::hours(1));
        let unknown = ThirdPartyAction::HostAccepts {
            booking: "nobody".to_owned(),
        };
        let error = world.act_all(now(), vec![unknown]).unwrap_err().to_string();
        assert_eq!(
            error,
            "change booking nobody: there is none of that uid in the sandbox"
        );
    }
}
