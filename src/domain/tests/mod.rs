//! The core held to its promises: tables by precedence, and properties over random worlds.

mod absences;
mod evaluation_fixture;
mod actor_claims;
mod criteria;
mod disclosure;
mod gates;
mod intents;
mod joined_occurrences;
mod evaluation;
mod ledgers;
mod ledgers_random;
mod fixtures;
mod memory_ledger;
mod reschedules;
mod plans;
mod plans_finish;
mod plans_random;
mod plans_unsettled;
mod refunds;
mod rules;
