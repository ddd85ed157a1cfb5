//! Reads the configuration again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Loop;
use crate::config::load::{LoadError, load};
use crate::config::model::Config;
use crate::config::parse::Loaded;
use crate::config::schema::printable_settings;
use crate::control::protocol::SCHEMA;
use crate::control::protocol::check::CheckResultView;
use crate::control::protocol::status::{ChangedKeyView, ReloadView};
use crate::daemon::calendar::OpenedCalendar;
use crate::daemon::config_check::{diagnostic_result, open_calendar};
use crate::daemon::doctor::check_result::error;
use crate::daemon::outbox::opened::OpenedNotifications;
use crate::daemon::service_manager;
use crate::lookup::client::LookupClient;
use crate::reconcile::context::Session;
use crate::source::client::SourceClient;

/// A configuration that can be used, with what it opens.
struct NewConfig {
    loaded: Loaded,
    calendar: OpenedCalendar,
    lookups: LookupClient,
    sources: SourceClient,
    notifications: OpenedNotifications,
}

impl Loop {
    /// Reads and validates the configuration. After any error the old configuration stays in force.
    pub(super) fn reload(&mut self) -> ReloadView {
        service_manager::reloading();
        let mut results = Vec::new();
        let new = self.read_new_config(&mut results);
        let accepted = new.is_some();
        let changes = match new {
            Some(new) => self.use_config(new),
            None => {
                log_refusal(&results);
                Vec::new()
            }
        };
        service_manager::ready();
        self.show_status();
        ReloadView {
            schema: SCHEMA,
            accepted,
            config: self.daemon.config_path.display().to_string(),
            policy: self.policy.hash.clone(),
            changes,
            results,
        }
    }

    /// Returns the configuration of the file, unless something is wrong. Adds what is found.
    fn read_new_config(&self, results: &mut Vec<CheckResultView>) -> Option<NewConfig> {
        let loaded = match load(&self.daemon.config_path) {
            Ok(loaded) => loaded,
            Err(LoadError::Invalid(findings)) => {
                results.extend(findings.0.iter().map(diagnostic_result));
                return None;
            }
            Err(why) => {
                results.push(error("configuration", format!("failed to {why}"), ""));
                return None;
            }
        };
        results.extend(loaded.warnings.iter().map(diagnostic_result));
        let restart_keys = self.keys_needing_restart(&loaded.config);
        if !restart_keys.is_empty() {
            let text = format!("{} change with a restart only", restart_keys.join(", "));
            let help = "restart the daemon, or undo this change";
            results.push(error("configuration", text, help));
            return None;
        }
        let calendar = {
            let observer = self.daemon.metrics.call_observer();
            open_calendar(&loaded, &self.daemon.clock, Some(observer), results)?
        };
        let lookups = match LookupClient::open(&loaded.config.lookups) {
            Ok(lookups) => lookups,
            Err(why) => {
                let help = "see the lookups of the configuration";
                results.push(error("lookups", why.to_string(), help));
                return None;
            }
        };
        let sources = match SourceClient::open(&loaded.config.sources) {
            Ok(sources) => sources,
            Err(why) => {
                let help = "see [[source]] in the configuration, and docs/members.md";
                results.push(error("sources", why.to_string(), help));
                return None;
            }
        };
        match OpenedNotifications::open(&loaded.config) {
            Ok(notifications) => Some(NewConfig {
                loaded,
                calendar,
                lookups,
                sources,
                notifications,
            }),
            Err(why) => {
                let help = "see [[notify]] and [dead-man] in the configuration, and \
                            docs/notifications.md";
                results.push(error("notifications", why.to_string(), help));
                None
            }
        }
    }

    /// Uses the configuration from now on. Returns the keys whose value changes.
    fn use_config(&mut self, new: NewConfig) -> Vec<ChangedKeyView> {
        let NewConfig {
            loaded,
            calendar,
            lookups,
            sources,
            notifications,
        } = new;
        for finding in &loaded.warnings {
            // The whole text may name people; `maitred check` shows it.
            let line = finding.position.as_ref().map(|place| place.line);
            tracing::warn!(key = finding.key, line, "the configuration has a warning");
        }
        // With the same server and key, the session and the count of the rate limit stay.
        let is_same_calendar = loaded.config.calcom == self.daemon.config.calcom
            && calendar.key_fingerprint == self.daemon.key_fingerprint;
        if !is_same_calendar {
            self.stale_session = self.session.is_none();
            self.session = self.session.take().map(|_| Session::default());
            self.timetable.forget_failures();
            self.daemon.calendar = calendar.calendar;
            self.daemon.key_fingerprint = calendar.key_fingerprint;
        }
        self.daemon.lookups = Arc::new(lookups);
        self.daemon.sources = Arc::new(sources);
        self.daemon
            .metrics
            .set_file(loaded.config.metrics.file.clone());
        self.daemon.outbox.replace(notifications);
        self.policy = Arc::new(loaded.config.policy.clone());
        let now = (self.daemon.clock)();
        self.timetable
            .replace_schedule(loaded.config.schedule.clone(), now);
        if let Some(page) = &self.daemon.page {
            page.set_zone(loaded.config.policy.global.zone);
        }
        let changes = changed_keys(&self.daemon.config, &loaded.config);
        self.daemon.config = loaded.config;
        let path = self.daemon.config_path.display().to_string();
        tracing::info!(path, policy = self.policy.hash, "configuration reloaded");
        changes
    }

    /// Returns the changed keys that this process cannot apply. Applying only the rest would leave
    /// a configuration in force that no file contains.
    fn keys_needing_restart(&self, new: &Config) -> Vec<&'static str> {
        let old = &self.daemon.config;
        let keys = [
            ("store.path", new.store != old.store),
            ("control.socket", new.control != old.control),
            ("page", new.page != old.page),
            ("import", new.import != old.import),
            (
                "calcom.base-url",
                new.calcom.base_url != old.calcom.base_url,
            ),
            ("calcom.dialect", new.calcom.dialect != old.calcom.dialect),
        ];
        let changed = keys.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(key, _)| key).collect()
    }
}

/// The subjects of errors that are not about a place in the file, and whose text names no person.
const OWN_SUBJECTS: [&str; 6] = [
    "configuration",
    "key",
    "calcom",
    "lookups",
    "sources",
    "notifications",
];

/// Logs why a configuration is not used. A finding about the file is logged without its text, which
/// may name people; `maitred check` shows it.
fn log_refusal(results: &[CheckResultView]) {
    let errors = results.iter().filter(|result| result.level == "error");
    let (own, of_file): (Vec<_>, Vec<_>) =
        errors.partition(|error| OWN_SUBJECTS.contains(&error.subject.as_str()));
    for CheckResultView { text, .. } in own {
        tracing::error!("the configuration in force does not change: {text}");
    }
    for CheckResultView { subject, .. } in &of_file {
        tracing::error!(place = subject, "the configuration is wrong");
    }
    if !of_file.is_empty() {
        tracing::error!("the configuration in force does not change; see `maitred check`");
    }
}

/// Returns the keys with different values, in the order of the documentation. Keys that only the
/// old configuration has come last.
fn changed_keys(old: &Config, new: &Config) -> Vec<ChangedKeyView> {
    let settings = |config| printable_settings(config).into_iter();
    let mut before: BTreeMap<String, Value> = settings(old)
        .map(|setting| (setting.key, setting.value))
        .collect();
    let mut changes = Vec::new();
    for setting in settings(new) {
        let old = before.remove(&setting.key).unwrap_or_default();
        if old != setting.value {
            changes.push(ChangedKeyView {
                key: setting.key,
                old,
                new: setting.value,
            });
        }
    }
    let removed = before.into_iter().filter(|(_, old)| !old.is_null());
    changes.extend(removed.map(|(key, old)| ChangedKeyView {
        key,
        old,
        new: Value::Null,
    }));
    changes
}
