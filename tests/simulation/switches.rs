//! Behaviours of a real server and of real people that were added one by one: each is a switch, so
//! that a failure can be narrowed down to the behaviours that it needs. `MAITRED_SIM=all`, or a list
//! of names, turns them on.

/// Which behaviours a run has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    /// A confirm checks the status at its start, mails in the middle and writes the status at its
    /// end, whether or not the client still waits.
    pub slow_confirm: bool,
    /// The server dies in the middle of a confirm: mailed, and the status is as it was.
    pub server_dies: bool,
    /// The booker cancels or moves while a confirm runs: the booking ends accepted.
    pub race: bool,
    /// Calls wait for their turn and take seconds, and many people ask at once.
    pub slow_calls: bool,
    /// Somebody confirms again what was cancelled or moved.
    pub revive: bool,
    /// The server accepts some bookings when they are made, and never writes them again.
    pub at_once: bool,
    /// The server accepts at once most of what bookers move.
    pub moved_at_once: bool,
    /// A booking is moved twice at the same time, and has two successors.
    pub two_successors: bool,
    /// A booking has a status for a while that the client does not know.
    pub unknown_status: bool,
    /// Occurrences join a series between the look and the call.
    pub joins: bool,
    /// The ledger is lost: an empty one, another one, or an older backup is opened.
    pub lost_ledger: bool,
    /// A member cancels and books again at once.
    pub rebook: bool,
    /// The server refuses for ever to confirm one booking.
    pub refused: bool,
    /// The client's clock is wrong by days, the server's is not.
    pub clock: bool,
    /// Nothing is confirmed once it has begun.
    pub after_start: bool,
}

type Field = fn(&mut Switches) -> &mut bool;

const NAMES: [(&str, Field); 15] = [
    ("slow-confirm", |s| &mut s.slow_confirm),
    ("server-dies", |s| &mut s.server_dies),
    ("race", |s| &mut s.race),
    ("slow-calls", |s| &mut s.slow_calls),
    ("revive", |s| &mut s.revive),
    ("at-once", |s| &mut s.at_once),
    ("moved-at-once", |s| &mut s.moved_at_once),
    ("two-successors", |s| &mut s.two_successors),
    ("unknown-status", |s| &mut s.unknown_status),
    ("joins", |s| &mut s.joins),
    ("lost-ledger", |s| &mut s.lost_ledger),
    ("rebook", |s| &mut s.rebook),
    ("refused", |s| &mut s.refused),
    ("clock", |s| &mut s.clock),
    ("after-start", |s| &mut s.after_start),
];

impl Switches {
    pub fn from_env() -> Self {
        let mut switches = Self::default();
        let wanted = std::env::var("MAITRED_SIM").unwrap_or_default();
        for name in wanted.split(',').filter(|name| !name.is_empty()) {
            let known = NAMES
                .iter()
                .filter(|(known, _)| name == "all" || *known == name);
            let mut found = false;
            for (_, field) in known {
                *field(&mut switches) = true;
                found = true;
            }
            assert!(
                found,
                "MAITRED_SIM: {name} is not a behaviour of the simulation"
            );
        }
        switches
    }

    /// Whether a confirm is something that takes its time at the server.
    pub fn confirms_take_time(self) -> bool {
        self.slow_confirm || self.server_dies || self.race || self.unknown_status
    }
}
