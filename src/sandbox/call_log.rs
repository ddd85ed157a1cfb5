//! Counts what happened: every call, every mail a real server would have sent, every calendar event
//! it would have made. Tests use the counts to prove "no double confirm, no double decline".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;

/// Most records of single calls that are kept (about 150 bytes each). Later calls are still
/// counted, and `CallLog::calls_dropped` says how many are missing from the list.
pub const LOGGED_CALLS_MAX: usize = 200_000;

/// What a call does, in either dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Reads the user that the key acts as.
    Me,
    /// Lists event types, or reads one.
    EventTypes,
    /// Lists bookings.
    List,
    /// Reads one booking or one series.
    Get,
    /// In v1, a PATCH to ACCEPTED.
    Confirm,
    /// In v1, a PATCH to REJECTED.
    Decline,
    /// Cancels a booking.
    Cancel,
    /// Moves a booking.
    Reschedule,
    /// Marks the host or attendees absent.
    MarkAbsent,
    /// Makes a booking.
    Create,
    /// Any other PATCH of v1.
    Patch,
    /// Unknown routes and everything else.
    Other,
}

impl Operation {
    /// Returns true for calls that have a check and two steps, between which other calls may act.
    /// In v1 only a cancellation has steps: a PATCH is a bare write.
    pub fn has_steps(self) -> bool {
        match self {
            Operation::Confirm | Operation::Decline | Operation::Cancel | Operation::Reschedule => {
                true
            }
            Operation::Me
            | Operation::EventTypes
            | Operation::List
            | Operation::Get
            | Operation::MarkAbsent
            | Operation::Create
            | Operation::Patch
            | Operation::Other => false,
        }
    }

    /// Returns true for calls that only read.
    pub fn is_read(self) -> bool {
        match self {
            Operation::Me | Operation::EventTypes | Operation::List | Operation::Get => true,
            Operation::Confirm
            | Operation::Decline
            | Operation::Cancel
            | Operation::Reschedule
            | Operation::MarkAbsent
            | Operation::Create
            | Operation::Patch
            | Operation::Other => false,
        }
    }
}

/// One call. Its target is recorded without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedCall {
    /// When the call came in, by the world's clock.
    #[serde(serialize_with = "super::relative_time::serialize_time")]
    pub at: Time,
    /// What the call does.
    pub kind: Operation,
    /// The uid of the booking that the call names; `None` if it names no booking.
    pub booking: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// Path and query, without the key.
    pub target: String,
    /// The status of the answer; `None` when the connection was closed instead.
    pub status: Option<u16>,
}

/// To whom a mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// The booker.
    Booker,
    /// An extra guest.
    Guest,
    /// The host.
    Host,
}

/// What a mail says about a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// The booking waits for the host.
    Requested,
    /// The booking is confirmed.
    Confirmed,
    /// The booking is declined.
    Declined,
    /// The booking is cancelled.
    Cancelled,
    /// The booking is moved.
    Rescheduled,
}

/// How many mails there were about one booking, by recipient and kind.
pub type Mails = BTreeMap<(Recipient, MailKind), u32>;

/// The counters. They grow with bookings and calls; nothing is ever removed.
#[derive(Debug, Clone, Default)]
pub struct CallLog {
    calls: Vec<LoggedCall>,
    /// How many calls were counted only, because the log was full.
    pub calls_dropped: u64,
    by_kind: BTreeMap<Operation, u64>,
    by_booking: BTreeMap<(String, Operation), u64>,
    mails: BTreeMap<String, Mails>,
    events: BTreeMap<String, u32>,
}

impl CallLog {
    /// Counts a call, and keeps it while the log has room.
    pub fn record_call(&mut self, call: LoggedCall) {
        if let Some(uid) = &call.booking {
            *self.by_booking.entry((uid.clone(), call.kind)).or_default() += 1;
        }
        *self.by_kind.entry(call.kind).or_default() += 1;
        if self.calls.len() < LOGGED_CALLS_MAX {
            self.calls.push(call);
        } else {
            self.calls_dropped += 1;
        }
    }

    /// Counts one mail about the booking.
    pub fn count_mail(&mut self, uid: &str, to: Recipient, kind: MailKind) {
        let mails = self.mails.entry(uid.to_owned()).or_default();
        *mails.entry((to, kind)).or_default() += 1;
    }

    /// Counts one calendar event for the booking.
    pub fn count_calendar_event(&mut self, uid: &str) {
        *self.events.entry(uid.to_owned()).or_default() += 1;
    }

    /// Returns the calls in order, up to `LOGGED_CALLS_MAX`.
    pub fn calls(&self) -> &[LoggedCall] {
        &self.calls
    }

    /// Returns how many calls of a kind there were.
    pub fn call_count(&self, kind: Operation) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }

    /// Returns how many calls of a kind named this booking.
    pub fn call_count_for(&self, uid: &str, kind: Operation) -> u64 {
        self.by_booking
            .get(&(uid.to_owned(), kind))
            .copied()
            .unwrap_or(0)
    }

    /// Returns how many calls of each kind there were.
    pub fn call_counts(&self) -> &BTreeMap<Operation, u64> {
        &self.by_kind
    }

    /// Returns how many mails of a kind a recipient got about this booking.
    pub fn mail_count(&self, uid: &str, to: Recipient, kind: MailKind) -> u32 {
        self.mails
            .get(uid)
            .and_then(|mails| mails.get(&(to, kind)))
            .copied()
            .unwrap_or(0)
    }

    /// Returns how many mails there were in total.
    pub fn mail_total(&self) -> u32 {
        self.mails.values().flat_map(BTreeMap::values).sum()
    }

    /// Returns all mails about this booking.
    pub fn mails(&self, uid: &str) -> Option<&Mails> {
        self.mails.get(uid)
    }

    /// Returns how many calendar events were made for this booking.
    pub fn calendar_event_count(&self, uid: &str) -> u32 {
        self.events.get(uid).copied().unwrap_or(0)
    }
}
