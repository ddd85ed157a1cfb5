//! Turns a text into a checked configuration, or into all its diagnostics. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::diagnostic_collector::DiagnosticCollector;
use super::key::{ReadContext, Section};
use super::key_names::RenamedKey;
use super::model::Config;
use super::reader::{KEY_ADVICE, TomlTable};
use super::{
    allowance, api_key_check, check, gate, lookup, notify, policy_hash, rule, schema, shared_cap,
    source,
};
use crate::domain::criteria::global_policy::GlobalPolicy;

/// Sections that other sections have replaced.
const RENAMED: [RenamedKey; 1] = [RenamedKey {
    old: "house",
    new: Some("global"),
    help: "write [global]",
}];

/// The sections that can stand several times.
const LISTS: [&str; 7] = [
    "notify",
    "lookup",
    "source",
    "rule",
    "gate",
    "cap",
    "allowance",
];

/// The most syntax errors that are reported: one mistake often causes more errors in the text after
/// it.
const MAX_SYNTAX: usize = 5;

/// A configuration that can be used, with warnings that an operator may want to check.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only.
    pub warnings: Vec<Diagnostic>,
    /// The keys that stand in the text, each with its line. All others have their defaults.
    pub lines: BTreeMap<String, usize>,
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
    let lines = report.key_lines();
    let findings = report.into_diagnostics();
    match config {
        Some(mut config) if !failed => {
            config.policy.hash = policy_hash::policy_hash(&config);
            Ok(Loaded {
                config,
                warnings: findings,
                lines,
            })
        }
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
    register_keys(report);
    api_key_check::refuse_keys(tree.get_ref(), "", report);
    let base = Path::new(source).parent().unwrap_or(Path::new(""));
    let mut top = TomlTable::new("", Some(tree.get_ref()));
    let single = schema::SINGLE.iter().map(|section| section.path);
    let sections: Vec<&'static str> = single.chain(LISTS).collect();
    top.match_names(&sections, &RENAMED, report);
    let mut config = Config::blank();
    for section in schema::SINGLE {
        read_section(section, &mut top, &mut config, base, report);
    }
    read_lists(&mut top, &mut config, base, report);
    top.report_unknown_keys(report);
    check::check(&config, report);
    Some(config)
}

/// Tells the report in which sections keys are known, for keys that stand in another section.
fn register_keys(report: &mut DiagnosticCollector<'_>) {
    for section in schema::documentation() {
        for key in section.keys {
            report.register_key(&format!("{}.{}", section.path, key.name));
        }
    }
}

/// Reads a section that stands once.
fn read_section(
    section: &Section<Config>,
    top: &mut TomlTable<'_>,
    config: &mut Config,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) {
    let no_policy = GlobalPolicy::default();
    let context = ReadContext::new(base, &no_policy);
    let table = top.table(section.path, report);
    section.set_defaults(config, &context);
    read_table(section, table, config, &context, report);
    for item in top.further_values(section.path) {
        read_table(
            section,
            item.section(report),
            &mut config.clone(),
            &context,
            report,
        );
    }
}

fn read_table(
    section: &Section<Config>,
    mut table: TomlTable<'_>,
    config: &mut Config,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    section.match_names(&mut table, &[], report);
    section.read(&mut table, config, context, report);
    table.report_unknown_keys(report);
}

/// Reads the sections that can stand several times. Lookups come first, because rules may use no
/// others, and rules for all gates come before those of a gate.
fn read_lists(
    top: &mut TomlTable<'_>,
    config: &mut Config,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) {
    let mut global = config.policy.global.clone();
    if let Some(list) = top.get("notify", report) {
        let context = ReadContext::new(base, &global);
        config.notify = notify::read_list(&list, &context, report);
    }
    if let Some(list) = top.get("lookup", report) {
        let context = ReadContext::new(base, &global);
        (config.lookups, config.policy.global.lookups) = lookup::read_list(&list, &context, report);
    }
    if let Some(list) = top.get("source", report) {
        let context = ReadContext::new(base, &global);
        config.sources = source::read_list(&list, &context, report);
    }
    global.lookups = config.policy.global.lookups.clone();
    if let Some(list) = top.get("rule", report) {
        let context = ReadContext::new(base, &global);
        config.policy.global.rules = rule::read_list(&list, &rule::SECTION, &context, report);
    }
    if let Some(list) = top.get("gate", report) {
        let context = ReadContext::new(base, &config.policy.global);
        config.policy.gates = gate::read_list(&list, &context, report);
    }
    if let Some(list) = top.get("cap", report) {
        let context = ReadContext::new(base, &global);
        let gates = &config.policy.gates;
        config.policy.global.shared_caps = shared_cap::read_list(&list, gates, &context, report);
    }
    if let Some(list) = top.get("allowance", report) {
        let context = ReadContext::new(base, &global);
        let allowances = allowance::read_list(&list, &context, report);
        allowance::check_gates(&allowances, &config.policy.gates, report);
        config.policy.global.allowances = allowances;
    }
    read_misnamed_lists(top, &global, base, report);
}

/// Reads lists under an old or mistyped name in addition to those under the right name, only for
/// what is wrong in them.
fn read_misnamed_lists(
    top: &TomlTable<'_>,
    global: &GlobalPolicy,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) {
    let context = ReadContext::new(base, global);
    for list in top.further_values("notify") {
        notify::read_list(&list, &context, report);
    }
    for list in top.further_values("lookup") {
        lookup::read_list(&list, &context, report);
    }
    for list in top.further_values("source") {
        source::read_list(&list, &context, report);
    }
    for list in top.further_values("rule") {
        rule::read_list(&list, &rule::SECTION, &context, report);
    }
    for list in top.further_values("gate") {
        gate::read_list(&list, &context, report);
    }
    for list in top.further_values("allowance") {
        allowance::read_list(&list, &context, report);
    }
    for list in top.further_values("cap") {
        shared_cap::read_list(&list, &[], &context, report);
    }
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
