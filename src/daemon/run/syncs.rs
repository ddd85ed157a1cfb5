//! Syncs: run concurrently with the loop, its passes and its watches, one at a time.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Loop;
use crate::control::command_sender::CommandSender;
use crate::control::protocol::members::{MembersSyncCommand, MembersSyncView};
use crate::control::protocol::{CommandResult, Refusal, SocketResponse};
use crate::daemon::commands::members_sync::ListedSource;
use crate::daemon::commands::operator_log;
use crate::daemon::sync::{self, RETRY_PAUSE};
use crate::daemon::wake::Wake;
use crate::domain::gate::Policy;
use crate::domain::time::Time;
use crate::store::store_thread::StoreHandle;
use crate::store::transaction::Stamp;

impl Loop {
    /// Returns when the next scheduled sync is due; `None` without a source for it, and while one
    /// is running.
    pub(super) fn next_sync(&self, now: Time) -> Option<Time> {
        if self.is_syncing || !sync::has_scheduled(&self.daemon.config.sources) {
            return None;
        }
        let schedule = &self.daemon.config.schedule.sync;
        let next = self.sync_state.next_sync(schedule, now);
        Some(self.sync_not_before.map_or(next, |until| next.max(until)))
    }

    /// Starts the scheduled sync if it is due.
    pub(super) fn start_due_sync(&mut self) {
        let now = (self.daemon.clock)();
        let is_due = self.next_sync(now).is_some_and(|at| at <= now);
        if !is_due || self.shutting_down || self.pauses.of_all(now).is_some() {
            return;
        }
        self.is_syncing = true;
        let sources = Arc::clone(&self.daemon.sources);
        let (store, wakes) = (self.daemon.store.clone(), self.daemon.wakes.clone());
        let clock = Arc::clone(&self.daemon.clock);
        let policy = Arc::clone(&self.policy);
        let work = tokio::spawn(async move {
            let _turn = sources.sync_turn().await;
            let listed = sync::list_scheduled(&sources).await;
            let command = MembersSyncCommand::default();
            take_over(
                &store,
                sync::scheduled_stamp(clock()),
                (listed, policy),
                command,
            )
            .await
        });
        tokio::spawn(async move {
            let panicked = |_| {
                let text = "the sync panicked, which is a defect";
                Err(crate::daemon::commands::parse::refusal("internal", text))
            };
            let result = work.await.unwrap_or_else(panicked);
            // The loop outlives its syncs; when it has ended there is no receiver.
            let _ = wakes
                .send(Wake::SyncEnded {
                    started: now,
                    result,
                })
                .await;
        });
    }

    pub(super) fn handle_sync_end(
        &mut self,
        started: Time,
        result: Result<MembersSyncView, Refusal>,
    ) {
        self.is_syncing = false;
        let now = (self.daemon.clock)();
        let view = match result {
            Ok(view) => view,
            Err(refusal) => {
                tracing::warn!("the sync failed: {refusal}; it is tried again in five minutes");
                self.sync_not_before = Some(now + RETRY_PAUSE);
                return;
            }
        };
        sync::log_changes(&view);
        self.sync_problems.record(&sync::problems(&view));
        if view.sources.iter().any(|source| source.error.is_some()) {
            self.sync_not_before = Some(now + RETRY_PAUSE);
        } else {
            self.sync_not_before = None;
            self.sync_state.last_sync = Some(started);
            self.sync_state.save(self.daemon.config.state_dir());
        }
        if changed_anything(&view) {
            self.daemon.outbox.wake();
            // Requests of bookers who are members now are decided.
            self.make_pass_due();
            self.start_due_run();
        }
    }

    /// Runs the sync that a client asks for.
    pub(super) fn run_sync_command(
        &self,
        command: MembersSyncCommand,
        sender: CommandSender,
        answer: oneshot::Sender<SocketResponse>,
    ) {
        let sources = Arc::clone(&self.daemon.sources);
        let store = self.daemon.store.clone();
        let wakes = self.daemon.wakes.clone();
        let outbox = Arc::clone(&self.daemon.outbox);
        let clock = Arc::clone(&self.daemon.clock);
        let policy = Arc::clone(&self.policy);
        tokio::spawn(async move {
            let _turn = sources.sync_turn().await;
            let result = match sync::list_requested(&sources, &command).await {
                Ok(listed) => {
                    let stamp = Stamp {
                        at: clock(),
                        by: Some(operator_log::to_actor(&sender)),
                    };
                    let before = store.read(|store| store.head().seq).await;
                    let result = take_over(&store, stamp, (listed, policy), command).await;
                    let commit = store.read(|store| store.head().seq).await;
                    if result.as_ref().is_ok_and(changed_anything) && commit > before {
                        operator_log::log_change("members sync", &sender, commit);
                    }
                    result
                }
                Err(refusal) => Err(refusal),
            };
            let response = match result {
                Ok(view) => {
                    if changed_anything(&view) {
                        outbox.wake();
                        let _ = wakes.send(Wake::RunPass).await;
                    }
                    SocketResponse::Ok(Box::new(CommandResult::MembersSync(view)))
                }
                Err(refusal) => SocketResponse::Err(refusal),
            };
            // The client may have disconnected.
            let _ = answer.send(response);
        });
    }
}

/// Takes the members over on the store's thread.
async fn take_over(
    store: &StoreHandle,
    stamp: Stamp,
    (listed, policy): (Vec<ListedSource>, Arc<Policy>),
    command: MembersSyncCommand,
) -> Result<MembersSyncView, Refusal> {
    let work = move |store: &mut dyn crate::store::port::Store| {
        sync::take_over(store, &stamp, (&listed, &policy), &command)
    };
    store.with(work).await
}

/// Returns true if a sync wrote something.
fn changed_anything(view: &MembersSyncView) -> bool {
    let mut sources = view.sources.iter();
    !view.dry_run
        && sources.any(|source| source.refused.is_none() && source.opened + source.changed > 0)
}
