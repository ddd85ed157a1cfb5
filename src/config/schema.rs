//! All sections of the configuration, in the order of the documentation.

use std::fs;

use serde_json::Value;

use super::backup::{BACKUP, PRIVACY};
use super::key::{KeyDoc, KeyValue, Section, SectionDoc, Setting};
use super::model::Config;
use super::secret_detection;
use super::store_and_control::{CONTROL, STORE};
use super::{
    allowance, calcom, credits, dead_man, gate, global_policy, import, limits, localized_text,
    lookup, metrics, notify, page, rule, schedule, shared_cap, source,
};
use crate::domain::lookup::LookupSource;
use crate::domain::member_source::MemberSourceKind;
use crate::domain::notification::target::{NotifyTransport, PostUrl};
use crate::domain::secret_path::SecretPath;

/// The sections that stand once. They are read in this order: a section may use what those before
/// it have set.
pub(super) const SINGLE: [&Section<Config>; 14] = [
    &calcom::SECTION,
    &schedule::SECTION,
    &STORE,
    &CONTROL,
    &BACKUP,
    &PRIVACY,
    &metrics::SECTION,
    &page::SECTION,
    &import::SECTION,
    &dead_man::SECTION,
    &limits::SECTION,
    &global_policy::SECTION,
    &credits::SECTION,
    &localized_text::REASONS,
];

/// Returns the documentation of all sections.
pub(super) fn documentation() -> Vec<SectionDoc> {
    let mut sections: Vec<SectionDoc> = SINGLE.iter().map(|s| s.documentation()).collect();
    let reasons = sections.pop();
    sections.push(notify::SECTION.documentation());
    sections.push(lookup::SECTION.documentation());
    sections.push(source::SECTION.documentation());
    sections.push(rule::SECTION.documentation());
    sections.extend(reasons);
    sections.push(gate::SECTION.documentation());
    sections.push(rule_of_gate());
    sections.push(allowance::SECTION.documentation());
    sections.push(shared_cap::SECTION.documentation());
    sections
}

/// Returns the documentation of the rules of a gate: the keys of all rules, with other examples.
fn rule_of_gate() -> SectionDoc {
    let section = rule::OF_GATE.documentation();
    let examples = rule::GATE_EXAMPLES.iter();
    let with_example = |(key, (name, example)): (KeyDoc, &(&str, &'static str))| {
        assert_eq!(key.name, *name, "the examples are in the order of the keys");
        KeyDoc {
            value: KeyValue::Example(example),
            doc: "",
            ..key
        }
    };
    SectionDoc {
        keys: section
            .keys
            .into_iter()
            .zip(examples)
            .map(with_example)
            .collect(),
        ..section
    }
}

/// Returns every key with its value, without texts that look like a secret. The path of a secret is
/// printed if its text is an absolute path, or if it names a file.
pub fn printable_settings(config: &Config) -> Vec<Setting> {
    let mut config = config.clone();
    let show_existing = |file: &mut SecretPath| {
        *file = file.shown_if(fs::symlink_metadata(file.path()).is_ok());
    };
    show_existing(&mut config.calcom.api_key_file);
    for lookup in &mut config.lookups {
        if let LookupSource::Url {
            credential_file: Some(file),
            ..
        } = &mut lookup.source
        {
            show_existing(file);
        }
    }
    for source in &mut config.sources {
        match &mut source.kind {
            MemberSourceKind::Http(http) => {
                http.credential_file.iter_mut().for_each(show_existing);
            }
            MemberSourceKind::Sql { url_file, .. } => show_existing(url_file),
            MemberSourceKind::Command { .. } | MemberSourceKind::Csv { .. } => {}
        }
    }
    config.dead_man.url_file.iter_mut().for_each(show_existing);
    for target in &mut config.notify {
        match &mut target.transport {
            NotifyTransport::Command { .. } | NotifyTransport::File { .. } => {}
            NotifyTransport::Post { url, key_file } => {
                key_file.iter_mut().for_each(show_existing);
                if let PostUrl::InFile(file) = url {
                    show_existing(file);
                }
            }
            NotifyTransport::Mail(mail) => {
                mail.password_file.iter_mut().for_each(show_existing);
            }
        }
    }
    let mut settings = settings(&config);
    for setting in &mut settings {
        redact(&mut setting.value);
    }
    settings
}

/// Returns the text, or what is shown in place of a text that looks like a secret.
pub fn printable_text(text: &str) -> &str {
    match secret_detection::value_looks_secret(text) {
        true => "(not shown: it looks like a secret)",
        false => text,
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::String(text) => *text = printable_text(text).to_owned(),
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(entries) => entries.values_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns every key of the configuration with its value.
pub(super) fn settings(config: &Config) -> Vec<Setting> {
    let mut config = config.clone();
    let mut settings = Vec::new();
    for section in SINGLE {
        settings.extend(section.settings(section.path, &mut config));
    }
    settings.extend(notify::settings(&config.notify));
    settings.extend(lookup::settings(&config.lookups, &config.policy.global));
    settings.extend(source::settings(&config.sources));
    settings.extend(rule::settings("rule", &config.policy.global.rules));
    settings.extend(gate::settings(&mut config.policy.gates));
    settings.extend(allowance::settings(&config.policy.global.allowances));
    settings.extend(shared_cap::settings(&config.policy.global.shared_caps));
    settings
}
