//! Everything that a configuration says about notifications, with URLs checked and credentials read.

use std::sync::Arc;

use chrono_tz::Tz;

use crate::config::model::Config;
use crate::domain::time::Span;
use crate::notify::dead_man::DeadManUrl;
use crate::notify::target::{NotifyFlaw, NotifySetupError, OpenedTarget};

/// The targets and the dead-man switch of a configuration.
pub struct OpenedNotifications {
    /// The targets, in the order of the configuration.
    pub targets: Vec<Arc<OpenedTarget>>,
    /// The URL of the dead-man switch. `None`: there is none.
    pub dead_man: Option<DeadManUrl>,
    /// The shortest time between two calls of the dead-man switch.
    pub call_interval: Span,
    /// The time zone of times in texts.
    pub zone: Tz,
}

impl OpenedNotifications {
    /// Opens everything. Nothing is sent.
    ///
    /// # Errors
    /// Returns an error if a URL, a mail server or a credential cannot be used.
    pub fn open(config: &Config) -> Result<Self, NotifySetupError> {
        let targets = config.notify.iter().map(OpenedTarget::open);
        let targets: Result<Vec<OpenedTarget>, NotifySetupError> = targets.collect();
        let dead_man = DeadManUrl::open(&config.dead_man).map_err(|why| NotifySetupError {
            name: "dead-man".to_owned(),
            why: NotifyFlaw::Web(why),
        })?;
        Ok(Self {
            targets: targets?.into_iter().map(Arc::new).collect(),
            dead_man,
            // Passes that follow each other at the usual interval may end a little closer together.
            call_interval: config.schedule.poll.shortest_interval() / 2,
            zone: config.policy.global.zone,
        })
    }
}
