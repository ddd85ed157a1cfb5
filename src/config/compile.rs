//! Expressions and templates of the configuration, compiled; each of their faults is a finding at its
//! own place.

use std::collections::BTreeSet;
use std::thread;

use super::hush;
use super::reader::Item;
use super::report::Report;
use crate::domain::rule::expression::{Expression, STACK};
use crate::domain::rule::fault::Fault;
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
    let compiled = deep(|| Template::compile(text).map_err(|fault| vec![fault]));
    accept(item, text, compiled, report)
}

fn accept<T>(
    item: &Item<'_>,
    text: &str,
    compiled: Result<T, Vec<Fault>>,
    report: &mut Report<'_>,
) -> Option<T> {
    let faults = match compiled {
        Ok(compiled) => return Some(compiled),
        Err(faults) => faults,
    };
    // Problems repeat words of the text.
    let hidden = report.is_hushed() || hush::line(text);
    for fault in faults {
        let fault = if hidden { unnamed(fault) } else { fault };
        report.fault(&item.path, text, fault);
    }
    None
}

fn unnamed(fault: Fault) -> Fault {
    Fault {
        problem: "there is a mistake in this text".to_owned(),
        help: "which one is not shown, as the file seems to hold a secret; take that out first"
            .to_owned(),
        ..fault
    }
}

/// Compiles on a stack that is large enough whoever asks.
fn deep<T: Send>(compile: impl FnOnce() -> Result<T, Vec<Fault>> + Send) -> Result<T, Vec<Fault>> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = match thread.spawn_scoped(scope, compile) {
            Ok(thread) => thread,
            Err(err) => {
                return Err(vec![Fault {
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
