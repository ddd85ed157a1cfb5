//! Sends commands to the daemon and waits for their answers, as the socket does for its clients.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::access::BrowserSession;
use super::service::PageService;
use crate::control::command_sender::{CommandSender, Interface};
use crate::control::exit;
use crate::control::protocol::{Command, CommandResult, Refusal, SocketResponse};
use crate::control::server::ReceivedCommand;

/// How long the daemon may take to answer. Only commands with short answers are sent from here.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the daemon's answer to a command of a browser. In the daemon's log, a change has the user who
/// made the link of this session, and says that it came from the page.
///
/// # Errors
/// Returns the daemon's refusal, or one that says why there is no answer.
pub async fn ask(
    service: &PageService,
    session: &BrowserSession,
    command: Command,
) -> Result<CommandResult, Refusal> {
    let (answer, response) = oneshot::channel();
    let received = ReceivedCommand {
        command,
        sender: CommandSender {
            uid: session.uid,
            interface: Interface::Page,
            name: None,
        },
        answer,
    };
    let exchange = async {
        if service.commands.send(received).await.is_err() {
            return Err(unreachable("the daemon is stopping; nothing was done"));
        }
        match response.await {
            Ok(SocketResponse::Ok(result)) => Ok(*result),
            Ok(SocketResponse::Err(refusal)) => Err(refusal),
            Err(_) => Err(unreachable(
                "the daemon stopped before it answered; it is unknown whether anything was done",
            )),
        }
    };
    timeout(ANSWER_TIMEOUT, exchange).await.unwrap_or_else(|_| {
        Err(unreachable(
            "the daemon did not answer in time; it is unknown whether anything was done",
        ))
    })
}

/// Returns the refusal of an answer to another command than the one that was sent.
pub fn unexpected_answer() -> Refusal {
    Refusal {
        exit: exit::FAILED,
        code: "internal".to_owned(),
        text: "the answer is not the one to this command".to_owned(),
    }
}

fn unreachable(text: &str) -> Refusal {
    Refusal {
        exit: exit::UNREACHABLE,
        code: "unreachable".to_owned(),
        text: text.to_owned(),
    }
}
