//! Starts and stops the web page. Its commands reach the loop like those of the socket.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::metrics::exporter::Exporter;
use super::wake::Wake;
use crate::config::model::Config;
use crate::control::exit;
use crate::control::protocol::{CommandResult, Refusal, SocketResponse};
use crate::control::server::ReceivedCommand;
use crate::domain::time::Clock;
use crate::page::metrics_source::{MetricsSource, RenderedMetrics};
use crate::page::server::{listen, serve};
use crate::page::service::{PageService, PageSettings};

/// How many commands of browsers may wait for the loop.
const COMMAND_QUEUE_LENGTH: usize = 16;

/// The page of a running daemon.
pub struct RunningPage {
    /// The page's handle.
    pub service: Arc<PageService>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    forward: JoinHandle<()>,
}

/// Starts the page, if the configuration has one. An address that cannot be used is reported, and keeps
/// the daemon from nothing else.
pub async fn start(
    config: &Config,
    clock: &Clock,
    wakes: &mpsc::Sender<Wake>,
    exporter: Arc<Exporter>,
) -> Option<RunningPage> {
    let settings = PageSettings {
        listen: config.page.listen?,
        origins: config.page.origins.clone(),
        zone: config.policy.global.zone,
    };
    let (commands, queue) = mpsc::channel(COMMAND_QUEUE_LENGTH);
    let service = PageService::new(
        settings,
        Arc::clone(clock),
        commands,
        metrics_source(exporter),
    );
    let listener = listen(&service).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let stop_signal = async move {
        // The sender may also be dropped, when the daemon ends in another way.
        let _ = stopped.await;
    };
    Some(RunningPage {
        server: tokio::spawn(serve(Arc::clone(&service), listener, stop_signal)),
        forward: tokio::spawn(forward_commands(queue, wakes.clone())),
        service,
        stop,
    })
}

/// Returns the source of the metrics for clients of the page.
fn metrics_source(exporter: Arc<Exporter>) -> MetricsSource {
    Arc::new(move |accept| {
        let exporter = Arc::clone(&exporter);
        async move {
            let exposition = exporter.render(accept.as_deref()).await;
            RenderedMetrics {
                content_type: exposition.content_type,
                body: exposition.body,
            }
        }
        .boxed()
    })
}

/// Forwards the commands of browsers to the loop as wakes.
async fn forward_commands(mut queue: mpsc::Receiver<ReceivedCommand>, wakes: mpsc::Sender<Wake>) {
    while let Some(received) = queue.recv().await {
        if wakes.send(Wake::Command(received)).await.is_err() {
            return;
        }
    }
}

impl RunningPage {
    /// Stops the page. The last browsers get a short time to receive their answers.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        if self.server.await.is_err() {
            tracing::error!("the web page's task panicked");
        }
        self.forward.abort();
    }
}

/// Answers the command that asks for a link. `uid` is the user who gave it.
pub fn answer_link(page: Option<&PageService>, uid: Option<u32>) -> SocketResponse {
    let link = page.map_or_else(
        || {
            Err(Refusal {
                exit: exit::CONFIGURATION,
                code: "configuration".to_owned(),
                text: "the daemon serves no web page: set page.listen in the configuration, for \
                       example to \"127.0.0.1:8471\", and start the daemon again"
                    .to_owned(),
            })
        },
        |page| page.link(uid),
    );
    match link {
        Ok(link) => SocketResponse::Ok(Box::new(CommandResult::PageLink(link))),
        Err(refusal) => SocketResponse::Err(refusal),
    }
}
