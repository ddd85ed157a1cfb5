//! Writes one log line for every command that changed the ledger, with the user who gave the
//! command. Its details are in the ledger itself, under the commit that the line names: names and
//! addresses of members stay out of the log.

use super::dispatch;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::domain::gate::Policy;
use crate::domain::time::Time;
use crate::store::port::Maintenance;

/// Carries out a command, and logs the command if it wrote to the ledger. `uid` is the user who
/// gave the command.
///
/// # Errors
/// Returns what was wrong and what to do.
pub fn run_and_log(
    store: &mut dyn Maintenance,
    policy: &Policy,
    now: Time,
    command: &Command,
    uid: Option<u32>,
) -> Result<CommandResult, Refusal> {
    let before = store.head().seq;
    let result = dispatch::run_command(store, policy, now, command);
    let commit = store.head().seq;
    if commit > before {
        log_change(&command_name(command), uid, commit);
    }
    result
}

/// The target of these log lines, for filters: commands without a daemon write no other lines at
/// INFO.
pub const TARGET: &str = "maitred_operator";

/// Writes one line for a command that changed the ledger. `commit` is now the ledger's last commit.
pub fn log_change(command: &str, uid: Option<u32>, commit: u64) {
    tracing::info!(
        target: TARGET,
        command,
        uid,
        commit,
        "an operator changed the ledger"
    );
}

/// Returns the user of this process, for commands that are carried out without a daemon.
pub fn own_uid() -> Option<u32> {
    Some(rustix::process::getuid().as_raw())
}

/// Returns the command's name on the socket: the key of its JSON, which a `match` over all commands
/// would only repeat. Commands that reverse another command share its key, so they have names of
/// their own here.
fn command_name(command: &Command) -> String {
    let special_name = match command {
        // Only the name is needed, and serializing an import of thousands of rows would be
        // wasteful.
        Command::Import { .. } => Some("import"),
        Command::AccountAlias { remove: true, .. } => Some("account-alias-remove"),
        Command::AccountFreeze { reason: None, .. } => Some("account-thaw"),
        Command::AccountPin { hash: None, .. } => Some("account-pin-clear"),
        Command::ChargeSettle { refund: true, .. } => Some("charge-settle-refund"),
        Command::ChargeSettle { refund: false, .. } => Some("charge-settle-keep"),
        _ => None,
    };
    if let Some(own) = special_name {
        return own.to_owned();
    }
    let json = serde_json::to_value(command).expect("a command has only keys that are texts");
    let key = json.as_object().and_then(|object| object.keys().next());
    key.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_as_on_the_socket() {
        let alias = Command::AccountAlias {
            account: "bo@example.com".to_owned(),
            alias: "bo@work.example".to_owned(),
            remove: false,
        };
        let import = Command::Import {
            rows: Vec::new(),
            dry_run: false,
        };
        let rows = [
            (alias, "account-alias"),
            (import, "import"),
            (Command::Status {}, "status"),
        ];
        for (command, expect) in rows {
            assert_eq!(command_name(&command), expect);
            let key = serde_json::to_value(&command).unwrap();
            assert!(key.get(expect).is_some(), "{expect}");
        }
    }

    #[test]
    fn undo_commands_have_names_of_their_own() {
        let account = || "bo@example.com".to_owned();
        let freeze = |why| Command::AccountFreeze {
            account: account(),
            reason: why,
        };
        let settle = |refund| Command::ChargeSettle {
            booking: "a".to_owned(),
            refund,
        };
        let alias = Command::AccountAlias {
            account: account(),
            alias: "bo@work.example".to_owned(),
            remove: true,
        };
        let pin = Command::AccountPin {
            account: account(),
            hash: None,
        };
        let rows = [
            (freeze(Some("unpaid".to_owned())), "account-freeze"),
            (freeze(None), "account-thaw"),
            (alias, "account-alias-remove"),
            (pin, "account-pin-clear"),
            (settle(true), "charge-settle-refund"),
            (settle(false), "charge-settle-keep"),
        ];
        for (command, expect) in rows {
            assert_eq!(command_name(&command), expect);
        }
    }
}
