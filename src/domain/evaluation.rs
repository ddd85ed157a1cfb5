//! One request against the gate's rules, in order of precedence: the first rule that objects
//! decides, and every rule that could be looked at leaves a finding. Documented in this order in
//! `docs/rules.md`, tested in this order below.

mod booker_message;
mod booker_rules;
mod calendar;
mod custom_rules;
mod time_rules;

use std::borrow::Cow;

use chrono_tz::Tz;

use super::account::Account;
use super::booking::{Answer, Booker, Booking, EventType};
use super::criteria::global_policy::GlobalPolicy;
use super::criteria::on_violation::OnViolation;
use super::decision::{Credits, Decision, Finding, Reason, ReasonCode};
use super::gate::{Gate, OnUnanswered};
use super::host_schedule::Overlap;
use super::id::{AccountId, Address};
use super::messages;
use super::refund_policy::OnReschedule;
use super::request::{Charge, OperatorDecision, OperatorReview};
use super::rule::context::{Questions, RuleContext};
use super::snapshot::{CountedBooking, Lookups, PinResult};
use super::time::Time;

/// A request and all that its rules may look at.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationInput<'a> {
    pub gate: &'a Gate,
    pub global: &'a GlobalPolicy,
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
    pub counted_bookings: [&'a [CountedBooking]; 2],
    /// What the booker asked for before it on the same day.
    pub prior_request_count: u32,
    /// Whether the booker was told on that day that these are too many.
    pub declined_over_limit_before: bool,
    /// What became of the PIN that was given with it.
    pub pin_result: Option<PinResult>,
    pub lookups: Option<&'a Lookups>,
    /// An operator's word about it.
    pub review: Option<&'a OperatorReview>,
    /// What overlaps it: an accepted booking, or one that is being confirmed.
    pub overlap: Option<Overlap<'a>>,
    /// Which of `bookings` that overlaps, by its place.
    pub overlap_index: usize,
    /// Credits that may come back to the member, because what they were taken for is not settled.
    pub unsettled_credits: Credits,
    /// The charge it would take over.
    pub carried_charge: Option<&'a Charge>,
    /// Several bookings are decided together, and some of them replaced what is paid for. That comes
    /// back when this is answered, and not before.
    pub includes_paid_move: bool,
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
    pub booker_text: Option<String>,
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
    pub reason_keys: Vec<String>,
}

/// A rule's objection.
#[derive(Clone)]
struct Objection {
    decision: Decision,
    code: ReasonCode,
    /// The operator's own rule that objects.
    rule: Option<String>,
    /// Whether it would not object any more if all that is being decided came to nothing.
    depends_on_unsettled: bool,
    text: String,
    /// Whether the text is in the operator's own words.
    has_custom_text: bool,
    /// The place of the booking that stood in the way, where it was a single one.
    booking_index: Option<usize>,
}

impl Objection {
    fn key(&self) -> String {
        reason_key(self.code, self.rule.as_deref())
    }
}

/// The name of a reason in `Request::reasons_since`.
fn reason_key(code: ReasonCode, rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("{code} {rule}"),
        None => code.as_str().to_owned(),
    }
}

/// What one rule says: nothing to look at, fine, or an objection.
enum RuleOutcome {
    NotApplicable,
    Passed(String),
    Objection(Objection),
}

impl RuleOutcome {
    fn passed(detail: &'static str) -> Self {
        Self::Passed(detail.to_owned())
    }

    /// Marks an objection as one that rests on something unsettled.
    fn mark_unsettled(mut self, unsettled: bool) -> Self {
        if let Self::Objection(objection) = &mut self {
            objection.depends_on_unsettled = unsettled;
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

    fn counted_bookings(&self) -> impl Iterator<Item = &'a CountedBooking> + use<'a> {
        let [before, since] = self.counted_bookings;
        before.iter().chain(since)
    }

    /// The member's bookings that are certain to stand.
    fn confirmed_bookings(&self) -> impl Iterator<Item = &'a CountedBooking> + use<'a> {
        self.counted_bookings()
            .filter(|standing| standing.is_confirmed)
    }

    fn requests_per_day(&self) -> Option<u32> {
        let limits = [
            self.global.requests_per_day,
            self.gate.criteria.requests_per_day,
        ];
        limits.into_iter().flatten().min()
    }

    /// What an effect means for this request, when a reason with this code asks for it.
    fn decide_violation(&self, on_violation: OnViolation, code: ReasonCode) -> Decision {
        self.decide_rule_violation(on_violation, code, None)
    }

    fn decide_rule_violation(
        &self,
        on_violation: OnViolation,
        code: ReasonCode,
        rule: Option<&str>,
    ) -> Decision {
        let since = match on_violation {
            OnViolation::Wait(_) => {
                // A note from before names were kept has only the code of a rule's reason.
                let names = [reason_key(code, rule), reason_key(code, None)];
                let mut dated_reasons = self.reasons_since.iter();
                dated_reasons
                    .find(|(reason, _)| names.contains(reason))
                    .map_or(self.now, |(_, since)| *since)
            }
            OnViolation::Decline | OnViolation::Review | OnViolation::Leave => self.now,
        };
        on_violation.decision(since, self.bookings[0].start)
    }

    /// A successor that takes over what was paid, where the gate lets it go on without new questions.
    fn carries_without_recheck(&self) -> bool {
        self.carried_charge.is_some() && self.gate.terms.on_reschedule == OnReschedule::Carry
    }
}

/// Answers of other systems where none were asked for.
static NO_ANSWERS: std::collections::BTreeMap<String, Answer> = std::collections::BTreeMap::new();

/// Whether a rule stands whatever an operator says of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overridable {
    /// What keeps the calendar and the ledger right.
    No,
    /// What the house asks for beside.
    ByOperator,
}

/// Judges one request.
pub fn evaluate(input: &EvaluationInput<'_>) -> Evaluation {
    let occurrences = input.bookings.len();
    let costs: Vec<Credits> = input
        .bookings
        .iter()
        .map(|booking| {
            input
                .gate
                .price(input.global, booking, input.tier(), occurrences)
        })
        .collect();
    let credits: Credits = costs.iter().sum();
    let carried_credits = input.carried_charge.map_or(0, Charge::credits);
    let to_hold = credits.saturating_sub(carried_credits);
    let context = RuleContext {
        booking: input.bookings[0],
        occurrences,
        account: input.account,
        counts: time_rules::booking_counts(input, input.zone),
        gate: &input.gate.name,
        cost: costs[0],
        credits,
        available: input.available,
        to_hold,
        occurrence: input.bookings[0].start,
        lookups: input
            .lookups
            .map_or(&NO_ANSWERS, |lookups| &lookups.answers),
        hidden_answer: input.gate.criteria.pin.as_deref(),
        questions: Questions {
            from_calendar: { input.event_type.flatten() }
                .and_then(|kind| kind.questions.as_deref()),
            inferred: &[],
        },
        zone: input.zone,
        now: input.now,
    };
    let mut collector = OutcomeCollector {
        findings: Vec::new(),
        bookings: input.bookings,
        objections: Vec::new(),
    };
    collector.add_mandatory("pending", calendar::check_pending(input));
    collector.add_mandatory("free-of-charge", calendar::check_free_of_charge(input));
    collector.add_mandatory("booker", booker_rules::check_booker(input));
    let rules_apply = !input.carries_without_recheck();
    collector.add_overridable(rules_apply, "not-blocked", || {
        booker_rules::check_not_blocked(input)
    });
    collector.add_overridable(rules_apply, "allowed", || {
        booker_rules::check_allowed(input)
    });
    collector.add_overridable(rules_apply, "requests-per-day", || {
        booker_rules::check_requests_per_day(input)
    });
    collector.add_mandatory("member", booker_rules::check_member(input, credits));
    collector.add_overridable(rules_apply, "not-frozen", || {
        booker_rules::check_not_frozen(input)
    });
    collector.add_overridable(rules_apply, "pin", || booker_rules::check_pin(input));
    collector.add_overridable(rules_apply, "notice", || time_rules::check_notice(input));
    collector.add_overridable(rules_apply, "hours", || time_rules::check_hours(input));
    collector.add_mandatory("time-free", calendar::check_time_free(input));
    collector.add_overridable(rules_apply, "caps", || time_rules::check_caps(input));
    // Without an account there is nobody whose rules they would be.
    if rules_apply && input.account.is_some() {
        for rule in custom_rules::configured_rules(input) {
            let (finding, objection) = custom_rules::evaluate_rule(input, &context, rule);
            collector.findings.push(finding);
            let objection = objection.map(|objection| (Overridable::ByOperator, objection));
            collector.objections.extend(objection);
        }
    }
    collector.add_mandatory("credit", check_credit(input, to_hold));
    collector.add_mandatory("not-begun", calendar::check_not_begun(input));
    let OutcomeCollector {
        findings,
        objections,
        ..
    } = collector;
    let ReasonedDecision {
        decision,
        reasons,
        booker_text: told,
        reason_keys: given,
    } = decide(input, &context, objections, carried_credits);
    Evaluation {
        decision,
        reasons,
        booker_text: told,
        reason_keys: given,
        findings,
        account: input.account.map(|account| account.id.clone()),
        booker: input.booker().map(|booker| booker.address.clone()),
        costs,
        credits,
        to_hold,
    }
}

/// What the rules said.
struct OutcomeCollector<'r> {
    findings: Vec<Finding>,
    bookings: &'r [&'r Booking],
    objections: Vec<(Overridable, Objection)>,
}

impl OutcomeCollector<'_> {
    fn add_mandatory(&mut self, rule: &'static str, outcome: RuleOutcome) {
        self.add(Overridable::No, rule, outcome);
    }

    fn add_overridable(
        &mut self,
        rules_apply: bool,
        rule: &'static str,
        outcome: impl FnOnce() -> RuleOutcome,
    ) {
        if rules_apply {
            self.add(Overridable::ByOperator, rule, outcome());
        }
    }

    fn add(&mut self, overridable: Overridable, rule: &'static str, outcome: RuleOutcome) {
        let (code, detail) = match outcome {
            RuleOutcome::NotApplicable => return,
            RuleOutcome::Passed(detail) => (None, detail),
            RuleOutcome::Objection(objection) => {
                let detail = match objection.booking_index {
                    Some(at) if self.bookings.len() > 1 => {
                        let uid = &self.bookings[at].uid;
                        format!("{} (booking {uid})", objection.text)
                    }
                    Some(_) | None => objection.text.clone(),
                };
                let code = objection.code;
                self.objections.push((overridable, objection));
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
struct ReasonedDecision {
    decision: Decision,
    reasons: Vec<Reason>,
    /// What the booker is told of a decline.
    booker_text: Option<String>,
    /// The reasons by their names in `Request::reasons_since`.
    reason_keys: Vec<String>,
}

impl ReasonedDecision {
    fn with_reason(decision: Decision, code: ReasonCode, text: String) -> Self {
        Self::new(decision, vec![new_reason(code, text)])
    }

    fn new(decision: Decision, reasons: Vec<Reason>) -> Self {
        let reason_keys = reasons.iter().map(|one| reason_key(one.code, None));
        Self {
            decision,
            booker_text: (decision == Decision::Decline).then(|| messages::join_reasons(&reasons)),
            reason_keys: reason_keys.collect(),
            reasons,
        }
    }
}

/// The first objection decides; further ones that ask for the same are reasons too.
fn decide(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    mut objections: Vec<(Overridable, Objection)>,
    carried_credits: Credits,
) -> ReasonedDecision {
    if let Some(review) = input.review
        && let Some(decided) = apply_operator_review(review, &mut objections)
    {
        return decided;
    }
    let mut objections: Vec<Objection> = objections.into_iter().map(|(_, one)| one).collect();
    booker_message::apply_operator_texts(input, context, &mut objections);
    if let Some(unsettled) = remove_unsettled_declines(input, &mut objections) {
        return unsettled;
    }
    if let Some(unanswered) = decide_unanswered(input, context, &objections) {
        return unanswered;
    }
    let Some(first) = objections.first() else {
        let reason = if input.carried_charge.is_some() {
            let paid = messages::format_credits(carried_credits);
            let text = format!("rescheduled; {paid} were paid before");
            new_reason(ReasonCode::ChargeCarried, text)
        } else {
            new_reason(ReasonCode::EnoughCredit, "enough credit".to_owned())
        };
        return ReasonedDecision::new(Decision::Confirm, vec![reason]);
    };
    let decision = resolve_expired_wait(first.decision, input.now);
    let effective_decision =
        |objection: &Objection| resolve_expired_wait(objection.decision, input.now);
    let is_same_decision = |objection: &&Objection| {
        std::mem::discriminant(&effective_decision(objection)) == std::mem::discriminant(&decision)
    };
    let agreeing: Vec<&Objection> = objections.iter().filter(is_same_decision).collect();
    let wait_expired = |objection: &Objection| effective_decision(objection) != objection.decision;
    let count = if suppresses_other_reasons(first.code) {
        1
    } else {
        usize::MAX
    };
    let shown_objections = || agreeing.iter().take(count);
    let mut reasons: Vec<Reason> = shown_objections()
        .map(|objection| new_reason(objection.code, objection.text.clone()))
        .collect();
    let reason_keys = shown_objections()
        .map(|objection| objection.key())
        .collect();
    if shown_objections().any(|objection| wait_expired(objection)) {
        reasons.push(new_reason(
            ReasonCode::WaitedTooLong,
            messages::waited_too_long(),
        ));
    }
    if decision == Decision::Decline && input.ledger_is_empty {
        let text = "the ledger has no account yet, and declining everybody would be a mistake: \
                    grant credits or import the members first";
        return ReasonedDecision::with_reason(
            Decision::Leave,
            ReasonCode::EmptyLedger,
            text.to_owned(),
        );
    }
    let booker_text = (decision == Decision::Decline).then(|| {
        if booker_message::may_disclose_account(input) {
            messages::join_reasons(&reasons)
        } else {
            booker_message::public_decline_text(input, &agreeing, wait_expired)
        }
    });
    ReasonedDecision {
        decision,
        reasons,
        booker_text,
        reason_keys,
    }
}

/// Takes the declines out that rest on something unsettled. When nothing else asks for a decline, the
/// request is left until that is settled: nobody is told what may not be so in a minute.
fn remove_unsettled_declines(
    input: &EvaluationInput<'_>,
    objections: &mut Vec<Objection>,
) -> Option<ReasonedDecision> {
    let declines = |objection: &Objection| {
        resolve_expired_wait(objection.decision, input.now) == Decision::Decline
    };
    let is_unsettled_decline =
        |objection: &Objection| objection.depends_on_unsettled && declines(objection);
    if !objections.first().is_some_and(is_unsettled_decline) {
        // Further reasons for a decline are given only when they are certain.
        objections.retain(|objection| !is_unsettled_decline(objection));
        return None;
    }
    let codes: Vec<&str> = objections
        .iter()
        .filter(|objection| is_unsettled_decline(objection))
        .map(|objection| objection.code.as_str())
        .collect();
    let codes = codes.join(", ");
    objections.retain(|objection| !is_unsettled_decline(objection));
    if objections.first().is_some_and(declines) {
        return None;
    }
    let text = format!(
        "would be declined ({codes}), but that rests on a booking which is still being decided: it \
         is left until that is settled"
    );
    Some(ReasonedDecision::with_reason(
        Decision::Leave,
        ReasonCode::DependsOnUnsettled,
        text,
    ))
}

/// What becomes of a request that nobody has answered by its deadline.
fn decide_unanswered(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    objections: &[Objection],
) -> Option<ReasonedDecision> {
    let first = objections.first()?;
    if resolve_expired_wait(first.decision, input.now) != Decision::Review {
        return None;
    }
    let start = input.bookings[0].start;
    match input.gate.on_unanswered {
        OnUnanswered::Decline { before }
            if input.now >= start - before && !input.ledger_is_empty =>
        {
            let mut replacement = vec![new_objection(
                Decision::Decline,
                ReasonCode::Unanswered,
                messages::request_unanswered(),
            )];
            booker_message::apply_operator_texts(input, context, &mut replacement);
            let text = replacement.remove(0).text;
            Some(ReasonedDecision::with_reason(
                Decision::Decline,
                ReasonCode::Unanswered,
                text,
            ))
        }
        OnUnanswered::Leave | OnUnanswered::Decline { .. } if input.now >= start => {
            let text = format!(
                "was left for an operator ({}), and nobody answered before it began",
                first.code
            );
            Some(ReasonedDecision::with_reason(
                Decision::Leave,
                ReasonCode::Unanswered,
                text,
            ))
        }
        OnUnanswered::Leave | OnUnanswered::Decline { .. } => None,
    }
}

/// An operator's word stands for what the house asks for, and never for what keeps calendar and
/// ledger right: what still objects then is left to him.
fn apply_operator_review(
    review: &OperatorReview,
    objections: &mut Vec<(Overridable, Objection)>,
) -> Option<ReasonedDecision> {
    objections.retain(|(weight, _)| *weight == Overridable::No);
    let has_begun = objections
        .iter()
        .any(|(_, one)| one.code == ReasonCode::AlreadyBegun);
    if objections
        .first()
        .is_some_and(|(_, first)| is_out_of_scope(first.code))
    {
        return None;
    }
    if has_begun && review.decision == OperatorDecision::Confirm {
        let text = messages::ALREADY_BEGUN.to_owned();
        return Some(ReasonedDecision::with_reason(
            Decision::Leave,
            ReasonCode::AlreadyBegun,
            text,
        ));
    }
    let operator = |text: String| new_reason(ReasonCode::Operator, text);
    let (decision, reasons) = match review.decision {
        OperatorDecision::Decline => (Decision::Decline, vec![operator(review.reason.clone())]),
        OperatorDecision::Confirm if objections.is_empty() => {
            (Decision::Confirm, vec![operator(review.reason.clone())])
        }
        OperatorDecision::Confirm => {
            let mut reasons: Vec<Reason> = objections
                .iter()
                .map(|(_, objection)| new_reason(objection.code, objection.text.clone()))
                .collect();
            let text = "an operator said to confirm it; that waits until nothing of this stands in \
                        the way";
            reasons.push(operator(text.to_owned()));
            (Decision::Review, reasons)
        }
    };
    Some(ReasonedDecision::new(decision, reasons))
}

/// Whether it is not for maitred to answer at all, whoever says so.
fn is_out_of_scope(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::NotPending
            | ReasonCode::AlreadyOver
            | ReasonCode::Priced
            | ReasonCode::EventTypeNotShown
            | ReasonCode::Seated
    )
}

/// Whether nothing else is said beside it: who may be somebody else is not told a member's balance.
fn suppresses_other_reasons(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::Blocked
            | ReasonCode::NotAllowed
            | ReasonCode::TooManyRequests
            | ReasonCode::WrongPin
    )
}

fn new_reason(code: ReasonCode, text: String) -> Reason {
    Reason { code, text }
}

/// A wait whose time is over is a decline.
fn resolve_expired_wait(decision: Decision, now: Time) -> Decision {
    match decision {
        Decision::Wait { until: Some(until) } if now >= until => Decision::Decline,
        Decision::Wait { .. }
        | Decision::Confirm
        | Decision::Decline
        | Decision::Review
        | Decision::Leave => decision,
    }
}

fn object_to_request(decision: Decision, code: ReasonCode, text: impl Into<String>) -> RuleOutcome {
    RuleOutcome::Objection(new_objection(decision, code, text.into()))
}

fn new_objection(decision: Decision, code: ReasonCode, text: String) -> Objection {
    Objection {
        decision,
        code,
        rule: None,
        depends_on_unsettled: false,
        text,
        has_custom_text: false,
        booking_index: None,
    }
}

/// An objection to one booking of the request, which is named where there are several.
fn object_to_booking(
    input: &EvaluationInput<'_>,
    booking_index: usize,
    decision: Decision,
    (code, text): (ReasonCode, String),
) -> RuleOutcome {
    let mut text = text;
    if input.bookings.len() > 1 {
        let start = input.bookings[booking_index]
            .start
            .with_timezone(&input.zone);
        text = format!("{text} {}", messages::about_occurrence(start));
    }
    RuleOutcome::Objection(Objection {
        booking_index: Some(booking_index),
        ..new_objection(decision, code, text)
    })
}

fn check_credit(input: &EvaluationInput<'_>, to_hold: Credits) -> RuleOutcome {
    let available = input.available;
    if input.account.is_none() {
        return RuleOutcome::NotApplicable;
    }
    if available >= to_hold {
        let detail = format!("cost {to_hold}, available {available}");
        return RuleOutcome::Passed(detail);
    }
    let text = messages::short_of_credit(to_hold, available, input.bookings.len());
    let unsettled = available.saturating_add(input.unsettled_credits) >= to_hold;
    // Nobody loses a time that was paid for because the credits are still in the one before it.
    let on_violation = match input.gate.short_of_credit {
        OnViolation::Decline if input.includes_paid_move => OnViolation::Review,
        effect => effect,
    };
    let decision = input.decide_violation(on_violation, ReasonCode::ShortOfCredit);
    object_to_request(decision, ReasonCode::ShortOfCredit, text).mark_unsettled(unsettled)
}
