//! The care of the ledger: backups, which run at the same time as everything else, and rewrites of the log, which run between passes and watches: those hold names and records that a
//! rewrite replaces.

use std::sync::Arc;

use super::Loop;
use crate::control::protocol::SocketResponse;
use crate::control::server::ReceivedCommand;
use crate::daemon::care::{self, CareState};
use crate::daemon::commands::operator_log;
use crate::daemon::commands::parse::refusal;
use crate::daemon::views;
use crate::daemon::wake::Wake;
use crate::domain::time::{Span, Time};
use crate::reconcile::context::Session;

/// Most erasures that may be waiting. Each takes as long as reading the log several times.
const MAX_QUEUED_ERASURES: usize = 16;

impl Loop {
    /// Queues an erasure, and starts it if no pass or watch is running.
    pub(super) fn queue_erasure(&mut self, received: ReceivedCommand) {
        if self.queued_erasures.len() >= MAX_QUEUED_ERASURES {
            let text = format!("{MAX_QUEUED_ERASURES} erasures wait already; try again later");
            let response = SocketResponse::Err(refusal("busy", text));
            let _ = received.answer.send(response);
            return;
        }
        self.queued_erasures.push_back(received);
        self.start_next_erasure();
    }

    /// Starts an erasure that waits, unless something is running. Returns true if one was started.
    pub(super) fn start_next_erasure(&mut self) -> bool {
        if self.session.is_none() || self.shutting_down {
            return false;
        }
        let Some(received) = self.queued_erasures.pop_front() else {
            return false;
        };
        let Some(session) = self.session.take() else {
            return false;
        };
        let ReceivedCommand {
            command,
            sender,
            answer,
        } = received;
        let store = self.daemon.store.clone();
        let policy = Arc::clone(&self.policy);
        let now = (self.daemon.clock)();
        let wakes = self.daemon.wakes.clone();
        tokio::spawn(async move {
            let result = store
                .maintain_for_long(move |store| {
                    operator_log::run_and_log(store, &policy, now, &command, sender)
                })
                .await;
            // What passes remember may name the person.
            drop(session);
            let session = Session::default();
            let searched = false;
            let _ = wakes.send(Wake::RewriteEnded { session, searched }).await;
            let response = match result {
                Ok(result) => SocketResponse::Ok(Box::new(result)),
                Err(refusal) => SocketResponse::Err(refusal),
            };
            let _ = answer.send(response);
        });
        true
    }

    /// Starts a backup and the removal of old personal data, if they are due.
    pub(super) fn care_for_ledger(&mut self) {
        if self.shutting_down {
            return;
        }
        let now = (self.daemon.clock)();
        let config = &self.daemon.config;
        if config.backup.directory.is_some()
            && !self.backup_runs
            && self.care.next_backup(&config.backup, now) <= now
        {
            self.start_backup(now);
        }
        // While a backup copies the log, the log is not replaced.
        if let Some(keep) = self.daemon.config.privacy.keep
            && !self.backup_runs
            && self.care.is_removal_due(now)
        {
            self.start_removal(keep, now);
        }
    }

    fn start_backup(&mut self, now: Time) {
        self.backup_runs = true;
        let (config, store) = (self.daemon.config.clone(), self.daemon.store.clone());
        let wakes = self.daemon.wakes.clone();
        let mut state = self.care.clone();
        tokio::spawn(async move {
            let head = store.read(|store| store.head()).await;
            let before = state.clone();
            let made = tokio::task::spawn_blocking(move || {
                care::back_up(&config, &head, now, &mut state);
                state
            });
            let state = Box::new(made.await.unwrap_or(before));
            let _ = wakes.send(Wake::BackupEnded { state }).await;
        });
    }

    pub(super) fn handle_backup_end(&mut self, state: CareState) {
        self.backup_runs = false;
        self.care.backup = state.backup;
        self.care.backup_failure = state.backup_failure;
        self.care.save(self.daemon.config.state_dir());
    }

    fn start_removal(&mut self, keep: Span, now: Time) {
        let Some(session) = self.session.take() else {
            return;
        };
        // A failure is not repeated before the next start: it needs an operator, or room.
        self.care.personal_data_searched = Some(views::format_time(now));
        let (store, wakes) = (self.daemon.store.clone(), self.daemon.wakes.clone());
        tokio::spawn(async move {
            let removed = care::remove_old_personal_data(&store, keep, now).await;
            if let Err(text) = &removed {
                tracing::warn!("old personal data was not removed: {text}");
            }
            let searched = removed.is_ok();
            // What passes remember may have what was removed.
            drop(session);
            let session = Session::default();
            let _ = wakes.send(Wake::RewriteEnded { session, searched }).await;
        });
    }

    pub(super) fn handle_rewrite_end(&mut self, session: Session, searched: bool) {
        if searched {
            self.care.save(self.daemon.config.state_dir());
        }
        self.restore_session(session);
        self.daemon.outbox.wake();
        self.daemon.metrics.request_export();
        self.start_due_run();
    }
}
