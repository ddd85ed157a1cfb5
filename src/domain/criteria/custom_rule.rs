//! The operator's own rules: a condition, and what happens to a request that does not meet it.

use super::on_violation::OnViolation;
use crate::domain::rule::expression::Expression;
use crate::domain::rule::localized_text::LocalizedText;

/// One rule of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The rule's name in findings and messages.
    pub name: String,
    /// The condition that a request has to meet.
    pub require: Expression,
    /// The text for the booker. If absent, the default text says that the rule is not met.
    pub reason: Option<LocalizedText>,
    /// What happens to a request that does not meet the rule.
    pub on_violation: OnViolation,
}
