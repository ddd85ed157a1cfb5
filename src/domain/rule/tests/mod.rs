//! Tests of the promises about rules: tables of good and bad rules, limits, and the reference.

mod diagnostics;
mod evaluation;
mod fixtures;
mod limits;
mod random;
mod templates;
