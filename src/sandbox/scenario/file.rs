//! The scenario file: a world in JSON, read strictly. Unknown keys are refused; every message names
//! the place. Times are instants (`2026-12-01T09:00:00Z`) or relative to the world's current time
//! (`+36h`).

use super::file_format::{
    BookingFile, ConfirmationFile, EventTypeFile, OffWord, RateLimitSetting, ScenarioFile, UserFile,
};
use crate::domain::time::{Span, Time};
use crate::sandbox::account::{SandboxKey, User};
use crate::sandbox::actions::ActionError;
use crate::sandbox::booking::{SandboxPayment, StoredAnswers};
use crate::sandbox::event_type::{ConfirmationRule, SandboxEventType};
use crate::sandbox::faults::{FAULT_DELAY_MAX, FaultRuleError};
use crate::sandbox::rate_limiter::RateLimit;
use crate::sandbox::script::SCRIPT_MAX;
use crate::sandbox::world::{World, WorldError};

/// The largest scenario file, in bytes: tens of thousands of bookings written out. The command line
/// reads no more of a file.
pub const FILE_MAX: usize = 16 << 20;

/// Why a scenario cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file is longer than `FILE_MAX`.
    #[error("read the scenario: it is longer than {FILE_MAX} bytes")]
    TooLong,
    /// The file is not JSON, or has another shape than a scenario.
    #[error("read the scenario")]
    Json(#[source] serde_json::Error),
    /// The file has an old name of a key.
    #[error("read the scenario, in which `{new}` replaces an old key")]
    RenamedKey {
        /// The new name.
        new: &'static str,
        /// The message with the old name and its place.
        #[source]
        source: serde_json::Error,
    },
    /// An entry does not fit the world.
    #[error("set up {place} of the scenario")]
    World {
        /// The place of the entry in the file.
        place: String,
        /// Why the world refuses the entry.
        #[source]
        source: WorldError,
    },
    /// An action of the scenario cannot be carried out.
    #[error("do the actions of the scenario")]
    Action(#[source] ActionError),
    /// A fault rule is refused.
    #[error("set up {place} of the scenario")]
    Rule {
        /// The place of the rule in the file.
        place: String,
        /// Why the rule is refused.
        #[source]
        source: FaultRuleError,
    },
    /// The script has more than `SCRIPT_MAX` entries.
    #[error("set up the script: {SCRIPT_MAX} entries are the most")]
    ScriptTooLong,
}

/// Keys that other keys have replaced, with their new names.
const RENAMED: [(&str, &str); 2] = [
    ("bare", "without-description"),
    ("odd-answers", "malformed-answers"),
];

fn to_scenario_error(source: serde_json::Error) -> ScenarioError {
    let text = source.to_string();
    let is_named = |(old, _): &&(&str, &str)| text.contains(&format!("unknown field `{old}`"));
    match RENAMED.iter().find(is_named) {
        Some((_, new)) => ScenarioError::RenamedKey { new, source },
        None => ScenarioError::Json(source),
    }
}

/// Reads a scenario and builds its world at this time.
pub fn parse(text: &str, now: Time) -> Result<World, ScenarioError> {
    if text.len() > FILE_MAX {
        return Err(ScenarioError::TooLong);
    }
    let file: ScenarioFile = serde_json::from_str(text).map_err(to_scenario_error)?;
    let mut world = World::new();
    world.quirks.series_per_occurrence = file.series_per_occurrence;
    world.quirks.licence_missing = file.licence_missing;
    world.quirks.shuffle_ties = file.shuffle_ties;
    world.step_ms = file.step_ms.min(FAULT_DELAY_MAX);
    world.limits.v1 = resolve_limit(file.limits.v1, world.limits.v1);
    world.limits.v2 = resolve_limit(file.limits.v2, world.limits.v2);
    for user in file.users {
        add_user(&mut world, user, now);
    }
    for event_type in file.event_types {
        add_event_type(&mut world, event_type);
    }
    for (number, booking) in file.bookings.into_iter().enumerate() {
        add_booking(&mut world, booking, now).map_err(|source| ScenarioError::World {
            place: entry_path("bookings", number),
            source,
        })?;
    }
    world
        .act_all(now, file.actions)
        .map_err(ScenarioError::Action)?;
    if file.script.len() > SCRIPT_MAX {
        return Err(ScenarioError::ScriptTooLong);
    }
    for entry in file.script {
        world.script.add(entry.on, entry.actions);
    }
    for (number, rule) in file.faults.into_iter().enumerate() {
        world
            .add_fault(rule)
            .map_err(|source| ScenarioError::Rule {
                place: entry_path("faults", number),
                source,
            })?;
    }
    Ok(world)
}

fn entry_path(list: &str, number: usize) -> String {
    format!("{list}[{number}]")
}

fn resolve_limit(
    file: Option<RateLimitSetting>,
    default_limit: Option<RateLimit>,
) -> Option<RateLimit> {
    match file {
        None => default_limit,
        Some(RateLimitSetting::Word(OffWord::Off)) => None,
        Some(RateLimitSetting::Parts(parts)) => Some(parts.into()),
    }
}

fn add_user(world: &mut World, file: UserFile, now: Time) {
    let before_at = file.email.split('@').next().unwrap_or("").to_owned();
    for key in file.keys {
        let mut new_key = SandboxKey::new(&key.key, file.id);
        new_key.expires = key.expires.map(|at| at.resolve(now));
        new_key.limit = key.limit.map(RateLimit::from);
        world.put_key(new_key);
    }
    world.put_user(User {
        id: file.id,
        name: file.name,
        username: file.username.unwrap_or(before_at),
        email: file.email,
        time_zone: file.time_zone.unwrap_or_else(|| "Europe/London".to_owned()),
        role: file.role,
        locked: file.locked,
    });
}

fn add_event_type(world: &mut World, file: EventTypeFile) {
    let mut event_type = SandboxEventType::new(file.owner, &file.slug);
    event_type.id = file.id;
    event_type.title = file.title.unwrap_or(event_type.title);
    event_type.minutes = file.minutes;
    event_type.confirmation = match file.confirmation {
        ConfirmationFile::Never => ConfirmationRule::Never,
        ConfirmationFile::Always => ConfirmationRule::Always,
        ConfirmationFile::NoticeHours(hours) => {
            ConfirmationRule::ShortNotice(Span::hours(hours.into()))
        }
    };
    event_type.blocks_slot = file.blocks_slot;
    event_type.price = file.price;
    event_type.occurrences = file.occurrences;
    event_type.seats = file.seats;
    event_type.hidden = file.hidden;
    event_type.buffers = (file.before_buffer, file.after_buffer);
    event_type.count_limits = file.count_limits;
    event_type.duration_limits = file.duration_limits;
    event_type.questions = file.questions;
    event_type.free_mail_only = file.free_mail_only;
    event_type.forbids_cancelling = file.no_cancelling;
    event_type.forbids_moving = file.no_moving;
    world.add_event_type(event_type);
}

/// Makes the booking, then changes its rows as the file says.
fn add_booking(world: &mut World, file: BookingFile, now: Time) -> Result<(), WorldError> {
    let created = file.created.map_or(now, |at| at.resolve(now));
    let updated = file.updated.map(|at| at.resolve(now));
    let uids = world.book(created, file.request.into_new_booking(now))?;
    for uid in uids {
        world.edit(&uid, |row| {
            row.status = file.status.unwrap_or(row.status);
            row.updated = updated.or(row.updated);
            row.title = file.title.clone().unwrap_or_else(|| row.title.clone());
            row.location = file
                .location
                .clone()
                .unwrap_or_else(|| row.location.clone());
            row.rejection_reason.clone_from(&file.rejection_reason);
            row.cancellation_reason
                .clone_from(&file.cancellation_reason);
            row.cancelled_by.clone_from(&file.cancelled_by);
            row.predecessor.clone_from(&file.rescheduled_from);
            if file.without_event_type {
                row.event_type = None;
            }
            if let Some(paid) = file.paid {
                let id = row.id;
                row.payments = vec![SandboxPayment { id, success: paid }];
            }
            if file.without_description {
                row.description = None;
                row.metadata = None;
            }
            if file.without_answers {
                row.answers = StoredAnswers::Null;
            }
            if let Some(answers) = &file.malformed_answers {
                row.answers = StoredAnswers::Malformed(answers.clone());
            }
        })?;
        if let Some(old) = &file.rescheduled_from {
            world.edit(old, |row| {
                row.rescheduled = true;
                row.successor = Some(uid.clone());
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::booking::SandboxStatus;
    use crate::sandbox::event_type::SandboxQuestionKind;
    use crate::sandbox::rate_limiter::RateLimits;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// Every key of the format, once.
    const FULL_SCENARIO: &str = r#"{
        "limits": {"v2": "off", "v1": {"calls": 30, "window": 60, "block": 60}},
        "series-per-occurrence": true,
        "licence-missing": false,
        "shuffle-ties": true,
        "step-ms": 20,
        "users": [
            {"id": 12, "name": "Ada Host", "email": "ada@example.org", "username": "ada",
             "time-zone": "Europe/Berlin", "role": "admin", "locked": false,
             "keys": [{"key": "cal_one", "expires": "+30days", "limit": {"calls": 5}}]}
        ],
        "event-types": [
            {"id": 77, "owner": 12, "slug": "lesson", "title": "Lesson", "minutes": 60,
             "confirmation": {"notice-hours": 48}, "blocks-slot": true, "price": 0,
             "occurrences": 3, "seats": 4, "hidden": true, "before-buffer": 5,
             "after-buffer": 10, "count-limits": {"day": 2}, "duration-limits": {"week": 600},
             "questions": [{"slug": "pages", "kind": "number", "label": "How many pages?",
                            "required": true, "options": []}]},
            {"id": 78, "owner": 12, "slug": "talk"}
        ],
        "bookings": [
            {"request": {"event-type": 78, "email": "Bo@Example.com", "name": "Bo",
                         "start": "+36h", "minutes": 45, "guests": ["g@example.com"],
                         "answers": {"notes": "hello"}, "metadata": {"ticket": "42"},
                         "time-zone": "Asia/Tokyo", "language": "fr",
                         "names": {"id": 4711, "uids": ["first"]}},
             "created": "-2h", "updated": "-1h", "title": "A title", "location": "here",
             "rejection-reason": "full", "status": "rejected", "paid": true},
            {"request": {"event-type": 78, "email": "bo@example.com", "start": "+48h",
                         "names": {"uids": ["second"]}},
             "rescheduled-from": "first", "cancellation-reason": "moved",
             "cancelled-by": "bo@example.com", "without-event-type": true, "without-description": true,
             "without-answers": true},
            {"request": {"event-type": 78, "email": "bo@example.com", "start": "+60h",
                         "occurrences": 2, "names": {"uids": ["a", "b"], "series": "s"}},
             "malformed-answers": ["a", "list"]}
        ],
        "actions": [{"do": "host-accepts", "booking": "a"}],
        "script": [{"on": {"when": "after", "call": "confirm", "booking": "first", "nth": 2},
                    "actions": [{"do": "booker-cancels", "booking": "b"}]}],
        "faults": [{"call": "list", "times": 3, "fault": {"kind": "limited", "reset": 60}}]
    }"#;

    #[test]
    fn a_complete_file_is_loaded() {
        let world = parse(FULL_SCENARIO, now()).unwrap();
        assert_eq!(world.limits.v2, None);
        assert_eq!(world.limits.v1, Some(RateLimit::per_minute(30)));
        assert!(world.quirks.series_per_occurrence && world.quirks.shuffle_ties);
        assert_eq!(world.step_ms, 20);
        let event_type = world.event_type(77).unwrap();
        assert_eq!(
            (event_type.buffers, event_type.count_limits.len()),
            ((5, 10), 1)
        );
        assert_eq!(event_type.questions[0].kind, SandboxQuestionKind::Number);
        let first = world.booking("first").unwrap();
        assert_eq!((first.id, first.status), (4711, SandboxStatus::Rejected));
        assert_eq!(first.start, now() + Span::hours(36));
        assert_eq!(first.end - first.start, Span::minutes(45));
        assert_eq!(first.created, now() - Span::hours(2));
        assert_eq!(first.attendees.len(), 2);
        assert_eq!(first.successor.as_deref(), Some("second"));
        let second = world.booking("second").unwrap();
        assert_eq!((second.id, second.event_type), (4712, None));
        assert_eq!(
            (&second.answers, &second.metadata),
            (&StoredAnswers::Null, &None)
        );
        assert_eq!(world.status("a"), Some(SandboxStatus::Accepted));
        assert_eq!(
            world.status("b"),
            Some(SandboxStatus::Pending),
            "one occurrence only"
        );
        assert_eq!(world.series("s").len(), 2);
        assert_eq!(
            (world.script.pending_count(), world.fault_rules.len()),
            (1, 1)
        );
        assert!(world.event_type(77).unwrap().needs_confirmation(
            now(),
            now() + Span::hours(48),
            "bo@example.com"
        ));
        assert!(!world.event_type(77).unwrap().needs_confirmation(
            now(),
            now() + Span::hours(49),
            "bo@example.com"
        ));
        assert!(!format!("{world:?}").contains("\"one\""), "the key");
    }

    #[test]
    fn an_empty_file_gives_a_server_with_defaults() {
        let world = parse("{}", now()).unwrap();
        assert_eq!(world.limits, RateLimits::server_defaults());
        assert!(world.bookings().is_empty() && world.users().is_empty());
    }

    #[test]
    fn errors_name_their_place() {
        let booking = |request: &str| format!(r#"{{"bookings": [{{"request": {request}}}]}}"#);
        let types = r#""users": [{"id": 1, "name": "A", "email": "a@example.org"}],
            "event-types": [{"id": 7, "owner": 1, "slug": "s"}]"#;
        let twice = format!(
            r#"{{{types}, "bookings": [
                {{"request": {{"event-type": 7, "email": "b@example.org", "start": "+1h",
                  "names": {{"uids": ["u"]}}}}}},
                {{"request": {{"event-type": 7, "email": "b@example.org", "start": "+2h",
                  "names": {{"uids": ["u"]}}}}}}]}}"#
        );
        let action = r#"{"actions": [{"do": "host-accepts", "booking": "u"}]}"#.to_owned();
        let rows = [
            ("{".to_owned(), "EOF"),
            (r#"{"user": []}"#.to_owned(), "unknown field `user`"),
            (
                r#"{"bookings": [{"bare": true}]}"#.to_owned(),
                "`without-description` replaces an old key: unknown field `bare`",
            ),
            (
                r#"{"bookings": [{"odd-answers": []}]}"#.to_owned(),
                "`malformed-answers` replaces an old key: unknown field `odd-answers`",
            ),
            (
                r#"{"limits": {"v2": {"calls": 1, "per": 2}}}"#.to_owned(),
                "expected \"off\", or a limit with `calls`, `window` and `block`",
            ),
            (
                booking(r#"{"event-type": 9, "email": "b@example.org", "start": "+1h"}"#),
                "bookings[0]",
            ),
            (
                booking(r#"{"event-type": 9, "email": "b@example.org", "start": "soon"}"#),
                "read `soon` as a time",
            ),
            (twice, "bookings[1]"),
            (action, "change booking u"),
            (
                r#"{"faults": [{"fault": {"kind": "drip", "ms": 600001}}]}"#.to_owned(),
                "faults[0]",
            ),
        ];
        for (text, expected) in rows {
            let error = parse(&text, now()).map(|_| ()).unwrap_err();
            let mut message = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                message = format!("{message}: {cause}");
                source = cause.source();
            }
            assert!(message.contains(expected), "{message} for {text}");
        }
    }
}
