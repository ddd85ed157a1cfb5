//! Sends a test notification to the targets of a configuration.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::model::Config;
use crate::control::notify::{NotifyTestResultView, NotifyTestView};
use crate::control::protocol::SCHEMA;
use crate::domain::notification::event::{Notification, NotificationContent, NotificationOrigin};
use crate::domain::notification::target::NotifyTarget;
use crate::domain::time::{Clock, Time};
use crate::notify::target::OpenedTarget;
use crate::notify::view::{ViewOptions, notification_view};

/// Sends a test notification to the target with this name, or to all. Returns `None` if there is
/// no such target.
pub async fn test_targets(
    config: &Config,
    name: Option<&str>,
    clock: &Clock,
) -> Option<NotifyTestView> {
    let chosen = config.notify.iter();
    let chosen = chosen.filter(|target| name.is_none_or(|name| target.name == name));
    let chosen: Vec<&NotifyTarget> = chosen.collect();
    if chosen.is_empty() && name.is_some() {
        return None;
    }
    let mut trials = JoinSet::new();
    for (number, target) in chosen.into_iter().enumerate() {
        let (target, clock) = (target.clone(), Arc::clone(clock));
        let zone = config.policy.global.zone;
        trials.spawn(async move {
            let options = ViewOptions {
                ledger: "test",
                include_people: false,
                zone,
            };
            (number, test_target(&target, options, clock()).await)
        });
    }
    let mut results = Vec::new();
    while let Some(ended) = trials.join_next().await {
        results.push(ended.expect("a trial does not panic"));
    }
    results.sort_by_key(|(number, _)| *number);
    let results: Vec<NotifyTestResultView> = results.into_iter().map(|(_, one)| one).collect();
    Some(NotifyTestView {
        schema: SCHEMA,
        ok: results.iter().all(|result| result.delivered),
        results,
    })
}

async fn test_target(
    target: &NotifyTarget,
    options: ViewOptions<'_>,
    now: Time,
) -> NotifyTestResultView {
    let notification = Notification {
        origin: NotificationOrigin::State {
            subject: target.name.clone(),
            since: now,
        },
        at: now,
        content: NotificationContent::Test,
    };
    let view = notification_view(&notification, options);
    let error = match OpenedTarget::open(target) {
        Ok(opened) => opened.deliver(&view, now).await.err(),
        Err(error) => Some(error.why.to_string()),
    };
    NotifyTestResultView {
        name: target.name.clone(),
        transport: target.transport.as_str().to_owned(),
        id: view.id,
        delivered: error.is_none(),
        error,
    }
}
