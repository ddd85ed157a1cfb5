//! A rule's condition: compiled and checked once, then evaluated for every request.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::answers::{self, AnswerUse};
use super::check;
use super::fault::Fault;
use super::field::Field;
use super::inputs::{Inputs, Kept, Path};
use super::interpret::{self, Reference};
use super::lower;
use super::parse;
use super::schema;
use super::scope::{Questions, Scope};
use super::tree::Node;
use crate::domain::booking::{Question, QuestionKind};

/// A condition over a `Scope`. Cheap to clone; equal when written the same.
#[derive(Clone)]
pub struct Expression {
    inner: Arc<Compiled>,
}

struct Compiled {
    text: String,
    /// `None` when only the reference can evaluate it.
    tree: Option<Node>,
    reference: Reference,
    paths: Arc<[Path]>,
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
    pub fn compile(text: &str, known_lookups: &BTreeSet<String>) -> Result<Self, Vec<Fault>> {
        let parsed = parse::parse(text).map_err(|fault| vec![fault])?;
        check::check(text, &parsed, known_lookups)?;
        let root = parsed.root;
        let mut paths = Vec::new();
        let mut lookups = BTreeSet::new();
        collect(&root, &mut paths, &mut lookups);
        let answers = answers::uses(&root);
        Ok(Self {
            inner: Arc::new(Compiled {
                text: text.to_owned(),
                tree: lower::lower(&root),
                reference: Reference::new(root),
                paths: paths.into(),
                lookups,
                assumed: assumed(&answers),
                answers,
            }),
        })
    }

    /// Whether the condition holds. Takes some ten nanoseconds a node, or some hundred where the
    /// reference evaluates; nothing waits, and what is gone through is bounded
    /// (`interpret::MAX_VALUES`, `check::MAX_NODES`).
    ///
    /// # Errors
    /// Why it cannot be said, for people: a key that is not there, an answer of another type than
    /// the rule takes, a number out of range, a division by zero.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        let scope = self.with_assumed(scope);
        match &self.inner.tree {
            Some(tree) => tree.holds(&scope),
            None => self.inner.reference.holds(&scope),
        }
    }

    /// The scope with the questions as this expression uses their answers, for those that the calendar
    /// does not describe.
    fn with_assumed<'a>(&'a self, scope: &Scope<'a>) -> Scope<'a> {
        Scope {
            questions: Questions {
                assumed: &self.inner.assumed,
                ..scope.questions
            },
            ..*scope
        }
    }

    /// As `holds`, but by the reference in any case: what tests and benchmarks compare with.
    ///
    /// # Errors
    /// Where `holds` has one, in words that may differ.
    pub fn holds_by_reference(&self, scope: &Scope<'_>) -> Result<bool, String> {
        self.inner.reference.holds(&self.with_assumed(scope))
    }

    /// Whether `holds` does without the reference.
    pub fn is_lowered(&self) -> bool {
        self.inner.tree.is_some()
    }

    /// What the expression looks at, as it is in this scope.
    pub fn inputs(&self, scope: &Scope<'_>) -> Inputs {
        let mut kept = Kept::default();
        self.keep_inputs(scope, &mut kept);
        let bytes = kept.bytes();
        self.inputs_of(bytes, 0..bytes.len())
    }

    /// What the expression looks at, as bytes for `inputs_of`: a few for each name.
    pub fn keep_inputs(&self, scope: &Scope<'_>, kept: &mut Kept) {
        kept.capture(&self.inner.paths, &self.with_assumed(scope));
    }

    /// What `keep_inputs` wrote, to be shown: all bytes, and which part is this expression's.
    pub fn inputs_of(&self, kept: &[u8], part: Range<usize>) -> Inputs {
        Inputs::of(&self.inner.paths, kept, part)
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
            let known = schema::NAMES.iter().find(|name| name.field == path.field);
            let name = known.expect("every path is of a name of the schema").path;
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
        if path.field == Field::Lookups
            && let Some(name) = path.keys.first()
        {
            lookups.insert(name.to_string());
        }
        if paths.iter().all(|known| known.shown != path.shown) {
            paths.push(path);
        }
        return;
    }
    for child in interpret::children(node) {
        collect(child, paths, lookups);
    }
}

/// The longest path that a node is: a name of the schema and literal keys.
fn path(node: &IdedExpr) -> Option<Path> {
    if let Some(name) = interpret::named(node) {
        return Some(Path {
            field: name.field,
            keys: Vec::new(),
            shown: name.path.to_owned(),
        });
    }
    let (of, key) = match &node.expr {
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [of, key]) => (of, text(key)?),
            (operators::IN, [key, of]) if is_map(of) => (of, text(key)?),
            (_, _) => return None,
        },
        _ => return None,
    };
    Some(path(of)?.with(key))
}

fn is_map(node: &IdedExpr) -> bool {
    let maps = [
        Field::Lookups,
        Field::Answers,
        Field::Metadata,
        Field::Attributes,
    ];
    interpret::named(node).is_some_and(|name| maps.contains(&name.field))
}

fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
