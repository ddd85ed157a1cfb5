//! Evaluates one request against its gate's rules, in order of precedence. The first rule that
//! objects decides, and every rule that applies leaves a finding. The rules are documented in this
//! order in `docs/rules.md` and tested in this order in `domain::tests`.

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

/// A request and everything that its rules may read.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationInput<'a> {
    pub gate: &'a Gate,
    pub global: &'a GlobalPolicy,
    /// The time zone in which the gate evaluates the request.
    pub zone: Tz,
    /// The request's pending bookings in order of start; never empty.
    pub bookings: &'a [&'a Booking],
    /// `None`: the calendar was not asked. `Some(None)`: the calendar does not describe the event
    /// type.
    pub event_type: Option<Option<&'a EventType>>,
    pub account: Option<&'a Account>,
    /// The credits that the account can spend now. When earlier steps of this plan have spent some,
    /// this is less than the lots hold.
    pub available: Credits,
    /// The member's bookings that are held or charged: those from before this plan, and those that
    /// this plan confirms.
    pub counted_bookings: [&'a [CountedBooking]; 2],
    /// How many requests the booker made earlier on the same day.
    pub prior_request_count: u32,
    /// Whether the booker was already told on that day that these requests are too many.
    pub declined_over_limit_before: bool,
    /// The result for the PIN that was given with the request.
    pub pin_result: Option<PinResult>,
    pub lookups: Option<&'a Lookups>,
    /// An operator's review of the request.
    pub review: Option<&'a OperatorReview>,
    /// What overlaps the request: an accepted booking, or one that is being confirmed.
    pub overlap: Option<Overlap<'a>>,
    /// The index in `bookings` of the booking that overlaps.
    pub overlap_index: usize,
    /// Credits that may come back to the member, because what they were taken for is not settled.
    pub unsettled_credits: Credits,
    /// The charge that the request would take over.
    pub carried_charge: Option<&'a Charge>,
    /// Whether several bookings are decided together and some of them replaced a paid booking. That
    /// payment comes back when this request is answered, and not before.
    pub includes_paid_move: bool,
    pub ledger_is_empty: bool,
    /// When each reason was first given for the request.
    pub reasons_since: &'a [(String, Time)],
    pub now: Time,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub decision: Decision,
    /// For operators: these reasons may reveal data of the account.
    pub reasons: Vec<Reason>,
    /// The text for the booker, only with a decline. Cal.com shows it on the booking's public page.
    pub booker_text: Option<String>,
    pub findings: Vec<Finding>,
    pub account: Option<AccountId>,
    pub booker: Option<Address>,
    /// What each booking costs, in the order of the bookings.
    pub costs: Vec<Credits>,
    /// What confirming the request costs in total.
    pub credits: Credits,
    /// The credits that have to be held, in addition to those that are carried.
    pub to_hold: Credits,
    /// The keys of the reasons in `Request::reasons_since`.
    pub reason_keys: Vec<String>,
}

/// An objection of one rule.
#[derive(Clone)]
struct Objection {
    decision: Decision,
    code: ReasonCode,
    /// The operator's own rule, if that is what objects.
    rule: Option<String>,
    /// Whether the rule would no longer object if everything that is being decided were undone.
    depends_on_unsettled: bool,
    text: String,
    /// Whether the text is the operator's own.
    has_custom_text: bool,
    /// The index of the booking that caused the objection, if it was a single one.
    booking_index: Option<usize>,
}

impl Objection {
    fn key(&self) -> String {
        reason_key(self.code, self.rule.as_deref())
    }
}

/// Returns the key of a reason in `Request::reasons_since`.
fn reason_key(code: ReasonCode, rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("{code} {rule}"),
        None => code.as_str().to_owned(),
    }
}

/// The outcome of one rule: not applicable, passed, or an objection.
enum RuleOutcome {
    NotApplicable,
    Passed(String),
    Objection(Objection),
}

impl RuleOutcome {
    fn passed(detail: &'static str) -> Self {
        Self::Passed(detail.to_owned())
    }

    /// Marks an objection as one that depends on something unsettled.
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

    /// Returns the member's bookings that are certain to take place.
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

    /// Returns the decision that a violation with this code leads to for this request.
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
                // A note from before names were stored has only the code for the reason of a rule.
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

    /// Returns true if the request takes over a charge and its gate does not check the overridable
    /// rules again for such a request.
    fn carries_without_recheck(&self) -> bool {
        self.carried_charge.is_some() && self.gate.terms.on_reschedule == OnReschedule::Carry
    }
}

/// The answers of other systems when none were asked for.
static NO_ANSWERS: std::collections::BTreeMap<String, Answer> = std::collections::BTreeMap::new();

/// Whether an operator's review can override a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overridable {
    /// The rule protects the calendar and the ledger.
    No,
    /// The rule is a criterion of the operator's configuration.
    ByOperator,
}

/// Evaluates one request.
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
    // Custom rules read member data, so they are skipped when the booker has no account.
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

/// Collects the findings and objections of the rules.
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

/// The decision that results from all objections.
struct ReasonedDecision {
    decision: Decision,
    reasons: Vec<Reason>,
    /// The text for the booker, with a decline.
    booker_text: Option<String>,
    /// The keys of the reasons in `Request::reasons_since`.
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

/// Decides by the first objection. Further objections that ask for the same decision are given as
/// reasons, too.
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

/// Removes the declines that depend on something unsettled. When no other objection asks for a
/// decline, the request is left until that is settled, so that no booker reads a reason that may be
/// wrong a minute later.
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

/// Decides a request that was left for an operator and has no answer by its deadline.
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
                "was left for an operator ({}), and no operator answered before it began",
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

/// Applies an operator's review. A review overrides the criteria of the configuration, and never
/// the rules that protect the calendar and the ledger: if one of those objects to a confirm, the
/// request is left to the operator.
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

/// Returns true for reasons that even an operator cannot override.
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

/// Returns true for reasons that must be the only one shown. The booker's identity is not
/// established in these cases, so no other reason may reveal the member's balance.
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

/// Turns a wait whose time is over into a decline.
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

/// Objects to one booking of the request. The text names the booking if there are several.
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
    // The credits are still in the predecessor's charge, so a decline would cost the booker a time
    // that is paid for.
    let on_violation = match input.gate.short_of_credit {
        OnViolation::Decline if input.includes_paid_move => OnViolation::Review,
        effect => effect,
    };
    let decision = input.decide_violation(on_violation, ReasonCode::ShortOfCredit);
    object_to_request(decision, ReasonCode::ShortOfCredit, text).mark_unsettled(unsettled)
}
