//! The request as rules and templates read it, borrowed and cheap to make.

use std::collections::BTreeMap;

use crate::domain::account::Account;
use crate::domain::booking::{Answer, Booking, Question, QuestionKind};
use crate::domain::decision::Credits;
use crate::domain::time::Time;

/// One request as rules read it. `schema` has the names of what can be read from it.
#[derive(Debug, Clone, Copy)]
pub struct RuleContext<'a> {
    /// The first booking of the request.
    pub booking: &'a Booking,
    /// How many bookings the request has; more than one for a series.
    pub occurrences: usize,
    /// The booker's account, if there is one.
    pub account: Option<&'a Account>,
    /// How many of the member's bookings are held or charged.
    pub counts: BookingCounts,
    /// The name of the gate.
    pub gate: &'a str,
    /// What the first booking costs. `None`: that is not known.
    pub cost: Option<Credits>,
    /// What all bookings of the request cost. `None`: that is not known.
    pub credits: Option<Credits>,
    /// What the account could spend now.
    pub available: Credits,
    /// When an allowance gives the member credits next. `None`: none does, or the reader may not
    /// know it.
    pub next_renewal: Option<Time>,
    /// What a confirmation would hold, after what is carried over from a predecessor. `None`: that
    /// is not known.
    pub to_hold: Option<Credits>,
    /// When the occurrence starts that stood in the way. In rules, when the first one starts.
    pub occurrence: Time,
    /// What the operator's own systems answered, by the name of the lookup.
    pub lookups: &'a BTreeMap<String, Answer>,
    /// The answer (a slug) that no rule, finding or template may see: the member's PIN.
    pub hidden_answer: Option<&'a str>,
    /// What is known about the booking questions.
    pub questions: Questions<'a>,
    /// The gate's time zone, for weekdays and hours.
    pub zone: chrono_tz::Tz,
    /// The instant of the decision.
    pub now: Time,
}

/// How many bookings of a member are held or charged: those still to come, and those in the day,
/// week and month around the start of a booking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BookingCounts {
    /// The bookings that are still to come.
    pub upcoming: u32,
    /// The bookings on the calendar day.
    pub day: u32,
    /// The bookings in the week from Monday to Sunday.
    pub week: u32,
    /// The bookings in the calendar month.
    pub month: u32,
}

/// The booking questions, which determine how answers are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Questions<'a> {
    /// As the calendar describes them; `None` if the calendar does not describe them.
    pub from_calendar: Option<&'a [Question]>,
    /// As the rule that reads their answers uses them, for questions that are not described.
    pub inferred: &'a [Question],
}

impl Questions<'_> {
    /// Returns the kind of the question with this identifier.
    pub fn kind(&self, slug: &str) -> Option<QuestionKind> {
        let from_calendar = self.from_calendar.unwrap_or_default().iter();
        let mut questions = from_calendar.chain(self.inferred);
        questions
            .find(|question| question.slug == slug)
            .map(|question| question.kind)
    }
}
