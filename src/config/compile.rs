//! Compiles the expressions and templates of the configuration. Each problem is reported at its own
//! place in the text.

use std::collections::BTreeSet;
use std::thread;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::toml_value::TomlValue;
use super::secret_detection;
use crate::domain::rule::diagnostic::RuleDiagnostic;
use crate::domain::rule::expression::{Expression, MIN_STACK_BYTES};
use crate::domain::rule::template::Template;

/// Compiles the condition at the key. `lookups` are the names of the lookups that it may use.
pub(super) fn compile_expression(
    item: &TomlValue<'_>,
    lookups: &BTreeSet<String>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Expression> {
    let text = item.text("member.tier == 'gold'", report)?;
    let compiled = compile_on_large_stack(|| Expression::compile(text, lookups));
    report_failure(item, text, compiled, report)
}

/// Compiles the price at the key. `lookups` are the names of the lookups that it may use.
pub(super) fn compile_price(
    item: &TomlValue<'_>,
    lookups: &BTreeSet<String>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Expression> {
    let text = item.text("1 + size(booking.guests)", report)?;
    let compiled = compile_on_large_stack(|| Expression::compile_price(text, lookups));
    report_failure(item, text, compiled, report)
}

/// Compiles a price that the reading of another value has made. Its text is right.
pub(super) fn compile_generated_price(
    text: &str,
    lookups: &BTreeSet<String>,
) -> Result<Expression, Vec<RuleDiagnostic>> {
    compile_on_large_stack(|| Expression::compile_price(text, lookups))
}

/// Compiles the template at the key.
pub(super) fn compile_template(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Template> {
    let text = item.text("Your balance is {{ member.balance }}.", report)?;
    let compiled =
        compile_on_large_stack(|| Template::compile(text).map_err(|diagnostic| vec![diagnostic]));
    report_failure(item, text, compiled, report)
}

fn report_failure<T>(
    item: &TomlValue<'_>,
    text: &str,
    compiled: Result<T, Vec<RuleDiagnostic>>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<T> {
    let diagnostics = match compiled {
        Ok(compiled) => return Some(compiled),
        Err(diagnostics) => diagnostics,
    };
    // The problems repeat words of the text.
    let hidden = report.has_secret() || secret_detection::line_has_secret(text);
    for diagnostic in diagnostics {
        let diagnostic = if hidden {
            redact(diagnostic)
        } else {
            diagnostic
        };
        report.rule_error(&item.path, text, diagnostic);
    }
    None
}

fn redact(diagnostic: RuleDiagnostic) -> RuleDiagnostic {
    RuleDiagnostic {
        problem: "there is a mistake in this text".to_owned(),
        help: "which one is not shown, as the file seems to hold a secret; take that out first"
            .to_owned(),
        ..diagnostic
    }
}

/// Compiles on a thread of its own, so that the stack is large enough for every caller.
fn compile_on_large_stack<T: Send>(
    compile: impl FnOnce() -> Result<T, Vec<RuleDiagnostic>> + Send,
) -> Result<T, Vec<RuleDiagnostic>> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(MIN_STACK_BYTES);
        let thread = match thread.spawn_scoped(scope, compile) {
            Ok(thread) => thread,
            Err(err) => {
                return Err(vec![RuleDiagnostic {
                    at: 0..0,
                    problem: format!(
                        "this could not be checked: no thread could be started \
                     ({err})"
                    ),
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
