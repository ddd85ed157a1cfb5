//! A world with the event types of `differences.md`, and calls to it as values. Time stands still
//! until it is moved; two calls at once take their steps in the order in which they are due.

use std::collections::BTreeMap;

use maitred::domain::time::{Span, Time};
use maitred::sandbox::answer::{Answer, Underway, answer};
use maitred::sandbox::call::Request;
use maitred::sandbox::journal::{MailKind, Recipient};
use maitred::sandbox::limit::Limits;
use maitred::sandbox::model::{Booking, Confirmation, EventType, Status};
use maitred::sandbox::world::World;
use serde_json::{Value, json};

pub const A: &str = "a";
pub const B: &str = "b";
pub const C: &str = "c";
pub const E: &str = "e";

pub const GUEST: &str = "bo@guest.test";
pub const HOST_MAIL: &str = "ada@host.test";
pub const RIVAL_MAIL: &str = "rex@rival.test";

/// Keys: of the host, of another host, of the guest's own account, none.
pub const HOST: &str = "cal_host";
pub const RIVAL: &str = "cal_rival";
pub const ACCOUNT: &str = "cal_account";
pub const NOBODY: &str = "";

pub struct Bench {
    pub world: World,
    pub now: Time,
}

impl Bench {
    pub fn new() -> Self {
        let mut world = World::new();
        world.limits = Limits::off();
        world.add_user(12, "Ada Host", HOST_MAIL);
        world.add_user(13, "Rex Rival", RIVAL_MAIL);
        world.add_user(14, "Bo Guest", GUEST);
        for (user, key) in [(12, HOST), (13, RIVAL), (14, ACCOUNT)] {
            world.add_key(user, key);
        }
        for (slug, waits, occurrences) in [
            (A, true, None),
            (B, false, None),
            (C, true, Some(4)),
            (E, false, Some(3)),
        ] {
            let mut of = EventType::new(12, slug);
            of.occurrences = occurrences;
            if !waits {
                of.confirmation = Confirmation::Never;
            }
            world.add_event_type(of);
        }
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        Bench { world, now }
    }

    pub fn forward(&mut self, days: i64) {
        self.now += Span::days(days);
    }

    pub fn minutes(&mut self, minutes: i64) {
        self.now += Span::minutes(minutes);
    }

    pub fn time(&self, days: i64) -> Time {
        self.now + Span::days(days) + Span::hours(2)
    }

    /// So many days from now, as calls name it.
    pub fn start(&self, days: i64) -> String {
        self.time(days).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub fn of(&self, slug: &str) -> &EventType {
        let mut types = self.world.event_types().iter();
        types.find(|one| one.slug == slug).unwrap()
    }

    pub fn edit_type(&mut self, slug: &str, edit: impl FnOnce(&mut EventType)) {
        let mut of = self.of(slug).clone();
        self.world.delete_event_type(of.id).unwrap();
        edit(&mut of);
        self.world.add_event_type(of);
    }

    fn asked(key: &str, target: &str, body: &Value) -> Request {
        let method = if body.is_null() && !target.contains('/') {
            "GET"
        } else {
            "POST"
        };
        let mut request =
            Request::new(method, &format!("/v2/{target}")).header("cal-api-version", "2024-08-13");
        if !key.is_empty() {
            request = request.header("Authorization", &format!("Bearer {key}"));
        }
        if !body.is_null() {
            let bytes = body.to_string().into_bytes();
            request = request
                .header("Content-Type", "application/json")
                .body(bytes);
        }
        request
    }

    pub fn request(&self, key: &str, uid: &str, what: &str, body: &Value) -> Request {
        Self::asked(key, &format!("bookings/{uid}/{what}"), body)
    }

    pub fn send(&mut self, request: &Request) -> (u16, Value) {
        told(answer(&mut self.world, self.now, request))
    }

    pub fn post(&mut self, key: &str, uid: &str, what: &str, body: &Value) -> (u16, Value) {
        let request = self.request(key, uid, what, body);
        self.send(&request)
    }

    /// The list, with the host's key.
    pub fn list(&mut self, query: &str) -> Vec<Value> {
        let request = Self::asked(HOST, &format!("bookings?{query}"), &Value::Null);
        let (status, body) = self.send(&request);
        assert_eq!(status, 200, "{body}");
        body["data"].as_array().unwrap().clone()
    }

    pub fn move_to(&mut self, key: &str, uid: &str, days: i64) -> (u16, Value) {
        let body = json!({"start": self.start(days), "reschedulingReason": "a train"});
        self.post(key, uid, "reschedule", &body)
    }

    /// Asks for a booking as the guest does.
    pub fn create(&mut self, slug: &str, days: i64, more: &Value) -> (u16, Value) {
        let mut body = json!({
            "start": self.start(days), "eventTypeId": self.of(slug).id,
            "attendee": {"name": "Bo", "email": GUEST, "timeZone": "Europe/Paris"},
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let request = Request::new("POST", "/v2/bookings")
            .header("cal-api-version", "2024-08-13")
            .header("Content-Type", "application/json")
            .body(body.to_string().into_bytes());
        self.send(&request)
    }

    pub fn book_with(&mut self, slug: &str, days: i64, guests: &[&str]) -> String {
        let (status, body) = self.create(slug, days, &json!({ "guests": guests }));
        assert_eq!(status, 201, "{body}");
        body["data"]["uid"].as_str().unwrap().to_owned()
    }

    pub fn book(&mut self, slug: &str, days: i64) -> String {
        let (status, body) = self.create(slug, days, &json!({}));
        assert_eq!(status, 201, "{body}");
        body["data"]["uid"].as_str().unwrap().to_owned()
    }

    pub fn series(&mut self, slug: &str, days: i64) -> Vec<String> {
        let (status, body) = self.create(slug, days, &json!({}));
        assert_eq!(status, 201, "{body}");
        let rows = body["data"].as_array().unwrap().iter();
        rows.map(|row| row["uid"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Calls that begin at the same instant; a step of each takes the time that it takes.
    pub fn together<const N: usize>(&mut self, requests: [Request; N]) -> [(u16, Value); N] {
        self.world.step_ms = 1;
        let mut due: BTreeMap<(u64, usize), Underway> = BTreeMap::new();
        for (number, request) in requests.iter().enumerate() {
            due.insert((0, number), Underway::begin(&mut self.world, request));
        }
        let mut answers: [Option<(u16, Value)>; N] = std::array::from_fn(|_| None);
        while let Some(((at, number), mut call)) = due.pop_first() {
            match call.go_on(&mut self.world, self.now, &requests[number]) {
                Some(wait) => {
                    due.insert((at + wait, number), call);
                }
                None => {
                    let got = call.finish(&mut self.world, self.now, &requests[number]);
                    answers[number] = Some(told(got));
                }
            }
        }
        answers.map(Option::unwrap)
    }

    pub fn row(&self, uid: &str) -> &Booking {
        self.world.booking(uid).unwrap()
    }

    pub fn series_of(&self, uid: &str) -> String {
        self.row(uid).series.clone().unwrap()
    }

    pub fn bookings_of(&self, slug: &str) -> Vec<String> {
        let id = self.of(slug).id;
        let rows = self.world.bookings().iter();
        let rows = rows.filter(|one| one.event_type == Some(id));
        rows.map(|one| one.uid.clone()).collect()
    }

    pub fn count(&self) -> usize {
        self.world.bookings().len()
    }

    #[track_caller]
    pub fn is(&self, uid: &str, status: Status) {
        assert_eq!(self.world.status(uid), Some(status), "{uid}");
    }

    #[track_caller]
    pub fn are<const N: usize>(&self, uids: &[String], states: [Status; N]) {
        let got: Vec<Status> = uids.iter().map(|uid| self.row(uid).status).collect();
        assert_eq!(got, states);
    }

    pub fn mails(&self, uid: &str, to: Recipient, kind: MailKind) -> u32 {
        self.world.journal.mails_for(uid, to, kind)
    }

    pub fn mails_total(&self) -> u32 {
        self.world.journal.mails_total()
    }
}

fn told(answer: Answer) -> (u16, Value) {
    (answer.response.status, answer.response.value())
}
