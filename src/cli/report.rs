//! `maitred report`: the state in one HTML file.

use super::args::passes::ReportArgs;
use super::context::Context;
use super::execute::execute;
use super::export;
use crate::config::model::Config;
use crate::control::exit;
use crate::control::protocol::decisions::DecisionQuery;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::page::context::{LinkTarget, ViewContext};
use crate::page::report::{MAX_ROWS, ReportData, render_report};
use crate::page::views::charts;

/// Writes the report to a new file. Without a daemon the report has no state of the daemon.
///
/// # Errors
/// Returns a refusal if the ledger cannot be read, or if the file exists or cannot be written.
pub fn report(context: &Context, args: &ReportArgs) -> Result<u8, Refusal> {
    let config = context.config()?.config;
    let data = read_data(context, &config)?;
    let rows = data.waiting.requests.len()
        + data.decisions.decisions.len()
        + data.members.accounts.len()
        + data.charges.charges.len()
        + data.unresolved.items.len();
    let view_context = ViewContext {
        now: (context.clock)(),
        zone: config.policy.global.zone,
        links: LinkTarget::File,
    };
    let text = render_report(&view_context, &data);
    export::export_text(context, &args.html, &text, rows)
}

fn read_data(context: &Context, config: &Config) -> Result<ReportData, Refusal> {
    let ask = |command| execute(context, config, command);
    let status = match ask(Command::Status {}) {
        Ok(CommandResult::Status(status)) => Some(*status),
        Err(refusal) if refusal.exit == exit::UNREACHABLE => None,
        Err(refusal) => return Err(refusal),
        Ok(_) => return Err(unexpected_answer()),
    };
    let (limit, after) = (MAX_ROWS, None);
    let answers = (
        ask(Command::Reviews {
            all: true,
            limit,
            after: None,
        })?,
        ask(Command::Decisions(DecisionQuery {
            limit,
            ..DecisionQuery::default()
        }))?,
        ask(Command::AccountList {
            after: None,
            limit,
            search: None,
        })?,
        ask(Command::Charges {
            open: true,
            limit,
            after: None,
        })?,
        ask(Command::Unresolved { limit, after })?,
        ask(charts::query(None))?,
    );
    match answers {
        (
            CommandResult::Reviews(waiting),
            CommandResult::Decisions(decisions),
            CommandResult::Accounts(members),
            CommandResult::Charges(charges),
            CommandResult::Unresolved(unresolved),
            CommandResult::Statistics(statistics),
        ) => Ok(ReportData {
            status,
            waiting,
            decisions,
            members,
            charges,
            unresolved,
            statistics,
        }),
        _ => Err(unexpected_answer()),
    }
}

fn unexpected_answer() -> Refusal {
    Refusal {
        exit: exit::FAILED,
        code: "internal".to_owned(),
        text: "the answer is not the one to this command".to_owned(),
    }
}
