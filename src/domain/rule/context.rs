//! The request as rules and templates see it, borrowed and cheap to make.

use std::collections::BTreeMap;

use crate::domain::account::Account;
use crate::domain::booking::{Answer, Booking, Question, QuestionKind};
use crate::domain::decision::Credits;
use crate::domain::time::Time;

/// One request as rules see it. `schema` has the names of what can be read from it.
#[derive(Debug, Clone, Copy)]
pub struct RuleContext<'a> {
    /// The first booking of the request.
    pub booking: &'a Booking,
    /// How many bookings the request has; more than one for a series.
    pub occurrences: usize,
    /// The booker's account, if there is one.
    pub account: Option<&'a Account>,
    /// The member's bookings that stand.
    pub counts: BookingCounts,
    /// The name of the gate.
    pub gate: &'a str,
    /// What the first booking costs.
    pub cost: Credits,
    /// What all bookings of the request cost.
    pub credits: Credits,
    /// What the account could spend now.
    pub available: Credits,
    /// What confirming would set aside, after what is carried over from a predecessor.
    pub to_hold: Credits,
    /// When the occurrence starts that stood in the way; in rules the first one does.
    pub occurrence: Time,
    /// What the house's own systems answered, by the name of the question.
    pub lookups: &'a BTreeMap<String, Answer>,
    /// The answer (a slug) that no rule, finding or template may see: the member's PIN.
    pub hidden_answer: Option<&'a str>,
    /// What is known of the booking questions.
    pub questions: Questions<'a>,
    /// The house's time zone, for weekdays and hours.
    pub zone: chrono_tz::Tz,
    pub now: Time,
}

/// How many bookings of a member stand: still to come, and around the start of the one in question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BookingCounts {
    pub upcoming: u32,
    pub day: u32,
    pub week: u32,
    pub month: u32,
}

/// Booking questions, to read the answers by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Questions<'a> {
    /// As the calendar describes them; `None` when it does not.
    pub from_calendar: Option<&'a [Question]>,
    /// As the rule that looks at them uses their answers, for those that are not described.
    pub inferred: &'a [Question],
}

impl Questions<'_> {
    /// The kind of the question with this identifier.
    pub fn kind(&self, slug: &str) -> Option<QuestionKind> {
        let from_calendar = self.from_calendar.unwrap_or_default().iter();
        let mut questions = from_calendar.chain(self.inferred);
        questions
            .find(|question| question.slug == slug)
            .map(|question| question.kind)
    }
}
