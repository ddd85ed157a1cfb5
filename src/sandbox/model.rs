//! The parts of a Cal.com as far as its API shows them: users and their keys, event types, bookings
//! with their attendees. This is plain data; `world` and `transitions` define what may be done with
//! it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rate_limiter::RateLimit;
use crate::domain::time::{Span, Time};

/// A booking's state. The dialects differ only in the case of the word.
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

    /// Returns the word of v2.
    pub fn as_v2(self) -> &'static str {
        match self {
            SandboxStatus::Pending => "pending",
            SandboxStatus::Accepted => "accepted",
            SandboxStatus::Rejected => "rejected",
            SandboxStatus::Cancelled => "cancelled",
            SandboxStatus::AwaitingHost => "awaiting_host",
        }
    }

    /// Returns the word of v1, and of v2 before 2024-08-13.
    pub fn as_v1(self) -> &'static str {
        match self {
            SandboxStatus::Pending => "PENDING",
            SandboxStatus::Accepted => "ACCEPTED",
            SandboxStatus::Rejected => "REJECTED",
            SandboxStatus::Cancelled => "CANCELLED",
            SandboxStatus::AwaitingHost => "AWAITING_HOST",
        }
    }

    /// Returns true for the two states that lists call `cancelled`.
    pub fn is_cancelled_or_rejected(self) -> bool {
        matches!(self, SandboxStatus::Rejected | SandboxStatus::Cancelled)
    }
}

/// What an account may do beyond its own bookings (only v1 checks the role).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    User,
    Admin,
}

/// An account: a host, or a booker with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub username: String,
    pub time_zone: String,
    pub role: Role,
    /// Locked by v1's limiter: v1 refuses every call, v2 ignores the lock.
    pub locked: bool,
}

/// An API key. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxKey {
    secret: String,
    pub user: i64,
    pub expires: Option<Time>,
    /// The key's own v2 limit, in place of the world's.
    pub limit: Option<RateLimit>,
}

/// How the keys of a real server start; v1 removes the prefix, v2 distinguishes keys from tokens by
/// it.
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

    /// Returns true when this is the presented key, given without its prefix.
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
    /// Only bookings made at shorter notice than this.
    ShortNotice(Span),
}

/// The type of a question of an event type beyond name, address and guests, as Cal.com has them.
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
    /// Returns the answer as a real server stores it: the answer to a number question is text,
    /// lists also hold a single value, and a question that was left blank has an empty answer.
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
    /// The name of the answer.
    pub slug: String,
    pub kind: SandboxQuestionKind,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub required: bool,
    /// The choices, for questions that offer a choice.
    #[serde(default)]
    pub options: Vec<String>,
}

impl SandboxQuestion {
    /// Returns a question that may be left blank, with its slug as label.
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

/// A period for which an event type limits the number or the total length of bookings.
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
    /// Whether pending bookings block their slot, for this event type only.
    pub blocks_slot: bool,
    /// In the currency's smallest unit. Above zero, bookings stay pending until they are paid.
    pub price: i64,
    /// How many occurrences a booking makes; `None`: the booking is not a series.
    pub occurrences: Option<u32>,
    pub seats: Option<u32>,
    pub hidden: bool,
    /// Minutes that are kept free before and after each booking.
    pub buffers: (u32, u32),
    /// Most accepted bookings in a period.
    pub count_limits: BTreeMap<LimitPeriod, u32>,
    /// Most minutes of accepted bookings in a period.
    pub duration_limits: BTreeMap<LimitPeriod, u32>,
    pub questions: Vec<SandboxQuestion>,
    /// Where confirmation is required: only bookers with an address of a free mail service have to
    /// wait. No API shows this setting.
    pub free_mail_only: bool,
    /// Whether every cancellation, or every move, is refused.
    pub forbids_cancelling: bool,
    pub forbids_moving: bool,
}

/// Some mail services where any person can get an address.
const FREE_MAIL: [&str; 6] = [
    "gmail.com",
    "gmx.net",
    "hotmail.com",
    "icloud.com",
    "outlook.com",
    "yahoo.com",
];

impl SandboxEventType {
    /// Returns a plain event type: half an hour, always to be confirmed, free.
    /// `World::add_event_type` assigns the id.
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

    /// Returns true when a booking made `now` for `start` by this address waits for the host
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

/// A seat of a seated booking.
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

/// What the booker answered, as stored.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredAnswers {
    Readable {
        /// A text, or `{firstName, lastName}`.
        name: Value,
        email: String,
        /// Everything else by field: notes, guests, the host's own questions.
        other: BTreeMap<String, Value>,
    },
    /// No answers are stored: v1 shows null, v2 "unknown".
    Null,
    /// The answers do not fit the schema: v1 refuses the whole page, v2 shows "unknown".
    Malformed(Value),
}

impl StoredAnswers {
    /// Returns the booker's address as typed, if the answers are readable.
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
    /// The attendees, in no reliable order.
    pub attendees: Vec<SandboxAttendee>,
    pub guests: Vec<String>,
    pub answers: StoredAnswers,
    pub metadata: Option<BTreeMap<String, Value>>,
    pub payments: Vec<SandboxPayment>,
    /// Why the booking was declined: stored and mailed, shown nowhere.
    pub rejection_reason: Option<String>,
    pub cancellation_reason: Option<String>,
    pub cancelled_by: Option<String>,
    /// Whether the booking was replaced, or is to be replaced, by another booking.
    pub rescheduled: bool,
    pub rescheduled_by: Option<String>,
    /// Why the booking was moved, when it was moved through the API.
    pub rescheduling_reason: Option<String>,
    /// The uid of the booking that this one replaces.
    pub predecessor: Option<String>,
    /// The uid of the first booking that replaces this one. Two moves at the same time make two
    /// successors; the second is only found by its `predecessor`.
    pub successor: Option<String>,
    pub absent_host: bool,
    pub ics_uid: String,
}

impl SandboxBooking {
    /// Returns true when a payment is due: confirming such a booking makes no event and sends no
    /// mail.
    pub fn is_unpaid(&self) -> bool {
        self.payments.iter().any(|payment| !payment.success)
    }

    /// Returns true when this address is among the attendees, by its exact text as a real server
    /// compares.
    pub fn has_attendee(&self, email: &str) -> bool {
        self.attendees.iter().any(|one| one.email == email)
    }
}
