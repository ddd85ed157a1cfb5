//! Behaviours of a real server and of real people. Each run has some of them; `MAITRED_SIM` selects
//! them with a list of names, `all` or `none`, so that a failure can be narrowed down to the
//! behaviours that it needs. The seeds of `REGRESSIONS` are older than the behaviours and run
//! without any.

use super::{REGRESSIONS, REGRESSIONS_WITH_BEHAVIOURS};
use crate::rng::Rng;

/// The behaviours of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behaviours {
    /// A confirm checks the status at its start, mails in the middle and writes the status at its
    /// end, whether or not the client still waits.
    pub slow_confirm: bool,
    /// The server dies in the middle of a confirm: the mail is sent, and the status is unchanged.
    pub server_dies: bool,
    /// The booker cancels or moves while a confirm runs: the booking ends accepted.
    pub race_with_confirm: bool,
    /// Calls wait for their turn and take seconds, and many people request bookings at the same
    /// time.
    pub slow_calls: bool,
    /// A person confirms a booking again that was cancelled or moved.
    pub revive: bool,
    /// The server accepts some bookings when they are made, and never writes them again.
    pub accepted_at_once: bool,
    /// The server immediately accepts most of the bookings that bookers move.
    pub moved_at_once: bool,
    /// A booking is moved twice at the same time and has two successors.
    pub two_successors: bool,
    /// A booking has a status for a while that the client does not know.
    pub unknown_status: bool,
    /// Occurrences join a series between the last reading and the call.
    pub joined_series: bool,
    /// The ledger is lost: an empty ledger, another ledger, or an older backup is opened.
    pub lost_ledger: bool,
    /// A member cancels and immediately books again.
    pub rebook: bool,
    /// The server permanently refuses to confirm one booking.
    pub always_refused: bool,
    /// The client's clock is wrong by days, the server's is not.
    pub clock_skew: bool,
    /// Bookings are not confirmed after their start.
    pub after_start: bool,
    /// An operator pauses a gate for a while.
    pub pauses: bool,
    /// An operator lets accounts be overdrawn, and passes credits on from one to another.
    pub corrections: bool,
}

type BehaviourField = fn(&mut Behaviours) -> &mut bool;

/// Each behaviour with its name.
const BEHAVIOUR_NAMES: [(&str, BehaviourField); 17] = [
    ("slow-confirm", |b| &mut b.slow_confirm),
    ("server-dies", |b| &mut b.server_dies),
    ("race", |b| &mut b.race_with_confirm),
    ("slow-calls", |b| &mut b.slow_calls),
    ("revive", |b| &mut b.revive),
    ("at-once", |b| &mut b.accepted_at_once),
    ("moved-at-once", |b| &mut b.moved_at_once),
    ("two-successors", |b| &mut b.two_successors),
    ("unknown-status", |b| &mut b.unknown_status),
    ("joins", |b| &mut b.joined_series),
    ("lost-ledger", |b| &mut b.lost_ledger),
    ("rebook", |b| &mut b.rebook),
    ("refused", |b| &mut b.always_refused),
    ("clock", |b| &mut b.clock_skew),
    ("after-start", |b| &mut b.after_start),
    ("pauses", |b| &mut b.pauses),
    ("corrections", |b| &mut b.corrections),
];

impl Behaviours {
    /// Returns the behaviours for a seed: those that `MAITRED_SIM` names, or about half of all
    /// behaviours, so that the effects of one behaviour are not always hidden by another.
    pub fn of_seed(seed: u64) -> Self {
        match std::env::var("MAITRED_SIM") {
            Ok(wanted) => Self::parse(&wanted),
            Err(_) if REGRESSIONS.iter().any(|(known, _)| *known == seed) => Self::default(),
            Err(_) => {
                let older = { REGRESSIONS_WITH_BEHAVIOURS.iter() }.any(|(known, _)| *known == seed);
                let random = Self::random(&mut Rng::new(seed ^ SALT));
                Self {
                    pauses: random.pauses && !older,
                    corrections: random.corrections && !older,
                    ..random
                }
            }
        }
    }

    fn random(rng: &mut Rng) -> Self {
        let mut behaviours = Self::default();
        for (_, field) in &BEHAVIOUR_NAMES {
            *field(&mut behaviours) = rng.chance(500);
        }
        behaviours
    }

    fn parse(wanted: &str) -> Self {
        let mut behaviours = Self::default();
        let names = wanted.split(',').filter(|name| !name.is_empty());
        for name in names.filter(|name| *name != "none") {
            let mut found = false;
            for (known, field) in &BEHAVIOUR_NAMES {
                if name == "all" || *known == name {
                    *field(&mut behaviours) = true;
                    found = true;
                }
            }
            assert!(
                found,
                "MAITRED_SIM: {name} is not a behaviour of the simulation"
            );
        }
        behaviours
    }

    /// Returns true if a confirm takes time at the server.
    pub fn confirms_take_time(self) -> bool {
        self.slow_confirm || self.server_dies || self.race_with_confirm || self.unknown_status
    }
}

/// Separates the random choice of behaviours from the run's other random numbers.
const SALT: u64 = 0x5eed_0fbe_4a71;
