//! The world of the sandbox: its users, its bookings, and who sees them. It is pure and
//! synchronous; everything that depends on the time takes an instant as a parameter. Ids and uids
//! follow from counters, so that the same steps make the same world.

use super::account::{Role, SandboxKey, User};
use super::booking::{SandboxBooking, SandboxStatus};
use super::booking_table::BookingTable;
use super::call_log::CallLog;
use super::event_type::SandboxEventType;
use super::faults::{FaultRule, FaultRuleError, FaultRules};
use super::id_generator::IdGenerator;
use super::new_booking::OCCURRENCES_MAX;
use super::rate_limiter::{RateLimits, Throttler, UserLimiter};
use super::script::Script;
use crate::domain::time::{Span, Time, truncate_to_millis};

/// Most rows of a world: ten times what the benchmarks use, and still small in memory.
pub const BOOKINGS_MAX: usize = 100_000;

/// How real servers differ from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Confirm and decline act on only one occurrence of a series, as in some forks.
    pub series_per_occurrence: bool,
    /// v1 refuses everything because a licence key is missing.
    pub licence_missing: bool,
    /// Rows with equal sort keys change places between listings.
    pub shuffle_ties: bool,
}

/// Why a change of the world was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// There is no booking with this uid.
    #[error("find booking {0}: there is none in the sandbox")]
    NoBooking(String),
    /// There is no event type with this number.
    #[error("find event type {0}: there is none in the sandbox")]
    NoEventType(i64),
    /// There is no account with this number.
    #[error("find user {0}: there is none in the sandbox")]
    NoUser(i64),
    /// The booking has no attendee with this address.
    #[error("find attendee {email} of booking {uid}: not among its attendees")]
    NoAttendee {
        /// The booking's uid.
        uid: String,
        /// The address.
        email: String,
    },
    /// Another booking has the same uid or number; the payload is the uid.
    #[error("add booking {0}: its uid or id is taken already")]
    IdTaken(String),
    /// The world holds `BOOKINGS_MAX` bookings already.
    #[error("add a booking: the sandbox holds {BOOKINGS_MAX} at most")]
    TooManyBookings,
    /// No series has this many occurrences.
    #[error("make a series of {0}: between 1 and {OCCURRENCES_MAX} occurrences are possible")]
    SeriesLength(usize),
}

/// The whole state of the sandbox. `Debug` shows no keys.
#[derive(Debug, Clone)]
pub struct World {
    /// The rate limits of both dialects.
    pub limits: RateLimits,
    /// How the server differs from others.
    pub quirks: Quirks,
    /// What happened so far.
    pub call_log: CallLog,
    /// The faults in force.
    pub fault_rules: FaultRules,
    /// The actions that wait for a call.
    pub script: Script,
    /// How many milliseconds pass from one step of a call to the next. 0: each call does everything
    /// at one instant, unless a fault makes the call wait.
    pub step_ms: u64,
    /// Calls that have passed their check and are not finished.
    pub(super) running_calls: usize,
    pub(super) throttler: Throttler,
    pub(super) user_limiter: UserLimiter,
    users: Vec<User>,
    keys: Vec<SandboxKey>,
    event_types: Vec<SandboxEventType>,
    pub(super) table: BookingTable,
    offset: Span,
    id_generator: IdGenerator,
    pub(super) next_attendee: i64,
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    /// Returns an empty world with the limits of an unmodified server. Benchmarks set `limits` to
    /// `RateLimits::off()`.
    pub fn new() -> Self {
        World {
            limits: RateLimits::server_defaults(),
            quirks: Quirks::default(),
            call_log: CallLog::default(),
            fault_rules: FaultRules::default(),
            script: Script::default(),
            step_ms: 0,
            running_calls: 0,
            throttler: Throttler::default(),
            user_limiter: UserLimiter::default(),
            users: Vec::new(),
            keys: Vec::new(),
            event_types: Vec::new(),
            table: BookingTable::default(),
            offset: Span::zero(),
            id_generator: IdGenerator::default(),
            next_attendee: 1,
        }
    }

    /// Moves the world's clock forward (or back) against the injected clock.
    pub fn advance(&mut self, span: Span) {
        self.offset += span;
    }

    /// Returns how far the world's clock is ahead of the injected clock.
    pub fn offset(&self) -> Span {
        self.offset
    }

    /// Returns how many calls have passed their check and still have steps to take.
    pub fn running_calls(&self) -> usize {
        self.running_calls
    }

    /// Adds a fault rule after the others.
    pub fn add_fault(&mut self, rule: FaultRule) -> Result<(), FaultRuleError> {
        self.fault_rules.add(rule, self.table.all())
    }

    /// Returns the world's current time, given the injected clock's.
    pub fn now(&self, clock: Time) -> Time {
        truncate_to_millis(clock + self.offset)
    }

    /// Adds an account without special rights, or replaces the one with the same id; returns the
    /// id.
    pub fn add_user(&mut self, id: i64, name: &str, email: &str) -> i64 {
        let username = email.split('@').next().unwrap_or(email).to_owned();
        self.put_user(User {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            username,
            time_zone: "Europe/London".to_owned(),
            role: Role::User,
            locked: false,
        });
        id
    }

    /// Adds a user, or replaces the one with the same id.
    pub fn put_user(&mut self, user: User) {
        self.users.retain(|one| one.id != user.id);
        self.users.push(user);
    }

    /// Adds a key that never expires.
    pub fn add_key(&mut self, user: i64, secret: &str) {
        self.keys.push(SandboxKey::new(secret, user));
    }

    /// Adds a key.
    pub fn put_key(&mut self, key: SandboxKey) {
        self.keys.push(key);
    }

    /// Adds an event type. An id of 0 is replaced by the next free one; the id is returned.
    pub fn add_event_type(&mut self, mut event_type: SandboxEventType) -> i64 {
        if event_type.id == 0 {
            let highest = self.event_types.iter().map(|one| one.id).max();
            event_type.id = highest.unwrap_or(0) + 1;
        }
        let id = event_type.id;
        self.event_types.push(event_type);
        id
    }

    /// Returns the account with this number.
    pub fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|one| one.id == id)
    }

    /// Returns every account.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// Returns the event type with this number.
    pub fn event_type(&self, id: i64) -> Option<&SandboxEventType> {
        self.event_types.iter().find(|one| one.id == id)
    }

    /// Returns every event type.
    pub fn event_types(&self) -> &[SandboxEventType] {
        &self.event_types
    }

    /// Locks or unlocks an account, as v1 sees it.
    pub fn set_locked(&mut self, user: i64, locked: bool) -> Result<(), WorldError> {
        let user_row = self.users.iter_mut().find(|one| one.id == user);
        user_row.ok_or(WorldError::NoUser(user))?.locked = locked;
        Ok(())
    }

    /// Returns the key with this text after `cal_`.
    pub(super) fn key(&self, bare: &str) -> Option<&SandboxKey> {
        self.keys.iter().find(|key| key.matches(bare))
    }

    /// Returns the booking with this uid.
    pub fn booking(&self, uid: &str) -> Option<&SandboxBooking> {
        self.table.by_uid(uid)
    }

    /// Returns the booking with this number.
    pub fn booking_by_id(&self, id: i64) -> Option<&SandboxBooking> {
        self.table.by_id(id)
    }

    /// Returns every booking in order of creation.
    pub fn bookings(&self) -> &[SandboxBooking] {
        self.table.all()
    }

    /// Returns the occurrences of a series, by start.
    pub fn series(&self, series: &str) -> Vec<&SandboxBooking> {
        self.table.series(series)
    }

    /// Returns the state of the booking with this uid; `None` if there is no such booking.
    pub fn status(&self, uid: &str) -> Option<SandboxStatus> {
        self.booking(uid).map(|booking| booking.status)
    }

    /// Changes a row in place, except its ids; for tests and scenarios that need a specific row.
    pub fn edit(
        &mut self,
        uid: &str,
        edit: impl FnOnce(&mut SandboxBooking),
    ) -> Result<(), WorldError> {
        let booking = self.booking_mut(uid)?;
        let names = (booking.uid.clone(), booking.id, booking.series.clone());
        edit(booking);
        assert_eq!(
            names,
            (booking.uid.clone(), booking.id, booking.series.clone()),
            "a row keeps its names: the indexes go by them"
        );
        Ok(())
    }

    pub(super) fn booking_mut(&mut self, uid: &str) -> Result<&mut SandboxBooking, WorldError> {
        let booking = self.table.get_mut(uid);
        booking.ok_or_else(|| WorldError::NoBooking(uid.to_owned()))
    }

    /// Adds a row as it is; an id of 0 is replaced by the next free id.
    pub fn insert(&mut self, mut booking: SandboxBooking) -> Result<String, WorldError> {
        if self.table.all().len() >= BOOKINGS_MAX {
            return Err(WorldError::TooManyBookings);
        }
        if booking.id == 0 {
            let highest = self.table.all().last().map_or(0, |last| last.id);
            booking.id = highest + 1;
        }
        let taken =
            self.booking(&booking.uid).is_some() || self.booking_by_id(booking.id).is_some();
        if taken {
            return Err(WorldError::IdTaken(booking.uid));
        }
        let uid = booking.uid.clone();
        self.table.push(booking);
        Ok(uid)
    }

    /// Removes a booking from the world: reading it answers 404 from now on.
    pub fn delete(&mut self, uid: &str) -> Result<(), WorldError> {
        let removed = self.table.remove(uid);
        removed.map_or_else(|| Err(WorldError::NoBooking(uid.to_owned())), |_| Ok(()))
    }

    /// Deletes an event type; its bookings stay, without an event type.
    pub fn delete_event_type(&mut self, id: i64) -> Result<(), WorldError> {
        self.event_type(id).ok_or(WorldError::NoEventType(id))?;
        self.event_types.retain(|one| one.id != id);
        for booking in self.table.all_mut() {
            if booking.event_type == Some(id) {
                booking.event_type = None;
            }
        }
        Ok(())
    }

    /// Returns a uid of the shape Cal.com gives.
    pub(super) fn next_uid(&mut self) -> String {
        self.id_generator.next_uid()
    }

    /// Returns an identifier of the shape of a UUID.
    pub(super) fn next_uuid(&mut self) -> String {
        self.id_generator.next_uuid()
    }
}
