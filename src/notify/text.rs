//! The words of notifications: a subject, which names no one, and a text. Texts from strangers, such
//! as titles, lose line breaks and characters that cannot be seen.

use chrono_tz::Tz;

use crate::domain::id::{AccountId, BookingUid};
use crate::domain::messages::{format_credits, is_invisible, truncate_server_text};
use crate::domain::notification::event::{
    BookerAnswer, Condition, ListedBooking, NotificationContent, RecordedFact, RequestSummary,
};
use crate::domain::notification::kind::NotificationKind;
use crate::domain::time::Time;

/// Returns the subject.
pub(super) fn subject(content: &NotificationContent) -> String {
    let text = match content {
        NotificationContent::ReviewNeeded(_) => "maitred: a request waits for a decision",
        NotificationContent::ReviewWaiting(..) => "maitred: a request still waits for a decision",
        NotificationContent::Listed(_) => "maitred: a booking needs a person",
        NotificationContent::Condition(condition) => condition_subject(condition.kind),
        NotificationContent::LowBalance { .. } => "You have few credits left",
        NotificationContent::CreditsExpiring { .. } => "Credits of yours expire soon",
        NotificationContent::Decision { answer, .. } => match answer {
            BookerAnswer::Confirmed => "Your booking is confirmed",
            BookerAnswer::Declined => "Your booking request was declined",
            BookerAnswer::Cancelled => "Your booking was cancelled",
        },
        NotificationContent::Recorded(fact) => return format!("maitred: {}", fact.kind),
        NotificationContent::Test => "maitred: a test",
    };
    text.to_owned()
}

fn condition_subject(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::KeyRefused => "maitred: Cal.com refuses the API key",
        NotificationKind::StoreTrouble => "maitred: the ledger cannot be used",
        NotificationKind::ClockWrong => "maitred: a clock is wrong",
        NotificationKind::PassesFailing
        | NotificationKind::ReviewNeeded
        | NotificationKind::ReviewWaiting
        | NotificationKind::UnmanagedBooking
        | NotificationKind::RevivedBooking
        | NotificationKind::UnresolvedBooking
        | NotificationKind::LowBalance
        | NotificationKind::CreditsExpiring
        | NotificationKind::Decision
        | NotificationKind::Confirmed
        | NotificationKind::Declined
        | NotificationKind::Charged
        | NotificationKind::Moved
        | NotificationKind::Refunded
        | NotificationKind::Granted
        | NotificationKind::Expired
        | NotificationKind::Test => "maitred: passes fail",
    }
}

/// Returns the text. Texts for operators name people only with `include_people`.
pub(super) fn body(content: &NotificationContent, include_people: bool, zone: Tz) -> String {
    match content {
        NotificationContent::ReviewNeeded(request) => format!(
            "{} waits for your decision ({}). See `maitred review list`.",
            name_request(request, include_people, zone),
            codes(request)
        ),
        NotificationContent::ReviewWaiting(request, since) => format!(
            "{} has waited for your decision since {} ({}). See `maitred review list`.",
            name_request(request, include_people, zone),
            local(*since, zone),
            codes(request)
        ),
        NotificationContent::Listed(listed) => listed_text(listed, include_people),
        NotificationContent::Condition(condition) => condition_text(condition, zone),
        NotificationContent::LowBalance { available, .. } => match available {
            0 => "You have no credits left.".to_owned(),
            some => format!("You have {} left.", format_credits(*some)),
        },
        NotificationContent::CreditsExpiring {
            credits,
            expires,
            available,
            ..
        } => format!(
            "{} of yours expire at {}. Altogether you have {}.",
            format_credits(*credits),
            local(*expires, zone),
            format_credits(*available)
        ),
        NotificationContent::Decision {
            request,
            answer,
            booker_text,
            ..
        } => decision_text(request, *answer, booker_text.as_deref(), zone),
        NotificationContent::Recorded(fact) => recorded_text(fact, zone),
        NotificationContent::Test => {
            "This is a test of the notifications of maitred. Nothing has happened.".to_owned()
        }
    }
}

/// Returns a text that names no one but the account.
fn recorded_text(fact: &RecordedFact, zone: Tz) -> String {
    let credits = format_credits(fact.credits.unwrap_or_default());
    let account = fact
        .account
        .as_ref()
        .map_or("no account", AccountId::as_str);
    let booking = fact.booking.as_ref().map_or("", BookingUid::as_str);
    match fact.kind {
        NotificationKind::Confirmed => format!("Request {booking} of {account} was confirmed."),
        NotificationKind::Declined => format!("Request {booking} of {account} was declined."),
        NotificationKind::Charged => format!("{account} paid {credits} for booking {booking}."),
        NotificationKind::Moved => format!(
            "Booking {} has the charge of booking {booking} of {account} from now on.",
            fact.moved_to.as_ref().map_or("", BookingUid::as_str)
        ),
        NotificationKind::Refunded => {
            format!("{credits} of booking {booking} went back to {account}.")
        }
        NotificationKind::Granted => match fact.expires {
            Some(expires) => format!(
                "{account} was given {credits}, until {}.",
                local(expires, zone)
            ),
            None => format!("{account} was given {credits}."),
        },
        _ => format!("{credits} of {account} expired."),
    }
}

fn name_request(request: &RequestSummary, include_people: bool, zone: Tz) -> String {
    let start = local(request.start, zone);
    match &request.booker {
        Some(booker) if include_people => format!(
            "The request \"{}\" by {} for {start} ({})",
            one_line(&request.title),
            booker.as_str(),
            request.request
        ),
        Some(_) | None => format!("Request {} for {start}", request.request),
    }
}

fn codes(request: &RequestSummary) -> String {
    let codes: Vec<&str> = request.reasons.iter().map(|r| r.code.as_str()).collect();
    codes.join(", ")
}

fn listed_text(listed: &ListedBooking, include_people: bool) -> String {
    let ListedBooking { booking, code, .. } = listed;
    let detail = match include_people && !listed.detail.is_empty() {
        true => format!(" {}.", one_line(&listed.detail).trim_end_matches('.')),
        false => String::new(),
    };
    format!(
        "Booking {booking} is on the unresolved list ({code}).{detail} See `maitred unresolved` and \
         `maitred explain {booking}`."
    )
}

fn condition_text(condition: &Condition, zone: Tz) -> String {
    format!(
        "{}, since {}: {}.",
        match condition.kind {
            NotificationKind::KeyRefused => "Cal.com refuses the API key",
            NotificationKind::StoreTrouble => "The ledger cannot be used",
            NotificationKind::ClockWrong => "Nothing is decided, because a clock is wrong",
            NotificationKind::PassesFailing
            | NotificationKind::ReviewNeeded
            | NotificationKind::ReviewWaiting
            | NotificationKind::UnmanagedBooking
            | NotificationKind::RevivedBooking
            | NotificationKind::UnresolvedBooking
            | NotificationKind::LowBalance
            | NotificationKind::CreditsExpiring
            | NotificationKind::Decision
            | NotificationKind::Confirmed
            | NotificationKind::Declined
            | NotificationKind::Charged
            | NotificationKind::Moved
            | NotificationKind::Refunded
            | NotificationKind::Granted
            | NotificationKind::Expired
            | NotificationKind::Test => "Passes fail",
        },
        local(condition.since, zone),
        condition.text.trim_end_matches('.')
    )
}

fn decision_text(
    request: &RequestSummary,
    answer: BookerAnswer,
    booker_text: Option<&str>,
    zone: Tz,
) -> String {
    let what = format!(
        "\"{}\" at {}",
        one_line(&request.title),
        local(request.start, zone)
    );
    let why = booker_text.filter(|_| answer != BookerAnswer::Confirmed);
    let why = why.map_or_else(String::new, |text| format!(" {text}"));
    match answer {
        BookerAnswer::Confirmed => format!("Your booking {what} is confirmed."),
        BookerAnswer::Declined => format!("Your booking request {what} was declined.{why}"),
        BookerAnswer::Cancelled => format!("Your booking {what} was cancelled.{why}"),
    }
}

fn local(at: Time, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    format!("{} ({})", local.format("%Y-%m-%d %H:%M"), zone.name())
}

fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect();
    truncate_server_text(visible.trim())
}
