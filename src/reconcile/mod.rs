//! One pass: observe, plan, execute, settle. Awaits the ports; opens nothing itself.

pub mod usage_history;
mod predecessor;
pub mod clock;
pub mod send;
mod dry_run;
pub mod execute;
mod identity;
pub mod store_reads;
pub mod observe;
pub mod pass;
pub mod pin;
pub mod context;
pub mod report;
mod memory_budget;
pub mod booking_reads;
pub mod watch;
