//! The configuration as plain values, and its defaults. `config.toml` at the top of the repository
//! says the same in the operator's words; a test holds the two together.

use std::path::PathBuf;
use std::time::Duration;

use super::every::Every;
use super::hash;
use crate::domain::gate::{Gate, HostKey, Limits, OnShort, OnTaken, OnUnknown, Policy, RefuseWith};
use crate::domain::time::Span;

/// The shipped default, as an operator gets it.
pub const SHIPPED: &str = include_str!("../../config.toml");

/// Where the configuration is looked for when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/maitred/config.toml";

/// All that an operator can set, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub calcom: Calcom,
    pub schedule: Schedule,
    pub store: StoreConfig,
    pub control: Control,
    /// What decides: gates, hosts, limits. The only part that the domain sees.
    pub policy: Policy,
}

/// Which Cal.com, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calcom {
    /// Without the version (`/v2`) and without a slash at the end.
    pub base_url: String,
    pub dialect: Dialect,
    /// The last of the places in which the key is looked for; see `secret`.
    pub api_key_file: PathBuf,
    /// For one whole call.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    /// Percent of the server's rate limit that may be used, 1 to 100.
    pub budget: u8,
}

/// Which of Cal.com's interfaces is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    V2,
    V1,
}

impl Dialect {
    pub fn word(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
        }
    }
}

/// When passes run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Looks at what waits for an answer.
    pub poll: Every,
    /// Looks at what became of confirmed bookings.
    pub watch: Every,
}

/// Where the log and the fold are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    pub path: PathBuf,
}

/// Where a running daemon answers commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// `None`: turned off.
    pub socket: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            calcom: Calcom::default(),
            schedule: Schedule::default(),
            store: StoreConfig::default(),
            control: Control::default(),
            policy: policy(Vec::new(), Vec::new(), RefuseWith::Decline, limits()),
        }
    }
}

impl Default for Calcom {
    fn default() -> Self {
        Self {
            base_url: "https://api.cal.com".to_owned(),
            dialect: Dialect::V2,
            api_key_file: PathBuf::from("/etc/maitred/calcom-api-key"),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            budget: 50,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            poll: Every::Span(Span::seconds(15)),
            watch: Every::Span(Span::minutes(5)),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/maitred"),
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: Some(PathBuf::from("/var/lib/maitred/control.sock")),
        }
    }
}

/// The bounds of a pass when the configuration says nothing.
pub(super) fn limits() -> Limits {
    Limits {
        requests_per_pass: 250,
        declines_per_pass: 25,
        max_observation_age: Span::seconds(10),
        series_settle: Span::seconds(10),
    }
}

/// A gate of which only the event types were said. Its name is theirs to give.
pub(super) fn gate() -> Gate {
    Gate {
        name: String::new(),
        event_types: Vec::new(),
        cost: 1,
        unknown_booker: OnUnknown::Decline,
        short_of_credit: OnShort::Decline,
        taken: OnTaken::Decline,
    }
}

/// A policy with its hash.
pub(super) fn policy(
    gates: Vec<Gate>,
    hosts: Vec<HostKey>,
    refuse_with: RefuseWith,
    limits: Limits,
) -> Policy {
    let mut policy = Policy {
        gates,
        hosts,
        refuse_with,
        limits,
        hash: String::new(),
    };
    policy.hash = hash::of(&policy);
    policy
}
