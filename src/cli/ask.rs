//! From arguments to what is asked of the house. The same command goes over the socket or, when no
//! daemon runs, to the store that the command opened itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::Ask;
use super::args::account::{Account, Pin, Set};
use super::args::credits::{Credits, Grant, Import};
use super::args::decisions::{Charges, Resolve, Review, Settle, Unresolved};
use super::args::ledger::Ledger;
use super::args::passes::Evaluate;
use super::csv;
use super::export;
use super::time::{self, Here, Meaning};
use crate::control::protocol::account::Describe;
use crate::control::protocol::ledger::MoveLedger;
use crate::control::protocol::{self, Command, Refusal, review};

/// The longest booking that `evaluate` reads: a real one has a few kilobytes.
const MAX_BOOKING: usize = 1024 * 1024;

/// How a named file is read: its path, and the most bytes that are wanted.
pub type ReadFile<'a> = &'a dyn Fn(&Path, usize) -> Result<Vec<u8>, Refusal>;

/// How the present time and the configured time zone are read. Only commands that name a time need
/// them.
pub type ReadHere<'a> = &'a dyn Fn() -> Result<Here, Refusal>;

/// How a PIN is read: its hash comes out.
pub type ReadPin<'a> = &'a dyn Fn() -> Result<String, Refusal>;

/// The command that the arguments ask for.
///
/// # Errors
/// When a time or a file cannot be understood.
pub fn command_of(
    ask: &Ask,
    here: ReadHere<'_>,
    read: ReadFile<'_>,
    pin: ReadPin<'_>,
) -> Result<Command, Refusal> {
    match ask {
        Ask::Plan(_) => Ok(Command::Plan {}),
        Ask::Evaluate(args) => evaluate(args, here, read),
        Ask::Credits(credits) => credits_command(credits, here, read),
        Ask::Account(account) => account_command(account, pin),
        Ask::Decisions(args) => Ok(Command::Decisions(protocol::DecisionQuery {
            since: instant(args.since.as_deref(), "--since", Meaning::Since, here)?,
            limit: args.limit,
            who: args.who.clone(),
            gate: args.gate.clone(),
            outcome: args.outcome.map(|outcome| outcome.as_str().to_owned()),
        })),
        Ask::Explain { booking } => Ok(Command::Explain {
            booking: booking.clone(),
        }),
        Ask::Review(asked) => Ok(review_command(asked)),
        Ask::Charges(Charges::List { open, limit }) => Ok(Command::Charges {
            open: *open,
            limit: *limit,
        }),
        Ask::Charges(Charges::Settle { booking, how }) => Ok(Command::ChargeSettle {
            booking: booking.clone(),
            refund: *how == Settle::Refund,
        }),
        Ask::Unresolved(args) => Ok(unresolved_command(args)),
        Ask::Status => Ok(Command::Status {}),
        Ask::Pause => Ok(Command::Pause {}),
        Ask::Resume => Ok(Command::Resume {}),
        Ask::Pass(args) => Ok(Command::Pass { watch: args.watch }),
        Ask::Ledger(Ledger::Verify) => Ok(Command::Verify {}),
        Ask::Ledger(Ledger::Show) => Ok(Command::LedgerShow {}),
        Ask::Ledger(Ledger::Move(args)) => Ok(Command::LedgerMove(MoveLedger {
            server: args.server.clone(),
            account: args.account,
            dialect: args.dialect.clone(),
            reason: args.reason.clone(),
        })),
        Ask::Ledger(Ledger::AcceptRestore(args)) => Ok(Command::LedgerAcceptRestore {
            reason: args.reason.clone(),
        }),
        Ask::Ledger(Ledger::Export(_)) | Ask::Backup(_) => Ok(Command::Head {}),
    }
}

fn credits_command(
    credits: &Credits,
    here: ReadHere<'_>,
    read: ReadFile<'_>,
) -> Result<Command, Refusal> {
    match credits {
        Credits::Grant(args) => grant(args, here),
        Credits::Revoke(args) => Ok(Command::Revoke(protocol::Revoke {
            account: args.account.clone(),
            credits: args.credits,
            reason: args.reason.clone(),
            reference: args.reference.clone(),
        })),
        Credits::List { account } => Ok(Command::Grants {
            account: account.clone(),
        }),
        Credits::Import(args) => import(args, here, read),
        Credits::Export(_) => Ok(Command::CreditsExport {
            after: None,
            limit: export::PAGE,
        }),
    }
}

fn account_command(account: &Account, pin: ReadPin<'_>) -> Result<Command, Refusal> {
    Ok(match account {
        Account::Show { account } => Command::AccountShow {
            account: account.clone(),
        },
        Account::List {
            after,
            limit,
            search,
        } => Command::AccountList {
            after: after.clone(),
            limit: *limit,
            search: search.clone(),
        },
        Account::Statement { account, limit } => Command::AccountStatement {
            account: account.clone(),
            limit: *limit,
        },
        Account::Alias {
            account,
            alias,
            remove,
        } => Command::AccountAlias {
            account: account.clone(),
            alias: alias.clone(),
            remove: *remove,
        },
        Account::Set(args) => Command::AccountSet(describe(args)?),
        Account::Freeze { account, reason } => Command::AccountFreeze {
            account: account.clone(),
            why: Some(reason.clone()),
        },
        Account::Thaw { account } => Command::AccountFreeze {
            account: account.clone(),
            why: None,
        },
        Account::Pin(Pin::Set { account }) => Command::AccountPin {
            account: account.clone(),
            hash: Some(pin()?),
        },
        Account::Pin(Pin::Clear { account }) => Command::AccountPin {
            account: account.clone(),
            hash: None,
        },
    })
}

fn describe(args: &Set) -> Result<Describe, Refusal> {
    let mut attributes = BTreeMap::new();
    for (name, value) in &args.attributes {
        if attributes.insert(name.clone(), value.clone()).is_some() {
            return Err(Refusal::usage(format!("--attribute {name} is given twice")));
        }
    }
    Ok(Describe {
        account: args.account.clone(),
        tier: args.tier.clone(),
        no_tier: args.no_tier,
        tags: args.tags.clone(),
        untags: args.untags.clone(),
        attributes,
        no_attributes: args.no_attributes.clone(),
    })
}

fn review_command(asked: &Review) -> Command {
    match asked {
        Review::List { all, limit } => Command::Reviews {
            all: *all,
            limit: *limit,
        },
        Review::Confirm(said) => Command::Review(review::Review {
            booking: said.booking.clone(),
            verdict: review::Verdict::Confirm,
            reason: said.reason.clone(),
        }),
        Review::Decline(said) => Command::Review(review::Review {
            booking: said.booking.clone(),
            verdict: review::Verdict::Decline,
            reason: said.reason.clone(),
        }),
    }
}

fn unresolved_command(args: &Unresolved) -> Command {
    match &args.resolve {
        None => Command::Unresolved { limit: args.limit },
        Some(Resolve::Resolve {
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

fn grant(args: &Grant, here: ReadHere<'_>) -> Result<Command, Refusal> {
    Ok(Command::Grant(protocol::Grant {
        account: args.account.clone(),
        credits: args.credits,
        expires: instant(args.expires.as_deref(), "--expires", Meaning::Until, here)?,
        reason: args.reason.clone(),
        reference: args.reference.clone(),
        new: args.new,
    }))
}

fn import(args: &Import, here: ReadHere<'_>, read: ReadFile<'_>) -> Result<Command, Refusal> {
    let bytes = read(&args.file, csv::MAX_FILE)?;
    let rows =
        csv::parse(&bytes, here()?.zone).map_err(|bad| Refusal::usage(bad.told(&args.file)))?;
    Ok(Command::Import {
        rows,
        dry_run: args.dry_run,
    })
}

fn evaluate(args: &Evaluate, here: ReadHere<'_>, read: ReadFile<'_>) -> Result<Command, Refusal> {
    let at = instant(args.at.as_deref(), "--at", Meaning::At, here)?;
    let bytes = read(&args.file, MAX_BOOKING)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Refusal::usage(format!(
            "{} is not UTF-8 text: the byte at {at} is not",
            args.file.display()
        ))
    })?;
    Ok(Command::Evaluate { text, at })
}

fn instant(
    text: Option<&str>,
    flag: &str,
    meaning: Meaning,
    here: ReadHere<'_>,
) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    time::parse(text, meaning, here()?)
        .map(Some)
        .map_err(|error| Refusal::usage(format!("{flag}: {error}")))
}

#[cfg(test)]
mod tests;
