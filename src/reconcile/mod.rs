//! One pass: observe, plan, execute, settle. Awaits the ports; opens nothing itself.

pub mod allowance_scan;
pub mod allowances;
pub mod booking_pass;
pub mod booking_reads;
pub mod clock;
pub mod context;
mod dry_run;
pub mod execute;
mod identity;
mod known_pending;
pub mod member_reads;
mod memory_budget;
pub mod observe;
pub mod pass;
pub mod pin;
mod predecessor;
mod replacement;
pub mod report;
pub mod send;
pub mod store_reads;
pub mod usage_history;
pub mod watch;
