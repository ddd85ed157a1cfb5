//! A rule's condition, or a price: compiled and checked once, then evaluated for every request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, operators};

use super::answer_usage::{self, AnswerUse};
use super::cel_backend::CelProgram;
use super::check::{self, ExpressionPurpose};
use super::context::{Questions, RuleContext};
use super::detail::{self, VariablePath};
use super::diagnostic::RuleDiagnostic;
use super::parse;
use super::schema;
use super::syntax::{self, literal_text};
use super::types::NumberValue;
use super::variable::RuleVariable;
use crate::domain::booking::{Question, QuestionKind};

/// A condition on a request (`RuleContext`), or the price of a booking. Cheap to clone. Two are equal when their texts are.
#[derive(Clone)]
pub struct Expression {
    compiled: Arc<CompiledExpression>,
}

struct CompiledExpression {
    text: String,
    program: CelProgram,
    /// The paths that the expression reads, each once, in order of appearance.
    paths: Vec<VariablePath>,
    lookups: BTreeSet<String>,
    answers: Vec<AnswerUse>,
    /// The questions, as the expression uses their answers.
    inferred_questions: Vec<Question>,
}

impl Expression {
    /// Parses and checks a condition. `known_lookups` are the names of the configured lookups.
    ///
    /// The parser recurses. Its input is bounded (`tokens::MAX_TOKENS`, `MAX_NESTING`), but not so
    /// narrowly that every stack would be large enough. Call this on a thread with at least
    /// `MIN_STACK_BYTES`.
    ///
    /// # Errors
    /// Returns all mistakes, in order of place. If the syntax is wrong, returns only the first.
    pub fn compile(
        text: &str,
        known_lookups: &BTreeSet<String>,
    ) -> Result<Self, Vec<RuleDiagnostic>> {
        Self::compile_for(ExpressionPurpose::Condition, text, known_lookups)
    }

    /// Does the same as [`Self::compile`] for the price of a booking: the result is a number, and
    /// nothing is read that changes while a request waits.
    ///
    /// # Errors
    /// Returns the same errors as [`Self::compile`].
    pub fn compile_price(
        text: &str,
        known_lookups: &BTreeSet<String>,
    ) -> Result<Self, Vec<RuleDiagnostic>> {
        Self::compile_for(ExpressionPurpose::Price, text, known_lookups)
    }

    fn compile_for(
        purpose: ExpressionPurpose,
        text: &str,
        known_lookups: &BTreeSet<String>,
    ) -> Result<Self, Vec<RuleDiagnostic>> {
        let parsed = parse::parse(text).map_err(|diagnostic| vec![diagnostic])?;
        check::check_expression(text, &parsed, purpose, known_lookups)?;
        let root = parsed.root;
        let mut paths = Vec::new();
        let mut lookups = BTreeSet::new();
        collect_reads(&root, &mut paths, &mut lookups);
        let answers = answer_usage::collect_uses(&root);
        Ok(Self {
            compiled: Arc::new(CompiledExpression {
                text: text.to_owned(),
                program: CelProgram::new(root, &paths),
                paths,
                lookups,
                inferred_questions: infer_questions(&answers),
                answers,
            }),
        })
    }

    /// Returns whether the request meets the condition. Takes a few microseconds and never waits.
    /// The work is bounded (`cel_backend::MAX_VALUES`, `check::MAX_NODES`).
    ///
    /// # Errors
    /// Returns why there is no result, in a text for people: a key that is missing, an answer of
    /// another type than the rule takes, a number out of range, a division by zero.
    pub fn evaluate(&self, context: &RuleContext<'_>) -> Result<bool, String> {
        self.compiled
            .program
            .evaluate(&self.with_inferred_questions(context))
    }

    /// Returns the number that a price gives for the booking of the context. The work is bounded as
    /// for [`Self::evaluate`].
    ///
    /// # Errors
    /// Returns why there is no number, in a text for people.
    pub fn evaluate_number(&self, context: &RuleContext<'_>) -> Result<NumberValue, String> {
        self.compiled
            .program
            .evaluate_number(&self.with_inferred_questions(context))
    }

    /// Returns what the expression reads, with the values of this request: `name = value, …`, at
    /// most `detail::MAX_DETAIL` characters.
    pub fn describe_inputs(&self, context: &RuleContext<'_>) -> String {
        detail::describe(&self.compiled.paths, &self.with_inferred_questions(context))
    }

    /// Returns the context with questions inferred from how this expression uses their answers, for
    /// questions that the calendar does not describe.
    fn with_inferred_questions<'a>(&'a self, context: &RuleContext<'a>) -> RuleContext<'a> {
        RuleContext {
            questions: Questions {
                inferred: &self.compiled.inferred_questions,
                ..context.questions
            },
            ..*context
        }
    }

    /// Returns the lookups that the expression names, in order.
    pub fn lookups(&self) -> impl Iterator<Item = &str> {
        self.compiled.lookups.iter().map(String::as_str)
    }

    /// Returns how the expression uses answers to booking questions, in order.
    pub fn answers(&self) -> &[AnswerUse] {
        &self.compiled.answers
    }

    /// Returns the names of the schema that the expression reads, each once, in order of
    /// appearance.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for path in self.compiled.paths.iter() {
            let name = schema::name_of(path.variable).path;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Returns true if the expression reads one of these names of the schema.
    pub fn reads_any(&self, names: &[&str]) -> bool {
        self.names().iter().any(|name| names.contains(name))
    }

    /// Returns the expression as the operator wrote it.
    pub fn text(&self) -> &str {
        &self.compiled.text
    }
}

/// The stack that `Expression::compile` needs, in bytes: four times what the worst expression takes
/// without optimisation.
pub const MIN_STACK_BYTES: usize = 16 * 1024 * 1024;

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.compiled.text == other.compiled.text
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.compiled.text)
    }
}

/// Returns the questions for which all uses of their answers agree on the kind. Only kinds that
/// change how the text from Cal.com is read are inferred.
fn infer_questions(uses: &[AnswerUse]) -> Vec<Question> {
    let mut inferred: Vec<Question> = Vec::new();
    for answer_use in uses {
        let kinds = uses
            .iter()
            .filter(|other| other.slug == answer_use.slug)
            .filter_map(|other| other.expected_kind);
        let is_inferred = inferred
            .iter()
            .any(|question| question.slug == answer_use.slug);
        if let Some(kind @ (QuestionKind::Number | QuestionKind::Flag)) = answer_use.expected_kind
            && kinds.clone().all(|other| other == kind)
            && !is_inferred
        {
            inferred.push(Question {
                slug: answer_use.slug.clone(),
                kind,
                on_booking_page: true,
            });
        }
    }
    inferred
}

/// Collects what an expression reads, each path once, in order of appearance.
fn collect_reads(node: &IdedExpr, paths: &mut Vec<VariablePath>, lookups: &mut BTreeSet<String>) {
    if let Some(path) = longest_path(node) {
        if path.variable == RuleVariable::Lookups
            && let Some(name) = path.keys.first()
        {
            lookups.insert(name.to_string());
        }
        if paths.iter().all(|known| known.text != path.text) {
            paths.push(path);
        }
        return;
    }
    for child in syntax::children(node) {
        collect_reads(child, paths, lookups);
    }
}

/// Returns the longest path that a node is: a name of the schema, followed by literal keys.
fn longest_path(node: &IdedExpr) -> Option<VariablePath> {
    if let Some(name) = syntax::schema_name_of(node) {
        return Some(VariablePath {
            variable: name.variable,
            keys: Vec::new(),
            text: name.path.to_owned(),
        });
    }
    let (of, key) = match &node.expr {
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [of, key]) => (of, literal_text(key)?),
            (operators::IN, [key, of]) if is_map(of) => (of, literal_text(key)?),
            (_, _) => return None,
        },
        _ => return None,
    };
    Some(longest_path(of)?.with_key(key))
}

fn is_map(node: &IdedExpr) -> bool {
    let maps = [
        RuleVariable::Lookups,
        RuleVariable::Answers,
        RuleVariable::Metadata,
        RuleVariable::Attributes,
    ];
    syntax::schema_name_of(node).is_some_and(|name| maps.contains(&name.variable))
}
