//! Faults between client and server, by rule: which calls, how many of them, and what goes wrong.
//! The rules are pure; `handler` (bodies) and `server` (connections, delays) carry out what a fault
//! means for the bytes that are sent.

use serde::{Deserialize, Serialize};

use super::booking::SandboxBooking;
use super::call_log::Operation;

/// Most rules in force at the same time: each call is checked against all of them.
pub const FAULT_RULES_MAX: usize = 1000;

/// The longest delay that a rule may ask for, in milliseconds: ten minutes exceed every client's
/// patience.
pub const FAULT_DELAY_MAX: u64 = 600_000;

/// At which point of a call a fault occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Before the call's check: nothing is done.
    Before,
    /// Between the two steps of a change: a confirm has mailed and written nothing yet; decline,
    /// cancel and reschedule have written and mailed nothing yet. A delay here is a slow mail
    /// server; a closed connection here is a server that dies. Calls that change nothing do not
    /// have this stage.
    Between,
    /// After everything is done.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
#[serde(deny_unknown_fields)]
pub enum Fault {
    /// 500 from the application.
    Error {
        /// When the fault strikes.
        stage: Stage,
    },
    /// 500 in the shape of a database that cannot be reached; nothing is changed.
    DatabaseDown,
    /// 502 with an HTML page, as a proxy in front of the server sends it.
    BadGateway {
        /// When the fault strikes.
        stage: Stage,
    },
    /// The connection is closed without an answer.
    HangUp {
        /// When the fault strikes.
        stage: Stage,
    },
    /// The answer ends in the middle; the change is made.
    Truncated,
    /// 429, whatever the limiter decides; nothing is changed. `reset` is in seconds.
    Limited {
        /// The seconds until calls are allowed, as the answer states them.
        reset: u32,
    },
    /// The answer is late by `ms` milliseconds. Before: the request is delayed in front of the
    /// server, and is lost if the client hangs up. Between: the second step is late, and the server
    /// continues whether or not the client is still connected.
    Slow {
        /// When the fault strikes.
        stage: Stage,
        /// The delay in milliseconds.
        ms: u64,
    },
    /// The body seems endless: it has a gigabyte; the change is made.
    Flood,
    /// The body arrives one byte at a time, every `ms` milliseconds; the change is made.
    Drip {
        /// The time between two bytes, in milliseconds.
        ms: u64,
    },
    /// 307 to another address; nothing is changed.
    Redirect {
        /// The address that the answer points to.
        to: String,
    },
    /// 500 whose text repeats the credential that was presented; nothing is changed.
    EchoKey,
    /// The state check passed before another call changed the booking (a race): confirm, decline
    /// and cancel act whatever the booking's state is.
    Race,
    /// A read shows the world as it was when the rule was added, or at the last
    /// `FaultRules::set_stale_rows`.
    Stale,
    /// Rows with equal sort keys come in another order.
    Shuffle,
    /// Rows of the answer are wrong: all of them, or only `booking` where the rule names a booking.
    Rows {
        /// What is wrong with the rows.
        as_if: RowFault,
    },
}

impl Fault {
    /// Returns the stage of a fault that can occur at several stages.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Fault::Error { stage }
            | Fault::BadGateway { stage }
            | Fault::HangUp { stage }
            | Fault::Slow { stage, .. } => Some(*stage),
            Fault::DatabaseDown
            | Fault::Truncated
            | Fault::Limited { .. }
            | Fault::Flood
            | Fault::Drip { .. }
            | Fault::Redirect { .. }
            | Fault::EchoKey
            | Fault::Race
            | Fault::Stale
            | Fault::Shuffle
            | Fault::Rows { .. } => None,
        }
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowFault {
    /// The status is `awaiting_host`.
    AwaitingHost,
    /// The status is an unknown word.
    UnknownStatus,
    /// The host's account is gone: `hosts[0].id` is the word "unknown".
    HostUnknown,
    /// The event type is gone.
    NoEventType,
    /// `updatedAt` is null.
    NoUpdated,
    /// The booker's answers cannot be read: the address is the word "unknown".
    BookerUnknown,
    /// A field that no version of the API has.
    ExtraField,
    /// Numbers where texts should be, and the other way round.
    WrongTypes,
    /// The row is missing, but the totals still count the row.
    Missing,
}

/// To how many calls a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultTimes {
    /// To every matching call.
    Always,
    /// To this many matching calls.
    #[serde(untagged)]
    Count(u32),
}

/// A rule that makes matching calls fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultRule {
    /// `None`: any call.
    #[serde(default)]
    pub call: Option<Operation>,
    /// Only calls that name this booking; for faults of rows, the row that is wrong.
    #[serde(default)]
    pub booking: Option<String>,
    /// How many matching calls succeed first.
    #[serde(default)]
    pub skip: u32,
    /// How many matching calls fail after that.
    #[serde(default = "one_time")]
    pub times: FaultTimes,
    /// What goes wrong.
    pub fault: Fault,
}

fn one_time() -> FaultTimes {
    FaultTimes::Count(1)
}

impl FaultRule {
    /// Returns a rule for only the next call of this kind.
    pub fn on_next(call: Operation, fault: Fault) -> Self {
        FaultRule {
            call: Some(call),
            booking: None,
            skip: 0,
            times: one_time(),
            fault,
        }
    }

    /// Returns a rule for every call of any kind.
    pub fn always(fault: Fault) -> Self {
        FaultRule {
            call: None,
            times: FaultTimes::Always,
            ..FaultRule::on_next(Operation::Other, fault)
        }
    }

    /// Limits the rule to calls that name this booking.
    #[must_use]
    pub fn for_booking(mut self, uid: &str) -> Self {
        self.booking = Some(uid.to_owned());
        self
    }

    /// Lets this many matching calls succeed first.
    #[must_use]
    pub fn skip_calls(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// Sets how many matching calls fail.
    #[must_use]
    pub fn times(mut self, times: FaultTimes) -> Self {
        self.times = times;
        self
    }

    /// Returns true when this rule applies to such a call.
    fn matches(&self, call: Operation, booking: Option<&str>) -> bool {
        let kind = self.call.is_none_or(|wanted| wanted == call);
        let of_rows = matches!(self.fault, Fault::Rows { .. });
        let of_reads = of_rows || matches!(self.fault, Fault::Stale | Fault::Shuffle);
        // Calls to unknown routes never reach the database.
        if self.fault == Fault::DatabaseDown && call == Operation::Other {
            return false;
        }
        if self.fault.stage() == Some(Stage::Between) && !call.has_steps() {
            return false;
        }
        let named = self.booking.as_deref();
        kind && (call.is_read() || !of_reads) && (of_rows || named.is_none() || named == booking)
    }
}

/// The faults of one call: all matching faults of rows, and at most one other fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedFault {
    /// The fault of the call as a whole; `None` if there is none.
    pub fault: Option<Fault>,
    /// The faults of rows, each with the uid of the row; `None`: all rows.
    pub row_faults: Vec<(Option<String>, RowFault)>,
}

/// The rules in force, in the order in which they were added: the first that matches applies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultRules {
    rules: Vec<FaultRule>,
    /// The rows that stale reads show.
    stale_rows: Vec<SandboxBooking>,
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultRuleError {
    /// `FAULT_RULES_MAX` rules are in force already.
    #[error("add a fault: {FAULT_RULES_MAX} rules at once are the most")]
    TooMany,
    /// The fault waits longer than `FAULT_DELAY_MAX`; the payload is its wait in milliseconds.
    #[error("add a fault that waits {0} ms: {FAULT_DELAY_MAX} ms are the most")]
    TooSlow(u64),
}

impl FaultRules {
    /// Adds a rule after the others. For a stale rule, stale reads show `rows` from now on.
    pub fn add(&mut self, rule: FaultRule, rows: &[SandboxBooking]) -> Result<(), FaultRuleError> {
        if self.rules.len() >= FAULT_RULES_MAX {
            return Err(FaultRuleError::TooMany);
        }
        if let Fault::Slow { ms, .. } | Fault::Drip { ms } = rule.fault
            && ms > FAULT_DELAY_MAX
        {
            return Err(FaultRuleError::TooSlow(ms));
        }
        if rule.fault == Fault::Stale {
            self.set_stale_rows(rows);
        }
        self.rules.push(rule);
        Ok(())
    }

    /// Removes all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Returns how many rules are still in force.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Returns true when no rule is in force.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Sets the rows that stale reads show.
    pub fn set_stale_rows(&mut self, rows: &[SandboxBooking]) {
        self.stale_rows = rows.to_vec();
    }

    pub(super) fn stale_rows(&self) -> &[SandboxBooking] {
        &self.stale_rows
    }

    /// Returns the faults of this call, and counts the call for the rules that apply.
    pub fn apply_fault(&mut self, call: Operation, booking: Option<&str>) -> AppliedFault {
        let mut struck = AppliedFault::default();
        self.rules.retain_mut(|rule| {
            if !rule.matches(call, booking) {
                return true;
            }
            let of_rows = matches!(rule.fault, Fault::Rows { .. });
            if !of_rows && struck.fault.is_some() {
                return true;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                return true;
            }
            if let Fault::Rows { as_if } = &rule.fault {
                struck
                    .row_faults
                    .push((rule.booking.clone(), as_if.clone()));
            } else {
                struck.fault = Some(rule.fault.clone());
            }
            match &mut rule.times {
                FaultTimes::Always => true,
                FaultTimes::Count(left) => {
                    *left = left.saturating_sub(1);
                    *left > 0
                }
            }
        });
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Fault = Fault::Error {
        stage: Stage::Before,
    };

    #[test]
    fn rules_apply_to_the_calls_that_they_name() {
        // rule, then calls with whether the rule applies to them
        let rows = [
            (
                FaultRule::on_next(Operation::Confirm, BEFORE),
                vec![
                    (Operation::List, None, false),
                    (Operation::Confirm, None, true),
                    (Operation::Confirm, None, false),
                ],
            ),
            (
                FaultRule::on_next(Operation::Confirm, BEFORE).skip_calls(1),
                vec![
                    (Operation::Confirm, None, false),
                    (Operation::Confirm, None, true),
                ],
            ),
            (
                FaultRule::on_next(Operation::Get, BEFORE).times(FaultTimes::Count(2)),
                vec![
                    (Operation::Get, None, true),
                    (Operation::Get, None, true),
                    (Operation::Get, None, false),
                ],
            ),
            (
                FaultRule::on_next(Operation::Decline, BEFORE).for_booking("a"),
                vec![
                    (Operation::Decline, Some("b"), false),
                    (Operation::Decline, Some("a"), true),
                ],
            ),
            (
                FaultRule::always(BEFORE),
                vec![(Operation::Me, None, true), (Operation::Other, None, true)],
            ),
            (
                FaultRule::always(Fault::DatabaseDown),
                vec![(Operation::Me, None, true), (Operation::Other, None, false)],
            ),
            (
                FaultRule::always(Fault::Stale),
                vec![
                    (Operation::Confirm, None, false),
                    (Operation::List, None, true),
                ],
            ),
            (
                FaultRule::always(Fault::HangUp {
                    stage: Stage::Between,
                }),
                vec![
                    (Operation::List, None, false),
                    (Operation::Create, None, false),
                    (Operation::Confirm, None, true),
                    (Operation::Cancel, None, true),
                ],
            ),
        ];
        for (rule, calls) in rows {
            let mut rules = FaultRules::default();
            rules.add(rule.clone(), &[]).unwrap();
            for (call, booking, struck) in calls {
                let got = rules.apply_fault(call, booking).fault;
                assert_eq!(got.is_some(), struck, "{rule:?} at {call:?} {booking:?}");
            }
        }
    }

    #[test]
    fn row_faults_add_up_and_at_most_one_other_fault_applies() {
        let mut rules = FaultRules::default();
        let row_fault = |as_if| FaultRule::on_next(Operation::List, Fault::Rows { as_if });
        rules
            .add(row_fault(RowFault::NoUpdated).for_booking("a"), &[])
            .unwrap();
        rules.add(row_fault(RowFault::Missing), &[]).unwrap();
        rules
            .add(FaultRule::on_next(Operation::List, BEFORE), &[])
            .unwrap();
        rules
            .add(FaultRule::on_next(Operation::List, Fault::Flood), &[])
            .unwrap();
        let struck = rules.apply_fault(Operation::List, None);
        assert_eq!(struck.fault, Some(BEFORE));
        let rows = [
            (Some("a".to_owned()), RowFault::NoUpdated),
            (None, RowFault::Missing),
        ];
        assert_eq!(struck.row_faults, rows);
        assert_eq!(
            rules.apply_fault(Operation::List, None).fault,
            Some(Fault::Flood)
        );
        assert!(rules.is_empty());
    }

    #[test]
    fn rules_are_written_as_in_files_and_bounded() {
        let text = r#"{"call":"confirm","booking":"a","skip":1,"times":"always",
            "fault":{"kind":"slow","stage":"after","ms":250}}"#;
        let rule: FaultRule = serde_json::from_str(text).unwrap();
        let expected = FaultRule::on_next(
            Operation::Confirm,
            Fault::Slow {
                stage: Stage::After,
                ms: 250,
            },
        );
        let expected = expected
            .for_booking("a")
            .skip_calls(1)
            .times(FaultTimes::Always);
        assert_eq!(rule, expected);
        let reparsed: FaultRule =
            serde_json::from_value(serde_json::to_value(&rule).unwrap()).unwrap();
        assert_eq!(reparsed, rule);
        let unknown = r#"{"fault":{"kind":"flood"},"speed":3}"#;
        assert!(serde_json::from_str::<FaultRule>(unknown).is_err());
        let slow = FaultRule::always(Fault::Drip {
            ms: FAULT_DELAY_MAX + 1,
        });
        let mut rules = FaultRules::default();
        assert_eq!(
            rules.add(slow, &[]),
            Err(FaultRuleError::TooSlow(FAULT_DELAY_MAX + 1))
        );
        for _ in 0..FAULT_RULES_MAX {
            rules.add(FaultRule::always(Fault::Race), &[]).unwrap();
        }
        assert_eq!(
            rules.add(FaultRule::always(Fault::Race), &[]),
            Err(FaultRuleError::TooMany)
        );
    }
}
