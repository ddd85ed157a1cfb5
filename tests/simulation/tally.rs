//! What a run exercised. A simulation that never reached a state proves nothing about it.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

/// What the default run must have reached at least once.
pub const MUST_REACH: [&str; 37] = [
    "account frozen",
    "alias given",
    "both dialects: reads before acting",
    "call: answered without a reading",
    "call: clock jumped back",
    "call: clock jumped forward",
    "call: failed before",
    "call: lost after",
    "call: too late",
    "carried",
    "conflict",
    "credential refused",
    "dry run",
    "granted",
    "grown while an intent was open",
    "intent resumed",
    "list: row missing",
    "list: shuffled",
    "list: stale",
    "pass failed",
    "pass stopped",
    "pass whole",
    "plan repeated",
    "rate limited",
    "replayed",
    "revoked",
    "series confirmed",
    "series declined",
    "settled: confirmed",
    "settled: declined",
    "settled: superseded",
    "store: failed",
    "store: indeterminate, not written",
    "store: indeterminate, written",
    "third party acted",
    "voided",
    "written off",
];

impl Tally {
    pub fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn extend(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub fn missing(&self) -> Vec<&'static str> {
        let reached = |what: &&&str| !self.0.contains_key(**what);
        MUST_REACH.iter().filter(reached).copied().collect()
    }
}
