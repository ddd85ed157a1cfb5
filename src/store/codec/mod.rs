//! The written form of what is kept: in the log for ever, in the fold until it is rebuilt.
//!
//! These types belong to the stored format and to nothing else: field names and tags never change
//! their meaning, and a change of the domain's types changes nothing here by accident. A field or
//! a kind that this version does not know is refused, because to overlook it would be to miscount.
//! Enums are written as `"word"` or `{"word": {…}}`, in kebab case; fields that are empty or `None`
//! are left out; instants are `2026-11-24T05:32:51Z`, with `.123` when there are milliseconds.

pub mod account;
pub mod charge;
pub mod entry;
pub mod fact;
pub mod format_1;
pub mod ledger;
pub mod personal;
pub mod reason;
pub mod refund_terms;
pub mod request;
pub mod review;
pub mod text;
pub mod timestamp;
pub mod unresolved;
