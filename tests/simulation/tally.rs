//! What a run exercised. A simulation that never reached a state proves nothing about it.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

/// What the default run must have reached at least once.
pub const MUST_REACH: [&str; 98] = [
    "absence taken back",
    "accepted without a hold",
    "account frozen",
    "alias given",
    "an operator was quicker than a settlement",
    "away for a week",
    "booker cancelled: a part",
    "booker cancelled: all",
    "booker cancelled: nothing",
    "booker marked absent",
    "booking deleted",
    "both dialects: reads before acting",
    "call: answered without a reading",
    "call: clock jumped back",
    "call: clock jumped forward",
    "call: failed before",
    "call: lost after",
    "call: too late",
    "carried",
    "carried charge settled by an operator",
    "closed: deleted",
    "conflict",
    "credential refused",
    "dry run",
    "ended undecided",
    "granted",
    "grown while an intent was open",
    "hint lost",
    "host cancelled: a part",
    "host cancelled: all",
    "host cancelled: nothing",
    "host marked absent",
    "intent resumed",
    "late move",
    "list of the watch: stale",
    "list: row missing",
    "list: shuffled",
    "list: stale",
    "lot forfeited",
    "lot restored",
    "moved",
    "moved again",
    "moved back",
    "moved: a booking of its own",
    "moved: an occurrence of a series",
    "moved: by the pass",
    "moved: not all could be charged",
    "moved: the difference came back",
    "moved: the difference was charged",
    "no-show settled by hand",
    "operator gave back",
    "operator kept",
    "over",
    "pass failed",
    "pass stopped",
    "pass whole",
    "plan repeated",
    "rate limited",
    "replayed",
    "request closed undecided",
    "revived by a race",
    "revoked",
    "row unreadable",
    "seats switched on",
    "series confirmed",
    "series declined",
    "settled: confirmed",
    "settled: declined",
    "settled: superseded",
    "store: failed",
    "store: indeterminate, not written",
    "store: indeterminate, written",
    "successor declined",
    "successor refused with a cancellation",
    "the booker did not come: forgiven",
    "the booker did not come: kept",
    "the booker did not come: refunded",
    "the host did not come",
    "third party acted",
    "told: booking gone",
    "told: charge not read",
    "told: move not covered",
    "told: no-show to be settled",
    "told: row not read",
    "told: unmanaged",
    "unknown cancelled: a part",
    "unknown cancelled: all",
    "unknown cancelled: nothing",
    "unmanaged: cancelled",
    "unmanaged: charged",
    "unmanaged: charged in part",
    "unmanaged: reported",
    "voided",
    "watch failed",
    "watch stopped",
    "watch whole: audit",
    "watch whole: short",
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
