//! What all rules said of one request. A plan holds ten thousand of these and few are ever read, so
//! what expressions looked at stays a few bytes each, and words are made of it only when somebody
//! asks.

use std::fmt;
use std::sync::Arc;

use super::criteria::terms::Rule;
use super::decision::Finding;
use super::phrase::Name;
use super::rule::inputs::Kept;

/// The findings of one request, in the order in which the rules were looked at. Cheap to clone.
#[derive(Clone, Default)]
pub struct Findings {
    said: Arc<[Finding]>,
    expressions: Option<Arc<Expressions>>,
}

/// What the operator's own rules said: they stand between two of the others.
struct Expressions {
    /// How many of the others come before them.
    after: usize,
    /// The house's and the gate's.
    rules: [Arc<[Rule]>; 2],
    /// For each rule how it ended, and the length of its part of `kept`.
    ends: Box<[(End, u16)]>,
    /// What each looked at, or why it could not be told.
    kept: Box<[u8]>,
}

/// How one rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Holds,
    HoldsNot,
    /// It could not be told; what is kept is a text.
    Failed,
}

/// Room in which findings are gathered, for one request after the other.
#[derive(Default)]
pub struct Room {
    said: Vec<Finding>,
    after: usize,
    ends: Vec<(End, u16)>,
    kept: Kept,
}

impl Room {
    pub fn clear(&mut self) {
        self.said.clear();
        self.ends.clear();
        self.kept.clear();
    }

    pub fn say(&mut self, finding: Finding) {
        self.said.push(finding);
    }

    /// The next rule, in the order of the two lists, holds or not; `keep` writes down what it looked
    /// at.
    pub fn holds(&mut self, holds: bool, keep: impl FnOnce(&mut Kept)) {
        let end = if holds { End::Holds } else { End::HoldsNot };
        self.end(end, keep);
    }

    /// Why it cannot be told of the next rule.
    pub fn failed(&mut self, why: &str) {
        let longest = usize::from(u16::MAX);
        let whole = |end: &usize| why.is_char_boundary(*end);
        let end = (0..=why.len().min(longest)).rev().find(whole);
        self.end(End::Failed, |kept| kept.text(&why[..end.unwrap_or(0)]));
    }

    fn end(&mut self, end: End, keep: impl FnOnce(&mut Kept)) {
        if self.ends.is_empty() {
            self.after = self.said.len();
        }
        let from = self.kept.bytes().len();
        keep(&mut self.kept);
        // Far more than what is ever kept of one rule.
        let length = u16::try_from(self.kept.bytes().len() - from);
        let length = length.expect("what is kept of one rule is short");
        self.ends.push((end, length));
    }

    /// All that was said since it was cleared.
    pub fn findings(&mut self, rules: impl FnOnce() -> [Arc<[Rule]>; 2]) -> Findings {
        let expressions = (!self.ends.is_empty()).then(|| {
            Arc::new(Expressions {
                after: self.after,
                rules: rules(),
                ends: self.ends.as_slice().into(),
                kept: self.kept.bytes().into(),
            })
        });
        Findings {
            said: self.said.drain(..).collect(),
            expressions,
        }
    }
}

impl Expressions {
    fn findings(&self) -> impl Iterator<Item = Finding> {
        let rules = self.rules.iter().flat_map(|list| list.iter());
        let mut at = 0;
        rules.zip(&self.ends).map(move |(rule, (end, length))| {
            let part = at..at + usize::from(*length);
            at = part.end;
            let detail = match end {
                End::Holds | End::HoldsNot => rule.require.inputs_of(&self.kept, part).to_string(),
                End::Failed => String::from_utf8_lossy(&self.kept[part]).into_owned(),
            };
            Finding {
                rule: Name::Shared(Arc::clone(&rule.name)),
                passed: *end == End::Holds,
                detail: detail.into(),
            }
        })
    }
}

impl Findings {
    /// Each, in words.
    pub fn iter(&self) -> impl Iterator<Item = Finding> {
        let expressions = self.expressions.as_ref();
        let after = expressions.map_or(0, |expressions| expressions.after);
        let (before, behind) = self.said.split_at(after);
        before
            .iter()
            .cloned()
            .chain(expressions.into_iter().flat_map(|all| all.findings()))
            .chain(behind.iter().cloned())
    }
}

impl From<Vec<Finding>> for Findings {
    fn from(said: Vec<Finding>) -> Self {
        Self {
            said: said.into(),
            expressions: None,
        }
    }
}

/// Two are equal when they read the same.
impl PartialEq for Findings {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Findings {}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
