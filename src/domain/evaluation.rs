//! Evaluates one request against its gate's rules, in the order of the table `rules`. The first
//! rule that objects decides (`decide`), and every rule that applies leaves a finding. The checks
//! are in the files whose names end in `rules` or `rule`, with their texts.

mod booker_message;
pub mod booker_rules;
pub mod built_in_rule;
pub mod calendar_rules;
pub mod cap_rules;
mod credit_rule;
mod custom_rules;
mod decide;
mod operator_review;
mod reasoned_decision;
mod rule_outcome;
pub mod rules;
pub mod time_rules;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono_tz::Tz;

use self::built_in_rule::{BuiltInRule, Overridable, RuleCheck};
use self::decide::decide;
use self::reasoned_decision::ReasonedDecision;
use self::rule_outcome::{Objection, RuleOutcome, reason_key};
use self::rules::RULES;
use super::account::Account;
use super::allowance;
use super::booking::{Answer, Booker, Booking, EventType};
use super::criteria::global_policy::GlobalPolicy;
use super::criteria::on_violation::OnViolation;
use super::criteria::price::PriceFailure;
use super::decision::{Credits, Decision, Finding, Reason, ReasonCode};
use super::gate::{Gate, PriceInput};
use super::host_bookings::HostBookings;
use super::host_schedule::Overlap;
use super::id::{AccountId, Address};
use super::refund_policy::OnReschedule;
use super::request::{Charge, OperatorReview};
use super::rule::context::{Questions, RuleContext};
use super::snapshot::{CountedBooking, Lookups, PinResult};
use super::time::Time;

/// A request and everything that its rules may read.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationInput<'a> {
    /// The gate that guards the event type.
    pub gate: &'a Gate,
    /// The policy that applies to all gates.
    pub global: &'a GlobalPolicy,
    /// The time zone in which the gate evaluates the request.
    pub zone: Tz,
    /// The request's pending bookings in order of start; never empty.
    pub bookings: &'a [&'a Booking],
    /// `None`: the calendar was not asked. `Some(None)`: the calendar does not describe the event
    /// type.
    pub event_type: Option<Option<&'a EventType>>,
    /// The booker's account. `None`: the booker has none, or is not known.
    pub account: Option<&'a Account>,
    /// The credits that the account can spend now. When earlier steps of this plan have spent some,
    /// this is less than the lots hold.
    pub available: Credits,
    /// The credits that the account may be lent beyond these.
    pub lendable: Credits,
    /// The member's bookings that are held or charged: those from before this plan, and those that
    /// this plan confirms.
    pub counted_bookings: [&'a [CountedBooking]; 2],
    /// The bookings of the hosts that shared caps limit: those that are accepted, and those that
    /// are being confirmed.
    pub host_bookings: &'a HostBookings,
    /// How many requests the booker made earlier on the same day.
    pub prior_request_count: u32,
    /// Whether the booker was already told on that day that these requests are too many.
    pub declined_over_limit_before: bool,
    /// The result for the PIN that was given with the request.
    pub pin_result: Option<PinResult>,
    /// The answers of other systems about the request. `None`: no rule asks for any.
    pub lookups: Option<&'a Lookups>,
    /// Why it is not known whether a booker without an account is a member: a source that could say
    /// so did not answer.
    pub source_failure: Option<&'a str>,
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
    /// Whether no account was ever opened.
    pub ledger_is_empty: bool,
    /// When each reason was first given for the request.
    pub reasons_since: &'a [(String, Time)],
    /// The instant of the decision.
    pub now: Time,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What the rules and the operator's review decide.
    pub decision: Decision,
    /// For operators: these reasons may reveal data of the account.
    pub reasons: Vec<Reason>,
    /// The text for the booker, only with a decline. Cal.com shows it on the booking's public page.
    pub booker_text: Option<String>,
    /// The results of all rules that applied, in the order of their evaluation.
    pub findings: Vec<Finding>,
    /// The booker's account. `None`: the booker has none, or is not known.
    pub account: Option<AccountId>,
    /// The booker's address. `None` when the booker's identity is ambiguous.
    pub booker: Option<Address>,
    /// What each booking costs, in the order of the bookings. Empty if that is not known.
    pub costs: Vec<Credits>,
    /// What confirming the request costs in total. 0 if that is not known.
    pub credits: Credits,
    /// The credits that have to be held, in addition to those that are carried.
    pub to_hold: Credits,
    /// The keys of the reasons in `Request::reasons_since`.
    pub reason_keys: Vec<String>,
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

    /// Returns what the price of one booking may depend on.
    fn price_input(&self, booking: &'a Booking) -> PriceInput<'a> {
        PriceInput {
            global: self.global,
            booking,
            account: self.account,
            occurrences: self.bookings.len(),
            lookups: self.answers(),
            event_type: self.event_type.flatten(),
        }
    }

    /// Returns what the request costs.
    ///
    /// # Errors
    /// Returns why that is not known.
    fn costs(&self) -> Result<RequestCosts, PriceFailure> {
        let bookings = self.bookings.iter();
        let prices = bookings.map(|booking| self.gate.price(&self.price_input(booking)));
        let each = prices.collect::<Result<Vec<Credits>, PriceFailure>>()?;
        let total: Credits = each.iter().sum();
        let carried = self.carried_charge.map_or(0, Charge::credits);
        Ok(RequestCosts {
            each,
            total,
            to_hold: total.saturating_sub(carried),
        })
    }

    /// Returns the answers of other systems.
    fn answers(&self) -> &'a BTreeMap<String, Answer> {
        self.lookups.map_or(&NO_ANSWERS, |lookups| &lookups.answers)
    }

    /// Returns the decision that a violation with this code, or of this rule of the operator, leads
    /// to for this request.
    fn decide_violation(
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
static NO_ANSWERS: BTreeMap<String, Answer> = BTreeMap::new();

/// What confirming a request costs.
#[derive(Default)]
struct RequestCosts {
    /// What each booking costs, in the order of the bookings.
    each: Vec<Credits>,
    total: Credits,
    /// The credits that have to be held, in addition to those that are carried.
    to_hold: Credits,
}

/// Evaluates one request.
pub fn evaluate(input: &EvaluationInput<'_>) -> Evaluation {
    let costs = input.costs().ok();
    let context = rule_context(input, costs.as_ref());
    let mut collector = OutcomeCollector {
        input,
        findings: Vec::new(),
        objections: Vec::new(),
    };
    let skips_overridable = input.carries_without_recheck();
    for rule in RULES {
        if skips_overridable && rule.overridable == Overridable::ByOperator {
            continue;
        }
        match rule.check {
            RuleCheck::BuiltIn(check) => collector.add(rule, check(input)),
            RuleCheck::OwnRules => {
                for own_rule in custom_rules::applicable_rules(input) {
                    let (finding, objection) =
                        custom_rules::evaluate_rule(input, &context, own_rule);
                    collector.findings.push(finding);
                    let objection = objection.map(|objection| (rule.overridable, objection));
                    collector.objections.extend(objection);
                }
            }
        }
    }
    let OutcomeCollector {
        findings,
        objections,
        ..
    } = collector;
    let ReasonedDecision {
        decision,
        reasons,
        booker_text,
        reason_keys,
    } = decide(input, &context, objections);
    // Nothing is confirmed without a price.
    let costs = costs.unwrap_or_default();
    Evaluation {
        decision,
        reasons,
        booker_text,
        reason_keys,
        findings,
        account: input.account.map(|account| account.id.clone()),
        booker: input.booker().map(|booker| booker.address.clone()),
        costs: costs.each,
        credits: costs.total,
        to_hold: costs.to_hold,
    }
}

fn next_renewal(input: &EvaluationInput<'_>) -> Option<Time> {
    let global = input.global;
    allowance::next_renewal(&global.allowances, input.account?, global.zone, input.now)
}

/// Returns what the operator's expressions and templates may read.
fn rule_context<'a>(input: &EvaluationInput<'a>, costs: Option<&RequestCosts>) -> RuleContext<'a> {
    let questions = input.event_type.flatten();
    RuleContext {
        booking: input.bookings[0],
        occurrences: input.bookings.len(),
        account: input.account,
        counts: time_rules::booking_counts(input, input.zone),
        gate: &input.gate.name,
        cost: costs.map(|costs| costs.each[0]),
        credits: costs.map(|costs| costs.total),
        available: input.available,
        next_renewal: next_renewal(input),
        to_hold: costs.map(|costs| costs.to_hold),
        occurrence: input.bookings[0].start,
        lookups: input.answers(),
        hidden_answer: input.gate.criteria.pin.as_deref(),
        questions: Questions {
            from_calendar: questions.and_then(|kind| kind.questions.as_deref()),
            inferred: &[],
        },
        zone: input.zone,
        now: input.now,
    }
}

/// Collects the findings and objections of the rules.
struct OutcomeCollector<'r> {
    input: &'r EvaluationInput<'r>,
    findings: Vec<Finding>,
    objections: Vec<(Overridable, Objection)>,
}

impl OutcomeCollector<'_> {
    fn add(&mut self, rule: &BuiltInRule, outcome: RuleOutcome) {
        let (code, detail) = match outcome {
            RuleOutcome::NotApplicable => return,
            RuleOutcome::Passed(detail) => (None, detail),
            RuleOutcome::Failed(failure) => {
                let bookings = self.input.bookings;
                let detail = failure.detail.as_ref().unwrap_or(&failure.text);
                let detail = match failure.booking_index {
                    Some(at) if bookings.len() > 1 => {
                        let uid = &bookings[at].uid;
                        format!("{detail} (booking {uid})")
                    }
                    Some(_) | None => detail.clone(),
                };
                let code = failure.code;
                let effect = failure.effect;
                let effect = effect.unwrap_or_else(|| rule.effect.of_gate(self.input.gate));
                let decision = self.input.decide_violation(effect, code, None);
                let objection = Objection::from_failure(failure, decision);
                self.objections.push((rule.overridable, objection));
                (Some(code), detail)
            }
        };
        self.findings.push(Finding {
            rule: Cow::Borrowed(rule.name),
            code,
            passed: code.is_none(),
            detail,
        });
    }
}
