//! Reasons for bookers, as templates: the same names as in expressions, times in the gate's time
//! zone.

mod check;
mod values;

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, UndefinedBehavior};

use self::values::TextLimits;
use super::context::RuleContext;
use super::diagnostic::RuleDiagnostic;

/// The longest template, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 4 * 1024;

/// The longest text that a template may make, in characters. A decline carries it into a mail.
pub const MAX_RENDERED: usize = 500;

/// The most work of one rendering, in the engine's units: about one per instruction and one per 64
/// bytes. A template of a few lines takes a few hundred.
const FUEL: u64 = 20_000;

/// The template engine. Undefined names are errors, and nothing is included. Nothing is escaped,
/// because the text goes into mails as text.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.remove_global("debug");
    engine
});

/// A text with placeholders for values of the request. Cheap to clone. Two are equal when their
/// texts are.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: Arc<str>,
}

impl Template {
    /// # Errors
    /// Returns the first mistake: wrong syntax, an unknown name, an unknown filter.
    pub fn compile(text: &str) -> Result<Self, RuleDiagnostic> {
        check::check_template(text)?;
        Ok(Self { text: text.into() })
    }

    /// Returns the text for this request: one line, at most `MAX_RENDERED` characters.
    ///
    /// # Errors
    /// Returns why there is no text, in a text for people: an answer is missing, or rendering would
    /// take too much work.
    pub fn render(&self, context: &RuleContext<'_>) -> Result<String, String> {
        let render_within = |limits| {
            let rendered = render(&self.text, &|root| {
                values::root_value(root, context, limits)
            });
            rendered
                .map(|text| to_single_line(&text))
                .map_err(|error| values::error_message(&error))
        };
        let mut line = render_within(TextLimits::DEFAULT)?;
        if line.chars().nth(MAX_RENDERED).is_some() {
            line = render_within(TextLimits::REDUCED)?;
        }
        let line = truncate(line);
        if line.is_empty() {
            return Err("the template produces no text".to_owned());
        }
        Ok(line)
    }

    /// Returns the template as the operator wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.text)
    }
}

/// Renders a text with the values that `value` returns for the root names in the text.
fn render(
    text: &str,
    value: &dyn Fn(&str) -> Option<minijinja::Value>,
) -> Result<String, minijinja::Error> {
    let template = ENGINE.template_from_str(text)?;
    let roots = template.undeclared_variables(false);
    let known = roots.into_iter().filter_map(|root| {
        let value = value(&root)?;
        Some((root, value))
    });
    let variables: std::collections::BTreeMap<String, minijinja::Value> = known.collect();
    template.render(minijinja::Value::from(variables))
}

/// Makes one line of a text: blanks and control characters become single spaces.
fn to_single_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Cuts a text that is longer than a reason may be.
fn truncate(line: String) -> String {
    if line.chars().nth(MAX_RENDERED).is_none() {
        return line;
    }
    let prefix: String = line.chars().take(MAX_RENDERED - 1).collect();
    format!("{}…", prefix.trim_end())
}
