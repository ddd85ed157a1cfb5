//! Assigns each command to the module that carries it out.

use super::import::ImportMode;
use super::statement::StatementQuery;
use super::{
    accounting, accounts, aliases, balances, charges, closing, credits, decisions, erase, evaluate,
    export, import, ledger, members, parse, pause, review, statement, statistics, unresolved,
};
use crate::control::protocol::ledger::HeadView;
use crate::control::protocol::ledger::VerifyView;
use crate::control::protocol::{Command, CommandResult, Refusal, SCHEMA};
use crate::domain::gate::Policy;
use crate::store::port::{Maintenance, Store};
use crate::store::transaction::Stamp;

/// Carries out a command with the store.
///
/// # Errors
/// Returns what was wrong and what to do.
#[expect(clippy::too_many_lines, reason = "one arm for each command")]
pub fn run_command(
    store: &mut dyn Maintenance,
    policy: &Policy,
    stamp: impl Into<Stamp>,
    command: &Command,
) -> Result<CommandResult, Refusal> {
    let stamp = &stamp.into();
    let now = stamp.at;
    match command {
        Command::Grant(command) => {
            credits::check_gates(policy, command)?;
            credits::grant(store, stamp, command)
        }
        Command::SetBalance(command) => balances::set_balance(store, stamp, command),
        Command::Transfer(command) => balances::transfer(store, stamp, command),
        Command::Revoke(command) => credits::revoke(store, stamp, command),
        Command::Import {
            rows,
            problems,
            dry_run,
            check,
        } => {
            let mode = match (check, dry_run) {
                (true, _) => ImportMode::Check,
                (false, true) => ImportMode::DryRun,
                (false, false) => ImportMode::Write,
            };
            import::import(store, stamp, (rows, problems), mode)
        }
        Command::Grants { account } => credits::list_grants(store, now, account),
        Command::AccountShow { account } => accounts::show(store, now, account),
        Command::AccountList {
            after,
            limit,
            search,
        } => accounts::list(store, now, after.as_deref(), *limit, search.as_deref()),
        Command::AccountAlias {
            account,
            alias,
            remove,
        } => aliases::set_alias(store, stamp, account, alias, *remove),
        Command::AccountSet(command) => members::set_attributes(store, stamp, command),
        Command::AccountFreeze { account, reason } => members::freeze_or_thaw(
            store,
            stamp,
            account,
            reason.as_deref(),
            policy.global.spending.freeze_stops_expiry,
        ),
        Command::AccountClose {
            account,
            reason,
            forfeit,
        } => closing::close(store, stamp, account, reason, *forfeit),
        Command::AccountReopen { account } => closing::reopen(store, stamp, account),
        Command::AccountMerge {
            account,
            into,
            reason,
        } => closing::merge(store, stamp, (account, into), reason.as_deref()),
        Command::AccountRename {
            account,
            name,
            reason,
        } => closing::rename(store, stamp, (account, name), reason.as_deref()),
        Command::AccountErase(command) => erase::erase(store, stamp, command),
        Command::AccountPin { account, hash } => {
            members::set_pin(store, stamp, account, hash.as_deref())
        }
        Command::AccountStatement {
            account,
            limit,
            after,
            from,
            to,
        } => statement::show(
            store,
            now,
            StatementQuery {
                account,
                limit: *limit,
                after: after.as_deref(),
                from: from.as_deref(),
                to: to.as_deref(),
            },
        ),
        Command::Accounting { from, to } => accounting::show(
            store,
            policy.global.zone,
            now,
            (from.as_deref(), to.as_deref()),
        ),
        Command::Decisions(query) => decisions::list(store, query),
        Command::Statistics { days } => statistics::show(store, now, *days),
        Command::Explain { booking } => decisions::explain(store, policy, now, booking),
        Command::Evaluate { text, at } => {
            evaluate::evaluate(store, policy, now, text, at.as_deref())
        }
        Command::Reviews { all, limit, after } => {
            review::list(store, now, *all, *limit, after.as_deref())
        }
        Command::Review(command) => review::record_review(store, policy, stamp, command),
        Command::Charges { open, limit, after } => {
            charges::list(store, policy, now, (*open, after.as_deref()), *limit)
        }
        Command::ChargeSettle { booking, refund } => {
            charges::settle(store, policy, stamp, booking, *refund)
        }
        Command::Unresolved { limit, after } => unresolved::list(store, *limit, after.as_deref()),
        Command::Resolve {
            booking,
            code,
            reason,
        } => unresolved::resolve(store, stamp, booking, code.as_deref(), reason),
        Command::CreditsExport { after, limit } => {
            export::export_rows(store, now, after.as_deref(), *limit)
        }
        Command::Verify {} => verify_store(store),
        Command::LedgerShow {} => ledger::show(store),
        Command::LedgerMove(command) => ledger::move_ledger(store, stamp, command),
        Command::LedgerAcceptRestore { reason } => ledger::accept_restore(store, stamp, reason),
        Command::Head {} => Ok(show_head(store)),
        Command::Pause(command) => pause::pause(store, policy, stamp, command),
        Command::Resume { gate } => pause::resume(store, policy, stamp, gate.as_deref()),
        Command::Plan {}
        | Command::Pass { .. }
        | Command::Status {}
        | Command::MembersSync(_)
        | Command::Page {}
        | Command::Reload {} => Err(refuse_daemon_command()),
    }
}

fn refuse_daemon_command() -> Refusal {
    parse::refusal(
        "internal",
        "the command is the daemon's own and was sent to the store",
    )
}

fn show_head(store: &dyn Store) -> CommandResult {
    let head = store.head();
    CommandResult::Head(HeadView {
        schema: SCHEMA,
        sequence: head.seq,
        hash: head.hash,
    })
}

fn verify_store(store: &dyn Maintenance) -> Result<CommandResult, Refusal> {
    let head = store.head();
    let verified = store.verify().map_err(|e| parse::store_failed(&e))?;
    Ok(CommandResult::Verify(VerifyView {
        schema: SCHEMA,
        commits: verified.commits,
        facts: verified.facts,
        head: head.hash,
        projection_compared: verified.projection_compared,
        differences: verified.differences,
    }))
}
