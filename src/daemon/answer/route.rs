//! Which command is answered by which part.

use super::{
    accounts, charges, credits, decisions, evaluate, export, import, ledger, members, parse,
    review, unresolved,
};
use crate::control::protocol::ledger::HeadView;
use crate::control::protocol::ledger::VerifyView;
use crate::control::protocol::{Answer, Command, Refusal, SCHEMA};
use crate::domain::gate::Policy;
use crate::domain::time::Time;
use crate::store::port::Store;

/// Whether the command needs the store and nothing else; the others are the daemon's own.
pub fn is_for_the_store(command: &Command) -> bool {
    match command {
        Command::Plan {}
        | Command::Pass { .. }
        | Command::Status {}
        | Command::Pause {}
        | Command::Resume {} => false,
        Command::Grant(_)
        | Command::Revoke(_)
        | Command::Import { .. }
        | Command::Grants { .. }
        | Command::AccountShow { .. }
        | Command::AccountList { .. }
        | Command::AccountAlias { .. }
        | Command::AccountSet(_)
        | Command::AccountFreeze { .. }
        | Command::AccountPin { .. }
        | Command::AccountStatement { .. }
        | Command::CreditsExport { .. }
        | Command::Head {}
        | Command::Decisions { .. }
        | Command::Explain { .. }
        | Command::Evaluate { .. }
        | Command::Reviews { .. }
        | Command::Review(_)
        | Command::Charges { .. }
        | Command::ChargeSettle { .. }
        | Command::Unresolved { .. }
        | Command::Resolve { .. }
        | Command::Verify {}
        | Command::LedgerShow {}
        | Command::LedgerMove(_)
        | Command::LedgerAcceptRestore { .. } => true,
    }
}

/// Whether the command may write to the store. The others are answered from the log, which they only
/// read.
pub fn writes(command: &Command) -> bool {
    match command {
        Command::Grant(_)
        | Command::Revoke(_)
        | Command::Import { dry_run: false, .. }
        | Command::AccountAlias { .. }
        | Command::AccountSet(_)
        | Command::AccountFreeze { .. }
        | Command::AccountPin { .. }
        | Command::Review(_)
        | Command::ChargeSettle { .. }
        | Command::Resolve { .. }
        | Command::LedgerMove(_)
        | Command::LedgerAcceptRestore { .. } => true,
        Command::Plan {}
        | Command::Pass { .. }
        | Command::Status {}
        | Command::Pause {}
        | Command::Resume {}
        | Command::Import { dry_run: true, .. }
        | Command::Grants { .. }
        | Command::AccountShow { .. }
        | Command::AccountList { .. }
        | Command::AccountStatement { .. }
        | Command::CreditsExport { .. }
        | Command::Head {}
        | Command::Decisions(_)
        | Command::Explain { .. }
        | Command::Evaluate { .. }
        | Command::Reviews { .. }
        | Command::Charges { .. }
        | Command::Unresolved { .. }
        | Command::Verify {}
        | Command::LedgerShow {} => false,
    }
}

/// Answers a command with the store.
///
/// # Errors
/// With what was wrong and what to do.
pub fn answer(
    store: &mut dyn Store,
    policy: &Policy,
    now: Time,
    command: &Command,
) -> Result<Answer, Refusal> {
    match command {
        Command::Grant(asked) => credits::grant(store, now, asked),
        Command::Revoke(asked) => credits::revoke(store, now, asked),
        Command::Import { rows, dry_run } => import::import(store, now, rows, *dry_run),
        Command::Grants { account } => credits::grants(store, now, account),
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
        } => accounts::alias(store, now, account, alias, *remove),
        Command::AccountSet(asked) => members::describe(store, now, asked),
        Command::AccountFreeze { account, why } => {
            members::freeze(store, now, account, why.as_deref())
        }
        Command::AccountPin { account, hash } => members::pin(store, now, account, hash.as_deref()),
        Command::AccountStatement { account, limit } => {
            accounts::statement(store, now, account, *limit)
        }
        Command::Decisions(query) => decisions::list(store, query),
        Command::Explain { booking } => decisions::explain(store, policy, now, booking),
        Command::Evaluate { text, at } => {
            evaluate::evaluate(store, policy, now, text, at.as_deref())
        }
        Command::Reviews { all, limit } => review::list(store, now, *all, *limit),
        Command::Review(asked) => review::say(store, now, asked),
        Command::Charges { open, limit } => charges::list(store, policy, now, *open, *limit),
        Command::ChargeSettle { booking, refund } => {
            charges::settle(store, policy, now, booking, *refund)
        }
        Command::Unresolved { limit } => unresolved::list(store, *limit),
        Command::Resolve {
            booking,
            code,
            reason,
        } => unresolved::resolve(store, now, booking, code.as_deref(), reason),
        Command::CreditsExport { after, limit } => {
            export::rows(store, now, after.as_deref(), *limit)
        }
        Command::Verify {} => verify(store),
        Command::LedgerShow {} => ledger::show(store),
        Command::LedgerMove(asked) => ledger::belong(store, now, asked),
        Command::LedgerAcceptRestore { reason } => ledger::accept_restore(store, now, reason),
        Command::Head {} => Ok(head(store)),
        Command::Plan {}
        | Command::Pass { .. }
        | Command::Status {}
        | Command::Pause {}
        | Command::Resume {} => Err(parse::refused(
            "internal",
            "the command is the daemon's own and was sent to the store",
        )),
    }
}

fn head(store: &dyn Store) -> Answer {
    let head = store.head();
    Answer::Head(HeadView {
        schema: SCHEMA,
        sequence: head.seq,
        hash: head.hash,
    })
}

fn verify(store: &mut dyn Store) -> Result<Answer, Refusal> {
    let head = store.head();
    let verified = store.verify().map_err(|e| parse::store_failed(&e))?;
    Ok(Answer::Verify(VerifyView {
        schema: SCHEMA,
        commits: verified.commits,
        facts: verified.facts,
        head: head.hash,
        compared: verified.compared,
        differences: verified.differences,
    }))
}
