//! What each command needs and does, in one table: who answers, what happens to the ledger, and
//! how long an answer may take.

use super::protocol::Command;

/// What a command needs and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandProfile {
    /// Who can answer the command.
    pub answered_by: AnsweredBy,
    /// What the command does with the ledger.
    pub ledger_access: LedgerAccess,
    /// Whether the answer comes soon. Plans, passes, imports and reading the whole log have no time
    /// limit; the user can interrupt them.
    pub has_time_limit: bool,
    /// Whether the command needs nothing but the daemon's socket, so that it also works while the
    /// configuration cannot be used.
    pub needs_socket_only: bool,
}

/// Who can answer a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// Only the daemon's loop.
    Daemon,
    /// The process that has the store: the daemon, or without one the process of the command.
    Store,
}

/// What a command does with the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerAccess {
    /// The command may write facts.
    Write,
    /// The command only reads, and fails without a ledger.
    Read,
    /// The command reads the ledger and also works without one, as if the ledger were empty.
    ReadIfPresent,
}

const STORE_READ: CommandProfile = CommandProfile {
    answered_by: AnsweredBy::Store,
    ledger_access: LedgerAccess::Read,
    has_time_limit: true,
    needs_socket_only: false,
};

const STORE_WRITE: CommandProfile = CommandProfile {
    ledger_access: LedgerAccess::Write,
    ..STORE_READ
};

/// Returns the profile of a command that writes much, or with a dry run only reads.
const fn long_write(is_dry: bool) -> CommandProfile {
    CommandProfile {
        ledger_access: match is_dry {
            true => LedgerAccess::ReadIfPresent,
            false => LedgerAccess::Write,
        },
        has_time_limit: false,
        ..STORE_READ
    }
}

const DAEMON_STATE: CommandProfile = CommandProfile {
    answered_by: AnsweredBy::Daemon,
    needs_socket_only: true,
    ..STORE_READ
};

impl Command {
    /// Returns what the command needs and does.
    pub fn profile(&self) -> CommandProfile {
        match self {
            Self::Status {} | Self::Page {} | Self::Reload {} => DAEMON_STATE,
            Self::Pause(_) | Self::Resume { .. } => CommandProfile {
                needs_socket_only: true,
                ..STORE_WRITE
            },
            Self::Plan {} => CommandProfile {
                answered_by: AnsweredBy::Daemon,
                ledger_access: LedgerAccess::ReadIfPresent,
                has_time_limit: false,
                needs_socket_only: false,
            },
            Self::Pass { .. } => CommandProfile {
                answered_by: AnsweredBy::Daemon,
                ledger_access: LedgerAccess::Write,
                has_time_limit: false,
                needs_socket_only: false,
            },
            Self::Import {
                dry_run,
                check,
                problems,
                ..
            } => long_write(*dry_run || *check || !problems.is_empty()),
            Self::MembersSync(command) => long_write(command.dry_run),
            Self::AccountErase(_) => CommandProfile {
                has_time_limit: false,
                ..STORE_WRITE
            },
            Self::Verify {} => CommandProfile {
                has_time_limit: false,
                ..STORE_READ
            },
            Self::Evaluate { .. } => CommandProfile {
                ledger_access: LedgerAccess::ReadIfPresent,
                ..STORE_READ
            },
            Self::Grant(_)
            | Self::Revoke(_)
            | Self::SetBalance(_)
            | Self::Transfer(_)
            | Self::AccountClose { .. }
            | Self::AccountReopen { .. }
            | Self::AccountMerge { .. }
            | Self::AccountRename { .. }
            | Self::AccountAlias { .. }
            | Self::AccountSet(_)
            | Self::AccountFreeze { .. }
            | Self::AccountPin { .. }
            | Self::Review(_)
            | Self::ChargeSettle { .. }
            | Self::Resolve { .. }
            | Self::LedgerMove(_)
            | Self::LedgerAcceptRestore { .. } => STORE_WRITE,
            Self::Grants { .. }
            | Self::AccountShow { .. }
            | Self::AccountList { .. }
            | Self::AccountStatement { .. }
            | Self::Accounting { .. }
            | Self::CreditsExport { .. }
            | Self::Head {}
            | Self::Decisions(_)
            | Self::Statistics { .. }
            | Self::Explain { .. }
            | Self::Reviews { .. }
            | Self::Charges { .. }
            | Self::Unresolved { .. }
            | Self::LedgerShow {} => STORE_READ,
        }
    }
}
