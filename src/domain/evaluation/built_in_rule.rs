//! What a row of the table of rules (`rules`) says about a rule.

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::ReasonCode;
use crate::domain::gate::Gate;

/// One of maitred's own rules.
#[derive(Debug)]
pub struct BuiltInRule {
    /// The rule's name in findings.
    pub name: &'static str,
    /// When a request does not meet the rule, for the documentation.
    pub fails_when: &'static str,
    /// Every reason that the rule gives.
    pub reasons: &'static [RuleReason],
    /// Whether an operator's review can override the rule.
    pub overridable: Overridable,
    /// What happens to a request that does not meet the rule.
    pub effect: RuleEffect,
    /// When something else happens, for the documentation.
    pub exception: Option<&'static str>,
    /// What switches the rule on.
    pub switch: RuleSwitch,
    /// What the rule reads that is not in every recorded booking.
    pub inputs: &'static [RuleInput],
    pub(super) check: RuleCheck,
}

/// Whether an operator's review can override a rule. Such a rule is also not checked again for a
/// moved booking that keeps its charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overridable {
    /// The rule protects the calendar and the ledger.
    No,
    /// The rule is a criterion of the operator's configuration.
    ByOperator,
}

/// What happens to a request that does not meet a rule.
#[derive(Debug, Clone, Copy)]
pub enum RuleEffect {
    /// Always the same.
    Fixed(OnViolation),
    /// A key of the gate says it.
    Key {
        /// The key's name, for the documentation.
        key: &'static str,
        /// What happens when the configuration does not have the key.
        default: OnViolation,
        /// Returns the value of the key, or else the default.
        of_gate: fn(&Gate) -> OnViolation,
    },
    /// Each of the operator's rules says it, with its key `effect`.
    OfEachRule {
        /// What happens when the rule does not have the key.
        default: OnViolation,
    },
}

/// What switches a rule on.
#[derive(Debug, Clone, Copy)]
pub enum RuleSwitch {
    /// The rule applies to every request.
    AlwaysOn,
    /// Any of these keys of the configuration.
    Keys {
        /// The keys' names, for the documentation.
        keys: &'static [&'static str],
        /// Returns true if one of the keys is set.
        is_on: fn(&GlobalPolicy, &Gate) -> bool,
    },
}

/// What a rule may read. The observation fills it, `evaluate` assumes a part, and `policy
/// replay` knows only some inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleInput {
    /// The event type at Cal.com: its price and its seats.
    EventType,
    /// The member's account.
    Account,
    /// The booker's earlier requests.
    PriorRequests,
    /// The result for the PIN that was given.
    PinResult,
    /// The time of every booking of the request.
    BookingTimes,
    /// The time zone in which the gate evaluates the request.
    TimeZone,
    /// What overlaps the request.
    AcceptedBookings,
    /// The member's bookings in the periods of caps.
    BookingCounts,
    /// The accepted bookings of the host in the periods of caps.
    HostBookings,
    /// The answers of other systems.
    Lookups,
    /// What the request costs.
    Price,
}

/// A reason that a rule gives.
#[derive(Debug, Clone, Copy)]
pub struct RuleReason {
    /// The reason's code.
    pub code: ReasonCode,
    /// Whether the reason reveals something about the account of the address.
    pub disclosure: Disclosure,
    /// What is special about the reason; empty for most reasons.
    pub traits: &'static [ReasonTrait],
}

/// Whether the default text of a reason, or the fact that the reason is given at all, reveals
/// something about the account of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure {
    /// Every booker with the same request gets the same text.
    Public,
    /// Only a booker who has proven to be the member may read it.
    Account,
}

/// What is special about a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonTrait {
    /// The key with the code's name in `[reasons]` replaces the default text for bookers.
    HasTextKey,
    /// No other reason is given with it. The booker's identity is not established then, so no
    /// other reason may reveal the member's balance.
    ShownAlone,
    /// maitred does not answer such a request at all, whatever an operator decides.
    OutOfScope,
    /// A cancellation that the ledger does not know yet could remove the reason.
    DependsOnAccount,
}

/// How a rule is checked.
#[derive(Debug)]
pub(super) enum RuleCheck {
    BuiltIn(fn(&EvaluationInput<'_>) -> RuleOutcome),
    /// The operator's own rules, one after the other.
    OwnRules,
}

impl BuiltInRule {
    /// Returns true if the row is the place of the operator's own rules.
    pub fn is_place_of_own_rules(&self) -> bool {
        matches!(self.check, RuleCheck::OwnRules)
    }

    /// Returns true if the rule can object to a request of this gate.
    pub fn is_on(&self, global: &GlobalPolicy, gate: &Gate) -> bool {
        match self.switch {
            RuleSwitch::AlwaysOn => true,
            RuleSwitch::Keys { is_on, .. } => is_on(global, gate),
        }
    }
}

impl RuleEffect {
    /// Returns what happens to a request of this gate.
    pub fn of_gate(self, gate: &Gate) -> OnViolation {
        match self {
            Self::Fixed(effect) | Self::OfEachRule { default: effect } => effect,
            Self::Key { of_gate, .. } => of_gate(gate),
        }
    }
}

/// Returns a reason whose default text every booker may read.
pub(super) const fn public_reason(code: ReasonCode, traits: &'static [ReasonTrait]) -> RuleReason {
    RuleReason {
        code,
        disclosure: Disclosure::Public,
        traits,
    }
}

/// Returns a reason that reveals something about an account.
pub(super) const fn account_reason(code: ReasonCode, traits: &'static [ReasonTrait]) -> RuleReason {
    RuleReason {
        code,
        disclosure: Disclosure::Account,
        traits,
    }
}
