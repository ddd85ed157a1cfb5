//! Asks the operator's own systems who is a member: about one booker, or for all members.
//!
//! `client` holds the configured sources, with the limits, the cache and the transports of
//! `external`; `question` is what a system receives, `record` what it returns. `json_answer` reads
//! the answers of commands and endpoints, `csv_files` files, `database` the rows of a query. A
//! failure has a result too: it gives the reason, and is never taken for "no such member".

pub mod client;
mod csv_files;
#[cfg(feature = "sql")]
mod database;
mod endpoint;
mod json_answer;
pub mod question;
pub mod record;
pub mod setup_error;
