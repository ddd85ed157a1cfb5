//! The operator's own rules: expressions that are checked when the configuration is read, and the
//! templates that give a booker the reason.
//!
//! Expressions are written in CEL. The `cel` crate parses (`parse`) and evaluates them
//! (`cel_backend`). In between, `check` compares each expression with the names and types of
//! `schema`, so that a mistake is reported with its place when the configuration is read, and not
//! when a booker makes a request. `detail` describes what an expression read, for the finding of
//! the rule.
//!
//! This module does not choose the stack on which it parses. `Expression::compile` documents the
//! stack that it needs.

pub mod answer_usage;
mod cel_backend;
mod check;
pub mod context;
pub mod detail;
pub mod diagnostic;
pub mod expression;
mod functions;
pub mod localized_text;
mod parse;
mod pattern;
pub mod schema;
mod syntax;
pub mod template;
mod tokens;
pub mod types;
mod value;
mod variable;

#[cfg(test)]
mod tests;
