//! What clients ask: the loop's own answers, a pass of their own, or the store's answer, which is
//! given beside the loop.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Job, Loop, Wants};
use crate::control::protocol::review::ReviewedView;
use crate::control::protocol::{Answer, Command, Refusal, Response};
use crate::control::server::Asked;
use crate::daemon::answer::audit;
use crate::daemon::answer::parse::refused;
use crate::daemon::wake::Wake;

/// Passes that operators may have waiting.
const MAX_JOBS: usize = 16;

impl Loop {
    pub(super) fn asked(&mut self, asked: Asked) {
        let Asked {
            command,
            uid,
            answer,
        } = asked;
        if self.shutting_down {
            let refusal = refused(
                "unreachable",
                "the daemon is ending; ask again when it is up",
            );
            let _ = answer.send(Response::Err(refusal));
            return;
        }
        match command {
            Command::Plan {} => self.ask_for_pass(Wants::Plan, answer),
            Command::Pass { watch: false } => self.ask_for_pass(Wants::Pass, answer),
            Command::Pass { watch: true } => self.ask_for_pass(Wants::PassAndWatch, answer),
            Command::Pause {} => {
                self.paused = true;
                tracing::info!(uid, "paused by an operator");
                self.status(answer);
            }
            Command::Resume {} => {
                self.paused = false;
                self.look_now();
                tracing::info!(uid, "resumed by an operator");
                self.status(answer);
            }
            Command::Status {} => self.status(answer),
            command => self.ask_the_store(command, uid, answer),
        }
    }

    fn ask_for_pass(&mut self, wants: Wants, answer: oneshot::Sender<Response>) {
        if self.jobs.len() >= MAX_JOBS {
            let text = format!("{MAX_JOBS} passes are waiting already; ask again later");
            let _ = answer.send(Response::Err(refused("busy", text)));
            return;
        }
        self.jobs.push_back(Job { wants, answer });
        if self.session.is_some()
            && let Some(job) = self.jobs.pop_front()
        {
            self.begin(Some(job));
        }
    }

    fn ask_the_store(&self, command: Command, uid: Option<u32>, answer: oneshot::Sender<Response>) {
        let store = self.daemon.store.clone();
        let policy = Arc::clone(&self.policy);
        let now = (self.daemon.clock)();
        let paused = self.paused;
        let wakes = self.daemon.wakes.clone();
        tokio::spawn(async move {
            let answered: Result<Answer, Refusal> = store
                .with(move |store| audit::answer(store, &policy, now, &command, uid))
                .await;
            let response = match answered {
                Ok(Answer::Reviewed(view)) => {
                    // The loop outlives this but for its end, where nothing is looked at any more.
                    let _ = wakes.send(Wake::Look).await;
                    let acts = if paused { "paused" } else { "daemon" }.to_owned();
                    Response::Ok(Box::new(Answer::Reviewed(ReviewedView { acts, ..view })))
                }
                Ok(answered) => Response::Ok(Box::new(answered)),
                Err(refusal) => Response::Err(refusal),
            };
            let _ = answer.send(response);
        });
    }
}
