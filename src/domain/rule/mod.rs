//! The house's own rules: expressions that are checked before they are let loose, and the templates
//! that tell a booker why.
//!
//! Expressions are written in CEL, and the `cel` crate is the reference for what they mean: it
//! parses them (`parse`), and it evaluates them (`interpret`). Before that, `check` holds each to
//! the names and types of `schema`, so that a mistake is found when the configuration is read, with
//! its place, and not when somebody books. What most rules are made of is lowered to a small tree of
//! our own (`lower`, `tree`) that gives the same answers (a property test compares the two) much
//! faster, because a pass evaluates every rule for every request. Whatever contains
//! anything else goes to the reference as a whole.
//!
//! Nothing here parses on a stack of its own choosing: `Expression::compile` says what it needs.

pub mod answers;
mod check;
pub mod expression;
pub mod fault;
mod field;
mod functions;
pub mod inputs;
mod interpret;
mod lower;
mod parse;
mod pattern;
pub mod schema;
pub mod scope;
pub mod template;
mod tokens;
mod tree;
pub mod types;
mod value;
pub mod words;

#[cfg(test)]
mod tests;
