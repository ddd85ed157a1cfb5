//! What other people do while maitred is not looking: bookers and hosts cancel, move, accept by
//! hand, stay away. Each is one value, so that a scenario file, a script and the control endpoint
//! say it alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ask::{Ask, Names};
use super::change::{Cancel, Extent, Move, Refusal};
use super::journal::MailKind;
use super::model::{Status, User};
use super::moment::Moment;
use super::world::{World, WorldError};
use crate::domain::time::{Span, Time};

/// One thing that somebody does. Bookings are named by uid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "do",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
#[serde(deny_unknown_fields)]
pub enum Action {
    /// The booker cancels by the link in the mail, which leaves the booker's address.
    BookerCancels(Said),
    /// The host cancels on the web page, which leaves the host's address.
    HostCancels(Said),
    /// Somebody cancels through the API, which leaves no address.
    ApiCancels(Said),
    /// The booker moves it: a new booking, pending where the event type asks for confirmation.
    BookerMoves(Shift),
    /// The host moves it: a new booking, accepted at once.
    HostMoves(Shift),
    /// The host asks for another time: cancelled, and no successor yet.
    HostAsksToMove(Said),
    HostAccepts {
        booking: String,
    },
    HostRejects(Said),
    /// Marks an attendee absent, or takes the mark back. `updatedAt` stays as it was.
    AttendeeAbsent {
        booking: String,
        email: String,
        #[serde(default = "yes")]
        absent: bool,
    },
    /// Marks the host absent, or takes the mark back. In the API any valid key may.
    HostAbsent {
        booking: String,
        #[serde(default = "yes")]
        absent: bool,
    },
    /// Cancels this occurrence and those after it; the earlier ones stay.
    SeriesCancels(Said),
    /// The booker pays: the payment is no longer open.
    Pays {
        booking: String,
    },
    /// A new booking, or a series of them.
    Requests(Box<NewRequest>),
    DeletesBooking {
        booking: String,
    },
    DeletesEventType {
        event_type: i64,
    },
    /// One attendee of a seated booking gives the seat up.
    LeavesSeat {
        booking: String,
        email: String,
    },
    /// Locks or unlocks an account, as v1's limiter or an administrator does.
    LocksAccount {
        user: i64,
        #[serde(default = "yes")]
        locked: bool,
    },
    /// Sets the clock forward (or back).
    Advances {
        seconds: i64,
    },
}

/// A booking and what was said about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Said {
    pub booking: String,
    #[serde(default)]
    pub reason: Option<String>,
    /// The address that is left in place of the true one: it is a free parameter of Cal.com's
    /// public pages.
    #[serde(default)]
    pub by: Option<String>,
}

impl Said {
    /// Of this booking, without a word.
    pub fn nothing(booking: &str) -> Self {
        Said {
            booking: booking.to_owned(),
            reason: None,
            by: None,
        }
    }
}

/// A booking and the time that it is moved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Shift {
    pub booking: String,
    pub start: Moment,
    #[serde(default)]
    pub reason: Option<String>,
    /// The new booking's uid, where a later action has to name it.
    #[serde(default)]
    pub uid: Option<String>,
    /// The address that is left in place of the true one. Where it is the host's, Cal.com takes the
    /// move for the host's.
    #[serde(default)]
    pub by: Option<String>,
}

impl Shift {
    pub fn to(booking: &str, start: impl Into<Moment>) -> Self {
        Shift {
            booking: booking.to_owned(),
            start: start.into(),
            reason: None,
            uid: None,
            by: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// What `Action::Requests` asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NewRequest {
    pub event_type: i64,
    pub email: String,
    pub start: Moment,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub time_zone: Option<String>,
    #[serde(default)]
    pub language: Option<String>,
    #[serde(default)]
    pub minutes: Option<u32>,
    #[serde(default)]
    pub guests: Vec<String>,
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// How many occurrences; none for a booking that is no series.
    #[serde(default)]
    pub occurrences: Option<usize>,
    /// What the rows are to be called, where a later action has to name them.
    #[serde(default)]
    pub names: Option<NamesFile>,
}

/// `Names` as files write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NamesFile {
    #[serde(default)]
    pub id: Option<i64>,
    #[serde(default)]
    pub uids: Vec<String>,
    #[serde(default)]
    pub series: Option<String>,
}

impl From<NamesFile> for Names {
    fn from(file: NamesFile) -> Self {
        Names {
            id: file.id,
            uids: file.uids,
            series: file.series,
        }
    }
}

impl NewRequest {
    /// The request, its start reckoned from this now.
    pub fn into_ask(self, now: Time) -> Ask {
        let new = self;
        let mut ask = Ask::new(new.event_type, &new.email, new.start.resolve(now));
        ask.name = new.name.unwrap_or(ask.name);
        ask.time_zone = new.time_zone.unwrap_or(ask.time_zone);
        ask.language = new.language.unwrap_or(ask.language);
        ask.length = new.minutes.map(|minutes| Span::minutes(i64::from(minutes)));
        ask.guests = new.guests;
        ask.answers = new.answers;
        ask.metadata = new.metadata;
        ask.occurrences = new.occurrences;
        ask.names = new.names.unwrap_or_default().into();
        ask
    }
}

/// Why an action could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("change booking {uid}: {}", why(.refusal))]
    Refused { uid: String, refusal: Refusal },
}

fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotFound => "there is none of that uid in the sandbox".to_owned(),
        Refusal::Declined => "it was declined".to_owned(),
        Refusal::AlreadyConfirmed => "it is accepted already".to_owned(),
        Refusal::AlreadyCancelled => "it is cancelled already".to_owned(),
        Refusal::AlreadyMoved(to) => format!("it was moved already, to {to}"),
        Refusal::Ended => "it is over".to_owned(),
        Refusal::NotStarted => "it has not begun".to_owned(),
        Refusal::NotAllowed(text) => (*text).to_owned(),
        Refusal::ReasonRequired => "a reason is required".to_owned(),
    }
}

impl World {
    /// Does one thing; gives the uids of bookings that were made by it.
    pub fn act(&mut self, now: Time, action: Action) -> Result<Vec<String>, ActionError> {
        match action {
            Action::BookerCancels(said) => {
                let by = self.booker_of(&said.booking)?;
                self.cancelled(now, said, by, Extent::One)
            }
            Action::HostCancels(said) => {
                let by = self.host_of(&said.booking)?.map(|host| host.email);
                self.cancelled(now, said, by, Extent::One)
            }
            Action::ApiCancels(said) => self.cancelled(now, said, None, Extent::One),
            Action::SeriesCancels(said) => self.cancelled(now, said, None, Extent::Following),
            Action::BookerMoves(shift) => {
                let by = self.booker_of(&shift.booking)?;
                self.moved(now, shift, by, false)
            }
            Action::HostMoves(shift) => {
                let by = self.host_of(&shift.booking)?.map(|host| host.email);
                self.moved(now, shift, by, true)
            }
            Action::HostAsksToMove(said) => self.asked_to_move(now, said),
            Action::HostAccepts { booking } => {
                let done = self.confirm(now, &booking, true);
                refused(booking, done)
            }
            Action::HostRejects(said) => {
                let done = self.decline(now, &said.booking, said.reason.as_deref(), true);
                refused(said.booking, done)
            }
            Action::AttendeeAbsent {
                booking,
                email,
                absent,
            } => self.attendee_absent(&booking, &email, absent),
            Action::HostAbsent { booking, absent } => {
                let row = self.booking_mut(&booking)?;
                row.absent_host = absent;
                row.updated = Some(now);
                Ok(Vec::new())
            }
            Action::Pays { booking } => {
                let row = self.booking_mut(&booking)?;
                row.payments.iter_mut().for_each(|one| one.success = true);
                row.updated = Some(now);
                Ok(Vec::new())
            }
            Action::Requests(new) => Ok(self.book(now, new.into_ask(now))?),
            Action::DeletesBooking { booking } => none(self.delete(&booking)),
            Action::DeletesEventType { event_type } => none(self.delete_event_type(event_type)),
            Action::LeavesSeat { booking, email } => none(self.remove_seat(now, &booking, &email)),
            Action::LocksAccount { user, locked } => none(self.lock(user, locked)),
            Action::Advances { seconds } => {
                self.advance(Span::seconds(seconds));
                Ok(Vec::new())
            }
        }
    }

    /// Does one thing after another, the clock going along with those that move it; gives the uids
    /// of bookings that were made. Stops at the first that cannot be done.
    pub fn act_all(&mut self, now: Time, actions: Vec<Action>) -> Result<Vec<String>, ActionError> {
        let before = self.offset();
        let mut made = Vec::new();
        for action in actions {
            let now = now + (self.offset() - before);
            made.extend(self.act(now, action)?);
        }
        Ok(made)
    }

    fn booker_of(&self, uid: &str) -> Result<Option<String>, WorldError> {
        let booking = self.booking(uid);
        let booking = booking.ok_or_else(|| WorldError::NoBooking(uid.to_owned()))?;
        Ok(booking.answers.email().map(str::to_owned))
    }

    fn host_of(&self, uid: &str) -> Result<Option<User>, WorldError> {
        let booking = self.booking(uid);
        let booking = booking.ok_or_else(|| WorldError::NoBooking(uid.to_owned()))?;
        Ok(booking.host.and_then(|id| self.user(id)).cloned())
    }

    fn cancelled(
        &mut self,
        now: Time,
        said: Said,
        by: Option<String>,
        extent: Extent,
    ) -> Result<Vec<String>, ActionError> {
        let cancel = Cancel {
            reason: said.reason,
            by: said.by.or(by),
            extent,
            raced: false,
        };
        let done = self.cancel(now, &said.booking, cancel);
        refused(said.booking, done)
    }

    fn moved(
        &mut self,
        now: Time,
        shift: Shift,
        by: Option<String>,
        by_host: bool,
    ) -> Result<Vec<String>, ActionError> {
        let host = self.host_of(&shift.booking)?.map(|host| host.email);
        let named = shift.by.as_ref();
        let to = Move {
            start: shift.start.resolve(now),
            reason: shift.reason,
            by_host: named.map_or(by_host, |_| shift.by == host),
            by: shift.by.or(by),
            by_api: false,
            uid: shift.uid,
        };
        let done = self.reschedule(now, &shift.booking, to);
        let uid = shift.booking;
        done.map(|new| vec![new])
            .map_err(|refusal| ActionError::Refused { uid, refusal })
    }

    fn asked_to_move(&mut self, now: Time, said: Said) -> Result<Vec<String>, ActionError> {
        let by = self.host_of(&said.booking)?.map(|host| host.email);
        let row = self.booking_mut(&said.booking)?;
        row.status = Status::Cancelled;
        row.rescheduled = true;
        row.cancellation_reason = said.reason;
        row.cancelled_by = by;
        row.updated = Some(now);
        self.mail(&said.booking, MailKind::Cancelled, false);
        Ok(Vec::new())
    }

    fn attendee_absent(
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

fn refused(uid: String, done: Result<(), Refusal>) -> Result<Vec<String>, ActionError> {
    done.map(|()| Vec::new())
        .map_err(|refusal| ActionError::Refused { uid, refusal })
}

fn none(done: Result<(), WorldError>) -> Result<Vec<String>, ActionError> {
    done?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::model::EventType;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// A host, an event type with seats, and an accepted booking of Bo.
    fn world() -> (World, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        let of = world.add_event_type(EventType::new(12, "lesson"));
        let uid = world.request(now(), of, "bo@example.com", now() + Span::days(2));
        world.confirm(now(), &uid, true).unwrap();
        (world, uid)
    }

    #[test]
    fn who_cancels_leaves_the_traces_that_it_leaves_on_a_real_server() {
        let said = |uid: &str| Said {
            reason: Some("ill".to_owned()),
            ..Said::nothing(uid)
        };
        type Make = fn(Said) -> Action;
        // action, cancelled by, waiting for a new time
        let rows: [(Make, Option<&str>, bool); 4] = [
            (Action::BookerCancels, Some("bo@example.com"), false),
            (Action::HostCancels, Some("ada@example.org"), false),
            (Action::ApiCancels, None, false),
            (Action::HostAsksToMove, Some("ada@example.org"), true),
        ];
        for (make, by, asked) in rows {
            let (mut world, uid) = world();
            world.act(now(), make(said(&uid))).unwrap();
            let row = world.booking(&uid).unwrap();
            let got = (row.status, row.cancelled_by.as_deref(), row.rescheduled);
            assert_eq!(
                got,
                (Status::Cancelled, by, asked),
                "{:?}",
                make(said(&uid))
            );
            assert_eq!(row.cancellation_reason.as_deref(), Some("ill"));
        }
    }

    #[test]
    fn moves_are_pending_or_accepted_by_who_moves() {
        type Make = fn(Shift) -> Action;
        let rows: [(Make, Status, &str); 2] = [
            (Action::BookerMoves, Status::Pending, "bo@example.com"),
            (Action::HostMoves, Status::Accepted, "ada@example.org"),
        ];
        for (make, status, by) in rows {
            let (mut world, uid) = world();
            let shift = Shift {
                uid: Some("successor".to_owned()),
                reason: Some("a train".to_owned()),
                ..Shift::to(&uid, now() + Span::days(3))
            };
            assert_eq!(world.act(now(), make(shift)).unwrap(), ["successor"]);
            let (old, new) = (
                world.booking(&uid).unwrap(),
                world.booking("successor").unwrap(),
            );
            assert_eq!((old.status, new.status), (Status::Cancelled, status));
            assert_eq!(new.rescheduled_by.as_deref(), Some(by));
            // On the web page the reason lands where that of a cancellation stands.
            assert_eq!(new.cancellation_reason.as_deref(), Some("a train"));
            assert_eq!(old.cancellation_reason, None);
        }
    }

    #[test]
    fn a_booking_that_was_to_be_moved_can_be() {
        let (mut world, uid) = world();
        world
            .act(now(), Action::HostAsksToMove(Said::nothing(&uid)))
            .unwrap();
        let shift = Shift::to(&uid, now() + Span::days(3));
        let made = world.act(now(), Action::BookerMoves(shift)).unwrap();
        assert_eq!(world.status(&made[0]), Some(Status::Pending));
        assert_eq!(world.booking(&uid).unwrap().to.as_deref(), Some(&*made[0]));
    }

    #[test]
    fn marks_are_set_and_taken_back() {
        let (mut world, uid) = world();
        let before = world.booking(&uid).unwrap().updated;
        let later = now() + Span::days(3);
        for absent in [true, false] {
            let attendee = Action::AttendeeAbsent {
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
                .act(later, Action::HostAbsent { booking, absent })
                .unwrap();
            let row = world.booking(&uid).unwrap();
            assert_eq!((row.absent_host, row.updated), (absent, Some(later)));
        }
    }

    #[test]
    fn seats_deletions_and_requests() {
        let (mut world, uid) = world();
        let leaves = Action::LeavesSeat {
            booking: uid.clone(),
            email: "bo@example.com".to_owned(),
        };
        world.act(now(), leaves.clone()).unwrap();
        assert_eq!(world.status(&uid), Some(Status::Cancelled), "the last seat");
        assert!(
            world.act(now(), leaves).is_err(),
            "nobody sits there any more"
        );
        let text = r#"{"do":"requests","event-type":1,"email":"al@example.com","start":"+3days",
            "occurrences":2,"names":{"uids":["one","two"]}}"#;
        let requests: Action = serde_json::from_str(text).unwrap();
        assert_eq!(world.act(now(), requests).unwrap(), ["one", "two"]);
        let series = world.booking("one").unwrap().series.clone().unwrap();
        assert_eq!(world.series(&series).len(), 2);
        let booking = "one".to_owned();
        world
            .act(now(), Action::DeletesBooking { booking })
            .unwrap();
        assert!(world.booking("one").is_none());
        assert_eq!(world.series(&series).len(), 1);
        let event_type = 1;
        world
            .act(now(), Action::DeletesEventType { event_type })
            .unwrap();
        assert_eq!(world.booking("two").unwrap().event_type, None);
    }

    #[test]
    fn the_clock_goes_along_within_a_list() {
        let (mut world, uid) = world();
        let actions = vec![
            Action::Advances { seconds: 3600 },
            Action::HostCancels(Said::nothing(&uid)),
        ];
        world.act_all(now(), actions).unwrap();
        let updated = world.booking(&uid).unwrap().updated;
        assert_eq!(updated, Some(now() + Span::hours(1)));
        assert_eq!(world.now(now()), now() + Span::hours(1));
        let unknown = Action::HostAccepts {
            booking: "nobody".to_owned(),
        };
        let error = world.act_all(now(), vec![unknown]).unwrap_err().to_string();
        assert_eq!(
            error,
            "change booking nobody: there is none of that uid in the sandbox"
        );
    }
}
