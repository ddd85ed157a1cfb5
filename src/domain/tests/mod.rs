//! The core held to its promises: tables by precedence, and properties over random worlds.

mod absences;
mod asked;
mod claims;
mod criteria;
mod disclosure;
mod gates;
mod intents;
mod joined;
mod judging;
mod ledgers;
mod ledgers_random;
mod make;
mod memory;
mod moves;
mod plans;
mod plans_finish;
mod plans_random;
mod plans_unsettled;
mod refunds;
mod rules;
