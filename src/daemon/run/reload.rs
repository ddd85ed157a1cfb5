//! Reads the configuration again.

use std::sync::Arc;

use super::Loop;
use crate::config::load::{LoadError, load};
use crate::config::model::Config;
use crate::daemon::calendar;
use crate::daemon::outbox::opened::OpenedNotifications;
use crate::lookup::client::LookupClient;
use crate::reconcile::context::Session;

impl Loop {
    /// Reads and validates the configuration. After any error the old configuration stays in force.
    pub(super) fn reload(&mut self) {
        let path = self.daemon.config_path.display().to_string();
        let loaded = match load(&self.daemon.config_path) {
            Ok(loaded) => loaded,
            Err(LoadError::Invalid(findings)) => {
                for finding in &findings.0 {
                    let line = finding.position.as_ref().map(|place| place.line);
                    tracing::error!(key = finding.key, line, "the configuration is wrong");
                }
                tracing::error!("the configuration in force does not change; see `maitred check`");
                return;
            }
            Err(error) => {
                tracing::error!("the configuration in force does not change: failed to {error}");
                return;
            }
        };
        let restart_keys = self.keys_needing_restart(&loaded.config);
        if !restart_keys.is_empty() {
            tracing::error!(
                "the configuration in force does not change: {} change with a restart only",
                restart_keys.join(", ")
            );
            return;
        }
        let observer = self.daemon.metrics.call_observer();
        let calendar = match calendar::open(&loaded.config, &self.daemon.clock, Some(observer)) {
            Ok(calendar) => calendar,
            Err(error) => {
                tracing::error!("the configuration in force does not change: {error}");
                return;
            }
        };
        let lookups = match LookupClient::open(&loaded.config.lookups) {
            Ok(lookups) => lookups,
            Err(error) => {
                tracing::error!("the configuration in force does not change: {error}");
                return;
            }
        };
        let notifications = match OpenedNotifications::open(&loaded.config) {
            Ok(notifications) => notifications,
            Err(error) => {
                tracing::error!("the configuration in force does not change: {error}");
                return;
            }
        };
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
        self.daemon.config = loaded.config;
        tracing::info!(path, policy = self.policy.hash, "configuration reloaded");
    }

    /// Returns the changed keys that this process cannot apply. Applying only the rest would leave
    /// a configuration in force that no file contains.
    fn keys_needing_restart(&self, new: &Config) -> Vec<&'static str> {
        let old = &self.daemon.config;
        let keys = [
            ("store.path", new.store != old.store),
            ("control.socket", new.control != old.control),
            ("page", new.page != old.page),
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
