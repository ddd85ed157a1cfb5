//! The written form of everything that is stored: in the log forever, in the projection until it is
//! rebuilt.
//!
//! These types belong to the stored format only: field names and tags never change their meaning,
//! and a change of the domain's types changes nothing here by accident. A field or a kind that this
//! version does not know is refused, because ignoring it would mean miscounting. Enums are written
//! as `"word"` or `{"word": {…}}`, in kebab case; fields that are empty or `None` are left out;
//! instants are `2026-11-24T05:32:51Z`, with `.123` if there are milliseconds.

pub mod account;
pub mod actor;
pub mod charge;
pub mod daily_totals;
pub mod entry;
pub mod fact;
pub mod fact_record;
pub mod format_1;
pub mod ledger;
pub mod lot;
pub mod personal;
pub mod reason;
pub mod refund_terms;
pub mod request;
pub mod review;
pub mod text;
pub mod timestamp;
pub mod unresolved;
