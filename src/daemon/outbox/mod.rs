//! The outbox: which notifications are due, when they are sent, and what is remembered of that.
//!
//! A target has a worker, and a cursor in the log: the notifications of the commits before it were
//! delivered or dropped. The worker reads the commits after the cursor in pages and derives the
//! notifications from their facts (`ledger_reads`), and others from states of the process
//! (`conditions`) and from the passing of time. It delivers one after the other, so their order is
//! kept, and no worker waits for another one or holds up a pass. `service` starts the workers of the
//! daemon, `run_once` delivers within a time limit, `trial` tries targets, `farewell` tells of the
//! failure that ends the process, and `dead_man` calls the URL of the dead-man switch.

pub mod conditions;
pub mod dead_man;
pub mod farewell;
mod ledger_reads;
pub mod opened;
pub mod run_once;
pub mod service;
pub mod status;
pub mod trial;
mod worker;
