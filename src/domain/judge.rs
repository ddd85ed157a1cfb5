//! One request against the gate's rules, in order of precedence: the first rule that objects
//! decides, and every rule that could be looked at leaves a finding. Documented in this order in
//! the README, tested in this order below.

mod calendar;
mod people;
mod rules;
mod times;
mod told;

use std::borrow::Cow;

use chrono_tz::Tz;

use super::account::Account;
use super::booking::{Answer, Booker, Booking, EventType};
use super::criteria::effect::Effect;
use super::criteria::house::House;
use super::decision::{Code, Credits, Decision, Finding, Reason};
use super::findings::{Findings, Room};
use super::gate::Gate;
use super::id::{AccountId, Address};
use super::phrase::Name;
use super::request::{Charge, Review, Verdict};
use super::rule::scope::{Questions, Scope};
use super::snapshot::{Lookups, Pin, Standing};
use super::terms::OnReschedule;
use super::text;
use super::time::Time;

/// A request and all that its rules may look at.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub gate: &'a Gate,
    pub house: &'a House,
    /// The zone in which the gate looks at it.
    pub zone: Tz,
    /// Its pending bookings in order of start; never empty.
    pub bookings: &'a [&'a Booking],
    /// `None`: not asked for. `Some(None)`: the calendar does not describe it.
    pub event_type: Option<Option<&'a EventType>>,
    pub account: Option<&'a Account>,
    /// What it could spend now: less than its lots say when this plan has spent some of them.
    pub available: Credits,
    /// The member's bookings that stand: those that were there, and those of this plan.
    pub standing: [&'a [Standing]; 2],
    /// What the booker asked for before it on the same day.
    pub asked_before: u32,
    /// What became of the PIN that was given with it.
    pub pin: Option<Pin>,
    pub lookups: Option<&'a Lookups>,
    /// An operator's word about it.
    pub review: Option<&'a Review>,
    /// What overlaps it: an accepted booking, or one confirmed before it in this plan.
    pub taken_by: Option<&'a str>,
    /// Which of `bookings` that overlaps, by its place.
    pub taken_at: usize,
    /// The charge it would take over.
    pub carried: Option<&'a Charge>,
    /// Several bookings are decided together, and some of them replaced what is paid for. That comes
    /// back when this is answered, and not before.
    pub moved_together: bool,
    pub ledger_is_empty: bool,
    /// When it was judged for the first time.
    pub first: Time,
    pub now: Time,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub decision: Decision,
    /// For operators: they say what is known of the account.
    pub reasons: Vec<Reason>,
    /// What the booker is told; only of a decline. Cal.com shows it on the booking's public page.
    pub told: Option<String>,
    pub findings: Findings,
    pub account: Option<AccountId>,
    pub booker: Option<Address>,
    /// What each booking costs, in their order.
    pub costs: Vec<Credits>,
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
    /// Whether the text is in the operator's own words.
    own: bool,
    /// The place of the booking that stood in the way, where it was a single one.
    at: Option<usize>,
}

/// What one rule says: nothing to look at, fine, or an objection.
enum Said {
    Silent,
    Fine(Cow<'static, str>),
    Objects(Objection),
}

impl Said {
    fn fine(detail: &'static str) -> Self {
        Self::Fine(Cow::Borrowed(detail))
    }
}

impl<'a> Asked<'a> {
    fn booker(&self) -> Option<&'a Booker> {
        self.bookings[0].booker.as_ref()
    }

    fn tier(&self) -> Option<&'a str> {
        self.account.and_then(|account| account.tier.as_deref())
    }

    fn standing(&self) -> impl Iterator<Item = &'a Standing> + use<'a> {
        let [before, since] = self.standing;
        before.iter().chain(since)
    }

    fn requests_per_day(&self) -> Option<u32> {
        let limits = [
            self.house.requests_per_day,
            self.gate.criteria.requests_per_day,
        ];
        limits.into_iter().flatten().min()
    }

    /// What an effect means for this request.
    fn decision(&self, effect: Effect) -> Decision {
        effect.decision(self.first, self.bookings[0].start)
    }

    /// A successor that takes over what was paid, where the gate lets it go on without new questions.
    fn carries_on(&self) -> bool {
        self.carried.is_some() && self.gate.terms.on_reschedule == OnReschedule::Carry
    }
}

/// Answers of other systems where none were asked for.
static NO_ANSWERS: std::collections::BTreeMap<String, Answer> = std::collections::BTreeMap::new();

/// Whether a rule stands whatever an operator says of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// What keeps the calendar and the ledger right.
    Hard,
    /// What the house asks for beside.
    House,
}

/// Judges one request.
pub fn judge(asked: &Asked<'_>) -> Judged {
    judge_with(asked, &mut Room::default())
}

/// Judges one request after others, with room for its findings that is used again.
pub fn judge_with(asked: &Asked<'_>, room: &mut Room) -> Judged {
    let occurrences = asked.bookings.len();
    let costs: Vec<Credits> = asked
        .bookings
        .iter()
        .map(|booking| {
            asked
                .gate
                .price(asked.house, booking, asked.tier(), occurrences)
        })
        .collect();
    let credits: Credits = costs.iter().sum();
    let carried = asked.carried.map_or(0, Charge::credits);
    let to_hold = credits.saturating_sub(carried);
    let scope = Scope {
        booking: asked.bookings[0],
        occurrences,
        account: asked.account,
        counts: times::counts(asked, asked.zone),
        gate: &asked.gate.name,
        cost: costs[0],
        credits,
        available: asked.available,
        to_hold,
        occurrence: asked.bookings[0].start,
        lookups: asked
            .lookups
            .map_or(&NO_ANSWERS, |lookups| &lookups.answers),
        hidden: asked.gate.criteria.pin.as_deref(),
        questions: Questions {
            shown: { asked.event_type.flatten() }.and_then(|kind| kind.questions.as_deref()),
            assumed: &[],
        },
        zone: asked.zone,
        now: asked.now,
    };
    room.clear();
    let mut heard = Heard {
        room,
        bookings: asked.bookings,
        objections: Vec::new(),
    };
    heard.hard("pending", calendar::pending(asked));
    heard.hard("free-of-charge", calendar::free_of_charge(asked));
    heard.hard("booker", people::booker(asked));
    let on = !asked.carries_on();
    heard.house(on, "not-blocked", || people::not_blocked(asked));
    heard.house(on, "allowed", || people::allowed(asked));
    heard.house(on, "requests-per-day", || people::few_requests(asked));
    heard.hard("member", people::member(asked, credits));
    heard.house(on, "not-frozen", || people::not_frozen(asked));
    heard.house(on, "pin", || people::pin(asked));
    heard.house(on, "notice", || times::notice(asked));
    heard.house(on, "hours", || times::hours(asked));
    heard.hard("time-free", calendar::time_free(asked));
    heard.house(on, "caps", || times::caps(asked));
    // Without an account there is nobody whose rules they would be.
    if on && asked.account.is_some() {
        for rule in rules::each(asked) {
            let objection = rules::one(asked, &scope, rule, heard.room);
            let objection = objection.map(|objection| (Weight::House, objection));
            heard.objections.extend(objection);
        }
    }
    heard.hard("credit", credit(asked, to_hold));
    let Heard { objections, .. } = heard;
    let (decision, reasons, told) = decide(asked, &scope, objections, carried);
    Judged {
        decision,
        reasons,
        told,
        findings: room.findings(|| rules::lists(asked)),
        account: asked.account.map(|account| account.id.clone()),
        booker: asked.booker().map(|booker| booker.address.clone()),
        costs,
        credits,
        to_hold,
    }
}

/// What the rules said.
struct Heard<'r> {
    room: &'r mut Room,
    bookings: &'r [&'r Booking],
    objections: Vec<(Weight, Objection)>,
}

impl Heard<'_> {
    fn hard(&mut self, rule: &'static str, said: Said) {
        self.hear(Weight::Hard, rule, said);
    }

    fn house(&mut self, on: bool, rule: &'static str, said: impl FnOnce() -> Said) {
        if on {
            self.hear(Weight::House, rule, said());
        }
    }

    fn hear(&mut self, weight: Weight, rule: &'static str, said: Said) {
        let (passed, detail) = match said {
            Said::Silent => return,
            Said::Fine(detail) => (true, detail),
            Said::Objects(objection) => {
                let detail = match objection.at {
                    Some(at) if self.bookings.len() > 1 => {
                        let uid = &self.bookings[at].uid;
                        format!("{} (booking {uid})", objection.text).into()
                    }
                    Some(_) | None => objection.text.clone().into(),
                };
                self.objections.push((weight, objection));
                (false, detail)
            }
        };
        self.room.say(Finding {
            rule: Name::Fixed(rule),
            passed,
            detail,
        });
    }
}

/// The first objection decides; further ones that ask for the same are reasons too. Last comes what
/// the booker is told of a decline.
fn decide(
    asked: &Asked<'_>,
    scope: &Scope<'_>,
    mut objections: Vec<(Weight, Objection)>,
    carried: Credits,
) -> (Decision, Vec<Reason>, Option<String>) {
    if let Some(review) = asked.review
        && let Some((decision, reasons)) = said_by_operator(review, &mut objections)
    {
        let told = (decision == Decision::Decline).then(|| text::joined(&reasons));
        return (decision, reasons, told);
    }
    let mut objections: Vec<Objection> = objections.into_iter().map(|(_, one)| one).collect();
    told::in_own_words(asked, scope, &mut objections);
    let Some(first) = objections.first() else {
        let reason = if asked.carried.is_some() {
            let paid = text::credits(carried);
            let text = format!("rescheduled; {paid} were paid before");
            reason_of(Code::Carried, text)
        } else {
            reason_of(Code::Enough, "enough credit".to_owned())
        };
        return (Decision::Confirm, vec![reason], None);
    };
    let decision = expired_wait(first.decision, asked.now);
    let now_asks = |objection: &Objection| expired_wait(objection.decision, asked.now);
    let same = |objection: &&Objection| {
        std::mem::discriminant(&now_asks(objection)) == std::mem::discriminant(&decision)
    };
    let same: Vec<&Objection> = objections.iter().filter(same).collect();
    let waited = |objection: &Objection| now_asks(objection) != objection.decision;
    let count = if tells_alone(first.code) {
        1
    } else {
        usize::MAX
    };
    let shown = || same.iter().take(count);
    let mut reasons: Vec<Reason> = shown()
        .map(|objection| reason_of(objection.code, objection.text.clone()))
        .collect();
    if shown().any(|objection| waited(objection)) {
        reasons.push(reason_of(Code::WaitedTooLong, text::waited_too_long()));
    }
    if decision == Decision::Decline && asked.ledger_is_empty {
        let text = "the ledger has no account yet, and declining everybody would be a mistake: \
                    grant credits or import the members first";
        let reasons = vec![reason_of(Code::EmptyLedger, text.to_owned())];
        return (Decision::Leave, reasons, None);
    }
    let told = (decision == Decision::Decline).then(|| {
        if told::may_name_the_account(asked) {
            text::joined(&reasons)
        } else {
            told::to_anybody(asked, &same, waited)
        }
    });
    (decision, reasons, told)
}

/// An operator's word stands for what the house asks for, and never for what keeps calendar and
/// ledger right: what still objects then is left to him.
fn said_by_operator(
    review: &Review,
    objections: &mut Vec<(Weight, Objection)>,
) -> Option<(Decision, Vec<Reason>)> {
    objections.retain(|(weight, _)| *weight == Weight::Hard);
    if objections
        .first()
        .is_some_and(|(_, first)| is_nobodys(first.code))
    {
        return None;
    }
    let operator = |text: String| reason_of(Code::Operator, text);
    match review.verdict {
        Verdict::Decline => Some((Decision::Decline, vec![operator(review.reason.clone())])),
        Verdict::Confirm if objections.is_empty() => {
            Some((Decision::Confirm, vec![operator(review.reason.clone())]))
        }
        Verdict::Confirm => {
            let mut reasons: Vec<Reason> = objections
                .iter()
                .map(|(_, objection)| reason_of(objection.code, objection.text.clone()))
                .collect();
            let text = "an operator said to confirm it; that waits until nothing of this stands in \
                        the way";
            reasons.push(operator(text.to_owned()));
            Some((Decision::Review, reasons))
        }
    }
}

/// Whether it is not for maitred to answer at all, whoever says so.
fn is_nobodys(code: Code) -> bool {
    matches!(
        code,
        Code::NotPending | Code::Over | Code::Priced | Code::EventTypeNotShown | Code::Seated
    )
}

/// Whether nothing else is said beside it: who may be somebody else is not told a member's balance.
fn tells_alone(code: Code) -> bool {
    matches!(
        code,
        Code::Blocked | Code::NotAllowed | Code::TooManyRequests | Code::WrongPin
    )
}

fn reason_of(code: Code, text: String) -> Reason {
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
        own: false,
        at: None,
    })
}

/// An objection to one booking of the request, which is named where there are several.
fn objects_at(
    asked: &Asked<'_>,
    at: usize,
    decision: Decision,
    (code, text): (Code, String),
) -> Said {
    let mut text = text;
    if asked.bookings.len() > 1 {
        let start = asked.bookings[at].start.with_timezone(&asked.zone);
        text = format!("{text} {}", text::occurrence(start));
    }
    Said::Objects(Objection {
        decision,
        code,
        text,
        own: false,
        at: Some(at),
    })
}

fn credit(asked: &Asked<'_>, to_hold: Credits) -> Said {
    let available = asked.available;
    if asked.account.is_none() {
        return Said::Silent;
    }
    if available >= to_hold {
        let detail = format!("cost {to_hold}, available {available}");
        return Said::Fine(detail.into());
    }
    let text = text::short_of_credit(to_hold, available, asked.bookings.len());
    // Nobody loses a time that was paid for because the credits are still in the one before it.
    let effect = match asked.gate.short_of_credit {
        Effect::Decline if asked.moved_together => Effect::Review,
        effect => effect,
    };
    objects(asked.decision(effect), Code::ShortOfCredit, text)
}
