//! Reads the spanned tree of a TOML text key by key. The caller asks for every value by key and by
//! type. A wrong type is reported, and so is a key that the caller did not ask for. No mistake
//! stops the reading. The tree is that of the crate `toml`, which reports all syntax errors of a
//! text and not only the first.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use self::toml_value::TomlValue;
use super::diagnostic_collector::DiagnosticCollector;
use super::key_names::{self, RenamedKey};
use super::secret_detection;

pub(super) mod toml_value;

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
        Some(TomlValue::new(path, value))
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
            let value = self.entries?.get(name)?.get_ref();
            Some(TomlValue::new(join(&self.path, name), value))
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
        Some(TomlValue::new(path, value.get_ref()))
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

/// Returns the path of the key in the table with this path.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}
