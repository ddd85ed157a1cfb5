//! A rule's condition: compiled and checked once, then evaluated for every request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, operators};

use super::answers::{self, AnswerUse};
use super::cel_backend::CelProgram;
use super::check;
use super::context::{Questions, RuleContext};
use super::detail::{self, Path};
use super::diagnostic::RuleDiagnostic;
use super::parse;
use super::schema;
use super::syntax::{self, literal_text};
use super::variable::RuleVariable;
use crate::domain::booking::{Question, QuestionKind};

/// A condition on a request (`RuleContext`). Cheap to clone; equal when written the same.
#[derive(Clone)]
pub struct Expression {
    inner: Arc<Compiled>,
}

struct Compiled {
    text: String,
    program: CelProgram,
    /// What it reads, each path once, in order of appearance.
    paths: Vec<Path>,
    lookups: BTreeSet<String>,
    answers: Vec<AnswerUse>,
    /// The questions as the expression uses their answers.
    assumed: Vec<Question>,
}

impl Expression {
    /// Parses and checks. `known_lookups` are the names of the questions that are configured.
    ///
    /// The parser recurses. What it is given is bounded (`tokens::MAX_WORDS`, `MAX_NESTING`), but
    /// not so narrowly that any stack would do: call this on a thread with at least `STACK` bytes.
    ///
    /// # Errors
    /// All mistakes, in order of place; of mistakes in grammar only the first.
    pub fn compile(
        text: &str,
        known_lookups: &BTreeSet<String>,
    ) -> Result<Self, Vec<RuleDiagnostic>> {
        let parsed = parse::parse(text).map_err(|diagnostic| vec![diagnostic])?;
        check::check(text, &parsed, known_lookups)?;
        let root = parsed.root;
        let mut paths = Vec::new();
        let mut lookups = BTreeSet::new();
        collect(&root, &mut paths, &mut lookups);
        let answers = answers::uses(&root);
        Ok(Self {
            inner: Arc::new(Compiled {
                text: text.to_owned(),
                program: CelProgram::new(root, &paths),
                paths,
                lookups,
                assumed: assumed(&answers),
                answers,
            }),
        })
    }

    /// Returns whether the request meets the condition. Takes some microseconds; nothing waits, and
    /// the work is bounded (`cel_backend::MAX_VALUES`, `check::MAX_NODES`).
    ///
    /// # Errors
    /// Why it cannot be said, for people: a key that is not there, an answer of another type than
    /// the rule takes, a number out of range, a division by zero.
    pub fn evaluate(&self, context: &RuleContext<'_>) -> Result<bool, String> {
        self.inner
            .program
            .evaluate(&self.with_assumed_questions(context))
    }

    /// Returns what the expression reads, with the values of this request: `name = value, …`, at most
    /// `detail::MAX_DETAIL` characters.
    pub fn describe_inputs(&self, context: &RuleContext<'_>) -> String {
        detail::describe(&self.inner.paths, &self.with_assumed_questions(context))
    }

    /// The context with the questions as this expression uses their answers, for those that the
    /// calendar does not describe.
    fn with_assumed_questions<'a>(&'a self, context: &RuleContext<'a>) -> RuleContext<'a> {
        RuleContext {
            questions: Questions {
                assumed: &self.inner.assumed,
                ..context.questions
            },
            ..*context
        }
    }

    /// The lookups that it names, in order.
    pub fn lookups(&self) -> impl Iterator<Item = &str> {
        self.inner.lookups.iter().map(String::as_str)
    }

    /// What it does with answers to booking questions, in order.
    pub fn answers(&self) -> &[AnswerUse] {
        &self.inner.answers
    }

    /// The names of the schema that it looks at, each once, in order of appearance.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for path in self.inner.paths.iter() {
            let name = schema::of(path.variable).path;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    pub fn text(&self) -> &str {
        &self.inner.text
    }
}

/// The stack that `Expression::compile` must have, in bytes: four times what the worst expression
/// takes without optimisation.
pub const STACK: usize = 16 * 1024 * 1024;

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.inner.text == other.inner.text
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.inner.text)
    }
}

/// The questions whose kind the uses of their answers agree on, where the kind changes how the text is
/// read that Cal.com sends.
fn assumed(uses: &[AnswerUse]) -> Vec<Question> {
    let mut assumed: Vec<Question> = Vec::new();
    for one in uses {
        let kinds = uses
            .iter()
            .filter(|other| other.slug == one.slug)
            .filter_map(|other| other.wants);
        let known = assumed.iter().any(|question| question.slug == one.slug);
        if let Some(kind @ (QuestionKind::Number | QuestionKind::Flag)) = one.wants
            && kinds.clone().all(|other| other == kind)
            && !known
        {
            assumed.push(Question {
                slug: one.slug.clone(),
                kind,
                asked: true,
            });
        }
    }
    assumed
}

/// Gathers what an expression looks at, each once, in order of appearance.
fn collect(node: &IdedExpr, paths: &mut Vec<Path>, lookups: &mut BTreeSet<String>) {
    if let Some(path) = path(node) {
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
        collect(child, paths, lookups);
    }
}

/// The longest path that a node is: a name of the schema and literal keys.
fn path(node: &IdedExpr) -> Option<Path> {
    if let Some(name) = syntax::named(node) {
        return Some(Path {
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
    Some(path(of)?.with(key))
}

fn is_map(node: &IdedExpr) -> bool {
    let maps = [
        RuleVariable::Lookups,
        RuleVariable::Answers,
        RuleVariable::Metadata,
        RuleVariable::Attributes,
    ];
    syntax::named(node).is_some_and(|name| maps.contains(&name.variable))
}
