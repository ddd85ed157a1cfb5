//! What happened, counted: every call, every mail a real server would have sent, every calendar
//! event it would have made. Tests prove "no double confirm, no double decline" by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;

/// Records of single calls kept, at most (about 150 bytes each). Later calls are still counted, and
/// `Journal::calls_dropped` says how many are missing from the list.
pub const LOGGED_CALLS_MAX: usize = 200_000;

/// What a call is about, whichever dialect it came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Me,
    EventTypes,
    List,
    Get,
    /// v1: a PATCH to ACCEPTED.
    Confirm,
    /// v1: a PATCH to REJECTED.
    Decline,
    Cancel,
    Reschedule,
    MarkAbsent,
    Create,
    /// Any other PATCH of v1.
    Patch,
    /// Unknown routes and whatever else.
    Other,
}

impl Operation {
    /// Whether a call of this kind has a check and two steps that others may act between. In v1 only
    /// cancel has: a PATCH is a bare write.
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

    /// Whether a call of this kind only reads.
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

/// One call, the key left out of its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedCall {
    #[serde(serialize_with = "super::relative_time::serialize_time")]
    pub at: Time,
    pub kind: Operation,
    pub booking: Option<String>,
    pub method: String,
    pub target: String,
    /// What was answered; `None` when the connection was closed instead.
    pub status: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    Booker,
    Guest,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    Requested,
    Confirmed,
    Declined,
    Cancelled,
    Rescheduled,
}

/// Mails of one booking, by recipient and kind.
pub type Mails = BTreeMap<(Recipient, MailKind), u32>;

/// The counters. Grows with bookings and calls; nothing is ever taken back.
#[derive(Debug, Clone, Default)]
pub struct CallLog {
    calls: Vec<LoggedCall>,
    pub calls_dropped: u64,
    by_kind: BTreeMap<Operation, u64>,
    by_booking: BTreeMap<(String, Operation), u64>,
    mails: BTreeMap<String, Mails>,
    events: BTreeMap<String, u32>,
}

impl CallLog {
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

    pub fn count_mail(&mut self, uid: &str, to: Recipient, kind: MailKind) {
        let mails = self.mails.entry(uid.to_owned()).or_default();
        *mails.entry((to, kind)).or_default() += 1;
    }

    pub fn count_calendar_event(&mut self, uid: &str) {
        *self.events.entry(uid.to_owned()).or_default() += 1;
    }

    /// Every call in order, up to `CALLS_KEPT`.
    pub fn calls(&self) -> &[LoggedCall] {
        &self.calls
    }

    /// How many calls of a kind there were.
    pub fn call_count(&self, kind: Operation) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }

    /// How many calls of a kind named this booking.
    pub fn call_count_for(&self, uid: &str, kind: Operation) -> u64 {
        self.by_booking
            .get(&(uid.to_owned(), kind))
            .copied()
            .unwrap_or(0)
    }

    pub fn call_counts(&self) -> &BTreeMap<Operation, u64> {
        &self.by_kind
    }

    /// How many mails of a kind one recipient got about this booking.
    pub fn mail_count(&self, uid: &str, to: Recipient, kind: MailKind) -> u32 {
        self.mails
            .get(uid)
            .and_then(|mails| mails.get(&(to, kind)))
            .copied()
            .unwrap_or(0)
    }

    /// How many mails there were at all.
    pub fn mail_total(&self) -> u32 {
        self.mails.values().flat_map(BTreeMap::values).sum()
    }

    /// All mails about this booking.
    pub fn mails(&self, uid: &str) -> Option<&Mails> {
        self.mails.get(uid)
    }

    /// How many calendar events were made for this booking.
    pub fn calendar_event_count(&self, uid: &str) -> u32 {
        self.events.get(uid).copied().unwrap_or(0)
    }
}
