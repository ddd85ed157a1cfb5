//! Writes one log line for every command that changed the ledger, with the user who gave the
//! command, and the interface through which it came. Its details are in the ledger itself, under the
//! commit that the line names: names and addresses of members stay out of the log.

use super::dispatch;
use crate::control::command_sender::MAX_ACTOR_NAME;
use crate::control::command_sender::{CommandSender, Interface};
use crate::control::protocol::review::ReviewAnswer;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::domain::actor::{Actor, ActorInterface};
use crate::domain::gate::Policy;
use crate::domain::time::Time;
use crate::store::port::Maintenance;
use crate::store::transaction::Stamp;

/// Carries out a command, and logs the command if it wrote to the ledger.
///
/// # Errors
/// Returns what was wrong and what to do.
pub fn run_and_log(
    store: &mut dyn Maintenance,
    policy: &Policy,
    now: Time,
    command: &Command,
    sender: CommandSender,
) -> Result<CommandResult, Refusal> {
    let before = store.head().seq;
    let stamp = Stamp {
        at: now,
        by: Some(to_actor(&sender)),
    };
    let result = dispatch::run_command(store, policy, &stamp, command);
    let commit = store.head().seq;
    let is_erasure = matches!(result, Ok(CommandResult::Erasure(_)));
    if commit > before || is_erasure {
        log_change(command_name(command), &sender, commit);
    }
    result
}

/// The target of these log lines, for filters: commands without a daemon write no other lines at
/// INFO.
pub const TARGET: &str = "maitred_operator";

/// Writes one line for a command that changed the ledger. `commit` is now the ledger's last commit.
pub fn log_change(command: &str, sender: &CommandSender, commit: u64) {
    tracing::info!(
        target: TARGET,
        command,
        uid = sender.uid,
        interface = sender.interface.as_str(),
        commit,
        "an operator changed the ledger"
    );
}

/// Returns the actor that the ledger records for a sender. A sender without a name gets that of the
/// user of the system.
pub fn to_actor(sender: &CommandSender) -> Actor {
    let given = sender.name.clone();
    Actor {
        uid: sender.uid,
        interface: match sender.interface {
            Interface::Socket => ActorInterface::Socket,
            Interface::Page => ActorInterface::Page,
            Interface::Command => ActorInterface::Command,
        },
        name: given.or_else(|| sender.uid.and_then(user_name)),
    }
}

/// Returns the name of a user of this system. Only /etc/passwd is asked: a directory service may be
/// slow, and the number of the user is recorded anyway.
fn user_name(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut users = users.lines().map(|line| line.split(':'));
    users.find_map(|mut fields| {
        let name = fields.next()?;
        let number = fields.nth(1)?;
        (number.parse() == Ok(uid)).then(|| name.chars().take(MAX_ACTOR_NAME).collect())
    })
}

/// Returns the user of this process as the sender, for commands that are carried out without a daemon.
pub fn own_user() -> CommandSender {
    CommandSender {
        uid: Some(rustix::process::getuid().as_raw()),
        interface: Interface::Command,
        name: None,
    }
}

/// Returns the command as an operator types it, without the values that it is given. A name may
/// have a flag or a word more than the command line's own, where that word says what the command
/// did.
pub fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Plan {} => "plan",
        Command::Pass { .. } => "pass",
        Command::Status {} => "status",
        Command::Page {} => "page",
        Command::Reload {} => "reload",
        Command::Pause { .. } => "pause",
        Command::Resume { .. } => "resume",
        Command::Grant(_) => "credits grant",
        Command::Revoke(_) => "credits revoke",
        Command::SetBalance(_) => "credits set",
        Command::Transfer(_) => "credits transfer",
        Command::Import { .. } => "credits import",
        Command::CreditsExport { .. } => "credits export",
        Command::Grants { .. } => "credits list",
        Command::AccountShow { .. } => "account show",
        Command::AccountList { .. } => "account list",
        Command::AccountAlias { remove: false, .. } => "account alias",
        Command::AccountAlias { remove: true, .. } => "account alias --remove",
        Command::MembersSync(_) => "members sync",
        Command::AccountSet(_) => "account set",
        Command::AccountFreeze {
            reason: Some(_), ..
        } => "account freeze",
        Command::AccountFreeze { reason: None, .. } => "account thaw",
        Command::AccountClose { .. } => "account close",
        Command::AccountReopen { .. } => "account reopen",
        Command::AccountMerge { .. } => "account merge",
        Command::AccountRename { .. } => "account rename",
        Command::AccountErase(_) => "account erase",
        Command::AccountPin { hash: Some(_), .. } => "account pin set",
        Command::AccountPin { hash: None, .. } => "account pin clear",
        Command::AccountStatement { .. } => "account statement",
        Command::Accounting { .. } => "credits accounting",
        Command::Decisions(_) => "decisions",
        Command::Statistics { .. } => "statistics",
        Command::Explain { .. } => "explain",
        Command::Evaluate { .. } => "evaluate",
        Command::Reviews { .. } => "review list",
        Command::Review(review) => match review.decision {
            ReviewAnswer::Confirm => "review confirm",
            ReviewAnswer::Decline => "review decline",
        },
        Command::Charges { .. } => "charges list",
        Command::ChargeSettle { refund: true, .. } => "charges settle refund",
        Command::ChargeSettle { refund: false, .. } => "charges settle keep",
        Command::Unresolved { .. } => "unresolved",
        Command::Resolve { .. } => "unresolved resolve",
        Command::Verify {} => "ledger verify",
        // `backup` asks for the same.
        Command::Head {} => "ledger export",
        Command::LedgerShow {} => "ledger show",
        Command::LedgerMove(_) => "ledger move",
        Command::LedgerAcceptRestore { .. } => "ledger accept-restore",
    }
}
