//! The book club of the demo: an executive book club with a host, members with and without credit,
//! and about two dozen requests of every kind, always in the same order of creation.

use serde_json::json;

use crate::domain::time::{Span, Time};
use crate::sandbox::booking::{SandboxStatus, StoredAnswers};
use crate::sandbox::event_type::{ConfirmationRule, SandboxEventType};
use crate::sandbox::new_booking::NewBooking;
use crate::sandbox::world::World;

/// The host's key.
pub const KEY: &str = "cal_sandbox_key";
/// The host's account.
pub const HOST: i64 = 12;
/// Another host, whose guest our host is now and then.
pub const OTHER_HOST: i64 = 13;

/// The event type of the club's own meetings.
pub const BOOK_CLUB: i64 = 77;
/// The event type of dinners, which cost members more.
pub const EXEC_DINNER: i64 = 78;
/// The event type of the open house.
pub const OPEN_HOUSE: i64 = 79;
/// The event type with a price.
pub const PAID_CALL: i64 = 80;
/// The event type whose bookings are series.
pub const READING_CIRCLE: i64 = 81;
const OTHER_TALK: i64 = 90;
const DELETED: i64 = 91;

/// A member of the club, and the credits that a demo should grant before maitred starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClubMember {
    /// The member's e-mail address.
    pub address: &'static str,
    /// The member's name.
    pub name: &'static str,
    /// The credits to grant.
    pub credits: u64,
}

/// The members. A dinner is meant to cost 3 credits, everything else 1.
pub const MEMBERS: [ClubMember; 7] = [
    member("bo@example.com", "Bo Booker", 3),
    member("cleo@example.net", "Cleo Crane", 1),
    member("dov@example.org", "Dov Dale", 0),
    member("elif@example.com", "Elif Eren", 8),
    member("faye@example.net", "Faye Fox", 2),
    member("gus@example.com", "Gus Grant", 6),
    member("hana@example.org", "Hana Hill", 2),
];

const fn member(address: &'static str, name: &'static str, credits: u64) -> ClubMember {
    ClubMember {
        address,
        name,
        credits,
    }
}

/// What a booking of the demo demonstrates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingPurpose {
    /// Every row of the request: one, or the occurrences of a series.
    pub uids: Vec<String>,
    /// What the request demonstrates, in words.
    pub purpose: &'static str,
}

/// The world of the demo, and what its bookings demonstrate.
#[derive(Debug, Clone)]
pub struct BookClub {
    /// The world, ready to be served.
    pub world: World,
    /// In order of creation.
    pub bookings: Vec<BookingPurpose>,
}

/// Builds the club at this time. Bookings are created a minute apart, in the order of their
/// descriptions.
pub fn book_club(now: Time) -> BookClub {
    let mut builder = BookClubBuilder {
        now,
        made_at: now - Span::hours(2),
        world: World::new(),
        bookings: Vec::new(),
    };
    builder.add_hosts_and_event_types();
    builder.book_for_members();
    builder.book_contested_slots();
    builder.book_special_cases();
    builder.book_for_others();
    BookClub {
        world: builder.world,
        bookings: builder.bookings,
    }
}

struct BookClubBuilder {
    now: Time,
    made_at: Time,
    world: World,
    bookings: Vec<BookingPurpose>,
}

impl BookClubBuilder {
    fn add_hosts_and_event_types(&mut self) {
        let world = &mut self.world;
        world.add_user(HOST, "Ada Host", "ada@example.org");
        world.add_key(HOST, KEY);
        world.add_user(OTHER_HOST, "Rex Other", "rex@example.net");
        let types = [
            (BOOK_CLUB, HOST, "book-club", 60),
            (EXEC_DINNER, HOST, "exec-dinner", 120),
            (OPEN_HOUSE, HOST, "open-house", 30),
            (PAID_CALL, HOST, "paid-call", 30),
            (READING_CIRCLE, HOST, "reading-circle", 90),
            (OTHER_TALK, OTHER_HOST, "talk-with-rex", 30),
            (DELETED, HOST, "summer-school", 60),
        ];
        for (id, owner, slug, minutes) in types {
            let mut event_type = SandboxEventType::new(owner, slug);
            event_type.id = id;
            event_type.minutes = minutes;
            event_type.price = if id == PAID_CALL { 5000 } else { 0 };
            event_type.occurrences = (id == READING_CIRCLE).then_some(3);
            if id == OPEN_HOUSE {
                event_type.confirmation = ConfirmationRule::Never;
            }
            world.add_event_type(event_type);
        }
    }

    /// Returns a slot: this many days from now, this many hours after the day's start.
    fn slot(&self, days: i64, hour: i64) -> Time {
        let day = self.now.date_naive().and_time(chrono::NaiveTime::MIN);
        day.and_utc() + Span::days(days) + Span::hours(hour)
    }

    fn new_booking(&self, event_type: i64, address: &str, days: i64, hour: i64) -> NewBooking {
        let mut new_booking = NewBooking::new(event_type, address, self.slot(days, hour));
        let lower = address.to_ascii_lowercase();
        if let Some(member) = MEMBERS.iter().find(|one| one.address == lower) {
            member.name.clone_into(&mut new_booking.name);
        }
        new_booking
    }

    /// Makes the booking a minute after the previous one; returns the first row's uid.
    fn book(&mut self, new_booking: NewBooking, purpose: &'static str) -> String {
        self.made_at += Span::minutes(1);
        let result = self.world.book(self.made_at, new_booking);
        let uids = result.expect("the demo's own event types and lengths");
        let first_uid = uids[0].clone();
        self.bookings.push(BookingPurpose { uids, purpose });
        first_uid
    }

    /// Adds requests of members and strangers.
    fn book_for_members(&mut self) {
        let rows = [
            (BOOK_CLUB, "bo@example.com", 3, 9, "Bo has credit"),
            (
                BOOK_CLUB,
                "BO@Example.COM",
                4,
                9,
                "Bo again, the address in capitals",
            ),
            (
                BOOK_CLUB,
                "cleo@example.net",
                3,
                11,
                "Cleo spends her last credit",
            ),
            (BOOK_CLUB, "cleo@example.net", 5, 11, "Cleo has none left"),
            (BOOK_CLUB, "dov@example.org", 3, 13, "Dov never had any"),
            (BOOK_CLUB, "sam@example.net", 3, 15, "Sam has no account"),
            (
                EXEC_DINNER,
                "elif@example.com",
                6,
                18,
                "a dinner, which Elif can afford",
            ),
            (
                EXEC_DINNER,
                "faye@example.net",
                7,
                18,
                "a dinner, for which Faye's credit is too short",
            ),
        ];
        for (event_type, address, days, hour, purpose) in rows {
            let new_booking = self.new_booking(event_type, address, days, hour);
            self.book(new_booking, purpose);
        }
    }

    /// Adds requests for the same hour.
    fn book_contested_slots(&mut self) {
        let new_booking = self.new_booking(BOOK_CLUB, "gus@example.com", 8, 10);
        self.book(new_booking, "Gus was first to ask for this hour");
        let new_booking = self.new_booking(BOOK_CLUB, "hana@example.org", 8, 10);
        self.book(new_booking, "Hana wants the same hour as Gus");
        let new_booking = self.new_booking(BOOK_CLUB, "elif@example.com", 9, 14);
        let taken = self.book(new_booking, "accepted by hand before we came");
        self.accept(&taken);
        let new_booking = self.new_booking(BOOK_CLUB, "hana@example.org", 9, 14);
        self.book(new_booking, "Hana wants an hour that is taken already");
        let mut new_booking = self.new_booking(READING_CIRCLE, "gus@example.com", 10, 16);
        new_booking.occurrences = Some(3);
        self.book(new_booking, "Gus wants a series of three evenings");
    }

    /// Adds requests that need a closer check.
    fn book_special_cases(&mut self) {
        let new_booking = self.new_booking(PAID_CALL, "bo@example.com", 6, 9);
        self.book(new_booking, "a priced call that was not paid yet");
        let new_booking = self.new_booking(OPEN_HOUSE, "sam@example.net", 5, 9);
        self.book(new_booking, "open to everybody, accepted at once");
        let new_booking = self.new_booking(BOOK_CLUB, "ghost@example.com", 6, 11);
        let unreadable = self.book(new_booking, "who asked cannot be read");
        self.edit(&unreadable, |row| row.answers = StoredAnswers::Null);
        let new_booking = self.new_booking(BOOK_CLUB, "bo@example.com", -1, 9);
        self.book(new_booking, "over already, and never answered");
        let mut new_booking = self.new_booking(BOOK_CLUB, "elif@example.com", 0, 0);
        new_booking.start = self.now - Span::minutes(10);
        self.book(new_booking, "has begun ten minutes ago");
        let mut new_booking = self.new_booking(BOOK_CLUB, "elif@example.com", 11, 10);
        new_booking.guests = vec!["guest@example.org".to_owned()];
        new_booking
            .answers
            .insert("notes".to_owned(), json!("with a guest, if we may"));
        self.book(new_booking, "Elif brings a guest");
        let new_booking = self.new_booking(BOOK_CLUB, "bo+books@example.com", 11, 13);
        self.book(new_booking, "Bo's address with a tag, unknown as it stands");
        let new_booking = self.new_booking(BOOK_CLUB, "zoe@example.net", 12, 9);
        let split = self.book(new_booking, "a name in two parts and with accents");
        self.edit(&split, |row| {
            if let StoredAnswers::Readable { name, .. } = &mut row.answers {
                *name = json!({"firstName": "Zoë", "lastName": "Ünal"});
            }
        });
        let new_booking = self.new_booking(DELETED, "faye@example.net", 12, 11);
        self.book(new_booking, "its event type was deleted");
        let deleted = self.world.delete_event_type(DELETED);
        deleted.expect("the event type added above");
        let new_booking = self.new_booking(BOOK_CLUB, "elif@example.com", 300, 9);
        self.book(new_booking, "far ahead, in ten months");
    }

    /// Adds bookings of other people, and one that was moved.
    fn book_for_others(&mut self) {
        let new_booking = self.new_booking(OTHER_TALK, "ada@example.org", 7, 9);
        self.book(
            new_booking,
            "our host asks somebody else; not ours to answer",
        );
        let mut new_booking = self.new_booking(OTHER_TALK, "hana@example.org", 7, 11);
        new_booking.guests = vec!["ada@example.org".to_owned()];
        self.book(new_booking, "our host is Hana's guest at another host");
        let new_booking = self.new_booking(BOOK_CLUB, "faye@example.net", 13, 9);
        let old = self.book(new_booking, "accepted by hand, then moved by Faye");
        self.accept(&old);
        self.made_at += Span::minutes(1);
        let request = crate::sandbox::transitions::RescheduleRequest {
            start: self.slot(14, 9),
            reason: Some("a train strike".to_owned()),
            by: Some("faye@example.net".to_owned()),
            by_host: false,
            by_api: false,
            uid: None,
        };
        let moved = self.world.reschedule(self.made_at, &old, request);
        let uids = vec![moved.expect("an accepted booking that was not moved yet")];
        let purpose = "the hour that Faye moved it to, to be confirmed again";
        self.bookings.push(BookingPurpose { uids, purpose });
    }

    fn accept(&mut self, uid: &str) {
        self.edit(uid, |row| row.status = SandboxStatus::Accepted);
    }

    fn edit(
        &mut self,
        uid: &str,
        change: impl FnOnce(&mut crate::sandbox::booking::SandboxBooking),
    ) {
        let edited = self.world.edit(uid, change);
        edited.expect("a booking of the demo, made just now");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sandbox::handler::handle;
    use crate::sandbox::http_types::HttpRequest;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    #[test]
    fn the_book_club_is_always_the_same() {
        let (first, second) = (book_club(now()), book_club(now()));
        assert_eq!(first.bookings, second.bookings);
        assert_eq!(first.world.bookings(), second.world.bookings());
        assert!(
            first
                .world
                .bookings()
                .is_sorted_by_key(|row| (row.created, row.id))
        );
        let uids: BTreeSet<&String> = first.bookings.iter().flat_map(|told| &told.uids).collect();
        assert_eq!(
            uids.len(),
            first.world.bookings().len(),
            "each row is reported once"
        );
        let purposes: BTreeSet<&str> = first.bookings.iter().map(|told| told.purpose).collect();
        assert_eq!(purposes.len(), first.bookings.len());
        assert!(
            (24..=30).contains(&purposes.len()),
            "{} requests",
            purposes.len()
        );
    }

    #[test]
    fn the_host_sees_pending_requests_of_every_kind() {
        let mut world = book_club(now()).world;
        let request = HttpRequest::new("GET", "/v2/bookings?status=unconfirmed&sortCreated=asc")
            .with_header("Authorization", &format!("Bearer {KEY}"))
            .with_header("cal-api-version", "2024-08-13");
        let list = handle(&mut world, now(), &request).response.value();
        let rows = list["data"].as_array().unwrap();
        let hosts: BTreeSet<i64> = rows
            .iter()
            .map(|row| row["hosts"][0]["id"].as_i64().unwrap())
            .collect();
        assert_eq!(hosts, BTreeSet::from([HOST, OTHER_HOST]));
        let has_row = |wanted: &dyn Fn(&serde_json::Value) -> bool| rows.iter().any(wanted);
        assert!(has_row(
            &|row| row["bookingFieldsResponses"]["email"] == "unknown"
        ));
        assert!(has_row(&|row| row["eventType"].is_null()));
        assert!(has_row(&|row| row["rescheduledFromUid"].is_string()));
        assert!(has_row(&|row| row["recurringBookingUid"].is_string()));
        assert!(has_row(
            &|row| row["bookingFieldsResponses"]["email"] == "BO@Example.COM"
        ));
        assert!(!has_row(&|row| row["eventType"]["slug"] == "open-house"));
    }
}
