//! Tests of the domain's promises: tables by precedence, and properties over random worlds.

mod absences;
mod actor_claims;
mod criteria;
mod disclosure;
mod evaluation;
mod evaluation_fixture;
mod fixtures;
mod gates;
mod intents;
mod joined_occurrences;
mod ledger_checks;
mod ledgers;
mod ledgers_random;
mod lots;
mod member_changes;
mod notifications;
mod plans;
mod plans_finish;
mod plans_random;
mod plans_unsettled;
mod prices;
mod refunds;
mod reschedules;
mod rule_table;
mod rules;
mod shared_caps;
