//! One request against the gate's rules, in order of precedence: the first rule that objects
//! decides, and every rule that could be looked at leaves a finding. Documented in this order in
//! the README, tested in this order below.

mod calendar;
mod people;
mod rules;
mod times;

use chrono_tz::Tz;

use super::account::Account;
use super::booking::{Answer, Booker, Booking, EventType};
use super::criteria::effect::Effect;
use super::criteria::house::House;
use super::decision::{Code, Credits, Decision, Finding, Reason};
use super::gate::Gate;
use super::id::{AccountId, Address};
use super::phrase::Phrase;
use super::request::{Charge, Review, Verdict};
use super::rule::scope::Scope;
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
    /// What operators are told, where that is something else.
    detail: Option<Phrase>,
}

/// What one rule says: nothing to look at, fine, or an objection.
enum Said {
    Silent,
    Fine(Phrase),
    Objects(Objection),
}

impl Said {
    fn fine(detail: &'static str) -> Self {
        Self::Fine(Phrase::Fixed(detail))
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
    let available = asked
        .account
        .map_or(0, |account| account.available(asked.now));
    let scope = Scope {
        booking: asked.bookings[0],
        occurrences,
        account: asked.account,
        counts: times::counts(asked, asked.zone),
        gate: &asked.gate.name,
        cost: costs[0],
        credits,
        available,
        to_hold,
        lookups: asked
            .lookups
            .map_or(&NO_ANSWERS, |lookups| &lookups.answers),
        hidden: asked.gate.criteria.pin.as_deref(),
        zone: asked.zone,
        now: asked.now,
    };
    let mut heard = Heard::new(rules::each(asked).count());
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
    if on {
        for rule in rules::each(asked) {
            let said = rules::one(asked, &scope, rule);
            heard.hear(Weight::House, || rules::name(rule), said);
        }
    }
    heard.hard("credit", credit(asked, to_hold, available));
    let Heard {
        findings,
        objections,
    } = heard;
    let (decision, reasons) = decide(asked, &scope, objections, carried);
    Judged {
        decision,
        reasons,
        findings,
        account: asked.account.map(|account| account.id.clone()),
        booker: asked.booker().map(|booker| booker.address.clone()),
        costs,
        credits,
        to_hold,
    }
}

/// What the rules said.
struct Heard {
    findings: Vec<Finding>,
    objections: Vec<(Weight, Objection)>,
}

impl Heard {
    fn new(rules: usize) -> Self {
        Self {
            // The rules without expressions that say something in most gates.
            findings: Vec::with_capacity(6 + rules),
            objections: Vec::new(),
        }
    }

    fn hard(&mut self, rule: &'static str, said: Said) {
        self.hear(Weight::Hard, || Phrase::Fixed(rule), said);
    }

    fn house(&mut self, on: bool, rule: &'static str, said: impl FnOnce() -> Said) {
        if on {
            self.hear(Weight::House, || Phrase::Fixed(rule), said());
        }
    }

    fn hear(&mut self, weight: Weight, rule: impl FnOnce() -> Phrase, said: Said) {
        let (passed, detail) = match said {
            Said::Silent => return,
            Said::Fine(detail) => (true, detail),
            Said::Objects(mut objection) => {
                let own = objection.detail.take();
                let detail = own.unwrap_or_else(|| Phrase::Text(objection.text.clone()));
                self.objections.push((weight, objection));
                (false, detail)
            }
        };
        self.findings.push(Finding {
            rule: rule(),
            passed,
            detail,
        });
    }
}

/// The first objection decides; further ones that ask for the same are reasons too.
fn decide(
    asked: &Asked<'_>,
    scope: &Scope<'_>,
    mut objections: Vec<(Weight, Objection)>,
    carried: Credits,
) -> (Decision, Vec<Reason>) {
    if let Some(review) = asked.review
        && let Some(decided) = said_by_operator(review, &mut objections)
    {
        return decided;
    }
    let Some((_, first)) = objections.first() else {
        let reason = if asked.carried.is_some() {
            let paid = text::credits(carried);
            let text = format!("rescheduled; {paid} were paid before");
            reason_of(Code::Carried, text)
        } else {
            reason_of(Code::Enough, "enough credit".to_owned())
        };
        return (Decision::Confirm, vec![reason]);
    };
    let decision = expired_wait(first.decision, asked.now);
    let alone = tells_alone(first.code);
    let now_asks = |objection: &Objection| expired_wait(objection.decision, asked.now);
    let same = |objection: &&Objection| {
        std::mem::discriminant(&now_asks(objection)) == std::mem::discriminant(&decision)
    };
    let objections = objections.iter().map(|(_, objection)| objection);
    let count = if alone { 1 } else { usize::MAX };
    let same: Vec<&Objection> = objections.filter(same).take(count).collect();
    let mut reasons: Vec<Reason> = same
        .iter()
        .map(|objection| reason_of(objection.code, words(asked, scope, objection)))
        .collect();
    if same
        .iter()
        .any(|objection| now_asks(objection) != objection.decision)
    {
        reasons.push(reason_of(Code::WaitedTooLong, text::waited_too_long()));
    }
    if decision == Decision::Decline && asked.ledger_is_empty {
        let text = "the ledger has no account yet, and declining everybody would be a mistake: \
                    grant credits or import the members first";
        return (
            Decision::Leave,
            vec![reason_of(Code::EmptyLedger, text.to_owned())],
        );
    }
    (decision, reasons)
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

/// What is said: in the house's own words where it has some.
fn words(asked: &Asked<'_>, scope: &Scope<'_>, objection: &Objection) -> String {
    let own = asked.house.words(objection.code).and_then(|words| {
        let language = asked.booker().and_then(|booker| booker.language.as_deref());
        words.pick(language)?.render(scope).ok()
    });
    own.unwrap_or_else(|| objection.text.clone())
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
        detail: None,
    })
}

fn credit(asked: &Asked<'_>, to_hold: Credits, available: Credits) -> Said {
    if asked.account.is_none() {
        return Said::Silent;
    }
    if available >= to_hold {
        let detail = format!("cost {to_hold}, available {available}");
        return Said::Fine(Phrase::Text(detail));
    }
    let text = text::short_of_credit(to_hold, available, asked.bookings.len());
    let decision = asked.decision(asked.gate.short_of_credit);
    objects(decision, Code::ShortOfCredit, text)
}
