//! The table of rules, in order of precedence: the first rule that objects decides. From it come
//! the order of evaluation, the table in `docs/rules.md`, the names that an operator's rule may not
//! have, the keys of `[reasons]`, what the observation reads, and what a replay of recorded
//! decisions does not know.

use super::built_in_rule::ReasonTrait::{DependsOnAccount, HasTextKey, OutOfScope, ShownAlone};
use super::built_in_rule::RuleCheck::{BuiltIn, OwnRules};
use super::built_in_rule::RuleEffect::{Fixed, Key, OfEachRule};
use super::built_in_rule::RuleSwitch::{AlwaysOn, Keys};
use super::built_in_rule::{
    BuiltInRule, Disclosure, Overridable, ReasonTrait, RuleInput, RuleReason, account_reason,
    public_reason,
};
use super::{booker_rules, calendar_rules, cap_rules, credit_rule, time_rules};
use crate::domain::criteria::gate_criteria::NoticeBounds;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::ReasonCode;
use crate::domain::gate::Gate;

/// All rules, in order of precedence.
pub const RULES: &[BuiltInRule] = &[
    BuiltInRule {
        name: "pending",
        fails_when: "the booking does not wait, or has ended",
        reasons: &[
            public_reason(ReasonCode::NotPending, &[OutOfScope]),
            public_reason(ReasonCode::AlreadyOver, &[OutOfScope]),
        ],
        overridable: Overridable::No,
        effect: Fixed(OnViolation::Leave),
        exception: None,
        switch: AlwaysOn,
        inputs: &[],
        check: BuiltIn(calendar_rules::check_pending),
    },
    BuiltInRule {
        name: "free-of-charge",
        fails_when: "the event type has a price, or the key may not see it",
        reasons: &[
            public_reason(ReasonCode::Priced, &[OutOfScope]),
            public_reason(ReasonCode::EventTypeNotShown, &[OutOfScope]),
        ],
        overridable: Overridable::No,
        effect: Fixed(OnViolation::Leave),
        exception: None,
        switch: AlwaysOn,
        inputs: &[RuleInput::EventType],
        check: BuiltIn(calendar_rules::check_free_of_charge),
    },
    BuiltInRule {
        name: "booker",
        fails_when: "the booker's identity is ambiguous or missing",
        reasons: &[
            public_reason(ReasonCode::NoBooker, &[]),
            public_reason(ReasonCode::Seated, &[OutOfScope]),
        ],
        overridable: Overridable::No,
        effect: Fixed(OnViolation::Review),
        exception: Some("leave when the event type has seats"),
        switch: AlwaysOn,
        inputs: &[RuleInput::EventType],
        check: BuiltIn(booker_rules::check_booker),
    },
    BuiltInRule {
        name: "not-blocked",
        fails_when: "a `block` list, the global one or the gate's, has the booker",
        reasons: &[public_reason(
            ReasonCode::Blocked,
            &[HasTextKey, ShownAlone],
        )],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "blocked",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_blocked,
        },
        exception: None,
        switch: Keys {
            keys: &["gate.block", "global.block"],
            is_on: |global, gate| !(global.block.is_empty() && gate.criteria.block.is_empty()),
        },
        inputs: &[],
        check: BuiltIn(booker_rules::check_not_blocked),
    },
    BuiltInRule {
        name: "allowed",
        fails_when: "there is an `allow` list, and the booker is not on it",
        reasons: &[public_reason(
            ReasonCode::NotAllowed,
            &[HasTextKey, ShownAlone],
        )],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "not-allowed",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_not_allowed,
        },
        exception: None,
        switch: Keys {
            keys: &["gate.allow", "global.allow"],
            is_on: |global, gate| !(global.allow.is_empty() && gate.criteria.allow.is_empty()),
        },
        inputs: &[],
        check: BuiltIn(booker_rules::check_allowed),
    },
    BuiltInRule {
        name: "requests-per-day",
        fails_when: "the booker made too many requests that day",
        reasons: &[public_reason(
            ReasonCode::TooManyRequests,
            &[HasTextKey, ShownAlone],
        )],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "too-many-requests",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_too_many_requests,
        },
        exception: Some("leave after the first such decline of a day (`decline-too-many`)"),
        switch: Keys {
            keys: &["gate.requests-per-day", "global.requests-per-day"],
            is_on: |global, gate| {
                global.requests_per_day.is_some() || gate.criteria.requests_per_day.is_some()
            },
        },
        inputs: &[RuleInput::PriorRequests, RuleInput::TimeZone],
        check: BuiltIn(booker_rules::check_requests_per_day),
    },
    BuiltInRule {
        name: "member",
        fails_when: "the address has no account",
        reasons: &[
            account_reason(ReasonCode::UnknownBooker, &[HasTextKey]),
            account_reason(ReasonCode::SourceFailed, &[]),
        ],
        overridable: Overridable::No,
        effect: Key {
            key: "unknown-booker",
            default: OnViolation::Decline,
            of_gate: |gate| gate.unknown_booker,
        },
        exception: Some(
            "leave when a source did not answer, or when the address is that of a platform's \
             managed user",
        ),
        switch: AlwaysOn,
        inputs: &[RuleInput::Account],
        check: BuiltIn(booker_rules::check_member),
    },
    BuiltInRule {
        name: "not-frozen",
        fails_when: "an operator froze the account",
        reasons: &[account_reason(ReasonCode::AccountFrozen, &[])],
        overridable: Overridable::ByOperator,
        effect: Fixed(OnViolation::Review),
        exception: None,
        switch: AlwaysOn,
        inputs: &[RuleInput::Account],
        check: BuiltIn(booker_rules::check_not_frozen),
    },
    BuiltInRule {
        name: "pin",
        fails_when: "the PIN given with the booking is not the member's",
        reasons: &[account_reason(
            ReasonCode::WrongPin,
            &[HasTextKey, ShownAlone],
        )],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "wrong-pin",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_wrong_pin,
        },
        exception: Some("review when the member has none, or after too many wrong PINs"),
        switch: Keys {
            keys: &["gate.pin"],
            is_on: |_, gate| gate.criteria.pin.is_some(),
        },
        inputs: &[RuleInput::Account, RuleInput::PinResult],
        check: BuiltIn(booker_rules::check_pin),
    },
    BuiltInRule {
        name: "notice",
        fails_when: "the request was made too shortly, or too long, before the start",
        reasons: &[
            public_reason(ReasonCode::NoticeTooShort, &[HasTextKey]),
            public_reason(ReasonCode::NoticeTooLong, &[HasTextKey]),
        ],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "notice-missed",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_notice_missed,
        },
        exception: None,
        switch: Keys {
            keys: &["gate.notice"],
            is_on: |_, gate| gate.criteria.notice != NoticeBounds::default(),
        },
        inputs: &[RuleInput::BookingTimes],
        check: BuiltIn(time_rules::check_notice),
    },
    BuiltInRule {
        name: "hours",
        fails_when: "the booking is outside the weekdays and hours of the gate",
        reasons: &[public_reason(ReasonCode::OutsideHours, &[HasTextKey])],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "outside-hours",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_outside_hours,
        },
        exception: None,
        switch: Keys {
            keys: &["gate.hours"],
            is_on: |_, gate| !gate.criteria.hours.is_empty(),
        },
        inputs: &[RuleInput::BookingTimes, RuleInput::TimeZone],
        check: BuiltIn(time_rules::check_hours),
    },
    BuiltInRule {
        name: "time-free",
        fails_when: "the time is taken: by an accepted booking of the host, or by one of another \
                     host in which the host takes part, with the buffers of the event types. \
                     maitred does not read Cal.com's own limits of bookings and hours: set `caps`",
        reasons: &[public_reason(ReasonCode::TimeTaken, &[HasTextKey])],
        overridable: Overridable::No,
        effect: Key {
            key: "taken",
            default: OnViolation::Decline,
            of_gate: |gate| gate.time_taken,
        },
        exception: None,
        switch: AlwaysOn,
        inputs: &[RuleInput::AcceptedBookings],
        check: BuiltIn(calendar_rules::check_time_free),
    },
    BuiltInRule {
        name: "host-caps",
        fails_when: "the host has as many accepted bookings that day, week or month as a `[[cap]]` \
                     with `each = \"host\"` allows",
        reasons: &[public_reason(ReasonCode::HostFull, &[HasTextKey])],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "over-cap",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_over_cap,
        },
        exception: None,
        switch: Keys {
            keys: &["cap"],
            is_on: |global, gate| global.host_caps(&gate.name).next().is_some(),
        },
        inputs: &[RuleInput::HostBookings],
        check: BuiltIn(cap_rules::check_host_caps),
    },
    BuiltInRule {
        name: "caps",
        fails_when: "the member has as many bookings that day, week, month, or in the future, as \
                     a cap allows",
        reasons: &[account_reason(
            ReasonCode::OverCap,
            &[HasTextKey, DependsOnAccount],
        )],
        overridable: Overridable::ByOperator,
        effect: Key {
            key: "over-cap",
            default: OnViolation::Decline,
            of_gate: |gate| gate.criteria.on_over_cap,
        },
        exception: None,
        switch: Keys {
            keys: &["gate.caps", "global.caps", "cap"],
            is_on: |global, gate| {
                let has_lists = !(global.caps.is_empty() && gate.criteria.caps.is_empty());
                has_lists || global.member_caps(&gate.name).next().is_some()
            },
        },
        inputs: &[
            RuleInput::Account,
            RuleInput::BookingTimes,
            RuleInput::BookingCounts,
        ],
        check: BuiltIn(cap_rules::check_caps),
    },
    BuiltInRule {
        name: "your own, by name",
        fails_when: "the expression is not true; global rules first, then those of the gate",
        reasons: &[
            account_reason(ReasonCode::RuleNotMet, &[DependsOnAccount]),
            account_reason(ReasonCode::RuleFailed, &[]),
            account_reason(ReasonCode::LookupFailed, &[HasTextKey]),
        ],
        overridable: Overridable::ByOperator,
        effect: OfEachRule {
            default: OnViolation::Decline,
        },
        exception: Some(
            "review when the expression cannot be evaluated; `no-answer` of the lookup without an \
             answer",
        ),
        switch: Keys {
            keys: &["gate.rule", "rule"],
            is_on: |global, gate| !(global.rules.is_empty() && gate.criteria.rules.is_empty()),
        },
        inputs: &[
            RuleInput::Account,
            RuleInput::BookingCounts,
            RuleInput::Lookups,
        ],
        check: OwnRules,
    },
    BuiltInRule {
        name: "price",
        fails_when: "the price, which is determined for each booking, is not known: another system \
                     gives no answer, or the expression fails or gives no price",
        reasons: &[account_reason(ReasonCode::PriceUnknown, &[HasTextKey])],
        overridable: Overridable::No,
        effect: Fixed(OnViolation::Review),
        exception: Some("`no-answer` of the lookup without an answer"),
        switch: Keys {
            keys: &["gate.cost", "gate.prices"],
            is_on: |_, gate| gate.has_computed_price(),
        },
        inputs: &[RuleInput::Account, RuleInput::Price],
        check: BuiltIn(credit_rule::check_price),
    },
    BuiltInRule {
        name: "credit",
        fails_when: "the credit does not cover the price",
        reasons: &[account_reason(
            ReasonCode::ShortOfCredit,
            &[HasTextKey, DependsOnAccount],
        )],
        overridable: Overridable::No,
        effect: Key {
            key: "short-of-credit",
            default: OnViolation::Decline,
            of_gate: |gate| gate.short_of_credit,
        },
        exception: Some("review when several paid bookings of a series are moved together"),
        switch: AlwaysOn,
        inputs: &[RuleInput::Account, RuleInput::Price],
        check: BuiltIn(credit_rule::check_credit),
    },
    // Last, so that a wait until the start still ends in a decline.
    BuiltInRule {
        name: "not-begun",
        fails_when: "the booking has begun",
        reasons: &[account_reason(ReasonCode::AlreadyBegun, &[])],
        overridable: Overridable::No,
        effect: Fixed(OnViolation::Leave),
        exception: None,
        switch: AlwaysOn,
        inputs: &[],
        check: BuiltIn(calendar_rules::check_not_begun),
    },
];

/// Returns the names of maitred's own rules, in order of precedence.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    RULES
        .iter()
        .filter(|rule| !rule.is_place_of_own_rules())
        .map(|rule| rule.name)
}

/// Returns true if this is the name of one of maitred's own rules.
pub fn is_built_in_name(name: &str) -> bool {
    built_in_names().any(|known| known == name)
}

/// Returns true if a rule that is switched on for the gate reads the input, or a text for bookers
/// may show it.
pub fn needs_input(global: &GlobalPolicy, gate: &Gate, input: RuleInput) -> bool {
    let is_in_texts = input == RuleInput::BookingCounts && !global.reason_texts.is_empty();
    is_in_texts
        || RULES
            .iter()
            .any(|rule| rule.inputs.contains(&input) && rule.is_on(global, gate))
}

/// Returns the reasons of rules that have this trait, in order of precedence.
pub fn reasons_with(wanted: ReasonTrait) -> impl Iterator<Item = ReasonCode> {
    let reasons = RULES.iter().flat_map(|rule| rule.reasons);
    reasons
        .filter(move |reason| reason.traits.contains(&wanted))
        .map(|reason| reason.code)
}

/// Returns true if the reason of a rule has this trait.
pub fn has_trait(code: ReasonCode, wanted: ReasonTrait) -> bool {
    find_reason(code).is_some_and(|reason| reason.traits.contains(&wanted))
}

/// Returns true if the reason is of a rule that no operator's review overrides.
pub fn protects_from_operators(code: ReasonCode) -> bool {
    let mut rules = RULES.iter();
    let rule = rules.find(|rule| rule.reasons.iter().any(|reason| reason.code == code));
    rule.is_some_and(|rule| rule.overridable == Overridable::No)
}

/// Returns true if the default text of a reason, or the fact that the reason is given at all,
/// reveals something about the account of the address. A reason of no rule counts as one that does.
pub fn discloses_account(code: ReasonCode) -> bool {
    find_reason(code).is_none_or(|reason| reason.disclosure == Disclosure::Account)
}

fn find_reason(code: ReasonCode) -> Option<&'static RuleReason> {
    let mut reasons = RULES.iter().flat_map(|rule| rule.reasons);
    reasons.find(|reason| reason.code == code)
}
