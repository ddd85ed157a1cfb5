//! Pauses: an operator stops maitred, or one gate, for a while. A pause is a fact of the ledger, so
//! it survives a restart and a move to another machine.

use std::collections::BTreeMap;

use super::time::{Time, format_instant};

/// One pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When the pause began.
    pub since: Time,
    /// When the pause ends by itself. `None`: when an operator ends it.
    pub until: Option<Time>,
    /// Why the operator pauses, for people.
    pub reason: String,
}

impl Pause {
    /// Returns true if the pause has not ended by itself.
    pub fn is_active(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Returns when the pause ends and why it was made: `paused until TIME: TEXT`.
    pub fn describe(&self) -> String {
        let until = match self.until {
            Some(until) => format!("until {}", format_instant(until)),
            None => "until `maitred resume`".to_owned(),
        };
        match self.reason.as_str() {
            "" => format!("paused {until}"),
            reason => format!("paused {until}: {reason}"),
        }
    }
}

/// The pauses of a ledger. A pause that has ended by itself stays until the next change, so each
/// reader says at which instant it asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    /// The pause of everything: no pass and no watch starts.
    pub all: Option<Pause>,
    /// The pauses of single gates: nothing is decided about their requests.
    pub gates: BTreeMap<String, Pause>,
}

impl Pauses {
    /// Returns the pause of everything, if there is one at this instant.
    pub fn of_all(&self, now: Time) -> Option<&Pause> {
        self.all.as_ref().filter(|pause| pause.is_active(now))
    }

    /// Returns the pause of the gate, if there is one at this instant.
    pub fn of_gate(&self, gate: &str, now: Time) -> Option<&Pause> {
        self.gates.get(gate).filter(|pause| pause.is_active(now))
    }

    /// Returns the pauses of gates at this instant.
    pub fn of_gates(&self, now: Time) -> BTreeMap<String, Pause> {
        let active = self.gates.iter().filter(|(_, pause)| pause.is_active(now));
        active
            .map(|(gate, pause)| (gate.clone(), pause.clone()))
            .collect()
    }

    /// Sets or ends (`None`) the pause of a gate, or of everything without a gate. Pauses that have
    /// ended by `at` are removed.
    pub fn set(&mut self, gate: Option<&str>, pause: Option<Pause>, at: Time) {
        match (gate, pause) {
            (None, pause) => self.all = pause,
            (Some(gate), Some(pause)) => drop(self.gates.insert(gate.to_owned(), pause)),
            (Some(gate), None) => drop(self.gates.remove(gate)),
        }
        self.all.take_if(|pause| !pause.is_active(at));
        self.gates.retain(|_, pause| pause.is_active(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    fn pause(since: Time, until: Option<Time>) -> Pause {
        Pause {
            since,
            until,
            reason: "the host is ill".to_owned(),
        }
    }

    #[test]
    fn a_pause_ends_by_itself_and_is_removed_by_the_next_change() {
        let noon: Time = "2026-11-24T12:00:00Z".parse().expect("an instant");
        let later = |hours| noon + Span::hours(hours);
        let mut pauses = Pauses::default();
        assert_eq!(pauses.of_all(noon), None);
        pauses.set(None, Some(pause(noon, Some(later(2)))), noon);
        pauses.set(Some("club"), Some(pause(noon, Some(later(1)))), noon);
        pauses.set(Some("dinner"), Some(pause(noon, None)), noon);
        let rows = [
            (0, true, vec!["club", "dinner"]),
            (1, true, vec!["dinner"]),
            (2, false, vec!["dinner"]),
            (10_000, false, vec!["dinner"]),
        ];
        for (hours, all, gates) in rows {
            let now = later(hours);
            assert_eq!(pauses.of_all(now).is_some(), all, "{hours}");
            let active = pauses.of_gates(now);
            assert_eq!(active.keys().collect::<Vec<_>>(), gates, "{hours}");
            for gate in ["club", "dinner"] {
                let is_paused = pauses.of_gate(gate, now).is_some();
                assert_eq!(is_paused, gates.contains(&gate), "{hours}: {gate}");
            }
        }
        pauses.set(Some("dinner"), None, later(1));
        assert!(pauses.gates.is_empty(), "{pauses:?}");
        assert!(pauses.all.is_some(), "it lasts");
        pauses.set(Some("dinner"), None, later(2));
        assert_eq!(pauses, Pauses::default());
    }

    #[test]
    fn a_pause_is_described_with_its_end_and_its_reason() {
        let noon: Time = "2026-11-24T12:00:00Z".parse().expect("an instant");
        let timed = pause(noon, Some(noon)).describe();
        assert!(timed.starts_with("paused until 2026-11-24"), "{timed}");
        assert!(timed.ends_with(": the host is ill"), "{timed}");
        let open = Pause {
            reason: String::new(),
            ..pause(noon, None)
        };
        assert_eq!(open.describe(), "paused until `maitred resume`");
    }
}
