//! Behaviours of a real server and of real people. Each run has some of them; `MAITRED_SIM` with a list
//! of names, `all` or `none` says which, so that a failure can be narrowed down to what it needs. The
//! seeds of `REGRESSIONS` are older than the behaviours and run without any.

use super::REGRESSIONS;
use super::rng::Rng;

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

/// A behaviour: its name, and whether runs have it that were not asked for anything else.
struct Behaviour {
    name: &'static str,
    field: Field,
    on: bool,
}

const fn on(name: &'static str, field: Field) -> Behaviour {
    let on = true;
    Behaviour { name, field, on }
}

const fn off(name: &'static str, field: Field) -> Behaviour {
    let on = false;
    Behaviour { name, field, on }
}

const BEHAVIOURS: [Behaviour; 15] = [
    on("slow-confirm", |s| &mut s.slow_confirm),
    on("server-dies", |s| &mut s.server_dies),
    on("race", |s| &mut s.race),
    on("slow-calls", |s| &mut s.slow_calls),
    on("revive", |s| &mut s.revive),
    on("at-once", |s| &mut s.at_once),
    on("moved-at-once", |s| &mut s.moved_at_once),
    on("two-successors", |s| &mut s.two_successors),
    on("unknown-status", |s| &mut s.unknown_status),
    on("joins", |s| &mut s.joins),
    on("lost-ledger", |s| &mut s.lost_ledger),
    on("rebook", |s| &mut s.rebook),
    on("refused", |s| &mut s.refused),
    on("clock", |s| &mut s.clock),
    on("after-start", |s| &mut s.after_start),
];

impl Switches {
    /// What the run of a seed has: what `MAITRED_SIM` says, or about half of all that runs have, for
    /// what one behaviour does must not always be hidden by another.
    pub fn of_seed(seed: u64) -> Self {
        match std::env::var("MAITRED_SIM") {
            Ok(wanted) => Self::named(&wanted),
            Err(_) if REGRESSIONS.iter().any(|(known, _)| *known == seed) => Self::default(),
            Err(_) => Self::by_chance(&mut Rng::new(seed ^ SALT)),
        }
    }

    fn by_chance(rng: &mut Rng) -> Self {
        let mut switches = Self::default();
        for Behaviour { field, on, .. } in &BEHAVIOURS {
            *field(&mut switches) = rng.chance(500) && *on;
        }
        switches
    }

    fn named(wanted: &str) -> Self {
        let mut switches = Self::default();
        let names = wanted.split(',').filter(|name| !name.is_empty());
        for name in names.filter(|name| *name != "none") {
            let mut found = false;
            for behaviour in &BEHAVIOURS {
                if name == "all" || behaviour.name == name {
                    *(behaviour.field)(&mut switches) = true;
                    found = true;
                }
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

/// So that the behaviours of a run are no part of its other chances.
const SALT: u64 = 0x5eed_0fbe_4a71;
