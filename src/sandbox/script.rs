//! Actions at an exact point between the calls: after the Nth call of a kind and before the next
//! one, just before the Nth, or between its steps. The points are counted, not timed, because a
//! rehearsal must end the same way every time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::ThirdPartyAction;
use super::call_log::Operation;

/// Most entries of one script: a script is written by hand.
pub const SCRIPT_MAX: usize = 10_000;

/// When, relative to its call, an entry's actions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerTime {
    /// Right before the call.
    Before,
    /// Between the two steps of a call that changes something (`faults::Stage::Between`).
    Between,
    /// After the call, and before the next one.
    After,
}

/// Which call an entry waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trigger {
    /// When, relative to the call, the actions run.
    pub when: TriggerTime,
    /// `None`: any call.
    #[serde(default)]
    pub call: Option<Operation>,
    /// Only calls that name this booking (by uid; in v1 the uid of the booking with the number in
    /// the call).
    #[serde(default)]
    pub booking: Option<String>,
    /// Which of the matching calls since the entry was added, counted from 1.
    #[serde(default = "default_nth")]
    pub nth: u32,
}

fn default_nth() -> u32 {
    1
}

impl Trigger {
    /// Returns the point after the nth call of this kind, counted from 1.
    pub fn after(call: Operation, nth: u32) -> Self {
        Trigger {
            when: TriggerTime::After,
            call: Some(call),
            booking: None,
            nth,
        }
    }

    /// Returns a trigger between the steps of a confirm, decline, cancel or reschedule. Calls that
    /// are refused have no such point and do not count.
    pub fn between(call: Operation, nth: u32) -> Self {
        Trigger {
            when: TriggerTime::Between,
            ..Trigger::after(call, nth)
        }
    }

    /// Returns the point right before the nth call of this kind, counted from 1.
    pub fn before(call: Operation, nth: u32) -> Self {
        Trigger {
            when: TriggerTime::Before,
            ..Trigger::after(call, nth)
        }
    }

    /// Counts only calls about this booking.
    #[must_use]
    pub fn for_booking(mut self, uid: &str) -> Self {
        self.booking = Some(uid.to_owned());
        self
    }
}

/// The entries that are still to happen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    entries: BTreeMap<u64, ScriptEntry>,
    last_id: u64,
    /// Actions that could not be carried out when they were due, as text, so that a broken script
    /// is noticed.
    pub failures: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct ScriptEntry {
    trigger: Trigger,
    matched_calls: u32,
    actions: Vec<ThirdPartyAction>,
}

impl Script {
    /// Adds an entry, which runs once.
    pub fn add(&mut self, trigger: Trigger, actions: Vec<ThirdPartyAction>) {
        self.last_id += 1;
        self.entries.insert(
            self.last_id,
            ScriptEntry {
                trigger,
                matched_calls: 0,
                actions,
            },
        );
    }

    /// Returns how many entries have not happened yet.
    pub fn pending_count(&self) -> usize {
        self.entries.len()
    }

    /// Removes and returns the actions that are due at this point of the call, in the order in
    /// which they were added.
    pub fn take_due(
        &mut self,
        when: TriggerTime,
        call: Operation,
        booking: Option<&str>,
    ) -> Vec<ThirdPartyAction> {
        let mut due = Vec::new();
        self.entries.retain(|_, entry| {
            let trigger = &entry.trigger;
            let matches_call = trigger.call.is_none_or(|wanted| wanted == call);
            let matches_booking = trigger
                .booking
                .as_deref()
                .is_none_or(|wanted| booking == Some(wanted));
            if trigger.when != when || !matches_call || !matches_booking {
                return true;
            }
            entry.matched_calls += 1;
            if entry.matched_calls < trigger.nth {
                return true;
            }
            due.append(&mut entry.actions);
            false
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(seconds: i64) -> Vec<ThirdPartyAction> {
        vec![ThirdPartyAction::Advances { seconds }]
    }

    #[test]
    fn entries_run_once_and_at_their_trigger() {
        let mut script = Script::default();
        script.add(Trigger::after(Operation::List, 2), action(1));
        script.add(
            Trigger::before(Operation::Confirm, 1).for_booking("b"),
            action(2),
        );
        let any = Trigger {
            call: None,
            ..Trigger::after(Operation::List, 3)
        };
        script.add(any, action(3));
        // call, booking, due before, due after
        let rows = [
            (Operation::List, None, None, None),
            (Operation::Confirm, Some("a"), None, None),
            (Operation::List, None, None, Some(vec![1, 3])),
            (Operation::Confirm, Some("b"), Some(vec![2]), None),
            (Operation::Confirm, Some("b"), None, None),
        ];
        for (number, (call, booking, before, after)) in rows.into_iter().enumerate() {
            let seconds = |due: Vec<ThirdPartyAction>| -> Option<Vec<i64>> {
                let due: Vec<i64> = due
                    .into_iter()
                    .map(|action| match action {
                        ThirdPartyAction::Advances { seconds } => seconds,
                        other => panic!("not in this script: {other:?}"),
                    })
                    .collect();
                (!due.is_empty()).then_some(due)
            };
            assert_eq!(
                seconds(script.take_due(TriggerTime::Before, call, booking)),
                before,
                "before call {number}"
            );
            assert_eq!(
                seconds(script.take_due(TriggerTime::After, call, booking)),
                after,
                "after call {number}"
            );
        }
        assert_eq!(script.pending_count(), 0);
    }
}
