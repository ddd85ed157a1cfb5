//! A small Cal.com, written down once more from `calcom/api.md` in code of its own (the sandbox was
//! read for what its writes do): rows, what the three writes do to them, and what third parties do.
//! It also keeps what the client was shown of each booking and when, which promise 5 is about, and
//! what the client's writes did.

use std::collections::{BTreeMap, BTreeSet};

use maitred::domain::booking::{
    Booker, Booking, Confirmation, EventType, EventTypeRef, Host, Payment, Status,
};
use maitred::domain::id::{Address, BookingUid, EventTypeId, HostId, RequestId};
use maitred::domain::time::{Span, Time};

use super::rng::Rng;

pub const ME: i64 = 12;
pub const OTHER: i64 = 13;

/// Slug, price. The gates name all but `open`.
pub const KINDS: [(&str, i64); 5] = [
    ("lesson", 0),
    ("dinner", 0),
    ("visit", 0),
    ("open", 0),
    ("priced", 5_000),
];

pub const PEOPLE: [&str; 6] = [
    "ada@example.com",
    "bo@example.com",
    "cy@example.com",
    "di@example.com",
    "eve@example.com",
    "who@example.com",
];

#[derive(Clone)]
pub struct Row {
    pub uid: String,
    pub number: i64,
    pub series: Option<String>,
    pub kind: usize,
    pub host: i64,
    pub email: Option<&'static str>,
    pub start: Time,
    pub end: Time,
    pub created: Time,
    pub status: Status,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// What the client's own writes did to one booking.
#[derive(Default, Clone)]
pub struct Ours {
    pub confirmed: u32,
    pub refused: u32,
    /// Refusals that reached the server, whatever they changed: each mails the booker.
    pub refusals_mailed: u32,
}

#[derive(Default)]
pub struct Town {
    pub rows: Vec<Row>,
    /// The rows as they were a while ago, for lists that come late.
    pub before: Vec<Row>,
    /// What the client saw last, and when it had asked.
    pub shown: BTreeMap<String, (Status, bool, Time)>,
    pub ours: BTreeMap<String, Ours>,
    /// Rows ever made: what the next one is called.
    pub made: i64,
    pub series_per_occurrence: bool,
    /// v1: nothing tells a series.
    pub hides_series: bool,
    /// Pending when the pass began: what a confirm may answer only with a hold.
    pub at_start: BTreeSet<String>,
}

pub enum Refused {
    NotFound,
    Already,
}

impl Town {
    pub fn row(&self, uid: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.uid == uid)
    }

    pub fn row_mut(&mut self, uid: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.uid == uid)
    }

    pub fn event_types(&self) -> Vec<EventType> {
        let kinds = KINDS.iter().enumerate();
        kinds
            .map(|(n, (slug, price))| EventType {
                id: kind_id(n),
                slug: (*slug).to_owned(),
                title: (*slug).to_owned(),
                length_minutes: 30,
                price: *price,
                seated: false,
                recurring: true,
                confirmation: Confirmation::Always { blocks_slot: false },
                verifies_address: None,
                questions: None,
            })
            .collect()
    }

    pub fn booking(&self, row: &Row) -> Booking {
        Booking {
            uid: BookingUid::parse(&row.uid).unwrap(),
            id: Some(row.number),
            series: row
                .series
                .as_ref()
                .filter(|_| !self.hides_series)
                .map(|series| RequestId::parse(series).unwrap()),
            title: format!("{} with {}", KINDS[row.kind].0, row.uid),
            description: None,
            status: row.status.clone(),
            host: Some(Host {
                id: Some(HostId(row.host)),
                address: None,
                name: None,
                time_zone: None,
            }),
            event_type: Some(EventTypeRef {
                id: kind_id(row.kind),
                slug: Some(KINDS[row.kind].0.to_owned()),
            }),
            start: row.start,
            end: row.end,
            created: row.created,
            updated: None,
            booker: row.email.map(|email| Booker {
                address: Address::parse(email).unwrap(),
                name: None,
                time_zone: None,
                language: None,
            }),
            attendees: Vec::new(),
            guests: Vec::new(),
            seated: false,
            rescheduled_from: row.from.as_ref().map(|uid| BookingUid::parse(uid).unwrap()),
            rescheduled_to: row.to.as_ref().map(|uid| BookingUid::parse(uid).unwrap()),
            rescheduled_by: None,
            cancelled_by: None,
            cancellation_reason: None,
            absent_host: false,
            location: None,
            answers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            payment: Payment::NotShown,
        }
    }

    /// The client has read this, having asked at `at`.
    pub fn show(&mut self, booking: &Booking, at: Time) {
        let moved = booking.rescheduled_to.is_some();
        let seen = (booking.status.clone(), moved, at);
        self.shown.insert(booking.uid.to_string(), seen);
    }

    /// Answers a pending series as a whole, and a single booking whatever it was.
    pub fn answer(&mut self, uid: &str, status: &Status) -> Result<Vec<String>, Refused> {
        let row = self.row(uid).ok_or(Refused::NotFound)?;
        if row.status == Status::Accepted {
            return Err(Refused::Already);
        }
        let whole = !self.series_per_occurrence && !self.hides_series;
        let series = row.series.clone().filter(|_| whole);
        let mut changed = Vec::new();
        for row in &mut self.rows {
            let named = match &series {
                Some(series) => {
                    row.series.as_ref() == Some(series) && row.status == Status::Pending
                }
                None => row.uid == uid,
            };
            if named {
                row.status = status.clone();
                changed.push(row.uid.clone());
            }
        }
        Ok(changed)
    }

    pub fn cancel(&mut self, uid: &str) -> Result<(), Refused> {
        let row = self.row_mut(uid).ok_or(Refused::NotFound)?;
        if row.status == Status::Cancelled {
            return Err(Refused::Already);
        }
        row.status = Status::Cancelled;
        Ok(())
    }

    fn add(&mut self, mut row: Row) -> String {
        self.made += 1;
        row.number = self.made;
        row.uid = format!("b{}", self.made);
        let uid = row.uid.clone();
        self.rows.push(row);
        uid
    }

    /// Somebody asks: once, for the same time as another, or for a series.
    pub fn ask(&mut self, rng: &mut Rng, now: Time) {
        let kind = *rng.pick(&[0, 0, 0, 1, 1, 2, 3, 4]);
        let slot = rng.below(60) as i64;
        let soon = if rng.chance(60) { 0 } else { 24 * 60 };
        let start = now + Span::minutes(soon + 10 + slot * 15);
        let row = Row {
            uid: String::new(),
            number: 0,
            series: None,
            kind,
            host: if rng.chance(50) { OTHER } else { ME },
            email: if rng.chance(20) {
                None
            } else {
                Some(*rng.pick(&PEOPLE))
            },
            start,
            end: start + Span::minutes(30),
            created: now - Span::seconds(rng.below(40) as i64),
            status: Status::Pending,
            from: None,
            to: None,
        };
        if rng.chance(200) {
            let series = format!("s{}", self.made);
            for n in 0..2 + rng.below(3) as i64 {
                let mut row = row.clone();
                row.series = Some(series.clone());
                row.start += Span::days(7 * n);
                row.end += Span::days(7 * n);
                self.add(row);
            }
        } else {
            self.add(row);
        }
    }

    /// Another occurrence of a series that still waits.
    pub fn grow(&mut self, rng: &mut Rng, now: Time) -> Option<String> {
        let waiting = |row: &&Row| row.series.is_some() && row.status == Status::Pending;
        let mine: Vec<Row> = self.rows.iter().filter(waiting).cloned().collect();
        if mine.is_empty() {
            return None;
        }
        let mut row = rng.pick(&mine).clone();
        row.start += Span::days(70 + rng.below(50) as i64);
        row.end = row.start + Span::minutes(30);
        row.created = now;
        let series = row.series.clone();
        self.add(row);
        series
    }

    /// Somebody else changes a booking that is not over.
    pub fn meddle(&mut self, rng: &mut Rng, now: Time) -> bool {
        let live: Vec<usize> = (0..self.rows.len())
            .filter(|n| self.rows[*n].end > now && self.rows[*n].to.is_none())
            .collect();
        if live.is_empty() {
            return false;
        }
        let n = *rng.pick(&live);
        let uid = self.rows[n].uid.clone();
        let status = self.rows[n].status.clone();
        match (rng.below(6), status) {
            (0 | 1, Status::Pending | Status::Accepted) => self.rows[n].status = Status::Cancelled,
            (2, Status::Pending) => {
                let _ = self.answer(&uid, &Status::Accepted);
            }
            (3, Status::Pending) => {
                let _ = self.answer(&uid, &Status::Rejected);
            }
            (4, Status::Pending | Status::Accepted) => self.shift(rng, n, now),
            (5, Status::Pending) if rng.chance(100) => {
                self.rows[n].status = Status::Other("odd".to_owned());
            }
            (5, Status::Pending) if rng.chance(200) => {
                self.rows.remove(n);
            }
            _ => return false,
        }
        true
    }

    fn shift(&mut self, rng: &mut Rng, n: usize, now: Time) {
        let mut new = self.rows[n].clone();
        new.from = Some(new.uid.clone());
        new.start = now + Span::minutes(60 + 15 * rng.below(200) as i64);
        new.end = new.start + Span::minutes(30);
        new.created = now;
        new.status = Status::Pending;
        if rng.chance(200) {
            new.kind = 0;
        }
        let uid = self.add(new);
        self.rows[n].status = Status::Cancelled;
        self.rows[n].to = Some(uid);
    }
}

pub fn kind_id(n: usize) -> EventTypeId {
    EventTypeId(100 + n as i64)
}
