//! From text to a checked configuration, or to all that is wrong with it. Pure.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use toml::de::DeTable;

use super::finding::{Finding, Findings};
use super::lookup::LookupConfig;
use super::model::{self, Config, Control, Schedule, StoreConfig};
use super::reader::{self, Item, KEY_BELONGS, Table};
use super::report::Report;
use super::{calcom, check, gate, house, lookup, rule, value, words};
use crate::domain::criteria::house::House;
use crate::domain::gate::{DeclineLimit, Limits, Policy};

/// How often a schedule may come round: more often than once a second no server would bear, and
/// less often than once a day is what timers are for.
const RHYTHM: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// How old the sight of a booking may be when it is answered. Past a minute too much happens
/// unseen: Cal.com would revive a booking that was cancelled meanwhile.
const OBSERVATION_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// How long a series must have been quiet. It is written within seconds.
const SETTLE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// For how long declines may be counted.
const DECLINES_PER: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// The most new decisions of one pass.
const MAX_REQUESTS: u64 = 10_000;

/// The longest path of a Unix socket, less the zero at its end.
const MAX_SOCKET: usize = 107;

/// The most syntax errors that are told: one mistake often makes more of what follows it.
const MAX_SYNTAX: usize = 5;

/// A configuration that can be used, and what somebody may want to look at nevertheless.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// Warnings only.
    pub findings: Vec<Finding>,
}

/// Reads a configuration. `source` is the file's path: it stands in messages, and relative paths in
/// the text start at its folder.
///
/// # Errors
/// With every finding at once, warnings included, when at least one is an error.
pub fn parse(text: &str, source: &str) -> Result<Loaded, Findings> {
    let mut report = Report::new(text, source);
    let config = read(text, source, &mut report);
    let failed = report.has_errors();
    let findings = report.findings();
    match config {
        Some(config) if !failed => Ok(Loaded { config, findings }),
        Some(_) | None => Err(Findings(findings)),
    }
}

/// What can be made of the text; `None` when it is no TOML.
pub(super) fn read(text: &str, source: &str, report: &mut Report<'_>) -> Option<Config> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What the parser makes of the rest is a guess; findings about it could mislead.
        syntax(&errors, report);
        return None;
    }
    reader::refuse_keys(tree.get_ref(), "", report);
    let base = Path::new(source).parent().unwrap_or(Path::new(""));
    let mut top = Table::new("", Some(tree.get_ref()));
    let section = calcom::read(top.table("calcom", report), base, report);
    let (schedule, zone) = schedule(top.table("schedule", report), report);
    let store = store(top.table("store", report), base, report);
    let control = control(top.table("control", report), &store, report);
    let mut limits = limits(top.table("limits", report), report);
    limits.resend_after = section.resend_after;
    let (lookups, house) = house(&mut top, (base, zone), report);
    let gates = match top.get("gate", report) {
        Some(item) => gate::read(&item, &house, report),
        None => Vec::new(),
    };
    top.close(report);
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
            house,
            hash: String::new(),
        },
    };
    let config = model::stamped(config);
    check::check(&config, report);
    Some(config)
}

/// What counts for all gates. Lookups come first, because rules may use no others.
fn house(
    top: &mut Table<'_>,
    (base, zone): (&Path, Tz),
    report: &mut Report<'_>,
) -> (Vec<LookupConfig>, House) {
    let mut house = house::read(top.table("house", report), zone, report);
    let mut lookups = Vec::new();
    if let Some(list) = top.get("lookup", report) {
        (lookups, house.lookups) = lookup::read(&list, base, report);
    }
    house.reasons = words::reasons(top.table("reasons", report), report);
    if let Some(list) = top.get("rule", report) {
        house.rules = rule::read(&list, "[[rule]]", &house, report);
    }
    (lookups, house)
}

pub(super) fn syntax(errors: &[toml::de::Error], report: &mut Report<'_>) {
    for error in errors.iter().take(MAX_SYNTAX) {
        let problem = format!("this is not TOML: {}", error.message());
        let mut help = match error.message().contains("duplicate") {
            true => "let each key and each section stand once".to_owned(),
            false => {
                "texts stand in quotes, one `key = value` on a line; see https://toml.io".to_owned()
            }
        };
        if report.is_hushed() {
            help = format!("{help}; and {KEY_BELONGS}");
        }
        report.syntax(error.span().unwrap_or(0..0), problem, help);
    }
}

/// The rhythms, and the house's time zone.
fn schedule(mut table: Table<'_>, report: &mut Report<'_>) -> (Schedule, Tz) {
    let mut schedule = Schedule::default();
    let zone = table.get("time-zone", report);
    let zone = zone
        .and_then(|item| value::zone(&item, report))
        .unwrap_or(Tz::UTC);
    if let Some(item) = table.get("poll", report) {
        set(
            &mut schedule.poll,
            value::every(&item, RHYTHM, zone, report),
        );
    }
    if let Some(item) = table.get("watch", report) {
        set(
            &mut schedule.watch,
            value::every(&item, RHYTHM, zone, report),
        );
    }
    schedule.audit = model::audit(zone);
    if let Some(item) = table.get("audit", report) {
        set(
            &mut schedule.audit,
            value::every(&item, RHYTHM, zone, report),
        );
    }
    table.close(report);
    (schedule, zone)
}

fn store(mut table: Table<'_>, base: &Path, report: &mut Report<'_>) -> StoreConfig {
    let mut store = StoreConfig::default();
    if let Some(item) = table.get("path", report) {
        set(&mut store.path, value::path(&item, base, report));
    }
    table.close(report);
    store
}

fn control(mut table: Table<'_>, store: &StoreConfig, report: &mut Report<'_>) -> Control {
    let mut socket = Some(store.path.join("control.sock"));
    let item = table.get("socket", report);
    if let Some(item) = &item {
        set(&mut socket, read_socket(item, &store.path, report));
    }
    let long = socket
        .as_ref()
        .is_some_and(|socket| socket.as_os_str().len() > MAX_SOCKET);
    if long {
        let problem = format!("the socket's path is longer than {MAX_SOCKET} bytes");
        let help =
            "set control.socket to a shorter path, for example \"/run/maitred/control.sock\"";
        report.error("control.socket", problem, help);
    }
    table.close(report);
    Control { socket }
}

/// The socket's path, which starts at the store's when it is relative; an empty text turns it off.
fn read_socket(item: &Item<'_>, store: &Path, report: &mut Report<'_>) -> Option<Option<PathBuf>> {
    if item.as_text() == Some("") {
        return Some(None);
    }
    value::path(item, store, report).map(Some)
}

fn limits(mut table: Table<'_>, report: &mut Report<'_>) -> Limits {
    let mut limits = model::limits();
    if let Some(item) = table.get("requests-per-pass", report) {
        set(
            &mut limits.requests_per_pass,
            count(&item, 1..=MAX_REQUESTS, report),
        );
    }
    if let Some(item) = table.get("declines", report) {
        set(&mut limits.declines, declines(&item, report));
    }
    table.replaced(
        "declines-per-pass",
        "write declines = { at-most = 25, per = \"15m\" }: the limit is by time now",
        report,
    );
    if let Some(item) = table.get("max-observation-age", report) {
        let age = value::span(&item, OBSERVATION_AGE, report);
        set(&mut limits.max_observation_age, age);
    }
    if let Some(item) = table.get("series-settle", report) {
        set(
            &mut limits.series_settle,
            value::span(&item, SETTLE, report),
        );
    }
    table.close(report);
    limits
}

/// How many declines in which time.
fn declines(item: &Item<'_>, report: &mut Report<'_>) -> Option<DeclineLimit> {
    let example = "{ at-most = 25, per = \"15m\" }";
    let Some(entries) = item.as_table() else {
        item.refuse("a table", &format!("for example {example}"), report);
        return None;
    };
    let mut table = Table::new(&item.path, Some(entries));
    let at_most = table.need("at-most", "25", report);
    let per = table.need("per", "\"15m\"", report);
    table.close(report);
    let at_most = at_most.and_then(|item| count(&item, 0..=MAX_REQUESTS, report));
    let per = per.and_then(|item| value::span(&item, DECLINES_PER, report));
    Some(DeclineLimit {
        at_most: at_most?,
        per: per?,
    })
}

fn count(item: &Item<'_>, range: RangeInclusive<u64>, report: &mut Report<'_>) -> Option<usize> {
    item.number(range, report)
        .and_then(|number| usize::try_from(number).ok())
}

/// Sets what was read. What could not be read keeps its default, so that the reading can go on.
pub(super) fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
