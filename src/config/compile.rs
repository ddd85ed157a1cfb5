//! Expressions and templates of the configuration, compiled; each of their diagnostics is a finding at its
//! own place.

use std::collections::BTreeSet;
use std::thread;

use super::hush;
use super::reader::Item;
use super::report::Report;
use crate::domain::rule::diagnostic::RuleDiagnostic;
use crate::domain::rule::expression::{Expression, STACK};
use crate::domain::rule::template::Template;

/// The condition at the key. `lookups` are the names of the questions that it may use.
pub(super) fn expression(
    item: &Item<'_>,
    lookups: &BTreeSet<String>,
    report: &mut Report<'_>,
) -> Option<Expression> {
    let text = item.text("member.tier == 'gold'", report)?;
    let compiled = deep(|| Expression::compile(text, lookups));
    accept(item, text, compiled, report)
}

/// The template at the key.
pub(super) fn template(item: &Item<'_>, report: &mut Report<'_>) -> Option<Template> {
    let text = item.text("Your balance is {{ member.balance }}.", report)?;
    let compiled = deep(|| Template::compile(text).map_err(|diagnostic| vec![diagnostic]));
    accept(item, text, compiled, report)
}

fn accept<T>(
    item: &Item<'_>,
    text: &str,
    compiled: Result<T, Vec<RuleDiagnostic>>,
    report: &mut Report<'_>,
) -> Option<T> {
    let diagnostics = match compiled {
        Ok(compiled) => return Some(compiled),
        Err(diagnostics) => diagnostics,
    };
    // Problems repeat words of the text.
    let hidden = report.is_hushed() || hush::line(text);
    for diagnostic in diagnostics {
        let diagnostic = if hidden {
            unnamed(diagnostic)
        } else {
            diagnostic
        };
        report.rule_diagnostic(&item.path, text, diagnostic);
    }
    None
}

fn unnamed(diagnostic: RuleDiagnostic) -> RuleDiagnostic {
    RuleDiagnostic {
        problem: "there is a mistake in this text".to_owned(),
        help: "which one is not shown, as the file seems to hold a secret; take that out first"
            .to_owned(),
        ..diagnostic
    }
}

/// Compiles on a stack that is large enough whoever asks.
fn deep<T: Send>(
    compile: impl FnOnce() -> Result<T, Vec<RuleDiagnostic>> + Send,
) -> Result<T, Vec<RuleDiagnostic>> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = match thread.spawn_scoped(scope, compile) {
            Ok(thread) => thread,
            Err(err) => {
                return Err(vec![RuleDiagnostic {
                    at: 0..0,
                    problem: format!("this could not be looked at: no thread for it ({err})"),
                    help: "try again when the machine is less busy".to_owned(),
                }]);
            }
        };
        match thread.join() {
            Ok(compiled) => compiled,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
