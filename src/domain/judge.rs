//! One request against the gate's rules, in order of precedence: the first rule that objects
//! decides, and every rule that could be looked at leaves a finding. Documented in this order in
//! the README, tested in this order below.

use super::account::Account;
use super::booking::{Booking, EventType, Payment, Status};
use super::decision::{Code, Credits, Decision, Finding, Reason};
use super::gate::{Gate, OnShort, OnTaken, OnUnknown};
use super::id::{AccountId, Address};
use super::request::Charge;
use super::terms::OnReschedule;
use super::text;
use super::time::Time;

/// A request and all that its rules may look at.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub gate: &'a Gate,
    /// Its pending bookings in order of start; never empty.
    pub bookings: &'a [&'a Booking],
    /// `None`: not asked for. `Some(None)`: the calendar does not describe it.
    pub event_type: Option<Option<&'a EventType>>,
    pub account: Option<&'a Account>,
    /// What overlaps it: an accepted booking, or one confirmed before it in this plan.
    pub taken_by: Option<&'a str>,
    /// The charge it would take over.
    pub carried: Option<&'a Charge>,
    pub ledger_is_empty: bool,
    /// When it was judged for the first time.
    pub first: Time,
    pub now: Time,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub decision: Decision,
    pub reasons: Vec<Reason>,
    pub findings: Vec<Finding>,
    pub account: Option<AccountId>,
    pub booker: Option<Address>,
    /// What confirming costs in all.
    pub credits: Credits,
    /// What has to be held for that, beside what is carried.
    pub to_hold: Credits,
}

/// A rule's objection.
struct Objection {
    decision: Decision,
    code: Code,
    text: String,
}

/// What one rule says: nothing to look at, fine, or an objection.
enum Said {
    Silent,
    Fine(String),
    Objects(Objection),
}

/// Judges one request.
pub fn judge(asked: &Asked<'_>) -> Judged {
    let credits = asked.gate.cost * asked.bookings.len() as Credits;
    let carried = asked.carried.map_or(0, Charge::credits);
    let to_hold = credits.saturating_sub(carried);
    let rules: [(&str, Said); 7] = [
        ("pending", pending(asked)),
        ("free-of-charge", free_of_charge(asked)),
        ("booker", booker(asked)),
        ("member", member(asked)),
        ("not-frozen", not_frozen(asked)),
        ("time-free", time_free(asked)),
        ("credit", credit(asked, to_hold)),
    ];
    let mut findings = Vec::new();
    let mut objections: Vec<Objection> = Vec::new();
    for (rule, said) in rules {
        let (passed, detail) = match said {
            Said::Silent => continue,
            Said::Fine(detail) => (true, detail),
            Said::Objects(objection) => {
                let detail = objection.text.clone();
                objections.push(objection);
                (false, detail)
            }
        };
        findings.push(Finding {
            rule: rule.to_owned(),
            passed,
            detail,
        });
    }
    let (decision, reasons) = decide(asked, objections, carried);
    let booker = asked.bookings[0].booker.as_ref();
    Judged {
        decision,
        reasons,
        findings,
        account: asked.account.map(|account| account.id.clone()),
        booker: booker.map(|booker| booker.address.clone()),
        credits,
        to_hold,
    }
}

/// The first objection decides; further ones that ask for the same are reasons too.
fn decide(
    asked: &Asked<'_>,
    objections: Vec<Objection>,
    carried: Credits,
) -> (Decision, Vec<Reason>) {
    let Some(first) = objections.first() else {
        let reason = if asked.carried.is_some() {
            let paid = text::credits(carried);
            (
                Code::Carried,
                format!("rescheduled; {paid} were paid before"),
            )
        } else {
            (Code::Enough, "enough credit".to_owned())
        };
        return (Decision::Confirm, vec![reason_of(reason)]);
    };
    let decision = expired_wait(first.decision, asked.now);
    let now_asks = |objection: &&Objection| expired_wait(objection.decision, asked.now);
    let same = |objection: &&Objection| {
        std::mem::discriminant(&now_asks(objection)) == std::mem::discriminant(&decision)
    };
    let same: Vec<&Objection> = objections.iter().filter(same).collect();
    let mut reasons: Vec<Reason> = same
        .iter()
        .map(|objection| reason_of((objection.code, objection.text.clone())))
        .collect();
    if same
        .iter()
        .any(|objection| now_asks(objection) != objection.decision)
    {
        reasons.push(reason_of((Code::WaitedTooLong, text::waited_too_long())));
    }
    if decision == Decision::Decline && asked.ledger_is_empty {
        let text = "the ledger has no account yet, and declining everybody would be a mistake: \
                    grant credits or import the members first";
        return (
            Decision::Leave,
            vec![reason_of((Code::EmptyLedger, text.to_owned()))],
        );
    }
    (decision, reasons)
}

fn reason_of((code, text): (Code, String)) -> Reason {
    Reason { code, text }
}

/// A wait whose time is over is a decline.
fn expired_wait(decision: Decision, now: Time) -> Decision {
    match decision {
        Decision::Wait { until: Some(until) } if now >= until => Decision::Decline,
        Decision::Wait { .. }
        | Decision::Confirm
        | Decision::Decline
        | Decision::Review
        | Decision::Leave => decision,
    }
}

fn objects(decision: Decision, code: Code, text: impl Into<String>) -> Said {
    Said::Objects(Objection {
        decision,
        code,
        text: text.into(),
    })
}

fn pending(asked: &Asked<'_>) -> Said {
    let first = asked.bookings[0];
    if first.status != Status::Pending || first.rescheduled_to.is_some() {
        return objects(
            Decision::Leave,
            Code::NotPending,
            "the booking does not wait for an answer",
        );
    }
    // A series is over when its last occurrence is.
    if asked
        .bookings
        .iter()
        .all(|booking| booking.end <= asked.now)
    {
        return objects(Decision::Leave, Code::Over, "the booking is over");
    }
    Said::Fine("waits for an answer".to_owned())
}

fn free_of_charge(asked: &Asked<'_>) -> Said {
    if asked
        .bookings
        .iter()
        .any(|booking| booking.payment == Payment::Unpaid)
    {
        return objects(
            Decision::Leave,
            Code::Priced,
            "the booking waits for a payment at Cal.com",
        );
    }
    match asked.event_type {
        None | Some(None) => objects(
            Decision::Leave,
            Code::EventTypeNotShown,
            "Cal.com does not show the event type to this key, so its price is not known",
        ),
        Some(Some(event_type)) if event_type.price != 0 => objects(
            Decision::Leave,
            Code::Priced,
            "the event type has a price at Cal.com: credits and payment do not mix",
        ),
        Some(Some(_)) => Said::Fine("the event type has no price".to_owned()),
    }
}

fn booker(asked: &Asked<'_>) -> Said {
    if asked.event_type.flatten().is_some_and(|kind| kind.seated) {
        return objects(
            Decision::Leave,
            Code::Seated,
            "the event type has seats: every attendee is a booker of his own",
        );
    }
    let first = &asked.bookings[0].booker;
    match first {
        None => objects(
            Decision::Review,
            Code::NoBooker,
            "nobody can be named for certain as the booker",
        ),
        Some(booker)
            if asked.bookings.iter().any(|other| {
                other.booker.as_ref().map(|other| &other.address) != Some(&booker.address)
            }) =>
        {
            objects(
                Decision::Review,
                Code::NoBooker,
                "the occurrences of the series name different bookers",
            )
        }
        Some(_) => Said::Fine("the booker is named".to_owned()),
    }
}

fn member(asked: &Asked<'_>) -> Said {
    if asked.bookings[0].booker.is_none() {
        return Said::Silent;
    }
    if let Some(account) = asked.account {
        return Said::Fine(format!("account {}", account.id));
    }
    let credits = asked.gate.cost * asked.bookings.len() as Credits;
    let decision = match asked.gate.unknown_booker {
        OnUnknown::Decline => Decision::Decline,
        OnUnknown::Wait => wait(asked, None),
        OnUnknown::Review => Decision::Review,
        OnUnknown::Leave => Decision::Leave,
    };
    objects(decision, Code::UnknownBooker, text::unknown_booker(credits))
}

fn not_frozen(asked: &Asked<'_>) -> Said {
    if asked.carried.is_some() && asked.gate.terms.on_reschedule == OnReschedule::Carry {
        return Said::Silent;
    }
    match asked.account.and_then(|account| account.frozen.as_ref()) {
        // The operator's own words are for the operator: they are not put into the text.
        Some(_) => objects(Decision::Review, Code::Frozen, "the account is frozen"),
        None => Said::Silent,
    }
}

fn time_free(asked: &Asked<'_>) -> Said {
    if asked.taken_by.is_none() {
        return Said::Fine("no accepted booking overlaps".to_owned());
    }
    let decision = match asked.gate.taken {
        OnTaken::Decline => Decision::Decline,
        OnTaken::Wait => wait(asked, None),
        OnTaken::Leave => Decision::Leave,
    };
    objects(decision, Code::Taken, text::taken())
}

fn credit(asked: &Asked<'_>, to_hold: Credits) -> Said {
    let Some(account) = asked.account else {
        return Said::Silent;
    };
    let available = account.available(asked.now);
    if available >= to_hold {
        return Said::Fine(format!("cost {to_hold}, available {available}"));
    }
    let decision = match asked.gate.short_of_credit {
        OnShort::Decline => Decision::Decline,
        OnShort::Review => Decision::Review,
        OnShort::Wait(span) => wait(asked, Some(asked.first + span)),
    };
    let text = text::short_of_credit(to_hold, available, asked.bookings.len());
    objects(decision, Code::ShortOfCredit, text)
}

/// Waiting ends at the deadline, and at the latest when the booking starts.
fn wait(asked: &Asked<'_>, deadline: Option<Time>) -> Decision {
    let start = asked.bookings[0].start;
    Decision::Wait {
        until: Some(deadline.map_or(start, |deadline| deadline.min(start))),
    }
}
