//! One pass: observe, plan, execute, settle. Awaits the ports; opens nothing itself.

pub mod before;
mod chain;
pub mod clock;
pub mod deliver;
mod dry_run;
pub mod execute;
mod identity;
pub mod known;
pub mod observe;
pub mod pass;
pub mod pin;
pub mod ports;
pub mod report;
mod room;
pub mod sight;
pub mod watch;
