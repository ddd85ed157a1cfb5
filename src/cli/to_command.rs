//! Builds the command for the daemon or the store from the arguments. The same command goes over
//! the socket or, if no daemon runs, to the store that this process opens itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::StoreCommand;
use super::args::account::{AccountArgs, AccountSetArgs, PinArgs, StatementArgs};
use super::args::credits::{CreditsArgs, GrantArgs};
use super::args::decisions::{
    ChargeSettlement, ChargesArgs, ResolveArgs, ReviewArgs, UnresolvedArgs,
};
use super::args::ledger::LedgerArgs;
use super::args::members::{MembersArgs, MembersSyncArgs};
use super::args::passes::EvaluateArgs;
use super::time::{self, TimeContext, TimeMeaning};
use crate::control::exit;
use crate::control::protocol::account::{AccountEraseCommand, AccountSetCommand};
use crate::control::protocol::ledger::LedgerMoveCommand;
use crate::control::protocol::members::MembersSyncCommand;
use crate::control::protocol::{self, Command, Refusal, review};

/// How many accounts one command asks for.
pub const EXPORT_PAGE_SIZE: u32 = 1_000;

/// The longest booking that `evaluate` reads: a real one has a few kilobytes.
const MAX_BOOKING: usize = 1024 * 1024;

/// Reads a named file, given its path and the most bytes that are wanted.
pub type ReadFile<'a> = &'a dyn Fn(&Path, usize) -> Result<Vec<u8>, Refusal>;

/// Reads the present time and the configured time zone. Only commands that name a time need them.
pub type ReadTimeContext<'a> = &'a dyn Fn() -> Result<TimeContext, Refusal>;

/// Reads a PIN, and returns its hash.
pub type ReadPin<'a> = &'a dyn Fn() -> Result<String, Refusal>;

/// Builds the command for the arguments.
///
/// # Errors
/// Returns a refusal if a time or a file cannot be understood.
#[expect(clippy::too_many_lines, reason = "one arm for each command")]
pub fn build_command(
    store_command: &StoreCommand,
    read_time_context: ReadTimeContext<'_>,
    read_file: ReadFile<'_>,
    read_pin: ReadPin<'_>,
) -> Result<Command, Refusal> {
    match store_command {
        StoreCommand::Plan(_) => Ok(Command::Plan {}),
        StoreCommand::Evaluate(args) => build_evaluate(args, read_time_context, read_file),
        StoreCommand::Credits(credits) => build_credits_command(credits, read_time_context),
        StoreCommand::Account(account) => {
            build_account_command(account, read_time_context, read_pin)
        }
        StoreCommand::Members(MembersArgs::Sync(args)) => Ok(build_members_sync(args)),
        StoreCommand::Decisions(args) => {
            Ok(Command::Decisions(protocol::decisions::DecisionQuery {
                since: parse_time_flag(
                    args.since.as_deref(),
                    "--since",
                    TimeMeaning::Since,
                    read_time_context,
                )?,
                limit: args.limit,
                booker: args.booker.clone(),
                gate: args.gate.clone(),
                outcome: args.outcome.map(|outcome| outcome.as_str().to_owned()),
                after: None,
            }))
        }
        StoreCommand::Statistics(args) => Ok(Command::Statistics { days: args.days }),
        StoreCommand::Explain { booking } => Ok(Command::Explain {
            booking: booking.clone(),
        }),
        StoreCommand::Review(review) => Ok(build_review_command(review)),
        StoreCommand::Charges(ChargesArgs::List { open, limit }) => Ok(Command::Charges {
            open: *open,
            limit: *limit,
            after: None,
        }),
        StoreCommand::Charges(ChargesArgs::Settle {
            booking,
            settlement: how,
        }) => Ok(Command::ChargeSettle {
            booking: booking.clone(),
            refund: *how == ChargeSettlement::Refund,
        }),
        StoreCommand::Unresolved(args) => Ok(build_unresolved_command(args)),
        StoreCommand::Status(_) => Ok(Command::Status {}),
        StoreCommand::Pause(args) => Ok(Command::Pause(protocol::status::PauseCommand {
            gate: args.gate.clone(),
            seconds: args.length.map(|length| length.as_secs()),
            reason: args.reason.clone(),
        })),
        StoreCommand::Resume(args) => Ok(Command::Resume {
            gate: args.gate.clone(),
        }),
        StoreCommand::Reload => Ok(Command::Reload {}),
        StoreCommand::Page => Ok(Command::Page {}),
        StoreCommand::Pass(args) => Ok(Command::Pass {
            watch: args.watch,
            booking: args.booking.clone(),
        }),
        StoreCommand::Ledger(LedgerArgs::Verify) => Ok(Command::Verify {}),
        StoreCommand::Ledger(LedgerArgs::Show) => Ok(Command::LedgerShow {}),
        StoreCommand::Ledger(LedgerArgs::Move(args)) => {
            Ok(Command::LedgerMove(LedgerMoveCommand {
                server: args.server.clone(),
                account: args.account,
                dialect: args.dialect.clone(),
                reason: args.reason.clone(),
            }))
        }
        StoreCommand::Ledger(LedgerArgs::AcceptRestore(args)) => Ok(Command::LedgerAcceptRestore {
            reason: args.reason.clone(),
        }),
        StoreCommand::Ledger(LedgerArgs::Export(_) | LedgerArgs::Import(_))
        | StoreCommand::Backup(_) => Ok(Command::Head {}),
    }
}

fn build_members_sync(args: &MembersSyncArgs) -> Command {
    Command::MembersSync(MembersSyncCommand {
        source: args.source.clone(),
        dry_run: args.dry_run,
        force: args.reason.clone().filter(|_| args.force),
    })
}

fn build_credits_command(
    credits: &CreditsArgs,
    read_time_context: ReadTimeContext<'_>,
) -> Result<Command, Refusal> {
    match credits {
        CreditsArgs::Grant(args) => build_grant(args, read_time_context),
        CreditsArgs::Revoke(args) => Ok(Command::Revoke(protocol::credits::RevokeCommand {
            account: args.account.clone(),
            credits: args.credits,
            reason: args.reason.clone(),
            reference: args.reference.clone(),
        })),
        CreditsArgs::Set(args) => Ok(Command::SetBalance(protocol::credits::SetBalanceCommand {
            account: args.account.clone(),
            credits: args.credits,
            reason: args.reason.clone(),
            reference: args.reference.clone(),
        })),
        CreditsArgs::Transfer(args) => Ok(Command::Transfer(protocol::credits::TransferCommand {
            from: args.from.clone(),
            to: args.to.clone(),
            credits: args.credits,
            reason: args.reason.clone(),
            reference: args.reference.clone(),
            new: args.new,
        })),
        CreditsArgs::List { account } => Ok(Command::Grants {
            account: account.clone(),
        }),
        // An import is many commands; see `import`.
        CreditsArgs::Import(_) => Err(Refusal {
            exit: exit::FAILED,
            code: "internal".to_owned(),
            text: "an import is not one command".to_owned(),
        }),
        CreditsArgs::Accounting(args) => Ok(Command::Accounting {
            from: args.from.clone(),
            to: args.to.clone(),
        }),
        CreditsArgs::Export(_) => Ok(Command::CreditsExport {
            after: None,
            limit: EXPORT_PAGE_SIZE,
        }),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each command")]
fn build_account_command(
    account: &AccountArgs,
    read_time_context: ReadTimeContext<'_>,
    read_pin: ReadPin<'_>,
) -> Result<Command, Refusal> {
    Ok(match account {
        AccountArgs::Show { account } => Command::AccountShow {
            account: account.clone(),
        },
        AccountArgs::List {
            after,
            limit,
            search,
        } => Command::AccountList {
            after: after.clone(),
            limit: *limit,
            search: search.clone(),
        },
        AccountArgs::Statement(args) => build_statement(args, read_time_context)?,
        AccountArgs::Alias {
            account,
            alias,
            remove,
        } => Command::AccountAlias {
            account: account.clone(),
            alias: alias.clone(),
            remove: *remove,
        },
        AccountArgs::Set(args) => Command::AccountSet(build_account_set(args)?),
        AccountArgs::Freeze { account, reason } => Command::AccountFreeze {
            account: account.clone(),
            reason: Some(reason.clone()),
        },
        AccountArgs::Thaw { account } => Command::AccountFreeze {
            account: account.clone(),
            reason: None,
        },
        AccountArgs::Close {
            account,
            reason,
            forfeit,
        } => Command::AccountClose {
            account: account.clone(),
            reason: reason.clone(),
            forfeit: *forfeit,
        },
        AccountArgs::Reopen { account } => Command::AccountReopen {
            account: account.clone(),
        },
        AccountArgs::Merge {
            account,
            into,
            reason,
        } => Command::AccountMerge {
            account: account.clone(),
            into: into.clone(),
            reason: reason.clone(),
        },
        AccountArgs::Rename {
            account,
            name,
            reason,
        } => Command::AccountRename {
            account: account.clone(),
            name: name.clone(),
            reason: reason.clone(),
        },
        AccountArgs::Erase(args) => Command::AccountErase(AccountEraseCommand {
            account: args.account.clone(),
            reason: args.reason.clone(),
            names: args.names.clone(),
        }),
        AccountArgs::Pin(PinArgs::Set { account }) => Command::AccountPin {
            account: account.clone(),
            hash: Some(read_pin()?),
        },
        AccountArgs::Pin(PinArgs::Clear { account }) => Command::AccountPin {
            account: account.clone(),
            hash: None,
        },
    })
}

fn build_statement(
    args: &StatementArgs,
    read_time_context: ReadTimeContext<'_>,
) -> Result<Command, Refusal> {
    let parse = |text: &Option<String>, flag: &str, meaning: TimeMeaning| {
        parse_time_flag(text.as_deref(), flag, meaning, read_time_context)
    };
    if let Some(text) = &args.to
        && !time::is_date_or_instant(text)
    {
        return Err(Refusal::usage(format!(
            "--to: {text:?} is neither a day nor a time; write 2026-12-31 or 2026-12-31T18:00:00Z"
        )));
    }
    Ok(Command::AccountStatement {
        account: args.account.clone(),
        limit: args.limit,
        after: None,
        from: parse(&args.from, "--from", TimeMeaning::Since)?,
        to: parse(&args.to, "--to", TimeMeaning::Until)?,
    })
}

fn build_account_set(args: &AccountSetArgs) -> Result<AccountSetCommand, Refusal> {
    let mut attributes = BTreeMap::new();
    for (name, value) in &args.attributes {
        if attributes.insert(name.clone(), value.clone()).is_some() {
            return Err(Refusal::usage(format!("--attribute {name} is given twice")));
        }
    }
    Ok(AccountSetCommand {
        account: args.account.clone(),
        tier: args.tier.clone(),
        no_tier: args.no_tier,
        tags: args.tags.clone(),
        untags: args.untags.clone(),
        attributes,
        no_attributes: args.no_attributes.clone(),
        overdraft: args.overdraft,
        no_overdraft: args.no_overdraft,
    })
}

fn build_review_command(args: &ReviewArgs) -> Command {
    match args {
        ReviewArgs::List { all, limit } => Command::Reviews {
            all: *all,
            limit: *limit,
            after: None,
        },
        ReviewArgs::Confirm(confirm) => Command::Review(review::ReviewCommand {
            booking: confirm.booking.clone(),
            decision: review::ReviewAnswer::Confirm,
            reason: confirm.reason.clone(),
        }),
        ReviewArgs::Decline(decline) => Command::Review(review::ReviewCommand {
            booking: decline.booking.clone(),
            decision: review::ReviewAnswer::Decline,
            reason: decline.reason.clone(),
        }),
    }
}

fn build_unresolved_command(args: &UnresolvedArgs) -> Command {
    match &args.resolve {
        None => Command::Unresolved {
            limit: args.limit,
            after: None,
        },
        Some(ResolveArgs::Resolve {
            booking,
            code,
            reason,
        }) => Command::Resolve {
            booking: booking.clone(),
            code: code.clone(),
            reason: reason.clone(),
        },
    }
}

fn build_grant(
    args: &GrantArgs,
    read_time_context: ReadTimeContext<'_>,
) -> Result<Command, Refusal> {
    Ok(Command::Grant(protocol::credits::GrantCommand {
        account: args.account.clone(),
        credits: args.credits,
        expires: parse_time_flag(
            args.expires.as_deref(),
            "--expires",
            TimeMeaning::Until,
            read_time_context,
        )?,
        reason: args.reason.clone(),
        reference: args.reference.clone(),
        new: args.new,
        source: args.source.clone(),
        priority: args.priority,
        gates: args.gates.clone(),
        lasts_after_first_use: args.lasts.map(|length| length.as_secs()),
    }))
}

fn build_evaluate(
    args: &EvaluateArgs,
    read_time_context: ReadTimeContext<'_>,
    read_file: ReadFile<'_>,
) -> Result<Command, Refusal> {
    let at = parse_time_flag(
        args.at.as_deref(),
        "--at",
        TimeMeaning::At,
        read_time_context,
    )?;
    let bytes = read_file(&args.file, MAX_BOOKING)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Refusal::usage(format!(
            "{} is not UTF-8 text: the byte at {at} is not",
            args.file.display()
        ))
    })?;
    Ok(Command::Evaluate { text, at })
}

fn parse_time_flag(
    text: Option<&str>,
    flag: &str,
    meaning: TimeMeaning,
    read_time_context: ReadTimeContext<'_>,
) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    time::parse(text, meaning, read_time_context()?)
        .map(Some)
        .map_err(|error| Refusal::usage(format!("{flag}: {error}")))
}

#[cfg(test)]
mod tests;
