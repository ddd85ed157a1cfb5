//! An event type of the sandbox: what can be booked, and what a booker is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::time::{Span, Time};

/// Whether bookings of an event type wait for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmationRule {
    /// Bookings are accepted immediately.
    Never,
    /// Bookings wait for the host.
    Always,
    /// Only bookings made at shorter notice than this.
    ShortNotice(Span),
}

/// The type of a question of an event type beyond name, address and guests, as Cal.com has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxQuestionKind {
    /// A short text.
    Text,
    /// A text of several lines.
    Textarea,
    /// A number.
    Number,
    /// One choice from a list.
    Select,
    /// One choice from radio buttons.
    Radio,
    /// A postal address.
    Address,
    /// A telephone number.
    Phone,
    /// A URL.
    Url,
    /// One checkbox: yes or no.
    Boolean,
    /// Several choices from a list.
    Multiselect,
    /// Several choices from checkboxes.
    Checkbox,
    /// Several e-mail addresses.
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
    /// The type of the answer.
    pub kind: SandboxQuestionKind,
    /// The text that bookers read.
    #[serde(default)]
    pub label: String,
    /// Whether a booking without an answer is refused.
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
    /// A calendar day.
    Day,
    /// A calendar week, from Sunday on.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// An event type: what can be booked, and under which conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxEventType {
    /// The number; 0 until the world assigns one.
    pub id: i64,
    /// The number of the account that owns the event type.
    pub owner: i64,
    /// The last part of the booking link.
    pub slug: String,
    /// The title.
    pub title: String,
    /// The length of a booking, in minutes.
    pub minutes: u32,
    /// Whether bookings wait for the host.
    pub confirmation: ConfirmationRule,
    /// Whether pending bookings block their slot, for this event type only.
    pub blocks_slot: bool,
    /// In the currency's smallest unit. Above zero, bookings stay pending until they are paid.
    pub price: i64,
    /// How many occurrences a booking makes; `None`: the booking is not a series.
    pub occurrences: Option<u32>,
    /// How many attendees share a booking; `None`: the booking has no seats.
    pub seats: Option<u32>,
    /// Whether the event type is missing on the public page.
    pub hidden: bool,
    /// Minutes that are kept free before and after each booking.
    pub buffers: (u32, u32),
    /// Most accepted bookings in a period.
    pub count_limits: BTreeMap<LimitPeriod, u32>,
    /// Most minutes of accepted bookings in a period.
    pub duration_limits: BTreeMap<LimitPeriod, u32>,
    /// What a booker is asked beyond name, address and guests.
    pub questions: Vec<SandboxQuestion>,
    /// Where confirmation is required: only bookers with an address of a free mail service have to
    /// wait. No API shows this setting.
    pub free_mail_only: bool,
    /// Whether every cancellation is refused.
    pub forbids_cancelling: bool,
    /// Whether every move is refused.
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
