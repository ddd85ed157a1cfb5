//! What a Cal.com consists of, as far as its API shows it: users and their keys, event types,
//! bookings with their attendees. Plain data; what may be done with it is said in `world` and
//! `change`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rate_limiter::RateLimit;
use crate::domain::time::{Span, Time};

/// A booking's state. The dialects differ in the case of the word only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    Pending,
    Accepted,
    Rejected,
    Cancelled,
    AwaitingHost,
}

impl SandboxStatus {
    /// Every state, in the order in which v1 lists them in its messages.
    pub const ALL: [SandboxStatus; 5] = [
        SandboxStatus::Cancelled,
        SandboxStatus::Accepted,
        SandboxStatus::Rejected,
        SandboxStatus::Pending,
        SandboxStatus::AwaitingHost,
    ];

    /// The word of v2.
    pub fn as_v2(self) -> &'static str {
        match self {
            SandboxStatus::Pending => "pending",
            SandboxStatus::Accepted => "accepted",
            SandboxStatus::Rejected => "rejected",
            SandboxStatus::Cancelled => "cancelled",
            SandboxStatus::AwaitingHost => "awaiting_host",
        }
    }

    /// The word of v1, and of v2 before 2024-08-13.
    pub fn as_v1(self) -> &'static str {
        match self {
            SandboxStatus::Pending => "PENDING",
            SandboxStatus::Accepted => "ACCEPTED",
            SandboxStatus::Rejected => "REJECTED",
            SandboxStatus::Cancelled => "CANCELLED",
            SandboxStatus::AwaitingHost => "AWAITING_HOST",
        }
    }

    /// Whether the booking is off: what lists call `cancelled` holds both.
    pub fn is_cancelled_or_rejected(self) -> bool {
        matches!(self, SandboxStatus::Rejected | SandboxStatus::Cancelled)
    }
}

/// What an account may do beyond its own bookings (v1 only looks at it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    User,
    Admin,
}

/// An account: a host, or a booker who happens to have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub username: String,
    pub time_zone: String,
    pub role: Role,
    /// Locked by v1's limiter: v1 refuses every call, v2 does not care.
    pub locked: bool,
}

/// An API key. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxKey {
    secret: String,
    pub user: i64,
    pub expires: Option<Time>,
    /// Its own v2 limit in place of the world's.
    pub limit: Option<RateLimit>,
}

/// What a real server calls the start of its keys; v1 cuts it off, v2 tells key from token by it.
pub const KEY_PREFIX: &str = "cal_";

impl SandboxKey {
    pub fn new(secret: &str, user: i64) -> Self {
        SandboxKey {
            secret: secret.trim_start_matches(KEY_PREFIX).to_owned(),
            user,
            expires: None,
            limit: None,
        }
    }

    /// Whether this is the key that was presented, the prefix cut off.
    pub fn matches(&self, bare: &str) -> bool {
        self.secret == bare
    }
}

impl fmt::Debug for SandboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("secret", &"[redacted]")
            .field("user", &self.user)
            .field("expires", &self.expires)
            .field("limit", &self.limit)
            .finish()
    }
}

/// Whether bookings of an event type wait for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmationRule {
    Never,
    Always,
    /// Only those made at shorter notice than this.
    ShortNotice(Span),
}

/// A question of an event type beyond name, address and guests, by the types that Cal.com has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxQuestionKind {
    Text,
    Textarea,
    Number,
    Select,
    Radio,
    Address,
    Phone,
    Url,
    Boolean,
    Multiselect,
    Checkbox,
    Multiemail,
}

impl SandboxQuestionKind {
    /// The answer as a real server stores it: the answer to a number question is text, lists hold a
    /// single value, too, and a question that was left blank has an empty answer.
    pub fn normalize_answer(self, answer: Option<Value>) -> Option<Value> {
        use SandboxQuestionKind::{
            Address, Boolean, Checkbox, Multiemail, Multiselect, Number, Phone, Radio, Select,
            Text, Textarea, Url,
        };
        let answer = answer.filter(|given| !given.is_null());
        match self {
            Text | Textarea | Number | Select | Radio | Address | Phone | Url => {
                Some(match answer {
                    None => Value::from(""),
                    Some(Value::String(text)) => Value::String(text),
                    Some(Value::Object(parts)) => Value::Object(parts),
                    Some(other) => Value::from(other.to_string()),
                })
            }
            Boolean => answer.map(|given| match given {
                Value::String(text) => Value::Bool(text == "true"),
                other => other,
            }),
            Multiselect | Checkbox | Multiemail => Some(match answer {
                None => Value::Array(Vec::new()),
                Some(Value::Array(several)) => Value::Array(several),
                Some(single) => Value::Array(vec![single]),
            }),
        }
    }
}

/// One question of an event type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SandboxQuestion {
    /// What the answer is called.
    pub slug: String,
    pub kind: SandboxQuestionKind,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub required: bool,
    /// What may be chosen, where something is chosen.
    #[serde(default)]
    pub options: Vec<String>,
}

impl SandboxQuestion {
    /// One that may be left blank, labelled as it is called.
    pub fn new(slug: &str, kind: SandboxQuestionKind) -> Self {
        SandboxQuestion {
            slug: slug.to_owned(),
            kind,
            label: slug.to_owned(),
            required: false,
            options: Vec::new(),
        }
    }
}

/// A span of time in which an event type may be booked so often, or for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitPeriod {
    Day,
    Week,
    Month,
    Year,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxEventType {
    pub id: i64,
    pub owner: i64,
    pub slug: String,
    pub title: String,
    pub minutes: u32,
    pub confirmation: ConfirmationRule,
    /// Pending bookings block their slot, for this event type only.
    pub blocks_slot: bool,
    /// In the currency's smallest unit. Above zero, bookings stay pending until they are paid.
    pub price: i64,
    /// How many occurrences a booking makes; `None`: it is not a series.
    pub occurrences: Option<u32>,
    pub seats: Option<u32>,
    pub hidden: bool,
    /// Minutes that are kept free before and after each booking.
    pub buffers: (u32, u32),
    /// Accepted bookings in a period, at most.
    pub count_limits: BTreeMap<LimitPeriod, u32>,
    /// Minutes of accepted bookings in a period, at most.
    pub duration_limits: BTreeMap<LimitPeriod, u32>,
    pub questions: Vec<SandboxQuestion>,
    /// Where confirmation is asked for, only bookers with an address of a free mail service wait.
    /// No API shows it.
    pub free_mail_only: bool,
    /// Nobody may cancel, or move.
    pub forbids_cancelling: bool,
    pub forbids_moving: bool,
}

/// Some mail services that anybody may have an address of.
const FREE_MAIL: [&str; 6] = [
    "gmail.com",
    "gmx.net",
    "hotmail.com",
    "icloud.com",
    "outlook.com",
    "yahoo.com",
];

impl SandboxEventType {
    /// A plain one: half an hour, always to be confirmed, free. `World::add_event_type` gives the
    /// id.
    pub fn new(owner: i64, slug: &str) -> Self {
        SandboxEventType {
            id: 0,
            owner,
            slug: slug.to_owned(),
            title: slug.replace('-', " "),
            minutes: 30,
            confirmation: ConfirmationRule::Always,
            blocks_slot: false,
            price: 0,
            occurrences: None,
            seats: None,
            hidden: false,
            buffers: (0, 0),
            count_limits: BTreeMap::new(),
            duration_limits: BTreeMap::new(),
            questions: Vec::new(),
            free_mail_only: false,
            forbids_cancelling: false,
            forbids_moving: false,
        }
    }

    /// Whether a booking made `now` for `start` by this address waits for the host
    /// (`calcom/api.md` 7).
    pub fn needs_confirmation(&self, now: Time, start: Time, email: &str) -> bool {
        let domain = email.rsplit('@').next().unwrap_or("");
        let is_free = FREE_MAIL.iter().any(|one| one.eq_ignore_ascii_case(domain));
        if self.free_mail_only && !is_free {
            return false;
        }
        match self.confirmation {
            ConfirmationRule::Never => false,
            ConfirmationRule::Always => true,
            ConfirmationRule::ShortNotice(notice) => start - now <= notice,
        }
    }
}

/// A place of a seated booking.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    pub uid: String,
    pub answers: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SandboxAttendee {
    pub id: i64,
    /// Empty for extra guests.
    pub name: String,
    pub email: String,
    pub time_zone: String,
    pub language: Option<String>,
    pub absent: bool,
    pub seat: Option<Seat>,
}

/// What the booker answered, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredAnswers {
    Readable {
        /// A text, or `{firstName, lastName}`.
        name: Value,
        email: String,
        /// Everything else by field: notes, guests, the host's own questions.
        other: BTreeMap<String, Value>,
    },
    /// Nothing stored: v1 shows null, v2 "unknown".
    Null,
    /// Something that does not fit the schema: v1 refuses the whole page, v2 shows "unknown".
    Malformed(Value),
}

impl StoredAnswers {
    /// The booker's address as typed, where it can be read.
    pub fn email(&self) -> Option<&str> {
        match self {
            StoredAnswers::Readable { email, .. } => Some(email),
            StoredAnswers::Null | StoredAnswers::Malformed(_) => None,
        }
    }
}

/// A payment row, as v1 shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPayment {
    pub id: i64,
    pub success: bool,
}

/// One booking row.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxBooking {
    pub id: i64,
    pub uid: String,
    /// The organizer; `None` when the account was deleted.
    pub host: Option<i64>,
    /// `None` when the event type was deleted.
    pub event_type: Option<i64>,
    pub series: Option<String>,
    pub title: String,
    pub description: Option<String>,
    pub status: SandboxStatus,
    pub start: Time,
    pub end: Time,
    pub created: Time,
    pub updated: Option<Time>,
    pub location: String,
    /// In no order that can be relied on.
    pub attendees: Vec<SandboxAttendee>,
    pub guests: Vec<String>,
    pub answers: StoredAnswers,
    pub metadata: Option<BTreeMap<String, Value>>,
    pub payments: Vec<SandboxPayment>,
    /// Why it was declined: stored and mailed, shown nowhere.
    pub rejection_reason: Option<String>,
    pub cancellation_reason: Option<String>,
    pub cancelled_by: Option<String>,
    /// Replaced, or to be replaced, by another booking.
    pub rescheduled: bool,
    pub rescheduled_by: Option<String>,
    /// Why it was moved, where the move came through the API.
    pub rescheduling_reason: Option<String>,
    /// The uid of the booking that this one replaces.
    pub predecessor: Option<String>,
    /// The uid of the first booking that replaces this one: two moves at once make two, and only
    /// their `from` tells of the second.
    pub successor: Option<String>,
    pub absent_host: bool,
    pub ics_uid: String,
}

impl SandboxBooking {
    /// Whether a payment is due: confirming such a booking makes no event and sends no mail.
    pub fn is_unpaid(&self) -> bool {
        self.payments.iter().any(|payment| !payment.success)
    }

    /// Whether this address is among the attendees, by its exact text as a real server compares.
    pub fn has_attendee(&self, email: &str) -> bool {
        self.attendees.iter().any(|one| one.email == email)
    }
}
