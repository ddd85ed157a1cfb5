//! A target that is ready: its URL is checked and its credentials are read.

use std::path::PathBuf;

use super::json_lines;
use super::mail::{MailServer, MailSetupError};
use super::post::PostEndpoint;
use super::view::NotificationView;
use super::web_address::WebAddressError;
use crate::domain::notification::target::{NotifyTarget, NotifyTransport};
use crate::domain::time::Time;
use crate::external::command;

/// How much a command may write to its standard output. The output is not used.
const MAX_COMMAND_OUTPUT: usize = 64 * 1024;

/// Why a target cannot be set up. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("notify {name}: {why}")]
pub struct NotifySetupError {
    /// The name of the target; `dead-man` for the dead-man switch.
    pub name: String,
    /// What is wrong.
    pub why: NotifyFlaw,
}

/// What is wrong with a target.
#[derive(Debug, thiserror::Error)]
pub enum NotifyFlaw {
    /// The URL or a credential cannot be used.
    #[error(transparent)]
    Web(#[from] WebAddressError),
    /// The mail settings cannot be used.
    #[error(transparent)]
    Mail(#[from] MailSetupError),
}

/// A target that is ready to receive.
pub struct OpenedTarget {
    /// The target, as configured.
    pub settings: NotifyTarget,
    transport: OpenedTransport,
}

enum OpenedTransport {
    Command { program: PathBuf, args: Vec<String> },
    Post(PostEndpoint),
    File(PathBuf),
    Mail(Box<MailServer>),
}

impl OpenedTarget {
    /// Opens the target, and reads its credentials. Nothing is sent yet.
    ///
    /// # Errors
    /// Returns an error if the URL, the server or a credential cannot be used.
    pub fn open(settings: &NotifyTarget) -> Result<Self, NotifySetupError> {
        let transport = open_transport(settings).map_err(|why| NotifySetupError {
            name: settings.name.clone(),
            why,
        })?;
        Ok(Self {
            settings: settings.clone(),
            transport,
        })
    }

    /// Delivers one notification.
    ///
    /// # Errors
    /// Returns why the target did not accept it, as text for logs and operators without addresses
    /// and secrets. Whether the target received it is then not known.
    pub async fn deliver(&self, view: &NotificationView, now: Time) -> Result<(), String> {
        let timeout = self.settings.timeout;
        match &self.transport {
            OpenedTransport::Command { program, args } => {
                let input = to_json(view) + "\n";
                let run =
                    command::run(program, args, input.as_bytes(), MAX_COMMAND_OUTPUT, timeout);
                let output = run.await.map_err(|error| format!("it {error}"))?;
                if output.status.success() {
                    return Ok(());
                }
                let colon = if output.message.is_empty() { "" } else { ": " };
                Err(format!(
                    "it ended with {}{colon}{}",
                    output.status, output.message
                ))
            }
            OpenedTransport::Post(endpoint) => {
                endpoint.post(&view.id, to_json(view), now, timeout).await
            }
            OpenedTransport::File(path) => {
                let (path, line) = (path.clone(), to_json(view));
                let write = tokio::task::spawn_blocking(move || json_lines::append(&path, &line));
                match tokio::time::timeout(timeout, write).await {
                    Ok(Ok(written)) => written,
                    Ok(Err(_panicked)) => Err("writing to the file failed".to_owned()),
                    Err(_elapsed) => Err(format!("the disk did not answer within {timeout:?}")),
                }
            }
            OpenedTransport::Mail(server) => {
                match tokio::time::timeout(timeout, server.send(view)).await {
                    Ok(sent) => sent,
                    Err(_elapsed) => Err(format!("it did not answer within {timeout:?}")),
                }
            }
        }
    }
}

fn open_transport(settings: &NotifyTarget) -> Result<OpenedTransport, NotifyFlaw> {
    Ok(match &settings.transport {
        NotifyTransport::Command { program, args } => OpenedTransport::Command {
            program: program.clone(),
            args: args.clone(),
        },
        NotifyTransport::Post { url, key_file } => {
            OpenedTransport::Post(PostEndpoint::open(url, key_file.as_ref())?)
        }
        NotifyTransport::File { path } => OpenedTransport::File(path.clone()),
        NotifyTransport::Mail(mail) => {
            OpenedTransport::Mail(Box::new(MailServer::open(mail, settings.timeout)?))
        }
    })
}

fn to_json(view: &NotificationView) -> String {
    serde_json::to_string(view).expect("the view has only keys that are texts")
}
