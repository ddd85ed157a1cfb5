//! The pauses, which the ledger keeps and the loop respects.

use tokio::sync::oneshot;

use super::Loop;
use crate::control::command_sender::CommandSender;
use crate::control::protocol::{Command, Refusal, SocketResponse};
use crate::daemon::commands::{operator_log, parse};
use crate::daemon::wake::Wake;
use crate::domain::ledger_state::LedgerState;
use crate::domain::pause::Pauses;
use crate::domain::time::Time;

impl Loop {
    /// Records a pause, or its end, and tells the loop the pauses from then on.
    pub(super) fn run_pause_command(
        &self,
        command: Command,
        sender: CommandSender,
        answer: oneshot::Sender<SocketResponse>,
    ) {
        let store = self.daemon.store.clone();
        let policy = std::sync::Arc::clone(&self.policy);
        let now = (self.daemon.clock)();
        let wakes = self.daemon.wakes.clone();
        tokio::spawn(async move {
            let result: Result<LedgerState, Refusal> = store
                .maintain(move |store| {
                    operator_log::run_and_log(store, &policy, now, &command, sender)?;
                    store.ledger_state().map_err(|e| parse::store_failed(&e))
                })
                .await;
            match result {
                // The loop outlives this task except at its end, when no further pass runs.
                Ok(LedgerState { pauses, .. }) => {
                    let _ = wakes.send(Wake::PausesChanged { pauses, answer }).await;
                }
                Err(refusal) => drop(answer.send(SocketResponse::Err(refusal))),
            }
        });
    }

    /// Respects other pauses from now on, and answers with the status. What is not paused is due at
    /// once.
    pub(super) fn change_pauses(
        &mut self,
        pauses: Pauses,
        answer: oneshot::Sender<SocketResponse>,
    ) {
        let now = (self.daemon.clock)();
        match pauses.of_all(now) {
            Some(pause) => tracing::info!(until = ?pause.until, "paused by an operator"),
            None => {
                if self.pauses.of_all(now).is_some() {
                    tracing::info!("resumed by an operator");
                }
                self.make_pass_due();
            }
        }
        self.pauses = pauses;
        self.show_status();
        self.status(answer);
    }

    /// Forgets the pauses that have ended by themselves, and logs that.
    pub(super) fn end_pauses(&mut self, now: Time) {
        if self
            .pauses
            .all
            .take_if(|pause| !pause.is_active(now))
            .is_some()
        {
            tracing::info!("the pause has ended by itself");
        }
        self.pauses.gates.retain(|gate, pause| {
            let is_active = pause.is_active(now);
            if !is_active {
                tracing::info!(gate, "the pause of the gate has ended by itself");
            }
            is_active
        });
    }
}
