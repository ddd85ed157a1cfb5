//! The configuration as plain values, and its defaults. `config.toml` at the top of the repository
//! describes the same for operators; a test keeps the two equal.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use super::hash;
use super::recurrence::{CronExpression, Recurrence};
use crate::domain::criteria::gate_criteria::Criteria;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::dialect::Dialect;
use crate::domain::gate::{DeclineLimit, Gate, OnUnanswered, PassLimits, Policy, RefuseWith};
use crate::domain::lookup::LookupConfig;
use crate::domain::refund_policy::Terms;
use crate::domain::time::Span;

/// The shipped default, as an operator receives it.
pub const SHIPPED_CONFIG: &str = include_str!("../../config.toml");

/// The path of the configuration if no other is given.
pub const DEFAULT_PATH: &str = "/etc/maitred/config.toml";

/// All settings of an operator, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub calcom: Calcom,
    pub schedule: Schedule,
    pub store: StoreConfig,
    pub control: Control,
    /// Questions to the operator's own systems, and how they are asked.
    pub lookups: Vec<LookupConfig>,
    /// The settings that decide: gates, hosts, limits. The only part that the domain sees.
    pub policy: Policy,
}

/// Which Cal.com is used, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calcom {
    /// The address without the version (`/v2`) and without a slash at the end.
    pub base_url: String,
    pub dialect: Dialect,
    /// The last of the places in which the key is searched; see `secret`.
    pub api_key_file: PathBuf,
    /// How long one whole call that reads may take.
    pub timeout: Duration,
    /// How long one whole call that confirms, declines or cancels may take.
    pub confirm_timeout: Duration,
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
}

/// Where the log and the projection are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    pub path: PathBuf,
}

/// Where a running daemon answers commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// `None` if the socket is turned off.
    pub socket: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        with_policy_hash(Self {
            calcom: Calcom::default(),
            schedule: Schedule::default(),
            store: StoreConfig::default(),
            control: Control::default(),
            lookups: Vec::new(),
            policy: Policy {
                gates: Vec::new(),
                hosts: Vec::new(),
                refuse_with: RefuseWith::Decline,
                limits: default_limits(),
                global: GlobalPolicy::default(),
                hash: String::new(),
            },
        })
    }
}

impl Default for Calcom {
    fn default() -> Self {
        Self {
            base_url: "https://api.cal.com".to_owned(),
            dialect: Dialect::V2,
            api_key_file: PathBuf::from("/etc/maitred/calcom-api-key"),
            timeout: Duration::from_secs(60),
            confirm_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            ca_file: None,
            budget: 50,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            poll: Recurrence::Span(Span::seconds(15)),
            watch: Recurrence::Span(Span::minutes(5)),
            audit: default_audit(Tz::UTC),
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

/// Returns when an audit is due if the configuration does not say: in the small hours of the zone.
pub(super) fn default_audit(zone: Tz) -> Recurrence {
    Recurrence::Cron {
        expression: CronExpression::parse("0 4 * * *").expect("the default is an expression"),
        zone,
    }
}

/// Returns the limits of a pass if the configuration does not set them.
pub(super) fn default_limits() -> PassLimits {
    PassLimits {
        requests_per_pass: 250,
        declines: DeclineLimit {
            at_most: 25,
            per: Span::minutes(15),
        },
        max_observation_age: Span::seconds(10),
        series_settle: Span::seconds(10),
        resend_after: Span::minutes(15),
    }
}

/// Returns a gate with all defaults. It has no event types and no name yet; the default name comes
/// from the event types.
pub(super) fn default_gate() -> Gate {
    Gate {
        name: String::new(),
        event_types: Vec::new(),
        cost: 1,
        unknown_booker: OnViolation::Decline,
        short_of_credit: OnViolation::Decline,
        time_taken: OnViolation::Decline,
        on_unanswered: OnUnanswered::Leave,
        criteria: Criteria::default(),
        terms: Terms::default(),
    }
}

/// Returns the configuration with the hash of its policy.
pub(super) fn with_policy_hash(mut config: Config) -> Config {
    config.policy.hash = hash::policy_hash(&config.policy, &config.lookups);
    config
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::diagnostic_collector::DiagnosticCollector;
    use crate::config::parse::{self, parse};
    use crate::domain::decision::ReasonCode;
    use crate::domain::evaluation::{booker_rules, calendar_rules, time_rules};
    use crate::domain::messages;

    /// Returns the shipped text with all its examples enabled, as an operator would enable them.
    fn uncomment_examples() -> String {
        let mut text = String::new();
        for line in SHIPPED_CONFIG.lines() {
            let uncommented = line
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
            text.push_str(uncommented.unwrap_or(line));
            text.push('\n');
        }
        text
    }

    #[test]
    fn the_shipped_configuration_holds_the_defaults() {
        let loaded = parse(SHIPPED_CONFIG, "config.toml").expect("the shipped text is right");
        assert_eq!(loaded.config, Config::default());
        let problems: Vec<&str> = loaded.warnings.iter().map(|f| f.problem.as_str()).collect();
        assert_eq!(
            problems,
            ["there is no [[gate]]: no booking will be touched"]
        );
        assert_eq!(
            parse("", "config.toml"),
            Ok(parse(SHIPPED_CONFIG, "config.toml").unwrap())
        );
    }

    #[test]
    fn the_examples_hold_the_defaults_and_raise_no_warning() {
        let loaded = parse(&uncomment_examples(), "config.toml").expect("the examples are right");
        assert_eq!(loaded.warnings, []);
        let config = loaded.config;
        // Keys without a default are as in the example, and all others are left out.
        let required_keys_only = "\
[[lookup]]
name = 'members'
command = ['/usr/local/bin/members', '--json']
[[rule]]
name = 'in-good-standing'
require = '!(\"suspended\" in member.tags)'
[[gate]]
name = 'club'
event-types = ['book-club', 77]
[[gate.rule]]
name = 'a-day-ahead'
require = 'member.tier == \"gold\" || booking.notice >= duration(\"24h\")'
";
        let mut expect = parse(required_keys_only, "config.toml")
            .expect("it is right")
            .config;
        expect.policy.global.rules[0].reason = config.policy.global.rules[0].reason.clone();
        let rules = &mut expect.policy.gates[0].criteria.rules;
        rules[0].reason = config.policy.gates[0].criteria.rules[0].reason.clone();
        expect.policy.global.reason_texts = config.policy.global.reason_texts.clone();
        assert_eq!(config, with_policy_hash(expect));
    }

    #[test]
    fn the_example_reasons_are_the_default_texts() {
        let loaded = parse(&uncomment_examples(), "config.toml").expect("the examples are right");
        let fixed = [
            (ReasonCode::Blocked, booker_rules::blocked_text()),
            (ReasonCode::NotAllowed, booker_rules::not_allowed_text()),
            (ReasonCode::OutsideHours, time_rules::outside_hours_text()),
            (ReasonCode::TimeTaken, calendar_rules::time_taken_text()),
            (ReasonCode::Unanswered, messages::request_unanswered()),
        ];
        for (code, expect) in fixed {
            let words = loaded
                .config
                .policy
                .global
                .reason_text(code)
                .expect("it is shown");
            assert_eq!(words.by_language[0].1.text(), expect, "{code}");
        }
        // All reasons that would reveal something about an account have one text.
        let account = messages::not_accepted(false, false);
        for code in [
            ReasonCode::UnknownBooker,
            ReasonCode::WrongPin,
            ReasonCode::OverCap,
            ReasonCode::LookupFailed,
            ReasonCode::ShortOfCredit,
        ] {
            let words = loaded
                .config
                .policy
                .global
                .reason_text(code)
                .expect("it is shown");
            assert!(account.starts_with(words.by_language[0].1.text()), "{code}");
        }
    }

    /// Keys whose values are empty by default, with full values. The file shows these in prose
    /// only.
    const FILLED_KEYS: [(&str, &str); 10] = [
        (
            "prices = []",
            "prices = [{ cost = 2, tiers = ['gold'], event-types = ['book-club'], \
             length = { at-least = '1h', at-most = '2h' }, weekdays = ['sat'], \
             hours = '18:00-22:00', occurrences = { at-least = 5, at-most = 9 } }]",
        ),
        (
            "caps = []",
            "caps = [{ at-most = 2, per = 'week', tiers = ['gold'] }]",
        ),
        (
            "allow = []",
            "allow = [{ booker = 'ann@example.com', note = 'x', expires = '2027-01-01' }]",
        ),
        (
            "block = []",
            "block = [{ booker = 'bo@example.com', note = 'x', expires = '2027-01-01' }]",
        ),
        (
            "hours = []",
            "hours = [{ weekdays = ['mon'], hours = '08:00-18:00' }]",
        ),
        (
            "notice = {}",
            "notice = { at-least = '1h', at-most = '60days' }",
        ),
        (
            "short-of-credit = \"decline\"",
            "short-of-credit = { wait = '24h', wait-until = '2h' }",
        ),
        ("pin = \"\"", "pin = 'member-pin'"),
        ("unmanaged-since = \"\"", "unmanaged-since = '2026-12-01'"),
        (
            "command = [\"/usr/local/bin/members\", \"--json\"]",
            "url = 'https://members.example.com/{address}'\ncredential-file = '/etc/maitred/m'",
        ),
    ];

    #[test]
    fn every_key_that_is_read_is_shown_and_every_key_shown_is_read() {
        let mut text = uncomment_examples();
        for (empty, full) in FILLED_KEYS {
            assert!(text.contains(&format!("\n{empty}\n")), "{empty}");
            text = text.replace(&format!("\n{empty}\n"), &format!("\n{full}\n"));
        }
        let mut collector = DiagnosticCollector::new(&text, "config.toml");
        parse::read_config(&text, "config.toml", &mut collector).expect("the text is right");
        assert!(
            !collector.has_errors(),
            "{:?}",
            collector.into_diagnostics()
        );
        let mut shown_keys = BTreeSet::new();
        let mut section = String::new();
        for line in uncomment_examples()
            .lines()
            .filter(|line| !line.starts_with('#'))
        {
            if let Some(name) = line.strip_prefix("[[").and_then(|l| l.strip_suffix("]]")) {
                let path = name.replace("gate.", "gate[].");
                section = format!("{path}[]");
                shown_keys.insert(path);
            } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                shown_keys.insert(name.to_owned());
                section = name.to_owned();
            } else if let Some((key, _)) = line.split_once(" = ") {
                shown_keys.insert(format!("{section}.{key}"));
            }
        }
        let (in_prose, keys_with_value): (Vec<String>, Vec<String>) =
            { collector.known_keys().iter().cloned() }.partition(|key| !shown_keys.contains(key));
        assert_eq!(
            keys_with_value.len(),
            shown_keys.len(),
            "{shown_keys:?} {keys_with_value:?}"
        );
        for key in in_prose {
            let last = key.rsplit('.').next().unwrap();
            let key_in_prose = format!(" {last} = ");
            let comments = SHIPPED_CONFIG.lines().filter(|line| line.starts_with('#'));
            assert!(
                { comments }.any(|line| line.contains(&key_in_prose)),
                "{key} is read and not shown"
            );
        }
    }
}
