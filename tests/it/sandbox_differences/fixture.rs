//! A world with the event types of `differences.md`, and calls as values. Time stands still until a
//! test moves it; two simultaneous calls take their steps in the order in which they are due.

use std::collections::BTreeMap;

use maitred::domain::time::{Span, Time};
use maitred::sandbox::booking::{SandboxBooking, SandboxStatus};
use maitred::sandbox::call_log::{MailKind, Recipient};
use maitred::sandbox::event_type::{ConfirmationRule, SandboxEventType};
use maitred::sandbox::handler::{HandlerAnswer, RunningCall, handle};
use maitred::sandbox::http_types::HttpRequest;
use maitred::sandbox::rate_limiter::RateLimits;
use maitred::sandbox::world::World;
use serde_json::{Value, json};

pub const CONFIRMED_TYPE: &str = "a";
pub const OPEN_TYPE: &str = "b";
pub const CONFIRMED_SERIES: &str = "c";
pub const OPEN_SERIES: &str = "e";

pub const GUEST_MAIL: &str = "bo@guest.test";
pub const HOST_MAIL: &str = "ada@host.test";
pub const OTHER_HOST_MAIL: &str = "rex@rival.test";

/// Keys: of the host, of another host, of the guest's own account, none.
pub const HOST_KEY: &str = "cal_host";
pub const OTHER_HOST_KEY: &str = "cal_rival";
pub const GUEST_KEY: &str = "cal_account";
pub const NO_KEY: &str = "";

pub struct DifferenceFixture {
    pub world: World,
    pub now: Time,
}

impl DifferenceFixture {
    pub fn new() -> Self {
        let mut world = World::new();
        world.limits = RateLimits::off();
        world.add_user(12, "Ada Host", HOST_MAIL);
        world.add_user(13, "Rex Rival", OTHER_HOST_MAIL);
        world.add_user(14, "Bo Guest", GUEST_MAIL);
        for (user, key) in [(12, HOST_KEY), (13, OTHER_HOST_KEY), (14, GUEST_KEY)] {
            world.add_key(user, key);
        }
        for (slug, waits, occurrences) in [
            (CONFIRMED_TYPE, true, None),
            (OPEN_TYPE, false, None),
            (CONFIRMED_SERIES, true, Some(4)),
            (OPEN_SERIES, false, Some(3)),
        ] {
            let mut event_type = SandboxEventType::new(12, slug);
            event_type.occurrences = occurrences;
            if !waits {
                event_type.confirmation = ConfirmationRule::Never;
            }
            world.add_event_type(event_type);
        }
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        DifferenceFixture { world, now }
    }

    pub fn advance_days(&mut self, days: i64) {
        self.now += Span::days(days);
    }

    pub fn advance_minutes(&mut self, minutes: i64) {
        self.now += Span::minutes(minutes);
    }

    pub fn time(&self, days: i64) -> Time {
        self.now + Span::days(days) + Span::hours(2)
    }

    /// Returns the start this many days from now, in the form that calls use.
    pub fn start_text(&self, days: i64) -> String {
        self.time(days).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub fn event_type(&self, slug: &str) -> &SandboxEventType {
        let mut types = self.world.event_types().iter();
        types.find(|one| one.slug == slug).unwrap()
    }

    pub fn edit_event_type(&mut self, slug: &str, edit: impl FnOnce(&mut SandboxEventType)) {
        let mut event_type = self.event_type(slug).clone();
        self.world.delete_event_type(event_type.id).unwrap();
        edit(&mut event_type);
        self.world.add_event_type(event_type);
    }

    fn build_request(key: &str, target: &str, body: &Value) -> HttpRequest {
        let method = if body.is_null() && !target.contains('/') {
            "GET"
        } else {
            "POST"
        };
        let mut request = HttpRequest::new(method, &format!("/v2/{target}"))
            .with_header("cal-api-version", "2024-08-13");
        if !key.is_empty() {
            request = request.with_header("Authorization", &format!("Bearer {key}"));
        }
        if !body.is_null() {
            let bytes = body.to_string().into_bytes();
            request = request
                .with_header("Content-Type", "application/json")
                .with_body(bytes);
        }
        request
    }

    pub fn booking_request(&self, key: &str, uid: &str, what: &str, body: &Value) -> HttpRequest {
        Self::build_request(key, &format!("bookings/{uid}/{what}"), body)
    }

    pub fn send(&mut self, request: &HttpRequest) -> (u16, Value) {
        to_result(handle(&mut self.world, self.now, request))
    }

    pub fn post(&mut self, key: &str, uid: &str, what: &str, body: &Value) -> (u16, Value) {
        let request = self.booking_request(key, uid, what, body);
        self.send(&request)
    }

    /// Lists bookings with the host's key.
    pub fn list(&mut self, query: &str) -> Vec<Value> {
        let request = Self::build_request(HOST_KEY, &format!("bookings?{query}"), &Value::Null);
        let (status, body) = self.send(&request);
        assert_eq!(status, 200, "{body}");
        body["data"].as_array().unwrap().clone()
    }

    pub fn move_to(&mut self, key: &str, uid: &str, days: i64) -> (u16, Value) {
        let body = json!({"start": self.start_text(days), "reschedulingReason": "a train"});
        self.post(key, uid, "reschedule", &body)
    }

    /// Requests a booking as the guest does.
    pub fn create(&mut self, slug: &str, days: i64, more: &Value) -> (u16, Value) {
        let mut body = json!({
            "start": self.start_text(days), "eventTypeId": self.event_type(slug).id,
            "attendee": {"name": "Bo", "email": GUEST_MAIL, "timeZone": "Europe/Paris"},
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let request = HttpRequest::new("POST", "/v2/bookings")
            .with_header("cal-api-version", "2024-08-13")
            .with_header("Content-Type", "application/json")
            .with_body(body.to_string().into_bytes());
        self.send(&request)
    }

    pub fn book_with_guests(&mut self, slug: &str, days: i64, guests: &[&str]) -> String {
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

    /// Sends calls that start at the same instant; each step takes its usual time.
    pub fn send_together<const N: usize>(
        &mut self,
        requests: [HttpRequest; N],
    ) -> [(u16, Value); N] {
        self.world.step_ms = 1;
        let mut due: BTreeMap<(u64, usize), RunningCall> = BTreeMap::new();
        for (number, request) in requests.iter().enumerate() {
            due.insert((0, number), RunningCall::begin(&mut self.world, request));
        }
        let mut answers: [Option<(u16, Value)>; N] = std::array::from_fn(|_| None);
        while let Some(((at, number), mut call)) = due.pop_first() {
            match call.advance(&mut self.world, self.now, &requests[number]) {
                Some(wait) => {
                    due.insert((at + wait, number), call);
                }
                None => {
                    let got = call.finish(&mut self.world, self.now, &requests[number]);
                    answers[number] = Some(to_result(got));
                }
            }
        }
        answers.map(Option::unwrap)
    }

    pub fn booking(&self, uid: &str) -> &SandboxBooking {
        self.world.booking(uid).unwrap()
    }

    pub fn series_uid(&self, uid: &str) -> String {
        self.booking(uid).series.clone().unwrap()
    }

    pub fn bookings_of(&self, slug: &str) -> Vec<String> {
        let id = self.event_type(slug).id;
        let rows = self.world.bookings().iter();
        let rows = rows.filter(|one| one.event_type == Some(id));
        rows.map(|one| one.uid.clone()).collect()
    }

    pub fn count(&self) -> usize {
        self.world.bookings().len()
    }

    #[track_caller]
    pub fn assert_status(&self, uid: &str, status: SandboxStatus) {
        assert_eq!(self.world.status(uid), Some(status), "{uid}");
    }

    #[track_caller]
    pub fn assert_statuses<const N: usize>(&self, uids: &[String], states: [SandboxStatus; N]) {
        let got: Vec<SandboxStatus> = uids.iter().map(|uid| self.booking(uid).status).collect();
        assert_eq!(got, states);
    }

    pub fn mail_count(&self, uid: &str, to: Recipient, kind: MailKind) -> u32 {
        self.world.call_log.mail_count(uid, to, kind)
    }

    pub fn mail_total(&self) -> u32 {
        self.world.call_log.mail_total()
    }
}

fn to_result(answer: HandlerAnswer) -> (u16, Value) {
    (answer.response.status, answer.response.value())
}
