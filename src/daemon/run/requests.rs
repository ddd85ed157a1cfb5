//! Handles clients' commands: the loop answers some itself, runs a pass for others, and leaves the
//! rest to the store, whose answer is given concurrently with the loop.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Loop, PassKind, QueuedPass};
use crate::control::command_sender::CommandSender;
use crate::control::protocol::review::ReviewResultView;
use crate::control::protocol::{Command, CommandResult, Refusal, SocketResponse};
use crate::control::server::ReceivedCommand;
use crate::daemon::commands::operator_log;
use crate::daemon::commands::parse::{booking_uid, refusal};
use crate::daemon::wake::Wake;
use crate::daemon::web_page;

/// Most passes that operators may have waiting. A pass takes seconds to minutes, so a
/// further command would wait for a long time.
const MAX_QUEUED_PASSES: usize = 16;

/// With fewer calls in the budget, no pass over one booking starts: a pass of the schedule needs some
/// calls for its lists.
const CALLS_FOR_SCHEDULE: usize = 8;

impl Loop {
    pub(super) fn handle_command(&mut self, asked: ReceivedCommand) {
        if !self.shutting_down && matches!(asked.command, Command::AccountErase(_)) {
            self.queue_erasure(asked);
            return;
        }
        let ReceivedCommand {
            command,
            sender,
            answer,
        } = asked;
        if self.shutting_down {
            let refusal = refusal(
                "unreachable",
                "the daemon is stopping; repeat the command when it runs again",
            );
            let _ = answer.send(SocketResponse::Err(refusal));
            return;
        }
        match command {
            Command::Plan {} => self.queue_pass(PassKind::Plan, answer),
            Command::Pass {
                booking: Some(booking),
                ..
            } => self.queue_booking_pass(&booking, answer),
            Command::Pass { watch: false, .. } => self.queue_pass(PassKind::Pass, answer),
            Command::Pass { watch: true, .. } => self.queue_pass(PassKind::PassAndWatch, answer),
            Command::Status {} => self.status(answer),
            Command::Page {} => {
                let _ = answer.send(web_page::answer_link(
                    self.daemon.page.as_deref(),
                    sender.uid,
                ));
            }
            Command::Reload {} => {
                let view = CommandResult::Reload(self.reload());
                let _ = answer.send(SocketResponse::Ok(Box::new(view)));
            }
            command @ (Command::Pause(_) | Command::Resume { .. }) => {
                self.run_pause_command(command, sender, answer);
            }
            Command::MembersSync(command) => self.run_sync_command(command, sender, answer),
            command => self.run_store_command(command, sender, answer),
        }
    }

    /// Queues a pass for a client, and starts it if none is running. A running pass is never
    /// reported as the client's own: it may have read the bookings before the client asked.
    fn queue_pass(&mut self, kind: PassKind, answer: oneshot::Sender<SocketResponse>) {
        if self.queued_passes.len() >= MAX_QUEUED_PASSES {
            let text = format!(
                "{MAX_QUEUED_PASSES} commands wait already, each for a pass of its own after the one \
                 that is running; try again later"
            );
            let _ = answer.send(SocketResponse::Err(refusal("busy", text)));
            return;
        }
        self.queued_passes.push_back(QueuedPass { kind, answer });
        self.start_next_queued();
    }

    /// Queues a pass over one booking, unless the schedule needs the rest of the request budget.
    fn queue_booking_pass(&mut self, booking: &str, answer: oneshot::Sender<SocketResponse>) {
        let booking = match booking_uid(booking) {
            Ok(booking) => booking,
            Err(refusal) => {
                let _ = answer.send(SocketResponse::Err(refusal));
                return;
            }
        };
        if let Some(pause) = self.pauses.of_all((self.daemon.clock)()) {
            let text = format!("nothing is read or done: {}", pause.describe());
            let _ = answer.send(SocketResponse::Err(refusal("busy", text)));
            return;
        }
        if self.daemon.calendar.available_calls() < CALLS_FOR_SCHEDULE {
            let text = "the request budget is nearly used up: the booking is left to the next pass of \
                        the schedule";
            let _ = answer.send(SocketResponse::Err(refusal("busy", text)));
            return;
        }
        self.queue_pass(PassKind::Booking(booking), answer);
    }

    fn run_store_command(
        &self,
        command: Command,
        sender: CommandSender,
        answer: oneshot::Sender<SocketResponse>,
    ) {
        let store = self.daemon.store.clone();
        let policy = Arc::clone(&self.policy);
        let now = (self.daemon.clock)();
        let paused = self.pauses.of_all(now).is_some();
        let wakes = self.daemon.wakes.clone();
        let outbox = Arc::clone(&self.daemon.outbox);
        tokio::spawn(async move {
            let result: Result<CommandResult, Refusal> = store
                .maintain(move |store| {
                    operator_log::run_and_log(store, &policy, now, &command, sender)
                })
                .await;
            outbox.wake();
            let response = match result {
                Ok(CommandResult::ReviewResult(view)) => {
                    // The loop outlives this task except at its end, when no further pass runs.
                    let _ = wakes.send(Wake::RunPass).await;
                    let acts = if paused { "paused" } else { "daemon" }.to_owned();
                    SocketResponse::Ok(Box::new(CommandResult::ReviewResult(ReviewResultView {
                        acted_on_by: acts,
                        ..view
                    })))
                }
                Ok(answered) => SocketResponse::Ok(Box::new(answered)),
                Err(refusal) => SocketResponse::Err(refusal),
            };
            let _ = answer.send(response);
        });
    }
}
