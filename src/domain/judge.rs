//! One request against the gate's rules, in order of precedence: the first rule that objects
//! decides, and every rule that could be looked at leaves a finding. Documented in this order in
//! `docs/rules.md`, tested in this order below.

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
use super::gate::{Gate, Unanswered};
use super::id::{AccountId, Address};
use super::request::{Charge, Review, Verdict};
use super::rule::context::{Questions, RuleContext};
use super::snapshot::{Lookups, Pin, Standing};
use super::taken::Overlap;
use super::terms::OnReschedule;
use super::text;
use super::time::Time;

/// A request and all that its rules may look at.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationInput<'a> {
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
    /// Whether the booker was told on that day that these are too many.
    pub told_before: bool,
    /// What became of the PIN that was given with it.
    pub pin: Option<Pin>,
    pub lookups: Option<&'a Lookups>,
    /// An operator's word about it.
    pub review: Option<&'a Review>,
    /// What overlaps it: an accepted booking, or one that is being confirmed.
    pub taken_by: Option<Overlap<'a>>,
    /// Which of `bookings` that overlaps, by its place.
    pub taken_at: usize,
    /// Credits that may come back to the member, because what they were taken for is not settled.
    pub unsettled: Credits,
    /// The charge it would take over.
    pub carried: Option<&'a Charge>,
    /// Several bookings are decided together, and some of them replaced what is paid for. That comes
    /// back when this is answered, and not before.
    pub moved_together: bool,
    pub ledger_is_empty: bool,
    /// When each reason was given for it first.
    pub reasons_since: &'a [(String, Time)],
    pub now: Time,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub decision: Decision,
    /// For operators: they say what is known of the account.
    pub reasons: Vec<Reason>,
    /// What the booker is told; only of a decline. Cal.com shows it on the booking's public page.
    pub told: Option<String>,
    pub findings: Vec<Finding>,
    pub account: Option<AccountId>,
    pub booker: Option<Address>,
    /// What each booking costs, in their order.
    pub costs: Vec<Credits>,
    /// What confirming costs in all.
    pub credits: Credits,
    /// What has to be held for that, beside what is carried.
    pub to_hold: Credits,
    /// The reasons by the names under which `Request::reasons_since` has them.
    pub given: Vec<String>,
}

/// A rule's objection.
#[derive(Clone)]
struct Objection {
    decision: Decision,
    code: Code,
    /// The operator's own rule that objects.
    rule: Option<String>,
    /// Whether it would not object any more if all that is being decided came to nothing.
    unsettled: bool,
    text: String,
    /// Whether the text is in the operator's own words.
    own: bool,
    /// The place of the booking that stood in the way, where it was a single one.
    at: Option<usize>,
}

impl Objection {
    fn key(&self) -> String {
        reason_key(self.code, self.rule.as_deref())
    }
}

/// The name of a reason in `Request::reasons_since`.
fn reason_key(code: Code, rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("{code} {rule}"),
        None => code.as_str().to_owned(),
    }
}

/// What one rule says: nothing to look at, fine, or an objection.
enum Said {
    Silent,
    Fine(String),
    Objects(Objection),
}

impl Said {
    fn fine(detail: &'static str) -> Self {
        Self::Fine(detail.to_owned())
    }

    /// Marks an objection as one that rests on something unsettled.
    fn resting_on(mut self, unsettled: bool) -> Self {
        if let Self::Objects(objection) = &mut self {
            objection.unsettled = unsettled;
        }
        self
    }
}

impl<'a> EvaluationInput<'a> {
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

    /// The member's bookings that are certain to stand.
    fn settled(&self) -> impl Iterator<Item = &'a Standing> + use<'a> {
        self.standing().filter(|standing| standing.settled)
    }

    fn requests_per_day(&self) -> Option<u32> {
        let limits = [
            self.house.requests_per_day,
            self.gate.criteria.requests_per_day,
        ];
        limits.into_iter().flatten().min()
    }

    /// What an effect means for this request, when a reason with this code asks for it.
    fn decision(&self, effect: Effect, code: Code) -> Decision {
        self.decision_of_rule(effect, code, None)
    }

    fn decision_of_rule(&self, effect: Effect, code: Code, rule: Option<&str>) -> Decision {
        let since = match effect {
            Effect::Wait(_) => {
                // A note from before names were kept has only the code of a rule's reason.
                let names = [reason_key(code, rule), reason_key(code, None)];
                let mut known = self.reasons_since.iter();
                known
                    .find(|(reason, _)| names.contains(reason))
                    .map_or(self.now, |(_, since)| *since)
            }
            Effect::Decline | Effect::Review | Effect::Leave => self.now,
        };
        effect.decision(since, self.bookings[0].start)
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
pub fn judge(asked: &EvaluationInput<'_>) -> Evaluation {
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
    let context = RuleContext {
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
    let mut heard = Heard {
        findings: Vec::new(),
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
            let (finding, objection) = rules::one(asked, &context, rule);
            heard.findings.push(finding);
            let objection = objection.map(|objection| (Weight::House, objection));
            heard.objections.extend(objection);
        }
    }
    heard.hard("credit", credit(asked, to_hold));
    heard.hard("not-begun", calendar::not_begun(asked));
    let Heard {
        findings,
        objections,
        ..
    } = heard;
    let Decided {
        decision,
        reasons,
        told,
        given,
    } = decide(asked, &context, objections, carried);
    Evaluation {
        decision,
        reasons,
        told,
        given,
        findings,
        account: asked.account.map(|account| account.id.clone()),
        booker: asked.booker().map(|booker| booker.address.clone()),
        costs,
        credits,
        to_hold,
    }
}

/// What the rules said.
struct Heard<'r> {
    findings: Vec<Finding>,
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
        let (code, detail) = match said {
            Said::Silent => return,
            Said::Fine(detail) => (None, detail),
            Said::Objects(objection) => {
                let detail = match objection.at {
                    Some(at) if self.bookings.len() > 1 => {
                        let uid = &self.bookings[at].uid;
                        format!("{} (booking {uid})", objection.text)
                    }
                    Some(_) | None => objection.text.clone(),
                };
                let code = objection.code;
                self.objections.push((weight, objection));
                (Some(code), detail)
            }
        };
        self.findings.push(Finding {
            rule: Cow::Borrowed(rule),
            code,
            passed: code.is_none(),
            detail,
        });
    }
}

/// What comes of all objections.
struct Decided {
    decision: Decision,
    reasons: Vec<Reason>,
    /// What the booker is told of a decline.
    told: Option<String>,
    /// The reasons by their names in `Request::reasons_since`.
    given: Vec<String>,
}

impl Decided {
    fn one(decision: Decision, code: Code, text: String) -> Self {
        Self::of(decision, vec![reason_of(code, text)])
    }

    fn of(decision: Decision, reasons: Vec<Reason>) -> Self {
        let given = reasons.iter().map(|one| reason_key(one.code, None));
        Self {
            decision,
            told: (decision == Decision::Decline).then(|| text::joined(&reasons)),
            given: given.collect(),
            reasons,
        }
    }
}

/// The first objection decides; further ones that ask for the same are reasons too.
fn decide(
    asked: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    mut objections: Vec<(Weight, Objection)>,
    carried: Credits,
) -> Decided {
    if let Some(review) = asked.review
        && let Some(decided) = said_by_operator(review, &mut objections)
    {
        return decided;
    }
    let mut objections: Vec<Objection> = objections.into_iter().map(|(_, one)| one).collect();
    told::in_own_words(asked, context, &mut objections);
    if let Some(unsettled) = without_unsettled(asked, &mut objections) {
        return unsettled;
    }
    if let Some(unanswered) = unanswered(asked, context, &objections) {
        return unanswered;
    }
    let Some(first) = objections.first() else {
        let reason = if asked.carried.is_some() {
            let paid = text::credits(carried);
            let text = format!("rescheduled; {paid} were paid before");
            reason_of(Code::Carried, text)
        } else {
            reason_of(Code::Enough, "enough credit".to_owned())
        };
        return Decided::of(Decision::Confirm, vec![reason]);
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
    let given = shown().map(|objection| objection.key()).collect();
    if shown().any(|objection| waited(objection)) {
        reasons.push(reason_of(Code::WaitedTooLong, text::waited_too_long()));
    }
    if decision == Decision::Decline && asked.ledger_is_empty {
        let text = "the ledger has no account yet, and declining everybody would be a mistake: \
                    grant credits or import the members first";
        return Decided::one(Decision::Leave, Code::EmptyLedger, text.to_owned());
    }
    let told = (decision == Decision::Decline).then(|| {
        if told::may_name_the_account(asked) {
            text::joined(&reasons)
        } else {
            told::to_anybody(asked, &same, waited)
        }
    });
    Decided {
        decision,
        reasons,
        told,
        given,
    }
}

/// Takes the declines out that rest on something unsettled. When nothing else asks for a decline, the
/// request is left until that is settled: nobody is told what may not be so in a minute.
fn without_unsettled(asked: &EvaluationInput<'_>, objections: &mut Vec<Objection>) -> Option<Decided> {
    let declines =
        |objection: &Objection| expired_wait(objection.decision, asked.now) == Decision::Decline;
    let rests = |objection: &Objection| objection.unsettled && declines(objection);
    if !objections.first().is_some_and(rests) {
        // Further reasons for a decline are given only when they are certain.
        objections.retain(|objection| !rests(objection));
        return None;
    }
    let codes: Vec<&str> = objections
        .iter()
        .filter(|objection| rests(objection))
        .map(|objection| objection.code.as_str())
        .collect();
    let codes = codes.join(", ");
    objections.retain(|objection| !rests(objection));
    if objections.first().is_some_and(declines) {
        return None;
    }
    let text = format!(
        "would be declined ({codes}), but that rests on a booking which is still being decided: it \
         is left until that is settled"
    );
    Some(Decided::one(Decision::Leave, Code::Unsettled, text))
}

/// What becomes of a request that nobody has answered by its deadline.
fn unanswered(
    asked: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    objections: &[Objection],
) -> Option<Decided> {
    let first = objections.first()?;
    if expired_wait(first.decision, asked.now) != Decision::Review {
        return None;
    }
    let start = asked.bookings[0].start;
    match asked.gate.unanswered {
        Unanswered::Decline { before } if asked.now >= start - before && !asked.ledger_is_empty => {
            let mut own = vec![objection(
                Decision::Decline,
                Code::Unanswered,
                text::unanswered(),
            )];
            told::in_own_words(asked, context, &mut own);
            let text = own.remove(0).text;
            Some(Decided::one(Decision::Decline, Code::Unanswered, text))
        }
        Unanswered::Leave | Unanswered::Decline { .. } if asked.now >= start => {
            let text = format!(
                "was left for an operator ({}), and nobody answered before it began",
                first.code
            );
            Some(Decided::one(Decision::Leave, Code::Unanswered, text))
        }
        Unanswered::Leave | Unanswered::Decline { .. } => None,
    }
}

/// An operator's word stands for what the house asks for, and never for what keeps calendar and
/// ledger right: what still objects then is left to him.
fn said_by_operator(review: &Review, objections: &mut Vec<(Weight, Objection)>) -> Option<Decided> {
    objections.retain(|(weight, _)| *weight == Weight::Hard);
    let begun = objections.iter().any(|(_, one)| one.code == Code::Begun);
    if objections
        .first()
        .is_some_and(|(_, first)| is_nobodys(first.code))
    {
        return None;
    }
    if begun && review.verdict == Verdict::Confirm {
        let text = text::BEGUN.to_owned();
        return Some(Decided::one(Decision::Leave, Code::Begun, text));
    }
    let operator = |text: String| reason_of(Code::Operator, text);
    let (decision, reasons) = match review.verdict {
        Verdict::Decline => (Decision::Decline, vec![operator(review.reason.clone())]),
        Verdict::Confirm if objections.is_empty() => {
            (Decision::Confirm, vec![operator(review.reason.clone())])
        }
        Verdict::Confirm => {
            let mut reasons: Vec<Reason> = objections
                .iter()
                .map(|(_, objection)| reason_of(objection.code, objection.text.clone()))
                .collect();
            let text = "an operator said to confirm it; that waits until nothing of this stands in \
                        the way";
            reasons.push(operator(text.to_owned()));
            (Decision::Review, reasons)
        }
    };
    Some(Decided::of(decision, reasons))
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
    Said::Objects(objection(decision, code, text.into()))
}

fn objection(decision: Decision, code: Code, text: String) -> Objection {
    Objection {
        decision,
        code,
        rule: None,
        unsettled: false,
        text,
        own: false,
        at: None,
    }
}

/// An objection to one booking of the request, which is named where there are several.
fn objects_at(
    asked: &EvaluationInput<'_>,
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
        at: Some(at),
        ..objection(decision, code, text)
    })
}

fn credit(asked: &EvaluationInput<'_>, to_hold: Credits) -> Said {
    let available = asked.available;
    if asked.account.is_none() {
        return Said::Silent;
    }
    if available >= to_hold {
        let detail = format!("cost {to_hold}, available {available}");
        return Said::Fine(detail);
    }
    let text = text::short_of_credit(to_hold, available, asked.bookings.len());
    let unsettled = available.saturating_add(asked.unsettled) >= to_hold;
    // Nobody loses a time that was paid for because the credits are still in the one before it.
    let effect = match asked.gate.short_of_credit {
        Effect::Decline if asked.moved_together => Effect::Review,
        effect => effect,
    };
    let decision = asked.decision(effect, Code::ShortOfCredit);
    objects(decision, Code::ShortOfCredit, text).resting_on(unsettled)
}
