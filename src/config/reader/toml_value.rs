//! One value of the configuration: its type, its bounds, and what is wrong with it.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{TomlTable, join};
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::key_names;
use crate::domain::name_distance;

/// One value and its path.
#[derive(Clone)]
pub(in crate::config) struct TomlValue<'t> {
    pub(in crate::config) path: String,
    value: &'t DeValue<'t>,
}

impl<'t> TomlValue<'t> {
    pub(super) fn new(path: String, value: &'t DeValue<'t>) -> Self {
        Self { path, value }
    }

    pub(in crate::config) fn as_text(&self) -> Option<&'t str> {
        self.value.as_str()
    }

    pub(in crate::config) fn as_flag(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(in crate::config) fn as_table(&self) -> Option<&'t DeTable<'t>> {
        self.value.as_table()
    }

    /// Returns the text, or reports a wrong type.
    pub(in crate::config) fn text(
        &self,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<&'t str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.report_type_mismatch(
                "a text in quotes",
                &format!("for example \"{example}\""),
                report,
            );
        }
        text
    }

    /// Returns the whole number, if the value is one that fits.
    pub(in crate::config) fn as_number(&self) -> Option<i64> {
        let number = self.value.as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// Returns the whole number, or reports that the value is none within the range.
    pub(in crate::config) fn number(
        &self,
        range: RangeInclusive<u64>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<u64> {
        let (least, most) = (range.start(), range.end());
        let help = format!("give a whole number from {least} to {most}");
        let Some(integer) = self.value.as_integer() else {
            self.report_type_mismatch("a whole number", &help, report);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let shown = report.show(&integer.to_string());
            report.error(&self.path, format!("{shown} is out of range"), help);
        }
        number
    }

    /// Returns the value of a keyword, or reports that the word is unknown.
    pub(in crate::config) fn keyword<T: Copy>(
        &self,
        words: &[(&'static str, T)],
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<T> {
        let known_words: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        let choice = format!("give one of \"{}\"", known_words.join("\", \""));
        let Some(text) = self.as_text() else {
            self.report_type_mismatch("a text in quotes", &choice, report);
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let shown = report.show(text);
            let nearest = name_distance::nearest(text, known_words.iter().copied());
            let help = match (key_names::new_word(text, &known_words), nearest) {
                (Some(new), _) => format!("write \"{new}\", which replaced it"),
                (None, Some(nearest)) => format!("did you mean \"{nearest}\"?"),
                (None, None) => choice,
            };
            report.error(&self.path, format!("{shown} is not known here"), help);
        }
        found.map(|(_, value)| *value)
    }

    /// Returns the items of the list, or reports a wrong type and returns none.
    pub(in crate::config) fn list(
        &self,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlValue<'t>> {
        let Some(values) = self.value.as_array() else {
            self.report_type_mismatch("a list", &format!("for example {example}"), report);
            return Vec::new();
        };
        let item = |(number, value): (usize, &'t Spanned<DeValue<'t>>)| {
            let path = format!("{}[{number}]", self.path);
            report.record_span(&path, value.span());
            TomlValue {
                path,
                value: value.get_ref(),
            }
        };
        values.iter().enumerate().map(item).collect()
    }

    /// Returns `true` or `false`, or reports a wrong type.
    pub(in crate::config) fn flag(&self, report: &mut DiagnosticCollector<'_>) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.report_type_mismatch("true or false", "without quotes", report);
        }
        flag
    }

    /// Returns the table, or reports a wrong type.
    pub(in crate::config) fn table(
        &self,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<TomlTable<'t>> {
        let entries = self.value.as_table();
        if entries.is_none() {
            self.report_type_mismatch("a table", &format!("for example {example}"), report);
        }
        entries.map(|entries| TomlTable::new(&self.path, Some(entries)))
    }

    /// Returns the table of a section that stands once, or reports a wrong type. The first of
    /// several tables is returned too, so that its mistakes are reported.
    pub(in crate::config) fn section(&self, report: &mut DiagnosticCollector<'_>) -> TomlTable<'t> {
        let mut entries = self.value.as_table();
        if entries.is_none() {
            let help = format!("write [{}] on a line of its own", self.path);
            self.report_type_mismatch("a table", &help, report);
            let first = self.value.as_array().and_then(|values| values.first());
            entries = first.and_then(|value| value.get_ref().as_table());
        }
        TomlTable::new(&self.path, entries)
    }

    /// Returns the tables of a list, and reports items that are no tables. More than `most` items
    /// are refused.
    pub(in crate::config) fn rows(
        &self,
        example: &str,
        most: usize,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlTable<'t>> {
        let items = self.limit_count(self.list(&format!("[{example}]"), report), most, report);
        let rows = items.iter().map(|item| item.table(example, report));
        rows.flatten().collect()
    }

    /// Returns the tables of a list in which each table has a header, and reports items that are no
    /// tables. More than `most` items are refused.
    pub(in crate::config) fn sections(
        &self,
        header: &str,
        most: usize,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlTable<'t>> {
        if let Some(entries) = self.as_table() {
            let help = format!("write {header}, with two brackets");
            self.report_type_mismatch("a list of tables", &help, report);
            // What is wrong in the table is reported too.
            return vec![TomlTable::new(&self.path, Some(entries))];
        }
        let example = format!("{header} on a line of its own");
        let items = self.limit_count(self.list(&example, report), most, report);
        let section = |item: &TomlValue<'t>| {
            let entries = item.value.as_table();
            if entries.is_none() {
                item.report_type_mismatch("a table", &format!("write {example}"), report);
            }
            entries.map(|entries| TomlTable::new(&item.path, Some(entries)))
        };
        items.iter().filter_map(section).collect()
    }

    /// Returns the items, or reports that there are more than `most`.
    pub(in crate::config) fn limit_count(
        &self,
        items: Vec<TomlValue<'t>>,
        most: usize,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<TomlValue<'t>> {
        if items.len() <= most {
            return items;
        }
        let problem = format!("{} entries are more than {most}", items.len());
        report.error(&self.path, problem, "leave out some");
        Vec::new()
    }

    /// Returns the values of a table whose keys are free, with their names, in the order of the
    /// text.
    pub(in crate::config) fn named_values(
        &self,
        report: &mut DiagnosticCollector<'_>,
    ) -> Vec<(&'t str, TomlValue<'t>)> {
        let mut entries: Vec<_> = self.value.as_table().into_iter().flatten().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let to_named_value =
            |(name, value): (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>)| {
                let name: &'t str = name.get_ref();
                let path = join(&self.path, name);
                report.record_span(&path, value.span());
                let value = value.get_ref();
                (name, TomlValue { path, value })
            };
        entries.into_iter().map(to_named_value).collect()
    }

    /// Returns the value as the parser gives it.
    pub(in crate::config) fn raw(&self) -> &'t DeValue<'t> {
        self.value
    }

    /// Reports that the value has the wrong type.
    pub(in crate::config) fn report_type_mismatch(
        &self,
        expected: &str,
        help: &str,
        report: &mut DiagnosticCollector<'_>,
    ) {
        let found_type = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        report.error(
            &self.path,
            format!("expected {expected}, found {found_type}"),
            help,
        );
    }
}
