//! Renders an answer of any kind, for people or for machines.

use super::layout::PageLayout;
use super::{
    account, accounting, credits, decisions, explain, ledger, members, pass, reload, review,
    sanitize, statistics, status, unresolved,
};
use crate::control::protocol::CommandResult;

/// Renders an answer for people, on the page.
pub fn render_plain(answer: &CommandResult, page: &PageLayout) -> String {
    match sanitize::sanitize_result(answer, |text| page.render_text(text)) {
        CommandResult::Pass(view) => pass::render_pass(&view, page),
        CommandResult::Status(view) => status::render_status(&view, page),
        CommandResult::PageLink(view) => status::render_page_link(&view, page),
        CommandResult::Reload(view) => reload::render_reload(&view, page),
        CommandResult::GrantRecord(view) => credits::render_grant_result(&view, page),
        CommandResult::Import(view) => credits::render_import(&view),
        CommandResult::Grants(view) => credits::render_grants(&view, page),
        CommandResult::Account(view) => account::render_account(&view, page),
        CommandResult::Accounts(view) => account::render_accounts(&view, page),
        CommandResult::Erasure(view) => account::render_erasure(&view),
        CommandResult::MembersSync(view) => members::render_sync(&view, page),
        CommandResult::Statement(view) => account::render_statement(&view, page),
        CommandResult::Accounting(view) => accounting::render_accounting(&view, page),
        CommandResult::Decisions(view) => decisions::render_decisions(&view, page),
        CommandResult::Statistics(view) => statistics::render_statistics(&view, page),
        CommandResult::Explain(view) => explain::render_explanation(&view, page),
        CommandResult::Evaluate(view) => explain::render_evaluation(&view, page),
        CommandResult::Reviews(view) => review::render_review_list(&view, page),
        CommandResult::ReviewResult(view) => review::render_reviewed(&view, page),
        CommandResult::Charges(view) => explain::render_charge_list(&view, page),
        CommandResult::Unresolved(view) => unresolved::render_unresolved_list(&view, page),
        CommandResult::Verify(view) => ledger::render_verification(&view),
        CommandResult::CreditsExport(view) => credits::render_export(&view),
        CommandResult::Head(view) => ledger::render_head(&view),
        CommandResult::Ledger(view) => ledger::render_ledger(&view, page),
    }
}

/// Renders an answer as the text of a CSV file. `None`: the answer has no such form.
pub fn render_csv(answer: &CommandResult) -> Option<String> {
    match answer {
        CommandResult::Statement(view) => Some(account::render_statement_csv(view)),
        CommandResult::Accounting(view) => Some(accounting::render_accounting_csv(view)),
        _ => None,
    }
}

/// Renders an answer for machines: the view itself on one line.
pub fn render_json(answer: &CommandResult) -> String {
    let text = match answer {
        CommandResult::Pass(view) => serde_json::to_string(view),
        CommandResult::Status(view) => serde_json::to_string(view),
        CommandResult::PageLink(view) => serde_json::to_string(view),
        CommandResult::Reload(view) => serde_json::to_string(view),
        CommandResult::GrantRecord(view) => serde_json::to_string(view),
        CommandResult::Import(view) => serde_json::to_string(view),
        CommandResult::Grants(view) => serde_json::to_string(view),
        CommandResult::Account(view) => serde_json::to_string(view),
        CommandResult::Accounts(view) => serde_json::to_string(view),
        CommandResult::Erasure(view) => serde_json::to_string(view),
        CommandResult::MembersSync(view) => serde_json::to_string(view),
        CommandResult::Statement(view) => serde_json::to_string(view),
        CommandResult::Accounting(view) => serde_json::to_string(view),
        CommandResult::Decisions(view) => serde_json::to_string(view),
        CommandResult::Statistics(view) => serde_json::to_string(view),
        CommandResult::Explain(view) => serde_json::to_string(view),
        CommandResult::Evaluate(view) => serde_json::to_string(view),
        CommandResult::Reviews(view) => serde_json::to_string(view),
        CommandResult::ReviewResult(view) => serde_json::to_string(view),
        CommandResult::Charges(view) => serde_json::to_string(view),
        CommandResult::Unresolved(view) => serde_json::to_string(view),
        CommandResult::Verify(view) => serde_json::to_string(view),
        CommandResult::CreditsExport(view) => serde_json::to_string(view),
        CommandResult::Head(view) => serde_json::to_string(view),
        CommandResult::Ledger(view) => serde_json::to_string(view),
    };
    sanitize::escape_json(&text.expect("views have only keys that are texts")) + "\n"
}

#[cfg(test)]
mod tests;
