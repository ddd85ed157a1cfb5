//! The types of values that keys have, with their bounds. A row puts one of these types and a place
//! in its section together.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::{KeyField, ReadContext};
use super::reader::toml_value::TomlValue;
use super::secret_detection;
use super::value::{self, format_duration};
use crate::domain::secret_path::SecretPath;
use crate::domain::time::Span;

/// A type of values: how it is read and shown.
pub(super) trait ValueType<V> {
    fn describe(&self) -> String;

    /// Reads the value, or reports what is wrong with it.
    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<V>;

    fn to_json(&self, value: &V) -> Value;
}

/// The place of a value in a section, and the type of the value.
pub(super) struct FieldAt<S, V, T>(pub(super) fn(&mut S) -> &mut V, pub(super) T);

/// A field whose value depends on other fields of its section.
pub(super) struct SpecialField<S> {
    pub(super) description: &'static str,
    pub(super) read: SpecialReader<S>,
    pub(super) to_json: fn(&mut S) -> Value,
}

/// Reads a value into its section.
pub(super) type SpecialReader<S> =
    fn(&TomlValue<'_>, &mut S, &ReadContext<'_>, &mut DiagnosticCollector<'_>);

/// A type that only one key has.
pub(super) struct SpecialType<V> {
    pub(super) description: &'static str,
    pub(super) read:
        fn(&TomlValue<'_>, &ReadContext<'_>, &mut DiagnosticCollector<'_>) -> Option<V>,
    pub(super) to_json: fn(&V) -> Value,
}

/// One of some words.
pub(super) struct Keywords<V: 'static>(pub(super) &'static [(&'static str, V)]);

/// A duration in words, within bounds.
pub(super) struct DurationRange(pub(super) RangeInclusive<Duration>);

/// A type that holds the duration of a key with a [`DurationRange`].
pub(super) trait DurationValue {
    fn from_duration(duration: Duration) -> Self;

    fn to_duration(&self) -> Duration;
}

impl DurationValue for Duration {
    fn from_duration(duration: Duration) -> Self {
        duration
    }

    fn to_duration(&self) -> Duration {
        *self
    }
}

impl DurationValue for Span {
    fn from_duration(duration: Duration) -> Self {
        value::to_span(duration)
    }

    /// No span of a configuration is negative.
    fn to_duration(&self) -> Duration {
        self.to_std().unwrap_or_default()
    }
}

/// A whole number, within bounds.
pub(super) struct NumberRange(pub(super) RangeInclusive<u64>);

/// A number for which 0 means that there is no limit.
pub(super) struct ZeroForNone(pub(super) NumberRange);

/// A value that has no default: `None` until one is read.
pub(super) struct Optional<T>(pub(super) T);

/// A text for which `""` means that there is none.
pub(super) struct EmptyForNone<T>(pub(super) T);

/// A path, with an example. A relative path starts at the directory of the configuration.
pub(super) struct FilePath(pub(super) &'static str);

/// The path of a file that holds a secret. The secret itself is refused where it is recognized, and
/// no message shows a value that may be the secret.
pub(super) struct SecretFile {
    pub(super) example: &'static str,
    /// What is wrong with a value that looks like a secret.
    pub(super) problem: &'static str,
    /// Where the secret belongs.
    pub(super) help: &'static str,
}

/// `true` or `false`.
pub(super) const FLAG: SpecialType<bool> = SpecialType {
    description: "true or false",
    read: |item, _, report| item.flag(report),
    to_json: |flag| (*flag).into(),
};

/// A share in percent.
pub(super) const SHARE: SpecialType<u8> = SpecialType {
    description: "a share from \"1%\" to \"100%\"",
    read: |item, _, report| value::read_percent(item, report),
    to_json: |percent| format!("{percent}%").into(),
};

impl<S, V, T: ValueType<V>> KeyField<S> for FieldAt<S, V, T> {
    fn describe(&self) -> String {
        self.1.describe()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        section: &mut S,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) {
        if let Some(value) = self.1.read(item, context, report) {
            *(self.0)(section) = value;
        }
    }

    fn to_json(&self, section: &mut S) -> Value {
        self.1.to_json((self.0)(section))
    }
}

impl<S> KeyField<S> for SpecialField<S> {
    fn describe(&self) -> String {
        self.description.to_owned()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        section: &mut S,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) {
        (self.read)(item, section, context, report);
    }

    fn to_json(&self, section: &mut S) -> Value {
        (self.to_json)(section)
    }
}

impl<V> ValueType<V> for SpecialType<V> {
    fn describe(&self) -> String {
        self.description.to_owned()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<V> {
        (self.read)(item, context, report)
    }

    fn to_json(&self, value: &V) -> Value {
        (self.to_json)(value)
    }
}

impl ValueType<PathBuf> for FilePath {
    fn describe(&self) -> String {
        "a path".to_owned()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<PathBuf> {
        value::read_path(item, context.base, self.0, report)
    }

    fn to_json(&self, value: &PathBuf) -> Value {
        value::path_to_json(value)
    }
}

impl ValueType<SecretPath> for SecretFile {
    fn describe(&self) -> String {
        "a path".to_owned()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<SecretPath> {
        let text = item.as_text().unwrap_or_default();
        if secret_detection::value_looks_secret(text) && !text.contains('/') {
            report.error(&item.path, self.problem.to_owned(), self.help);
            return None;
        }
        let path = value::read_path(item, context.base, self.example, report)?;
        Some(SecretPath::new(
            path,
            !secret_detection::is_plain_path(text),
        ))
    }

    fn to_json(&self, value: &SecretPath) -> Value {
        value.to_string().into()
    }
}

impl<V: Copy + PartialEq> ValueType<V> for Keywords<V> {
    fn describe(&self) -> String {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        words.join(" or ")
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        _: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<V> {
        item.keyword(self.0, report)
    }

    fn to_json(&self, value: &V) -> Value {
        let found = self.0.iter().find(|(_, known)| known == value);
        found.map(|(word, _)| *word).into()
    }
}

impl<V: DurationValue> ValueType<V> for DurationRange {
    fn describe(&self) -> String {
        let (least, most) = (self.0.start(), self.0.end());
        format!(
            "a duration from \"{}\" to \"{}\"",
            format_duration(*least),
            format_duration(*most)
        )
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        _: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<V> {
        value::read_duration(item, self.0.clone(), report).map(V::from_duration)
    }

    fn to_json(&self, value: &V) -> Value {
        format_duration(value.to_duration()).into()
    }
}

impl<V: Copy + TryFrom<u64> + TryInto<u64>> ValueType<V> for NumberRange {
    fn describe(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        _: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<V> {
        item.number(self.0.clone(), report)?.try_into().ok()
    }

    fn to_json(&self, value: &V) -> Value {
        (*value).try_into().ok().into()
    }
}

impl ValueType<Option<u32>> for ZeroForNone {
    fn describe(&self) -> String {
        ValueType::<u32>::describe(&self.0)
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<Option<u32>> {
        let number: u32 = self.0.read(item, context, report)?;
        Some((number > 0).then_some(number))
    }

    fn to_json(&self, value: &Option<u32>) -> Value {
        value.unwrap_or(0).into()
    }
}

impl<V, T: ValueType<V>> ValueType<Option<V>> for Optional<T> {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<Option<V>> {
        self.0.read(item, context, report).map(Some)
    }

    fn to_json(&self, value: &Option<V>) -> Value {
        value
            .as_ref()
            .map_or(Value::Null, |value| self.0.to_json(value))
    }
}

impl<V, T: ValueType<V>> ValueType<Option<V>> for EmptyForNone<T> {
    fn describe(&self) -> String {
        format!("{}, or \"\"", self.0.describe())
    }

    fn read(
        &self,
        item: &TomlValue<'_>,
        context: &ReadContext<'_>,
        report: &mut DiagnosticCollector<'_>,
    ) -> Option<Option<V>> {
        match item.as_text() {
            Some("") => Some(None),
            Some(_) | None => self.0.read(item, context, report).map(Some),
        }
    }

    fn to_json(&self, value: &Option<V>) -> Value {
        value
            .as_ref()
            .map_or("".into(), |value| self.0.to_json(value))
    }
}
