//! A row for each key: its name, its default, its documentation, and how its value is read and
//! shown. A section is a list of rows. Reading, `config.toml`, `docs/config.md`, the hash of the
//! policy and `maitred config show` all come from these rows.

use std::path::Path;

use serde_json::Value;
use toml::de::DeTable;

use super::diagnostic_collector::DiagnosticCollector;
use super::key_names::RenamedKey;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::id::EventTypeKey;

/// One section: `[calcom]`, or a section that can stand several times, such as `[[gate]]`. `S` is
/// the type of the value that the section is read into.
pub(super) struct Section<S: 'static> {
    /// As in the paths of diagnostics without the numbers: `calcom`, `gate[]`, `gate[].rule[]`.
    pub(super) path: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [&'static [KeyRow<S>]],
    /// Keys that other keys have replaced.
    pub(super) renamed: &'static [RenamedKey],
    /// Sets what depends on several keys, and checks them together.
    pub(super) complete: Completion<S>,
}

/// Completes a section after all its keys have been read.
pub(super) type Completion<S> =
    fn(&TomlTable<'_>, &mut S, &ReadContext<'_>, &mut DiagnosticCollector<'_>);

/// One key of a section.
pub(super) struct KeyRow<S: 'static> {
    pub(super) name: &'static str,
    pub(super) value: KeyValue,
    pub(super) affects: Affects,
    /// What operators must know, in sentences. Bounds are added from the field.
    pub(super) doc: &'static str,
    pub(super) field: &'static dyn KeyField<S>,
}

/// The value that the documentation shows, as TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyValue {
    /// The value of a key that is left out.
    Default(&'static str),
    /// An example of a key that can be left out.
    Example(&'static str),
    /// An example of a key that is used instead of another one.
    Alternative(&'static str),
    /// An example of a key that must be there.
    Required(&'static str),
}

/// What a key influences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affects {
    /// Decisions. The value is part of the hash of the policy.
    Decisions,
    /// Only how the program works.
    Operation,
}

/// How the value of a key gets into its section, and out of the section again.
pub(super) trait KeyField<S> {
    /// Returns the type with its bounds, for the documentation: `a duration from "1s" to "10m"`.
    fn describe(&self) -> String;

    /// Reads the value, or reports what is wrong with it and leaves the section as it is.
    fn read(
        &self,
        item: &TomlValue<'_>,
        section: &mut S,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    );

    /// Returns the value in one form for all spellings. What has no order is sorted.
    fn to_json(&self, section: &mut S) -> Value;
}

/// What the values of a section depend on outside the section.
#[derive(Clone, Copy)]
pub(super) struct ReadContext<'a> {
    /// Where relative paths start.
    pub(super) base: &'a Path,
    /// The settings for all gates, as far as they have been read.
    pub(super) global: &'a GlobalPolicy,
    /// The names in earlier tables of the same list, each with the path of its place.
    pub(super) earlier_names: &'a [(String, String)],
    /// The event types of earlier gates, each with the path of its gate.
    pub(super) earlier_event_types: &'a [(EventTypeKey, String)],
}

/// A key with its value in a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The path of the key: `gate[0].cost`.
    pub key: String,
    /// The value of the key.
    pub value: Value,
    /// Whether the value is part of the hash of the policy.
    pub affects_decisions: bool,
}

/// A section as the documentation shows it.
pub(super) struct SectionDoc {
    pub(super) path: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: Vec<KeyDoc>,
}

/// A key as the documentation shows it.
pub(super) struct KeyDoc {
    pub(super) name: &'static str,
    pub(super) value: KeyValue,
    pub(super) doc: &'static str,
    pub(super) description: String,
}

impl<'a> ReadContext<'a> {
    /// Returns the context of the sections that stand once.
    pub(super) fn new(base: &'a Path, global: &'a GlobalPolicy) -> Self {
        Self {
            base,
            global,
            earlier_names: &[],
            earlier_event_types: &[],
        }
    }
}

impl<S> Section<S> {
    fn rows(&self) -> impl Iterator<Item = &'static KeyRow<S>> {
        self.keys.iter().flat_map(|rows| rows.iter())
    }

    /// Returns the section's header: `[[gate.rule]]`.
    pub(super) fn header(&self) -> String {
        header(self.path)
    }

    /// Refuses old and mistyped names of keys, with the right name. `others` are the names of lists
    /// within the section.
    pub(super) fn match_names(
        &self,
        table: &mut TomlTable<'_>,
        others: &[&'static str],
        report: &mut DiagnosticCollector<'_>,
    ) {
        let names = self.rows().map(|row| row.name);
        let known: Vec<&'static str> = names.chain(others.iter().copied()).collect();
        table.match_names(&known, self.renamed, report);
    }

    /// Reads all keys of the table into the section.
    pub(super) fn read(
        &self,
        table: &mut TomlTable<'_>,
        section: &mut S,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) {
        for row in self.rows() {
            let item = match row.value {
                KeyValue::Required(example) => table.get_required(row.name, example, report),
                KeyValue::Default(_) | KeyValue::Example(_) | KeyValue::Alternative(_) => {
                    table.get(row.name, report)
                }
            };
            if let Some(item) = item {
                row.field.read(&item, section, context, report);
            }
        }
        (self.complete)(table, section, context, report);
    }

    /// Sets every key that has a default to its default.
    pub(super) fn set_defaults(&self, section: &mut S, context: &ReadContext<'_>) {
        for row in self.rows() {
            if let KeyValue::Default(default) = row.value {
                let text = format!("{} = {default}", row.name);
                let tree = DeTable::parse(&text).expect("a default is TOML");
                let mut report = DiagnosticCollector::new(&text, "");
                let mut table = TomlTable::new("", Some(tree.get_ref()));
                let item = table
                    .get(row.name, &mut report)
                    .expect("the text has the key");
                row.field.read(&item, section, context, &mut report);
                assert!(!report.has_errors(), "the default of {} is wrong", row.name);
            }
        }
    }

    /// Returns the value of every key. `path` is that of the section in its configuration.
    pub(super) fn settings(&self, path: &str, section: &mut S) -> Vec<Setting> {
        let setting = |row: &KeyRow<S>| Setting {
            key: format!("{path}.{}", row.name),
            value: row.field.to_json(section),
            affects_decisions: row.affects == Affects::Decisions,
        };
        self.rows().map(setting).collect()
    }

    pub(super) fn documentation(&self) -> SectionDoc {
        let key = |row: &KeyRow<S>| KeyDoc {
            name: row.name,
            value: row.value,
            doc: row.doc,
            description: row.field.describe(),
        };
        SectionDoc {
            path: self.path,
            doc: self.doc,
            keys: self.rows().map(key).collect(),
        }
    }
}

/// Returns the header of the section with this path: `[[gate.rule]]` for `gate[].rule[]`.
pub(super) fn header(path: &str) -> String {
    let name = path.replace("[]", "");
    match path.ends_with("[]") {
        true => format!("[[{name}]]"),
        false => format!("[{name}]"),
    }
}
