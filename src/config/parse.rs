//! Turns a text into a checked configuration, or into all its diagnostics. Pure.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::diagnostic_collector::DiagnosticCollector;
use super::model::{self, Config, Control, Schedule, StoreConfig};
use super::reader::{self, KEY_ADVICE, TomlTable, TomlValue};
use super::value::set;
use super::{calcom, check, gate, global_policy, localized_text, lookup, rule, value};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::gate::{DeclineLimit, PassLimits, Policy};
use crate::domain::lookup::LookupConfig;

/// Bounds of the interval of a schedule. No server would tolerate more than one run per second, and
/// for less than one run per day there are timers.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Bounds of the age of the reading when a booking is answered. In more than a minute too much
/// happens unseen: Cal.com would revive a booking that was cancelled meanwhile.
const OBSERVATION_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// Bounds of the time for which a series must have been unchanged. A series is written within
/// seconds.
const SERIES_SETTLE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// Bounds of the period in which declines are counted.
const DECLINES_PER: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// The most new decisions of one pass.
const MAX_REQUESTS: u64 = 10_000;

/// The longest path of a Unix socket, without the zero at its end.
const MAX_SOCKET: usize = 107;

/// The most syntax errors that are reported: one mistake often causes more errors in the text after
/// it.
const MAX_SYNTAX: usize = 5;

/// A configuration that can be used, with warnings that an operator may want to check.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// Warnings only.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a configuration. `source` is the path of the file: it appears in messages, and relative
/// paths in the text start at its folder.
///
/// # Errors
/// Returns all diagnostics, warnings included, if at least one is an error.
pub fn parse(text: &str, source: &str) -> Result<Loaded, Diagnostics> {
    let mut report = DiagnosticCollector::new(text, source);
    let config = read_config(text, source, &mut report);
    let failed = report.has_errors();
    let findings = report.into_diagnostics();
    match config {
        Some(config) if !failed => Ok(Loaded {
            config,
            warnings: findings,
        }),
        Some(_) | None => Err(Diagnostics(findings)),
    }
}

/// Reads as much of the text as possible; `None` if the text is not TOML.
pub(super) fn read_config(
    text: &str,
    source: &str,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Config> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // The parser only guesses the rest, so diagnostics about it could mislead.
        report_syntax_errors(&errors, report);
        return None;
    }
    reader::refuse_keys(tree.get_ref(), "", report);
    let base = Path::new(source).parent().unwrap_or(Path::new(""));
    let mut top = TomlTable::new("", Some(tree.get_ref()));
    let section = calcom::read(top.table("calcom", report), base, report);
    let (schedule, zone) = read_schedule(top.table("schedule", report), report);
    let store = read_store(top.table("store", report), base, report);
    let control = read_control(top.table("control", report), &store, report);
    let mut limits = read_limits(top.table("limits", report), report);
    limits.resend_after = section.resend_after;
    let (lookups, global_policy) = read_global_policy(&mut top, (base, zone), report);
    let gates = match top.get("gate", report) {
        Some(item) => gate::read(&item, &global_policy, report),
        None => Vec::new(),
    };
    top.report_unknown_keys(report);
    let config = Config {
        calcom: section.calcom,
        schedule,
        store,
        control,
        lookups,
        policy: Policy {
            gates,
            hosts: section.hosts,
            refuse_with: section.refuse_with,
            limits,
            global: global_policy,
            hash: String::new(),
        },
    };
    let config = model::with_policy_hash(config);
    check::check(&config, report);
    Some(config)
}

/// Reads the settings for all gates. Lookups come first, because rules may use no others.
fn read_global_policy(
    top: &mut TomlTable<'_>,
    (base, zone): (&Path, Tz),
    report: &mut DiagnosticCollector<'_>,
) -> (Vec<LookupConfig>, GlobalPolicy) {
    top.refuse_replaced_key("house", "write [global]", report);
    let mut global_policy = global_policy::read(top.table("global", report), zone, report);
    let mut lookups = Vec::new();
    if let Some(list) = top.get("lookup", report) {
        (lookups, global_policy.lookups) = lookup::read(&list, base, report);
    }
    global_policy.reason_texts = localized_text::read_reasons(top.table("reasons", report), report);
    if let Some(list) = top.get("rule", report) {
        global_policy.rules = rule::read(&list, "[[rule]]", &global_policy, report);
    }
    (lookups, global_policy)
}

pub(super) fn report_syntax_errors(
    errors: &[toml::de::Error],
    report: &mut DiagnosticCollector<'_>,
) {
    for error in errors.iter().take(MAX_SYNTAX) {
        let problem = format!("this is not TOML: {}", error.message());
        let mut help = match error.message().contains("duplicate") {
            true => "let each key and each section stand once".to_owned(),
            false => {
                "texts stand in quotes, one `key = value` on a line; see https://toml.io".to_owned()
            }
        };
        if report.has_secret() {
            help = format!("{help}; and {KEY_ADVICE}");
        }
        report.syntax_error(error.span().unwrap_or(0..0), problem, help);
    }
}

/// Reads the schedules and the configured time zone.
fn read_schedule(mut table: TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> (Schedule, Tz) {
    let mut schedule = Schedule::default();
    let zone = table.get("time-zone", report);
    let zone = zone
        .and_then(|item| value::read_zone(&item, report))
        .unwrap_or(Tz::UTC);
    if let Some(item) = table.get("poll", report) {
        set(
            &mut schedule.poll,
            value::read_recurrence(&item, INTERVALS, zone, report),
        );
    }
    if let Some(item) = table.get("watch", report) {
        set(
            &mut schedule.watch,
            value::read_recurrence(&item, INTERVALS, zone, report),
        );
    }
    schedule.audit = model::default_audit(zone);
    if let Some(item) = table.get("audit", report) {
        set(
            &mut schedule.audit,
            value::read_recurrence(&item, INTERVALS, zone, report),
        );
    }
    table.report_unknown_keys(report);
    (schedule, zone)
}

fn read_store(
    mut table: TomlTable<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> StoreConfig {
    let mut store = StoreConfig::default();
    if let Some(item) = table.get("path", report) {
        set(&mut store.path, value::read_path(&item, base, report));
    }
    table.report_unknown_keys(report);
    store
}

fn read_control(
    mut table: TomlTable<'_>,
    store: &StoreConfig,
    report: &mut DiagnosticCollector<'_>,
) -> Control {
    let mut socket = Some(store.path.join("control.sock"));
    let item = table.get("socket", report);
    if let Some(item) = &item {
        set(&mut socket, read_socket(item, &store.path, report));
    }
    let is_too_long = socket
        .as_ref()
        .is_some_and(|socket| socket.as_os_str().len() > MAX_SOCKET);
    if is_too_long {
        let problem = format!("the socket's path is longer than {MAX_SOCKET} bytes");
        let help =
            "set control.socket to a shorter path, for example \"/run/maitred/control.sock\"";
        report.error("control.socket", problem, help);
    }
    table.report_unknown_keys(report);
    Control { socket }
}

/// Reads the path of the socket. A relative path starts at the store's path; an empty text turns
/// the socket off.
fn read_socket(
    item: &TomlValue<'_>,
    store: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Option<PathBuf>> {
    if item.as_text() == Some("") {
        return Some(None);
    }
    value::read_path(item, store, report).map(Some)
}

fn read_limits(mut table: TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> PassLimits {
    let mut limits = model::default_limits();
    if let Some(item) = table.get("requests-per-pass", report) {
        set(
            &mut limits.requests_per_pass,
            read_count(&item, 1..=MAX_REQUESTS, report),
        );
    }
    if let Some(item) = table.get("declines", report) {
        set(&mut limits.declines, read_declines(&item, report));
    }
    table.refuse_replaced_key(
        "declines-per-pass",
        "write declines = { at-most = 25, per = \"15m\" }: the limit is by time now",
        report,
    );
    if let Some(item) = table.get("max-observation-age", report) {
        let age = value::read_span(&item, OBSERVATION_AGE, report);
        set(&mut limits.max_observation_age, age);
    }
    if let Some(item) = table.get("series-settle", report) {
        set(
            &mut limits.series_settle,
            value::read_span(&item, SERIES_SETTLE, report),
        );
    }
    table.report_unknown_keys(report);
    limits
}

/// Reads how many declines are allowed in which time.
fn read_declines(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<DeclineLimit> {
    let example = "{ at-most = 25, per = \"15m\" }";
    let Some(entries) = item.as_table() else {
        item.report_type_mismatch("a table", &format!("for example {example}"), report);
        return None;
    };
    let mut table = TomlTable::new(&item.path, Some(entries));
    let at_most = table.get_required("at-most", "25", report);
    let per = table.get_required("per", "\"15m\"", report);
    table.report_unknown_keys(report);
    let at_most = at_most.and_then(|item| read_count(&item, 0..=MAX_REQUESTS, report));
    let per = per.and_then(|item| value::read_span(&item, DECLINES_PER, report));
    Some(DeclineLimit {
        at_most: at_most?,
        per: per?,
    })
}

fn read_count(
    item: &TomlValue<'_>,
    range: RangeInclusive<u64>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<usize> {
    item.number(range, report)
        .and_then(|number| usize::try_from(number).ok())
}
