//! What other people do while maitred is not looking: bookers and hosts cancel, move, accept by hand,
//! stay away. Each is one value, so that a scenario file, a script and the control endpoint say it alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{Cancel, Extent, Move, Refusal};
use super::journal::MailKind;
use super::model::{Status, User};
use super::moment::Moment;
use super::world::{Ask, Names, World, WorldError};
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
    BookerCancels {
        booking: String,
        #[serde(default)]
        reason: Option<String>,
    },
    /// The host cancels on the web page, which leaves the host's address.
    HostCancels {
        booking: String,
        #[serde(default)]
        reason: Option<String>,
    },
    /// Somebody cancels through the API, which leaves no address.
    ApiCancels {
        booking: String,
        #[serde(default)]
        reason: Option<String>,
    },
    /// The booker moves it: a new booking, pending where the event type asks for confirmation.
    BookerMoves {
        booking: String,
        start: Moment,
        #[serde(default)]
        reason: Option<String>,
        /// The new booking's uid, where a later action has to name it.
        #[serde(default)]
        uid: Option<String>,
    },
    /// The host moves it: a new booking, accepted at once.
    HostMoves {
        booking: String,
        start: Moment,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        uid: Option<String>,
    },
    /// The host asks for another time: cancelled, and no successor yet.
    HostAsksToMove {
        booking: String,
        #[serde(default)]
        reason: Option<String>,
    },
    HostAccepts {
        booking: String,
    },
    HostRejects {
        booking: String,
        #[serde(default)]
        reason: Option<String>,
    },
    /// Marks an attendee absent, or takes the mark back. `updatedAt` stays as it was.
    AttendeeAbsent {
        booking: String,
        email: String,
        #[serde(default = "yes")]
        absent: bool,
    },
    /// Marks the host absent, or takes the mark back (the web page can, the API cannot).
    HostAbsent {
        booking: String,
        #[serde(default = "yes")]
        absent: bool,
    },
    /// Cancels this occurrence and those after it; the earlier ones stay.
    SeriesCancels {
        booking: String,
        #[serde(default)]
        reason: Option<String>,
    },
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
        Refusal::NotYours => "it is another host's".to_owned(),
        Refusal::AlreadyConfirmed => "it is accepted already".to_owned(),
        Refusal::AlreadyCancelled => "it is cancelled already".to_owned(),
        Refusal::AlreadyMoved(to) => format!("it was moved already, to {to}"),
        Refusal::Ended => "it is over".to_owned(),
        Refusal::NotStarted => "it has not begun".to_owned(),
        Refusal::ReasonRequired => "a reason is required".to_owned(),
    }
}

impl World {
    /// Does one thing; gives the uids of bookings that were made by it.
    pub fn act(&mut self, now: Time, action: Action) -> Result<Vec<String>, ActionError> {
        match action {
            Action::BookerCancels { booking, reason } => {
                let by = self.booker_of(&booking)?;
                self.cancelled(now, booking, reason, by, Extent::One)
            }
            Action::HostCancels { booking, reason } => {
                let by = self.host_of(&booking)?.map(|host| host.email);
                self.cancelled(now, booking, reason, by, Extent::One)
            }
            Action::ApiCancels { booking, reason } => {
                self.cancelled(now, booking, reason, None, Extent::One)
            }
            Action::SeriesCancels { booking, reason } => {
                self.cancelled(now, booking, reason, None, Extent::Following)
            }
            Action::BookerMoves {
                booking,
                start,
                reason,
                uid,
            } => {
                let to = Move {
                    start: start.resolve(now),
                    reason,
                    by: self.booker_of(&booking)?,
                    by_host: false,
                    by_api: false,
                    uid,
                };
                self.moved(now, booking, to)
            }
            Action::HostMoves {
                booking,
                start,
                reason,
                uid,
            } => {
                let to = Move {
                    start: start.resolve(now),
                    reason,
                    by: self.host_of(&booking)?.map(|host| host.email),
                    by_host: true,
                    by_api: false,
                    uid,
                };
                self.moved(now, booking, to)
            }
            Action::HostAsksToMove { booking, reason } => self.asked_to_move(now, &booking, reason),
            Action::HostAccepts { booking } => {
                let done = self.confirm(now, &booking, true);
                refused(booking, done)
            }
            Action::HostRejects { booking, reason } => {
                let done = self.decline(now, &booking, reason.as_deref(), true);
                refused(booking, done)
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

    /// Does one thing after another, the clock going along with those that move it; gives the uids of
    /// bookings that were made. Stops at the first that cannot be done.
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
        uid: String,
        reason: Option<String>,
        by: Option<String>,
        extent: Extent,
    ) -> Result<Vec<String>, ActionError> {
        let raced = false;
        let cancel = Cancel {
            reason,
            by,
            extent,
            raced,
        };
        let done = self.cancel(now, &uid, cancel);
        refused(uid, done)
    }

    fn moved(&mut self, now: Time, booking: String, to: Move) -> Result<Vec<String>, ActionError> {
        let done = self.reschedule(now, &booking, to);
        let uid = booking;
        done.map(|new| vec![new])
            .map_err(|refusal| ActionError::Refused { uid, refusal })
    }

    fn asked_to_move(
        &mut self,
        now: Time,
        uid: &str,
        reason: Option<String>,
    ) -> Result<Vec<String>, ActionError> {
        let by = self.host_of(uid)?.map(|host| host.email);
        let row = self.booking_mut(uid)?;
        row.status = Status::Cancelled;
        row.rescheduled = true;
        row.cancellation_reason = reason;
        row.cancelled_by = by;
        row.updated = Some(now);
        self.mail(uid, MailKind::Cancelled, false);
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
