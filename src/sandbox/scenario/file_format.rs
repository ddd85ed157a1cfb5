//! The keys of a scenario file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::time::Span;
use crate::sandbox::account::Role;
use crate::sandbox::action::{NewBookingFile, ThirdPartyAction};
use crate::sandbox::booking::SandboxStatus;
use crate::sandbox::event_type::{LimitPeriod, SandboxQuestion};
use crate::sandbox::faults::FaultRule;
use crate::sandbox::rate_limiter::RateLimit;
use crate::sandbox::relative_time::RelativeTime;
use crate::sandbox::script::Trigger;

/// One entry of the script: when, and what happens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScriptEntryFile {
    /// The call that the entry waits for.
    pub on: Trigger,
    /// What happens then, in order.
    pub actions: Vec<ThirdPartyAction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ScenarioFile {
    #[serde(default)]
    pub limits: LimitsFile,
    /// Confirm and decline act on only one occurrence of a series.
    #[serde(default)]
    pub series_per_occurrence: bool,
    #[serde(default)]
    pub licence_missing: bool,
    /// Rows with equal sort keys change places between listings.
    #[serde(default)]
    pub shuffle_ties: bool,
    /// Milliseconds from one step of a call to the next, so that calls can overlap.
    #[serde(default)]
    pub step_ms: u64,
    #[serde(default)]
    pub users: Vec<UserFile>,
    #[serde(default)]
    pub event_types: Vec<EventTypeFile>,
    #[serde(default)]
    pub bookings: Vec<BookingFile>,
    /// Carried out immediately after the bookings are created.
    #[serde(default)]
    pub actions: Vec<ThirdPartyAction>,
    #[serde(default)]
    pub script: Vec<ScriptEntryFile>,
    #[serde(default)]
    pub faults: Vec<FaultRule>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LimitsFile {
    pub v1: Option<RateLimitSetting>,
    pub v2: Option<RateLimitSetting>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"off\", or a limit with `calls`, `window` and `block`"
)]
pub(super) enum RateLimitSetting {
    Word(OffWord),
    Parts(RateLimitFile),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OffWord {
    Off,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RateLimitFile {
    pub calls: u32,
    /// In seconds.
    #[serde(default = "default_window")]
    pub window: u32,
    #[serde(default = "default_window")]
    pub block: u32,
}

fn default_window() -> u32 {
    60
}

impl From<RateLimitFile> for RateLimit {
    fn from(parts: RateLimitFile) -> Self {
        RateLimit {
            calls: parts.calls,
            window: Span::seconds(i64::from(parts.window)),
            block: Span::seconds(i64::from(parts.block)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct UserFile {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub username: Option<String>,
    pub time_zone: Option<String>,
    #[serde(default = "default_role")]
    pub role: Role,
    #[serde(default)]
    pub locked: bool,
    #[serde(default)]
    pub keys: Vec<KeyFile>,
}

fn default_role() -> Role {
    Role::User
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct KeyFile {
    pub key: String,
    pub expires: Option<RelativeTime>,
    pub limit: Option<RateLimitFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct EventTypeFile {
    pub id: i64,
    pub owner: i64,
    pub slug: String,
    pub title: Option<String>,
    #[serde(default = "default_minutes")]
    pub minutes: u32,
    #[serde(default = "default_confirmation")]
    pub confirmation: ConfirmationFile,
    #[serde(default)]
    pub blocks_slot: bool,
    #[serde(default)]
    pub price: i64,
    pub occurrences: Option<u32>,
    pub seats: Option<u32>,
    #[serde(default)]
    pub hidden: bool,
    /// Minutes that are kept free before each booking.
    #[serde(default)]
    pub before_buffer: u32,
    #[serde(default)]
    pub after_buffer: u32,
    /// Most accepted bookings in a day, week, month or year.
    #[serde(default)]
    pub count_limits: BTreeMap<LimitPeriod, u32>,
    /// The same, in minutes.
    #[serde(default)]
    pub duration_limits: BTreeMap<LimitPeriod, u32>,
    #[serde(default)]
    pub questions: Vec<SandboxQuestion>,
    /// Only bookers with an address of a free mail service have to wait. No API shows this setting.
    #[serde(default)]
    pub free_mail_only: bool,
    #[serde(default)]
    pub no_cancelling: bool,
    #[serde(default)]
    pub no_moving: bool,
}

fn default_minutes() -> u32 {
    30
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ConfirmationFile {
    Never,
    Always,
    /// Only for bookings at shorter notice than this many hours.
    NoticeHours(u32),
}

fn default_confirmation() -> ConfirmationFile {
    ConfirmationFile::Always
}

/// A request as in an action, and the fields of its row that are changed afterwards.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct BookingFile {
    pub request: NewBookingFile,
    pub status: Option<SandboxStatus>,
    pub created: Option<RelativeTime>,
    pub updated: Option<RelativeTime>,
    pub title: Option<String>,
    pub location: Option<String>,
    pub rejection_reason: Option<String>,
    pub cancellation_reason: Option<String>,
    pub cancelled_by: Option<String>,
    pub rescheduled_from: Option<String>,
    pub paid: Option<bool>,
    /// The event type was deleted.
    #[serde(default)]
    pub without_event_type: bool,
    /// The stored answers in place of those of the request: null, or something that does not fit.
    pub malformed_answers: Option<Value>,
    #[serde(default)]
    pub without_answers: bool,
    /// Description and metadata are null, as in rows that were not written by a current page.
    #[serde(default)]
    pub without_description: bool,
}
