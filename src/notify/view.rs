//! The JSON form of a notification. It has a version and a documented shape, and never a secret.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::event_id::event_id;
use super::text;
use crate::domain::notification::event::{
    Condition, ListedBooking, Member, Notification, NotificationContent, RecordedFact,
    RequestSummary,
};
use crate::domain::time::{Time, format_instant};

/// The version of the shape.
pub const SCHEMA: u32 = 1;

/// How a notification is shown to a target.
#[derive(Debug, Clone, Copy)]
pub struct ViewOptions<'a> {
    /// The id of the ledger.
    pub ledger: &'a str,
    /// Whether notifications to operators name bookers, accounts and titles.
    pub include_people: bool,
    /// The time zone of times in texts.
    pub zone: Tz,
}

/// A notification, as a command reads it from its standard input and an HTTP endpoint from the body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationView {
    /// The version of this shape.
    pub schema: u32,
    /// The id. A notification that is sent again has the same id.
    pub id: String,
    /// `review-needed`, `review-waiting`, `unmanaged-booking`, `revived-booking`,
    /// `unresolved-booking`, `passes-failing`, `key-refused`, `store-trouble`, `clock-wrong`,
    /// `low-balance`, `credits-expiring`, `decision`, `confirmed`, `declined`, `charged`, `moved`,
    /// `refunded`, `granted`, `expired`, or `test`.
    pub kind: String,
    /// Who it is for: `operator`, `member` or `system`.
    pub audience: String,
    /// When it happened or became due. RFC 3339 in UTC.
    pub at: String,
    /// One line for a subject.
    pub subject: String,
    /// The notification in words.
    pub text: String,
    /// The request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<NotifiedRequestView>,
    /// The booking on the unresolved list that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking: Option<NotifiedBookingView>,
    /// What was recorded, in a fact for the operator's own systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<RecordedFactView>,
    /// The member whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<NotifiedMemberView>,
    /// What became of the member's request: `confirmed`, `declined` or `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Why, as the booker may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booker_message: Option<String>,
    /// The credits that expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<u64>,
    /// The credits that the member can spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
    /// When the credits expire. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Since when the state lasts, or the request waits. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// The request that a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedRequestView {
    /// The id of the request.
    pub id: String,
    /// The uids of its bookings.
    pub bookings: Vec<String>,
    /// The gate; absent when no gate guards the event type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// The first start. RFC 3339 in UTC.
    pub start: String,
    /// The last end. RFC 3339 in UTC.
    pub end: String,
    /// What confirming costs.
    pub credits: u64,
    /// The codes of the reasons, for operators.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The reasons in words, for operators; only with `include-people`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason_texts: Vec<String>,
    /// The title; for operators only with `include-people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The booker's address; only with `include-people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booker: Option<String>,
    /// The booker's account; only with `include-people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// The booking on the unresolved list that a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedBookingView {
    /// The uid of the booking.
    pub uid: String,
    /// Why the booking is on the list, as in `maitred unresolved`.
    pub code: String,
    /// What was found; only with `include-people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The account that pays or should pay; only with `include-people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// What was recorded in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFactView {
    /// The number of the commit. A later fact has the same or a higher one.
    pub commit: u64,
    /// The account whose credits or request it is; absent if the booker has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The uid of the booking; of a request, of its first one; of `moved`, of the booking that paid so
    /// far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking: Option<String>,
    /// The uid of the booking that has the charge from now on, in `moved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// When that booking starts. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The credits that were charged, came back, were given, or expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<u64>,
    /// The name of the grant, in `granted` and `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// From when on the credits of a grant count as expired; absent: never. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Why, for people; only with `include-people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The member whom a notification is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedMemberView {
    /// The name of the account.
    pub account: String,
    /// The account's own address; absent if the account has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Returns the notification as this target may see it.
pub fn notification_view(
    notification: &Notification,
    options: ViewOptions<'_>,
) -> NotificationView {
    let kind = notification.kind();
    let mut view = NotificationView {
        schema: SCHEMA,
        id: event_id(options.ledger, notification),
        kind: kind.as_str().to_owned(),
        audience: kind.audience().as_str().to_owned(),
        at: time(notification.at),
        subject: text::subject(&notification.content),
        text: text::body(&notification.content, options.include_people, options.zone),
        member: notification.member().map(member_view),
        ..NotificationView::default()
    };
    add_content(&mut view, &notification.content, options.include_people);
    view
}

fn add_content(view: &mut NotificationView, content: &NotificationContent, include_people: bool) {
    match content {
        NotificationContent::ReviewNeeded(request) => {
            view.request = Some(operator_request(request, include_people));
        }
        NotificationContent::ReviewWaiting(request, since) => {
            view.request = Some(operator_request(request, include_people));
            view.since = Some(time(*since));
        }
        NotificationContent::Listed(listed) => {
            view.booking = Some(booking_view(listed, include_people));
        }
        NotificationContent::Condition(Condition { since, .. }) => view.since = Some(time(*since)),
        NotificationContent::LowBalance { available, .. } => view.available = Some(*available),
        NotificationContent::CreditsExpiring {
            credits,
            expires,
            available,
            ..
        } => {
            view.credits = Some(*credits);
            view.expires = Some(time(*expires));
            view.available = Some(*available);
        }
        NotificationContent::Decision {
            request,
            answer,
            booker_text,
            ..
        } => {
            view.request = Some(NotifiedRequestView {
                title: Some(request.title.clone()),
                ..operator_request(request, false)
            });
            view.decision = Some(answer.as_str().to_owned());
            view.booker_message.clone_from(booker_text);
        }
        NotificationContent::Recorded(fact) => {
            let request = fact.request.as_deref();
            view.request = request.map(|request| operator_request(request, include_people));
            view.fact = Some(fact_view(fact, include_people));
        }
        NotificationContent::Test => {}
    }
}

fn operator_request(request: &RequestSummary, include_people: bool) -> NotifiedRequestView {
    let codes = request.reasons.iter().map(|one| one.code.as_str());
    let texts = request.reasons.iter().filter(|_| include_people);
    NotifiedRequestView {
        id: request.request.clone(),
        bookings: request.bookings.iter().map(ToString::to_string).collect(),
        gate: request.gate.clone(),
        start: time(request.start),
        end: time(request.end),
        credits: request.credits,
        reasons: codes.map(str::to_owned).collect(),
        reason_texts: texts.map(|one| one.text.clone()).collect(),
        title: include_people.then(|| request.title.clone()),
        booker: named(request.booker.as_ref(), include_people),
        account: named(request.account.as_ref(), include_people),
    }
}

fn booking_view(listed: &ListedBooking, include_people: bool) -> NotifiedBookingView {
    NotifiedBookingView {
        uid: listed.booking.to_string(),
        code: listed.code.as_str().to_owned(),
        detail: include_people.then(|| listed.detail.clone()),
        account: named(listed.account.as_ref(), include_people),
    }
}

fn fact_view(fact: &RecordedFact, include_people: bool) -> RecordedFactView {
    RecordedFactView {
        commit: fact.seq,
        account: fact.account.as_ref().map(ToString::to_string),
        booking: fact.booking.as_ref().map(ToString::to_string),
        moved_to: fact.moved_to.as_ref().map(ToString::to_string),
        start: fact.start.map(time),
        credits: fact.credits,
        reference: fact.reference.clone(),
        expires: fact.expires.map(time),
        reason: fact.reason.clone().filter(|_| include_people),
    }
}

fn named(name: Option<&impl ToString>, include_people: bool) -> Option<String> {
    name.filter(|_| include_people).map(ToString::to_string)
}

fn member_view(member: &Member) -> NotifiedMemberView {
    NotifiedMemberView {
        account: member.account.to_string(),
        address: member.address.as_ref().map(|own| own.as_str().to_owned()),
    }
}

fn time(at: Time) -> String {
    format_instant(at)
}
