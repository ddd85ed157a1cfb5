//! Reads the spanned tree of a TOML text key by key. The caller asks for every value by key and by
//! type. A wrong type is reported, and so is a key that the caller did not ask for. No mistake
//! stops the reading. The tree is that of the crate `toml`, which reports all syntax errors of a
//! text and not only the first.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic_collector::DiagnosticCollector;
use super::key_names::{self, RenamedKey};
use super::secret_detection;
use crate::domain::name_distance;

/// Where an operator should keep an API key that they wrote into the configuration.
pub(super) const KEY_ADVICE: &str = "keep the API key out of this file (and make a new one if \
    others could read it): put it alone into the file that `api-key-file` names, or into systemd's \
    credential `calcom-api-key`, or into the variable MAITRED_API_KEY";

/// One table, and which of its keys are known.
pub(super) struct TomlTable<'t> {
    path: String,
    entries: Option<&'t DeTable<'t>>,
    known_keys: Vec<&'static str>,
    /// The names that stand in place of known keys: each key, and its old or mistyped name.
    misnamed: Vec<(&'static str, &'t str)>,
    /// The names that are reported already.
    reported: Vec<&'t str>,
    /// Where an operator should keep a secret that they wrote into this table.
    secret_advice: &'static str,
}

/// One value and its path.
#[derive(Clone)]
pub(super) struct TomlValue<'t> {
    pub(super) path: String,
    value: &'t DeValue<'t>,
}

impl<'t> TomlTable<'t> {
    pub(super) fn new(path: &str, entries: Option<&'t DeTable<'t>>) -> Self {
        Self {
            path: path.to_owned(),
            entries,
            known_keys: Vec::new(),
            misnamed: Vec::new(),
            reported: Vec::new(),
            secret_advice: KEY_ADVICE,
        }
    }

    /// Returns the same table, with other advice to operators who write a secret into it.
    pub(super) fn with_secret_advice(self, secrets_belong: &'static str) -> Self {
        Self {
            secret_advice: secrets_belong,
            ..self
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the value of a key that has been read before.
    pub(super) fn peek(&self, key: &str) -> Option<TomlValue<'t>> {
        let name = self.names_of(key).next()?;
        let value = self.entries?.get(name)?.get_ref();
        let path = join(&self.path, name);
        Some(TomlValue { path, value })
    }

    /// Returns the names under which the key stands in the table, its own name first.
    fn names_of(&self, key: &str) -> impl Iterator<Item = &'t str> {
        let own_name = self.entries.and_then(|entries| entries.get_key_value(key));
        let own_name = own_name.map(|(name, _)| &**name.get_ref());
        let other_names = self.misnamed.iter().filter(move |(known, _)| *known == key);
        own_name
            .into_iter()
            .chain(other_names.map(|(_, name)| *name))
    }

    /// Refuses old and mistyped names of keys. The value of such a name is read as that of the key,
    /// so that its mistakes are reported too, and so that the key does not count as missing.
    pub(super) fn match_names(
        &mut self,
        known: &[&'static str],
        renamed: &[RenamedKey],
        report: &mut DiagnosticCollector<'_>,
    ) {
        let mut entries: Vec<_> = self.entries.into_iter().flatten().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name: &'t str = key.get_ref();
            if known.contains(&name) || self.reported.contains(&name) {
                continue;
            }
            let path = join(&self.path, name);
            let old = renamed.iter().find(|renamed| renamed.old == name);
            let meant = match old {
                Some(renamed) => {
                    report.record_span(&path, key.span());
                    let problem = format!("`{name}` is no longer used");
                    report.error(&path, problem, renamed.help);
                    renamed.new
                }
                None => {
                    let meant = key_names::suggest(name, known);
                    if meant.is_none() {
                        continue;
                    }
                    self.report_unknown_key(key, value, known, report);
                    meant
                }
            };
            self.reported.push(name);
            if let Some(meant) = meant {
                // Checks of several keys name this key.
                report.record_span(&join(&self.path, meant), value.span());
                self.misnamed.push((meant, name));
            }
        }
    }

    /// Returns the values under other names of a key that are not the value of the key itself.
    pub(super) fn further_values(&self, key: &str) -> Vec<TomlValue<'t>> {
        let names = self.names_of(key).skip(1);
        let values = names.filter_map(|name| {
            Some(TomlValue {
                path: join(&self.path, name),
                value: self.entries?.get(name)?.get_ref(),
            })
        });
        values.collect()
    }

    /// Returns the key's value, if the key is there.
    pub(super) fn get(
        &mut self,
        key: &'static str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<TomlValue<'t>> {
        self.known_keys.push(key);
        report.register_key(&join(&self.path, key));
        let name = self.names_of(key).next()?;
        let path = join(&self.path, name);
        let value = self.entries?.get(name)?;
        if name == key {
            report.record_span(&path, value.span());
        }
        Some(TomlValue {
            path,
            value: value.get_ref(),
        })
    }

    /// Returns the key's value, or reports that the key is missing.
    pub(super) fn get_required(
        &mut self,
        key: &'static str,
        example: &str,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<TomlValue<'t>> {
        let item = self.get(key, report);
        if item.is_none() {
            let problem = format!("there is no `{key}` here");
            report.missing_key(&self.path, key, problem, format!("add {key} = {example}"));
        }
        item
    }

    /// Returns the table at the key, or an empty one if there is none.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        report: &mut DiagnosticCollector<'_>,
    ) -> TomlTable<'t> {
        match self.get(key, report) {
            Some(item) => item.section(report),
            None => TomlTable::new(&join(&self.path, key), None),
        }
    }

    /// Reports the keys that the caller did not ask for.
    pub(super) fn report_unknown_keys(self, report: &mut DiagnosticCollector<'_>) {
        for (key, value) in self.entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            if !self.known_keys.contains(&name) && !self.reported.contains(&name) {
                self.report_unknown_key(key, value, &self.known_keys, report);
            }
        }
    }

    fn report_unknown_key(
        &self,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        known: &[&'static str],
        report: &mut DiagnosticCollector<'_>,
    ) {
        let name: &str = key.get_ref();
        let path = join(&self.path, name);
        report.record_span(&path, key.span());
        let meant = key_names::suggest(name, known);
        let is_secret_name = secret_detection::is_secret_name(name);
        if meant.is_none() && is_secret_name && !value.get_ref().is_table() {
            let problem = "a secret does not belong in the configuration".to_owned();
            report.error(&path, problem, self.secret_advice);
            return;
        }
        let known_here = || format!("known here: {}", known.join(", "));
        if meant.is_none() && secret_detection::name_looks_secret(name) {
            report.hide_name(&path, key.span());
            let problem = "unknown key, which is not shown because it may be a secret".to_owned();
            report.error(
                &path,
                problem,
                format!("{}; {}", known_here(), self.secret_advice),
            );
            return;
        }
        let help = match (meant, report.find_section(name)) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(section)) => format!("it belongs under {section}"),
            (None, None) => known_here(),
        };
        let shown = match report.show_key(name) {
            Some(shown) => format!("unknown key `{shown}`"),
            None => "unknown key".to_owned(),
        };
        report.error(&path, shown, help);
    }
}

impl<'t> TomlValue<'t> {
    pub(super) fn as_text(&self) -> Option<&'t str> {
        self.value.as_str()
    }

    pub(super) fn as_flag(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(super) fn as_table(&self) -> Option<&'t DeTable<'t>> {
        self.value.as_table()
    }

    /// Returns the text, or reports a wrong type.
    pub(super) fn text(
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
    pub(super) fn as_number(&self) -> Option<i64> {
        let number = self.value.as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// Returns the whole number, or reports that the value is none within the range.
    pub(super) fn number(
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
    pub(super) fn keyword<T: Copy>(
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
    pub(super) fn list(
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
    pub(super) fn flag(&self, report: &mut DiagnosticCollector<'_>) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.report_type_mismatch("true or false", "without quotes", report);
        }
        flag
    }

    /// Returns the table, or reports a wrong type.
    pub(super) fn table(
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
    pub(super) fn section(&self, report: &mut DiagnosticCollector<'_>) -> TomlTable<'t> {
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
    pub(super) fn rows(
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
    pub(super) fn sections(
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
    pub(super) fn limit_count(
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
    pub(super) fn named_values(
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
    pub(super) fn raw(&self) -> &'t DeValue<'t> {
        self.value
    }

    /// Reports that the value has the wrong type.
    pub(super) fn report_type_mismatch(
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

/// Returns the path of the key in the table with this path.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}
