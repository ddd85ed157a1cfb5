//! The world of the sandbox: who there is, what was booked, who sees what. Pure and synchronous; the
//! instant is a parameter of everything that looks at a clock. Ids and uids are counted out, so that
//! the same steps make the same world.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::faults::{Rule, RuleError, Rules};
use super::journal::{Journal, MailKind, Recipient};
use super::limit::{Limits, Throttler, UserLimiter};
use super::model::{Answers, Attendee, Booking, EventType, Key, Role, Seat, Status, User};
use super::script::Script;
use crate::domain::time::{Span, Time, kept};

/// Rows a world holds, at most: ten times what the benchmarks use, and still small in memory.
pub const BOOKINGS_MAX: usize = 100_000;

/// Occurrences of one series, at most (Cal.com's own limit is 24 for most).
pub const OCCURRENCES_MAX: usize = 100;

/// Ways in which real servers differ from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Confirm and decline act on one occurrence of a series only, as some forks do.
    pub series_per_occurrence: bool,
    /// v1 refuses everything for want of a licence key.
    pub licence_missing: bool,
    /// Rows with equal sort keys change places between listings.
    pub shuffle_ties: bool,
}

/// What a booker asks for. `World::book` makes bookings of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    pub event_type: i64,
    pub email: String,
    pub name: String,
    pub time_zone: String,
    pub language: String,
    pub start: Time,
    /// `None`: as long as the event type says.
    pub length: Option<Span>,
    pub guests: Vec<String>,
    pub answers: BTreeMap<String, Value>,
    pub metadata: BTreeMap<String, Value>,
    /// How many occurrences, a week apart; `None`: one booking that is no series.
    pub occurrences: Option<usize>,
    /// What the rows are to be called; the world makes up what is left open.
    pub names: Names,
}

/// Names of the rows that a request becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The numeric id; of a series, that of the first occurrence.
    pub id: Option<i64>,
    /// One for each occurrence, by start.
    pub uids: Vec<String>,
    pub series: Option<String>,
}

impl Ask {
    /// A plain request: the name is the address's first part, everything else is left open.
    pub fn new(event_type: i64, email: &str, start: Time) -> Self {
        let name = email.split('@').next().unwrap_or(email);
        Ask {
            event_type,
            email: email.to_owned(),
            name: name.to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            language: "en".to_owned(),
            start,
            length: None,
            guests: Vec::new(),
            answers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            occurrences: None,
            names: Names::default(),
        }
    }
}

/// Why a world could not be changed as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    #[error("find booking {0}: there is none in the sandbox")]
    NoBooking(String),
    #[error("find event type {0}: there is none in the sandbox")]
    NoEventType(i64),
    #[error("find user {0}: there is none in the sandbox")]
    NoUser(i64),
    #[error("find attendee {email} of booking {uid}: not among its attendees")]
    NoAttendee { uid: String, email: String },
    #[error("add booking {0}: its uid or id is taken already")]
    Taken(String),
    #[error("add a booking: the sandbox holds {BOOKINGS_MAX} at most")]
    Full,
    #[error("make a series of {0}: between 1 and {OCCURRENCES_MAX} occurrences are possible")]
    SeriesLength(usize),
}

/// Everything there is. `Debug` shows no keys.
#[derive(Debug, Clone)]
pub struct World {
    pub limits: Limits,
    pub quirks: Quirks,
    pub journal: Journal,
    pub faults: Rules,
    pub script: Script,
    pub(super) throttler: Throttler,
    pub(super) user_limiter: UserLimiter,
    users: Vec<User>,
    keys: Vec<Key>,
    event_types: Vec<EventType>,
    pub(super) rows: Rows,
    offset: Span,
    serial: u64,
    next_attendee: i64,
}

/// The booking rows in order of creation, findable by uid, id and series.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    all: Vec<Booking>,
    by_uid: HashMap<String, usize>,
    by_id: HashMap<i64, usize>,
    by_series: HashMap<String, Vec<usize>>,
}

impl Rows {
    pub fn all(&self) -> &[Booking] {
        &self.all
    }

    pub fn by_uid(&self, uid: &str) -> Option<&Booking> {
        self.by_uid.get(uid).map(|at| &self.all[*at])
    }

    pub fn by_id(&self, id: i64) -> Option<&Booking> {
        self.by_id.get(&id).map(|at| &self.all[*at])
    }

    /// The occurrences of a series by start; empty when there is none of that name.
    pub fn series(&self, series: &str) -> Vec<&Booking> {
        let at = self.by_series.get(series).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<&Booking> = at.iter().map(|at| &self.all[*at]).collect();
        found.sort_by_key(|one| (one.start, one.id));
        found
    }

    fn push(&mut self, booking: Booking) {
        let at = self.all.len();
        self.by_uid.insert(booking.uid.clone(), at);
        self.by_id.insert(booking.id, at);
        if let Some(series) = &booking.series {
            self.by_series.entry(series.clone()).or_default().push(at);
        }
        self.all.push(booking);
    }

    /// Takes one row out. Everything is numbered anew: deletions are rare.
    fn remove(&mut self, uid: &str) -> Option<Booking> {
        let at = *self.by_uid.get(uid)?;
        let mut all = std::mem::take(&mut self.all);
        let removed = all.remove(at);
        *self = Rows::from(all);
        Some(removed)
    }
}

impl From<Vec<Booking>> for Rows {
    fn from(all: Vec<Booking>) -> Self {
        let mut rows = Rows::default();
        for booking in all {
            rows.push(booking);
        }
        rows
    }
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    /// An empty world with the limits of an untouched server. `limits = Limits::off()` for benchmarks.
    pub fn new() -> Self {
        World {
            limits: Limits::usual(),
            quirks: Quirks::default(),
            journal: Journal::default(),
            faults: Rules::default(),
            script: Script::default(),
            throttler: Throttler::default(),
            user_limiter: UserLimiter::default(),
            users: Vec::new(),
            keys: Vec::new(),
            event_types: Vec::new(),
            rows: Rows::default(),
            offset: Span::zero(),
            serial: 0,
            next_attendee: 1,
        }
    }

    /// Moves the world's clock ahead of (or behind) the one it is served by.
    pub fn advance(&mut self, span: Span) {
        self.offset += span;
    }

    /// How far the world's clock is ahead of the one it is served by.
    pub fn offset(&self) -> Span {
        self.offset
    }

    /// Adds a rule of things going wrong, after the others.
    pub fn add_fault(&mut self, rule: Rule) -> Result<(), RuleError> {
        self.faults.add(rule, &self.rows.all)
    }

    /// The world's own now, given what the injected clock says.
    pub fn now(&self, clock: Time) -> Time {
        kept(clock + self.offset)
    }

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

    pub fn add_key(&mut self, user: i64, secret: &str) {
        self.keys.push(Key::new(secret, user));
    }

    pub fn put_key(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// Adds an event type. An id of 0 is replaced by the next free one; the id is returned.
    pub fn add_event_type(&mut self, mut event_type: EventType) -> i64 {
        if event_type.id == 0 {
            let highest = self.event_types.iter().map(|one| one.id).max();
            event_type.id = highest.unwrap_or(0) + 1;
        }
        let id = event_type.id;
        self.event_types.push(event_type);
        id
    }

    pub fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|one| one.id == id)
    }

    pub fn users(&self) -> &[User] {
        &self.users
    }

    pub fn event_type(&self, id: i64) -> Option<&EventType> {
        self.event_types.iter().find(|one| one.id == id)
    }

    pub fn event_types(&self) -> &[EventType] {
        &self.event_types
    }

    /// Locks or unlocks an account, as v1 sees it.
    pub fn lock(&mut self, user: i64, locked: bool) -> Result<(), WorldError> {
        let found = self.users.iter_mut().find(|one| one.id == user);
        found.ok_or(WorldError::NoUser(user))?.locked = locked;
        Ok(())
    }

    /// The key with this text after `cal_`.
    pub(super) fn key(&self, bare: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.is(bare))
    }

    pub fn booking(&self, uid: &str) -> Option<&Booking> {
        self.rows.by_uid(uid)
    }

    pub fn booking_by_id(&self, id: i64) -> Option<&Booking> {
        self.rows.by_id(id)
    }

    /// Every booking in order of creation.
    pub fn bookings(&self) -> &[Booking] {
        self.rows.all()
    }

    /// The occurrences of a series, by start.
    pub fn series(&self, series: &str) -> Vec<&Booking> {
        self.rows.series(series)
    }

    pub fn status(&self, uid: &str) -> Option<Status> {
        self.booking(uid).map(|booking| booking.status)
    }

    /// For tests and scenarios that need a row just so: changes it in place, ids excepted.
    pub fn edit(&mut self, uid: &str, edit: impl FnOnce(&mut Booking)) -> Result<(), WorldError> {
        let booking = self.booking_mut(uid)?;
        let kept = (booking.uid.clone(), booking.id, booking.series.clone());
        edit(booking);
        assert_eq!(
            kept,
            (booking.uid.clone(), booking.id, booking.series.clone()),
            "a row keeps its names: the indexes go by them"
        );
        Ok(())
    }

    pub(super) fn booking_mut(&mut self, uid: &str) -> Result<&mut Booking, WorldError> {
        match self.rows.by_uid.get(uid) {
            Some(at) => Ok(&mut self.rows.all[*at]),
            None => Err(WorldError::NoBooking(uid.to_owned())),
        }
    }

    /// A pending (or, as the event type says, accepted) booking; gives its uid. No slot is checked.
    ///
    /// # Panics
    /// Where the event type does not exist: the caller made both.
    pub fn request(&mut self, now: Time, event_type: i64, email: &str, start: Time) -> String {
        let made = self.book(now, Ask::new(event_type, email, start));
        let mut uids = made.expect("a request of an event type that exists");
        uids.swap_remove(0)
    }

    /// A series of so many occurrences, a week apart; gives their uids by start.
    ///
    /// # Panics
    /// Where the event type does not exist or the length is out of bounds.
    pub fn request_series(
        &mut self,
        now: Time,
        event_type: i64,
        email: &str,
        start: Time,
        occurrences: usize,
    ) -> Vec<String> {
        let mut ask = Ask::new(event_type, email, start);
        ask.occurrences = Some(occurrences);
        self.book(now, ask)
            .expect("a series of an event type that exists")
    }

    /// Makes the bookings that were asked for, without looking at the slot; gives their uids.
    pub fn book(&mut self, now: Time, ask: Ask) -> Result<Vec<String>, WorldError> {
        let Some(event_type) = self.event_type(ask.event_type).cloned() else {
            return Err(WorldError::NoEventType(ask.event_type));
        };
        let count = ask.occurrences.unwrap_or(1);
        if !(1..=OCCURRENCES_MAX).contains(&count) {
            return Err(WorldError::SeriesLength(count));
        }
        let series = ask.occurrences.map(|_| {
            let named = ask.names.series.clone();
            named.unwrap_or_else(|| self.uuid())
        });
        let mut made = Vec::with_capacity(count);
        for (number, weeks) in (0..).take(count).enumerate() {
            let mut one = ask.clone();
            one.start = ask.start + Span::weeks(weeks);
            let named = ask.names.uids.get(number).cloned();
            let uid = named.unwrap_or_else(|| self.uid());
            let mut booking = self.draft(now, &event_type, one, uid);
            booking.series.clone_from(&series);
            booking.id = ask.names.id.map_or(0, |first| first + weeks);
            let status = booking.status;
            let uid = self.insert(booking)?;
            self.mail_new(&uid, status);
            made.push(uid);
        }
        Ok(made)
    }

    /// Adds a row as it stands; an id of 0 is replaced by the next one.
    pub fn insert(&mut self, mut booking: Booking) -> Result<String, WorldError> {
        if self.rows.all.len() >= BOOKINGS_MAX {
            return Err(WorldError::Full);
        }
        if booking.id == 0 {
            let highest = self.rows.all.last().map_or(0, |last| last.id);
            booking.id = highest + 1;
        }
        let taken = self.rows.by_uid.contains_key(&booking.uid)
            || self.rows.by_id.contains_key(&booking.id);
        if taken {
            return Err(WorldError::Taken(booking.uid));
        }
        let uid = booking.uid.clone();
        self.rows.push(booking);
        Ok(uid)
    }

    /// Takes a booking out of the world: reading it is 404 from now on.
    pub fn delete(&mut self, uid: &str) -> Result<(), WorldError> {
        let removed = self.rows.remove(uid);
        removed.map_or_else(|| Err(WorldError::NoBooking(uid.to_owned())), |_| Ok(()))
    }

    /// Deletes an event type; its bookings stay, without one.
    pub fn delete_event_type(&mut self, id: i64) -> Result<(), WorldError> {
        self.event_type(id).ok_or(WorldError::NoEventType(id))?;
        self.event_types.retain(|one| one.id != id);
        for booking in &mut self.rows.all {
            if booking.event_type == Some(id) {
                booking.event_type = None;
            }
        }
        Ok(())
    }

    /// The row that a request would become.
    fn draft(&mut self, now: Time, of: &EventType, ask: Ask, uid: String) -> Booking {
        let host = self.user(of.owner).map_or("", |user| user.name.as_str());
        let title = format!("{} between {host} and {}", of.title, ask.name);
        let mut attendees = vec![self.attendee(&ask.name, &ask.email, &ask.time_zone)];
        attendees[0].language = Some(ask.language);
        for guest in &ask.guests {
            attendees.push(self.attendee("", guest, &ask.time_zone));
        }
        let mut more = ask.answers;
        if !ask.guests.is_empty() {
            more.insert("guests".to_owned(), Value::from(ask.guests.clone()));
        }
        if of.seats.is_some() {
            let answers = more.clone();
            let uid = self.uuid();
            attendees[0].seat = Some(Seat { uid, answers });
        }
        let waits = of.waits(now, ask.start) || of.price > 0;
        let notes = more.get("notes").and_then(Value::as_str).unwrap_or("");
        let payments = match of.price {
            0 => Vec::new(),
            _ => vec![super::model::Payment {
                id: self.next_attendee,
                success: false,
            }],
        };
        let length = ask.length.unwrap_or(Span::minutes(i64::from(of.minutes)));
        Booking {
            id: 0,
            ics_uid: format!("{uid}@Cal.diy"),
            uid,
            host: Some(of.owner),
            event_type: Some(of.id),
            series: None,
            title,
            description: Some(notes.to_owned()),
            status: if waits {
                Status::Pending
            } else {
                Status::Accepted
            },
            start: kept(ask.start),
            end: kept(ask.start + length),
            created: now,
            updated: Some(now),
            location: format!("https://meet.example.com/{}", of.slug),
            attendees,
            guests: ask.guests,
            answers: Answers::Given {
                name: Value::from(ask.name),
                email: ask.email,
                more,
            },
            metadata: Some(ask.metadata),
            payments,
            rejection_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            rescheduled: false,
            rescheduled_by: None,
            rescheduling_reason: None,
            from: None,
            to: None,
            absent_host: false,
        }
    }

    pub(super) fn attendee(&mut self, name: &str, email: &str, time_zone: &str) -> Attendee {
        let id = self.next_attendee;
        self.next_attendee += 1;
        Attendee {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            time_zone: time_zone.to_owned(),
            language: Some("en".to_owned()),
            absent: false,
            seat: None,
        }
    }

    fn mail_new(&mut self, uid: &str, status: Status) {
        let kind = match status {
            Status::Accepted => MailKind::Confirmed,
            Status::Pending | Status::AwaitingHost | Status::Rejected | Status::Cancelled => {
                MailKind::Requested
            }
        };
        if kind == MailKind::Confirmed {
            self.journal.calendar_event(uid);
        }
        self.journal.mail(uid, Recipient::Booker, kind);
        self.journal.mail(uid, Recipient::Host, kind);
    }

    /// A uid of the shape Cal.com gives: 22 letters and digits.
    pub(super) fn uid(&mut self) -> String {
        const LETTERS: &[u8; 57] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxy";
        let (mut high, mut low) = (self.mixed(), self.mixed());
        let mut text = String::with_capacity(22);
        for turn in 0..22 {
            let word = if turn % 2 == 0 { &mut high } else { &mut low };
            text.push(char::from(LETTERS[(*word % 57) as usize]));
            *word /= 57;
        }
        text
    }

    /// An identifier of the shape of a UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.mixed(), self.mixed());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    /// The next number, its bits well mixed (splitmix64).
    pub(super) fn mixed(&mut self) -> u64 {
        self.serial += 1;
        mix(self.serial)
    }
}

/// Spreads the bits of a number (splitmix64's finalizer): looks random, is not.
pub(super) fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
