//! The configuration as plain typed values, already checked. The text is read once, at the start or
//! at a reload, and everything that is wrong with it is reported together, so that no code that
//! uses a value has to check it again. Nothing here opens a connection, and no message ever shows a
//! secret.
//!
//! Every key is a row (`key`), and every section has its rows in a file: `calcom`, `schedule`,
//! `store_and_control`, `metrics`, `page`, `dead_man`, `limits`, `global_policy`, `lookup`, `notify`,
//! `rule`, `shared_cap`, `localized_text` (reasons), and for a gate `gate`, `criteria` and `refund_policy`.
//! `schema` lists the sections. From the rows come the reading (`parse`), `config.toml` and
//! `docs/config.md` (`documentation`), the hash of the policy (`policy_hash`), and what
//! `maitred config show` prints. `value_type` has the types of values.
//!
//! `load` reads the file and `parse` the text. `model` is the result, and `diagnostic` describes
//! what is wrong with the text. `secret` finds the API key, which is never in the configuration.
//! `recurrence` computes when a schedule is due next. `policy_test` reads the example bookings with
//! which a configuration is tested. `key_names` knows old names, `secret_detection` what no message
//! may show. The other files without `pub` read one kind of value each.

pub mod diagnostic;
pub mod documentation;
mod import;
pub mod key;
pub mod load;
pub mod model;
pub mod parse;
pub mod policy_test;
pub mod recurrence;
pub mod rule;
pub mod schema;
pub mod secret;
pub mod socket;

mod access_list;
mod allowance;
mod api_key_check;
mod backup;
mod calcom;
mod calendar_value;
mod cap;
mod check;
mod compile;
mod cost;
mod credits;
mod criteria;
mod dead_man;
mod diagnostic_collector;
mod event_type;
mod gate;
mod global_policy;
mod key_names;
mod limits;
mod localized_text;
mod lookup;
mod lookup_source;
mod metrics;
mod notify;
mod notify_target;
mod on_violation;
mod page;
mod policy_hash;
mod price;
mod reader;
mod refund_policy;
mod schedule;
mod secret_detection;
mod shared_cap;
mod source;
mod source_values;
mod store_and_control;
mod string_spans;
mod time_window;
mod value;
mod value_type;
