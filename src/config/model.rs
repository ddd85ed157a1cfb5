//! The configuration as plain values. The rows of the keys set them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::recurrence::Recurrence;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::dialect::Dialect;
use crate::domain::gate::{DeclineLimit, PassLimits, Policy, RefuseWith};
use crate::domain::import_columns::ColumnOptions;
use crate::domain::lookup::LookupConfig;
use crate::domain::member_source::MemberSource;
use crate::domain::notification::target::{DeadManSwitch, NotifyTarget};
use crate::domain::secret_path::SecretPath;
use crate::domain::time::Span;

/// The shipped default, as an operator receives it.
pub const SHIPPED_CONFIG: &str = include_str!("../../config.toml");

/// The line of the shipped default that says where the ledger is.
pub const SHIPPED_STORE_LINE: &str = "path = \"/var/lib/maitred\"\n";

/// The path of the configuration if no other is given.
pub const DEFAULT_PATH: &str = "/etc/maitred/config.toml";

/// All settings of an operator, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Which Cal.com is used, and how it is called.
    pub calcom: Calcom,
    /// When passes, watches and audits run.
    pub schedule: Schedule,
    /// Where the ledger is kept.
    pub store: StoreConfig,
    /// Where a running daemon answers commands.
    pub control: Control,
    /// The backups that are made without a command.
    pub backup: BackupConfig,
    /// How long personal data is kept.
    pub privacy: PrivacyConfig,
    /// Where the metrics are written to.
    pub metrics: MetricsConfig,
    /// The web page of a running daemon.
    pub page: PageConfig,
    /// The folder whose files are imported.
    pub import: ImportConfig,
    /// What is called after each pass that listed bookings.
    pub dead_man: DeadManSwitch,
    /// The systems that receive notifications.
    pub notify: Vec<NotifyTarget>,
    /// Questions to the operator's own systems, and how they are asked.
    pub lookups: Vec<LookupConfig>,
    /// The operator's own systems that decide who is a member, in the order in which they are asked.
    pub sources: Vec<MemberSource>,
    /// The settings that decide: gates, hosts, limits. The only part that the domain sees.
    pub policy: Policy,
}

/// Which Cal.com is used, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calcom {
    /// The address without the version (`/v2`) and without a slash at the end.
    pub base_url: String,
    /// The version of Cal.com's API.
    pub dialect: Dialect,
    /// The last of the places in which the key is searched; see `secret`.
    pub api_key_file: SecretPath,
    /// How long one whole call that reads may take.
    pub timeout: Duration,
    /// How long one whole call that confirms, declines or cancels may take.
    pub confirm_timeout: Duration,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// Certificates that are trusted in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// Percent of the server's rate limit that may be used, 1 to 100.
    pub budget: u8,
}

/// When passes, watches and audits run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// When a pass reads the requests that wait for an answer.
    pub poll: Recurrence,
    /// When a watch reads what happened to confirmed bookings.
    pub watch: Recurrence,
    /// When an audit reads every open charge, and searches for bookings that others accepted.
    pub audit: Recurrence,
    /// When a sync takes over what sources say about all members.
    pub sync: Recurrence,
}

/// Where the ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// A log and its projection in a directory of this machine.
    Local {
        /// The directory of the log and the projection.
        path: PathBuf,
    },
}

/// Where a running daemon answers commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// `None` if the socket is turned off.
    pub socket: Option<PathBuf>,
}

/// The backups that are made without a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupConfig {
    /// Where the backups are put. `None`: none are made.
    pub directory: Option<PathBuf>,
    /// How much time lies between two backups.
    pub every: Duration,
    /// How many of them are kept.
    pub keep: u64,
}

/// How long personal data is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivacyConfig {
    /// How long personal data stays in decisions. `None`: for as long as the ledger exists.
    pub keep: Option<Span>,
}

/// Where the metrics are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The file for node_exporter. `None` if the metrics are written to no file.
    pub file: Option<PathBuf>,
}

/// The web page of a running daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageConfig {
    /// `None` if there is no page.
    pub listen: Option<SocketAddr>,
    /// Whether `listen` may be an address that other machines can reach.
    pub allow_remote: bool,
    /// The origins under which browsers reach the page, in addition to that of `listen`.
    pub origins: Vec<String>,
}

/// The folder whose files are imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportConfig {
    /// `None` if there is no folder.
    pub folder: Option<PathBuf>,
    /// What the columns of its files hold.
    pub columns: ColumnOptions,
}

impl Config {
    /// Returns the directory of this process: the socket and what speeds up the next start are there.
    /// With a local store it is the directory of the store.
    pub fn state_dir(&self) -> &Path {
        let StoreConfig::Local { path } = &self.store;
        path
    }

    /// Returns a configuration in which no key is set. The rows of the keys set the defaults.
    pub(super) fn blank() -> Self {
        let never = Recurrence::Span(Span::zero());
        Self {
            calcom: Calcom {
                base_url: String::new(),
                dialect: Dialect::V2,
                api_key_file: PathBuf::new().into(),
                timeout: Duration::ZERO,
                confirm_timeout: Duration::ZERO,
                connect_timeout: Duration::ZERO,
                ca_file: None,
                budget: 0,
            },
            schedule: Schedule {
                poll: never.clone(),
                watch: never.clone(),
                audit: never.clone(),
                sync: never,
            },
            store: StoreConfig::Local {
                path: PathBuf::new(),
            },
            control: Control { socket: None },
            backup: BackupConfig::default(),
            privacy: PrivacyConfig::default(),
            metrics: MetricsConfig { file: None },
            page: PageConfig::default(),
            import: ImportConfig::default(),
            dead_man: DeadManSwitch {
                url_file: None,
                timeout: Duration::ZERO,
            },
            notify: Vec::new(),
            lookups: Vec::new(),
            sources: Vec::new(),
            policy: Policy {
                gates: Vec::new(),
                hosts: Vec::new(),
                refuse_with: RefuseWith::Decline,
                limits: PassLimits {
                    requests_per_pass: 0,
                    declines: DeclineLimit {
                        at_most: 0,
                        per: Span::zero(),
                    },
                    max_observation_age: Span::zero(),
                    series_settle: Span::zero(),
                    resend_after: Span::zero(),
                },
                global: GlobalPolicy::default(),
                hash: String::new(),
            },
        }
    }
}
